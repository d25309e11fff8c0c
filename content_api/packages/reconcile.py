"""Make the release table agree with what is signed: the repository is the truth.

A crash may fall between the signature and the note in the database, and a database may be
restored from an older backup. Displays have already seen what is signed, so the table follows.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from content_api.database import read_session, utc_now, write_session
from content_api.packages.models import NEXT_STATES, Package, Release
from content_api.packages.problems import Problem
from content_api.problems import Conflict
from content_api.repository import metadata
from content_api.repository.service import finish_rotation, load_manifest, repository_lock
from content_api.settings import Settings

log = logging.getLogger(__name__)

_TARGET = re.compile(r"packages/([a-z0-9-]+)/(live|preview)\.json")


def recover(engine: Engine, settings: Settings, now: datetime | None = None) -> list[str]:
    """Make the release table say what the signed repository says; returns what was corrected.

    For start-up: a publication cut off by a crash is either live or failed, and a database
    restored from a backup learns of the releases that displays already hold.

    Raises:
        NotReady: another process is publishing at this moment, and will leave all in order.
    """
    with repository_lock(settings, wait=0):
        finish_rotation(settings)
        return reconcile(engine, settings, now or utc_now())


def reconcile(engine: Engine, settings: Settings, now: datetime) -> list[str]:
    """`recover` for callers that hold the repository's lock.

    A row that says `publishing` then belongs to a process that is gone.
    """
    signed = {
        (match[1], match[2]): info
        for target, info in metadata.targets(settings.repository_dir).items()
        if (match := _TARGET.fullmatch(target))
    }
    done: list[str] = []
    with read_session(engine) as session:
        known = _unsettled(session, signed)
    if not known:
        return done
    with write_session(engine) as session:
        for (slug, channel), info in signed.items():
            release = _row_of(session, slug, channel, info.sha256)
            if release is None and session.get(Package, slug) is not None:
                release = _adopt(session, settings, slug, channel, info.sha256)
            if release is not None and release.state != "live":
                published = load_manifest(settings, slug, channel, info.sha256).published_at
                make_live(session, release, published)
                done.append(f"{slug} {channel}: release {release.number} is live")
        for release in session.scalars(
            select(Release).where(Release.state.in_(("publishing", "live")))
        ):
            named = signed.get((release.package, release.channel))
            if named is not None and named.sha256 == release.manifest_sha256:
                continue
            if release.state == "publishing":
                move(release, "failed")
                release.problems = [
                    Problem(
                        "",
                        "",
                        "*",
                        "error",
                        "interrupted",
                        "Publishing was interrupted before the release went live.",
                    ).to_json()
                ]
                done.append(
                    f"{release.package} {release.channel}: release {release.number} was interrupted"
                )
            else:
                move(release, "superseded")
                done.append(
                    f"{release.package} {release.channel}: release {release.number} is not live"
                )
        session.flush()
    for line in done:
        log.warning("recovered: %s", line)
    return done


def _unsettled(session: Session, signed: Mapping[tuple[str, str], metadata.TargetInfo]) -> bool:
    rows = session.scalars(select(Release).where(Release.state.in_(("publishing", "live")))).all()
    live = {(row.package, row.channel): row.manifest_sha256 for row in rows if row.state == "live"}
    return any(row.state == "publishing" for row in rows) or live != {
        key: info.sha256 for key, info in signed.items()
    }


def _row_of(session: Session, slug: str, channel: str, sha256: str) -> Release | None:
    return session.scalar(
        select(Release).where(
            Release.package == slug,
            Release.channel == channel,
            Release.manifest_sha256 == sha256,
        )
    )


def _adopt(session: Session, settings: Settings, slug: str, channel: str, sha256: str) -> Release:
    manifest = load_manifest(settings, slug, channel, sha256)
    release = session.scalar(
        select(Release).where(
            Release.package == slug,
            Release.channel == channel,
            Release.number == manifest.release,
        )
    )
    if release is None:
        release = Release(
            package=slug,
            channel=channel,
            number=manifest.release,
            state="superseded",
            created_by="system",
        )
        session.add(release)
    release.manifest_sha256 = sha256
    release.manifest_size = len(manifest.to_bytes())
    session.flush()
    return release


def make_live(session: Session, release: Release, published_at: datetime) -> None:
    """Note a release as live and the one before as superseded."""
    for other in session.scalars(
        select(Release).where(
            Release.package == release.package,
            Release.channel == release.channel,
            Release.state == "live",
            Release.id != release.id,
        )
    ):
        move(other, "superseded")
    # The database holds that one release is live, so the old one goes first.
    session.flush()
    move(release, "live")
    release.published_at = published_at
    release.problems = None
    session.flush()


def move(release: Release, state: str) -> None:
    """Change a release's state.

    Raises:
        Conflict: the change is not a legal one.
    """
    if state not in NEXT_STATES[release.state]:
        raise Conflict(f"The release is {release.state}; it cannot become {state}.")
    release.state = state
