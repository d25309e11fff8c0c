"""What devices report: the last word of each, and a history of what was new.

A heartbeat is a sign of life. The next one tells the same again, so it need not outlive a
power cut, and thousands of them must not stand between an editor and the database. In a
serving process they are collected in memory and written every second by one thread in
short transactions. A device that was offline sends what it noted meanwhile, many reports at
once: of those the last one counts, and the history gets what was new in each. Orders,
acknowledgements and plays do not go this way: they are written before they are answered.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from content_api.database import read_session, write_session
from content_api.devices.models import Device, Heartbeat
from content_api.devices.registry import get_device
from content_api.devices.status import report_points

log = logging.getLogger(__name__)

HEARTBEATS_KEPT = 500
"""Rows of history that one device has at most."""

HISTORY_STEP = timedelta(minutes=30)
"""A report that says nothing new is kept in the history this long after the one before."""

FLUSH_EVERY = 1.0
"""Seconds that a report waits in memory at most, while the database answers."""

FLUSH_AT_ONCE = 200
"""Devices written in one transaction: an editor's save waits for one of these at most."""

MOST_WAITING = 50_000
"""Reports that wait in memory at most; beyond it those of the longest waiting device go."""

TROUBLE_LENGTH = 400

_MOVING: dict[str, frozenset[str]] = {
    "": frozenset(
        {
            *("at", "missing_bytes", "last_full_verify_at", "last_ntp_at"),
            *("timestamp_expires_at", "queued"),
        }
    ),
    "clock": frozenset({"offset_seconds"}),
    "coming": frozenset({"missing_bytes"}),
    "disk": frozenset({"free", "reserve", "total", "errors_count"}),
    "last_sync": frozenset({"at", "sources", "trigger"}),
    "shell": frozenset({"page_seen_seconds", "heap", "restarts"}),
}
"""Fields that differ in every report; that a size or an offset is wrong is a point of status."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A report and when it came in."""

    device: str
    at: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database holds of a device's reports."""

    last_seen_at: datetime | None
    history_at: datetime | None
    playing_since: datetime | None
    body: Mapping[str, Any] | None


