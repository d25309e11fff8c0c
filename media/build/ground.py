"""The basin as a drawing: its outlines, heaps, waters, railways, estates and buildings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from media.build.drawing import (
    BRICK,
    BRICK_PALE,
    CHALK,
    CHALK_LINE,
    CHALK_SHADE,
    COAL,
    COAL_SOFT,
    MOSS,
    SKY,
    SKY_DEEP,
    View,
    circle,
    group,
    outline,
    path,
    path_of,
    rectangle,
    rings_of,
)
from media.build.facts import Facts, Record
from media.build.relief import hill

_PAPERS = ("#f4efe6", "#f1ebdf", "#f6f2ea", "#efe9dd")
HOUSE_ROWS: dict[str, list[tuple[float, float, float, float]]] = {
    # Houses of an estate sign, in units from its middle: (x, y, width, height).
    "coron": [(-15 + 5 * i, -4, 4.4, 8) for i in range(6)],
    "pavilion": [(x, y, 9, 5.5) for x in (-12, 3) for y in (-8, 3)],
    "garden": [
        (-14, -2, 6, 6),
        (-5, -9, 6, 6),
        (5, -7, 6, 6),
        (9, 2, 6, 6),
        (0, 6, 6, 6),
        (-9, 5, 6, 6),
    ],
    "modern": [(x, y, 3.4, 7) for x in (-12, -5, 2, 9) for y in (-9, 2)],
}


def land(facts: Facts, view: View) -> list[str]:
    """The two départements in paper tones, the communes as faint joints."""
    drawn = [rectangle(0, 0, view.width, view.height, fill="#e4e8e8")]
    for feature in facts.layers["department"]:
        drawn.append(path(outline(feature, view, 4000), fill="#ece6da"))
    for index, tint in enumerate(_PAPERS):
        drawn.append(
            group(
                (
                    path(outline(feature, view))
                    for feature in facts.layers["commune"]
                    if int(feature["properties"]["id"]) % len(_PAPERS) == index
                ),
                fill=tint,
                stroke="#e2d9c9",
                stroke_width=1.8,
                stroke_linejoin="round",
            )
        )
    for feature in facts.layers["department"]:
        drawn.append(
            path(
                outline(feature, view, 4000),
                fill="none",
                stroke=CHALK_LINE,
                stroke_width=2.4,
                stroke_dasharray="14 8 3 8",
            )
        )
    return drawn


def waters(facts: Facts, view: View) -> list[str]:
    """Inscribed waters, with the line of their shore doubled inwards."""
    drawn = []
    for feature in facts.layers["water"]:
        data = outline(feature, view)
        drawn.append(path(data, fill=SKY, stroke=SKY_DEEP, stroke_width=2, stroke_linejoin="round"))
    return drawn


def components(
    facts: Facts, view: View, *, chosen: Callable[[Record], bool] = lambda _: False
) -> list[str]:
    """Inscribed components in pale brick, the chosen ones strong."""
    drawn = [
        group(
            (path(outline(feature, view)) for feature in facts.layers["component"]),
            fill="#fbf8f2",
            stroke="#fbf8f2",
            stroke_width=11,
            stroke_linejoin="round",
        )
    ]
    for feature in sorted(facts.layers["component"], key=lambda one: chosen(one["properties"])):
        strong = chosen(feature["properties"])
        drawn.append(
            path(
                outline(feature, view),
                fill=BRICK,
                fill_opacity=0.3 if strong else 0.12,
                stroke=BRICK,
                stroke_width=3.2 if strong else 1.4,
                stroke_opacity=1 if strong else 0.65,
                stroke_linejoin="round",
            )
        )
    return drawn


def railways(facts: Facts, view: View) -> list[str]:
    """Inscribed mine railways: a coal line with light ties."""
    lines = [outline(feature, view) for feature in facts.layers["railway"]]
    return [
        group(
            (path(line) for line in lines),
            fill=COAL,
            stroke=COAL,
            stroke_width=3,
            stroke_linejoin="round",
        ),
        group(
            (path(line) for line in lines),
            fill="none",
            stroke=CHALK,
            stroke_width=1.1,
            stroke_dasharray="5 7",
        ),
    ]


def heaps(
    facts: Facts, view: View, *, chosen: Callable[[Record], bool] = lambda _: False
) -> list[str]:
    """Slag heaps as hills, the chosen ones ringed."""
    drawn = []
    for feature in facts.layers["slag-heap"]:
        if not outline(feature, view):
            continue
        conical = feature["properties"].get("form") in ("Conique", "Tronqué")
        for ring in rings_of(feature):
            points = [view.project(lon, lat) for lon, lat in ring]
            if chosen(feature["properties"]):
                drawn.append(
                    path(
                        path_of(points),
                        fill="none",
                        stroke=BRICK,
                        stroke_width=14,
                        stroke_opacity=0.5,
                        stroke_linejoin="round",
                    )
                )
            drawn += hill(points, conical=conical)
    return drawn


def estates(facts: Facts, view: View, *, size: float = 1.0, colour: str = BRICK) -> list[str]:
    """Estates as little plans of houses, by their type."""
    drawn = []
    for feature in facts.layers["estate"]:
        x, y = view.project(*feature["geometry"]["coordinates"])
        if not (-40 < x < view.width + 40 and -40 < y < view.height + 40):
            continue
        houses = HOUSE_ROWS[feature["properties"]["estateType"]]
        drawn.append(
            group(
                (rectangle(*house, rx=0.8) for house in houses),
                transform=f"translate({x:.1f} {y:.1f}) scale({size})",
                fill=colour,
            )
        )
    return drawn


def buildings(facts: Facts, view: View, *, size: float = 1.0, dark: bool = False) -> list[str]:
    """Listed buildings as small signs: works, schools, churches, monuments; light ones if `dark`."""
    ink, soft = (CHALK, CHALK_SHADE) if dark else (COAL, COAL_SOFT)
    drawn = []
    for feature in facts.layers["building"]:
        x, y = view.project(*feature["geometry"]["coordinates"])
        if not (-20 < x < view.width + 20 and -20 < y < view.height + 20):
            continue
        kind = feature["properties"]["type"]
        if kind in ("Fosse", "Chevalement", "Mine-image"):
            sign = path(
                "M-7 8L0 -9L7 8M-4.2 1.5H4.2",
                fill="none",
                stroke=ink,
                stroke_width=2.4,
                stroke_linecap="round",
            )
        elif kind == "Édifice religieux":
            sign = path(
                "M0 -9V9M-5 -3.5H5",
                fill="none",
                stroke=soft,
                stroke_width=2.6,
                stroke_linecap="round",
            )
        elif kind == "Monument commémoratif":
            sign = path("M-3 8L-1.6 -9H1.6L3 8Z", fill=soft)
        else:
            sign = path(
                "M-6 6V-3L0 -8L6 -3V6Z",
                fill=COAL_SOFT if dark else CHALK_SHADE,
                stroke=soft,
                stroke_width=1.8,
                stroke_linejoin="round",
            )
        drawn.append(group([sign], transform=f"translate({x:.1f} {y:.1f}) scale({size})"))
    return drawn


def marker(x: float, y: float, *, colour: str = BRICK, size: float = 1.0) -> list[str]:
    """The place meant: a lamp of three rings."""
    return [
        circle(x, y, 40 * size, fill=colour, fill_opacity=0.14),
        circle(x, y, 24 * size, fill=CHALK, stroke=colour, stroke_width=5 * size),
        circle(x, y, 9.5 * size, fill=colour),
    ]


def scale_bar(view: View, kilometres: float) -> list[str]:
    """A bar as long as `kilometres`, at the lower right."""
    length = view.pixels_per_km * kilometres
    x, y = view.width - 70 - length, view.height - 64
    return [
        rectangle(x - 22, y - 20, length + 44, 40, rx=20, fill=CHALK, fill_opacity=0.86),
        path(
            f"M{x:.1f} {y - 8:.1f}V{y + 8:.1f}M{x:.1f} {y:.1f}H{x + length:.1f}M{x + length:.1f} {y - 8:.1f}V{y + 8:.1f}",
            fill="none",
            stroke=COAL,
            stroke_width=3,
            stroke_linecap="round",
        ),
    ]


def basin_outline(facts: Facts, view: View, **style: object) -> str:
    """The outline of the basin."""
    return path(
        "".join(outline(feature, view, 4000) for feature in facts.layers["mining-basin"]), **style
    )


def basin_inset(
    facts: Facts, x: float, y: float, lon: float, lat: float, width: int = 560
) -> list[str]:
    """A small map of the whole basin with a lamp on the place; its corner at (x, y)."""
    height = int(width * 0.36)
    inner = View(2.957, 50.4375, 112, width, height)
    dot_x, dot_y = inner.project(lon, lat)
    return [
        group(
            [
                rectangle(
                    0,
                    0,
                    width,
                    height,
                    rx=18,
                    fill=CHALK,
                    fill_opacity=0.94,
                    stroke=CHALK_LINE,
                    stroke_width=2,
                ),
                basin_outline(facts, inner, fill=CHALK_SHADE, stroke=COAL_SOFT, stroke_width=1.6),
                group(
                    (path(outline(feature, inner)) for feature in facts.layers["component"]),
                    fill=BRICK,
                    fill_opacity=0.75,
                    stroke=BRICK_PALE,
                    stroke_width=0.4,
                ),
                circle(dot_x, dot_y, 17, fill=BRICK, fill_opacity=0.22),
                circle(dot_x, dot_y, 9, fill=CHALK, stroke=BRICK, stroke_width=3.4),
                circle(dot_x, dot_y, 3.2, fill=BRICK),
            ],
            transform=f"translate({x:.1f} {y:.1f})",
        )
    ]


def north(x: float, y: float) -> list[str]:
    """An arrow to the north."""
    return [
        group(
            [
                circle(0, 0, 34, fill=CHALK, fill_opacity=0.86),
                path("M0 -24L9 12L0 6Z", fill=COAL),
                path(
                    "M0 -24L-9 12L0 6Z",
                    fill=CHALK_SHADE,
                    stroke=COAL,
                    stroke_width=1.4,
                    stroke_linejoin="round",
                ),
            ],
            transform=f"translate({x:.1f} {y:.1f})",
        )
    ]


def wood(points: Iterable[tuple[float, float]]) -> list[str]:
    """A few trees, for the parts nature took back."""
    return [circle(x, y, 5, fill=MOSS, fill_opacity=0.6) for x, y in points]
