"""Publish: compile a package, sign it into the repository, and never leave half of it.

A publication is three steps. First a short transaction notes the release as `publishing`,
with its number and the hash of its manifest. Then, without the database, the files are
written: blobs, manifest, targets, snapshot, and `timestamp.json` last, which alone makes it
so. Then a second transaction notes it as `live`. A crash anywhere leaves the old release
live or the new one, whole; `reconcile.recover` afterwards reads from the signed metadata
which it was.

The functions that publish take an engine, not a session: a request's transaction would stay
open while gigabytes are written, lock out every other writer of SQLite, and could still be
rolled back after displays have seen the release.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.content.types import ContentTypes, load_types
from content_api.database import read_session, utc_now, write_session
from content_api.media.service import rendition_file
from content_api.packages.changes import Changes, compare_releases
from content_api.packages.compile import Compiled, compile_package
from content_api.packages.gather import gather_content
from content_api.packages.items import ReadPath
from content_api.packages.models import Release
from content_api.packages.problems import Problem, errors_of, find_problems
from content_api.packages.progress import Report, no_report
from content_api.packages.reconcile import make_live, move, reconcile
from content_api.packages.schemas import zone_of
from content_api.packages.service import get_package, get_release, live_number, next_number
from content_api.problems import Conflict, ContentError, NotFound, Refused
from content_api.repository import keys, metadata
from content_api.repository.service import (
    find_manifest,
    load_manifest,
    repository_lock,
)
from content_api.repository.store import add_blob, read_blob, write_documents, write_manifest
from content_api.settings import Settings
from package_format.canonical import sha256_hex
from package_format.layout import blob_path, manifest_target
from package_format.manifest import Manifest, ManifestFile

log = logging.getLogger(__name__)


class PackageHasProblems(Refused):
    """Errors keep the package from being published; they are all listed."""

    code = "package-has-problems"

    def __init__(self, slug: str, errors: Sequence[Problem]) -> None:
        what = "1 problem keeps" if len(errors) == 1 else f"{len(errors)} problems keep"
        super().__init__(
            f"{what} {slug} from being published: see errors.",
            errors=[problem.to_json() for problem in errors],
        )


class PublishFailed(ContentError):
    """The files could not be written; the release before is still live."""

    code = "publish-failed"
    status = 503  # type: ignore[assignment]


class NoLongerWaits(Conflict):
    """The release was published, cancelled or failed before its turn came."""

    code = "no-longer-waits"


class LiveMeanwhile(Conflict):
    """Another release became live after the one that the person saw as live."""

    code = "live-meanwhile"


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be published now: the files, and what speaks against it."""

    compiled: Compiled
    problems: tuple[Problem, ...]


def make_draft(session: Session, types: ContentTypes, slug: str, now: datetime) -> Draft:
    """Compile a package as its approvals say now, and list its problems.

    Raises:
        NotFound: there is no such package.
    """
    package = get_package(session, slug)
    content = gather_content(session, types, slug, package.body)
    today = now.astimezone(zone_of(package.body)).date()
    return Draft(compile_package(content), tuple(find_problems(content, today)))


def plan_changes(settings: Settings, draft: Draft, channel: str, now: datetime) -> Changes:
    """What publishing `draft` would change for readers, and what devices would fetch."""
    slug = draft.compiled.content.slug
    before = find_manifest(settings, slug, channel)
    number = before.release + 1 if before else 1
    after = draft.compiled.manifest(channel=channel, number=number, published_at=now)
    found = compare_releases(
        before,
        _stored(settings),
        after,
        lambda entry: draft.compiled.documents[entry.path],
    )
    return replace(found, after=None)


def diff_releases(
    session: Session, settings: Settings, slug: str, a: int, b: int, *, channel: str = "live"
) -> Changes:
    """The difference from release `a` to release `b` of a package, from their stored files.

    Raises:
        NotFound: one of them does not exist or was never signed.
        RepositoryDamaged: its documents are no longer kept.
    """
    before, after = (
        _manifest_of(settings, get_release(session, slug, number, channel)) for number in (a, b)
    )
    return compare_releases(before, _stored(settings), after, _stored(settings))


