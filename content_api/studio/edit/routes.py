"""Pages on which an entry is written."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("edit", __name__, url_prefix="/studio/entries")
