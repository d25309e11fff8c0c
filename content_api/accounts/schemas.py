"""What crosses the wire about people, their grants, their tokens and the audit trail."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, post_load, validate

from content_api.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from content_api.accounts.rules import USER_ROLES, Grant
from content_api.accounts.service import MAX_TOKEN_LIFE, NAME_PATTERN
from content_api.api import AnswerSchema, Instant, PageQuery, WireSchema


class LoginSchema(WireSchema):
    """Who signs in."""

    name = fields.String(
        required=True,
        validate=validate.Length(min=1, max=254),
        metadata={"description": "user name or email"},
    )
    password = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_LENGTH),
        metadata={"format": "password"},
    )


class GrantSchema(WireSchema):
    """A role, narrowed to scopes and entry types."""

    role = fields.String(required=True, validate=validate.OneOf(USER_ROLES))
    scopes = fields.List(
        fields.String(validate=validate.Length(min=1, max=35)),
        load_default=lambda: ["all"],
        validate=validate.Length(min=1, max=100),
        metadata={"description": 'language tags and "*" (shared values), or ["all"]'},
    )
    types = fields.List(
        fields.String(validate=validate.Length(min=1, max=64)),
        load_default=lambda: ["all"],
        validate=validate.Length(min=1, max=100),
        metadata={"description": 'entry types, or ["all"]'},
    )

    @post_load
    def _grant(self, values: dict[str, Any], **_: Any) -> Grant:
        return Grant(values["role"], tuple(values["scopes"]), tuple(values["types"]))


class GrantAnswerSchema(AnswerSchema):
    """A role, narrowed to scopes and entry types."""

    role = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    types = fields.List(fields.String(), required=True)


class GrantsSchema(WireSchema):
    """Everything a user shall be granted."""

    grants = fields.List(
        fields.Nested(GrantSchema), required=True, validate=validate.Length(max=200)
    )


class UserSchema(AnswerSchema):
    """A user."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    display_name = fields.String(required=True)
    email = fields.String(required=True, allow_none=True)
    active = fields.Function(lambda user: user.deactivated_at is None, metadata={"type": "boolean"})
    created_at = Instant(required=True)
    deactivated_at = Instant(required=True, allow_none=True)
    grants = fields.List(fields.Nested(GrantAnswerSchema), required=True)


class UserPageSchema(AnswerSchema):
    """A page of users."""

    items = fields.List(fields.Nested(UserSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class NewUserSchema(WireSchema):
    """A user to add."""

    name = fields.String(required=True, validate=validate.Regexp(f"^{NAME_PATTERN}$"))
    display_name = fields.String(load_default="", validate=validate.Length(max=200))
    email = fields.Email(load_default=None, allow_none=True, validate=validate.Length(max=254))
    password = fields.String(
        validate=validate.Length(min=MIN_LENGTH, max=MAX_LENGTH),
        metadata={"format": "password", "description": "absent: no sign-in, API tokens alone"},
    )
    grants = fields.List(
        fields.Nested(GrantSchema), load_default=list, validate=validate.Length(max=200)
    )


class UserChangeSchema(WireSchema):
    """What to change of a user; what is absent stays."""

    display_name = fields.String(validate=validate.Length(max=200))
    email = fields.Email(allow_none=True, validate=validate.Length(max=254))
    password = fields.String(
        validate=validate.Length(min=MIN_LENGTH, max=MAX_LENGTH), metadata={"format": "password"}
    )
    active = fields.Boolean(truthy={True}, falsy={False})


class PasswordChangeSchema(WireSchema):
    """One's own password, replaced."""

    current = fields.String(
        required=True, validate=validate.Length(max=MAX_LENGTH), metadata={"format": "password"}
    )
    new = fields.String(
        required=True,
        validate=validate.Length(min=MIN_LENGTH, max=MAX_LENGTH),
        metadata={"format": "password"},
    )


class TokenSchema(AnswerSchema):
    """A token, without its secret."""

    id = fields.String(required=True)
    user_id = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(["session", "api"]))
    name = fields.String(required=True)
    created_at = Instant(required=True)
    expires_at = Instant(required=True)
    last_used_at = Instant(
        required=True, allow_none=True, metadata={"description": "to the hour, roughly"}
    )
    revoked_at = Instant(required=True, allow_none=True)


class TokenPageSchema(AnswerSchema):
    """A page of tokens."""

    items = fields.List(fields.Nested(TokenSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class TokenQuery(PageQuery):
    """Whose tokens to list."""

    user = fields.String(
        validate=validate.Length(max=64),
        metadata={"description": "a user's id, or `all`; absent: one's own"},
    )


class NewTokenSchema(WireSchema):
    """An API token to make."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=100))
    days = fields.Integer(
        strict=True,
        load_default=90,
        validate=validate.Range(min=1, max=MAX_TOKEN_LIFE.days),
        metadata={"description": "how long it works"},
    )
    user = fields.String(
        validate=validate.Length(max=64),
        metadata={"description": "the user it acts as; absent: oneself"},
    )


class IssuedTokenSchema(AnswerSchema):
    """A token with its secret, shown this once."""

    token = fields.String(required=True, metadata={"description": "keep it: it is not shown again"})
    expires_at = Instant(required=True)
    id = fields.String(required=True)
    user = fields.Nested(UserSchema, required=True)


class MeSchema(AnswerSchema):
    """Who one is and what one may do."""

    user = fields.Nested(UserSchema, required=True)
    token = fields.Nested(TokenSchema, required=True)
    actions = fields.List(
        fields.String(), required=True, metadata={"description": "allowed somewhere at least"}
    )


class AuditQuery(PageQuery):
    """Which records to list."""

    actor = fields.String(validate=validate.Length(max=200), metadata={"description": "id or name"})
    action = fields.String(
        validate=validate.Length(max=64),
        metadata={"description": "`entry.save`, or `entry` for all of its kind"},
    )
    subject = fields.String(
        validate=validate.Length(max=240), metadata={"description": "`entry`, or `entry/<id>`"}
    )
    since = Instant(metadata={"description": "inclusive"})
    until = Instant(metadata={"description": "exclusive"})


class AuditRecordSchema(AnswerSchema):
    """One change: who, what, when, from which revision."""

    id = fields.Integer(required=True)
    at = Instant(required=True)
    actor = fields.Function(
        lambda row: {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name},
        metadata={"type": "object"},
    )
    action = fields.String(required=True)
    subject = fields.Function(
        lambda row: f"{row.subject_type}/{row.subject_id}", metadata={"type": "string"}
    )
    revision = fields.Integer(
        required=True, allow_none=True, metadata={"description": "the change started from it"}
    )
    details = fields.Dict(required=True)


class AuditPageSchema(AnswerSchema):
    """A page of the audit trail."""

    items = fields.List(fields.Nested(AuditRecordSchema), required=True)
    next = fields.String(required=True, allow_none=True)
