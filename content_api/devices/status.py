"""What a device's report means: points to tell a person, the worst first. Pure.

A point is a word and its values, never a sentence: the studio says it in the reader's
language. `standing` judges a device now; `changes` tells what came and went in its reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from content_api.devices.rules import OVERDUE_AFTER, SILENT_AFTER

TONES = ("bad", "warn", "info", "good", "neutral")
"""The worst first."""

CLOCK_OFF = 300
"""Seconds a clock may differ from ours before it is worth a word."""

DISK_LOW_FACTOR = 2
"""Less free than this many times the reserve is nearly full."""

GAP = timedelta(hours=1)
"""Reports further apart than this leave a gap in the history."""

_SYNC_BAD = frozenset({"not-trusted", "rollback-refused", "disk-full", "store-damaged"})
_SAID_ELSEWHERE = frozenset({"disk-full", "store-damaged"})
"""Faults that a fact of the same report says already."""


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
        points += report_points(report)
    return tuple(sorted(points, key=lambda point: TONES.index(point.tone)))


def tone_of(points: Iterable[Point]) -> str:
    """The worst tone of some points."""
    return min((point.tone for point in points), key=TONES.index, default="neutral")


def report_points(report: Mapping[str, Any]) -> list[Point]:
    """What is worth telling of one report, besides what it plays."""
    points = []
    active, complete = report.get("active"), report.get("complete")
    if active and not complete:
        points.append(Point("damaged", "bad", {"bytes": report.get("missing_bytes") or 0}))
    clock = report.get("clock") or {}
    offset = clock.get("offset_seconds")
    if clock.get("trusted") is False:
        points.append(Point("clock-not-trusted", "warn"))
    elif offset is not None and abs(offset) > CLOCK_OFF:
        points.append(Point("clock-off", "warn", {"minutes": round(abs(offset) / 60)}))
    disk = report.get("disk") or {}
    if disk:
        if disk["free"] < disk["reserve"]:
            points.append(Point("disk-full", "bad", {"free": disk["free"]}))
        elif disk["free"] < DISK_LOW_FACTOR * disk["reserve"]:
            points.append(Point("disk-low", "warn", {"free": disk["free"]}))
    last = report.get("last_sync") or {}
    if last.get("outcome") == "failed":
        code = last.get("error_code") or "failed"
        points.append(Point("sync-failed", "bad" if code in _SYNC_BAD else "warn", {"code": code}))
    points += [
        Point("fault", "bad", {"code": fault["code"], "message": fault["message"]})
        for fault in report.get("faults") or ()
        if fault["code"] not in _SAID_ELSEWHERE
    ]
    return points


def changes(reports: Iterable[tuple[datetime, Mapping[str, Any]]]) -> list[Change]:
    """What came and went, newest first, of reports given oldest first; the first tells all."""
    found: list[Change] = []
    before: dict[Any, Point] = {}
    heard: datetime | None = None
    for at, report in reports:
        told = {
            _key(point): point for point in (*_reported_playing(report), *report_points(report))
        }
        came = [point for key, point in told.items() if key not in before]
        went = [
            point
            for key, point in before.items()
            if key not in told and point.word not in ("plays", "plays-nothing")
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
    quiet = now - heard
    if quiet > OVERDUE_AFTER:
        yield Point("overdue", "bad", {"at": heard})
    elif quiet > SILENT_AFTER:
        yield Point("silent", "warn", {"at": heard})


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
    coming = report.get("coming")
    if coming and coming["package"] == state.package and coming["total_bytes"]:
        share = 1 - coming["missing_bytes"] / coming["total_bytes"]
        values = {"release": coming["release"], "share": min(1.0, max(0.0, share))}
        yield Point("coming", "info", values)
    else:
        yield Point("waits", "info", {"release": newest})


def _reported_playing(report: Mapping[str, Any]) -> list[Point]:
    active = report.get("active")
    if not active:
        return [Point("plays-nothing", "neutral")]
    return [Point("plays", "good", {"release": active["release"], "package": active["package"]})]


def _key(point: Point) -> tuple[Any, ...]:
    # Sizes and offsets move with every report; that they are wrong is the news.
    told = {"plays": ("package", "release"), "sync-failed": ("code",), "fault": ("code",)}
    return (point.word, *(point.values.get(name) for name in told.get(point.word, ())))
