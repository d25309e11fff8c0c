"""Whom a device believes, and at what time: everything that touches python-tuf.

Three questions, never mixed (docs/package-format.md, section 4): playing what
was accepted asks nothing here; accepting something new asks for the full TUF
client workflow at a time the device can vouch for; staleness is only shown.

The time floor and the versions accepted lie in one durable file of ours.
python-tuf's own files are a cache: it renames them without fsync and removes
`root.json` before linking it anew, so nothing here depends on their survival.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from kiosk_client.clock import last_ntp
from kiosk_client.durable import UNSUPPORTED, read_json, write_file, write_json
from kiosk_client.errors import (
    DamagedTransfer,
    ForeignAnswer,
    KioskError,
    MetadataExpired,
    NotTrusted,
    OriginTrouble,
    Rollback,
    from_os_error,
)
from kiosk_client.wire import Wire, is_page
from package_format.canonical import sha256_hex

BUILT = datetime(2026, 11, 24, tzinfo=UTC)
"""No honest clock shows less: this code did not exist before."""

_ROLES = ("timestamp", "snapshot", "targets")
_LARGEST = 5_000_000
_TAG = "timestamp.tag"
_NO_TIME = datetime.min.replace(tzinfo=UTC)
"""Before every expiry: judged then, nothing has expired."""

_STEP = timedelta(hours=1)
"""A floor that rises by less is not worth a write to a card at every poll."""

_AGREE = timedelta(days=1)
"""How far a time server and the content server may differ and still bear each other out."""

__all__ = ["last_ntp"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What this device has accepted. `floor` never decreases.

    `versions` are those of timestamp, snapshot, targets and every role the
    snapshot names; `keys` those of the first three. `keys` tells a rotation,
    after which TUF lets versions start anew (5.3.11). `last_ntp_at` is the
    newest time that a time server confirmed.
    """

    floor: datetime = BUILT
    published_at: datetime | None = None
    versions: Mapping[str, int] = field(default_factory=dict, hash=False)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    last_ntp_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReferenceTime:
    """The time at which metadata is judged, and whether the clock could be believed."""

    at: datetime
    clock_trusted: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """Metadata verified by the whole client workflow. Look targets up with `find_target`."""

    published_at: datetime | None
    versions: Mapping[str, int]
    keys: Mapping[str, tuple[str, ...]]
    updater: Updater = field(repr=False)


def reference_time(now: datetime, floor: datetime) -> ReferenceTime:
    """The device's clock, or the floor when the clock is behind what surely has passed."""
    return ReferenceTime(max(now, floor), now >= floor)


def raise_floor(
    accepted: Accepted,
    *,
    now: datetime,
    server_time: datetime | None = None,
    ntp_time: datetime | None = None,
) -> Accepted:
    """`accepted` with its floor raised by what two witnesses agree has passed.

    The server's time is not signed, and a floor set too far ahead would refuse
    every release for ever; so it counts only as far as the device's own clock.
    `ntp_time` is a time that a time server confirmed (`clock.ntp_time`); a
    content server that says otherwise is heard against it.
    """
    floor = max(accepted.floor, BUILT)
    confirmed = accepted.last_ntp_at
    if server_time is not None and now >= floor:
        floor = _rise(floor, min(server_time, now))
    if ntp_time is not None and (server_time is None or ntp_time <= server_time + _AGREE):
        floor = _rise(floor, ntp_time)
        confirmed = _rise(confirmed, ntp_time) if confirmed else ntp_time
    return replace(accepted, floor=floor, last_ntp_at=confirmed)


def _rise(floor: datetime, to: datetime) -> datetime:
    return to if to - floor >= _STEP else floor


