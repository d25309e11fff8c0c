"""Bring the catalogues up to date with the sentences in the code, or say where they lag.

    python -m content_api.messages.extract [AREA …]     write locales/<tag>/<area>.po
    python -m content_api.messages.extract --check      exit code 1 and a list, if anything lags

An area is a folder of the studio with its templates and scripts; the studio's shared parts
are the area `studio`, everything else the server says is `server`. Only the files of the
areas named are written, so several people may work at once. Translations are kept; those
of sentences that are gone are dropped; a sentence that another area has translated
already takes its translation. Where a file is used by scripts its comments tell, and
`script_messages` goes by them; they carry no line numbers, which would change with every edit.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import write_po

from content_api.messages import locales_folder, message_forms, new_catalog, read_catalog

CODE = Path(__file__).resolve().parents[1]
STUDIO = CODE / "studio"

SHARED_AREA = "studio"
SERVER_AREA = "server"
COMPLETE = ("fr", "ja")
"""Languages in which every sentence must be there."""

_METHODS = {".py": "python", ".html": "jinja2.ext:babel_extract", ".js": "javascript"}
# As the application sets Jinja up, for a sentence must come out as the page will ask for it.
_JINJA = ("newstyle_gettext", "trim_blocks", "lstrip_blocks", "trimmed")
_OPTIONS = {
    ".html": {"silent": "false", **dict.fromkeys(_JINJA, "true")},
    ".js": {"parse_template_string": "true"},
}
_SKIPPED = {"node_modules", "vendor", "sample", "migrations", "__pycache__"}
_PLACEHOLDER = re.compile(r"%(?:%|\((\w+)\)(.))", re.DOTALL)
# Kept: what gettext reads. The rest would say who ran the program when, in every file.
_HEAD = ("Language:", "Plural-Forms", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")


class Used(NamedTuple):
    """A sentence as the code has it."""

    id: str | tuple[str, ...]
    context: str | None
    places: tuple[str, ...]
    comments: tuple[str, ...]

    @property
    def key(self) -> tuple[str | None, str]:
        """What a catalogue finds it by."""
        return self.context, self.id if isinstance(self.id, str) else self.id[0]


def areas() -> list[str]:
    """Every area that may have sentences."""
    folders = (path.parent.name for path in STUDIO.glob("*/__init__.py"))
    return sorted({*folders, SHARED_AREA, SERVER_AREA} - {"base"})


def area_of(path: Path, names: Sequence[str]) -> str:
    """The area of `names` whose catalogue holds the sentences of the file at `path`."""
    try:
        parts = path.relative_to(STUDIO).parts
    except ValueError:
        return SERVER_AREA
    if parts[0] == "templates":
        parts = parts[1:]
    elif parts[:2] == ("static", "js"):
        parts = parts[2:]
    known = len(parts) > 1 and parts[0] in names
    return parts[0] if known else SHARED_AREA


def sources() -> Iterator[Path]:
    """The files that may hold sentences, in order."""
    for path in sorted(CODE.rglob("*")):
        inside = path.relative_to(CODE).parts
        # Scripts of the server that are not the studio's say nothing through gettext.
        if path.suffix == ".js" and inside[0] != "studio":
            continue
        if path.suffix in _METHODS and not _SKIPPED.intersection(inside):
            yield path


def used_sentences(area: str) -> list[Used]:
    """The sentences of an area, in the order of files and lines.

    Raises:
        ValueError: a file cannot be read; the message names it.
    """
    found: dict[tuple[str | None, str], Used] = {}
    names = areas()
    for path in sources():
        if area_of(path, names) != area:
            continue
        for used in _sentences_in(path):
            before = found.get(used.key)
            if before is not None:
                places = tuple(dict.fromkeys((*before.places, *used.places)))
                plural = used.id if isinstance(used.id, tuple) else before.id
                used = Used(plural, used.context, places, before.comments or used.comments)
            found[used.key] = used
    return list(found.values())


def _sentences_in(path: Path) -> Iterator[Used]:
    place = path.relative_to(CODE.parent).as_posix()
    options = _OPTIONS.get(path.suffix, {})
    content = BytesIO(path.read_bytes())
    try:
        for _line, message, comments, context in extract(
            _METHODS[path.suffix],
            content,
            keywords=DEFAULT_KEYWORDS,
            comment_tags=("Translators:",),
            options=options,
            strip_comment_tags=True,
        ):
            text = tuple(message) if isinstance(message, (list, tuple)) else message
            if text and all(text):
                yield Used(text, context, (place,), tuple(comments))
    except Exception as error:
        raise ValueError(f"{place}: {error}") from error


def updated_catalog(
    tag: str, area: str, used: Sequence[Used], held: Mapping[str, Catalog]
) -> Catalog:
    """The catalogue of an area in `tag`, with the sentences in use and what is translated.

    `held` has the catalogues there are by area; its own counts before the others.
    """
    own = [held[area]] if area in held else []
    order = own + [catalog for name, catalog in held.items() if name != area]
    catalog = new_catalog(tag)
    for sentence in used:
        translated = _translation(order, sentence, catalog.num_plurals)
        catalog.add(
            sentence.id,
            _tidy(tag, translated) if translated else "",
            [(place, 0) for place in sentence.places],
            auto_comments=sentence.comments,
            context=sentence.context,
        )
    return catalog


def read_catalogs(tag: str) -> dict[str, Catalog]:
    """The catalogues there are in `tag`, by area."""
    paths = sorted((locales_folder() / tag).glob("*.po"))
    return {path.stem: read_catalog(path, tag) for path in paths}


def _translation(
    held: Sequence[Catalog], sentence: Used, forms: int
) -> str | tuple[str, ...] | None:
    context, first = sentence.key
    for catalog in held:
        message = catalog.get(first, context)
        said = message_forms(message) if message is not None and not message.fuzzy else []
        if not any(said):
            continue
        if isinstance(sentence.id, str):
            return said[0]
        if len(said) == forms and message is not None and message.pluralizable:
            return tuple(said)
    return None


def _tidy(tag: str, said: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if tag != "fr":
        return said
    if isinstance(said, tuple):
        return tuple(tidy_french(form) for form in said)
    return tidy_french(said)


def tidy_french(text: str) -> str:
    """`text` with its punctuation kept on the line of its word, and its apostrophes curved.

    The spaces cannot be told apart by eye in a catalogue, so nobody is asked to type them.
    """
    text = re.sub(r"(?<=\S) (?=[:;?!»](?:\W|$)|%%)", "\N{NO-BREAK SPACE}", text)
    text = re.sub(r"(?<=«) (?=\S)", "\N{NO-BREAK SPACE}", text)
    return re.sub(r"(?<=[^\W\d_])'(?=[^\W\d_])", "\N{RIGHT SINGLE QUOTATION MARK}", text)


def catalog_path(tag: str, area: str) -> Path:
    """Where the catalogue of an area lies."""
    return locales_folder() / tag / f"{area}.po"


def catalog_bytes(catalog: Catalog) -> bytes:
    """The PO file of a catalogue: the same catalogue gives the same bytes."""
    buffer = BytesIO()
    write_po(buffer, catalog, width=100, include_lineno=False)
    lines = buffer.getvalue().decode("utf-8").splitlines(keepends=True)
    head_ends = lines.index("\n") if "\n" in lines else len(lines)
    head = [
        line
        for line in lines[:head_ends]
        if line.startswith("msg") or line.lstrip('"').startswith(_HEAD)
    ]
    return "".join(head + lines[head_ends:]).rstrip("\n").encode() + b"\n"


def write_area(area: str) -> list[Path]:
    """Bring an area's catalogues up to date; the files that changed."""
    used = used_sentences(area)
    changed = []
    for tag in languages():
        path = catalog_path(tag, area)
        if not used:
            if path.exists():
                path.unlink()
                changed.append(path)
            continue
        wanted = catalog_bytes(updated_catalog(tag, area, used, read_catalogs(tag)))
        if path.is_file() and path.read_bytes() == wanted:
            continue
        beside = path.with_suffix(f".{os.getpid()}.tmp")
        beside.write_bytes(wanted)
        beside.replace(path)
        changed.append(path)
    return changed


