"""Pages that list entries."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("entries", __name__, url_prefix="/studio/entries")