def release_reader(
    session: Session, settings: Settings, slug: str, number: int, *, channel: str = "live"
) -> ReadPath:
    """Reads documents of a published release by their path.

    Raises:
        NotFound: it does not exist or was never signed.
    """
    manifest = _manifest_of(settings, get_release(session, slug, number, channel))
    files = {entry.path: entry for entry in manifest.files}
    read = _stored(settings)
    return lambda path: read(files[path]) if path in files else None


def publish_release(
    engine: Engine,
    settings: Settings,
    actor: Actor,
    slug: str,
    *,
    channel: str = "live",
    now: datetime | None = None,
    scheduled: int | None = None,
    report: Report = no_report,
) -> Release:
    """Publish the package's approved content as its next release; it is live afterwards.

    `scheduled` is the id of the release row whose hour has come; `report` is told how far
    it has come.

    Raises:
        NotFound: there is no such package.
        NoLongerWaits: the scheduled release was taken up or taken back by somebody else.
        PackageHasProblems: errors block it; nothing was written.
        NotReady: another publication goes on, or the repository is not signed yet.
        PublishFailed: the disk refused; the release before is still live.
    """
    moment = now or utc_now()
    with repository_lock(settings):
        reconcile(engine, settings, moment)
        with _snapshot(engine) as session:
            if scheduled is not None:
                _check_waits(session, scheduled)
            report("compile", 0, 0)
            draft = make_draft(session, load_types(settings.types_dir), slug, moment)
        errors = errors_of(draft.problems)
        if errors:
            raise PackageHasProblems(slug, errors)
        compiled = draft.compiled

        def write_blobs() -> None:
            media = [entry for entry in compiled.files if entry.path in compiled.media]
            total = len(compiled.documents) + len(media)
            report("write", 0, total)
            write_documents(settings.repository_dir, compiled.documents.values())
            for done, entry in enumerate(media, len(compiled.documents)):
                report("write", done, total)
                source = rendition_file(settings, entry.sha256)
                add_blob(settings.repository_dir, entry.sha256, entry.size, source)
            report("sign", total, total)

        return _publish(
            engine,
            settings,
            actor,
            slug,
            channel,
            moment,
            make=lambda number: compiled.manifest(
                channel=channel, number=number, published_at=moment
            ),
            write_blobs=write_blobs,
            scheduled=scheduled,
        )


def restore_release(
    engine: Engine,
    settings: Settings,
    actor: Actor,
    slug: str,
    number: int,
    *,
    channel: str = "live",
    now: datetime | None = None,
    seen: int | None = None,
) -> Release:
    """Publish the content of release `number` once more, as the next release.

    Displays refuse to go back, so the number goes on. The files are those of then: nothing
    is compiled, and a display that still holds them fetches only the manifest. With `seen`,
    the number that the person saw as live, a second press restores nothing twice.

    Raises:
        NotFound: there is no such release, or it was never signed.
        LiveMeanwhile: another release than `seen` is live by now.
        Refused: rights of its files have ended since.
        Conflict: some of its files are no longer kept.
    """
    moment = now or utc_now()
    with repository_lock(settings):
        reconcile(engine, settings, moment)
        with read_session(engine) as session:
            package = get_package(session, slug)
            old = _manifest_of(settings, get_release(session, slug, number, channel))
            live = live_number(session, slug, channel)
            if seen is not None and live != seen:
                raise LiveMeanwhile(f"Release {live} of {slug} is live by now, not {seen}.")
            today = moment.astimezone(zone_of(package.body)).date()
        ended = [entry.path for entry in old.files if entry.expires and entry.expires <= today]
        if ended:
            raise Refused(
                f"Release {number} holds {len(ended)} files whose rights have ended.",
                errors=[
                    {"pointer": f"/files/{path}", "code": "rights-expired", "message": path}
                    for path in ended
                ],
            )
        missing = [
            entry.path
            for entry in old.files
            if not (settings.repository_dir / blob_path(entry.sha256)).exists()
        ]
        if missing:
            raise Conflict(
                f"Release {number} cannot be restored: {len(missing)} of its files are no longer "
                f"kept, the first is {missing[0]}."
            )
        return _publish(
            engine,
            settings,
            actor,
            slug,
            channel,
            moment,
            make=lambda following: replace(
                old, release=following, published_at=moment.astimezone(UTC).replace(microsecond=0)
            ),
            write_blobs=lambda: None,
            restored_from=number,
        )


