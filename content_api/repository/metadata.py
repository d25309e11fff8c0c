"""TUF metadata: the one module that knows python-tuf's metadata API.

The repository has the four top-level roles, consistent snapshots and no delegations; a
target is one manifest. Versions grow by one and are never times. `timestamp.json` is
replaced last: until then nothing that was written can be seen, so a crash leaves the old
state. A file such a crash left behind is never overwritten: the next version skips it.

Callers hold the repository's lock (see `service`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from content_api.repository.store import RepositoryDamaged, file_age, write_atomically

LIFETIMES = {
    "root": timedelta(days=4 * 365),
    "targets": timedelta(days=365),
    "snapshot": timedelta(days=365),
    "timestamp": timedelta(days=21),
}
"""How long a signature is good for. Displays stay offline for months, so these are long."""

GRACE = timedelta(days=7)
"""Superseded targets and snapshots are kept this long, for readers that began before."""

Signers = Mapping[str, Sequence[CryptoSigner]]
Part = TypeVar("Part", Root, Timestamp, Snapshot, Targets)


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """A manifest as the signed targets name it: SHA-256 and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class RoleState:
    """Version and expiry of one role's newest metadata."""

    role: str
    version: int
    expires: datetime

    def fraction_left(self, now: datetime) -> float:
        """What is left of its life: 1 when just signed, 0 or less when expired."""
        return (self.expires - now) / LIFETIMES[self.role]


@dataclass(frozen=True, slots=True)
class _Current:
    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]


@dataclass(frozen=True, slots=True)
class _Versions:
    targets: int
    snapshot: int
    timestamp: int


def is_initialised(repository: Path) -> bool:
    """Whether the repository has been signed once, to the end."""
    return (repository / "metadata" / "timestamp.json").exists()


def create(
    repository: Path, root: Sequence[CryptoSigner], threshold: int, online: Signers, now: datetime
) -> None:
    """Sign an empty repository: root 1 by all root keys, then targets, snapshot, timestamp."""
    signed = Root(version=1, expires=_expiry("root", now), consistent_snapshot=True)
    for signer in root:
        signed.add_key(signer.public_key, "root")
    signed.roles["root"].threshold = threshold
    for role, signers in online.items():
        for signer in signers:
            signed.add_key(signer.public_key, role)
    _write(repository, "1.root.json", signed, root)
    _write_chain(repository, Targets(), Snapshot(), _Versions(0, 0, 0), online, now)


def targets(repository: Path) -> dict[str, TargetInfo]:
    """Every manifest that `timestamp.json` leads to now; empty before the first signing.

    Raises:
        RepositoryDamaged: the metadata cannot be read.
    """
    if not is_initialised(repository):
        return {}
    return _target_infos(_read_current(repository).targets.signed)


def referenced_targets(repository: Path) -> dict[str, set[str]]:
    """Hashes of the manifests that any kept targets metadata names, by target."""
    found: dict[str, set[str]] = {}
    for version in _versions(repository, "targets"):
        signed = _read(repository, f"{version}.targets.json", Targets).signed
        for name, target in _target_infos(signed).items():
            found.setdefault(name, set()).add(target.sha256)
    return found


def states(repository: Path) -> tuple[list[RoleState], datetime]:
    """Version and expiry of each role, and when the timestamp was signed.

    Raises:
        RepositoryDamaged: the metadata cannot be read.
    """
    current = _read_current(repository)
    parts = (
        ("root", current.root),
        ("targets", current.targets),
        ("snapshot", current.snapshot),
        ("timestamp", current.timestamp),
    )
    found = [RoleState(role, part.signed.version, part.signed.expires) for role, part in parts]
    return found, published_at(current.timestamp.signed)


def published_at(timestamp: Timestamp) -> datetime:
    """The signed time of issue, which TUF itself does not have."""
    text = timestamp.unrecognized_fields.get("published_at")
    try:
        return datetime.fromisoformat(text)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise RepositoryDamaged(
            f"timestamp.json: expected published_at as a time, got {text!r}"
        ) from error


def newest_root(repository: Path) -> bytes:
    """Bytes of the newest root metadata: what a device is given to trust.

    Raises:
        RepositoryDamaged: there is none.
    """
    versions = _versions(repository, "root")
    if not versions:
        raise RepositoryDamaged("repository: there is no root metadata; run `content-api init`")
    return (repository / "metadata" / f"{versions[-1]}.root.json").read_bytes()


