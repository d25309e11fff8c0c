"""Files that survive a power cut, and the lock that keeps writers apart.

Writes beside the target, syncs, renames, syncs the folder: a reader finds the
old bytes or the new ones. Where a rename may lose both (FAT and its kin have no
journal), `write_json` keeps a second copy that `read_json` falls back to.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kiosk_client.errors import Busy, from_os_error

_JOURNALED = frozenset({"ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "overlay", "tmpfs"})
"""File systems where a rename replaces or does not, whatever happens to the power."""

UNSUPPORTED = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
"""What file systems without owners, modes and links answer."""

_KEEP_SIZE = 1


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
            set_mode(fd, mode)
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


def write_json(path: Path, value: Any, *, mode: int = 0o644, twice: bool = False) -> None:
    """Replace `path` by `value` as JSON, as `write_file` does.

    A copy goes first where a power cut may take a file that is renamed over, or
    always (`twice`) for what must not rot.
    """
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    raw = text.encode("utf-8") + b"\n"
    if twice or not renames_atomically(path.parent):
        write_file(_copy(path), raw, mode=mode)
    write_file(path, raw, mode=mode)


def read_json(path: Path) -> Any:
    """The JSON of `path` or of its copy; None when both are absent or unreadable as JSON.

    Raises:
        OSError: the disk refused for another reason than absence.
    """
    for place in (path, _copy(path)):
        try:
            return json.loads(place.read_bytes())
        except (FileNotFoundError, ValueError):
            continue
    return None


def json_mark(path: Path) -> tuple[int, int] | None:
    """What changes whenever `write_json` has written `path`; None when that never was.

    Raises:
        OSError: the disk refused for another reason than absence.
    """
    for place in (path, _copy(path)):
        with contextlib.suppress(FileNotFoundError):
            found = place.stat()
            return found.st_mtime_ns, found.st_ino
    return None


def remove_json(path: Path) -> None:
    """Remove what `write_json` wrote there, its copy first: else that would come back.

    Raises:
        OSError: the disk refused.
    """
    _copy(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def renames_atomically(folder: Path) -> bool:
    """Whether a file in `folder` that is renamed over another survives a power cut as either."""
    return file_system(folder) in _JOURNALED


def file_system(folder: Path) -> str:
    """The type of the file system that holds `folder`, as mount names it; "" when unknown."""
    try:
        device = os.stat(folder).st_dev
        key = f"{os.major(device)}:{os.minor(device)}"
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            # Fields 3 and, after the dash, 1 (man 5 proc_pid_mountinfo).
            for line in file:
                left, _, right = line.partition(" - ")
                if left.split()[2] == key:
                    return right.split()[0]
    except (OSError, IndexError):
        pass
    return ""


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
    """Make the names in `folder` durable, as far as its file system can."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _where_supported():
            os.fsync(fd)
    finally:
        os.close(fd)


def set_mode(file: int | Path, mode: int) -> None:
    """Give an open file or a path its mode; FAT, which has none, is left as it is.

    Raises:
        OSError: the disk refused.
    """
    with _where_supported():
        os.chmod(file, mode)


def set_time(file: int | Path, nanoseconds: int) -> None:
    """Give a file its time of change, where its file system lets this user do so.

    Raises:
        OSError: the disk refused.
    """
    with _where_supported():
        os.utime(file, ns=(nanoseconds, nanoseconds))


def allocate(fd: int, size: int) -> bool:
    """Have the disk set `size` bytes aside for an open file, whose length stays as it is.

    Returns whether the file system can do that: FAT, mostly, cannot.

    Raises:
        OSError: the disk refused, e.g. full.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None)
    if call is None:
        return False
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    length = os.fstat(fd).st_size
    while call(fd, _KEEP_SIZE, 0, size):
        number = ctypes.get_errno()
        if number == errno.EINTR:
            continue
        if number in UNSUPPORTED:
            return False
        raise OSError(number, os.strerror(number))
    if os.fstat(fd).st_size != length:
        # Some drivers know no other way than to write zeros: a length that says "received".
        os.ftruncate(fd, length)
        return False
    return True


@contextlib.contextmanager
def _where_supported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def _copy(path: Path) -> Path:
    return path.with_name(f"{path.name}~")


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


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock file `path`, as seen from here; nobody where it is not."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """As `exclusive`, for a command's outermost step: a disk that refuses is an error of ours.

    Raises:
        Busy: see `exclusive`.
        DiskFull, DiskFailing, KioskError: the disk refused the lock file.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(exclusive(path))
        except OSError as error:
            raise from_os_error(error) from error
        yield
