"""Pages that exchange texts with translators' tools."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("exchange", __name__, url_prefix="/studio/exchange")
