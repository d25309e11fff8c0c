"""Users, their grants and their tokens.

There is always an active administrator: a change that would leave none is refused.
Secrets are told once, when they are made, and appear in no log and no audit record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, or_, select, update
from sqlalchemy.orm import Session

from content_api.accounts import throttle
from content_api.accounts.access import actor_of
from content_api.accounts.audit import record
from content_api.accounts.models import OneTimeLink, Token, User, UserGrant
from content_api.accounts.passwords import (
    check_new_password,
    hash_password,
    needs_rehash,
    verify_password,
)
from content_api.accounts.rules import ALL, SHARED, USER_ROLES, Actor, Grant
from content_api.accounts.tokens import USER_PREFIX, hash_token, new_token
from content_api.database import read_session, utc_now, write_session
from content_api.problems import Conflict, NotFound, Refused, Unauthenticated
from package_format.languages import canonical_tag, is_language_tag

SESSION_LIFE = timedelta(hours=12)
"""A working day; nobody types a password at night."""

MAX_TOKEN_LIFE = timedelta(days=366)

NAME_PATTERN = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
_RESERVED_NAMES = frozenset({"system", "me"})
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}")


class LoginFailed(Unauthenticated):
    """Name and password do not belong together; which of them is wrong is not said."""

    code = "login-failed"


class LastAdmin(Conflict):
    """Nobody could administer the server afterwards."""

    code = "last-admin"


def log_in(
    engine: Engine, name: str, password: str, address: str, now: datetime
) -> tuple[Token, str]:
    """Open a session for a user, named by name or email; the token's secret is told this once.

    Works in transactions of its own, so that a failed try stays counted.

    Raises:
        LoginFailed: no active user has this name and this password.
        RateLimited: too many failed tries.
    """
    account = name.strip().lower()
    with write_session(engine) as session:
        throttle.count_try(session, account, address, now)
    with read_session(engine) as session:
        user = _find_login(session, account)
        user_id = user.id if user is not None else None
        stored = user.password_hash if user is not None else None
    if not verify_password(stored, password) or user_id is None or stored is None:
        raise LoginFailed("The name or the password is wrong.")
    with write_session(engine) as session:
        found = session.get_one(User, user_id)
        if found.deactivated_at is not None:
            raise LoginFailed("The name or the password is wrong.")
        throttle.forgive_try(session, account, address, now)
        if needs_rehash(stored):
            found.password_hash = hash_password(password)
        return open_session(session, found, now)


def open_session(
    session: Session, user: User, now: datetime, *, by: str = "password"
) -> tuple[Token, str]:
    """A session of somebody who has proved who they are; the token's secret is told this once.

    `by` says how they did: `password`, `link` or `openid`.
    """
    token, secret = _issue(session, user, "session", "", now, now + SESSION_LIFE)
    details = {} if by == "password" else {"by": by}
    record(session, actor_of(user), "session.open", f"user/{user.id}", details=details)
    return token, secret


def end_sessions(session: Session, actor: Actor, user_id: str) -> None:
    """Sign a user out everywhere; their API tokens go on.

    Raises:
        NotFound: no such user.
    """
    user = get_user(session, user_id)
    session.execute(
        update(Token)
        .where(Token.user_id == user.id, Token.kind == "session", Token.revoked_at.is_(None))
        .values(revoked_at=utc_now())
    )
    session.flush()
    record(session, actor, "session.close-all", f"user/{user.id}")


def log_out(session: Session, actor: Actor, token_id: str) -> None:
    """End the token that is used, whichever kind it is."""
    token = session.get(Token, token_id)
    if token is None or token.revoked_at is not None:
        return
    token.revoked_at = utc_now()
    session.flush()
    record(session, actor, "session.close", f"token/{token.id}")


def list_users(
    session: Session, *, after: str | None = None, wanted: str | None = None, limit: int = 200
) -> list[User]:
    """Users by name, deactivated ones too; those alone whose names or e-mail hold `wanted`."""
    query = select(User).order_by(User.name).limit(limit)
    if wanted:
        columns = (User.name, User.display_name, User.email)
        query = query.where(or_(*(column.icontains(wanted, autoescape=True) for column in columns)))
    return list(session.scalars(query.where(User.name > after) if after else query))


def last_seen(session: Session, user_ids: Iterable[str]) -> dict[str, datetime]:
    """When each of these users was last heard of, to the hour; those never here are left out."""
    heard = func.max(func.coalesce(Token.last_used_at, Token.created_at)).label("at")
    query = select(Token.user_id, heard).where(
        Token.user_id.in_(list(user_ids)), Token.kind == "session"
    )
    return {row.user_id: row.at for row in session.execute(query.group_by(Token.user_id))}


def get_user(session: Session, user_id: str) -> User:
    """The user.

    Raises:
        NotFound: there is none of this id.
    """
    user = session.get(User, user_id[:64])
    if user is None:
        raise NotFound(f"There is no user {user_id[:64]!r}.")
    return user


def find_user(session: Session, name: str) -> User | None:
    """The user of this name, or None."""
    return session.scalar(select(User).where(User.name == name.strip().lower()))


def create_user(
    session: Session,
    actor: Actor,
    *,
    name: str,
    password: str | None = None,
    display_name: str = "",
    email: str | None = None,
    grants: Iterable[Grant] = (),
) -> User:
    """Add a user. Without a password they cannot sign in, and act by API tokens alone.

    Raises:
        Refused: the name, password or a grant is not one we take.
        Conflict: the name or the email is taken.
    """
    name = name.lower()
    if not re.fullmatch(NAME_PATTERN, name) or name in _RESERVED_NAMES:
        raise Refused(f"Expected a name of a-z, 0-9 and . _ - between them, got {name[:64]!r}.")
    if find_user(session, name) is not None:
        raise Conflict(f"There is a user {name} already.")
    if password is not None:
        check_new_password(password, name)
    user = User(
        name=name,
        display_name=display_name or name,
        email=_free_email(session, email, None),
        password_hash=hash_password(password) if password is not None else None,
        grants=[_grant_row(grant) for grant in check_grants(grants)],
    )
    session.add(user)
    session.flush()
    record(
        session,
        actor,
        "user.create",
        f"user/{user.id}",
        details={"name": name, "grants": _grants_told(user)},
    )
    return user


def change_user(session: Session, actor: Actor, user_id: str, values: Mapping[str, Any]) -> User:
    """Change `display_name`, `email`, `password` or `active`; what is absent stays.

    A new password or a deactivation ends every session and token of the user.

    Raises:
        NotFound: no such user.
        Refused: the password is not one we take.
        Conflict: the email is taken.
        LastAdmin: nobody could administer the server afterwards.
    """
    user = get_user(session, user_id)
    told: dict[str, Any] = {}
    if "display_name" in values and values["display_name"] != user.display_name:
        user.display_name = values["display_name"] or user.name
        told["display_name"] = user.display_name
    if "email" in values:
        email = _free_email(session, values["email"], user)
        if email != user.email:
            user.email = email
            # The trail is kept for good and shown to many: that it changed is enough.
            told["email"] = "changed"
            # A link was given to whoever reads the old address.
            end_links(session, user.id)
    if "password" in values:
        check_new_password(values["password"], user.name)
        user.password_hash = hash_password(values["password"])
        told["password"] = "changed"  # noqa: S105  the word, not the secret
        end_tokens(session, user.id)
    if "active" in values and values["active"] != (user.deactivated_at is None):
        user.deactivated_at = None if values["active"] else utc_now()
        told["active"] = values["active"]
        if not values["active"]:
            _keep_an_admin(session)
            end_tokens(session, user.id)
    session.flush()
    if told:
        record(session, actor, "user.change", f"user/{user.id}", details=told)
    return user


def change_own_password(
    engine: Engine, actor: Actor, current: str, new: str, address: str, *, keep_token: str
) -> None:
    """Replace one's own password; every other session and token of one's own ends.

    Works in transactions of its own: a wrong current password counts like a failed login.

    Raises:
        LoginFailed: `current` is not the password.
        RateLimited: too many failed tries.
        Refused: `new` is not a password we take.
    """
    now = utc_now()
    with write_session(engine) as session:
        throttle.count_try(session, actor.name, address, now)
    with read_session(engine) as session:
        stored = get_user(session, actor.id).password_hash
    if not verify_password(stored, current):
        raise LoginFailed("The current password is wrong.")
    check_new_password(new, actor.name)
    with write_session(engine) as session:
        throttle.forgive_try(session, actor.name, address, now)
        user = get_user(session, actor.id)
        user.password_hash = hash_password(new)
        end_tokens(session, user.id, but=keep_token)
        session.flush()
        record(session, actor, "user.change", f"user/{user.id}", details={"password": "changed"})


def set_preferences(
    session: Session, user_id: str, *, ui_language: str | None, timezone: str | None
) -> None:
    """Remember in which language and time zone a person reads; nobody else's business.

    Both are expected to be known ones; None is the studio's default.

    Raises:
        NotFound: no such user.
    """
    user = get_user(session, user_id)
    user.ui_language, user.timezone = ui_language, timezone
    session.flush()


def set_interface_language(session: Session, user_id: str, tag: str) -> None:
    """Remember the language in which a person reads the studio; nobody else's business.

    Raises:
        NotFound: no such user.
    """
    get_user(session, user_id).ui_language = tag
    session.flush()


def set_grants(session: Session, actor: Actor, user_id: str, grants: Iterable[Grant]) -> User:
    """Replace what a user may do.

    Raises:
        NotFound: no such user.
        Refused: a role, scope or type is not one.
        LastAdmin: nobody could administer the server afterwards.
    """
    user = get_user(session, user_id)
    before = _grants_told(user)
    user.grants = [_grant_row(grant) for grant in check_grants(grants)]
    session.flush()
    _keep_an_admin(session)
    after = _grants_told(user)
    if after != before:
        record(
            session,
            actor,
            "user.grants",
            f"user/{user.id}",
            details={"before": before, "after": after},
        )
    return user


def check_grants(grants: Iterable[Grant]) -> list[Grant]:
    """The grants, each held to its form, without repetition.

    Raises:
        Refused: says which grant is wrong and what was expected.
    """
    found: list[Grant] = []
    for index, grant in enumerate(grants):
        wrong = _wrong_in(grant)
        if wrong:
            raise Refused(
                f"Grant {index + 1}: {wrong}.",
                errors=[{"pointer": f"/grants/{index}", "code": "grant", "message": wrong}],
            )
        if grant not in found:
            found.append(grant)
    return found


def list_tokens(
    session: Session, user_id: str | None, *, after: str | None = None, limit: int = 200
) -> list[Token]:
    """Tokens by id, of one user or of all (None)."""
    query = select(Token).order_by(Token.id).limit(limit)
    if user_id is not None:
        query = query.where(Token.user_id == user_id)
    return list(session.scalars(query.where(Token.id > after) if after else query))


def open_tokens(session: Session, user_id: str, now: datetime) -> list[Token]:
    """A user's sessions and API tokens that still work, those last used first."""
    query = select(Token).where(
        Token.user_id == user_id, Token.revoked_at.is_(None), Token.expires_at > now
    )
    found = list(session.scalars(query))
    return sorted(found, key=lambda row: row.last_used_at or row.created_at, reverse=True)


