"""One sync: ask, trust, plan, fetch, prove, swap. The old set plays until the last step.

Nothing is skipped because something else is unchanged: the blobs of the set
that plays are looked at every time, and fetched again where they are missing
or were touched, also when the newest metadata was refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kiosk_client import trust
from kiosk_client.activation import (
    Active,
    ActiveSet,
    activate,
    check_release,
    keep_manifest,
    load_manifest,
    load_set,
    manifest_path,
    parse,
    read_active,
    read_slots,
    slot_key,
)
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
from kiosk_client.room import claimed
from kiosk_client.sources import (
    Discovery,
    GivenStick,
    NothingNewer,
    Reach,
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
from kiosk_client.wire import Cancelled, Wire
from package_format.layout import manifest_target, target_file
from package_format.manifest import Manifest, ManifestFile


@dataclass(frozen=True, slots=True)
class Offer:
    """A verified release: what it is and its SHA-256."""

    manifest: Manifest
    sha256: str


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync did. `outcome`: `activated`, `repaired` or `unchanged`.

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
) -> SyncResult:
    """Bring the device to the newest release assigned to it, and note how it went.

    True afterwards: every file of the set that plays was hashed, and the
    pointer names it. On any error the set from before plays on. `discovery`
    finds kiosks in the same network, which may have what is missing. With a
    `stick` metadata comes from there alone, and an older one changes nothing
    but fills holes.

    Raises:
        KioskError: with the code of what went wrong.
    """
    with alone(data.lock):
        try:
            try:
                make_folders(data)
                sweep(data.root)
                sweep(data.sets)
                result = _sync(
                    data, wire, watcher or Watcher(), reserve, workers, now, discovery, stick
                )
            except OSError as error:
                raise from_os_error(error) from error
        except Cancelled:
            raise
        except KioskError as error:
            _note(data, now(), "failed", error)
            raise
        _note(data, now(), result.outcome, None, result.sources)
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
) -> SyncResult:
    began = time.monotonic()
    device = load_device(data)
    store = Store(data.root)
    accepted = trust.raise_floor(trust.load_accepted(data.trust), now=now())
    if stick is None:
        assignment, server_time, down = _assignment(data, wire, device)
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
    reach = Reach(data, device, assignment, discovery, stick, down)
    fetcher = _Fetching(wire, reach, store, watcher, reserve, workers)
    healed = fetcher.heal_from_stick()
    active = read_active(data)
    judged = trust.reference_time(now(), accepted.floor)
    try:
        offer = _offer(data, wire, reach, assignment, accepted, judged.at, now())
        chosen = _choose(offer, assignment, device, now())
        check_release(read_slots(data).get(slot_key(chosen.package, chosen.channel)), chosen)
    except (NothingNewer, Cancelled) as error:
        if active is None or not isinstance(error, NothingNewer):
            raise
        offer, chosen = None, active.current
    except KioskError as error:
        alone_here = isinstance(error, NoNetwork) and len(reach.ordered()) < 2
        if stick is not None or alone_here:
            # What there is has been tried; more would only take longer.
            raise
        # Refusing what is new is no reason to leave what plays in holes.
        _repair(data, fetcher, active)
        raise
    fetched: tuple[ManifestFile, ...] = ()
    changed = False
    if offer is not None:
        files = needed_files(offer.manifest, chosen.profile, chosen.languages)
        fetched = fetcher.complete(files, coming=chosen)
        changed = activate(data, chosen)
    if changed:
        _collect(data, store)
    elif not fetched and reach.down is not None and reach.answered == "relay":
        # A neighbour had nothing newer; whether anything is, only the origin knows.
        raise reach.down
    return SyncResult(
        outcome="activated" if changed else "repaired" if fetched or healed else "unchanged",
        package=chosen.package,
        channel=chosen.channel,
        release=chosen.release,
        fetched_files=len(fetched) + len(healed),
        fetched_bytes=sum(entry.size for entry in (*fetched, *healed)),
        requests=wire.requests,
        received_bytes=wire.received,
        seconds=time.monotonic() - began,
        clock_trusted=judged.clock_trusted,
        sources=fetcher.counted,
    )


def _assignment(
    data: DataDir, wire: Wire, device: Device
) -> tuple[Assignment | None, datetime | None, KioskError | None]:
    """What is assigned, from the server or, when that cannot be asked, as last known.

    The repository may be elsewhere and well; it speaks for itself. When it is
    at the same host, the third is why there is no use in asking that.
    """
    known = load_assignment(data)
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


def _offer(
    data: DataDir,
    wire: Wire,
    reach: Reach,
    assignment: Assignment,
    accepted: trust.Accepted,
    at: datetime,
    now: datetime,
) -> Offer:
    """The newest release of what is assigned, verified and its manifest kept."""
    verified, source = refresh_metadata(reach, wire, accepted=accepted, at=at, now=now)
    trust.save_accepted(data.trust, trust.accept(accepted, verified, now))
    # For sticks made here: devices enrolled before this one need the older roots.
    keep_root_chain(data, reach.device, root_reader(source, wire), trust.precedes)
    name = manifest_target(assignment.package, assignment.channel)
    target = trust.find_target(verified, name)
    if target is None:
        raise OriginTrouble(
            f"expected a {assignment.channel} release of {assignment.package}, "
            "got a repository without one: publish it first"
        )
    sha256 = trust.target_sha256(target)
    manifest = load_manifest(data, sha256)
    if manifest is None:
        sources = dict.fromkeys((source, *reach.ordered()))
        raw = fetch_document(
            tuple(sources),
            wire,
            target_file(name, sha256),
            target.length,
            lambda raw: trust.check_target(target, raw),
        )
        manifest = parse(raw)
        keep_manifest(data, raw)
    if (manifest.package, manifest.channel) != (assignment.package, assignment.channel):
        raise NotTrusted(f"expected the manifest of {name}, got that of {manifest.package}")
    return Offer(manifest, sha256)


def _choose(offer: Offer, assignment: Assignment, device: Device, now: datetime) -> ActiveSet:
    manifest = offer.manifest
    return ActiveSet(
        manifest=offer.sha256,
        package=manifest.package,
        channel=manifest.channel,
        release=manifest.release,
        profile=assignment.profile,
        languages=held_languages(manifest, assignment.languages),
        timezone=assignment.timezone,
        anchor=device.anchor,
        activated_at=now,
    )


@dataclass(frozen=True, slots=True)
class _Fetching:
    """Making a set complete from whatever is in reach; `counted` are bytes by kind of source."""

    wire: Wire
    reach: Reach
    store: Store
    watcher: Watcher
    reserve: int
    workers: int
    counted: dict[str, int] = field(default_factory=dict)

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
        held = held_blobs(self.store, files)
        if len(held) == len({entry.sha256 for entry in files}):
            return ()
        plan = plan_sync(files, held=held)
        wanted = plan.fetch
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
        return wanted


def protected_blobs(data: DataDir) -> frozenset[str]:
    """The blobs (SHA-256) of every set any slot needs: playing, before it, and waiting."""
    chosen = {one for slot in read_slots(data).values() for one in slot.sets}
    loaded = (load_set(data, one) for one in chosen)
    return frozenset(entry.sha256 for one in loaded if one is not None for entry in one.files)


def _repair(data: DataDir, fetcher: _Fetching, active: Active | None) -> None:
    """Fetch what the playing set misses, if anybody answers; its manifest was accepted once."""
    loaded = load_set(data, active.current) if active else None
    if loaded is None:
        return
    try:
        fetcher.complete(loaded.files)
    except KioskError:
        return


def _collect(data: DataDir, store: Store) -> None:
    """Remove blobs, parts and manifests that neither the playing set nor the one before needs."""
    slots = read_slots(data)
    if not slots:
        return
    remove(store, stored_blobs(store) - protected_blobs(data))
    named = {one.manifest for slot in slots.values() for one in slot.sets}
    for path in data.sets.glob("*.json"):
        if path != manifest_path(data, path.stem) or path.stem not in named:
            path.unlink(missing_ok=True)


def _note(
    data: DataDir,
    now: datetime,
    outcome: str,
    error: KioskError | None,
    sources: Mapping[str, int] | None = None,
) -> None:
    """Write down how the sync went; a disk that refuses this too has been reported already."""
    try:
        save_state(
            data,
            last_sync={
                "at": stamp(now),
                "outcome": outcome,
                "error_code": error.code if error else None,
                "message": str(error) if error else None,
                "sources": dict(sources or {}),
            },
        )
    except OSError:
        return
