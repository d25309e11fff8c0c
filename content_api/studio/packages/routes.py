"""Pages on which packages are put together."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("packages", __name__, url_prefix="/studio/packages")
