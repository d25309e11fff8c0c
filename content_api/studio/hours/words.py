"""Opening hours and calendars in the reader's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from typing import Any, Literal

from babel import dates as babel_dates

from content_api.messages import gettext as _
from content_api.messages import pgettext
from content_api.studio.formats import format_date, reader_locale
from content_api.studio.hours.forms import Pair, Row, runs_of, week_of
from package_format.schedule import WEEKDAYS


def day_names(width: Literal["wide", "abbreviated"] = "wide") -> list[str]:
    """The days of the week, Monday first."""
    names = babel_dates.get_day_names(width, locale=reader_locale())
    return [names[day] for day in range(len(WEEKDAYS))]


def hour_words(text: str) -> str:
    """An hour of the wall clock (`HH:MM`) as the reader writes it."""
    hours, minutes = int(text[:2]) % 24, int(text[3:5])
    return babel_dates.format_time(time(hours, minutes), "short", locale=reader_locale())


def pair_words(pair: Pair) -> str:
    """A window in words; one over midnight says so."""
    start, until = pair
    if until <= start:
        return _(
            "%(from)s – %(until)s the next day",
            **{"from": hour_words(start)},
            until=hour_words(until),
        )
    return _("%(from)s – %(until)s", **{"from": hour_words(start)}, until=hour_words(until))


def pairs_words(pairs: Iterable[Pair]) -> str:
    """Windows in words."""
    return ", ".join(pair_words(pair) for pair in pairs)


def days_words(days: Sequence[int]) -> str:
    """Days of the week in words: a stretch as one."""
    names = day_names()
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return _("%(first)s to %(last)s", first=names[days[0]], last=names[days[-1]])
    return ", ".join(names[day] for day in days)


def week_words(opening: Iterable[Mapping[str, Any]] | None) -> list[tuple[str, str]]:
    """Opening hours, days that are alike together: `("Tuesday to Friday", "09:00 – 18:00")`."""
    week = week_of(opening)
    alike: dict[tuple[Pair, ...], list[int]] = {}
    for day, windows in enumerate(week):
        alike.setdefault(tuple(windows), []).append(day)
    return [
        (days_words(days), pairs_words(windows) if windows else pgettext("venue", "closed"))
        for windows, days in alike.items()
    ]


def closed_words(closed: Iterable[str] | None, today: date) -> list[str]:
    """The closed days to come, stretches as one."""
    coming = [day for day in closed or () if day >= today.isoformat()]
    return [stretch_words(first, last) for first, last in runs_of(coming)]


def stretch_words(first: str, last: str) -> str:
    """A day, or the first and the last of several; either may be empty."""
    begin, end = (format_date(date.fromisoformat(text)) if text else "" for text in (first, last))
    if begin == end:
        return begin
    if not end:
        return _("from %(day)s", day=begin)
    if not begin:
        return _("to the end of %(day)s", day=end)
    return _("%(from)s – %(until)s", **{"from": begin}, until=end)


def row_words(row: Row) -> str:
    """When a row of a calendar holds, in words."""
    parts = []
    if row.first or row.last:
        parts.append(stretch_words(row.first, row.last))
    if row.days and len(row.days) < len(WEEKDAYS):
        parts.append(days_words([WEEKDAYS.index(day) for day in row.days]))
    if row.hours:
        parts.append(pairs_words(row.hours))
    return " · ".join(parts) or _("always")


def fault_words(word: str) -> str:
    """What is wrong with a row, and what to do."""
    return {
        "half": _("Give both hours, or neither."),
        "same": _("Both hours are the same. For the whole day, leave them empty."),
        "hour": _("Give hours such as 09:00."),
        "date": _("Give dates such as 2026-12-25."),
        "order": _("The last day is before the first."),
        "many": _("That is more than a year of closed days at once."),
        "package": _("Choose a package."),
        "none": _("Give at least one day its hours, or choose “Always open”."),
    }[word]
