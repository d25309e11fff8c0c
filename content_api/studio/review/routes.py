"""Pages of reviews, comments and history."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("review", __name__, url_prefix="/studio/entries")
