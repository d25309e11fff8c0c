"""Where a device keeps its things, and what it was told at enrolment.

`device.json` holds the token and the first trusted root and is readable by its
owner alone. `assignment.json` is what the server last assigned, with its tag.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kiosk_client.durable import read_json, write_json
from kiosk_client.errors import ForeignAnswer, KioskError, NotEnrolled, from_os_error
from package_format.canonical import sha256_hex
from package_format.languages import is_language_tag
from package_format.layout import CHANNELS, is_slug

RESERVE = 256 * 1024 * 1024
"""Bytes of disk left free for the system and its logs."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class DataDir:
    """The names below one device's data directory."""

    root: Path

    @property
    def device(self) -> Path:
        """The device's identity, token and first root (0600)."""
        return self.root / "device.json"

    @property
    def assignment(self) -> Path:
        """What the server last assigned."""
        return self.root / "assignment.json"

    @property
    def active(self) -> Path:
        """The pointer to the set that plays."""
        return self.root / "active.json"

    @property
    def pointer_lock(self) -> Path:
        """Held for the moment a change of the pointer takes."""
        return self.root / "active.lock"

    @property
    def serving_lock(self) -> Path:
        """Held by the process that serves this device's screen."""
        return self.root / "serving.lock"

    @property
    def state(self) -> Path:
        """What the last sync and the last verification found."""
        return self.root / "state.json"

    @property
    def sets(self) -> Path:
        """Manifests by their SHA-256."""
        return self.root / "sets"

    @property
    def metadata(self) -> Path:
        """The TUF client's local metadata."""
        return self.root / "metadata"

    @property
    def trust(self) -> Path:
        """The time floor and the versions accepted."""
        return self.root / "trust.json"

    @property
    def queue(self) -> Path:
        """Heartbeats that could not be sent yet."""
        return self.root / "heartbeats.json"

    @property
    def lock(self) -> Path:
        """Held by whoever changes this directory."""
        return self.root / "lock"


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a device shows. `etag` is the server's tag for it, empty when unknown.

    `schedule` is as the server sent it (`programme.schedule_of` reads it), `release_limit` the
    highest release to take for now, None for no limit; `release_limits` says the same by
    slot, also for packages of the programme. `mirrors` are addresses that carry the
    repository as well.
    """

    package: str
    channel: str
    profile: str
    languages: tuple[str, ...]
    timezone: str
    version: int
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    etag: str = ""
    schedule: Mapping[str, Any] = field(default_factory=dict, hash=False)
    release_limit: int | None = None
    release_limits: Mapping[str, int] = field(default_factory=dict, hash=False)
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """An enrolled device. `root` is the TUF root it starts from; `token` is a secret."""

    id: str
    name: str
    server: str
    repository: str
    token: str = field(repr=False)
    root: bytes = field(repr=False)

    @property
    def anchor(self) -> str:
        """A short name for the root this device starts from."""
        return sha256_hex(self.root)[:16]

    @property
    def repository_url(self) -> str:
        """Address of the repository, with a slash at its end."""
        return urljoin(self.server, self.repository).rstrip("/") + "/"


def default_data_dir() -> Path:
    """The platform's place for a program's data, when neither option nor variable names one."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "lampisterie-kiosk"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "share") / "lampisterie-kiosk"


def open_data_dir(root: Path, *, create: bool = False) -> DataDir:
    """The data directory at `root`, usable by this process.

    Raises:
        KioskError: it is no directory, is absent (without `create`) or takes no writes.
    """
    try:
        if create:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not root.is_dir():
            found = "a file" if root.exists() else "nothing"
            raise NotEnrolled(
                f"expected a kiosk's data directory at {root}, got {found}: "
                "enrol first with `kiosk-client enrol URL CODE`"
            )
        if create:
            make_folders(DataDir(root))
    except OSError as error:
        raise KioskError(
            f"expected a data directory this user may write at {root}, got: {error.strerror}"
        ) from error
    if create and not os.access(root, os.W_OK | os.X_OK):
        raise KioskError(f"expected a data directory this user may write at {root}, got read-only")
    return DataDir(root)


def make_folders(data: DataDir) -> None:
    """Make the folders of a data directory that are not there.

    Raises:
        OSError: the disk refused.
    """
    for folder in ("sets", "metadata", "blobs", "parts"):
        (data.root / folder).mkdir(mode=0o700, exist_ok=True)


