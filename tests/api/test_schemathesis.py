"""Schemathesis over the whole OpenAPI document: no fault of the server, nothing undocumented.

Half of the requests name things that exist, so that generated bodies get past "there
is no such thing". Examples are derived from the document and not from chance: the same
document gives the same requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from content_api.accounts.rules import Grant
from content_api.app import create_app
from content_api.database import utc_now
from content_api.repository.service import init_repository
from content_api.settings import Settings
from content_api.setup_server import sample_dir
from tests.accounts.people import enrolled_device, headers_of, make_user, sign_up

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

EXAMPLES = 25
"""Requests for each operation as an administrator; the whole stays within a minute or two."""

FEW = 4
"""Requests for each operation as nobody: almost all end at the door."""

TAKES_OWN_TOKEN = "/api/v1/sessions/current"


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """A server with the sample's content types and a signed repository."""
    for found in (sample_dir() / "types").rglob("*.yml"):
        place = settings.types_dir / found.relative_to(sample_dir() / "types")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(found.read_bytes())
    init_repository(settings, Path(settings.keys_dir, "root-offline"), utc_now())
    found_app = create_app(settings)
    found_app.config["PROPAGATE_EXCEPTIONS"] = False
    yield found_app
    found_app.extensions["lampisterie_engine"].dispose()


def test_no_generated_request_of_an_administrator_finds_a_fault_or_an_undocumented_answer(
    app: Flask, client: FlaskClient
) -> None:
    boss = make_user(app, "boss", Grant("admin"))
    headers = headers_of(app, boss)
    known = make_known(app, client, headers)
    device = enrolled_device(app)
    with collected_failures() as failures:
        for operation in operations_of(app):
            if operation.path == TAKES_OWN_TOKEN:
                continue
            own = device if operation.path.startswith("/api/v1/device") else headers
            if operation.path.startswith(("/api/v1/devices", "/api/v1/device-")):
                own = headers
            try_operation(operation, own, known, EXAMPLES)(failures)


def test_no_generated_request_of_nobody_finds_a_fault_or_an_undocumented_answer(
    app: Flask,
) -> None:
    with collected_failures() as failures:
        for operation in operations_of(app):
            try_operation(operation, {}, {}, FEW)(failures)


@contextmanager
def collected_failures() -> Iterator[list[str]]:
    """All failures of a run in one message, each operation's first."""
    failures: list[str] = []
    yield failures
    assert not failures, "\n\n".join(failures)


def operations_of(app: Flask) -> list[Any]:
    """Every operation, those that delete last: the others want something that exists."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    found = [result.ok() for result in schema.get_all_operations()]
    return sorted(found, key=lambda one: (one.method == "delete", one.path, one.method))


def try_operation(
    operation: Any, headers: dict[str, str], known: dict[str, Any], examples: int
) -> Any:
    """A function that sends generated requests and notes the first failure."""

    def run(failures: list[str]) -> None:
        @settings_of(examples)
        @given(case=operation.as_strategy(), use_known=st.booleans())
        def send(case: Any, use_known: bool) -> None:
            if use_known:
                name_what_exists(case, known)
            response = case.call(headers=headers)
            case.validate_response(response, checks=CHECKS)

        try:
            send()
        except FailureGroup as error:
            # One operation's failure must not hide the next one's.
            failures.append(f"{operation.method} {operation.path}\n{error}")

    return run


def name_what_exists(case: Any, known: dict[str, Any]) -> None:
    """Let a generated request speak of things that are there, in path, version and body."""
    for name in case.path_parameters or {}:
        case.path_parameters[name] = known.get(name, case.path_parameters[name])
    for prefix, path in VERSIONS:
        if path in case.path and "If-Match" in (case.headers or {}):
            case.headers["If-Match"] = f'"{prefix}1"'
    if isinstance(case.body, dict):
        for name in case.body:
            case.body[name] = known.get(f"body.{name}", case.body[name])


def settings_of(examples: int) -> Any:
    """Hypothesis without chance, without a memory, and without a clock."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[*HealthCheck],
    )