def languages() -> list[str]:
    """The languages that have a folder of catalogues."""
    return sorted(path.name for path in locales_folder().iterdir() if path.is_dir())


def faults(names: Sequence[str]) -> list[str]:
    """What is wrong with the catalogues of these areas, one line each.

    Missing in a language that must be complete, placeholders that differ, a sentence that
    two areas translate differently, a file that the code has left behind.
    """
    found = []
    held = {tag: read_catalogs(tag) for tag in languages()}
    for area in names:
        used = used_sentences(area)
        for tag, catalogs in held.items():
            where = f"{tag}/{area}.po"
            catalog = catalogs.get(area) or new_catalog(tag)
            if tag in COMPLETE:
                found += [
                    f"{where}: not translated: {sentence.key[1]!r}"
                    for sentence in used
                    if _translation([catalog], sentence, catalog.num_plurals) is None
                ]
            found += [f"{where}: {fault}" for message in catalog for fault in _mistakes(message)]
            path = catalog_path(tag, area)
            wanted = catalog_bytes(updated_catalog(tag, area, used, catalogs)) if used else b""
            if wanted != (path.read_bytes() if path.is_file() else b""):
                found.append(f"{where}: behind the code: run the extraction for {area}")
    for tag, catalogs in held.items():
        found += _differences(tag, catalogs, names)
    return found


