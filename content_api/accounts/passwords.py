"""Passwords: argon2id, and the same work for a name nobody has."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from content_api.problems import Refused

MIN_LENGTH = 12
MAX_LENGTH = 256
"""Characters. Length alone is asked for: rules of composition make passwords worse."""

# OWASP's second set: 19 MiB each, so that a burst of sign-ins fits a small server.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

# Without the letters and digits that are mistaken for one another on paper.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def hash_password(password: str) -> str:
    """What is stored of a password."""
    return _HASHER.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether `password` is the one; takes as long when there is none to compare with."""
    try:
        _HASHER.verify(stored or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether a hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def check_new_password(password: str, name: str) -> None:
    """Hold a new password to what is asked of one.

    Raises:
        Refused: too short, too long, or the user's own name.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Refused(
            f"Expected a password of {MIN_LENGTH} to {MAX_LENGTH} characters, got {len(password)}.",
            errors=[{"pointer": "/password", "code": "length", "message": "too short or too long"}],
        )
    if name.lower() in password.lower() and len(password) < len(name) + MIN_LENGTH:
        raise Refused("Expected a password that is not made of the user's name.")


def make_password() -> str:
    """A password to hand over once: 20 characters in groups, about 99 bits."""
    letters = [secrets.choice(_ALPHABET) for _ in range(20)]
    return "-".join("".join(letters[start : start + 5]) for start in range(0, 20, 5))


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(16))
