"""When a venue is open, and which package shows when: docs/package-format.md section 5. Pure.

All hours are those of the venue's wall clock. Where that clock jumps, one rule holds: a time
stands for the first instant at which the clock reads it or later. So a time in the hour
that is skipped in spring is the moment of the jump, a time in the hour that comes twice in
autumn is its first coming, and nothing opens, closes or changes twice.

Inside, a moment is what a clock would read that is never put back (`_reading`): rules are then
plain comparisons of local times, and only the answer is turned into an instant again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from package_format.layout import CHANNELS, is_slug

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As `date.weekday()` counts them, 0 to 6."""

MAX_OPENING = 100
MAX_CLOSED = 1_000
MAX_PROGRAMME = 50
MAX_HOURS = 12
"""The most rows of `opening`, dates in `closed`, rows of `programme`, `hours` in one of those."""

DAY = 24 * 60
"""Minutes of a day on the wall."""

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DATE = re.compile(r"2[01][0-9]{2}-[0-9]{2}-[0-9]{2}")
# Weekly rules come back every seven days; twice that sees over a window a clock change swallowed.
_REACH = 16
_INSTANT = timedelta(microseconds=1)

State = Callable[[datetime], Any]
"""What holds at a local time (naive)."""


class ScheduleError(ValueError):
    """A schedule breaks the format. `path` says where, as in `programme[0].from`."""

    def __init__(self, path: str, expected: str, got: Any) -> None:
        """The message names the place, what was expected and what was there."""
        shown = repr(got)
        super().__init__(f"{path}: expected {expected}, got {shown[:80]}")
        self.path = path


@dataclass(frozen=True, slots=True)
class Window:
    """A time of day: minutes of the wall clock, `start` 0 to 1439, `until` 1 to 1440.

    With `until` below `start` it runs over midnight, and belongs to the day it starts on.
    """

    start: int
    until: int

    def ends(self) -> int:
        """Minutes from the midnight its day began with to its end; over 1440 when overnight."""
        return self.until if self.until > self.start else self.until + DAY

    def to_json(self) -> list[str]:
        """As the format writes it."""
        return [_clock(self.start), _clock(self.until)]


WHOLE_DAY = Window(0, DAY)


@dataclass(frozen=True, slots=True)
class Hours:
    """One row of opening hours: a window on some days of the week (0 is Monday)."""

    days: tuple[int, ...]
    window: Window

    def to_json(self) -> dict[str, Any]:
        """As the format writes it."""
        start, until = self.window.to_json()
        return {"days": [WEEKDAYS[day] for day in self.days], "from": start, "until": until}


