"""`content-api keys` and `content-api repository`: signatures and stored files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from content_api.command_line import json_option, print_json, reading, with_settings
from content_api.settings import Settings, prepare_data_dir

_root_keys = click.option(
    "--root-keys",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder with the offline root keys.",
)


@click.group()
def keys() -> None:
    """Signing keys: init, status, refresh, rotate."""


@keys.command("init")
@click.option(
    "--root-keys",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the offline root keys go; take them away afterwards.",
)
@click.option("--keys", "count", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option(
    "--threshold",
    type=click.IntRange(1, 20),
    default=2,
    show_default=True,
    help="How many root keys must sign.",
)
@with_settings
def init_keys(settings: Settings, root_keys: Path, count: int, threshold: int) -> None:
    """Make the keys and sign an empty repository, once."""
    from content_api.database import utc_now
    from content_api.repository.service import init_repository

    prepare_data_dir(settings)
    made = init_repository(settings, root_keys, utc_now(), threshold=threshold, keys_count=count)
    if made:
        click.echo(f"Signed. Root keys: {root_keys} (take them away, each to its own person)")
    else:
        click.echo("The repository is signed already; nothing was changed.")


@keys.command("status")
@json_option
@with_settings
def show_status(settings: Settings, as_json: bool) -> None:
    """Say how long each signature is good for; exit code 1 past half of a life."""
    from content_api.database import utc_now
    from content_api.repository.service import health

    found = health(settings, utc_now())
    if as_json:
        print_json(asdict(found))
    else:
        for role in found.roles:
            until = f"{role.expires:%Y-%m-%d %H:%M}Z"
            click.echo(f"{role.role:<10} version {role.version:<6} expires {until}")
        for message in found.messages:
            click.echo(f"{found.level}: {message}")
    if found.level != "ok":
        raise SystemExit(1)


@keys.command("refresh")
@click.option("--force", is_flag=True, help="Sign the timestamp although it is not due.")
@with_settings
def refresh_signatures(settings: Settings, force: bool) -> None:
    """Sign again what is due; a running server does this by itself every day."""
    from content_api.database import utc_now
    from content_api.repository.service import refresh

    signed = refresh(settings, utc_now(), force=force)
    click.echo(f"Signed {', '.join(signed)}." if signed else "Nothing is due.")


@keys.command("rotate")
@_root_keys
@click.option("--root", is_flag=True, help="Renew the root; without it the online keys change.")
@click.option(
    "--new-root-keys",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --root: other root keys take over; made in this folder when it holds none.",
)
@click.option("--keys", "count", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--threshold", type=click.IntRange(1, 20), default=2, show_default=True)
@with_settings
def rotate_keys(
    settings: Settings,
    root_keys: Path,
    root: bool,
    new_root_keys: Path | None,
    count: int,
    threshold: int,
) -> None:
    """Replace the online keys, or write the next root; both need the root keys."""
    from content_api.database import utc_now
    from content_api.repository import service

    if not root:
        if new_root_keys is not None:
            raise click.UsageError("--new-root-keys has a meaning only with --root")
        service.rotate_online(settings, root_keys, utc_now())
        click.echo("New online keys sign; devices follow at their next poll.")
        return
    service.rotate_root(
        settings, root_keys, new_root_keys, utc_now(), threshold=threshold, keys_count=count
    )
    click.echo("The next root is signed; devices follow at their next poll.")


@click.group()
def repository() -> None:
    """The signed files: verify, sweep."""


@repository.command("verify")
@json_option
@with_settings
def verify_repository(settings: Settings, as_json: bool) -> None:
    """Check every signature and hash every file; exit code 1 if anything is wrong."""
    from content_api.repository.service import verify

    found = verify(settings)
    if as_json:
        print_json(found)
    else:
        for line in found:
            click.echo(line)
        if not found:
            click.echo("Every signature and every file is right.")
    if found:
        raise SystemExit(1)


@repository.command("gc")
@click.option(
    "--keep",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Newest releases of each package that stay restorable.",
)
@with_settings
def sweep_repository(settings: Settings, keep: int) -> None:
    """Remove blobs that no kept release needs and that are older than a week."""
    from content_api.database import utc_now
    from content_api.packages.service import kept_manifests
    from content_api.repository.service import sweep

    with reading(settings) as session:
        kept = kept_manifests(session, keep)
    count, size = sweep(settings, kept, utc_now())
    click.echo(f"Removed {count} blobs, {size:,} bytes.")


commands: list[click.Command] = [keys, repository]
