"""Pages on which packages are published."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("publish", __name__, url_prefix="/studio/packages")
