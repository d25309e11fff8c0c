"""Runs the browser as the watchdog decides: one thread, beside serving and polling.

Knows nothing of content: whether the page lives, whether a visitor is there and
how a release is given back are functions it is handed.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kiosk_client.config import DataDir, load_assignment, zone
from kiosk_client.durable import read_json, write_json
from kiosk_client.errors import KioskError
from kiosk_client.shell.chromium import (
    Browser,
    browser_arguments,
    drop_profile,
    profile_folder,
    repair_profile,
    screen_platform,
)
from kiosk_client.shell.night import restart_due
from kiosk_client.shell.watchdog import Action, Limits, State, Watch

RESTING_PAGE = "soon.html"
"""The still page, below the address of the player."""
TICK = 1.0
"""Seconds between two looks at the browser."""
CLOCK_TICK = 20.0
"""Seconds between two looks at the wall clock, for the nightly restart."""
KEPT = 20
"""Restarts whose time and reason are remembered."""
PATIENCE_AT_NIGHT = 3600.0
"""Seconds the nightly restart waits for the last visitor."""
YOUNG = 1800.0
"""Seconds: a browser that runs no longer than this needs no nightly restart."""

log = logging.getLogger("kiosk_client.shell")


@dataclass(frozen=True, slots=True)
class Hours:
    """Whether the venue is open, and whether it ever closes."""

    open: bool = True
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of the page on the screen.

    `silent`: seconds since it last gave a sign of life, None when it never did.
    `expected`: whether it is a page that gives such signs. `idle`: nobody uses it.
    """

    silent: float | None = None
    expected: bool = False
    idle: bool = True


