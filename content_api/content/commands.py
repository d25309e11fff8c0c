"""`content-api collection`: files to database and back; `content-api` reindexing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from content_api.accounts.rules import SYSTEM
from content_api.command_line import json_option, print_json, reading, with_settings, writing
from content_api.settings import Settings

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def collection() -> None:
    """A folder of files to the database, and back, byte for byte."""


@collection.command("import")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@json_option
@with_settings
def import_files(settings: Settings, folder: Path, as_json: bool) -> None:
    """Bring the database to what the files in DIR say; all of it, or nothing.

    A server that is running takes new content types when it is started again.
    """
    from content_api.content.collection import import_collection

    with _progress(quiet=as_json) as progress, writing(settings) as session:
        report = import_collection(session, SYSTEM, settings, folder, progress=progress)
    if as_json:
        print_json(asdict(report))
        return
    click.echo(
        f"Imported {folder}: {report.created} entries new, {report.changed} changed, "
        f"{report.unchanged} unchanged; {report.assets} files new; "
        f"{report.packages} packages new or changed."
    )


@collection.command("export")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@json_option
@with_settings
def export_files(settings: Settings, folder: Path, as_json: bool) -> None:
    """Write everything to DIR: new, empty, or an earlier export."""
    from content_api.content.collection import export_collection

    with _progress(quiet=as_json) as progress, reading(settings) as session:
        count = export_collection(session, settings, folder, progress=progress)
    if as_json:
        print_json({"entries": count, "folder": str(folder)})
        return
    click.echo(f"Exported {count} entries to {folder}.")


@collection.command("reindex")
@with_settings
def reindex(settings: Settings) -> None:
    """Rebuild what is read from revisions: words to search, references, translation units."""
    from content_api.content.index import rebuild_index
    from content_api.content.types import load_types

    with writing(settings) as session:
        count = rebuild_index(session, load_types(settings.types_dir))
    click.echo(f"Rebuilt the index of {count} entries.")


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A line that counts, when a person watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda _what, _done, _all: None
        return

    def show(what: str, done: int, total: int) -> None:
        if done == total or done % 25 == 0:
            click.echo(f"\r{what}: {done} of {total} ", nl=done == total, err=True)

    yield show


commands: list[Any] = [collection]
