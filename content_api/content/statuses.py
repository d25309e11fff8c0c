"""The rows that lists are read from: counts of translation status, titles, days rights end.

One row of `entry_status` for each entry and scope. Whoever changes an entry's texts, claims
or revisions calls `note_revision` or `update_statuses`; a language with another source counts
every entry again. Everything here can be rebuilt from revisions, units and claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from content_api.content.claims import sources, status_readers
from content_api.content.document import SHARED
from content_api.content.models import Entry, EntryStatus, Revision
from content_api.content.richtext import inline_nodes, to_text
from content_api.content.search import fold
from content_api.content.translation import STATES, summary
from content_api.content.types import ContentTypes

BATCH = 500

MAX_SORT_TITLE = 80


def entry_title(types: ContentTypes, type_id: str, body: Mapping[str, Any]) -> dict[str, str]:
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


def sort_title(title: str | None) -> str | None:
    """A title as lists sort it: without case, accents and signs before the first letter."""
    if not title:
        return None
    folded = " ".join(fold(title).split())
    start = next((at for at, letter in enumerate(folded) if letter.isalnum()), 0)
    return folded[start : start + MAX_SORT_TITLE] or None


def note_revision(session: Session, types: ContentTypes, revision: Revision, type_id: str) -> None:
    """Take over what a new head says; its texts are counted by `update_statuses`."""
    touched = {scope: revision.rev for _path, scope in revision.touched}
    held = _held(session, [revision.entry_id])
    _describe(session, types, revision.entry_id, type_id, revision.body, touched, held)
    session.flush()


def update_statuses(session: Session, ids: Iterable[str] | None = None) -> None:
    """Count again how the texts of the entries `ids`, or of all, stand in each language."""
    wanted = _all_ids(session) if ids is None else list(ids)
    for part in _parts(wanted):
        held = _held(session, part)
        tags = list(sources(session))
        for entry_id, reader in status_readers(session, part).items():
            counts = {tag: summary(reader.statuses(tag).values()) for tag in tags}
            for scope in {tag for tag, found in counts.items() if found} | {
                scope for owner, scope in held if owner == entry_id
            }:
                row = _row(session, held, entry_id, scope)
                for state in STATES:
                    value = counts.get(scope, {}).get(state, 0)
                    if getattr(row, state) != value:
                        setattr(row, state, value)
        session.flush()


def rebuild_statuses(
    session: Session, types: ContentTypes, ids: Iterable[str] | None = None
) -> int:
    """Make the rows of the entries `ids`, or of all, anew; how many entries."""
    wanted = _all_ids(session) if ids is None else list(ids)
    for part in _parts(wanted):
        held = _held(session, part)
        for row in held.values():
            row.last_rev, row.title, row.sort_title, row.expires_on = 0, None, None, None
        touched: dict[str, dict[str, int]] = {entry_id: {} for entry_id in part}
        rows = session.execute(
            select(Revision.entry_id, Revision.rev, Revision.touched)
            .where(Revision.entry_id.in_(part))
            .order_by(Revision.rev)
        )
        for entry_id, rev, pairs in rows:
            touched[entry_id].update({scope: rev for _path, scope in pairs})
        heads = session.execute(
            select(Entry.id, Entry.type, Revision.body)
            .join(Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev))
            .where(Entry.id.in_(part))
        )
        for entry_id, type_id, body in heads:
            _describe(session, types, entry_id, type_id, body, touched[entry_id], held)
        session.flush()
        update_statuses(session, part)
    return len(wanted)


def ensure_statuses(session: Session, types: ContentTypes) -> int:
    """Make the rows of entries that have none, as after an upgrade; how many entries."""
    lacking = list(
        session.scalars(
            select(Entry.id)
            .where(~exists().where(EntryStatus.entry_id == Entry.id))
            .order_by(Entry.id)
        )
    )
    return rebuild_statuses(session, types, lacking) if lacking else 0


def _describe(
    session: Session,
    types: ContentTypes,
    entry_id: str,
    type_id: str,
    body: Mapping[str, Any],
    touched: Mapping[str, int],
    held: dict[tuple[str, str], EntryStatus],
) -> None:
    titles = entry_title(types, type_id, body)
    scopes = {*titles, *touched, *(scope for owner, scope in held if owner == entry_id)}
    for scope in sorted(scopes):
        row = _row(session, held, entry_id, scope)
        row.title = titles.get(scope)
        row.sort_title = sort_title(row.title)
        row.last_rev = touched.get(scope, row.last_rev)
        if scope == SHARED:
            row.expires_on = _expires(types, type_id, body)


def _expires(types: ContentTypes, type_id: str, body: Mapping[str, Any]) -> str | None:
    """The first day on which rights of an entry end."""
    kind = types.find_type(type_id)
    fields = body.get("fields", {})
    days = [
        value["expires"]
        for field in (kind.fields if kind else ())
        if field.kind == "rights"
        and isinstance(value := fields.get(field.id, {}).get(SHARED), dict)
        and value.get("expires")
    ]
    return min(days, default=None)


def _held(session: Session, ids: list[str]) -> dict[tuple[str, str], EntryStatus]:
    rows = session.scalars(select(EntryStatus).where(EntryStatus.entry_id.in_(ids)))
    return {(row.entry_id, row.scope): row for row in rows}


def _row(
    session: Session, held: dict[tuple[str, str], EntryStatus], entry_id: str, scope: str
) -> EntryStatus:
    row = held.get((entry_id, scope))
    if row is None:
        row = held[entry_id, scope] = EntryStatus(
            entry_id=entry_id, scope=scope, last_rev=0, **dict.fromkeys(STATES, 0)
        )
        session.add(row)
    return row


def _all_ids(session: Session) -> list[str]:
    return list(session.scalars(select(Entry.id).order_by(Entry.id)))


def _parts(ids: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]
