"""Enrolment codes, fleet words and settings of devices: pure decisions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from secrets import choice
from typing import Any
from urllib.parse import urlsplit

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, so that a code can be read out over the telephone."""

CODE_LENGTH = 12
"""12 characters of 5 bits: with the limit on tries, guessing one of a thousand valid codes
takes longer than the code lives by a factor of millions."""

CODE_LIFE = timedelta(days=7)

SILENT_AFTER = timedelta(minutes=15)
"""A device polls every few minutes; after this it is silent, and still expected to play."""

OVERDUE_AFTER = timedelta(days=7)
"""After this long without a word somebody should go and look."""

LARGEST_CAP = 10_000_000
"""Kilobits a second: no venue has more."""

MOST_ADDRESSES = 16

_LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1"})


def new_code() -> str:
    """A new code in three groups: `7GK2-MP4X-0WQZ`."""
    text = "".join(choice(ALPHABET) for _ in range(CODE_LENGTH))
    return "-".join(text[start : start + 4] for start in range(0, CODE_LENGTH, 4))


def normalise_code(text: str) -> str | None:
    """A code as typed by a person, in one form: upper case, no hyphens, O as 0, I and L as 1.

    None when it cannot be a code.
    """
    code = "".join(text.upper().split()).replace("-", "").translate(_LOOK_ALIKES)
    return code if len(code) == CODE_LENGTH and set(code) <= set(ALPHABET) else None


def code_hash(code: str) -> str:
    """What is stored of a code in its one form: SHA-256 of its 60 random bits.

    No slow hash is needed for a secret that lives a week and allows ten tries.
    """
    return hashlib.sha256(code.encode("ascii")).hexdigest()


def fleet_word(
    enrolled_at: datetime | None,
    last_seen_at: datetime | None,
    revoked_at: datetime | None,
    now: datetime,
) -> str:
    """How a device stands: `revoked`, `never-enrolled`, `online`, `silent` or `overdue`.

    A silent device is one we have not heard of; it is expected to play what it holds.
    """
    if revoked_at is not None:
        return "revoked"
    if enrolled_at is None:
        return "never-enrolled"
    quiet = now - (last_seen_at or enrolled_at)
    if quiet <= SILENT_AFTER:
        return "online"
    return "silent" if quiet <= OVERDUE_AFTER else "overdue"


def settings_problem(settings: Mapping[str, Any]) -> str | None:
    """What is wrong with a device's settings, in a sentence; None when nothing is.

    Names that this server does not know are let through: a newer device may.
    """
    for name, value in settings.items():
        expected = _EXPECTED.get(name)
        if expected is not None and value is not None and not expected[1](value):
            return f"{name}: expected {expected[0]}, got {str(value)[:60]!r}."
    return None


def _is_hour(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value))


def _is_window(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_hour(part) for part in value)


def _is_cap(value: Any) -> bool:
    return type(value) is int and 1 <= value <= LARGEST_CAP


def _are_addresses(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MOST_ADDRESSES
        and all(_is_address(part) for part in value)
    )


def _is_address(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > 300 or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        found = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
    return found and "@" not in parts.netloc


def _is_restart(value: Any) -> bool:
    return value in ("auto", "off") or _is_hour(value)


def _is_pin_hash(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("scrypt$") and len(value) <= 300


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_EXPECTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "download_window": ('two times such as ["22:00", "06:00"]', _is_window),
    "download_cap_kbps": (f"a whole number from 1 to {LARGEST_CAP}", _is_cap),
    "relays": ('addresses such as ["http://10.0.0.5:8081"]', _are_addresses),
    "mirrors": ('addresses such as ["https://mirror.example.org/repository/"]', _are_addresses),
    "relay": ("true or false", _is_flag),
    "dim": ("true or false", _is_flag),
    "nightly_restart": ("auto, off or a time such as 04:30", _is_restart),
    "technician_pin": ("the PIN's scrypt hash, never the PIN", _is_pin_hash),
}
