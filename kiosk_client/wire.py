"""HTTP as a device needs it: bounded, counted, and wary of whoever answers.

Redirects are followed on the same origin only: elsewhere is a login page until
proven otherwise. Nothing is decoded behind our back; gzip is decoded to a bound.
Every request and every received byte of a body is counted. Connections are used
again; the venue's proxy, certificates, speed and hours are kept to.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import (
    HTTPError,
    IncompleteRead,
    InvalidChunkLength,
    InvalidHeader,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from kiosk_client import __version__
from kiosk_client.connections import make_pool
from kiosk_client.errors import DamagedTransfer, ForeignAnswer, KioskError, NoNetwork
from kiosk_client.network import (
    SMALL_FILE,
    Cap,
    Network,
    Proxy,
    bypasses,
    may_download,
    next_opening,
)
from package_format.canonical import parse_json

CHUNK = 256 * 1024
"""Bytes of a body that are taken, or that gzip is decoded to, at once."""

SMALL_ANSWER = 1024 * 1024
"""Most bytes of an answer of the device API."""

Answer = urllib3.response.BaseHTTPResponse

_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Limits:
    """Patience, in seconds and bytes. Tests shorten it."""

    connect_seconds: float = 10.0
    gap_seconds: float = 30.0
    rate_window_seconds: float = 60.0
    least_rate: int = 1024
    attempts: int = 5
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 60.0
    redirects: int = 3


class Cancelled(KioskError):
    """The process is being stopped; what was received stays."""

    code = "cancelled"


class WaitingForWindow(KioskError):
    """What is left is large, and the venue wants it fetched at other hours. Nobody's fault."""

    code = "waiting-for-window"
    exit_code = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer read whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The connections of one sync. Safe for several threads."""

    def __init__(
        self,
        *,
        connections: int = 8,
        limits: Limits | None = None,
        cancel: threading.Event | None = None,
        network: Network | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.limits = limits or Limits()
        self.cancel = cancel or threading.Event()
        self.network = network or Network()
        self.requests = 0
        self.received = 0
        self._now = now
        self._any_hour = False
        self._cap = Cap(self.network.cap) if self.network.cap else None
        self._connections = connections
        self._pools: dict[tuple[bool, Proxy | None], urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        self._headers = {
            "User-Agent": f"kiosk-client/{__version__}",
            "Accept-Encoding": "identity",
        }

    def close(self) -> None:
        """Close every connection that is at rest."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.clear()

    def may_fetch(self, size: int) -> bool:
        """Whether a file of `size` bytes may be fetched at this hour."""
        if size <= SMALL_FILE or self.network.window is None or self._any_hour:
            return True
        now = self._now()
        if self.network.floor is not None and now < self.network.floor:
            # A clock that is behind tells no hour; content is worth more than a quiet line.
            return True
        return may_download(now, self.network.window)

    @contextlib.contextmanager
    def at_any_hour(self) -> Iterator[None]:
        """Within, nothing waits for the window: what plays must not stay in holes."""
        self._any_hour = True
        try:
            yield
        finally:
            self._any_hour = False

    def waiting(self) -> WaitingForWindow:
        """What to say of files that `may_fetch` keeps back."""
        window = self.network.window
        opens = f" at {next_opening(self._now(), window):%H:%M}" if window else ""
        return WaitingForWindow(
            f"what is large waits for the download window, {window}: it comes{opens}; "
            "`kiosk-client sync` by hand does not wait"
        )

    def with_limits(self, limits: Limits, *, near: bool = False) -> Wire:
        """Another wire of other patience; with `near`, without proxy, window and cap."""
        return Wire(
            connections=self._connections,
            limits=limits,
            cancel=self.cancel,
            network=None if near else self.network,
            now=self._now,
        )

    def add(self, other: Wire) -> None:
        """Count what `other` asked and received as this one's: one sync, one account."""
        with self._lock:
            self.requests += other.requests
            self.received += other.received

    def pause(self, attempt: int, retry_after: str | None = None) -> None:
        """Wait before attempt number `attempt` + 1 (from 1), as the server asks or ever longer.

        Raises:
            Cancelled: the process is being stopped.
        """
        seconds = pause_seconds(attempt, retry_after, self.limits, random.random(), time.time())
        if self.cancel.wait(seconds):
            raise Cancelled("stopped while waiting for the server")

    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request and return its answer, the body yet unread and undecoded.

        Raises:
            NoNetwork: nobody answers.
            ForeignAnswer: redirected to another origin, or told to log in to the network.
            Cancelled: the process is being stopped.
        """
        origin = _origin(url)
        for _ in range(self.limits.redirects + 1):
            if self.cancel.is_set():
                raise Cancelled("stopped before asking the server")
            with self._lock:
                self.requests += 1
            answer = self._exchange(method, url, {**self._headers, **(headers or {})}, body)
            if answer.status == 511:
                answer.close()
                raise ForeignAnswer(
                    f"expected {origin} to answer, got a network that wants a login first"
                )
            if answer.status == 407:
                answer.close()
                raise NoNetwork(_proxy_message(self._proxy(url), "wants a name and a password"))
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            answer.close()
            url = urljoin(url, location)
            if _origin(url) == origin.replace("http:", "https:", 1) != origin:
                raise ForeignAnswer(
                    f"expected {origin} to answer, got sent to {_origin(url)}: "
                    "enrol with that address"
                )
            if _origin(url) != origin:
                raise ForeignAnswer(
                    f"expected {origin} to answer, got sent to {_origin(url)}: "
                    "is there a login page on this network?"
                )
        raise ForeignAnswer(f"expected an answer from {origin}, got redirected in circles")

    def chunks(self, answer: Answer, url: str, *, size: int = 0) -> Generator[bytes, None, None]:
        """The body as it comes, undecoded; closes the connection or keeps it for the next.

        `size` is that of the whole file, where it may have to wait for the
        download window.

        Raises:
            NoNetwork: it stalls, drips slower than the least rate, or the line drops.
            DamagedTransfer: it ends before its length.
            WaitingForWindow: the window has closed.
            Cancelled: the process is being stopped.
        """
        limits = self.limits
        window_start, window_bytes = time.monotonic(), 0
        done = False
        try:
            while True:
                if self.cancel.is_set():
                    raise Cancelled("stopped while receiving")
                if not self.may_fetch(size):
                    raise self.waiting()
                # read1 returns what has come, so a drip cannot hide inside a large read.
                part = answer.read1(CHUNK, decode_content=False)
                if not part:
                    break
                with self._lock:
                    self.received += len(part)
                window_bytes += len(part)
                now = time.monotonic()
                if now - window_start >= limits.rate_window_seconds:
                    rate = window_bytes / (now - window_start)
                    if rate < limits.least_rate:
                        raise NoNetwork(
                            f"expected at least {limits.least_rate} bytes a second from "
                            f"{_origin(url)}, got {rate:.0f}"
                        )
                    window_start, window_bytes = now, 0
                yield part
                # Time spent waiting for our own cap is not the server's.
                window_start += self._keep_to_cap(len(part))
            done = True
        except HTTPError as error:
            if _is_cut(error):
                raise DamagedTransfer(
                    f"expected the whole of {_short(url)}, got an answer cut short"
                ) from error
            raise NoNetwork(_network_message(url, self._proxy(url), error)) from error
        finally:
            if done:
                answer.release_conn()
            else:
                answer.close()

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        pool = self._pool(url)
        for first in (True, False):
            try:
                return pool.request(
                    method,
                    url,
                    body=body,
                    headers=headers,
                    preload_content=False,
                    decode_content=False,
                    redirect=False,
                )
            except HTTPError as error:
                # A connection at rest may be closed by the other side at any time: once more.
                if first and body is None and _was_closed(error):
                    continue
                if _is_no_http(error):
                    raise ForeignAnswer(
                        f"expected {_origin(url)} to answer, got something that is no web server"
                    ) from error
                raise NoNetwork(_network_message(url, self._proxy(url), error)) from error
            except ValueError as error:
                raise ForeignAnswer(f"expected an address, got {url[:200]!r}") from error
        raise AssertionError("the second try returns or raises")

    def _pool(self, url: str) -> urllib3.PoolManager:
        """The connections that lead to `url`: the venue's proxy and certificates kept to."""
        parts = urlsplit(url)
        try:
            known = bool(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if parts.scheme not in ("http", "https") or not known:
            raise ForeignAnswer(f"expected a web address, got {url[:200]!r}")
        proxy = self._proxy(url)
        key = (parts.scheme == "https", proxy)
        with self._lock:
            if key not in self._pools:
                self._pools[key] = make_pool(
                    connections=self._connections,
                    timeout=urllib3.Timeout(
                        connect=self.limits.connect_seconds, read=self.limits.gap_seconds
                    ),
                    context=_trusted(self.network) if key[0] else None,
                    proxy=proxy,
                )
            return self._pools[key]

    def _proxy(self, url: str) -> Proxy | None:
        host = urlsplit(url).hostname or ""
        proxy = self.network.proxy
        return None if proxy is None or bypasses(host, self.network.no_proxy) else proxy

    def _keep_to_cap(self, size: int) -> float:
        """Wait as long as the cap wants after `size` bytes; the seconds waited."""
        seconds = self._cap.take(size) if self._cap else 0.0
        if seconds and self.cancel.wait(seconds):
            raise Cancelled("stopped while keeping to the cap")
        return seconds

    def ask(
        self,
        method: str,
        url: str,
        *,
        limit: int,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        attempts: int | None = None,
    ) -> Reply:
        """Send a request and read the answer whole, decoded, at most `limit` bytes.

        Network failures, 429 and 5xx are tried again with growing pauses,
        `attempts` times in all (2 unless told).

        Raises:
            NoNetwork, ForeignAnswer, Cancelled: as `open` and `chunks`.
            DamagedTransfer: more than `limit` bytes, cut short, or not decodable.
        """
        wanted = attempts or min(2, self.limits.attempts)
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self.open(
                    method, url, headers={"Accept-Encoding": "gzip", **(headers or {})}, body=body
                )
                encoding = response.headers.get("Content-Encoding", "identity").lower()
                parts = self.chunks(response, url)
                # The answer too: an encoding nobody asked for ends this before its first chunk.
                with contextlib.closing(response), contextlib.closing(parts):
                    raw = b"".join(decoded(parts, encoding, limit, url))
            except (NoNetwork, DamagedTransfer):
                if attempt >= wanted:
                    raise
                self.pause(attempt)
                continue
            found = {name.lower(): text for name, text in response.headers.items()}
            if (response.status == 429 or response.status >= 500) and attempt < wanted:
                self.pause(attempt, found.get("retry-after"))
                continue
            return Reply(response.status, found, raw)


def decoded(parts: Iterator[bytes], encoding: str, limit: int, url: str) -> Iterator[bytes]:
    """`parts` decoded from `gzip` or `identity`, never more than `limit` bytes in all.

    Raises:
        DamagedTransfer: more bytes, another encoding, or broken gzip.
    """
    if encoding not in ("gzip", "x-gzip", "identity", ""):
        raise DamagedTransfer(f"expected {_short(url)} plain or gzip, got {encoding}")
    inflate = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    total = 0
    for part in parts:
        if inflate is None:
            total += len(part)
            if total > limit:
                raise DamagedTransfer(f"expected at most {limit} bytes for {_short(url)}, got more")
            yield part
            continue
        while part:
            try:
                out = inflate.decompress(part, min(CHUNK, limit - total + 1))
            except zlib.error as error:
                raise DamagedTransfer(f"expected gzip for {_short(url)}, got: {error}") from error
            total += len(out)
            if total > limit or inflate.unused_data:
                raise DamagedTransfer(f"expected at most {limit} bytes for {_short(url)}, got more")
            part = inflate.unconsumed_tail
            if out:
                yield out
            elif not part:
                break
    if inflate is not None and not inflate.eof:
        raise DamagedTransfer(f"expected the whole of {_short(url)}, got gzip cut short")


def pause_seconds(
    attempt: int, retry_after: str | None, limits: Limits, chance: float, now: float
) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1).

    `Retry-After` (seconds or a date, RFC 9110) is kept to, up to the longest
    pause; else the pause doubles, with jitter from `chance` (0 to 1): exhibits
    boot together after a power cut and must not come back together.
    """
    asked = _retry_after(retry_after, now)
    if asked is not None:
        return min(max(asked, 0.0), limits.longest_pause_seconds) + chance * 0.5
    pause = limits.first_pause_seconds * float(2 ** min(attempt - 1, 10))
    return min(pause, limits.longest_pause_seconds) * (0.5 + chance / 2)


def is_page(content_type: str, start: bytes) -> bool:
    """Whether an answer that should be JSON is a page: what a login portal sends."""
    body = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    return not body.startswith((b"{", b"[")) and (
        body.startswith(b"<") or content_type.lower().startswith("text/html")
    )


def json_object(reply: Reply, url: str) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        ForeignAnswer: it is a page or anything else.
    """
    try:
        value = parse_json(reply.body)
    except ValueError as error:
        raise _foreign(reply, url) from error
    if not isinstance(value, dict):
        raise _foreign(reply, url)
    return value


