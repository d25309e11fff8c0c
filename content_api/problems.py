"""Errors we raise on purpose, and the one place that turns them into HTTP answers.

Services raise the classes below and know nothing of HTTP. Every error leaves as
`application/problem+json` (RFC 9457) with a stable `code` that clients may test.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import werkzeug.exceptions
from flask import Flask, Response, current_app, request
from sqlalchemy.exc import IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"

_SECRET_PLACE = re.compile(r"\A(/preview/|/studio/link/)[^/]+")


class ContentError(Exception):
    """Base of the errors we raise on purpose. The message is one plain sentence for a person."""

    code = "content-error"
    status = HTTPStatus.BAD_REQUEST

    def __init__(
        self,
        message: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.errors = list(errors)
        self.details = dict(details or {})
        self.headers = dict(headers or {})


class NotFound(ContentError):
    """There is no such thing, or not for this actor."""

    code = "not-found"
    status = HTTPStatus.NOT_FOUND


class Conflict(ContentError):
    """The state does not allow it."""

    code = "conflict"
    status = HTTPStatus.CONFLICT


class PreconditionFailed(ContentError):
    """The thing has changed since the version the client names."""

    code = "precondition-failed"
    status = HTTPStatus.PRECONDITION_FAILED


class PreconditionRequired(ContentError):
    """A change must say which version it starts from."""

    code = "precondition-required"
    status = HTTPStatus.PRECONDITION_REQUIRED


class Refused(ContentError):
    """The request is well-formed but what it says is not allowed."""

    code = "refused"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class BadRequest(ContentError):
    """The request cannot be read."""

    code = "bad-request"
    status = HTTPStatus.BAD_REQUEST


class Unauthenticated(ContentError):
    """No valid token came with the request."""

    code = "unauthenticated"
    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, message: str, **more: Any) -> None:
        more.setdefault("headers", {"WWW-Authenticate": "Bearer"})
        super().__init__(message, **more)


class Forbidden(ContentError):
    """The actor is known but may not do this."""

    code = "forbidden"
    status = HTTPStatus.FORBIDDEN


class TooLarge(ContentError):
    """More bytes, pixels or items than allowed."""

    code = "too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMedia(ContentError):
    """The bytes are of a kind that is not taken."""

    code = "unsupported-media"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class RateLimited(ContentError):
    """Too many tries; `Retry-After` says how many seconds to wait."""

    code = "rate-limited"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, message: str, *, retry_after: int, **more: Any) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)}, **more)


class NotReady(ContentError):
    """The server cannot do it now, and may later."""

    code = "not-ready"
    status = HTTPStatus.SERVICE_UNAVAILABLE


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An RFC 9457 answer; `details` become members beside the standard ones."""
    body: dict[str, Any] = {
        **(details or {}),
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    response = current_app.response_class(
        current_app.json.dumps(body), status=status, content_type=PROBLEM_TYPE
    )
    response.headers.extend(dict(headers or {}))
    response.headers["Cache-Control"] = "no-store"
    return response


def handle_content_error(error: ContentError) -> Response:
    """Answer for an error raised on purpose."""
    return problem(
        error.status,
        error.code,
        error.message,
        errors=error.errors,
        details=error.details,
        headers=error.headers,
    )


def handle_http_exception(error: HTTPException) -> Response:
    """Answer for werkzeug's and webargs' errors, keeping headers such as Allow."""
    status = error.code or 500
    phrase = HTTPStatus(status).phrase
    messages = getattr(error, "data", {}).get("messages") if hasattr(error, "data") else None
    headers = {
        name: value
        for name, value in error.get_headers(request.environ)
        if name.lower() not in ("content-type", "content-length")
    }
    if messages:
        return problem(
            status,
            "invalid",
            "The request does not have the expected form: see errors.",
            errors=list(field_errors(messages)),
            headers=headers,
        )
    if type(error) is werkzeug.exceptions.NotFound:
        return problem(404, "not-found", f"There is nothing at {request.path[:200]}.")
    return problem(
        status,
        phrase.lower().replace(" ", "-").replace("'", ""),
        error.description or phrase,
        headers=headers,
    )


def handle_database_away(error: OperationalError) -> Response:
    """The database is held by another writer or cannot be reached: ask the client to come again."""
    log.warning("database: %s", error.orig)
    if "locked" in str(error.orig).lower():
        return problem(
            503, "busy", "The database is busy; try again.", headers={"Retry-After": "2"}
        )
    return problem(
        503, "database-away", "The database cannot be reached.", headers={"Retry-After": "10"}
    )


def handle_integrity(error: IntegrityError) -> Response:
    """What the database never allows and no check before could see: another was first."""
    log.info("refused by the database: %s", error.orig)
    return problem(
        409, "conflict", "It clashes with something that exists or is still used; read it again."
    )


def handle_unexpected(error: Exception) -> Response:
    """Answer for a fault of ours: logged whole, told without detail."""
    log.error("%s %s failed", request.method, logged_path(), exc_info=error)
    return problem(500, "internal-error", "The server made a mistake; it has been logged.")


def logged_path() -> str:
    """The request's path for a log, without the secret of a link that opens for its holder."""
    return _SECRET_PLACE.sub(r"\1***", request.path).encode("unicode_escape").decode("ascii")[:300]


def init_app(app: Flask) -> None:
    """Make every error of `app` leave in one shape."""
    app.register_error_handler(ContentError, handle_content_error)
    app.register_error_handler(HTTPException, handle_http_exception)
    app.register_error_handler(OperationalError, handle_database_away)
    app.register_error_handler(IntegrityError, handle_integrity)
    app.register_error_handler(Exception, handle_unexpected)


def field_errors(messages: Any, pointer: str = "") -> Any:
    # webargs nests its messages by location and field: {"json": {"title": ["Missing…"]}}
    if isinstance(messages, Mapping):
        for key, value in messages.items():
            step = "" if not pointer and key in ("json", "query", "path", "headers") else f"/{key}"
            yield from field_errors(value, pointer + step if step else pointer)
    elif isinstance(messages, list):
        for value in messages:
            yield from field_errors(value, pointer)
    else:
        yield {"pointer": pointer or "/", "code": "invalid", "message": str(messages)}
