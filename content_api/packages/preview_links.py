"""Links that show a preview to somebody without an account, for a while.

The secret stands in the address alone: the table has its hash. A link shows what was saved,
never anybody's unsaved work, and never more than its maker may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.audit import record
from content_api.accounts.rules import Actor, visible_types
from content_api.accounts.tokens import hash_token, new_token
from content_api.content.types import ContentTypes
from content_api.packages.models import PreviewLink
from content_api.packages.preview import ENTRY_PREFIX, PERSPECTIVES, Wanted, package_body
from content_api.problems import NotFound, Refused

LINK_PREFIX = "lmp_"
"""Begins every secret, so that a person and a secret scanner recognise one."""

LIVES = (1, 7, 30)
"""Days that a link may live."""

SHOWN_LINKS = 50


def create_link(
    session: Session,
    types: ContentTypes,
    actor: Actor,
    wanted: Wanted,
    *,
    days: int,
    profile: str,
    now: datetime,
) -> tuple[PreviewLink, str]:
    """A new link to `wanted`, and its secret, which nobody can learn again.

    Raises:
        NotFound: no such package or entry.
        Refused: a life or perspective there is not.
        Forbidden: the actor may not change packages.
    """
    authorise(actor, "package.write")
    if days not in LIVES:
        raise Refused(f"days: expected one of {', '.join(map(str, LIVES))}, got {days}.")
    if wanted.perspective not in PERSPECTIVES:
        raise Refused(f"perspective: expected one of {', '.join(PERSPECTIVES)}.")
    package_body(session, types, wanted.subject)
    secret = new_token(LINK_PREFIX)
    is_entry = wanted.subject.startswith(ENTRY_PREFIX)
    visible = visible_types(actor)
    link = PreviewLink(
        package=None if is_entry else wanted.subject,
        hash=hash_token(secret),
        options={
            "subject": wanted.subject,
            "perspective": wanted.perspective,
            "profile": profile,
            "day": wanted.day.isoformat() if wanted.day else None,
            "language": wanted.language,
            "types": None if visible is None else sorted(visible),
        },
        created_by=actor.id,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(link)
    session.flush()
    record(
        session,
        actor,
        "preview.share",
        f"preview/{link.id}",
        details={"subject": wanted.subject, "perspective": wanted.perspective, "days": days},
    )
    return link, secret


def list_links(session: Session, subject: str) -> list[PreviewLink]:
    """The newest links to a package or an entry, newest first."""
    query = select(PreviewLink).order_by(PreviewLink.id.desc())
    if not subject.startswith(ENTRY_PREFIX):
        query = query.where(PreviewLink.package == subject)
        return list(session.scalars(query.limit(SHOWN_LINKS)))
    rows = session.scalars(query.where(PreviewLink.package.is_(None)).limit(1000))
    return [row for row in rows if row.options.get("subject") == subject][:SHOWN_LINKS]


def revoke_link(session: Session, actor: Actor, link_id: int, now: datetime) -> PreviewLink:
    """End a link now; one that has ended stays as it is.

    Raises:
        NotFound: there is no such link.
        Forbidden: the actor may not change packages.
    """
    authorise(actor, "package.write")
    link = session.get(PreviewLink, link_id) if 0 < link_id < 2**31 else None
    if link is None:
        raise NotFound(f"There is no preview link {link_id}.")
    if link.revoked_at is None:
        link.revoked_at = now
        session.flush()
        record(session, actor, "preview.end", f"preview/{link.id}")
    return link


def open_link(session: Session, secret: str, now: datetime) -> PreviewLink:
    """The link whose secret this is.

    Raises:
        NotFound: nobody's, or it has ended; which of the two is not told.
    """
    found = None
    if secret.startswith(LINK_PREFIX) and len(secret) < 100:
        found = session.scalar(
            select(PreviewLink).where(
                PreviewLink.hash == hash_token(secret),
                PreviewLink.expires_at > now,
                or_(PreviewLink.revoked_at.is_(None), PreviewLink.revoked_at > now),
            )
        )
    if found is None:
        raise NotFound("This preview link has ended, or it was copied incompletely.")
    return found


def wanted_of(link: PreviewLink) -> Wanted:
    """What a link shows."""
    options: dict[str, Any] = link.options
    types: Sequence[str] | None = options.get("types")
    return Wanted(
        subject=str(options.get("subject") or link.package or ""),
        perspective=str(options.get("perspective", "approved")),
        day=date.fromisoformat(options["day"]) if options.get("day") else None,
        types=None if types is None else frozenset(types),
        language=options.get("language"),
    )


def is_open(link: PreviewLink, now: datetime) -> bool:
    """Whether a link still shows anything."""
    return link.revoked_at is None and link.expires_at > now
