"""The `kiosk-client` command: parse, call, print, and end with a documented exit code.

Heavy parts (python-tuf, waitress) are imported by the commands that
need them: `status` on a small board must not wait for them.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kiosk_client import __version__
from kiosk_client.config import (
    DataDir,
    default_data_dir,
    load_assignment,
    load_device,
    open_data_dir,
)
from kiosk_client.errors import KioskError, from_os_error
from kiosk_client.pin import pin
from kiosk_client.stick_commands import export_command, import_command
from kiosk_client.trust_commands import trust


class _Commands(click.Group):
    """Turns our errors into one line and their exit code; nothing else does."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KioskError as error:
            if ctx.params.get("debug"):
                raise
            _fail(error)
        except OSError as error:
            if ctx.params.get("debug") or isinstance(error, BrokenPipeError):
                raise
            _fail(from_os_error(error))


def _fail(error: KioskError) -> None:
    click.echo(f"kiosk-client: {error}", err=True)
    sys.exit(error.exit_code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data-dir",
    envvar="KIOSK_DATA",
    type=click.Path(path_type=Path),
    help="Where this device keeps its things (KIOSK_DATA).",
)
@click.option("--debug", is_flag=True, help="Show where an error came from, and more of the log.")
@click.version_option(__version__, prog_name="kiosk-client")
@click.pass_context
def main(ctx: click.Context, data_dir: Path | None, debug: bool) -> None:
    """Take signed releases from the content server and play them, with or without a network."""
    ctx.obj = data_dir or default_data_dir()
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # Libraries log addresses and headers at DEBUG; headers hold the token.
    for name in ("urllib3", "tuf", "waitress"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A browser opens six connections at once: a request that waits for a thread is no fault.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def _data(ctx: click.Context, *, create: bool = False) -> DataDir:
    chosen: Path = ctx.obj
    return open_data_dir(chosen, create=create)


def _data_dir_option(command: Any) -> Any:
    """`--data-dir` after the command's name too, where people type it."""

    def choose(ctx: click.Context, parameter: click.Parameter, chosen: Path | None) -> None:
        if chosen is not None:
            ctx.obj = chosen

    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=choose,
        help="Where this device keeps its things (KIOSK_DATA).",
    )(command)


@main.command()
@click.argument("url")
@click.argument("code")
@click.option("--name", help="What to call this device on the server.")
@_data_dir_option
@click.pass_context
def enrol(ctx: click.Context, url: str, code: str, name: str | None) -> None:
    """Make this machine a device of the server at URL, with the CODE it printed."""
    from kiosk_client.enrol import enrol as enrol_device
    from kiosk_client.network import load_network
    from kiosk_client.wire import Wire

    data = _data(ctx, create=True)
    wire = Wire(network=load_network(data))
    try:
        device, assignment = enrol_device(data, wire, url, code, name=name)
    finally:
        wire.close()
    click.echo(f"Enrolled as {device.name}.")
    if assignment is None:
        click.echo("No package is assigned yet: assign one on the server, then run a sync.")
    else:
        tags = ", ".join(assignment.languages)
        click.echo(f"Assigned: {assignment.package} ({assignment.channel}), {tags}.")
    click.echo("Next: kiosk-client sync")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON alone.")
@_data_dir_option
@click.pass_context
def sync(ctx: click.Context, as_json: bool) -> None:
    """Fetch what is new, check every byte of it, then play it."""
    from kiosk_client.discovery import find_relays
    from kiosk_client.network import load_network
    from kiosk_client.progress import TerminalWatcher, readable
    from kiosk_client.sync import sync as sync_device
    from kiosk_client.wire import Wire

    data = _data(ctx)
    load_device(data)
    wire = Wire(network=load_network(data))
    watcher = TerminalWatcher() if sys.stderr.isatty() and not as_json else None
    try:
        result = sync_device(data, wire, watcher=watcher, discovery=find_relays)
    except KioskError as error:
        if as_json:
            _print_json({"outcome": "failed", "error_code": error.code, "message": str(error)})
        raise
    finally:
        wire.close()
    if as_json:
        _print_json(result.to_json())
        return
    words = {
        "activated": f"Now playing {result.package} release {result.release}",
        "ready": f"{result.package} release {result.release} waits until nobody uses the screen",
        "waiting": f"{result.package} release {result.release} plays on",
        "repaired": f"Repaired {result.package} release {result.release}",
        "unchanged": f"{result.package} release {result.release} is up to date",
    }[result.outcome]
    fetched = (
        f": {result.fetched_files} files, {readable(result.fetched_bytes)}"
        if result.fetched_files
        else ""
    )
    click.echo(f"{words}{fetched}.")
    if result.message:
        click.echo(f"Note: {result.message}")
    if not result.clock_trusted:
        click.echo("This device's clock is behind: set it, or give it a network time server.")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve at.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--poll",
    default=300.0,
    show_default=True,
    type=click.FloatRange(1.0, 86_400.0),
    help="Seconds between two looks at the server.",
)
@click.option(
    "--relay",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    help="Serve what is here to other kiosks in this network too, at this port (usually 8081).",
)
@click.option(
    "--browser",
    metavar="PATH",
    envvar="KIOSK_BROWSER",
    is_flag=False,
    flag_value="chromium",
    help="Show the screen in this Chromium and watch over it; `chromium` unless named "
    "(KIOSK_BROWSER).",
)
@_data_dir_option
@click.pass_context
def run(
    ctx: click.Context, host: str, port: int, poll: float, relay: int | None, browser: str | None
) -> None:
    """Serve the screen and keep it fresh, until stopped."""
    from kiosk_client.agent import Agent, serve
    from kiosk_client.relay import relaying

    data = _data(ctx)
    load_device(data)
    with relaying(data, port=relay):
        serve(
            data,
            host=host,
            port=port,
            agent=Agent(data, interval=poll),
            browser=browser or None,
            ready=_ready,
        )


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve at.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@_data_dir_option
@click.pass_context
def serve(ctx: click.Context, host: str, port: int) -> None:
    """Serve the screen from what is here, and never ask the network."""
    from kiosk_client.agent import serve as serve_screen

    serve_screen(_data(ctx), host=host, port=port, ready=_ready)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON alone.")
