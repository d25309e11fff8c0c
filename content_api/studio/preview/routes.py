"""Pages that show the player on a draft."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("preview", __name__, url_prefix="/studio")
