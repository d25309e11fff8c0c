"""Making a file ready: received, told apart, measured, encoded, stored. No database.

This is where the time goes, so it happens outside any transaction: a film that takes
minutes to arrive must not keep everybody else from saving.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from content_api.media import images
from content_api.media.errors import FileDamaged
from content_api.media.facts import read_facts
from content_api.media.intake import Readable, Received, keep, keep_bytes, keep_link, receive
from content_api.media.sniff import Content, Format, sniff
from content_api.problems import ContentError
from content_api.settings import Settings
from package_format.canonical import sha256_hex
from package_format.layout import BLOCK_SIZE, block_count

WORKERS = 2
"""Pictures encoded at once. libvips keeps to one thread for each (see `images`)."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One encoding, stored under its SHA-256. `blocks` are hashes of 4 MiB blocks if it has any."""

    name: str
    media_type: str
    sha256: str
    size: int
    width: int | None = None
    height: int | None = None
    profiles: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """An accepted file: original and encodings lie on the disk, no row names them yet."""

    format: Format
    sha256: str
    size: int
    width: int | None
    height: int | None
    duration: float | None
    facts: dict[str, Any] = field(default_factory=dict)
    encodings: tuple[Encoded, ...] = ()


def prepare(
    settings: Settings, stream: Readable, *, declared: int | None, limit: int | None = None
) -> Prepared:
    """Read, judge, encode and store a file. A refused file leaves nothing on the disk.

    `declared` is the number of bytes announced; `limit` the most that is taken, else the
    server's `max_upload`.

    Raises:
        TooLarge: more bytes or pixels than allowed.
        ShortBody: fewer bytes than announced.
        TypeNotAccepted, FileDamaged: see `sniff`.
        OSError: the disk refused.
    """
    bound = settings.max_upload if limit is None else limit
    with receive(settings.originals_dir, stream, declared=declared, limit=bound) as received:
        return _judge(settings, received)


def prepare_path(settings: Settings, path: Path) -> Prepared:
    """`prepare` for a file on this machine."""
    with path.open("rb") as stream:
        return prepare(settings, stream, declared=None)


def prepare_paths(
    settings: Settings,
    paths: Mapping[str, Path],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Prepared]:
    """`prepare_path` for many files, several at once; by the keys of `paths`.

    The first refusal ends it, with the file's name in front of its message.
    """
    made: dict[str, Prepared] = {}
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="encode") as pool:
        waiting = {key: pool.submit(_prepare_named, settings, path) for key, path in paths.items()}
        try:
            for key, future in waiting.items():
                made[key] = future.result()
                if progress is not None:
                    progress(len(made), len(paths))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return made


def _prepare_named(settings: Settings, path: Path) -> Prepared:
    try:
        return prepare_path(settings, path)
    except ContentError as error:
        raise type(error)(f"{path.name}: {error.message}", details=error.details) from error


def _judge(settings: Settings, received: Received) -> Prepared:
    with _mapped(received) as content:
        found = sniff(content)
        facts = None if found.kind == "image" else read_facts(content, found)
        blocks = _block_hashes(content) if facts is not None else ()
    if facts is None:
        width, height = images.measure(received.part, found, max_pixels=settings.max_pixels)
        made = images.encode(received.part, found, max_pixels=settings.max_pixels)
        keep(settings.originals_dir, received)
        for encoding in made:
            keep_bytes(settings.renditions_dir, encoding.raw, encoding.sha256)
        encodings = tuple(
            Encoded(
                encoding.name,
                encoding.media_type,
                encoding.sha256,
                len(encoding.raw),
                encoding.width,
                encoding.height,
                encoding.profiles,
                _block_hashes(encoding.raw),
            )
            for encoding in made
        )
        return Prepared(
            found, received.sha256, received.size, width, height, None, encodings=encodings
        )
    path = keep(settings.originals_dir, received)
    keep_link(settings.renditions_dir, path, received.sha256, received.size)
    whole = Encoded(
        f"original.{found.extension}",
        found.media_type,
        received.sha256,
        received.size,
        facts.width,
        facts.height,
        blocks=blocks,
    )
    return Prepared(
        found,
        received.sha256,
        received.size,
        facts.width,
        facts.height,
        facts.duration,
        facts.more,
        (whole,),
    )


@contextmanager
def _mapped(received: Received) -> Iterator[Content]:
    if not received.size:
        raise FileDamaged("The file is empty.")
    with (
        received.part.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        yield content


def _block_hashes(content: Content) -> tuple[str, ...]:
    return tuple(
        sha256_hex(content[number * BLOCK_SIZE : (number + 1) * BLOCK_SIZE])
        for number in range(block_count(len(content)))
    )
