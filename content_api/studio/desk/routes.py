"""The desk: what needs the person who is signed in."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("desk", __name__, url_prefix="/studio")
