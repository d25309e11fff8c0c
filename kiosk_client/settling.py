"""Making many small blobs durable together, instead of each by itself.

A blob goes into the pool only after its bytes are on the disk. An `fsync` for
each of a thousand pictures is a thousand waits for the disk; `syncfs` waits once
for all of them. Until then they lie as complete parts: a power cut costs what
was in one batch at most, a kill nothing.
"""

from __future__ import annotations

import os
import threading
import time

from kiosk_client.store import Partial, Store, sync_file_system

SMALL = 1024 * 1024
"""Bytes up to which a blob is settled with others; a film is worth its own `fsync`."""

_MOST_FILES = 128
_MOST_BYTES = 32 * 1024 * 1024


class Settling:
    """Whole parts that wait for the disk. Safe for several threads; close it at the end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: list[Partial] = []
        self._bytes = 0
        self._sync = sync_file_system()
        # Errors of writing are told to descriptors that were open at the time.
        self._fd = os.open(store.root, os.O_RDONLY | os.O_CLOEXEC) if self._sync else -1

    def add(self, partial: Partial) -> None:
        """Take over a part whose every block is proven, and its closing.

        Raises:
            DamagedTransfer: its blocks are right but make another file than named.
            OSError: the disk refused.
        """
        try:
            if self._sync is None or partial.entry.size > SMALL:
                partial.finish()
                partial.close()
                return
            partial.stamp()
        except BaseException:
            partial.close()
            raise
        with self._lock:
            self._waiting.append(partial)
            self._bytes += partial.entry.size
            full = len(self._waiting) >= _MOST_FILES or self._bytes >= _MOST_BYTES
        if full:
            self.settle()

    def settle(self) -> None:
        """Put what waits into the pool; true afterwards: its bytes are on the disk.

        Raises:
            OSError: the disk refused; what waited are parts still.
        """
        with self._lock:
            batch, self._waiting = self._waiting, []
            size, self._bytes = self._bytes, 0
        try:
            if batch and self._sync is not None:
                began = time.monotonic()
                self._sync(self._fd)
                self._store.pace.note(size, time.monotonic() - began)
            for partial in batch:
                partial.enter_pool()
        finally:
            for partial in batch:
                partial.close()

    def close(self) -> None:
        """Let go of what could not be settled; it stays as parts."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        for partial in batch:
            partial.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
