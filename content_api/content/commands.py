"""`content-api collection`: files to database and back; `content-api` reindexing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from content_api.accounts.rules import SYSTEM
from content_api.command_line import (
    counting,
    json_option,
    print_json,
    reading,
    with_settings,
    writing,
)
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
    from content_api.content.collection import import_collection, prepare_import

    with counting(quiet=as_json) as progress:
        with reading(settings) as session:
            ready = prepare_import(session, settings, folder, progress=progress)
        with writing(settings) as session:
            report = import_collection(session, SYSTEM, settings, ready, progress=progress)
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

    with counting(quiet=as_json) as progress, reading(settings) as session:
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


commands: list[click.Command] = [collection]