@dataclass(frozen=True, slots=True)
class Programme:
    """A package that shows at some times. `first` and `last` are dates, both included.

    Empty `days` means every day, empty `hours` the whole day.
    """

    package: str
    channel: str = "live"
    first: date | None = None
    last: date | None = None
    days: tuple[int, ...] = ()
    hours: tuple[Window, ...] = ()

    @property
    def slot(self) -> str:
        """The package and channel as one word."""
        return f"{self.package}/{self.channel}"

    def holds_on(self, day: date) -> bool:
        """Whether its windows start on `day`."""
        return (
            (self.first is None or self.first <= day)
            and (self.last is None or day <= self.last)
            and (not self.days or day.weekday() in self.days)
        )

    def to_json(self) -> dict[str, Any]:
        """As the format writes it, what is left open left out."""
        found: dict[str, Any] = {"package": self.package, "channel": self.channel}
        if self.first:
            found["from"] = self.first.isoformat()
        if self.last:
            found["until"] = self.last.isoformat()
        if self.days:
            found["days"] = [WEEKDAYS[day] for day in self.days]
        if self.hours:
            found["hours"] = [window.to_json() for window in self.hours]
        return found


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether the venue is open, and the instant (UTC) that changes; None when none will."""

    open: bool
    next_change: datetime | None


@dataclass(frozen=True, slots=True)
class Showing:
    """The row of the programme that holds, None for the main package; and until when (UTC)."""

    programme: Programme | None
    next_change: datetime | None


@dataclass(frozen=True, slots=True)
class Span:
    """From one instant (UTC) to another nothing changes. `programme` None is the main package."""

    start: datetime
    until: datetime
    open: bool
    programme: Programme | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Opening hours, closed days and a programme. Without hours a venue is open all day."""

    hours: tuple[Hours, ...] = ()
    closed: frozenset[date] = frozenset()
    programme: tuple[Programme, ...] = ()

    def opening(self, now: datetime, zone: ZoneInfo) -> Opening:
        """Whether the venue is open at `now`, and when that changes."""
        if not self.hours and not self.closed:
            return Opening(True, None)
        state, change = _evaluate(self._is_open, now, zone, self._opening_marks)
        return Opening(bool(state), change)

    def showing(self, now: datetime, zone: ZoneInfo) -> Showing:
        """Which row of the programme holds at `now` (the first that does), and until when."""
        if not self.programme:
            return Showing(None, None)
        found, change = _evaluate(self._row, now, zone, self._programme_marks)
        return Showing(found, change)

    def next_change(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """The next instant (UTC) at which either answer differs, or None."""
        changes = (self.opening(now, zone).next_change, self.showing(now, zone).next_change)
        return min((change for change in changes if change is not None), default=None)

    def plan(self, day: date, zone: ZoneInfo) -> list[Span]:
        """A day at the venue, from its first instant to the next day's."""
        at = instant(datetime.combine(day, time()), zone)
        end = instant(datetime.combine(day + timedelta(days=1), time()), zone)
        found = []
        while at < end:
            opening, showing = self.opening(at, zone), self.showing(at, zone)
            changes = (opening.next_change, showing.next_change, end)
            until = min(change for change in changes if change is not None)
            found.append(Span(at, until, opening.open, showing.programme))
            at = until
        return found

    def to_json(self) -> dict[str, Any]:
        """As the format writes it; `parse_schedule` of it gives an equal schedule."""
        return {
            "opening": [row.to_json() for row in self.hours],
            "closed": [day.isoformat() for day in sorted(self.closed)],
            "programme": [row.to_json() for row in self.programme],
        }

    def _windows(self, day: date) -> Iterator[Window]:
        """The opening windows that belong to `day`."""
        if day in self.closed:
            return
        if not self.hours:
            yield WHOLE_DAY
        for row in self.hours:
            if day.weekday() in row.days:
                yield row.window

    def _is_open(self, at: datetime) -> bool:
        return _within(at, self._windows)

    def _row(self, at: datetime) -> Programme | None:
        for row in self.programme:
            if _within(at, _hours_of(row)):
                return row
        return None

    def _opening_marks(self, at: datetime) -> Iterator[datetime]:
        return _marks(at, self.closed, self._windows)

    def _programme_marks(self, at: datetime) -> Iterator[datetime]:
        dates = [day for row in self.programme for day in (row.first, row.last) if day is not None]
        rows = [_hours_of(row) for row in self.programme]
        return _marks(at, dates, lambda day: (window for row in rows for window in row(day)))


def _hours_of(row: Programme) -> Callable[[date], Iterable[Window]]:
    return lambda day: (row.hours or (WHOLE_DAY,)) if row.holds_on(day) else ()


def is_shown(span: Mapping[str, Any] | None, day: date) -> bool:
    """Whether what has the days `span` is shown on `day`, a day at the venue.

    `from` and `until` are dates, both included; either may be missing, as may `span`.
    """
    named = day.isoformat()
    return not span or (
        str(span.get("from", "")) <= named and named <= str(span.get("until", named))
    )


# -- Evaluation ------------------------------------------------------------------------------


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) at which the clock in `zone` reads `local` (naive) or later."""
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == local:
        return early
    # The clock skips it: the offset from after the jump gives an instant before it.
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _first(before, early, lambda at: at.astimezone(zone).replace(tzinfo=None) >= local)


def _reading(now: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in `zone` that is never put back reads at `now` (naive)."""
    local = now.astimezone(zone)
    wall = local.replace(tzinfo=None, fold=0)
    if not local.fold:
        return wall
    first = local.replace(fold=0).astimezone(UTC)
    offset = first.astimezone(zone).utcoffset()
    back = _first(first, now.astimezone(UTC), lambda at: at.astimezone(zone).utcoffset() != offset)
    # It has come as far as the moment of the jump back, and waits there.
    return (back - _INSTANT).astimezone(zone).replace(tzinfo=None)


