"""The edge where a request becomes an Actor, and where rules become 401 and 403.

A token is looked up in a transaction of its own, before the request's: then noting
when it was last used never makes a reading request a writing one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from flask import g, request
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from content_api.accounts.models import Token, User
from content_api.accounts.rules import SYSTEM, Actor, Grant, allows
from content_api.accounts.tokens import DEVICE_PREFIX, hash_token, parse_bearer
from content_api.database import engine, read_session, utc_now, write_session
from content_api.problems import Forbidden, Unauthenticated

log = logging.getLogger(__name__)

LAST_USED_STEP = timedelta(hours=1)
"""How exact `last_used_at` is: noting every request would make every read a write."""

__all__ = [
    "SYSTEM",
    "TokenExpired",
    "TokenInvalid",
    "actor_of",
    "authorise",
    "current_actor",
    "current_token_id",
    "identify",
    "require_action",
    "require_user",
]


class TokenInvalid(Unauthenticated):
    """The token is not one of ours, or was revoked."""

    code = "token-invalid"


class TokenExpired(Unauthenticated):
    """The token was ours and its time is over: sign in again."""

    code = "token-expired"


def actor_of(user: User) -> Actor:
    """The actor that a user's tokens act as."""
    return Actor(
        id=user.id,
        name=user.name,
        kind="user",
        grants=tuple(
            Grant(grant.role, tuple(grant.scopes), tuple(grant.types)) for grant in user.grants
        ),
    )


def current_actor() -> Actor:
    """Who sends this request.

    Raises:
        Unauthenticated: no token (`unauthenticated`), an unknown or revoked one
            (`token-invalid`), or one whose time is over (`token-expired`).
    """
    if "actor" not in g:
        g.actor = _authenticate()
    found: Actor = g.actor
    return found


def current_token_id() -> str | None:
    """The id of the user token that this request came with; None for a device's."""
    current_actor()
    found: str | None = g.get("token_id")
    return found


def require_action(action: str) -> Actor:
    """The request's actor, who may do `action` at least somewhere.

    Raises:
        Unauthenticated: nobody is known.
        Forbidden: the actor may not do it anywhere.
    """
    actor = current_actor()
    authorise(actor, action)
    return actor


def require_user() -> Actor:
    """The request's actor, a person, whatever their roles.

    Raises:
        Unauthenticated: nobody is known.
        Forbidden: a device asks.
    """
    actor = current_actor()
    if actor.kind != "user":
        raise Forbidden(f"Expected a person's token, got a {actor.kind}'s.")
    return actor


def authorise(
    actor: Actor, action: str, *, entry_type: str | None = None, scopes: Iterable[str] = ()
) -> None:
    """Go on only if `actor` may do `action` with this type and all of these scopes.

    Raises:
        Forbidden: names the action, the type and the scopes that are missing.
    """
    named = tuple(scopes)
    if allows(actor, action, entry_type=entry_type, scopes=named):
        return
    missing = [
        scope for scope in named if not allows(actor, action, entry_type=entry_type, scopes=[scope])
    ]
    where = f" on entries of type {entry_type}" if entry_type else ""
    which = f" in scope {', '.join(sorted(missing))}" if missing else ""
    raise Forbidden(
        f"{actor.name} may not do {action}{where}{which}.",
        details={"action": action, "scopes": sorted(missing)},
    )


def _authenticate() -> Actor:
    header = request.headers.get("Authorization", "")
    if not header:
        raise Unauthenticated("Expected a token: Authorization: Bearer <token>.")
    token = parse_bearer(header)
    if token is None:
        raise TokenInvalid("Expected Authorization: Bearer <token> with a token of this server.")
    if token.startswith(DEVICE_PREFIX):
        # Devices are a feature beside this one; loading it here keeps accounts usable alone.
        from content_api.devices.polls import find_known

        device = find_known(engine(), token)
        if device is None:
            raise TokenInvalid("No device has this token.")
        g.device = device
        return device.actor
    return actor_of(identify(token))


def identify(token: str) -> User:
    """The person whose token this is, noting which token came and that it was used.

    Raises:
        TokenInvalid, TokenExpired: nobody's, or no longer.
    """
    with read_session(engine()) as session:
        row = _token_row(session, token)
        user = row.user
        stale = row.last_used_at is None or utc_now() - row.last_used_at > LAST_USED_STEP
        token_id = row.id
    g.token_id = token_id
    if stale and "session" not in g:
        _note_use(token_id, utc_now())
    return user


def _token_row(session: Session, token: str) -> Token:
    row = session.scalar(select(Token).where(Token.hash == hash_token(token)))
    if row is None or row.revoked_at is not None or row.user.deactivated_at is not None:
        raise TokenInvalid("The token is unknown or was revoked: sign in again.")
    if row.expires_at <= utc_now():
        raise TokenExpired(
            f"The token expired at {row.expires_at.isoformat(timespec='seconds')}: sign in again."
        )
    return row


def _note_use(token_id: str, now: datetime) -> None:
    try:
        with write_session(engine()) as session:
            row = session.get(Token, token_id)
            if row is not None:
                row.last_used_at = now
    except OperationalError:
        # A busy database must not turn a request away for the sake of a note.
        log.warning("could not note the use of token %s", token_id)
