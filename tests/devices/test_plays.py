"""What was shown is counted once, by day, with its title, and without people."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from content_api.accounts.rules import Grant
from content_api.database import write_session
from content_api.devices import fleet_routes, plays, pruning
from content_api.devices.fleet_models import PlayCount
from tests.accounts.people import enrolled_device, sign_up

from .fleet import make_device

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def row(entry: str = "fosse-9", **more: Any) -> dict[str, Any]:
    """A count as a device sends it."""
    return {
        "day": "2026-11-24",
        "package": "harbour",
        "release": 14,
        "entry": entry,
        "title": "La fosse 9",
        "language": "fr",
        "views": 3,
        "seconds": 120,
        **more,
    }


def loaded(entry: str = "fosse-9", **more: Any) -> dict[str, Any]:
    """A count as the service takes it."""
    return {**row(entry, **more), "day": more.get("day", date(2026, 11, 24))}


def test_a_batch_counts_once_and_batches_add_up(session: Session) -> None:
    make_device(session)
    assert plays.note_plays(session, "wall-1", "b1", [loaded(), loaded(views=1, seconds=5)], NOW)
    assert not plays.note_plays(session, "wall-1", "b1", [loaded()], NOW)
    assert plays.note_plays(session, "wall-1", "b2", [loaded(title="Fosse 9")], NOW)
    (found,) = plays.list_plays(session)
    assert (found["views"], found["seconds"], found["title"]) == (7, 245, "Fosse 9")


def test_two_devices_may_name_their_batches_alike(session: Session) -> None:
    make_device(session, "wall-1")
    make_device(session, "wall-2")
    assert plays.note_plays(session, "wall-1", "b1", [loaded()], NOW)
    assert plays.note_plays(session, "wall-2", "b1", [loaded()], NOW)
    (total,) = plays.sum_plays(session)
    assert (total["entry"], total["views"], total["seconds"]) == ("fosse-9", 6, 240)


def test_the_newest_releases_title_is_kept() -> None:
    rows = [loaded(release=15, title="new"), loaded(release=14, title="old")]
    (found,) = plays.add_up("wall-1", rows)
    assert (found["title"], found["release"], found["views"]) == ("new", 15, 6)


def test_counts_outlive_the_entry_and_end_with_their_time(session: Session) -> None:
    make_device(session)
    plays.note_plays(session, "wall-1", "b1", [loaded()], NOW)
    assert session.query(PlayCount).one().title == "La fosse 9"
    later = NOW + timedelta(days=100)
    assert not pruning.has_old_rows(session, later, plays_days=200)
    assert pruning.has_old_rows(session, later, plays_days=90)
    pruning.prune(session, later, plays_days=90)
    assert session.query(PlayCount).count() == 0


def test_nothing_of_a_person_has_a_place() -> None:
    columns = {column.name for column in PlayCount.__table__.columns}
    assert columns == {
        *("device", "day", "package", "entry", "language"),
        *("release", "title", "views", "seconds"),
    }


def test_plays_over_http(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_routes, "_EXPORT_STEP", 2)
    device = enrolled_device(app)
    marie = sign_up(app, "marie", Grant("venue_manager"))
    rows = [row(f"fosse-{number}", title=f"=1+{number}") for number in range(5)]
    body = {"batch": "2026-11-24.1", "rows": [*rows, row(day="2026-11-25")]}
    sent = client.post("/api/v1/device/plays", json=body, headers=device)
    assert (sent.status_code, sent.get_json()) == (202, {"added": True})
    again = client.post("/api/v1/device/plays", json=body, headers=device)
    assert again.get_json() == {"added": False}
    seen, cursor = [], ""
    while True:
        page = client.get(f"/api/v1/plays?limit=2{cursor}", headers=marie).get_json()
        seen += [(found["day"], found["entry"]) for found in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [*(("2026-11-24", f"fosse-{n}") for n in range(5)), ("2026-11-25", "fosse-9")]
    export = client.get("/api/v1/plays/export?until=2026-11-24", headers=marie)
    assert export.mimetype == "text/csv"
    lines = list(csv.DictReader(io.StringIO(export.text)))
    assert [line["entry"] for line in lines] == [f"fosse-{n}" for n in range(5)]
    assert lines[1]["title"] == "'=1+1", "a spreadsheet must not run it"
    assert lines[0]["venue"] == "venue-of-wall-1"


@pytest.mark.parametrize(
    "change",
    [
        {"batch": "../x"},
        {"rows": [row()] * 501},
        {"rows": [row(views=-1)]},
        {"rows": [row(seconds=10**9)]},
        {"rows": [row(day="yesterday")]},
        {"rows": [row(visitor="someone")]},
        {"rows": [row(title="a\nb")]},
    ],
)
def test_counts_of_another_form_are_refused(
    app: Flask, client: FlaskClient, engine: Engine, change: dict[str, Any]
) -> None:
    device = enrolled_device(app)
    body = {"batch": "b", "rows": [row()], **change}
    assert client.post("/api/v1/device/plays", json=body, headers=device).status_code == 422
    with write_session(engine) as session:
        assert session.query(PlayCount).count() == 0
