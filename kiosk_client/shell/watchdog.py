"""When the browser is started, ended, or given another page: decided here, done elsewhere.

Pure: it is told what happened and what the time is, and answers with one
`Action`. All times are seconds of a clock that never jumps (`time.monotonic`).

- A page that says nothing for three heartbeats, a renderer that crashed and a
  browser that ended are each a crash, and the browser is started again: at once
  the first time, then after a pause that doubles.
- Three crashes in ten minutes are no accident. The content is given back first,
  if it is new; if that is not possible the screen rests: a still page says "back
  soon" in all languages, and the player is tried again after a while.
- After a rest one more crash is enough to rest again, longer, until the player
  has run for ten minutes.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass


class Action(enum.Enum):
    """What the shell must do now."""

    NOTHING = "nothing"
    START = "start"
    """Start the browser on the player."""
    START_RESTING = "start-resting"
    """Start the browser on the still page."""
    STOP = "stop"
    """End the browser, for the reason that `Watch.reason` has."""
    GIVE_BACK = "give-back"
    """Ask for the previous release, and say with `gave_back` whether that was possible."""


class State(enum.Enum):
    """What the browser does, as far as is known."""

    DOWN = "down"
    PLAYING = "playing"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient the watchdog is. Seconds, unless said otherwise."""

    beat: float = 10.0
    """Between two heartbeats of the page."""
    misses: int = 3
    """Heartbeats in a row that may stay away."""
    start: float = 60.0
    """From the start of the browser to the first heartbeat: a cold start from a slow card."""
    crashes: int = 3
    """Crashes within `window` that are no accident."""
    window: float = 600.0
    healthy: float = 600.0
    """After this long without a crash all is forgotten."""
    early: float = 10.0
    """A browser that ends sooner, unseen, has no screen or a broken profile: not the content."""
    first_pause: float = 1.0
    longest_pause: float = 60.0
    first_rest: float = 60.0
    longest_rest: float = 900.0
    stall: float = 20.0
    """A watchdog that itself slept this long must not blame the page."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A crash: when, why, and whether the content may have caused it."""

    at: float
    reason: str
    blames_content: bool


class Watch:
    """The state machine; see the module. One thread at a time."""

    def __init__(self, now: float, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.state = State.DOWN
        self.restarts = 0
        """Times the browser was started again, for whatever reason."""
        self.reason = ""
        """Why the browser went, or must go, the last time."""
        self.crashes: deque[Crash] = deque(maxlen=50)
        self._failures = 0
        self._early_ends = 0
        self._start_at = now
        self._since = now
        self._watching_from = now
        self._seen = False
        self._last = now
        self._judge = False
        self._rest = False
        self._rest_until = now
        self._rests = 0

    def started(self, now: float) -> None:
        """The browser runs since now, on the page that was asked for."""
        self.state = State.RESTING if self._rest else State.PLAYING
        self._since = self._watching_from = self._last = now
        self._seen = False

    def crashed(self, now: float, reason: str) -> bool:
        """The browser ended, its renderer crashed, or it could not be started.

        Returns whether the content may have caused it.
        """
        self.reason = reason
        blamed = False
        if self.state is State.PLAYING or not self._rest:
            # A renderer that crashed had a screen and a profile: it is the page's doing.
            early = reason != "page-crashed" and (
                not self._seen and now - self._since < self.limits.early
            )
            self._early_ends = self._early_ends + 1 if early else 0
            blamed = not early and reason != "not-started"
            self.crashes.append(Crash(now, reason, blamed))
            window = [
                crash
                for crash in self.crashes
                if crash.blames_content and now - crash.at <= self.limits.window
            ]
            on_trial = self._rests > 0 and blamed
            self._judge = on_trial or len(window) >= self.limits.crashes
        self._down(now)
        return blamed

    def restart(self, now: float) -> None:
        """Somebody, or the night, wants a fresh browser: no crash, no pause."""
        self.state = State.DOWN
        self.restarts += 1
        self._rest = False
        self._judge = False
        self._start_at = now

    def gave_back(self, now: float, done: bool) -> None:
        """Whether the release before was taken up again when that was asked for."""
        self._judge = False
        self.crashes.clear()
        if done:
            self._rests = 0
            self._failures = 0
            self._start_at = now
            return
        pause = min(self.limits.first_rest * 2.0 ** min(self._rests, 20), self.limits.longest_rest)
        self._rests += 1
        self._rest = True
        self._rest_until = now + pause
        self._start_at = now

    def up(self, now: float) -> float:
        """Seconds since the browser was started."""
        return now - self._since

    def needs_fresh_profile(self) -> bool:
        """Whether the browser ended so early, twice, that its profile may be what is broken."""
        return self._early_ends >= 2

    def next(self, now: float, *, silent: float | None, expected: bool) -> Action:
        """What to do now.

        `silent`: seconds since the page last gave a sign of life, None when it never did.
        `expected`: whether the page on the screen gives such signs at all.
        """
        if now - self._last > self.limits.stall:
            self._watching_from = now
        self._last = now
        if self.state is State.PLAYING:
            return self._watch_page(now, silent, expected)
        if self.state is State.RESTING:
            if now < self._rest_until:
                return Action.NOTHING
            self.restart(now)
            self.reason = "rested"
            return Action.STOP
        if self._judge:
            return Action.GIVE_BACK
        if now < self._start_at:
            return Action.NOTHING
        if self._rest and now < self._rest_until:
            return Action.START_RESTING
        self._rest = False
        return Action.START

    def _watch_page(self, now: float, silent: float | None, expected: bool) -> Action:
        up = now - self._since
        # A sign from before this browser's start is another page's.
        if silent is not None and silent <= up:
            self._seen = True
        if not expected:
            self._watching_from = now
        elif self._is_silent(now, silent):
            self.crashed(now, "page-silent")
            return Action.STOP
        if up >= self.limits.healthy:
            self._failures = self._early_ends = self._rests = 0
        return Action.NOTHING

    def _is_silent(self, now: float, silent: float | None) -> bool:
        watched = now - self._watching_from
        patience = self.limits.beat * self.limits.misses
        if not self._seen:
            return watched > max(self.limits.start, patience)
        return watched > patience and (silent is None or silent > patience)

    def _down(self, now: float) -> None:
        pause = min(
            self.limits.first_pause * 2.0 ** min(self._failures, 20), self.limits.longest_pause
        )
        self._failures += 1
        self.restarts += 1
        self.state = State.DOWN
        self._start_at = now + pause
