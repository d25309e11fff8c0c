"""Seas and shores, and the shortest way over them."""

from __future__ import annotations

import math

from media.build.drawing import (
    BRICK,
    CHALK,
    Point,
    View,
    gradient,
    path,
    path_of,
    rectangle,
)


def sea(view: View) -> list[str]:
    """The sea, with meridians and parallels every few degrees."""
    step = 2 if view.width_km < 2500 else 5 if view.width_km < 6000 else 15
    lines = []
    for degree in range(-180, 181, step):
        x, _ = view.project(degree, view.lat)
        if 0 < x < view.width:
            lines.append(f"M{x:.1f} 0V{view.height}")
    for degree in range(-90, 91, step):
        _, y = view.project(view.lon, degree)
        if 0 < y < view.height:
            lines.append(f"M0 {y:.1f}H{view.width}")
    return [
        rectangle(0, 0, view.width, view.height, fill="url(#sea)"),
        path("".join(lines), stroke="#ffffff", stroke_opacity=0.42, stroke_width=1.4, fill="none"),
    ]


def shore(data: list[str], fill: str = CHALK) -> list[str]:
    """Land with two rings of shallow water around it."""
    whole = "".join(data)
    return [
        path(
            whole,
            fill="none",
            stroke="#ffffff",
            stroke_opacity=0.28,
            stroke_width=26,
            stroke_linejoin="round",
        ),
        path(
            whole,
            fill="none",
            stroke="#ffffff",
            stroke_opacity=0.34,
            stroke_width=12,
            stroke_linejoin="round",
        ),
        path(whole, fill=fill, stroke="#8ea3b0", stroke_width=1.8, stroke_linejoin="round"),
    ]


def arc(view: View, start: Point, end: Point) -> list[str]:
    """The great circle from `start` to `end`, dotted."""
    line = path_of([view.project(*point) for point in great_circle(start, end, 64)], closed=False)
    return [
        path(
            line,
            fill="none",
            stroke=CHALK,
            stroke_width=7,
            stroke_opacity=0.7,
            stroke_linecap="round",
        ),
        path(
            line,
            fill="none",
            stroke=BRICK,
            stroke_width=3.4,
            stroke_dasharray="2 11",
            stroke_linecap="round",
        ),
    ]


def sea_tone() -> str:
    """The gradient `sea` paints with; a drawing with a sea defines it."""
    return gradient("sea", (0, "#b9ccd8"), (1, "#9fb7c9"))


def great_circle(start: Point, end: Point, steps: int) -> list[Point]:
    """Points in degrees along the shortest way from `start` to `end`."""
    a, b = _vector(start), _vector(end)
    angle = math.acos(max(-1.0, min(1.0, sum(p * q for p, q in zip(a, b, strict=True)))))
    if angle == 0:
        return [start, end]
    found = []
    for step in range(steps + 1):
        part = step / steps
        weight_a = math.sin((1 - part) * angle) / math.sin(angle)
        weight_b = math.sin(part * angle) / math.sin(angle)
        x, y, z = (weight_a * p + weight_b * q for p, q in zip(a, b, strict=True))
        found.append((math.degrees(math.atan2(y, x)), math.degrees(math.asin(z))))
    return found


def _vector(point: Point) -> tuple[float, float, float]:
    lon, lat = math.radians(point[0]), math.radians(point[1])
    return (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))


def distance_km(a: Point, b: Point) -> float:
    """Kilometres between two points in degrees."""
    dot = sum(p * q for p, q in zip(_vector(a), _vector(b), strict=True))
    return 6371.0 * math.acos(max(-1.0, min(1.0, dot)))
