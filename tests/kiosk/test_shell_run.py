"""Page, server, activation and shell together, in a real Chromium: what crashes is taken back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from waitress.server import create_server

from kiosk_client.activation import read_slots
from kiosk_client.agent import Screen, listen, set_up
from kiosk_client.errors import KioskError
from tests.conftest import missing
from tests.kiosk.conftest import Kiosk
from tests.kiosk.playable import MANIFEST_LANGUAGES, playable
from tests.kiosk.simulator import Origin

CHROMIUM = "/usr/bin/chromium"
PATIENCE = 60.0


@contextmanager
def running(kiosk: Kiosk) -> Iterator[Screen]:
    """A screen as `run --browser` has it, without polling."""
    screen = set_up(kiosk.data, browser=CHROMIUM)
    listening = listen("127.0.0.1", 0)
    server = create_server(screen.application, sockets=[listening], threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    screen.activator.start()
    assert screen.shell is not None
    screen.shell.start(f"http://127.0.0.1:{listening.getsockname()[1]}/")
    try:
        yield screen
    finally:
        screen.shell.stop()
        screen.activator.stop()
        with suppress(OSError):
            server.trigger.pull_trigger(server.close)
        thread.join(5)
        server.task_dispatcher.shutdown()


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def test_a_new_release_whose_page_crashes_three_times_gives_way_to_the_one_before(
    kiosk: Kiosk, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path(CHROMIUM).exists():
        missing("Chromium")
    monkeypatch.setenv("KIOSK_TEST_HEADLESS", "1")
    for number in (1, 2):
        written = playable(tmp_path / str(number), lambda words, n=number: f"{words} {n}")  # type: ignore[misc]
        origin.publish(written, languages=MANIFEST_LANGUAGES)
        kiosk.sync()
    with running(kiosk) as screen:
        shell = screen.shell
        assert shell is not None
        for crash in range(1, 4):
            until(lambda: _reports(screen, 2), "the new release's page")
            assert shell._browser is not None
            with suppress(KioskError):
                shell._browser.call("Page.crash", seconds=1.0)
            until(lambda count=crash: shell.facts()["restarts"] == count, "the restart")  # type: ignore[misc]
        until(lambda: _reports(screen, 1), "the page of the release before")
        assert len(shell.screenshot()) > 10_000
    slot = read_slots(kiosk.data)["harbour/live"]
    assert slot.current is not None
    assert slot.current.release == 1
    assert slot.returned is not None
    assert slot.returned.release == 2


def _reports(screen: Screen, release: int) -> bool:
    """Whether a page of `release` reported since the browser that runs was started."""
    page = screen.watch.state()
    shell = screen.shell
    seen = page.seen_seconds_ago
    return (
        shell is not None
        and shell.facts()["browser"] == "running"
        and page.release == release
        and seen is not None
        and seen < shell._watch.up(time.monotonic()) - 0.2
        and page.screen == "attract"
    )
