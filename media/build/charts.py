"""Charts and plans from the figures and outlines of the open data, without a word in them."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator

from media.build import ground
from media.build.assets import OPEN_DATA_CREDIT, OPEN_DATA_RIGHTS, Asset, Language
from media.build.drawing import (
    BRICK,
    BRICK_LIGHT,
    CHALK,
    CHALK_LINE,
    COAL,
    COAL_SOFT,
    LAMP,
    MOSS,
    SKY,
    SKY_DEEP,
    Point,
    View,
    circle,
    glow,
    group,
    path,
    path_of,
    rectangle,
    rings_of,
    svg,
    to_webp,
)
from media.build.facts import Facts, Record, read_text
from media.build.relief import hill

_W, _H = 1600, 1200
_KM = 111.195
_PERIODS = ("Avant 1800", "1800-1880", "1880-1914", "1914-1945", "Après 1945", "NC")
_PERIOD_TONES = (COAL, COAL_SOFT, BRICK, BRICK_LIGHT, SKY_DEEP, CHALK_LINE)
_ESTATES = ("coron", "pavilion", "garden", "modern")
_FAMILIES = {
    # Themes of the chronology, by the colour of their lamp.
    "discovery": LAMP,
    "companies": LAMP,
    "technology": LAMP,
    "transport": LAMP,
    "housing": LAMP,
    "labour": BRICK_LIGHT,
    "disaster": CHALK,
    "war": CHALK,
    "memory": CHALK,
    "migration": BRICK_LIGHT,
    "decline": SKY_DEEP,
    "heritage": "#9fb46c",
    "culture": "#9fb46c",
    "japan": SKY,
    "china": SKY,
}


def chart_assets(facts: Facts) -> Iterator[Asset]:
    """The charts of `texts/charts.yml`, each drawn by the function of its name."""
    draw: dict[str, Callable[[Facts], str]] = {
        "figure-silhouettes": _silhouettes,
        "figure-terrils": _heaps,
        "figure-compagnies": _companies,
        "figure-epoques": _periods,
        "figure-cites": _estates,
        "figure-chronologie": _chronology,
        "figure-puits": _shafts,
        "carte-puits": _shaft_map,
    }
    numbers = _numbers(facts)
    for name, words in read_text("charts").items():
        yield Asset(
            name,
            "webp",
            functools.partial(_drawn, draw[name], facts),
            alt=_filled(words["alt"], numbers),
            caption=_filled(words["caption"], numbers),
            transcript=_filled(words.get("transcript") or {}, numbers),
            credit=OPEN_DATA_CREDIT,
            rights=OPEN_DATA_RIGHTS,
        )


def company_areas(facts: Facts) -> list[tuple[str, int, float]]:
    """For each company from east to west: name, number of components, hectares."""
    found: dict[str, tuple[int, float]] = {}
    for feature in facts.layers["component"]:
        properties = feature["properties"]
        count, area = found.get(properties["sectionName"], (0, 0.0))
        found[properties["sectionName"]] = (count + 1, area + properties["areaHa"])
    return [(name, count, area) for name, (count, area) in found.items()]


def _numbers(facts: Facts) -> dict[str, str]:
    """Figures the texts quote, computed from the data and never typed."""
    types = Counter(feature["properties"]["estateType"] for feature in facts.layers["estate"])
    periods = Counter(feature["properties"].get("period") for feature in facts.layers["building"])
    companies = company_areas(facts)
    return {
        **_named_lives(facts),
        "areas_fr": "\n".join(
            f"- {name} : {count} éléments, {round(area)} hectares"
            for name, count, area in companies
        ),
        "areas_en": "\n".join(
            f"- {name}: {count} components, {round(area):,} hectares"
            for name, count, area in companies
        ),
        "companies": str(len(companies)),
        "largest": str(round(max(area for _, _, area in companies))),
        "components": str(len(facts.layers["component"])),
        "heaps": str(len(facts.layers["slag-heap"])),
        "estates": str(len(facts.layers["estate"])),
        "buildings": str(len(facts.layers["building"])),
        "dates": str(len(facts.timeline)),
        "shafts": str(sum(f["properties"]["shaftsRecorded"] for f in facts.layers["commune"])),
        **{f"estates_{name}": str(types[name]) for name in _ESTATES},
        **{f"period_{index}": str(periods[name]) for index, name in enumerate(_PERIODS)},
    }


def _named_lives(facts: Facts) -> dict[str, str]:
    """The pits of the chart of lives, from top to bottom, in both languages."""
    lives = working_lives(facts)
    french = " ; ".join(f"{site['names']['fr']} ({start}-{end})" for site, start, end in lives)
    english = "; ".join(f"{site['names']['en']} ({start}-{end})" for site, start, end in lives)
    return {
        "lives_fr": f"De haut en bas : {french}.",
        "lives_en": f"From top to bottom: {english}.",
    }


def _filled(texts: Language, numbers: dict[str, str]) -> Language:
    return {tag: text.format(**numbers) for tag, text in texts.items()}


def _paper(*extra: str) -> list[str]:
    return [rectangle(0, 0, _W, _H, fill=CHALK), *extra]


def _local(feature: Record) -> tuple[list[list[Point]], float, float]:
    """Rings of a feature in kilometres from its top left, with its width and height."""
    rings = list(rings_of(feature))
    lons = [lon for ring in rings for lon, _ in ring]
    lats = [lat for ring in rings for _, lat in ring]
    squeeze = math.cos(math.radians(50.43)) * _KM
    west, north = min(lons), max(lats)
    moved = [[((lon - west) * squeeze, (north - lat) * _KM) for lon, lat in ring] for ring in rings]
    return moved, (max(lons) - west) * squeeze, (north - min(lats)) * _KM


def _shelves(
    sizes: list[tuple[float, float]], scale: float, gap: float, margin: float
) -> list[Point] | None:
    """Top-left corners that set boxes on shelves, or None when the page is too small."""
    x, y, tall = margin, margin, 0.0
    corners = []
    for width, height in sizes:
        w, h = width * scale, height * scale
        if x + w > _W - margin and x > margin:
            x, y, tall = margin, y + tall + gap, 0.0
        if x + w > _W - margin + 1 or y + h > _H - margin:
            return None
        corners.append((x, y))
        x += w + gap
        tall = max(tall, h)
    return corners


def _packed(features: list[Record], gap: float, margin: float) -> tuple[float, list[Point]]:
    """The largest scale (pixels per kilometre) at which the features fit, and their corners."""
    sizes = [_local(feature)[1:] for feature in features]
    low, high = 1.0, 2000.0
    corners: list[Point] = []
    for _ in range(40):
        middle = (low + high) / 2
        found = _shelves(sizes, middle, gap, margin)
        if found is None:
            high = middle
        else:
            low, corners = middle, found
    return low, corners


def _silhouettes(facts: Facts) -> str:
    features = sorted(facts.layers["component"], key=lambda f: -_local(f)[2])
    scale, corners = _packed(features, 15, 60)
    sections = sorted({f["properties"]["section"] for f in features})
    tones = (BRICK, COAL_SOFT, SKY_DEEP, MOSS, BRICK_LIGHT, COAL)
    drawn = []
    for feature, (x, y) in zip(features, corners, strict=True):
        rings, width, height = _local(feature)
        tone = tones[sections.index(feature["properties"]["section"]) % len(tones)]
        if max(width, height) * scale < 5:
            drawn.append(circle(x + width * scale / 2, y + height * scale / 2, 3.2, fill=tone))
            continue
        data = "".join(
            path_of([(x + px * scale, y + py * scale) for px, py in ring]) for ring in rings
        )
        drawn.append(
            path(
                data,
                fill=tone,
                fill_rule="evenodd",
                stroke=tone,
                stroke_width=1.6,
                stroke_linejoin="round",
            )
        )
    return svg(_W, _H, _paper(*drawn))


def _heaps(facts: Facts) -> str:
    features = sorted(facts.layers["slag-heap"], key=lambda f: -_local(f)[2])
    scale, corners = _packed(features, 26, 70)
    drawn = []
    for feature, (x, y) in zip(features, corners, strict=True):
        conical = feature["properties"].get("form") in ("Conique", "Tronqué")
        for ring in _local(feature)[0]:
            drawn += hill([(x + px * scale, y + py * scale) for px, py in ring], conical=conical)
    return svg(_W, _H, _paper(*drawn))


def _companies(facts: Facts) -> str:
    rows = company_areas(facts)
    top, step, left = 90, (_H - 180) / len(rows), 120
    widest = max(area for _, _, area in rows)
    drawn = []
    for index, (_, count, area) in enumerate(rows):
        y = top + index * step
        drawn.append(
            rectangle(
                left,
                y + step * 0.16,
                (_W - left - 110) * area / widest,
                step * 0.42,
                rx=4,
                fill=BRICK,
            )
        )
        drawn += [
            circle(left + 9 + 27 * dot, y + step * 0.78, 7.5, fill=COAL) for dot in range(count)
        ]
        drawn.append(
            path(
                f"M{left - 46} {y + step * 0.16:.1f}V{y + step * 0.86:.1f}",
                stroke=SKY_DEEP,
                stroke_width=7,
                stroke_linecap="round",
            )
        )
    for tick in range(0, int(widest) + 1, 200):
        x = left + (_W - left - 110) * tick / widest
        drawn.insert(
            0,
            path(
                f"M{x:.1f} {top - 22}V{_H - 70}",
                stroke=CHALK_LINE,
                stroke_width=2,
                stroke_dasharray="4 8",
            ),
        )
    return svg(_W, _H, _paper(*drawn))


def _periods(facts: Facts) -> str:
    ordered = sorted(
        facts.layers["building"],
        key=lambda f: _PERIODS.index(f["properties"].get("period") or "NC"),
    )
    columns, cell = 15, 88
    left = (_W - columns * cell) / 2
    top = (_H - math.ceil(len(ordered) / columns) * cell) / 2
    drawn = []
    for index, feature in enumerate(ordered):
        x, y = left + index % columns * cell + cell / 2, top + index // columns * cell + cell / 2
        tone = _PERIOD_TONES[_PERIODS.index(feature["properties"].get("period") or "NC")]
        drawn.append(
            path(
                f"M{x - 27} {y + 30}V{y - 12}L{x} {y - 34}L{x + 27} {y - 12}V{y + 30}Z",
                fill=tone,
                stroke=tone,
                stroke_width=4,
                stroke_linejoin="round",
            )
        )
        drawn.append(
            path(f"M{x - 7} {y + 30}V{y + 8}H{x + 7}V{y + 30}Z", fill=CHALK, fill_opacity=0.9)
        )
    return svg(_W, _H, _paper(*drawn))


def _estates(facts: Facts) -> str:
    types = Counter(feature["properties"]["estateType"] for feature in facts.layers["estate"])
    columns, cell, drawn, y = 18, 80, [], 80.0
    tones = {"coron": BRICK, "pavilion": COAL_SOFT, "garden": MOSS, "modern": SKY_DEEP}
    rows = sum(math.ceil(types[name] / columns) for name in _ESTATES)
    spare = (_H - 160 - rows * cell) / (len(_ESTATES) - 1)
    for name in _ESTATES:
        for index in range(types[name]):
            x = (_W - columns * cell) / 2 + index % columns * cell + cell / 2
            here = y + index // columns * cell + cell / 2
            drawn.append(
                group(
                    (rectangle(*house, rx=0.8) for house in ground.HOUSE_ROWS[name]),
                    transform=f"translate({x:.1f} {here:.1f}) scale(2.05)",
                    fill=tones[name],
                )
            )
        y += math.ceil(types[name] / columns) * cell + spare
    return svg(_W, _H, _paper(*drawn))


def _chronology(facts: Facts) -> str:
    first, last, floor = 1700, 2030, 1010

    def across(year: float) -> float:
        return 80 + (_W - 160) * (year - first) / (last - first)

    drawn = [rectangle(0, 0, _W, _H, fill=COAL)]
    for year in range(first, last + 1, 10):
        century = year % 100 == 0
        drawn.append(
            path(
                f"M{across(year):.1f} {floor + 40}v{34 if century else 14}",
                stroke=CHALK,
                stroke_opacity=0.6,
                stroke_width=5 if century else 2,
            )
        )
    drawn.append(
        path(f"M80 {floor + 40}H{_W - 80}", stroke=CHALK, stroke_opacity=0.6, stroke_width=3)
    )
    # The working life of the basin, from the first coal to the last tub.
    drawn.append(
        rectangle(
            across(1720),
            floor + 28,
            across(1990) - across(1720),
            12,
            rx=6,
            fill=LAMP,
            fill_opacity=0.9,
        )
    )
    stacked: Counter[int] = Counter()
    for fact in facts.timeline:
        decade = int(fact["date"][:4]) // 10 * 10
        x, y = across(decade + 5), floor - 16 - stacked[decade] * 56
        stacked[decade] += 1
        tone = _FAMILIES[fact["theme"]]
        drawn.append(circle(x, y, 54, fill="url(#halo)", fill_opacity=0.45))
        drawn.append(circle(x, y, 18, fill=tone))
        drawn.append(circle(x, y, 6.5, fill=COAL, fill_opacity=0.35))
    return svg(_W, _H, drawn, [glow("halo", LAMP, strength=0.5)])


def _shafts(facts: Facts) -> str:
    lives = working_lives(facts)
    top, step = 90, (_H - 210) / len(lives)

    def across(year: float) -> float:
        return 110 + (_W - 220) * (year - 1750) / 260

    drawn = []
    for year in range(1750, 2011, 50):
        drawn.append(
            path(
                f"M{across(year):.1f} 60V{_H - 80}",
                stroke=CHALK_LINE,
                stroke_width=2.4,
                stroke_dasharray="4 9",
            )
        )
    for index, (_, start, end) in enumerate(lives):
        y = top + index * step
        drawn.append(
            rectangle(
                across(start),
                y + step * 0.24,
                across(end) - across(start),
                step * 0.5,
                rx=step * 0.25,
                fill=BRICK if index % 2 else BRICK_LIGHT,
            )
        )
        drawn.append(circle(across(start), y + step * 0.49, step * 0.32, fill=COAL))
        drawn.append(
            circle(
                across(end), y + step * 0.49, step * 0.32, fill=CHALK, stroke=COAL, stroke_width=4
            )
        )
    return svg(_W, _H, _paper(*drawn))


def working_lives(facts: Facts) -> list[tuple[Record, int, int]]:
    """Places of the basin whose first sinking and end are both known, oldest first."""
    starts = ("sinking", "first shaft")
    ends = (
        "end of extraction",
        "closed",
        "shaft 2 closed",
        "pit closed",
        "shafts closed",
        "pit 6 closed",
        "pit 9 closed",
    )
    found = []
    for site in facts.sites:
        if site["country"] != "FR" or site["kind"] == "partner-site":
            continue
        begun = [int(d["date"][:4]) for d in site["dates"] if d["event"].startswith(starts)]
        ended = [int(d["date"][:4]) for d in site["dates"] if d["event"].startswith(ends)]
        if begun and ended:
            found.append((site, min(begun), max(ended)))
    return sorted(found, key=lambda life: (life[1], life[2]))


def _shaft_map(facts: Facts) -> str:
    view = View(2.957, 50.4375, 112, 1600, 1200)
    drawn = [
        *ground.land(facts, view),
        ground.basin_outline(
            facts, view, fill="none", stroke=COAL_SOFT, stroke_width=3, stroke_linejoin="round"
        ),
    ]
    for feature in sorted(
        facts.layers["commune"], key=lambda f: -f["properties"]["shaftsRecorded"]
    ):
        count = feature["properties"]["shaftsRecorded"]
        if count:
            x, y = view.project(*feature["properties"]["centroid"])
            drawn.append(
                circle(
                    x,
                    y,
                    4.6 * math.sqrt(count),
                    fill=COAL,
                    fill_opacity=0.82,
                    stroke=CHALK,
                    stroke_width=1.6,
                )
            )
    drawn += [*ground.scale_bar(view, 10), *ground.north(1530, 70)]
    return svg(1600, 1200, drawn)


def _drawn(draw: Callable[..., str], *arguments: object) -> bytes:
    return to_webp(draw(*arguments))
