"""One sync: ask, trust, plan, fetch, prove, and let what is new wait for an idle screen.

Each slot is brought along for itself, the assigned package first; one that fails
keeps no other. Nothing is skipped because something else is unchanged: the blobs
of what plays are looked at every time, and fetched again where they are missing
or were touched, also when the newest metadata was refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from kiosk_client import trust
from kiosk_client.activation import (
    ActiveSet,
    Slot,
    check_release,
    is_returned,
    keep_manifest,
    keep_slots,
    load_manifest,
    load_set,
    main_slot,
    manifest_path,
    parse,
    read_slots,
    slot_key,
    stage,
    withdraw,
)
from kiosk_client.activation import activate as activate_set
from kiosk_client.activator import is_served
from kiosk_client.clock import ntp_time
from kiosk_client.config import (
    RESERVE,
    Assignment,
    DataDir,
    Device,
    load_assignment,
    load_device,
    make_folders,
    save_assignment,
)
from kiosk_client.durable import alone, sweep
from kiosk_client.enrol import ask_assignment
from kiosk_client.errors import (
    DiskFailing,
    ForeignAnswer,
    KioskError,
    NoNetwork,
    NothingAssigned,
    NotTrusted,
    OriginTrouble,
    StoreDamaged,
    from_os_error,
)
from kiosk_client.facts import load_state, save_state, stamp
from kiosk_client.holdings import keep_root_chain
from kiosk_client.plan import held_languages, needed_files, plan_sync
from kiosk_client.programme import Wanted, wanted_slots
from kiosk_client.room import claimed
from kiosk_client.scrub import check_repairs, note_repair
from kiosk_client.sources import (
    Discovery,
    GivenStick,
    NothingNewer,
    Reach,
    Source,
    fetch_document,
    fetch_from,
    refresh_metadata,
    root_reader,
)
from kiosk_client.store import (
    Store,
    held_blobs,
    remove,
    stored_blobs,
    sync_names,
)
from kiosk_client.transfer import WORKERS
from kiosk_client.watcher import Watcher
from kiosk_client.wire import Cancelled, WaitingForWindow, Wire
from package_format.layout import manifest_target, target_file
from package_format.manifest import Manifest, ManifestFile


@dataclass(frozen=True, slots=True)
class Offer:
    """A verified release: what it is and its SHA-256."""

    manifest: Manifest
    sha256: str


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync did. `outcome`: `activated`, `ready`, `waiting`, `repaired` or `unchanged`.

    `ready`: a release is complete and waits until nobody uses the screen. `waiting`:
    what is large of it waits for the hours the venue wants it fetched at. Package,
    channel and release are the assigned ones as they will play. `message` says why
    something was left, `trouble` what failed for another package of the programme.
    `sources` are the bytes of files by the kind of source they came from.
    """

    outcome: str
    package: str
    channel: str
    release: int
    fetched_files: int
    fetched_bytes: int
    requests: int
    received_bytes: int
    seconds: float
    clock_trusted: bool
    sources: Mapping[str, int] = field(default_factory=dict, hash=False)
    message: str | None = None
    trouble: KioskError | None = None

    def to_json(self) -> dict[str, Any]:
        """The result as `sync --json` prints it."""
        return {
            "outcome": self.outcome,
            "package": self.package,
            "channel": self.channel,
            "release": self.release,
            "fetched_files": self.fetched_files,
            "fetched_bytes": self.fetched_bytes,
            "requests": self.requests,
            "received_bytes": self.received_bytes,
            "seconds": round(self.seconds, 3),
            "clock_trusted": self.clock_trusted,
            "sources": dict(self.sources),
            "message": self.message,
        }


def utc_now() -> datetime:
    """The device's clock."""
    return datetime.now(UTC)


