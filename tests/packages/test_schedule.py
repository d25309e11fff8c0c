"""Releases wait for their hour; the background thread finds them due, whoever restarts."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from content_api.accounts.rules import SYSTEM
from content_api.database import read_session, write_session
from content_api.jobs import Jobs, run_due
from content_api.packages.models import Release
from content_api.packages.publish import PackageHasProblems
from content_api.packages.schedule import cancel_release, parse_hour, schedule_release
from content_api.problems import Conflict, Refused
from content_api.repository import metadata
from content_api.repository.service import repository_lock
from tests.packages.conftest import Harbour, title

NOW = datetime.now(UTC)
PARIS = ZoneInfo("Europe/Paris")


def schedule(harbour: Harbour, hours: float = 1, now: datetime = NOW) -> int:
    """Schedule the harbour some hours from now; the row's id."""
    at = (now + timedelta(hours=hours)).isoformat()
    with write_session(harbour.engine) as session:
        return schedule_release(session, harbour.types, SYSTEM, "harbour", at, now).id


def release(harbour: Harbour, release_id: int) -> Release:
    """The row."""
    with read_session(harbour.engine) as session:
        return session.get_one(Release, release_id)


def test_a_time_without_zone_is_local_in_the_packages_zone(harbour: Harbour) -> None:
    with write_session(harbour.engine) as session:
        made = schedule_release(session, harbour.types, SYSTEM, "harbour", "2030-04-01T09:00", NOW)
    assert made.publish_at == datetime(2030, 4, 1, 0, tzinfo=UTC), "09:00 in Tokyo"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-07-01T09:00", datetime(2027, 7, 1, 7, tzinfo=UTC)),
        ("2027-01-01T09:00", datetime(2027, 1, 1, 8, tzinfo=UTC)),
        ("2027-07-01T09:00:00Z", datetime(2027, 7, 1, 9, tzinfo=UTC)),
        ("2027-07-01T09:00+09:00", datetime(2027, 7, 1, 0, tzinfo=UTC)),
        ("2027-10-31T02:30", datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),
    ],
)
def test_hours_are_read_with_their_zone(text: str, expected: datetime) -> None:
    assert parse_hour(text, PARIS) == expected


@pytest.mark.parametrize("text", ["tomorrow", "", "2027-13-01T00:00", "2027-03-28T02:30"])
def test_an_hour_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="at: "):
        parse_hour(text, PARIS)


def test_the_past_is_refused(harbour: Harbour) -> None:
    with pytest.raises(Refused, match="expected a time in the future"):
        schedule(harbour, hours=-1)


def test_a_release_is_published_when_its_hour_has_come_and_not_before(harbour: Harbour) -> None:
    waiting = schedule(harbour)
    run_due(harbour.engine, harbour.settings, NOW + timedelta(minutes=59))
    assert release(harbour, waiting).state == "scheduled"
    done = run_due(harbour.engine, harbour.settings, NOW + timedelta(minutes=61))
    assert "published harbour release 1 on live" in done
    assert (release(harbour, waiting).state, release(harbour, waiting).number) == ("live", 1)
    assert not [
        line
        for line in run_due(harbour.engine, harbour.settings, NOW + timedelta(minutes=62))
        if "harbour" in line
    ]


def test_what_is_approved_at_the_hour_is_published(harbour: Harbour) -> None:
    schedule(harbour)
    harbour.edit("place-3", [title("fr", "Approuvé entre-temps")], "fr")
    run_due(harbour.engine, harbour.settings, NOW + timedelta(hours=2))
    documents = b"".join(
        path.read_bytes()
        for path in (harbour.settings.repository_dir / "blobs").rglob("*")
        if path.is_file()
    )
    assert "Approuvé entre-temps".encode() in documents


def test_a_release_that_cannot_be_published_at_its_hour_fails_and_keeps_its_problems(
    harbour: Harbour,
) -> None:
    broken, whole = schedule(harbour), schedule(harbour, hours=3)
    theme = {"attract": ["crane-photo"]}
    harbour.change_body(theme={"attract": ["nowhere"]})
    run_due(harbour.engine, harbour.settings, NOW + timedelta(hours=2))
    found = release(harbour, broken)
    assert found.state == "failed"
    assert [problem["code"] for problem in found.problems or ()] == ["unknown-asset"]
    harbour.change_body(theme=theme)
    run_due(harbour.engine, harbour.settings, NOW + timedelta(hours=4))
    assert release(harbour, whole).state == "live"


def test_what_could_not_be_published_today_cannot_be_scheduled(harbour: Harbour) -> None:
    harbour.change_body(theme={"attract": ["nowhere"]})
    with pytest.raises(PackageHasProblems):
        schedule(harbour)


def test_rights_that_end_before_the_hour_speak_against_it(harbour: Harbour) -> None:
    with pytest.raises(PackageHasProblems) as caught:
        schedule(harbour, hours=24 * 365 * 20)
    assert {problem["code"] for problem in caught.value.errors} == {"rights-expired"}


def test_a_waiting_release_may_be_taken_back_once(harbour: Harbour) -> None:
    waiting = schedule(harbour)
    with write_session(harbour.engine) as session:
        cancel_release(session, SYSTEM, "harbour", waiting)
    run_due(harbour.engine, harbour.settings, NOW + timedelta(hours=2))
    assert release(harbour, waiting).state == "cancelled"
    with write_session(harbour.engine) as session, pytest.raises(Conflict, match="is cancelled"):
        cancel_release(session, SYSTEM, "harbour", waiting)


def test_while_another_process_publishes_a_due_release_waits_its_turn(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    from content_api.packages import publish

    waiting = schedule(harbour)
    monkeypatch.setattr(
        publish, "repository_lock", lambda settings: repository_lock(settings, wait=0)
    )
    with repository_lock(harbour.settings):
        from content_api.packages.schedule import publish_due

        publish_due(harbour.engine, harbour.settings, NOW + timedelta(hours=2))
    assert release(harbour, waiting).state == "scheduled"
    run_due(harbour.engine, harbour.settings, NOW + timedelta(hours=2))
    assert release(harbour, waiting).state == "live"


def test_the_daily_signature_is_among_what_is_due(harbour: Harbour) -> None:
    done = run_due(harbour.engine, harbour.settings, datetime.now(UTC) + timedelta(hours=25))
    assert done == ["signed timestamp"]


def test_one_failing_task_does_not_stop_the_daily_signature(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    from content_api import jobs

    def fail(*_args: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(jobs, "publish_due", fail)
    done = run_due(harbour.engine, harbour.settings, datetime.now(UTC) + timedelta(hours=25))
    assert done == ["signed timestamp"]


def test_the_thread_publishes_what_is_due_and_stops_cleanly(harbour: Harbour) -> None:
    schedule(harbour, hours=1, now=NOW - timedelta(hours=2))
    jobs = Jobs(harbour.settings, period=0.05)
    jobs.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with read_session(harbour.engine) as session:
            if session.scalar(select(Release.state)) == "live":
                break
        time.sleep(0.05)
    jobs.stop()
    assert not jobs.running
    assert "packages/harbour/live.json" in metadata.targets(harbour.settings.repository_dir)
