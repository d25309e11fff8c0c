"""What a device's report means: points to tell a person, the worst first. Pure.

A point is a word and its values, never a sentence: the studio says it in the reader's
language. `standing` judges a device now; `changes` tells what came and went in its reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from content_api.devices.rules import fleet_word

TONES = ("bad", "warn", "info", "good", "neutral")
"""The worst first."""

CLOCK_OFF = 300
"""Seconds a clock may differ from ours before it is worth a word."""

DISK_LOW_FACTOR = 2
"""Less free than this many times the reserve is nearly full."""

GAP = timedelta(hours=1)
"""Reports further apart than this leave a gap in the history."""

SIGNATURE_ENDS = timedelta(days=3)
"""With less than this left, a device that hears nothing newer will soon take nothing new."""

PAGE_STILL = 180
"""Seconds without a word of the page, while its browser runs, after which the screen is stuck."""

PRESENCES = ("online", "silent", "overdue", "unknown")
"""What we know of a device, by when it was last heard of."""

_SYNC_BAD = frozenset(
    {"not-trusted", "rollback-refused", "disk-full", "disk-failing", "store-damaged"}
)
_SAID_BY = {
    "disk-full": frozenset({"disk-full"}),
    "disk-failing": frozenset({"disk-failing", "disk-read-only"}),
    "store-damaged": frozenset({"damaged"}),
}
"""Faults that a fact of the same report may say already, and the words that do."""

_PASSING = frozenset({"plays", "plays-nothing", "next-waits", "on-trial", "returned"})
"""Points whose end is told by what comes after them."""


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to tell: what (`word`), how bad (`tone`), with which values."""

    word: str
    tone: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What the server knows of one device."""

    package: str
    channel: str
    enrolled_at: datetime | None
    last_seen_at: datetime | None
    revoked_at: datetime | None
    playing_since: datetime | None
    report: Mapping[str, Any] | None
    live_release: int | None
    code_until: datetime | None = None
    release_limit: int | None = None
    """The newest release that a rollout lets it take; None when nothing holds it back."""


@dataclass(frozen=True, slots=True)
class Change:
    """What was new in the report that came in at `at`, and what was over."""

    at: datetime
    came: tuple[Point, ...]
    went: tuple[Point, ...]


def standing(state: DeviceState, now: datetime) -> tuple[Point, ...]:
    """How a device stands, the worst first; never empty."""
    if state.revoked_at is not None:
        points = [Point("revoked", "warn", {"at": state.revoked_at})]
    elif state.enrolled_at is None:
        return (_not_enrolled(state),)
    else:
        points = [*_heard(state, now)]
    report = state.report or {}
    points += _playing(state, report)
    if state.revoked_at is None:
        points += report_points(report, now)
    return tuple(sorted(points, key=lambda point: TONES.index(point.tone)))


def presence(
    enrolled_at: datetime | None,
    last_seen_at: datetime | None,
    revoked_at: datetime | None,
    now: datetime,
) -> str:
    """What we know of a device: `online`; `silent`, so expected to play; `overdue`, so somebody
    should go and look; `unknown`, for one that was not enrolled or was revoked."""
    word = fleet_word(enrolled_at, last_seen_at, revoked_at, now)
    return word if word in PRESENCES else "unknown"


def tone_of(points: Iterable[Point]) -> str:
    """The worst tone of some points."""
    return min((point.tone for point in points), key=TONES.index, default="neutral")


def report_points(report: Mapping[str, Any], now: datetime) -> list[Point]:
    """What is worth telling of one report that came in at `now`, besides what it plays."""
    points = []
    active, complete = report.get("active"), report.get("complete")
    if active and not complete:
        points.append(Point("damaged", "bad", {"bytes": report.get("missing_bytes") or 0}))
    points += _sets(report)
    points += _clock(report)
    points += _disk(report.get("disk") or {})
    points += _screen(report)
    last = report.get("last_sync") or {}
    if last.get("outcome") == "failed":
        code = last.get("error_code") or "failed"
        points.append(Point("sync-failed", "bad" if code in _SYNC_BAD else "warn", {"code": code}))
    ends = moment_of(report.get("timestamp_expires_at"))
    if ends is not None and ends <= now:
        points.append(Point("signature-ended", "warn", {"at": ends}))
    elif ends is not None and ends - now <= SIGNATURE_ENDS:
        points.append(Point("signature-ends", "warn", {"at": ends}))
    said = {point.word for point in points}
    points += [
        Point("fault", "bad", {"code": fault["code"], "message": fault["message"]})
        for fault in report.get("faults") or ()
        if not said & _SAID_BY.get(fault["code"], frozenset())
    ]
    return points


def moment_of(text: Any) -> datetime | None:
    """A time that a device wrote; None when it is none, or names no zone."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def changes(reports: Iterable[tuple[datetime, Mapping[str, Any]]]) -> list[Change]:
    """What came and went, newest first, of reports given oldest first; the first tells all."""
    found: list[Change] = []
    before: dict[Any, Point] = {}
    heard: datetime | None = None
    for at, report in reports:
        told = {
            _key(point): point for point in (*_reported_playing(report), *report_points(report, at))
        }
        came = [point for key, point in told.items() if key not in before]
        went = [
            point for key, point in before.items() if key not in told and point.word not in _PASSING
        ]
        if heard is not None and at - heard > GAP:
            came.insert(0, Point("gap", "warn", {"span": at - heard}))
        if came or went:
            found.append(Change(at, tuple(came), tuple(went)))
        before, heard = told, at
    return found[::-1]


