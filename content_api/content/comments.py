"""Comments: what somebody says about one field of an entry in one scope, until it is resolved."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.audit import record
from content_api.accounts.models import User
from content_api.accounts.rules import Actor, allows
from content_api.content.document import SHARED, field_at, flatten
from content_api.content.models import Comment, Entry
from content_api.content.service import get_entry, get_revision, type_of
from content_api.content.types import ContentTypes, content_types
from content_api.content.values import ValueRefused, clean_text
from content_api.database import utc_now
from content_api.languages.service import languages
from content_api.problems import NotFound, Refused

MAX_COMMENT = 4_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Said:
    """A comment and the name of who made it."""

    comment: Comment
    author: str


def add_comment(
    session: Session,
    actor: Actor,
    entry_id: str,
    path: str,
    scope: str,
    text: str,
    *,
    types: ContentTypes | None = None,
) -> Comment:
    """Say something about a field, as the entry stands now.

    Raises:
        NotFound: no such entry.
        Refused: no text, or too much of it; the entry has no such field or language.
        Forbidden: the actor may neither write nor approve this scope.
    """
    entry = get_entry(session, actor, entry_id)
    _check_right(actor, entry, scope)
    _check_place(session, types or content_types(), entry, path, scope)
    try:
        cleaned = clean_text(text)
    except ValueRefused as error:
        raise Refused(f"text: {error}.") from error
    if not cleaned or len(cleaned) > MAX_COMMENT:
        raise Refused(f"text: expected 1 to {MAX_COMMENT} characters, got {len(cleaned)}.")
    comment = Comment(
        entry_id=entry_id,
        path=path,
        scope=scope,
        rev=entry.head_rev,
        text=cleaned,
        author=actor.id,
    )
    session.add(comment)
    session.flush()
    details = {"path": comment.path, "scope": comment.scope, "comment": comment.id}
    record(session, actor, "comment.create", f"entry/{entry_id}", details=details)
    return comment


def resolve_comment(session: Session, actor: Actor, entry_id: str, comment_id: int) -> Comment:
    """Say that a comment is dealt with; it stays in the record.

    Raises:
        NotFound: no such comment of this entry.
        Forbidden: the actor may neither write nor approve its scope.
    """
    entry = get_entry(session, actor, entry_id)
    comment = session.get(Comment, comment_id)
    if comment is None or comment.entry_id != entry_id:
        raise NotFound(f"{entry_id} has no comment {comment_id}.")
    _check_right(actor, entry, comment.scope)
    if comment.resolved_at is None:
        comment.resolved_at, comment.resolved_by = utc_now(), actor.id
        session.flush()
        details = {"comment": comment.id}
        record(session, actor, "comment.resolve", f"entry/{entry_id}", details=details)
    return comment


def list_comments(
    session: Session, actor: Actor, entry_id: str, *, resolved: bool = False
) -> list[Said]:
    """The comments on an entry, oldest first: those that are open, or (`resolved`) all.

    Raises:
        NotFound: no such entry.
        Forbidden: of a type the actor may not read.
    """
    get_entry(session, actor, entry_id)
    query = (
        select(Comment, User.display_name, User.name)
        .join(User, User.id == Comment.author, isouter=True)
        .where(Comment.entry_id == entry_id)
        .order_by(Comment.id)
        .limit(500)
    )
    if not resolved:
        query = query.where(Comment.resolved_at.is_(None))
    return [
        Said(comment, shown or name or comment.author)
        for comment, shown, name in session.execute(query)
    ]


def _check_right(actor: Actor, entry: Entry, scope: str) -> None:
    if not allows(actor, "entry.approve", entry_type=entry.type, scopes=[scope]):
        authorise(actor, "entry.write", entry_type=entry.type, scopes=[scope])


def _check_place(
    session: Session, types: ContentTypes, entry: Entry, path: str, scope: str
) -> None:
    kind = type_of(types, entry)
    flat = flatten(get_revision(session, entry.id, entry.head_rev).body)
    is_field = kind.field(path) is not None or field_at(types, kind, flat, path) is not None
    if not is_field and (path, SHARED) not in flat:
        raise Refused(f"path: expected a field of {entry.id}, got {path[:80]!r}.")
    if scope != SHARED and scope not in languages(session):
        raise Refused(f"scope: expected * or a language of this server, got {scope[:40]!r}.")
