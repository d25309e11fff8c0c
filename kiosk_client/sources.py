"""Where a device gets things from, nearest first, and what to do with a bad one.

A stick, a kiosk on the same network (a relay), a mirror, the origin. Blobs are
asked of the nearest that has them; metadata of the origin first, because only
that surely has the newest. All but the origin are trusted for nothing and may
fail: each file falls through to the next source, by proven block.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kiosk_client import transfer, trust
from kiosk_client.config import Assignment, DataDir, Device
from kiosk_client.discovery import service_name
from kiosk_client.durable import read_json
from kiosk_client.errors import (
    DamagedTransfer,
    ForeignAnswer,
    KioskError,
    NoNetwork,
    OriginTrouble,
    StickTrouble,
)
from kiosk_client.folder import Folder
from kiosk_client.holdings import LARGEST_ROOT, anchor_name
from kiosk_client.stick_layout import copy_blobs, find_stick
from kiosk_client.store import Store, megabytes, prove
from kiosk_client.wire import Cancelled, WaitingForWindow, Wire, json_object
from package_format.manifest import ManifestFile

KINDS = ("stick", "relay", "mirror", "origin")
RELAY_PORT = 8081
MOST_NEIGHBOURS = 8
"""Relays, and mirrors, that are asked in one sync."""
MOST_ASKED = 10_000
"""Hashes in one question to a relay."""

_STRIKES = 3
_WORTH_A_SEARCH = 32 * 1024 * 1024
_LAN_WORKERS = 4
# A neighbour that is slower than this is no help; the origin is asked instead.
_LAN_RATE = 64 * 1024

log = logging.getLogger("kiosk_client.sources")

Discovery = Callable[[str, str], Sequence[str]]
"""Finds relays in this network by the name of the trust anchor, but not this device's own name."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place that may have what is missing: an address ending in a slash, or a folder.

    That an `optional` one is not there is no trouble to speak of. One that is
    `down` is not asked; it says again what it said.
    """

    kind: str
    url: str = ""
    folder: Path | None = None
    optional: bool = False
    down: KioskError | None = None


@dataclass(frozen=True, slots=True)
class GivenStick:
    """A stick somebody imports from, and the venue's PIN, by which they answer for its age."""

    folder: Path
    pin: str | None = field(default=None, repr=False)


class NothingNewer(KioskError):
    """The stick is older than what this device has, or the same. No fault of anybody's."""

    code = "nothing-newer"


@dataclass(slots=True)
class Reach:
    """The sources a device has just now. Neighbours are searched for once, and only when asked.

    `down` is what the origin answered when it failed; it is then not asked
    again. `answered` is the kind of source that gave the metadata.
    """

    data: DataDir
    device: Device
    assignment: Assignment | None
    discovery: Discovery | None = None
    stick: GivenStick | None = None
    down: KioskError | None = None
    answered: str = "origin"
    _found: tuple[Source, ...] | None = field(default=None, repr=False)

    @property
    def origin(self) -> Source:
        """The repository this device was enrolled at."""
        return Source("origin", self.device.repository_url, down=self.down)

    @property
    def sticks(self) -> tuple[Source, ...]:
        """The folder imported from, or the one the venue's settings name for sticks."""
        if self.stick is not None:
            return (Source("stick", folder=self.stick.folder),)
        named = local_setting(self.data, None, "stick")
        folder = Path(named) if isinstance(named, str) and named.startswith("/") else None
        return (Source("stick", folder=folder, optional=True),) if folder else ()

    @property
    def mirrors(self) -> tuple[Source, ...]:
        """Other servers of the same repository, as the settings name them."""
        told = self.assignment.mirrors if self.assignment else ()
        return self._listed("mirror", "mirrors", told)

    def relays(self, *, search: bool) -> tuple[Source, ...]:
        """Kiosks in this network: those the settings name, and with `search` those that answer."""
        listed = self._listed("relay", "relays")
        wanted = local_setting(self.data, self.assignment, "discover") is not False
        if search and wanted and self.discovery is not None and self._found is None:
            try:
                urls = self.discovery(
                    anchor_name(self.data, self.device), service_name(self.device.id)
                )
            except (OSError, ValueError) as error:
                # Venues' networks forbid multicast in many ways; none is a fault of the kiosk.
                log.info("no neighbours were searched for: %s", error)
                urls = ()
            self._found = _addresses("relay", urls)
        known = {source.url for source in listed}
        return (*listed, *(one for one in self._found or () if one.url not in known))[
            :MOST_NEIGHBOURS
        ]

    def ordered(self, *, search: bool = False) -> tuple[Source, ...]:
        """All of them as blobs are asked for: nearest first, the origin last."""
        return (*self.sticks, *self.relays(search=search), *self.mirrors, self.origin)

    def for_bytes(self, size: int) -> tuple[Source, ...]:
        """`ordered`, with a search for neighbours where `size` bytes make it worth a second."""
        far = not _is_near(urlsplit(self.device.repository_url).hostname or "")
        asked = local_setting(self.data, self.assignment, "discover") is True
        return self.ordered(search=(far or asked) and size >= _WORTH_A_SEARCH)

    def _listed(self, kind: str, key: str, told: Sequence[str] = ()) -> tuple[Source, ...]:
        named = local_setting(self.data, self.assignment, key)
        return _addresses(kind, named if isinstance(named, list) else told)[:MOST_NEIGHBOURS]


