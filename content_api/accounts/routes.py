"""HTTP of sessions, users, grants, tokens and the audit trail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import request
from flask.views import MethodView

from content_api.accounts import schemas, service
from content_api.accounts.access import authorise, current_actor, current_token_id
from content_api.accounts.audit import list_audit
from content_api.accounts.rules import ACTIONS, allows
from content_api.api import Blueprint, PageQuery, decode_cursor, page_of
from content_api.database import engine, session, utc_now

accounts = Blueprint("accounts", __name__, description="Signing in, people and their rights")
audit = Blueprint("audit", __name__, url_prefix="/audit", description="Who changed what, and when")

blueprints = [accounts, audit]

_SECRET = {"Cache-Control": "no-store"}


@accounts.route("/sessions")
class Sessions(MethodView):
    """Signing in."""

    @accounts.public("nobody has a token before signing in; failed tries are limited")
    @accounts.fails(401, 429)
    @accounts.arguments(schemas.LoginSchema)
    @accounts.response(201, schemas.IssuedTokenSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Trade name and password for a token that works 12 hours."""
        token, secret = service.log_in(
            engine(), body["name"], body["password"], request.remote_addr or "", utc_now()
        )
        return _issued(token, secret), 201, _SECRET


@accounts.route("/sessions/current")
class CurrentSession(MethodView):
    """The token in use."""

    @accounts.signed_in("everybody may give their own token back")
    @accounts.response(204)
    def delete(self) -> tuple[str, int]:
        """Sign out: the token in use ends."""
        actor, token_id = current_actor(), current_token_id()
        if token_id is not None:
            service.log_out(session(), actor, token_id)
        return "", 204


@accounts.route("/me")
class Me(MethodView):
    """Oneself."""

    @accounts.signed_in("everybody may know who they are")
    @accounts.response(200, schemas.MeSchema)
    def get(self) -> dict[str, Any]:
        """Who one is, which token is in use, and what one may do."""
        actor, token_id = current_actor(), current_token_id()
        return {
            "user": service.get_user(session(), actor.id),
            "token": service.get_token(session(), token_id or ""),
            "actions": sorted(action for action in ACTIONS if allows(actor, action)),
        }


@accounts.route("/me/password")
class OwnPassword(MethodView):
    """One's own password."""

    @accounts.signed_in("everybody may change their own password, knowing the current one")
    @accounts.fails(429)
    @accounts.arguments(schemas.PasswordChangeSchema)
    @accounts.response(204)
    def put(self, body: dict[str, Any]) -> tuple[str, int]:
        """Replace it; every other session and token of one's own ends."""
        service.change_own_password(
            engine(),
            current_actor(),
            body["current"],
            body["new"],
            request.remote_addr or "",
            keep_token=current_token_id() or "",
        )
        return "", 204


