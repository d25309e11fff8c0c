"""Rules that hold for every route, so that a new one cannot forget them."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from content_api.accounts.rules import ACTIONS, ROLE_ACTIONS, Grant
from content_api.api import Blueprint
from tests.accounts.people import enrolled_device, sign_up
from tests.api.routes import Route, call, list_routes

OPEN_TO_ANYONE = {
    ("POST", "/api/v1/sessions"),
    ("POST", "/api/v1/enrolments"),
}
"""Public beside reading what is live; a new one is a decision, made here."""


def test_every_route_says_who_may_call_it(app: Flask) -> None:
    routes = list_routes(app)
    assert len(routes) > 60
    for route in routes:
        assert len(route.access) == 1, route
        assert route.action is None or route.action in ACTIONS, route


def test_a_route_that_does_not_say_who_may_call_it_does_not_start() -> None:
    blueprint = Blueprint("mine", __name__)

    def anyone() -> str:
        return ""

    with pytest.raises(TypeError, match="expected requires, signed_in or public"):
        blueprint.route("/mine")(anyone)


def test_only_signing_in_enrolling_and_what_is_live_are_public(app: Flask) -> None:
    public = {(route.method, route.path) for route in list_routes(app) if "public" in route.access}
    assert public >= OPEN_TO_ANYONE
    for method, path in public - OPEN_TO_ANYONE:
        assert method == "GET", path
        assert path.startswith("/api/v1/live/"), path


def test_every_other_route_answers_401_without_a_token(app: Flask, client: FlaskClient) -> None:
    for route in _guarded(app):
        response = call(client, route)
        assert response.status_code == 401, route
        assert response.json["code"] == "unauthenticated", route
        assert response.headers["WWW-Authenticate"] == "Bearer", route


def test_every_other_route_answers_401_to_a_token_that_is_not_ours(
    app: Flask, client: FlaskClient
) -> None:
    for route in _guarded(app):
        for token in ("x", "lmu_" + "x" * 43, "lmd_" + "x" * 43):
            response = call(client, route, {"Authorization": f"Bearer {token}"})
            assert response.status_code == 401, route
            assert response.json["code"] == "token-invalid", route


def test_every_action_answers_403_to_someone_with_no_grants(
    app: Flask, client: FlaskClient
) -> None:
    headers = sign_up(app, "nobody")
    for route in _guarded(app):
        if route.action is not None:
            response = call(client, route, headers)
            assert response.status_code == 403, route
            assert response.json["code"] == "forbidden", route


@pytest.mark.parametrize("role", [*ROLE_ACTIONS])
def test_a_role_may_call_exactly_the_routes_of_its_actions(
    app: Flask, client: FlaskClient, role: str
) -> None:
    headers = enrolled_device(app) if role == "device" else sign_up(app, "somebody", Grant(role))
    for route in _guarded(app):
        if route.action is None:
            continue
        status = call(client, route, headers).status_code
        assert (status == 403) == (route.action not in ROLE_ACTIONS[role]), (route, status)
        assert status not in (401, 500), (route, status)


def test_a_device_is_no_person(app: Flask, client: FlaskClient) -> None:
    headers = enrolled_device(app)
    for route in _guarded(app):
        if "signed_in" in route.access:
            assert call(client, route, headers).status_code == 403, route


def _guarded(app: Flask) -> list[Route]:
    return [route for route in list_routes(app) if "public" not in route.access]
