"""Reviews: a scope of an entry that waits for somebody who may approve it, or was sent back.

Approving the scope ends its review (`approvals.approve_scopes` does it). Saving
more does not: the reviewer then sees the newer text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.audit import record
from content_api.accounts.rules import Actor, allows
from content_api.content.document import SHARED
from content_api.content.models import Entry, ReviewRequest
from content_api.content.service import lock_entry
from content_api.content.values import ValueRefused, clean_text
from content_api.database import utc_now
from content_api.languages.service import languages
from content_api.problems import Conflict, Refused

NEXT_STATES: Mapping[str | None, frozenset[str]] = {
    None: frozenset({"waiting"}),
    "waiting": frozenset({"waiting", "sent_back"}),
    "sent_back": frozenset({"waiting"}),
}
"""Legal changes; None is a scope that nobody asked to review. Approving ends every state."""

MAX_NOTE = 1_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry's scope on a reviewer's desk."""

    request: ReviewRequest
    entry: Entry


def request_review(
    session: Session,
    actor: Actor,
    entry_id: str,
    scopes: Collection[str],
    note: str | None = None,
) -> list[ReviewRequest]:
    """Ask for a review of the newest revision in these scopes; asking again renews it.

    Raises:
        NotFound: no such entry.
        Refused: a scope is no language of this server, or the note is too long.
        Forbidden: the actor may not write one of the scopes.
    """
    entry = lock_entry(session, entry_id)
    authorise(actor, "entry.write", entry_type=entry.type, scopes=scopes)
    _check(session, scopes)
    note = _cleaned(note or "", "note") or None
    held = review_states(session, [entry_id]).get(entry_id, {})
    found = []
    for scope in scopes:
        row = held.get(scope)
        if row is None:
            row = ReviewRequest(entry_id=entry_id, scope=scope)
            session.add(row)
        _move(row, "waiting")
        row.rev, row.note = entry.head_rev, note
        row.requested_by, row.requested_at = actor.id, utc_now()
        row.decided_by = row.decided_at = None
        found.append(row)
    session.flush()
    record(
        session,
        actor,
        "review.request",
        f"entry/{entry_id}",
        revision=entry.head_rev,
        details={"scopes": sorted(scopes)},
    )
    return found


def send_back(
    session: Session, actor: Actor, entry_id: str, scope: str, reason: str
) -> ReviewRequest:
    """Send a waiting scope back to who wrote it, saying why.

    Raises:
        NotFound: no such entry.
        Conflict: the scope does not wait for a review.
        Refused: no reason is given.
        Forbidden: the actor may not approve the scope.
    """
    entry = lock_entry(session, entry_id)
    authorise(actor, "entry.approve", entry_type=entry.type, scopes=[scope])
    reason = _cleaned(reason, "reason")
    if not reason:
        raise Refused("reason: expected what has to change, in a sentence.")
    row = session.get(ReviewRequest, (entry_id, scope))
    if row is None or row.state != "waiting":
        raise Conflict(f"{entry_id} does not wait for a review in {scope[:40]}.")
    _move(row, "sent_back")
    row.note = reason
    row.decided_by, row.decided_at = actor.id, utc_now()
    session.flush()
    record(
        session,
        actor,
        "review.send_back",
        f"entry/{entry_id}",
        revision=entry.head_rev,
        details={"scope": scope},
    )
    return row


def review_states(session: Session, ids: Iterable[str]) -> dict[str, dict[str, ReviewRequest]]:
    """The reviews of each entry of `ids` that has any, by scope."""
    wanted = list(ids)
    found: dict[str, dict[str, ReviewRequest]] = {}
    for start in range(0, len(wanted), 500):
        rows = session.scalars(
            select(ReviewRequest).where(ReviewRequest.entry_id.in_(wanted[start : start + 500]))
        )
        for row in rows:
            found.setdefault(row.entry_id, {})[row.scope] = row
    return found


def waiting_reviews(session: Session, actor: Actor, *, limit: int = 200) -> list[Waiting]:
    """What waits for a review that `actor` may give, longest waiting first."""
    rows = session.execute(
        select(ReviewRequest, Entry)
        .join(Entry, Entry.id == ReviewRequest.entry_id)
        .where(ReviewRequest.state == "waiting")
        .order_by(ReviewRequest.requested_at, ReviewRequest.entry_id, ReviewRequest.scope)
    )
    found = (
        Waiting(request, entry)
        for request, entry in rows
        if allows(actor, "entry.approve", entry_type=entry.type, scopes=[request.scope])
    )
    return list(islice(found, limit))


def sent_back_to(session: Session, actor: Actor, *, limit: int = 50) -> list[Waiting]:
    """What was sent back to `actor`, newest first."""
    rows = session.execute(
        select(ReviewRequest, Entry)
        .join(Entry, Entry.id == ReviewRequest.entry_id)
        .where(ReviewRequest.state == "sent_back", ReviewRequest.requested_by == actor.id)
        .order_by(ReviewRequest.decided_at.desc())
        .limit(limit)
    )
    return [Waiting(request, entry) for request, entry in rows]


def _move(row: ReviewRequest, state: str) -> None:
    if state not in NEXT_STATES[row.state]:
        raise Conflict(f"A review cannot go from {row.state} to {state}.")
    row.state = state


def _cleaned(text: str, name: str) -> str:
    try:
        found = clean_text(text).strip()
    except ValueRefused as error:
        raise Refused(f"{name}: {error}.") from error
    if len(found) > MAX_NOTE:
        raise Refused(f"{name}: expected at most {MAX_NOTE} characters, got {len(found)}.")
    return found


def _check(session: Session, scopes: Collection[str]) -> None:
    known = {SHARED, *languages(session)}
    if not scopes:
        raise Refused("scopes: expected at least one language.")
    for scope in scopes:
        if scope not in known:
            raise Refused(f"scope: expected * or one of {', '.join(sorted(known))}, got {scope!r}.")
