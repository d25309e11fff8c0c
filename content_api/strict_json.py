"""JSON as we take it: RFC 8259, narrowed to what every database and client keeps unharmed.

Python's own reader accepts more: NaN, repeated names, integers of any length, half
surrogates, U+0000, nesting up to its stack. PostgreSQL refuses some of these, browsers
round others, so they end here, in a sentence that says where.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

MAX_DEPTH = 64
"""Levels of nesting; the deepest thing we define needs about twelve."""

MAX_INTEGER = 2**53 - 1
"""Beyond it a browser's number is not exact (RFC 7493, 2.2)."""

_UNKEPT = re.compile("[\x00\ud800-\udfff]")


class JSONRefused(ValueError):
    """The bytes are not JSON that we take; `pointer` says where, when it is known."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


def parse_json(raw: bytes) -> Any:
    """The value that `raw` holds in UTF-8.

    Raises:
        JSONRefused: says what was expected.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as error:
        raise JSONRefused(f"expected UTF-8, got byte {error.start} that is not") from error
    except RecursionError as error:
        raise JSONRefused(f"expected at most {MAX_DEPTH} levels of nesting") from error
    except json.JSONDecodeError as error:
        raise JSONRefused(
            f"expected JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    _check(value)
    return value


def kept_text(text: str) -> bool:
    """Whether every database keeps `text` as it is: no U+0000, no half surrogates."""
    return _UNKEPT.search(text) is None


def _check(value: Any) -> None:
    # A stack of our own: recursion is what a hostile document aims at.
    todo: list[tuple[Any, str, int]] = [(value, "", 1)]
    while todo:
        found, pointer, depth = todo.pop()
        if isinstance(found, str) and not kept_text(found):
            raise JSONRefused("expected text without U+0000 and half surrogates", pointer or "/")
        if not isinstance(found, (dict, list)):
            continue
        if depth > MAX_DEPTH:
            raise JSONRefused(f"expected at most {MAX_DEPTH} levels of nesting")
        if isinstance(found, dict):
            for name in found:
                if not kept_text(name):
                    raise JSONRefused(
                        "expected names without U+0000 and half surrogates", pointer or "/"
                    )
            steps = [(inner, _step(name)) for name, inner in found.items()]
        else:
            steps = [(inner, str(index)) for index, inner in enumerate(found)]
        todo.extend((inner, f"{pointer}/{step}", depth + 1) for inner, step in steps)


def _step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise JSONRefused(f"expected integers up to {MAX_INTEGER}, got one of {len(text)} digits")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise JSONRefused(f"expected numbers a double can hold, got {text[:40]}")
    return value


def _constant(text: str) -> NoReturn:
    raise JSONRefused(f"expected JSON, and {text} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise JSONRefused(f"expected each name once in an object, got {twice[:60]!r} twice")
    return found