def create_token(
    session: Session,
    actor: Actor,
    user_id: str,
    *,
    name: str,
    life: timedelta,
    made_with: str | None = None,
) -> tuple[Token, str]:
    """Make an API token that acts as a user; its secret is told this once.

    A token made with another API token (`made_with`, its id) ends when that one does:
    whoever found one secret cannot prolong it.

    Raises:
        NotFound: no such user.
        Conflict: the user is deactivated.
        Refused: `life` is not between a minute and a year.
    """
    user = get_user(session, user_id)
    if user.deactivated_at is not None:
        raise Conflict(f"The user {user.name} is deactivated.")
    if not timedelta(minutes=1) <= life <= MAX_TOKEN_LIFE:
        raise Refused(f"Expected a life of up to {MAX_TOKEN_LIFE.days} days, got {life}.")
    now = utc_now()
    expires_at = now + life
    maker = session.get(Token, made_with) if made_with else None
    if maker is not None and maker.kind == "api":
        expires_at = min(expires_at, maker.expires_at)
    token, secret = _issue(session, user, "api", name, now, expires_at)
    record(
        session,
        actor,
        "token.create",
        f"token/{token.id}",
        details={"name": name, "user": user.id, "expires_at": expires_at.isoformat()},
    )
    return token, secret


def get_token(session: Session, token_id: str) -> Token:
    """The token.

    Raises:
        NotFound: there is none of this id.
    """
    token = find_token(session, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id[:64]!r}.")
    return token


