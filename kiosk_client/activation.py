"""Which sets play: one pointer file, swapped atomically, to complete and verified sets.

A set is a manifest (kept by its SHA-256) seen by one profile and some languages.
A slot holds the sets of one package and channel: the one that plays, the one
before it, and the one that is complete and waits for the screen to be idle. A set
newly activated is on probation until it has played healthily; else the one before
it comes back. Each change here is one durable write: a power cut leaves the slots
as they were or as they become, never between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kiosk_client.config import DataDir
from kiosk_client.durable import exclusive, read_json, write_file, write_json
from kiosk_client.errors import NewerFormat, NotTrusted, Rollback
from kiosk_client.plan import needed_files
from package_format.canonical import is_sha256, sha256_hex
from package_format.manifest import Manifest, ManifestError, ManifestFile, parse_manifest
from package_format.manifest import NewerFormat as NewerManifest


@dataclass(frozen=True, slots=True)
class ActiveSet:
    """A set that plays or played. `manifest` is a SHA-256; `anchor` names the root trusted."""

    manifest: str
    package: str
    channel: str
    release: int
    profile: str
    languages: tuple[str, ...]
    timezone: str
    anchor: str
    activated_at: datetime

    def same_content(self, other: ActiveSet | None) -> bool:
        """Whether both show the same files in the same languages."""
        return (
            other is not None
            and self.manifest == other.manifest
            and self.profile == other.profile
            and self.languages == other.languages
        )

    @property
    def tag(self) -> str:
        """16 hex digits for exactly this content: its manifest, profile and languages."""
        parts = (self.manifest, self.profile, *self.languages)
        return sha256_hex("\n".join(parts).encode("utf-8"))[:16]


@dataclass(frozen=True, slots=True)
class Probation:
    """A set that has not played healthily yet: since when, and in how many runs it was begun."""

    since: datetime
    starts: int = 0


@dataclass(frozen=True, slots=True)
class Returned:
    """A set that was taken off the screen again. `reason` is a word in kebab-case."""

    manifest: str
    release: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Slot:
    """One package and channel on this device. `main`: it is, or becomes, the assigned one."""

    package: str
    channel: str
    main: bool = False
    current: ActiveSet | None = None
    previous: ActiveSet | None = None
    next: ActiveSet | None = None
    probation: Probation | None = None
    returned: Returned | None = None

    @property
    def key(self) -> str:
        """Its name in the pointer."""
        return slot_key(self.package, self.channel)

    @property
    def sets(self) -> tuple[ActiveSet, ...]:
        """Every set it needs, the playing one first."""
        named = (self.current, self.previous, self.next)
        return tuple(one for one in named if one is not None)


@dataclass(frozen=True, slots=True)
class Active:
    """What plays by assignment: the set that plays and the one before it."""

    current: ActiveSet
    previous: ActiveSet | None = None


@dataclass(frozen=True, slots=True)
class LoadedSet:
    """A set with its manifest parsed, and the files it needs."""

    set: ActiveSet
    manifest: Manifest
    files: tuple[ManifestFile, ...]


def manifest_path(data: DataDir, sha256: str) -> Path:
    """Where the manifest `sha256` lies."""
    return data.sets / f"{sha256}.json"


def parse(raw: bytes) -> Manifest:
    """The manifest in `raw`.

    Raises:
        NewerFormat: this client is too old for it.
        NotTrusted: it is signed and yet breaks the format.
    """
    try:
        return parse_manifest(raw)
    except NewerManifest as error:
        raise NewerFormat(str(error)) from error
    except ManifestError as error:
        raise NotTrusted(f"expected a manifest as the format has it, got: {error}") from error


_MOST_PARSED = 2
_PARSED: dict[str, Manifest] = {}
"""Manifests of this process by the SHA-256 of their bytes; they are frozen."""


def load_manifest(data: DataDir, sha256: str) -> Manifest | None:
    """The kept manifest `sha256`, or None when it is absent or not what its name says."""
    if not is_sha256(sha256):
        return None
    try:
        raw = manifest_path(data, sha256).read_bytes()
    except FileNotFoundError:
        return None
    if sha256_hex(raw) != sha256:
        return None
    # Read and hashed each time, but parsed once: a poll a minute looks at the same sets.
    found = _PARSED.get(sha256)
    if found is None:
        found = parse(raw)
        if len(_PARSED) >= _MOST_PARSED:
            _PARSED.pop(next(iter(_PARSED)), None)
        _PARSED[sha256] = found
    return found


def keep_manifest(data: DataDir, raw: bytes) -> str:
    """Keep a verified manifest durably; its SHA-256."""
    sha256 = sha256_hex(raw)
    write_file(manifest_path(data, sha256), raw)
    return sha256


def slot_key(package: str, channel: str) -> str:
    """The name of a package and channel in the pointer."""
    return f"{package}/{channel}"


def read_slots(data: DataDir) -> dict[str, Slot]:
    """The slots by key; empty when nothing was ever activated or the pointer does not read."""
    found = read_json(data.active)
    if not isinstance(found, Mapping):
        return {}
    if "slots" not in found:
        return _from_first_format(found)
    listed = found["slots"] if isinstance(found["slots"], Mapping) else {}
    slots = (_parse_slot(key, value) for key, value in listed.items())
    return {slot.key: slot for slot in slots if slot is not None}


def read_active(data: DataDir) -> Active | None:
    """What plays by assignment, or None when nothing was ever activated."""
    slot = main_slot(read_slots(data))
    return Active(slot.current, slot.previous) if slot and slot.current else None


def main_slot(slots: Mapping[str, Slot]) -> Slot | None:
    """The slot that plays when no programme says otherwise.

    The assigned one, or until its first set is there what was assigned before;
    failing both, anything that can play.
    """
    playing = [slot for slot in slots.values() if slot.current is not None]
    return next((slot for slot in playing if slot.main), playing[0] if playing else None)


def load_set(data: DataDir, chosen: ActiveSet) -> LoadedSet | None:
    """A set with its files, or None when its manifest is lost or damaged."""
    manifest = load_manifest(data, chosen.manifest)
    if manifest is None:
        return None
    return LoadedSet(chosen, manifest, needed_files(manifest, chosen.profile, chosen.languages))


def check_release(slot: Slot | None, offered: ActiveSet) -> None:
    """Refuse a release lower than what this slot has taken already.

    A device enrolled anew with another root starts anew: somebody stood before it with a code.

    Raises:
        Rollback: it is lower.
    """
    for taken in (slot.next, slot.current) if slot else ():
        if taken and taken.anchor == offered.anchor and offered.release < taken.release:
            raise Rollback(
                f"expected {offered.package} release {taken.release} or newer, "
                f"got {offered.release}"
            )


def is_returned(slot: Slot | None, manifest: str) -> bool:
    """Whether the manifest `manifest` (SHA-256) was taken off this slot's screen again."""
    return slot is not None and slot.returned is not None and slot.returned.manifest == manifest


