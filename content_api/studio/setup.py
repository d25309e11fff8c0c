"""Wiring of the studio: its areas, its templates' words, its static files."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from flask import Flask, g, request

from content_api import messages
from content_api.accounts.rules import allows
from content_api.database import utc_now
from content_api.studio import formats, sessions
from content_api.studio.navigation import menu_for
from content_api.studio.pages import field_anchor

AREAS = (
    "base",
    "widgets",
    "account",
    "desk",
    "entries",
    "edit",
    "translate",
    "review",
    "exchange",
    "media",
    "packages",
    "publish",
    "preview",
    "devices",
    "hours",
    "people",
)
"""Folders whose `routes` hold `pages`, or several in `all_pages`."""

FILTERS: dict[str, Any] = {
    "date": formats.format_date,
    "datetime": formats.format_datetime,
    "time": formats.format_time,
    "ago": formats.ago,
    "number": formats.format_number,
    "percent": formats.format_percent,
    "bytes": formats.format_bytes,
    "duration": formats.format_duration,
}


def init_app(app: Flask) -> None:
    """Add the studio to `app`."""
    for area in AREAS:
        routes = import_module(f"content_api.studio.{area}.routes")
        for pages in getattr(routes, "all_pages", None) or [routes.pages]:
            app.register_blueprint(pages)
    messages.init_jinja(app.jinja_env)
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals.update(
        field_anchor=field_anchor,
        language_name=formats.language_name,
        endonym=formats.endonym,
        endonym_ui=formats.own_name,
        language_dir=formats.language_dir,
        label=formats.label_of,
        static=static,
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_context)


def static(path: str) -> str:
    """Address of a static file of the studio. Asked for every icon of a list, so no routing."""
    return f"/studio/static/{path}"


def _context() -> dict[str, Any]:
    if not request.path.startswith("/studio"):
        return {}
    user = sessions.current_user()
    actor = sessions.current_actor_or_none()

    def can(action: str, entry_type: str | None = None, scopes: Any = ()) -> bool:
        return actor is not None and allows(actor, action, entry_type=entry_type, scopes=scopes)

    return {
        "user": user,
        "actor": actor,
        "can": can,
        "csrf_token": sessions.csrf_token,
        "flashes": sessions.flashes,
        "languages": formats.content_languages,
        "ui_language": messages.current_language(),
        "ui_languages": messages.available_languages(),
        "ui_dir": formats.ui_direction(),
        "menu": menu_for(actor, request.path),
        "now": utc_now(),
        "request_id": g.get("request_id", ""),
    }
