"""What a device's report means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from content_api.devices.status import (
    DeviceState,
    changes,
    presence,
    standing,
    tone_of,
)

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PLAYING = {"package": "harbour", "release": 14, "manifest_sha256": "a" * 64}
NEXT = {"package": "harbour", "release": 15, "manifest_sha256": "b" * 64}
READ_ONLY = {"free": 10**10, "reserve": 2**28, "verdict": "failing", "read_only": True}
NO_BROWSER = {"browser": "absent", "restarts": 0, "page_seen_seconds": None}
RESTING = {"code": "disk-failing", "message": "files rot again and again"}
RETURNED = {
    "package": "harbour",
    "release": 15,
    "reason": "page-crashed",
    "at": "2026-11-24T09:00:00Z",
}


def report(**more: Any) -> dict[str, Any]:
    """A report in which all is well."""
    return {
        "active": PLAYING,
        "complete": PLAYING,
        "missing_bytes": 0,
        "clock": {"trusted": True, "offset_seconds": 1},
        "disk": {"free": 10**10, "reserve": 2**28},
        "last_sync": {"outcome": "unchanged", "error_code": None},
        "faults": [],
        **more,
    }


def disk(**more: Any) -> dict[str, Any]:
    """A disk with room."""
    return {"free": 10**10, "reserve": 2**28, "verdict": "ok", "read_only": False, **more}


def signed_until(text: str) -> dict[str, Any]:
    """A report whose newest signature ends then."""
    return report(timestamp_expires_at=text)


def screen(**more: Any) -> dict[str, Any]:
    """A browser that shows the page."""
    return {"browser": "running", "restarts": 2, "page_seen_seconds": 12, **more}


def clock(offset: float) -> dict[str, Any]:
    """What a device thinks of its clock, this many seconds from ours."""
    return {"trusted": True, "offset_seconds": offset}


def state(**more: Any) -> DeviceState:
    """A device in order that reported a minute ago."""
    found = DeviceState(
        package="harbour",
        channel="live",
        enrolled_at=NOW - timedelta(days=30),
        last_seen_at=NOW - timedelta(minutes=1),
        revoked_at=None,
        playing_since=NOW - timedelta(days=1),
        report=report(),
        live_release=14,
    )
    return replace(found, **more)


def words(found: DeviceState) -> list[str]:
    """The words of a device's points, the worst first."""
    return [point.word for point in standing(found, NOW)]


def test_a_device_in_order_says_what_it_plays_and_nothing_else() -> None:
    points = standing(state(), NOW)
    assert [(point.word, point.tone) for point in points] == [("plays", "good")]
    assert points[0].values["since"] == NOW - timedelta(days=1)


def test_the_worst_comes_first() -> None:
    found = state(
        live_release=15,
        report=report(
            coming={
                "package": "harbour",
                "release": 15,
                "missing_bytes": 38,
                "total_bytes": 100,
            },
            clock={"trusted": False, "offset_seconds": None},
            disk={"free": 2**28 - 1, "reserve": 2**28},
        ),
    )
    assert words(found) == ["disk-full", "clock-not-trusted", "coming", "plays"]
    coming = next(point for point in standing(found, NOW) if point.word == "coming")
    assert coming.values == {"release": 15, "share": 0.62}
    assert tone_of(standing(found, NOW)) == "bad"


