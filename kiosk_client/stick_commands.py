"""`kiosk-client export` and `kiosk-client import`: the signed repository on a USB stick."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kiosk_client.config import DataDir, load_device, open_data_dir
from kiosk_client.errors import KioskError
from kiosk_client.progress import TerminalWatcher, readable

if TYPE_CHECKING:
    from kiosk_client.wire import Wire

_FOLDER = click.Path(path_type=Path, file_okay=False)


def _data_dir(ctx: click.Context, parameter: click.Parameter, chosen: Path | None) -> None:
    if chosen is not None:
        ctx.obj = chosen


_data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_data_dir,
    help="Where this device keeps its things (KIOSK_DATA).",
)


@click.command("export")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option(
    "--languages",
    metavar="TAGS",
    help="Language tags with commas between, or `all`; this device's own unless given.",
)
@click.option("--profile", help="A display profile, or `all`; this device's own unless given.")
@click.option("--offline", is_flag=True, help="Never ask the network for what this device lacks.")
@click.option("--part-size", type=click.IntRange(1024), hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON alone.")
@_data_dir_option
@click.pass_context
def export_command(
    ctx: click.Context,
    folder: Path,
    languages: str | None,
    profile: str | None,
    offline: bool,
    part_size: int | None,
    as_json: bool,
) -> None:
    """Write the release this device accepted last to the USB stick at DIR, and check it there.

    Other files on the stick are left alone. Doing it again writes only what is missing.
    """
    from kiosk_client.stick import export_stick
    from kiosk_client.stick_layout import PART_SIZE

    data = open_data_dir(ctx.obj)
    load_device(data)
    tags = _tags(languages)
    wire = None if offline else _impatient_wire(data)
    try:
        done = export_stick(
            data,
            folder,
            languages=tags,
            profile=profile,
            wire=wire,
            watcher=_watcher("to write or check", as_json=as_json),
            part_size=part_size or PART_SIZE,
        )
    except KioskError as error:
        if as_json:
            _print_json({"outcome": "failed", "error_code": error.code, "message": str(error)})
        raise
    finally:
        if wire is not None:
            wire.close()
    if as_json:
        _print_json(done.to_json())
        return
    releases = " and ".join(f"{one.package} release {one.release}" for one in done.releases)
    click.echo(
        f"The stick holds {releases} ({', '.join(done.languages)}; {done.profile}): "
        f"{done.files} files, {readable(done.size)}; {done.copied_files} were written, "
        f"{done.removed_files} removed."
    )
    click.echo(f"Its signatures are valid until {done.expires_at:%Y-%m-%d}.")
    if not done.whole_chain:
        click.echo(
            "The oldest keys are not on it: connect this device and export once more, "
            "or devices enrolled before this one may refuse the stick."
        )
    if done.same_disk:
        click.echo(f"{folder} is on this device's own disk: is that the stick?")


@click.command("import")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option(
    "--pin",
    envvar="KIOSK_PIN",
    help="The venue's PIN: lets a stick in whose signatures have expired (KIOSK_PIN).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON alone.")
@_data_dir_option
@click.pass_context
def import_command(ctx: click.Context, folder: Path, pin: str | None, as_json: bool) -> None:
    """Take what is new from the USB stick at DIR, check every byte of it, then play it.

    Needs no network. A stick with nothing newer changes nothing, and is no error.
    """
    from kiosk_client.stick import GivenStick
    from kiosk_client.sync import sync

    data = open_data_dir(ctx.obj)
    load_device(data)
    wire = _impatient_wire(data)
    try:
        result = sync(
            data,
            wire,
            watcher=_watcher("to copy", as_json=as_json),
            stick=GivenStick(folder.absolute(), pin),
            trigger="stick",
        )
    except KioskError as error:
        if as_json:
            _print_json({"outcome": "failed", "error_code": error.code, "message": str(error)})
        raise
    finally:
        wire.close()
    if as_json:
        _print_json(result.to_json())
        return
    name = f"{result.package} release {result.release}"
    files = f"{result.fetched_files} files, {readable(result.fetched_bytes)}"
    words = {
        "activated": f"Now playing {name} from the stick: {files}.",
        "ready": f"{name} is here and shows when nobody uses the screen: {files}.",
        "repaired": f"Repaired {name} from the stick: {files}.",
    }
    click.echo(words.get(result.outcome, f"Nothing newer on the stick: {name} plays on."))


def _tags(text: str | None) -> tuple[str, ...] | None:
    from package_format.languages import canonical_tag

    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == ["all"]:
        return ("all",)
    try:
        return tuple(canonical_tag(word) for word in words) or None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--languages") from error


def _watcher(verb: str, *, as_json: bool) -> TerminalWatcher | None:
    return TerminalWatcher(verb=verb) if sys.stderr.isatty() and not as_json else None


def _impatient_wire(data: DataDir) -> Wire:
    """The network is only asked for what is missing, and mostly not there: no long waits."""
    from kiosk_client.network import load_network
    from kiosk_client.wire import Limits, Wire

    return Wire(limits=Limits(connect_seconds=5.0, attempts=2), network=load_network(data))


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True))
