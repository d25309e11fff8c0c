"""Writing the signed repository on a USB stick, from what this device holds.

A filter over what this device accepted last, in the order in which publishing
writes: a stick pulled out amid it never promises what it has not. Every file is
read back from the stick before it has its name. Doing it again copies what is
missing and removes what nothing names, and touches no file of anybody else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kiosk_client import trust
from kiosk_client.activation import load_set, read_slots
from kiosk_client.config import RESERVE, Assignment, DataDir, Device, load_assignment, load_device
from kiosk_client.durable import exclusive
from kiosk_client.errors import (
    DiskFull,
    NoNetwork,
    NothingAssigned,
    NotTrusted,
    StickTrouble,
    StoreDamaged,
    from_os_error,
)
from kiosk_client.facts import stamp
from kiosk_client.folder import CHUNK, NEW, Folder
from kiosk_client.holdings import (
    LARGEST_ROOT,
    Metadata,
    keep_root_chain,
    kept_manifest,
    read_metadata,
)
from kiosk_client.plan import held_languages, needed_files
from kiosk_client.room import claimed
from kiosk_client.sources import Reach, fetch_document, fetch_from, root_reader
from kiosk_client.stick_layout import (
    MOST_PARTS,
    PART_SIZE,
    PLACE,
    Stick,
    part_path,
    repository_files,
)
from kiosk_client.store import Store, megabytes, prove, remove
from kiosk_client.watcher import Watcher
from kiosk_client.wire import Wire
from package_format.canonical import sha256_hex
from package_format.layout import blob_path, manifest_target, target_file
from package_format.manifest import Manifest, ManifestFile, parse_manifest, select_files

EVERY = "all"
"""As the only language, or as the profile: all of them."""
SPARE = 1024 * 1024
"""Bytes left free on a stick, for what its file system writes beside the files."""

_FETCH_AT_ONCE = 64 * 1024 * 1024
_LARGEST_MANIFEST = 64 * 1024 * 1024
_WAIT = 60.0
README = """\
Lampisterie
===========

This folder holds signed content for screens, as a kiosk wrote it. Its files
have no names a person would know: do not rename or change any. To use it, put
this stick into the device and import it, in the technician's page or with:

    kiosk-client import FOLDER_OF_THIS_STICK

Other files on this stick are nobody's business and are left alone.
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What a stick holds after an export, and what was done for it (sizes in bytes).

    `whole_chain`: every root from the first is on it, so that a device enrolled
    at any time can use it. `same_disk`: the folder is no stick, but lies on the
    disk of this device's own data.
    """

    releases: tuple[Manifest, ...]
    languages: tuple[str, ...]
    profile: str
    files: int
    size: int
    copied_files: int
    copied_bytes: int
    removed_files: int
    expires_at: datetime
    whole_chain: bool
    same_disk: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The result as `export --json` prints it."""
        return {
            "outcome": "exported",
            "releases": [
                {"package": one.package, "channel": one.channel, "release": one.release}
                for one in self.releases
            ],
            "languages": list(self.languages),
            "profile": self.profile,
            "files": self.files,
            "bytes": self.size,
            "copied_files": self.copied_files,
            "copied_bytes": self.copied_bytes,
            "removed_files": self.removed_files,
            "expires_at": stamp(self.expires_at),
            "whole_chain": self.whole_chain,
            "same_disk": self.same_disk,
            "seconds": round(self.seconds, 3),
        }


