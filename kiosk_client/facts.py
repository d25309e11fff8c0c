"""Plain facts about this device, for `status`, the heartbeat and the health page.

What is complete is read from the disk each time, never from a record that
something was once written. Imports neither python-tuf nor an HTTP library.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kiosk_client import __version__
from kiosk_client.activation import LoadedSet, load_set, read_active
from kiosk_client.config import RESERVE, DataDir
from kiosk_client.durable import read_json, write_json
from kiosk_client.errors import KioskError
from kiosk_client.store import Store, is_proven


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


def device_facts(data: DataDir, now: datetime) -> dict[str, Any]:
    """The facts as the heartbeat carries them (JSON values; sizes in bytes, times UTC)."""
    faults: list[dict[str, str]] = []
    state = load_state(data)
    active = read_active(data)
    loaded = None
    if active is not None:
        try:
            loaded = load_set(data, active.current)
        except KioskError as error:
            faults.append({"code": error.code, "message": str(error)})
        if loaded is None:
            faults.append(
                {
                    "code": "manifest-lost",
                    "message": "expected the playing set's manifest, got none",
                }
            )
    found = completeness(Store(data.root), loaded) if loaded else None
    if found and found.missing:
        faults.append(
            {
                "code": "store-damaged",
                "message": f"{found.missing} of {found.files} files are missing or were changed",
            }
        )
    disk = shutil.disk_usage(data.root)
    if disk.free < RESERVE:
        faults.append({"code": "disk-full", "message": "less is free than the system's reserve"})
    last_sync = state.get("last_sync")
    trusted, floor = clock(data, now)
    return {
        "at": stamp(now),
        "client": __version__,
        "active": {
            "package": active.current.package,
            "release": active.current.release,
            "manifest_sha256": active.current.manifest,
        }
        if active
        else None,
        "complete": found is not None and not found.missing,
        "missing_bytes": found.missing_bytes if found else 0,
        "last_sync": last_sync,
        "last_full_verify_at": state.get("last_full_verify_at"),
        "clock": {
            "trusted": trusted,
            "offset_seconds": state.get("clock_offset_seconds"),
            "floor": stamp(floor) if floor else None,
        },
        "disk": {"free": disk.free, "reserve": RESERVE},
        "faults": faults,
    }


def heartbeat_facts(
    data: DataDir, now: datetime, coming: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The facts the device API takes: `device_facts` without what only a person here needs.

    `coming` is the release being fetched, if one is.
    """
    found = device_facts(data, now)
    if coming is not None:
        found["coming"] = dict(coming)
    found["complete"] = found["active"] if found["complete"] else None
    found["clock"] = {key: found["clock"][key] for key in ("trusted", "offset_seconds")}
    if found["last_sync"]:
        found["last_sync"] = {
            key: found["last_sync"][key] for key in ("at", "outcome", "error_code")
        }
    found["faults"] = [
        {"code": fault["code"], "message": fault["message"][:500]} for fault in found["faults"]
    ]
    return found


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
