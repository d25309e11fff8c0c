"""Saving from a page: what a refusal must tell so that nobody loses what they typed."""

from __future__ import annotations

from sqlalchemy.orm import Session

from content_api.accounts.models import User
from content_api.content.models import Revision
from content_api.content.service import EditConflict, find_entry, get_revision
from content_api.content.translation import difference


def explain_conflict(session: Session, entry_id: str, error: EditConflict) -> None:
    """Add to a conflict who saved last and when, and what they changed, text by text."""
    entry = find_entry(session, entry_id)
    if entry is None:
        return
    head = get_revision(session, entry_id, entry.head_rev)
    error.details["rev"] = head.rev
    error.details["by"] = name_of(session, head)
    error.details["at"] = head.created_at.isoformat()
    for clash in error.details.get("conflicts", ()):
        before, after = clash.get("base"), clash.get("theirs")
        if isinstance(before, str) and isinstance(after, str):
            clash["changes"] = [
                {"op": part.op, "text": part.text} for part in difference(before, after)
            ]


def name_of(session: Session, revision: Revision) -> str:
    """Who made a revision, by the name people know them by."""
    user = session.get(User, revision.author)
    return (user.display_name or user.name) if user is not None else revision.author
