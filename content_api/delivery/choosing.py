"""Which language and which entries a partner gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from content_api.content.richtext import to_text
from content_api.content.search import question_phrases, tokens
from content_api.problems import BadRequest, Refused
from package_format.languages import match_language

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; None or empty does not narrow."""

    type: str | None = None
    kind: str | None = None
    among: frozenset[str] | None = None
    box: Box | None = None
    question: str | None = None


class LanguageUnknown(Refused):
    """The package is not published in the language asked for."""

    code = "language-unknown"


def choose_language(requested: str | None, available: Sequence[str], default: str) -> str:
    """The language of `available` for a reader who asked for `requested`; none asked: `default`.

    Raises:
        LanguageUnknown: none of them serves that reader; `available` is in its details.
    """
    if not requested:
        return default
    found = match_language(requested, available)
    if found is None:
        raise LanguageUnknown(
            f"The package is not published in {requested[:35]!r}: expected one of "
            f"{', '.join(available)}.",
            details={"available": list(available)},
        )
    return found


def parse_box(text: str | None) -> Box | None:
    """`west,south,east,north` in WGS84 degrees. West may exceed east, across the antimeridian.

    Raises:
        BadRequest: it is not four such numbers.
    """
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = float("nan")
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise BadRequest(
            f"bbox: expected west,south,east,north in degrees, as 2.2,50.2,3.8,50.7, "
            f"got {text[:60]!r}"
        )
    return west, south, east, north


def is_inside(coords: Mapping[str, Any] | None, box: Box) -> bool:
    """Whether a point lies in a box, its edges counting as inside."""
    if not coords:
        return False
    west, south, east, north = box
    lon, lat = float(coords["lon"]), float(coords["lat"])
    across = west <= lon <= east if west <= east else (lon >= west or lon <= east)
    return south <= lat <= north and across


def choose_entries(
    entries: Mapping[str, Mapping[str, Any]], words: Mapping[str, str], wanted: Wanted
) -> list[str]:
    """Ids of the entries that are wanted, in order. `words` is what `search_words` made of each."""
    phrases = question_phrases(wanted.question) if wanted.question else []
    if wanted.question and not phrases:
        return []
    return [
        entry_id
        for entry_id, entry in entries.items()
        if (wanted.type is None or entry["type"] == wanted.type)
        and (wanted.kind is None or wanted.kind in _kinds(entry["fields"].get("kind")))
        and (wanted.among is None or entry_id in wanted.among)
        and (wanted.box is None or is_inside(entry["fields"].get("coords"), wanted.box))
        and all(_holds(words[entry_id], phrase) for phrase in phrases)
    ]


def search_words(entry: Mapping[str, Any]) -> str:
    """The words of an entry as the search index has them: tokens between spaces."""
    found = [f" {' '.join(tokens(text))} " for text in _texts(entry["fields"])]
    return "x".join(found)


def after(ids: Sequence[str], last: str | None, position: int) -> Sequence[str]:
    """The ids behind `last`; behind `position` when a newer release no longer has it."""
    if last is None:
        return ids
    return ids[ids.index(last) + 1 :] if last in ids else ids[position:]


def _holds(words: str, phrase: Sequence[str]) -> bool:
    # As in the editors' search: the start of the last word is enough, but a character of a
    # script without spaces is a whole token.
    whole = len(phrase[-1]) in (6, 7) and phrase[-1].startswith("wu") and _is_hex(phrase[-1][2:])
    return f" {' '.join(phrase)}{' ' if whole else ''}" in words


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)


def _kinds(value: Any) -> Iterable[str]:
    return value if isinstance(value, list) else (value,)


def _texts(fields: Mapping[str, Any]) -> Iterable[str]:
    for value in fields.values():
        if isinstance(value, str):
            yield value
        elif is_rich(value):
            yield to_text(value)
            readings = to_text(value, readings=True)
            if readings != to_text(value):
                yield readings
        elif isinstance(value, list):
            for part in value:
                if isinstance(part, dict) and "fields" in part:
                    yield from _texts(part["fields"])


def is_rich(value: Any) -> bool:
    """Whether a value is rich text nodes that hold more than plain strings."""
    return isinstance(value, list) and any(isinstance(part, dict) and "t" in part for part in value)
