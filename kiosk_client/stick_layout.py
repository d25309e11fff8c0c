"""How the signed repository lies on a stick, and reading blobs from there.

The layout is the repository's own, below `lampisterie/repository`; a blob too
large for FAT lies there in numbered parts (docs/package-format.md, section 6).
Reading believes nothing: what a stick says ends up in the pool only as blocks
that hash to what the manifest names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kiosk_client.errors import DamagedTransfer, KioskError, StickTrouble, from_os_error
from kiosk_client.folder import CHUNK, NEW, Folder
from kiosk_client.store import Partial, Store
from package_format.layout import BLOCK_SIZE, CHANNELS, blob_path, is_slug
from package_format.manifest import ManifestFile

PLACE = "lampisterie/repository"
PART_SIZE = 1023 * BLOCK_SIZE
"""Bytes of a part: whole blocks, and a little less than the 4 GiB at which FAT ends."""
MOST_PARTS = 999

_PLACES = (PLACE, "repository", "")
_METADATA = re.compile(r"(?:[1-9][0-9]*\.(?:root|targets|snapshot)|timestamp)\.json")
_TARGET = re.compile(rf"[0-9a-f]{{64}}\.(?:{'|'.join(CHANNELS)})\.json(?:\.gz)?")
_BLOB = re.compile(r"[0-9a-f]{64}(?:\.gz|\.[0-9]{3})?")


@dataclass(frozen=True, slots=True)
class Stick:
    """A repository below an open folder. `base` is its path there, empty for the folder itself."""

    folder: Folder
    base: str

    def path(self, name: str) -> str:
        """The path below the folder of `name`, a path of the repository."""
        return f"{self.base}/{name}" if self.base else name

    @property
    def metadata(self) -> Path:
        """The folder of the metadata, for a reader that opens files by itself."""
        return self.folder.root / self.path("metadata")

    @property
    def is_finished(self) -> bool:
        """Whether its export came to its end: the timestamp is written last."""
        return self.folder.size(self.path("metadata/timestamp.json")) is not None

    def pieces(self, sha256: str, size: int) -> tuple[tuple[str, int], ...] | None:
        """The files (path, bytes) that make up a blob, in order; None when they are not all there.

        Raises:
            StickTrouble: the stick does not answer.
        """
        whole = self.path(blob_path(sha256))
        if self.folder.size(whole) == size:
            return ((whole, size),)
        found: list[tuple[str, int]] = []
        total = 0
        for number in range(1, MOST_PARTS + 1):
            path = part_path(whole, number)
            length = self.folder.size(path)
            if not length:
                return None
            found.append((path, length))
            total += length
            if total >= size:
                break
        return tuple(found) if total == size else None


def part_path(blob: str, number: int) -> str:
    """The path of part `number`, from 1, of the blob at `blob`."""
    return f"{blob}.{number:03d}"


def find_stick(folder: Folder) -> Stick:
    """The repository in `folder`: where an export puts it, or a repository copied by hand.

    Raises:
        StickTrouble: there is none, or the stick does not answer.
    """
    for base in _PLACES:
        stick = Stick(folder, base)
        if stick.is_finished:
            return stick
    for base in _PLACES:
        # An export that was cut short still has blobs to give.
        stick = Stick(folder, base)
        if folder.names(stick.path("blobs")):
            return stick
    raise StickTrouble(
        f"expected {PLACE} in {folder.root}, got no such folder: "
        "make a stick with `kiosk-client export`"
    )


def repository_files(folder: Folder, base: str) -> Iterator[str]:
    """The paths of a repository on a stick that an export may have written; of nothing else.

    Raises:
        StickTrouble: the stick does not answer.
    """
    metadata, targets, blobs = f"{base}/metadata", f"{base}/targets/packages", f"{base}/blobs"
    for name in folder.names(metadata):
        if _METADATA.fullmatch(name.removesuffix(NEW)):
            yield f"{metadata}/{name}"
    for package in folder.names(targets):
        if is_slug(package):
            for name in folder.names(f"{targets}/{package}"):
                if _TARGET.fullmatch(name.removesuffix(NEW)):
                    yield f"{targets}/{package}/{name}"
    for shelf in folder.names(blobs):
        if re.fullmatch("[0-9a-f]{2}", shelf):
            for name in folder.names(f"{blobs}/{shelf}"):
                if _BLOB.fullmatch(name.removesuffix(NEW)) and name.startswith(shelf):
                    yield f"{blobs}/{shelf}/{name}"


@dataclass(slots=True)
class Copied:
    """What a stick gave: bytes, and the files that it has not or that are damaged there."""

    size: int = 0
    absent: list[ManifestFile] = field(default_factory=list)
    damaged: list[ManifestFile] = field(default_factory=list)

    @property
    def left(self) -> list[ManifestFile]:
        """The files that must come from elsewhere."""
        return [*self.absent, *self.damaged]


def copy_blobs(
    stick: Stick,
    store: Store,
    files: Sequence[ManifestFile],
    progress: Callable[[int], None] = lambda size: None,
) -> Copied:
    """Copy blobs from a stick into the pool, each block proven on the way.

    A file the stick has not, or has damaged, is no error here: it is named in
    the answer, and what of it was right stays as a part.

    Raises:
        StickTrouble: the stick does not answer any more.
        KioskError: this device's disk refused.
    """
    done = Copied()
    for entry in files:
        pieces = stick.pieces(entry.sha256, entry.size)
        if pieces is None:
            done.absent.append(entry)
            continue
        try:
            done.size += _copy_blob(stick, store, entry, pieces, progress)
        except DamagedTransfer:
            done.damaged.append(entry)
    return done


def _copy_blob(
    stick: Stick,
    store: Store,
    entry: ManifestFile,
    pieces: Sequence[tuple[str, int]],
    progress: Callable[[int], None],
) -> int:
    copied = 0
    try:
        partial = Partial(store, entry)
        try:
            while (wanted := partial.next_range()) is not None:
                at, stop = wanted
                wrong = 0
                for chunk in _read(stick.folder, pieces, at, stop):
                    wrong += partial.write(at, chunk)
                    at += len(chunk)
                    copied += len(chunk)
                    progress(len(chunk))
                if wrong or at < stop:
                    progress(-wrong)
                    raise DamagedTransfer(f"expected {entry.path} on the stick, got other bytes")
            partial.finish()
        finally:
            partial.close()
    except KioskError:
        raise
    except OSError as error:
        raise from_os_error(error) from error
    return copied


def _read(
    folder: Folder, pieces: Sequence[tuple[str, int]], start: int, stop: int
) -> Iterator[bytes]:
    """Bytes `start` to `stop` of a blob; fewer when its files end before."""
    begin = 0
    for path, length in pieces:
        end = begin + length
        if end > start and begin < stop:
            with folder.reading(path) as fd:
                if fd is None:
                    return
                at = max(start, begin)
                while at < min(stop, end):
                    chunk = folder.pread(fd, min(CHUNK, min(stop, end) - at), at - begin)
                    if not chunk:
                        return
                    yield chunk
                    at += len(chunk)
        begin = end
