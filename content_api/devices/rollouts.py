"""Staged rollouts: a release goes to a share of the devices, and to all when it does well.

The limit a device must keep to is in its assignment at all times while its package has a
policy, also when nothing is rolled out. So a release that is published is above every
device's limit from its first moment, and only then the share is let in: nothing leaks
between the publication and the next look of the jobs thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, bindparam, select, update
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import SYSTEM, Actor
from content_api.database import read_session, utc_now, write_session
from content_api.devices.assignments import slots_of
from content_api.devices.fleet_models import Rollout
from content_api.devices.heartbeats import trouble_of
from content_api.devices.models import Device, Heartbeat
from content_api.devices.polls import changed
from content_api.devices.rollout_rules import (
    Stage,
    finish,
    follow_live,
    is_among_first,
    limit_for,
    must_hold,
)
from content_api.packages.models import Release
from content_api.problems import Conflict, NotFound, PreconditionFailed
from package_format.layout import CHANNELS, is_slug

NAMED = 20
"""Devices in trouble that the reason of a hold names."""

_STAGE = ("base", "release", "wave", "share", "state")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a release has come: counts of devices, and the ids of those in trouble.

    `first` may take it now; `updated` play it; `returned` went back from it.
    """

    devices: int
    first: int
    updated: int
    returned: int
    troubled: tuple[str, ...]


def list_rollouts(session: Session) -> list[Rollout]:
    """Every policy, by package and channel."""
    return list(session.scalars(select(Rollout).order_by(Rollout.package, Rollout.channel)))


def find_rollout(session: Session, package: str, channel: str) -> Rollout | None:
    """The policy of a package and channel, if there is one."""
    if not is_slug(package) or channel not in CHANNELS:
        return None
    return session.get(Rollout, (package, channel))


def get_rollout(session: Session, package: str, channel: str) -> Rollout:
    """The policy of a package and channel.

    Raises:
        NotFound: its releases go to all devices at once.
    """
    found = find_rollout(session, package, channel)
    if found is None:
        raise NotFound(
            f"{package[:64]} on {channel[:16]} has no rollout: its releases go to all at once."
        )
    return found


def set_policy(
    session: Session,
    actor: Actor,
    package: str,
    channel: str,
    *,
    first_share: int,
    fault_bound: int,
    expected: int | None = None,
) -> Rollout:
    """From now on a new release begins with `first_share` percent of the devices.

    It is held when more than `fault_bound` percent of those that took it are in trouble. A
    release that is live already is for all.

    Raises:
        NotFound: there is no such channel, or it can be no package.
        PreconditionFailed: the policy is not at version `expected`.
    """
    if not is_slug(package) or channel not in CHANNELS:
        raise NotFound(f"There is no channel {channel[:16]!r} of a package {package[:64]!r}.")
    rollout = find_rollout(session, package, channel)
    if rollout is None:
        live = _live(session, package, channel)
        rollout = Rollout(
            package=package,
            channel=channel,
            first_share=first_share,
            fault_bound=fault_bound,
            base=live,
            wave=live or 0,
            since=utc_now(),
        )
        session.add(rollout)
        session.flush()
        apply_limits(session, rollout)
    else:
        _check_version(rollout, expected)
        rollout.first_share = first_share
        rollout.fault_bound = fault_bound
        rollout.version += 1
        session.flush()
    _note(session, actor, "rollout.policy", rollout, {"first_share": first_share})
    return rollout


def remove_policy(
    session: Session, actor: Actor, package: str, channel: str, *, expected: int | None = None
) -> None:
    """Releases go to all devices at once again, the one under way too.

    Raises:
        NotFound: there is no policy.
        PreconditionFailed: it is not at version `expected`.
    """
    rollout = get_rollout(session, package, channel)
    _check_version(rollout, expected)
    _note(session, actor, "rollout.remove", rollout, {})
    session.delete(rollout)
    session.flush()
    _set_limits(session, package, channel, None)


def change_share(
    session: Session,
    actor: Actor,
    package: str,
    channel: str,
    share: int,
    *,
    expected: int | None = None,
) -> Rollout:
    """Let `share` percent of the devices take the release that is under way; 100 means all.

    A smaller share than before takes no release back from a device that has it.

    Raises:
        Conflict: nothing is under way.
        PreconditionFailed: the policy is not at version `expected`.
    """
    rollout = _under_way(session, package, channel, expected)
    if share >= 100:
        return _finish(session, actor, rollout)
    rollout.share = share
    return _moved(session, actor, "rollout.share", rollout, {"share": share})


