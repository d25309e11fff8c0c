"""Subtitles and map layers: text files, held to their standards. Pure.

Their bytes are kept as they came; only what no display could read is refused.
"""

from __future__ import annotations

import math
import re
from mmap import mmap
from typing import Any

from content_api.media.errors import FileDamaged, TypeNotAccepted
from package_format.canonical import parse_json

Content = bytes | mmap

MAX_SUBTITLES = 2 * 1024 * 1024
MAX_GEOJSON = 16 * 1024 * 1024
MAX_POSITIONS = 500_000

_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_CUE = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+\S.*)?\s*")
_DEPTHS = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}


def check_vtt(content: Content) -> tuple[int, float]:
    """Number of cues of WebVTT subtitles, and the second the last one ends.

    Raises:
        FileDamaged: it is not WebVTT as the W3C describes it; the message names the line.
    """
    if len(content) > MAX_SUBTITLES:
        raise FileDamaged(f"The subtitles are over {MAX_SUBTITLES} bytes.")
    try:
        text = content[:].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileDamaged("The subtitles are not UTF-8 text, as WebVTT must be.") from error
    if "\0" in text:
        raise FileDamaged("The subtitles hold a NUL character.")
    lines = re.split(r"\r\n|\n|\r", text)
    if len(lines) > 1 and lines[1].strip():
        raise FileDamaged("Subtitles, line 2: expected an empty line behind WEBVTT.")
    cues, began, ended = 0, 0.0, 0.0
    for number, block in _blocks(lines):
        first = block[0]
        if "-->" not in first and first.startswith(("NOTE", "STYLE", "REGION")):
            if any("-->" in line for line in block):
                raise FileDamaged(f"Subtitles, line {number}: expected no --> in a note.")
            continue
        at = 0 if "-->" in first else 1
        found = _CUE.fullmatch(block[at]) if at < len(block) else None
        if not found:
            raise FileDamaged(
                f"Subtitles, line {number + at}: expected 00:01.000 --> 00:04.000, "
                f"got {(block[at] if at < len(block) else first)[:60]!r}."
            )
        start, stop = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
        if stop <= start or start < began:
            raise FileDamaged(
                f"Subtitles, line {number + at}: expected a cue that ends after it starts "
                "and starts no earlier than the one before."
            )
        if any("-->" in line for line in block[at + 1 :]):
            raise FileDamaged(
                f"Subtitles, line {number + at}: expected an empty line between cues."
            )
        cues, began, ended = cues + 1, start, max(ended, stop)
    if not cues:
        raise FileDamaged("The subtitles hold no cue.")
    return cues, ended


def check_geojson(content: Content) -> tuple[int, tuple[float, float, float, float] | None]:
    """Number of features of a GeoJSON, and its bounds: west, south, east, north (WGS84 degrees).

    Raises:
        FileDamaged: it is not GeoJSON as RFC 7946 describes it; the message says where.
        TypeNotAccepted: it is JSON of another kind.
    """
    if len(content) > MAX_GEOJSON:
        raise FileDamaged(f"The GeoJSON is over {MAX_GEOJSON} bytes: simplify its outlines.")
    try:
        value = parse_json(content[:])
    except ValueError as error:
        raise FileDamaged(f"The file begins like GeoJSON but is no JSON: {error}.") from error
    if not isinstance(value, dict) or value.get("type") not in (
        *_DEPTHS,
        "GeometryCollection",
        "Feature",
        "FeatureCollection",
    ):
        raise TypeNotAccepted("The file is JSON but no GeoJSON: expected a FeatureCollection.")
    if "crs" in value:
        raise FileDamaged("GeoJSON: expected WGS84 without crs (RFC 7946, section 4).")
    walker = _Walker()
    if value["type"] == "FeatureCollection":
        features = value.get("features")
        if not isinstance(features, list):
            raise FileDamaged("GeoJSON: expected a list of features.")
        for index, feature in enumerate(features):
            walker.feature(feature, f"features/{index}")
        return len(features), walker.bounds
    if value["type"] == "Feature":
        walker.feature(value, "")
        return 1, walker.bounds
    walker.geometry(value, "")
    return 1, walker.bounds


class _Walker:
    """Walks geometries, counting positions and widening the bounds."""

    def __init__(self) -> None:
        self.bounds: tuple[float, float, float, float] | None = None
        self.positions = 0

    def feature(self, value: Any, where: str) -> None:
        if not isinstance(value, dict) or value.get("type") != "Feature":
            raise FileDamaged(f"GeoJSON {where}: expected a Feature.")
        if not isinstance(value.get("properties", False), (dict, type(None))):
            raise FileDamaged(f"GeoJSON {where}: expected properties, an object or null.")
        if value.get("geometry", False) is not None:
            self.geometry(value.get("geometry"), f"{where}/geometry")

    def geometry(self, value: Any, where: str, depth: int = 0) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "GeometryCollection" and depth < 3:
            parts = value.get("geometries")
            if not isinstance(parts, list):
                raise FileDamaged(f"GeoJSON {where}: expected a list of geometries.")
            for index, part in enumerate(parts):
                self.geometry(part, f"{where}/{index}", depth + 1)
            return
        if kind not in _DEPTHS:
            raise FileDamaged(f"GeoJSON {where}: expected a geometry, got type {str(kind)[:40]!r}.")
        self._walk(value.get("coordinates"), _DEPTHS[kind], kind, where)

    def _walk(self, value: Any, depth: int, kind: str, where: str) -> None:
        if depth == 0:
            self._position(value, where)
            return
        if not isinstance(value, list):
            raise FileDamaged(f"GeoJSON {where}: expected nested lists of coordinates for {kind}.")
        for part in value:
            self._walk(part, depth - 1, kind, where)
        if depth == 1 and kind == "LineString" and len(value) < 2:
            raise FileDamaged(f"GeoJSON {where}: expected two positions or more in a line.")
        if depth == 1 and kind.endswith("Polygon") and (len(value) < 4 or value[0] != value[-1]):
            raise FileDamaged(f"GeoJSON {where}: expected a closed ring of four positions or more.")

    def _position(self, value: Any, where: str) -> None:
        if (
            not isinstance(value, list)
            or not 2 <= len(value) <= 4
            or not all(type(part) in (int, float) and math.isfinite(part) for part in value)
        ):
            raise FileDamaged(f"GeoJSON {where}: expected [longitude, latitude] in degrees.")
        lon, lat = value[0], value[1]
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise FileDamaged(
                f"GeoJSON {where}: expected longitude within 180 and latitude within 90 degrees, "
                f"got [{lon}, {lat}]."
            )
        self.positions += 1
        if self.positions > MAX_POSITIONS:
            raise FileDamaged(f"GeoJSON: expected at most {MAX_POSITIONS} positions.")
        west, south, east, north = self.bounds or (lon, lat, lon, lat)
        self.bounds = (min(west, lon), min(south, lat), max(east, lon), max(north, lat))


def _blocks(lines: list[str]) -> list[tuple[int, list[str]]]:
    """Runs of lines that are not empty, behind the header, each with its line number."""
    found: list[tuple[int, list[str]]] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        if found and found[-1][0] + len(found[-1][1]) == number:
            found[-1][1].append(line)
        else:
            found.append((number, [line]))
    return found


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000
