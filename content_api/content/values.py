"""Values of fields: what each kind takes, made canonical. Pure.

Lenient by design: a draft may be too long, too short or unfinished, but never of
the wrong kind. What a release needs on top is in `publishing_faults`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from content_api.content.types import Field
from package_format.layout import is_slug

MAX_TEXT = 200_000
"""Most characters of any text, whatever its field allows."""

MAX_LIST = 2_000
"""Most items of any list, whatever its field allows."""

MAX_WHOLE = 2**53 - 1
"""Largest whole number that every JSON reader holds exactly."""

# Line feed and tab are text; the other controls, surrogates and non-characters are not, and
# neither are the characters that reorder what a reviewer sees without a visible trace.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\ufeff]"
)
_PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_CAMERA = {
    "lat": (-90.0, 90.0),
    "lon": (-180.0, 180.0),
    "altitude": (-12_000.0, 1e8),
    "heading": (-360.0, 360.0),
    "tilt": (0.0, 180.0),
    "range": (0.0, 1e8),
}
_RIGHTS_TEXT = ("holder", "licence")


class ValueRefused(ValueError):
    """A value is not of its field's kind; the message says what was expected and got."""


def clean_text(value: Any) -> str:
    """`value` as text in NFC with plain line ends and no white space around it.

    Raises:
        ValueRefused: not text, too long, or with characters that are no text.
    """
    if not isinstance(value, str):
        raise ValueRefused(f"expected text, got {_shown(value)}")
    if len(value) > MAX_TEXT:
        raise ValueRefused(f"expected at most {MAX_TEXT} characters, got {len(value)}")
    text = value.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
    found = _NO_TEXT.search(text)
    if found:
        raise ValueRefused(f"expected text without control characters, got U+{ord(found[0]):04X}")
    return unicodedata.normalize("NFC", text).strip()


def clean_value(field: Field, value: Any) -> Any:
    """`value` in the canonical form of its field's kind. null stays null.

    Raises:
        ValueRefused: not of that kind.
    """
    if value is None:
        return None
    return _CLEANERS[field.kind](field, value)


def publishing_fault(field: Field, value: Any) -> tuple[str, str] | None:
    """Why a release cannot take what a field shows, as (code, sentence), or None.

    `value` is what is shown after fallback; None means nothing is.
    """
    if value in (None, "", []):
        if field.required == "publish":
            return "missing", "a value is required for publishing"
        return None
    if field.max is not None and isinstance(value, (str, list)) and len(value) > field.max:
        unit = "items" if isinstance(value, list) else "characters"
        return "too-long", f"expected at most {field.max} {unit}, got {len(value)}"
    return None


def _shown(value: Any) -> str:
    names = {dict: "an object", list: "a list", bool: "a boolean", int: "a number"}
    if isinstance(value, str):
        return repr(value[:60])
    return names.get(type(value), "null" if value is None else f"{value!r:.60}")


def _text(_field: Field, value: Any) -> str:
    return clean_text(value)