def hold(
    session: Session,
    actor: Actor,
    package: str,
    channel: str,
    *,
    reason: Mapping[str, Any] | None = None,
    expected: int | None = None,
) -> Rollout:
    """Let no further device take the release that is under way.

    Raises:
        Conflict: nothing is under way.
        PreconditionFailed: the policy is not at version `expected`.
    """
    rollout = _under_way(session, package, channel, expected)
    rollout.state = "held"
    rollout.reason = dict(reason or {"kind": "person", "by": actor.name})
    return _moved(session, actor, "rollout.hold", rollout, {"reason": rollout.reason})


def resume(
    session: Session, actor: Actor, package: str, channel: str, *, expected: int | None = None
) -> Rollout:
    """Go on with a release that was held; devices in trouble now no longer count against it.

    Raises:
        Conflict: nothing is under way.
        PreconditionFailed: the policy is not at version `expected`.
    """
    rollout = _under_way(session, package, channel, expected)
    rollout.tolerated = list(progress(session, rollout).troubled)
    rollout.state = "rolling"
    rollout.reason = None
    return _moved(session, actor, "rollout.resume", rollout, {})


def finish_rollout(
    session: Session, actor: Actor, package: str, channel: str, *, expected: int | None = None
) -> Rollout:
    """Let every device take the release that is under way.

    Raises:
        Conflict: nothing is under way.
        PreconditionFailed: the policy is not at version `expected`.
    """
    return _finish(session, actor, _under_way(session, package, channel, expected))


def progress(session: Session, rollout: Rollout) -> Progress:
    """How the release that is under way does on the devices whose package it is."""
    query = select(
        Device.id,
        Device.active_package,
        Device.active_release,
        Device.returned_package,
        Device.returned_release,
        Device.trouble,
        Device.playing_since,
    ).where(
        Device.package == rollout.package,
        Device.channel == rollout.channel,
        Device.revoked_at.is_(None),
    )
    stage = stage_of(rollout)
    newest = rollout.release if rollout.release is not None else rollout.base
    devices = first = updated = returned = 0
    troubled = []
    for row in session.execute(query):
        devices += 1
        first += is_among_first(stage, row.id)
        plays = (row.active_package, row.active_release) == (rollout.package, newest)
        back = (row.returned_package, row.returned_release) == (rollout.package, newest)
        updated += plays
        returned += back
        if newest is not None and (
            back or (plays and row.trouble and _is_new_trouble(session, row))
        ):
            troubled.append(row.id)
    return Progress(devices, first, updated, returned, tuple(sorted(troubled)))


def stage_of(rollout: Rollout) -> Stage:
    """The rollout as the rules see it."""
    return Stage(
        package=rollout.package,
        channel=rollout.channel,
        first_share=rollout.first_share,
        **{name: getattr(rollout, name) for name in _STAGE},
    )


def limits_for(session: Session, device: Device) -> dict[str, int]:
    """The newest release a device may take of each of its packages that has a policy."""
    found = {}
    for slot in slots_of(device.package, device.channel, device.programme):
        package, _, channel = slot.partition("/")
        rollout = find_rollout(session, package, channel)
        if rollout is not None:
            found[slot] = limit_for(stage_of(rollout), device.id)
    return found


def apply_limits(session: Session, rollout: Rollout) -> int:
    """Tell the devices what this rollout lets them take now; how many learn something new."""
    return _set_limits(session, rollout.package, rollout.channel, stage_of(rollout))


def advance(engine: Engine, now: datetime) -> list[str]:
    """Begin what was published, hold what does badly; what was done, a line each."""
    with read_session(engine) as session:
        rows = list_rollouts(session)
        live = {
            (row.package, row.channel): _live(session, row.package, row.channel) for row in rows
        }
        due = [
            (row.package, row.channel)
            for row in rows
            if follow_live(stage_of(row), live[row.package, row.channel]) != stage_of(row)
            or (row.state == "rolling" and _hold_reason(session, row) is not None)
        ]
    done: list[str] = []
    for package, channel in due:
        with write_session(engine) as session:
            rollout = find_rollout(session, package, channel)
            if rollout is not None:
                done += _advance(session, rollout)
    return done


