"""Pages of signing in and of one's own account."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("account", __name__, url_prefix="/studio")
