"""Publish now without making the person wait: noted as due at once, and done in the background.

A release that was asked for is a row whose hour is now. If the process dies before it begins,
`schedule.publish_due` does it when a server runs again; if it dies on the way, `reconcile`
reads from the signed metadata how it ended. So nothing is lost, and nothing is claimed.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.rules import Actor
from content_api.content.types import ContentTypes
from content_api.database import open_engine, utc_now
from content_api.packages.models import Package, Release
from content_api.packages.problems import errors_of
from content_api.packages.progress import forget_progress, reporter
from content_api.packages.publish import NoLongerWaits, PackageHasProblems, publish_release
from content_api.packages.schedule import fail_release
from content_api.packages.service import get_package, package_problems
from content_api.problems import Conflict, ContentError, NotReady
from content_api.settings import Settings

log = logging.getLogger(__name__)

SAME_PRESS = timedelta(minutes=2)
"""So long, one person's second press of the same button means the release of the first."""


class ReleasedMeanwhile(Conflict):
    """A release came after what the person saw, so their comparison no longer holds."""

    code = "released-meanwhile"


def find_running(session: Session, slug: str, now: datetime) -> Release | None:
    """The release of a package that is being published, or is about to be."""
    return session.scalar(
        select(Release)
        .where(
            Release.package == slug,
            Release.channel == "live",
            (Release.state == "publishing")
            | ((Release.state == "scheduled") & (Release.publish_at <= now)),
        )
        .order_by(Release.state, Release.id)
        .limit(1)
    )


def newest_release(session: Session, slug: str) -> Release | None:
    """The release of a package that was asked for last, whatever became of it."""
    return session.scalar(
        select(Release)
        .where(Release.package == slug, Release.channel == "live")
        .order_by(Release.id.desc())
        .limit(1)
    )


def request_release(
    session: Session, types: ContentTypes, actor: Actor, slug: str, now: datetime, *, seen: int
) -> tuple[Release, bool]:
    """Note that the package is to be published at once; the release, and whether it is new.

    `seen` is the id of the newest release the person was shown, 0 for none. A publication
    that goes on already, or their own of a moment ago, is answered instead of a second one.

    Raises:
        NotFound: there is no such package.
        PackageHasProblems: errors block it.
        ReleasedMeanwhile: somebody else's release came in between.
    """
    get_package(session, slug)
    # Two presses at once wait for each other here; SQLite's write lock does that by itself.
    session.execute(select(Package.slug).where(Package.slug == slug).with_for_update())
    running = find_running(session, slug, now)
    if running is not None:
        return running, False
    newest = newest_release(session, slug)
    if newest is not None and newest.id != seen:
        own = newest.created_by == actor.id and now - newest.created_at < SAME_PRESS
        if own and newest.state == "live":
            return newest, False
        raise ReleasedMeanwhile(f"A release of {slug} was made meanwhile: look at it first.")
    errors = errors_of(package_problems(session, types, slug, now))
    if errors:
        raise PackageHasProblems(slug, errors)
    release = Release(
        package=slug, channel="live", state="scheduled", publish_at=now, created_by=actor.id
    )
    session.add(release)
    session.flush()
    return release, True


def start_publishing(settings: Settings, actor: Actor, slug: str, release_id: int) -> None:
    """Begin to publish a release that was noted and committed; returns at once."""
    threading.Thread(
        target=publish_requested,
        args=(settings, actor, slug, release_id),
        name=f"publish-{release_id}",
        daemon=True,
    ).start()


def publish_requested(settings: Settings, actor: Actor, slug: str, release_id: int) -> None:
    """Publish the release that was noted; afterwards it is live, or failed with its reasons."""
    # An engine of its own: the request's connections belong to the request.
    engine = open_engine(settings.database_url)
    try:
        publish_release(
            engine,
            settings,
            actor,
            slug,
            now=utc_now(),
            scheduled=release_id,
            report=reporter(settings, release_id),
        )
    except NotReady as error:
        # The jobs take it up as soon as the publication that goes on is over.
        log.info("release %s of %s: %s", release_id, slug, error.message)
        return
    except NoLongerWaits as error:
        log.info("release %s of %s: %s", release_id, slug, error.message)
    except ContentError as error:
        log.error("publishing %s failed: %s", slug, error.message)
        fail_release(engine, release_id, error)
    except Exception:
        log.exception("publishing %s failed", slug)
        fail_release(engine, release_id, ContentError("The server made a mistake; see its log."))
    finally:
        engine.dispose()
    forget_progress(settings, release_id)
