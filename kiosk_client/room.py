"""Room on the disk: asked for before the first byte, set aside, and made where little is left.

A writer claims the room of all it is about to fetch. Claims lie in the data
directory and count while their process lives, so that two writers never count
the same free bytes; large files get their blocks at once where the file system
can do that. What goes first when there is not enough, and what never goes, is
docs/decisions/0010-what-leaves-a-full-disk.md.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

from kiosk_client.activation import ActiveSet, Slot, load_set, read_slots
from kiosk_client.config import DataDir
from kiosk_client.durable import allocate, exclusive, read_json, write_file
from kiosk_client.errors import DiskFull, from_os_error
from kiosk_client.store import Store, free_bytes, megabytes, outstanding, stored_blobs
from package_format.canonical import is_sha256
from package_format.manifest import ManifestError, ManifestFile, parse_manifest

ALLOCATE_FROM = 1024 * 1024
"""Bytes from which a file gets its blocks beforehand; the claim alone keeps room for others."""


class Worth(IntEnum):
    """What a stored blob is worth: the lowest goes first, `NEEDED` never goes."""

    UNWANTED_PART = 0
    UNPINNED = 1
    PREVIOUS_ELSEWHERE = 2
    PREVIOUS_HERE = 3
    NEEDED = 4


@dataclass(frozen=True, slots=True)
class Stored:
    """Something that lies in the store: its SHA-256, bytes on the disk, worth and release."""

    sha256: str
    size: int
    worth: Worth
    release: int = 0


def plan_eviction(needed: int, stored: Iterable[Stored]) -> tuple[Stored, ...]:
    """Choose what goes so that `needed` more bytes are free; touches nothing.

    Of one worth the oldest release goes first, then the largest. Nothing goes
    where all that may go would not do: a sync that fails must cost nothing.
    """
    going: list[Stored] = []
    freed = 0
    evictable = (one for one in stored if one.worth < Worth.NEEDED)
    for one in sorted(evictable, key=lambda one: (one.worth, one.release, -one.size, one.sha256)):
        if freed >= needed:
            break
        going.append(one)
        freed += one.size
    return tuple(going) if freed >= needed else ()


def judge_worth(slots: Mapping[str, Slot], here: str) -> list[tuple[Worth, ActiveSet]]:
    """What each named set is worth while slot `here` is being filled.

    A set to return to is needed while the one after it is on probation; after
    that it is a comfort.
    """
    found: list[tuple[Worth, ActiveSet]] = []
    for key, slot in slots.items():
        found += [(Worth.NEEDED, one) for one in (slot.current, slot.next) if one]
        if slot.previous is not None:
            comfort = Worth.PREVIOUS_HERE if key == here else Worth.PREVIOUS_ELSEWHERE
            found.append((Worth.NEEDED if slot.probation else comfort, slot.previous))
    return found


@contextlib.contextmanager
def claimed(
    store: Store,
    wanted: Sequence[ManifestFile],
    reserve: int,
    *,
    keep: Collection[str] = (),
    here: str = "",
) -> Iterator[Store]:
    """Keep room for `wanted` while the block runs, beside `reserve`; the store to write them to.

    What may go goes first, if there is too little: nothing in `keep` (SHA-256),
    and what the slot `here`, which is being filled, can return to goes last.
    Bytes of a blob that arrived in part are not needed again.

    Raises:
        DiskFull: they do not fit; says how many bytes must be freed. Nothing was removed.
        DiskFailing, KioskError: the disk refused.
    """
    sizes = {entry.sha256: entry.size for entry in wanted}
    claims = store.root / "claims"
    with contextlib.ExitStack() as held:
        try:
            claims.mkdir(mode=0o700, exist_ok=True)
            with exclusive(store.root / "room.lock", wait=60):
                others = _other_claims(claims)
                _make_room(store, sizes, others, reserve, {*keep, *sizes, *others}, here)
                _set_aside(store, sizes)
                held.callback(_claim(claims, sizes))
        except OSError as error:
            raise from_os_error(error) from error
        try:
            yield replace(store, reserve=reserve)
        except DiskFull:
            # The system is short of room: what was only set aside is its own again.
            for sha256 in sizes:
                with contextlib.suppress(OSError):
                    path = store.part(sha256)
                    os.truncate(path, path.stat().st_size)
            raise


def _make_room(
    store: Store,
    sizes: Mapping[str, int],
    others: Mapping[str, int],
    reserve: int,
    keep: Collection[str],
    here: str,
) -> None:
    needed = _outstanding(store, sizes)
    if not needed:
        return
    claimed = _outstanding(
        store, {sha256: size for sha256, size in others.items() if sha256 not in sizes}
    )
    whole = needed + claimed + reserve
    if whole > free_bytes(store.root):
        going = plan_eviction(whole - free_bytes(store.root), _stored(store, keep, here))
        for one in going:
            of_part = one.worth == Worth.UNWANTED_PART
            with contextlib.suppress(OSError):
                (store.part if of_part else store.path)(one.sha256).unlink()
    free = free_bytes(store.root)
    if whole > free:
        raise DiskFull(
            f"expected {megabytes(whole)} free on the disk ({megabytes(needed)} to fetch, "
            f"{megabytes(reserve)} reserve{_beside(claimed)}), "
            f"got {megabytes(free)}: free {megabytes(whole - free)}"
        )


def _outstanding(store: Store, sizes: Mapping[str, int]) -> int:
    return sum(outstanding(store, sha256, size) for sha256, size in sizes.items())


def _beside(claimed: int) -> str:
    return f", {megabytes(claimed)} for what another kiosk-client fetches" if claimed else ""


def _stored(store: Store, keep: Collection[str], here: str) -> Iterator[Stored]:
    """Everything in the store but `keep`, with its worth."""
    data = DataDir(store.root)
    worths: dict[str, tuple[Worth, int]] = {}
    for path in data.sets.glob("*.json"):
        for sha256, release in _of_manifest(path):
            worths[sha256] = (Worth.UNPINNED, max(release, worths.get(sha256, (0, 0))[1]))
    for worth, one in sorted(judge_worth(read_slots(data), here), key=lambda found: found[0]):
        loaded = load_set(data, one)
        # In rising order: what two sets share is worth what the dearer one makes of it.
        worths.update(
            {entry.sha256: (worth, one.release) for entry in loaded.files} if loaded else {}
        )
    for sha256 in stored_blobs(store):
        worth, release = worths.get(sha256, (Worth.UNPINNED, 0))
        if sha256 not in keep:
            yield Stored(sha256, _on_disk(store.path(sha256)), worth, release)
    for path in store.parts.iterdir() if store.parts.is_dir() else ():
        sha256 = path.name.removesuffix(".part")
        if sha256 not in keep and is_sha256(sha256):
            yield Stored(sha256, _on_disk(path), Worth.UNWANTED_PART)


def _of_manifest(path: Path) -> Iterator[tuple[str, int]]:
    """The blobs a kept manifest names, and its release; none where it does not read."""
    try:
        manifest = parse_manifest(path.read_bytes())
    except (OSError, ManifestError):
        return
    for entry in manifest.files:
        yield entry.sha256, manifest.release


def _on_disk(path: Path) -> int:
    try:
        found = path.stat()
    except OSError:
        return 0
    return found.st_blocks * 512 or found.st_size


def _set_aside(store: Store, sizes: Mapping[str, int]) -> None:
    """Give large parts their blocks now, where the file system can; a failure undoes it."""
    store.parts.mkdir(mode=0o700, exist_ok=True)
    begun: list[tuple[Path, int]] = []
    try:
        for sha256, size in sizes.items():
            if size < ALLOCATE_FROM:
                continue
            path = store.part(sha256)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                begun.append((path, os.fstat(fd).st_size))
                if not allocate(fd, size):
                    return
            finally:
                os.close(fd)
    except OSError:
        for path, length in begun:
            with contextlib.suppress(OSError):
                os.truncate(path, length)
        raise


def _claim(claims: Path, sizes: Mapping[str, int]) -> Callable[[], None]:
    """Write down what this process fetches; what to call when it has ended.

    The lock on it, which dies with the process, says that it counts.
    """
    path = claims / f"{os.getpid()}-{os.urandom(4).hex()}.json"
    write_file(path, json.dumps(sizes).encode("ascii"))
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(fd, fcntl.LOCK_EX)

    def end() -> None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(fd)

    return end


def _other_claims(claims: Path) -> dict[str, int]:
    """What living processes fetch, by SHA-256; the claims of dead ones are removed."""
    found: dict[str, int] = {}
    for path in claims.iterdir():
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            listed = read_json(path)
            if isinstance(listed, dict):
                found.update({name: int(size) for name, size in listed.items()})
        finally:
            os.close(fd)
    return found
