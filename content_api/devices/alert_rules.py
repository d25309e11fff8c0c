"""When an alert begins and when it is over: pure decisions.

Each alert is raised once and resolved once, however often what it is about comes and goes
meanwhile: a fault must stay away for QUIET before its alert is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

QUIET: dict[str, timedelta] = {"fault": timedelta(minutes=30)}
"""How long something must be away before its alert is over; others end at once."""

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
TRIES = 12
"""A message is tried for a little over a day: after 1, 2, 4 … minutes, then every six hours."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that is so now and wants a person. `key` tells it from all others."""

    key: str
    condition: str
    code: str | None = None
    device: str | None = None
    venue: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Open:
    """An alert that is not over: what it is about, and since when that is gone, if it is."""

    key: str
    condition: str
    quiet_since: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with alerts: raise new ones; mark as quiet, as back again, or as over."""

    begin: tuple[Cause, ...] = ()
    quiet: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    over: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.begin or self.quiet or self.again or self.over)


def plan_alerts(found: Mapping[str, Open], causes: Mapping[str, Cause], now: datetime) -> Plan:
    """Choose what to do, from the open alerts and from what is so now, both by key."""
    quiet, again, over = [], [], []
    for key, alert in found.items():
        if key in causes:
            if alert.quiet_since is not None:
                again.append(key)
            continue
        wait = QUIET.get(alert.condition, timedelta())
        if alert.quiet_since is None and wait:
            quiet.append(key)
        elif alert.quiet_since is None or now - alert.quiet_since >= wait:
            over.append(key)
    begin = tuple(cause for key, cause in causes.items() if key not in found)
    return Plan(begin, tuple(quiet), tuple(again), tuple(over))


def wait_after(tries: int) -> timedelta | None:
    """How long to wait after a message failed for the `tries`th time; None to give up."""
    if tries >= TRIES:
        return None
    doubled: timedelta = FIRST_WAIT * 2 ** (tries - 1)
    return min(doubled, LONGEST_WAIT)


def is_told(conditions: list[str], venues: list[str], condition: str, venue: str | None) -> bool:
    """Whether a subscriber to these conditions and venues (empty: all) is told of an alert.

    What concerns no venue is told to those who asked for all venues.
    """
    return (not conditions or condition in conditions) and (not venues or venue in venues)