def sync(
    data: DataDir,
    wire: Wire,
    *,
    watcher: Watcher | None = None,
    reserve: int = RESERVE,
    workers: int = WORKERS,
    now: Callable[[], datetime] = utc_now,
    discovery: Discovery | None = None,
    stick: GivenStick | None = None,
    activate: bool = True,
    trigger: str = "person",
    confirmed: int | None = None,
) -> SyncResult:
    """Bring the device to the newest release assigned to it, and note how it went.

    True afterwards: every file of the newest set was hashed, and the pointer
    names it: as what plays when `activate` is set and nobody serves the screen, or
    nothing plays yet; else as what waits for an idle screen. On any error the set
    from before plays on. `discovery` finds kiosks in the same network, which may
    have what is missing. With a `stick` metadata comes from there alone, and an
    older one changes nothing but fills holes. `confirmed` is the version of the
    assignment that the server last told, in answer to a heartbeat. `trigger` is
    `poll`, `order`, `person` or `stick`; what was given back once is taken again by
    a person's or an order's word alone.

    Raises:
        KioskError: with the code of what went wrong.
    """
    with alone(data.lock):
        try:
            try:
                make_folders(data)
                sweep(data.root)
                sweep(data.sets)
                # Somebody who asks for it now means now.
                with nullcontext() if trigger == "poll" else wire.at_any_hour():
                    result = _sync(
                        data,
                        wire,
                        watcher or Watcher(),
                        reserve,
                        workers,
                        now,
                        discovery,
                        stick,
                        activate,
                        trigger,
                        confirmed,
                    )
            except OSError as error:
                raise from_os_error(error) from error
        except Cancelled:
            raise
        except KioskError as error:
            _note(data, now(), "failed", trigger, error)
            raise
        _note(data, now(), result.outcome, trigger, result.trouble, result)
        return result


def _sync(
    data: DataDir,
    wire: Wire,
    watcher: Watcher,
    reserve: int,
    workers: int,
    now: Callable[[], datetime],
    discovery: Discovery | None,
    stick: GivenStick | None,
    activate: bool,
    trigger: str,
    confirmed: int | None,
) -> SyncResult:
    began = time.monotonic()
    device = load_device(data)
    store = Store(data.root)
    assignment, down, accepted = _ask(data, wire, device, stick, now, confirmed)
    reach = Reach(data, device, assignment, discovery, stick, down)
    insists = trigger in ("person", "order")
    fetcher = _Fetching(wire, reach, store, watcher, reserve, workers, now, insists)
    healed = fetcher.heal_from_stick()
    judged = trust.reference_time(now(), accepted.floor)
    held = read_slots(data)
    plays = main_slot(held)
    at_once = plays is None or (activate and not is_served(data))
    wanted = wanted_slots(assignment, accepted.floor)
    brought = _Brought()
    try:
        published = _refresh(data, wire, reach, accepted, judged.at, now())
    except Cancelled:
        raise
    except NothingNewer:
        if plays is None:
            raise
    except KioskError as error:
        alone_here = isinstance(error, NoNetwork) and len(reach.ordered()) < 2
        if stick is not None or alone_here:
            # What there is has been tried; more would only take longer.
            raise
        # Refusing what is new is no reason to leave what plays in holes.
        _repair(data, fetcher, held.values())
        raise
    else:
        brought = _bring(data, fetcher, assignment, published, wanted, held, at_once=at_once)
    if not is_served(data):
        # Else whoever serves the screen does that, once nobody is looking at it.
        keep_slots(data, (want.slot for want in wanted))
    _collect(data, store, brought.offered, fetcher.asked)
    first = wanted[0].slot
    if first in brought.troubles:
        raise brought.troubles[first]
    taken = list(brought.taken.values())
    unmoved = not any(one.changed or one.fetched for one in taken)
    if unmoved and reach.down is not None and reach.answered == "relay":
        # A neighbour had nothing newer; whether anything is, only the origin knows.
        raise reach.down
    main = brought.taken.get(first)
    chosen = main.chosen if main else plays.current if plays else None
    if chosen is None:
        raise NothingNewer("expected something to play, got nothing")
    fetched = [*healed, *(entry for one in taken for entry in one.fetched)]
    trouble = next(iter(brought.troubles.items()), None)
    return SyncResult(
        outcome=_outcome([one.state for one in taken], repaired=bool(fetched)),
        package=chosen.package,
        channel=chosen.channel,
        release=chosen.release,
        fetched_files=len(fetched),
        fetched_bytes=sum(entry.size for entry in fetched),
        requests=wire.requests,
        received_bytes=wire.received,
        seconds=time.monotonic() - began,
        clock_trusted=judged.clock_trusted,
        sources=fetcher.counted,
        message=f"{trouble[0]}: {trouble[1]}" if trouble else main.message if main else None,
        trouble=trouble[1] if trouble else None,
    )


