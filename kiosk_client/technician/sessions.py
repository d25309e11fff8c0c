"""Who is signed in at the technician's page: one person at a time, for minutes.

The token lives in the page's memory and comes back in a header of its own. There
is no cookie, so a page from elsewhere has nothing to send along; and no other
origin can set that header.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable

IDLE_SECONDS = 300.0
"""A session that nobody used for so long is over."""
LONGEST_SECONDS = 3600.0
"""A session is over after this in any case."""


class Sessions:
    """At most one session, in memory alone. Safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._began = 0.0
        self._used = 0.0

    def begin(self) -> str:
        """End whatever session there is and give the token of a new one."""
        with self._lock:
            self._token = secrets.token_urlsafe(32)
            self._began = self._used = self._clock()
            return self._token

    def use(self, token: str, *, prolong: bool = True) -> bool:
        """Whether `token` is of the session that lasts; using it makes it last (`prolong`)."""
        with self._lock:
            now = self._clock()
            if now - self._used > IDLE_SECONDS or now - self._began > LONGEST_SECONDS:
                self._token = ""
            if not self._token or not hmac.compare_digest(
                self._token.encode(), token.encode("utf-8", "replace")
            ):
                return False
            if prolong:
                self._used = now
            return True

    def end(self) -> None:
        """End the session."""
        with self._lock:
            self._token = ""
