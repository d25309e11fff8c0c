"""What the devices' routes find in a running app, and how many polls run at once."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from io import BytesIO
from threading import BoundedSemaphore
from typing import Any

from flask import Flask, current_app
from marshmallow import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from content_api.accounts.tokens import DEVICE_PREFIX, parse_bearer
from content_api.database import utc_now
from content_api.devices.heartbeats import Beat, HeartbeatBuffer
from content_api.devices.polls import Known, find_known
from content_api.devices.schemas import HEARTBEAT
from content_api.edge import RequestCount, access_log, request_id
from content_api.problems import ContentError
from content_api.strict_json import JSONRefused, parse_json

POLLS_AT_ONCE = 2
"""Polls that one process works on at the same time.

They keep the interpreter busy, hardly ever the disk, so more at once finish no sooner. But
each thread that is busy makes a save wait its turn after every single query: with sixteen of
them a save took a second that takes twenty milliseconds by itself.
"""

_POLLS = frozenset({("GET", "/api/v1/device"), ("POST", "/api/v1/device/heartbeats")})

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

SHORT_REPORT = 65_536
"""Bytes of a report that is read without the framework."""

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


class Shortcuts:
    """Answers the polls that tell nothing new, as the app would: nearly every one there is.

    Without the framework both halves of a poll cost a third. Whatever is out of the ordinary
    is left to the app: no ETag or an old one, a token that is unknown or revoked, a report
    of another form, an order that waits, a database that does not answer, an access log
    that wants its line.
    """

    def __init__(self, engine: Engine, heartbeats: HeartbeatBuffer, count: RequestCount) -> None:
        self._engine = engine
        self._heartbeats = heartbeats
        self._count = count

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes] | None:
        """The answer, or None for the app to give it."""
        if environ.get("QUERY_STRING") or access_log.isEnabledFor(logging.INFO):
            return None
        if environ["REQUEST_METHOD"] == "POST":
            return self._note(environ, start_response)
        tag = environ.get("HTTP_IF_NONE_MATCH", "").removeprefix("W/")
        known = self._known(environ) if tag else None
        if known is None or tag != f'"a{known.assignment_version}"':
            return None
        headers = [("ETag", tag), ("Cache-Control", "private, no-cache")]
        return self._answer(environ, start_response, "304 NOT MODIFIED", headers, b"")

    def _note(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes] | None:
        length = environ.get("CONTENT_LENGTH", "")
        plain = environ.get("CONTENT_TYPE") == "application/json"
        if not plain or not length.isdecimal() or not 0 < int(length) <= SHORT_REPORT:
            return None
        known = self._known(environ) if self._heartbeats.running else None
        if known is None or known.has_orders:
            return None
        raw = environ["wsgi.input"].read(int(length))
        # What we leave to the app it reads again.
        environ["wsgi.input"] = BytesIO(raw)
        if len(raw) != int(length):
            return None
        try:
            body = HEARTBEAT.load(parse_json(raw))
        except (JSONRefused, ValidationError):
            return None
        self._heartbeats.add(Beat(known.id, utc_now(), body))
        said = {"assignment_version": known.assignment_version, "orders": []}
        text = json.dumps(said, separators=(",", ":")).encode() + b"\n"
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(text))),
            ("Cache-Control", "private, no-cache, no-transform"),
        ]
        return self._answer(environ, start_response, "202 ACCEPTED", headers, text)

    def _known(self, environ: dict[str, Any]) -> Known | None:
        token = parse_bearer(environ.get("HTTP_AUTHORIZATION", ""))
        if token is None or not token.startswith(DEVICE_PREFIX):
            return None
        try:
            return find_known(self._engine, token)
        except (ContentError, OperationalError):
            return None

    def _answer(
        self,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
        status: str,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> Iterable[bytes]:
        self._count.add(int(status[:3]))
        always = [
            ("X-Request-ID", request_id(environ.get("HTTP_X_REQUEST_ID", ""))),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ]
        start_response(status, [*headers, *always])
        return [body]


def init_app(app: Flask) -> None:
    """Give `app` its buffer of heartbeats and its gate; whoever serves it starts the thread."""
    engine = app.extensions["lampisterie_engine"]
    heartbeats = HeartbeatBuffer(engine)
    app.extensions["lampisterie_heartbeats"] = heartbeats
    shortcuts = Shortcuts(engine, heartbeats, app.extensions["lampisterie_requests"])
    app.wsgi_app = PollGate(app.wsgi_app, shortcuts)  # type: ignore[method-assign]


def heartbeat_buffer() -> HeartbeatBuffer:
    """The running app's buffer."""
    found: HeartbeatBuffer = current_app.extensions["lampisterie_heartbeats"]
    return found
