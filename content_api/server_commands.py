"""`content-api init | serve | doctor | openapi | demo`: the server itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from content_api.command_line import json_option, print_json, with_settings

if TYPE_CHECKING:
    from content_api.settings import Settings


@click.command("init")
@click.option(
    "--root-keys",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the offline root keys go; take them away afterwards.",
)
@click.option("--admin", default="admin", show_default=True, help="Name of the administrator.")
@click.option(
    "--admin-password-stdin",
    is_flag=True,
    help="Read the administrator's password from the first line of stdin.",
)
@click.option("--sample", is_flag=True, help="Also load and publish the sample collection.")
@with_settings
def init_server(
    settings: Settings,
    root_keys: Path | None,
    admin: str,
    admin_password_stdin: bool,
    sample: bool,
) -> None:
    """Prepare the data directory and the database, or upgrade them; keeps what is there."""
    from content_api.setup_server import prepare_server

    given = None
    if admin_password_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    made = prepare_server(
        settings,
        say=lambda line: click.echo(line, err=True),
        sample=sample,
        root_keys=root_keys,
        admin_name=admin,
        admin_password=given,
    )
    if made.root_keys is not None:
        click.echo(f"Root keys: {made.root_keys} (take them away, each to its own person)")
    if made.admin is not None:
        click.echo(f"Administrator: {made.admin}")
    if made.password is not None:
        click.echo(f"Password, shown this once: {made.password}")
    click.echo(f"Ready: {settings.data_dir}")


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes; more than one wants PostgreSQL.",
)
@click.option(
    "--threads",
    type=click.IntRange(2, 256),
    default=16,
    show_default=True,
    help="Requests at once in each process.",
)
@click.option("--access-log", is_flag=True, help="Log every request, without its query.")
@with_settings
def serve_command(
    settings: Settings, host: str, port: int, workers: int, threads: int, access_log: bool
) -> None:
    """Run the server until Ctrl-C."""
    from content_api.serving import serve

    serve(
        settings,
        host=host,
        port=port,
        workers=workers,
        threads=threads,
        access_log=access_log,
        say=lambda line: click.echo(line, err=True),
    )


@click.command("doctor")
@json_option
@with_settings
def doctor(settings: Settings, as_json: bool) -> None:
    """Say what is not right, one line each; exit code 1 if anything is not."""
    from content_api.doctor import examine

    findings = examine(settings)
    if as_json:
        print_json(
            [{"check": each.check, "ok": each.ok, "message": each.message} for each in findings]
        )
    else:
        for each in findings:
            click.echo(f"{'ok ' if each.ok else 'BAD'} {each.check}: {each.message}")
    if not all(each.ok for each in findings):
        raise SystemExit(1)


@click.command("openapi")
@with_settings
def print_openapi(settings: Settings) -> None:
    """Print the OpenAPI document of the HTTP API."""
    from content_api.app import create_app

    app = create_app(settings)
    print_json(app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec.to_dict())


@click.command("demo")
@click.option("--once", is_flag=True, help="Prepare and sync everything, then stop with 0.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--kiosk-port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@with_settings
def demo(settings: Settings, once: bool, port: int, kiosk_port: int) -> None:
    """From nothing to an offline screen: server, sample collection, a device and its player."""
    from content_api.demo import Addresses, run_demo

    run_demo(settings, Addresses(port, kiosk_port), once=once, say=click.echo)


commands: list[click.Command] = [init_server, serve_command, doctor, print_openapi, demo]
