"""What systemd is told: that the service is ready, and that it still lives.

The protocol of sd_notify(3): lines in one datagram to the socket that
`NOTIFY_SOCKET` names. Without that variable nothing is sent.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping

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
