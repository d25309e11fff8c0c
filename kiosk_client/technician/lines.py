"""How the device is, as lines a person reads: a catalogue key, a state, and what to fill in.

Pure: from the facts the heartbeat carries. The words are in `page/i18n/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OLD_DAYS = 30
"""News older than this is worth a look at the network."""


def status_lines(
    facts: Mapping[str, Any], *, stale_days: int | None, shell: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """The lines of the status, worst things in words of what to do."""
    found = [_playing(facts), _news(stale_days), _last_sync(facts.get("last_sync"))]
    found += [_clock(facts.get("clock") or {}), _disk(facts.get("disk") or {})]
    if shell is not None:
        found.append(_line("status.screen", "ok", restarts=shell.get("restarts", 0)))
    told = {"store-damaged", "disk-full", "disk-failing"}
    for fault in facts.get("faults") or ():
        if fault["code"] not in told:
            found.append(_line(f"error.{fault['code']}", "bad", detail=fault["message"]))
    return found


def _line(key: str, state: str, **values: Any) -> dict[str, Any]:
    return {"key": key, "state": state, "values": values}


def _playing(facts: Mapping[str, Any]) -> dict[str, Any]:
    active = facts.get("active")
    if not active:
        return _line("status.nothing", "warn")
    named = {"package": active["package"], "release": active["release"]}
    if facts.get("complete"):
        return _line("status.playing", "ok", **named)
    return _line("status.missing", "bad", **named, bytes=facts.get("missing_bytes", 0))


def _news(days: int | None) -> dict[str, Any]:
    if days is None:
        return _line("status.newsUnknown", "none")
    if days == 0:
        return _line("status.newsToday", "ok")
    return _line("status.news", "warn" if days > OLD_DAYS else "ok", days=days)


def _last_sync(last: Mapping[str, Any] | None) -> dict[str, Any]:
    if not last:
        return _line("status.syncNever", "none")
    code = last.get("error_code")
    if not code:
        return _line("status.sync", "ok", at=last["at"])
    return _line("status.syncFailed", "warn", at=last["at"], reason=f"error.{code}")


def _clock(clock: Mapping[str, Any]) -> dict[str, Any]:
    if not clock.get("trusted", True):
        return _line("status.clockWrong", "bad", floor=clock.get("floor"))
    return _line("status.clock", "ok")


def _disk(disk: Mapping[str, Any]) -> dict[str, Any]:
    free = disk.get("free", 0)
    if disk.get("verdict") == "failing":
        return _line("status.diskFailing", "bad")
    if disk.get("verdict") == "full" or free < disk.get("reserve", 0):
        return _line("status.diskFull", "bad", free=free)
    return _line("status.disk", "ok", free=free)
