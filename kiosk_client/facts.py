"""Plain facts about this device, for `status`, the heartbeat and the health page.

What is complete is read from the disk each time, never from a record that
something was once written. Imports neither python-tuf nor an HTTP library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kiosk_client import __version__
from kiosk_client.activation import (
    ActiveSet,
    LoadedSet,
    Slot,
    load_set,
    main_slot,
    read_slots,
)
from kiosk_client.clock import last_ntp
from kiosk_client.config import DataDir
from kiosk_client.durable import read_json, write_json
from kiosk_client.errors import KioskError, from_os_error
from kiosk_client.health import Disk, DiskWatch
from kiosk_client.store import Store, is_proven

NTP_FRESH = timedelta(days=1)
"""A clock that a time server confirmed no longer ago runs by it."""

_CLASSES = {
    "no-network": "network",
    "foreign-answer": "network",
    "damaged-transfer": "network",
    "not-trusted": "trust",
    "rollback-refused": "trust",
    "metadata-expired": "trust",
    "disk-full": "disk",
    "disk-failing": "disk",
    "store-damaged": "disk",
    "origin-trouble": "origin",
    "newer-format": "origin",
}
"""Where to look for the cause of an error code; all others are the device's own."""

_SYNC_FIELDS = ("at", "outcome", "error_code", "trigger", "sources")


@dataclass(frozen=True, slots=True)
class Completeness:
    """Files a set needs, those missing or touched since they were hashed, and their bytes."""

    files: int
    missing: int
    missing_bytes: int


def completeness(store: Store, loaded: LoadedSet) -> Completeness:
    """What of a set is stored and proven, by looking at each file."""
    sizes = {entry.sha256: entry.size for entry in loaded.files}
    missing = {sha: size for sha, size in sizes.items() if not is_proven(store, sha, size)}
    return Completeness(len(sizes), len(missing), sum(missing.values()))


def device_facts(data: DataDir, now: datetime, *, disk: Disk | None = None) -> dict[str, Any]:
    """The facts as `status` shows them (JSON values; sizes in bytes, times UTC).

    `disk` is the disk as judged; without it, it is looked at here. A disk that
    cannot be read is one of the facts and no error.
    """
    told: list[KioskError] = []

    def read(what: Callable[[], Any], otherwise: Any = None) -> Any:
        try:
            return what()
        except OSError as error:
            told.append(from_os_error(error))
        except KioskError as error:
            told.append(error)
        return otherwise

    faults: list[dict[str, str]] = []
    state = read(lambda: load_state(data), {})
    slots: Mapping[str, Slot] = read(lambda: read_slots(data), {})
    main = main_slot(slots)
    active = main.current if main else None
    loaded = read(lambda: load_set(data, active)) if active else None
    if active is not None and loaded is None:
        faults.append(_fault("manifest-lost", "expected the playing set's manifest, got none"))
    store = Store(data.root)
    found = completeness(store, loaded) if loaded else None
    if found and found.missing:
        faults.append(
            _fault(
                "store-damaged",
                f"{found.missing} of {found.files} files are missing or were changed",
            )
        )
    if disk is None:
        disk = read(lambda: DiskWatch(data.root).look(now))
    if disk is not None and disk.verdict != "ok":
        faults.append(_fault(f"disk-{disk.verdict}", disk.reason))
    faults.extend(read(lambda: _scrub_faults(data), ()))
    trusted, floor = read(lambda: clock(data, now), (True, None))
    confirmed = read(lambda: last_ntp(data))
    facts = {
        "at": stamp(now),
        "client": __version__,
        "active": _named(active),
        "complete": found is not None and not found.missing,
        "missing_bytes": found.missing_bytes if found else 0,
        "known": state.get("known"),
        "next": _named(main.next) if main else None,
        "slots": [_slot(data, store, slot, read) for slot in slots.values()],
        "probation": main is not None and main.probation is not None,
        "returned": _returned(main),
        "last_sync": _last_sync(state.get("last_sync")),
        "last_full_verify_at": state.get("last_full_verify_at"),
        "last_ntp_at": stamp(confirmed) if confirmed else None,
        "timestamp_expires_at": read(lambda: timestamp_expiry(data)),
        "clock": {
            "trusted": trusted,
            "offset_seconds": state.get("clock_offset_seconds"),
            "floor": stamp(floor) if floor else None,
            "source": clock_source(now, trusted=trusted, confirmed=confirmed),
        },
        "disk": disk.to_json() if disk else None,
        "queued": read(lambda: _count(read_json(data.queue)), 0),
    }
    # One refusal of the disk is met many times over: each code is said once.
    known = {fault["code"] for fault in faults}
    for error in told:
        if error.code not in known:
            known.add(error.code)
            faults.append(_fault(error.code, str(error)))
    facts["faults"] = faults
    return facts


