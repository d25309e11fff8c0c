"""Bad requests of every kind end in one shape, and never in a fault of the server."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from content_api.accounts.rules import Grant
from content_api.api import encode_cursor
from tests.accounts.people import sign_up
from tests.api.routes import call, list_routes


@pytest.fixture
def admin(app: Flask) -> dict[str, str]:
    return sign_up(app, "boss", Grant("admin"))


def assert_problem(response: Any, status: int, code: str | None = None) -> None:
    """An RFC 9457 answer with the members that clients rely on."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"]
    assert code is None or body["code"] == code


def test_every_refusal_of_every_route_has_one_shape(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    for route in list_routes(app):
        response = call(client, route, admin)
        if response.status_code >= 400:
            assert_problem(response, response.status_code)


def test_an_unknown_address_is_a_problem_too(client: FlaskClient) -> None:
    for path in ("/nothing", "/api/v1/nothing", "/repository/../secret", "/api/v1/%2e%2e/x"):
        assert_problem(client.get(path), 404, "not-found")


def test_a_method_that_is_not_there_names_those_that_are(client: FlaskClient) -> None:
    response = client.delete("/api/v1/users")
    assert_problem(response, 405, "method-not-allowed")
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


REFUSED_BODIES = [
    (b"{", "expected JSON"),
    (b"\xff{}", "expected UTF-8"),
    (b'{"name": NaN}', "NaN is no JSON number"),
    (b'{"name": -Infinity}', "-Infinity is no JSON number"),
    (b'{"name": 1e999}', "numbers a double can hold"),
    (b'{"name": 12345678901234567890}', "expected integers up to"),
    (b'{"name": ' + b"9" * 5000 + b"}", "expected integers up to"),
    (b'{"name": "a", "name": "b"}', "expected each name once"),
    (b'{"name": "a\\u0000b"}', "U+0000"),
    (b'{"a\\u0000": 1}', "U+0000"),
    (b'{"name": "\\ud800"}', "half surrogates"),
    (b"[" * 65 + b"]" * 65, "at most 64 levels"),
    (b"[" * 200_000 + b"]" * 200_000, "at most 64 levels"),
    (b'{"a":' * 200_000, "at most 64 levels"),
]


def test_a_body_that_is_not_json_as_we_take_it_is_refused_in_one_sentence(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    for body, expected in REFUSED_BODIES:
        response = client.post(
            "/api/v1/users", data=body, content_type="application/json", headers=admin
        )
        assert_problem(response, 400, "bad-request")
        assert expected in response.json["detail"]


def test_half_a_pair_of_surrogates_is_refused_where_it_stands_and_a_whole_pair_is_kept(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    for body, status in ((b'"\\ude00"', 400), (b'"\\ud83d\\ude00"', 201)):
        response = client.post(
            "/api/v1/users",
            data=b'{"name": "smile", "display_name": ' + body + b"}",
            content_type="application/json",
            headers=admin,
        )
        assert response.status_code == status
        if status == 400:
            assert response.json["errors"][0]["pointer"] == "/display_name"
        else:
            assert response.json["display_name"] == "😀"


def test_a_field_nobody_knows_is_refused_by_name(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    response = client.post("/api/v1/users", json={"name": "bob", "nmae": 1}, headers=admin)
    assert_problem(response, 422, "invalid")
    assert {"pointer": "/nmae", "code": "invalid", "message": "Unknown field."} in response.json[
        "errors"
    ]


def test_a_body_of_another_kind_is_told_which_kind_was_expected(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    response = client.post(
        "/api/v1/users", data="name=bob", content_type="text/plain", headers=admin
    )
    assert_problem(response, 415)
    assert "application/json" in response.json["detail"]


class Untouchable:
    """A body that must not be read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = readinto = read


def test_a_declared_body_of_10_gb_is_refused_before_a_byte_is_read(
    app: Flask, admin: dict[str, str]
) -> None:
    too_large = 0
    for route in list_routes(app):
        if route.method not in ("POST", "PUT", "PATCH"):
            continue
        builder = EnvironBuilder(route.path, method=route.method, headers=admin)
        environ = builder.get_environ() | {
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(10 * 1000**3),
            "wsgi.input": Untouchable(),
        }
        response = TestResponse(*run_wsgi_app(app, environ), request=None)  # type: ignore[arg-type]
        assert response.status_code < 500, (route, response.text)
        too_large += response.status_code == 413
    # The others take no body, or ask first whether the thing is there.
    assert too_large > 15


def test_a_null_character_in_path_or_query_is_refused(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    for path in ("/api/v1/users/%00", "/api/v1/audit?actor=%00", "/api/v1/audit?%00=1", "/%00"):
        assert_problem(client.get(path, headers=admin), 400, "bad-request")


def test_a_cursor_that_no_list_gave_out_is_refused(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    forged = [encode_cursor(key) for key in ([], [1] * 9, [10**30], ["\x00"])]
    half_a_surrogate = "WyJcdWQ4MDAiXQ"
    for cursor in ("x", "é", "e30", half_a_surrogate, *forged):
        for path in ("/api/v1/users", "/api/v1/audit", "/api/v1/entries", "/api/v1/packages"):
            response = client.get(path, query_string={"cursor": cursor}, headers=admin)
            assert_problem(response, 400, "bad-request")


def test_a_number_too_large_for_a_database_names_nothing(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    path = f"/api/v1/packages/harbour/releases/{10**25}"
    assert_problem(client.get(path, headers=admin), 404)


def test_a_time_beyond_the_calendar_is_refused(client: FlaskClient, admin: dict[str, str]) -> None:
    query = {"since": "0001-01-01T00:00:00+14:00"}
    assert_problem(client.get("/api/v1/audit", query_string=query, headers=admin), 422)


def test_a_fault_of_ours_is_logged_whole_and_told_without_detail(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> str:
        raise RuntimeError("the secret reason")

    app.add_url_rule("/broken", view_func=fail)
    response = client.get("/broken")
    assert_problem(response, 500, "internal-error")
    assert "secret" not in response.text
    assert "the secret reason" in caplog.text


def test_what_the_database_alone_can_see_is_a_conflict(
    client: FlaskClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two requests at once pass the check before either has written.
    monkeypatch.setattr("content_api.accounts.service.find_user", lambda *_: None)
    assert client.post("/api/v1/users", json={"name": "bob"}, headers=admin).status_code == 201
    assert_problem(client.post("/api/v1/users", json={"name": "bob"}, headers=admin), 409)
