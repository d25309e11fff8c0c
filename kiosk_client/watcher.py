"""What a sync tells whoever watches it. Imports neither python-tuf nor an HTTP library."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Watcher:
    """What a sync tells whoever watches. This one watches nothing."""

    def coming(self, package: str, release: int, missing: int, total: int) -> None:
        """A release is about to be fetched: `missing` bytes of the `total` this device needs."""

    def begin(self, files: int, size: int) -> None:
        """`files` of `size` bytes in all are about to be fetched."""

    def received(self, size: int) -> None:
        """`size` more bytes are on the disk (less, when negative)."""

    def end(self) -> None:
        """Fetching has ended, well or not."""


class Progress(Watcher):
    """What of a new release is still to come, told every `every` seconds of a long transfer."""

    def __init__(self, report: Callable[[], None], every: float) -> None:
        self._report = report
        self._every = every
        self._lock = threading.Lock()
        # One report at a time, or an older one might overtake.
        self._telling = threading.Lock()
        self._told = time.monotonic()
        self._coming: dict[str, Any] | None = None

    @property
    def now(self) -> dict[str, Any] | None:
        """The release that is being fetched, as the heartbeat carries it; None when none is."""
        with self._lock:
            return dict(self._coming) if self._coming else None

    def coming(self, package: str, release: int, missing: int, total: int) -> None:
        """Begin to count."""
        with self._lock:
            self._coming = {
                "package": package,
                "release": release,
                "missing_bytes": missing,
                "total_bytes": total,
            }

    def received(self, size: int) -> None:
        """Count, and report if it is time."""
        with self._lock:
            if self._coming is None:
                return
            left = self._coming["missing_bytes"] - size
            self._coming["missing_bytes"] = min(max(left, 0), self._coming["total_bytes"])
            due = time.monotonic() - self._told >= self._every
            if due:
                self._told = time.monotonic()
        if due and self._telling.acquire(blocking=False):
            try:
                self._report()
            finally:
                self._telling.release()
