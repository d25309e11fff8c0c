"""What the devices' routes find in a running app, and how many polls run at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from threading import BoundedSemaphore
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from content_api.accounts.tokens import DEVICE_PREFIX, parse_bearer
from content_api.devices.heartbeats import HeartbeatBuffer
from content_api.devices.polls import find_known
from content_api.edge import RequestCount, access_log, request_id
from content_api.problems import ContentError

POLLS_AT_ONCE = 2
"""Polls that one process works on at the same time.

They keep the interpreter busy, hardly ever the disk, so more at once finish no sooner. But
each thread that is busy makes a save wait its turn after every single query: with sixteen of
them a save took a second that takes twenty milliseconds by itself.
"""

_POLLS = frozenset({("GET", "/api/v1/device"), ("POST", "/api/v1/device/heartbeats")})

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

Shortcut = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes] | None]


class PollGate:
    """Lets `POLLS_AT_ONCE` polls into the app; whatever else comes goes by.

    `shortcut` may answer a poll itself; what it leaves (None) the app answers.
    """

    def __init__(
        self, app: WSGI, shortcut: Shortcut | None = None, at_once: int = POLLS_AT_ONCE
    ) -> None:
        self._app = app
        self._shortcut = shortcut
        self._free = BoundedSemaphore(at_once)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request."""
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) not in _POLLS:
            return self._app(environ, start_response)
        with self._free:
            answer = self._shortcut(environ, start_response) if self._shortcut else None
            return self._app(environ, start_response) if answer is None else answer


class Unchanged:
    """Answers the poll of a device whose assignment is as it was: 304, as the app would.

    That is nearly every poll there is. Without the framework it costs a fifth. Whatever is
    out of the ordinary is left to the app: no ETag or an old one, a token that is unknown or
    revoked, a database that does not answer, an access log that wants its line.
    """

    def __init__(self, engine: Engine, count: RequestCount) -> None:
        self._engine = engine
        self._count = count

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes] | None:
        """The answer, or None for the app to give it."""
        tag = environ.get("HTTP_IF_NONE_MATCH")
        token = parse_bearer(environ.get("HTTP_AUTHORIZATION", ""))
        if environ["REQUEST_METHOD"] != "GET" or not tag or environ.get("QUERY_STRING"):
            return None
        if not (token or "").startswith(DEVICE_PREFIX) or access_log.isEnabledFor(logging.INFO):
            return None
        try:
            known = find_known(self._engine, str(token))
        except (ContentError, OperationalError):
            return None
        if known is None or tag.removeprefix("W/") != f'"a{known.assignment_version}"':
            return None
        self._count.add(304)
        headers = [
            ("ETag", f'"a{known.assignment_version}"'),
            ("Cache-Control", "private, no-cache"),
            ("X-Request-ID", request_id(environ.get("HTTP_X_REQUEST_ID", ""))),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ]
        start_response("304 NOT MODIFIED", headers)
        return [b""]


def init_app(app: Flask) -> None:
    """Give `app` its buffer of heartbeats and its gate; whoever serves it starts the thread."""
    engine = app.extensions["lampisterie_engine"]
    app.extensions["lampisterie_heartbeats"] = HeartbeatBuffer(engine)
    shortcut = Unchanged(engine, app.extensions["lampisterie_requests"])
    app.wsgi_app = PollGate(app.wsgi_app, shortcut)  # type: ignore[method-assign]


def heartbeat_buffer() -> HeartbeatBuffer:
    """The running app's buffer."""
    found: HeartbeatBuffer = current_app.extensions["lampisterie_heartbeats"]
    return found
