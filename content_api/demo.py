"""`content-api demo`: from nothing to an offline screen, with the real parts and nothing faked.

It makes what is missing and keeps what is there, so a second start finds its
data: database and keys, the sample collection, a live release of each package,
one enrolled device. Server and kiosk run as the processes an operator would
start, children of this one, and stop with it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError
from urllib.request import urlopen

import click

from content_api.problems import ContentError
from content_api.settings import Settings

START_TIMEOUT = 60.0
"""Seconds a child may take until it answers."""

STOP_TIMEOUT = 15.0
"""Seconds a child may take to stop by itself before it is killed."""

DEVICE_NAME = "Demo tablet"
VENUE_NAME = "Demo venue"
DEMO_PACKAGE = "meiji-tablet"


# -P: a checkout in the current folder must not stand in for what is installed; it lacks the
# files that a build adds to the player.
_PYTHON = (sys.executable, "-P", "-m")


class DemoError(ContentError):
    """The demo cannot go on; the message says what to change."""

    code = "demo-failed"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the demo listens; both on this machine alone."""

    port: int
    kiosk_port: int

    @property
    def server(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def kiosk(self) -> str:
        """Address of the kiosk's player."""
        return f"http://127.0.0.1:{self.kiosk_port}/"


def run_demo(
    settings: Settings, addresses: Addresses, *, once: bool, say: Callable[[str], None]
) -> None:
    """Prepare what is missing, then serve and play until Ctrl-C (`once`: stop when all is ready).

    Raises:
        DemoError: a port is taken, or a part does not start.
    """
    _check_ports(addresses)
    if not find_spec("kiosk_client"):
        raise DemoError("the kiosk client is not installed: pip install 'lampisterie[all]'")
    sign_in = _prepare_server(settings, say)
    kiosk_dir = settings.data_dir / "demo-kiosk"
    with _stop_on_signals(), _running(_server_command(settings, addresses), "server") as server:
        _wait_until_answers(f"{addresses.server}/healthz", server, "server")
        _enrol_device(settings, addresses, kiosk_dir, say)
        _run_kiosk(["sync"], kiosk_dir, "sync the demo device")
        if once:
            say("Ready: the server answered, the device holds a verified release.")
            return
        with _running(_kiosk_command("run", kiosk_dir, addresses), "kiosk") as kiosk:
            try:
                _play(addresses, server, kiosk, sign_in, say)
            except KeyboardInterrupt:
                say("Stopping …")


def _prepare_server(settings: Settings, say: Callable[[str], None]) -> str:
    """Prepare the server; how to sign in to its studio."""
    from content_api.setup_server import prepare_server

    made = prepare_server(settings, say=say, sample=True)
    if not made.password:
        return "with the name and password of the first start"
    say(f"Administrator {made.admin}, password (shown at this start only): {made.password}")
    return f"as {made.admin}, password {made.password}"


def _enrol_device(
    settings: Settings, addresses: Addresses, kiosk_dir: Path, say: Callable[[str], None]
) -> None:
    # The address is part of what a device learns when it is enrolled: another port, enrol again.
    note = settings.data_dir / "demo-device.json"
    try:
        enrolled = json.loads(note.read_text())["server"]
    except (OSError, ValueError, KeyError):
        enrolled = None
    if enrolled == addresses.server and kiosk_dir.is_dir():
        return
    say(f"Enrolling the device “{DEVICE_NAME}” …")
    code = _invite(settings)
    _run_kiosk(["enrol", addresses.server, code], kiosk_dir, "enrol the demo device")
    note.write_text(json.dumps({"server": addresses.server}))


def _invite(settings: Settings) -> str:
    from content_api.accounts.rules import SYSTEM
    from content_api.database import open_engine, write_session
    from content_api.devices.service import invite_named_device

    engine = open_engine(settings.database_url)
    try:
        with write_session(engine) as session:
            return invite_named_device(
                session,
                SYSTEM,
                venue=VENUE_NAME,
                name=DEVICE_NAME,
                package=DEMO_PACKAGE,
                profile="tablet",
            )
    finally:
        engine.dispose()


def _server_command(settings: Settings, addresses: Addresses) -> list[str]:
    return [
        *(*_PYTHON, "content_api.cli", "serve"),
        *("--data-dir", str(settings.data_dir)),
        *("--host", "127.0.0.1", "--port", str(addresses.port)),
    ]


def _kiosk_command(action: str, kiosk_dir: Path, addresses: Addresses) -> list[str]:
    return [
        *(*_PYTHON, "kiosk_client.cli", action),
        *("--data-dir", str(kiosk_dir), "--port", str(addresses.kiosk_port)),
    ]


def _run_kiosk(arguments: Sequence[str], kiosk_dir: Path, what: str) -> None:
    command = [*_PYTHON, "kiosk_client.cli", *arguments, "--data-dir", str(kiosk_dir)]
    found = subprocess.run(command, env=_environment(), check=False)
    if found.returncode:
        raise DemoError(f"could not {what}: kiosk-client ended with exit code {found.returncode}")


def _environment() -> dict[str, str]:
    # The children run the very code that runs here, installed or not.
    here = str(Path(__file__).parent.parent)
    paths = [here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _check_ports(addresses: Addresses) -> None:
    if addresses.port == addresses.kiosk_port:
        raise DemoError("--port and --kiosk-port: expected two different ports")
    for option, port in (("--port", addresses.port), ("--kiosk-port", addresses.kiosk_port)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise DemoError(
                    f"{option} {port}: expected a free port, but it cannot be used "
                    f"({error.strerror}); choose another with {option}"
                ) from error


@contextmanager
def _running(command: Sequence[str], name: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(command, env=_environment(), stdin=subprocess.DEVNULL)
    try:
        yield child
    finally:
        _stop(child, name)


def _stop(child: subprocess.Popen[bytes], name: str) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        click.echo(f"The {name} did not stop in {STOP_TIMEOUT:.0f} s and was killed.", err=True)
        child.kill()
        child.wait()


@contextmanager
def _stop_on_signals() -> Iterator[None]:
    # A service manager sends SIGTERM, a closed terminal SIGHUP: both end like Ctrl-C.
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP) if os.name == "posix" else (signal.SIGTERM,)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_answers(url: str, child: subprocess.Popen[bytes], name: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise DemoError(f"the {name} stopped at once with exit code {child.returncode}")
        try:
            with urlopen(url, timeout=2):  # noqa: S310  our own address on this machine
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise DemoError(f"the {name} did not answer at {url} within {START_TIMEOUT:.0f} s")


def _play(
    addresses: Addresses,
    server: subprocess.Popen[bytes],
    kiosk: subprocess.Popen[bytes],
    sign_in: str,
    say: Callable[[str], None],
) -> NoReturn:
    _wait_until_answers(addresses.kiosk, kiosk, "kiosk")
    say("")
    say(f"  Kiosk player   {addresses.kiosk}")
    say(f"  Studio         {addresses.server}/studio/  ({sign_in})")
    say(f"  On the web     {addresses.server}/play/{DEMO_PACKAGE}/  (the same player)")
    say(f"  API            {addresses.server}/api/docs")
    say("")
    say("The player goes on without the server. Ctrl-C stops both.")
    if sys.stdout.isatty():
        webbrowser.open(addresses.kiosk)
    told = False
    while kiosk.poll() is None:
        if server.poll() is not None and not told:
            say("The server has stopped. The player goes on; Ctrl-C stops it.")
            told = True
        time.sleep(0.3)
    raise DemoError(f"the kiosk stopped with exit code {kiosk.returncode}")
