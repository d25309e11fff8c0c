"""Terms of the collection's glossary in a text, with what they are called in another language.

Matching is by whole words where a script has spaces, case and accents aside, a plural's
last letter too; elsewhere by characters. Pure but for `read_terms`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.orm import Session

from content_api.content.models import Entry, Revision
from content_api.content.richtext import inline_nodes, to_text

TERM_TYPE = "glossary_term"
MOST_TERMS = 2_000
SHORTEST = 2
"""Characters of a term that is looked for."""

_SPACELESS = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Term:
    """A term's forms in the source language and its name in the target language."""

    entry_id: str
    forms: tuple[str, ...]
    target: str
    """As it is written there, readings too; empty where it has no name yet."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text; `term` where it is one."""

    text: str
    term: Term | None = None


_held: WeakKeyDictionary[Engine | Connection, dict[tuple[str, str], tuple[Any, list[Term]]]]
_held = WeakKeyDictionary()
"""Glossaries by database and languages, each with what tells that it is still the newest."""


def glossary(session: Session, source: str, target: str) -> list[Term]:
    """The glossary in two languages, longest forms first; read again when a term changed."""
    newest = tuple(
        session.execute(
            select(func.count(), func.sum(Entry.head_rev), func.max(Entry.updated_at)).where(
                Entry.type == TERM_TYPE
            )
        ).one()
    )
    held = _held.setdefault(session.get_bind(), {})
    found = held.get((source, target))
    if found is None or found[0] != newest:
        found = held[source, target] = (newest, read_terms(session, source, target))
    return found[1]


def read_terms(session: Session, source: str, target: str) -> list[Term]:
    """The glossary in two languages, longest forms first."""
    rows = session.execute(
        select(Entry.id, Revision.body)
        .join(Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev))
        .where(Entry.type == TERM_TYPE)
        .order_by(Entry.id)
        .limit(MOST_TERMS)
    )
    found = []
    for entry_id, body in rows:
        fields = body.get("fields", {})
        name = _plain(fields.get("term", {}).get(source))
        others = re.split(r"[;,、，/]", fields.get("aliases", {}).get(source) or "")
        forms = [form.strip() for form in (name, *others) if len(form.strip()) >= SHORTEST]
        if forms:
            written = fields.get("term", {}).get(target) or ""
            found.append(Term(entry_id, tuple(dict.fromkeys(forms)), written))
    return sorted(found, key=lambda term: (-max(map(len, term.forms)), term.entry_id))


def mark_terms(text: str, terms: Sequence[Term]) -> list[Piece]:
    """The text in pieces, each term marked once where it first stands and wherever it recurs."""
    by_form = {_fold(form): term for term in reversed(terms) for form in term.forms}
    if not text or not by_form:
        return [Piece(text)] if text else []
    folded, places = _folded_with_places(text)
    forms = sorted(by_form, key=len, reverse=True)
    pattern = re.compile("|".join(_pattern(form) for form in forms))
    pieces: list[Piece] = []
    end = 0
    for found in pattern.finditer(folded):
        start, stop = places[found.start()], places[found.end()]
        term = by_form.get(found[0]) or by_form.get(found[0][:-1])
        if term is None or start < end or stop <= start:
            continue
        if start > end:
            pieces.append(Piece(text[end:start]))
        pieces.append(Piece(text[start:stop], term))
        end = stop
    if end < len(text):
        pieces.append(Piece(text[end:]))
    return pieces


def terms_in(pieces: Sequence[Piece]) -> list[Term]:
    """The terms that were marked, each once, in order."""
    return list({piece.term.entry_id: piece.term for piece in pieces if piece.term}.values())


def _pattern(form: str) -> str:
    if _SPACELESS.search(form):
        return re.escape(form)
    return rf"(?<!\w){re.escape(form)}[sx]?(?!\w)"


def _plain(value: Any) -> str:
    return to_text(inline_nodes(value)) if isinstance(value, str) else ""


def _fold(text: str) -> str:
    return _folded_with_places(text)[0]


def _folded_with_places(text: str) -> tuple[str, list[int]]:
    """The text without case and marks, and where in the text each of its characters comes from."""
    folded: list[str] = []
    places: list[int] = []
    for index, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character.replace("’", "'")).casefold():
            if unicodedata.category(part) == "Mn" and not _SPACELESS.match(character):
                continue
            folded.append(part)
            places.append(index)
    places.append(len(text))
    return "".join(folded), places