def load_accepted(path: Path) -> Accepted:
    """What was accepted so far; the client's build time alone when nothing is known."""
    found = read_json(path)
    try:
        published, confirmed = found.get("published_at"), found.get("last_ntp_at")
        return Accepted(
            floor=max(BUILT, datetime.fromisoformat(found["floor"])),
            published_at=datetime.fromisoformat(published) if published else None,
            last_ntp_at=datetime.fromisoformat(confirmed) if confirmed else None,
            versions={role: int(number) for role, number in found["versions"].items()},
            keys={role: tuple(ids) for role, ids in found["keys"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return Accepted()


def save_accepted(path: Path, accepted: Accepted) -> None:
    """Keep what was accepted, durably; writes nothing when it is there already."""
    value = {
        "floor": accepted.floor.isoformat(),
        "published_at": accepted.published_at.isoformat() if accepted.published_at else None,
        "last_ntp_at": accepted.last_ntp_at.isoformat() if accepted.last_ntp_at else None,
        "versions": dict(accepted.versions),
        "keys": {role: list(ids) for role, ids in accepted.keys.items()},
    }
    if read_json(path) != value:
        write_json(path, value)


def start_anew(path: Path) -> None:
    """Forget the versions accepted, for a device that is enrolled anew; time has passed still."""
    known = load_accepted(path)
    save_accepted(path, Accepted(floor=known.floor, last_ntp_at=known.last_ntp_at))


def check_root(raw: bytes) -> int:
    """The version of a first root, after checking that it is signed by its own keys.

    Raises:
        NotTrusted: it is no TUF root, or not signed by a threshold of its keys.
    """
    try:
        root = Metadata[Root].from_bytes(raw)
        root.verify_delegate(Root.type, root)
        return root.signed.version
    except (RepositoryError, ValueError, TypeError, AttributeError) as error:
        raise NotTrusted(f"expected a signed root from the server, got: {error}") from error


def precedes(older: bytes, newer: bytes) -> bool:
    """Whether the root `older` is well signed, and its keys sign the root `newer`, one on."""
    try:
        before = Metadata[Root].from_bytes(older)
        after = Metadata[Root].from_bytes(newer)
        before.verify_delegate(Root.type, before)
        before.verify_delegate(Root.type, after)
    except (RepositoryError, ValueError, TypeError, AttributeError):
        return False
    return bool(before.signed.version + 1 == after.signed.version)


def refresh(
    *,
    metadata_dir: Path,
    metadata_url: str,
    root: bytes,
    fetcher: FetcherInterface,
    accepted: Accepted,
    at: datetime,
    ignore_expiry: bool = False,
    retry: bool = True,
) -> Verified:
    """Follow the TUF client workflow from `root` to the newest targets, judged at time `at`.

    A signature that fails is tried once more from clean local metadata (unless
    `retry` is false): a publication may have happened in between, or a file
    here have rotted. The versions in `accepted` still hold then.

    With `ignore_expiry` all is verified but the expiry: for a stick that a
    person at the venue answers for. Versions go up there too, never down.

    Raises:
        NotTrusted: signatures or format are wrong, twice.
        Rollback: older than what was accepted.
        MetadataExpired: expired at `at`.
        DamagedTransfer: length or hash is not what the metadata says.
        NoNetwork, ForeignAnswer, OriginTrouble: the transfer itself failed.
        KioskError: the disk refused.
    """
    try:
        metadata_dir.mkdir(mode=0o700, exist_ok=True)
        for path in metadata_dir.glob("tmp*"):
            # python-tuf leaves its temporary file when it is killed; the lock is ours.
            path.unlink()
        if isinstance(fetcher, MetadataFetcher):
            fetcher.remember_in(metadata_dir, metadata_url)
        judged = _NO_TIME if ignore_expiry else at
        try:
            verified = _refresh_once(metadata_dir, metadata_url, root, fetcher, judged)
        except (NotTrusted, DamagedTransfer):
            if not retry:
                raise
            with _clean_local(metadata_dir):
                verified = _refresh_once(metadata_dir, metadata_url, root, fetcher, judged)
        if isinstance(fetcher, MetadataFetcher):
            fetcher.keep_tag()
    except OSError as error:
        raise from_os_error(error) from error
    check_versions(accepted, verified)
    return verified


def check_versions(accepted: Accepted, verified: Verified) -> None:
    """Hold new metadata to the versions accepted before.

    python-tuf compares with its local files, which a power cut may have taken.

    Raises:
        Rollback: a version is lower, or a role is gone, although no key of
            timestamp, snapshot and targets was rotated.
    """
    if dict(accepted.keys) != dict(verified.keys):
        return
    for role in (*_ROLES, *sorted(set(accepted.versions).difference(_ROLES))):
        before = accepted.versions.get(role, 0)
        now = verified.versions.get(role)
        if now is None:
            raise Rollback(f"expected {role} version {before} or newer, got a snapshot without it")
        if now < before:
            raise Rollback(f"expected {role} version {before} or newer, got {now}")


def accept(accepted: Accepted, verified: Verified, now: datetime) -> Accepted:
    """`accepted` after `verified` passed at `now`: its versions, and its signed time as floor.

    A publisher's clock may be wrong too. Signed for 2099, a floor would refuse
    all that is signed rightly afterwards; so a device whose own clock can be
    believed goes no further than that.
    """
    published = max(
        (time for time in (accepted.published_at, verified.published_at) if time), default=None
    )
    floor = accepted.floor
    if published is not None:
        floor = max(floor, published if now < floor else min(published, now))
    return replace(
        accepted,
        floor=floor,
        published_at=published,
        versions=dict(verified.versions),
        keys=dict(verified.keys),
    )


def find_target(verified: Verified, name: str) -> TargetFile | None:
    """What the verified targets say of `name`, or None when they do not name it.

    Raises:
        NotTrusted: a delegated role on the way does not verify.
    """
    with _our_errors():
        return verified.updater.get_targetinfo(name)


def target_path(verified: Verified, target: TargetFile, *, hash_prefix: bool = True) -> str:
    """Where a repository keeps `target` below its targets address.

    With consistent snapshots its first hash stands before its name, unless the
    repository says otherwise (`hash_prefix`).
    """
    if not (hash_prefix and verified.updater._trusted_set.root.consistent_snapshot):
        return target.path
    folder, slash, name = target.path.rpartition("/")
    return f"{folder}{slash}{next(iter(target.hashes.values()))}.{name}"


def target_sha256(target: TargetFile) -> str:
    """The SHA-256 a target must have.

    Raises:
        NotTrusted: the metadata names it by another hash alone.
    """
    found = target.hashes.get("sha256")
    if not found:
        raise NotTrusted(f"expected a SHA-256 for {target.path}, got {sorted(target.hashes)}")
    return found


def check_target(target: TargetFile, raw: bytes | Path) -> None:
    """Hold bytes, or the file at a path, to the length and hashes the metadata names.

    Raises:
        DamagedTransfer: they differ.
        OSError: the file cannot be read.
    """
    with _our_errors():
        if isinstance(raw, bytes):
            target.verify_length_and_hashes(raw)
            return
        with raw.open("rb") as file:
            target.verify_length_and_hashes(file)


def forget_metadata(metadata_dir: Path) -> None:
    """Remove all local metadata, for a device that is enrolled anew."""
    for path in sorted(metadata_dir.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


class MetadataFetcher(FetcherInterface):
    """python-tuf's downloads over our own connections: bounded, in memory, and wary of pages.

    A timestamp that is here already is asked for by its tag. Whoever answers
    "not modified" can do no more than send the old one again: it expires here.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._folder: Path | None = None
        self._base = ""
        self._tag: dict[str, str] | None = None

    def remember_in(self, metadata_dir: Path, metadata_url: str) -> None:
        """Keep the timestamp's tag beside python-tuf's files, and ask by the one kept there."""
        self._folder, self._base = metadata_dir, metadata_url

    def keep_tag(self) -> None:
        """Write down the tag of the timestamp that came and now lies here.

        Raises:
            OSError: the disk refused.
        """
        if self._folder is not None and self._tag is not None:
            if sha256_hex(self._local_timestamp()) == self._tag["sha256"]:
                (self._folder / _TAG).write_text(json.dumps(self._tag), "utf-8")
            self._tag = None

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """The bytes at `url`, at most `max_length`.

        Raises:
            DownloadHTTPError: 403 or 404, which python-tuf reads as "no newer root".
            KioskError: the transfer failed; python-tuf lets it pass.
        """
        name = url.rpartition("/")[2]
        here, tag = self._known() if url == f"{self._base}timestamp.json" else (b"", "")
        condition = {"If-None-Match": tag} if tag else {}
        reply = self._wire.ask("GET", url, limit=max_length, headers=condition)
        if reply.status == 304 and tag:
            return here
        if reply.status in (403, 404):
            raise DownloadHTTPError(f"{name}: status {reply.status}", reply.status)
        if reply.status != 200:
            raise OriginTrouble(f"expected {name} from the repository, got status {reply.status}")
        if is_page(reply.headers.get("content-type", ""), reply.body[:512]):
            raise ForeignAnswer(
                f"expected {name} from the repository, got a web page: "
                "is there a login page on this network?"
            )
        if not reply.body.lstrip().startswith(b"{"):
            raise ForeignAnswer(f"expected {name} from the repository, got something else")
        if name == "timestamp.json" and is_strong(reply.headers):
            self._tag = {
                "url": url,
                "etag": reply.headers["etag"],
                "sha256": sha256_hex(reply.body),
            }
        return reply.body

    def _known(self) -> tuple[bytes, str]:
        """The timestamp that lies here and its tag, where both belong together."""
        try:
            found = json.loads((self._folder or Path()).joinpath(_TAG).read_bytes())
            here = self._local_timestamp()
            if (found["url"], found["sha256"]) == (f"{self._base}timestamp.json", sha256_hex(here)):
                return here, str(found["etag"])
        except (OSError, ValueError, TypeError, KeyError):
            pass
        return b"", ""

    def _local_timestamp(self) -> bytes:
        return (self._folder or Path()).joinpath("timestamp.json").read_bytes()

    def _fetch(self, url: str) -> Iterator[bytes]:
        yield self.download_bytes(url, _LARGEST)


class FolderFetcher(FetcherInterface):
    """python-tuf's downloads from a folder, such as a stick's; of an address the name alone counts.

    Whoever filled the folder is a stranger: no link is followed out of it, only
    regular files are read, and never more than asked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """The bytes of the file that `url` ends in, at most `max_length`.

        Raises:
            DownloadHTTPError: there is no such file, as a server's 404.
            DamagedTransfer: it is longer.
            OriginTrouble: it is no regular file, or cannot be read.
        """
        name = url.rpartition("/")[2]
        if name in ("", ".", ".."):
            raise DownloadHTTPError(f"{name or 'no name'}: no such file", 404)
        try:
            # O_NONBLOCK: a named pipe must not keep us waiting.
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fd = os.open(
                    name,
                    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                    dir_fd=folder,
                )
            finally:
                os.close(folder)
            with open(fd, "rb") as file:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise OriginTrouble(f"expected the file {name}, got something else")
                raw = file.read(max_length + 1)
        except FileNotFoundError as error:
            raise DownloadHTTPError(f"{name}: no such file", 404) from error
        except OSError as error:
            raise OriginTrouble(
                f"expected to read {name} from {self._folder}, got: {error.strerror or error}"
            ) from error
        if len(raw) > max_length:
            raise DamagedTransfer(f"expected at most {max_length} bytes for {name}, got more")
        return raw

    def _fetch(self, url: str) -> Iterator[bytes]:
        yield self.download_bytes(url, _LARGEST)


def is_strong(headers: Mapping[str, str]) -> bool:
    """Whether an answer's `ETag` surely changes with its bytes (RFC 9110, section 8.8.2.2).

    nginx makes it of the size and the second of the last change: two signatures
    within a second would have the same. So one of a file that changed just now is
    not kept.
    """
    etag = headers.get("etag", "")
    if len(etag) < 3 or not (etag.startswith('"') and etag.endswith('"')) or len(etag) > 200:
        return False
    changed = headers.get("last-modified")
    if changed is None:
        return True
    try:
        age = parsedate_to_datetime(headers["date"]) - parsedate_to_datetime(changed)
    except (KeyError, ValueError, TypeError):
        return False
    return age >= timedelta(seconds=2)


def judge_at(updater: Updater, at: datetime) -> None:
    """Make `updater` judge expiry at `at` instead of the machine's clock.

    python-tuf has no public way to say so (theupdateframework/python-tuf#2359).

    Raises:
        RuntimeError: python-tuf changed; this function must change with it.
    """
    inside = getattr(updater, "_trusted_set", None)
    if inside is None or not isinstance(getattr(inside, "reference_time", None), datetime):
        raise RuntimeError("expected tuf 7.0's reference_time, got another python-tuf")
    inside.reference_time = at


class _Updater(Updater):
    """python-tuf's, also where there are no symbolic links: on FAT and exFAT."""

    def _update_root_symlink(self) -> None:
        try:
            super()._update_root_symlink()
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            folder = Path(self._dir)
            version = self._trusted_set.root.version
            raw = (folder / "root_history" / f"{version}.root.json").read_bytes()
            write_file(folder / "root.json", raw)


def _refresh_once(
    metadata_dir: Path, metadata_url: str, root: bytes, fetcher: FetcherInterface, at: datetime
) -> Verified:
    with _our_errors():
        updater = _Updater(
            str(metadata_dir),
            metadata_url,
            fetcher=fetcher,
            config=UpdaterConfig(prefix_targets_with_hash=True),
            # Always the root of our enrolment: the cached root.json is a file anybody may lose.
            bootstrap=root,
        )
        judge_at(updater, at)
        updater.refresh()
        inside = updater._trusted_set
        named = {
            name.removesuffix(".json"): meta.version for name, meta in inside.snapshot.meta.items()
        }
        return Verified(
            published_at=_published_at(inside.timestamp.unrecognized_fields),
            versions={**named, **{role: inside[role].version for role in _ROLES}},
            keys={role: tuple(sorted(inside.root.roles[role].keyids)) for role in _ROLES},
            updater=updater,
        )


def _published_at(fields: Mapping[str, Any]) -> datetime | None:
    text = fields.get("published_at")
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


@contextlib.contextmanager
def _clean_local(metadata_dir: Path) -> Iterator[None]:
    """Without local timestamp, snapshot and targets; they come back if it fails."""
    paths = [metadata_dir / f"{role}.json" for role in _ROLES]
    before = {path: path.read_bytes() for path in paths if path.is_file()}
    for path in before:
        path.unlink()
    try:
        yield
    except KioskError:
        for path, raw in before.items():
            path.write_bytes(raw)
        raise


@contextlib.contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except KioskError:
        raise
    except ExpiredMetadataError as error:
        raise MetadataExpired(
            f"expected signatures still valid, got: {error}: check this device's clock, "
            "then ask the publisher to refresh the repository"
        ) from error
    except BadVersionNumberError as error:
        raise Rollback(f"expected nothing older than already accepted, got: {error}") from error
    except LengthOrHashMismatchError as error:
        raise DamagedTransfer(f"expected the length and hash signed, got: {error}") from error
    except RepositoryError as error:
        raise NotTrusted(f"expected metadata signed by trusted keys, got: {error}") from error
    except DownloadHTTPError as error:
        raise OriginTrouble(f"expected the repository's metadata, got: {error}") from error
    except DownloadError as error:
        raise DamagedTransfer(f"expected the repository's metadata, got: {error}") from error
