"""Heartbeats that wait for better days: a bound, and what is worth keeping within it.

A device may be silent for a year. Then nobody needs every fifth minute of it, but
the first day, how it went on, and all of the last hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

RECENT = 24
"""Newest heartbeats, all kept."""
HOURS = 48
"""Before them one for each hour, of so many hours."""
DAYS = 370
"""Before them one for each day, of so many days."""
QUEUE = RECENT + HOURS + DAYS
"""Most heartbeats that wait."""

Facts = Mapping[str, Any]


def queue_heartbeat(waiting: Sequence[Facts], facts: Facts) -> list[Facts]:
    """`waiting` with `facts` at its end, thinned out where it has grown old.

    Old is what lies far from the end, whatever its time says: clocks here jump.
    """
    queued = [*waiting, facts]
    recent, older = queued[-RECENT:], queued[:-RECENT]
    hours = _last_of_each(older, _hour)[-HOURS:]
    # What is older than the oldest hour that is kept.
    first = _place(older, hours[0]) if hours else 0
    days = _last_of_each(older[:first], _day)[-DAYS:]
    return [*days, *hours, *recent]


def _hour(facts: Facts) -> str:
    return str(facts.get("at"))[:13]


def _day(facts: Facts) -> str:
    return str(facts.get("at"))[:10]


def _last_of_each(listed: Sequence[Facts], part: Callable[[Facts], str]) -> list[Facts]:
    """Of neighbours with the same part the last."""
    return [
        one
        for number, one in enumerate(listed)
        if number + 1 == len(listed) or part(listed[number + 1]) != part(one)
    ]


def _place(listed: Sequence[Facts], wanted: Facts) -> int:
    return next(number for number, one in enumerate(listed) if one is wanted)
