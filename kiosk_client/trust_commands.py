"""`kiosk-client trust`: the trust module driven alone, against any TUF repository.

No device is needed and no product rule applies: what a device does with trusted
metadata is left out, so that an outside suite can judge whether the client
workflow is followed. The options and exits (0 done, 1 refused or failed) are
those of the clients that `tuf-conformance` tests; a line on standard error
begins with the error's code.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from kiosk_client.errors import DamagedTransfer, KioskError, OriginTrouble, from_os_error

if TYPE_CHECKING:
    from kiosk_client.trust import Verified
    from kiosk_client.wire import Wire

FIRST_ROOT = "first-root"
"""Where `init` keeps the root that all trust starts from, beside python-tuf's cache."""

ACCEPTED = "accepted"
"""Where the versions accepted so far are kept."""


@dataclass(slots=True)
class _Options:
    """What may stand before or after the command's name."""

    metadata_url: str = ""
    metadata_dir: Path | None = None
    target_name: str = ""
    target_dir: Path | None = None
    target_base_url: str = ""
    hash_prefix: bool = True
    time: str = ""

    def folder(self) -> Path:
        """The metadata folder.

        Raises:
            UsageError: none was named.
        """
        if self.metadata_dir is None:
            raise click.UsageError("expected --metadata-dir, got none")
        return self.metadata_dir


def _time(text: str) -> datetime:
    """`text` as a time, in UTC unless it says otherwise.

    Raises:
        UsageError: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"expected --time as 2027-01-31T12:00:00Z, got {text!r}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _options(command: Any) -> Any:
    """The options of the protocol, on the group and on each of its commands."""

    def keep(ctx: click.Context, parameter: click.Parameter, chosen: Any) -> None:
        if chosen is not None and parameter.name:
            setattr(ctx.ensure_object(_Options), parameter.name, chosen)

    path = click.Path(path_type=Path)
    options = (
        click.option("--metadata-url", metavar="URL", help="Where the metadata is."),
        click.option("--metadata-dir", type=path, help="Where this client keeps what it trusts."),
        click.option("--target-name", metavar="NAME", help="The target to download."),
        click.option("--target-dir", type=path, help="Where targets are kept."),
        click.option("--target-base-url", metavar="URL", help="Where the targets are."),
        click.option(
            "--hash-prefix/--no-hash-prefix",
            default=None,
            help="Whether targets have their hash before their name.",
        ),
        click.option(
            "--time", metavar="TIME", help="Judge expiry at this time, not at the clock's."
        ),
    )
    for option in reversed(options):
        command = option(command)
    for parameter in command.__click_params__:
        if parameter.callback is None:
            parameter.callback = keep
            parameter.expose_value = False
    return command


@click.group()
@_options
@click.pass_context
def trust(ctx: click.Context) -> None:
    """Follow the TUF client workflow against any repository; no device is needed."""


@contextlib.contextmanager
def _ends_with_1() -> Iterator[None]:
    """End with 1 whatever refused, after saying the error's code and message."""
    try:
        try:
            yield
        except OSError as error:
            raise from_os_error(error) from error
    except KioskError as error:
        click.echo(f"{error.code}: {error}", err=True)
        sys.exit(1)


@trust.command()
@click.argument("rootfile", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_options
@click.pass_context
def init(ctx: click.Context, rootfile: Path) -> None:
    """Start trusting the root in ROOTFILE; asks nobody."""
    with _ends_with_1():
        _init(ctx.ensure_object(_Options), rootfile)


@trust.command()
@_options
@click.pass_context
def refresh(ctx: click.Context) -> None:
    """Bring the metadata up to date."""
    with _ends_with_1(), _wire() as wire:
        _verified(ctx.ensure_object(_Options), wire)


@trust.command()
@_options
@click.pass_context
def download(ctx: click.Context) -> None:
    """Bring the metadata up to date, then fetch one target and check it."""
    with _ends_with_1(), _wire() as wire:
        _download(ctx.ensure_object(_Options), wire)


def _init(options: _Options, rootfile: Path) -> None:
    from kiosk_client import trust as trusting
    from kiosk_client.durable import write_file

    folder = options.folder()
    raw = rootfile.read_bytes()
    trusting.check_root(raw)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    trusting.forget_metadata(folder)
    write_file(folder / FIRST_ROOT, raw)
    write_file(folder / "root.json", raw)


def _download(options: _Options, wire: Wire) -> None:
    from kiosk_client import trust as trusting

    if not options.target_name or not options.target_base_url or options.target_dir is None:
        raise click.UsageError("expected --target-name, --target-base-url and --target-dir")
    verified = _verified(options, wire)
    target = trusting.find_target(verified, options.target_name)
    if target is None:
        raise OriginTrouble(
            f"expected a target {options.target_name!r}, got metadata that names none"
        )
    # The name is the publisher's: quoted, it is one file name and no path.
    place = options.target_dir / quote(target.path, safe="")
    with contextlib.suppress(OSError, DamagedTransfer):
        trusting.check_target(target, place)
        return
    path = trusting.target_path(verified, target, hash_prefix=options.hash_prefix)
    url = options.target_base_url.rstrip("/") + "/" + path
    beside = options.target_dir / f".{hashlib.sha256(target.path.encode()).hexdigest()}.new"
    options.target_dir.mkdir(parents=True, exist_ok=True)
    try:
        _receive(wire, url, beside, target.length)
        trusting.check_target(target, beside)
        os.replace(beside, place)
    finally:
        beside.unlink(missing_ok=True)


def _verified(options: _Options, wire: Wire) -> Verified:
    """The newest metadata: literally the client workflow, without a product's second try."""
    from kiosk_client import trust as trusting

    folder = options.folder()
    if not options.metadata_url:
        raise click.UsageError("expected --metadata-url, got none")
    try:
        root = (folder / FIRST_ROOT).read_bytes()
    except FileNotFoundError as error:
        raise KioskError(
            f"expected a root to trust in {folder}, got none: run `init ROOTFILE` first"
        ) from error
    accepted = trusting.load_accepted(folder / ACCEPTED)
    now = _time(options.time) if options.time else datetime.now(UTC)
    verified = trusting.refresh(
        metadata_dir=folder,
        metadata_url=options.metadata_url.rstrip("/") + "/",
        root=root,
        fetcher=trusting.MetadataFetcher(wire),
        accepted=accepted,
        at=now,
        retry=False,
    )
    trusting.save_accepted(folder / ACCEPTED, trusting.accept(accepted, verified, now))
    return verified


def _receive(wire: Wire, url: str, place: Path, size: int) -> None:
    """Write what comes from `url` to `place`, never more than `size` bytes, in flat memory."""
    from kiosk_client.wire import decoded

    response = wire.open("GET", url)
    if response.status != 200:
        response.close()
        raise OriginTrouble(f"expected the target, got status {response.status}")
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    parts = wire.chunks(response, url)
    with contextlib.closing(response), contextlib.closing(parts), place.open("wb") as file:
        for part in decoded(parts, encoding, size, url):
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _wire() -> Iterator[Wire]:
    from kiosk_client.wire import Wire

    wire = Wire()
    try:
        yield wire
    finally:
        wire.close()
