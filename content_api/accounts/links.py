"""Links that let their holder set a password once: an invitation, or a reset.

An administrator makes one, sees its secret once and hands it over; the server keeps the
secret's hash. A user has one open link at most, of each purpose: a newer one ends the
older. Setting the password uses the link up, ends every session and token of the user,
and signs in. `openid` is a link without a bearer: it allows who shows the user's e-mail
at the OpenID provider to be tied to the user, once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from content_api.accounts import throttle
from content_api.accounts.access import actor_of
from content_api.accounts.audit import record
from content_api.accounts.models import OneTimeLink, Token, User
from content_api.accounts.passwords import check_new_password, hash_password
from content_api.accounts.rules import Actor
from content_api.accounts.service import end_tokens, get_user, open_session
from content_api.accounts.tokens import hash_token, new_token
from content_api.database import read_session, utc_now, write_session
from content_api.problems import Conflict, NotFound

LINK_LIVES = {
    "invitation": timedelta(days=7),
    "reset": timedelta(hours=24),
    "openid": timedelta(days=7),
}
"""How long a link of each purpose works."""

LINK_PREFIX = "lml_"
"""So that a person and a secret scanner recognise one."""


class LinkUnknown(NotFound):
    """No link has this secret: it was copied in part, or never was."""

    code = "link-unknown"


class LinkUsed(Conflict):
    """The link did its work; a link works once."""

    code = "link-used"


class LinkOver(Conflict):
    """The link's time is over, a newer one was made, or the user was deactivated."""

    code = "link-over"


def create_link(
    session: Session, actor: Actor, user_id: str, purpose: str
) -> tuple[OneTimeLink, str]:
    """Make a link for a user; its secret is told this once, and older ones of its purpose end.

    Raises:
        NotFound: no such user.
        Conflict: the user is deactivated, or has no e-mail that `openid` could go by.
    """
    user = get_user(session, user_id)
    if user.deactivated_at is not None:
        raise Conflict(f"The user {user.name} is deactivated.")
    if purpose == "openid" and not user.email:
        raise Conflict(f"The user {user.name} has no e-mail address.")
    now = utc_now()
    session.execute(
        update(OneTimeLink)
        .where(
            OneTimeLink.user_id == user.id,
            OneTimeLink.purpose == purpose,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > now,
        )
        .values(expires_at=now)
    )
    secret = new_token(LINK_PREFIX)
    link = OneTimeLink(
        user_id=user.id,
        user=user,
        purpose=purpose,
        hash=hash_token(secret),
        created_by=actor.id,
        created_at=now,
        expires_at=now + LINK_LIVES[purpose],
    )
    session.add(link)
    session.flush()
    record(session, actor, "link.create", f"user/{user.id}", details={"purpose": purpose})
    return link, secret


def open_links(session: Session, user_id: str, now: datetime) -> list[OneTimeLink]:
    """A user's links that can still be used, newest first."""
    query = select(OneTimeLink).where(
        OneTimeLink.user_id == user_id,
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > now,
    )
    return list(session.scalars(query.order_by(OneTimeLink.created_at.desc())))


def invited_until(session: Session, user_ids: Iterable[str], now: datetime) -> dict[str, datetime]:
    """Until when those of these users whose invitation is open can use it."""
    query = select(OneTimeLink.user_id, OneTimeLink.expires_at).where(
        OneTimeLink.user_id.in_(list(user_ids)),
        OneTimeLink.purpose == "invitation",
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > now,
    )
    return {row.user_id: row.expires_at for row in session.execute(query)}


def look_at_link(engine: Engine, secret: str, address: str, now: datetime) -> OneTimeLink:
    """The link of this secret, if it can be used now; looking does not use it.

    Works in transactions of its own, so that a wrong guess stays counted.

    Raises:
        LinkUnknown, LinkUsed, LinkOver: it cannot.
        RateLimited: too many wrong guesses from this address.
    """
    account = _count(engine, secret, address, now)
    with read_session(engine) as session:
        link = _usable(session, secret, now)
        # Read now, for the link outlives the session.
        _ = link.user.name
    with write_session(engine) as session:
        throttle.forgive_try(session, account, address, now)
    return link


def use_link(
    engine: Engine, secret: str, password: str, address: str, now: datetime
) -> tuple[Token, str]:
    """Set the password of a link's user and open a session; everything older of theirs ends.

    Works in transactions of its own, as `look_at_link`.

    Raises:
        LinkUnknown, LinkUsed, LinkOver: the link cannot be used.
        RateLimited: too many wrong guesses from this address.
        Refused: `password` is not one we take; the link can be used again.
    """
    link = look_at_link(engine, secret, address, now)
    check_new_password(password, link.user.name)
    hashed = hash_password(password)
    with write_session(engine) as session:
        link = _usable(session, secret, now, lock=True)
        user = link.user
        link.used_at = now
        user.password_hash = hashed
        session.flush()
        end_tokens(session, user.id)
        record(
            session,
            actor_of(user),
            "user.change",
            f"user/{user.id}",
            details={"password": "changed", "link": link.purpose},
        )
        return open_session(session, user, now, by="link")


def allowed_by_email(session: Session, email: str, now: datetime) -> OneTimeLink | None:
    """What allows the holder of an e-mail to be tied to its user: an open invitation, or `openid`.

    An e-mail alone allows nothing: people can change their own.
    """
    return session.scalar(
        select(OneTimeLink)
        .join(User)
        .where(
            User.email == email.strip().lower(),
            User.deactivated_at.is_(None),
            OneTimeLink.purpose.in_(("invitation", "openid")),
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > now,
        )
        .order_by(OneTimeLink.created_at.desc())
        .limit(1)
        .with_for_update(of=OneTimeLink)
    )


def _count(engine: Engine, secret: str, address: str, now: datetime) -> str:
    # Each guess counts as a try at an account of its own: what limits is the address.
    account = f"link {hash_token(secret)}"
    with write_session(engine) as session:
        throttle.count_try(session, account, address, now)
    return account


def _usable(session: Session, secret: str, now: datetime, *, lock: bool = False) -> OneTimeLink:
    query = select(OneTimeLink).where(
        OneTimeLink.hash == hash_token(secret), OneTimeLink.purpose != "openid"
    )
    link = session.scalar(query.with_for_update() if lock else query)
    if link is None:
        raise LinkUnknown("There is no such link.")
    if link.used_at is not None:
        raise LinkUsed("The link was used; a link works once.")
    if link.expires_at <= now or link.user.deactivated_at is not None:
        raise LinkOver("The link has expired, or a newer one was made.")
    return link