def publish_target(
    repository: Path, target: str, info: TargetInfo | None, online: Signers, now: datetime
) -> None:
    """Make `target` name another manifest (None: no longer name any).

    Written and synced in order: targets, snapshot, timestamp. The last one makes it so.
    """
    current = _read_current(repository)
    signed = current.targets.signed
    if info is None:
        signed.targets.pop(target, None)
    else:
        signed.targets[target] = TargetFile(info.size, {"sha256": info.sha256}, target)
    _write_current(repository, current, online, now)


def resign(repository: Path, online: Signers, now: datetime) -> None:
    """Sign targets, snapshot and timestamp anew, naming the same manifests."""
    _write_current(repository, _read_current(repository), online, now)


def resign_timestamp(repository: Path, online: Signers, now: datetime) -> None:
    """Sign the timestamp anew, with the next version: clients discard an equal one."""
    current = _read_current(repository)
    _write_timestamp(
        repository,
        current.timestamp.signed.snapshot_meta,
        current.timestamp.signed.version,
        online["timestamp"],
        now,
    )


def replace_online(
    repository: Path,
    root: Sequence[CryptoSigner],
    following: Mapping[str, CryptoSigner],
    now: datetime,
) -> None:
    """Write a root that names the `following` key of each role in place of the ones before."""
    signed = _read_current(repository).root.signed
    for role, signer in following.items():
        for keyid in list(signed.roles[role].keyids):
            signed.revoke_key(keyid, role)
        signed.add_key(signer.public_key, role)
    _advance_root(repository, signed, root, root, now)


def replace_root(
    repository: Path,
    old: Sequence[CryptoSigner],
    new: Sequence[CryptoSigner],
    threshold: int,
    now: datetime,
) -> None:
    """Write the next root, with `new` root keys, signed by the old threshold and the new.

    With `new` equal to `old` it only gets a later expiry.
    """
    signed = _read_current(repository).root.signed
    for keyid in list(signed.roles["root"].keyids):
        signed.revoke_key(keyid, "root")
    for signer in new:
        signed.add_key(signer.public_key, "root")
    signed.roles["root"].threshold = threshold
    _advance_root(repository, signed, old, new, now)


def online_key_ids(repository: Path) -> set[str]:
    """Ids of the online keys that the newest root names."""
    roles: Mapping[str, Role] = _read_root(repository).signed.roles
    return {keyid for name, role in roles.items() if name != "root" for keyid in role.keyids}


def prune(repository: Path, now: datetime) -> int:
    """Remove targets and snapshots superseded for longer than the grace period; roots stay."""
    current = _read_current(repository)
    newest = {
        "targets": current.targets.signed.version,
        "snapshot": current.snapshot.signed.version,
    }
    removed = 0
    for role, limit in newest.items():
        versions = [version for version in _versions(repository, role) if version <= limit]
        for version, following in pairwise(versions):
            successor = repository / "metadata" / f"{following}.{role}.json"
            if file_age(successor, now.timestamp()) > GRACE.total_seconds():
                (repository / "metadata" / f"{version}.{role}.json").unlink()
                removed += 1
    return removed


def verify(repository: Path) -> None:
    """Check the whole signed chain as a client would, from root 1, but for expiry.

    Raises:
        RepositoryDamaged: a version is missing, a signature or a hash is wrong.
    """
    try:
        versions = _versions(repository, "root")
        if versions != list(range(1, len(versions) + 1)) or not versions:
            raise RepositoryDamaged(f"metadata: expected roots 1, 2, 3 …, got {versions}")
        trusted: Metadata[Root] | None = None
        for version in versions:
            following = _read(repository, f"{version}.root.json", Root)
            for judge in filter(None, (trusted, following)):
                judge.signed.verify_delegate("root", following.signed_bytes, following.signatures)
            if following.signed.version != version:
                raise RepositoryDamaged(f"{version}.root.json: holds another version")
            trusted = following
        current = _read_current(repository)
        for role, part in (
            ("timestamp", current.timestamp),
            ("snapshot", current.snapshot),
            ("targets", current.targets),
        ):
            current.root.signed.verify_delegate(role, part.signed_bytes, part.signatures)
    except RepositoryError as error:
        raise RepositoryDamaged(f"metadata: {error}") from error


def _target_infos(signed: Targets) -> dict[str, TargetInfo]:
    return {
        name: TargetInfo(target.hashes["sha256"], target.length)
        for name, target in signed.targets.items()
    }


def _write_current(repository: Path, current: _Current, online: Signers, now: datetime) -> None:
    versions = _Versions(
        current.targets.signed.version,
        current.snapshot.signed.version,
        current.timestamp.signed.version,
    )
    _write_chain(repository, current.targets.signed, current.snapshot.signed, versions, online, now)


