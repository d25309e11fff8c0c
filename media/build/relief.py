"""Slag heaps drawn as hills: slopes lit from the north-west, between foot and crest."""

from __future__ import annotations

import math

from media.build.drawing import Point, path, path_of

_LIGHT = (-0.7071, -0.7071)  # where the light comes from, in picture coordinates
_DARK = (24, 27, 30)
_LIT = (122, 130, 134)


def hill(points: list[Point], *, conical: bool) -> list[str]:
    """A hill on the foot line `points`: facets from foot to crest, then the crest."""
    ring = points[:-1] if points[0] == points[-1] else points
    if _area(ring) < 0:
        ring = ring[::-1]
    ring = _smoothed(ring)
    crest = _crest(ring, conical=conical)
    drawn = [
        path(
            path_of(ring),
            fill="#1f2326",
            stroke="#1f2326",
            stroke_width=2.5,
            stroke_linejoin="round",
        )
    ]
    for index in range(len(ring)):
        following = (index + 1) % len(ring)
        a, b = ring[index], ring[following]
        shade = _shade(a, b)
        drawn.append(
            path(
                path_of([a, b, crest[following], crest[index]]),
                fill=shade,
                stroke=shade,
                stroke_width=0.8,
            )
        )
    drawn.append(path(path_of(crest), fill="#4a5157", stroke="#5a6268", stroke_width=1.2))
    return drawn


def _shade(a: Point, b: Point) -> str:
    """The tone of a slope whose foot runs from `a` to `b`, the hill on its left."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dx, dy) or 1.0
    outward = (dy / length, -dx / length)
    light = (outward[0] * _LIGHT[0] + outward[1] * _LIGHT[1] + 1) / 2
    mixed = (round(d + (lit - d) * light**1.5) for d, lit in zip(_DARK, _LIT, strict=True))
    return "#" + "".join(f"{tone:02x}" for tone in mixed)


def _crest(ring: list[Point], *, conical: bool) -> list[Point]:
    """The upper edge: near the middle for a compact cone, a narrow slope otherwise."""
    area = abs(_area(ring))
    perimeter = sum(math.dist(ring[i], ring[i - 1]) for i in range(len(ring)))
    if 4 * math.pi * area / perimeter**2 > 0.55:
        cx = sum(x for x, _ in ring) / len(ring)
        cy = sum(y for _, y in ring) / len(ring)
        kept = 0.1 if conical else 0.62
        return [(cx + (x - cx) * kept, cy + (y - cy) * kept) for x, y in ring]
    depth = min(14.0, 0.5 * area / perimeter)
    return [_inwards(ring, index, depth) for index in range(len(ring))]


def _inwards(ring: list[Point], index: int, depth: float) -> Point:
    before, here, after = ring[index - 1], ring[index], ring[(index + 1) % len(ring)]
    dx, dy = after[0] - before[0], after[1] - before[1]
    length = math.hypot(dx, dy) or 1.0
    return (here[0] - dy / length * depth, here[1] + dx / length * depth)


def _smoothed(ring: list[Point]) -> list[Point]:
    """One round of corner cutting, so that slopes turn gently."""
    soft: list[Point] = []
    for index, here in enumerate(ring):
        after = ring[(index + 1) % len(ring)]
        for part in (0.25, 0.75):
            soft.append(
                (here[0] + (after[0] - here[0]) * part, here[1] + (after[1] - here[1]) * part)
            )
    return soft


def _area(ring: list[Point]) -> float:
    """Signed area in picture coordinates: positive when the ring runs clockwise on screen."""
    return (
        sum(ring[i - 1][0] * ring[i][1] - ring[i][0] * ring[i - 1][1] for i in range(len(ring))) / 2
    )
