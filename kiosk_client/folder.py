"""A folder that is not ours to believe: a stick's, which may lie, fill up or be pulled out.

Every path is walked from one open folder without following a link, so nothing
on a stick leads elsewhere; a pipe or a device in the place of a file is refused
without waiting for it. Names are ASCII and lower case, as FAT wants them. Needs
neither links nor modes, and no time finer than a day.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import mmap
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from kiosk_client.durable import write_all
from kiosk_client.errors import DiskFull, KioskError, StickTrouble

T = TypeVar("T")

CHUNK = 1024 * 1024
NEW = ".new"
"""Ends the name of a file that is being written; nothing reads it."""

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY


class Folder:
    """An open folder and what lies below it. Paths are relative, with `/`. One thread at a time."""

    def __init__(self, root: Path) -> None:
        """Open `root`, through links if the person who named it did so.

        Raises:
            StickTrouble: it is no folder that this user may open.
        """
        self.root = root
        try:
            self._fd = os.open(root, _FOLDER)
        except OSError as error:
            raise StickTrouble(
                f"expected a folder on a stick at {root}, got: {error.strerror}: "
                "is the stick plugged in and mounted?"
            ) from error

    def close(self) -> None:
        """Close it; a stick with an open folder cannot be unmounted."""
        _close(self._fd)
        self._fd = -1

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def free(self) -> int:
        """Bytes a user may still write."""
        found = self._ask(os.fstatvfs, self._fd)
        return int(found.f_bavail * found.f_frsize)

    @property
    def cluster(self) -> int:
        """Bytes in which room is given out: a file of one byte takes that many."""
        found = self._ask(os.fstatvfs, self._fd)
        return max(512, int(found.f_frsize), min(int(found.f_bsize), 1024 * 1024))

    def size(self, path: str) -> int | None:
        """Size in bytes of the regular file at `path`; None when there is none.

        Raises:
            StickTrouble: the stick does not answer.
        """
        with self._parent(path) as (parent, name):
            if parent is None:
                return None
            try:
                found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            except OSError as error:
                if error.errno in _ABSENT:
                    return None
                raise self._trouble(error) from error
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def names(self, path: str) -> list[str]:
        """The names in the folder at `path`, sorted; none when there is no such folder.

        Raises:
            StickTrouble: the stick does not answer.
        """
        with self._parent(f"{path}/x" if path else "x") as (parent, _):
            if parent is None:
                return []
            return sorted(self._ask(os.listdir, parent))

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[int | None]:
        """A descriptor of the regular file at `path`, open for reading; None when there is none.

        Raises:
            StickTrouble: the stick does not answer.
        """
        with self._parent(path) as (parent, name):
            fd = -1
            if parent is not None:
                try:
                    fd = os.open(name, _READ, dir_fd=parent)
                except OSError as error:
                    # A socket cannot be opened at all.
                    if error.errno not in (*_ABSENT, errno.ENXIO):
                        raise self._trouble(error) from error
        try:
            is_file = fd >= 0 and stat.S_ISREG(self._ask(os.fstat, fd).st_mode)
            yield fd if is_file else None
        finally:
            _close(fd)

    def read(self, path: str, limit: int) -> bytes | None:
        """The whole of a file of at most `limit` bytes; None when there is none, or a larger one.

        Raises:
            StickTrouble: the stick does not answer.
        """
        with self.reading(path) as fd:
            if fd is None:
                return None
            out = bytearray()
            while chunk := self.pread(fd, min(CHUNK, limit + 1 - len(out)), len(out)):
                out += chunk
                if len(out) > limit:
                    return None
            return bytes(out)

    def pread(self, fd: int, size: int, at: int) -> bytes:
        """Up to `size` bytes at `at` of a file opened by `reading`.

        Raises:
            StickTrouble: the stick does not answer.
        """
        return self._ask(os.pread, fd, size, at)

    def put(self, path: str, size: int, chunks: Callable[[], Iterator[bytes]]) -> str:
        """Write a file of `size` bytes and read it back from the stick; its SHA-256.

        It has its name only when what lies on the stick is what was written.
        `chunks` is called once more when it is not.

        Raises:
            DiskFull: the stick has no room left.
            StickTrouble: the stick does not answer, takes no writes, or gives back other bytes.
        """
        self._make_folders(path)
        with self._parent(path) as (parent, name):
            if parent is None:
                raise StickTrouble(
                    f"expected a folder for {path} on the stick, got a link or a file in its place"
                )
            try:
                written = self._write(parent, name + NEW, chunks(), size)
                if self._hash(parent, name + NEW) != written:
                    written = self._write(parent, name + NEW, chunks(), size)
                    if self._hash(parent, name + NEW) != written:
                        raise StickTrouble(
                            f"expected the stick to give back {path} as written, "
                            "got other bytes: use another stick"
                        )
                self._rename(parent, name + NEW, name)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.unlink(name + NEW, dir_fd=parent)
                raise self._trouble(error) from error
        return written

    def hash(self, path: str) -> str | None:
        """SHA-256 of the file at `path`, read from the stick itself; None when there is none.

        Raises:
            StickTrouble: the stick does not answer.
        """
        with self._parent(path) as (parent, name):
            if parent is None:
                return None
            try:
                return self._hash(parent, name)
            except OSError as error:
                if error.errno in _ABSENT:
                    return None
                raise self._trouble(error) from error

    def remove(self, path: str) -> bool:
        """Remove the file at `path`; whether there was one.

        Raises:
            StickTrouble: the stick does not answer, or takes no writes.
        """
        with self._parent(path) as (parent, name):
            if parent is None:
                return False
            try:
                os.unlink(name, dir_fd=parent)
            except OSError as error:
                if error.errno in (*_ABSENT, errno.EISDIR):
                    return False
                raise self._trouble(error) from error
            return True

    def settle(self, paths: Iterable[str] = ()) -> None:
        """Make the names in the folders `paths` durable, where the file system can."""
        for path in ("", *paths):
            with self._parent(f"{path}/x" if path else "x") as (parent, _):
                if parent is not None:
                    with contextlib.suppress(OSError):
                        os.fsync(parent)

    def _write(self, parent: int, name: str, chunks: Iterator[bytes], size: int) -> str:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o644, dir_fd=parent)
        try:
            found = hashlib.sha256()
            at = 0
            for chunk in chunks:
                write_all(fd, chunk, at)
                found.update(chunk)
                at += len(chunk)
            if at != size:
                raise KioskError(f"expected {size} bytes for {name}, got {at}")
            os.fsync(fd)
            # What is read back must come from the stick, not from memory.
            with contextlib.suppress(OSError):
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except BaseException:
            _close(fd)
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=parent)
            raise
        os.close(fd)
        return found.hexdigest()

    def _hash(self, parent: int, name: str) -> str:
        direct = getattr(os, "O_DIRECT", 0)
        for flags in (_READ | direct, _READ):
            try:
                fd = os.open(name, flags, dir_fd=parent)
            except OSError as error:
                if error.errno == errno.EINVAL and flags != _READ:
                    continue
                raise
            try:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise OSError(errno.ENOENT, "no regular file", name)
                return _hash_open(fd)
            except OSError as error:
                if error.errno != errno.EINVAL or flags == _READ:
                    raise
            finally:
                _close(fd)
        raise AssertionError("unreachable")

    def _rename(self, parent: int, name: str, target: str) -> None:
        try:
            os.replace(name, target, src_dir_fd=parent, dst_dir_fd=parent)
        except OSError as error:
            # Some FAT drivers do not rename over a file that is there.
            if error.errno not in (errno.EEXIST, errno.EPERM, errno.EACCES):
                raise
            os.unlink(target, dir_fd=parent)
            os.rename(name, target, src_dir_fd=parent, dst_dir_fd=parent)

    def _make_folders(self, path: str) -> None:
        parts = path.split("/")[:-1]
        for depth in range(len(parts)):
            with self._parent("/".join(parts[: depth + 1])) as (parent, name):
                if parent is None:
                    return
                try:
                    os.mkdir(name, dir_fd=parent)
                except FileExistsError:
                    continue
                except OSError as error:
                    raise self._trouble(error) from error

    @contextlib.contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int | None, str]]:
        """The open folder that holds `path`, and the last name; None when there is no such one."""
        *folders, name = path.split("/")
        fd = self._ask(os.dup, self._fd)
        try:
            for folder in folders:
                try:
                    below = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
                except OSError as error:
                    if error.errno not in _ABSENT:
                        raise self._trouble(error) from error
                    yield None, name
                    return
                _close(fd)
                fd = below
            yield fd, name
        finally:
            _close(fd)

    def _ask(self, call: Callable[..., T], *arguments: object) -> T:
        try:
            return call(*arguments)
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> KioskError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(f"expected room on the stick at {self.root}, got none left")
        if error.errno == errno.EFBIG:
            return StickTrouble(
                f"expected a stick that takes files of this size at {self.root}, got: too large"
            )
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return StickTrouble(
                f"expected a stick this user may use at {self.root}, got: {error.strerror}"
            )
        return StickTrouble(
            f"expected the stick at {self.root} to answer, got: {error.strerror or error}: "
            "was it pulled out? Put it in and start again"
        )


def _close(fd: int) -> None:
    """Close a descriptor that was read or synced; a dead file system complains even then."""
    if fd >= 0:
        with contextlib.suppress(OSError):
            os.close(fd)


def _hash_open(fd: int) -> str:
    # O_DIRECT wants memory on a page boundary, which an anonymous map gives.
    with mmap.mmap(-1, CHUNK) as space:
        found = hashlib.sha256()
        at = 0
        while count := os.preadv(fd, [space], at):
            found.update(memoryview(space)[:count])
            at += count
            if count < CHUNK:
                # The end: past it, O_DIRECT refuses to look.
                break
        if at != os.fstat(fd).st_size:
            raise OSError(errno.EINVAL, "not read to its end")
        return found.hexdigest()
