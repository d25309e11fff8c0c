"""The shell with a real Chromium: started, watched, killed, crashed, started again."""

from __future__ import annotations

import json
import mmap
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.errors import KioskError
from kiosk_client.shell import Shell
from kiosk_client.shell.chromium import (
    FEATURES_OFF,
    Browser,
    browser_arguments,
    profile_folder,
    repair_profile,
    screen_platform,
)
from kiosk_client.shell.shell import Sight
from kiosk_client.shell.watchdog import Limits
from tests.conftest import missing

CHROMIUM = "/usr/bin/chromium"
BINARY = Path("/usr/lib/chromium/chromium")
ROOT = Path(__file__).parents[2]
# The browser refuses its sandbox to root, and only to root is it taken away here.
SANDBOX = os.geteuid() != 0
PATIENCE = 30.0
HASTY = Limits(start=3.0, beat=0.5, first_pause=0.05, longest_pause=0.1, first_rest=600.0)


@pytest.fixture
def chromium() -> str:
    if not Path(CHROMIUM).exists():
        missing("Chromium")
    return CHROMIUM


class Pages(BaseHTTPRequestHandler):
    """Answers every address with a page that says its address."""

    def do_GET(self) -> None:
        asked: list[str] = self.server.asked  # type: ignore[attr-defined]
        asked.append(self.path)
        raw = f"<!doctype html><title>x</title><h1>{self.path}</h1>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *arguments: object) -> None:
        pass


class Stage:
    """A screen's shell under test and what happened to it."""

    def __init__(self, data: DataDir, address: str, asked: list[str]) -> None:
        self.data = data
        self.address = address
        self.asked = asked
        self.sight = Sight()
        self.given_back: list[str] = []
        self.gives_back = False

    def give_back(self, reason: str) -> bool:
        self.given_back.append(reason)
        return self.gives_back

    @contextmanager
    def shell(self, **options: Any) -> Iterator[Shell]:
        found = Shell(
            self.data,
            CHROMIUM,
            sight=lambda: self.sight,
            give_back=self.give_back,
            headless=True,
            tick=0.1,
            **{"limits": HASTY, **options},
        )
        found.start(self.address)
        try:
            yield found
        finally:
            found.stop()

    def loads(self, path: str) -> int:
        return self.asked.count(path)


@pytest.fixture
def stage(tmp_path: Path, chromium: str) -> Iterator[Stage]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    asked: list[str] = []
    server.asked = asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    data = open_data_dir(tmp_path / "kiosk", create=True)
    yield Stage(data, f"http://127.0.0.1:{server.server_port}/", asked)
    server.shutdown()
    server.server_close()
    thread.join(5)


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def test_every_switch_is_one_this_browser_knows(chromium: str) -> None:
    if not BINARY.exists():
        missing(str(BINARY))
    arguments = browser_arguments("http://127.0.0.1:8080/", Path("/x"), platform="x11")
    names = {argument.lstrip("-").partition("=")[0] for argument in arguments} - {"app"}
    with BINARY.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        unknown = [name for name in names if raw.find(b"\0" + name.encode() + b"\0") < 0]
        gone = [name for name in FEATURES_OFF if raw.find(name.encode() + b"\0") < 0]
    assert (unknown, gone) == ([], [])


def test_a_screen_s_browser_has_its_sandbox_and_no_open_port() -> None:
    arguments = browser_arguments("http://127.0.0.1:8080/", Path("/x"))
    assert "--app=http://127.0.0.1:8080/" in arguments
    assert "--kiosk" in arguments
    assert not any(re.match("--(no-sandbox|headless|incognito)", each) for each in arguments)
    assert not any(each.startswith("--remote-debugging-port") for each in arguments)


def test_a_screen_is_drawn_through_x_where_a_compositor_offers_both() -> None:
    assert screen_platform({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}) == "x11"
    assert screen_platform({"WAYLAND_DISPLAY": "wayland-0"}) == "wayland"
    assert screen_platform({}) is None


