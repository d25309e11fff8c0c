"""What the page on the screen says of itself, and whether anybody uses it.

The page reports every ten seconds (`POST /page`). Reports live in memory alone: a
page that matters reports again. Nothing in them can change what is served; they
only tell when a change disturbs nobody, and whether a new set plays healthily.
Durations are of the monotonic clock: the device's own may jump at any time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from package_format.canonical import parse_json

LARGEST_REPORT = 4096
"""Bytes of a report."""
REPORT_SECONDS = 10.0
"""How often a page reports."""
QUIET_SECONDS = 25.0
"""After so long without a report nobody is held to be at the screen."""
FIRST_SECONDS = 12.0
"""So soon after the start a page that is open already has reported."""
FORGOTTEN_SECONDS = 3600.0
"""A visit untouched for so long is none: the page's own reset must have failed."""
CRASH_WINDOW_SECONDS = 600.0

SCREENS = frozenset(("attract", "visit", "start", "fault", "gone"))
"""`start` is a page that begins, `fault` one that could not, `gone` one that says goodbye."""

_TEXT = 200
_MOST_ERRORS = 10
_MOST_PLAYS = 20


class NotAReport(ValueError):
    """A report is not as the protocol has it."""


@dataclass(frozen=True, slots=True)
class Play:
    """An entry that was looked at: its id, title and language as shown, and for how long."""

    entry: str
    title: str
    language: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a page said. `content` is the tag of the set it plays, empty when it has none."""

    package: str
    release: int
    content: str
    screen: str
    entry: str
    idle_seconds: float
    heap: int | None
    errors: tuple[str, ...]
    plays: tuple[Play, ...]


@dataclass(frozen=True, slots=True)
class PageState:
    """The page as last heard of.

    `seen_seconds_ago` is None when no page ever reported. `idle`: nobody is at the
    screen, as far as can be told. `healthy_seconds`: for how long it has reported
    `content` without an error. `faults` counts its errors since it began with that
    set; `noisy` says that the set before it had errors too. `crashes` are those the
    shell saw in the last ten minutes.
    """

    seen_seconds_ago: float | None
    package: str | None
    release: int | None
    content: str | None
    screen: str | None
    entry: str | None
    idle: bool
    idle_seconds: float | None
    heap_bytes: int | None
    errors: tuple[str, ...]
    healthy_seconds: float = 0.0
    faults: int = 0
    noisy: bool = False
    crashes: int = 0


def parse_report(raw: bytes) -> Report:
    """The report in `raw`; what it has beyond the protocol is left aside.

    Raises:
        NotAReport: it is too long, no JSON object, or a value is of another type.
    """
    if len(raw) > LARGEST_REPORT:
        raise NotAReport(f"expected at most {LARGEST_REPORT} bytes, got {len(raw)}")
    try:
        value = parse_json(raw)
    except ValueError as error:
        raise NotAReport("expected a JSON object, got something else") from error
    if not isinstance(value, dict):
        raise NotAReport("expected a JSON object, got something else")
    return read_report(value)


def read_report(value: Mapping[str, Any]) -> Report:
    """A report from its JSON object.

    Raises:
        NotAReport: a value is of another type.
    """
    screen = _text(value, "screen")
    if screen not in SCREENS:
        raise NotAReport(f"expected a screen among {', '.join(sorted(SCREENS))}, got {screen!r}")
    return Report(
        package=_text(value, "package"),
        release=_whole(value, "release") or 0,
        content=_text(value, "content"),
        screen=screen,
        entry=_text(value, "entry"),
        idle_seconds=_number(value, "idle_seconds"),
        heap=_whole(value, "heap"),
        errors=tuple(_error(error) for error in _list(value, "errors")[:_MOST_ERRORS]),
        plays=tuple(_play(play) for play in _list(value, "plays")[:_MOST_PLAYS]),
    )


class PageWatch:
    """Remembers what the page said last. Safe for several threads.

    `now` is the time of the monotonic clock in seconds, by default that of `clock`.
    """

    def __init__(
        self, *, now: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._heard: float = clock() if now is None else now
        self._report: Report | None = None
        self._healthy_since = 0.0
        self._faults = 0
        self._errors: tuple[str, ...] = ()
        self._last_error: float | None = None
        self._noisy = False
        self._crashes: list[float] = []

    def note(self, report: Report | Mapping[str, Any], now: float | None = None) -> None:
        """Take a page's report."""
        found = report if isinstance(report, Report) else read_report(report)
        at = self._clock() if now is None else now
        with self._lock:
            before = self._report
            if before is None or before.content != found.content:
                loud = self._last_error is not None and at - self._last_error < 60.0
                self._noisy = before is not None and loud
                self._healthy_since, self._faults = at, 0
                self._crashes = []
            elif at - self._heard > QUIET_SECONDS:
                # A page that was away has to show anew that it plays.
                self._healthy_since = at
            if found.errors or found.screen == "fault":
                self._errors = (*self._errors, *found.errors)[-_MOST_ERRORS:]
                self._last_error = at
                self._faults += max(1, len(found.errors))
                if not self._noisy or found.screen == "fault":
                    self._healthy_since = at
            self._report, self._heard = found, at

    def crashed(self, reason: str, now: float | None = None) -> None:
        """The shell saw the page or its browser die."""
        at = self._clock() if now is None else now
        with self._lock:
            self._crashes.append(at)
            self._healthy_since = at
            self._errors = (*self._errors, reason[:_TEXT])[-_MOST_ERRORS:]

    def begin_anew(self) -> None:
        """Another set begins to play: what was counted against the one before is over."""
        with self._lock:
            self._crashes = []

    def state(self, now: float | None = None) -> PageState:
        """The page as it is now."""
        at = self._clock() if now is None else now
        with self._lock:
            report = self._report
            quiet = at - self._heard > (QUIET_SECONDS if self._report else FIRST_SECONDS)
            crashes = sum(at - crash < CRASH_WINDOW_SECONDS for crash in self._crashes)
            if report is None:
                return PageState(
                    None, None, None, None, None, None, quiet, None, None, (), crashes=crashes
                )
            left = report.screen == "visit" and report.idle_seconds >= FORGOTTEN_SECONDS
            return PageState(
                seen_seconds_ago=at - self._heard,
                package=report.package,
                release=report.release,
                content=report.content,
                screen=report.screen,
                entry=report.entry,
                idle=quiet or left or report.screen in ("attract", "fault"),
                idle_seconds=report.idle_seconds,
                heap_bytes=report.heap,
                errors=self._errors,
                healthy_seconds=0.0 if quiet else self._heard - self._healthy_since,
                faults=self._faults,
                noisy=self._noisy,
                crashes=crashes,
            )


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise NotAReport(f"expected {name} as text, got {type(found).__name__}")
    return _clean(found)


