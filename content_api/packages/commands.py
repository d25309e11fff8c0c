"""`content-api package` and `content-api release`: curate, publish, compare, restore."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from content_api.accounts.rules import SYSTEM
from content_api.command_line import (
    database_of,
    json_option,
    print_json,
    reading,
    with_settings,
    writing,
)
from content_api.settings import Settings

if TYPE_CHECKING:
    from content_api.packages.changes import Changes
    from content_api.packages.models import Release

_channel = click.option(
    "--channel", type=click.Choice(["live", "preview"]), default="live", show_default=True
)


@click.group()
def package() -> None:
    """What editors curate for displays."""


@package.command("list")
@json_option
@with_settings
def list_packages(settings: Settings, as_json: bool) -> None:
    """List the packages and the release of each that is live."""
    from content_api.packages import service

    with reading(settings) as session:
        found = [
            {
                "slug": row.slug,
                "version": row.version,
                "live": service.live_number(session, row.slug),
                "languages": row.body["languages"],
                "profiles": row.body["profiles"],
            }
            for row in service.list_packages(session)
        ]
    if as_json:
        print_json(found)
        return
    for row in found:
        live = f"release {row['live']}" if row["live"] else "not published"
        click.echo(f"{row['slug']:<24} {live:<16} {', '.join(row['languages'])}")


@package.command("show")
@click.argument("slug")
@json_option
@with_settings
def show_package(settings: Settings, slug: str, as_json: bool) -> None:
    """Show a package: its body, its problems, what publishing would change."""
    from content_api.content.types import load_types
    from content_api.database import utc_now
    from content_api.packages import publish, service

    now = utc_now()
    with reading(settings) as session:
        row = service.get_package(session, slug)
        draft = publish.make_draft(session, load_types(settings.types_dir), slug, now)
    changes = publish.plan_changes(settings, draft, "live", now)
    if as_json:
        print_json(
            {
                "slug": slug,
                "version": row.version,
                "body": row.body,
                "problems": [problem.to_json() for problem in draft.problems],
                "changes": asdict(changes),
            }
        )
        return
    body = row.body
    click.echo(f"{slug}, version {row.version}")
    click.echo(f"  languages  {', '.join(body['languages'])}")
    click.echo(f"  profiles   {', '.join(body['profiles'])}")
    for problem in draft.problems:
        _echo_problem(problem.to_json())
    _echo_changes(changes)


@package.command("problems")
@click.argument("slug")
@json_option
@with_settings
def list_problems(settings: Settings, slug: str, as_json: bool) -> None:
    """List everything that keeps a package from being published; exit code 1 if anything does."""
    from content_api.content.types import load_types
    from content_api.database import utc_now
    from content_api.packages import service
    from content_api.packages.problems import errors_of

    with reading(settings) as session:
        found = service.package_problems(session, load_types(settings.types_dir), slug, utc_now())
    if as_json:
        print_json([problem.to_json() for problem in found])
    else:
        for problem in found:
            _echo_problem(problem.to_json())
        if not found:
            click.echo("No problems.")
    if errors_of(found):
        raise SystemExit(1)


@click.group()
def release() -> None:
    """Publish, compare, restore."""


@release.command("create")
@click.argument("slug")
@click.option("--at", help="Publish at this time, local in the package's time zone.")
@_channel
@json_option
@with_settings
def create_release(
    settings: Settings, slug: str, at: str | None, channel: str, as_json: bool
) -> None:
    """Publish a package now, or at an hour (a running server does it then)."""
    from content_api.content.types import load_types
    from content_api.database import utc_now
    from content_api.packages.publish import publish_release
    from content_api.packages.schedule import schedule_release

    if at is not None:
        with writing(settings) as session:
            types = load_types(settings.types_dir)
            made = schedule_release(session, types, SYSTEM, slug, at, utc_now(), channel=channel)
        said = f"{slug} waits for {made.publish_at}, as {made.id}."
    else:
        with database_of(settings) as engine:
            made = publish_release(engine, settings, SYSTEM, slug, channel=channel)
        said = f"{slug} release {made.number} is {made.state} on {channel}."
    if as_json:
        print_json(_release(made))
    else:
        click.echo(said)


@release.command("list")
@click.argument("slug")
@json_option
@with_settings
def list_releases(settings: Settings, slug: str, as_json: bool) -> None:
    """List a package's releases, newest first."""
    from content_api.packages import service

    with reading(settings) as session:
        service.get_package(session, slug)
        found = [_release(row) for row in service.list_releases(session, slug)]
    if as_json:
        print_json(found)
        return
    for row in found:
        number = row["number"] or f"({row['id']})"
        when = row["published_at"] or row["publish_at"] or row["created_at"]
        restored = f"  restored from {row['restored_from']}" if row["restored_from"] else ""
        click.echo(
            f"{number:>6}  {row['channel']:<8}{row['state']:<12}{when:%Y-%m-%d %H:%M}Z{restored}"
        )


@release.command("diff")
@click.argument("slug")
@click.argument("a", type=click.IntRange(1, 2**31 - 1))
@click.argument("b", type=click.IntRange(1, 2**31 - 1))
@_channel
@json_option
@with_settings
def diff_releases(
    settings: Settings, slug: str, a: int, b: int, channel: str, as_json: bool
) -> None:
    """Say what changed from release A to release B, and what devices fetch for it."""
    from content_api.packages import publish

    with reading(settings) as session:
        changes = publish.diff_releases(session, settings, slug, a, b, channel=channel)
    if as_json:
        print_json(asdict(changes))
    else:
        _echo_changes(changes)


@release.command("restore")
@click.argument("slug")
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
@_channel
@json_option
@with_settings
def restore_release(
    settings: Settings, slug: str, number: int, channel: str, as_json: bool
) -> None:
    """Publish the content of release NUMBER as the next release."""
    from content_api.packages import publish

    with database_of(settings) as engine:
        made = publish.restore_release(engine, settings, SYSTEM, slug, number, channel=channel)
    if as_json:
        print_json(_release(made))
    else:
        click.echo(f"{slug} release {made.number} is live with the content of release {number}.")


@release.command("cancel")
@click.argument("slug")
@click.argument("release_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@with_settings
def cancel_release(settings: Settings, slug: str, release_id: int) -> None:
    """Take back a release that waits for its hour; `release list` shows its ID in brackets."""
    from content_api.packages import schedule

    with writing(settings) as session:
        schedule.cancel_release(session, SYSTEM, slug, release_id)
    click.echo(f"{slug} {release_id} is cancelled.")


def _release(row: Release) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


def _echo_problem(problem: dict[str, str]) -> None:
    place = " ".join(part for part in (problem["entry"], problem["path"]) if part) or "package"
    click.echo(f"{problem['severity']:<8} {place} [{problem['language']}] {problem['message']}")


def _echo_changes(changes: Changes) -> None:
    for tag, found in changes.languages.items():
        click.echo(
            f"{tag}: {len(found.new)} new, {len(found.changed)} changed, "
            f"{len(found.removed)} removed"
        )
        for word in ("new", "changed", "removed"):
            ids = getattr(found, word)
            if 0 < len(ids) <= 10:
                click.echo(f"  {word}: {', '.join(ids)}")
    for download in changes.downloads:
        click.echo(
            f"{download.profile} [{', '.join(download.languages)}]: {download.files} files, "
            f"{download.gzip_bytes:,} bytes to download"
        )


commands: list[click.Command] = [package, release]
