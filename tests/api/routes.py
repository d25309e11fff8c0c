"""All routes of the management API, as the app itself lists them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import Flask

from content_api.api import access_of

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, and who may call it."""

    method: str
    path: str
    access: dict[str, str]

    @property
    def action(self) -> str | None:
        """The action it requires, None for those that any person or anyone may call."""
        return self.access.get("action")


def list_routes(app: Flask) -> list[Route]:
    """Every route below /api/v1 with a path filled with ids that name nothing."""
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or rule.endpoint == "api-docs.openapi_json":
            continue
        view = app.view_functions[rule.endpoint]
        for method in METHODS:
            if method in (rule.methods or ()):
                function = getattr(getattr(view, "view_class", None), method.lower(), view)
                found.append(Route(method, _filled(rule.rule), access_of(function) or {}))
    return sorted(found, key=lambda route: (route.path, route.method))


def call(client: Any, route: Route, headers: dict[str, str] | None = None) -> Any:
    """Call a route with an empty body."""
    body = {"json": {}} if route.method in ("POST", "PUT", "PATCH") else {}
    return client.open(route.path, method=route.method, headers=headers, **body)


def _filled(rule: str) -> str:
    return re.sub(r"<int:\w+>", "7", re.sub(r"<(?!int:)[^>]+>", "nothing-of-this-name", rule))
