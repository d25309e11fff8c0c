"""Forms of opening hours and of calendars, to the rows a schedule has and back. Pure.

What was typed is kept as it was typed, so that a mistake costs nobody their work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Protocol

from package_format.schedule import MAX_CLOSED, MAX_HOURS, MAX_PROGRAMME, WEEKDAYS

WINDOWS = 2
"""Pairs of hours that a form offers at least; one more than are there already."""

LONGEST_CLOSURE = 366
"""Days that can be added at once."""

Pair = tuple[str, str]
"""The hours of a window as typed: `("09:00", "18:00")`, either may be empty."""

_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-9]{2})?")


class Form(Protocol):
    """What a browser sent (werkzeug's MultiDict)."""

    def get(self, key: str, default: str) -> str:
        """The first value of `key`."""

    def getlist(self, key: str) -> list[str]:
        """All values of `key`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a row, as a word: `half`, `same`, `hour`, `date`, `order`, `package`."""

    row: int
    word: str


# -- Opening hours ---------------------------------------------------------------------------


def week_of(opening: Iterable[Mapping[str, Any]] | None) -> list[list[Pair]]:
    """The windows of each day, Monday first, by their start."""
    week: list[list[Pair]] = [[] for _ in WEEKDAYS]
    for row in opening or ():
        for day in row["days"]:
            week[WEEKDAYS.index(day)].append((row["from"], row["until"]))
    return [sorted(set(windows)) for windows in week]


def opening_of(week: Sequence[Sequence[Pair]]) -> list[dict[str, Any]]:
    """Rows of opening hours: days that share a window share a row."""
    days: dict[Pair, list[str]] = {}
    for name, windows in zip(WEEKDAYS, week, strict=True):
        for window in windows:
            days.setdefault(window, []).append(name)
    rows = sorted(days.items(), key=lambda item: (WEEKDAYS.index(item[1][0]), item[0]))
    return [{"days": names, "from": start, "until": until} for (start, until), names in rows]


def read_week(form: Form) -> tuple[list[list[Pair]], list[Fault]]:
    """The windows typed for each day, and what is wrong with them (`row` is the day, 0 to 6)."""
    week, faults = [], []
    for day in range(len(WEEKDAYS)):
        pairs, words = read_pairs(form, str(day))
        week.append(pairs)
        faults += [Fault(day, word) for word in words]
    return week, faults


def read_closed(form: Form, today: date) -> tuple[list[str], str]:
    """The days that stay closed and those added, past ones left out; a fault's word, or ''."""
    kept: set[str] = set()
    for stretch in form.getlist("closed"):
        begin, _, end = stretch.partition("/")
        if _is_date(begin) and _is_date(end):
            kept |= {day for day in _days(begin, end) if day >= today.isoformat()}
    first = form.get("closed-first", "").strip()
    last = form.get("closed-last", "").strip() or first
    if not first and not last:
        return sorted(kept), ""
    if not _is_date(first) or not _is_date(last):
        return sorted(kept), "date"
    if last < first:
        return sorted(kept), "order"
    added = set(_days(first, last))
    if len(added) > LONGEST_CLOSURE:
        return sorted(kept), "many"
    found = sorted(day for day in kept | added if day >= today.isoformat())
    return (found, "") if len(found) <= MAX_CLOSED else (sorted(kept), "many")


def runs_of(days: Iterable[str]) -> list[tuple[str, str]]:
    """Closed days as stretches: first and last of each."""
    found: list[tuple[str, str]] = []
    for day in sorted(days):
        if found and date.fromisoformat(found[-1][1]) + timedelta(days=1) == date.fromisoformat(
            day
        ):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


# -- Calendars -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a calendar as typed."""

    package: str = ""
    channel: str = "live"
    first: str = ""
    last: str = ""
    days: tuple[str, ...] = ()
    hours: tuple[Pair, ...] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """As a schedule has it, what is left open left out."""
        found: dict[str, Any] = {"package": self.package, "channel": self.channel}
        if self.first:
            found["from"] = self.first
        if self.last:
            found["until"] = self.last
        if self.days and len(self.days) < len(WEEKDAYS):
            found["days"] = list(self.days)
        if self.hours:
            found["hours"] = [list(pair) for pair in self.hours]
        return found


def row_of(row: Mapping[str, Any]) -> Row:
    """A row of a schedule's programme, to be edited."""
    return Row(
        package=row["package"],
        channel=row.get("channel", "live"),
        first=row.get("from", ""),
        last=row.get("until", ""),
        days=tuple(row.get("days", ())),
        hours=tuple((start, until) for start, until in row.get("hours", ())),
    )


def read_rows(form: Form) -> tuple[list[Row], list[Fault]]:
    """The rows typed, and what is wrong with them."""
    count = form.get("rows", "0")
    rows: list[Row] = []
    faults: list[Fault] = []
    for number in range(min(int(count[:3]) if _is_count(count) else 0, MAX_PROGRAMME)):
        pairs, words = read_pairs(form, str(number))
        row = Row(
            package=form.get(f"package-{number}", "").strip(),
            channel=form.get(f"channel-{number}", "live"),
            first=form.get(f"first-{number}", "").strip(),
            last=form.get(f"last-{number}", "").strip(),
            days=tuple(day for day in WEEKDAYS if day in form.getlist(f"days-{number}")),
            hours=tuple(pairs),
        )
        rows.append(row)
        if not row.package:
            words.append("package")
        if any(text and not _is_date(text) for text in (row.first, row.last)):
            words.append("date")
        elif row.first and row.last and row.last < row.first:
            words.append("order")
        faults += [Fault(number, word) for word in words]
    return rows, faults


def rearranged(rows: Sequence[Row], do: str) -> list[Row] | None:
    """The rows after a button: `add`, `up-2`, `down-0`, `remove-1`; None for any other."""
    found = list(rows)
    if do == "add":
        return [*found, Row()] if len(found) < MAX_PROGRAMME else found
    what, _, which = do.partition("-")
    if what not in ("up", "down", "remove") or not _is_count(which) or int(which) >= len(found):
        return None
    number = int(which)
    row = found.pop(number)
    if what != "remove":
        found.insert(max(0, number - 1) if what == "up" else number + 1, row)
    return found


def cleaned(row: Row) -> Row:
    """The row without hours that were left empty."""
    return replace(row, hours=tuple(pair for pair in row.hours if pair != ("", "")))


# -- Parts -----------------------------------------------------------------------------------


def read_pairs(form: Form, row: str) -> tuple[list[Pair], list[str]]:
    """Pairs of hours typed as `from-<row>-<n>` and `until-<row>-<n>`, and their faults' words."""
    pairs: list[Pair] = []
    words: list[str] = []
    for number in range(MAX_HOURS):
        start = form.get(f"from-{row}-{number}", "").strip()
        until = form.get(f"until-{row}-{number}", "").strip()
        if not start and not until:
            continue
        if not start or not until:
            words.append("half")
        elif not _HOUR.fullmatch(start) or not (until == "24:00" or _HOUR.fullmatch(until)):
            words.append("hour")
        else:
            start, until = start[:5], until[:5]
            # Midnight is the end of a day, when a day ends with it.
            until = "24:00" if until == "00:00" else until
            if start == until:
                words.append("same")
        pairs.append((start, until))
    return pairs, list(dict.fromkeys(words))


def offered(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs of hours that a form shows: those there are, and room for another."""
    shown = [(start, "00:00" if until == "24:00" else until) for start, until in pairs]
    room = max(WINDOWS, len(shown) + 1) if len(shown) < MAX_HOURS else len(shown)
    return [*shown, *[("", "")] * (room - len(shown))]


def _days(first: str, last: str) -> list[str]:
    """The days of a stretch, one more than can be added at once at the most."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    count = min((end - begin).days + 1, MAX_CLOSED)
    return [(begin + timedelta(days=n)).isoformat() for n in range(count)]


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text and text >= "2000"
    except ValueError:
        return False


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 3
