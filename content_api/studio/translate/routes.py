"""Pages on which an entry is translated."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("translate", __name__, url_prefix="/studio/entries")
