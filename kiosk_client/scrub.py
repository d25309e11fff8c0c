"""Reading every stored byte once a week, slowly, so that rot is found before a visitor does.

One step reads for a few seconds, gives way to a visit and to a sync, and writes
down how far it came; after a power cut it goes on there. A damaged file is
dropped for the next sync to fetch, block by block where it has blocks. A disk
that damages files again and again is reported and left alone: fetching the same
bytes for ever would wear out the line and the card, and heal nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from kiosk_client import store as pool
from kiosk_client.activation import load_set, read_slots
from kiosk_client.config import DataDir
from kiosk_client.durable import exclusive, is_locked, read_json, write_json
from kiosk_client.errors import Busy, DiskFailing, KioskError
from kiosk_client.facts import load_state, save_state, stamp
from package_format.layout import BLOCK_SIZE
from package_format.manifest import ManifestFile

EVERY = timedelta(days=7)
RATE = 4 * 1024 * 1024
"""Bytes read a second: 20 GB take an hour and a half, and a film plays on meanwhile."""

HEALS = 3
REPAIRS = 6
HEAL_WINDOW = timedelta(days=1)
STEP_SECONDS = 20.0
SAVE_SECONDS = 60.0
KEPT_DAMAGES = 20

_READ = 256 * 1024
_END = "~"
"""Behind every SHA-256 in hexadecimal."""
_PAUSES = {"working": 1.0, "paused": 60.0, "idle": 600.0}

log = logging.getLogger("kiosk_client.scrub")


def may_heal(
    times: Sequence[datetime],
    now: datetime,
    *,
    most: int = HEALS,
    window: timedelta = HEAL_WINDOW,
) -> bool:
    """Whether healing once more is sensible after it was done at `times`.

    Counts what lies within `window` on either side: clocks here jump back too.
    """
    return sum(abs(now - then) < window for then in times) < most


def is_due(finished: datetime | None, now: datetime) -> bool:
    """Whether another round is to begin; a clock that jumped makes one early, never late."""
    return finished is None or abs(now - finished) >= EVERY


def check_repairs(data: DataDir, now: datetime) -> None:
    """Refuse to fetch once more what this disk loses again and again.

    Raises:
        DiskFailing: `REPAIRS` repairs came to their end within a day.
        OSError: the disk refused.
    """
    times = _repairs(data)
    if not may_heal(times, now, most=REPAIRS):
        raise DiskFailing(
            f"expected a disk that keeps what it is given, got {REPAIRS} repairs within a day: "
            "replace the disk or card; `kiosk-client sync` repairs once more"
        )


def note_repair(data: DataDir, now: datetime) -> None:
    """Count a repair that came to its end: what was missing is there again.

    Raises:
        OSError: the disk refused.
    """
    times = (*_repairs(data), now)[-REPAIRS:]
    save_state(data, repairs=[then.isoformat() for then in times])


def _repairs(data: DataDir) -> tuple[datetime, ...]:
    try:
        return tuple(datetime.fromisoformat(then) for then in load_state(data).get("repairs", ()))
    except (TypeError, ValueError):
        return ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a round is. `sha256` and `block` are to be read next; no `began` is no round."""

    began: datetime | None = None
    finished: datetime | None = None
    sha256: str = ""
    block: int = 0
    damaged: int = 0
    heals: tuple[datetime, ...] = ()
    damages: tuple[dict[str, str], ...] = ()
    resting: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did: `working` and more to read, `paused`, or `idle` until a round is due."""

    state: Literal["working", "paused", "idle"]
    size: int = 0
    damaged: tuple[str, ...] = ()


class Scrubber:
    """Reads the files of every set that is kept, a step at a time. One at a time a directory.

    `rate` is in bytes a second, `busy` tells when to give way, `wait` sleeps so
    many seconds and says whether to stop.
    """

    def __init__(
        self,
        data: DataDir,
        *,
        rate: float = RATE,
        busy: Callable[[], bool] = lambda: False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._data = data
        self._store = pool.Store(data.root)
        self._rate = rate
        self._busy = busy
        self._now = now
        self._wait = wait or threading.Event().wait
        self._at: Progress | None = None
        self._saved_at = 0.0

    def step(self, budget_seconds: float = STEP_SECONDS) -> Step:
        """Read for at most about `budget_seconds`; begins a round when one is due.

        Raises:
            OSError: the disk refused what is no stored file: the pointer, our own notes.
            KioskError: a manifest does not read.
        """
        at = self._at or load_progress(self._data)
        if at.began is None:
            if not is_due(at.finished, self._now()) or not read_slots(self._data):
                return Step("idle")
            at = replace(at, began=self._now(), sha256="", block=0, damaged=0)
        deadline = time.monotonic() + budget_seconds
        before, size = at, 0
        damaged: list[str] = []
        for entry in self._files(at.sha256):
            first = at.block if entry.sha256 == at.sha256 else 0
            for block in range(first, max(1, len(entry.blocks))):
                at = replace(at, sha256=entry.sha256, block=block)
                if self._gives_way():
                    self._save(at, before)
                    return Step("paused", size, tuple(damaged))
                if time.monotonic() >= deadline:
                    self._save(at, before)
                    return Step("working", size, tuple(damaged))
                if self._is_right(entry, block):
                    size += _length(entry, block)
                    continue
                try:
                    found = self._mend(at, entry)
                except Busy:
                    self._save(at, before)
                    return Step("paused", size, tuple(damaged))
                if found is not None:
                    at = found
                    damaged.append(entry.path)
                break
        return self._finish(at, size, tuple(damaged))

    def _gives_way(self) -> bool:
        return self._wait(0) or self._busy() or is_locked(self._data.lock)

    def _files(self, first: str) -> list[ManifestFile]:
        """The files of every set that is kept, from blob `first` on, each blob once, in order."""
        found: dict[str, ManifestFile] = {}
        for slot in read_slots(self._data).values():
            for chosen in slot.sets:
                loaded = load_set(self._data, chosen)
                for entry in loaded.files if loaded else ():
                    if entry.sha256 >= first:
                        found.setdefault(entry.sha256, entry)
        return [found[sha256] for sha256 in sorted(found)]

    def _is_right(self, entry: ManifestFile, block: int) -> bool:
        """Whether a block reads and is what its hash says; a file that is not there cannot rot."""
        try:
            fd = os.open(self._store.path(entry.sha256), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            found = os.fstat(fd)
            if found.st_size != entry.size or found.st_mtime_ns != pool.STAMP_NS:
                return False
            start = block * BLOCK_SIZE
            digest = self._hash(fd, start, start + _length(entry, block))
        except OSError as error:
            log.error("%s does not read: %s", entry.path, error)
            return False
        finally:
            os.close(fd)
        return digest == (entry.blocks[block] if entry.blocks else entry.sha256)

    def _hash(self, fd: int, start: int, stop: int) -> str:
        found = hashlib.sha256()
        while start < stop:
            began = time.monotonic()
            # Memory would vouch for the disk; and a film's pages are worth more than ours.
            _forget(fd, start, _READ)
            raw = os.pread(fd, min(_READ, stop - start), start)
            _forget(fd, start, _READ)
            if not raw:
                break
            found.update(raw)
            start += len(raw)
            self._wait(max(0.0, len(raw) / self._rate - (time.monotonic() - began)))
        return found.hexdigest()

    def _mend(self, at: Progress, entry: ManifestFile) -> Progress | None:
        """Look again, alone, and drop what is damaged; None when it is right after all.

        Raises:
            Busy: a sync has begun; the next step comes back here.
        """
        with exclusive(self._data.lock, wait=0):
            now = self._now()
            readable = True
            try:
                # Touched and not changed, as when a disk was copied: it has its stamp again.
                if not self._store.path(entry.sha256).exists() or pool.is_right(
                    self._store, entry.sha256, entry.size
                ):
                    return None
            except OSError:
                readable = False
            at = replace(
                at,
                damaged=at.damaged + 1,
                damages=(*at.damages, _damage(entry, now))[-KEPT_DAMAGES:],
            )
            if not may_heal(at.heals, now):
                log.error("%s is damaged, as others were; it is left as it is", entry.path)
                at = replace(at, resting=_resting(at.heals, now))
                self._write(at)
                return at
            log.error("%s is damaged on the disk; the next sync heals it", entry.path)
            at = replace(at, heals=(*at.heals, now)[-KEPT_DAMAGES:])
            # Written first: a machine that dies of this file must not try for ever.
            self._write(at)
            # What does not read in its place does not read as a part either.
            pool.drop(self._store, entry.sha256, entry.size, salvage=readable)
            return at

    def _finish(self, at: Progress, size: int, damaged: tuple[str, ...]) -> Step:
        """Note that a round has read everything; waits for the lock till the next step."""
        began = at.began or self._now()
        self._at = replace(at, sha256=_END, block=0)
        at = replace(
            at,
            began=None,
            finished=self._now(),
            sha256="",
            block=0,
            resting=at.resting if at.damaged else None,
        )
        try:
            with exclusive(self._data.lock, wait=0):
                # The first of the bytes was read then: no later time would be true of all.
                save_state(self._data, last_full_verify_at=stamp(began))
                self._write(at)
        except Busy:
            return Step("paused", size, damaged)
        return Step("idle", size, damaged)

    def _save(self, at: Progress, before: Progress) -> None:
        """Keep how far a step came; written down not too often for a card."""
        self._at = at
        if at == before:
            return
        if at.began == before.began and time.monotonic() - self._saved_at < SAVE_SECONDS:
            return
        self._write(at)

    def _write(self, at: Progress) -> None:
        self._at = at
        write_json(self._data.root / "scrub.json", _to_json(at))
        self._saved_at = time.monotonic()


class Background:
    """A thread that scrubs for as long as `run` runs, behind everything else."""

    def __init__(self, data: DataDir, *, busy: Callable[[], bool] = lambda: False) -> None:
        self._stop = threading.Event()
        self._scrubber = Scrubber(data, busy=busy, wait=self._stop.wait)
        self._thread = threading.Thread(target=self._loop, name="scrub", daemon=True)

    def start(self) -> None:
        """Begin, once the screen has had time to come up."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was read is noted with the next step that ends."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _loop(self) -> None:
        be_last()
        pause = _PAUSES["paused"]
        while not self._stop.wait(pause):
            try:
                pause = _PAUSES[self._scrubber.step().state]
            except (KioskError, OSError) as error:
                log.warning("the scrub waits: %s", error)
                pause = _PAUSES["idle"]
            except Exception:
                # The screen goes on whatever this thread meets.
                log.exception("the scrub failed in a way nobody foresaw")
                pause = _PAUSES["idle"]