def _clean(text: str) -> str:
    """At most 200 characters on one line, as a log or a JSON file can take them."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text[:_TEXT])
    return kept.encode("utf-8", "replace").decode("utf-8")


def _whole(value: Mapping[str, Any], name: str) -> int | None:
    found = value.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 2**53:
        raise NotAReport(f"expected {name} as a whole number, got {str(found)[:40]!r}")
    return found


def _number(value: Mapping[str, Any], name: str) -> float:
    found = value.get(name)
    if found is None:
        return 0.0
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 2**53:
        raise NotAReport(f"expected {name} as a number, got {str(found)[:40]!r}")
    return float(found)


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise NotAReport(f"expected {name} as a list, got {type(found).__name__}")
    return found


def _error(value: Any) -> str:
    if not isinstance(value, str):
        raise NotAReport(f"expected an error as text, got {type(value).__name__}")
    return _clean(value)


def _play(value: Any) -> Play:
    if not isinstance(value, Mapping):
        raise NotAReport(f"expected a play as an object, got {type(value).__name__}")
    entry = _text(value, "entry")
    if not entry:
        raise NotAReport("expected the entry of a play, got none")
    return Play(
        entry=entry,
        title=_text(value, "title"),
        language=_text(value, "language"),
        # No visit is longer than a day; a clock that jumps must not make one.
        seconds=min(_number(value, "seconds"), 86_400.0),
    )