def find_token(session: Session, token_id: str) -> Token | None:
    """The token of this id, or None."""
    return session.get(Token, token_id[:64])


def revoke_token(session: Session, actor: Actor, token_id: str) -> Token:
    """End a token now; ending it twice changes nothing.

    Raises:
        NotFound: there is none of this id.
    """
    token = get_token(session, token_id)
    if token.revoked_at is None:
        token.revoked_at = utc_now()
        session.flush()
        record(session, actor, "token.revoke", f"token/{token.id}", details={"name": token.name})
    return token


def end_tokens(session: Session, user_id: str, *, but: str | None = None) -> None:
    """End whatever acts as a user, or could: sessions, API tokens, links to set a password."""
    query = update(Token).where(Token.user_id == user_id, Token.revoked_at.is_(None))
    session.execute((query.where(Token.id != but) if but else query).values(revoked_at=utc_now()))
    end_links(session, user_id)


def end_links(session: Session, user_id: str) -> None:
    """Let a user's links that were not used expire now."""
    now = utc_now()
    session.execute(
        update(OneTimeLink)
        .where(
            OneTimeLink.user_id == user_id,
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > now,
        )
        .values(expires_at=now)
    )


def _issue(
    session: Session, user: User, kind: str, name: str, now: datetime, expires_at: datetime
) -> tuple[Token, str]:
    secret = new_token(USER_PREFIX)
    token = Token(
        user_id=user.id,
        user=user,
        kind=kind,
        name=name,
        hash=hash_token(secret),
        created_at=now,
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    return token, secret


def _find_login(session: Session, account: str) -> User | None:
    column = User.email if "@" in account else User.name
    return session.scalar(select(User).where(column == account, User.deactivated_at.is_(None)))


def _free_email(session: Session, email: str | None, user: User | None) -> str | None:
    if not email:
        return None
    email = email.strip().lower()
    holder = session.scalar(select(User).where(User.email == email))
    if holder is not None and holder is not user:
        raise Conflict("Another user has this email.")
    return email


def _keep_an_admin(session: Session) -> None:
    session.flush()
    # Locked, so that of two administrators who demote each other at once the second sees
    # what the first did (PostgreSQL; SQLite has one writer anyway).
    left = session.scalars(
        select(User.id)
        .join(UserGrant)
        .where(UserGrant.role == "admin", User.deactivated_at.is_(None))
        .with_for_update()
    ).first()
    if left is None:
        raise LastAdmin("This is the last administrator: make another one first.")


def _grant_row(grant: Grant) -> UserGrant:
    return UserGrant(role=grant.role, scopes=list(grant.scopes), types=list(grant.types))


def _grants_told(user: User) -> list[dict[str, Any]]:
    return [
        {"role": grant.role, "scopes": grant.scopes, "types": grant.types} for grant in user.grants
    ]


def _wrong_in(grant: Grant) -> str | None:
    if grant.role not in USER_ROLES:
        return f"expected a role of {', '.join(USER_ROLES)}, got {grant.role[:40]!r}"
    for name, values in (("scopes", grant.scopes), ("types", grant.types)):
        if not values or (ALL in values and len(values) > 1):
            return f"{name}: expected [{ALL!r}] or at least one of them by name"
    if grant.role == "translator" and SHARED in grant.scopes:
        return f"a translator writes languages, never {SHARED!r}; expected an editor"
    for scope in grant.scopes:
        if scope not in (ALL, SHARED) and not _is_canonical(scope):
            return f"scopes: expected a language tag, {SHARED!r} or {ALL!r}, got {scope[:40]!r}"
    for name in grant.types:
        if not _TYPE.fullmatch(name):
            return f"types: expected an entry type or {ALL!r}, got {name[:40]!r}"
    return None


def _is_canonical(scope: str) -> bool:
    return is_language_tag(scope) and canonical_tag(scope) == scope