def stage(data: DataDir, key: str, offered: ActiveSet, *, main: bool = True) -> bool:
    """Let `offered`, which the caller has made complete and verified, wait for an idle screen.

    Returns whether a set waits now: nothing does where the same content plays already.

    Raises:
        Rollback: see `check_release`.
        OSError: the disk refused; everything is as it was.
    """
    with _changing(data) as slots:
        slot = _offer(slots, key, offered, main=main)
        return slot.next is not None


def activate(data: DataDir, offered: ActiveSet, *, main: bool = True) -> bool:
    """Play `offered` at once: `stage` and `activate_next` in one step.

    Returns whether what is shown changed.

    Raises: as `stage`.
    """
    key = slot_key(offered.package, offered.channel)
    with _changing(data) as slots:
        _offer(slots, key, offered, main=main)
        return _begin(slots, key, offered.activated_at)


def activate_next(data: DataDir, key: str, now: datetime) -> bool:
    """Play the set that waits in slot `key`, on probation; whether one did wait.

    Raises:
        OSError: the disk refused; the old set plays on.
    """
    with _changing(data) as slots:
        return _begin(slots, key, now)


def confirm(data: DataDir, key: str) -> bool:
    """End the probation of slot `key`: its set has played healthily. Whether it was on any.

    Raises:
        OSError: the disk refused; the probation goes on.
    """
    with _changing(data) as slots:
        slot = slots.get(key)
        if slot is None or slot.probation is None:
            return False
        slots[key] = replace(slot, probation=None)
        return True


