"""Is the disk well, full or failing? Cheap looks, and one careful write every quarter of an hour.

A disk that dies announces it: the kernel counts errors, mounts it read-only,
takes seconds for a few kilobytes, or gives back other bytes than it was given.
Being full is another matter with another remedy, and is told apart.

`judge_disk` decides; `DiskWatch` looks, and writes the canary: 4 KiB that also
remember when it was last written and how long that took.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from kiosk_client.config import RESERVE
from kiosk_client.durable import write_all
from kiosk_client.errors import DiskFailing, DiskFull, from_os_error

CANARY_SIZE = 4096
CANARY_EVERY = timedelta(minutes=15)
SLOW_SECONDS = 5.0
"""A write may take this long, and a second more for each megabyte: cards do pause at times."""

SLOW_TIMES = 3
KEPT_TIMES = 16

Word = Literal["ok", "full", "failing"]


@dataclass(frozen=True, slots=True)
class Timed:
    """A write that reached the disk: its bytes, and the seconds it took."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Observations:
    """What was seen of a disk. None: this disk or this user cannot tell.

    A `total` of 0 is a file system that does not tell. `canary` is `ok`, `full`,
    `failing` or `lost` (read back as other bytes).
    """

    free: int
    total: int
    reserve: int = RESERVE
    read_only: bool = False
    errors_count: int | None = None
    canary: Literal["ok", "full", "failing", "lost"] | None = None
    writes: tuple[Timed, ...] = ()


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk judged. `reason` says what to do about it; empty when all is well."""

    verdict: Word
    reason: str
    seen: Observations

    def to_json(self) -> dict[str, Any]:
        """As the heartbeat carries it (bytes)."""
        return {
            "free": self.seen.free,
            "total": self.seen.total,
            "reserve": self.seen.reserve,
            "verdict": self.verdict,
            "read_only": self.seen.read_only,
            "errors_count": self.seen.errors_count,
        }


def is_slow(writes: Iterable[Timed]) -> bool:
    """Whether writes are so slow, and so often, that the disk must be ill.

    One slow write is a card tidying up; `SLOW_TIMES` among the last few are not.
    """
    slow = [one for one in writes if one.seconds > SLOW_SECONDS + one.size / 1_000_000]
    return len(slow) >= SLOW_TIMES


def judge_disk(seen: Observations) -> Disk:
    """The verdict: failing before full, as a failing disk will not be well when emptied."""
    errors = seen.errors_count or 0
    if seen.read_only:
        reason = "is read-only: start the device again; if that does not last, replace it"
    elif seen.canary == "failing":
        reason = "refuses to write: replace it, and try another power supply"
    elif seen.canary == "lost":
        reason = "gives back other bytes than it was given: replace it"
    elif errors:
        times = "once" if errors == 1 else f"{errors} times"
        reason = f"was found damaged by the system {times}: check it with fsck, or replace it"
    elif is_slow(seen.writes):
        reason = "takes many seconds for small writes: replace it, and try another power supply"
    elif seen.canary == "full" or (seen.total and seen.free < seen.reserve):
        left, wanted = seen.free / 1_000_000, seen.reserve / 1_000_000
        return Disk(
            "full",
            f"expected {wanted:.0f} MB left for the system, got {left:.0f} MB: "
            "remove files from the disk",
            seen,
        )
    else:
        return Disk("ok", "", seen)
    return Disk("failing", f"expected a disk that works, got one that {reason}", seen)


class Pace:
    """How long the latest writes took; for several threads."""

    def __init__(self, writes: Iterable[Timed] = ()) -> None:
        self._lock = threading.Lock()
        self._writes = deque(writes, maxlen=KEPT_TIMES)

    def note(self, size: int, seconds: float) -> None:
        """A write of `size` bytes took so long."""
        with self._lock:
            self._writes.append(Timed(size, seconds))

    @property
    def writes(self) -> tuple[Timed, ...]:
        """The latest writes, the newest last."""
        with self._lock:
            return tuple(self._writes)

    def is_slow(self) -> bool:
        """Whether the disk is what everything waits for."""
        return is_slow(self.writes)


class DiskWatch:
    """Looks at the disk that holds `folder`. Keep one, so that canaries stay rare."""

    def __init__(
        self,
        folder: Path,
        *,
        reserve: int = RESERVE,
        sysfs: Path = Path("/sys"),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._reserve = reserve
        self._sysfs = sysfs
        self._monotonic = monotonic
        self._tried: float | None = None
        self._found: Literal["ok", "full", "failing", "lost"] | None = None
        self._pace = Pace()

    def look(self, now: datetime) -> Disk:
        """Judge the disk; writes the canary when the last is `CANARY_EVERY` old or older.

        Raises:
            OSError: the disk does not even tell its size.
        """
        disk = os.statvfs(self._folder)
        read_only = bool(disk.f_flag & os.ST_RDONLY)
        if not read_only and self._is_ours() and self._due(now):
            self._found = self._sing(now)
        return judge_disk(
            Observations(
                free=disk.f_bavail * disk.f_frsize,
                total=disk.f_blocks * disk.f_frsize,
                reserve=self._reserve,
                read_only=read_only,
                errors_count=errors_count(self._folder, self._sysfs),
                canary=self._found,
                writes=self._pace.writes,
            )
        )

    @property
    def _canary(self) -> Path:
        return self._folder / "canary"

    def _is_ours(self) -> bool:
        """Whether a canary may be written: root's would be in the way of the kiosk's own user."""
        return os.geteuid() != 0 or os.stat(self._folder).st_uid == 0

    def _due(self, now: datetime) -> bool:
        """Whether it is time: by the steady clock, and for a new process by the one before it."""
        since = self._monotonic()
        if self._tried is not None:
            return since - self._tried >= CANARY_EVERY.total_seconds()
        try:
            left = json.loads(self._canary.read_bytes())
            at = datetime.fromisoformat(left["at"])
            self._pace = Pace(Timed(CANARY_SIZE, float(seconds)) for seconds in left["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return True
        age = abs(now - at)
        if age >= CANARY_EVERY:
            return True
        self._tried, self._found = since - age.total_seconds(), "ok"
        return False

    def _sing(self, now: datetime) -> Literal["ok", "full", "failing", "lost"] | None:
        began = self._tried = self._monotonic()
        raw = self._song(now)
        try:
            found = _write_and_read(self._canary, raw)
        except OSError as error:
            known = from_os_error(error)
            if isinstance(known, DiskFull):
                return "full"
            # Another user's file says nothing about the disk.
            return "failing" if isinstance(known, DiskFailing) else None
        seconds = self._monotonic() - began
        self._pace.note(CANARY_SIZE, seconds)
        if seconds > SLOW_SECONDS:
            # The next process must know, and no canary is due for a while.
            with contextlib.suppress(OSError):
                _write_and_read(self._canary, self._song(now))
        return "ok" if found == raw else "lost"

    def _song(self, now: datetime) -> bytes:
        seconds = [round(one.seconds, 3) for one in self._pace.writes]
        text = json.dumps({"at": now.isoformat(), "seconds": seconds})
        return text.encode("ascii").ljust(CANARY_SIZE)


def errors_count(folder: Path, sysfs: Path = Path("/sys")) -> int | None:
    """Errors ext4 has met on the disk of `folder` since it was last checked, or None."""
    try:
        device = os.stat(folder).st_dev
        name = (sysfs / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}").resolve().name
        return int((sysfs / "fs" / "ext4" / name / "errors_count").read_text("ascii"))
    except (OSError, ValueError):
        return None


def _write_and_read(path: Path, raw: bytes) -> bytes:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, raw, 0)
        os.fsync(fd)
        if hasattr(os, "posix_fadvise"):
            # Else memory answers, and not the disk.
            with contextlib.suppress(OSError):
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        found = os.pread(fd, len(raw), 0)
    finally:
        os.close(fd)
    if len(found) < len(raw):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
    return found
