"""What the devices' routes find in a running app."""

from __future__ import annotations

from flask import Flask, current_app

from content_api.devices.heartbeats import HeartbeatBuffer


def init_app(app: Flask) -> None:
    """Give `app` its buffer of heartbeats; whoever serves it starts the thread."""
    engine = app.extensions["lampisterie_engine"]
    app.extensions["lampisterie_heartbeats"] = HeartbeatBuffer(engine)


def heartbeat_buffer() -> HeartbeatBuffer:
    """The running app's buffer."""
    found: HeartbeatBuffer = current_app.extensions["lampisterie_heartbeats"]
    return found
