"""`kiosk-client run`: serve the screen, poll the server, report, stop when told.

Serving never waits for the network: polling lives in a thread of its own, and
every failure there is written down, reported when possible, and tried again.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from types import FrameType
from typing import Any

from kiosk_client.config import DataDir, load_assignment, load_device
from kiosk_client.durable import read_json, write_json
from kiosk_client.errors import DeviceRefused, KioskError, from_os_error
from kiosk_client.facts import heartbeat_facts
from kiosk_client.health import Disk, DiskWatch
from kiosk_client.scrub import Background
from kiosk_client.server import Kiosk
from kiosk_client.watcher import Progress

POLL_SECONDS = 300.0
LONGEST_POLL_SECONDS = 3600.0
QUEUE = 48
"""Heartbeats kept while offline: enough to see when a device went silent and why."""

log = logging.getLogger("kiosk_client.agent")


def poll_pause(interval: float, failures: int, chance: float) -> float:
    """Seconds until the next poll, from `chance` (0 to 1).

    A fifth of jitter either way, so that a hall of screens does not ask at
    once; doubled for each failure in a row, up to an hour.
    """
    pause = interval * float(2 ** min(failures, 10))
    return min(pause, max(interval, LONGEST_POLL_SECONDS)) * (0.8 + 0.4 * chance)


def queue_heartbeat(waiting: list[dict[str, Any]], facts: dict[str, Any]) -> list[dict[str, Any]]:
    """`waiting` with `facts` at its end, the oldest dropped beyond the bound."""
    return [*waiting, facts][-QUEUE:]


class Agent:
    """The polling half of `run`. One thread; `stop` ends it, also in a transfer.

    A second thread reads the disk for rot, except while `busy` says that somebody visits.
    """

    def __init__(
        self,
        data: DataDir,
        *,
        interval: float = POLL_SECONDS,
        now: Callable[[], datetime] | None = None,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._data = data
        self._interval = interval
        self._now = now
        self._stop = threading.Event()
        self._disk = DiskWatch(data.root)
        self._scrub = Background(data, busy=busy)
        self._thread = threading.Thread(target=self._loop, name="agent", daemon=True)

    def start(self) -> None:
        """Begin polling."""
        self._thread.start()
        self._scrub.start()

    def stop(self) -> None:
        """End polling, also amid a transfer; what arrived stays."""
        self._stop.set()
        self._scrub.stop()
        # A thread that waits for a silent server is left behind: nothing it does needs an end.
        self._thread.join(timeout=5)

    def _loop(self) -> None:
        failures = 0
        # Exhibits boot together after a power cut; jitter spares the uplink.
        pause = random.random() * min(5.0, self._interval)
        while not self._stop.wait(pause):
            try:
                again = self.poll()
                failures = 0
            except KioskError as error:
                again = False
                failures += 1
                log.warning("%s: %s", error.code, error)
            except Exception:
                # The screen goes on whatever this thread meets.
                again = False
                failures += 1
                log.exception("the poll failed in a way nobody foresaw")
            pause = 0.0 if again else poll_pause(self._interval, failures, random.random())

    def poll(self) -> bool:
        """One sync and one heartbeat; whether the assignment has changed meanwhile.

        Raises:
            KioskError: the sync failed; the heartbeat said so, or waits to.
        """
        # Here, so that serving starts before python-tuf is read from a slow card.
        from kiosk_client.network import load_network
        from kiosk_client.sync import sync, utc_now
        from kiosk_client.wire import Wire

        now = self._now or utc_now
        wire = Wire(cancel=self._stop, network=load_network(self._data), now=now)
        failed: KioskError | None = None
        progress = Progress(lambda: self._tell(wire, now(), progress.now), self._interval)
        coming = None
        try:
            try:
                result = sync(self._data, wire, watcher=progress, now=now, trigger="poll")
                if result.outcome != "unchanged":
                    log.info("%s release %s", result.outcome, result.release)
            except KioskError as error:
                failed = error
                coming = progress.now
            if self._stop.is_set():
                return False
            version = self._report(wire, now(), coming)
        finally:
            wire.close()
        if failed is not None:
            raise failed
        known = load_assignment(self._data)
        return version is not None and (known is None or known.version != version)

    def _tell(self, wire: Any, now: datetime, coming: dict[str, Any] | None) -> None:
        """Report amid a transfer; what goes wrong with that must not end the transfer."""
        if self._stop.is_set():
            return
        try:
            self._report(wire, now, coming)
        except (KioskError, OSError) as error:
            log.info("heartbeat waits: %s", error)

    def _disk_now(self, now: datetime) -> Disk | None:
        try:
            return self._disk.look(now)
        except OSError:
            # The facts meet the same refusal, and tell it.
            return None

    def _report(self, wire: Any, now: datetime, coming: dict[str, Any] | None = None) -> int | None:
        """Send this heartbeat and those that wait, oldest first; keep what does not go through."""
        from kiosk_client.enrol import send_heartbeat

        waiting = read_json(self._data.queue)
        waiting = waiting if isinstance(waiting, list) else []
        facts = heartbeat_facts(self._data, now, coming, disk=self._disk_now(now))
        queued = queue_heartbeat(waiting, facts)
        version = None
        sent = 0
        try:
            device = load_device(self._data)
            for facts in queued:
                version = send_heartbeat(wire, device, facts)
                sent += 1
        except DeviceRefused as error:
            # Refused facts will be refused again; keeping them helps nobody.
            sent = len(queued)
            log.warning("%s: %s", error.code, error)
        except KioskError as error:
            log.info("heartbeat waits: %s", error)
        left = queued[sent:]
        if left != waiting:
            try:
                write_json(self._data.queue, left)
            except OSError as error:
                log.warning("%s", from_os_error(error))
        return version


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections at `host` and `port`; 0 picks a free port.

    Raises:
        KioskError: the port is taken, not allowed, or no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise KioskError(
            f"expected to serve at {host} port {port}, got: {error.strerror}: "
            "choose another with --port"
        ) from error
    # A film is read in pieces as large as this buffer, and loopback's own is megabytes.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 * 1024)
    return found


def serve(
    data: DataDir,
    *,
    host: str,
    port: int,
    agent: Agent | None = None,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the screen until SIGTERM or SIGINT; polls as well when given an `agent`.

    `ready` is told the address once connections are taken. Port 0 picks a free one.

    Raises:
        KioskError: the port is taken or not allowed.
    """
    from waitress.server import create_server

    listening = listen(host, port)
    server = create_server(
        Kiosk(data),
        sockets=[listening],
        threads=4,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    address, taken = listening.getsockname()[:2]

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    if agent is not None:
        agent.start()
    try:
        ready(f"http://{f'[{address}]' if ':' in address else address}:{taken}/")
        server.run()
    except SystemExit:
        pass
    finally:
        # A second signal must not cut the shutdown short.
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        if agent is not None:
            agent.stop()
        server.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    log.info("stopped, process %d", os.getpid())
