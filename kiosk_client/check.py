"""`kiosk-client verify`: every byte of what plays, of what waits to, and of what came before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kiosk_client import store
from kiosk_client.activation import ActiveSet, load_set, main_slot, read_slots
from kiosk_client.config import DataDir
from kiosk_client.durable import alone
from kiosk_client.errors import KioskError, StoreDamaged
from kiosk_client.facts import save_state, stamp
from package_format.manifest import ManifestFile

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

    What plays or waits to play, of every package, is counted. The sets before
    are checked too, their losses are not counted: nobody sees them, and nothing
    fetches them again.

    Raises:
        KioskError: nothing plays yet, or another process is at work.
        StoreDamaged: the playing set's own list is lost.
    """
    with alone(data.lock):
        slots = read_slots(data)
        main = main_slot(slots)
        if main is None or main.current is None:
            raise KioskError("expected something to verify, got nothing yet: run a sync first")
        if load_set(data, main.current) is None:
            raise StoreDamaged(
                "expected the playing set's manifest, got none: run `kiosk-client sync`"
            )
        began = datetime.now(UTC)
        counted = [one for slot in slots.values() for one in (slot.current, slot.next) if one]
        before = [slot.previous for slot in slots.values() if slot.previous]
        wanted = _files(data, counted)
        pool = store.Store(data.root)
        size = sum(entry.size for entry in wanted.values())
        if bar is None:
            bad = set(store.verify(pool, wanted.values()))
        else:
            with bar(length=size, label="Verifying") as shown:
                bad = set(store.verify(pool, wanted.values(), shown.update))
        others = _files(data, before)
        store.verify(pool, (entry for sha256, entry in others.items() if sha256 not in wanted))
        save_state(data, last_full_verify_at=stamp(began))
        paths = tuple(sorted(wanted[sha256].path for sha256 in bad))
        return Verified(len(wanted), size, paths)


def _files(data: DataDir, sets: list[ActiveSet]) -> dict[str, ManifestFile]:
    """The files of these sets by SHA-256; a set whose list is lost is for a sync to heal."""
    loaded = [found for one in sets if (found := load_set(data, one)) is not None]
    return {entry.sha256: entry for one in loaded for entry in one.files}