def _first(low: datetime, high: datetime, holds: Callable[[datetime], bool]) -> datetime:
    """The first whole second after `low` from which `holds`; it does at `high`."""
    low = low.replace(microsecond=0)
    no, yes = 0, -((low - high) // timedelta(seconds=1))
    while yes - no > 1:
        middle = (no + yes) // 2
        no, yes = (no, middle) if holds(low + timedelta(seconds=middle)) else (middle, yes)
    return low + timedelta(seconds=yes)


def _evaluate(
    state: State,
    now: datetime,
    zone: ZoneInfo,
    marks: Callable[[datetime], Iterator[datetime]],
) -> tuple[Any, datetime | None]:
    """What holds at `now`, and the instant after it from which something else does."""
    at = _reading(now, zone)
    held = state(at)
    for mark in marks(at):
        if state(mark) == held:
            continue
        change = instant(mark, zone)
        # A window that the clock jumps over changes nothing: ask what holds after the jump.
        if state(_reading(change, zone)) != held:
            return held, change
    return held, None


def _within(at: datetime, windows: Callable[[date], Iterable[Window]]) -> bool:
    day = at.date()
    minute = at.hour * 60 + at.minute
    if any(window.start <= minute < window.ends() for window in windows(day)):
        return True
    yesterday = day - timedelta(days=1)
    return any(minute + DAY < window.ends() for window in windows(yesterday))


def _marks(
    at: datetime, dates: Iterable[date], windows: Callable[[date], Iterable[Window]]
) -> Iterator[datetime]:
    """Local times after `at`, in order, at which a window starts or ends.

    Between the dates that a schedule names every week is like the one before: days further
    than `_REACH` from the present and from each of them have nothing new to tell.
    """
    ahead = sorted({at.date(), *(day for day in dates if day >= at.date())})
    done = at.date() - timedelta(days=2)
    last = at
    # A window of the day before may end after one of this day starts: one day is held back.
    held: set[datetime] = set()
    for start in ahead:
        for shift in range(-1, _REACH):
            day = start + timedelta(days=shift)
            if day <= done:
                continue
            done = day
            midnight = datetime.combine(day, time())
            for window in windows(day):
                held.add(midnight + timedelta(minutes=window.start))
                held.add(midnight + timedelta(minutes=window.ends()))
            for mark in sorted(mark for mark in held if mark < midnight + timedelta(days=1)):
                held.discard(mark)
                if mark > last:
                    last = mark
                    yield mark
    for mark in sorted(held):
        if mark > last:
            yield mark


# -- Reading ---------------------------------------------------------------------------------


def parse_schedule(value: Any, *, known_only: bool = True) -> Schedule:
    """The schedule in a JSON value.

    With `known_only`, fields that the format does not name are refused: an editor's slip must
    not pass as no rule at all. A device ignores them, for a newer server may add some.

    Raises:
        ScheduleError: it breaks the format; the message names the place.
    """
    fields = _object(value, "schedule", ("opening", "closed", "programme"), (), known_only)
    return Schedule(
        hours=tuple(
            _hours(row, path, known_only)
            for row, path in _rows(fields.get("opening", []), "opening", MAX_OPENING)
        ),
        closed=frozenset(
            _date(day, path) for day, path in _rows(fields.get("closed", []), "closed", MAX_CLOSED)
        ),
        programme=tuple(
            _programme(row, path, known_only)
            for row, path in _rows(fields.get("programme", []), "programme", MAX_PROGRAMME)
        ),
    )


def _hours(value: Any, path: str, known_only: bool) -> Hours:
    names = ("days", "from", "until")
    fields = _object(value, path, names, names, known_only)
    window = _window(fields["from"], fields["until"], f"{path}.from", f"{path}.until")
    return Hours(_days(fields["days"], f"{path}.days"), window)


def _programme(value: Any, path: str, known_only: bool) -> Programme:
    names = ("package", "channel", "from", "until", "days", "hours")
    fields = _object(value, path, names, ("package",), known_only)
    package, channel = fields["package"], fields.get("channel", "live")
    if not isinstance(package, str) or not is_slug(package):
        raise ScheduleError(f"{path}.package", "a package's id", package)
    if channel not in CHANNELS:
        raise ScheduleError(f"{path}.channel", f"one of {', '.join(CHANNELS)}", channel)
    first, last = (
        _date(fields[name], f"{path}.{name}") if name in fields else None
        for name in ("from", "until")
    )
    if first and last and last < first:
        raise ScheduleError(
            f"{path}.until", f"{first.isoformat()} or a later date", fields["until"]
        )
    hours = []
    for pair, place in _rows(fields.get("hours", []), f"{path}.hours", MAX_HOURS):
        if not isinstance(pair, list) or len(pair) != 2:
            raise ScheduleError(place, "two times such as ['17:00', '21:00']", pair)
        hours.append(_window(pair[0], pair[1], f"{place}[0]", f"{place}[1]"))
    days = _days(fields["days"], f"{path}.days") if fields.get("days", []) != [] else ()
    return Programme(package, channel, first, last, days, tuple(hours))


def _object(
    value: Any, path: str, names: Sequence[str], required: Sequence[str], known_only: bool
) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ScheduleError(path, f"an object with {', '.join(names)}", value)
    for name in required:
        if name not in value:
            raise ScheduleError(f"{path}.{name}", "a value", None)
    unknown = [name for name in value if name not in names]
    if known_only and unknown:
        raise ScheduleError(path, f"only {', '.join(names)}", unknown[0])
    return value


def _rows(value: Any, path: str, most: int) -> list[tuple[Any, str]]:
    if not isinstance(value, list):
        raise ScheduleError(path, "a list", value)
    if len(value) > most:
        raise ScheduleError(path, f"at most {most} rows", len(value))
    return [(row, f"{path}[{number}]") for number, row in enumerate(value)]


def _days(value: Any, path: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or len(value) > len(WEEKDAYS):
        raise ScheduleError(path, f"days out of {', '.join(WEEKDAYS)}", value)
    for number, day in enumerate(value):
        if day not in WEEKDAYS:
            raise ScheduleError(f"{path}[{number}]", f"one of {', '.join(WEEKDAYS)}", day)
    return tuple(sorted({WEEKDAYS.index(day) for day in value}))


def _date(value: Any, path: str) -> date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ScheduleError(path, "a date such as 2026-12-25", value)


def _window(start: Any, until: Any, start_path: str, until_path: str) -> Window:
    if not isinstance(start, str) or not _TIME.fullmatch(start):
        raise ScheduleError(start_path, "a time such as 09:00", start)
    if not isinstance(until, str) or not (_TIME.fullmatch(until) or until == "24:00"):
        raise ScheduleError(until_path, "a time such as 18:00, 24:00 at most", until)
    if start == until:
        raise ScheduleError(
            until_path, "another time than the start (a whole day is 00:00 to 24:00)", until
        )
    return Window(_minutes(start), _minutes(until) or DAY)


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
