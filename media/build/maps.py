"""Maps of places and routes: where it is, what lies around, how far from the basin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

from media.build import ground
from media.build.assets import (
    NATURAL_EARTH_CREDIT,
    NATURAL_EARTH_RIGHTS,
    OPEN_DATA_CREDIT,
    OPEN_DATA_RIGHTS,
    Asset,
    Language,
)
from media.build.drawing import (
    BRICK,
    BRICK_PALE,
    CHALK,
    CHALK_LINE,
    COAL,
    COAL_SOFT,
    SKY,
    SKY_DEEP,
    SKY_PALE,
    Point,
    View,
    circle,
    group,
    outline,
    path,
    path_of,
    rectangle,
    rings_of,
    svg,
    to_webp,
)
from media.build.facts import Facts, Record
from media.build.seas import arc, distance_km, sea, sea_tone, shore

_SIZE = (1600, 1200)
_BASIN = (3.00979, 50.42782)
# Kilometres across, where the usual window does not suit.
_WIDTHS = {
    "cavalier-wingles-loos": 15.0,
    "cavalier-arenberg": 10.0,
    "cavalier-conde": 9.0,
    "bethune": 14.0,
    "terrils-germignies": 9.0,
    "notre-dame-de-lorette": 11.0,
    "etang-chabaud-latour": 8.0,
    "louvre-lens": 6.0,
}
_USUAL_WIDTH = 7.2


def place_map(facts: Facts, site: Record) -> Asset:
    """The map of a place: of its surroundings in the basin, of its country elsewhere."""
    if site["id"] == "bassin-minier":
        return _basin_map(facts)
    if site["country"] == "FR" and site["id"] not in (
        "champagne",
        "musee-histoire-naturelle-lille",
    ):
        return _local_map(facts, site)
    return _far_map(facts, site)


def route_maps(facts: Facts) -> Iterator[Asset]:
    """One map a route: its stops numbered by their size and joined by straight lines."""
    for route in facts.routes:
        stops = [
            facts.site(stop["site"])
            for stop in sorted(route["stops"], key=lambda s: int(s["order"]))
        ]
        points = [(float(stop["lon"]), float(stop["lat"])) for stop in stops]
        spread = max(lon for lon, _ in points) - min(lon for lon, _ in points)
        draw = _route_in_basin if spread < 3 else _route_far
        count = len(points)
        natural = spread >= 3
        yield Asset(
            f"carte-{route['id']}",
            "webp",
            _maker(draw, facts, points),
            alt={
                "fr": f"Carte : {count} haltes reliées par des lignes droites, de la première, pleine, à la dernière, cerclée.",
                "en": f"Map: {count} stops joined by straight lines, from the first, solid, to the last, ringed.",
            },
            caption={
                "fr": f"{route['title']['fr']}. Les lignes droites relient les haltes ; elles ne sont pas le tracé du chemin.",
                "en": f"{route['title']['en']}. The straight lines join the stops; they are not the path on the ground.",
            },
            credit=NATURAL_EARTH_CREDIT if natural else OPEN_DATA_CREDIT,
            rights=NATURAL_EARTH_RIGHTS if natural else OPEN_DATA_RIGHTS,
        )


def _maker(draw: Callable[..., str], *arguments: object) -> Callable[[], bytes]:
    return lambda: to_webp(draw(*arguments))


def _basin_map(facts: Facts) -> Asset:
    return Asset(
        "carte-bassin-minier",
        "webp",
        _maker(_draw_basin, facts),
        alt={
            "fr": "Carte du bassin minier : une bande d’est en ouest semée de cent neuf éléments inscrits, en rouge brique, de terrils noirs et d’étangs bleus.",
            "en": "Map of the mining basin: a band from east to west strewn with one hundred and nine inscribed components in brick red, black heaps and blue lakes.",
            "ja": "炭田の地図。東西にのびる帯の中に、れんが色の構成資産109件、黒いボタ山、青い池が散らばる。",
        },
        caption={
            "fr": "Le bassin minier et ses 109 éléments inscrits. Le trait d’échelle vaut dix kilomètres.",
            "en": "The mining basin and its 109 inscribed components. The bar is ten kilometres long.",
            "ja": "炭田と109件の構成資産。目盛りは10キロメートル。",
        },
        credit=OPEN_DATA_CREDIT,
        rights=OPEN_DATA_RIGHTS,
    )


def _draw_basin(facts: Facts) -> str:
    view = View(2.957, 50.4375, 112, 1600, 900)
    return svg(
        1600,
        900,
        [
            *ground.land(facts, view),
            ground.basin_outline(
                facts, view, fill="none", stroke=CHALK, stroke_width=12, stroke_linejoin="round"
            ),
            ground.basin_outline(
                facts, view, fill="none", stroke=COAL_SOFT, stroke_width=3, stroke_linejoin="round"
            ),
            group(
                (path(outline(feature, view)) for feature in facts.layers["component"]),
                fill=BRICK,
                stroke=BRICK,
                stroke_width=2.4,
                stroke_linejoin="round",
            ),
            group(
                (path(outline(feature, view)) for feature in facts.layers["water"]),
                fill=SKY,
                stroke=SKY_DEEP,
                stroke_width=1,
            ),
            group(
                (path(outline(feature, view)) for feature in facts.layers["slag-heap"]),
                fill=COAL,
                stroke=COAL,
                stroke_width=2,
            ),
            *ground.scale_bar(view, 10),
            *ground.north(1530, 70),
        ],
    )


def _local_map(facts: Facts, site: Record) -> Asset:
    width = _WIDTHS.get(site["id"]) or _window(facts, site)
    bar = 2 if width > 8 else 1
    inscribed = bool(site.get("inscribed1360"))
    around: Language = {
        "fr": "Autour, les éléments inscrits en rouge brique, les terrils noirs, les étangs bleus ; en bas, sa place dans le bassin.",
        "en": "Around it, the inscribed components in brick red, black heaps and blue lakes; below, its place in the basin.",
    }
    inside: Language = {
        "fr": " L’élément dont il fait partie est cerné d’un trait fort." if inscribed else "",
        "en": " The component it belongs to has a strong outline." if inscribed else "",
    }
    bar_words: Language = {
        "fr": "deux kilomètres" if bar == 2 else "un kilomètre",
        "en": "two kilometres" if bar == 2 else "one kilometre",
    }
    return Asset(
        f"carte-{site['id']}",
        "webp",
        _maker(_draw_local, facts, site, width, bar),
        alt={
            "fr": f"Carte : {site['names']['fr']}, sous un cercle rouge. {around['fr']}",
            "en": f"Map: {site['names']['en']}, under a red circle. {around['en']}",
        },
        caption={
            "fr": f"{site['names']['fr']} et ses alentours.{inside['fr']} Le trait d’échelle vaut {bar_words['fr']}.",
            "en": f"{site['names']['en']} and its surroundings.{inside['en']} The bar is {bar_words['en']} long.",
        },
        credit=OPEN_DATA_CREDIT,
        rights=OPEN_DATA_RIGHTS,
        focal=(0.5, 0.5),
    )


def _window(facts: Facts, site: Record) -> float:
    """Kilometres across that show a component and what lies next to it."""
    component = (site.get("unesco") or {}).get("component") if site.get("inscribed1360") else None
    for feature in facts.layers["component"]:
        if feature["properties"]["id"] == component:
            points = [point for ring in rings_of(feature) for point in ring]
            reach = 2 * max(distance_km(point, (site["lon"], site["lat"])) for point in points)
            return min(_USUAL_WIDTH, max(5.4, 1.5 * reach))
    return _USUAL_WIDTH


def _draw_local(facts: Facts, site: Record, width_km: float, bar: float) -> str:
    view = View(site["lon"], site["lat"], width_km, *_SIZE)
    component = (site.get("unesco") or {}).get("component") if site.get("inscribed1360") else None
    sign = 1.5 * min(1.0, _USUAL_WIDTH / width_km)
    x, y = view.project(site["lon"], site["lat"])
    return svg(
        *_SIZE,
        [
            *ground.land(facts, view),
            *ground.components(facts, view, chosen=lambda part: part.get("id") == component),
            *ground.waters(facts, view),
            *ground.railways(facts, view),
            *ground.heaps(facts, view),
            *ground.estates(facts, view, size=sign),
            *ground.buildings(facts, view, size=sign),
            *ground.marker(x, y),
            *ground.scale_bar(view, bar),
            *ground.north(1530, 70),
            *ground.basin_inset(
                facts, 36, _SIZE[1] - 36 - int(560 * 0.36), site["lon"], site["lat"]
            ),
        ],
    )


def _far_map(facts: Facts, site: Record) -> Asset:
    kilometres = round(distance_km(_BASIN, (site["lon"], site["lat"])) / 10) * 10
    number_fr = f"{kilometres:,}".replace(",", "\u202f")
    draw = {"JP": _draw_japan}.get(site["country"], _draw_europe)
    if site["country"] in ("CN", "MA", "BR"):
        draw = _draw_world
    inset_fr = (
        " En bas, l’arc qui le relie au bassin, sur la carte du monde."
        if draw is _draw_japan
        else ""
    )
    inset_en = (
        " Below, the arc that joins it to the basin on a map of the world."
        if draw is _draw_japan
        else ""
    )
    return Asset(
        f"carte-{site['id']}",
        "webp",
        _maker(draw, facts, site),
        alt={
            "fr": f"Carte : {site['names']['fr']}, sous un cercle rouge, à environ {number_fr} kilomètres du bassin minier.{inset_fr}",
            "en": f"Map: {site['names']['en']}, under a red circle, about {kilometres:,} kilometres from the mining basin.{inset_en}",
        },
        caption={
            "fr": f"{site['names']['fr']} et le bassin minier : environ {number_fr} kilomètres à vol d’oiseau.",
            "en": f"{site['names']['en']} and the mining basin: about {kilometres:,} kilometres as the crow flies.",
        },
        credit=NATURAL_EARTH_CREDIT,
        rights=NATURAL_EARTH_RIGHTS,
    )


def _draw_europe(facts: Facts, site: Record) -> str:
    here = (float(site["lon"]), float(site["lat"]))
    distance = distance_km(_BASIN, here)
    view = View(
        (here[0] + _BASIN[0]) / 2, (here[1] + _BASIN[1]) / 2, max(760.0, distance * 2.1), *_SIZE
    )
    countries = facts.layers["country"]
    chosen = [f for f in countries if f["properties"]["id"] == site["country"]]
    world = [outline(f, view, 6000) for f in facts.layers["coastline-world"]]
    return svg(
        *_SIZE,
        [
            *sea(view),
            # Countries the detailed layer leaves out show as bare land.
            path("".join(world), fill="#e9e6dd"),
            *shore([outline(f, view, 6000) for f in countries], CHALK),
            *(
                path(
                    outline(f, view, 6000),
                    fill="none",
                    stroke=CHALK_LINE,
                    stroke_width=2.6,
                    stroke_linejoin="round",
                )
                for f in countries
            ),
            *(
                path(
                    outline(f, view, 6000),
                    fill=BRICK_PALE,
                    fill_opacity=0.6,
                    stroke=BRICK,
                    stroke_width=2.6,
                    stroke_linejoin="round",
                )
                for f in chosen
            ),
            *_basin_shape(facts, view),
            *arc(view, _BASIN, here),
            *ground.marker(*view.project(*here)),
        ],
        [sea_tone()],
    )


def _draw_japan(facts: Facts, site: Record) -> str:
    here = (float(site["lon"]), float(site["lat"]))
    view = View((here[0] + 136) / 2 + 0.6, (here[1] + 34.5) / 2, 920, *_SIZE)
    coast = [outline(f, view, 4000) for f in facts.layers["coastline-japan"]]
    return svg(
        *_SIZE,
        [
            *sea(view),
            *shore(coast),
            *ground.marker(*view.project(*here)),
            *_world_inset(facts, 36, here),
        ],
        [sea_tone()],
    )


def _draw_world(facts: Facts, site: Record) -> str:
    here = (float(site["lon"]), float(site["lat"]))
    distance = distance_km(_BASIN, here)
    view = View(
        (here[0] + _BASIN[0]) / 2,
        (here[1] + _BASIN[1]) / 2 - 2,
        max(3600.0, distance * 1.5),
        *_SIZE,
    )
    coast = [outline(f, view, 20000) for f in facts.layers["coastline-world"]]
    return svg(
        *_SIZE,
        [
            *sea(view),
            *shore(coast),
            *arc(view, _BASIN, here),
            circle(*view.project(*_BASIN), 11, fill=CHALK, stroke=COAL, stroke_width=5),
            *ground.marker(*view.project(*here)),
        ],
        [sea_tone()],
    )


def _world_inset(facts: Facts, corner: float, here: Point) -> list[str]:
    width, height = 560, 300
    view = View(70, 30, 17500, width, height)
    coast = [outline(f, view, 20000) for f in facts.layers["coastline-world"]]
    inner = [
        rectangle(0, 0, width, height, rx=18, fill=SKY_PALE),
        path("".join(coast), fill=CHALK, stroke="#8ea3b0", stroke_width=1),
        *arc(view, _BASIN, here),
        circle(*view.project(*_BASIN), 6, fill=CHALK, stroke=COAL, stroke_width=3),
        circle(*view.project(*here), 8, fill=CHALK, stroke=BRICK, stroke_width=4),
    ]
    return [
        f'<clipPath id="inset"><rect width="{width}" height="{height}" rx="18"/></clipPath>',
        group(
            [
                group(inner, clip_path="url(#inset)"),
                rectangle(0, 0, width, height, rx=18, fill="none", stroke=CHALK, stroke_width=3),
            ],
            transform=f"translate({_SIZE[0] - corner - width} {_SIZE[1] - corner - height})",
        ),
    ]


def _basin_shape(facts: Facts, view: View) -> list[str]:
    return [
        ground.basin_outline(
            facts, view, fill=COAL_SOFT, stroke=COAL, stroke_width=2, stroke_linejoin="round"
        ),
    ]


def _route_in_basin(facts: Facts, points: list[Point]) -> str:
    lons = [lon for lon, _ in points]
    lats = [lat for _, lat in points]
    middle = ((min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2)
    across = (max(lons) - min(lons)) * 111.195 * math.cos(math.radians(middle[1]))
    tall = (max(lats) - min(lats)) * 111.195 * 4 / 3
    view = View(*middle, max(across, tall, 2.4) * 1.28, *_SIZE)
    sign = 1.4 * min(1.0, 7.2 / view.width_km)
    near = view.width_km < 20
    return svg(
        *_SIZE,
        [
            *ground.land(facts, view),
            ground.basin_outline(
                facts,
                view,
                fill="none",
                stroke=COAL_SOFT,
                stroke_width=2.6,
                stroke_dasharray="1 8",
                stroke_linecap="round",
            ),
            *ground.components(facts, view),
            *ground.waters(facts, view),
            *(ground.railways(facts, view) if near else []),
            *ground.heaps(facts, view),
            *(ground.estates(facts, view, size=sign) if near else []),
            *(ground.buildings(facts, view, size=sign) if near else []),
            *_thread(view, points),
            *ground.scale_bar(view, 1 if near else 5 if view.width_km < 60 else 10),
            *ground.north(1530, 70),
        ],
    )


def _route_far(facts: Facts, points: list[Point]) -> str:
    lons = [lon for lon, _ in points]
    lats = [lat for _, lat in points]
    middle = ((min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2)
    across = (max(lons) - min(lons)) * 111.195 * math.cos(math.radians(middle[1]))
    tall = (max(lats) - min(lats)) * 111.195 * 4 / 3
    view = View(*middle, max(across, tall) * 1.3, *_SIZE)
    return svg(
        *_SIZE,
        [
            *sea(view),
            *shore([outline(f, view, 20000) for f in facts.layers["coastline-world"]]),
            *(
                path(outline(f, view, 20000), fill=CHALK, stroke=CHALK_LINE, stroke_width=2)
                for f in facts.layers["country"]
            ),
            *_thread(view, points, curved=True),
        ],
        [sea_tone()],
    )


def _thread(view: View, points: list[Point], *, curved: bool = False) -> list[str]:
    """The stops and the line between them, growing lighter to the end."""
    drawn = []
    if curved:
        for start, end in itertools.pairwise(points):
            drawn += arc(view, start, end)
    else:
        line = path_of([view.project(*point) for point in points], closed=False)
        drawn += [
            path(
                line,
                fill="none",
                stroke=CHALK,
                stroke_width=11,
                stroke_linejoin="round",
                stroke_linecap="round",
            ),
            path(
                line,
                fill="none",
                stroke=BRICK,
                stroke_width=4.5,
                stroke_linejoin="round",
                stroke_dasharray="14 9",
            ),
        ]
    for index, point in enumerate(points):
        x, y = view.project(*point)
        first, last = index == 0, index == len(points) - 1
        drawn.append(
            circle(x, y, 19 if first or last else 14, fill=CHALK, stroke=BRICK, stroke_width=5)
        )
        if first:
            drawn.append(circle(x, y, 12, fill=BRICK))
        elif last:
            drawn.append(circle(x, y, 8, fill="none", stroke=BRICK, stroke_width=4))
        else:
            drawn.append(circle(x, y, 5, fill=COAL))
    return drawn
