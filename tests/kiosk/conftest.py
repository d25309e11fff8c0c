"""A content server and an enrolled device, for every test here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kiosk_client.activation import read_active
from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.enrol import enrol
from kiosk_client.store import Store
from kiosk_client.sync import SyncResult, sync
from kiosk_client.watcher import Watcher
from kiosk_client.wire import Limits, Wire
from tests.kiosk.simulator import Origin

PATIENCE = Limits(
    connect_seconds=5.0,
    gap_seconds=10.0,
    attempts=3,
    first_pause_seconds=0.01,
    longest_pause_seconds=0.05,
)


@dataclass
class Kiosk:
    """A device under test: short patience, and a clock that can be set."""

    data: DataDir
    origin: Origin
    clock: datetime | None = None
    limits: Limits = PATIENCE
    watcher: Watcher = field(default_factory=Watcher)

    def now(self) -> datetime:
        return self.clock or datetime.now(UTC)

    def enrol(self, code: str = "7GK2-MP4X-Q9TR", **options: Any) -> None:
        wire = Wire(limits=self.limits)
        try:
            enrol(self.data, wire, self.origin.url, code, **options)
        finally:
            wire.close()

    def sync(self, **options: Any) -> SyncResult:
        wire = Wire(limits=self.limits)
        try:
            return sync(
                self.data,
                wire,
                **{"reserve": 0, "now": self.now, "watcher": self.watcher, **options},
            )
        finally:
            wire.close()

    @property
    def store(self) -> Store:
        return Store(self.data.root)

    @property
    def release(self) -> int | None:
        active = read_active(self.data)
        return active.current.release if active else None

    def blob(self, path: str) -> Path:
        """Where the blob of a file of the playing release lies."""
        from kiosk_client.activation import load_set

        active = read_active(self.data)
        assert active is not None
        loaded = load_set(self.data, active.current)
        assert loaded is not None
        return next(self.store.path(entry.sha256) for entry in loaded.files if entry.path == path)

    def snapshot(self) -> dict[str, bytes]:
        """Everything that plays: pointer, manifests and blobs, for "nothing changed"."""
        paths = [self.data.active, *self.data.sets.glob("*"), *self.data.root.glob("blobs/*/*")]
        return {str(path): path.read_bytes() for path in paths if path.exists()}


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin().serving() as found:
        yield found


@pytest.fixture
def newcomer(origin: Origin, tmp_path: Path) -> Kiosk:
    """A device that is not enrolled yet."""
    return Kiosk(open_data_dir(tmp_path / "kiosk", create=True), origin)


@pytest.fixture
def kiosk(newcomer: Kiosk) -> Kiosk:
    """An enrolled device, nothing synced yet."""
    newcomer.enrol()
    return newcomer