def note_start(data: DataDir, key: str) -> int:
    """Count a start of the screen with the set on probation in slot `key`; starts so far.

    Raises:
        OSError: the disk refused.
    """
    with _changing(data) as slots:
        slot = slots.get(key)
        if slot is None or slot.probation is None:
            return 0
        starts = slot.probation.starts + 1
        slots[key] = replace(slot, probation=replace(slot.probation, starts=starts))
        return starts


def give_back(data: DataDir, key: str, reason: str, now: datetime) -> bool:
    """Take the set on probation in slot `key` off the screen; the one before it plays again.

    What was given back is remembered by its manifest. Returns whether there was
    a probation, and a set to return to.

    Raises:
        OSError: the disk refused; the set on probation plays on.
    """
    with _changing(data) as slots:
        slot = slots.get(key)
        if slot is None or not (slot.current and slot.previous and slot.probation):
            return False
        failed, before = slot.current, slot.previous
        slot = replace(
            slot,
            current=None,
            previous=None,
            probation=None,
            returned=Returned(failed.manifest, failed.release, reason, now),
        )
        home = slot_key(before.package, before.channel)
        if home == key:
            slots[key] = replace(slot, current=before)
            return True
        slots[key] = slot
        # Another package was assigned, and fails: the one from before has its place again.
        back = slots.get(home) or Slot(before.package, before.channel)
        slots[home] = replace(back, main=slot.main, current=back.current or before)
        return True


def withdraw(data: DataDir, key: str) -> bool:
    """Let what waits in slot `key` wait no more; whether anything did.

    Raises:
        OSError: the disk refused.
    """
    with _changing(data) as slots:
        slot = slots.get(key)
        if slot is None or slot.next is None:
            return False
        slots[key] = replace(slot, next=None)
        return True


def keep_slots(data: DataDir, wanted: Iterable[str]) -> bool:
    """Forget slots that are not `wanted` and do not play by assignment; whether any was forgotten.

    Raises:
        OSError: the disk refused.
    """
    with _changing(data) as slots:
        main = main_slot(slots)
        kept = {*wanted, *((main.key,) if main else ())}
        gone = [key for key in slots if key not in kept]
        for key in gone:
            del slots[key]
        return bool(gone)


def _offer(slots: dict[str, Slot], key: str, offered: ActiveSet, *, main: bool) -> Slot:
    """`offered` put in its slot: as what plays already, or as what is next."""
    slot = slots.get(key) or Slot(offered.package, offered.channel)
    check_release(slot, offered)
    if slot.current is not None and offered.same_content(slot.current):
        current = replace(slot.current, timezone=offered.timezone, anchor=offered.anchor)
        slot = replace(slot, current=current, next=None)
    elif not offered.same_content(slot.next) or offered.anchor != (slot.next or offered).anchor:
        slot = replace(slot, next=offered)
    slots[key] = replace(slot, main=main)
    if main and slot.current is not None:
        _only_main(slots, key)
    return slots[key]