def export_stick(
    data: DataDir,
    folder: Path,
    *,
    languages: Sequence[str] | None = None,
    profile: str | None = None,
    wire: Wire | None = None,
    watcher: Watcher | None = None,
    part_size: int = PART_SIZE,
    reserve: int = RESERVE,
) -> Exported:
    """Make the stick at `folder` hold what this device accepted last, and nothing older of it.

    `languages` and `profile` are the device's own unless told; `all` means every
    one. What this device does not hold of them comes over `wire`, when given.
    True afterwards: every file was read back from the stick and is right. Other
    files on the stick are untouched. `part_size` is in bytes. The last folder
    of the path is made if only that is not there.

    Raises:
        NothingAssigned, StoreDamaged, NotTrusted: this device has nothing to hand on.
        NoNetwork: something must be fetched, and cannot be.
        DiskFull: the stick is too small; nothing was changed on it.
        StickTrouble: the stick does not take it.
        KioskError: anything else, with its code.
    """
    try:
        if folder.parent.is_dir() and not folder.exists():
            folder.mkdir()
        with exclusive(data.lock, wait=_WAIT), Folder(folder) as place:
            return _Export(
                data, place, wire, watcher or Watcher(), part_size, reserve, profile, languages
            ).run()
    except OSError as error:
        raise from_os_error(error) from error


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A release to put on the stick: its bytes, and the files chosen of it."""

    manifest: Manifest
    raw: bytes
    sha256: str
    files: tuple[ManifestFile, ...]

    @property
    def path(self) -> str:
        """Where its manifest lies in the repository."""
        target = manifest_target(self.manifest.package, self.manifest.channel)
        return target_file(target, self.sha256)


@dataclass(slots=True)
class _Export:
    data: DataDir
    folder: Folder
    wire: Wire | None
    watcher: Watcher
    part_size: int
    reserve: int
    profile: str | None
    languages: Sequence[str] | None
    copied_files: int = 0
    copied_bytes: int = 0
    _folders: set[str] = field(default_factory=set)

    def run(self) -> Exported:
        """Do it, with the lock held."""
        began = time.monotonic()
        device = load_device(self.data)
        assignment = load_assignment(self.data)
        if assignment is None:
            raise NothingAssigned(
                "expected a package assigned to this device, got none: run a sync first"
            )
        store = Store(self.data.root)
        reach = Reach(self.data, device, assignment)
        whole_chain = keep_root_chain(
            self.data,
            device,
            root_reader(reach.origin, self.wire) if self.wire else lambda version: None,
            trust.precedes,
        )
        metadata = self._metadata(device)
        profile = self.profile or assignment.profile
        asked = tuple(self.languages or assignment.languages)
        wanted = [
            self._release(reach, metadata, package, channel, profile, asked)
            for package, channel in self._packages(assignment, metadata)
        ]
        blobs = {entry.sha256: entry for one in wanted for entry in one.files}
        self._check_stick(metadata)
        self._fill(store, reach, metadata, wanted, list(blobs.values()))
        removed = self._tidy(metadata, wanted, list(blobs.values()))
        tags = (tag for one in wanted for tag in _tags(one.manifest, asked))
        return Exported(
            releases=tuple(one.manifest for one in wanted),
            languages=tuple(dict.fromkeys(tags)),
            profile=profile,
            files=len(blobs),
            size=sum(entry.size for entry in blobs.values()),
            copied_files=self.copied_files,
            copied_bytes=self.copied_bytes,
            removed_files=removed,
            expires_at=metadata.expires_at,
            whole_chain=whole_chain,
            same_disk=self._is_our_disk(),
            seconds=time.monotonic() - began,
        )

    def _is_our_disk(self) -> bool:
        return os.stat(self.folder.root).st_dev == os.stat(self.data.root).st_dev

    # Choosing

    def _packages(self, assignment: Assignment, metadata: Metadata) -> list[tuple[str, str]]:
        """What to export (package, channel): what is assigned, and what else plays here."""
        keys = [(assignment.package, assignment.channel)]
        for slot in read_slots(self.data).values():
            if slot.current is not None and (slot.package, slot.channel) not in keys:
                keys.append((slot.package, slot.channel))
        named = [key for key in keys if manifest_target(*key) in metadata.targets]
        if not named:
            raise StoreDamaged(
                f"expected a release of {assignment.package} in what this device accepted, "
                "got none: run `kiosk-client sync`"
            )
        return named

    def _metadata(self, device: Device) -> Metadata:
        """What was accepted last, after the whole client workflow over it once more."""
        metadata = read_metadata(self.data)
        if metadata is None:
            raise StoreDamaged(
                "expected signed metadata from an earlier sync, got none that fits together: "
                "run `kiosk-client sync`"
            )
        for left in self.data.root.glob(".export-*"):
            # Of an export that was killed; the lock is ours.
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=self.data.root, prefix=".export-") as place:
            kept, local = Path(place) / "kept", Path(place) / "local"
            kept.mkdir()
            for name, raw in metadata.files.items():
                (kept / name).write_bytes(raw)
            trust.refresh(
                metadata_dir=local,
                metadata_url="stick:/",
                root=device.root,
                fetcher=trust.FolderFetcher(kept),
                accepted=trust.Accepted(),
                at=trust.BUILT,
                ignore_expiry=True,
                retry=False,
            )
        return metadata

    def _release(
        self,
        reach: Reach,
        metadata: Metadata,
        package: str,
        channel: str,
        profile: str,
        asked: tuple[str, ...],
    ) -> _Wanted:
        target = manifest_target(package, channel)
        sha256 = metadata.targets[target]
        raw = kept_manifest(self.data, sha256) or self._fetch_manifest(reach, target, sha256)
        manifest = parse_manifest(raw)
        chosen = _tags(manifest, asked)
        files = (
            tuple(one for one in manifest.files if _meets(one, chosen))
            if profile == EVERY
            else select_files(manifest, profile, chosen)
        )
        return _Wanted(manifest, raw, sha256, files)

    # What this device has not

    def _fetch_manifest(self, reach: Reach, target: str, sha256: str) -> bytes:
        def check(raw: bytes) -> None:
            if sha256_hex(raw) != sha256:
                raise StoreDamaged(f"expected {target} as signed, got other bytes")

        if self.wire is None:
            raise StoreDamaged(
                "expected the newest release's list of files on this device, got none: "
                "run `kiosk-client sync`"
            )
        path = target_file(target, sha256)
        return fetch_document((reach.origin,), self.wire, path, _LARGEST_MANIFEST, check)

    def _fetch(
        self, store: Store, reach: Reach, files: Sequence[ManifestFile], keep: Collection[str]
    ) -> None:
        """Bring blobs that this device does not hold into its pool, for a moment."""
        if self.wire is None:
            raise NoNetwork(self._lacking(files))
        try:
            with claimed(store, files, self.reserve, keep=keep) as room:
                fetch_from(reach.ordered(), self.wire, room, files)
        except NoNetwork as error:
            raise NoNetwork(self._lacking(files)) from error

    @staticmethod
    def _lacking(files: Sequence[ManifestFile]) -> str:
        size = megabytes(sum(entry.size for entry in files))
        return (
            f"expected {len(files)} more files ({size}) from the network, got no connection: "
            "this device does not hold them; export its own languages and profile, "
            "or connect it"
        )

    # Writing

    def _check_stick(self, metadata: Metadata) -> None:
        """Refuse a stick that holds another repository: it would be neither afterwards."""
        for version in metadata.roots:
            name = f"{version}.root.json"
            there = self.folder.read(f"{PLACE}/metadata/{name}", LARGEST_ROOT)
            if there and there != metadata.files[name] and _is_root(there, version):
                raise StickTrouble(
                    f"expected an empty stick or one of this server, got one of another: "
                    f"remove the folder {PLACE.partition('/')[0]} from it first"
                )

    def _fill(
        self,
        store: Store,
        reach: Reach,
        metadata: Metadata,
        wanted: Sequence[_Wanted],
        blobs: Sequence[ManifestFile],
    ) -> None:
        """Write all that is missing: blobs first, the timestamp last."""
        # By name, so that each folder of the stick is filled once.
        blobs = sorted(blobs, key=lambda entry: entry.sha256)
        stick = Stick(self.folder, PLACE)
        there = [entry for entry in blobs if stick.pieces(entry.sha256, entry.size)]
        names = {entry.sha256 for entry in blobs}
        found = {entry.sha256 for entry in there}
        missing = [entry for entry in blobs if entry.sha256 not in found]
        if self.wire is None:
            # Said before the first byte is written.
            unheld = [one for one in missing if not prove(store, one.sha256, one.size)]
            if unheld:
                raise NoNetwork(self._lacking(unheld))
        for path in list(repository_files(self.folder, PLACE)):
            if path.endswith(NEW):
                # Of an export that was cut short; it only takes room.
                self.folder.remove(path)
        self._make_room(metadata, wanted, missing, names)
        own = self._own_blobs(wanted, reach.assignment)
        self.watcher.begin(len(blobs), sum(entry.size for entry in blobs))
        try:
            for entry in there:
                if self._is_right(stick, entry):
                    self.watcher.received(entry.size)
                else:
                    missing.append(entry)
            for group in _groups(missing):
                self._copy(store, reach, group, own, names)
        finally:
            self.watcher.end()
        self._put_small("lampisterie/README.txt", README.encode("ascii"))
        for one in wanted:
            self._put_small(f"{PLACE}/{one.path}", one.raw)
        # A stick that is pulled out from here on has all that its timestamp names.
        self.folder.settle(sorted(self._folders))
        last = "timestamp.json"
        for name in (*(name for name in metadata.files if name != last), last):
            self._put_small(f"{PLACE}/metadata/{name}", metadata.files[name])
        self.folder.settle((f"{PLACE}/metadata",))

    def _own_blobs(self, wanted: Sequence[_Wanted], assignment: Assignment | None) -> set[str]:
        """The blobs (SHA-256) this device needs itself, now or next."""
        own = {
            entry.sha256
            for one in wanted
            if assignment is not None
            for entry in needed_files(one.manifest, assignment.profile, assignment.languages)
        }
        for slot in read_slots(self.data).values():
            for chosen in slot.sets:
                loaded = load_set(self.data, chosen)
                own.update(entry.sha256 for entry in (loaded.files if loaded else ()))
        return own

    def _make_room(
        self,
        metadata: Metadata,
        wanted: Sequence[_Wanted],
        missing: Sequence[ManifestFile],
        named: set[str],
    ) -> None:
        """Make sure that it fits; where only the old release is in the way, it goes first."""
        cluster = self.folder.cluster
        small = [len(raw) for raw in metadata.files.values()] + [len(one.raw) for one in wanted]
        # Parts that are there already are written over, or kept if they are right.
        parts = [
            size
            for entry in missing
            for path, size in self._parts_of(entry)
            if self.folder.size(path) != size
        ]
        needed = sum(-(-size // cluster) * cluster for size in (*parts, *small)) + SPARE
        # A folder takes a cluster as well.
        needed += cluster * (8 + len({entry.sha256[:2] for entry in missing}))
        free = self.folder.free
        if free >= needed:
            return
        old = [
            path
            for path in repository_files(self.folder, PLACE)
            if "/blobs/" in path and path.rpartition("/")[2].partition(".")[0] not in named
        ]
        freed = sum(-(-(self.folder.size(path) or 0) // cluster) * cluster for path in old)
        if free + freed < needed:
            raise DiskFull(
                f"expected {megabytes(needed)} free on the stick, got {megabytes(free + freed)}: "
                f"free {megabytes(needed - free - freed)} there, or use a larger one"
            )
        # Without its timestamp the stick says that it is unfinished, which it now is.
        self.folder.remove(f"{PLACE}/metadata/timestamp.json")
        self.folder.settle((f"{PLACE}/metadata",))
        for path in old:
            self.folder.remove(path)

    def _is_right(self, stick: Stick, entry: ManifestFile) -> bool:
        """Whether a blob on the stick is right, by reading it; a wrong one is removed."""
        pieces = stick.pieces(entry.sha256, entry.size) or ()
        sizes = [length for _, length in pieces]
        right = sizes == _part_sizes(entry.size, self.part_size) or len(sizes) == 1
        if right and self._hash_pieces(pieces) == entry.sha256:
            return True
        for path, _ in pieces:
            self.folder.remove(path)
        return False

    def _hash_pieces(self, pieces: Sequence[tuple[str, int]]) -> str | None:
        if len(pieces) == 1:
            return self.folder.hash(pieces[0][0])
        found = hashlib.sha256()
        for path, _ in pieces:
            with self.folder.reading(path) as fd:
                if fd is None:
                    return None
                at = 0
                while chunk := self.folder.pread(fd, CHUNK, at):
                    found.update(chunk)
                    at += len(chunk)
        return found.hexdigest()

    def _copy(
        self,
        store: Store,
        reach: Reach,
        files: Sequence[ManifestFile],
        own: Collection[str],
        keep: Collection[str],
    ) -> None:
        """Copy a group of blobs; what is fetched for the stick alone does not stay here."""
        absent = [entry for entry in files if not prove(store, entry.sha256, entry.size)]
        try:
            if absent:
                self._fetch(store, reach, absent, keep)
            for entry in files:
                self._copy_blob(store, entry)
        finally:
            guests = {entry.sha256 for entry in absent} - set(own)
            if guests:
                remove(store, guests, _parts(store))

    def _copy_blob(self, store: Store, entry: ManifestFile) -> None:
        parts = self._parts_of(entry)
        if len(parts) > MOST_PARTS:
            raise StickTrouble(
                f"expected {entry.path} in at most {MOST_PARTS} parts, got {len(parts)}"
            )
        reader = _Reader(store.path(entry.sha256))
        for path, size in parts:
            read = reader.part(size)
            there = len(parts) > 1 and self.folder.size(path) == size
            if there and self.folder.hash(path) == _hash_of(read()):
                # Of an export that was cut short: a part may be gigabytes.
                continue
            self.folder.put(path, size, read)
            self.copied_bytes += size
        if reader.sha256 != entry.sha256:
            for path, _ in parts:
                self.folder.remove(path)
            raise StoreDamaged(
                f"expected {entry.path} on this device as it was proven, got other bytes: "
                "run `kiosk-client verify`, then `kiosk-client sync`"
            )
        self._folders.add(parts[0][0].rpartition("/")[0])
        self.copied_files += 1
        self.watcher.received(entry.size)

    def _parts_of(self, entry: ManifestFile) -> list[tuple[str, int]]:
        """The files (path, bytes) a blob is written as: one, unless it is larger than a part."""
        blob = f"{PLACE}/{blob_path(entry.sha256)}"
        sizes = _part_sizes(entry.size, self.part_size)
        if len(sizes) == 1:
            return [(blob, entry.size)]
        return [(part_path(blob, number), size) for number, size in enumerate(sizes, start=1)]

    def _put_small(self, path: str, raw: bytes) -> None:
        """Write a small file, unless the very same bytes are there."""
        if self.folder.read(path, len(raw)) != raw:
            self.folder.put(path, len(raw), lambda: iter((raw,)))
            self._folders.add(path.rpartition("/")[0])

    def _tidy(
        self, metadata: Metadata, wanted: Sequence[_Wanted], blobs: Sequence[ManifestFile]
    ) -> int:
        """Remove what nothing names any more; files removed."""
        stick = Stick(self.folder, PLACE)
        named = {
            *(f"{PLACE}/metadata/{name}" for name in metadata.files),
            *(f"{PLACE}/{one.path}" for one in wanted),
            *(path for entry in blobs for path, _ in stick.pieces(entry.sha256, entry.size) or ()),
        }
        # Listed first: a folder that changes while it is read may be read twice.
        found = list(repository_files(self.folder, PLACE))
        removed = sum(self.folder.remove(path) for path in found if path not in named)
        self.folder.settle()
        return removed


class _Reader:
    """Reads a blob part by part, and hashes the whole along, each part once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._before = hashlib.sha256()
        self._after = self._before

    @property
    def sha256(self) -> str:
        """Of all parts read."""
        return self._after.hexdigest()

    def part(self, size: int) -> Callable[[], Iterator[bytes]]:
        """The next `size` bytes, as often as they are asked for."""
        start, self._at, self._before = self._at, self._at + size, self._after

        def chunks() -> Iterator[bytes]:
            self._after = self._before.copy()
            left = size
            try:
                with self._path.open("rb") as file:
                    file.seek(start)
                    while left and (chunk := file.read(min(CHUNK, left))):
                        self._after.update(chunk)
                        left -= len(chunk)
                        yield chunk
            except OSError as error:
                # This device's own disk; the stick is not to blame.
                raise from_os_error(error) from error

        return chunks


