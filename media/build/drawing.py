"""Drawing by script: the palette, a map projection, SVG pieces, and the way to WebP.

Pictures hold no text, so that one picture serves every language; what it
shows is said by its alternative text and caption.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Coal, brick, the sky of the north, chalk and the green that came back on the heaps.
COAL = "#1f2326"
COAL_SOFT = "#3a4147"
BRICK = "#a8432d"
BRICK_LIGHT = "#c5573b"
BRICK_PALE = "#e3b7a6"
SKY = "#9fb7c9"
SKY_DEEP = "#6f8fa6"
SKY_PALE = "#dfe8ee"
CHALK = "#f4efe6"
CHALK_SHADE = "#e8e0d2"
CHALK_LINE = "#cfc4b2"
MOSS = "#6d7b4f"
LAMP = "#f2c14e"

Point = tuple[float, float]
Ring = list[Point]

_KM_PER_DEGREE = 111.195


@dataclass(frozen=True)
class View:
    """A map window: a point in its middle, a width in kilometres, a size in pixels.

    Equirectangular about the middle: true to shape within a few hundred kilometres.
    """

    lon: float
    lat: float
    width_km: float
    width: int
    height: int

    @property
    def pixels_per_km(self) -> float:
        """Scale of the map."""
        return self.width / self.width_km

    def project(self, lon: float, lat: float) -> Point:
        """Pixels from the top left of a point in degrees."""
        scale = self.pixels_per_km * _KM_PER_DEGREE
        x = self.width / 2 + (lon - self.lon) * math.cos(math.radians(self.lat)) * scale
        y = self.height / 2 - (lat - self.lat) * scale
        return (x, y)


def rings_of(feature: dict[str, Any]) -> Iterator[Ring]:
    """Every ring of a polygon feature in degrees, outer and inner."""
    geometry = feature["geometry"]
    coordinates = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        polygons = [coordinates]
    elif geometry["type"] == "MultiPolygon":
        polygons = coordinates
    else:
        raise ValueError(f"expected a polygon, got {geometry['type']}")
    for polygon in polygons:
        for ring in polygon:
            yield unwrapped([(float(lon), float(lat)) for lon, lat, *_ in ring])


def unwrapped(ring: Ring) -> Ring:
    """`ring` without its jump at the antimeridian: longitudes may pass 180 degrees."""
    found = ring[:1]
    turn = 0.0
    for (before, _), (lon, lat) in itertools.pairwise(ring):
        if lon - before > 180:
            turn -= 360
        elif lon - before < -180:
            turn += 360
        found.append((lon + turn, lat))
    if turn:
        return ring  # it goes round a pole, and has no side to belong to
    # The part that lies across may be the first: most of the ring decides where it belongs.
    home = 360 * round(sum(lon for lon, _ in found) / len(found) / 360)
    return [(lon - home, lat) for lon, lat in found]


def outline(feature: dict[str, Any], view: View, margin: float = 60) -> str:
    """SVG path data of a polygon feature, "" when it lies wholly outside the window."""
    parts = []
    for ring in rings_of(feature):
        points = [view.project(lon, lat) for lon, lat in ring]
        if any(
            -margin <= x <= view.width + margin and -margin <= y <= view.height + margin
            for x, y in points
        ) or _covers(points, view):
            parts.append(path_of(points))
    return "".join(parts)


def _covers(points: Sequence[Point], view: View) -> bool:
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    return min(xs) < 0 and max(xs) > view.width and min(ys) < 0 and max(ys) > view.height


def path_of(points: Iterable[Point], *, closed: bool = True) -> str:
    """SVG path data through `points`, tenths of a pixel."""
    text = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{text}{'Z' if closed else ''}"


def path(data: str, **style: object) -> str:
    """A path element, nothing for no data."""
    return f'<path d="{data}"{_attributes(style)}/>' if data else ""


def circle(x: float, y: float, radius: float, **style: object) -> str:
    """A circle element."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"{_attributes(style)}/>'


def rectangle(x: float, y: float, width: float, height: float, **style: object) -> str:
    """A rectangle element."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        f"{_attributes(style)}/>"
    )


def group(children: Iterable[str], **style: object) -> str:
    """A group element around `children`."""
    return f"<g{_attributes(style)}>{''.join(children)}</g>"


def _attributes(style: dict[str, object]) -> str:
    """`stroke_width=2` as ` stroke-width="2"`; `cls`-like escapes are not needed here."""
    return "".join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())


def gradient(name: str, *stops: tuple[float, str], opacity: Sequence[float] | None = None) -> str:
    """A vertical linear gradient called `name`."""
    shades = "".join(
        f'<stop offset="{offset}" stop-color="{colour}"'
        + (f' stop-opacity="{opacity[index]}"' if opacity else "")
        + "/>"
        for index, (offset, colour) in enumerate(stops)
    )
    return f'<linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1">{shades}</linearGradient>'


def glow(name: str, colour: str, *, strength: float = 0.9) -> str:
    """A radial gradient called `name` that fades `colour` to nothing."""
    return (
        f'<radialGradient id="{name}"><stop offset="0" stop-color="{colour}" '
        f'stop-opacity="{strength}"/><stop offset="0.35" stop-color="{colour}" '
        f'stop-opacity="{strength * 0.45:.3f}"/><stop offset="1" stop-color="{colour}" '
        'stop-opacity="0"/></radialGradient>'
    )


def svg(width: int, height: int, body: Iterable[str], defs: Iterable[str] = ()) -> str:
    """A whole SVG document."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><defs>{"".join(defs)}</defs>{"".join(body)}</svg>'
    )


def to_webp(document: str) -> bytes:
    """The drawing as WebP, opaque, with no metadata.

    Near-lossless: flat tones stay flat, and a map weighs about 100 kB.
    """
    import pyvips

    image = pyvips.Image.svgload_buffer(document.encode(), unlimited=True)
    image = image.flatten(background=[244, 239, 230])
    result: bytes = image.webpsave_buffer(
        lossless=True, near_lossless=True, Q=60, effort=4, keep="none"
    )
    return result


def to_rgb(document: str) -> bytes:
    """The drawing as raw 8-bit RGB rows, for a film frame."""
    import pyvips

    image = pyvips.Image.svgload_buffer(document.encode(), unlimited=True)
    result: bytes = image.flatten(background=[244, 239, 230]).write_to_memory()
    return result


def seeded(seed: str) -> Iterator[float]:
    """Numbers from 0 to 1 that are the same for the same seed, on every machine."""
    state = 2166136261
    for byte in seed.encode():
        state = ((state ^ byte) * 16777619) & 0xFFFFFFFF
    while True:
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        yield state / 0x100000000
