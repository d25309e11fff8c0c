"""The one thing that is being done for the technician, in a thread of its own, and how far it is.

A request starts it and later ones look: a browser's request must not last as long
as a download.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from kiosk_client.errors import Busy, KioskError, PinThrottled, from_os_error
from kiosk_client.watcher import Watcher

log = logging.getLogger("kiosk_client.technician")


class Note(Watcher):
    """What a piece of work says while it goes on: bytes, and lines for the person."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = self._total = 0
        self._began: float | None = None
        self._lines: list[dict[str, Any]] = []

    def begin(self, files: int, size: int) -> None:
        """Announce `size` bytes in `files` files."""
        with self._lock:
            self._done, self._total, self._began = 0, size, time.monotonic()

    def received(self, size: int) -> None:
        """Count `size` more bytes."""
        with self._lock:
            self._done = max(0, self._done + size)

    def line(self, key: str, state: str = "ok", **values: Any) -> None:
        """Add a line: its catalogue key, `ok`, `warn`, `bad` or `none`, and what to fill in."""
        with self._lock:
            self._lines.append({"key": key, "state": state, "values": values})

    def to_json(self) -> dict[str, Any]:
        """Bytes done and to do, bytes a second, and the lines so far."""
        with self._lock:
            seconds = time.monotonic() - self._began if self._began is not None else 0.0
            return {
                "done": min(self._done, self._total) if self._total else self._done,
                "total": self._total,
                "rate": int(self._done / seconds) if seconds > 1 else 0,
                "lines": list(self._lines),
            }


class Work:
    """Runs one piece of work at a time and remembers how the last one ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kind = ""
        self._number = 0
        self._note = Note()
        self._running = False

    @property
    def running(self) -> bool:
        """Whether something is being done."""
        with self._lock:
            return self._running

    def start(self, kind: str, do: Callable[[Note], None]) -> None:
        """Begin `do` in a thread; what it raises becomes its last line.

        Raises:
            Busy: something is being done already.
        """
        with self._lock:
            if self._running:
                raise Busy(f"expected nothing under way, but {self._kind} is: wait for its end")
            self._kind, self._note, self._running = kind, Note(), True
            self._number += 1
            note = self._note
        threading.Thread(
            target=self._run, args=(do, note), name=f"technician-{kind}", daemon=True
        ).start()

    def _run(self, do: Callable[[Note], None], note: Note) -> None:
        try:
            do(note)
        except (KioskError, OSError) as error:
            found = from_os_error(error) if isinstance(error, OSError) else error
            wait = {"seconds": found.seconds} if isinstance(found, PinThrottled) else {}
            note.line(f"error.{found.code}", "bad", detail=str(found), **wait)
        except Exception as error:
            log.exception("what the technician asked for failed in a way nobody foresaw")
            note.line("error.failed", "bad", detail=type(error).__name__)
        finally:
            with self._lock:
                self._running = False

    def to_json(self) -> dict[str, Any] | None:
        """What goes on or has ended, None when nothing was ever asked for."""
        with self._lock:
            if not self._kind:
                return None
            return {
                "kind": self._kind,
                "number": self._number,
                "running": self._running,
                **self._note.to_json(),
            }
