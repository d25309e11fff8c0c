"""Bearer tokens: how they look, how they are hashed, when they stop working. Pure.

A token's prefix says whose it is, so that a secret scanner and a person both
recognise one: `lmu_…` a user's, `lmd_…` a device's.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256

USER_PREFIX = "lmu_"
DEVICE_PREFIX = "lmd_"

_TOKEN = re.compile(r"lm[ud]_[A-Za-z0-9_-]{43}")


def new_token(prefix: str) -> str:
    """A fresh secret of 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """What is stored of a token: 64 lowercase hex digits."""
    return sha256(token.encode()).hexdigest()


def parse_bearer(header: str) -> str | None:
    """The token in an Authorization header, or None when it holds none of ours."""
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        return None
    return token
