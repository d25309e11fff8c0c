"""One HTTP/1.1 exchange after another on a connection: bounded, exact, and nothing behind our back.

What RFC 9112 leaves to a client is decided for a device on a bad network: a head
of bounded size and time, exactly one length of the body, one buffer for all of
it. No redirects, no retries, no decoding: `wire` has those. A connection is kept
only after an answer that was read to its very end.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

BUFFER = 256 * 1024
"""Bytes of a body that are taken at once; a connection holds one such buffer."""

_HEAD = 64 * 1024
_HEADERS = 100
_LINE = 4096
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_BODY = (204, 304)
_SAFE = "%/:=&?~+!$,;'@()*[]-._"


class Broken(Exception):
    """The line is no use any more. `cut`: an answer had begun and ended too soon."""

    def __init__(self, message: str, *, cut: bool = False) -> None:
        super().__init__(message)
        self.cut = cut


class Silence(Broken):
    """Nothing came, or no end of a head, within the time allowed."""


class NotHttp(Broken):
    """What came is no HTTP/1.1 answer."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a connection leads to. `proxy` is asked to take what it is sent further."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None

    @property
    def direct(self) -> bool:
        """Whether requests name the path alone: all but plain HTTP through a proxy."""
        return self.proxy is None or self.scheme == "https"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `authorization` is a secret and stays out of every message."""

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.host!r}, {self.port})"


class Headers(dict[str, str]):
    """Header fields by lower-case name; fields that repeat are joined by a comma."""

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        """The field `name`, in any case."""
        return super().get(name.lower(), default)


class Answer:
    """An answer whose body is yet to be read. Read it to its end or close it."""

    def __init__(self, connection: Connection, status: int, headers: Headers, old: bool) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection
        self._keep = not old and headers.get("connection").lower() != "close"
        self._chunked = False
        self._left: int | None = None
        self._done = False

    def frame(self, method: str) -> None:
        """Find out where the body ends (RFC 9112, section 6.3).

        Raises:
            NotHttp: two lengths, or an encoding this client does not know.
        """
        encoding = self.headers.get("transfer-encoding").lower()
        length = self.headers.get("content-length")
        if method == "HEAD" or self.status < 200 or self.status in _NO_BODY:
            self._finish()
        elif encoding:
            if encoding != "chunked":
                raise NotHttp(f"expected a chunked answer or a plain one, got {encoding[:40]!r}")
            self._chunked, self._left = True, 0
        elif length:
            if len({part.strip() for part in length.split(",")}) != 1:
                raise NotHttp("expected one length, got several")
            text = length.split(",", 1)[0].strip()
            if not (text.isascii() and text.isdecimal() and len(text) < 20):
                raise NotHttp(f"expected a length, got {text[:40]!r}")
            self._left = int(text)
            if not self._left:
                self._finish()
        else:
            # To the end of the connection: nothing tells an end from a cut.
            self._keep = False

    def read(self) -> memoryview:
        """The next bytes of the body, as they come; empty at its end.

        What is returned is overwritten by the next call.

        Raises:
            Silence: nothing came within the gap allowed.
            Broken: the connection ended before the body did.
        """
        if self._done:
            return memoryview(b"")
        if self._chunked and not self._left:
            self._left = self._connection.chunk_size()
            if not self._left:
                self._connection.skip_trailers()
                self._finish()
                return memoryview(b"")
        part = self._connection.some(self._left)
        if not part:
            if self._left is not None:
                raise Broken("the answer ended before its length", cut=True)
            self._finish()
            return part
        if self._left is not None:
            self._left -= len(part)
            if self._chunked and not self._left:
                # The end of a chunk lies behind it in the buffer, which stays as it is.
                self._connection.expect_line_end = True
            elif not self._left:
                self._finish()
        return part

    def close(self) -> None:
        """Be done with it and its connection."""
        self._done = True
        self._keep = False
        self._connection.close()

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another exchange."""
        return self._done and self._keep and self._connection.is_quiet()

    @property
    def connection(self) -> Connection:
        """What it came over."""
        return self._connection

    def _finish(self) -> None:
        self._done = True


