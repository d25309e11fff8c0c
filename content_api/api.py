"""What every JSON route shares: who may call it, pages, preconditions, one error schema.

A route without a declared permission does not start: `Blueprint.requires` or
`Blueprint.public` must say who may call it, and a test walks all routes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import flask_smorest
from flask import Response, make_response, request
from marshmallow import EXCLUDE, Schema, fields, validate

from content_api.problems import (
    PROBLEM_TYPE,
    BadRequest,
    PreconditionFailed,
    PreconditionRequired,
    handle_http_exception,
)

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_PAGE = 200


class WireSchema(Schema):
    """Base of request schemas: a field we do not know is refused by name."""


class AnswerSchema(Schema):
    """Base of response schemas: fields may be added later without breaking clients."""

    class Meta:
        unknown = EXCLUDE


class FieldErrorSchema(AnswerSchema):
    """One thing wrong with a request or with content."""

    pointer = fields.String(metadata={"description": "JSON pointer to what is wrong"})
    scope = fields.String(metadata={"description": "language tag, or * for shared values"})
    code = fields.String()
    message = fields.String()


class ProblemSchema(AnswerSchema):
    """RFC 9457 problem."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True, metadata={"description": "stable; clients may test it"})
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldErrorSchema))


class PageQuery(WireSchema):
    """Query of a list: keyset pages, in a stable order."""

    cursor = fields.String(
        validate=validate.Length(max=500), metadata={"description": "`next` of the page before"}
    )
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=MAX_PAGE))


class Api(flask_smorest.Api):
    """flask-smorest's Api with our error shape."""

    ERROR_SCHEMA = ProblemSchema

    def handle_http_exception(self, error: Any) -> Response:
        """Answer in the one shape of all errors."""
        return handle_http_exception(error)


class Blueprint(flask_smorest.Blueprint):
    """A feature's routes; each says which action it needs or why it is public."""

    def requires(self, action: str) -> Callable[[Function], Function]:
        """Declare that a route needs `action`; the actor is checked before anything else."""

        def decorate(function: Function) -> Function:
            @wraps(function)
            def checked(*args: Any, **kwargs: Any) -> Any:
                from content_api.accounts.access import require_action

                require_action(action)
                return function(*args, **kwargs)

            checked._lampisterie_action = action  # type: ignore[attr-defined]
            return checked  # type: ignore[return-value]

        return decorate

    def public(self, why: str) -> Callable[[Function], Function]:
        """Declare that anyone may call a route, and why."""

        def decorate(function: Function) -> Function:
            function._lampisterie_public = why  # type: ignore[attr-defined]
            return function

        return decorate


def encode_cursor(key: Sequence[Any]) -> str:
    """An opaque cursor for the last row's sort key."""
    raw = json.dumps(list(key), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(text: str | None, length: int) -> list[Any] | None:
    """The sort key in a cursor, or None for the first page.

    Raises:
        BadRequest: not a cursor that this list gave out.
    """
    if not text:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise BadRequest("cursor: expected the `next` of an earlier page") from error
    if not isinstance(key, list) or len(key) != length:
        raise BadRequest("cursor: expected the `next` of an earlier page")
    if not all(isinstance(part, (str, int)) and "\x00" not in str(part) for part in key):
        raise BadRequest("cursor: expected the `next` of an earlier page")
    return key


def page_of(rows: list[Any], limit: int, key: Callable[[Any], Sequence[Any]]) -> dict[str, Any]:
    """A page of at most `limit` rows from a query that asked for `limit` + 1."""
    items = rows[:limit]
    following = encode_cursor(key(items[-1])) if len(rows) > limit else None
    return {"items": items, "next": following}


def expected_version(body_value: int | None, prefix: str) -> int:
    """The version a change starts from: `If-Match: "r7"`, or the body's value.

    A proxy that compresses weakens tags, so `W/"r7"` counts too.

    Raises:
        PreconditionRequired: neither is given.
        PreconditionFailed: the header names no version of ours.
    """
    header = request.headers.get("If-Match")
    if header:
        found = re.fullmatch(rf'\s*(?:W/)?"{prefix}(\d{{1,18}})"\s*', header)
        if not found:
            raise PreconditionFailed(f'If-Match: expected "{prefix}<version>", got {header[:60]!r}')
        return int(found[1])
    if body_value is None:
        raise PreconditionRequired(f'expected If-Match: "{prefix}<version>" or expected_rev')
    return body_value


def not_modified(tag: str) -> Response | None:
    """A 304 when the client already holds `tag` (weak comparison), else None."""
    given = request.headers.get("If-None-Match", "")
    tags = [part.strip().removeprefix("W/") for part in given.split(",")]
    if f'"{tag}"' not in tags and given.strip() != "*":
        return None
    response = make_response("", 304)
    response.headers["ETag"] = f'"{tag}"'
    response.headers["Cache-Control"] = "private, no-cache"
    return response


__all__ = [
    "PROBLEM_TYPE",
    "AnswerSchema",
    "Api",
    "Blueprint",
    "PageQuery",
    "ProblemSchema",
    "WireSchema",
    "decode_cursor",
    "encode_cursor",
    "expected_version",
    "not_modified",
    "page_of",
]
