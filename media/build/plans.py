"""Plans of the main components, all at one scale so that they compare."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from media.build import ground
from media.build.assets import OPEN_DATA_CREDIT, OPEN_DATA_RIGHTS, Asset
from media.build.drawing import (
    BRICK,
    BRICK_LIGHT,
    BRICK_PALE,
    CHALK,
    CHALK_SHADE,
    COAL,
    LAMP,
    SKY,
    SKY_DEEP,
    View,
    circle,
    glow,
    group,
    outline,
    path,
    rectangle,
    svg,
    to_webp,
)
from media.build.facts import Facts, Record, read_text

_W, _H = 1600, 1200


def plan_assets(facts: Facts) -> Iterator[Asset]:
    """Plans of the main components, all at one scale so that they compare."""
    for site_id, words in read_text("plans").items():
        site = facts.site(site_id)
        yield Asset(
            f"plan-{site_id}",
            "webp",
            functools.partial(_draw, facts, site),
            alt=words["alt"],
            caption=words["caption"],
            credit=OPEN_DATA_CREDIT,
            rights=OPEN_DATA_RIGHTS,
            focal=(0.5, 0.5),
        )


def _draw(facts: Facts, site: Record) -> bytes:
    return to_webp(_plan(facts, site))


def _plan(facts: Facts, site: Record) -> str:
    view = View(site["lon"], site["lat"], 2.6, _W, _H)
    step = view.pixels_per_km / 10
    squares = "".join(f"M{x:.1f} 0V{_H}" for x in _steps(_W, step)) + "".join(
        f"M0 {y:.1f}H{_W}" for y in _steps(_H, step)
    )
    component = (site.get("unesco") or {}).get("component")
    drawn = [
        rectangle(0, 0, _W, _H, fill="#23292e"),
        path(squares, stroke=CHALK, stroke_opacity=0.09, stroke_width=1.4),
    ]
    for feature in facts.layers["component"]:
        own = feature["properties"]["id"] == component
        drawn.append(
            path(
                outline(feature, view),
                fill=BRICK,
                fill_opacity=0.42 if own else 0.16,
                stroke=BRICK_PALE if own else BRICK_LIGHT,
                stroke_width=4 if own else 2,
                stroke_linejoin="round",
            )
        )
    for feature in facts.layers["water"]:
        drawn.append(path(outline(feature, view), fill=SKY_DEEP, stroke=SKY, stroke_width=3))
    for feature in facts.layers["slag-heap"]:
        if outline(feature, view):
            drawn.append(
                path(
                    outline(feature, view),
                    fill="none",
                    stroke=CHALK_SHADE,
                    stroke_width=9,
                    stroke_opacity=0.85,
                    stroke_linejoin="round",
                )
            )
    drawn += ground.heaps(facts, view)
    drawn += [
        group(
            (path(outline(f, view)) for f in facts.layers["railway"]),
            fill=CHALK_SHADE,
            stroke=CHALK_SHADE,
            stroke_width=4,
        ),
        group(
            (path(outline(f, view)) for f in facts.layers["railway"]),
            fill="none",
            stroke=COAL,
            stroke_width=2,
            stroke_dasharray="7 9",
        ),
        group(ground.estates(facts, view, size=3.2, colour=CHALK_SHADE)),
        group(ground.buildings(facts, view, size=2.2, dark=True)),
    ]
    for point in site.get("points") or []:
        x, y = view.project(point["lon"], point["lat"])
        drawn += [
            circle(x, y, 40, fill="url(#halo)"),
            circle(x, y, 11, fill=LAMP, stroke=COAL, stroke_width=3),
        ]
    drawn += [*ground.scale_bar(view, 0.5), *ground.north(1530, 70)]
    return svg(_W, _H, drawn, [glow("halo", LAMP, strength=0.8)])


def _steps(length: float, step: float) -> list[float]:
    count = int(length / 2 / step)
    return [length / 2 + step * index for index in range(-count, count + 1)]
