"""XLIFF 1.2 (OASIS standard, 2008). Pure.

One `<file>` an entry, its `original` the state its texts come from; one `<trans-unit>` a
text, its `id` the text's path. Pairs of marks are `<g>`, single ones `<x/>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree

from content_api.content.exchange import xml
from content_api.content.exchange.codes import Part, Seen
from content_api.content.exchange.units import (
    MAX_UNITS,
    ExchangeRefused,
    InFile,
    InUnit,
    OutEntry,
    OutFile,
    OutUnit,
    is_path,
    parse_origin,
)

NAMESPACE = "urn:oasis:names:tc:xliff:document:1.2"
MEDIA_TYPE = "application/x-xliff+xml"

_STATES = {
    "missing": "needs-translation",
    "outdated": "needs-review-translation",
    "machine": "needs-review-translation",
    "translated": "translated",
    "reviewed": "signed-off",
}
_DONE = frozenset({"translated", "signed-off", "final"})
_CHECKED = frozenset({"signed-off", "final"})
_MACHINE = frozenset({"mt-suggestion", "leveraged-mt"})
_CTYPES = {"bold": "bold", "italic": "italic", "link": "link", "ruby": "x-ruby"}
_TRANSPARENT = frozenset({"mrk"})


def write(out: OutFile) -> bytes:
    """The file."""
    root = etree.Element(f"{{{NAMESPACE}}}xliff", nsmap=_NAMES)
    root.set("version", "1.2")
    for entry in out.entries:
        _write_entry(root, out, entry)
    return xml.to_bytes(root)


# The stubs know no default namespace, which lxml writes for None.
_NAMES: Any = {None: NAMESPACE}


def _write_entry(root: Any, out: OutFile, entry: OutEntry) -> None:
    file = xml.add(
        root,
        "file",
        original=str(entry.origin),
        source_language=out.source_language,
        target_language=out.target_language,
        datatype="x-markdown",
        tool_id="lampisterie",
    )
    header = xml.add(file, "header")
    xml.add(header, "tool", tool_id="lampisterie", tool_name="Lampisterie")
    xml.add(header, "note", f"{entry.type_label}: {entry.title}")
    body = xml.add(file, "body")
    for unit in entry.units:
        _write_unit(body, unit)


def _write_unit(body: Any, unit: OutUnit) -> None:
    limit = {"maxwidth": str(unit.max), "size_unit": "char"} if unit.max else {}
    element = xml.add(body, "trans-unit", id=unit.path, resname=unit.path, **limit)
    element.set(xml.XML_SPACE, "preserve")
    _fill(xml.add(element, "source"), unit.parts)
    target = xml.add(
        element,
        "target",
        state=_STATES[unit.status],
        state_qualifier="mt-suggestion" if unit.status == "machine" else None,
    )
    if unit.target is not None:
        _fill(target, unit.target_parts)
    xml.add(element, "note", unit.label, from_="field")
    if unit.before is not None:
        xml.add(element, "note", unit.before, from_="source-before")


def _fill(element: Any, parts: Sequence[Part]) -> None:
    for part in parts:
        if isinstance(part, str):
            xml.add_text(element, part)
        elif part.close is None:
            xml.add(element, "x", id=part.id, ctype=_CTYPES[part.kind], equiv_text=part.open)
        else:
            _fill(xml.add(element, "g", id=part.id, ctype=_CTYPES[part.kind]), part.inside)


def read(root: Any) -> InFile:
    """What came back.

    Raises:
        ExchangeRefused: not XLIFF 1.2, more texts than are read, or several languages in one.
    """
    units: list[InUnit] = []
    pairs: set[tuple[str, str]] = set()
    for file in xml.children(root, NAMESPACE, "file"):
        pairs.add((file.get("source-language", ""), file.get("target-language", "")))
        origin = parse_origin(file.get("original", ""))
        for element in _units(xml.first(file, NAMESPACE, "body")):
            if len(units) >= MAX_UNITS:
                raise ExchangeRefused(
                    "too-many", f"Expected at most {MAX_UNITS} texts in one file."
                )
            units.append(_read_unit(element, origin, file.get("original", "")))
    if len(pairs) != 1:
        raise ExchangeRefused(
            "several-languages", "Expected one pair of languages in all of the file."
        )
    source, target = pairs.pop()
    return InFile("xliff12", source, target, tuple(units))


def _units(body: Any) -> Iterator[Any]:
    if body is None:
        return
    for element in xml.children(body, NAMESPACE, "trans-unit", "group"):
        if xml.name_of(element)[1] == "group":
            yield from _units(element)
        else:
            yield element


def _read_unit(element: Any, origin: Any, named: str) -> InUnit:
    path = element.get("id", "")
    source = xml.first(element, NAMESPACE, "source")
    target = xml.first(element, NAMESPACE, "target")
    seen: tuple[str | Seen, ...] = ()
    fault = None if is_path(path) else "unreadable"
    try:
        seen = tuple(_seen(target)) if target is not None else ()
    except ValueError:
        fault = "unreadable"
    return InUnit(
        origin=origin,
        path=path[:200],
        source="".join(source.itertext()) if source is not None else None,
        target=seen if any(part for part in seen) else None,
        state=_state(target),
        fault=fault,
        name=f"{named[:100]} {path[:100]}",
    )


def _state(target: Any) -> str:
    if target is None:
        return "unfinished"
    state = target.get("state")
    if target.get("state-qualifier") in _MACHINE and state not in _CHECKED:
        return "machine"
    return "translated" if state in _DONE else "unfinished"


def _seen(element: Any) -> Iterator[str | Seen]:
    if element.text:
        yield str(element.text)
    for child in element:
        namespace, name = xml.name_of(child)
        if namespace != NAMESPACE:
            raise ValueError(name)
        if name == "g":
            yield Seen("open", child.get("id", ""))
            yield from _seen(child)
            yield Seen("close", child.get("id", ""))
        elif name == "x":
            yield Seen("single", child.get("id", ""))
        elif name == "bx":
            yield Seen("open", child.get("id", ""))
        elif name == "ex":
            yield Seen("close", child.get("rid") or child.get("id", ""))
        elif name in _TRANSPARENT:
            yield from _seen(child)
        else:
            raise ValueError(name)
        if child.tail:
            yield str(child.tail)