def test_a_profile_left_by_a_power_cut_starts_without_a_question(tmp_path: Path) -> None:
    preferences = tmp_path / "Default" / "Preferences"
    preferences.parent.mkdir()
    preferences.write_text('{"profile": {"exit_type": "Crashed", "name": "x"}, "other": 1}')
    (tmp_path / "SingletonLock").symlink_to("elsewhere-4711")
    repair_profile(tmp_path)
    found = json.loads(preferences.read_text())
    assert found["profile"] == {"exit_type": "Normal", "exited_cleanly": True, "name": "x"}
    assert found["other"] == 1
    assert not (tmp_path / "SingletonLock").is_symlink()
    preferences.write_bytes(b'{"profile": {"exit_type": "Cra\0\0\0')
    repair_profile(tmp_path)
    assert not preferences.exists()
    repair_profile(tmp_path / "none")


def test_a_disk_that_takes_no_writes_still_gets_a_browser(tmp_path: Path) -> None:
    (tmp_path / "browser").write_bytes(b"in the way of a folder")
    found = profile_folder(tmp_path)
    assert found.is_dir()
    assert tmp_path not in found.parents


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KioskError, match="expected a browser at /nowhere/chromium, got none"):
        Browser("/nowhere/chromium", [])


def test_the_screen_shows_the_player_and_can_be_photographed(stage: Stage) -> None:
    with stage.shell() as shell:
        until(lambda: stage.loads("/"), "the page")
        until(lambda: shell.facts()["browser"] == "running", "the browser")
        assert shell.screenshot().startswith(b"\xff\xd8\xff")
        assert shell.facts()["restarts"] == 0
    with pytest.raises(KioskError, match="got none"):
        shell.screenshot()


def test_a_killed_browser_is_started_again_and_counted_for_good(stage: Stage) -> None:
    with stage.shell() as shell:
        until(lambda: stage.loads("/") and shell._browser, "the page")
        assert shell._browser is not None
        os.kill(shell._browser.pid, signal.SIGKILL)
        until(lambda: stage.loads("/") == 2, "the page again")
        assert shell.facts()["restarts"] == 1
    kept = json.loads((stage.data.root / "shell.json").read_text())
    assert (kept["restarts"], kept["recent"][0]["reason"]) == (1, "exit")
    with stage.shell() as shell:
        assert shell.facts()["restarts"] == 1


def test_a_dead_renderer_and_a_silent_page_are_started_again(stage: Stage) -> None:
    with stage.shell() as shell:
        until(lambda: stage.loads("/") and shell.facts()["browser"] == "running", "the page")
        assert shell._browser is not None
        with pytest.raises(KioskError):
            shell._browser.call("Page.crash", seconds=2.0)
        until(lambda: stage.loads("/") == 2, "the page after its renderer died")
        until(lambda: shell.facts()["browser"] == "running", "the browser")
        stage.sight = Sight(expected=True)
        until(lambda: stage.loads("/") == 3, "the page after it said nothing")
        assert [each["reason"] for each in shell.recent()] == ["page-crashed", "page-silent"]


def test_three_crashes_give_back_and_rest_when_there_is_nothing_to_go_back_to(
    stage: Stage,
) -> None:
    stage.sight = Sight(expected=True)
    limits = Limits(start=0.3, beat=0.1, early=0.0, first_pause=0.05, first_rest=600.0)
    with stage.shell(limits=limits):
        until(lambda: stage.loads("/soon.html"), "the still page")
    assert len(stage.given_back) == 1
    assert "page-silent" in stage.given_back[0]


def test_an_order_gives_a_fresh_browser(stage: Stage) -> None:
    with stage.shell() as shell:
        until(lambda: stage.loads("/"), "the page")
        shell.restart("order")
        until(lambda: stage.loads("/") == 2, "the page again")
        assert shell.recent()[-1]["reason"] == "order"


def test_the_browser_ends_with_the_process_that_watches_it(stage: Stage, tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from kiosk_client.shell.chromium import Browser, browser_arguments
browser = Browser({CHROMIUM!r}, browser_arguments(
    {stage.address!r}, Path({str(tmp_path / "profile")!r}), headless=True, sandbox={SANDBOX}))
browser.screenshot()
print(browser.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    pid = int(done.stdout)

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        # Left to a parent that does not reap it, it is as good as gone.
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()

    until(gone, "the browser's end")
