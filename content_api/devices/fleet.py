"""Finding devices among thousands: every filter and count is a query, never a walk over rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session

from content_api.devices.models import Device, DeviceGroup, Venue
from content_api.devices.rules import OVERDUE_AFTER, SILENT_AFTER
from content_api.devices.status import PRESENCES

STATES = ("trouble", *PRESENCES)
"""What devices can be asked for: those that need a look, and by when they were heard of."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices: of a venue, of a group, in a state of `STATES`, with `words` in their name
    or id, assigned or playing `package`. Empty means any."""

    venue: str = ""
    group: str = ""
    state: str = ""
    words: str = ""
    package: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many devices there are, and how many of them in each of `STATES`."""

    total: int
    by_state: dict[str, int]


Place = tuple[int, str, str]
"""Where a page of devices begins: the last row's rank, name and id."""


def find_devices(
    session: Session, wanted: Wanted, now: datetime, *, after: Place | None = None, limit: int
) -> list[Device]:
    """Devices that fit, those in trouble first, then by name."""
    rank = _rank(now)
    query = select(Device).where(*_conditions(wanted, now)).order_by(rank, Device.name, Device.id)
    if after is not None:
        query = query.where(tuple_(rank, Device.name, Device.id) > tuple_(*after))
    return list(session.scalars(query.limit(limit)))


def place_of(device: Device, now: datetime) -> Place:
    """Where a page that ends with this device goes on."""
    heard = device.last_seen_at or device.enrolled_at
    known = device.revoked_at is None and device.enrolled_at is not None and heard is not None
    late = heard is not None and heard < now - OVERDUE_AFTER
    in_trouble = known and (device.trouble is not None or late)
    return (0 if in_trouble else 1, device.name, device.id)


def count_devices(session: Session, wanted: Wanted, now: datetime) -> Counts:
    """How many devices fit in each state, whichever state is wanted."""
    columns = [func.count().filter(condition_of(state, now)) for state in STATES]
    query = select(func.count(), *columns).select_from(Device)
    total, *found = session.execute(query.where(*_conditions(wanted, now, any_state=True))).one()
    return Counts(total, dict(zip(STATES, found, strict=True)))


def count_by_venue(session: Session, now: datetime) -> dict[str, Counts]:
    """How many devices each venue has, in each state; venues without devices are left out."""
    columns = [func.count().filter(condition_of(state, now)) for state in STATES]
    query = select(Device.venue, func.count(), *columns).group_by(Device.venue)
    return {
        venue: Counts(total, dict(zip(STATES, found, strict=True)))
        for venue, total, *found in session.execute(query)
    }


def count_by_group(session: Session, now: datetime) -> dict[str, Counts]:
    """How many devices each group has, in each state; empty groups are left out."""
    columns = [func.count().filter(condition_of(state, now)) for state in STATES]
    query = select(Device.group, func.count(), *columns).where(Device.group.is_not(None))
    return {
        str(group): Counts(total, dict(zip(STATES, found, strict=True)))
        for group, total, *found in session.execute(query.group_by(Device.group))
    }


def condition_of(state: str, now: datetime) -> ColumnElement[bool]:
    """A state of `STATES` as a condition on devices; `status.presence` says the same of one."""
    known = and_(Device.revoked_at.is_(None), Device.enrolled_at.is_not(None))
    heard = func.coalesce(Device.last_seen_at, Device.enrolled_at)
    silent, overdue = now - SILENT_AFTER, now - OVERDUE_AFTER
    return {
        "trouble": and_(known, or_(Device.trouble.is_not(None), heard < overdue)),
        "online": and_(known, heard >= silent),
        "silent": and_(known, heard < silent, heard >= overdue),
        "overdue": and_(known, heard < overdue),
        "unknown": or_(Device.revoked_at.is_not(None), Device.enrolled_at.is_(None)),
    }[state]


def find_venues(session: Session, ids: Iterable[str] | None = None) -> dict[str, Venue]:
    """Venues by id: those named, or all, in the order of their names."""
    query = select(Venue).order_by(Venue.name, Venue.id)
    if ids is not None:
        query = query.where(Venue.id.in_(set(ids)))
    return {venue.id: venue for venue in session.scalars(query)}


def device_names(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """The names of these devices by id, in the order of their names."""
    query = select(Device.id, Device.name).where(Device.id.in_(list(ids)))
    return {row.id: row.name for row in session.execute(query.order_by(Device.name, Device.id))}


def count_next(session: Session, package: str, channel: str, release: int) -> int:
    """How many devices told that they hold this release and wait for an idle screen."""
    waiting = Device.last_heartbeat["next"]
    query = select(func.count()).where(
        Device.package == package,
        Device.channel == channel,
        Device.revoked_at.is_(None),
        waiting["package"].as_string() == package,
        waiting["release"].as_integer() == release,
    )
    return session.scalar(query) or 0


def has_devices(session: Session) -> bool:
    """Whether there is any device at all."""
    return session.scalar(select(Device.id).limit(1)) is not None


def group_names(session: Session) -> dict[str, str]:
    """The names of all groups by id, in the order of their names."""
    query = select(DeviceGroup.id, DeviceGroup.name).order_by(DeviceGroup.name, DeviceGroup.id)
    return {row.id: row.name for row in session.execute(query)}


def _rank(now: datetime) -> ColumnElement[int]:
    return case((condition_of("trouble", now), 0), else_=1)


def _conditions(
    wanted: Wanted, now: datetime, *, any_state: bool = False
) -> Iterable[ColumnElement[bool]]:
    if wanted.venue:
        yield Device.venue == wanted.venue
    if wanted.group:
        yield Device.group == wanted.group
    if wanted.package:
        yield or_(Device.package == wanted.package, Device.active_package == wanted.package)
    if wanted.words:
        yield or_(
            Device.name.icontains(wanted.words, autoescape=True),
            Device.id.icontains(wanted.words, autoescape=True),
        )
    if wanted.state and not any_state:
        yield condition_of(wanted.state, now)
