"""HTTP of packages and releases."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import g, request
from flask.views import MethodView

from content_api import database
from content_api.accounts.access import current_actor
from content_api.api import (
    Blueprint,
    PageQuery,
    decode_cursor,
    expected_version,
    not_modified,
    page_of,
)
from content_api.content.types import content_types
from content_api.database import session, utc_now
from content_api.packages import publish, schedule, schemas, service
from content_api.packages.models import Package
from content_api.packages.problems import errors_of
from content_api.settings import current_settings

packages = Blueprint(
    "packages", __name__, url_prefix="/packages", description="What editors curate and publish"
)

blueprints = [packages]


@packages.route("")
class Packages(MethodView):
    """All packages."""

    @packages.requires("package.read")
    @packages.arguments(PageQuery, location="query")
    @packages.response(200, schemas.PackagePageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List packages by slug."""
        key = decode_cursor(query.get("cursor"), 1)
        rows = service.list_packages(
            session(), after=str(key[0]) if key else None, limit=query["limit"] + 1
        )
        page = page_of(rows, query["limit"], lambda row: [row.slug])
        return {**page, "items": [_package(row) for row in page["items"]]}


@packages.route("/<slug>")
class OnePackage(MethodView):
    """One package."""

    @packages.requires("package.read")
    @packages.versioned
    @packages.response(200, schemas.PackageSchema)
    def get(self, slug: str) -> Any:
        """The package, with its version as ETag."""
        package = service.get_package(session(), slug)
        return not_modified(f"v{package.version}") or _with_tag(package)

    @packages.requires("package.write")
    @packages.versioned
    @packages.arguments(schemas.PackageBodySchema)
    @packages.response(200, schemas.PackageSchema)
    def put(self, body: dict[str, Any], slug: str) -> Any:
        """Create the package, or replace its body (`If-Match: "v<version>"`)."""
        expected = expected_version(None, "v") if request.headers.get("If-Match") else None
        package = service.save_package(session(), current_actor(), slug, body, expected=expected)
        return _with_tag(package)


@packages.route("/<slug>/problems")
class Problems(MethodView):
    """What keeps a package from being published."""

    @packages.requires("package.read")
    @packages.response(200, schemas.ProblemsSchema)
    def get(self, slug: str) -> dict[str, Any]:
        """Every problem by entry, field and language, errors first."""
        found = service.package_problems(session(), content_types(), slug, utc_now())
        return {
            "publishable": not errors_of(found),
            "problems": [problem.to_json() for problem in found],
        }


@packages.route("/<slug>/changes")
class Changes(MethodView):
    """What publishing now would change."""

    @packages.requires("package.read")
    @packages.arguments(schemas.ChannelQuery, location="query")
    @packages.response(200, schemas.ChangesSchema)
    def get(self, query: dict[str, Any], slug: str) -> dict[str, Any]:
        """New, changed and removed entries by language, and what devices would fetch."""
        now = utc_now()
        draft = publish.make_draft(session(), content_types(), slug, now)
        return asdict(publish.plan_changes(current_settings(), draft, query["channel"], now))


@packages.route("/<slug>/releases")
class Releases(MethodView):
    """A package's releases."""

    @packages.requires("release.read")
    @packages.arguments(PageQuery, location="query")
    @packages.response(200, schemas.ReleasePageSchema)
    def get(self, query: dict[str, Any], slug: str) -> dict[str, Any]:
        """List releases, newest first."""
        service.get_package(session(), slug)
        key = decode_cursor(query.get("cursor"), 1)
        before = key[0] if key and isinstance(key[0], int) else None
        rows = service.list_releases(session(), slug, before=before, limit=query["limit"] + 1)
        return page_of(rows, query["limit"], lambda row: [row.id])

    @packages.requires("release.create")
    @packages.arguments(schemas.PublishSchema)
    @packages.response(201, schemas.ReleaseSchema)
    def post(self, options: dict[str, Any], slug: str) -> Any:
        """Publish now, or at an hour."""
        actor, channel = current_actor(), options["channel"]
        if "at" in options:
            return schedule.schedule_release(
                session(), content_types(), actor, slug, options["at"], utc_now(), channel=channel
            )
        _end_own_transaction()
        return publish.publish_release(
            database.engine(), current_settings(), actor, slug, channel=channel
        )


@packages.route("/<slug>/releases/<int:number>")
class OneRelease(MethodView):
    """One release."""

    @packages.requires("release.read")
    @packages.arguments(schemas.ChannelQuery, location="query")
    @packages.response(200, schemas.ReleaseSchema)
    def get(self, query: dict[str, Any], slug: str, number: int) -> Any:
        """The release of that number."""
        return service.get_release(session(), slug, _bounded(number), query["channel"])


@packages.route("/<slug>/releases/<int:number>/restore")
class Restore(MethodView):
    """Back to an older release."""

    @packages.requires("release.restore")
    @packages.arguments(schemas.ChannelQuery, location="query")
    @packages.response(201, schemas.ReleaseSchema)
    def post(self, query: dict[str, Any], slug: str, number: int) -> Any:
        """Publish that release's content as the next release."""
        actor = current_actor()
        _end_own_transaction()
        return publish.restore_release(
            database.engine(),
            current_settings(),
            actor,
            slug,
            _bounded(number),
            channel=query["channel"],
        )


@packages.route("/<slug>/releases/<int:before>/changes/<int:after>")
class ReleaseChanges(MethodView):
    """The difference between two releases."""

    @packages.requires("release.read")
    @packages.arguments(schemas.ChannelQuery, location="query")
    @packages.response(200, schemas.ChangesSchema)
    def get(self, query: dict[str, Any], slug: str, before: int, after: int) -> dict[str, Any]:
        """What changed from release `before` to release `after`."""
        return asdict(
            publish.diff_releases(
                session(),
                current_settings(),
                slug,
                _bounded(before),
                _bounded(after),
                channel=query["channel"],
            )
        )


@packages.route("/<slug>/scheduled/<int:release_id>")
class Scheduled(MethodView):
    """A release that waits for its hour; it has no number yet."""

    @packages.requires("release.create")
    @packages.response(200, schemas.ReleaseSchema)
    def delete(self, slug: str, release_id: int) -> Any:
        """Take it back."""
        return schedule.cancel_release(session(), current_actor(), slug, _bounded(release_id))


def _end_own_transaction() -> None:
    # Publishing makes its own short transactions; one of this request's, if it was begun,
    # would hold SQLite's one write lock against them.
    begun = g.get("session")
    if begun is not None:
        begun.commit()


def _bounded(number: int) -> int:
    # PostgreSQL refuses a number beyond its column instead of not finding it.
    return number if number < 2**31 else 0


def _package(package: Package) -> dict[str, Any]:
    return {
        "slug": package.slug,
        "version": package.version,
        "body": package.body,
        "updated_at": package.updated_at,
        "live": service.live_number(session(), package.slug),
    }


def _with_tag(package: Package) -> tuple[dict[str, Any], int, dict[str, str]]:
    return (
        _package(package),
        200,
        {"ETag": f'"v{package.version}"', "Cache-Control": "private, no-cache, no-transform"},
    )
