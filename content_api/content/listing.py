"""Lists of entries: filtered by type, language, translation status and words; in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.rules import Actor, visible_types
from content_api.content.approvals import approvals
from content_api.content.claims import sources, status_readers
from content_api.content.models import Entry, Revision, SearchText, Unit
from content_api.content.richtext import inline_nodes, to_text
from content_api.content.search import matching_rows, question_phrases
from content_api.content.translation import STATES, StatusReader, summary
from content_api.content.types import ContentTypes, content_types
from content_api.problems import Refused

BATCH = 200
"""Entries whose status is read at once while looking for those with a status asked for."""


@dataclass(frozen=True, slots=True)
class EntrySummary:
    """An entry in a list."""

    id: str
    type: str
    head_rev: int
    title: dict[str, str]
    updated_at: datetime
    approved: dict[str, int]
    """The approved revision of each scope."""
    translations: dict[str, dict[str, int]]
    """For each language, how many texts have which status."""


def list_entries(
    session: Session,
    actor: Actor,
    *,
    type_id: str | None = None,
    language: str | None = None,
    status: str | None = None,
    q: str | None = None,
    after: str | None = None,
    limit: int = 50,
    types: ContentTypes | None = None,
) -> list[EntrySummary]:
    """The entries that `actor` may read, by id: at most `limit` + 1, from beyond `after`.

    `language` keeps entries that say something in it, or with `status` those that have a
    text of that translation status in it. Without `language`, `status` means any language.

    Raises:
        Refused: an unknown type, language or status.
    """
    types = types or content_types()
    authorise(actor, "entry.read", entry_type=type_id)
    tags = sources(session)
    _check(types, tags, type_id, language, status)
    query: Select[Any] = select(Entry).order_by(Entry.id)
    visible = visible_types(actor)
    if visible is not None:
        query = query.where(Entry.type.in_(sorted(visible)))
    if type_id is not None:
        query = query.where(Entry.type == type_id)
    if language is not None and status is None:
        query = query.where(Entry.id.in_(select(Unit.entry_id).where(Unit.scope == language)))
    if q is not None:
        phrases = question_phrases(q)
        if not phrases:
            return []
        rows = matching_rows(session.get_bind().dialect.name, phrases)
        query = query.where(
            Entry.id.in_(select(SearchText.entry_id).where(SearchText.id.in_(rows)))
        )
    asked = [language] if language is not None else list(tags)
    found: list[Entry] = []
    readers: dict[str, StatusReader] = {}
    size = limit + 1 if status is None else max(BATCH, limit + 1)
    while len(found) <= limit:
        page = query if after is None else query.where(Entry.id > after)
        entries = list(session.scalars(page.limit(size)))
        fresh = status_readers(session, [entry.id for entry in entries])
        for entry in entries:
            if status is None or _has(fresh[entry.id], asked, status):
                found.append(entry)
                readers[entry.id] = fresh[entry.id]
        if len(entries) < size:
            break
        after = entries[-1].id
    found = found[: limit + 1]
    return _summaries(session, types, found, readers)


def _check(
    types: ContentTypes,
    tags: dict[str, str | None],
    type_id: str | None,
    language: str | None,
    status: str | None,
) -> None:
    if type_id is not None and types.find_type(type_id) is None:
        raise Refused(f"type: expected one of {', '.join(types.types)}, got {type_id[:40]!r}.")
    if language is not None and language not in tags:
        raise Refused(f"language: expected one of {', '.join(tags)}, got {language[:40]!r}.")
    if status is not None and status not in STATES:
        raise Refused(f"status: expected one of {', '.join(STATES)}, got {status[:40]!r}.")


def _has(reader: StatusReader, languages: Sequence[str], status: str) -> bool:
    return any(status in reader.statuses(tag).values() for tag in languages)


def _summaries(
    session: Session,
    types: ContentTypes,
    entries: Sequence[Entry],
    readers: dict[str, StatusReader],
) -> list[EntrySummary]:
    ids = [entry.id for entry in entries]
    pointers = approvals(session, ids)
    bodies: dict[str, Any] = dict(
        session.execute(
            select(Entry.id, Revision.body)
            .join(Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev))
            .where(Entry.id.in_(ids))
        ).all()
    )
    return [
        EntrySummary(
            id=entry.id,
            type=entry.type,
            head_rev=entry.head_rev,
            title=entry_title(types, entry.type, bodies[entry.id]),
            updated_at=entry.updated_at,
            approved={scope: row.rev for scope, row in pointers[entry.id].items()},
            translations={
                tag: summary(statuses.values())
                for tag in readers[entry.id].sources
                if (statuses := readers[entry.id].statuses(tag))
            },
        )
        for entry in entries
    ]


def entry_title(types: ContentTypes, type_id: str, body: dict[str, Any]) -> dict[str, str]:
    """What names an entry in each language, as plain text; empty where nothing does."""
    kind = types.find_type(type_id)
    field = kind.title_field if kind else None
    if field is None:
        return {}
    values = body.get("fields", {}).get(field.id, {})
    plain = {tag: value for tag, value in values.items() if isinstance(value, str) and value}
    if field.kind == "inline":
        return {tag: to_text(inline_nodes(value)) for tag, value in plain.items()}
    return plain
