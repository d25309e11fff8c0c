"""Taking bytes in: a stream becomes a file named by its SHA-256, or nothing at all.

The bytes are hashed while they are read, into a part file beside their last place, and get
their name only once they are whole, accepted and on the disk.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from content_api.problems import BadRequest, TooLarge

CHUNK = 1024 * 1024
"""Bytes read at a time."""


class Readable(Protocol):
    """What bytes come from: a request's body or an open file."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has come whole, still under its part name."""

    part: Path
    sha256: str
    size: int


class ShortBody(BadRequest):
    """Fewer bytes came than were announced."""

    code = "short-body"


@contextmanager
def receive(
    folder: Path, stream: Readable, *, declared: int | None, limit: int
) -> Iterator[Received]:
    """Read `stream` to a part file in `folder`; the file is gone at the end unless kept.

    Raises:
        TooLarge: `declared` or what comes is over `limit` bytes; when it is `declared`,
            not a byte was read.
        ShortBody: fewer bytes came than `declared`.
        OSError: the disk refused, e.g. full.
    """
    if declared is not None and declared > limit:
        raise TooLarge(
            f"The file is announced with {declared} bytes: expected at most {limit}.",
            details={"limit": limit},
        )
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{os.getpid()}-{token_hex(8)}.part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        digest, size = hashlib.sha256(), 0
        with os.fdopen(handle, "wb") as file:
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise TooLarge(
                        f"The file goes on beyond {limit} bytes, the most that is taken.",
                        details={"limit": limit},
                    )
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if declared is not None and size != declared:
            raise ShortBody(f"The file was announced with {declared} bytes and {size} came.")
        yield Received(part, digest.hexdigest(), size)
    finally:
        part.unlink(missing_ok=True)


def keep(folder: Path, received: Received) -> Path:
    """Give a received file its lasting name, `ab/<sha256>` below `folder`; once is enough.

    Raises:
        OSError: the disk refused.
    """
    path = folder / received.sha256[:2] / received.sha256
    if path.exists() and path.stat().st_size == received.size:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(received.part, path)
    _sync_folder(path.parent)
    return path


def keep_bytes(folder: Path, raw: bytes, sha256: str) -> Path:
    """Store `raw`, whose SHA-256 is `sha256`, as `keep` would.

    Raises:
        OSError: the disk refused.
    """
    path = folder / sha256[:2] / sha256
    if path.exists() and path.stat().st_size == len(raw):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return path


def keep_link(folder: Path, source: Path, sha256: str, size: int) -> Path:
    """Put the stored file `source` also below `folder`, without a copy where that is possible.

    Raises:
        OSError: the disk refused.
    """
    path = folder / sha256[:2] / sha256
    if path.exists() and path.stat().st_size == size:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{token_hex(8)}.part")
    try:
        try:
            os.link(source, part)
        except OSError:
            with source.open("rb") as reader, part.open("xb") as writer:
                while chunk := reader.read(CHUNK):
                    writer.write(chunk)
                writer.flush()
                os.fsync(writer.fileno())
        os.replace(part, path)
        # rename() between two names of one file does nothing and leaves both.
        part.unlink(missing_ok=True)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return path


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
