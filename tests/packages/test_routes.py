"""Packages and releases over HTTP, from a body to a live release and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from content_api.accounts.rules import SYSTEM, Grant
from content_api.accounts.service import create_user
from content_api.app import create_app
from content_api.database import write_session
from tests.packages.conftest import BODY, Harbour, title

API = "/api/v1/packages"
PASSWORD = "a long password indeed"


@pytest.fixture
def publisher(harbour: Harbour) -> Iterator[FlaskClient]:
    """A publisher's client of a server with the harbour."""
    with write_session(harbour.engine) as session:
        create_user(
            session,
            SYSTEM,
            name="p",
            password=PASSWORD,
            grants=[Grant("publisher")],
        )
    app = create_app(harbour.settings)
    client = app.test_client()
    answer = client.post("/api/v1/sessions", json={"name": "p", "password": PASSWORD})
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {answer.get_json()['token']}"
    yield client
    app.extensions["lampisterie_engine"].dispose()


def test_a_package_is_published_compared_restored(publisher: FlaskClient, harbour: Harbour) -> None:
    problems = publisher.get(f"{API}/harbour/problems").get_json()
    assert problems == {"publishable": True, "problems": []}
    first = publisher.post(f"{API}/harbour/releases", json={})
    assert (first.status_code, first.get_json()["number"]) == (201, 1)
    assert first.get_json()["state"] == "live"
    harbour.edit("place-3", [title("fr", "Autre lieu")], "fr")
    plan = publisher.get(f"{API}/harbour/changes").get_json()
    assert (plan["before"], plan["after"]) == (1, None)
    assert plan["languages"]["fr"] == {"new": [], "changed": ["place-3"], "removed": []}
    assert publisher.post(f"{API}/harbour/releases", json={}).status_code == 201
    diff = publisher.get(f"{API}/harbour/releases/1/changes/2").get_json()
    assert diff["languages"]["fr"]["changed"] == ["place-3"]
    restored = publisher.post(f"{API}/harbour/releases/1/restore")
    assert (restored.status_code, restored.get_json()["restored_from"]) == (201, 1)
    listed = publisher.get(f"{API}/harbour/releases?limit=2").get_json()
    assert [row["number"] for row in listed["items"]] == [3, 2]
    rest = publisher.get(f"{API}/harbour/releases?limit=2&cursor={listed['next']}").get_json()
    assert [row["number"] for row in rest["items"]] == [1]
    assert publisher.get(f"{API}/harbour").get_json()["live"] == 3
    timestamp = publisher.get("/repository/metadata/timestamp.json")
    assert timestamp.status_code == 200


def test_problems_are_told_as_problem_json(publisher: FlaskClient, harbour: Harbour) -> None:
    harbour.change_body(theme={"attract": ["nowhere"]})
    answer = publisher.post(f"{API}/harbour/releases", json={})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "package-has-problems")
    assert answer.get_json()["errors"][0]["pointer"] == "/package/theme"
    assert publisher.get(f"{API}/harbour/releases").get_json()["items"] == []


def test_a_release_is_scheduled_and_taken_back(publisher: FlaskClient) -> None:
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    made = publisher.post(f"{API}/harbour/releases", json={"at": at})
    assert (made.status_code, made.get_json()["state"]) == (201, "scheduled")
    assert made.get_json()["number"] is None
    url = f"{API}/harbour/scheduled/{made.get_json()['id']}"
    assert publisher.delete(url).get_json()["state"] == "cancelled"
    assert publisher.delete(url).status_code == 409


