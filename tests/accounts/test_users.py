"""Users, grants, the last administrator, and the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from content_api.accounts.audit import record
from content_api.accounts.rules import SYSTEM, Actor, Grant
from content_api.database import write_session
from tests.accounts.people import headers_of, make_user, sign_up


@pytest.fixture
def admin(app: Flask) -> dict[str, str]:
    return sign_up(app, "boss", Grant("admin"))


def trail(client: FlaskClient, admin: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    """Records, oldest first."""
    response = client.get(f"/api/v1/audit?limit=200&{query}", headers=admin)
    assert response.status_code == 200
    return list(reversed(response.json["items"]))


def test_a_user_is_added_with_what_they_may_do(client: FlaskClient, admin: dict[str, str]) -> None:
    body = {
        "name": "yuki",
        "display_name": "柚木 優希",
        "email": "Yuki@Example.org",
        "grants": [{"role": "translator", "scopes": ["ja"]}],
    }
    made = client.post("/api/v1/users", json=body, headers=admin)
    assert made.status_code == 201
    found = client.get(f"/api/v1/users/{made.json['id']}", headers=admin).json
    assert found == made.json
    assert found["display_name"] == "柚木 優希"
    assert found["email"] == "yuki@example.org"
    assert found["grants"] == [{"role": "translator", "scopes": ["ja"], "types": ["all"]}]
    assert "password" not in str(found)


def test_a_grant_that_means_nothing_is_refused_and_changes_nothing(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    path = f"/api/v1/users/{make_user(app, 'marie', Grant('reader')).id}/grants"
    for grant in (
        {"role": "emperor"},
        {"role": "device"},
        {"role": "editor", "scopes": []},
        {"role": "editor", "scopes": ["all", "fr"]},
        {"role": "editor", "scopes": ["français"]},
        {"role": "editor", "scopes": ["ZH-hans"]},
        {"role": "editor", "types": ["Not A Type"]},
        {"role": "translator", "scopes": ["ja", "*"]},
        {"role": "editor", "filter": "x"},
    ):
        response = client.put(path, json={"grants": [{"role": "editor"}, grant]}, headers=admin)
        assert response.status_code == 422, grant
        assert response.json["errors"][0]["pointer"].startswith("/grants/1"), grant
        assert [row["role"] for row in client.get(path, headers=admin).json] == ["reader"]


def test_new_grants_replace_the_old_ones_and_count_from_the_next_request(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    marie = make_user(app, "marie", Grant("admin"))
    headers = headers_of(app, marie)
    assert client.get("/api/v1/users", headers=headers).status_code == 200
    body = {"grants": [{"role": "editor"}, {"role": "editor"}]}
    answer = client.put(f"/api/v1/users/{marie.id}/grants", json=body, headers=admin)
    assert answer.json == [{"role": "editor", "scopes": ["all"], "types": ["all"]}]
    assert client.get("/api/v1/users", headers=headers).status_code == 403


def test_a_name_that_cannot_be_typed_everywhere_is_refused(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    for name in ("Marie Curie", "", "-x", "x" * 80, "system", "né", "a/b", "marie\n"):
        response = client.post("/api/v1/users", json={"name": name}, headers=admin)
        assert response.status_code == 422, name


def test_a_password_too_short_too_long_or_made_of_the_name_is_refused(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    for password in ("short", "marie-marie12", "x" * 300):
        body = {"name": "marie", "password": password}
        response = client.post("/api/v1/users", json=body, headers=admin)
        assert response.status_code == 422, password
        assert password not in response.text


def test_a_name_or_email_that_is_taken_is_a_conflict(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    marie = {"name": "marie", "email": "marie@example.org"}
    assert client.post("/api/v1/users", json=marie, headers=admin).status_code == 201
    assert client.post("/api/v1/users", json={"name": "marie"}, headers=admin).status_code == 409
    paul = {"name": "paul", "email": "MARIE@example.org"}
    assert client.post("/api/v1/users", json=paul, headers=admin).status_code == 409


def test_the_last_administrator_cannot_lock_everybody_out(app: Flask, client: FlaskClient) -> None:
    boss = make_user(app, "boss", Grant("admin"))
    headers = headers_of(app, boss)
    demote = client.put(f"/api/v1/users/{boss.id}/grants", json={"grants": []}, headers=headers)
    leave = client.patch(f"/api/v1/users/{boss.id}", json={"active": False}, headers=headers)
    for response in (demote, leave):
        assert response.status_code == 409
        assert response.json["code"] == "last-admin"
    assert client.get("/api/v1/users", headers=headers).status_code == 200


def test_an_administrator_may_leave_once_there_is_another(app: Flask, client: FlaskClient) -> None:
    boss, heir = make_user(app, "boss", Grant("admin")), make_user(app, "heir", Grant("admin"))
    headers = headers_of(app, boss)
    leave = client.patch(f"/api/v1/users/{boss.id}", json={"active": False}, headers=headers)
    assert leave.status_code == 200
    response = client.patch(
        f"/api/v1/users/{heir.id}", json={"active": False}, headers=headers_of(app, heir)
    )
    assert response.json["code"] == "last-admin"


def test_a_deactivated_user_is_kept_and_can_come_back(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    marie = make_user(app, "marie", Grant("reader"))
    path = f"/api/v1/users/{marie.id}"
    client.patch(path, json={"active": False}, headers=admin)
    assert client.get(path, headers=admin).json["deactivated_at"]
    assert client.delete(path, headers=admin).status_code == 405
    assert client.patch(path, json={"active": True}, headers=admin).json["active"] is True


def test_users_are_listed_page_by_page_in_the_order_of_names(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    for name in ("zoe", "anna", "marie"):
        make_user(app, name)
    names, cursor = [], ""
    while cursor is not None:
        query = f"limit=2&cursor={cursor}"
        page = client.get(f"/api/v1/users?{query}", headers=admin).json
        names += [row["name"] for row in page["items"]]
        cursor = page["next"]
    assert names == ["anna", "boss", "marie", "zoe"]


CHANGES: dict[str, Callable[[FlaskClient, dict[str, str], str], Any]] = {
    "user.create": lambda client, admin, user: client.post(
        "/api/v1/users", json={"name": "new"}, headers=admin
    ),
    "user.change": lambda client, admin, user: client.patch(
        f"/api/v1/users/{user}", json={"display_name": "Marie"}, headers=admin
    ),
    "user.grants": lambda client, admin, user: client.put(
        f"/api/v1/users/{user}/grants", json={"grants": [{"role": "editor"}]}, headers=admin
    ),
    "token.create": lambda client, admin, user: client.post(
        "/api/v1/tokens", json={"name": "n", "user": user}, headers=admin
    ),
    "session.close": lambda client, admin, user: client.delete(
        "/api/v1/sessions/current", headers=admin
    ),
}


@pytest.mark.parametrize("action", CHANGES)
def test_every_change_leaves_one_record_of_who_and_what(
    app: Flask, client: FlaskClient, admin: dict[str, str], action: str
) -> None:
    watcher = sign_up(app, "watcher", Grant("admin"))
    marie = make_user(app, "marie", Grant("reader"))
    before = trail(client, watcher)
    assert CHANGES[action](client, admin, marie.id).status_code < 300
    after = trail(client, watcher)
    assert len(after) == len(before) + 1
    assert after[-1]["action"] == action
    assert after[-1]["actor"]["name"] == "boss"
    assert after[-1]["actor"]["kind"] == "user"
    kind, _, subject = after[-1]["subject"].partition("/")
    assert kind == ("token" if action in ("token.create", "session.close") else "user")
    assert subject


def test_what_was_granted_before_and_after_is_in_the_record(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    marie = make_user(app, "marie", Grant("reader"))
    body = {"grants": [{"role": "translator", "scopes": ["ja"]}]}
    client.put(f"/api/v1/users/{marie.id}/grants", json=body, headers=admin)
    [found] = trail(client, admin, "action=user.grants")
    assert found["subject"] == f"user/{marie.id}"
    assert [grant["role"] for grant in found["details"]["before"]] == ["reader"]
    assert found["details"]["after"] == [{"role": "translator", "scopes": ["ja"], "types": ["all"]}]


def test_a_change_that_was_refused_leaves_no_record(
    client: FlaskClient, admin: dict[str, str]
) -> None:
    before = trail(client, admin)
    assert client.post("/api/v1/users", json={"name": "boss"}, headers=admin).status_code == 409
    assert trail(client, admin) == before


def test_a_change_that_changes_nothing_leaves_no_record(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    marie = make_user(app, "marie", Grant("reader"))
    before = trail(client, admin)
    body = {"display_name": "marie", "active": True, "email": None}
    assert client.patch(f"/api/v1/users/{marie.id}", json=body, headers=admin).status_code == 200
    assert trail(client, admin) == before


def test_the_trail_is_found_by_actor_action_subject_and_time(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    paul = Actor("paul-id", "paul", "user")
    with write_session(app.extensions["lampisterie_engine"]) as session:
        record(session, paul, "entry.save", "entry/fosse-9", revision=3, details={"rev": 4})
        record(session, paul, "entry.approve", "entry/fosse-9")
        record(session, SYSTEM, "entries.import", "collection/all")
        middle = record(session, SYSTEM, "package.change", "package/harbour/x").at.isoformat()

    def actions(**query: str) -> list[str]:
        found = client.get("/api/v1/audit", query_string=query, headers=admin).json["items"]
        return [row["action"] for row in reversed(found)]

    assert actions(actor="paul") == actions(actor="paul-id") == ["entry.save", "entry.approve"]
    assert actions(action="entry") == ["entry.save", "entry.approve"]
    assert actions(action="entry.save") == ["entry.save"]
    assert actions(action="%") == []
    assert actions(subject="entry/fosse-9") == ["entry.save", "entry.approve"]
    assert actions(subject="package/harbour/x") == ["package.change"]
    assert actions(subject="collection") == ["entries.import"]
    assert actions(since=middle) == ["package.change"]
    assert "package.change" not in actions(until=middle)
    [saved] = trail(client, admin, "action=entry.save")
    assert saved["revision"] == 3
    assert saved["details"] == {"rev": 4}


def test_a_subject_without_an_id_is_a_mistake_of_the_caller(app: Flask) -> None:
    with write_session(app.extensions["lampisterie_engine"]) as session:
        for subject in ("entry", "entry/"):
            with pytest.raises(ValueError, match="type/id"):
                record(session, SYSTEM, "entry.save", subject)