def make_known(app: Flask, client: FlaskClient, headers: dict[str, str]) -> dict[str, Any]:
    """One of everything, by the names that paths call it."""

    def send(method: str, path: str, body: dict[str, Any]) -> Any:
        response = client.open(f"/api/v1/{path}", method=method, json=body, headers=headers)
        assert response.status_code in (200, 201), response.text
        return response.json

    send("PUT", "languages/fr", {"name": "français", "dir": "ltr"})
    entry = send("POST", "entries", {"type": "place", "operations": PLACE})
    for scope in ("*", "fr"):
        send("PUT", f"entries/{entry['id']}/approvals/{scope}", {"rev": 1})
    tour = send("POST", "entries", {"type": "tour", "operations": TOUR})
    for scope in ("*", "fr"):
        send("PUT", f"entries/{tour['id']}/approvals/{scope}", {"rev": 1})
    asset = send("POST", "assets", {})
    sections = [
        {"id": "places", "view": "map", "title": {"fr": "Lieux"}, "entries": [entry["id"]]},
        {"id": "tours", "view": "list", "title": {"fr": "Parcours"}, "entries": [tour["id"]]},
    ]
    send("PUT", "packages/harbour", {**PACKAGE, "sections": sections})
    send("POST", "packages/harbour/releases", {})
    venue = send("POST", "venues", {"name": "Harbour", "timezone": "Asia/Tokyo"})
    device = send(
        "POST",
        "devices",
        {"venue": venue["id"], "name": "Wall", "package": "harbour", "profile": "wall"},
    )
    group = send("POST", "device-groups", {"name": "Walls", "package": "harbour"})
    send("PUT", "rollouts/harbour/live", {"first_share": 10})
    watch = {"name": "Watch", "channel": "email", "target": "marie@museum.test"}
    subscription = send("POST", "alert-subscriptions", watch)
    sign_up(app, "marie", Grant("editor"))
    marie = make_user(app, "paul", Grant("reader"))
    token = send("POST", "tokens", {"name": "spare", "user": marie.id})
    return {
        "tag": "fr",
        "type_id": "place",
        "entry_id": entry["id"],
        "rev": 1,
        "scope": "fr",
        "asset_id": asset["id"],
        "slug": "harbour",
        "number": 1,
        "before": 1,
        "after": 1,
        "release_id": 1,
        "venue_id": venue["id"],
        "device_id": device["id"],
        "group_id": group["id"],
        "channel": "live",
        "order_id": 1,
        "subscription_id": subscription["id"],
        "body.device": "wall-1",
        "user_id": marie.id,
        "token_id": token["id"],
        "tour_id": tour["id"],
        "body.type": "place",
        "body.rev": 1,
        "body.expected_rev": 1,
        "body.venue": venue["id"],
    }


VERSIONS = (
    ("r", "/entries/"),
    ("v", "/packages/"),
    ("a", "/devices/"),
    ("g", "/device-groups/"),
    ("p", "/rollouts/"),
    ("s", "/alert-subscriptions/"),
)
"""Which letter a version begins with, by path."""

PLACE = [
    {"op": "set", "path": "title", "scope": "fr", "value": "Le phare"},
    {"op": "set", "path": "kind", "scope": "*", "value": "museum"},
    {"op": "set", "path": "coords", "scope": "*", "value": {"lat": 50.37, "lon": 3.08}},
]

TOUR = [{"op": "set", "path": "title", "scope": "fr", "value": "Le tour du port"}]

PACKAGE = {
    "slug": "harbour",
    "title": {"fr": "Le port"},
    "languages": ["fr"],
    "default_language": "fr",
    "profiles": ["wall"],
    "timezone": "Asia/Tokyo",
    "sections": [],
}
