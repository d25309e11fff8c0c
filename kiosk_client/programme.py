"""Which of the packages a device holds is on the screen, and whether the venue is open.

Decided here, on the device, by the venue's clock and without asking anybody. A clock that
cannot be believed decides nothing: the assigned package plays, and the venue counts as open.
A package whose release is not complete is not shown; the next best is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from kiosk_client.config import Assignment, DataDir, load_assignment, zone
from kiosk_client.facts import clock
from package_format.schedule import (
    Opening,
    Schedule,
    ScheduleError,
    parse_schedule,
)

REVIEW = timedelta(minutes=1)
"""The longest a decision stands: a clock may be set at any time."""

log = logging.getLogger("kiosk_client.programme")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package and channel that a device is to hold, for one profile and some languages."""

    package: str
    channel: str
    profile: str
    languages: tuple[str, ...]

    @property
    def slot(self) -> str:
        """Its key among the slots."""
        return f"{self.package}/{self.channel}"


def schedule_of(assignment: Assignment) -> Schedule:
    """The schedule that was assigned; one that does not read says nothing."""
    try:
        return parse_schedule(dict(assignment.schedule), known_only=False)
    except ScheduleError as error:
        # Content without a schedule must not die of the schedule.
        log.error("the schedule is left aside: %s", error)
        return Schedule()


def main_slot(assignment: Assignment) -> str:
    """The slot of the assigned package."""
    return f"{assignment.package}/{assignment.channel}"


def wanted_slots(assignment: Assignment, passed: datetime | None = None) -> list[Wanted]:
    """What the device is to hold, the assigned package first, each once.

    Seasons that ended before the day of `passed` are left out: a time that has passed for
    certain (the floor), not a clock, for what is dropped must be fetched again.
    """
    over = passed.astimezone(zone(assignment.timezone)).date() if passed else None
    found = {main_slot(assignment): (assignment.package, assignment.channel)}
    for row in schedule_of(assignment).programme:
        # A night of the last day ends on the day after.
        if over and row.last and row.last + timedelta(days=1) < over:
            continue
        found.setdefault(row.slot, (row.package, row.channel))
    return [
        Wanted(package, channel, assignment.profile, assignment.languages)
        for package, channel in found.values()
    ]


def showing(
    assignment: Assignment, now: datetime, clock_trusted: bool, ready: Collection[str]
) -> str:
    """The slot to show at `now`; `ready` are those with a complete release."""
    return _decide(assignment, schedule_of(assignment), now, clock_trusted, ready)[0]


def opening(assignment: Assignment, now: datetime, clock_trusted: bool) -> Opening:
    """Whether the venue is open at `now`, and when that changes."""
    if not clock_trusted:
        return Opening(True, None)
    return schedule_of(assignment).opening(now, zone(assignment.timezone))


def _decide(
    assignment: Assignment,
    schedule: Schedule,
    now: datetime,
    clock_trusted: bool,
    ready: Collection[str],
) -> tuple[str, datetime | None]:
    """The slot to show, and the instant at which another will be."""
    if not clock_trusted:
        return main_slot(assignment), None
    rows = tuple(row for row in schedule.programme if row.slot in ready)
    found = replace(schedule, programme=rows).showing(now, zone(assignment.timezone))
    slot = found.programme.slot if found.programme else main_slot(assignment)
    return slot, found.next_change


class Stage:
    """What is on the screen now. It changes only while nobody uses it; safe for threads."""

    def __init__(
        self, data: DataDir, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._data = data
        self._now = now
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._assignment: Assignment | None = None
        self._schedule = Schedule()
        self._shown: str | None = None
        self._wanted: str | None = None
        self._from: datetime | None = None
        self._until: datetime | None = None
        self._ready: tuple[str, ...] = ()

    def slot(self, ready: Sequence[str], *, idle: bool) -> str | None:
        """The slot to show; None when nothing is assigned, or nothing assigned is ready.

        `ready` are the slots with a complete release. While the screen is in use (not `idle`)
        what it shows stays, unless that is no longer there.
        """
        with self._lock:
            wanted = self._choose(tuple(sorted(ready)))
            if idle or self._shown not in ready:
                self._shown = wanted
            return self._shown if self._shown in ready else None

    def opening(self) -> Opening:
        """Whether the venue is open now."""
        with self._lock:
            now = self._now()
            assignment = self._read()
            if assignment is None or not clock(self._data, now)[0]:
                return Opening(True, None)
            return self._schedule.opening(now, zone(assignment.timezone))

    def _choose(self, ready: tuple[str, ...]) -> str | None:
        now = self._now()
        before = self._stamp
        assignment = self._read()
        if assignment is None:
            return None
        stands = (
            self._from is not None
            and self._until is not None
            # A clock that was put back is a new question.
            and self._from <= now < self._until
            and before == self._stamp
            and ready == self._ready
        )
        if stands:
            return self._wanted
        trusted = clock(self._data, now)[0]
        self._wanted, change = _decide(assignment, self._schedule, now, trusted, ready)
        self._from, self._ready = now, ready
        self._until = min(change or now + REVIEW, now + REVIEW)
        return self._wanted

    def _read(self) -> Assignment | None:
        """The assignment, read again when its file was replaced."""
        try:
            found = self._data.assignment.stat()
        except OSError:
            return self._assignment
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        if stamp != self._stamp:
            try:
                self._assignment = load_assignment(self._data)
            except OSError:
                return self._assignment
            self._stamp = stamp
            self._schedule = schedule_of(self._assignment) if self._assignment else Schedule()
        return self._assignment
