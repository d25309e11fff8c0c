"""XLIFF 2.0 (OASIS standard, 2014; what it shares with 2.1). Pure.

One `<file>` an entry, its `original` the state its texts come from; one `<unit>` a text,
its `id` the text's path. Pairs of marks are `<pc>`, single ones `<ph/>`; the characters
they stand for lie in `<originalData>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree

from content_api.content.exchange import xml
from content_api.content.exchange.codes import Code, Part, Seen, all_codes
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
from package_format.languages import direction

NAMESPACE = "urn:oasis:names:tc:xliff:document:2.0"
SIZES = "urn:oasis:names:tc:xliff:sizerestriction:2.0"
MEDIA_TYPE = "application/xliff+xml"

_STATES = {
    "missing": "initial",
    "outdated": "initial",
    "machine": "initial",
    "translated": "translated",
    "reviewed": "reviewed",
}
_DONE = frozenset({"translated", "reviewed", "final"})
_SUB_STATES = {"outdated": "lampisterie:outdated", "machine": "lampisterie:machine"}
_TYPES = {
    "bold": ("fmt", "xlf:b"),
    "italic": ("fmt", "xlf:i"),
    "link": ("link", None),
    "ruby": ("other", "lampisterie:ruby"),
}
_TRANSPARENT = frozenset({"mrk"})
_NOTHING = frozenset({"sm", "em"})

# The stubs know no default namespace, which lxml writes for None.
_NAMES: Any = {None: NAMESPACE, "slr": SIZES}


def write(out: OutFile) -> bytes:
    """The file."""
    root = etree.Element(f"{{{NAMESPACE}}}xliff", nsmap=_NAMES)
    root.set("version", "2.0")
    root.set("srcLang", out.source_language)
    root.set("trgLang", out.target_language)
    for entry in out.entries:
        _write_entry(root, out, entry)
    return xml.to_bytes(root)


def _write_entry(root: Any, out: OutFile, entry: OutEntry) -> None:
    file = xml.add(root, "file", id=entry.origin.entry_id, original=str(entry.origin))
    for name, tag in (("srcDir", out.source_language), ("trgDir", out.target_language)):
        if direction(tag) == "rtl":
            file.set(name, "rtl")
    if any(unit.max for unit in entry.units):
        profiles = etree.SubElement(file, f"{{{SIZES}}}profiles")
        profiles.set("generalProfile", "xliff:codepoints")
        etree.SubElement(profiles, f"{{{SIZES}}}normalization").set("general", "nfc")
    notes = xml.add(file, "notes")
    xml.add(notes, "note", f"{entry.type_label}: {entry.title}", category="entry")
    for unit in entry.units:
        _write_unit(file, unit)


def _write_unit(file: Any, unit: OutUnit) -> None:
    element = xml.add(file, "unit", id=unit.path, name=unit.label)
    element.set(xml.XML_SPACE, "preserve")
    if unit.max:
        element.set(f"{{{SIZES}}}sizeRestriction", str(unit.max))
    notes = xml.add(element, "notes")
    xml.add(notes, "note", unit.label, category="field")
    if unit.before is not None:
        xml.add(notes, "note", unit.before, category="source-before")
    codes = list(all_codes(unit.parts))
    if codes:
        kept = xml.add(element, "originalData")
        for code in codes:
            xml.add(kept, "data", code.open, id=f"d{code.id}")
            if code.close is not None:
                xml.add(kept, "data", code.close, id=f"d{code.id}e")
    segment = xml.add(element, "segment", state=_STATES[unit.status])
    if unit.status in _SUB_STATES:
        segment.set("subState", _SUB_STATES[unit.status])
    _fill(xml.add(segment, "source"), unit.parts)
    if unit.target is not None:
        _fill(xml.add(segment, "target"), unit.target_parts)


def _fill(element: Any, parts: Sequence[Part]) -> None:
    for part in parts:
        if isinstance(part, str):
            xml.add_text(element, part)
        elif part.close is None:
            single = xml.add(element, "ph", id=part.id, dataRef=f"d{part.id}", equiv=part.open)
            _describe(single, part)
        else:
            pair = xml.add(
                element,
                "pc",
                id=part.id,
                dataRefStart=f"d{part.id}",
                dataRefEnd=f"d{part.id}e",
            )
            _describe(pair, part)
            _fill(pair, part.inside)


def _describe(element: Any, code: Code) -> None:
    kind, sub = _TYPES[code.kind]
    element.set("type", kind)
    if sub is not None:
        element.set("subType", sub)
    element.set("canCopy", "no")
    element.set("canDelete", "yes" if code.may_go else "no")


def read(root: Any) -> InFile:
    """What came back.

    Raises:
        ExchangeRefused: more texts than are read.
    """
    units: list[InUnit] = []
    for file in xml.children(root, NAMESPACE, "file"):
        origin = parse_origin(file.get("original", ""))
        for element in _units(file):
            if len(units) >= MAX_UNITS:
                raise ExchangeRefused(
                    "too-many", f"Expected at most {MAX_UNITS} texts in one file."
                )
            units.append(_read_unit(element, origin, file.get("original", "")))
    return InFile("xliff2", root.get("srcLang", ""), root.get("trgLang", ""), tuple(units))


def _units(parent: Any) -> Iterator[Any]:
    for element in xml.children(parent, NAMESPACE, "unit", "group"):
        if xml.name_of(element)[1] == "group":
            yield from _units(element)
        else:
            yield element


def _read_unit(element: Any, origin: Any, named: str) -> InUnit:
    path = element.get("id", "")
    fault = None if is_path(path) else "unreadable"
    source, target, state = "", None, "unfinished"
    try:
        source, target, state = _read_segments(element)
    except ValueError as error:
        fault = str(error) or "unreadable"
    return InUnit(
        origin=origin,
        path=path[:200],
        source=source,
        target=target,
        state=state,
        fault=fault,
        name=f"{named[:100]} {path[:100]}",
    )


def _read_segments(unit: Any) -> tuple[str, tuple[str | Seen, ...] | None, str]:
    """Source words, target and state of a unit that a tool may have cut into sentences."""
    source: list[str] = []
    placed: list[tuple[int, list[str | Seen]]] = []
    states: list[str] = []
    missing = False
    segments = list(xml.children(unit, NAMESPACE, "segment", "ignorable"))
    for number, segment in enumerate(segments, start=1):
        original = xml.first(segment, NAMESPACE, "source")
        target = xml.first(segment, NAMESPACE, "target")
        words = list(_seen(original)) if original is not None else []
        source += [part for part in words if isinstance(part, str)]
        is_text = xml.name_of(segment)[1] == "segment"
        seen = list(_seen(target)) if target is not None else None
        if is_text:
            states.append(_state(segment))
            missing = missing or not seen
        if seen is None:
            seen = [] if is_text else words
        order = target.get("order", "") if target is not None else ""
        placed.append((int(order) if order.isascii() and order.isdigit() else number, seen))
    written = [part for _order, seen in sorted(placed, key=lambda pair: pair[0]) for part in seen]
    if not states or all(not seen for _order, seen in placed):
        return "".join(source), None, "unfinished"
    if missing and len(states) > 1:
        raise ValueError("part-missing")
    if missing:
        return "".join(source), None, "unfinished"
    least = ("unfinished", "machine", "translated")
    return "".join(source), tuple(written), min(states, key=least.index)


def _state(segment: Any) -> str:
    if segment.get("subState") == _SUB_STATES["machine"] and segment.get("state") == "initial":
        return "machine"
    return "translated" if segment.get("state") in _DONE else "unfinished"


def _seen(element: Any) -> Iterator[str | Seen]:
    if element.text:
        yield str(element.text)
    for child in element:
        namespace, name = xml.name_of(child)
        if namespace != NAMESPACE:
            raise ValueError("unreadable")
        if name == "pc":
            yield Seen("open", child.get("id", ""))
            yield from _seen(child)
            yield Seen("close", child.get("id", ""))
        elif name == "ph":
            yield Seen("single", child.get("id", ""))
        elif name == "sc":
            yield Seen("open", child.get("id", ""))
        elif name == "ec":
            yield Seen("close", child.get("startRef") or child.get("id", ""))
        elif name in _TRANSPARENT:
            yield from _seen(child)
        elif name not in _NOTHING:
            raise ValueError("unreadable")
        if child.tail:
            yield str(child.tail)
