"""A code enrols one device once, whoever tries what."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from content_api.accounts.rules import SYSTEM
from content_api.database import write_session
from content_api.devices import heartbeats, service
from content_api.devices.models import Device, EnrolmentCode, Heartbeat
from content_api.devices.rules import (
    ALPHABET,
    code_hash,
    fleet_word,
    new_code,
    normalise_code,
)
from content_api.problems import Unauthenticated
from content_api.repository import metadata
from content_api.repository.service import init_repository
from content_api.settings import Settings

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


@pytest.fixture
def device_id(engine: Engine, settings: Settings) -> str:
    """A tablet at a venue in Tokyo, not enrolled yet; the repository is signed."""
    init_repository(settings, settings.data_dir / "offline", datetime.now(UTC))
    with write_session(engine) as session:
        service.create_venue(session, SYSTEM, name="Meiji centre", timezone="Asia/Tokyo")
        device = service.create_device(
            session,
            SYSTEM,
            {
                "venue": "meiji-centre",
                "name": "Tablet 1",
                "package": "harbour",
                "profile": "tablet",
                "languages": ["ja", "en"],
            },
        )
        return device.id


def invite(engine: Engine, device_id: str) -> str:
    """A code for the device."""
    with write_session(engine) as session:
        return service.invite_device(session, SYSTEM, device_id)[0]


def enrol(client: FlaskClient, code: str, **more: Any) -> Any:
    """What the server answers to a device that shows `code`."""
    body = {"code": code, "client": "0.1.0", **more}
    return client.post("/api/v1/enrolments", json=body)


def test_a_device_is_enrolled_with_token_root_and_assignment(
    client: FlaskClient, engine: Engine, settings: Settings, device_id: str
) -> None:
    answer = enrol(client, invite(engine, device_id), platform="Linux aarch64")
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    assert body["device"] == {"id": device_id, "name": "Tablet 1"}
    assert body["repository"] == "/repository/"
    assert body["assignment"] == {
        "package": "harbour",
        "channel": "live",
        "profile": "tablet",
        "languages": ["ja", "en"],
        "timezone": "Asia/Tokyo",
        "settings": {},
        "schedule": {},
        "release_limit": None,
        "release_limits": {},
        "mirrors": [],
        "version": 1,
    }
    assert base64.b64decode(body["root"]) == metadata.newest_root(settings.repository_dir)
    own = client.get("/api/v1/device", headers={"Authorization": f"Bearer {body['token']}"})
    assert own.status_code == 200
    assert own.get_json()["assignment"] == body["assignment"]


def test_a_code_is_typed_as_people_type(
    client: FlaskClient, engine: Engine, device_id: str
) -> None:
    code = invite(engine, device_id)
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert enrol(client, f" {typed} ").status_code == 201


def test_a_code_works_once(client: FlaskClient, engine: Engine, device_id: str) -> None:
    code = invite(engine, device_id)
    first = enrol(client, code).get_json()["token"]
    again = enrol(client, code)
    assert (again.status_code, again.get_json()["code"]) == (403, "enrolment-code-invalid")
    own = client.get("/api/v1/device", headers={"Authorization": f"Bearer {first}"})
    assert own.status_code == 200, "a stranger with a used code does not put the device out"


@pytest.mark.parametrize("code", ["0000-0000-0000", "short", "x" * 64, "ドア", "' OR 1=1 --", "-"])
def test_a_wrong_code_is_refused(client: FlaskClient, device_id: str, code: str) -> None:
    answer = enrol(client, code)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "enrolment-code-invalid")


def test_an_expired_code_says_so(client: FlaskClient, engine: Engine, device_id: str) -> None:
    code = invite(engine, device_id)
    with write_session(engine) as session:
        session.scalars(select(EnrolmentCode)).one().expires_at = NOW - timedelta(days=400)
    answer = enrol(client, code)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "enrolment-code-expired")


def test_a_new_code_ends_the_one_before(
    client: FlaskClient, engine: Engine, device_id: str
) -> None:
    old = invite(engine, device_id)
    new = invite(engine, device_id)
    assert enrol(client, old).status_code == 403
    assert enrol(client, new).status_code == 201


def test_after_ten_wrong_codes_an_address_must_wait_even_with_the_right_one(
    client: FlaskClient, engine: Engine, device_id: str
) -> None:
    code = invite(engine, device_id)
    for _ in range(service.TRIES):
        assert enrol(client, new_code()).status_code == 403
    answer = enrol(client, code)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate-limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 15 * 60 + 1
    elsewhere = client.post(
        "/api/v1/enrolments",
        json={"code": code, "client": "0.1.0"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert elsewhere.status_code == 201


def test_many_addresses_together_are_limited_too(engine: Engine, device_id: str) -> None:
    with write_session(engine) as session:
        for number in range(service.ALL_TRIES):
            service.note_try(session, f"192.0.2.{number}", NOW)
        with pytest.raises(service.RateLimited, match="Too many wrong codes"):
            service.check_tries(session, "198.51.100.1", NOW)
        service.check_tries(session, "198.51.100.1", NOW + service.TRIES_WINDOW)


def test_neither_code_nor_token_is_stored_as_it_is(
    client: FlaskClient, engine: Engine, device_id: str, settings: Settings
) -> None:
    code = invite(engine, device_id)
    token = enrol(client, code).get_json()["token"]
    with write_session(engine) as session:
        device = session.get_one(Device, device_id)
        stored = session.scalars(select(EnrolmentCode)).one()
        assert re.fullmatch("[0-9a-f]{64}", device.token_hash or "")
        assert stored.code_hash == code_hash(code.replace("-", ""))
        assert token not in (device.token_hash, stored.code_hash)


def test_a_revoked_device_is_told_so_and_may_be_enrolled_again(
    client: FlaskClient, engine: Engine, device_id: str
) -> None:
    token = enrol(client, invite(engine, device_id)).get_json()["token"]
    with write_session(engine) as session:
        service.revoke_device(session, SYSTEM, device_id)
    answer = client.get("/api/v1/device", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "device-revoked")
    again = enrol(client, invite(engine, device_id)).get_json()["token"]
    own = client.get("/api/v1/device", headers={"Authorization": f"Bearer {again}"})
    assert own.status_code == 200
    old = client.get("/api/v1/device", headers={"Authorization": f"Bearer {token}"})
    assert (old.status_code, old.get_json()["code"]) == (401, "token-invalid")


def test_revoking_ends_open_codes(client: FlaskClient, engine: Engine, device_id: str) -> None:
    code = invite(engine, device_id)
    with write_session(engine) as session:
        service.revoke_device(session, SYSTEM, device_id)
    assert enrol(client, code).status_code == 403


def test_before_the_repository_is_signed_enrolment_waits_and_the_code_stays_good(
    client: FlaskClient, engine: Engine, device_id: str, settings: Settings
) -> None:
    code = invite(engine, device_id)
    root = settings.repository_dir / "metadata" / "1.root.json"
    raw = root.read_bytes()
    root.unlink()
    assert enrol(client, code).status_code == 503
    root.write_bytes(raw)
    assert enrol(client, code).status_code == 201


@pytest.fixture
def token(client: FlaskClient, engine: Engine, device_id: str) -> dict[str, str]:
    """Headers of an enrolled device."""
    found = enrol(client, invite(engine, device_id)).get_json()["token"]
    return {"Authorization": f"Bearer {found}"}


def test_an_unchanged_assignment_is_304_and_a_change_is_told(
    client: FlaskClient, engine: Engine, device_id: str, token: dict[str, str]
) -> None:
    tag = client.get("/api/v1/device", headers=token).headers["ETag"]
    assert tag == '"a1"'
    same = client.get("/api/v1/device", headers={**token, "If-None-Match": tag})
    assert (same.status_code, same.headers["ETag"]) == (304, tag)
    with write_session(engine) as session:
        service.change_device(session, SYSTEM, device_id, {"languages": ["fr"]})
    told = client.get("/api/v1/device", headers={**token, "If-None-Match": tag})
    assert told.get_json()["assignment"]["languages"] == ["fr"]
    assert told.get_json()["assignment"]["version"] == 2


def test_saving_the_same_assignment_again_tells_devices_nothing(
    engine: Engine, device_id: str
) -> None:
    with write_session(engine) as session:
        device = service.change_device(session, SYSTEM, device_id, {"languages": ["ja", "en"]})
        assert device.assignment_version == 1


HEARTBEAT = {
    "at": "2026-11-24T06:00:00Z",
    "client": "0.1.1",
    "active": {"package": "harbour", "release": 14, "manifest_sha256": "a" * 64},
    "complete": None,
    "missing_bytes": 0,
    "last_sync": {"at": "2026-11-24T06:00:00Z", "outcome": "unchanged", "error_code": None},
    "last_full_verify_at": "2026-11-23T03:00:00Z",
    "clock": {"trusted": True, "offset_seconds": -0.4},
    "disk": {"free": 12_000_000_000, "reserve": 500_000_000},
    "faults": [{"code": "blob-damaged", "message": "one blob was healed"}],
    "later": "a newer device reports more",
}


def test_a_heartbeat_is_kept_and_answered_with_the_assignments_version(
    client: FlaskClient, engine: Engine, device_id: str, token: dict[str, str]
) -> None:
    answer = client.post("/api/v1/device/heartbeats", json=HEARTBEAT, headers=token)
    assert (answer.status_code, answer.get_json()) == (
        202,
        {"assignment_version": 1, "orders": []},
    )
    with write_session(engine) as session:
        device = session.get_one(Device, device_id)
        assert device.last_heartbeat is not None
        assert device.last_heartbeat["active"]["release"] == 14
        assert device.client == "0.1.1"
        assert session.scalars(select(Heartbeat)).one().device == device_id


@pytest.mark.parametrize(
    "change",
    [
        {"active": {"package": "../x", "release": 1, "manifest_sha256": "a" * 64}},
        {"active": {"package": "x", "release": 0, "manifest_sha256": "a" * 64}},
        {"disk": {"free": -1, "reserve": 0}},
        {"faults": [{"code": "x", "message": "y"}] * 51},
        {"client": "a\nb"},
        {"client": None},
    ],
)
def test_a_heartbeat_of_another_form_is_refused(
    client: FlaskClient, token: dict[str, str], change: dict[str, Any]
) -> None:
    answer = client.post("/api/v1/device/heartbeats", json={**HEARTBEAT, **change}, headers=token)
    assert answer.status_code == 422


def test_the_history_of_heartbeats_is_bounded(
    engine: Engine, device_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "HEARTBEATS_KEPT", 3)
    with write_session(engine) as session:
        for minute in range(6):
            beat = {**HEARTBEAT, "client": f"0.1.{minute}"}
            service.note_heartbeat(session, device_id, beat, NOW + timedelta(minutes=minute))
        kept = service.list_heartbeats(session, device_id)
        assert [beat.received_at.minute for beat in kept] == [5, 4, 3]


def test_pruning_drops_what_is_old(engine: Engine, device_id: str) -> None:
    with write_session(engine) as session:
        service.note_heartbeat(session, device_id, HEARTBEAT, NOW)
        service.note_try(session, "192.0.2.1", NOW)
        assert not service.has_old_rows(session, NOW)
        assert service.has_old_rows(session, NOW + timedelta(days=31))
        assert service.prune(session, NOW + timedelta(days=31)) == 2
        assert not service.has_old_rows(session, NOW + timedelta(days=31))


def test_a_device_may_do_nothing_but_speak_of_itself(
    client: FlaskClient, token: dict[str, str], device_id: str
) -> None:
    for path in ("devices", f"devices/{device_id}", "packages", "venues", "users"):
        assert client.get(f"/api/v1/{path}", headers=token).status_code == 403
    assert client.post(f"/api/v1/devices/{device_id}/invitations", headers=token).status_code == 403


def test_the_repositorys_address_is_absolute_when_the_server_knows_its_own(
    app: Flask, engine: Engine, device_id: str
) -> None:
    from dataclasses import replace

    settings = app.extensions["lampisterie_settings"]
    app.extensions["lampisterie_settings"] = replace(settings, public_url="https://mine.example")
    answer = enrol(app.test_client(), invite(engine, device_id)).get_json()
    assert answer["repository"] == "https://mine.example/repository/"


def test_a_token_of_nobody_is_no_actor(engine: Engine, device_id: str) -> None:
    with write_session(engine) as session:
        assert service.find_device_actor(session, "lmd_" + "x" * 43) is None


def test_a_revoked_token_raises_its_own_error(
    client: FlaskClient, engine: Engine, device_id: str
) -> None:
    token = enrol(client, invite(engine, device_id)).get_json()["token"]
    with write_session(engine) as session:
        service.revoke_device(session, SYSTEM, device_id)
        with pytest.raises(Unauthenticated, match="revoked"):
            service.find_device_actor(session, token)


def test_a_device_without_languages_takes_those_of_its_package(engine: Engine) -> None:
    from content_api.packages.models import Package

    with write_session(engine) as session:
        session.add(Package(slug="harbour", body={"languages": ["fr", "pl"]}))
        session.flush()
        options = {"venue": "Port", "package": "harbour", "profile": "wall"}
        service.invite_named_device(session, SYSTEM, name="Mur", **options)
        service.invite_named_device(session, SYSTEM, name="Mur", **options)
        device = session.scalars(select(Device)).one()
        assert device.languages == ["fr", "pl"]


def test_codes_are_crockford_and_read_back() -> None:
    for _ in range(200):
        code = new_code()
        assert re.fullmatch(rf"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", code)
        assert normalise_code(code.lower()) == code.replace("-", "")
    assert normalise_code("oOiI-lL00-1111") == "001111001111"
    assert normalise_code("UUUU-UUUU-UUUU") is None


@pytest.mark.parametrize(
    ("minutes", "word"),
    [(1, "online"), (16, "silent"), (7 * 1440 - 1, "silent"), (11000, "overdue")],
)
def test_fleet_words(minutes: int, word: str) -> None:
    seen = NOW - timedelta(minutes=minutes)
    assert fleet_word(NOW - timedelta(days=90), seen, None, NOW) == word


def test_fleet_words_of_devices_that_are_not_there() -> None:
    assert fleet_word(None, None, None, NOW) == "never-enrolled"
    assert fleet_word(NOW, NOW, NOW, NOW) == "revoked"