def _tags(manifest: Manifest, asked: Sequence[str]) -> tuple[str, ...]:
    return manifest.tags if tuple(asked) == (EVERY,) else held_languages(manifest, asked)


def _meets(entry: ManifestFile, tags: Sequence[str]) -> bool:
    return not entry.languages or not set(tags).isdisjoint(entry.languages)


def _hash_of(chunks: Iterator[bytes]) -> str:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def _part_sizes(size: int, part_size: int) -> list[int]:
    """Bytes of each part of a blob: one, unless it is larger than a part."""
    whole, rest = divmod(size, part_size)
    return [part_size] * whole + [rest] * bool(rest or not size)


def _groups(files: Sequence[ManifestFile]) -> Iterator[list[ManifestFile]]:
    """`files` in groups that may all lie on the device for a moment."""
    group: list[ManifestFile] = []
    size = 0
    for entry in files:
        if group and size + entry.size > _FETCH_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(entry)
        size += entry.size
    if group:
        yield group


def _parts(store: Store) -> set[str]:
    """The parts that lie here: a sync cut short goes on with them."""
    if not store.parts.is_dir():
        return set()
    return {path.name.removesuffix(".part") for path in store.parts.iterdir()}


def _is_root(raw: bytes, version: int) -> bool:
    try:
        return trust.check_root(raw) == version
    except NotTrusted:
        return False
