"""Heartbeats of thousands are written together, and nothing that counts is lost or muddled."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError

from content_api.accounts.rules import SYSTEM
from content_api.database import write_session
from content_api.devices import heartbeats, polls, service
from content_api.devices.heartbeats import (
    HISTORY_STEP,
    Beat,
    HeartbeatBuffer,
    Kept,
    changes_of,
    keep_beats,
    trouble_of,
)
from content_api.devices.models import Device, Heartbeat
from content_api.devices.setup import POLLS_AT_ONCE, PollGate
from tests.accounts.people import enrolled_device

from .fleet import NOW, fault, make_device, report


def test_what_is_new_goes_into_the_history_and_what_is_not_does_not() -> None:
    first = report(14, disk={"free": 10**10, "reserve": 10**9})
    kept = Kept(NOW, NOW, NOW, first)
    later = NOW + timedelta(minutes=5)
    for same in (
        {**first, "at": "2026-11-24T06:05:00Z", "missing_bytes": 5, "queued": 3},
        {**first, "disk": {"free": 9 * 10**9, "reserve": 10**9}},
    ):
        values, news = changes_of(Beat("wall-1", later, same), kept)
        assert not news
        assert (values["last_seen_at"], values["history_at"]) == (later, NOW)
        assert values["playing_since"] == NOW
    for new in (
        report(15),
        report(14, faults=fault()),
        {**first, "disk": {"free": 1, "reserve": 5}},
    ):
        assert changes_of(Beat("wall-1", later, new), kept)[1]
    assert changes_of(Beat("wall-1", NOW + HISTORY_STEP, first), kept)[1], "once in a while anyway"


def test_what_is_drawn_from_a_report() -> None:
    values, news = changes_of(
        Beat("wall-1", NOW, report(14, faults=fault())), Kept(None, None, None, None)
    )
    assert news
    assert (values["active_package"], values["active_release"]) == ("harbour", 14)
    assert (values["playing_since"], values["trouble"]) == (NOW, "fault:display-off")
    assert trouble_of(report(14), NOW) is None
    many = [{"code": f"code with spaces {n}", "message": "x"} for n in range(50)]
    assert len(trouble_of(report(14, faults=many), NOW) or "") <= heartbeats.TROUBLE_LENGTH


def test_a_stopped_buffer_has_written_everything(engine: Engine) -> None:
    with write_session(engine) as session:
        for number in range(5):
            make_device(session, f"wall-{number}")
    buffer = HeartbeatBuffer(engine, period=3600)
    buffer.start()
    for number in range(5):
        for release in (13, 14):
            buffer.add(Beat(f"wall-{number}", NOW, report(release)))
    buffer.add(Beat("gone", NOW, report(1)))
    assert buffer.waiting == 11
    buffer.stop()
    assert buffer.waiting == 0
    with write_session(engine) as session:
        found = session.scalars(select(Device.active_release)).all()
        assert found == [14] * 5
        assert len(session.scalars(select(Heartbeat)).all()) == 10, "each said something new"


def test_a_flush_is_one_short_write_for_many_devices(engine: Engine) -> None:
    with write_session(engine) as session:
        for number in range(20):
            make_device(session, f"wall-{number}")
    begun: list[str] = []

    def note(_c: object, _k: object, statement: str, *_more: object) -> None:
        begun.append(statement.split()[0])

    event.listen(engine, "before_cursor_execute", note)
    beats = [Beat(f"wall-{number}", NOW, report(14)) for number in range(20)]
    keep_beats(engine, beats)
    begun.clear()
    later = NOW + timedelta(minutes=1)
    assert keep_beats(engine, [Beat(beat.device, later, beat.body) for beat in beats]) == 20
    event.remove(engine, "before_cursor_execute", note)
    assert [word for word in begun if word in ("UPDATE", "INSERT", "DELETE")] == ["UPDATE"]


def test_an_older_report_does_not_undo_a_newer_one(engine: Engine) -> None:
    with write_session(engine) as session:
        make_device(session)
    keep_beats(engine, [Beat("wall-1", NOW + timedelta(minutes=5), report(15))])
    keep_beats(engine, [Beat("wall-1", NOW, report(14))])
    with write_session(engine) as session:
        assert session.get_one(Device, "wall-1").active_release == 15


def test_what_a_busy_database_refuses_waits_and_newer_reports_win(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with write_session(engine) as session:
        make_device(session, "wall-1")
        make_device(session, "wall-2")
    buffer = HeartbeatBuffer(engine, period=3600)
    buffer.start()

    def busy(_engine: Engine, beats: list[Beat]) -> int:
        buffer.add(Beat("wall-1", NOW + timedelta(minutes=1), report(15)))
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    buffer.add(Beat("wall-1", NOW, report(14)))
    buffer.add(Beat("wall-2", NOW, report(14)))
    monkeypatch.setattr(heartbeats, "keep_beats", busy)
    assert buffer.flush() == 0
    assert buffer.waiting == 3
    monkeypatch.undo()
    assert buffer.flush() == 2
    buffer.stop()
    with write_session(engine) as session:
        assert session.get_one(Device, "wall-1").active_release == 15
        assert session.get_one(Device, "wall-2").active_release == 14


def test_the_buffer_is_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "MOST_WAITING", 3)
    buffer = HeartbeatBuffer(engine, period=3600)
    buffer.start()
    for number in range(5):
        buffer.add(Beat(f"wall-{number}", NOW, report(14)))
    assert (buffer.waiting, buffer.dropped) == (3, 2)
    buffer.stop()


def test_a_device_that_was_offline_tells_all_that_was_new_meanwhile(engine: Engine) -> None:
    with write_session(engine) as session:
        make_device(session)
    reports = [report(14), report(14), report(14, faults=fault()), report(15), report(15)]
    assert keep_beats(engine, [Beat("wall-1", NOW, body) for body in reports]) == 1
    with write_session(engine) as session:
        device = session.get_one(Device, "wall-1")
        assert (device.active_release, device.trouble) == (15, None)
        kept = service.list_heartbeats(session, "wall-1")
        assert [row.body["active"]["release"] for row in kept] == [15, 14, 14]


def test_the_second_half_of_a_poll_asks_the_database_nothing(
    app: Flask, client: FlaskClient
) -> None:
    device = enrolled_device(app)
    buffer = app.extensions["lampisterie_heartbeats"]
    buffer.start()
    asked: list[str] = []

    def note(_c: object, _k: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    event.listen(app.extensions["lampisterie_engine"], "before_cursor_execute", note)
    known = {**device, "If-None-Match": '"a1"'}
    assert client.get("/api/v1/device", headers=known).status_code == 304
    assert len([text for text in asked if text.startswith("SELECT")]) == 1
    asked.clear()
    answer = client.post("/api/v1/device/heartbeats", json=report(14), headers=device)
    assert answer.status_code == 202
    assert [text for text in asked if "device" in text] == []
    buffer.stop()


def test_revoking_counts_at_once_here_and_soon_elsewhere(
    app: Flask, client: FlaskClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = enrolled_device(app)
    assert client.get("/api/v1/device", headers=device).status_code == 200
    with write_session(engine) as session:
        service.revoke_device(session, SYSTEM, "wall-1")
    assert client.get("/api/v1/device", headers=device).status_code == 401
    other = enrolled_device(app, "wall-2")
    assert client.get("/api/v1/device", headers=other).status_code == 200
    with engine.begin() as connection:
        # As another process does: this one is not told.
        connection.execute(
            Device.__table__.update().values(revoked_at=NOW)  # type: ignore[attr-defined]
        )
    moment = polls.time.monotonic()
    monkeypatch.setattr(polls.time, "monotonic", lambda: moment + polls.KNOWN_FOR)
    assert client.get("/api/v1/device", headers=other).status_code == 401


def test_a_row_that_was_read_before_a_change_is_not_believed_after_it() -> None:
    known = polls.KnownDevices()
    row = polls.Known("wall-1", "Wall", None, 1, False)
    seen = known.changes
    known.forget(["wall-1"])
    known.keep("hash", row, seen=seen)
    assert known.find("hash") is None
    known.keep("hash", row, seen=known.changes)
    assert known.find("hash") is row
    known.forget(["wall-2"])
    assert known.find("hash") is row
    known.forget()
    assert known.find("hash") is None


def test_polls_take_turns_and_other_requests_go_by() -> None:
    inside: list[int] = []

    def app(environ: dict[str, object], _start: object) -> list[bytes]:
        gate = environ["gate"]
        assert isinstance(gate, PollGate)
        inside.append(gate._free._value)  # type: ignore[attr-defined]
        return [b""]

    gate = PollGate(app)
    poll = {"REQUEST_METHOD": "POST", "PATH_INFO": "/api/v1/device/heartbeats", "gate": gate}
    gate(poll, print)
    gate({**poll, "PATH_INFO": "/api/v1/entries"}, print)
    assert inside == [POLLS_AT_ONCE - 1, POLLS_AT_ONCE]


def test_the_short_answer_to_a_poll_is_the_one_the_app_gives(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = {**enrolled_device(app), "X-Request-ID": "mine"}
    count = app.extensions["lampisterie_requests"]
    before = count.totals().get("3xx", 0)
    known = {**device, "If-None-Match": '"a1"'}
    short = client.get("/api/v1/device", headers=known)
    weak = client.get("/api/v1/device", headers={**device, "If-None-Match": 'W/"a1"'})
    access_log = logging.getLogger("content_api.access")
    monkeypatch.setattr(access_log, "level", logging.INFO)
    access_log.manager._clear_cache()  # type: ignore[attr-defined]
    long = client.get("/api/v1/device", headers=known)
    monkeypatch.undo()
    access_log.manager._clear_cache()  # type: ignore[attr-defined]
    assert short.status_code == weak.status_code == long.status_code == 304
    # The app's has a policy for the page that a 304 does not carry.
    named = {**long.headers}
    del named["Content-Security-Policy"]
    assert dict(short.headers) == named
    assert count.totals()["3xx"] == before + 3
    assert client.get("/api/v1/device", headers=device).status_code == 200
    old = client.get("/api/v1/device", headers={**device, "If-None-Match": '"a0"'})
    assert old.status_code == 200
    wrong = {"Authorization": "Bearer lmd_" + "x" * 43, "If-None-Match": '"a1"'}
    assert client.get("/api/v1/device", headers=wrong).status_code == 401


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 202),
        ({"data": b"{"}, 400),
        ({"data": b'{"at": "x", "at": "y"}'}, 400),
        ({"json": {"client": "0.1.0"}}, 422),
        ({"data": b"x", "content_type": "text/plain"}, 415),
        ({"headers": {"Authorization": "Bearer lmd_" + "x" * 43}}, 401),
    ],
)
def test_the_short_answer_to_a_report_is_the_one_the_app_gives(
    app: Flask, client: FlaskClient, change: dict[str, object], status: int
) -> None:
    device = {**enrolled_device(app), "X-Request-ID": "mine"}
    buffer = app.extensions["lampisterie_heartbeats"]
    sent: dict[str, object] = {"json": report(14), "headers": device}
    if "data" in change:
        sent = {"headers": device, "content_type": "application/json"}
    sent |= change
    answers = []
    for running in (True, False):
        if running:
            buffer.start()
        answer = client.post("/api/v1/device/heartbeats", **sent)
        answers.append((answer.status_code, answer.get_json(), dict(answer.headers)))
        buffer.stop()
    assert answers[0][0] == status
    if "X-Request-ID" in sent["headers"]:  # type: ignore[operator]
        assert answers[0] == answers[1]
    with app.extensions["lampisterie_engine"].connect() as connection:
        kept = connection.execute(select(Device.active_release)).scalar_one()
    assert kept == (14 if status == 202 else None)