def test_a_change_of_a_package_names_the_version_it_starts_from(publisher: FlaskClient) -> None:
    url = f"{API}/harbour"
    tag = publisher.get(url).headers["ETag"]
    assert tag == '"v1"'
    changed = {**BODY, "summary": {"fr": "Un port."}}
    assert publisher.put(url, json=changed).status_code == 428
    assert publisher.put(url, json=changed, headers={"If-Match": tag}).get_json()["version"] == 2
    assert publisher.put(url, json=changed, headers={"If-Match": tag}).status_code == 412
    weak = publisher.put(url, json=changed, headers={"If-Match": 'W/"v2"'})
    assert (weak.status_code, weak.get_json()["version"]) == (200, 2), "the same body, no version"
    assert publisher.get(url, headers={"If-None-Match": '"v2"'}).status_code == 304
    assert publisher.put(f"{API}/other", json=BODY).status_code == 200


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"languages": []}, "/languages"),
        ({"languages": ["fr", "fr"]}, "/languages"),
        ({"languages": ["fr", "not a tag"]}, "/languages/1"),
        ({"default_language": "ja"}, "/default_language"),
        ({"profiles": ["cinema"]}, "/profiles/0"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"theme": {"accent": "red"}}, "/theme/accent"),
        ({"theme": {"attract": ["../x"]}}, "/theme/attract/0"),
        ({"settings": {"idle_seconds": "75"}}, "/settings/idle_seconds"),
        ({"settings": {"idle_seconds": 0}}, "/settings/idle_seconds"),
        ({"map": {"bounds": [0, 50, 1]}}, "/map/bounds"),
        ({"map": {"bounds": [0, 50, 1, 49]}}, "/map/bounds"),
        ({"map": {"bounds": [0, 1, True, 2]}}, "/map/bounds/2"),
        ({"sections": [{"id": "a", "view": "opera"}]}, "/sections/0/view"),
        ({"sections": [{"id": "a", "view": "map"}, {"id": "a", "view": "map"}]}, "/sections"),
        ({"shown": {"crane": {}}}, "/shown/crane/value"),
        ({"shown": {"crane": {"since": "2026-12-01"}}}, "/shown/crane/value/since/key"),
        ({"shown": {"crane": {"from": "20261201"}}}, "/shown/crane/value/from/value"),
        (
            {"shown": {"crane": {"from": "2027-01-31", "until": "2026-12-01"}}},
            "/shown/crane/value",
        ),
        ({"unknown": 1}, "/unknown"),
        ({"title": {"fr": 7}}, "/title/fr/value"),
    ],
)
def test_a_body_of_another_form_is_refused_with_the_place(
    publisher: FlaskClient, change: dict[str, Any], pointer: str
) -> None:
    answer = publisher.put(f"{API}/other", json={**BODY, **change})
    assert answer.status_code == 422
    assert pointer in {error["pointer"] for error in answer.get_json()["errors"]}
    assert publisher.get(f"{API}/other").status_code == 404


def test_sections_are_at_most_three_deep(publisher: FlaskClient) -> None:
    section: dict[str, Any] = {"id": "s4", "view": "list"}
    for number in (3, 2, 1):
        section = {"id": f"s{number}", "view": "list", "sections": [section]}
    deep = publisher.put(f"{API}/other", json={**BODY, "sections": [section]})
    assert deep.status_code == 422
    inner = {**BODY, "sections": section["sections"]}
    assert publisher.put(f"{API}/other", json=inner).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["nowhere", "-", "harbour/releases/99", "harbour/releases/99999999999999"],
)
def test_what_does_not_exist_is_404(publisher: FlaskClient, path: str) -> None:
    assert publisher.get(f"{API}/{path}").status_code == 404


def test_strangers_and_readers_publish_nothing(publisher: FlaskClient, harbour: Harbour) -> None:
    stranger = publisher.application.test_client()
    assert stranger.post(f"{API}/harbour/releases", json={}).status_code == 401
    with write_session(harbour.engine) as session:
        create_user(session, SYSTEM, name="r", password=PASSWORD, grants=[Grant("reader")])
    token = stranger.post("/api/v1/sessions", json={"name": "r", "password": PASSWORD}).get_json()[
        "token"
    ]
    headers = {"Authorization": f"Bearer {token}"}
    refused = stranger.post(f"{API}/harbour/releases", json={}, headers=headers)
    assert refused.status_code == 403
    assert stranger.get(f"{API}/harbour", headers=headers).status_code == 200