def _ask(
    data: DataDir,
    wire: Wire,
    device: Device,
    stick: GivenStick | None,
    now: Callable[[], datetime],
    confirmed: int | None,
) -> tuple[Assignment, KioskError | None, trust.Accepted]:
    """What is assigned, why the origin need not be asked (if so), and the time floor, raised.

    Raises:
        NothingAssigned: there is nothing to fetch.
        Others: as `_assignment`.
    """
    accepted = trust.raise_floor(trust.load_accepted(data.trust), now=now())
    if stick is None:
        assignment, server_time, down = _assignment(data, wire, device, confirmed)
    else:
        assignment, server_time, down = load_assignment(data), None, None
    accepted = trust.raise_floor(
        accepted,
        now=now(),
        server_time=server_time if device.server.startswith("https:") else None,
        # Of another clock than the machine's own, its time servers know nothing.
        ntp_time=ntp_time() if now is utc_now else None,
    )
    if server_time is not None:
        offset = round((server_time - now()).total_seconds())
        # The state is written at the end of a sync anyway; a second write wears cards out.
        if abs(offset - load_state(data).get("clock_offset_seconds", 10**9)) > 5:
            save_state(data, clock_offset_seconds=offset)
    trust.save_accepted(data.trust, accepted)
    if assignment is None:
        raise NothingAssigned(
            "expected a package assigned to this device, got none: assign one on the server"
        )
    return assignment, down, accepted


@dataclass(frozen=True, slots=True)
class _Brought:
    """What became of the slots: manifests offered (SHA-256), what was taken, what failed."""

    offered: set[str] = field(default_factory=set)
    taken: dict[str, _Taken] = field(default_factory=dict)
    troubles: dict[str, KioskError] = field(default_factory=dict)


def _bring(
    data: DataDir,
    fetcher: _Fetching,
    assignment: Assignment,
    published: _Published,
    wanted: Sequence[Wanted],
    held: Mapping[str, Slot],
    *,
    at_once: bool,
) -> _Brought:
    """Bring each wanted slot along, the main one first; what fails for one keeps no other."""
    reach = fetcher.reach
    brought = _Brought()
    for want in wanted:
        slot = held.get(want.slot)
        main = want is wanted[0]
        try:
            offer = _offer(data, fetcher.wire, reach, published, want)
            brought.offered.add(offer.sha256)
            chosen = _choose(offer, want, assignment, reach.device, fetcher.now())
            if main:
                _note_known(data, chosen)
            general = assignment.release_limit if main else None
            limit = assignment.release_limits.get(want.slot, general)
            why_not = _refusal(slot, chosen, limit, retake=fetcher.insists)
            manifest = offer.manifest
            if why_not is not None and slot is not None:
                chosen, manifest = _stay(data, slot, want, chosen, manifest)
            brought.taken[want.slot] = _take(
                data, fetcher, slot, chosen, manifest, why_not, main=main, at_once=at_once
            )
        except Cancelled:
            raise
        except KioskError as error:
            brought.troubles[want.slot] = error
            _repair(data, fetcher, [slot] if slot else ())
            if isinstance(error, DiskFailing | NoNetwork) and len(reach.ordered()) < 2:
                break
    return brought


