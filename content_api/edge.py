"""What every answer carries and every request must keep to, whatever feature it is for.

Request ids, security headers, the access log, and refusing U+0000, which PostgreSQL
cannot store and which nobody types.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from threading import Lock
from uuid import uuid4

from flask import Flask, Response, current_app, g, request

from content_api.problems import BadRequest, logged_path
from content_api.strict_json import kept_text

access_log = logging.getLogger("content_api.access")

PAGE_POLICY = (
    "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""For HTML that brings no policy of its own: nothing inline, nothing from elsewhere."""

DOCUMENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""For XML and SVG: a browser that opens one shows it, and runs nothing in it."""

HSTS_AGE = 31_536_000
"""Seconds (a year) that a browser keeps to https once it has seen it."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def init_app(app: Flask) -> None:
    """Make `app` keep to this on every request."""
    app.extensions["lampisterie_requests"] = RequestCount()
    app.before_request(_begin)
    # Flask calls these from the last to the first: registered first, ours see the final answer.
    app.after_request(_finish)


class RequestCount:
    """Answers since this process started, by class of status (`2xx`)."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter()

    def add(self, status: int) -> None:
        """Count one answer."""
        with self._lock:
            self._counts[f"{status // 100}xx"] += 1

    def totals(self) -> dict[str, int]:
        """The counts, as they are now."""
        with self._lock:
            return dict(self._counts)


def request_id(given: str) -> str:
    """The id that a client or proxy gave a request, if it is one, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _begin() -> None:
    g.request_id = request_id(request.headers.get("X-Request-ID", ""))
    g.request_began = time.monotonic()
    texts = [request.path, *request.args.keys()]
    texts += [value for values in request.args.listvalues() for value in values]
    if not all(kept_text(text) for text in texts):
        raise BadRequest("Expected a path and query without U+0000.")


def _finish(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-ID"] = g.get("request_id", "")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
    policy = _policy(response.mimetype or "")
    if policy:
        headers.setdefault("Content-Security-Policy", policy)
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", f"max-age={HSTS_AGE}")
    if request.path.startswith("/api/"):
        # no-transform: a proxy that compresses would weaken the ETags that saving relies on.
        headers.setdefault("Cache-Control", "private, no-cache, no-transform")
    count: RequestCount = current_app.extensions["lampisterie_requests"]
    count.add(response.status_code)
    _log(response)
    return response


def _policy(mimetype: str) -> str:
    if mimetype in ("text/html", "application/xhtml+xml"):
        return PAGE_POLICY
    if mimetype.endswith(("+xml", "/xml")):
        return DOCUMENT_POLICY
    return ""


def _log(response: Response) -> None:
    if not access_log.isEnabledFor(logging.INFO):
        return
    # The path alone: queries may hold what people searched for.
    actor = g.get("actor")
    access_log.info(
        "%s %s %d %.0fms %s %s",
        request.method,
        logged_path(),
        response.status_code,
        (time.monotonic() - g.get("request_began", time.monotonic())) * 1000,
        f"{actor.kind}:{actor.id}" if actor is not None else "-",
        g.get("request_id", "-"),
    )