def _mistakes(message: Message) -> Iterator[str]:
    said = message_forms(message)
    if not message.id or not any(said):
        return
    sources = [message.id] if isinstance(message.id, str) else list(message.id)
    wanted = set().union(*map(placeholders, sources))
    for form in said:
        got = placeholders(form)
        # A plural form may say "one" in words; it must not ask for what nobody gives.
        if got - wanted or (not message.pluralizable and wanted - got):
            yield (
                f"{sources[0]!r}: expected {', '.join(sorted(wanted)) or 'no placeholder'}, "
                f"got {', '.join(sorted(got)) or 'none'} in {form!r}"
            )
        try:
            form % dict.fromkeys(got | wanted, 1)
        except (ValueError, TypeError, KeyError) as error:
            yield f"{form!r}: {error}"


def placeholders(text: str) -> set[str]:
    """Names of what `text` is filled with."""
    return {found[1] for found in _PLACEHOLDER.finditer(text) if found[1]}


def _differences(tag: str, catalogs: Mapping[str, Catalog], names: Sequence[str]) -> Iterator[str]:
    seen: dict[tuple[str | None, str], tuple[str, list[str]]] = {}
    for name, catalog in catalogs.items():
        for message in catalog:
            said = message_forms(message)
            if not message.id or not any(said):
                continue
            first = message.id if isinstance(message.id, str) else message.id[0]
            area, other = seen.setdefault((message.context, first), (name, said))
            if other[0] != said[0] and {area, name} & set(names):
                yield f"{tag}: {first!r} is {other[0]!r} in {area}, {said[0]!r} in {name}"


def main(arguments: list[str] | None = None) -> int:
    """Write, or check; 0 done, 1 something lags, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m content_api.messages.extract",
        description="Bring the catalogues in locales/ up to date with the code.",
    )
    parser.add_argument("area", nargs="*", help=f"one of: {', '.join(areas())}; none means all")
    parser.add_argument("--check", action="store_true", help="write nothing, list what lags")
    given = parser.parse_args(arguments)
    names: list[str] = given.area or areas()
    unknown = sorted(set(names) - set(areas()))
    if unknown:
        parser.error(f"no such area: {', '.join(unknown)}")
    try:
        if given.check:
            found = faults(names)
            sys.stdout.writelines(f"{line}\n" for line in found)
            return 1 if found else 0
        for name in names:
            for path in write_area(name):
                sys.stdout.write(f"{path.relative_to(locales_folder().parent)}\n")
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
