"""Canonical JSON and hashes: the same value always gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

_SHA256 = re.compile(r"[0-9a-f]{64}")


def canonical_json(value: Any) -> bytes:
    """Serialise `value` as the format's canonical JSON: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: a float is not finite, or a string holds a lone surrogate.
        TypeError: a value or key is not JSON.
    """
    text = json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return text.encode("utf-8")


def parse_json(raw: bytes) -> Any:
    """Parse JSON, refusing duplicate keys and NaN, which two readers could read differently.

    Raises:
        ValueError: the bytes are not UTF-8 JSON, repeat a key, or nest too deep.
    """
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise ValueError("JSON nests too deep") from error


def sha256_hex(raw: bytes) -> str:
    """SHA-256 of `raw` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(raw).hexdigest()


def is_sha256(text: object) -> bool:
    """Whether `text` is a SHA-256 as this format writes it."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} stands twice")
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
