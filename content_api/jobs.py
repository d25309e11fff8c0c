"""Work that waits for its hour, in background threads of the serving process.

The database and the signed metadata say what is due; these threads only ask them. So a
process that dies loses nothing: the next one to start asks the same question. Of several
processes that share the data directory one works at a time, by a file lock.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine

from content_api.database import open_engine, read_session, utc_now, write_session
from content_api.devices.alerts import look, send_due
from content_api.devices.orders import expire_orders, has_expired_orders
from content_api.devices.pruning import has_old_rows, prune
from content_api.devices.rollouts import advance
from content_api.devices.screenshots import SCREENSHOT_AGE, drop_old
from content_api.packages.schedule import publish_due
from content_api.problems import ContentError
from content_api.repository.service import refresh
from content_api.settings import Settings

log = logging.getLogger(__name__)

PERIOD = 15.0
"""Seconds between two looks: a scheduled release is at most this late."""

Work = Callable[[Engine, Settings, datetime], list[str]]


def run_due(engine: Engine, settings: Settings, now: datetime) -> list[str]:
    """Do everything that is due at `now`; what was done, a line each.

    One task that fails does not keep the others from being done.
    """
    done: list[str] = []
    tasks: tuple[tuple[str, Callable[[], list[str]]], ...] = (
        ("scheduled releases", lambda: publish_due(engine, settings, now)),
        ("signatures", lambda: [f"signed {role}" for role in refresh(settings, now)]),
        ("rollouts", lambda: advance(engine, now)),
        ("alerts", lambda: look(engine, settings, now)),
        ("orders", lambda: _expire_orders(engine, now)),
        ("pruning", lambda: _prune(engine, now, settings.plays_days)),
        ("screenshots", lambda: _drop_screenshots(settings, now)),
    )
    for name, task in tasks:
        try:
            done += task()
        except ContentError as error:
            log.error("%s: %s", name, error.message)
        except Exception:
            # A fault of ours in one task must not stop the daily signature.
            log.exception("%s failed", name)
    return done


def send_alerts(engine: Engine, settings: Settings, now: datetime) -> list[str]:
    """Send the alerts that wait: work of a thread of its own, for it waits on others' servers."""
    try:
        return send_due(engine, settings, now)
    except Exception:
        log.exception("sending alerts failed")
        return []


class Jobs:
    """A background thread that does `work`; `stop` ends it after the task it is at.

    `name` is that of its lock: of several processes one at a time does the work of a name.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        period: float = PERIOD,
        name: str = "jobs",
        work: Work = run_due,
    ) -> None:
        self._settings = settings
        self._period = period
        self._name = name
        self._work = work
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first look is at once, so that signatures are fresh from the start."""
        self._thread.start()

    def stop(self, *, wait: float = 30.0) -> None:
        """End the thread, waiting up to `wait` seconds for what it is doing."""
        self._stopping.set()
        self._thread.join(wait)

    @property
    def running(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def _run(self) -> None:
        # An engine of its own: connections must not cross from the process that forked.
        engine = open_engine(self._settings.database_url)
        try:
            while not self._stopping.is_set():
                with _only_worker(self._settings, self._name) as chosen:
                    if chosen:
                        for line in self._work(engine, self._settings, utc_now()):
                            log.info(line)
                self._stopping.wait(self._period)
        finally:
            engine.dispose()


@contextmanager
def _only_worker(settings: Settings, name: str) -> Iterator[bool]:
    settings.locks_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(settings.locks_dir / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            chosen = True
        except BlockingIOError:
            chosen = False
        yield chosen
    finally:
        os.close(handle)


def _prune(engine: Engine, now: datetime, plays_days: int) -> list[str]:
    # Asked by reading first: a write transaction every few seconds would be in editors' way.
    with read_session(engine) as session:
        if not has_old_rows(session, now, plays_days=plays_days):
            return []
    with write_session(engine) as session:
        removed = prune(session, now, plays_days=plays_days)
    return [f"pruned {removed} old rows"]


def _expire_orders(engine: Engine, now: datetime) -> list[str]:
    with read_session(engine) as session:
        if not has_expired_orders(session, now):
            return []
    with write_session(engine) as session:
        return [f"{expire_orders(session, now)} orders expired"]


def _drop_screenshots(settings: Settings, now: datetime) -> list[str]:
    removed = drop_old(settings, (now - SCREENSHOT_AGE).timestamp())
    return [f"removed {removed} old screenshots"] if removed else []
