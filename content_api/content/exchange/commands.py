"""`content-api exchange`: texts out to translators' tools, and back."""

from __future__ import annotations

from pathlib import Path

import click

from content_api.accounts.rules import SYSTEM
from content_api.command_line import json_option, print_json, reading, with_settings, writing
from content_api.content.translation import STATES
from content_api.content.types import load_types
from content_api.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def exchange() -> None:
    """Texts out to translators' own tools, and back: XLIFF 1.2, XLIFF 2.0, gettext PO."""


@exchange.command("export")
@click.argument("file", type=_FILE)
@click.option("--language", required=True, help="The language to translate into.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["xliff12", "xliff2", "po"]),
    help="By default po for a name that ends so, else xliff12.",
)
@click.option("--package", help="Only what this package shows.")
@click.option("--type", "type_id", help="Only entries of this type.")
@click.option("--entry", "entries", multiple=True, help="Only this entry; may be repeated.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(list(STATES)),
    help="Texts of this state; by default missing, outdated and machine.",
)
@json_option
@with_settings
def export_file(
    settings: Settings,
    file: Path,
    language: str,
    form: str | None,
    package: str | None,
    type_id: str | None,
    entries: tuple[str, ...],
    states: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write the texts to translate to FILE."""
    from content_api.content.exchange.files import write_file
    from content_api.content.exchange.service import TO_TRANSLATE, Wish, gather

    wish = Wish(language, states or TO_TRANSLATE, entries, package, type_id)
    with reading(settings) as session:
        found = gather(session, SYSTEM, wish, types=load_types(settings.types_dir))
    chosen = form or ("po" if file.suffix == ".po" else "xliff12")
    file.write_bytes(write_file(found, chosen))
    if as_json:
        print_json({"texts": found.count(), "entries": len(found.entries), "format": chosen})
        return
    click.echo(f"Wrote {found.count()} texts of {len(found.entries)} entries to {file}.")


@exchange.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
@with_settings
def import_file(settings: Settings, file: Path, dry_run: bool, as_json: bool) -> None:
    """Take in the translations of FILE; nothing is approved by it."""
    from content_api.content.exchange.judging import REFUSED
    from content_api.content.exchange.service import judge_file, take_file

    types = load_types(settings.types_dir)
    raw = file.read_bytes()
    if dry_run:
        with reading(settings) as session:
            report = judge_file(session, SYSTEM, raw, types=types)
    else:
        with writing(settings) as session:
            report = take_file(session, SYSTEM, raw, file.name, types=types)
    if as_json:
        print_json({"dry_run": dry_run, "counts": report.counts(), **report.as_json()})
        return
    for row in report.rows:
        if row.verdict.outcome == REFUSED:
            where = f"{row.entry_id or row.title} {row.path}".strip()
            detail = f": {row.verdict.detail[:200]}" if row.verdict.detail else ""
            click.echo(f"{where}: refused, {row.verdict.reason}{detail}", err=True)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts().items())
    click.echo(f"{'Would be' if dry_run else 'Done'}: {counts}.")


commands: list[click.Command] = [exchange]
