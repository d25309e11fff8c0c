"""What waits for a person: read for the desk, in a handful of queries whatever there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from content_api.accounts.models import User
from content_api.accounts.rules import SHARED, Actor, allowed_scopes, allows, visible_types
from content_api.content.claims import sources
from content_api.content.models import (
    Approval,
    Comment,
    Entry,
    EntryStatus,
    ReviewRequest,
    Revision,
    WorkingCopy,
)
from content_api.content.reviews import sent_back_to, waiting_reviews
from content_api.packages.models import Package, Release
from content_api.packages.source import listed_assets, listed_entries

FEW = 8
"""Rows of each kind that the desk shows; the rest is a link away."""

ENDS_WITHIN = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Row:
    """An entry on the desk: why it is there and when it came."""

    entry_id: str
    type: str
    title: str
    language: str | None
    at: datetime | None = None
    scope: str = ""
    words: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class ToTranslate:
    """How many entries have texts to translate into a language."""

    tag: str
    missing: int
    outdated: int
    machine: int


@dataclass(frozen=True, slots=True)
class Ending:
    """An asset whose rights end soon, or have ended."""

    row: Row
    day: date
    is_over: bool


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A package with something approved or changed since it was last published."""

    slug: str
    title: dict[str, str]
    entries: int
    is_changed: bool
    is_new: bool


def unsaved_work(session: Session, actor: Actor, prefer: Iterable[str]) -> list[Row]:
    """Entries on which the person has typed and not saved, newest first."""
    rows = session.execute(
        select(Entry, WorkingCopy.updated_at)
        .join(WorkingCopy, WorkingCopy.entry_id == Entry.id)
        .where(WorkingCopy.actor_id == actor.id)
        .order_by(WorkingCopy.updated_at.desc())
        .limit(FEW)
    ).all()
    names = _titles(session, [entry.id for entry, _at in rows], prefer)
    return [_row(entry, names, at=at) for entry, at in rows]


def drafts(session: Session, actor: Actor, prefer: Iterable[str]) -> list[Row]:
    """Entries that the person saved last and whose newest revision nobody has approved at all."""
    head = aliased(Revision)
    approved = select(Approval.entry_id).where(
        Approval.entry_id == Entry.id, Approval.rev == Entry.head_rev
    )
    rows = session.scalars(
        select(Entry)
        .join(head, and_(head.entry_id == Entry.id, head.rev == Entry.head_rev))
        .where(head.author == actor.id, ~approved.exists())
        .order_by(Entry.updated_at.desc())
        .limit(FEW)
    ).all()
    names = _titles(session, [entry.id for entry in rows], prefer)
    return [_row(entry, names, at=entry.updated_at) for entry in rows]


def to_translate(session: Session, actor: Actor) -> list[ToTranslate]:
    """For each language that the person writes and that is translated: what needs work."""
    targets = [tag for tag, source in sources(session).items() if source is not None]
    mine = allowed_scopes(actor, "entry.write", targets)
    if not mine:
        return []
    query = (
        select(
            EntryStatus.scope,
            *(
                func.count().filter(getattr(EntryStatus, state) > 0)
                for state in ("missing", "outdated", "machine")
            ),
        )
        .where(EntryStatus.scope.in_(sorted(mine)))
        .group_by(EntryStatus.scope)
    )
    visible = visible_types(actor, "entry.write")
    if visible is not None:
        query = query.join(Entry, Entry.id == EntryStatus.entry_id).where(
            Entry.type.in_(sorted(visible))
        )
    found = {scope: ToTranslate(scope, *counts) for scope, *counts in session.execute(query)}
    return [found[tag] for tag in targets if tag in found and any_work(found[tag])]


def any_work(one: ToTranslate) -> bool:
    """Whether there is something to do."""
    return bool(one.missing or one.outdated or one.machine)


def reviews(session: Session, actor: Actor, prefer: Iterable[str]) -> list[Row]:
    """Languages of entries that wait for a review this person may give."""
    return _waiting(session, waiting_reviews(session, actor, limit=30), prefer)


def sent_back(session: Session, actor: Actor, prefer: Iterable[str]) -> list[Row]:
    """What reviewers sent back to this person, with their reason."""
    return _waiting(session, sent_back_to(session, actor, limit=30), prefer)