def _integer(_field: Field, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueRefused(f"expected a whole number, got {_shown(value)}")
    if abs(value) > MAX_WHOLE:
        raise ValueRefused(f"expected a whole number of at most {MAX_WHOLE}")
    return value


def _number(_field: Field, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueRefused(f"expected a number, got {_shown(value)}")
    if abs(value) > MAX_WHOLE or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueRefused(f"expected a number of at most {MAX_WHOLE}")
    # 40.0 and 40 are one number; a database may give back either.
    return int(value) if float(value).is_integer() else float(value)


def _between(value: Any, low: float, high: float, name: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueRefused(f"{name}: expected a number, got {_shown(value)}")
    if not low <= value <= high:
        raise ValueRefused(f"{name}: expected {low:g} to {high:g}, got {value!r:.40}")
    return int(value) if float(value).is_integer() else float(value)


def _boolean(_field: Field, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueRefused(f"expected true or false, got {_shown(value)}")
    return value


def _date(_field: Field, value: Any) -> str:
    return _partial_date(value, "")


def _partial_date(value: Any, name: str) -> str:
    found = _PARTIAL_DATE.fullmatch(value) if isinstance(value, str) else None
    try:
        if not found or not found[0].isascii():
            raise ValueError
        date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        raise ValueRefused(
            f"{name}expected YYYY, YYYY-MM or YYYY-MM-DD, got {_shown(value)}"
        ) from None
    return found[0]


def _datetime(_field: Field, value: Any) -> str:
    try:
        if not isinstance(value, str) or len(value) > 40 or not value.isascii():
            raise ValueError
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise ValueRefused(
            f"expected a time with a zone such as 2026-11-24T06:00:00Z, got {_shown(value)}"
        ) from None
    return moment.isoformat().replace("+00:00", "Z")


def _choice(field: Field, value: Any) -> str:
    if not isinstance(value, str) or value not in field.choices:
        raise ValueRefused(f"expected one of {', '.join(field.choices)}, got {_shown(value)}")
    return value


def _list(value: Any, one: Callable[[Any], str]) -> list[str]:
    if not isinstance(value, list):
        raise ValueRefused(f"expected a list, got {_shown(value)}")
    if len(value) > MAX_LIST:
        raise ValueRefused(f"expected at most {MAX_LIST} items, got {len(value)}")
    found = [one(item) for item in value]
    if len(set(found)) != len(found):
        twice = next(item for item in found if found.count(item) > 1)
        raise ValueRefused(f"expected each item once, got {twice!r} twice")
    return found


def _choices(field: Field, value: Any) -> list[str]:
    return _list(value, lambda item: _choice(field, item))


def _url(_field: Field, value: Any) -> str:
    return clean_url(value)


def clean_url(value: Any, name: str = "") -> str:
    """`value` as an absolute http(s) address.

    Raises:
        ValueRefused: not one.
    """
    text = value if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(text) > 2000 or re.search(r"[\x00-\x20\x7f-\xa0\ud800-\udfff\\]", text):
        raise ValueRefused(f"{name}expected an address such as https://…, got {_shown(value)}")
    return unicodedata.normalize("NFC", text)


def _object(value: Any, allowed: Mapping[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueRefused(f"expected an object with {', '.join(allowed)}, got {_shown(value)}")
    unknown = sorted(str(key)[:40] for key in value if key not in allowed)
    if unknown:
        raise ValueRefused(f"expected only {', '.join(allowed)}, got {unknown[0]!r}")
    missing = [key for key in required if value.get(key) is None]
    if missing:
        raise ValueRefused(f"expected {missing[0]}")
    return value


def _ranges(value: Any, allowed: Mapping[str, tuple[float, float]], *required: str) -> Any:
    given = _object(value, allowed, required)
    return {
        key: _between(given[key], *allowed[key], key)
        for key in allowed
        if given.get(key) is not None
    }


def _geopoint(_field: Field, value: Any) -> Any:
    return _ranges(value, {"lat": (-90, 90), "lon": (-180, 180)}, "lat", "lon")


def _camera(_field: Field, value: Any) -> Any:
    return _ranges(value, _CAMERA, "lat", "lon")


def _focal(_field: Field, value: Any) -> Any:
    return _ranges(value, {"x": (0, 1), "y": (0, 1)}, "x", "y")


def _rights(_field: Field, value: Any) -> dict[str, str]:
    names = ("holder", "licence", "url", "expires")
    given = _object(value, dict.fromkeys(names), ())
    found: dict[str, str] = {}
    for key in names:
        part = given.get(key)
        if part is None:
            continue
        if key in _RIGHTS_TEXT:
            found[key] = clean_text(part)
        elif key == "url":
            found[key] = clean_url(part, "url: ")
        else:
            found[key] = _whole_date(part)
    return found


def _whole_date(value: Any) -> str:
    text = _partial_date(value, "expires: ")
    if len(text) != 10:
        raise ValueRefused(f"expires: expected YYYY-MM-DD, got {_shown(value)}")
    return text


def _id(_field: Field, value: Any) -> str:
    return _one_id(value)


def _one_id(value: Any) -> str:
    if not is_slug(value):
        raise ValueRefused(f"expected an id such as fosse-9-9-bis, got {_shown(value)}")
    return str(value)


def _ids(_field: Field, value: Any) -> list[str]:
    return _list(value, _one_id)


def _no_value(_field: Field, _value: Any) -> Any:
    raise ValueRefused("expected insert_block, move_block or remove_block, not a value")


_CLEANERS: Mapping[str, Callable[[Field, Any], Any]] = {
    "text": _text,
    "inline": _text,
    "markdown": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "choice": _choice,
    "choices": _choices,
    "url": _url,
    "geopoint": _geopoint,
    "camera": _camera,
    "focal": _focal,
    "rights": _rights,
    "asset": _id,
    "assets": _ids,
    "reference": _id,
    "references": _ids,
    "blocks": _no_value,
}


def reference_fault(field: Field, to_id: str, actual: str | None) -> str | None:
    """What is wrong with a field naming `to_id`, an entry of type `actual` (None: there is none).

    None when the field takes it.
    """
    allowed = ("asset",) if field.kind in ("asset", "assets") else field.of
    if actual is not None and (not allowed or actual in allowed):
        return None
    expected = f"an entry of type {' or '.join(allowed)}" if allowed else "an entry"
    got = f"of type {actual}" if actual is not None else "which does not exist"
    return f"expected {expected}, got {to_id}, {got}"
