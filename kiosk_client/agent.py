"""`kiosk-client run`: poll the server, report, do what it asks; and serving the screen beside it.

Serving never waits for the network: polling lives in a thread of its own, and
every failure there is written down, reported when possible, and tried again.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import FrameType
from typing import Any

from kiosk_client.activator import Activator, serving
from kiosk_client.config import DataDir, load_assignment, load_device, save_assignment
from kiosk_client.durable import read_json, write_json
from kiosk_client.errors import DeviceRefused, KioskError, from_os_error
from kiosk_client.facts import clock, heartbeat_facts
from kiosk_client.health import Disk, DiskWatch
from kiosk_client.network import load_network
from kiosk_client.orders import Do, Order, Orders
from kiosk_client.page import PageWatch
from kiosk_client.plays import Plays
from kiosk_client.programme import opening
from kiosk_client.reports import queue_heartbeat
from kiosk_client.scrub import Background
from kiosk_client.server import Application, Kiosk
from kiosk_client.shell import Shell
from kiosk_client.shell.notify import Notifier, answers
from kiosk_client.shell.shell import Hours, Sight
from kiosk_client.watcher import Progress

POLL_SECONDS = 300.0
LONGEST_POLL_SECONDS = 3600.0
ASK_SECONDS = 3600.0

log = logging.getLogger("kiosk_client.agent")

Technicians = Callable[[DataDir, Callable[[], Shell | None]], Application | None]
"""Makes the technician's page of a device, told how to find what watches the browser."""


def poll_pause(interval: float, failures: int, chance: float) -> float:
    """Seconds until the next poll, from `chance` (0 to 1).

    A fifth of jitter either way, so that a hall of screens does not ask at
    once; doubled for each failure in a row, up to an hour.
    """
    pause = interval * float(2 ** min(failures, 10))
    return min(pause, max(interval, LONGEST_POLL_SECONDS)) * (0.8 + 0.4 * chance)


@dataclass(frozen=True, slots=True)
class Screen:
    """What serves and watches the screen in this process. Without a browser there is no `shell`."""

    application: Kiosk
    watch: PageWatch
    activator: Activator
    plays: Plays
    shell: Shell | None = None

    def facts(self) -> dict[str, Any]:
        """What a heartbeat tells of the browser, the page and the venue's hours."""
        page = self.watch.state()
        seen = page.seen_seconds_ago
        browser = self.shell.facts() if self.shell else {"browser": "absent", "restarts": 0}
        return {
            "shell": {
                **browser,
                "page_seen_seconds": None if seen is None else round(seen),
                "screen": page.screen,
                "heap": page.heap_bytes,
            },
            "open": self.application.showing.is_open(),
        }


