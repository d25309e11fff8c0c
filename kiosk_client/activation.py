"""Which set plays: one pointer, swapped atomically, to a complete and verified set.

A set is a manifest (kept by its SHA-256) seen by one profile and some languages.
The set before it stays named, so that nothing it needs is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kiosk_client.config import DataDir
from kiosk_client.durable import read_json, write_file, write_json
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


@dataclass(frozen=True, slots=True)
class Active:
    """The pointer: the set that plays and the one before it."""

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


def load_manifest(data: DataDir, sha256: str) -> Manifest | None:
    """The kept manifest `sha256`, or None when it is absent or not what its name says."""
    if not is_sha256(sha256):
        return None
    try:
        raw = manifest_path(data, sha256).read_bytes()
    except FileNotFoundError:
        return None
    return parse(raw) if sha256_hex(raw) == sha256 else None


def keep_manifest(data: DataDir, raw: bytes) -> str:
    """Keep a verified manifest durably; its SHA-256."""
    sha256 = sha256_hex(raw)
    write_file(manifest_path(data, sha256), raw)
    return sha256


def read_active(data: DataDir) -> Active | None:
    """The pointer, or None when nothing was ever activated or it does not read."""
    found = read_json(data.active)
    current = _parse_set(found)
    if current is None:
        return None
    return Active(current, _parse_set(found.get("previous")))


def load_set(data: DataDir, chosen: ActiveSet) -> LoadedSet | None:
    """A set with its files, or None when its manifest is lost or damaged."""
    manifest = load_manifest(data, chosen.manifest)
    if manifest is None:
        return None
    return LoadedSet(chosen, manifest, needed_files(manifest, chosen.profile, chosen.languages))


def check_release(active: Active | None, offered: ActiveSet) -> None:
    """Refuse a release lower than the one that plays, of the same package and channel.

    A device enrolled anew with another root starts anew: somebody stood before it with a code.

    Raises:
        Rollback: it is lower.
    """
    if active is None:
        return
    now = active.current
    same = (now.package, now.channel, now.anchor) == (
        offered.package,
        offered.channel,
        offered.anchor,
    )
    if same and offered.release < now.release:
        raise Rollback(
            f"expected {offered.package} release {now.release} or newer, got {offered.release}"
        )


def activate(data: DataDir, offered: ActiveSet) -> bool:
    """Point to `offered`, which the caller has made complete and verified.

    Returns whether what is shown changed. The pointer is old or new, never between.

    Raises:
        Rollback: see `check_release`.
        OSError: the disk refused; the old set plays on.
    """
    active = read_active(data)
    check_release(active, offered)
    if active is not None and offered.same_content(active.current):
        if (offered.timezone, offered.anchor) == (active.current.timezone, active.current.anchor):
            return False
        write_json(data.active, _to_json(offered, active.previous))
        return False
    write_json(data.active, _to_json(offered, active.current if active else None))
    return True


def _to_json(current: ActiveSet, previous: ActiveSet | None) -> dict[str, Any]:
    found = _set_json(current)
    found["previous"] = _set_json(previous) if previous else None
    return found


def _set_json(chosen: ActiveSet) -> dict[str, Any]:
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
