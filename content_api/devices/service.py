"""Venues, devices, enrolment and heartbeats."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import Actor, Grant
from content_api.accounts.tokens import DEVICE_PREFIX, hash_token, new_token
from content_api.database import utc_now
from content_api.devices.models import (
    Device,
    EnrolmentAttempt,
    EnrolmentCode,
    Heartbeat,
    Venue,
)
from content_api.devices.rules import CODE_LIFE, code_hash, new_code, normalise_code
from content_api.packages.models import Package, Release
from content_api.problems import (
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Unauthenticated,
)
from package_format.layout import is_slug

TRIES = 10
TRIES_WINDOW = timedelta(minutes=15)
"""An address may give this many wrong codes in this time."""

ALL_TRIES = 200
"""All addresses together may give this many wrong codes in `TRIES_WINDOW`."""

HEARTBEATS_KEPT = 500
HEARTBEAT_AGE = timedelta(days=30)

DEAD_CODE_AGE = timedelta(days=30)
"""An expired code is remembered this long, so that the device is told why it is refused."""

ASSIGNMENT_FIELDS = ("package", "channel", "profile", "languages", "settings")
"""What a device is told; a change of any raises `assignment_version`."""


class CodeInvalid(Forbidden):
    """The code is wrong, or was used."""

    code = "enrolment-code-invalid"


class CodeExpired(Forbidden):
    """The code was right once."""

    code = "enrolment-code-expired"


class DeviceRevoked(Unauthenticated):
    """The device's token was taken back."""

    code = "device-revoked"


def list_venues(session: Session, *, after: str | None = None, limit: int = 200) -> list[Venue]:
    """Venues by id."""
    query = select(Venue).order_by(Venue.id).limit(limit)
    return list(session.scalars(query.where(Venue.id > after) if after else query))


def get_venue(session: Session, venue_id: str) -> Venue:
    """The venue.

    Raises:
        NotFound: there is none of that id.
    """
    found = session.get(Venue, venue_id) if is_slug(venue_id) else None
    if found is None:
        raise NotFound(f"There is no venue {venue_id[:64]!r}.")
    return found


def create_venue(
    session: Session, actor: Actor, *, name: str, timezone: str, venue_id: str | None = None
) -> Venue:
    """Add a venue; its id is made from its name unless given.

    Raises:
        Conflict: the id is taken.
    """
    venue_id = venue_id or free_id(session, Venue, name, "venue")
    if session.get(Venue, venue_id) is not None:
        raise Conflict(f"There is a venue {venue_id} already.")
    venue = Venue(id=venue_id, name=name, timezone=timezone)
    session.add(venue)
    session.flush()
    record(session, actor, "venue.create", f"venue/{venue_id}")
    return venue


def change_venue(session: Session, actor: Actor, venue_id: str, values: Mapping[str, Any]) -> Venue:
    """Change a venue's name or time zone; its devices are told."""
    venue = get_venue(session, venue_id)
    moved = values.get("timezone", venue.timezone) != venue.timezone
    for name, value in values.items():
        setattr(venue, name, value)
    if moved:
        for device in session.scalars(select(Device).where(Device.venue == venue_id)):
            device.assignment_version += 1
    session.flush()
    record(session, actor, "venue.change", f"venue/{venue_id}", details=dict(values))
    return venue


def list_devices(
    session: Session, *, venue: str | None = None, after: str | None = None, limit: int = 200
) -> list[Device]:
    """Devices by id, of one venue or of all."""
    query = select(Device).order_by(Device.id).limit(limit)
    if venue is not None:
        query = query.where(Device.venue == venue)
    return list(session.scalars(query.where(Device.id > after) if after else query))


def get_device(session: Session, device_id: str) -> Device:
    """The device.

    Raises:
        NotFound: there is none of that id.
    """
    found = session.get(Device, device_id) if is_slug(device_id) else None
    if found is None:
        raise NotFound(f"There is no device {device_id[:64]!r}.")
    return found


def create_device(session: Session, actor: Actor, values: Mapping[str, Any]) -> Device:
    """Add a device to a venue; without `languages` it takes all of its package.

    Raises:
        NotFound: there is no such venue.
        Conflict: the id is taken.
    """
    get_venue(session, values["venue"])
    device_id = values.get("id") or free_id(session, Device, values["name"], "device")
    if session.get(Device, device_id) is not None:
        raise Conflict(f"There is a device {device_id} already.")
    languages = values.get("languages") or _package_languages(session, values["package"])
    device = Device(
        id=device_id,
        venue=values["venue"],
        name=values["name"],
        package=values["package"],
        channel=values.get("channel", "live"),
        profile=values["profile"],
        languages=list(languages),
        settings=dict(values.get("settings", {})),
        assignment_version=1,
    )
    session.add(device)
    session.flush()
    record(session, actor, "device.create", f"device/{device_id}")
    return device


