"""Lists of entries: filtered by type, language, translation status and words; in pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

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
from content_api.content.search import matching_rows, question_phrases
from content_api.content.statuses import entry_title
from content_api.content.translation import STATES
from content_api.content.types import ContentTypes, content_types
from content_api.packages.models import Package
from content_api.packages.source import listed_assets, listed_entries
from content_api.problems import Refused

__all__ = [
    "APPROVAL_STATES",
    "NEED_WORK",
    "ORDERS",
    "EntrySummary",
    "Place",
    "count_entries",
    "entry_title",
    "filtered_entries",
    "list_entries",
    "place_of",
    "status_totals",
]

ORDERS = ("id", "newest", "title")
"""By id, what was changed last first, or by title."""

APPROVAL_STATES = ("none", "older", "current")
"""Of a scope: not approved; changed since its approval; approved as it stands."""

NEED_WORK = ("missing", "outdated", "machine")
"""Translation states that somebody still has to do something about."""

Place = tuple[str, ...]
"""Where the page before ended: an id; before it a time in ISO 8601, or a folded title."""


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
    changed: dict[str, int]
    """The last revision that changed each scope."""
    updated_by: str
    sort_title: str = ""
    """What an order by title sorted the entry by."""

    def approval(self, scope: str) -> str:
        """How the entry is approved in a scope: one of `APPROVAL_STATES`."""
        rev = self.approved.get(scope)
        if rev is None:
            return "none"
        return "older" if self.changed.get(scope, 0) > rev else "current"


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
    ids: Collection[str] | None = None,
    q: str | None = None,
    order: str = "id",
    titled_in: str | None = None,
    after: Place | None = None,
    limit: int = 50,
    types: ContentTypes | None = None,
) -> list[EntrySummary]:
    """The entries that `actor` may read: at most `limit` + 1, from beyond `after`.

    `language` keeps entries that say something in it, or with `status` those that have a
    text of that translation status in it, or with `approval` those whose approval in it is
    as asked. Without `language`, `status` means any language and `approval` what all
    languages share. `package` keeps what a package lists, `changed_by` what a person saved.
    An order by title takes the title in `titled_in`, else in the first original language.

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
        ids=ids,
        q=q,
        types=types,
    )
    if query is None:
        return []
    if order not in ORDERS:
        raise Refused(f"order: expected one of {', '.join(ORDERS)}, got {order[:40]!r}.")
    keys: dict[str, str] = {}
    if order == "newest":
        query = query.order_by(Entry.updated_at.desc(), Entry.id.desc())
        if after is not None:
            moment = datetime.fromisoformat(after[0])
            query = query.where(
                (Entry.updated_at < moment) | ((Entry.updated_at == moment) & (Entry.id < after[1]))
            )
    elif order == "title":
        query, key = _by_title(session, query, titled_in)
        query = query.add_columns(key).order_by(key, Entry.id)
        if after is not None:
            query = query.where(or_(key > after[0], and_(key == after[0], Entry.id > after[1])))
        pairs = session.execute(query.limit(limit + 1)).all()
        keys = {entry.id: sorted_by for entry, sorted_by in pairs}
        return _summaries(session, [entry for entry, _key in pairs], keys)
    else:
        query = query.order_by(Entry.id)
        if after is not None:
            query = query.where(Entry.id > after[0])
    return _summaries(session, list(session.scalars(query.limit(limit + 1))), keys)


def count_entries(session: Session, actor: Actor, **filters: Any) -> int:
    """How many entries `list_entries` finds in all."""
    query = filtered_entries(session, actor, select(func.count()).select_from(Entry), **filters)
    return 0 if query is None else int(session.scalar(query) or 0)


def place_of(entry: EntrySummary, order: str) -> Place:
    """Where a page that ends with `entry` ends, for the next one's `after`."""
    if order == "newest":
        return (entry.updated_at.isoformat(), entry.id)
    return (entry.sort_title, entry.id) if order == "title" else (entry.id,)


def status_totals(session: Session, actor: Actor, **filters: Any) -> dict[str, dict[str, int]]:
    """For each language and status that needs work: how many entries have it."""
    query = filtered_entries(session, actor, select(Entry.id), **filters)
    if query is None:
        return {}
    counts = [func.count().filter(getattr(EntryStatus, state) > 0) for state in NEED_WORK]
    totals = select(EntryStatus.scope, *counts).group_by(EntryStatus.scope)
    if query.whereclause is not None:
        totals = totals.where(EntryStatus.entry_id.in_(query))
    return {
        scope: dict(zip(NEED_WORK, found, strict=True)) for scope, *found in session.execute(totals)
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
    ids: Collection[str] | None = None,
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
    if ids is not None:
        query = query.where(Entry.id.in_(list(ids)))
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
    says = exists().where(
        EntryStatus.entry_id == Entry.id, EntryStatus.scope == scope, EntryStatus.last_rev > 0
    )
    pointer = exists().where(Approval.entry_id == Entry.id, Approval.scope == scope)
    if approval == "none":
        return query.where(says, ~pointer)
    later = (
        select(EntryStatus.entry_id)
        .join(
            Approval,
            and_(Approval.entry_id == EntryStatus.entry_id, Approval.scope == EntryStatus.scope),
        )
        .where(EntryStatus.scope == scope, EntryStatus.last_rev > Approval.rev)
    )
    if approval == "older":
        return query.where(Entry.id.in_(later))
    return query.where(pointer, Entry.id.not_in(later))


def _by_title(session: Session, query: Select[Any], tag: str | None) -> tuple[Select[Any], Any]:
    original = next((t for t, source in sources(session).items() if source is None), None)
    keys: list[Any] = []
    for wanted in dict.fromkeys(t for t in (tag, original) if t is not None):
        row = aliased(EntryStatus)
        query = query.outerjoin(row, and_(row.entry_id == Entry.id, row.scope == wanted))
        keys.append(row.sort_title)
    return query, func.coalesce(*keys, Entry.id) if keys else Entry.id


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
    session: Session, entries: Sequence[Entry], keys: dict[str, str]
) -> list[EntrySummary]:
    ids = [entry.id for entry in entries]
    pointers = approvals(session, ids)
    authors: dict[str, str] = dict(
        session.execute(
            select(Entry.id, Revision.author)
            .join(Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev))
            .where(Entry.id.in_(ids))
        ).all()
    )
    held: dict[str, dict[str, EntryStatus]] = {entry_id: {} for entry_id in ids}
    for row in session.scalars(select(EntryStatus).where(EntryStatus.entry_id.in_(ids))):
        held[row.entry_id][row.scope] = row
    order = list(sources(session))
    found = []
    for entry in entries:
        rows = held[entry.id]
        counts = {tag: _counts(rows[tag]) for tag in order if tag in rows}
        found.append(
            EntrySummary(
                id=entry.id,
                type=entry.type,
                head_rev=entry.head_rev,
                title={tag: row.title for tag, row in rows.items() if row.title},
                updated_at=entry.updated_at,
                approved={scope: row.rev for scope, row in pointers[entry.id].items()},
                translations={tag: count for tag, count in counts.items() if count},
                changed={scope: row.last_rev for scope, row in rows.items()},
                updated_by=authors[entry.id],
                sort_title=keys.get(entry.id, ""),
            )
        )
    return found


def _counts(row: EntryStatus) -> dict[str, int]:
    return {state: count for state in STATES if (count := getattr(row, state))}
