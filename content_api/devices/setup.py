"""What the devices' routes find in a running app, and how many polls run at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import BoundedSemaphore
from typing import Any

from flask import Flask, current_app

from content_api.devices.heartbeats import HeartbeatBuffer

POLLS_AT_ONCE = 2
"""Polls that one process works on at the same time.

They keep the interpreter busy, hardly ever the disk, so more at once finish no sooner. But
each thread that is busy makes a save wait its turn after every single query: with sixteen of
them a save took a second that takes twenty milliseconds by itself.
"""

_POLLS = frozenset({("GET", "/api/v1/device"), ("POST", "/api/v1/device/heartbeats")})

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class PollGate:
    """Lets `POLLS_AT_ONCE` polls into the app; whatever else comes goes by."""

    def __init__(self, app: WSGI, at_once: int = POLLS_AT_ONCE) -> None:
        self._app = app
        self._free = BoundedSemaphore(at_once)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request."""
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) not in _POLLS:
            return self._app(environ, start_response)
        with self._free:
            return self._app(environ, start_response)


def init_app(app: Flask) -> None:
    """Give `app` its buffer of heartbeats and its gate; whoever serves it starts the thread."""
    engine = app.extensions["lampisterie_engine"]
    app.extensions["lampisterie_heartbeats"] = HeartbeatBuffer(engine)
    app.wsgi_app = PollGate(app.wsgi_app)  # type: ignore[method-assign]


def heartbeat_buffer() -> HeartbeatBuffer:
    """The running app's buffer."""
    found: HeartbeatBuffer = current_app.extensions["lampisterie_heartbeats"]
    return found