def _not_enrolled(state: DeviceState) -> Point:
    if state.code_until is not None:
        return Point("waits-for-code", "info", {"until": state.code_until})
    return Point("never-enrolled", "warn")


def _heard(state: DeviceState, now: datetime) -> Iterable[Point]:
    heard = state.last_seen_at or state.enrolled_at
    if heard is None:
        return
    word = presence(state.enrolled_at, heard, None, now)
    if word == "overdue":
        yield Point("overdue", "bad", {"at": heard})
    elif word == "silent":
        # Power that is cut every evening is no trouble; a week without a word is.
        yield Point("silent", "info", {"at": heard})


def _playing(state: DeviceState, report: Mapping[str, Any]) -> Iterable[Point]:
    active = report.get("active")
    if not active:
        if state.revoked_at is None:
            yield Point("plays-nothing", "warn" if report else "info")
        return
    values = {
        "release": active["release"],
        "package": active["package"],
        "since": state.playing_since,
    }
    if active["package"] != state.package:
        yield Point("plays-other", "warn", {**values, "assigned": state.package})
        return
    newest = state.live_release
    behind = newest is not None and newest > active["release"]
    yield Point("plays", "neutral" if behind else "good", values)
    if not behind or state.revoked_at is not None:
        return
    limit = state.release_limit
    if limit is not None and newest is not None and limit < newest and active["release"] >= limit:
        yield Point("held-back", "info", {"release": newest})
        return
    if _next_of(report):
        # Told among the sets of the report.
        return
    coming = report.get("coming")
    if coming and coming["package"] == state.package and coming["total_bytes"]:
        share = 1 - coming["missing_bytes"] / coming["total_bytes"]
        values = {"release": coming["release"], "share": min(1.0, max(0.0, share))}
        yield Point("coming", "info", values)
    else:
        yield Point("waits", "info", {"release": newest})


def _next_of(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    waiting, active = report.get("next"), report.get("active") or {}
    if not waiting or waiting.get("manifest_sha256") == active.get("manifest_sha256"):
        return None
    found: Mapping[str, Any] = waiting
    return found


def _sets(report: Mapping[str, Any]) -> Iterable[Point]:
    waiting = _next_of(report)
    if waiting:
        yield Point("next-waits", "info", {"release": waiting["release"]})
    active = report.get("active")
    if report.get("probation") and active:
        yield Point("on-trial", "info", {"release": active["release"]})
    returned = report.get("returned")
    if returned:
        names = ("package", "release", "reason")
        yield Point("returned", "bad", {name: returned.get(name) for name in names})


def _clock(report: Mapping[str, Any]) -> Iterable[Point]:
    clock = report.get("clock") or {}
    offset = clock.get("offset_seconds")
    if clock.get("trusted") is False:
        yield Point("clock-not-trusted", "warn")
    elif offset is not None and abs(offset) > CLOCK_OFF:
        yield Point("clock-off", "warn", {"minutes": round(abs(offset) / 60)})


def _disk(disk: Mapping[str, Any]) -> Iterable[Point]:
    verdict = disk.get("verdict")
    if verdict == "failing":
        # A disk that fails says nothing reliable about its room.
        word = "disk-read-only" if disk.get("read_only") else "disk-failing"
        yield Point(word, "bad", {"errors": disk.get("errors_count") or 0})
    elif disk and (verdict == "full" or disk["free"] < disk["reserve"]):
        yield Point("disk-full", "bad", {"free": disk["free"]})
    elif disk and disk["free"] < DISK_LOW_FACTOR * disk["reserve"]:
        yield Point("disk-low", "warn", {"free": disk["free"]})


def _screen(report: Mapping[str, Any]) -> Iterable[Point]:
    shell = report.get("shell") or {}
    if report.get("open") is False:
        # Nobody is there to see it, and the browser may be off.
        yield Point("closed", "neutral")
        return
    browser, seen = shell.get("browser"), shell.get("page_seen_seconds")
    still = seen is None or seen > PAGE_STILL
    if browser == "restarting":
        yield Point("browser-restarts", "warn", {"restarts": shell.get("restarts") or 0})
    elif browser == "absent" and still:
        # Absent but heard of is a browser that somebody else starts.
        yield Point("browser-absent", "warn")
    elif browser == "running" and seen is not None and still:
        yield Point("page-still", "bad", {"minutes": round(seen / 60)})


def _reported_playing(report: Mapping[str, Any]) -> list[Point]:
    active = report.get("active")
    if not active:
        return [Point("plays-nothing", "neutral")]
    return [Point("plays", "good", {"release": active["release"], "package": active["package"]})]


def _key(point: Point) -> tuple[Any, ...]:
    # Sizes and offsets move with every report; that they are wrong is the news.
    told = {
        "plays": ("package", "release"),
        "next-waits": ("release",),
        "on-trial": ("release",),
        "returned": ("package", "release"),
        "sync-failed": ("code",),
        "fault": ("code",),
    }
    return (point.word, *(point.values.get(name) for name in told.get(point.word, ())))
