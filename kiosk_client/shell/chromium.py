"""One Chromium on one page: its arguments, its profile, and the pipe it is watched through.

Only switches that the browser knows are used: of those in circulation many are
gone, and a browser says nothing about a switch it does not know. It is spoken to
in the DevTools protocol over two pipes, which no other process can open; when
this process ends for whatever reason, the pipes close and the browser ends too.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kiosk_client.errors import KioskError

DISK_CACHE = 64 * 1024 * 1024
"""Bytes: everything it shows lies on the same disk already."""

FEATURES_OFF = ("OverscrollHistoryNavigation", "TouchpadOverscrollHistoryNavigation", "Translate")

FLAGS = (
    # Nothing that asks, tells or offers.
    "--no-first-run",
    "--no-default-browser-check",
    "--noerrdialogs",
    "--hide-crash-restore-bubble",
    "--deny-permission-prompts",
    "--password-store=basic",
    "--disable-hang-monitor",
    # Nothing that calls home; apt owns the updates.
    "--check-for-update-interval=31536000",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-domain-reliability",
    # No way out of the page by hand.
    "--disable-pinch",
    "--overscroll-history-navigation=0",
    # A film may sound without a touch; the page tells how much memory it takes.
    "--autoplay-policy=no-user-gesture-required",
    "--enable-precise-memory-info",
)

log = logging.getLogger("kiosk_client.shell.chromium")


def browser_arguments(
    url: str,
    profile: Path,
    *,
    headless: bool = False,
    sandbox: bool = True,
    platform: str | None = None,
) -> list[str]:
    """The arguments of a browser that shows `url` alone, over the whole screen.

    `headless` and a missing `sandbox` are for tests; `platform` is what the screen
    is drawn through, `x11` or `wayland`.
    """
    found = [
        *FLAGS,
        f"--disable-features={','.join(FEATURES_OFF)}",
        f"--disk-cache-size={DISK_CACHE}",
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
    ]
    if platform is not None:
        found.append(f"--ozone-platform={platform}")
    if not sandbox:
        found.append("--no-sandbox")
    # A headless browser makes no page for --app.
    found += ["--headless", url] if headless else ["--kiosk", f"--app={url}"]
    return found


def screen_platform(environment: Mapping[str, str]) -> str | None:
    """What to draw the screen through: `x11` where there is any, else `wayland`, else None.

    Compositors such as cage offer both, and Chromium 156 ends at once on the
    Wayland side of cage 0.1.4.
    """
    if environment.get("DISPLAY"):
        return "x11"
    return "wayland" if environment.get("WAYLAND_DISPLAY") else None


def profile_folder(root: Path) -> Path:
    """Where the browser keeps its things: below `root`, or elsewhere when that takes no writes."""
    chosen = root / "browser"
    try:
        chosen.mkdir(mode=0o700, exist_ok=True)
        probe = chosen / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
        return chosen
    except OSError as error:
        elsewhere = Path(tempfile.gettempdir()) / f"kiosk-browser-{os.getuid()}"
        elsewhere.mkdir(mode=0o700, exist_ok=True)
        log.warning("the browser keeps its things in %s: %s", elsewhere, error)
        return elsewhere


def repair_profile(profile: Path) -> None:
    """Let the next start find a profile that was closed in good order.

    After a power cut Chromium would offer to restore pages, or refuse a profile
    that a lock of then still guards. Preferences that do not read are dropped.
    """
    for name in ("SingletonLock", "SingletonCookie", "SingletonSocket"):
        with contextlib.suppress(OSError):
            (profile / name).unlink()
    preferences = profile / "Default" / "Preferences"
    try:
        found = json.loads(preferences.read_bytes())
        kept = found.setdefault("profile", {})
        if kept.get("exit_type") == "Normal" and kept.get("exited_cleanly") is not False:
            return
        kept["exit_type"] = "Normal"
        kept["exited_cleanly"] = True
        beside = preferences.with_name("Preferences.new")
        beside.write_text(json.dumps(found), encoding="utf-8")
        beside.replace(preferences)
    except FileNotFoundError:
        pass
    except (ValueError, AttributeError, OSError) as error:
        log.warning("the browser's preferences do not read, it gets new ones: %s", error)
        with contextlib.suppress(OSError):
            preferences.unlink()


def drop_profile(profile: Path) -> None:
    """Let the next start make a new profile: this one holds nothing of worth."""
    shutil.rmtree(profile, ignore_errors=True)


class Browser:
    """A running browser. `on_end` is told once why it is of no use any more."""

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        on_end: Callable[[str], None] = lambda reason: None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Start `program`.

        Raises:
            KioskError: there is no such program, or it may not be run.
        """
        self._on_end = on_end
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._number = 0
        self._answers: dict[int, tuple[threading.Event, dict[str, Any]]] = {}
        self._page: str | None = None
        self._attaching: set[int] = set()
        self._page_known = threading.Event()
        self._code: int | None = None
        self._reaping = threading.Lock()
        quiet = not log.isEnabledFor(logging.DEBUG)
        self.pid, self._out, self._in = _spawn(program, arguments, environment, quiet)
        threading.Thread(target=self._read, name="browser", daemon=True).start()
        self._send("Target.setDiscoverTargets", {"discover": True})

    @property
    def ended(self) -> bool:
        """Whether the browser is of no use any more: gone, or its page crashed."""
        return self._ended.is_set()

    def call(
        self,
        method: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        seconds: float = 10.0,
        page: bool = True,
    ) -> dict[str, Any]:
        """Ask the page (or the browser) and give its answer.

        Raises:
            KioskError: no answer within `seconds`, or a refusal.
        """
        session = None
        if page:
            if not self._page_known.wait(seconds):
                raise KioskError(f"expected a page in the browser, got none in {seconds:g} seconds")
            if self._page is None:
                raise KioskError(
                    "expected a browser that lets itself be watched, got one whose policy forbids "
                    "it: set DeveloperToolsAvailability to 0, as deploy/chromium-policy.json does"
                )
            session = self._page
        asked, number = threading.Event(), None
        holder: dict[str, Any] = {}
        with self._lock:
            self._number += 1
            number = self._number
            self._answers[number] = (asked, holder)
        try:
            self._send(method, parameters, session=session, number=number)
            if not asked.wait(seconds) or "result" not in holder:
                why = holder.get("error", {}).get("message", f"nothing in {seconds:g} seconds")
                raise KioskError(f"expected the browser's answer to {method}, got: {why}")
            return dict(holder["result"])
        finally:
            self._answers.pop(number, None)

    def screenshot(self) -> bytes:
        """What the screen shows, as JPEG.

        Raises:
            KioskError: the browser does not answer.
        """
        found = self.call("Page.captureScreenshot", {"format": "jpeg", "quality": 80}, seconds=20.0)
        return base64.b64decode(found["data"])

    def code(self) -> int | None:
        """The process's exit code (negative: a signal), None while it runs."""
        with self._reaping:
            if self._code is None:
                try:
                    done, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:
                    done, status = self.pid, 0
                if done:
                    self._code = os.waitstatus_to_exitcode(status)
            return self._code

    def stop(self, *, grace: float = 3.0) -> None:
        """End the browser and all its processes; asks first, for `grace` seconds."""
        self._ended.set()
        if grace > 0 and self.code() is None:
            with contextlib.suppress(KioskError):
                self.call("Browser.close", seconds=grace, page=False)
            self._wait(grace)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._wait(5.0)
        with contextlib.suppress(OSError), self._lock:
            if self._out >= 0:
                os.close(self._out)
                self._out = -1

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.code() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def _send(
        self,
        method: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        session: str | None = None,
        number: int | None = None,
    ) -> int:
        with self._lock:
            if number is None:
                self._number += 1
                number = self._number
            message: dict[str, Any] = {"id": number, "method": method, "params": parameters or {}}
            if session is not None:
                message["sessionId"] = session
            raw = json.dumps(message).encode("utf-8") + b"\0"
            # A browser that is gone is seen where its answers are read.
            with contextlib.suppress(OSError):
                while raw and self._out >= 0:
                    raw = raw[os.write(self._out, raw) :]
            return number

    def _read(self) -> None:
        rest = b""
        try:
            while piece := os.read(self._in, 1 << 16):
                *messages, rest = (rest + piece).split(b"\0")
                for raw in messages:
                    self._take(json.loads(raw))
        except (OSError, ValueError) as error:
            log.warning("the browser's pipe broke: %s", error)
        finally:
            os.close(self._in)
        for asked, _ in list(self._answers.values()):
            asked.set()
        self._end("exit")

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            waiting = self._answers.get(message["id"])
            if waiting is not None:
                waiting[1].update(message)
                waiting[0].set()
            elif "sessionId" in message.get("result", {}):
                self._page = message["result"]["sessionId"]
                self._page_known.set()
                self._send("Inspector.enable", session=self._page)
            elif message["id"] in self._attaching and "error" in message:
                # Crashes and exits are told all the same.
                log.warning("the browser's policy forbids to look at its page")
                self._page_known.set()
            return
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Target.targetCreated":
            target = parameters["targetInfo"]
            if target["type"] == "page" and self._page is None:
                self._attaching.add(
                    self._send(
                        "Target.attachToTarget", {"targetId": target["targetId"], "flatten": True}
                    )
                )
        elif method in ("Target.targetCrashed", "Inspector.targetCrashed"):
            self._end("page-crashed")
        elif method == "Inspector.detached":
            self._end("page-closed")

    def _end(self, reason: str) -> None:
        if not self._ended.is_set():
            self._ended.set()
            self._on_end(reason)


