"""Taking from a USB stick: its blobs first, whatever its age; then what is new on it, if it is.

An import is a sync whose metadata and files come by hand (`sync` with a stick);
none of its checks is lighter for that. Here is what only a stick needs: telling
an older one from a wrong one, and the venue's word where its signatures have
expired. Writing one is in `stick_export`.
"""

from __future__ import annotations

import logging
from datetime import datetime

from kiosk_client import trust
from kiosk_client.activation import load_manifest, load_set, read_slots, slot_key
from kiosk_client.config import DataDir
from kiosk_client.errors import (
    MetadataExpired,
    NotTrusted,
    OriginTrouble,
    PinRefused,
    Rollback,
    StickTrouble,
)
from kiosk_client.facts import load_state, save_state, stamp
from kiosk_client.folder import Folder
from kiosk_client.holdings import LARGEST_ROOT, MOST_ROOTS, read_metadata, root_path, version_of
from kiosk_client.pin import check_pin, kept_hash
from kiosk_client.plan import needed_files, plan_sync
from kiosk_client.room import claimed
from kiosk_client.sources import GivenStick, NothingNewer, Reach, Source
from kiosk_client.stick_export import Exported, export_stick
from kiosk_client.stick_layout import Stick, copy_blobs, find_stick
from kiosk_client.store import Store, held_blobs, sync_names
from kiosk_client.watcher import Watcher
from package_format.layout import manifest_target
from package_format.manifest import ManifestFile

KEPT_CONSENTS = 20

log = logging.getLogger("kiosk_client.stick")


def take_useful(
    reach: Reach, store: Store, reserve: int, watcher: Watcher
) -> tuple[tuple[ManifestFile, ...], int]:
    """Copy what the sets here miss and the stick has, whatever its age; files, and bytes copied.

    The sets are those that play or wait, and the release that was accepted and
    is not whole yet. Their manifests were verified when they were accepted.

    Raises:
        StickTrouble: no stick of ours, or it does not answer.
        DiskFull, KioskError: this device's disk refused.
    """
    if reach.stick is None:
        return (), 0
    files = _sets_here(reach)
    missing = plan_sync(files, held=held_blobs(store, files)).fetch
    with Folder(reach.stick.folder) as folder:
        stick = find_stick(folder)
        there = [one for one in missing if stick.pieces(one.sha256, one.size) is not None]
        if not there:
            return (), 0
        keep = {entry.sha256 for entry in files}
        with claimed(store, there, reserve, keep=keep) as room:
            watcher.begin(len(there), sum(entry.size for entry in there))
            try:
                copied = copy_blobs(stick, room, there, watcher.received)
            finally:
                watcher.end()
    sync_names(store, (entry.sha256 for entry in there))
    left = {entry.sha256 for entry in copied.left}
    return tuple(entry for entry in there if entry.sha256 not in left), copied.size


def refresh_from_stick(
    reach: Reach, given: GivenStick, accepted: trust.Accepted, at: datetime, now: datetime
) -> tuple[trust.Verified, Source]:
    """Verified metadata from the stick, newer than what was accepted or the same.

    Where its signatures have expired, the venue's PIN lets it pass; everything
    else still holds, versions above all. That is written down in the state.

    Raises:
        NothingNewer: it is older, or what is on it plays already.
        MetadataExpired: it has expired, and no PIN was given.
        PinRefused, PinThrottled: the PIN is wrong.
        NotTrusted, DamagedTransfer: it is not signed, or was changed.
        StickTrouble: the export to it never ended, or it does not answer.
    """
    with Folder(given.folder) as folder:
        stick = find_stick(folder)
        if not stick.is_finished:
            raise StickTrouble(
                "expected a stick whose export came to its end, got a half-written one: "
                "export to it once more"
            )
        if _is_older(stick, reach.data, accepted):
            raise NothingNewer("expected something newer on the stick, got an older state")
        source = Source("stick", folder=given.folder)
        try:
            return _refresh(reach, stick, accepted, at, ignore_expiry=False), source
        except Rollback as error:
            raise NothingNewer(str(error)) from error
        except NotTrusted as error:
            if _is_of_our_past(stick, reach.data):
                raise NothingNewer("expected newer keys on the stick, got replaced ones") from error
            raise
        except MetadataExpired as error:
            if _plays_already(reach, stick, accepted):
                raise NothingNewer(str(error)) from error
            _ask_consent(reach.data, given.pin, now, error)
        verified = _refresh(reach, stick, accepted, at, ignore_expiry=True)
        _note_consent(reach.data, now, verified)
        return verified, source