class Agent:
    """The polling half of `run`. One thread; `stop` ends it, also in a transfer.

    A second thread reads the disk for rot, except while somebody visits: `busy` says
    so, or the screen's page once `attach` was told of it.
    """

    def __init__(
        self,
        data: DataDir,
        *,
        interval: float = POLL_SECONDS,
        now: Callable[[], datetime] | None = None,
        busy: Callable[[], bool] | None = None,
    ) -> None:
        self._data = data
        self._interval = interval
        self._now = now
        self._busy = busy
        self._screen: Screen | None = None
        self._restart: Callable[[], None] | None = None
        self._stop = threading.Event()
        self._confirmed: int | None = None
        self._asked_at = -ASK_SECONDS
        self._disk = DiskWatch(data.root)
        self._orders: Orders | None = None
        self._scrub = Background(data, busy=self._is_busy)
        self._thread = threading.Thread(target=self._loop, name="agent", daemon=True)

    def attach(self, screen: Screen, restart: Callable[[], None]) -> None:
        """Know the screen that this process serves, and how to start this process anew."""
        self._screen = screen
        self._restart = restart

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

    @property
    def alive(self) -> bool:
        """Whether it polls, as it must between `start` and `stop`."""
        return self._thread.is_alive()

    def _is_busy(self) -> bool:
        if self._busy is not None:
            return self._busy()
        return self._screen is not None and not self._screen.watch.state().idle

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
        """One sync, one heartbeat, and what its answer asks for; whether to poll again at once.

        Raises:
            KioskError: the sync failed; the heartbeat said so, or waits to.
        """
        # Here, so that serving starts before an HTTP library is read from a slow card.
        from kiosk_client.wire import Wire

        now = self._clock()
        wire = Wire(cancel=self._stop, network=load_network(self._data), now=now)
        failed: KioskError | None = None
        progress = Progress(lambda: self._tell(wire, now(), progress.now), self._interval)
        try:
            coming = None
            try:
                self._sync(wire, "poll", progress)
            except KioskError as error:
                failed = error
                coming = progress.now
            if self._stop.is_set():
                return False
            version = self._confirmed = self._report(wire, now(), coming)
            self._send_plays(wire)
            worked = self._work(wire)
            if worked and not self._stop.is_set():
                # Whoever gave an order waits to see what came of it.
                version = self._report(wire, now(), None)
        finally:
            wire.close()
        if failed is not None:
            raise failed
        known = load_assignment(self._data)
        return version is not None and (known is None or known.version != version)

    def _clock(self) -> Callable[[], datetime]:
        # As `poll`: this reads python-tuf.
        from kiosk_client.sync import utc_now

        return self._now or utc_now

    def _sync(self, wire: Any, trigger: str, progress: Progress | None = None) -> str:
        """One sync; what it came to, in a few words."""
        from kiosk_client.discovery import find_relays
        from kiosk_client.sync import sync

        result = sync(
            self._data,
            wire,
            watcher=progress,
            now=self._clock(),
            discovery=find_relays,
            trigger=trigger,
            confirmed=self._confirmed_version() if trigger == "poll" else None,
        )
        words = f"{result.outcome}: {result.package} release {result.release}"
        if result.outcome != "unchanged":
            log.info("%s", words)
        return f"{words} ({result.message})" if result.message else words

    def _confirmed_version(self) -> int | None:
        """The assignment's version by the last heartbeat's answer, but for one poll an hour.

        That asks for itself, and for the server's time.
        """
        if time.monotonic() - self._asked_at >= ASK_SECONDS:
            self._asked_at = time.monotonic()
            return None
        return self._confirmed

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
        more = self._screen.facts() if self._screen else None
        facts = heartbeat_facts(self._data, now, coming, disk=self._disk_now(now), more=more)
        queued = queue_heartbeat(waiting, facts)
        answered = None
        sent = 0
        try:
            device = load_device(self._data)
            for each in queued:
                answered = send_heartbeat(wire, device, dict(each))
                sent += 1
        except DeviceRefused as error:
            # Refused facts will be refused again; keeping them helps nobody.
            sent = len(queued)
            log.warning("%s: %s", error.code, error)
        except KioskError as error:
            log.info("heartbeat waits: %s", error)
        left = queued[sent:]
        try:
            if left != waiting:
                write_json(self._data.queue, left)
            if answered is not None:
                self._known_orders().receive(answered.orders)
        except OSError as error:
            log.warning("%s", from_os_error(error))
        return answered.version if answered else None

    def _send_plays(self, wire: Any) -> None:
        """Report what was shown; it waits where nobody takes it."""
        from kiosk_client.enrol import send_plays

        if self._screen is None:
            return
        device = load_device(self._data)

        def send(batch: str, rows: list[dict[str, Any]]) -> None:
            if not send_plays(wire, device, batch, rows):
                log.warning("the server does not take %d rows of what was shown", len(rows))

        try:
            self._screen.plays.send(send)
        except KioskError as error:
            log.info("what was shown is told later: %s", error)
        except OSError as error:
            log.warning("%s", from_os_error(error))

    # Orders

    def _known_orders(self) -> Orders:
        if self._orders is None:
            self._orders = Orders(self._data)
        return self._orders

    def _work(self, wire: Any) -> bool:
        """Do what the fleet asked for; whether anything was."""
        from kiosk_client.enrol import tell_order

        orders = self._known_orders()
        if not orders.open:
            return False
        device = load_device(self._data)

        def tell(number: int, state: str, message: str | None) -> None:
            tell_order(wire, device, number, state, message)

        try:
            orders.work(self._does(wire), tell)
        except OSError as error:
            log.warning("orders wait: %s", from_os_error(error))
        return True

    def _does(self, wire: Any) -> dict[str, Do]:
        return {
            "sync": lambda order: self._sync(wire, "order"),
            "verify": lambda order: self._verify(wire),
            "reload-settings": lambda order: self._reload(wire),
            "restart-player": lambda order: self._watched().restart("order"),
            "screenshot": lambda order: self._screenshot(wire, order),
            "restart-agent": lambda order: self._start_anew(),
        }

    def _watched(self) -> Shell:
        shell = self._screen.shell if self._screen else None
        if shell is None:
            raise KioskError("no browser is watched here: start `kiosk-client run --browser`")
        return shell

    def _verify(self, wire: Any) -> str:
        from kiosk_client.check import verify_device

        found = verify_device(self._data)
        if not found.bad:
            return f"every one of {found.files} files is as it should be"
        words = f"{len(found.bad)} of {found.files} files were missing or damaged"
        return f"{words}; {self._sync(wire, 'order')}"

    def _reload(self, wire: Any) -> str:
        """Ask for the assignment anew; all of this process reads it from the disk."""
        from kiosk_client.enrol import ask_assignment

        found = ask_assignment(wire, load_device(self._data), None)
        save_assignment(self._data, found.assignment)
        version = found.assignment.version if found.assignment else 0
        return f"settings of version {version}"

    def _screenshot(self, wire: Any, order: Order) -> None:
        from kiosk_client.enrol import send_screenshot

        send_screenshot(wire, load_device(self._data), order.id, self._watched().screenshot())

    def _start_anew(self) -> None:
        if self._restart is None:
            raise KioskError("expected a process that serves, got one that only polls")
        self._restart()


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