def _publish(
    engine: Engine,
    settings: Settings,
    actor: Actor,
    slug: str,
    channel: str,
    now: datetime,
    *,
    make: Callable[[int], Manifest],
    write_blobs: Callable[[], None],
    scheduled: int | None = None,
    restored_from: int | None = None,
) -> Release:
    repository = settings.repository_dir
    if not metadata.is_initialised(repository):
        raise keys.KeysMissing("The repository is not signed yet: run `content-api keys init`.")
    online = keys.load_online(settings.keys_dir)
    target = manifest_target(slug, channel)
    signed = find_manifest(settings, slug, channel)
    with write_session(engine) as session:
        number = max(
            next_number(session, slug, channel), signed.release + 1 if signed is not None else 1
        )
        manifest = make(number)
        raw = manifest.to_bytes()
        release = _begin(session, actor, slug, channel, scheduled)
        release.number = number
        release.restored_from = restored_from
        release.manifest_sha256 = sha256_hex(raw)
        release.manifest_size = len(raw)
        session.flush()
    try:
        write_blobs()
        sha256 = write_manifest(repository, target, raw)
        info = metadata.TargetInfo(sha256, len(raw))
        metadata.publish_target(repository, target, info, online, now)
    except (OSError, ContentError) as error:
        log.error("publishing %s %s failed", slug, number, exc_info=error)
        reconcile(engine, settings, now)
        raise PublishFailed(
            f"Release {number} of {slug} could not be written: {error}. "
            "The release before is still live."
        ) from error
    with write_session(engine) as session:
        release = session.get_one(Release, release.id)
        make_live(session, release, manifest.published_at)
        action = "release.restore" if restored_from else "release.create"
        record(
            session,
            actor,
            action,
            f"package/{slug}/release/{number}",
            details={"channel": channel, "restored_from": restored_from},
        )
    return release


def _check_waits(session: Session, release_id: int) -> None:
    release = session.get(Release, release_id)
    if release is None or release.state != "scheduled":
        raise NoLongerWaits(f"Release row {release_id} no longer waits.")


def _begin(
    session: Session, actor: Actor, slug: str, channel: str, scheduled: int | None
) -> Release:
    if scheduled is None:
        release = Release(package=slug, channel=channel, state="publishing", created_by=actor.id)
        session.add(release)
        return release
    # Read anew: it may have been cancelled while the package was compiled.
    _check_waits(session, scheduled)
    release = session.get_one(Release, scheduled)
    move(release, "publishing")
    return release


def _manifest_of(settings: Settings, release: Release) -> Manifest:
    if not release.manifest_sha256 or release.state not in ("live", "superseded"):
        raise NotFound(
            f"Release {release.number} of {release.package} was never published: "
            f"it is {release.state}."
        )
    return load_manifest(settings, release.package, release.channel, release.manifest_sha256)


def _stored(settings: Settings) -> Callable[[ManifestFile], bytes]:
    return lambda entry: read_blob(settings.repository_dir, entry.sha256)


def _snapshot(engine: Engine) -> Any:
    # Compiling reads many rows in many statements: they must all be of one moment. SQLite
    # gives that by itself; PostgreSQL reads each statement anew unless told.
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    return read_session(engine)
