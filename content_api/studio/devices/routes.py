"""Pages of venues and devices."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("devices", __name__, url_prefix="/studio")
