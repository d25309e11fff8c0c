"""Releases that wait for their hour. The table is the truth; `jobs` only asks what is due."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import SYSTEM, Actor
from content_api.content.types import ContentTypes
from content_api.database import read_session, write_session
from content_api.packages.models import Release
from content_api.packages.problems import Problem, errors_of
from content_api.packages.publish import (
    NoLongerWaits,
    PackageHasProblems,
    make_draft,
    publish_release,
)
from content_api.packages.reconcile import move, recover
from content_api.packages.schemas import zone_of
from content_api.packages.service import get_package
from content_api.problems import ContentError, NotFound, NotReady, Refused
from content_api.settings import Settings

log = logging.getLogger(__name__)


class HourSkipped(Refused):
    """A local time that does not exist, because clocks go forward over it."""

    code = "hour-skipped"


class HourPast(Refused):
    """A time that is over."""

    code = "hour-past"


def parse_hour(text: str, zone: ZoneInfo) -> datetime:
    """The moment `text` means, in UTC; without a zone it is local time in `zone`.

    Of an hour that comes twice, when clocks go back, the first is meant.

    Raises:
        Refused: not a time.
        HourSkipped: a local time that clocks skip.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Refused(
            f"at: expected a time such as 2027-06-30T09:00 or 2027-06-30T07:00:00Z, got {text!r}."
        ) from error
    if found.tzinfo is not None:
        return found.astimezone(UTC)
    moment = found.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != found:
        raise HourSkipped(f"at: {text} does not exist in {zone.key}: clocks skip it that day.")
    return moment


def schedule_release(
    session: Session,
    types: ContentTypes,
    actor: Actor,
    slug: str,
    at: str,
    now: datetime,
    *,
    channel: str = "live",
) -> Release:
    """Note that the package is to be published at `at`, as its approvals say then.

    Raises:
        NotFound: there is no such package.
        Refused: `at` is not a time.
        HourSkipped: clocks skip it.
        HourPast: it is over.
        PackageHasProblems: it could not be published today either.
    """
    package = get_package(session, slug)
    moment = parse_hour(at, zone_of(package.body))
    if moment <= now:
        raise HourPast(f"at: expected a time in the future, got {moment.isoformat()}.")
    errors = errors_of(make_draft(session, types, slug, moment).problems)
    if errors:
        raise PackageHasProblems(slug, errors)
    release = Release(
        package=slug, channel=channel, state="scheduled", publish_at=moment, created_by=actor.id
    )
    session.add(release)
    session.flush()
    record(
        session,
        actor,
        "release.schedule",
        f"package/{slug}",
        details={"id": release.id, "publish_at": moment.isoformat(), "channel": channel},
    )
    return release


def cancel_release(session: Session, actor: Actor, slug: str, release_id: int) -> Release:
    """Take back a release that still waits for its hour.

    Raises:
        NotFound: there is no such release.
        Conflict: it no longer waits.
    """
    release = session.get(Release, release_id)
    if release is None or release.package != slug:
        raise NotFound(f"The package {slug} has no release of id {release_id}.")
    move(release, "cancelled")
    session.flush()
    record(session, actor, "release.cancel", f"package/{slug}", details={"id": release_id})
    return release


def publish_due(engine: Engine, settings: Settings, now: datetime) -> list[str]:
    """Publish every release whose hour has come; what was done, a line each.

    A release that cannot be published is `failed` and keeps its problems; those after it
    are still tried. While another process publishes, all wait for the next time. What a
    process that is gone left half done is settled first, though nothing is due.
    """
    done = _settle(engine, settings, now)
    with read_session(engine) as session:
        due = session.execute(
            select(Release.id, Release.package, Release.channel)
            .where(Release.state == "scheduled", Release.publish_at <= now)
            .order_by(Release.publish_at, Release.id)
        ).all()
    for release_id, slug, channel in due:
        try:
            release = publish_release(
                engine, settings, SYSTEM, slug, channel=channel, now=now, scheduled=release_id
            )
            done.append(f"published {slug} release {release.number} on {channel}")
        except NoLongerWaits as error:
            done.append(f"{slug}: {error.message}")
        except NotReady:
            done.append(f"{slug} waits: another publication goes on")
        except ContentError as error:
            log.error("scheduled release of %s failed: %s", slug, error.message)
            fail_release(engine, release_id, error)
            done.append(f"failed to publish {slug}: {error.message}")
    return done


def _settle(engine: Engine, settings: Settings, now: datetime) -> list[str]:
    with read_session(engine) as session:
        left = session.scalar(select(Release.id).where(Release.state == "publishing").limit(1))
    if left is None:
        return []
    try:
        return recover(engine, settings, now)
    except NotReady:
        # It is being written at this moment.
        return []


def fail_release(engine: Engine, release_id: int, error: ContentError) -> None:
    """Note why a release could not be published; one that is over by now stays as it is."""
    problems: list[dict[str, Any]] = [dict(found) for found in error.errors]
    if not isinstance(error, PackageHasProblems):
        problems = [Problem("", "", "*", "error", error.code, error.message).to_json()]
    with write_session(engine) as session:
        release = session.get_one(Release, release_id)
        if release.state == "scheduled":
            move(release, "failed")
        elif release.state != "failed":
            return
        release.problems = problems
        record(
            session,
            SYSTEM,
            "release.fail",
            f"package/{release.package}",
            details={"id": release_id, "code": error.code},
        )
