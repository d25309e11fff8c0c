"""Venues and the devices in them: what there is, and what each is told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.devices.assignments import INHERITED, follow_group, merge_settings, tell
from content_api.devices.models import Device, DeviceGroup, Venue
from content_api.packages.models import Package, Release
from content_api.problems import Conflict, NotFound, PreconditionFailed, Refused
from package_format.layout import is_slug

_HOURS = ("timezone", "opening", "closed")
"""What of a venue its devices are told."""


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
    session: Session,
    actor: Actor,
    *,
    name: str,
    timezone: str,
    venue_id: str | None = None,
    opening: list[dict[str, Any]] | None = None,
    closed: list[str] | None = None,
) -> Venue:
    """Add a venue; its id is made from its name unless given.

    Raises:
        Conflict: the id is taken.
    """
    venue_id = venue_id or free_id(session, Venue, name, "venue")
    if session.get(Venue, venue_id) is not None:
        raise Conflict(f"There is a venue {venue_id} already.")
    venue = Venue(id=venue_id, name=name, timezone=timezone, opening=opening, closed=closed)
    session.add(venue)
    session.flush()
    record(session, actor, "venue.create", f"venue/{venue_id}")
    return venue


def change_venue(session: Session, actor: Actor, venue_id: str, values: Mapping[str, Any]) -> Venue:
    """Change a venue's name, time zone or hours; its devices are told."""
    venue = get_venue(session, venue_id)
    told = any(values.get(name, getattr(venue, name)) != getattr(venue, name) for name in _HOURS)
    for name, value in values.items():
        setattr(venue, name, value)
    if told:
        tell(session, session.scalars(select(Device).where(Device.venue == venue_id)).all())
    session.flush()
    record(session, actor, "venue.change", f"venue/{venue_id}", details=dict(values))
    return venue


def list_devices(
    session: Session,
    *,
    venue: str | None = None,
    group: str | None = None,
    after: str | None = None,
    limit: int = 200,
) -> list[Device]:
    """Devices by id, of one venue, of one group, or of all."""
    query = select(Device).order_by(Device.id).limit(limit)
    if venue is not None:
        query = query.where(Device.venue == venue)
    if group is not None:
        query = query.where(Device.group == group)
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

    With a `group` it takes from it what `values` do not say themselves.

    Raises:
        NotFound: there is no such venue or group.
        Refused: neither the values nor the group name a package and a profile.
        Conflict: the id is taken.
    """
    get_venue(session, values["venue"])
    group = find_group(session, values.get("group"))
    device_id = values.get("id") or free_id(session, Device, values["name"], "device")
    if session.get(Device, device_id) is not None:
        raise Conflict(f"There is a device {device_id} already.")
    said = {name: values[name] for name in INHERITED if values.get(name) is not None}
    told = dict(said)
    for name in INHERITED:
        if name not in told and group is not None and getattr(group, name) is not None:
            told[name] = getattr(group, name)
    for name in ("package", "profile"):
        if name not in told:
            raise Refused(f"{name}: expected one, for neither the device nor a group names it.")
    device = Device(
        id=device_id,
        venue=values["venue"],
        name=values["name"],
        group=group.id if group else None,
        own=sorted(said) if group else None,
        package=told["package"],
        channel=told.get("channel", "live"),
        profile=told["profile"],
        languages=list(told.get("languages") or _package_languages(session, told["package"])),
        programme=told.get("programme"),
        settings=dict(values.get("settings", {})),
        assignment_version=1,
    )
    _limit(session, device)
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
    """Change a device's name, venue, group or assignment; what it is told gets a new version.

    In a group, a field given here becomes the device's own; `own` says which ones are.

    Raises:
        NotFound: there is no such device, venue or group.
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
    find_group(session, values.get("group"))
    left = find_group(session, device.group)
    changed = {name: value for name, value in values.items() if getattr(device, name) != value}
    for name, value in changed.items():
        setattr(device, name, value)
    if left is not None and device.group is None:
        device.settings = merge_settings(left.settings, device.settings)
    if device.group is not None:
        said = [name for name in INHERITED if name in changed]
        if said and "own" not in values:
            device.own = sorted({*(device.own or ()), *said})
        follow_group(session, device)
    elif "group" in changed:
        device.own = None
    if changed:
        _limit(session, device)
        tell(session, [device])
        record(session, actor, "device.change", f"device/{device_id}", details=changed)
    return device


def find_group(session: Session, group_id: str | None) -> DeviceGroup | None:
    """The group of that id; None for no group.

    Raises:
        NotFound: there is none of that id.
    """
    if group_id is None:
        return None
    found = session.get(DeviceGroup, group_id) if is_slug(group_id) else None
    if found is None:
        raise NotFound(f"There is no group {group_id[:64]!r}.")
    return found


def live_releases(session: Session) -> dict[tuple[str, str], int]:
    """The number of the live release of each package and channel."""
    query = select(Release.package, Release.channel, Release.number).where(
        Release.state == "live", Release.number.is_not(None)
    )
    return {(row.package, row.channel): row.number for row in session.execute(query)}


def free_id(
    session: Session, model: type[Venue] | type[Device] | type[DeviceGroup], name: str, kind: str
) -> str:
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


def _limit(session: Session, device: Device) -> None:
    # Rollouts ask about devices; loading them here keeps the two apart.
    from content_api.devices.rollouts import limits_for

    device.release_limits = limits_for(session, device) or None