def server_url(text: str) -> str:
    """`text` as a server's address ending in a slash.

    Raises:
        KioskError: not http or https with a host.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise KioskError(
            f"expected a server address such as https://content.example.org, got {text!r}"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/"


def save_device(data: DataDir, device: Device) -> None:
    """Write the identity, readable by its owner alone; one write, so never half an enrolment."""
    write_json(
        data.device,
        {
            "id": device.id,
            "name": device.name,
            "server": device.server,
            "repository": device.repository,
            "token": device.token,
            "root": base64.b64encode(device.root).decode("ascii"),
        },
        mode=0o600,
    )


def load_device(data: DataDir) -> Device:
    """The enrolled device.

    Raises:
        NotEnrolled: there is none, or its file does not read as one.
    """
    try:
        found = read_json(data.device)
    except OSError as error:
        raise from_os_error(error) from error
    if found is None:
        raise NotEnrolled(
            f"expected an enrolled device in {data.root}, got none: "
            "enrol first with `kiosk-client enrol URL CODE`"
        )
    try:
        return Device(
            id=found["id"],
            name=found["name"],
            server=found["server"],
            repository=found["repository"],
            token=found["token"],
            root=base64.b64decode(found["root"], validate=True),
        )
    except (KeyError, TypeError, binascii.Error) as error:
        raise NotEnrolled(
            f"expected an enrolment in {data.device}, got a damaged one: enrol this device again"
        ) from error


def parse_assignment(value: Any, etag: str = "") -> Assignment | None:
    """The assignment in a server's answer; None when no package is assigned.

    Raises:
        ForeignAnswer: it is not an assignment as the protocol has it.
    """
    if value is None or (isinstance(value, dict) and value.get("package") is None):
        return None
    try:
        found = Assignment(
            package=value["package"],
            channel=value.get("channel", "live"),
            profile=value["profile"],
            languages=tuple(value["languages"]),
            timezone=value.get("timezone") or "UTC",
            version=int(value.get("version", 0)),
            settings=value.get("settings") or {},
            etag=etag,
            schedule=value.get("schedule") or {},
            release_limit=value.get("release_limit"),
            release_limits=value.get("release_limits") or {},
            mirrors=tuple(value.get("mirrors") or ()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ForeignAnswer(
            f"expected an assignment from the server, got one without {error}"
        ) from error
    if not is_slug(found.package) or found.channel not in CHANNELS:
        raise ForeignAnswer(
            f"expected an assigned package and channel, got {found.package!r} {found.channel!r}"
        )
    if not isinstance(found.profile, str) or not _NAME.fullmatch(found.profile):
        raise ForeignAnswer(f"expected an assigned profile, got {found.profile!r}")
    if not all(is_language_tag(tag) for tag in found.languages):
        raise ForeignAnswer(f"expected assigned languages, got {list(found.languages)!r}")
    if not isinstance(found.schedule, Mapping):
        raise ForeignAnswer(f"expected a schedule, got {str(found.schedule)[:80]!r}")
    if found.release_limit is not None and type(found.release_limit) is not int:
        raise ForeignAnswer(f"expected a release's number or null, got {found.release_limit!r}")
    limits = found.release_limits
    if not isinstance(limits, Mapping) or any(type(one) is not int for one in limits.values()):
        raise ForeignAnswer(f"expected release numbers by slot, got {str(limits)[:80]!r}")
    if not all(isinstance(mirror, str) for mirror in found.mirrors):
        raise ForeignAnswer(f"expected addresses of mirrors, got {str(found.mirrors)[:80]!r}")
    return found


def save_assignment(data: DataDir, assignment: Assignment | None) -> None:
    """Keep what the server assigned, for the days it cannot be asked."""
    if assignment is None:
        write_json(data.assignment, {"package": None})
        return
    write_json(
        data.assignment,
        {
            "package": assignment.package,
            "channel": assignment.channel,
            "profile": assignment.profile,
            "languages": list(assignment.languages),
            "timezone": assignment.timezone,
            "version": assignment.version,
            "settings": dict(assignment.settings),
            "etag": assignment.etag,
            "schedule": dict(assignment.schedule),
            "release_limit": assignment.release_limit,
            "release_limits": dict(assignment.release_limits),
            "mirrors": list(assignment.mirrors),
        },
    )


def load_assignment(data: DataDir) -> Assignment | None:
    """The assignment last kept, or None."""
    found = read_json(data.assignment)
    if not isinstance(found, dict):
        return None
    try:
        return parse_assignment(found, str(found.get("etag", "")))
    except ForeignAnswer:
        return None


def zone(name: str) -> ZoneInfo:
    """The IANA time zone `name`, or UTC when this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