@pytest.mark.parametrize(
    ("quiet", "said"),
    [
        (timedelta(minutes=15), "plays"),
        (timedelta(minutes=16), "silent"),
        (timedelta(days=7), "silent"),
        (timedelta(days=7, minutes=1), "overdue"),
    ],
)
def test_silence_becomes_trouble_in_time(quiet: timedelta, said: str) -> None:
    assert said in words(state(last_seen_at=NOW - quiet))
    tone = {"plays": "good", "silent": "info", "overdue": "bad"}[said]
    assert tone_of(standing(state(last_seen_at=NOW - quiet), NOW)) == tone


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"enrolled_at": None, "report": None}, ["never-enrolled"]),
        (
            {"enrolled_at": None, "report": None, "code_until": NOW + timedelta(days=1)},
            ["waits-for-code"],
        ),
        ({"report": None}, ["plays-nothing"]),
        ({"report": report(active=None, complete=None)}, ["plays-nothing"]),
        ({"package": "noir"}, ["plays-other"]),
        ({"live_release": 15}, ["waits", "plays"]),
        ({"live_release": 13}, ["plays"]),
        ({"live_release": None}, ["plays"]),
        ({"revoked_at": NOW, "live_release": 15}, ["revoked", "plays"]),
        ({"report": report(complete=None, missing_bytes=5)}, ["damaged", "plays"]),
        (
            {"report": report(clock={"trusted": True, "offset_seconds": -301})},
            ["clock-off", "plays"],
        ),
        ({"report": report(clock={"trusted": True, "offset_seconds": 300})}, ["plays"]),
        ({"report": report(disk={"free": 2**29 - 1, "reserve": 2**28})}, ["disk-low", "plays"]),
        ({"report": report(disk={"free": 2**29, "reserve": 2**28})}, ["plays"]),
        ({"report": report(faults=[{"code": "odd", "message": "x"}])}, ["fault", "plays"]),
        ({"report": {"active": PLAYING, "complete": PLAYING}}, ["plays"]),
        ({"live_release": 15, "report": report(next=NEXT)}, ["next-waits", "plays"]),
        ({"report": report(next=PLAYING)}, ["plays"]),
        ({"report": report(probation=True)}, ["on-trial", "plays"]),
        ({"report": report(returned=RETURNED)}, ["returned", "plays"]),
        ({"live_release": 15, "release_limit": 14}, ["held-back", "plays"]),
        ({"live_release": 15, "release_limit": 15}, ["waits", "plays"]),
        (
            {"report": report(disk=disk(verdict="failing"))},
            ["disk-failing", "plays"],
        ),
        (
            {"report": report(disk=READ_ONLY)},
            ["disk-read-only", "plays"],
        ),
        ({"report": report(disk=disk(verdict="full"))}, ["disk-full", "plays"]),
        ({"report": report(shell=screen(browser="absent"))}, ["plays"]),
        ({"report": report(shell=NO_BROWSER)}, ["browser-absent", "plays"]),
        ({"report": report(shell=NO_BROWSER, open=False)}, ["plays", "closed"]),
        ({"report": report(faults=[RESTING])}, ["fault", "plays"]),
        ({"report": report(faults=[RESTING], disk=READ_ONLY)}, ["disk-read-only", "plays"]),
        ({"report": report(shell=screen(browser="restarting"))}, ["browser-restarts", "plays"]),
        ({"report": report(shell=screen(page_seen_seconds=181))}, ["page-still", "plays"]),
        ({"report": report(shell=screen())}, ["plays"]),
        ({"report": report(shell=None, next=None, returned=None)}, ["plays"]),
        ({"report": report(open=False)}, ["plays", "closed"]),
        (
            {"report": report(timestamp_expires_at="2026-11-27T10:00:00Z")},
            ["signature-ends", "plays"],
        ),
        (
            {"report": report(timestamp_expires_at="2026-11-24T10:00:00Z")},
            ["signature-ended", "plays"],
        ),
        ({"report": signed_until("2026-11-28T10:00:00Z")}, ["plays"]),
        ({"report": signed_until("soon")}, ["plays"]),
    ],
)
def test_each_fact_has_its_word(change: dict[str, Any], expected: list[str]) -> None:
    assert words(state(**change)) == expected


@pytest.mark.parametrize(
    ("code", "tone"),
    [("no-network", "warn"), ("not-trusted", "bad"), ("rollback-refused", "bad"), ("new", "warn")],
)
def test_a_failed_update_is_as_bad_as_its_cause(code: str, tone: str) -> None:
    failed = report(last_sync={"outcome": "failed", "error_code": code})
    points = standing(state(report=failed), NOW)
    assert [(p.word, p.tone) for p in points if p.word == "sync-failed"] == [("sync-failed", tone)]


def test_a_fault_that_a_fact_says_already_is_said_once() -> None:
    faults = [{"code": "disk-full", "message": "x"}, {"code": "store-damaged", "message": "y"}]
    found = state(report=report(faults=faults, complete=None, disk={"free": 1, "reserve": 2**28}))
    assert words(found) == ["damaged", "disk-full", "plays"]


def test_the_history_tells_only_what_changed() -> None:
    minute = timedelta(minutes=5)
    lost = report(last_sync={"outcome": "failed", "error_code": "no-network"})
    newer = {**PLAYING, "release": 15}
    told = changes(
        [
            (NOW, report()),
            (NOW + minute, report(disk={"free": 10**9, "reserve": 2**28})),
            (NOW + 2 * minute, lost),
            (NOW + 3 * minute, lost),
            (NOW + 4 * minute, report(active=newer, complete=newer)),
        ]
    )
    assert [(c.at, [p.word for p in c.came], [p.word for p in c.went]) for c in told] == [
        (NOW + 4 * minute, ["plays"], ["sync-failed"]),
        (NOW + 2 * minute, ["sync-failed"], []),
        (NOW, ["plays"], []),
    ]


def test_a_silence_between_reports_is_told() -> None:
    told = changes([(NOW, report()), (NOW + timedelta(hours=5), report())])
    assert [point.word for point in told[0].came] == ["gap"]
    assert changes([(NOW, report()), (NOW + timedelta(minutes=59), report())])[1:] == []


def test_a_release_that_came_and_was_given_back_is_told_in_order() -> None:
    minute = timedelta(minutes=5)
    newer = {"active": NEXT, "complete": NEXT, "probation": True}
    told = changes(
        [
            (NOW, report(next=NEXT)),
            (NOW + minute, report(**newer)),
            (NOW + 2 * minute, report(returned=RETURNED)),
            (NOW + 3 * minute, report(returned=RETURNED)),
            (NOW + 4 * minute, report()),
        ]
    )
    assert [([p.word for p in c.came], [p.word for p in c.went]) for c in told[::-1]] == [
        (["plays", "next-waits"], []),
        (["plays", "on-trial"], []),
        (["plays", "returned"], []),
    ]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((NOW, NOW, None), "online"),
        ((NOW, NOW - timedelta(hours=9), None), "silent"),
        ((NOW, NOW - timedelta(days=8), None), "overdue"),
        ((None, None, None), "unknown"),
        ((NOW, NOW, NOW), "unknown"),
    ],
)
def test_presence_is_one_of_four_words(values: tuple[Any, Any, Any], word: str) -> None:
    assert presence(*values, NOW) == word