def _refresh(
    reach: Reach, stick: Stick, accepted: trust.Accepted, at: datetime, *, ignore_expiry: bool
) -> trust.Verified:
    try:
        return trust.refresh(
            metadata_dir=reach.data.metadata,
            metadata_url="stick:/",
            root=reach.device.root,
            fetcher=trust.FolderFetcher(stick.metadata),
            accepted=accepted,
            at=at,
            ignore_expiry=ignore_expiry,
            retry=False,
        )
    except OriginTrouble as error:
        raise StickTrouble(
            f"expected signed metadata on the stick, got: {error}: export to it once more"
        ) from error


def _sets_here(reach: Reach) -> list[ManifestFile]:
    """The files of every set that plays or waits, and of the newest release accepted."""
    data, assignment = reach.data, reach.assignment
    files: list[ManifestFile] = []
    for slot in read_slots(data).values():
        for chosen in (slot.current, slot.next):
            loaded = load_set(data, chosen) if chosen else None
            files.extend(loaded.files if loaded else ())
    metadata = read_metadata(data)
    if metadata is not None and assignment is not None:
        target = manifest_target(assignment.package, assignment.channel)
        manifest = load_manifest(data, metadata.targets.get(target, ""))
        if manifest is not None:
            files.extend(needed_files(manifest, assignment.profile, assignment.languages))
    return files


def _is_older(stick: Stick, data: DataDir, accepted: trust.Accepted) -> bool:
    """Whether a stick says itself that it is older than what was accepted here.

    Only to be kind: nothing is accepted from it then. After a change of keys
    versions may begin anew, so one with newer roots is looked at in any case.
    """
    version = _timestamp_version(stick)
    if version is None or version >= accepted.versions.get("timestamp", 0):
        return False
    return _newest_root(stick) <= _newest_kept(data)


def _is_of_our_past(stick: Stick, data: DataDir) -> bool:
    """Whether a stick ends at a root this device has left behind, and had the same until there."""
    last = _newest_root(stick)
    if not 0 < last < _newest_kept(data):
        return False
    here = root_path(data, last)
    raw = stick.folder.read(stick.path(f"metadata/{last}.root.json"), LARGEST_ROOT)
    return here.is_file() and here.read_bytes() == raw


def _plays_already(reach: Reach, stick: Stick, accepted: trust.Accepted) -> bool:
    """Whether an expired stick has nothing that this device has not accepted, and plays."""
    version = _timestamp_version(stick)
    metadata, assignment = read_metadata(reach.data), reach.assignment
    if version is None or metadata is None or assignment is None:
        return False
    if version > accepted.versions.get("timestamp", 0):
        return False
    key = (assignment.package, assignment.channel)
    slot = read_slots(reach.data).get(slot_key(*key))
    newest = metadata.targets.get(manifest_target(*key))
    return slot is not None and slot.current is not None and slot.current.manifest == newest


def _timestamp_version(stick: Stick) -> int | None:
    raw = stick.folder.read(stick.path("metadata/timestamp.json"), 16_384)
    return version_of(raw) if raw else None


def _newest_root(stick: Stick) -> int:
    """The number of the last root on a stick, counted from its first as a client does."""
    names = set(stick.folder.names(stick.path("metadata")))
    held = sorted(
        int(name.partition(".")[0])
        for name in names
        if name.endswith(".root.json") and name.partition(".")[0].isdecimal() and len(name) < 20
    )
    return held[-1] if held else 0


def _newest_kept(data: DataDir) -> int:
    version = 0
    for number in range(1, 10 * MOST_ROOTS):
        if root_path(data, number).is_file():
            version = number
        elif version:
            break
    return version


def _ask_consent(data: DataDir, pin: str | None, now: datetime, error: MetadataExpired) -> None:
    if pin is None:
        how = (
            "; somebody of the venue may answer for this stick with `--pin PIN`"
            if kept_hash(data)
            else ""
        )
        raise MetadataExpired(
            "expected signatures on the stick that are still valid, got expired ones: check this "
            f"device's clock, or export to the stick from a device that is connected{how}"
        ) from error
    if not check_pin(data, pin, now):
        raise PinRefused(
            "expected the venue's PIN to answer for a stick whose signatures have expired, "
            "got another, or none is set here: ask whoever set it"
        ) from error


def _note_consent(data: DataDir, now: datetime, verified: trust.Verified) -> None:
    """Write down that an expired stick was let in, by the PIN and when."""
    published = verified.published_at
    consent = {
        "at": stamp(now),
        "reason": "metadata-expired",
        "source": "stick",
        "published_at": stamp(published) if published else None,
        "timestamp": verified.versions.get("timestamp"),
    }
    log.warning("expired signatures of a stick were let in by the venue's PIN")
    before = load_state(data).get("consents")
    kept = list(before) if isinstance(before, list) else []
    save_state(data, consents=[*kept, consent][-KEPT_CONSENTS:])


__all__ = [
    "Exported",
    "GivenStick",
    "NothingNewer",
    "export_stick",
    "refresh_from_stick",
    "take_useful",
]