class Connection:
    """A connection to one place. One exchange at a time, one thread at a time."""

    def __init__(self, place: Place, *, connect: float, gap: float) -> None:
        """`connect` and `gap` are seconds: to get there, and between two bytes."""
        self.place = place
        self.used = 0
        self.expect_line_end = False
        self._connect = connect
        self._gap = gap
        self._sock: socket.socket | None = None
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._at = self._end = 0

    def open(self, context: ssl.SSLContext | None) -> None:
        """Get there; for https, with `context`.

        Raises:
            Broken: nobody is there, or the proxy refuses.
            ssl.SSLError: no trusted certificate.
        """
        place = self.place
        host, port = (
            (place.proxy.host, place.proxy.port) if place.proxy else (place.host, place.port)
        )
        try:
            sock = socket.create_connection((host, port), timeout=self._connect)
        except (OSError, UnicodeError) as error:
            raise Broken(f"no connection to {host}: {error}") from error
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sock = sock
            if place.scheme == "https":
                if place.proxy:
                    self._tunnel(place.proxy)
                if context is None:
                    raise ValueError("https needs a context")
                sock.settimeout(self._connect)
                try:
                    self._sock = context.wrap_socket(sock, server_hostname=place.host)
                except TimeoutError as error:
                    raise Silence("no answer to a TLS greeting") from error
                except ssl.SSLError:
                    raise
                except OSError as error:
                    raise Broken(f"no TLS: {error}") from error
        except BaseException:
            self.close()
            sock.close()
            raise

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        head_seconds: float,
    ) -> Answer:
        """Send a request and read the head of its answer, within `head_seconds`.

        Raises:
            Silence, NotHttp, Broken: no whole head came.
        """
        self.used += 1
        self._send(self._request(method, url, headers, body))
        deadline = time.monotonic() + head_seconds
        while True:
            answer = self._head(deadline)
            if answer.status >= 200 or answer.status == 101:
                break
        answer.frame(method)
        return answer

    def is_quiet(self) -> bool:
        """Whether it is open and the other side has neither spoken out of turn nor left."""
        if self._sock is None or self._at < self._end:
            return False
        try:
            if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
                return False
            readable, _, _ = select.select([self._sock], [], [], 0)
        except (OSError, ValueError):
            return False
        return not readable

    def close(self) -> None:
        """Hang up."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def some(self, limit: int | None) -> memoryview:
        """Up to `limit` bytes as they come, in this connection's own buffer; empty at the end."""
        if self._at == self._end and not self._fill(self._gap):
            return self._view[:0]
        stop = self._end if limit is None else min(self._end, self._at + limit)
        part = self._view[self._at : stop]
        self._at = stop
        return part

    def chunk_size(self) -> int:
        """The size of the next chunk; 0 is the last."""
        if self.expect_line_end:
            self.expect_line_end = False
            if self._line(time.monotonic() + self._gap):
                raise NotHttp("expected the end of a chunk, got more")
        text = self._line(time.monotonic() + self._gap).split(b";", 1)[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", text):
            raise Broken("the answer broke off between two chunks", cut=True)
        return int(text, 16)

    def skip_trailers(self) -> None:
        """Read past the fields that may follow the last chunk."""
        deadline = time.monotonic() + self._gap
        for _ in range(_HEADERS):
            if not self._line(deadline):
                return
        raise NotHttp("expected the end of the trailers, got more")

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> bytes:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        path = parts.path or "/"
        target = quote(f"{path}?{parts.query}" if parts.query else path, safe=_SAFE)
        if not self.place.direct:
            target = f"http://{host}{target}"
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        if self.place.proxy and not self.place.direct and self.place.proxy.authorization:
            lines.append(f"Proxy-Authorization: {self.place.proxy.authorization}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        for line in lines:
            if "\r" in line or "\n" in line:
                raise ValueError("a request's line with a line break in it")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")

    def _tunnel(self, proxy: Proxy) -> None:
        """Ask the proxy for a way through to the place itself."""
        host = f"[{self.place.host}]" if ":" in self.place.host else self.place.host
        lines = [f"CONNECT {host}:{self.place.port} HTTP/1.1", f"Host: {host}:{self.place.port}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        self._send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        answer = self._head(time.monotonic() + self._gap)
        if answer.status == 407:
            raise ProxyRefused("wants a name and a password")
        if answer.status != 200:
            raise ProxyRefused(f"answered with status {answer.status}")
        if self._at < self._end:
            raise NotHttp("expected silence from the proxy, got more")

    def _send(self, raw: bytes) -> None:
        if self._sock is None:
            raise Broken("the connection is closed")
        self._sock.settimeout(self._gap)
        try:
            self._sock.sendall(raw)
        except TimeoutError as error:
            raise Silence("nobody takes what is sent") from error
        except OSError as error:
            raise Broken(f"the connection broke: {error}") from error

    def _fill(self, seconds: float) -> bool:
        """Take what has come into the empty buffer; whether anything did."""
        if self._sock is None:
            raise Broken("the connection is closed")
        if seconds <= 0:
            raise Silence("no end of the head")
        self._at = self._end = 0
        try:
            self._sock.settimeout(min(seconds, self._gap))
            self._end = self._sock.recv_into(self._buffer)
        except TimeoutError as error:
            raise Silence("nothing came") from error
        except ssl.SSLEOFError:
            return False
        except OSError as error:
            raise Broken(f"the connection broke: {error}") from error
        return self._end > 0

    def _line(self, deadline: float, limit: int = _LINE) -> bytes:
        """The next line, without its end."""
        found = bytearray()
        while True:
            if self._at == self._end and not self._fill(deadline - time.monotonic()):
                raise Broken("the connection ended", cut=True)
            stop = self._buffer.find(b"\n", self._at, self._end)
            upto = self._end if stop < 0 else stop
            found += self._view[self._at : upto]
            self._at = upto if stop < 0 else stop + 1
            if len(found) > limit:
                raise NotHttp("expected a line, got no end of it")
            if stop >= 0:
                return bytes(found.removesuffix(b"\r"))

    def _head(self, deadline: float) -> Answer:
        try:
            first = self._line(deadline)
        except NotHttp as error:
            raise NotHttp("expected an HTTP answer, got something else") from error
        found = _STATUS_LINE.fullmatch(first)
        if not found:
            raise NotHttp(f"expected an HTTP answer, got {first[:40]!r}")
        headers = Headers()
        size = 0
        for _ in range(_HEADERS + 1):
            line = self._line(deadline, _HEAD).decode("latin-1")
            size += len(line)
            if not line:
                return Answer(self, int(found[2]), headers, old=found[1] == b"0")
            if size > _HEAD:
                break
            name, colon, text = line.partition(":")
            if not colon or not _NAME.fullmatch(name):
                # Also a folded line: RFC 9112 lets a client refuse it.
                raise NotHttp(f"expected a header field, got {line[:40]!r}")
            name, text = name.lower(), text.strip(" \t")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        raise NotHttp("expected the end of the header, got more and more")


class ProxyRefused(Broken):
    """The proxy does not let us through; the message says why."""
