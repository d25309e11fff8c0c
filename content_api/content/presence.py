"""Who has an entry open, as their page last said. Nothing is locked by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from content_api.accounts.models import User
from content_api.accounts.rules import Actor
from content_api.content.models import Presence
from content_api.content.service import get_entry
from content_api.database import utc_now

FRESH = timedelta(seconds=75)
"""A page says every 30 seconds that it is open; who missed two of them has gone."""

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody else who has the entry open; `place` is a field's `path@scope`, or empty."""

    name: str
    place: str
    seen_at: datetime


def note_presence(session: Session, actor: Actor, entry_id: str, place: str = "") -> list[Visitor]:
    """Note that `actor` is at `place` of an entry; the others who are there, by name.

    Raises:
        NotFound: no such entry.
        Forbidden: of a type the actor may not read.
    """
    get_entry(session, actor, entry_id)
    now = utc_now()
    row = session.get(Presence, (entry_id, actor.id))
    if row is None:
        row = Presence(entry_id=entry_id, actor_id=actor.id)
        try:
            with session.begin_nested():
                session.add(row)
                session.flush()
        except IntegrityError:
            # The same person's other window said so at the same moment.
            row = session.get_one(Presence, (entry_id, actor.id))
    row.place = place[:200]
    row.seen_at = now
    session.execute(delete(Presence).where(Presence.seen_at < now - timedelta(days=1)))
    session.flush()
    return others_present(session, actor, entry_id, now)


def others_present(
    session: Session, actor: Actor, entry_id: str, now: datetime | None = None
) -> list[Visitor]:
    """Who else has the entry open."""
    since = (now or utc_now()) - FRESH
    rows = session.execute(
        select(User.display_name, User.name, Presence.place, Presence.seen_at)
        .join(User, User.id == Presence.actor_id)
        .where(
            Presence.entry_id == entry_id,
            Presence.actor_id != actor.id,
            Presence.seen_at >= since,
        )
        .order_by(User.name)
        .limit(MOST_SHOWN)
    )
    return [Visitor(shown or name, place, seen) for shown, name, place, seen in rows]


def leave(session: Session, actor: Actor, entry_id: str) -> None:
    """Note that `actor` has closed the entry."""
    session.execute(
        delete(Presence).where(Presence.entry_id == entry_id, Presence.actor_id == actor.id)
    )
