"""Where the repository's bytes are written, so that a power cut leaves all of a file or none.

Every file is written beside its place, synced, renamed, and its folder synced. Blobs and
manifests are named by their own SHA-256 and never change, so one that is there is kept.
What a file means is not decided here: see `metadata` and `packages`.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from secrets import token_hex

from content_api.problems import ContentError
from package_format.canonical import sha256_hex
from package_format.layout import blob_path, target_file

CHUNK = 1024 * 1024
"""Bytes read at a time."""

_PART = re.compile(r"\..+\.part")
_BLOB = re.compile(r"[0-9a-f]{64}")


class RepositoryDamaged(ContentError):
    """A file of the repository is missing or does not hold the bytes its name promises."""

    code = "repository-damaged"
    status = 500  # type: ignore[assignment]


def write_atomically(path: Path, raw: bytes, *, mode: int = 0o644) -> None:
    """Put `raw` at `path`, replacing what is there, with all of it on the disk afterwards.

    Raises:
        OSError: the disk refused, e.g. full; `path` is then as it was.
    """
    _replace(path, raw, mode)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_document(repository: Path, raw: bytes) -> tuple[str, bool]:
    """Store a JSON document as a blob with its gzip sibling.

    Returns its SHA-256 and whether anything was written.
    """
    return sha256_hex(raw), bool(write_documents(repository, [raw]))


def write_documents(repository: Path, documents: Iterable[bytes]) -> int:
    """Store JSON documents as blobs with gzip siblings; returns how many were new.

    Folders are synced once at the end: only then does anything name these files.
    """
    folders: dict[Path, None] = {}
    count = 0
    for raw in documents:
        path = repository / blob_path(sha256_hex(raw))
        if not _holds(path, len(raw)):
            _write_with_gzip(path, raw)
            folders[path.parent] = None
            count += 1
    for folder in folders:
        sync_folder(folder)
    return count


def write_manifest(repository: Path, target: str, raw: bytes) -> str:
    """Store a manifest under its consistent-snapshot name, with its gzip sibling."""
    sha256 = sha256_hex(raw)
    path = repository / target_file(target, sha256)
    if not _holds(path, len(raw)):
        _write_with_gzip(path, raw)
        sync_folder(path.parent)
    return sha256


def add_blob(repository: Path, sha256: str, size: int, source: Path) -> bool:
    """Take the file `source` into the repository as blob `sha256`; say whether it was new.

    The bytes are hashed on the way. They are linked, not copied, where the file system
    allows, because renditions never change either.

    Raises:
        RepositoryDamaged: `source` is missing or does not hold those bytes.
        OSError: the disk refused.
    """
    path = repository / blob_path(sha256)
    if _holds(path, size):
        return False
    try:
        found = hash_file(source)
    except FileNotFoundError as error:
        raise RepositoryDamaged(f"rendition {sha256}: the file is missing") from error
    if found != (sha256, size):
        raise RepositoryDamaged(
            f"rendition {sha256}: expected {size} bytes of that hash, got {found[1]} of {found[0]}"
        )
    part = _part_beside(path)
    try:
        try:
            os.link(source, part)
        except OSError:
            _write_synced(part, read_chunks(source), 0o644)
        else:
            part.chmod(0o644)
            _sync_file(part)
        os.replace(part, path)
        # rename() of two names of one file does nothing, and then the part is still there.
        part.unlink(missing_ok=True)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return True


def read_blob(repository: Path, sha256: str) -> bytes:
    """A blob's bytes, checked against its name.

    Raises:
        RepositoryDamaged: it is missing or its bytes are others.
    """
    return _read_checked(repository / blob_path(sha256), sha256)


def read_target(repository: Path, target: str, sha256: str) -> bytes:
    """A manifest's bytes, checked against the hash.

    Raises:
        RepositoryDamaged: it is missing or its bytes are others.
    """
    return _read_checked(repository / target_file(target, sha256), sha256)


def hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file."""
    digest, size = hashlib.sha256(), 0
    for chunk in read_chunks(path):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def block_hashes(path: Path, block_size: int) -> tuple[str, ...]:
    """SHA-256 of each block of `block_size` bytes, the last one shorter."""
    found = []
    with path.open("rb") as file:
        while block := file.read(block_size):
            found.append(sha256_hex(block))
    return tuple(found)


def read_chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes, a chunk at a time."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def gzip_bytes(raw: bytes) -> bytes:
    """`raw` compressed; the same bytes each time, because no time of day is written in."""
    return gzip.compress(raw, compresslevel=9, mtime=0)


def stored_blobs(repository: Path) -> Iterator[tuple[str, Path]]:
    """Every blob that is there: its name and its file."""
    for path in sorted((repository / "blobs").glob("??/*")):
        if _BLOB.fullmatch(path.name) and path.parent.name == path.name[:2]:
            yield path.name, path


def sweep_blobs(repository: Path, keep: set[str], *, min_age: float, now: float) -> tuple[int, int]:
    """Remove blobs not in `keep` that are older than `min_age` seconds, and forgotten part files.

    The age guard is for a device that is still fetching what an older timestamp named.
    Returns how many blobs went and how many bytes.
    """
    count = total = 0
    for sha256, path in list(stored_blobs(repository)):
        status = path.stat()
        # A linked rendition keeps its old mtime; linking it here set its ctime.
        age = now - max(status.st_mtime, status.st_ctime)
        if sha256 in keep or age < min_age:
            continue
        path.unlink()
        path.with_name(f"{sha256}.gz").unlink(missing_ok=True)
        count, total = count + 1, total + status.st_size
    for part in repository.rglob(".*.part"):
        if _PART.fullmatch(part.name) and now - part.stat().st_mtime > min_age:
            part.unlink(missing_ok=True)
    return count, total


def _write_with_gzip(path: Path, raw: bytes) -> None:
    # The sibling first: once the plain file is there nothing comes back to write the other.
    compressed = gzip_bytes(raw)
    if len(compressed) < len(raw):
        _replace(path.with_name(path.name + ".gz"), compressed, 0o644)
    _replace(path, raw, 0o644)


def _replace(path: Path, raw: bytes, mode: int) -> None:
    part = _part_beside(path)
    try:
        _write_synced(part, [raw], mode)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _holds(path: Path, size: int) -> bool:
    # Names are hashes and files appear whole or not at all, so the size is enough here;
    # `verify` hashes everything.
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _ensure_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _ensure_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _part_beside(path: Path) -> Path:
    _ensure_folder(path.parent)
    return path.with_name(f".{path.name}.{os.getpid()}-{token_hex(4)}.part")


def _write_synced(path: Path, chunks: Iterable[bytes], mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_checked(path: Path, sha256: str) -> bytes:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise RepositoryDamaged(f"repository: {path.name} is missing") from error
    if sha256_hex(raw) != sha256:
        raise RepositoryDamaged(f"repository: {path.name} does not hold the bytes of its name")
    return raw


def file_age(path: Path, now: float | None = None) -> float:
    """Seconds since `path` was written."""
    return (time.time() if now is None else now) - path.stat().st_mtime
