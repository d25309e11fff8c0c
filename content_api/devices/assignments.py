"""What a device is told: its own words, its group's, its venue's hours, its rollouts' limits.

The rule, whole: **a device in a group takes each field that the group names, unless it says
that field itself.** What a device says itself is listed in its `own`; a change of such a field
on the device puts it there, an empty `own` follows the group again. Languages and programme
are taken as wholes. Settings are merged key by key, the device's over the group's. There
is one level: groups hold devices, never groups. A device that leaves its group keeps what it
was last told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from content_api.devices.models import Device, DeviceGroup, Venue
from content_api.devices.polls import changed

INHERITED = ("package", "channel", "profile", "languages", "programme")
"""What a group may say for its devices, beside settings."""


def inherit(
    values: Mapping[str, Any], group: Mapping[str, Any] | None, own: Iterable[str]
) -> dict[str, Any]:
    """The inherited fields of a device with `values`, after its group had its say. Pure."""
    kept = frozenset(own)
    return {
        name: values[name] if group is None or group[name] is None or name in kept else group[name]
        for name in INHERITED
    }


def merge_settings(group: Mapping[str, Any] | None, own: Mapping[str, Any]) -> dict[str, Any]:
    """A device's settings over its group's, key by key. Pure."""
    return {**(group or {}), **own}


def slots_of(package: str, channel: str, programme: Iterable[Mapping[str, Any]] | None) -> set[str]:
    """Every `package/channel` that a device so assigned holds: its own and its programme's."""
    found = {f"{package}/{channel}"}
    return found | {f"{row['package']}/{row.get('channel', 'live')}" for row in programme or ()}


def assignment(session: Session, device: Device) -> dict[str, Any]:
    """What a device is told to show, as it goes over the wire."""
    venue = session.get_one(Venue, device.venue)
    group = session.get(DeviceGroup, device.group) if device.group else None
    settings = merge_settings(group.settings if group else None, device.settings)
    limits = device.release_limits or {}
    mirrors = settings.get("mirrors")
    return {
        "package": device.package,
        "channel": device.channel,
        "profile": device.profile,
        "languages": device.languages,
        "settings": settings,
        "timezone": venue.timezone,
        "schedule": schedule_of(venue, device.programme),
        "release_limit": limits.get(f"{device.package}/{device.channel}"),
        "release_limits": dict(limits),
        "mirrors": mirrors if isinstance(mirrors, list) else [],
        "version": device.assignment_version,
    }


def schedule_of(venue: Venue, programme: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Opening hours and programme as docs/package-format.md has them; empty where all is open."""
    parts = {"opening": venue.opening, "closed": venue.closed, "programme": programme}
    return {name: value for name, value in parts.items() if value}


def follow_group(session: Session, device: Device) -> bool:
    """Bring a device's columns to what its group says; whether that changed what it is told."""
    group = session.get(DeviceGroup, device.group) if device.group else None
    before = {name: getattr(device, name) for name in INHERITED}
    said = {name: getattr(group, name) for name in INHERITED} if group else None
    after = inherit(before, said, device.own or ())
    for name, value in after.items():
        if before[name] != value:
            setattr(device, name, value)
    return before != after


def tell(session: Session, devices: Iterable[Device]) -> None:
    """Give each device's assignment a new version, so that it learns of a change."""
    ids = []
    for device in devices:
        device.assignment_version += 1
        ids.append(device.id)
    session.flush()
    changed(session, ids)
