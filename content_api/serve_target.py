"""What a serving process runs: the app, its background jobs, and an eye on its parent.

Granian's worker imports this module; settings come by the environment, as anywhere.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from typing import Any

from content_api.app import create_app
from content_api.jobs import Jobs, send_alerts
from content_api.settings import load_settings

log = logging.getLogger(__name__)


def make_app() -> Any:
    """The server's WSGI application, with its jobs running."""
    _end_with_parent()
    settings = load_settings()
    app = create_app(settings)
    Jobs(settings).start()
    Jobs(settings, name="sending", work=send_alerts).start()
    buffer = app.extensions["lampisterie_heartbeats"]
    buffer.start()
    # Not atexit: a worker that was forked ends without it.
    Finalize(None, buffer.stop, exitpriority=1)
    return app


def _end_with_parent() -> None:
    # When the parent is killed hard nobody tells its workers; one that lived on would hold
    # the port against the next start.
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        log.warning("the main process is gone: stopping")
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(GRACE)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


GRACE = 10.0
"""Seconds that open answers get after the parent is gone."""
