"""What every JSON route shares: who may call it, pages, preconditions, one error schema.

A route without a declared permission does not start: `Blueprint.requires`,
`Blueprint.signed_in` or `Blueprint.public` must say who may call it. What a route can
answer when it refuses follows from its declarations and is documented from them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import UTC
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar
from zoneinfo import available_timezones

import flask_smorest
from flask import Request, Response, make_response, request
from flask.views import MethodView
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from webargs import core
from webargs.flaskparser import FlaskParser, is_json_request
from werkzeug.routing import IntegerConverter

from content_api.problems import (
    PROBLEM_TYPE,
    BadRequest,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    UnsupportedMedia,
    handle_http_exception,
)
from content_api.strict_json import JSONRefused, kept_text, parse_json
from package_format.languages import is_language_tag
from package_format.layout import is_slug

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_PAGE = 200

MAX_ROW = 2**63 - 1
"""The largest number that the databases compare with."""

SECURITY_SCHEME = "bearerAuth"

_METHODS = ("get", "post", "put", "patch", "delete")


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


class Instant(fields.AwareDateTime):
    """A time with its zone, given back in UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        try:
            return found.astimezone(UTC)
        except OverflowError as error:
            # The first and last day of the calendar, from a zone that lies beyond it.
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error


class PageQuery(WireSchema):
    """Query of a list: keyset pages, in a stable order."""

    cursor = fields.String(
        validate=validate.Length(max=500), metadata={"description": "`next` of the page before"}
    )
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=MAX_PAGE))


class Integer(IntegerConverter):
    """A number in a path, small enough for every database's column: beyond it is nothing."""

    regex = r"\d{1,9}"


class JSONParser(FlaskParser):
    """webargs' parser with our reading of JSON."""

    def _raw_load_json(self, req: Request) -> Any:
        limit = req.max_content_length
        if limit is not None and (req.content_length or 0) > limit:
            raise TooLarge(f"Expected a body of at most {limit} bytes, got {req.content_length}.")
        raw = req.get_data(cache=True)
        if not raw:
            return core.missing
        if not is_json_request(req):
            raise UnsupportedMedia(
                f"Expected Content-Type: application/json, got {(req.mimetype or 'none')[:60]!r}."
            )
        try:
            return parse_json(raw)
        except JSONRefused as error:
            where = [{"pointer": error.pointer, "code": "invalid-json", "message": str(error)}]
            raise BadRequest(
                f"The body cannot be read: {error}.", errors=where if error.pointer else ()
            ) from error


class Api(flask_smorest.Api):
    """flask-smorest's Api with our error shape."""

    ERROR_SCHEMA = ProblemSchema
    # Every status a route may answer is named; a catch-all would hide the ones we forgot.
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: Any) -> Response:
        """Answer in the one shape of all errors."""
        return handle_http_exception(error)

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            described: dict[str, Any] = {"description": status.phrase}
            if status >= 400:
                described["content"] = {PROBLEM_TYPE: {"schema": self.ERROR_SCHEMA}}
            self.spec.components.response(status.name, described, lazy=True)
        self.spec.components.security_scheme(
            SECURITY_SCHEME,
            {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of `POST /api/v1/sessions` or `POST /api/v1/tokens`; "
                "a device's, of `POST /api/v1/enrolments`.",
            },
        )