def heartbeat_facts(
    data: DataDir,
    now: datetime,
    coming: Mapping[str, Any] | None = None,
    *,
    disk: Disk | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The facts the device API takes: `device_facts` without what only a person here needs.

    `coming` is the release being fetched, if one is; `more` what only a running
    agent knows (`shell`, `open`).
    """
    found = device_facts(data, now, disk=disk)
    if coming is not None:
        found["coming"] = dict(coming)
    found["complete"] = found["active"] if found["complete"] else None
    del found["clock"]["floor"]
    if found["last_sync"]:
        found["last_sync"].pop("message", None)
    found["faults"] = [
        {"code": fault["code"], "message": fault["message"][:500]} for fault in found["faults"]
    ]
    return {**found, **(more or {})}


def error_class(code: str | None) -> str | None:
    """Where to look for the cause of an error code; None when there was none."""
    return _CLASSES.get(code, "device") if code else None


def clock_source(now: datetime, *, trusted: bool, confirmed: datetime | None) -> str:
    """What the time of this device rests on: `ntp`, its own `clock`, or the `floor`."""
    if not trusted:
        return "floor"
    fresh = confirmed is not None and now - confirmed < NTP_FRESH
    return "ntp" if fresh else "clock"


def timestamp_expiry(data: DataDir) -> str | None:
    """When the newest signature accepted ends, as signed; None when there is none."""
    try:
        found = json.loads((data.metadata / "timestamp.json").read_bytes())["signed"]["expires"]
        return stamp(datetime.fromisoformat(found))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _named(chosen: ActiveSet | None) -> dict[str, Any] | None:
    if chosen is None:
        return None
    return {
        "package": chosen.package,
        "release": chosen.release,
        "manifest_sha256": chosen.manifest,
    }


def _slot(
    data: DataDir, store: Store, slot: Slot, read: Callable[[Callable[[], Any]], Any]
) -> dict[str, Any]:
    current = slot.current
    loaded = read(lambda: load_set(data, current)) if current else None
    return {
        "package": slot.package,
        "channel": slot.channel,
        "release": current.release if current else None,
        "complete": loaded is not None and not completeness(store, loaded).missing,
        "next_release": slot.next.release if slot.next else None,
    }


def _returned(slot: Slot | None) -> dict[str, Any] | None:
    if slot is None or slot.returned is None:
        return None
    returned = slot.returned
    return {
        "package": slot.package,
        "release": returned.release,
        "reason": returned.reason,
        "at": stamp(returned.at),
    }


def _last_sync(last: Any) -> dict[str, Any] | None:
    if not isinstance(last, dict):
        return None
    found = {key: last[key] for key in _SYNC_FIELDS if last.get(key) is not None}
    found.setdefault("error_code", None)
    found["error_class"] = error_class(found["error_code"])
    found["message"] = last.get("message")
    return found


def _scrub_faults(data: DataDir) -> list[dict[str, str]]:
    found = read_json(data.root / "scrub.json")
    resting = found.get("resting") if isinstance(found, dict) else None
    return [_fault("disk-failing", str(resting))] if resting else []


def _fault(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


def _count(listed: Any) -> int:
    return len(listed) if isinstance(listed, list) else 0


def clock(data: DataDir, now: datetime) -> tuple[bool, datetime | None]:
    """Whether the clock shows no less than what surely has passed, and that floor."""
    kept = read_json(data.trust)
    try:
        floor = datetime.fromisoformat(kept["floor"])
    except (TypeError, KeyError, ValueError):
        return True, None
    return now >= floor, floor


def stale_days(data: DataDir, now: datetime) -> int | None:
    """Whole days since the newest signature accepted.

    None when there is none, or when the clock cannot be believed.
    """
    kept = read_json(data.trust)
    try:
        published = datetime.fromisoformat(kept["published_at"])
        floor = datetime.fromisoformat(kept["floor"])
    except (TypeError, KeyError, ValueError):
        return None
    return max(0, (now - published).days) if now >= floor else None


def load_state(data: DataDir) -> Mapping[str, Any]:
    """What the last sync and verification left."""
    found = read_json(data.state)
    return found if isinstance(found, dict) else {}


def save_state(data: DataDir, **changes: Any) -> None:
    """Change some of what the last sync and verification left."""
    write_json(data.state, {**load_state(data), **changes})


def stamp(time: datetime) -> str:
    """`time` in UTC as the format writes it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