@accounts.route("/users")
class Users(MethodView):
    """All users."""

    @accounts.requires("user.read")
    @accounts.arguments(PageQuery, location="query")
    @accounts.response(200, schemas.UserPageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List users by name, deactivated ones too."""
        key = decode_cursor(query.get("cursor"), 1)
        rows = service.list_users(
            session(), after=str(key[0]) if key else None, limit=query["limit"] + 1
        )
        return page_of(rows, query["limit"], lambda row: [row.name])

    @accounts.requires("user.write")
    @accounts.arguments(schemas.NewUserSchema)
    @accounts.response(201, schemas.UserSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Add a user."""
        return service.create_user(session(), current_actor(), **body)


@accounts.route("/users/<user_id>")
class OneUser(MethodView):
    """One user."""

    @accounts.requires("user.read")
    @accounts.response(200, schemas.UserSchema)
    def get(self, user_id: str) -> Any:
        """The user, with what they are granted."""
        return service.get_user(session(), user_id)

    @accounts.requires("user.write")
    @accounts.arguments(schemas.UserChangeSchema)
    @accounts.response(200, schemas.UserSchema)
    def patch(self, body: dict[str, Any], user_id: str) -> Any:
        """Change a user; `active: false` deactivates and ends every token, and nothing deletes."""
        return service.change_user(session(), current_actor(), user_id, body)


@accounts.route("/users/<user_id>/grants")
class UserGrants(MethodView):
    """What a user may do."""

    @accounts.requires("user.read")
    @accounts.response(200, schemas.GrantAnswerSchema(many=True))
    def get(self, user_id: str) -> Any:
        """The user's grants."""
        return service.get_user(session(), user_id).grants

    @accounts.requires("user.write")
    @accounts.arguments(schemas.GrantsSchema)
    @accounts.response(200, schemas.GrantAnswerSchema(many=True))
    def put(self, body: dict[str, Any], user_id: str) -> Any:
        """Replace the user's grants."""
        return service.set_grants(session(), current_actor(), user_id, body["grants"]).grants


@accounts.route("/tokens")
class Tokens(MethodView):
    """Tokens."""

    @accounts.signed_in("everybody may see their own tokens; others' need token.read")
    @accounts.arguments(schemas.TokenQuery, location="query")
    @accounts.response(200, schemas.TokenPageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List one's own tokens, or a user's, or all."""
        actor = current_actor()
        user = query.get("user") or actor.id
        if user != actor.id:
            authorise(actor, "token.read")
        key = decode_cursor(query.get("cursor"), 1)
        rows = service.list_tokens(
            session(),
            None if user == "all" else user,
            after=str(key[0]) if key else None,
            limit=query["limit"] + 1,
        )
        return page_of(rows, query["limit"], lambda row: [row.id])

    @accounts.signed_in(
        "everybody may make tokens that act as themselves; others' need token.write"
    )
    @accounts.fails(404)
    @accounts.arguments(schemas.NewTokenSchema)
    @accounts.response(201, schemas.IssuedTokenSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Make an API token; its secret is shown this once."""
        actor = current_actor()
        user = body.get("user") or actor.id
        if user != actor.id:
            authorise(actor, "token.write")
        token, secret = service.create_token(
            session(),
            actor,
            user,
            name=body["name"],
            life=timedelta(days=body["days"]),
            made_with=current_token_id(),
        )
        return _issued(token, secret), 201, _SECRET


@accounts.route("/tokens/<token_id>")
class OneToken(MethodView):
    """One token."""

    @accounts.signed_in("everybody may see their own tokens; others' need token.read")
    @accounts.response(200, schemas.TokenSchema)
    def get(self, token_id: str) -> Any:
        """The token, without its secret."""
        return _visible_token(token_id, "token.read")

    @accounts.signed_in("everybody may end their own tokens; others' need token.write")
    @accounts.response(200, schemas.TokenSchema)
    def delete(self, token_id: str) -> Any:
        """End the token now."""
        token = _visible_token(token_id, "token.write")
        return service.revoke_token(session(), current_actor(), token.id)


@audit.route("")
class Audit(MethodView):
    """The audit trail."""

    @audit.requires("audit.read")
    @audit.arguments(schemas.AuditQuery, location="query")
    @audit.response(200, schemas.AuditPageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List changes, newest first."""
        key = decode_cursor(query.get("cursor"), 1)
        rows = list_audit(
            session(),
            actor=query.get("actor"),
            action=query.get("action"),
            subject=query.get("subject"),
            since=query.get("since"),
            until=query.get("until"),
            before=key[0] if key and isinstance(key[0], int) else None,
            limit=query["limit"] + 1,
        )
        return page_of(rows, query["limit"], lambda row: [row.id])


def _issued(token: Any, secret: str) -> dict[str, Any]:
    return {
        "token": secret,
        "expires_at": token.expires_at,
        "id": token.id,
        "user": token.user,
    }


def _visible_token(token_id: str, action: str) -> Any:
    token, actor = service.find_token(session(), token_id), current_actor()
    if token is None or token.user_id != actor.id:
        # Asked before "there is none", so that ids cannot be tried out.
        authorise(actor, action)
    return token if token is not None else service.get_token(session(), token_id)