def change_device(
    session: Session,
    actor: Actor,
    device_id: str,
    values: Mapping[str, Any],
    *,
    expected: int | None = None,
) -> Device:
    """Change a device's name, venue or assignment; what it is told gets a new version.

    Raises:
        NotFound: there is no such device or venue.
        PreconditionFailed: the assignment is not at version `expected`.
    """
    device = get_device(session, device_id)
    if expected is not None and device.assignment_version != expected:
        raise PreconditionFailed(
            f"The device is at version {device.assignment_version}, not {expected}.",
            details={"version": device.assignment_version},
        )
    if "venue" in values:
        get_venue(session, values["venue"])
    changed = {name: value for name, value in values.items() if getattr(device, name) != value}
    for name, value in changed.items():
        setattr(device, name, value)
    if changed:
        device.assignment_version += 1
        session.flush()
        record(session, actor, "device.change", f"device/{device_id}", details=changed)
    return device


def revoke_device(session: Session, actor: Actor, device_id: str) -> Device:
    """Take a device's token back, and its open codes. It goes on playing what it holds."""
    device = get_device(session, device_id)
    device.revoked_at = device.revoked_at or utc_now()
    session.execute(delete(EnrolmentCode).where(EnrolmentCode.device == device_id))
    session.flush()
    record(session, actor, "device.revoke", f"device/{device_id}")
    return device


def invite_device(session: Session, actor: Actor, device_id: str) -> tuple[str, datetime]:
    """A new code for a device, told this once, and when it expires; older codes end.

    A revoked device may be invited again: it then gets another token.
    """
    device = get_device(session, device_id)
    session.execute(
        delete(EnrolmentCode).where(
            EnrolmentCode.device == device_id, EnrolmentCode.used_at.is_(None)
        )
    )
    code = new_code()
    now = utc_now()
    session.add(
        EnrolmentCode(
            device=device.id,
            code_hash=code_hash(code.replace("-", "")),
            created_by=actor.id,
            created_at=now,
            expires_at=now + CODE_LIFE,
        )
    )
    session.flush()
    record(session, actor, "device.invite", f"device/{device_id}")
    return code, now + CODE_LIFE


def invite_named_device(
    session: Session,
    actor: Actor,
    *,
    venue: str,
    name: str,
    package: str,
    profile: str,
    timezone: str = "UTC",
) -> str:
    """A code for the device called `name` at the venue called `venue`; both made when missing."""
    place = session.scalar(select(Venue).where(Venue.name == venue).order_by(Venue.id).limit(1))
    if place is None:
        place = create_venue(session, actor, name=venue, timezone=timezone)
    device = session.scalar(
        select(Device)
        .where(Device.venue == place.id, Device.name == name)
        .order_by(Device.id)
        .limit(1)
    )
    if device is None:
        values = {"venue": place.id, "name": name, "package": package, "profile": profile}
        device = create_device(session, actor, values)
    return invite_device(session, actor, device.id)[0]


def check_tries(session: Session, address: str, now: datetime) -> None:
    """Hold an address to its number of tries.

    Raises:
        RateLimited: it, or everybody together, gave too many wrong codes.
    """
    since = now - TRIES_WINDOW
    recent = select(func.count(EnrolmentAttempt.id), func.min(EnrolmentAttempt.at)).where(
        EnrolmentAttempt.at > since
    )
    for query, limit in (
        (recent.where(EnrolmentAttempt.address == address), TRIES),
        (recent, ALL_TRIES),
    ):
        count, oldest = session.execute(query).one()
        if count >= limit:
            wait = max(1, int((oldest + TRIES_WINDOW - now).total_seconds()) + 1)
            raise RateLimited(
                "Too many wrong codes from this address; try again later.", retry_after=wait
            )


def note_try(session: Session, address: str, now: datetime) -> None:
    """Count a wrong code against its address."""
    session.add(EnrolmentAttempt(address=address[:64], at=now))
    session.flush()


def enrol_device(
    session: Session, code: str, now: datetime, *, client: str, platform: str | None = None
) -> tuple[Device, str]:
    """Trade a code for a device's token, told this once; an older token of the device ends.

    Raises:
        CodeInvalid: no such code, or it was used.
        CodeExpired: it is too old.
    """
    typed = normalise_code(code)
    found = None
    if typed is not None:
        # Locked, so that of two devices with one code only the first gets in (PostgreSQL;
        # SQLite has one writer anyway).
        found = session.scalar(
            select(EnrolmentCode)
            .where(EnrolmentCode.code_hash == code_hash(typed))
            .with_for_update()
        )
    if found is None or found.used_at is not None:
        raise CodeInvalid("The code is not valid: check it, or ask for a new one.")
    if found.expires_at <= now:
        raise CodeExpired("The code has expired: ask for a new one.")
    found.used_at = now
    device = session.get_one(Device, found.device)
    token = new_token(DEVICE_PREFIX)
    device.token_hash = hash_token(token)
    device.enrolled_at = now
    device.last_seen_at = now
    device.revoked_at = None
    device.client = client
    device.platform = platform
    session.flush()
    record(session, device_actor(device), "device.enrol", f"device/{device.id}")
    return device, token