@dataclass(frozen=True, slots=True)
class _Taken:
    """What became of one slot. `chosen` plays or waits; `state` is the result's outcome."""

    chosen: ActiveSet
    fetched: tuple[ManifestFile, ...]
    state: str
    message: str | None = None

    @property
    def changed(self) -> bool:
        """Whether its slot has a set it had not before."""
        return self.state in ("activated", "ready")


def _outcome(states: Collection[str], *, repaired: bool) -> str:
    for word in ("activated", "ready", "waiting"):
        if word in states:
            return word
    return "repaired" if repaired else "unchanged"


def _refusal(
    slot: Slot | None, chosen: ActiveSet, limit: int | None, *, retake: bool
) -> str | None:
    """Why a release is not taken although it is newer, or None. A bare device takes anything.

    Raises:
        Rollback: it is older.
    """
    check_release(slot, chosen)
    if slot is None or slot.current is None or chosen.same_content(slot.current):
        return None
    if limit is not None and chosen.release > limit:
        return f"release {chosen.release} is held back by the rollout, which is at {limit}"
    if is_returned(slot, chosen.manifest) and not retake and slot.returned is not None:
        return f"release {chosen.release} was given back ({slot.returned.reason}): publish another"
    return None


def _take(
    data: DataDir,
    fetcher: _Fetching,
    slot: Slot | None,
    chosen: ActiveSet,
    manifest: Manifest,
    why_not: str | None,
    *,
    main: bool,
    at_once: bool,
) -> _Taken:
    """Make the chosen set complete and let it play or wait.

    `why_not` is why it is none of the newest release; it then is what plays,
    perhaps in other languages, and needs no hour of its own.
    """
    files = needed_files(manifest, chosen.profile, chosen.languages)
    plays = slot is not None and chosen.same_content(slot.current)
    try:
        # What plays must not stay in holes until the night.
        with fetcher.wire.at_any_hour() if plays else nullcontext():
            fetched = fetcher.complete(files, coming=chosen)
    except WaitingForWindow as error:
        _repair(data, fetcher, [slot] if slot else ())
        playing = slot.current if slot and slot.current else chosen
        return _Taken(playing, (), "waiting", str(error))
    if at_once and activate_set(data, chosen, main=main):
        state = "activated"
    elif not at_once and stage(data, slot_key(chosen.package, chosen.channel), chosen, main=main):
        state = "ready"
        # What waits may wait all day; what plays until then is looked after too.
        _repair(data, fetcher, [slot] if slot else ())
    else:
        state = "repaired" if fetched else "unchanged"
    return _Taken(chosen, fetched, state, why_not)


def _stay(
    data: DataDir, slot: Slot, want: Wanted, chosen: ActiveSet, manifest: Manifest
) -> tuple[ActiveSet, Manifest]:
    """The release that plays, for the profile and languages wanted now, in place of `chosen`."""
    withdraw(data, slot.key)
    playing = load_manifest(data, slot.current.manifest) if slot.current else None
    if slot.current is None or playing is None:
        raise StoreDamaged("expected the playing set's manifest, got none")
    languages = held_languages(playing, want.languages)
    kept = replace(chosen, manifest=slot.current.manifest, release=playing.release)
    return replace(kept, languages=languages), playing


def _assignment(
    data: DataDir, wire: Wire, device: Device, confirmed: int | None
) -> tuple[Assignment | None, datetime | None, KioskError | None]:
    """What is assigned, from the server or, when that cannot be asked, as last known.

    The repository may be elsewhere and well; it speaks for itself. When it is
    at the same host, the third is why there is no use in asking that. Nobody is
    asked when the server has just `confirmed` the version that is known.
    """
    known = load_assignment(data)
    if known is not None and known.version == confirmed:
        return known, None, None
    try:
        found = ask_assignment(wire, device, known)
    except NoNetwork as error:
        if known is None:
            raise
        # The same host will be no nearer; another may be.
        return known, None, error if device.repository_url.startswith(device.server) else None
    except (ForeignAnswer, OriginTrouble):
        if known is None:
            raise
        return known, None, None
    if not found.unchanged and found.assignment != known:
        save_assignment(data, found.assignment)
    return found.assignment, found.server_time, None