def _write_chain(
    repository: Path,
    targets: Targets,
    snapshot: Snapshot,
    current: _Versions,
    online: Signers,
    now: datetime,
) -> None:
    targets.version = _next_version(repository, "targets", current.targets)
    targets.expires = _expiry("targets", now)
    raw = _write(repository, f"{targets.version}.targets.json", targets, online["targets"])
    snapshot.version = _next_version(repository, "snapshot", current.snapshot)
    snapshot.expires = _expiry("snapshot", now)
    snapshot.meta["targets.json"] = MetaFile.from_data(targets.version, raw, ["sha256"])
    raw = _write(repository, f"{snapshot.version}.snapshot.json", snapshot, online["snapshot"])
    meta = MetaFile.from_data(snapshot.version, raw, ["sha256"])
    _write_timestamp(repository, meta, current.timestamp, online["timestamp"], now)


def _write_timestamp(
    repository: Path, meta: MetaFile, version: int, signers: Sequence[CryptoSigner], now: datetime
) -> None:
    signed = Timestamp(
        version=version + 1,
        expires=_expiry("timestamp", now),
        snapshot_meta=meta,
        unrecognized_fields={"published_at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")},
    )
    _write(repository, "timestamp.json", signed, signers)


def _advance_root(
    repository: Path,
    signed: Root,
    old: Sequence[CryptoSigner],
    new: Sequence[CryptoSigner],
    now: datetime,
) -> None:
    signed.version += 1
    signed.expires = _expiry("root", now)
    before = _read_root(repository)
    signers = {signer.public_key.keyid: signer for signer in (*old, *new)}
    written = _sign(signed, list(signers.values()))
    try:
        for judge in (before.signed, signed):
            judge.verify_delegate("root", written.signed_bytes, written.signatures)
    except RepositoryError as error:
        raise RepositoryDamaged(
            "root keys: expected enough of the keys that the newest root names: "
            f"{before.signed.roles['root'].threshold} of them must sign"
        ) from error
    write_atomically(repository / "metadata" / f"{signed.version}.root.json", written.to_bytes())


def _write(repository: Path, name: str, signed: Any, signers: Sequence[CryptoSigner]) -> bytes:
    raw = _sign(signed, signers).to_bytes()
    write_atomically(repository / "metadata" / name, raw)
    return raw


def _sign(signed: Any, signers: Sequence[CryptoSigner]) -> Metadata[Any]:
    found: Metadata[Any] = Metadata(signed)
    for signer in signers:
        found.sign(signer, append=True)
    return found


def _read_current(repository: Path) -> _Current:
    timestamp = _read(repository, "timestamp.json", Timestamp)
    snapshot_meta = timestamp.signed.snapshot_meta
    snapshot = _read(repository, f"{snapshot_meta.version}.snapshot.json", Snapshot, snapshot_meta)
    targets_meta = snapshot.signed.meta["targets.json"]
    targets = _read(repository, f"{targets_meta.version}.targets.json", Targets, targets_meta)
    return _Current(_read_root(repository), timestamp, snapshot, targets)


def _read_root(repository: Path) -> Metadata[Root]:
    try:
        return Metadata[Root].from_bytes(newest_root(repository))
    except RepositoryError as error:
        raise RepositoryDamaged(f"root metadata cannot be read: {error}") from error


def _read(
    repository: Path, name: str, part: type[Part], meta: MetaFile | None = None
) -> Metadata[Part]:
    try:
        raw = (repository / "metadata" / name).read_bytes()
        if meta is not None:
            meta.verify_length_and_hashes(raw)
        found: Metadata[Any] = Metadata.from_bytes(raw)
    except FileNotFoundError as error:
        raise RepositoryDamaged(f"metadata/{name} is missing") from error
    except RepositoryError as error:
        raise RepositoryDamaged(f"metadata/{name} cannot be read: {error}") from error
    if not isinstance(found.signed, part):
        raise RepositoryDamaged(f"metadata/{name}: expected {part.__name__.lower()} metadata")
    return found


def _versions(repository: Path, role: str) -> list[int]:
    pattern = re.compile(rf"([1-9][0-9]*)\.{role}\.json")
    found = (pattern.fullmatch(path.name) for path in (repository / "metadata").glob("*.json"))
    return sorted(int(match[1]) for match in found if match)


def _next_version(repository: Path, role: str, current: int) -> int:
    return max([current, *_versions(repository, role)]) + 1


def _expiry(role: str, now: datetime) -> datetime:
    return (now.astimezone(UTC) + LIFETIMES[role]).replace(microsecond=0)