def set_up(
    data: DataDir,
    *,
    host: str = "127.0.0.1",
    browser: str | None = None,
    technician: Technicians = lambda data, find_shell: None,
) -> Screen:
    """The parts that serve and watch the screen, not started yet; `browser` is a program."""
    watch, plays = PageWatch(), Plays(data)
    shells: list[Shell] = []
    application = Kiosk(
        data,
        watch=watch,
        plays=plays.note,
        hosts=() if host in ("0.0.0.0", "::") else (host,),  # noqa: S104  (compared, not bound)
        technician=technician(data, lambda: shells[0] if shells else None),
    )
    activator = Activator(data, watch, application.showing.slot)

    def sight() -> Sight:
        page = watch.state()
        return Sight(page.seen_seconds_ago, application.playing() is not None, page.idle)

    def hours(now: datetime) -> Hours:
        assignment = load_assignment(data)
        found = opening(assignment, now, clock(data, now)[0]) if assignment else None
        return Hours(found.open, found.next_change is not None) if found else Hours()

    if browser is not None:
        shells.append(
            Shell(
                data,
                browser,
                sight=sight,
                on_crash=watch.crashed,
                give_back=activator.give_back,
                hours=hours,
            )
        )
    return Screen(application, watch, activator, plays, shells[0] if shells else None)


def serve(
    data: DataDir,
    *,
    host: str,
    port: int,
    agent: Agent | None = None,
    browser: str | None = None,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the screen until SIGTERM or SIGINT; polls as well when given an `agent`.

    `browser` is a program to show it with. `ready` is told the address once
    connections are taken. Port 0 picks a free one. An order may end it too; this
    process is then started anew, and this does not return.

    Raises:
        KioskError: the port is taken or not allowed.
    """
    from waitress.server import create_server

    screen = set_up(data, host=host, browser=browser, technician=_technician)
    listening = listen(host, port)
    server = create_server(
        screen.application,
        sockets=[listening],
        threads=4,
        ident=None,
        clear_untrusted_proxy_headers=True,
        # The page's reports and the technician's forms are small.
        max_request_body_size=64 * 1024,
    )
    name, taken = listening.getsockname()[:2]
    address = f"http://{f'[{name}]' if ':' in name else name}:{taken}/"
    again = threading.Event()

    def restart() -> None:
        again.set()
        os.kill(os.getpid(), signal.SIGTERM)

    if agent is not None:
        agent.attach(screen, restart)
    notifier = Notifier(lambda: _is_alive(screen, agent) and answers(address))
    with ExitStack() as stack:
        stack.callback(server.close)
        stack.enter_context(_until_told())
        stack.enter_context(serving(data))
        screen.activator.start()
        stack.callback(screen.plays.save)
        stack.callback(screen.activator.stop)
        if agent is not None:
            agent.start()
            stack.callback(agent.stop)
        if screen.shell is not None:
            screen.shell.start(address)
            stack.callback(screen.shell.stop)
        ready(address)
        notifier.ready()
        stack.callback(notifier.stop)
        server.run()
    log.info("stopped, process %d", os.getpid())
    if again.is_set():
        log.info("starting anew")
        logging.shutdown()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _technician(data: DataDir, find_shell: Callable[[], Shell | None]) -> Application:
    from kiosk_client.technician import Technician

    return Technician(data, find_shell=find_shell)


def _is_alive(screen: Screen, agent: Agent | None) -> bool:
    """Whether every thread that must run does."""
    parts = [screen.activator.alive, agent is None or agent.alive]
    return all(parts) and (screen.shell is None or screen.shell.alive)


@contextmanager
def _until_told() -> Iterator[None]:
    """SIGTERM and SIGINT end the block in good order; a second one does not cut that short."""

    def end(number: int, frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(0)

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except SystemExit:
        pass
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
