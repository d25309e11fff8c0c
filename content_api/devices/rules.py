"""Enrolment codes and fleet words: pure decisions."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from secrets import choice

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
