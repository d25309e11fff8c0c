"""When the browser gets its nightly fresh start. Pure; times are aware.

`nightly_restart` in the settings is `auto` (at closing time; at 04:00 where a
venue never closes), a time of day at the venue such as `03:30`, or `off`.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

QUIET_HOUR = time(4, 0)
"""Venue time at which a screen that never closes starts anew."""
JUMP = timedelta(minutes=15)
"""Looks are seconds apart: more than this between two of them is a clock being set."""

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def restart_due(
    before: datetime,
    now: datetime,
    setting: str,
    zone: ZoneInfo,
    *,
    was_open: bool,
    is_open: bool,
    closes: bool,
) -> bool:
    """Whether the moment of the nightly restart lies after `before`, up to and with `now`.

    `closes`: whether the venue has opening hours at all. A setting that is not
    understood counts as `auto`.
    """
    if setting == "off" or not timedelta(0) <= now - before <= JUMP:
        return False
    found = _TIME.fullmatch(setting)
    if found is None and closes:
        return was_open and not is_open
    wanted = time(int(found[1]), int(found[2])) if found else QUIET_HOUR
    there = now.astimezone(zone)
    # Yesterday's too: the two looks may stand on either side of midnight.
    for day in (there.date(), there.date() - timedelta(days=1)):
        moment = datetime.combine(day, wanted, tzinfo=zone)
        if before < moment.astimezone(now.tzinfo) <= now:
            return True
    return False