@dataclass(frozen=True, slots=True)
class _Published:
    """What the signed metadata says now, and where it came from."""

    verified: trust.Verified
    source: Source


def _refresh(
    data: DataDir,
    wire: Wire,
    reach: Reach,
    accepted: trust.Accepted,
    at: datetime,
    now: datetime,
) -> _Published:
    """The newest metadata, verified and accepted durably."""
    verified, source = refresh_metadata(reach, wire, accepted=accepted, at=at, now=now)
    trust.save_accepted(data.trust, trust.accept(accepted, verified, now))
    if verified.versions != accepted.versions:
        # For sticks made here: devices enrolled before this one need the older roots.
        keep_root_chain(data, reach.device, root_reader(source, wire), trust.precedes)
    return _Published(verified, source)


def _offer(data: DataDir, wire: Wire, reach: Reach, published: _Published, want: Wanted) -> Offer:
    """The newest release of what is wanted, its manifest verified and kept."""
    name = manifest_target(want.package, want.channel)
    target = trust.find_target(published.verified, name)
    if target is None:
        raise OriginTrouble(
            f"expected a {want.channel} release of {want.package}, "
            "got a repository without one: publish it first"
        )
    sha256 = trust.target_sha256(target)
    manifest = load_manifest(data, sha256)
    if manifest is None:
        sources = dict.fromkeys((published.source, *reach.ordered()))
        raw = fetch_document(
            tuple(sources),
            wire,
            target_file(name, sha256),
            target.length,
            lambda raw: trust.check_target(target, raw),
        )
        manifest = parse(raw)
        keep_manifest(data, raw)
    if (manifest.package, manifest.channel) != (want.package, want.channel):
        raise NotTrusted(f"expected the manifest of {name}, got that of {manifest.package}")
    return Offer(manifest, sha256)


def _choose(
    offer: Offer, want: Wanted, assignment: Assignment, device: Device, now: datetime
) -> ActiveSet:
    manifest = offer.manifest
    return ActiveSet(
        manifest=offer.sha256,
        package=manifest.package,
        channel=manifest.channel,
        release=manifest.release,
        profile=want.profile,
        languages=held_languages(manifest, want.languages),
        timezone=assignment.timezone,
        anchor=device.anchor,
        activated_at=now,
    )


@dataclass(frozen=True, slots=True)
class _Fetching:
    """Making sets complete from whatever is in reach.

    `insists`: a person or an order wants it, however often this disk was repaired.
    `counted` are bytes by kind of source, `asked` the SHA-256 of every file needed so far.
    """

    wire: Wire
    reach: Reach
    store: Store
    watcher: Watcher
    reserve: int
    workers: int
    now: Callable[[], datetime]
    insists: bool = False
    counted: dict[str, int] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def heal_from_stick(self) -> tuple[ManifestFile, ...]:
        """Copy what sets here miss and the stick, if there is one, has; whatever its age."""
        if self.reach.stick is None:
            return ()
        from kiosk_client.stick import take_useful

        taken, size = take_useful(self.reach, self.store, self.reserve, self.watcher)
        if size:
            self.counted["stick"] = size
        return taken

    def complete(
        self,
        files: Sequence[ManifestFile],
        *,
        coming: ActiveSet | None = None,
    ) -> tuple[ManifestFile, ...]:
        """Fetch what of `files` is missing; true afterwards: all are stored and proven.

        `coming` is the set they make, where it is a new one.
        """
        self.asked.update(entry.sha256 for entry in files)
        held = held_blobs(self.store, files)
        if len(held) == len({entry.sha256 for entry in files}):
            return ()
        plan = plan_sync(files, held=held)
        wanted = plan.fetch
        mends = coming is None or self._plays(coming)
        if mends and not self.insists:
            check_repairs(self.reach.data, self.now())
        keep = {entry.sha256 for entry in files}
        here = slot_key(coming.package, coming.channel) if coming else ""
        with claimed(self.store, wanted, self.reserve, keep=keep, here=here) as store:
            if coming is not None:
                total = sum({entry.sha256: entry.size for entry in files}.values())
                missing = sum(entry.size for entry in wanted)
                self.watcher.coming(coming.package, coming.release, missing, total)
            self.watcher.begin(len(wanted), plan.fetch_bytes)
            try:
                counted = fetch_from(
                    self.reach.for_bytes(plan.fetch_bytes),
                    self.wire,
                    store,
                    wanted,
                    workers=self.workers,
                    progress=self.watcher.received,
                )
                for kind, size in counted.items():
                    self.counted[kind] = self.counted.get(kind, 0) + size
            except NoNetwork as error:
                if store.pace.is_slow():
                    raise DiskFailing(
                        "expected a disk that keeps up with the network, got one that takes many "
                        "seconds for small writes: replace it, and try another power supply"
                    ) from error
                raise
            finally:
                self.watcher.end()
        sync_names(self.store, (entry.sha256 for entry in wanted))
        lost = {entry.sha256 for entry in files} - held_blobs(self.store, files)
        if lost:
            raise StoreDamaged(f"expected every file on the disk, got {len(lost)} lost again")
        if mends:
            note_repair(self.reach.data, self.now())
        return wanted

    def _plays(self, chosen: ActiveSet) -> bool:
        slot = read_slots(self.reach.data).get(slot_key(chosen.package, chosen.channel))
        return slot is not None and chosen.same_content(slot.current)


