"""Pages of people and of the audit trail."""

from __future__ import annotations

from content_api.studio.pages import Pages

pages = Pages("people", __name__, url_prefix="/studio")
