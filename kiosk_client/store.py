"""The pool of blobs on the device's disk: content-addressed, verified, whole.

A blob is in the pool only when every byte of it was hashed. It then carries a
stamp, a fixed modification time set before the rename: any later write shows as
another time, so a cheap look tells "proven" from "must be hashed again" without
a record that could say otherwise than the bytes do.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kiosk_client.durable import set_mode, set_time, sync_folder, write_all
from kiosk_client.errors import DamagedTransfer, DiskFull
from kiosk_client.health import Pace
from package_format.canonical import is_sha256
from package_format.layout import BLOCK_SIZE, blob_path
from package_format.manifest import ManifestFile

STAMP_NS = 1_000_000_000 * 86_400 * 366 * 12
"""Modification time of a proven blob: an even second of 1982, which FAT can keep too."""

_READ = 1024 * 1024
_FEW_FOLDERS = 4
"""Up to so many folders are synced by themselves; beyond, their whole file system at once."""

_LOOK_EVERY = 4 * 1024 * 1024
"""Bytes written between two looks at what is left on the disk."""


@dataclass(frozen=True, slots=True)
class Store:
    """The pool below a data directory.

    `reserve` is what writers leave free for the system (bytes), looked at again
    while they write; `pace` is how long their writes took.
    """

    root: Path
    reserve: int = 0
    pace: Pace = field(default_factory=Pace, compare=False)

    @property
    def parts(self) -> Path:
        """Where blobs lie while they arrive; on the same file system."""
        return self.root / "parts"

    def path(self, sha256: str) -> Path:
        """Where the blob `sha256` lies, or would."""
        return self.root / blob_path(sha256)

    def part(self, sha256: str) -> Path:
        """Where the blob `sha256` arrives."""
        return self.parts / f"{sha256}.part"


def is_proven(store: Store, sha256: str, size: int) -> bool:
    """Whether a blob is there, of `size` bytes, and untouched since it was hashed."""
    try:
        # A set has thousands of files and is looked at in every poll: no Path for each.
        found = os.stat(f"{store.root}/{blob_path(sha256)}")
    except OSError:
        return False
    return found.st_size == size and found.st_mtime_ns == STAMP_NS


def prove(store: Store, sha256: str, size: int, *, salvage: bool = False) -> bool:
    """Whether a blob is there and right; hashes it if it was touched, drops it if wrong.

    `salvage`: see `drop`.

    Raises:
        OSError: the disk refused to read it.
    """
    if is_proven(store, sha256, size):
        return True
    return rehash(store, sha256, size, salvage=salvage)


def rehash(store: Store, sha256: str, size: int, *, salvage: bool = False) -> bool:
    """Hash a stored blob whatever its stamp says; stamps it if right, drops it if wrong.

    `salvage`: see `drop`.

    Raises:
        OSError: the disk refused to read it.
    """
    if is_right(store, sha256, size):
        return True
    drop(store, sha256, size, salvage=salvage)
    return False


def is_right(store: Store, sha256: str, size: int) -> bool:
    """Whether a blob is there and hashes right whatever its stamp says; stamps it if so.

    Raises:
        OSError: the disk refused to read it.
    """
    path = store.path(sha256)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        found = os.fstat(fd)
        if found.st_size != size or _hash_range(fd, 0, size).hexdigest() != sha256:
            return False
        if found.st_mtime_ns != STAMP_NS:
            # A read-only disk only makes the next look slower.
            with contextlib.suppress(OSError):
                set_time(path, STAMP_NS)
        return True
    finally:
        os.close(fd)


def drop(store: Store, sha256: str, size: int, *, salvage: bool = False) -> None:
    """Take a wrong blob out of the pool, if the disk lets us.

    With `salvage`, for a holder of the directory's lock, a large one becomes a
    part: what of it is right need not be fetched again. Where it cannot be
    removed, the next sync still renames the right one over it.
    """
    path = store.path(sha256)
    with contextlib.suppress(OSError):
        if salvage and size > BLOCK_SIZE and not store.part(sha256).exists():
            store.parts.mkdir(mode=0o700, exist_ok=True)
            set_mode(path, 0o600)
            path.rename(store.part(sha256))
        else:
            path.unlink(missing_ok=True)


def held_blobs(store: Store, files: Iterable[ManifestFile]) -> frozenset[str]:
    """Which of `files` are stored and proven, by SHA-256; for a holder of the lock."""
    sizes = {entry.sha256: entry.size for entry in files}
    return frozenset(
        sha256 for sha256, size in sizes.items() if prove(store, sha256, size, salvage=True)
    )


def verify(
    store: Store,
    files: Iterable[ManifestFile],
    progress: Callable[[int], None] = lambda size: None,
) -> tuple[str, ...]:
    """Hash every byte of `files`; drop the blobs that are wrong, for a holder of the lock.

    Returns the SHA-256 of those wrong or missing, for the next sync to fetch.
    `progress` is told the bytes of each blob done.
    """
    sizes = {entry.sha256: entry.size for entry in files}
    bad = []
    for sha256, size in sizes.items():
        if not rehash(store, sha256, size, salvage=True):
            bad.append(sha256)
        progress(size)
    return tuple(bad)


def outstanding(store: Store, sha256: str, size: int) -> int:
    """Bytes of disk that a blob still needs: not those it holds, nor those set aside for it."""
    with contextlib.suppress(OSError):
        if store.path(sha256).stat().st_size == size:
            return 0
    try:
        part = store.part(sha256).stat()
    except OSError:
        return size
    # What is allocated counts, not the length: a part has holes, and room set aside.
    return max(0, size - (part.st_blocks * 512 or part.st_size))


def free_bytes(place: Path | int) -> int:
    """Bytes that this user may still write on the disk of a folder or of an open file.

    A file system that does not tell its size is taken to have room: writing will show.
    """
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize if found.f_blocks else sys.maxsize


def remove(store: Store, drop: Iterable[str], keep_parts: Collection[str] = ()) -> int:
    """Remove the blobs `drop`, and every part not in `keep_parts`; bytes freed."""
    freed = sum(_remove(store.path(sha256)) for sha256 in drop)
    for path in store.parts.iterdir() if store.parts.is_dir() else ():
        if path.name.removesuffix(".part") not in keep_parts:
            freed += _remove(path)
    return freed


def stored_blobs(store: Store) -> frozenset[str]:
    """The SHA-256 names in the pool, proven or not."""
    return frozenset(
        path.name
        for folder in _folders(store.root / "blobs")
        for path in folder.iterdir()
        if is_sha256(path.name)
    )


class Partial:
    """A blob while it arrives: its `.part` file, and which of its blocks are proven.

    A file without block hashes is one block of its own. What lies there from
    before is hashed again, never believed for its size. One thread at a time.
    """

    def __init__(self, store: Store, entry: ManifestFile) -> None:
        self._store = store
        self.entry = entry
        self._hashes = entry.blocks or (entry.sha256,)
        self._block = BLOCK_SIZE if entry.blocks else max(entry.size, 1)
        self._good: set[int] = set()
        # The block being written: its number, hash so far, and bytes so far.
        self._current = 0
        self._hash = hashlib.sha256()
        self._filled = 0
        # The whole file's hash goes along while bytes come in order.
        self._whole = hashlib.sha256()
        self._whole_at = 0
        self._unseen = self._unsynced = 0
        store.parts.mkdir(mode=0o700, exist_ok=True)
        self._fd = os.open(store.part(entry.sha256), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._read_back()
        except BaseException:
            self.close()
            raise

    def next_range(self) -> tuple[int, int] | None:
        """The half-open byte range to fetch next, or None when every block is proven.

        A block begun goes first, or its bytes would be fetched again. Ask anew
        after each range: a block that came wrong is missing again.
        """
        runs = self.missing()
        begun = self._span(self._current)[0] + self._filled if self._filled else -1
        return next((run for run in runs if run[0] == begun), runs[0] if runs else None)

    def missing(self) -> tuple[tuple[int, int], ...]:
        """Half-open byte ranges still to fetch, joined where they touch, in order."""
        runs: list[tuple[int, int]] = []
        for block in range(len(self._hashes)):
            if block in self._good or (not self.entry.size):
                continue
            start, stop = self._span(block)
            if block == self._current:
                start += self._filled
            if runs and runs[-1][1] == start:
                runs[-1] = (runs[-1][0], stop)
            else:
                runs.append((start, stop))
        return tuple(runs)

    def write(self, at: int, raw: bytes | memoryview) -> int:
        """Store `raw` at offset `at`, proving each block as it fills; bytes of bad blocks.

        A block whose hash is wrong stays missing and is asked for again alone.

        Raises:
            DiskFull: others have eaten into the system's reserve meanwhile.
            OSError: the disk refused.
            ValueError: `raw` reaches past the end.
        """
        if at + len(raw) > self.entry.size:
            raise ValueError(f"{self.entry.size} bytes hold no {len(raw)} more at {at}")
        bad = 0
        self._look(len(raw))
        view = memoryview(raw)
        while view:
            block = at // self._block
            start, stop = self._span(block)
            if block != self._current or at != start + self._filled:
                if at != start:
                    raise ValueError(f"block {block} begins at {start}, not at {at}")
                self._begin(block)
            piece = view[: stop - at]
            began = time.monotonic()
            write_all(self._fd, piece, at)
            self._store.pace.note(len(piece), time.monotonic() - began)
            bad += self._hash_piece(at, piece, block)
            at += len(piece)
            view = view[len(piece) :]
        return bad

    def finish(self) -> Path:
        """Put the complete blob in the pool: hashed, stamped, synced, renamed.

        The folder's name list is made durable by `sync_names`, once for many.

        Raises:
            DamagedTransfer: the blocks are right but make another file than named.
            OSError: the disk refused.
        """
        self.stamp()
        began = time.monotonic()
        os.fsync(self._fd)
        self._store.pace.note(self._unsynced, time.monotonic() - began)
        return self.enter_pool()

    def stamp(self) -> None:
        """Make the part what a proven blob is, but for its name. Not synced yet.

        Raises: as `finish`.
        """
        entry = self.entry
        if entry.blocks and self._digest() != entry.sha256:
            self.discard()
            raise DamagedTransfer(
                f"expected {entry.path} as named, got its blocks but not its hash"
            )
        if os.fstat(self._fd).st_size != entry.size:
            os.ftruncate(self._fd, entry.size)
        set_time(self._fd, STAMP_NS)

    def enter_pool(self) -> Path:
        """Give a stamped part, whose bytes are on the disk, its name in the pool.

        Raises:
            OSError: the disk refused.
        """
        path = self._store.path(self.entry.sha256)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.rename(self._store.part(self.entry.sha256), path)
        # Not before: a part that nobody may write could not be gone on with.
        set_mode(self._fd, 0o444)
        if path.stat().st_mtime_ns != STAMP_NS:
            # FAT's driver takes a rename for a change. Unstamped, it would be hashed at each look.
            set_time(path, STAMP_NS)
        return path

    def is_complete(self) -> bool:
        """Whether every block is proven."""
        return not self.entry.size or len(self._good) == len(self._hashes)

    def discard(self) -> None:
        """Remove the part from the disk."""
        with contextlib.suppress(FileNotFoundError):
            self._store.part(self.entry.sha256).unlink()

    def close(self) -> None:
        """Close the file; what was received stays for the next time."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _look(self, size: int) -> None:
        """Stop before the system's reserve is used up, and give it what was set aside here."""
        self._unsynced += size
        self._unseen += size
        if not self._store.reserve or self._unseen < min(_LOOK_EVERY, self.entry.size):
            return
        self._unseen = 0
        free = free_bytes(self._fd)
        if free >= self._store.reserve:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size)
        raise DiskFull(
            f"expected {megabytes(self._store.reserve)} left for the system, "
            f"got {megabytes(free)}: something else fills the disk; "
            f"free {megabytes(self._store.reserve - free)}"
        )

    def _span(self, block: int) -> tuple[int, int]:
        return block * self._block, min((block + 1) * self._block, self.entry.size)

    def _begin(self, block: int) -> None:
        self._current, self._hash, self._filled = block, hashlib.sha256(), 0

    def _hash_piece(self, at: int, piece: memoryview, block: int) -> int:
        """Take up to a block's end into its hash; the block's bytes if it ended wrong."""
        start, stop = self._span(block)
        self._hash.update(piece)
        if self.entry.blocks and at == self._whole_at:
            self._whole.update(piece)
            self._whole_at += len(piece)
        self._filled += len(piece)
        return self._end_block(block, start, stop) if at + len(piece) == stop else 0

    def _end_block(self, block: int, start: int, stop: int) -> int:
        right = self._hash.hexdigest() == self._hashes[block]
        if right:
            self._good.add(block)
        elif self._whole_at > start:
            # The running hash swallowed bytes that will be replaced.
            self._whole, self._whole_at = hashlib.sha256(), -1
        # On with the next block; a bad one begins anew when it is asked for again.
        self._begin(min(block + 1, len(self._hashes) - 1))
        return 0 if right else stop - start

    def _read_back(self) -> None:
        size = min(os.fstat(self._fd).st_size, self.entry.size)
        at = 0
        while at < size:
            try:
                raw = os.pread(self._fd, min(_READ, size - at), at)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                # A spot that does not read is missing; writing it anew may heal it.
                block = at // self._block + 1
                at = block * self._block
                self._begin(min(block, len(self._hashes) - 1))
                continue
            if not raw:
                break
            self._feed(at, raw)
            at += len(raw)
        if not self.entry.size:
            self._good.add(0)

    def _feed(self, at: int, raw: bytes) -> None:
        view = memoryview(raw)
        while view:
            block = at // self._block
            piece = view[: self._span(block)[1] - at]
            self._hash_piece(at, piece, block)
            at += len(piece)
            view = view[len(piece) :]

    def _digest(self) -> str:
        if self._whole_at == self.entry.size:
            return self._whole.hexdigest()
        return _hash_range(self._fd, 0, self.entry.size).hexdigest()


