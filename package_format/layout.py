"""Where things lie in a repository, and which names are allowed.

Paths here are always relative, POSIX, ASCII and lower case: they must survive
FAT, a URL and a file system that folds case. They are built from our own ids and
digests, never from a string a client sent.
"""

from __future__ import annotations

import hashlib
import re

from package_format.canonical import is_sha256

BLOCK_SIZE = 4 * 1024 * 1024
"""Bytes in one block: a larger file carries a hash for each."""

CHANNELS = ("live", "preview")
ENTRIES_PER_SHARD = 8
MAX_PATH = 200

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SEGMENT = re.compile(r"[a-z0-9][a-z0-9._-]*")


def is_slug(text: object) -> bool:
    """Whether `text` may name a package, an entry or an asset: words of a-z0-9 joined by `-`."""
    return isinstance(text, str) and len(text) <= 64 and _SLUG.fullmatch(text) is not None


def is_file_path(text: object) -> bool:
    """Whether `text` may be the path of a file in a manifest."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= MAX_PATH
        and all(_SEGMENT.fullmatch(segment) for segment in text.split("/"))
    )


def blob_path(sha256: str) -> str:
    """Path of a blob below the repository: `blobs/3a/3a7b…`.

    Raises:
        ValueError: `sha256` is not 64 lower-case hexadecimal digits.
    """
    if not is_sha256(sha256):
        raise ValueError(f"expected a SHA-256 in 64 lower-case hex digits, got {sha256!r}")
    return f"blobs/{sha256[:2]}/{sha256}"


def manifest_target(package: str, channel: str) -> str:
    """Name of a manifest as a TUF target: `packages/harbour/live.json`.

    Raises:
        ValueError: not a slug, or not a known channel.
    """
    if not is_slug(package):
        raise ValueError(f"expected a package slug such as 'harbour', got {package!r}")
    if channel not in CHANNELS:
        raise ValueError(f"expected channel live or preview, got {channel!r}")
    return f"packages/{package}/{channel}.json"


def target_file(target: str, sha256: str) -> str:
    """Path of a target's file below the repository, with TUF's consistent-snapshot prefix."""
    folder, _, name = target.rpartition("/")
    return f"targets/{folder}/{sha256}.{name}"


def bucket_count(members: int) -> int:
    """Number of shards for `members` entries and assets: a power of two, 1 to 65,536."""
    count = 1
    while count * ENTRIES_PER_SHARD < members and count < 65_536:
        count *= 2
    return count


def bucket_of(member_id: str, buckets: int) -> int:
    """The shard, 0 to `buckets` - 1, that holds the entry or asset `member_id`."""
    digest = hashlib.sha256(member_id.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") % buckets


def language_folder(tag: str) -> str:
    """Folder of a language's documents: the tag in lower case, as paths are."""
    return f"lang/{tag.lower()}"


def block_count(size: int) -> int:
    """Number of block hashes a file of `size` bytes carries: none up to one block."""
    return 0 if size <= BLOCK_SIZE else -(-size // BLOCK_SIZE)
