"""Signing in and out, tokens, and the ways they end."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from content_api.accounts.models import AuditRecord, Token, User
from content_api.accounts.rules import Grant
from content_api.accounts.tokens import hash_token, new_token, parse_bearer
from content_api.database import utc_now, write_session
from tests.accounts.people import PASSWORD, bearer, headers_of, make_token, make_user, sign_up


def log_in(client: FlaskClient, name: str = "marie", password: str = PASSWORD) -> Any:
    return client.post("/api/v1/sessions", json={"name": name, "password": password})


def change_token(app: Flask, token_id: str, **values: Any) -> None:
    with write_session(app.extensions["lampisterie_engine"]) as session:
        for name, value in values.items():
            setattr(session.get_one(Token, token_id), name, value)


def test_name_and_password_give_a_token_for_twelve_hours(app: Flask, client: FlaskClient) -> None:
    make_user(app, "marie", Grant("editor", ("fr",)), password=PASSWORD)
    response = log_in(client)
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json["token"].startswith("lmu_")
    me = client.get("/api/v1/me", headers=bearer(response.json["token"])).json
    assert me["user"]["name"] == "marie"
    assert me["user"]["grants"] == [{"role": "editor", "scopes": ["fr"], "types": ["all"]}]
    assert "entry.write" in me["actions"]
    assert me["token"]["kind"] == "session"
    with write_session(app.extensions["lampisterie_engine"]) as session:
        token = session.scalars(select(Token)).one()
        assert token.expires_at - token.created_at == timedelta(hours=12)


def test_a_name_may_be_typed_in_capitals_or_be_an_email(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, "marie", password=PASSWORD)
    with write_session(app.extensions["lampisterie_engine"]) as session:
        session.get_one(User, user.id).email = "marie@example.org"
    assert log_in(client, " Marie ").status_code == 201
    assert log_in(client, "Marie@Example.org").status_code == 201


def test_a_wrong_password_and_an_unknown_name_are_told_alike(
    app: Flask, client: FlaskClient
) -> None:
    make_user(app, "marie", password=PASSWORD)
    make_user(app, "robot")
    answers = [
        log_in(client, "marie", "wrong password"),
        log_in(client, "nobody", PASSWORD),
        log_in(client, "robot", PASSWORD),
        log_in(client, "nobody@example.org", PASSWORD),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json["code"] for answer in answers} == {"login-failed"}
    assert len({answer.json["detail"] for answer in answers}) == 1


def test_an_unknown_name_costs_a_whole_password_hash(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, stored: str, password: str) -> bool:
        hashed.append(stored)
        return real(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    log_in(client, "nobody")
    assert len(hashed) == 1
    assert hashed[0].startswith("$argon2id$")


def test_an_old_hash_is_replaced_when_its_owner_signs_in(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, "marie", password=PASSWORD)
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with write_session(app.extensions["lampisterie_engine"]) as session:
        session.get_one(User, user.id).password_hash = old
    assert log_in(client).status_code == 201
    with write_session(app.extensions["lampisterie_engine"]) as session:
        new = session.get_one(User, user.id).password_hash
    assert new != old
    assert log_in(client).status_code == 201


def test_signing_out_ends_the_token_in_use(app: Flask, client: FlaskClient) -> None:
    headers = sign_up(app, "marie")
    assert client.delete("/api/v1/sessions/current", headers=headers).status_code == 204
    response = client.get("/api/v1/me", headers=headers)
    assert response.status_code == 401
    assert response.json["code"] == "token-invalid"


def test_an_expired_token_says_that_it_expired(app: Flask, client: FlaskClient) -> None:
    token, secret = make_token(app, make_user(app, "marie"))
    change_token(app, token.id, expires_at=utc_now() - timedelta(seconds=1))
    response = client.get("/api/v1/me", headers=bearer(secret))
    assert response.status_code == 401
    assert response.json["code"] == "token-expired"


def test_a_revoked_token_stops_at_once(app: Flask, client: FlaskClient) -> None:
    token, secret = make_token(app, make_user(app, "marie"))
    headers = bearer(secret)
    response = client.delete(f"/api/v1/tokens/{token.id}", headers=headers)
    assert response.status_code == 200
    assert response.json["revoked_at"]
    assert client.get("/api/v1/me", headers=headers).json["code"] == "token-invalid"


def test_the_tokens_of_a_deactivated_user_stop_at_once(app: Flask, client: FlaskClient) -> None:
    admin = sign_up(app, "boss", Grant("admin"))
    marie = make_user(app, "marie", password=PASSWORD)
    headers = headers_of(app, marie)
    response = client.patch(f"/api/v1/users/{marie.id}", json={"active": False}, headers=admin)
    assert response.json["active"] is False
    assert client.get("/api/v1/me", headers=headers).status_code == 401
    assert log_in(client).status_code == 401


def test_a_new_password_ends_every_other_session(app: Flask, client: FlaskClient) -> None:
    marie = make_user(app, "marie", password=PASSWORD)
    here, elsewhere = headers_of(app, marie), headers_of(app, marie)
    body = {"current": PASSWORD, "new": "chevalement de béton"}
    assert client.put("/api/v1/me/password", json=body, headers=here).status_code == 204
    assert client.get("/api/v1/me", headers=here).status_code == 200
    assert client.get("/api/v1/me", headers=elsewhere).status_code == 401
    assert log_in(client, password=body["new"]).status_code == 201


def test_a_new_password_needs_the_current_one(app: Flask, client: FlaskClient) -> None:
    marie = make_user(app, "marie", password=PASSWORD)
    headers = headers_of(app, marie)
    body = {"current": "wrong password", "new": "chevalement de béton"}
    assert client.put("/api/v1/me/password", json=body, headers=headers).status_code == 401
    assert log_in(client).status_code == 201


def test_a_token_is_shown_once_and_kept_as_a_hash_alone(app: Flask, client: FlaskClient) -> None:
    headers = sign_up(app, "marie")
    made = client.post("/api/v1/tokens", json={"name": "ci", "days": 7}, headers=headers)
    assert made.status_code == 201
    secret = made.json["token"]
    listed = client.get("/api/v1/tokens", headers=headers)
    assert secret not in listed.text
    assert {row["name"] for row in listed.json["items"]} == {"test", "ci"}
    with write_session(app.extensions["lampisterie_engine"]) as session:
        row = session.get_one(Token, made.json["id"])
        assert row.hash == hash_token(secret)
        assert row.expires_at - row.created_at <= timedelta(days=7)


def test_a_token_made_with_a_token_does_not_outlive_it(app: Flask, client: FlaskClient) -> None:
    token, secret = make_token(app, make_user(app, "marie"))
    made = client.post("/api/v1/tokens", json={"name": "n", "days": 300}, headers=bearer(secret))
    with write_session(app.extensions["lampisterie_engine"]) as session:
        assert session.get_one(Token, made.json["id"]).expires_at == token.expires_at


def test_one_sees_and_ends_ones_own_tokens_and_no_others(app: Flask, client: FlaskClient) -> None:
    theirs, _ = make_token(app, make_user(app, "paul"))
    headers = sign_up(app, "marie", Grant("editor"))
    for method in ("GET", "DELETE"):
        path = f"/api/v1/tokens/{theirs.id}"
        assert client.open(path, method=method, headers=headers).status_code == 403
    assert client.get("/api/v1/tokens?user=all", headers=headers).status_code == 403
    body = {"name": "n", "user": theirs.user_id}
    assert client.post("/api/v1/tokens", json=body, headers=headers).status_code == 403


def test_an_administrator_makes_and_ends_tokens_of_others(app: Flask, client: FlaskClient) -> None:
    admin = sign_up(app, "boss", Grant("admin"))
    robot = make_user(app, "robot", Grant("reader"))
    made = client.post("/api/v1/tokens", json={"name": "n", "user": robot.id}, headers=admin)
    assert made.status_code == 201
    headers = bearer(made.json["token"])
    assert client.get("/api/v1/me", headers=headers).json["user"]["name"] == "robot"
    assert client.delete(f"/api/v1/tokens/{made.json['id']}", headers=admin).status_code == 200
    assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_the_use_of_a_token_is_noted_to_the_hour(app: Flask, client: FlaskClient) -> None:
    token, secret = make_token(app, make_user(app, "marie"))

    def last_used() -> Any:
        with write_session(app.extensions["lampisterie_engine"]) as session:
            return session.get_one(Token, token.id).last_used_at

    assert last_used() is None
    client.get("/api/v1/me", headers=bearer(secret))
    first = last_used()
    assert utc_now() - first < timedelta(minutes=1)
    client.get("/api/v1/me", headers=bearer(secret))
    assert last_used() == first
    change_token(app, token.id, last_used_at=utc_now() - timedelta(hours=2))
    client.get("/api/v1/me", headers=bearer(secret))
    assert last_used() >= first


def test_no_secret_is_written_to_the_log_or_the_trail(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    admin = sign_up(app, "boss", Grant("admin"))
    body = {"name": "marie", "password": PASSWORD, "grants": [{"role": "editor"}]}
    user = client.post("/api/v1/users", json=body, headers=admin).json
    token = log_in(client).json["token"]
    log_in(client, password="wrong password")
    new = {"current": PASSWORD, "new": "chevalement de béton"}
    client.put("/api/v1/me/password", json=new, headers=bearer(token))
    client.patch(f"/api/v1/users/{user['id']}", json={"password": PASSWORD}, headers=admin)
    other = client.post("/api/v1/tokens", json={"name": "n"}, headers=admin).json["token"]
    client.get(f"/api/v1/audit?actor={token}", headers=admin)
    with write_session(app.extensions["lampisterie_engine"]) as session:
        trail = repr([row.__dict__ for row in session.scalars(select(AuditRecord))])
    for secret in (PASSWORD, new["new"], "wrong password", token, other):
        assert secret not in caplog.text
        assert secret not in trail


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Basic bWFyaWU6eA==", "Bearer lmu_short", "lmu_" + "x" * 43]
)
def test_only_a_bearer_token_of_our_form_is_looked_up(header: str) -> None:
    assert parse_bearer(header) is None


def test_a_fresh_token_is_of_our_form_and_like_no_other() -> None:
    token = new_token("lmu_")
    assert parse_bearer(f"bearer {token}") == token
    assert token != new_token("lmu_")
