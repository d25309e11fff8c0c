"""Pages of the media library."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("media", __name__, url_prefix="/studio/media")