class Blueprint(flask_smorest.Blueprint):
    """A feature's routes; each says which action it needs or why it is public."""

    ARGUMENTS_PARSER = JSONParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_document_operation)

    def requires(self, action: str) -> Callable[[Function], Function]:
        """Declare that a route needs `action`; the actor is checked before anything else."""

        def check() -> None:
            from content_api.accounts.access import require_action

            require_action(action)

        return lambda function: guarded(function, check, action=action)

    def signed_in(self, why: str) -> Callable[[Function], Function]:
        """Declare that any person with a valid token may call a route, and why no role is asked."""

        def check() -> None:
            from content_api.accounts.access import require_user

            require_user()

        return lambda function: guarded(function, check, signed_in=why)

    def public(self, why: str) -> Callable[[Function], Function]:
        """Declare that anyone may call a route, and why."""
        return lambda function: guarded(function, None, public=why)

    def versioned(self, function: Function) -> Function:
        """Document that a read has an ETag (304), or that a change names its version (412, 428)."""
        return _noting(function, versioned=True)

    def fails(self, *statuses: int) -> Callable[[Function], Function]:
        """Document refusals beyond those that follow from the other declarations."""
        return lambda function: _noting(function, fails=list(statuses))

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Any = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a route.

        Raises:
            TypeError: it does not say who may call it.
        """
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)
        functions = (
            [getattr(view_func, name.lower()) for name in view_func.methods or ()]
            if isinstance(view_func, type) and issubclass(view_func, MethodView)
            else [view_func]
        )
        for function in functions:
            if access_of(function) is None:
                raise TypeError(
                    f"{function.__qualname__} of {rule!r}: expected requires, signed_in or public"
                )
        whole = f"{self.url_prefix or ''}{rule}"
        for name, described in self._docs[self._endpoints[-1]].items():
            if name in _METHODS:
                described["rule"] = whole


def access_of(function: Any) -> dict[str, str] | None:
    """Who may call a view function: `action`, `signed_in` or `public`; None if it never said."""
    found: dict[str, str] | None = getattr(function, "_apidoc", {}).get("access")
    return found


def guarded(function: Function, check: Callable[[], None] | None, **access: str) -> Function:
    """`function` behind `check`, and what it says of who may call it for `access_of`."""

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if check is not None:
            check()
        return function(*args, **kwargs)

    # wraps() shares the notes of the function inside; ours are our own.
    checked._apidoc = {**deepcopy(getattr(function, "_apidoc", {})), "access": access}  # type: ignore[attr-defined]
    return checked  # type: ignore[return-value]


def _noting(function: Function, **notes: Any) -> Function:
    @wraps(function)
    def noted(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    noted._apidoc = {**deepcopy(getattr(function, "_apidoc", {})), **notes}  # type: ignore[attr-defined]
    return noted  # type: ignore[return-value]


def _document_operation(
    doc: dict[str, Any], notes: dict[str, Any], *, method: str, **_: Any
) -> dict[str, Any]:
    """Add what follows from a route's declarations: its id, who may call it, how it can refuse."""
    rule, access = notes.get("rule", ""), notes.get("access", {})
    doc["operationId"] = operation_id(method, rule)
    doc["security"] = [] if "public" in access else [{SECURITY_SCHEME: []}]
    refusals = {400, *notes.get("fails", ())}
    if "public" not in access:
        refusals |= {401, 403}
    if "<" in rule:
        refusals.add(404)
    if "requestBody" in doc:
        refusals |= {413, 415, 422}
    if method != "get":
        # Another writer may hold the database, or have taken the name a moment before.
        refusals |= {409, 503}
    if notes.get("versioned"):
        _document_version(doc, method, refusals)
    responses = doc.setdefault("responses", {})
    for status in list(responses):
        if str(status).isdigit() and int(status) >= 400:
            del responses[status]
            refusals.add(int(status))
    for status in sorted(refusals):
        responses[str(status)] = HTTPStatus(status).name
    return doc


def _document_version(doc: dict[str, Any], method: str, refusals: set[int]) -> None:
    if method == "get":
        doc.setdefault("responses", {})["304"] = HTTPStatus.NOT_MODIFIED.name
        header, meaning = "If-None-Match", "the ETag the client holds"
    else:
        refusals |= {412, 428}
        header, meaning = "If-Match", "the ETag of the version that the change starts from"
    doc.setdefault("parameters", []).append(
        {"in": "header", "name": header, "description": meaning, "schema": {"type": "string"}}
    )


def operation_id(method: str, rule: str) -> str:
    """A name for an operation that stays while its path does: `get_venues_by_venue_id`."""
    path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"by_\1", rule)
    return "_".join([method, *re.findall(r"[A-Za-z0-9]+", path)])


def check_slug(value: str) -> None:
    """A validator: words of a-z0-9 joined by `-`, as entries, packages and devices are named."""
    if not is_slug(value):
        raise ValidationError(f"Expected words of a-z0-9 joined by -, got {value[:80]!r}.")


def check_tag(value: str) -> None:
    """A validator: a language tag (BCP 47)."""
    if not is_language_tag(value):
        raise ValidationError(f"Expected a language tag such as fr or zh-Hans, got {value[:40]!r}.")


def check_timezone(value: str) -> None:
    """A validator: a time zone of the IANA database."""
    if value not in available_timezones():
        raise ValidationError(f"Expected a time zone such as Asia/Tokyo, got {value[:64]!r}.")


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
    if not all(_sort_key(part) for part in key):
        raise BadRequest("cursor: expected the `next` of an earlier page")
    return key


def _sort_key(part: Any) -> bool:
    if isinstance(part, str):
        return kept_text(part)
    return type(part) is int and abs(part) <= MAX_ROW


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
    "Instant",
    "Integer",
    "PageQuery",
    "ProblemSchema",
    "WireSchema",
    "access_of",
    "check_slug",
    "check_tag",
    "check_timezone",
    "decode_cursor",
    "encode_cursor",
    "expected_version",
    "guarded",
    "not_modified",
    "operation_id",
    "page_of",
]
