"""Rules that hold for every page of the studio, so that a new one cannot forget them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from content_api.accounts.rules import ACTIONS, USER_ROLES, Grant, allows
from content_api.api import access_of
from tests.studio.conftest import Studio

# Who may open a page does not depend on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

OPEN_TO_ANYONE = {
    "studio-base.static_file",
    "studio-base.script_words",
    "studio-base.choose_language",
    "studio-base.nothing",
    "studio-account.sign_in",
    "studio-account.sign_in_send",
    "studio-account.one_time_link",
    "studio-account.one_time_link_send",
    "studio-account.openid_start",
    "studio-account.openid_return",
}
"""What needs no account; a new one is a decision, made here. Links to previews come on top."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one page, and who may open it."""

    method: str
    path: str
    endpoint: str
    access: dict[str, str]


def routes_of(app: Flask) -> list[Route]:
    """Every page of the studio, its path filled with ids that name nothing."""
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("studio-"):
            continue
        for method in METHODS:
            if method in (rule.methods or ()):
                access = access_of(app.view_functions[rule.endpoint]) or {}
                found.append(Route(method, _filled(rule.rule), rule.endpoint, access))
    return sorted(found, key=lambda route: (route.path, route.method))


def call(person: Any, route: Route) -> Any:
    """Send a change as our pages do, with nothing in it; or open a page."""
    if route.method == "GET":
        return person.get(route.path)
    return person.post(route.path, method=route.method)


def test_every_page_says_who_may_open_it(studio: Studio) -> None:
    routes = routes_of(studio.app)
    assert len(routes) > 60
    for route in routes:
        assert len(route.access) == 1, route
        assert route.access.get("action") is None or route.access["action"] in ACTIONS, route


def test_nothing_is_open_to_anyone_but_signing_in_and_links(studio: Studio) -> None:
    public = {route.endpoint for route in routes_of(studio.app) if "public" in route.access}
    beyond = {name for name in public if not name.startswith("studio-preview.")}
    assert beyond == OPEN_TO_ANYONE
    for route in routes_of(studio.app):
        if route.endpoint in public - OPEN_TO_ANYONE:
            assert route.method == "GET", route
            assert route.path.startswith("/preview/"), route


def test_who_has_not_signed_in_sees_no_page_and_changes_nothing(studio: Studio) -> None:
    stranger = studio.app.test_client()
    stranger.get("/studio/sign-in")
    for route in _guarded(studio.app):
        answer = stranger.open(route.path, method=route.method)
        if route.method == "GET":
            assert answer.status_code == 303, route
            assert answer.headers["Location"].startswith("/studio/sign-in"), route
        else:
            assert answer.status_code in (401, 403), route


def test_every_change_needs_the_token_of_our_own_pages(studio: Studio) -> None:
    admin = studio.person("ada", Grant("admin"))
    for route in routes_of(studio.app):
        if route.method != "GET":
            answer = admin.client.open(
                route.path, method=route.method, headers={"Accept": "application/json"}
            )
            assert answer.status_code == 403, route
            assert answer.json["code"] == "request-forged", route


def test_somebody_without_grants_opens_only_what_needs_no_role(studio: Studio) -> None:
    nobody = studio.person("nobody")
    for route in _guarded(studio.app):
        if "action" in route.access:
            assert call(nobody, route).status_code == 403, route


@pytest.mark.parametrize("role", USER_ROLES)
def test_a_role_opens_exactly_the_pages_of_its_actions(studio: Studio, role: str) -> None:
    person = studio.person("somebody", Grant(role))
    for route in _guarded(studio.app):
        action = route.access.get("action")
        if action is None or _ends_own_session(route):
            continue
        status = call(person, route).status_code
        if not allows(person.actor, action):
            assert status == 403, (route, status)
        else:
            assert status not in (401, 403, 500), (route, status)


def test_pages_carry_a_strict_policy_and_are_kept_by_nobody(studio: Studio) -> None:
    admin = studio.person("ada", Grant("admin"))
    for route in _guarded(studio.app):
        if route.method != "GET":
            continue
        answer = admin.get(route.path)
        if answer.mimetype == "text/html":
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe" not in policy, route
            assert "object-src 'none'" in policy, route
            assert "no-store" in answer.headers["Cache-Control"], route


def _guarded(app: Flask) -> list[Route]:
    return [route for route in routes_of(app) if "public" not in route.access]


def _ends_own_session(route: Route) -> bool:
    return route.endpoint == "studio-account.sign_out"


def _filled(rule: str) -> str:
    return re.sub(r"<int:\w+>", "7", re.sub(r"<(?!int:)[^>]+>", "nothing-of-this-name", rule))