def _spawn(
    program: str, arguments: Sequence[str], environment: Mapping[str, str], quiet: bool
) -> tuple[int, int, int]:
    """Start `program` in a process group of its own: its pid, the end we write, the end we read.

    The browser reads from its file 3 and writes to its file 4.
    """
    found = shutil.which(program)
    if found is None:
        raise KioskError(
            f"expected a browser at {program}, got none: install it (`apt-get install chromium`) "
            "or name another with --browser"
        )
    theirs_in, ours_out = os.pipe2(os.O_CLOEXEC)
    ours_in, theirs_out = os.pipe2(os.O_CLOEXEC)
    # Out of the way of the numbers 3 and 4, which may be among those we just got.
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for fd in (theirs_in, theirs_out)]
    try:
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, high[0], 3),
            (os.POSIX_SPAWN_DUP2, high[1], 4),
        ]
        if quiet:
            actions += [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
        pid = os.posix_spawn(
            found,
            [program, *arguments],
            dict(environment),
            file_actions=actions,
            setpgroup=0,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGTERM, signal.SIGINT),
        )
    except OSError as error:
        for fd in (ours_in, ours_out):
            os.close(fd)
        raise KioskError(f"expected to start {program}, got: {error.strerror}") from error
    finally:
        for fd in (theirs_in, theirs_out, *high):
            os.close(fd)
    return pid, ours_out, ours_in
