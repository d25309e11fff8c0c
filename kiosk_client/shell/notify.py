"""What systemd is told: that the service is ready, and that it still lives.

The protocol of sd_notify(3): lines in one datagram to the socket that
`NOTIFY_SOCKET` names. Without that variable nothing is sent.
"""

from __future__ import annotations

import http.client
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

ANSWER_SECONDS = 10.0
"""A server that serves answers itself within this, however busy."""

log = logging.getLogger("kiosk_client.shell.notify")


def notify(*lines: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send `lines` to systemd; whether they went out. Never raises for want of a listener."""
    name = environment.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return False
    # "@" stands for the zero byte of an abstract address.
    address = "\0" + name[1:] if name.startswith("@") else name
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(1.0)
            sender.sendto("\n".join(lines).encode("utf-8"), address)
    except OSError as error:
        log.warning("systemd does not take notices at %s: %s", name, error)
        return False
    return True


def watchdog_seconds(environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds within which systemd wants a sign of life; None when it wants none of this process.

    `WATCHDOG_PID` is not compared: under cage the unit's main process is cage, and
    the unit says `NotifyAccess=all` for that.
    """
    try:
        found = int(environment.get("WATCHDOG_USEC", "")) / 1_000_000
    except ValueError:
        return None
    return found if found > 0 else None


def answers(address: str, *, seconds: float = ANSWER_SECONDS) -> bool:
    """Whether the screen's own server at `address` answers a request that costs it nothing.

    Its threads may all run and yet wait for each other: only an answer proves that it serves.
    """
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request("HEAD", "/default_page.css")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException) as error:
        log.error("the screen's own server does not answer: %s", error)
        return False
    finally:
        connection.close()


class Notifier:
    """Sends READY once, then a sign of life for as long as `alive` says so.

    A sign that stays away makes systemd end the whole service and start it anew:
    the outermost of the three rings.
    """

    def __init__(
        self, alive: Callable[[], bool], *, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._alive = alive
        self._environment = environment
        self._stop = threading.Event()
        wanted = watchdog_seconds(environment)
        # A third, so that one late sign is not the end.
        self.pause = wanted / 3 if wanted else None
        self._thread = threading.Thread(target=self._loop, name="notifier", daemon=True)

    def ready(self) -> None:
        """Say that the service is up, and go on saying that it lives."""
        notify("READY=1", environment=self._environment)
        if self.pause is not None:
            self._thread.start()

    def stop(self) -> None:
        """Say that the service ends; no sign of life follows."""
        self._stop.set()
        notify("STOPPING=1", environment=self._environment)

    def _loop(self) -> None:
        silent = False
        while True:
            if self._alive():
                notify("WATCHDOG=1", environment=self._environment)
                silent = False
            elif not silent:
                silent = True
                log.error("a part of this process has stopped: systemd is not told otherwise")
            if self._stop.wait(self.pause):
                return