def comments(session: Session, actor: Actor, prefer: Iterable[str]) -> list[Row]:
    """Open comments of others on entries that this person has saved."""
    written = select(Revision.entry_id).where(Revision.author == actor.id)
    rows = session.execute(
        select(Comment, Entry, User.display_name, User.name)
        .join(Entry, Entry.id == Comment.entry_id)
        .join(User, User.id == Comment.author, isouter=True)
        .where(
            Comment.resolved_at.is_(None),
            Comment.author != actor.id,
            Comment.entry_id.in_(written),
        )
        .order_by(Comment.id.desc())
        .limit(FEW)
    ).all()
    names = _titles(session, [entry.id for _c, entry, *_n in rows], prefer)
    return [
        _row(
            entry,
            names,
            at=comment.created_at,
            scope=comment.scope,
            words=comment.text,
            who=shown or name or "",
        )
        for comment, entry, shown, name in rows
    ]


def ending_rights(
    session: Session, actor: Actor, today: date, prefer: Iterable[str]
) -> list[Ending]:
    """Assets whose rights have ended or end soon, the first to end first."""
    if not allows(actor, "asset.write"):
        return []
    rows = session.execute(
        select(Entry, EntryStatus.expires_on)
        .join(EntryStatus, EntryStatus.entry_id == Entry.id)
        .where(
            EntryStatus.scope == SHARED,
            EntryStatus.expires_on <= (today + ENDS_WITHIN).isoformat(),
        )
        .order_by(EntryStatus.expires_on, Entry.id)
        .limit(FEW)
    ).all()
    names = _titles(session, [entry.id for entry, _day in rows], prefer)
    found = []
    for entry, day in rows:
        last = date.fromisoformat(day or "")
        found.append(Ending(_row(entry, names), last, last < today))
    return found


def unpublished(session: Session, actor: Actor) -> list[Unpublished]:
    """Packages of which something was approved or changed since their live release."""
    if not allows(actor, "package.write") and not allows(actor, "release.create"):
        return []
    rows = session.execute(
        select(Release.package, Release.published_at).where(
            Release.channel == "live", Release.state == "live"
        )
    )
    # The hour in a manifest has no fraction: what was done within that second is in it.
    live = {slug: at + timedelta(seconds=1) for slug, at in rows if at is not None}
    packages = list(session.scalars(select(Package).order_by(Package.slug)))
    moved: dict[str, datetime] = {}
    if live:
        moved = dict(
            session.execute(
                select(Approval.entry_id, func.max(Approval.approved_at))
                .where(Approval.approved_at > min(live.values()))
                .group_by(Approval.entry_id)
            ).all()
        )
    found = []
    for package in packages:
        since = live.get(package.slug)
        named = {*listed_entries(package.body), *listed_assets(package.body)}
        newer = [one for one in named & moved.keys() if since and _aware(moved[one], since) > since]
        changed = since is not None and package.updated_at > since
        if since is None or newer or changed:
            title: dict[str, Any] = package.body.get("title", {})
            found.append(Unpublished(package.slug, title, len(newer), changed, since is None))
    return found


def _aware(moment: datetime, like: datetime) -> datetime:
    # An aggregate of SQLite forgets that its column has a zone.
    return moment if moment.tzinfo else moment.replace(tzinfo=like.tzinfo)


def _waiting(session: Session, found: Iterable[Any], prefer: Iterable[str]) -> list[Row]:
    rows = list(found)
    names = _titles(session, [one.entry.id for one in rows], prefer)
    people = {one.request.decided_by or one.request.requested_by for one in rows}
    who = dict(
        session.execute(select(User.id, User.display_name).where(User.id.in_(sorted(people)))).all()
    )
    return [
        _row(
            one.entry,
            names,
            at=one.request.decided_at or one.request.requested_at,
            scope=one.request.scope,
            words=_note(one.request),
            who=who.get(one.request.decided_by or one.request.requested_by, ""),
        )
        for one in rows
    ]


def _note(request: ReviewRequest) -> str:
    return request.note or ""


def _row(entry: Entry, names: dict[str, tuple[str, str | None]], **more: Any) -> Row:
    title, language = names.get(entry.id, (entry.id, None))
    return Row(entry.id, entry.type, title, language, **more)


def _titles(
    session: Session, ids: Iterable[str], prefer: Iterable[str]
) -> dict[str, tuple[str, str | None]]:
    """What names each entry, and in which language: the first of `prefer` that has a name."""
    rows = session.execute(
        select(EntryStatus.entry_id, EntryStatus.scope, EntryStatus.title).where(
            EntryStatus.entry_id.in_(list(dict.fromkeys(ids))), EntryStatus.title.is_not(None)
        )
    )
    held: dict[str, dict[str, str]] = {}
    for entry_id, scope, name in rows:
        if name:
            held.setdefault(entry_id, {})[scope] = name
    order = list(prefer)
    found: dict[str, tuple[str, str | None]] = {}
    for entry_id, by_scope in held.items():
        best = next((tag for tag in order if tag in by_scope), next(iter(by_scope)))
        found[entry_id] = (by_scope[best], None if best == SHARED else best)
    return found
