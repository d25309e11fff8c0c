"""`content-api user` and `content-api token`: people and tokens, as the machine's operator."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click

from content_api.accounts import service
from content_api.accounts.models import Token, User
from content_api.accounts.passwords import make_password
from content_api.accounts.rules import ALL, SYSTEM, USER_ROLES, Grant
from content_api.command_line import json_option, print_json, reading, with_settings, writing
from content_api.problems import NotFound
from content_api.settings import Settings


def _read_grants(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[Grant, ...]:
    """`editor`, `translator:ja`, `reviewer:fr,en`, `editor:*,fr:place,story`."""
    return tuple(_read_grant(ctx, param, value) for value in values)


def _read_grant(ctx: click.Context, param: click.Parameter, value: str) -> Grant:
    role, *narrowed = value.split(":")
    if role not in USER_ROLES or len(narrowed) > 2:
        raise click.BadParameter(
            f"expected ROLE[:SCOPES[:TYPES]] with a role of {', '.join(USER_ROLES)}, got {value!r}",
            ctx,
            param,
        )
    scopes, types = (*narrowed, "", "")[:2]
    return Grant(
        role,
        tuple(scopes.split(",")) if scopes else (ALL,),
        tuple(types.split(",")) if types else (ALL,),
    )


_grants = click.option(
    "--grant",
    "grants",
    callback=_read_grants,
    multiple=True,
    help="ROLE[:SCOPES[:TYPES]], as translator:ja; may be repeated.",
)
_password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of stdin."
)


@click.group()
def user() -> None:
    """People, their roles and passwords."""


@user.command("create")
@click.argument("name")
@_grants
@click.option("--display-name", default="", help="As others see it.")
@click.option("--email")
@_password_stdin
@json_option
@with_settings
def create_user(
    settings: Settings,
    name: str,
    grants: tuple[Grant, ...],
    display_name: str,
    email: str | None,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Add a user, an editor by default; a password is made and shown once, or read from stdin."""
    password, made = _password(password_stdin)
    with writing(settings) as session:
        found = service.create_user(
            session,
            SYSTEM,
            name=name,
            password=password,
            display_name=display_name,
            email=email,
            grants=grants or (Grant("editor"),),
        )
    told = _user(found)
    if as_json:
        print_json({**told, "password": password} if made else told)
        return
    click.echo(f"Added {found.name}: {told['grants_text']}.")
    if made:
        click.echo(f"Password, shown this once: {password}")


@user.command("list")
@json_option
@with_settings
def list_users(settings: Settings, as_json: bool) -> None:
    """List users and what they may do."""
    with reading(settings) as session:
        rows = [_user(found) for found in service.list_users(session, limit=10_000)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = "" if row["active"] else " (deactivated)"
        click.echo(f"{row['name']}{state}: {row['grants_text'] or 'nothing granted'}")


@user.command("grant")
@click.argument("name")
@_grants
@with_settings
def set_grants(settings: Settings, name: str, grants: tuple[Grant, ...]) -> None:
    """Replace what a user may do; without --grant, nothing."""
    with writing(settings) as session:
        found = service.set_grants(session, SYSTEM, _named(session, name).id, grants)
        click.echo(f"{found.name}: {_user(found)['grants_text'] or 'nothing granted'}")


@user.command("password")
@click.argument("name")
@_password_stdin
@with_settings
def set_password(settings: Settings, name: str, password_stdin: bool) -> None:
    """Give a user a new password; every session and token of theirs ends."""
    password, made = _password(password_stdin)
    with writing(settings) as session:
        found = _named(session, name)
        service.change_user(session, SYSTEM, found.id, {"password": password})
    click.echo(f"{found.name} has a new password.")
    if made:
        click.echo(f"Password, shown this once: {password}")


@user.command("deactivate")
@click.argument("name")
@with_settings
def deactivate_user(settings: Settings, name: str) -> None:
    """End a user's sessions and tokens; the audit trail keeps naming them."""
    _set_active(settings, name, active=False)


@user.command("activate")
@click.argument("name")
@with_settings
def activate_user(settings: Settings, name: str) -> None:
    """Let a deactivated user sign in again."""
    _set_active(settings, name, active=True)


@click.group()
def token() -> None:
    """Tokens for programs."""


@token.command("create")
@click.option("--user", "user_name", required=True, help="Whom the token acts as.")
@click.option("--name", required=True, help="What it is for.")
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True)
@json_option
@with_settings
def create_token(settings: Settings, user_name: str, name: str, days: int, as_json: bool) -> None:
    """Make a token that acts as a user; its secret is shown this once."""
    with writing(settings) as session:
        found, secret = service.create_token(
            session, SYSTEM, _named(session, user_name).id, name=name, life=timedelta(days=days)
        )
    if as_json:
        print_json({**_token(found), "token": secret})
    else:
        click.echo(secret)


@token.command("list")
@click.option("--user", "user_name", help="Only this user's.")
@json_option
@with_settings
def list_tokens(settings: Settings, user_name: str | None, as_json: bool) -> None:
    """List tokens, of one user or of all."""
    with reading(settings) as session:
        owner = _named(session, user_name).id if user_name else None
        rows = [_token(found) for found in service.list_tokens(session, owner, limit=10_000)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = "revoked" if row["revoked_at"] else f"until {row['expires_at']:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{row['id']}  {row['user']}  {row['kind']}  {row['name'] or '-'}  {state}")


@token.command("revoke")
@click.argument("token_id")
@with_settings
def revoke_token(settings: Settings, token_id: str) -> None:
    """End a token now."""
    with writing(settings) as session:
        service.revoke_token(session, SYSTEM, token_id)
    click.echo(f"Revoked {token_id}.")


commands: list[click.Command] = [user, token]


def _set_active(settings: Settings, name: str, *, active: bool) -> None:
    with writing(settings) as session:
        found = _named(session, name)
        service.change_user(session, SYSTEM, found.id, {"active": active})
    click.echo(f"{found.name} is {'active' if active else 'deactivated'}.")


def _password(from_stdin: bool) -> tuple[str, bool]:
    if not from_stdin:
        return make_password(), True
    return sys.stdin.readline().rstrip("\r\n"), False


def _named(session: Any, name: str) -> User:
    found = service.find_user(session, name)
    if found is None:
        raise NotFound(f"there is no user {name!r}: `content-api user list` shows them")
    return found


def _user(found: User) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "display_name": found.display_name,
        "email": found.email,
        "active": found.deactivated_at is None,
        "grants": [
            {"role": grant.role, "scopes": grant.scopes, "types": grant.types}
            for grant in found.grants
        ],
        "grants_text": ", ".join(
            _grant_text(grant.role, grant.scopes, grant.types) for grant in found.grants
        ),
    }


def _grant_text(role: str, scopes: Sequence[str], types: Sequence[str]) -> str:
    narrowed = [",".join(scopes), ",".join(types)]
    while narrowed and narrowed[-1] == ALL:
        narrowed.pop()
    return ":".join([role, *narrowed])


def _token(found: Token) -> dict[str, Any]:
    return {
        "id": found.id,
        "user": found.user.name,
        "kind": found.kind,
        "name": found.name,
        "created_at": found.created_at,
        "expires_at": found.expires_at,
        "last_used_at": found.last_used_at,
        "revoked_at": found.revoked_at,
    }
