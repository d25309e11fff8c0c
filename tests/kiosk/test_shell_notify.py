"""What systemd is told, read from a real socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kiosk_client.shell.notify import Notifier, answers, notify, watchdog_seconds
from tests.kiosk.conftest import Kiosk
from tests.kiosk.technician_screen import serving


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.settimeout(5)
        yield found


def test_without_systemd_nothing_is_sent(tmp_path: Path) -> None:
    assert notify("READY=1", environment={}) is False
    assert notify("READY=1", environment={"NOTIFY_SOCKET": "relative"}) is False
    assert notify("READY=1", environment={"NOTIFY_SOCKET": str(tmp_path / "none")}) is False


def test_lines_arrive_in_one_piece(systemd: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": systemd.getsockname()}
    assert notify("READY=1", "STATUS=playing", environment=environment)
    assert systemd.recv(100) == b"READY=1\nSTATUS=playing"


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind("\0lampisterie-notify-test")
        found.settimeout(5)
        assert notify("READY=1", environment={"NOTIFY_SOCKET": "@lampisterie-notify-test"})
        assert found.recv(100) == b"READY=1"


@pytest.mark.parametrize(("said", "meant"), [("90000000", 90.0), ("0", None), ("", None)])
def test_the_time_systemd_allows_is_read_from_the_environment(
    said: str, meant: float | None
) -> None:
    assert watchdog_seconds({"WATCHDOG_USEC": said}) == meant


def test_signs_of_life_end_when_a_part_has_stopped(systemd: socket.socket) -> None:
    alive = threading.Event()
    alive.set()
    environment = {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "150000"}
    notifier = Notifier(alive.is_set, environment=environment)
    notifier.ready()
    assert systemd.recv(100) == b"READY=1"
    assert [systemd.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    alive.clear()
    # one may be on its way still
    time.sleep(0.2)
    systemd.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            systemd.recv(100)
    time.sleep(0.3)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)
    notifier.stop()
    assert systemd.recv(100) == b"STOPPING=1"


def test_a_server_that_takes_connections_and_says_nothing_does_not_serve() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert answers(address, seconds=0.2) is False
    assert answers(address, seconds=0.2) is False


def test_a_screen_that_serves_answers_itself(kiosk: Kiosk) -> None:
    with serving(kiosk) as screen:
        assert answers(f"{screen.url}/") is True
