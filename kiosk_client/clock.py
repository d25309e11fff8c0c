"""What this device knows of the time: whether a time server confirmed its clock.

Imports neither python-tuf nor an HTTP library: `status` and the heartbeat ask
this too. The floor that uses it is kept by `trust`.
"""

from __future__ import annotations

import ctypes
import sys
from datetime import UTC, datetime
from pathlib import Path

from kiosk_client.config import DataDir
from kiosk_client.durable import read_json

SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
"""Touched by systemd-timesyncd each time it has set the clock; gone at every boot."""

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


def confirmed_time(now: datetime, *, kernel: bool | None, touched: float | None) -> datetime | None:
    """The newest time that a time server has confirmed, or None.

    `kernel` is whether the kernel's clock is disciplined, None when that is not
    known; `touched` is when `SYNCHRONISED` was touched (seconds since 1970).
    A clock set by hand since then is behind or ahead of that without being
    confirmed, so the touch counts for its own time only, and never ahead.
    """
    if kernel:
        return now
    if touched is None:
        return None
    try:
        then = datetime.fromtimestamp(touched, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return then if then <= now else None


def ntp_time() -> datetime | None:
    """The newest time that a time server has confirmed on this machine, or None."""
    try:
        touched: float | None = SYNCHRONISED.stat().st_mtime
    except OSError:
        touched = None
    return confirmed_time(datetime.now(UTC), kernel=kernel_synchronised(), touched=touched)


def kernel_synchronised() -> bool | None:
    """Whether the kernel says that its clock is disciplined; None where it cannot be asked.

    `adjtimex` in a mode that changes nothing needs no right. The kernel takes
    its word back by itself once the possible error has grown to 16 seconds.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    # struct timex: 208 bytes where long has 8, 128 where it has 4; larger does no harm.
    field = ctypes.sizeof(ctypes.c_long)
    buffer = ctypes.create_string_buffer(512)
    state = adjtimex(buffer)
    if state < 0:
        return None
    # modes (int, padded), offset, freq, maxerror, esterror, then status (int).
    status = ctypes.c_int.from_buffer(buffer, 5 * field).value
    return state != _TIME_ERROR and not status & _STA_UNSYNC


def last_ntp(data: DataDir) -> datetime | None:
    """The newest time that a time server confirmed to this device, as last written down."""
    found = read_json(data.trust)
    try:
        return datetime.fromisoformat(found["last_ntp_at"])
    except (TypeError, KeyError, ValueError):
        return None
