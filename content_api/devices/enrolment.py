"""How a device gets in and out: codes, tokens, replacement, revocation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.accounts.tokens import DEVICE_PREFIX, hash_token, new_token
from content_api.database import utc_now
from content_api.devices.fleet_models import Order
from content_api.devices.models import Device, EnrolmentAttempt, EnrolmentCode, Venue
from content_api.devices.polls import DeviceRevoked, Known, changed
from content_api.devices.registry import create_device, create_venue, get_device
from content_api.devices.rules import CODE_LIFE, code_hash, new_code, normalise_code
from content_api.problems import Forbidden, RateLimited

TRIES = 10
TRIES_WINDOW = timedelta(minutes=15)
"""An address may give this many wrong codes in this time."""

ALL_TRIES = 200
"""All addresses together may give this many wrong codes in `TRIES_WINDOW`."""


class CodeInvalid(Forbidden):
    """The code is wrong, or was used."""

    code = "enrolment-code-invalid"


class CodeExpired(Forbidden):
    """The code was right once."""

    code = "enrolment-code-expired"


def revoke_device(session: Session, actor: Actor, device_id: str) -> Device:
    """Take a device's token back, and its open codes. It goes on playing what it holds."""
    device = get_device(session, device_id)
    device.revoked_at = device.revoked_at or utc_now()
    session.execute(delete(EnrolmentCode).where(EnrolmentCode.device == device_id))
    session.flush()
    changed(session, [device_id])
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

    When the device had a token, another machine has taken its place: what the old one
    reported last, and the orders that waited for it, end with it; the history stays.

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
    replaced = device.token_hash is not None
    details = {"client": device.client, "platform": device.platform} if replaced else {}
    if replaced:
        _end_old_machine(session, device, now)
    token = new_token(DEVICE_PREFIX)
    device.token_hash = hash_token(token)
    device.enrolled_at = now
    device.last_seen_at = now
    device.revoked_at = None
    device.client = client
    device.platform = platform
    session.flush()
    changed(session, [device.id])
    record(
        session,
        device_actor(device),
        "device.replace" if replaced else "device.enrol",
        f"device/{device.id}",
        details=details,
    )
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
    return Known(device.id, device.name, None, device.assignment_version, False).actor


def open_codes(session: Session, device_ids: Iterable[str], now: datetime) -> dict[str, datetime]:
    """Until when those of these devices that have a code not used yet can enrol with it."""
    query = select(EnrolmentCode.device, EnrolmentCode.expires_at).where(
        EnrolmentCode.device.in_(list(device_ids)),
        EnrolmentCode.used_at.is_(None),
        EnrolmentCode.expires_at > now,
    )
    return {row.device: row.expires_at for row in session.execute(query)}


def _end_old_machine(session: Session, device: Device, now: datetime) -> None:
    device.replaced_at = now
    device.last_heartbeat = None
    device.history_at = None
    device.playing_since = None
    device.active_package = None
    device.active_release = None
    device.returned_package = None
    device.returned_release = None
    device.trouble = None
    session.execute(
        update(Order)
        .where(Order.device == device.id, Order.state.in_(("queued", "taken")))
        .values(state="expired", ended_at=now, message="the device was replaced")
    )
