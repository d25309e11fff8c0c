"""Proof of play: how often and how long each entry was on the screen, by day. Nobody's data.

Counts lie in memory and, once a minute, on the disk. A batch is set aside under a
name of its own before it is sent: sent again after a crash, it adds nothing. A
device that stays offline for a year sums its older days up by month.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from kiosk_client.config import DataDir, load_assignment
from kiosk_client.durable import read_json, write_json
from kiosk_client.errors import from_os_error
from kiosk_client.page import Report
from kiosk_client.showing import passed_time, venue_day
from package_format.languages import is_language_tag
from package_format.layout import is_slug

MOST_ROWS = 4000
"""Rows kept while nobody takes them: a year of a busy screen, its older days by month."""
BATCH_ROWS = 500
RECENT_DAYS = 31
MOST_SECONDS = 86_400
LONGEST_ENTRY = 64
SAVE_SECONDS = 60.0

log = logging.getLogger("kiosk_client.plays")

Send = Callable[[str, list[dict[str, Any]]], None]


@dataclass(frozen=True, slots=True)
class Count:
    """How often an entry was shown on a day in a language, and for how many seconds."""

    day: date
    package: str
    release: int
    entry: str
    title: str
    language: str
    views: int
    seconds: int

    @property
    def key(self) -> tuple[date, str, int, str, str]:
        """What it is a count of; the title is only its last wording."""
        return self.day, self.package, self.release, self.entry, self.language

    def to_json(self) -> dict[str, Any]:
        """As it is kept and sent."""
        return {
            "day": self.day.isoformat(),
            "package": self.package,
            "release": self.release,
            "entry": self.entry,
            "title": self.title,
            "language": self.language,
            "views": self.views,
            "seconds": self.seconds,
        }


def add_up(counts: Iterable[Count]) -> list[Count]:
    """One count for each key; the newest title wins."""
    found: dict[tuple[date, str, int, str, str], Count] = {}
    for count in counts:
        known = found.get(count.key)
        if known is None:
            found[count.key] = count
            continue
        found[count.key] = replace(
            count,
            views=known.views + count.views,
            seconds=min(known.seconds + count.seconds, MOST_SECONDS),
        )
    return list(found.values())


def thin_out(counts: list[Count], today: date, most: int = MOST_ROWS) -> list[Count]:
    """`counts` within `most`: older days become their month's first, then the least shown go."""
    if len(counts) <= most:
        return counts
    monthly = add_up(
        replace(count, day=count.day.replace(day=1))
        if abs((today - count.day).days) > RECENT_DAYS
        else count
        for count in counts
    )
    # What is kept keeps its order; a stable sort by what was seen longest.
    longest = sorted(monthly, key=lambda count: count.seconds, reverse=True)[:most]
    kept = {count.key for count in longest}
    return [count for count in monthly if count.key in kept]


class Plays:
    """The counts of one device. Safe for several threads."""

    def __init__(
        self,
        data: DataDir,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._data = data
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        kept = _read(data.root / "plays.json")
        self._counts = kept.counts
        self._batch = kept.batch
        self._saved_at = clock()
        self._changed = False

    def note(self, report: Report) -> None:
        """Count what a page has shown; kept on the disk within a minute or so."""
        if not report.plays or not is_slug(report.package) or report.release < 1:
            return
        day = self._day()
        new = [
            Count(
                day=day,
                package=report.package,
                release=report.release,
                entry=play.entry,
                title=play.title.strip() or play.entry,
                language=play.language if is_language_tag(play.language) else "und",
                views=1,
                seconds=round(play.seconds),
            )
            for play in report.plays
            # One row that the server refuses would cost its whole batch.
            if play.entry.strip() and len(play.entry) <= LONGEST_ENTRY
        ]
        with self._lock:
            self._counts = thin_out(add_up([*self._counts, *new]), day)
            self._changed = True
            if self._clock() - self._saved_at >= SAVE_SECONDS:
                self._save()

    def save(self) -> None:
        """Put what is only in memory on the disk."""
        with self._lock:
            if self._changed:
                self._save()

    def send(self, send: Send) -> int:
        """Hand all counts to `send`, a batch at a time; rows sent.

        `send` is given a batch's name and rows, and raises when they were not
        taken; they are then handed to it again next time, under the same name.

        Raises: what `send` raises.
            OSError: the disk does not take a batch's name: it is not sent then.
        """
        sent = 0
        while True:
            with self._lock:
                if self._batch is None:
                    if not self._counts:
                        return sent
                    rows = [count.to_json() for count in self._counts[:BATCH_ROWS]]
                    self._batch = {"id": uuid.uuid4().hex, "rows": rows}
                    self._counts = self._counts[BATCH_ROWS:]
                    self._write()
                batch = self._batch
            send(batch["id"], batch["rows"])
            sent += len(batch["rows"])
            with self._lock:
                self._batch = None
                self._write()

    def _day(self) -> date:
        now = passed_time(self._data, self._now())
        try:
            assignment = load_assignment(self._data)
        except OSError:
            assignment = None
        return venue_day(now, assignment.timezone if assignment else "UTC")

    def _save(self) -> None:
        try:
            self._write()
        except OSError as error:
            log.warning("counts stay in memory: %s", from_os_error(error))
            self._saved_at = self._clock()

    def _write(self) -> None:
        write_json(
            self._data.root / "plays.json",
            {"rows": [count.to_json() for count in self._counts], "batch": self._batch},
        )
        self._saved_at, self._changed = self._clock(), False


@dataclass(frozen=True, slots=True)
class _Kept:
    counts: list[Count]
    batch: dict[str, Any] | None


def _read(path: Path) -> _Kept:
    """What was kept; nothing where it does not read."""
    try:
        found = read_json(path)
        batch = found["batch"]
        if batch is not None:
            batch = {"id": str(batch["id"]), "rows": [dict(row) for row in batch["rows"]]}
        return _Kept([_parse(row) for row in found["rows"]], batch)
    except (OSError, TypeError, KeyError, ValueError, AttributeError):
        return _Kept([], None)


def _parse(row: Mapping[str, Any]) -> Count:
    return Count(
        day=date.fromisoformat(row["day"]),
        package=str(row["package"]),
        release=int(row["release"]),
        entry=str(row["entry"]),
        title=str(row["title"]),
        language=str(row["language"]),
        views=int(row["views"]),
        seconds=int(row["seconds"]),
    )