def told(body: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """What of a report is news when it differs from the one before. Pure."""
    found = {
        name: _still(value, _MOVING[name])
        if name in _MOVING and isinstance(value, Mapping)
        else value
        for name, value in body.items()
        if name not in _MOVING[""]
    }
    found["points"] = sorted({f"{point.word}:{point.tone}" for point in report_points(body, at)})
    return found


def trouble_of(body: Mapping[str, Any], at: datetime) -> str | None:
    """The words of all that is wrong, in order, as `damaged fault:display-off`; None if nothing.

    Pure. It is what alerts and rollouts judge a device by.
    """
    words = {
        f"{point.word}:{point.values['code']}" if "code" in point.values else point.word
        for point in report_points(body, at)
        if point.tone == "bad"
    }
    line = ""
    for word in sorted("".join(found.split())[:100] for found in words):
        if len(line) + 1 + len(word) > TROUBLE_LENGTH:
            break
        line = f"{line} {word}".strip()
    return line or None


def changes_of(beat: Beat, kept: Kept) -> tuple[dict[str, Any], bool]:
    """New values of a device's columns, and whether the history gets a row. Pure."""
    body = dict(beat.body)
    before = kept.body
    active, was = body.get("active") or {}, (before or {}).get("active") or {}
    since = kept.playing_since
    if (active.get("package"), active.get("release")) != (was.get("package"), was.get("release")):
        since = beat.at if active else None
    news = (
        before is None
        or kept.history_at is None
        or beat.at - kept.history_at >= HISTORY_STEP
        or told(body, beat.at) != told(before, beat.at)
    )
    returned = body.get("returned") or {}
    values = {
        "last_seen_at": beat.at,
        "last_heartbeat": body,
        "playing_since": since,
        "client": str(body["client"])[:64],
        "active_package": active.get("package"),
        "active_release": active.get("release"),
        "returned_package": returned.get("package"),
        "returned_release": returned.get("release"),
        "trouble": trouble_of(body, beat.at),
        "history_at": beat.at if news else kept.history_at,
    }
    return values, news


_COLUMNS = (
    "last_seen_at",
    "last_heartbeat",
    "playing_since",
    "client",
    "active_package",
    "active_release",
    "returned_package",
    "returned_release",
    "trouble",
    "history_at",
)

# Another process may have written a newer report meanwhile; the older must not win.
_UPDATE = (
    update(Device.__table__)  # type: ignore[arg-type]
    .where(
        Device.__table__.c.id == bindparam("device_id"),
        or_(
            Device.__table__.c.last_seen_at.is_(None),
            Device.__table__.c.last_seen_at <= bindparam("seen_at"),
        ),
    )
    .values({name: bindparam(f"new_{name}") for name in _COLUMNS})
)


def keep_beats(engine: Engine, beats: Sequence[Beat]) -> int:
    """Write reports, each device's in the order they came; returns of how many devices.

    At most FLUSH_AT_ONCE devices. Reading and deciding come before the write transaction,
    which is then a short one.
    """
    by_device: dict[str, list[Beat]] = {}
    for beat in beats:
        by_device.setdefault(beat.device, []).append(beat)
    with read_session(engine) as session:
        kept = _kept(session, list(by_device))
    updates, news = [], []
    for device in sorted(kept):
        values, new = fold(by_device[device], kept[device])
        updates.append((by_device[device][-1], values))
        news += new
    if updates:
        with write_session(engine) as session:
            _write(session, updates, news)
    return len(updates)


def fold(beats: Sequence[Beat], kept: Kept) -> tuple[dict[str, Any], list[Beat]]:
    """New values after some reports of one device, and those the history keeps. Pure."""
    news = []
    values: dict[str, Any] = {}
    for beat in beats:
        values, is_new = changes_of(beat, kept)
        if is_new:
            news.append(beat)
        kept = Kept(beat.at, values["history_at"], values["playing_since"], beat.body)
    return values, news


def note_heartbeat(
    session: Session, device_id: str, body: Mapping[str, Any], now: datetime
) -> Device:
    """Keep what a device reports at once, as its last word and in its history."""
    device = get_device(session, device_id)
    beat = Beat(device_id, now, body)
    kept = Kept(device.last_seen_at, device.history_at, device.playing_since, device.last_heartbeat)
    session.flush()
    values, news = fold([beat], kept)
    _write(session, [(beat, values)], news)
    session.refresh(device)
    return device


def list_heartbeats(
    session: Session, device_id: str, *, before: int | None = None, limit: int = 200
) -> list[Heartbeat]:
    """A device's reports that said something new, newest first."""
    query = select(Heartbeat).where(Heartbeat.device == device_id)
    if before is not None:
        query = query.where(Heartbeat.id < before)
    return list(session.scalars(query.order_by(Heartbeat.id.desc()).limit(limit)))


class HeartbeatBuffer:
    """The reports that wait to be written, and the thread that writes them.

    Until `start` was called nothing waits: `add` writes at once.
    """

    def __init__(self, engine: Engine, *, period: float = FLUSH_EVERY) -> None:
        self._engine = engine
        self._period = period
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Beat]] = {}
        self._count = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """How many reports are not written yet."""
        return self._count

    @property
    def running(self) -> bool:
        """Whether a thread writes what `add` is given."""
        return self._thread is not None and self._thread.is_alive()

    def add(self, beat: Beat) -> None:
        """Take a report; it is in the database within a second or two."""
        if not self.running:
            keep_beats(self._engine, [beat])
            return
        with self._lock:
            self._waiting.setdefault(beat.device, []).append(beat)
            self._count += 1
            while self._count > MOST_WAITING:
                gone = self._waiting.pop(next(iter(self._waiting)))
                self._count -= len(gone)
                self.dropped += len(gone)

    def start(self) -> None:
        """Begin to write from a thread."""
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)
        self._thread.start()

    def stop(self, *, wait: float = 10.0) -> None:
        """End the thread after it wrote what waits, within `wait` seconds."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(wait)

    def flush(self) -> int:
        """Write what waits; returns how many devices' reports were written.

        What could not be written waits again, before what came meanwhile.
        """
        with self._lock:
            devices, self._waiting, self._count = list(self._waiting.values()), {}, 0
        written = 0
        for start in range(0, len(devices), FLUSH_AT_ONCE):
            chunk = [beat for beats in devices[start : start + FLUSH_AT_ONCE] for beat in beats]
            try:
                written += keep_beats(self._engine, chunk)
            except OperationalError as error:
                log.warning("heartbeats wait: the database cannot take them: %s", error.orig)
                self._put_back(devices[start:])
                break
            except Exception:
                # A fault of ours in one report must not end the writing of all others.
                log.exception("%d heartbeats could not be written", len(chunk))
        return written

    def _put_back(self, devices: Iterable[list[Beat]]) -> None:
        with self._lock:
            newer = self._waiting
            self._waiting = {beats[0].device: beats for beats in devices}
            for device, beats in newer.items():
                self._waiting.setdefault(device, []).extend(beats)
            self._count = sum(len(beats) for beats in self._waiting.values())

    def _run(self) -> None:
        while not self._stopping.wait(self._period):
            self.flush()
        self.flush()


def _kept(session: Session, device_ids: Sequence[str]) -> dict[str, Kept]:
    query = select(
        Device.id,
        Device.last_seen_at,
        Device.history_at,
        Device.playing_since,
        Device.last_heartbeat,
    ).where(Device.id.in_(device_ids))
    return {row[0]: Kept(*row[1:]) for row in session.execute(query)}


def _write(
    session: Session, updates: Sequence[tuple[Beat, dict[str, Any]]], news: Sequence[Beat]
) -> None:
    session.connection().execute(
        _UPDATE,
        [
            {
                "device_id": beat.device,
                "seen_at": beat.at,
                **{f"new_{name}": value for name, value in values.items()},
            }
            for beat, values in updates
        ],
    )
    if not news:
        return
    session.execute(
        insert(Heartbeat),
        [{"device": beat.device, "received_at": beat.at, "body": dict(beat.body)} for beat in news],
    )
    _drop_surplus(session, sorted({beat.device for beat in news}))


def _drop_surplus(session: Session, device_ids: Sequence[str]) -> None:
    many = (
        select(Heartbeat.device)
        .where(Heartbeat.device.in_(device_ids))
        .group_by(Heartbeat.device)
        .having(func.count() > HEARTBEATS_KEPT)
    )
    for device_id in session.scalars(many).all():
        last_kept = (
            select(Heartbeat.id)
            .where(Heartbeat.device == device_id)
            .order_by(Heartbeat.id.desc())
            .offset(HEARTBEATS_KEPT - 1)
            .limit(1)
        )
        session.execute(
            delete(Heartbeat)
            .where(Heartbeat.device == device_id, Heartbeat.id < last_kept.scalar_subquery())
            .execution_options(synchronize_session=False)
        )


def _still(value: Mapping[str, Any], moving: frozenset[str]) -> dict[str, Any]:
    return {name: part for name, part in value.items() if name not in moving}
