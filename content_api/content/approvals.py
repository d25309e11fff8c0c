"""Approvals: for an entry and a scope, the revision that may be published."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.content.document import SHARED, Pair, flatten
from content_api.content.index import update_references
from content_api.content.models import Approval, ApprovalLog, Entry, ReviewRequest, Revision
from content_api.content.types import ContentTypes, content_types
from content_api.database import utc_now
from content_api.languages.models import Language
from content_api.problems import Conflict, NotFound, Refused


class FourEyes(Refused):
    """Who wrote a text may not be the one who approves it, on a server that asks for two."""

    code = "four-eyes"


def approve(
    session: Session,
    actor: Actor,
    entry_id: str,
    scope: str,
    rev: int,
    *,
    four_eyes: bool = False,
    types: ContentTypes | None = None,
) -> Approval:
    """Let revision `rev` of an entry be published in `scope`: a language, or `*`.

    A scope without any value may be approved: the entry is then shown in that language
    with what its fallback languages say.

    Raises:
        NotFound: no such entry or revision.
        Refused: `scope` is no language of this server.
        Forbidden: the actor may not approve this type in this scope.
        FourEyes: with `four_eyes`, the actor wrote some of it since its last approval.
    """
    found = approve_scopes(session, actor, entry_id, [scope], rev, four_eyes=four_eyes, types=types)
    return found[scope]


def approve_scopes(
    session: Session,
    actor: Actor,
    entry_id: str,
    scopes: Collection[str],
    rev: int,
    *,
    four_eyes: bool = False,
    types: ContentTypes | None = None,
) -> dict[str, Approval]:
    """`approve` for several scopes of one revision; the approvals by scope.

    Raises:
        As `approve`.
    """
    types = types or content_types()
    entry = _lock(session, entry_id)
    authorise(actor, "entry.approve", entry_type=entry.type, scopes=scopes)
    _check_scopes(session, scopes)
    _check_revision(session, entry, rev)
    held = approvals(session, [entry_id])[entry_id]
    if four_eyes:
        own = {scope for _path, scope in own_texts(session, actor, entry_id, rev)}
        mine = sorted(set(scopes) & own)
        if mine:
            raise FourEyes(
                f"You wrote some of {entry_id} in {', '.join(mine)} since it was last approved: "
                "somebody else has to approve it."
            )
    moves: dict[str, int | None] = {}
    for scope in scopes:
        row = held.get(scope)
        before = row.rev if row else None
        if before == rev:
            continue
        if row is None:
            row = held[scope] = Approval(entry_id=entry_id, scope=scope)
            session.add(row)
        row.rev = rev
        row.approved_by = actor.id
        row.approved_at = utc_now()
        moves[scope] = before
    if moves:
        _moved(session, actor, types, entry, moves, rev)
    _end_reviews(session, entry_id, scopes)
    return {scope: held[scope] for scope in scopes}


def own_texts(session: Session, actor: Actor, entry_id: str, rev: int) -> set[Pair]:
    """What `actor` wrote up to `rev` that nobody has approved since: [path, scope] pairs.

    An approval that was withdrawn, or moved back to an older revision, approves nothing.
    """
    entry = session.get_one(Entry, entry_id)
    moves = session.execute(
        select(ApprovalLog.scope, ApprovalLog.to_rev)
        # The log outlives an entry; another may have had this id before.
        .where(ApprovalLog.entry_id == entry_id, ApprovalLog.at >= entry.created_at)
        .order_by(ApprovalLog.id)
    )
    standing: dict[str, list[int]] = defaultdict(list)
    for scope, to_rev in moves:
        kept = [number for number in standing[scope] if to_rev and number < to_rev]
        standing[scope] = [*kept, to_rev] if to_rev else []
    since = {
        scope: max((number for number in numbers if number <= rev), default=0)
        for scope, numbers in standing.items()
    }
    rows = session.execute(
        select(Revision.rev, Revision.touched).where(
            Revision.entry_id == entry_id, Revision.rev <= rev, Revision.author == actor.id
        )
    )
    return {
        (path, scope)
        for number, touched in rows
        for path, scope in touched
        if number > since.get(scope, 0)
    }


def withdraw(
    session: Session,
    actor: Actor,
    entry_id: str,
    scope: str,
    *,
    types: ContentTypes | None = None,
) -> None:
    """Take an approval back: the next release leaves the scope out.

    Raises:
        NotFound: no such entry, or the scope is not approved.
        Forbidden: the actor may not approve this type in this scope.
    """
    types = types or content_types()
    entry = _lock(session, entry_id)
    authorise(actor, "entry.approve", entry_type=entry.type, scopes=(scope,))
    row = session.get(Approval, (entry_id, scope)) if len(scope) <= 35 else None
    if row is None:
        raise NotFound(f"{entry_id} is not approved in {scope[:40]!r}.")
    before = row.rev
    session.delete(row)
    _moved(session, actor, types, entry, {scope: before}, None)


def approvals(session: Session, ids: Iterable[str]) -> dict[str, dict[str, Approval]]:
    """The approvals of each entry of `ids`, by scope."""
    wanted = list(ids)
    found: dict[str, dict[str, Approval]] = {entry_id: {} for entry_id in wanted}
    for part in _parts(wanted):
        rows = session.scalars(
            select(Approval).where(Approval.entry_id.in_(part)).order_by(Approval.scope)
        )
        for row in rows:
            found[row.entry_id][row.scope] = row
    return found


def approval_log(session: Session, entry_id: str, limit: int = 200) -> list[ApprovalLog]:
    """The newest moves of an entry's approvals, newest first."""
    query = select(ApprovalLog).where(ApprovalLog.entry_id == entry_id)
    return list(session.scalars(query.order_by(ApprovalLog.id.desc()).limit(limit)))


