"""A line of progress on a terminal: bytes, share, rate and time left."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

from kiosk_client.watcher import Watcher


class TerminalWatcher(Watcher):
    """Paints on `stream`, at most five times a second. `verb` says what the bytes are there for."""

    def __init__(self, stream: TextIO | None = None, *, verb: str = "to fetch") -> None:
        self._stream = stream or sys.stderr
        self._verb = verb
        self._lock = threading.Lock()
        self._total = 0
        self._done = 0
        self._began = 0.0
        self._painted = 0.0

    def begin(self, files: int, size: int) -> None:
        """Announce what is to come."""
        self._total, self._done = size, 0
        self._began = self._painted = time.monotonic()
        print(f"{files} files, {readable(size)} {self._verb}", file=self._stream, flush=True)

    def received(self, size: int) -> None:
        """Add `size` bytes and paint if it is time."""
        with self._lock:
            self._done += size
            now = time.monotonic()
            if now - self._painted >= 0.2:
                self._painted = now
                self._paint(now)

    def end(self) -> None:
        """Paint the last state and leave the line."""
        with self._lock:
            self._paint(time.monotonic())
            print(file=self._stream, flush=True)

    def _paint(self, now: float) -> None:
        line = progress_line(self._done, self._total, now - self._began)
        print(f"\r{line:<76}", end="", file=self._stream, flush=True)


def progress_line(done: int, total: int, seconds: float) -> str:
    """One line of at most 76 characters for `done` of `total` bytes after `seconds`."""
    share = min(1.0, done / total) if total else 1.0
    rate = done / seconds if seconds > 0 else 0.0
    bar = "#" * round(share * 20)
    left = f", {readable_seconds((total - done) / rate)} left" if rate and done < total else ""
    return (
        f"[{bar:<20}] {share:4.0%} {readable(done)} of {readable(total)}, "
        f"{readable(int(rate))}/s{left}"
    )


def readable(size: int) -> str:
    """`size` bytes in the unit a person would choose (powers of 1,000)."""
    value = float(max(size, 0))
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def readable_seconds(seconds: float) -> str:
    """`seconds` as `40 s`, `12 min` or `3 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