def sync_names(store: Store, names: Iterable[str]) -> None:
    """Make the pool's names of these blobs durable: once for all or per folder, before activation.

    Raises:
        OSError: the disk refused.
    """
    folders = {store.path(sha256).parent for sha256 in names}
    sync = sync_file_system() if len(folders) > _FEW_FOLDERS else None
    if sync is not None:
        fd = os.open(store.root, os.O_RDONLY | os.O_CLOEXEC)
        try:
            sync(fd)
        finally:
            os.close(fd)
        return
    for folder in folders:
        sync_folder(folder)
    if folders:
        sync_folder(store.root / "blobs")


def sync_file_system() -> Callable[[int], None] | None:
    """A function that writes out the file system of a descriptor, or None.

    Before Linux 5.8 `syncfs` kept the errors of writing to itself.
    """
    kernel = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if not sys.platform.startswith("linux") or kernel is None:
        return None
    if (int(kernel[1]), int(kernel[2])) < (5, 8):
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return None

    def sync(fd: int) -> None:
        if call(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    return sync


def _hash_range(fd: int, start: int, stop: int) -> hashlib._Hash:
    found = hashlib.sha256()
    while start < stop:
        raw = os.pread(fd, min(_READ, stop - start), start)
        if not raw:
            break
        found.update(raw)
        start += len(raw)
    return found


def _folders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []


def _remove(path: Path) -> int:
    try:
        size = path.stat().st_size
        path.unlink()
    except OSError:
        return 0
    return size


def megabytes(size: int) -> str:
    """A number of bytes as people read it."""
    return f"{size / 1_000_000:.1f} MB"