def load_progress(data: DataDir) -> Progress:
    """How far the scrub of a directory is; nothing, where its notes are lost.

    Raises:
        OSError: the disk refused.
    """
    found = read_json(data.root / "scrub.json")
    try:
        return Progress(
            began=_time(found["began"]),
            finished=_time(found["finished"]),
            sha256=str(found["sha256"]),
            block=int(found["block"]),
            damaged=int(found["damaged"]),
            heals=tuple(datetime.fromisoformat(then) for then in found["heals"]),
            damages=tuple({str(key): str(one[key]) for key in one} for one in found["damages"]),
            resting=found["resting"],
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return Progress()


def be_last() -> None:
    """Let this thread have the processor and the disk when nobody else wants them."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    number = {"x86_64": 251, "aarch64": 30, "armv7l": 314, "armv6l": 314, "riscv64": 30}.get(
        platform.machine()
    )
    if number is not None and platform.system() == "Linux":
        # ioprio_set(IOPRIO_WHO_PROCESS, this thread, IOPRIO_CLASS_IDLE): no wrapper in any libc.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).syscall(number, 1, 0, 3 << 13)


def _length(entry: ManifestFile, block: int) -> int:
    return min(BLOCK_SIZE, entry.size - block * BLOCK_SIZE) if entry.blocks else entry.size


def _forget(fd: int, start: int, size: int) -> None:
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(fd, start, size, os.POSIX_FADV_DONTNEED)


def _damage(entry: ManifestFile, now: datetime) -> dict[str, str]:
    return {"at": stamp(now), "path": entry.path, "sha256": entry.sha256}


def _resting(heals: Sequence[datetime], now: datetime) -> str:
    times = sum(abs(now - then) < HEAL_WINDOW for then in heals)
    return (
        f"expected a disk that keeps what it is given, got {times} damaged files healed within a "
        "day and more: replace the disk or card, and try another power supply"
    )


def _to_json(at: Progress) -> dict[str, Any]:
    return {
        "began": at.began.isoformat() if at.began else None,
        "finished": at.finished.isoformat() if at.finished else None,
        "sha256": at.sha256,
        "block": at.block,
        "damaged": at.damaged,
        "heals": [then.isoformat() for then in at.heals],
        "damages": list(at.damages),
        "resting": at.resting,
    }


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
