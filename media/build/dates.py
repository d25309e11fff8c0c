"""Dates that are only as precise as what is known, written in French and English."""

from __future__ import annotations

_MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
}


def spoken_date(date: str, tag: str) -> str:
    """`1903-06` as "juin 1903", "June 1903", 「1903年6月」, by `tag` (fr, en or ja)."""
    parts = [int(part) for part in date.split("-")]
    if tag == "ja":
        return "".join(f"{part}{unit}" for part, unit in zip(parts, "年月日", strict=False))
    year = str(parts[0])
    if len(parts) == 1:
        return year
    month = _MONTHS[tag].split()[parts[1] - 1]
    if len(parts) == 2:
        return f"{month} {year}"
    day = "1er" if tag == "fr" and parts[2] == 1 else str(parts[2])
    return f"{day} {month} {year}"


def trim_date(date: str | None, precision: str) -> str | None:
    """`date` without the parts that `precision` (day, month, season, quarter, year) leaves open."""
    if date is None:
        return None
    parts = date.split("-")
    return "-".join(parts[: {"day": 3, "year": 1}.get(precision, 2)])