def _begin(slots: dict[str, Slot], key: str, now: datetime) -> bool:
    slot = slots.get(key)
    if slot is None or slot.next is None:
        return False
    # What never played healthily is nothing to return to.
    before = slot.previous if slot.probation else slot.current
    if before is None and slot.main:
        leaving = main_slot(slots)
        before = leaving.current if leaving else None
    slots[key] = replace(
        slot,
        current=replace(slot.next, activated_at=now),
        previous=before,
        next=None,
        probation=Probation(now) if before else None,
        returned=None,
    )
    if slot.main:
        _only_main(slots, key)
    return True


def _only_main(slots: dict[str, Slot], key: str) -> None:
    for other in [other for other in slots.values() if other.main and other.key != key]:
        slots[other.key] = replace(other, main=False)


@contextmanager
def _changing(data: DataDir) -> Iterator[dict[str, Slot]]:
    """The slots to change; written in one step at the end if they did, alone among writers.

    Its own lock: a sync holds the directory's for hours, and a screen cannot wait so long.
    """
    with exclusive(data.pointer_lock):
        slots = read_slots(data)
        before = dict(slots)
        yield slots
        if slots != before:
            listed = {key: _slot_json(slot) for key, slot in slots.items()}
            # Offline, a pointer that rots would be a black screen.
            write_json(data.active, {"format": 2, "slots": listed}, twice=True)


def _slot_json(slot: Slot) -> dict[str, Any]:
    probation, returned = slot.probation, slot.returned
    return {
        "main": slot.main,
        "current": _set_json(slot.current),
        "previous": _set_json(slot.previous),
        "next": _set_json(slot.next),
        "probation": {"since": probation.since.isoformat(), "starts": probation.starts}
        if probation
        else None,
        "returned": {
            "manifest": returned.manifest,
            "release": returned.release,
            "reason": returned.reason,
            "at": returned.at.isoformat(),
        }
        if returned
        else None,
    }


def _set_json(chosen: ActiveSet | None) -> dict[str, Any] | None:
    if chosen is None:
        return None
    return {
        "manifest": chosen.manifest,
        "package": chosen.package,
        "channel": chosen.channel,
        "release": chosen.release,
        "profile": chosen.profile,
        "languages": list(chosen.languages),
        "timezone": chosen.timezone,
        "anchor": chosen.anchor,
        "activated_at": chosen.activated_at.isoformat(),
    }


def _from_first_format(found: Mapping[str, Any]) -> dict[str, Slot]:
    """The one slot of a pointer written before there were slots."""
    current = _parse_set(found)
    if current is None:
        return {}
    previous = _parse_set(found.get("previous"))
    slot = Slot(current.package, current.channel, main=True, current=current, previous=previous)
    return {slot.key: slot}


def _parse_slot(key: Any, value: Any) -> Slot | None:
    package, _, channel = str(key).partition("/")
    if not isinstance(value, Mapping) or not package or not channel:
        return None
    current, following = _parse_set(value.get("current")), _parse_set(value.get("next"))
    return Slot(
        package,
        channel,
        main=value.get("main") is True,
        current=current,
        previous=_parse_set(value.get("previous")),
        next=following,
        probation=_parse_probation(value.get("probation")),
        returned=_parse_returned(value.get("returned")),
    )


def _parse_probation(value: Any) -> Probation | None:
    try:
        return Probation(datetime.fromisoformat(value["since"]), int(value["starts"]))
    except (KeyError, TypeError, ValueError):
        return None


def _parse_returned(value: Any) -> Returned | None:
    try:
        return Returned(
            manifest=str(value["manifest"]),
            release=int(value["release"]),
            reason=str(value["reason"]),
            at=datetime.fromisoformat(value["at"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _parse_set(value: Any) -> ActiveSet | None:
    if not isinstance(value, Mapping):
        return None
    try:
        return ActiveSet(
            manifest=value["manifest"],
            package=value["package"],
            channel=value["channel"],
            release=int(value["release"]),
            profile=value["profile"],
            languages=tuple(value["languages"]),
            timezone=value["timezone"],
            anchor=value["anchor"],
            activated_at=datetime.fromisoformat(value["activated_at"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
