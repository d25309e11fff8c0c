"""`kiosk-client verify`: every byte of what plays and of the set before it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kiosk_client import store
from kiosk_client.activation import load_set, read_active
from kiosk_client.config import DataDir
from kiosk_client.durable import alone
from kiosk_client.errors import KioskError, StoreDamaged
from kiosk_client.facts import save_state, stamp

Bar = Callable[..., AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Verified:
    """Files looked at, their bytes, and the paths that were missing or damaged."""

    files: int
    size: int
    bad: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What was found, as `verify --json` prints it."""
        return {"files": self.files, "bytes": self.size, "bad": list(self.bad)}


def verify_device(data: DataDir, *, bar: Bar | None = None) -> Verified:
    """Hash all stored files; damaged ones are dropped for the next sync to fetch.

    The set before the playing one is checked too, its losses are not counted:
    nobody sees it, and nothing fetches it again.

    Raises:
        KioskError: nothing plays yet, or another process is at work.
        StoreDamaged: the playing set's own list is lost.
    """
    with alone(data.lock):
        active = read_active(data)
        if active is None:
            raise KioskError("expected something to verify, got nothing yet: run a sync first")
        loaded = load_set(data, active.current)
        if loaded is None:
            raise StoreDamaged(
                "expected the playing set's manifest, got none: run `kiosk-client sync`"
            )
        before = load_set(data, active.previous) if active.previous else None
        sizes = {entry.sha256: entry.size for entry in loaded.files}
        pool = store.Store(data.root)
        if bar is None:
            bad = set(store.verify(pool, loaded.files))
        else:
            with bar(length=sum(sizes.values()), label="Verifying") as shown:
                bad = set(store.verify(pool, loaded.files, shown.update))
        if before is not None:
            store.verify(pool, (one for one in before.files if one.sha256 not in sizes))
        now = datetime.now(UTC)
        save_state(data, last_full_verify_at=stamp(now))
        return Verified(
            len(sizes),
            sum(sizes.values()),
            tuple(entry.path for entry in loaded.files if entry.sha256 in bad),
        )