def find_device_actor(session: Session, token: str) -> Actor | None:
    """The actor of a device's token; None when no device has it.

    Raises:
        DeviceRevoked: the device had it, and it was taken back.
    """
    device = session.scalar(select(Device).where(Device.token_hash == hash_token(token)))
    if device is None:
        return None
    if device.revoked_at is not None:
        raise DeviceRevoked("This device was revoked: enrol it again with a new code.")
    return device_actor(device)


def device_actor(device: Device) -> Actor:
    """A device as an actor: it may read and report about itself."""
    return Actor(
        id=device.id,
        name=device.name,
        kind="device",
        grants=(Grant(role="device", scopes=("all",), types=("all",)),),
    )


def assignment(session: Session, device: Device) -> dict[str, Any]:
    """What a device is told to show."""
    return {
        **{name: getattr(device, name) for name in ASSIGNMENT_FIELDS},
        "timezone": get_venue(session, device.venue).timezone,
        "version": device.assignment_version,
    }


def note_heartbeat(
    session: Session, device_id: str, body: Mapping[str, Any], now: datetime
) -> Device:
    """Keep what a device reports, as its last word and in its bounded history."""
    device = get_device(session, device_id)
    device.last_seen_at = now
    if _playing(body) != _playing(device.last_heartbeat):
        device.playing_since = now if _playing(body) else None
    device.last_heartbeat = dict(body)
    device.client = str(body["client"])[:64]
    session.add(Heartbeat(device=device_id, received_at=now, body=dict(body)))
    session.flush()
    surplus = (
        select(Heartbeat.id)
        .where(Heartbeat.device == device_id)
        .order_by(Heartbeat.id.desc())
        .offset(HEARTBEATS_KEPT)
        .limit(1)
    )
    oldest = session.scalar(surplus)
    if oldest is not None:
        session.execute(
            delete(Heartbeat).where(Heartbeat.device == device_id, Heartbeat.id <= oldest)
        )
    return device


def _playing(report: Mapping[str, Any] | None) -> tuple[Any, Any] | None:
    active = (report or {}).get("active")
    return (active["package"], active["release"]) if active else None


def open_codes(session: Session, device_ids: Iterable[str], now: datetime) -> dict[str, datetime]:
    """Until when those of these devices that have a code not used yet can enrol with it."""
    query = select(EnrolmentCode.device, EnrolmentCode.expires_at).where(
        EnrolmentCode.device.in_(list(device_ids)),
        EnrolmentCode.used_at.is_(None),
        EnrolmentCode.expires_at > now,
    )
    return {row.device: row.expires_at for row in session.execute(query)}


def live_releases(session: Session) -> dict[tuple[str, str], int]:
    """The number of the live release of each package and channel."""
    query = select(Release.package, Release.channel, Release.number).where(
        Release.state == "live", Release.number.is_not(None)
    )
    return {(row.package, row.channel): row.number for row in session.execute(query)}


def list_heartbeats(
    session: Session, device_id: str, *, before: int | None = None, limit: int = 200
) -> list[Heartbeat]:
    """A device's reports, newest first."""
    query = select(Heartbeat).where(Heartbeat.device == device_id)
    if before is not None:
        query = query.where(Heartbeat.id < before)
    return list(session.scalars(query.order_by(Heartbeat.id.desc()).limit(limit)))


def has_old_rows(session: Session, now: datetime) -> bool:
    """Whether `prune` would remove anything."""
    return any(
        session.scalar(select(model.id).where(condition).limit(1)) is not None
        for model, condition in _old_rows(now)
    )


def prune(session: Session, now: datetime) -> int:
    """Drop old heartbeats, tries that no longer count, and dead codes; returns how many rows."""
    removed = 0
    for model, condition in _old_rows(now):
        result = session.execute(delete(model).where(condition))
        removed += result.rowcount  # type: ignore[attr-defined]
    return removed


def _old_rows(now: datetime) -> list[tuple[Any, Any]]:
    return [
        (Heartbeat, Heartbeat.received_at < now - HEARTBEAT_AGE),
        (EnrolmentAttempt, EnrolmentAttempt.at < now - TRIES_WINDOW),
        (EnrolmentCode, EnrolmentCode.expires_at < now - DEAD_CODE_AGE),
    ]


def free_id(session: Session, model: type[Venue] | type[Device], name: str, kind: str) -> str:
    """An id made from a name, that no row has yet."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-") or kind
    found = slug
    while session.get(model, found) is not None:
        found = f"{slug}-{token_hex(3)}"
    return found


def _package_languages(session: Session, slug: str) -> list[str]:
    package = session.get(Package, slug)
    if package is None:
        raise NotFound(
            f"There is no package {slug}: name the device's languages, or create the package first."
        )
    return list(package.body["languages"])