def _advance(session: Session, rollout: Rollout) -> list[str]:
    slot = f"{rollout.package} on {rollout.channel}"
    after = follow_live(stage_of(rollout), _live(session, rollout.package, rollout.channel))
    if after != stage_of(rollout):
        for name in _STAGE:
            setattr(rollout, name, getattr(after, name))
        rollout.reason = None
        rollout.tolerated = None
        number = after.release if after.release is not None else after.base
        share = after.share if after.release is not None else 100
        _moved(session, SYSTEM, "rollout.begin", rollout, {"release": number, "share": share})
        return [f"{slot}: release {number} goes to {share} % of the devices"]
    reason = _hold_reason(session, rollout) if rollout.state == "rolling" else None
    if reason is None:
        return []
    hold(session, SYSTEM, rollout.package, rollout.channel, reason=reason)
    return [f"{slot}: release {rollout.release} is held, {reason['troubled']} devices in trouble"]


def _hold_reason(session: Session, rollout: Rollout) -> dict[str, Any] | None:
    found = progress(session, rollout)
    tolerated = frozenset(rollout.tolerated or ())
    troubled = [device for device in found.troubled if device not in tolerated]
    taken = found.updated + found.returned
    if not must_hold(taken, len(troubled), rollout.fault_bound):
        return None
    return {
        "kind": "faults",
        "troubled": len(troubled),
        "taken": taken,
        "devices": troubled[:NAMED],
    }


def _is_new_trouble(session: Session, row: Any) -> bool:
    # What was wrong with the release before is not this one's fault.
    if row.playing_since is None:
        return True
    before = session.execute(
        select(Heartbeat.body, Heartbeat.received_at)
        .where(Heartbeat.device == row.id, Heartbeat.received_at < row.playing_since)
        .order_by(Heartbeat.id.desc())
        .limit(1)
    ).one_or_none()
    old = (trouble_of(before.body, before.received_at) or "") if before is not None else ""
    return not set(row.trouble.split()) <= set(old.split())


def _live(session: Session, package: str, channel: str) -> int | None:
    return session.scalar(
        select(Release.number).where(
            Release.package == package, Release.channel == channel, Release.state == "live"
        )
    )


def _under_way(session: Session, package: str, channel: str, expected: int | None) -> Rollout:
    rollout = get_rollout(session, package, channel)
    _check_version(rollout, expected)
    if rollout.release is None:
        raise Conflict(f"No release of {package} on {channel} is being rolled out.")
    return rollout


def _finish(session: Session, actor: Actor, rollout: Rollout) -> Rollout:
    number = rollout.release
    after = finish(stage_of(rollout))
    for name in _STAGE:
        setattr(rollout, name, getattr(after, name))
    rollout.reason = None
    rollout.tolerated = None
    return _moved(session, actor, "rollout.finish", rollout, {"release": number})


def _moved(
    session: Session, actor: Actor, action: str, rollout: Rollout, details: Mapping[str, Any]
) -> Rollout:
    rollout.since = utc_now()
    rollout.version += 1
    session.flush()
    apply_limits(session, rollout)
    _note(session, actor, action, rollout, details)
    return rollout


def _note(
    session: Session, actor: Actor, action: str, rollout: Rollout, details: Mapping[str, Any]
) -> None:
    subject = f"rollout/{rollout.package}/{rollout.channel}"
    release = {"release": rollout.release} if rollout.release is not None else {}
    record(session, actor, action, subject, details={**release, **details})


def _check_version(rollout: Rollout, expected: int | None) -> None:
    if expected is not None and rollout.version != expected:
        raise PreconditionFailed(
            f"The rollout is at version {rollout.version}, not {expected}.",
            details={"version": rollout.version},
        )


_SET_LIMITS = (
    update(Device.__table__)  # type: ignore[arg-type]
    .where(Device.__table__.c.id == bindparam("device_id"))
    .values(
        release_limits=bindparam("limits"),
        assignment_version=Device.__table__.c.assignment_version + 1,
    )
)


def _set_limits(session: Session, package: str, channel: str, stage: Stage | None) -> int:
    slot = f"{package}/{channel}"
    query = select(
        Device.id, Device.package, Device.channel, Device.programme, Device.release_limits
    ).where(
        ((Device.package == package) & (Device.channel == channel)) | Device.programme.is_not(None)
    )
    rows = []
    for row in session.execute(query.order_by(Device.id)):
        limits = dict(row.release_limits or {})
        if stage is not None and slot in slots_of(row.package, row.channel, row.programme):
            limits[slot] = limit_for(stage, row.id)
        else:
            limits.pop(slot, None)
        if limits != (row.release_limits or {}):
            rows.append({"device_id": row.id, "limits": limits or None})
    if rows:
        session.connection().execute(_SET_LIMITS, rows)
        for found in session.identity_map.values():
            if isinstance(found, Device):
                session.expire(found, ["release_limits", "assignment_version"])
        changed(session)
    return len(rows)
