"""Files that survive a power cut, and the lock that keeps writers apart.

Writes beside the target, syncs, renames, syncs the folder: a reader finds the
old bytes or the new ones. Needs a file system where rename replaces atomically.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kiosk_client.errors import Busy


def write_file(path: Path, raw: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by `raw` so that a power cut leaves all of it or none.

    Raises:
        OSError: the disk refused; `path` is as it was.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        try:
            # An older file of that name would keep its own mode.
            os.fchmod(fd, mode)
            write_all(fd, raw, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Any, *, mode: int = 0o644) -> None:
    """Replace `path` by `value` as JSON, as `write_file` does."""
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    write_file(path, text.encode("utf-8") + b"\n", mode=mode)


def read_json(path: Path) -> Any:
    """The JSON of `path`, or None when it is absent or unreadable as JSON.

    Raises:
        OSError: the disk refused for another reason than absence.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return None


def write_all(fd: int, raw: bytes | memoryview, at: int) -> None:
    """Write the whole of `raw` at offset `at`: a disk may take less than asked.

    Raises:
        OSError: the disk refused, e.g. full.
    """
    view = memoryview(raw)
    while view:
        written = os.pwrite(fd, view, at)
        at += written
        view = view[written:]


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sweep(folder: Path) -> None:
    """Remove what writers killed in the middle left beside their targets, an hour ago or more."""
    for path in folder.glob(".*.new"):
        with contextlib.suppress(OSError):
            # Either way: clocks here jump.
            if abs(time.time() - path.stat().st_mtime) > 3600:
                path.unlink()


@contextlib.contextmanager
def exclusive(
    path: Path, *, wait: float = 10.0, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Hold the lock file `path` alone; the system drops it when the process dies.

    Raises:
        Busy: another process held it for `wait` seconds.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise Busy(
                        f"expected to work alone in {path.parent}, but another kiosk-client is "
                        "at work there: try again when it has ended"
                    ) from error
                sleep(0.1)
        yield
    finally:
        os.close(fd)
