"""What of the signed repository this device holds and may hand on, to a stick or a neighbour.

Metadata is handed on as one coherent state or not at all: python-tuf replaces
its local files one after another, and a reader must not meet the middle of that.
Nothing here is believed by whoever gets it; it only should not waste their time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kiosk_client.config import DataDir, Device
from kiosk_client.durable import write_file
from package_format.canonical import is_sha256, parse_json, sha256_hex

LARGEST_ROOT = 512_000
"""Bytes of a root, as python-tuf limits them."""
MOST_ROOTS = 256

_ROOT = re.compile(r"([1-9][0-9]{0,8})\.root\.json")


@dataclass(frozen=True, slots=True)
class Metadata:
    """One coherent state of `metadata/`: files by name, as a repository has them.

    `versions` are those of timestamp, snapshot and targets; `expires_at` is when
    the first of the three ends. `targets` are the SHA-256 of each target by name.
    """

    files: Mapping[str, bytes] = field(repr=False)
    versions: Mapping[str, int]
    roots: tuple[int, ...]
    expires_at: datetime
    targets: Mapping[str, str] = field(repr=False)


def read_metadata(data: DataDir) -> Metadata | None:
    """The metadata this device accepted last, or None when it does not fit together.

    It is read, not verified: the receiver does that.

    Raises:
        OSError: the disk refused for another reason than absence.
    """
    try:
        raw = {
            role: (data.metadata / f"{role}.json").read_bytes()
            for role in ("timestamp", "snapshot", "targets")
        }
    except FileNotFoundError:
        return None
    roots = _roots(data)
    try:
        signed = {role: _signed(text) for role, text in raw.items()}
        versions = {role: _version(found) for role, found in signed.items()}
        for upper, lower in (("timestamp", "snapshot"), ("snapshot", "targets")):
            named = signed[upper]["meta"][f"{lower}.json"]
            wrong = (named.get("hashes") or {}).get("sha256", sha256_hex(raw[lower]))
            if named["version"] != versions[lower] or wrong != sha256_hex(raw[lower]):
                return None
        expires = min(datetime.fromisoformat(str(found["expires"])) for found in signed.values())
        targets = {
            str(name): str(found["hashes"]["sha256"])
            for name, found in signed["targets"]["targets"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not roots or not all(is_sha256(sha256) for sha256 in targets.values()):
        return None
    return Metadata(
        files={
            **{f"{version}.root.json": text for version, text in roots.items()},
            f"{versions['targets']}.targets.json": raw["targets"],
            f"{versions['snapshot']}.snapshot.json": raw["snapshot"],
            "timestamp.json": raw["timestamp"],
        },
        versions=versions,
        roots=tuple(roots),
        expires_at=expires if expires.tzinfo else expires.replace(tzinfo=UTC),
        targets=targets,
    )


def root_path(data: DataDir, version: int) -> Path:
    """Where root number `version` lies; python-tuf keeps those since the enrolment there too."""
    return data.metadata / "root_history" / f"{version}.root.json"


def missing_roots(data: DataDir, first: int) -> tuple[int, ...]:
    """Which roots older than `first`, the one of the enrolment, are not kept here."""
    return tuple(version for version in range(1, first) if not root_path(data, version).is_file())


def keep_root_chain(
    data: DataDir,
    device: Device,
    fetch: Callable[[int], bytes | None],
    precedes: Callable[[bytes, bytes], bool],
) -> bool:
    """Fetch the roots before the enrolment's, newest first; whether all are here afterwards.

    This device never needs them. One that was enrolled earlier does, when all
    it gets is a stick from here. `precedes` tells whether one root signs the next.

    Raises:
        OSError: the disk refused.
    """
    first = _version(_signed(device.root))
    newer = device.root
    for version in range(first - 1, max(0, first - MOST_ROOTS), -1):
        path = root_path(data, version)
        if path.is_file():
            newer = path.read_bytes()
            continue
        raw = fetch(version)
        if raw is None or not precedes(raw, newer):
            return False
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(path, raw)
        newer = raw
    return True


def anchor_name(data: DataDir, device: Device) -> str:
    """A short name for the repository this device trusts: its first root's, where it is kept.

    Devices enrolled before and after a change of keys find each other by it.
    """
    try:
        return hashlib.sha256(root_path(data, 1).read_bytes()).hexdigest()[:16]
    except OSError:
        return device.anchor


def kept_manifest(data: DataDir, sha256: str) -> bytes | None:
    """The bytes of a kept manifest, or None when it is absent or not what its name says."""
    if not is_sha256(sha256):
        return None
    try:
        raw = (data.sets / f"{sha256}.json").read_bytes()
    except OSError:
        return None
    return raw if sha256_hex(raw) == sha256 else None


def version_of(raw: bytes) -> int | None:
    """The version metadata says it has, unverified; None when it does not read."""
    try:
        return _version(_signed(raw))
    except (ValueError, KeyError):
        return None


def _roots(data: DataDir) -> dict[int, bytes]:
    found = {}
    folder = data.metadata / "root_history"
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _ROOT.fullmatch(path.name)
        if match:
            found[int(match[1])] = path.read_bytes()
    return dict(sorted(found.items()))


def _signed(raw: bytes) -> dict[str, Any]:
    value = parse_json(raw)
    if not isinstance(value, dict) or not isinstance(value.get("signed"), dict):
        raise ValueError("expected signed metadata")
    return dict(value["signed"])


def _version(signed: Mapping[str, Any]) -> int:
    version = signed["version"]
    if type(version) is not int or version < 1:
        raise ValueError(f"expected a version from 1, got {version!r}")
    return version
