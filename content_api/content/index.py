"""Rows that can be rebuilt from an entry's revisions: texts, references, words to search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from content_api.content.document import SHARED, Body, Flat, field_at, flatten
from content_api.content.models import Approval, Entry, Reference, Revision, SearchText, Unit
from content_api.content.richtext import inline_nodes, search_words, to_nodes
from content_api.content.search import index_words
from content_api.content.translation import text_hash
from content_api.content.types import ContentType, ContentTypes

REFERENCE_KINDS = ("asset", "assets", "reference", "references")


def update_index(
    session: Session, types: ContentTypes, kind: ContentType, entry: Entry, body: Body
) -> None:
    """Bring the rows that tell of an entry's head in line with `body`."""
    flat = flatten(body)
    _update_units(session, types, kind, entry.id, flat)
    _update_words(session, types, kind, entry.id, flat)
    update_references(session, types, kind, entry.id, flat)


def update_references(
    session: Session,
    types: ContentTypes,
    kind: ContentType,
    entry_id: str,
    head: Mapping[tuple[str, str], Any],
) -> None:
    """Bring an entry's references in line with its head and its approved revisions."""
    wanted = set(references_of(types, kind, head))
    approved = session.scalars(
        select(Revision.body).where(
            Revision.entry_id == entry_id,
            Revision.rev.in_(select(Approval.rev).where(Approval.entry_id == entry_id)),
        )
    )
    for body in approved:
        wanted |= set(references_of(types, kind, flatten(body)))
    rows = session.scalars(select(Reference).where(Reference.from_id == entry_id)).all()
    held = {(row.path, row.to_id): row for row in rows}
    for key, row in held.items():
        if key not in wanted:
            session.delete(row)
    for path, to_id in sorted(wanted - held.keys()):
        session.add(Reference(from_id=entry_id, path=path, to_id=to_id))
    session.flush()


def references_of(
    types: ContentTypes, kind: ContentType, flat: Mapping[tuple[str, str], Any]
) -> Iterator[tuple[str, str]]:
    """The (path, id) of every entry and asset that a document names."""
    for (path, _scope), value in flat.items():
        field = field_at(types, kind, flat, path)
        if field is None or field.kind not in REFERENCE_KINDS or value is None:
            continue
        for to_id in [value] if isinstance(value, str) else value:
            yield path, to_id


def text_values(
    types: ContentTypes, kind: ContentType, flat: Mapping[tuple[str, str], Any]
) -> Flat:
    """The texts of a document that a translator translates, by (path, language)."""
    found: Flat = {}
    for (path, scope), value in flat.items():
        if scope == SHARED:
            continue
        field = field_at(types, kind, flat, path)
        if field is not None and field.is_translatable and (value is None or value):
            found[path, scope] = value
    return found


def _update_units(
    session: Session, types: ContentTypes, kind: ContentType, entry_id: str, flat: Flat
) -> None:
    wanted = text_values(types, kind, flat)
    rows = session.scalars(select(Unit).where(Unit.entry_id == entry_id)).all()
    held = {(row.path, row.scope): row for row in rows}
    for pair, row in held.items():
        if pair not in wanted:
            session.delete(row)
    for (path, scope), value in wanted.items():
        sha256, characters = text_hash(value), len(value or "")
        row_held = held.get((path, scope))
        if row_held is None:
            session.add(
                Unit(
                    entry_id=entry_id,
                    path=path,
                    scope=scope,
                    value_sha256=sha256,
                    characters=characters,
                )
            )
        elif row_held.value_sha256 != sha256 or row_held.characters != characters:
            row_held.value_sha256 = sha256
            row_held.characters = characters


def _update_words(
    session: Session, types: ContentTypes, kind: ContentType, entry_id: str, flat: Flat
) -> None:
    texts: dict[str, list[str]] = {SHARED: [entry_id]}
    for (path, scope), value in flat.items():
        field = field_at(types, kind, flat, path)
        if field is None or not field.is_text or not value:
            continue
        texts.setdefault(scope, []).append(_plain(field.kind, value))
    wanted = {scope: index_words(parts) for scope, parts in texts.items()}
    rows = session.scalars(select(SearchText).where(SearchText.entry_id == entry_id)).all()
    held = {row.scope: row for row in rows}
    for scope, row in held.items():
        if scope not in wanted:
            session.delete(row)
    for scope, words in wanted.items():
        row_held = held.get(scope)
        if row_held is None:
            session.add(SearchText(entry_id=entry_id, scope=scope, words=words))
        elif row_held.words != words:
            row_held.words = words


def _plain(kind: str, value: str) -> str:
    if kind == "markdown":
        return search_words(to_nodes(value))
    if kind == "inline":
        return search_words(inline_nodes(value))
    return value


def rebuild_index(session: Session, types: ContentTypes, ids: Iterable[str] | None = None) -> int:
    """Rebuild the rows of `ids`, or of every entry; how many entries were read."""
    from content_api.content.statuses import rebuild_statuses

    ids = None if ids is None else list(ids)
    query = select(Entry, Revision).join(
        Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev)
    )
    if ids is not None:
        query = query.where(Entry.id.in_(ids))
    count = 0
    for entry, revision in session.execute(query.order_by(Entry.id)).all():
        kind = types.find_type(entry.type)
        if kind is None:
            session.execute(delete(Unit).where(Unit.entry_id == entry.id))
            continue
        update_index(session, types, kind, entry, revision.body)
        count += 1
    session.flush()
    rebuild_statuses(session, types, ids)
    return count