def protected_blobs(data: DataDir) -> frozenset[str]:
    """The blobs (SHA-256) of every set any slot needs: playing, before it, and waiting."""
    chosen = {one for slot in read_slots(data).values() for one in slot.sets}
    loaded = (load_set(data, one) for one in chosen)
    return frozenset(entry.sha256 for one in loaded if one is not None for entry in one.files)


def _repair(data: DataDir, fetcher: _Fetching, slots: Iterable[Slot]) -> None:
    """Fetch what playing sets miss, if anybody answers; their manifests were accepted once."""
    for slot in slots:
        loaded = load_set(data, slot.current) if slot.current else None
        if loaded is None:
            continue
        try:
            # What plays must not stay in holes until the night.
            with fetcher.wire.at_any_hour():
                fetcher.complete(loaded.files)
        except Cancelled:
            raise
        except KioskError:
            return


def _collect(data: DataDir, store: Store, offered: Set[str], asked: Set[str]) -> None:
    """Remove blobs, parts and manifests that no slot needs and this sync did not ask for.

    Only where something may have become superfluous: the sets named are others than last time.
    """
    slots = read_slots(data)
    if not slots:
        return
    named = {one.manifest for slot in slots.values() for one in slot.sets}
    tags = sorted({one.tag for slot in slots.values() for one in slot.sets})
    if load_state(data).get("collected") == tags:
        return
    remove(store, stored_blobs(store) - protected_blobs(data) - asked, keep_parts=asked)
    for path in data.sets.glob("*.json"):
        if path != manifest_path(data, path.stem) or path.stem not in named | offered:
            path.unlink(missing_ok=True)
    save_state(data, collected=tags)


def _note_known(data: DataDir, newest: ActiveSet) -> None:
    """Keep which release is the newest this device has heard of, whatever becomes of it here."""
    heard = {"package": newest.package, "release": newest.release}
    if load_state(data).get("known") != heard:
        save_state(data, known=heard)


def _note(
    data: DataDir,
    now: datetime,
    outcome: str,
    trigger: str,
    error: KioskError | None,
    result: SyncResult | None = None,
) -> None:
    """Write down how the sync went; a disk that refuses this too has been reported already."""
    message = str(error) if error else result.message if result else None
    try:
        save_state(
            data,
            last_sync={
                "at": stamp(now),
                "outcome": outcome,
                "error_code": error.code if error else None,
                "message": message,
                "trigger": trigger,
                "sources": dict(result.sources) if result else {},
            },
        )
    except OSError:
        return
