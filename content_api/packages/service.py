"""Packages: reading and changing what editors curate. Releases are in `publish`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.content.models import Approval
from content_api.content.types import ContentTypes
from content_api.database import utc_now
from content_api.packages.gather import gather_content
from content_api.packages.models import Package, Release
from content_api.packages.problems import Problem, find_problems
from content_api.packages.schemas import PackageBodySchema, zone_of
from content_api.problems import NotFound, PreconditionFailed, PreconditionRequired, Refused
from package_format.layout import is_slug, manifest_target


def list_packages(session: Session, *, after: str | None = None, limit: int = 200) -> list[Package]:
    """Packages by slug, those after `after`."""
    query = select(Package).order_by(Package.slug).limit(limit)
    if after is not None:
        query = query.where(Package.slug > after)
    return list(session.scalars(query))


def get_package(session: Session, slug: str) -> Package:
    """The package `slug`.

    Raises:
        NotFound: there is none.
    """
    found = session.get(Package, slug) if is_slug(slug) else None
    if found is None:
        raise NotFound(f"There is no package {slug[:64]!r}.")
    return found


def save_package(
    session: Session, actor: Actor, slug: str, body: Mapping[str, Any], *, expected: int | None
) -> Package:
    """Create the package `slug` (`expected` None), or replace its body from version `expected`.

    Whether its entries and assets exist is asked when publishing: a package may be
    prepared before its content. A body equal to the stored one changes nothing.

    Raises:
        Refused: the body does not have the form it should.
        PreconditionRequired: the package exists and no version was named.
        PreconditionFailed: it is at another version, or does not exist.
    """
    checked = check_body(slug, body)
    package = session.get(Package, slug)
    if package is None:
        if expected is not None:
            raise PreconditionFailed(f"There is no package {slug} of version {expected}.")
        package = Package(slug=slug, body=checked, version=1)
        session.add(package)
        session.flush()
        record(session, actor, "package.create", f"package/{slug}")
        return package
    if expected is None:
        raise PreconditionRequired(f'The package {slug} exists: expected If-Match: "v<version>".')
    if package.version != expected:
        raise PreconditionFailed(
            f"The package is at version {package.version}, not {expected}.",
            details={"version": package.version},
        )
    if package.body != checked:
        package.body = checked
        package.version += 1
        package.updated_at = utc_now()
        session.flush()
        record(
            session,
            actor,
            "package.change",
            f"package/{slug}",
            details={"version": package.version},
        )
    return package


def check_body(slug: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` as it is stored, held to the form of a package.

    Raises:
        Refused: it does not have that form; errors say where.
    """
    if not is_slug(slug):
        raise Refused(f"Expected a slug of words of a-z0-9 joined by -, got {slug[:64]!r}.")
    try:
        PackageBodySchema().load(dict(body))
    except ValidationError as error:
        raise Refused(
            f"The package {slug} does not have the form it should: see errors.",
            errors=list(_errors(error.messages, "")),
        ) from error
    # Kept as it was written, so that an export gives the file that was imported.
    checked = dict(body)
    if checked.pop("slug", slug) != slug:
        raise Refused(f"The body names another package than {slug}.")
    return checked


def package_problems(
    session: Session, types: ContentTypes, slug: str, now: datetime
) -> list[Problem]:
    """Every problem of a package, errors first.

    Raises:
        NotFound: there is no such package.
    """
    package = get_package(session, slug)
    content = gather_content(session, types, slug, package.body)
    return find_problems(content, now.astimezone(zone_of(package.body)).date())


def live_number(session: Session, slug: str, channel: str = "live") -> int | None:
    """Number of the live release of a package and channel, or None."""
    return session.scalar(
        select(Release.number).where(
            Release.package == slug, Release.channel == channel, Release.state == "live"
        )
    )


def last_approvals(session: Session, entries: Collection[str]) -> dict[str, datetime]:
    """When something of each of these entries was approved last, in one query for all."""
    rows = session.execute(
        select(Approval.entry_id, func.max(Approval.approved_at)).group_by(Approval.entry_id)
    )
    return {entry: at for entry, at in rows if entry in entries}


def list_releases(
    session: Session, slug: str, *, before: int | None = None, limit: int = 200
) -> list[Release]:
    """A package's releases, newest first: those whose id is below `before`."""
    query = select(Release).where(Release.package == slug).order_by(Release.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Release.id < before)
    return list(session.scalars(query))


def get_release(session: Session, slug: str, number: int, channel: str = "live") -> Release:
    """Release `number` of a package and channel.

    Raises:
        NotFound: there is none.
    """
    found = session.scalar(
        select(Release).where(
            Release.package == slug, Release.channel == channel, Release.number == number
        )
    )
    if found is None:
        raise NotFound(f"The package {slug} has no release {number} on {channel}.")
    return found


def next_number(session: Session, slug: str, channel: str) -> int:
    """One more than the highest number the database knows for a package and channel."""
    highest = session.scalar(
        select(func.max(Release.number)).where(Release.package == slug, Release.channel == channel)
    )
    return (highest or 0) + 1


def kept_manifests(session: Session, keep: int) -> list[tuple[str, str]]:
    """Target and hash of the newest `keep` published manifests of each package and channel."""
    rank = (
        func.row_number()
        .over(partition_by=(Release.package, Release.channel), order_by=Release.number.desc())
        .label("rank")
    )
    ranked = (
        select(Release.package, Release.channel, Release.manifest_sha256, rank)
        .where(Release.state.in_(("live", "superseded")), Release.manifest_sha256.is_not(None))
        .subquery()
    )
    rows = session.execute(select(ranked).where(ranked.c.rank <= keep))
    return [(manifest_target(row.package, row.channel), row.manifest_sha256) for row in rows]


def _errors(messages: Any, pointer: str) -> Any:
    if isinstance(messages, Mapping):
        for key, value in messages.items():
            step = "" if key == "_schema" else f"/{key}"
            yield from _errors(value, pointer + step)
    elif isinstance(messages, list):
        for value in messages:
            yield from _errors(value, pointer)
    else:
        yield {"pointer": pointer or "/", "code": "invalid", "message": str(messages)}