@_data_dir_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say what plays, whether it is whole, and how the last sync went."""
    from kiosk_client.facts import device_facts, stale_days

    data = _data(ctx)
    device = load_device(data)
    now = datetime.now(UTC)
    facts = device_facts(data, now)
    assignment = load_assignment(data)
    facts["device"] = {"id": device.id, "name": device.name, "server": device.server}
    facts["assignment"] = (
        {
            "package": assignment.package,
            "channel": assignment.channel,
            "profile": assignment.profile,
            "languages": list(assignment.languages),
        }
        if assignment
        else None
    )
    facts["stale_days"] = stale_days(data, now)
    if as_json:
        _print_json(facts)
        return
    for line in status_lines(facts):
        click.echo(line)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON alone.")
@_data_dir_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Hash every stored file; drop what is damaged, so that the next sync fetches it."""
    from kiosk_client.check import verify_device
    from kiosk_client.errors import StoreDamaged

    data = _data(ctx)
    length = None if as_json or not sys.stderr.isatty() else click.progressbar
    found = verify_device(data, bar=length)
    if as_json:
        _print_json(found.to_json())
    elif not found.bad:
        click.echo(f"Every one of {found.files} files is as it should be.")
    if found.bad:
        raise StoreDamaged(
            f"expected {found.files} files as released, got {len(found.bad)} missing or damaged: "
            "run `kiosk-client sync` to fetch them again"
        )


main.add_command(pin)
main.add_command(export_command)
main.add_command(import_command)


main.add_command(trust)


def status_lines(facts: dict[str, Any]) -> list[str]:
    """The facts as a person reads them: one a line, the words of docs/venue-guide.md."""
    active, last = facts["active"], facts["last_sync"]
    lines = [f"Device     {facts['device']['name']} of {facts['device']['server']}"]
    if active:
        whole = "whole" if facts["complete"] else f"{facts['missing_bytes']} bytes missing"
        trial = ", on probation" if facts.get("probation") else ""
        lines.append(f"Playing    {active['package']} release {active['release']}, {whole}{trial}")
    else:
        lines.append("Playing    nothing yet")
    main = active["package"] if active else None
    for slot in facts.get("slots", ()):
        if slot["package"] != main and slot["release"]:
            whole = "whole" if slot["complete"] else "bytes missing"
            lines.append(f"Also here  {slot['package']} release {slot['release']}, {whole}")
    if waiting := facts.get("next"):
        lines.append(f"Next       {waiting['package']} release {waiting['release']}, complete")
    if back := facts.get("returned"):
        lines.append(
            f"Went back  from {back['package']} release {back['release']} "
            f"at {back['at']} ({back['reason']})"
        )
    if facts["stale_days"] is not None:
        lines.append(f"Signed     {facts['stale_days']} days ago")
    if last:
        why = f" ({last['error_code']}: {last['message']})" if last["error_code"] else ""
        lines.append(f"Last sync  {last['at']} {last['outcome']}{why}")
    else:
        lines.append("Last sync  never")
    lines.append(f"Verified   {facts['last_full_verify_at'] or 'never in full'}")
    if not facts["clock"]["trusted"]:
        lines.append(f"Clock      wrong: it must be {facts['clock']['floor']} or later")
    if disk := facts["disk"]:
        lines.append(f"Disk       {disk['free'] / 1_000_000:.0f} MB free, {disk['verdict']}")
    if facts.get("queued"):
        lines.append(f"Reports    {facts['queued']} wait for the network")
    lines.extend(f"Fault      {fault['code']}: {fault['message']}" for fault in facts["faults"])
    return lines


def _ready(address: str) -> None:
    click.echo(f"Playing at {address}")


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True))


if __name__ == "__main__":
    main()
