"""How a device may use the venue's network: proxy, certificates, speed and hours.

`settings.json` in the data directory is the venue's own word and wins over what
the server assigned. Proxy and certificates are the venue's alone: whoever could
set them from afar could listen. Hours are those of the venue's clock on the wall.
"""

from __future__ import annotations

import base64
import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as day_time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from kiosk_client.config import DataDir, load_assignment, zone
from kiosk_client.durable import json_mark, read_json
from kiosk_client.errors import KioskError

SMALL_FILE = 1024 * 1024
"""Bytes of a file that comes at any hour: texts must not wait for films."""

log = logging.getLogger("kiosk_client.network")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `authorization` is a secret and stays out of every message."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the day in which much may be fetched, in the venue's time; over midnight too.

    Both the same is the whole day.
    """

    opens: day_time
    closes: day_time
    zone: tzinfo = UTC

    def __str__(self) -> str:
        return f"{self.opens:%H:%M} to {self.closes:%H:%M}"


@dataclass(frozen=True, slots=True)
class Network:
    """What the venue wants of its network. `cap` is in bytes a second.

    `floor` is the time that surely has passed: a clock behind it tells no hour.
    """

    proxy: Proxy | None = field(default=None, repr=False)
    no_proxy: tuple[str, ...] = ()
    ca_file: Path | None = None
    cap: int | None = None
    window: Window | None = None
    floor: datetime | None = None


def may_download(now: datetime, window: Window | None) -> bool:
    """Whether much may be fetched at `now`; always without a window."""
    if window is None or window.opens == window.closes:
        return True
    wall = now.astimezone(window.zone).time()
    if window.opens < window.closes:
        return window.opens <= wall < window.closes
    return wall >= window.opens or wall < window.closes


def next_opening(now: datetime, window: Window) -> datetime:
    """When the window opens next after `now`, in its zone. Hours skipped by the clocks count."""
    local = now.astimezone(window.zone)
    for days in range(3):
        day = local.date() + timedelta(days=days)
        opens = datetime.combine(day, window.opens, tzinfo=window.zone)
        if opens.astimezone(UTC) > now:
            return opens
    raise AssertionError("an hour of the day comes every day")


def load_network(data: DataDir) -> Network:
    """The settings of this device's venue, with those of the server where it has none.

    There is no window for a device that has nothing to show.

    Raises:
        KioskError: the venue's own file says something that cannot be used.
    """
    own = read_json(data.root / "settings.json")
    assignment = load_assignment(data)
    given = assignment.settings if assignment else {}
    found: dict[str, Any] = {}
    parsers: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("cap", _cap),
        ("window", _window),
    )
    for name, parse in parsers:
        key = f"download_{name}" + ("_kbps" if name == "cap" else "")
        found[name] = _setting(own, given, key, parse)
    if json_mark(data.active) is None:
        found["window"] = None
    if found["window"] is not None and assignment is not None:
        window: Window = found["window"]
        found["window"] = Window(window.opens, window.closes, zone(assignment.timezone))
    kept = read_json(data.trust)
    try:
        found["floor"] = datetime.fromisoformat(kept["floor"])
    except (TypeError, KeyError, ValueError):
        found["floor"] = None
    return Network(
        proxy=_setting(own, {}, "proxy", parse_proxy),
        no_proxy=_setting(own, {}, "no_proxy", _names) or (),
        ca_file=_setting(own, {}, "ca_file", _file),
        **found,
    )


def parse_proxy(text: Any) -> Proxy:
    """The proxy at an address such as `http://name:secret@proxy.example.org:3128`.

    Raises:
        ValueError: it is none; the message keeps the secret to itself.
    """
    parts = urlsplit(text if isinstance(text, str) else "")
    try:
        port = parts.port or 3128
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port or parts.path.strip("/"):
        raise ValueError("an address such as http://proxy.example.org:3128")
    authorization = ""
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(secret.encode()).decode("ascii")
    return Proxy(parts.hostname, port, authorization)


def bypasses(host: str, no_proxy: tuple[str, ...]) -> bool:
    """Whether `host` is reached without the proxy.

    An entry is a name, a domain and all below it (`.example.org`), an address
    or a network (`10.0.0.0/8`); `*` is every host.
    """
    for entry in no_proxy:
        name = entry.lower().rstrip(".")
        if name == "*" or host.lower() == name.lstrip("."):
            return True
        if host.lower().endswith(f".{name.lstrip('.')}"):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False):
                return True
        except ValueError:
            continue
    return False


class Cap:
    """A bound on the bytes a second of all threads together: a bucket of one second.

    `take` says how long to wait; it never waits itself.
    """

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock()

    def take(self, size: int) -> float:
        """Account for `size` bytes that have come; seconds to wait before the next."""
        with self._lock:
            now = self._clock()
            # What was not used is kept for a second at most.
            self._free_at = max(self._free_at, now - 1.0) + size / self._rate
            return max(0.0, self._free_at - now)


def _setting(own: Any, given: Mapping[str, Any], key: str, parse: Callable[[Any], Any]) -> Any:
    """A setting of the venue's own file, or else of the server's; None when neither has it."""
    if isinstance(own, dict) and key in own:
        if own[key] is None:
            return None
        try:
            return parse(own[key])
        except ValueError as error:
            raise KioskError(
                f"expected {key} in settings.json as {error}, got something else: correct it"
            ) from error
    if given.get(key) is None:
        return None
    try:
        return parse(given[key])
    except ValueError as error:
        log.warning("not used: expected %s from the server as %s", key, error)
        return None


def _cap(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 8 <= value <= 100_000_000:
        raise ValueError("kilobits a second, a whole number from 8")
    return value * 1000 // 8


def _window(value: Any) -> Window:
    try:
        opens, closes = (day_time.fromisoformat(text) for text in value)
        if opens.tzinfo or closes.tzinfo:
            raise ValueError
    except (TypeError, ValueError) as error:
        raise ValueError('two hours of the day, such as ["22:00","06:00"]') from error
    return Window(opens, closes)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError('a list of names, such as [".example.org","10.0.0.0/8"]')
    return tuple(value)


def _file(value: Any) -> Path:
    path = Path(value) if isinstance(value, str) else Path()
    if not path.is_absolute() or not path.is_file():
        raise ValueError("the whole path of a file of certificates (PEM)")
    return path
