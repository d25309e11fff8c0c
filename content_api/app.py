"""Wiring: settings, database, errors, and each feature's routes. It decides nothing itself."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from content_api import __version__, api_docs, database, edge, health, problems
from content_api.api import Api, Integer
from content_api.settings import Settings, load_settings
from content_api.studio import setup as studio

API_FEATURES = (
    "accounts",
    "languages",
    "content",
    "media",
    "packages",
    "devices",
    "delivery",
)
"""Folders whose `routes.blueprints` go under /api/v1."""

SITE_FEATURES = ("repository", "delivery")
"""Folders whose `routes.site_blueprints` go at the root."""


MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request's body, except where an upload sets its own limit."""


def create_app(settings: Settings | None = None) -> Flask:
    """The server as a WSGI application."""
    settings = settings or load_settings()
    app = Flask(__name__, static_folder=None)
    app.extensions["lampisterie_settings"] = settings
    app.config.update(
        API_TITLE="Lampisterie",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
        JSON_SORT_KEYS=False,
        MAX_CONTENT_LENGTH=MAX_BODY,
    )
    app.url_map.converters["int"] = Integer
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops, hops, hops)  # type: ignore[method-assign]
    edge.init_app(app)
    database.init_app(app, settings.database_url)
    problems.init_app(app)
    app.register_blueprint(health.health)
    app.register_blueprint(api_docs.front_door)
    app.register_blueprint(api_docs.api_docs)
    api = Api(app, spec_kwargs={"servers": [{"url": settings.public_url or "/"}]})
    for feature in (*API_FEATURES, "repository"):
        if find_spec(f"content_api.{feature}.setup"):
            import_module(f"content_api.{feature}.setup").init_app(app)
    for feature in API_FEATURES:
        for blueprint in import_module(f"content_api.{feature}.routes").blueprints:
            api.register_blueprint(blueprint, url_prefix=f"/api/v1{blueprint.url_prefix or ''}")
    studio.init_app(app)
    for feature in SITE_FEATURES:
        for blueprint in import_module(f"content_api.{feature}.routes").site_blueprints:
            app.register_blueprint(blueprint)
    return app
