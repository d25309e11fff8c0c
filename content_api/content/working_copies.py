"""Working copies: what one person has typed and not saved. No history, no merging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.rules import Actor
from content_api.content.models import WorkingCopy
from content_api.content.service import get_entry, get_revision, lock_entry
from content_api.database import utc_now
from content_api.problems import NotFound


def put_working_copy(
    session: Session,
    actor: Actor,
    entry_id: str,
    base_rev: int,
    operations: Sequence[Mapping[str, Any]],
) -> WorkingCopy:
    """Keep `operations` as the actor's unsaved work on an entry, in place of what was kept.

    They are not checked: half a word is what a working copy is for.

    Raises:
        NotFound: no such entry or revision.
        Forbidden: the actor may not write entries of its type.
    """
    entry = lock_entry(session, entry_id)
    authorise(actor, "entry.write", entry_type=entry.type)
    get_revision(session, entry_id, base_rev)
    row = session.get(WorkingCopy, (entry_id, actor.id))
    if row is None:
        row = WorkingCopy(entry_id=entry_id, actor_id=actor.id)
        session.add(row)
    row.base_rev = base_rev
    row.operations = [dict(operation) for operation in operations]
    row.updated_at = utc_now()
    session.flush()
    return row


def get_working_copy(session: Session, actor: Actor, entry_id: str) -> WorkingCopy:
    """The actor's unsaved work on an entry.

    Raises:
        NotFound: no such entry, or nothing unsaved.
    """
    get_entry(session, actor, entry_id)
    row = session.get(WorkingCopy, (entry_id, actor.id))
    if row is None:
        raise NotFound(f"{actor.name} has no unsaved work on {entry_id}.")
    return row


def find_working_copy(session: Session, actor: Actor, entry_id: str) -> WorkingCopy | None:
    """The actor's unsaved work on an entry that they may read, or None."""
    return session.get(WorkingCopy, (entry_id, actor.id))


def drop_working_copy(session: Session, actor: Actor, entry_id: str) -> None:
    """Forget the actor's unsaved work on an entry.

    Raises:
        NotFound: no such entry, or nothing unsaved.
    """
    session.delete(get_working_copy(session, actor, entry_id))
    session.flush()
