"""Groups of devices that are told the same. The rule of inheritance is in `assignments`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.devices.assignments import INHERITED, follow_group, tell
from content_api.devices.models import Device, DeviceGroup
from content_api.devices.registry import find_group, free_id
from content_api.devices.rollouts import limits_for
from content_api.problems import Conflict, NotFound, PreconditionFailed

FIELDS = ("name", *INHERITED, "settings")


def list_groups(
    session: Session, *, after: str | None = None, limit: int = 200
) -> list[DeviceGroup]:
    """Groups by id."""
    query = select(DeviceGroup).order_by(DeviceGroup.id).limit(limit)
    return list(session.scalars(query.where(DeviceGroup.id > after) if after else query))


def get_group(session: Session, group_id: str) -> DeviceGroup:
    """The group.

    Raises:
        NotFound: there is none of that id.
    """
    found = find_group(session, group_id)
    if found is None:
        raise NotFound("There is no such group.")
    return found


def count_members(session: Session) -> dict[str, int]:
    """How many devices each group has; groups without any are left out."""
    query = select(Device.group, func.count()).where(Device.group.is_not(None))
    return {
        group: count
        for group, count in session.execute(query.group_by(Device.group))
        if group is not None
    }


def create_group(session: Session, actor: Actor, values: Mapping[str, Any]) -> DeviceGroup:
    """Add a group; its id is made from its name unless given.

    Raises:
        Conflict: the id is taken.
    """
    group_id = values.get("id") or free_id(session, DeviceGroup, values["name"], "group")
    if session.get(DeviceGroup, group_id) is not None:
        raise Conflict(f"There is a group {group_id} already.")
    group = DeviceGroup(
        id=group_id,
        **{name: values[name] for name in FIELDS if name in values},
    )
    session.add(group)
    session.flush()
    record(session, actor, "group.create", f"group/{group_id}")
    return group


def change_group(
    session: Session,
    actor: Actor,
    group_id: str,
    values: Mapping[str, Any],
    *,
    expected: int | None = None,
) -> DeviceGroup:
    """Change what a group says; those of its devices that are told something new learn of it.

    A field set to None is left to the devices, which keep what they were told last.

    Raises:
        NotFound: there is no such group.
        PreconditionFailed: the group is not at version `expected`.
    """
    group = get_group(session, group_id)
    _check_version(group, expected)
    changed = {
        name: value
        for name, value in values.items()
        if name in FIELDS and getattr(group, name) != value
    }
    if not changed:
        return group
    for name, value in changed.items():
        setattr(group, name, value)
    group.version += 1
    session.flush()
    members = session.scalars(select(Device).where(Device.group == group_id)).all()
    moved = [device for device in members if follow_group(session, device) or "settings" in changed]
    for device in moved:
        device.release_limits = limits_for(session, device) or None
    tell(session, moved)
    record(session, actor, "group.change", f"group/{group_id}", details=changed)
    return group


def delete_group(
    session: Session, actor: Actor, group_id: str, *, expected: int | None = None
) -> None:
    """Remove a group; its devices keep what they were told, now as their own.

    Raises:
        NotFound: there is no such group.
        PreconditionFailed: the group is not at version `expected`.
    """
    group = get_group(session, group_id)
    _check_version(group, expected)
    members = session.scalars(select(Device).where(Device.group == group_id)).all()
    for device in members:
        device.settings = {**group.settings, **device.settings}
        device.group = None
        device.own = None
    session.delete(group)
    session.flush()
    record(session, actor, "group.delete", f"group/{group_id}", details={"devices": len(members)})


def _check_version(group: DeviceGroup, expected: int | None) -> None:
    if expected is not None and group.version != expected:
        raise PreconditionFailed(
            f"The group is at version {group.version}, not {expected}.",
            details={"version": group.version},
        )
