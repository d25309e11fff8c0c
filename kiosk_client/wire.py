"""HTTP as a device needs it: bounded, counted, and wary of whoever answers.

Redirects are followed on the same origin only: elsewhere is a login page until
proven otherwise. Nothing is decoded behind our back; gzip is decoded to a bound.
Every request and every received byte of a body is counted.
"""

from __future__ import annotations

import random
import threading
import time
import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import (
    HTTPError,
    IncompleteRead,
    InvalidChunkLength,
    ProtocolError,
    ReadTimeoutError,
)

from kiosk_client import __version__
from kiosk_client.errors import DamagedTransfer, ForeignAnswer, KioskError, NoNetwork
from package_format.canonical import parse_json

CHUNK = 256 * 1024
SMALL_ANSWER = 1024 * 1024
"""Most bytes of an answer of the device API."""

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
    ) -> None:
        self.limits = limits or Limits()
        self.cancel = cancel or threading.Event()
        self.requests = 0
        self.received = 0
        self._count = threading.Lock()
        self._headers = {
            "User-Agent": f"kiosk-client/{__version__}",
            "Accept-Encoding": "identity",
        }
        self._pool = urllib3.PoolManager(
            num_pools=4,
            maxsize=connections,
            retries=False,
            timeout=urllib3.Timeout(
                connect=self.limits.connect_seconds, read=self.limits.gap_seconds
            ),
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()

    def add(self, other: Wire) -> None:
        """Count what `other` asked and received as this one's: one sync, one account."""
        with self._count:
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
    ) -> urllib3.response.BaseHTTPResponse:
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
            with self._count:
                self.requests += 1
            try:
                response = self._pool.request(
                    method,
                    url,
                    body=body,
                    headers={**self._headers, **(headers or {})},
                    preload_content=False,
                    decode_content=False,
                    redirect=False,
                )
            except HTTPError as error:
                raise NoNetwork(_network_message(url, error)) from error
            if response.status == 511:
                response.close()
                raise ForeignAnswer(
                    f"expected {origin} to answer, got a network that wants a login first"
                )
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.close()
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

    def chunks(
        self, response: urllib3.response.BaseHTTPResponse, url: str
    ) -> Generator[bytes, None, None]:
        """The body as it comes, undecoded; closes or gives back the connection.

        Raises:
            NoNetwork: it stalls, drips slower than the least rate, or the line drops.
            DamagedTransfer: it ends before its length.
            Cancelled: the process is being stopped.
        """
        limits = self.limits
        window_start, window_bytes = time.monotonic(), 0
        done = False
        try:
            while True:
                if self.cancel.is_set():
                    raise Cancelled("stopped while receiving")
                # read1 returns what has come, so a drip cannot hide inside a large read.
                chunk = response.read1(CHUNK, decode_content=False)
                if not chunk:
                    break
                with self._count:
                    self.received += len(chunk)
                window_bytes += len(chunk)
                now = time.monotonic()
                if now - window_start >= limits.rate_window_seconds:
                    rate = window_bytes / (now - window_start)
                    if rate < limits.least_rate:
                        raise NoNetwork(
                            f"expected at least {limits.least_rate} bytes a second from "
                            f"{_origin(url)}, got {rate:.0f}"
                        )
                    window_start, window_bytes = now, 0
                yield chunk
            done = True
        except (IncompleteRead, InvalidChunkLength) as error:
            raise DamagedTransfer(
                f"expected the whole of {_short(url)}, got an answer cut short"
            ) from error
        except ProtocolError as error:
            if isinstance(error.args[-1] if error.args else None, IncompleteRead):
                raise DamagedTransfer(
                    f"expected the whole of {_short(url)}, got an answer cut short"
                ) from error
            raise NoNetwork(_network_message(url, error)) from error
        except HTTPError as error:
            raise NoNetwork(_network_message(url, error)) from error
        finally:
            if done:
                response.release_conn()
            else:
                response.close()

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
                raw = b"".join(decoded(self.chunks(response, url), encoding, limit, url))
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


def _network_message(url: str, error: Exception) -> str:
    if isinstance(error, ReadTimeoutError):
        return f"expected {_origin(url)} to answer, got silence: check the network"
    name = type(error).__name__
    if "SSL" in name or "SSL" in str(error)[:200]:
        return (
            f"expected a trusted certificate from {_origin(url)}, got none: "
            "check the address and this device's clock"
        )
    return f"expected to reach {_origin(url)}, got no connection: check the network"