class Shell:
    """Keeps a browser on the screen. `start` begins, `stop` ends it with the browser."""

    def __init__(
        self,
        data: DataDir,
        program: str,
        *,
        sight: Callable[[], Sight] = Sight,
        on_crash: Callable[[str], None] = lambda reason: None,
        give_back: Callable[[str], bool] = lambda reason: False,
        hours: Callable[[datetime], Hours] = lambda now: Hours(),
        limits: Limits | None = None,
        headless: bool | None = None,
        tick: float = TICK,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Prepare a shell that runs `program`.

        `on_crash(reason)` hears of each crash that the content may have caused;
        `give_back(reason)` takes up the release before and says whether there was one.
        `headless` is for tests, which may also ask for it by `KIOSK_TEST_HEADLESS=1`:
        no screen, and for root no sandbox, which the browser refuses to it.
        """
        self._data = data
        self._program = program
        self._sight = sight
        self._on_crash = on_crash
        self._give_back = give_back
        self._hours = hours
        wanted = environment.get("KIOSK_TEST_HEADLESS") == "1"
        self._headless = wanted if headless is None else headless
        self._tick = tick
        self._now = now
        self._environment = environment
        self._address = ""
        self._watch = Watch(time.monotonic(), limits)
        self._browser: Browser | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        # Reasons with the number of the browser they are about: an older one may still report.
        self._reasons: list[tuple[int, str]] = []
        self._number = 0
        self._wanted: str | None = None
        self._kept = _load_kept(data)
        self._looked: tuple[datetime, bool] | None = None
        self._next_clock = 0.0
        self._night_since: float | None = None
        self._thread = threading.Thread(target=self._loop, name="shell", daemon=True)

    def start(self, address: str) -> None:
        """Begin to show the player at `address`, which ends in a slash."""
        self._address = address
        self._thread.start()

    def stop(self) -> None:
        """End watching, and the browser."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15)

    @property
    def alive(self) -> bool:
        """Whether the watching thread runs, as it must between `start` and `stop`."""
        return self._thread.is_alive()

    def restart(self, reason: str) -> None:
        """Give the screen a fresh browser soon; returns at once."""
        self._wanted = reason
        self._wake.set()

    def screenshot(self) -> bytes:
        """What the screen shows, as JPEG.

        Raises:
            KioskError: there is no browser, or it does not answer.
        """
        browser = self._browser
        if browser is None or browser.ended:
            raise KioskError("expected a browser on the screen, got none: try again in a minute")
        return browser.screenshot()

    def facts(self) -> dict[str, Any]:
        """The browser as the heartbeat tells of it: its state, and restarts ever since."""
        browser = self._browser
        playing = browser is not None and not browser.ended and self._watch.state is State.PLAYING
        return {
            "browser": "running" if playing else "restarting",
            "restarts": self._kept["restarts"],
        }

    def recent(self) -> list[dict[str, str]]:
        """The last restarts, each with `at` (UTC) and `reason`, oldest first."""
        return list(self._kept["recent"])

    def _loop(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._look()
                except Exception:
                    # Whatever goes wrong here, the next look may set right.
                    log.exception("the shell met what nobody foresaw")
                self._wake.wait(self._tick)
                self._wake.clear()
        finally:
            self._end(grace=3.0)

    def _look(self) -> None:
        now = time.monotonic()
        reason = self._reported()
        if reason is not None:
            log.warning("the browser is of no use any more: %s", reason)
            self._end(grace=0.0)
            self._crashed(now, reason)
        wanted, self._wanted = self._wanted or self._night(now), None
        if wanted is not None:
            log.info("a fresh browser: %s", wanted)
            self._end(grace=3.0)
            self._watch.restart(now)
            self._count(wanted)
        sight = self._sight()
        action = self._watch.next(now, silent=sight.silent, expected=sight.expected)
        if action is Action.STOP:
            reason = self._watch.reason
            log.log(
                logging.WARNING if reason == "page-silent" else logging.INFO,
                "the browser starts anew: %s",
                reason,
            )
            # A page that says nothing will not close when asked either.
            self._end(grace=0.0 if reason == "page-silent" else 3.0)
            if reason == "page-silent":
                self._on_crash(reason)
            self._count(reason)
        elif action is Action.GIVE_BACK:
            self._judge(now)
        elif action in (Action.START, Action.START_RESTING):
            self._begin(now, resting=action is Action.START_RESTING)

    def _crashed(self, now: float, reason: str) -> None:
        if self._watch.crashed(now, reason):
            self._on_crash(reason)
        self._count(reason)

    def _reported(self) -> str | None:
        with self._lock:
            found, self._reasons = self._reasons, []
        mine = [reason for number, reason in found if number == self._number]
        return mine[0] if mine else None

    def _report(self, number: int, reason: str) -> None:
        with self._lock:
            self._reasons.append((number, reason))
        self._wake.set()

    def _judge(self, now: float) -> None:
        reason = f"the page crashed {len(self._watch.crashes)} times, last: {self._watch.reason}"
        done = False
        try:
            done = self._give_back(reason)
        except (KioskError, OSError) as error:
            log.warning("the release before cannot be taken up: %s", error)
        log.error("%s; %s", reason, "the release before plays" if done else "the screen rests")
        self._watch.gave_back(now, done)

    def _begin(self, now: float, *, resting: bool) -> None:
        profile = profile_folder(self._data.root)
        if self._watch.needs_fresh_profile():
            drop_profile(profile)
            profile = profile_folder(self._data.root)
        repair_profile(profile)
        arguments = browser_arguments(
            self._address + (RESTING_PAGE if resting else ""),
            profile,
            headless=self._headless,
            sandbox=not (self._headless and os.geteuid() == 0),
            platform=None if self._headless else screen_platform(self._environment),
        )
        self._number += 1
        try:
            self._browser = Browser(
                self._program,
                arguments,
                on_end=functools.partial(self._report, self._number),
                environment=self._environment,
            )
        except KioskError as error:
            log.error("%s", error)
            self._crashed(now, "not-started")
            return
        self._watch.started(now)

    def _end(self, *, grace: float) -> None:
        browser, self._browser = self._browser, None
        # What the end itself reports is no crash.
        self._number += 1
        if browser is not None:
            browser.stop(grace=grace)

    def _night(self, now: float) -> str | None:
        """`night` once it is time for the nightly restart and nobody is there."""
        if now >= self._next_clock:
            self._next_clock = now + CLOCK_TICK
            self._look_at_clock(now)
        if self._night_since is None or self._browser is None:
            return None
        waited = now - self._night_since
        if self._watch.up(now) < YOUNG + waited:
            # It was started just before, or since: that was the fresh start.
            self._night_since = None
            return None
        if not self._sight().idle and waited < PATIENCE_AT_NIGHT:
            return None
        self._night_since = None
        return "night"

    def _look_at_clock(self, now: float) -> None:
        moment = self._now()
        assignment = load_assignment(self._data)
        hours = self._hours(moment)
        if self._looked is not None and restart_due(
            self._looked[0],
            moment,
            _setting(self._data, assignment.settings if assignment else {}),
            zone(assignment.timezone if assignment else "UTC"),
            was_open=self._looked[1],
            is_open=hours.open,
            closes=hours.closes,
        ):
            self._night_since = now
        self._looked = (moment, hours.open)

    def _count(self, reason: str) -> None:
        recent = [*self._kept["recent"], {"at": _stamp(self._now()), "reason": reason}]
        self._kept = {"restarts": self._kept["restarts"] + 1, "recent": recent[-KEPT:]}
        try:
            write_json(self._data.root / "shell.json", self._kept)
        except OSError as error:
            log.info("restarts are counted in memory alone: %s", error)


def _load_kept(data: DataDir) -> dict[str, Any]:
    try:
        found = read_json(data.root / "shell.json")
        recent = [
            {"at": str(each["at"]), "reason": str(each["reason"])} for each in found["recent"]
        ]
        return {"restarts": max(0, int(found["restarts"])), "recent": recent[-KEPT:]}
    except (TypeError, KeyError, ValueError, OSError):
        return {"restarts": 0, "recent": []}


def _setting(data: DataDir, assigned: Mapping[str, Any]) -> str:
    own = read_json(data.root / "settings.json")
    found = own.get("nightly_restart") if isinstance(own, dict) else None
    found = found if found is not None else assigned.get("nightly_restart")
    return found if isinstance(found, str) else "auto"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
