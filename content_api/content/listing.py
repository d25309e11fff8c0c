"""Lists of entries: filtered by type, language, translation status and words; in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.rules import Actor, visible_types
from content_api.content.approvals import approvals
from content_api.content.claims import sources
from content_api.content.document import SHARED
from content_api.content.models import (
    Approval,
    Entry,
    EntryStatus,
    Revision,
    SearchText,
    Unit,
)
from content_api.content.richtext import inline_nodes, to_text
from content_api.content.search import matching_rows, question_phrases
from content_api.content.translation import STATES
from content_api.content.types import ContentTypes, content_types
from content_api.packages.models import Package
from content_api.packages.source import listed_assets, listed_entries
from content_api.problems import Refused

ORDERS = ("id", "newest")
"""By id, or what was changed last first."""

APPROVAL_STATES = ("none", "older", "current")
"""Of a language: never approved, an older revision approved, the newest one approved."""

Place = tuple[str, ...]
"""Where the page before ended: an id, or for `newest` a time in ISO 8601 and an id."""


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
    approval: str | None = None,
    package: str | None = None,
    changed_by: str | None = None,
    q: str | None = None,
    order: str = "id",
    after: Place | None = None,
    limit: int = 50,
    types: ContentTypes | None = None,
) -> list[EntrySummary]:
    """The entries that `actor` may read: at most `limit` + 1, from beyond `after`.

    `language` keeps entries that say something in it, or with `status` those that have a
    text of that translation status in it, or with `approval` those whose approval in it is
    as asked. Without `language`, `status` means any language and `approval` what all
    languages share. `package` keeps what a package lists, `changed_by` what a person saved.

    Raises:
        Refused: an unknown type, language, status, approval, package or order.
    """
    types = types or content_types()
    authorise(actor, "entry.read", entry_type=type_id)
    query = filtered_entries(
        session,
        actor,
        select(Entry),
        type_id=type_id,
        language=language,
        status=status,
        approval=approval,
        package=package,
        changed_by=changed_by,
        q=q,
        types=types,
    )
    if query is None:
        return []
    if order not in ORDERS:
        raise Refused(f"order: expected one of {', '.join(ORDERS)}, got {order[:40]!r}.")
    if order == "newest":
        query = query.order_by(Entry.updated_at.desc(), Entry.id.desc())
        if after is not None:
            moment = datetime.fromisoformat(after[0])
            query = query.where(
                (Entry.updated_at < moment) | ((Entry.updated_at == moment) & (Entry.id < after[1]))
            )
    else:
        query = query.order_by(Entry.id)
        if after is not None:
            query = query.where(Entry.id > after[0])
    return _summaries(session, types, list(session.scalars(query.limit(limit + 1))))


def place_of(entry: EntrySummary, order: str) -> Place:
    """Where a page that ends with `entry` ends, for the next one's `after`."""
    return (entry.updated_at.isoformat(), entry.id) if order == "newest" else (entry.id,)


def status_totals(
    session: Session, actor: Actor, **filters: Any
) -> dict[str, dict[str, tuple[int, int]]]:
    """For each language and status: how many entries have it, and how many texts."""
    query = filtered_entries(session, actor, select(Entry.id), **filters)
    if query is None:
        return {}
    columns: list[Any] = []
    for state in STATES:
        column = getattr(EntryStatus, state)
        columns += [func.sum(case((column > 0, 1), else_=0)), func.sum(column)]
    rows = session.execute(
        select(EntryStatus.scope, *columns)
        .where(EntryStatus.entry_id.in_(query))
        .group_by(EntryStatus.scope)
    )
    return {
        scope: {
            state: (int(counts[2 * i] or 0), int(counts[2 * i + 1] or 0))
            for i, state in enumerate(STATES)
        }
        for scope, *counts in rows
    }


def filtered_entries(
    session: Session,
    actor: Actor,
    query: Select[Any],
    *,
    type_id: str | None = None,
    language: str | None = None,
    status: str | None = None,
    approval: str | None = None,
    package: str | None = None,
    changed_by: str | None = None,
    q: str | None = None,
    types: ContentTypes | None = None,
) -> Select[Any] | None:
    """`query` on entries, narrowed as `list_entries` says; None when nothing can be found."""
    types = types or content_types()
    _check(types, sources(session), type_id, language, status)
    visible = visible_types(actor)
    if visible is not None:
        query = query.where(Entry.type.in_(sorted(visible)))
    if type_id is not None:
        query = query.where(Entry.type == type_id)
    if status is not None:
        counted = select(EntryStatus.entry_id).where(getattr(EntryStatus, status) > 0)
        if language is not None:
            counted = counted.where(EntryStatus.scope == language)
        query = query.where(Entry.id.in_(counted))
    elif language is not None and approval is None:
        query = query.where(Entry.id.in_(select(Unit.entry_id).where(Unit.scope == language)))
    if approval is not None:
        query = _with_approval(query, language, approval)
    if package is not None:
        held = session.get(Package, package)
        if held is None:
            raise Refused(f"package: expected a package, got {package[:64]!r}.")
        query = query.where(Entry.id.in_([*listed_entries(held.body), *listed_assets(held.body)]))
    if changed_by is not None:
        saved = select(Revision.entry_id).where(Revision.author == changed_by)
        query = query.where(Entry.id.in_(saved))
    if q is not None:
        phrases = question_phrases(q)
        if not phrases:
            return None
        rows = matching_rows(session.get_bind().dialect.name, phrases)
        query = query.where(
            Entry.id.in_(select(SearchText.entry_id).where(SearchText.id.in_(rows)))
        )
    return query


def _with_approval(query: Select[Any], language: str | None, approval: str) -> Select[Any]:
    if approval not in APPROVAL_STATES:
        raise Refused(
            f"approval: expected one of {', '.join(APPROVAL_STATES)}, got {approval[:40]!r}."
        )
    scope = language or SHARED
    pointer = select(Approval.rev).where(Approval.entry_id == Entry.id, Approval.scope == scope)
    if approval == "none":
        if language is not None:
            query = query.where(Entry.id.in_(select(Unit.entry_id).where(Unit.scope == language)))
        return query.where(~pointer.exists())
    newest = pointer.scalar_subquery()
    return query.where(
        newest == Entry.head_rev if approval == "current" else newest < Entry.head_rev
    )


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


def _summaries(
    session: Session, types: ContentTypes, entries: Sequence[Entry]
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
    counts: dict[str, dict[str, dict[str, int]]] = {entry_id: {} for entry_id in ids}
    rows = session.scalars(select(EntryStatus).where(EntryStatus.entry_id.in_(ids)))
    for row in rows:
        found = {state: getattr(row, state) for state in STATES}
        counts[row.entry_id][row.scope] = {state: n for state, n in found.items() if n}
    order = list(sources(session))
    return [
        EntrySummary(
            id=entry.id,
            type=entry.type,
            head_rev=entry.head_rev,
            title=entry_title(types, entry.type, bodies[entry.id]),
            updated_at=entry.updated_at,
            approved={scope: row.rev for scope, row in pointers[entry.id].items()},
            translations={tag: counts[entry.id][tag] for tag in order if tag in counts[entry.id]},
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