def approved_documents(
    session: Session, ids: Iterable[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """For each entry of `ids` that has an approval: the approved document of each scope.

    Documents are shared between scopes approved at the same revision: read, never change.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for part in _parts(dict.fromkeys(ids)):
        pointers = session.execute(
            select(Approval.entry_id, Approval.scope, Approval.rev)
            .where(Approval.entry_id.in_(part))
            .order_by(Approval.entry_id, Approval.scope)
        ).all()
        bodies = {
            (entry_id, rev): body
            for entry_id, rev, body in session.execute(
                select(Revision.entry_id, Revision.rev, Revision.body).where(
                    Revision.id.in_(
                        select(Revision.id)
                        .join(
                            Approval,
                            (Approval.entry_id == Revision.entry_id)
                            & (Approval.rev == Revision.rev),
                        )
                        .where(Approval.entry_id.in_(part))
                    )
                )
            )
        }
        for entry_id, scope, rev in pointers:
            found.setdefault(entry_id, {})[scope] = bodies[entry_id, rev]
    return found


def _check_scopes(session: Session, scopes: Collection[str]) -> None:
    tags = list(session.scalars(select(Language.tag).order_by(Language.position, Language.tag)))
    for scope in scopes:
        if scope != SHARED and scope not in tags:
            message = f"expected * or one of {', '.join(tags)}, got {scope[:40]!r}"
            raise Refused(
                f"scope: {message}.",
                errors=[{"pointer": "/scope", "code": "invalid", "message": message}],
            )


def _moved(
    session: Session,
    actor: Actor,
    types: ContentTypes,
    entry: Entry,
    moves: Mapping[str, int | None],
    after: int | None,
) -> None:
    for scope, before in moves.items():
        session.add(
            ApprovalLog(entry_id=entry.id, scope=scope, from_rev=before, to_rev=after, by=actor.id)
        )
    session.flush()
    kind = types.find_type(entry.type)
    if kind is None:
        raise Conflict(f"{entry.id} is of the type {entry.type}, which this server does not have.")
    head = session.scalar(
        select(Revision.body).where(Revision.entry_id == entry.id, Revision.rev == entry.head_rev)
    )
    update_references(session, types, kind, entry.id, flatten(head or {}))
    record(
        session,
        actor,
        "entry.approve" if after else "entry.withdraw",
        f"entry/{entry.id}",
        revision=after or next(iter(moves.values())),
        details={"scopes": dict(moves), "rev": after},
    )


def _check_revision(session: Session, entry: Entry, rev: int) -> None:
    # Revisions are numbered from 1 without gaps, and none is ever removed.
    if not 1 <= rev <= entry.head_rev:
        raise NotFound(f"There is no revision {rev} of {entry.id}.")


def _end_reviews(session: Session, entry_id: str, scopes: Collection[str]) -> None:
    session.execute(
        delete(ReviewRequest).where(
            ReviewRequest.entry_id == entry_id, ReviewRequest.scope.in_(list(scopes))
        )
    )


def _lock(session: Session, entry_id: str) -> Entry:
    from content_api.content.service import lock_entry

    return lock_entry(session, entry_id)


def _parts(ids: Iterable[str], size: int = 500) -> Iterable[list[str]]:
    wanted = list(ids)
    for start in range(0, len(wanted), size):
        yield wanted[start : start + size]