def _foreign(reply: Reply, url: str) -> ForeignAnswer:
    page = is_page(reply.headers.get("content-type", ""), reply.body[:512])
    got = "a web page: is there a login page on this network?" if page else "something else"
    return ForeignAnswer(f"expected the content server at {_origin(url)}, got {got}")


def _retry_after(text: str | None, now: float) -> float | None:
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        return parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _short(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2][:80] or url


def _trusted(network: Network) -> ssl.SSLContext:
    """The certificates trusted: the system's, and the venue's own."""
    context = ssl.create_default_context()
    if network.ca_file is not None:
        try:
            context.load_verify_locations(network.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise KioskError(
                f"expected certificates (PEM) in {network.ca_file}, got: {error}"
            ) from error
    return context


def _inside(error: HTTPError) -> Any:
    """What urllib3 wrapped in its own error."""
    return error.args[-1] if error.args else None


def _is_cut(error: HTTPError) -> bool:
    """Whether an answer had begun and ended too soon."""
    cut = (IncompleteRead, InvalidChunkLength, http.client.IncompleteRead)
    return isinstance(error, cut) or isinstance(_inside(error), cut)


def _was_closed(error: HTTPError) -> bool:
    closed = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
    return isinstance(error, ProtocolError) and isinstance(_inside(error), closed)


def _is_no_http(error: HTTPError) -> bool:
    inside = _inside(error)
    return isinstance(error, InvalidHeader) or (
        isinstance(error, ProtocolError)
        and isinstance(inside, http.client.HTTPException)
        and not isinstance(inside, http.client.RemoteDisconnected)
    )


def _network_message(url: str, proxy: Proxy | None, error: Exception) -> str:
    origin = _origin(url)
    if isinstance(error, ProxyError):
        said = str(_inside(error))
        refused = _TUNNEL.search(said)
        if refused:
            wants = "wants a name and a password" if refused[1] == "407" else ""
            return _proxy_message(proxy, wants or f"answered with status {refused[1]}")
    if isinstance(error, ReadTimeoutError):
        return f"expected {origin} to answer, got silence: check the network"
    if isinstance(error, SSLError):
        return (
            f"expected a trusted certificate from {origin}, got none: "
            "check the address and this device's clock"
        )
    if proxy is not None:
        return (
            f"expected to reach {origin} through the proxy {proxy.host}, "
            "got no connection: check the proxy and the network"
        )
    return f"expected to reach {origin}, got no connection: check the network"


def _proxy_message(proxy: Proxy | None, said: str) -> str:
    host = proxy.host if proxy else "nobody set"
    return (
        f"expected the proxy {host} to let this device through, but it {said}: "
        "check `proxy` in settings.json"
    )
