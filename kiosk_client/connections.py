"""Connections by urllib3, with the one bound it lacks: a head must end in its time.

A gap between two bytes is bounded by urllib3; a server that sends its head a byte
at a time, each within the gap, would hold a device for ever.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from kiosk_client.network import Proxy

HEAD_GAPS = 2
"""A head, or the way through a proxy, may take this many times the longest gap."""


def make_pool(
    *,
    connections: int,
    timeout: urllib3.Timeout,
    context: ssl.SSLContext | None,
    proxy: Proxy | None = None,
) -> urllib3.PoolManager:
    """A pool that keeps `connections` to each host; `context` is for https, asked when needed."""
    options: dict[str, Any] = {
        "num_pools": 8,
        "maxsize": connections,
        "retries": False,
        "timeout": timeout,
        "ssl_context": context,
    }
    if proxy is None:
        pool = urllib3.PoolManager(**options)
    else:
        host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
        secret = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        pool = urllib3.ProxyManager(f"http://{host}:{proxy.port}", proxy_headers=secret, **options)
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return pool


class _Timely(HTTPConnection):
    """A connection whose head and whose way through a proxy end in their time."""

    def connect(self) -> None:
        with self._in_time():
            super().connect()

    def getresponse(self) -> Any:
        with self._in_time():
            return super().getresponse()

    @contextlib.contextmanager
    def _in_time(self) -> Iterator[None]:
        """Hang up when what is inside takes longer than it may.

        Raises:
            TimeoutError: it did.
        """
        late = threading.Event()
        timer = threading.Timer(HEAD_GAPS * float(self.timeout or 60), self._hang_up, (late.set,))
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as error:
            if late.is_set():
                raise TimeoutError("no end of the head") from error
            raise
        finally:
            timer.cancel()
        # A head that breaks off reads as one that ended.
        if late.is_set():
            raise TimeoutError("no end of the head")

    def _hang_up(self, tell: Callable[[], None]) -> None:
        tell()
        sock = self.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class _TimelySecure(_Timely, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Timely


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _TimelySecure