def ordered_sources(
    data: DataDir,
    device: Device,
    assignment: Assignment | None,
    discovery: Discovery | None = None,
) -> tuple[Source, ...]:
    """Stick, relays, mirrors, origin, as far as there are any; relays are searched for too."""
    return Reach(data, device, assignment, discovery).ordered(search=True)


def local_setting(data: DataDir, assignment: Assignment | None, key: str) -> Any:
    """A setting of this device: the venue's own if it has one, else the server's, else None."""
    own = read_json(data.root / "settings.json")
    if isinstance(own, dict) and key in own:
        return own[key]
    return assignment.settings.get(key) if assignment else None


def neighbour_url(text: str, port: int = RELAY_PORT) -> str:
    """The repository's address at a relay as people type it: `10.0.0.5` or `http://10.0.0.5:8081`.

    Raises:
        ValueError: it is no address of that kind.
    """
    typed = text.strip()
    parts = urlsplit(typed if "://" in typed else f"http://{typed}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(f"expected an address such as http://10.0.0.5:{port}, got {text!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    chosen = parts.port or (443 if parts.scheme == "https" else port)
    path = parts.path.rstrip("/").removesuffix("/repository")
    return f"{parts.scheme}://{host}:{chosen}{path}/repository/"


def fetch_from(
    sources: Sequence[Source],
    wire: Wire,
    store: Store,
    files: Sequence[ManifestFile],
    *,
    workers: int = transfer.WORKERS,
    progress: transfer.Progress = lambda received: None,
) -> dict[str, int]:
    """Fetch `files`, each from the first of `sources` that gives it; bytes by kind of source.

    True afterwards: every file is stored and proven. What a source does wrong
    is an error only when it is the last that could have helped.

    Raises:
        NoNetwork, DamagedTransfer, ForeignAnswer, OriginTrouble, StickTrouble: as the last says.
        DiskFull, KioskError: the disk refused.
        Cancelled: the process is being stopped.
    """
    counted: dict[str, int] = {}
    left = list(files)
    trouble: KioskError | None = None
    lacking: KioskError | None = None
    near, far = _near_wire(wire), _mirror_wire(wire)
    try:
        for source in sources:
            if not left:
                break
            counter = _Counter(progress)
            said: KioskError | None = None
            try:
                if source.down is not None:
                    said = source.down
                elif source.folder is not None:
                    said = _from_stick(source.folder, store, left, counter)
                    lacking = None if source.optional else said
                elif source.kind == "origin":
                    transfer.fetch_blobs(
                        wire,
                        transfer.Source(source.url),
                        store,
                        left,
                        workers=workers,
                        progress=counter,
                    )
                elif source.kind == "relay":
                    offered = ask_relay(near, source, left)
                    said = _from_neighbour(near, source, store, offered, _LAN_WORKERS, counter)
                else:
                    said = _from_neighbour(far, source, store, left, workers, counter)
            except Cancelled:
                raise
            except StickTrouble as error:
                said = error
                lacking = None if source.optional else said
            except (WaitingForWindow, *_OF_A_SOURCE) as error:
                said = error
            finally:
                if counter.size > 0:
                    counted[source.kind] = counted.get(source.kind, 0) + counter.size
            if said is not None and not source.optional:
                trouble = said
            if said is not None and source.kind not in ("origin", "stick"):
                log.info("%s %s: %s", source.kind, source.url, said)
            left = [entry for entry in left if not prove(store, entry.sha256, entry.size)]
    finally:
        for other in (near, far):
            wire.add(other)
            other.close()
    if left:
        if lacking is not None and isinstance(trouble, NoNetwork):
            # That there is no network either is no news to somebody with a stick.
            trouble = lacking
        raise trouble or OriginTrouble(
            f"expected {left[0].path} from one of {len(sources)} sources, got it from none"
        )
    return counted


def ask_relay(wire: Wire, source: Source, files: Sequence[ManifestFile]) -> list[ManifestFile]:
    """Which of `files` a relay says it has: one question, or one for each 10,000 files.

    Raises:
        NoNetwork, DamagedTransfer, ForeignAnswer, OriginTrouble: it does not answer as a relay.
    """
    offered: list[ManifestFile] = []
    for start in range(0, len(files), MOST_ASKED):
        asked = files[start : start + MOST_ASKED]
        url = source.url + "have"
        reply = wire.ask(
            "POST",
            url,
            limit=64 * 1024,
            headers={"Content-Type": "application/json"},
            body=json.dumps({"sha256": [entry.sha256 for entry in asked]}).encode("ascii"),
        )
        if reply.status != 200:
            raise OriginTrouble(f"expected a relay at {url}, got status {reply.status}")
        mask = _mask(json_object(reply, url).get("have"), len(asked))
        offered.extend(entry for at, entry in enumerate(asked) if mask[at // 8] >> (at % 8) & 1)
    return offered


def refresh_metadata(
    reach: Reach,
    wire: Wire,
    *,
    accepted: trust.Accepted,
    at: datetime,
    now: datetime,
) -> tuple[trust.Verified, Source]:
    """Verified metadata and the source that gave it: the origin or, when it is down, any other.

    Notes in `reach` that the origin is down. With a stick given, it comes from there alone.

    Raises:
        KioskError: as the origin answers, when nobody else has metadata that verifies either.
        NothingNewer: the stick has nothing that is not here.
    """
    if reach.stick is not None:
        from kiosk_client.stick import refresh_from_stick

        return refresh_from_stick(reach, reach.stick, accepted, at, now)
    device, data = reach.device, reach.data

    def refresh(source: Source, over: Wire, *, retry: bool) -> trust.Verified:
        return trust.refresh(
            metadata_dir=data.metadata,
            metadata_url=source.url + "metadata/",
            root=device.root,
            fetcher=trust.MetadataFetcher(over),
            accepted=accepted,
            at=at,
            retry=retry,
        )

    if reach.down is None:
        try:
            return refresh(reach.origin, wire, retry=True), reach.origin
        except (NoNetwork, ForeignAnswer, OriginTrouble) as error:
            reach.down = error
    near = _near_wire(wire)
    try:
        for source in (*reach.mirrors, *reach.relays(search=True)):
            try:
                over = near if source.kind == "relay" else wire
                verified = refresh(source, over, retry=False)
                reach.answered = source.kind
                return verified, source
            except Cancelled:
                raise
            except KioskError as error:
                log.info("%s %s gave no metadata: %s", source.kind, source.url, error)
    finally:
        wire.add(near)
        near.close()
    raise reach.down


def fetch_document(
    sources: Sequence[Source], wire: Wire, path: str, limit: int, check: Callable[[bytes], None]
) -> bytes:
    """A file of at most `limit` bytes at `path`, from the first of `sources` that has it right.

    `check` raises a KioskError when the bytes are not the ones meant.

    Raises:
        KioskError: as the first source answers, when no other has it.
    """
    first: KioskError | None = None
    near = _near_wire(wire)
    try:
        for source in sources:
            if source.down is not None:
                first = first or source.down
                continue
            try:
                if source.folder is not None:
                    raw = _read_stick(source.folder, path, limit)
                else:
                    over = near if source.kind == "relay" else wire
                    raw = _ask_document(over, source.url, path, limit, 2 if first else 3)
                check(raw)
                return raw
            except (StickTrouble, *_OF_A_SOURCE) as error:
                first = first or error
    finally:
        wire.add(near)
        near.close()
    raise first or OriginTrouble(f"expected {path} from the repository, got nobody to ask")


def _read_stick(place: Path, path: str, limit: int) -> bytes:
    with Folder(place) as folder:
        raw = folder.read(find_stick(folder).path(path), limit)
    if raw is None:
        raise StickTrouble(
            f"expected {path} on the stick, got no such file: export to it once more, "
            "from a device of the same package"
        )
    return raw


def _ask_document(wire: Wire, url: str, path: str, limit: int, attempts: int) -> bytes:
    reply = wire.ask("GET", url + path, limit=limit, attempts=attempts)
    if reply.status != 200:
        raise OriginTrouble(f"expected {path} from the repository, got status {reply.status}")
    if not reply.body.lstrip().startswith(b"{"):
        raise ForeignAnswer(f"expected {path} from the repository, got something else")
    return reply.body


def root_reader(source: Source, wire: Wire) -> Callable[[int], bytes | None]:
    """Reads roots by their number from a source; None where it does not give one."""

    def read(version: int) -> bytes | None:
        name = f"metadata/{version}.root.json"
        try:
            if source.folder is not None:
                return _read_stick(source.folder, name, LARGEST_ROOT)
            return _ask_document(wire, source.url, name, LARGEST_ROOT, 1)
        except (StickTrouble, *_OF_A_SOURCE) as error:
            log.debug("root %d is not to be had: %s", version, error)
            return None

    return read


_OF_A_SOURCE = (NoNetwork, DamagedTransfer, ForeignAnswer, OriginTrouble)
"""What a source does wrong; anything else is this device's own trouble."""


class _Counter:
    """Counts the bytes of one source, and passes them on. Safe for several threads."""

    def __init__(self, progress: transfer.Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self.size = 0

    def __call__(self, size: int) -> None:
        with self._lock:
            self.size += size
        self._progress(size)


def _from_stick(
    place: Path, store: Store, files: Sequence[ManifestFile], progress: transfer.Progress
) -> KioskError | None:
    """Copy what of `files` a stick has; what it should have had, and has not."""
    with Folder(place) as folder:
        copied = copy_blobs(find_stick(folder), store, files, progress)
    size = megabytes(sum(entry.size for entry in copied.left))
    if copied.damaged:
        return DamagedTransfer(
            f"expected every file on the stick as it was written, got {len(copied.left)} damaged "
            f"or missing ({size}), such as {copied.damaged[0].path}: export to it once more"
        )
    if copied.absent:
        return StickTrouble(
            f"expected every file this device needs on the stick, got {len(copied.absent)} missing "
            f"({size}), such as {copied.absent[0].path}: export to it with this device's languages "
            "and profile, or connect the device"
        )
    return None


def _from_neighbour(
    wire: Wire,
    source: Source,
    store: Store,
    files: Sequence[ManifestFile],
    workers: int,
    progress: transfer.Progress,
) -> KioskError | None:
    """Fetch what of `files` comes; what does not is for the next source, as is its last trouble.

    A relay that sends something else than it should is not asked again.
    """
    waiting: queue.SimpleQueue[ManifestFile] = queue.SimpleQueue()
    for entry in files:
        waiting.put(entry)
    stop = threading.Event()
    lock = threading.Lock()
    ours: list[Exception] = []
    troubles: list[KioskError] = []
    address = transfer.Source(source.url)

    def work() -> None:
        while not stop.is_set():
            try:
                entry = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                transfer.fetch_blob(wire, address, store, entry, stop=stop, progress=progress)
            except WaitingForWindow as error:
                with lock:
                    troubles.append(error)
            except _OF_A_SOURCE as error:
                with lock:
                    troubles.append(error)
                    if _is_bad(source, troubles):
                        stop.set()
            except Exception as error:  # noqa: BLE001  # raised again below
                ours.append(error)
                stop.set()

    threads = [
        threading.Thread(target=work, name=f"{source.kind}-{number}", daemon=True)
        for number in range(min(workers, len(files)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if ours:
        raise ours[0]
    return troubles[-1] if troubles else None


def _is_bad(source: Source, troubles: Sequence[KioskError]) -> bool:
    """Whether a source is not worth another file; a mirror may well lag behind by some."""
    if isinstance(troubles[-1], NoNetwork | ForeignAnswer):
        return True
    lies = isinstance(troubles[-1], DamagedTransfer)
    return source.kind == "relay" and (lies or len(troubles) >= _STRIKES)


def _is_near(host: str) -> bool:
    """Whether an origin is in this very network, where no neighbour can be nearer."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".local", ".localhost"))


def _near_wire(wire: Wire) -> Wire:
    """Connections to neighbours: no patience, no redirects, no proxy, and not the uplink's cap."""
    limits = wire.limits
    return wire.with_limits(
        replace(
            limits,
            connect_seconds=min(limits.connect_seconds, 2.0),
            gap_seconds=min(limits.gap_seconds, 5.0),
            rate_window_seconds=min(limits.rate_window_seconds, 5.0),
            least_rate=max(limits.least_rate, _LAN_RATE),
            attempts=1,
            redirects=0,
        ),
        near=True,
    )


def _mirror_wire(wire: Wire) -> Wire:
    """Connections to mirrors: the origin is left, so there is no use in trying often."""
    return wire.with_limits(replace(wire.limits, attempts=min(wire.limits.attempts, 2)))


def _addresses(kind: str, named: Sequence[Any]) -> tuple[Source, ...]:
    found: dict[str, Source] = {}
    for text in named:
        try:
            if not isinstance(text, str) or len(text) > 300:
                raise ValueError(f"expected an address, got {text!r}"[:100])
            url = neighbour_url(text) if kind == "relay" else _mirror_url(text)
        except ValueError as error:
            log.warning("%s not used: %s", kind, error)
            continue
        found.setdefault(url, Source(kind, url))
    return tuple(found.values())


def _mirror_url(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(
            f"expected an address such as https://mirror.example.org/repository/, got {text!r}"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/"


def _mask(text: Any, bits: int) -> bytes:
    try:
        mask = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ForeignAnswer("expected a relay's list of what it has, got something else") from error
    if len(mask) != (bits + 7) // 8:
        raise ForeignAnswer(f"expected {bits} answers from a relay, got another number")
    return mask
