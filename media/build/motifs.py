"""Shapes of the mining land, each standing on y = 0 at a hundred units high or wide."""

from __future__ import annotations

import itertools
import math

from media.build.drawing import (
    BRICK,
    BRICK_LIGHT,
    CHALK,
    CHALK_SHADE,
    COAL,
    COAL_SOFT,
    MOSS,
    circle,
    group,
    path,
    rectangle,
    seeded,
)


def put(
    shape: str, x: float, y: float, scale: float, *, flip: bool = False, **style: object
) -> str:
    """`shape` moved to (x, y) and scaled; mirrored when `flip`."""
    across = -scale if flip else scale
    return group(
        [shape], transform=f"translate({x:.1f} {y:.1f}) scale({across:.4f} {scale:.4f})", **style
    )


def headframe(colour: str = COAL, *, light: str = CHALK) -> str:
    """A steel headframe: tower, raking strut, platform, two wheels under a roof."""
    steel: dict[str, object] = {
        "stroke": colour,
        "fill": "none",
        "stroke_linecap": "round",
        "stroke_linejoin": "round",
    }
    levels = [0, 13, 26, 39, 52, 65, 78]

    def half(y: float) -> float:
        return 12 - 5 * y / 78

    def strut(y: float, outer: bool) -> float:
        return (61 if outer else 47) - ((61 if outer else 47) - (12 if outer else 7)) * y / 78

    tower = "".join(
        f"M{-half(a):.1f} {-a}L{half(b):.1f} {-b}M{half(a):.1f} {-a}L{-half(b):.1f} {-b}M{-half(b):.1f} {-b}H{half(b):.1f}"
        for a, b in itertools.pairwise(levels)
    )
    rake = "".join(
        f"M{strut(a, False):.1f} {-a}L{strut(b, True):.1f} {-b}M{strut(b, False):.1f} {-b}L{strut(b, True):.1f} {-b}"
        for a, b in itertools.pairwise(levels)
    )
    wheels = "".join(_wheel(x, y, 9.5, colour, light) for x, y in ((-1, -90), (8, -88)))
    return "".join(
        [
            path(tower + rake, stroke_width=1.0, **steel),
            path("M-12 0L-7 -78M12 0L7 -78M47 0L7 -78M61 0L12 -78", stroke_width=2.6, **steel),
            path("M-16 -78H21", stroke_width=3, **steel),
            path("M-12 -78V-102M18 -78V-100", stroke_width=1.8, **steel),
            wheels,
            path(
                "M-16 -101L3 -108L22 -99Z",
                fill=colour,
                stroke=colour,
                stroke_width=1,
                stroke_linejoin="round",
            ),
            path("M-16 -84H21", stroke_width=0.9, **steel),
        ]
    )


def _wheel(x: float, y: float, radius: float, colour: str, light: str) -> str:
    spokes = "".join(
        f"M{x:.1f} {y:.1f}L{x + radius * math.cos(a):.2f} {y + radius * math.sin(a):.2f}"
        for a in (math.pi * i / 5 + 0.2 for i in range(10))
    )
    return (
        circle(x, y, radius, fill=light, fill_opacity=0.25, stroke=colour, stroke_width=2)
        + path(spokes, stroke=colour, stroke_width=0.8)
        + circle(x, y, 1.8, fill=colour)
    )


def winding_tower(colour: str = "#8b8f8e") -> str:
    """A concrete winding tower: a tall shaft with a wider hall on top."""
    windows = "".join(rectangle(-17 + 6.2 * i, -104, 3.6, 12, fill=COAL_SOFT) for i in range(6))
    slots = "".join(
        rectangle(-2, -20 - 13 * i, 4, 7, fill=COAL_SOFT, fill_opacity=0.7) for i in range(5)
    )
    return "".join(
        [
            rectangle(-13, -88, 26, 88, fill=colour),
            rectangle(3, -88, 10, 88, fill=COAL, fill_opacity=0.16),
            rectangle(-21, -112, 42, 26, fill=colour),
            rectangle(7, -112, 14, 26, fill=COAL, fill_opacity=0.16),
            rectangle(-22, -114, 44, 3.4, fill=COAL_SOFT),
            windows,
            slots,
        ]
    )


def heap(base: str = COAL, lit: str = "#59636a", *, green: float = 0.0) -> str:
    """A conical slag heap: two flanks, gullies, and green at its foot if any."""
    left = "M-100 0C-66 -18 -34 -62 -6 -97Q0 -103 5 -98L14 0Z"
    whole = "M-100 0C-66 -18 -34 -62 -6 -97Q0 -103 5 -98C34 -64 66 -20 100 0Z"
    gullies = "".join(
        f"M{x * 0.05:.1f} -93Q{x * 0.42:.1f} -52 {x:.1f} {-3 - abs(x) * 0.02:.1f}"
        for x in (-78, -58, -40, -24, -10, 6, 24, 42, 60, 80)
    )
    growth = ""
    if green:
        numbers = seeded("heap")
        for _ in range(46):
            x = next(numbers) * 180 - 90
            top = 30 * (1 - abs(x) / 110) * green
            y = -next(numbers) * top
            growth += circle(x, y, 2.2 + next(numbers) * 3.2, fill=MOSS, fill_opacity=0.85)
    return "".join(
        [
            path(whole, fill=base),
            path(left, fill=lit, fill_opacity=0.6),
            path(gullies, fill="none", stroke=COAL, stroke_opacity=0.34, stroke_width=1.1),
            growth,
        ]
    )


def coron(houses: int, *, brick: str = BRICK, roof: str = COAL_SOFT) -> str:
    """A row of joined houses, twenty units wide and thirty high each."""
    drawn = [
        rectangle(0, -19, 20 * houses, 19, fill=brick),
        path(f"M-1.5 -18.6L3 -29H{20 * houses - 3}L{20 * houses + 1.5} -18.6Z", fill=roof),
        rectangle(0, -19.4, 20 * houses, 1.4, fill=COAL, fill_opacity=0.35),
        rectangle(0, -1.6, 20 * houses, 1.6, fill=COAL, fill_opacity=0.3),
    ]
    for house in range(houses):
        x = 20 * house
        drawn += [
            rectangle(x + 2.4, -12.5, 4.6, 12.5, fill=COAL_SOFT),
            path(
                f"M{x + 1.8} -12.6Q{x + 4.7} -15.4 {x + 7.6} -12.6",
                fill="none",
                stroke=CHALK,
                stroke_width=1.1,
            ),
            rectangle(x + 10.6, -12.6, 5.4, 7.2, fill=CHALK_SHADE),
            path(
                f"M{x + 13.3} -12.6V-5.4M{x + 10.6} -9H{x + 16}", stroke=COAL_SOFT, stroke_width=0.7
            ),
            path(
                f"M{x + 10} -12.8Q{x + 13.3} -15.4 {x + 16.6} -12.8",
                fill="none",
                stroke=CHALK,
                stroke_width=1.1,
            ),
            rectangle(x + 9.4, -4.6, 7.8, 1, fill=CHALK, fill_opacity=0.85),
            rectangle(x + 8, -33, 3.2, 7, fill=brick),
            rectangle(x + 7.6, -33.8, 4, 1.2, fill=COAL),
        ]
        if house:
            drawn.append(rectangle(x - 0.4, -18, 0.8, 18, fill=COAL, fill_opacity=0.2))
    return "".join(drawn)


def church() -> str:
    """A brick estate church: nave, tower and spire."""
    return "".join(
        [
            rectangle(-4, -38, 60, 38, fill=BRICK),
            path("M-6 -37L4 -56H50L60 -37Z", fill=COAL_SOFT),
            "".join(
                path(f"M{x} 0V-20Q{x + 4} -28 {x + 8} -20V0Z", fill=CHALK_SHADE) for x in (22, 36)
            ),
            rectangle(-22, -68, 22, 68, fill=BRICK_LIGHT),
            path("M-24 -67L-11 -104L2 -67Z", fill=COAL_SOFT),
            path("M-11 -104V-116M-15 -111H-7", stroke=COAL, stroke_width=2, stroke_linecap="round"),
            path("M-16 0V-16Q-11 -24 -6 -16V0Z", fill=COAL_SOFT),
            circle(-11, -50, 4.6, fill=CHALK_SHADE, stroke=COAL_SOFT, stroke_width=1.2),
        ]
    )


def great_house() -> str:
    """Company offices: two storeys, a pediment in the middle."""
    windows = "".join(
        rectangle(x, y, 6, 12, fill=CHALK_SHADE, stroke=COAL_SOFT, stroke_width=0.8)
        for x in (-54, -42, -30, 24, 36, 48)
        for y in (-44, -22)
    )
    return "".join(
        [
            rectangle(-62, -54, 124, 54, fill=BRICK),
            path("M-66 -53L-56 -74H56L66 -53Z", fill=COAL_SOFT),
            rectangle(-18, -62, 36, 62, fill=BRICK_LIGHT),
            path(
                "M-22 -61L0 -84L22 -61Z",
                fill=CHALK_SHADE,
                stroke=COAL_SOFT,
                stroke_width=1.4,
                stroke_linejoin="round",
            ),
            circle(0, -69, 4.4, fill=BRICK),
            path("M-7 0V-22Q0 -31 7 -22V0Z", fill=COAL_SOFT),
            rectangle(-13, -50, 6, 13, fill=CHALK_SHADE),
            rectangle(7, -50, 6, 13, fill=CHALK_SHADE),
            rectangle(-62, -30, 124, 1.6, fill=CHALK, fill_opacity=0.5),
            windows,
        ]
    )


def monument() -> str:
    """An obelisk on three steps, with a miner’s lamp."""
    return "".join(
        [
            rectangle(-40, -8, 80, 8, fill="#8d948f"),
            rectangle(-30, -16, 60, 8, fill="#a3a9a3"),
            rectangle(-20, -30, 40, 14, fill="#b6bbb4"),
            path("M-12 -30L-7 -100L0 -110L7 -100L12 -30Z", fill="#c9ccc4"),
            path("M2 -30L1.5 -106L7 -100L12 -30Z", fill=COAL, fill_opacity=0.14),
            put(lamp(), 0, -44, 0.3),
        ]
    )


def lamp() -> str:
    """A miner’s safety lamp, lit."""
    return "".join(
        [
            circle(0, -38, 44, fill="url(#lamplight)"),
            path(
                "M0 -108V-96M-9 -108Q0 -120 9 -108",
                fill="none",
                stroke=COAL,
                stroke_width=3.4,
                stroke_linecap="round",
            ),
            path("M-18 -92Q0 -104 18 -92V-84H-18Z", fill=COAL),
            path(
                "M-15 -84V-52M-5 -84V-52M5 -84V-52M15 -84V-52", stroke=COAL_SOFT, stroke_width=2.6
            ),
            rectangle(-17, -84, 34, 32, fill=COAL_SOFT, fill_opacity=0.55),
            rectangle(-19, -54, 38, 5, fill="#b98b3e"),
            rectangle(-16, -49, 32, 27, fill="#f7e7b4", fill_opacity=0.92),
            path("M0 -26Q-7 -34 0 -46Q7 -34 0 -26Z", fill="#e8912d"),
            path("M-16 -49V-22M16 -49V-22", stroke=COAL, stroke_width=2.4),
            rectangle(-20, -22, 40, 6, fill="#b98b3e"),
            path("M-19 -16H19L16 0H-16Z", fill=COAL),
        ]
    )


def tub() -> str:
    """A mine tub full of coal, on its rails."""
    return "".join(
        [
            path("M-34 -46Q-22 -62 -8 -55Q4 -68 18 -56Q28 -60 36 -46Z", fill=COAL),
            path("M-42 -46H42L34 -14H-34Z", fill=COAL_SOFT),
            path("M-40 -40H40", stroke=CHALK, stroke_opacity=0.3, stroke_width=2),
            path("M-20 -46L-17 -14M0 -46V-14M20 -46L17 -14", stroke=COAL, stroke_width=2.4),
            *(
                circle(x, -9, 9, fill=COAL, stroke=CHALK_SHADE, stroke_width=2)
                + circle(x, -9, 2.6, fill=CHALK_SHADE)
                for x in (-20, 20)
            ),
            rectangle(-60, 0, 120, 4, fill=COAL_SOFT),
            *(rectangle(x, 4, 10, 4, fill="#7b6a55") for x in (-54, -30, -6, 18, 42)),
        ]
    )


def tree(colour: str = MOSS) -> str:
    """A poplar."""
    return path("M-1.6 0V-20H1.6V0Z", fill=COAL_SOFT) + path(
        "M0 -100C16 -72 15 -28 0 -12C-15 -28 -16 -72 0 -100Z", fill=colour
    )


def ripples(width: float, height: float, seed: str) -> str:
    """Light lying on still water of that size."""
    numbers = seeded(seed)
    lines = ""
    for _ in range(40):
        x, y, length = next(numbers) * width, next(numbers) * height, 14 + next(numbers) * 60
        lines += f"M{x:.1f} {y:.1f}h{length:.1f}"
    return path(
        lines, stroke="#ffffff", stroke_opacity=0.45, stroke_width=3, stroke_linecap="round"
    )


def birds(seed: str, count: int, width: float, height: float) -> str:
    """Birds far off."""
    numbers = seeded(seed)
    lines = ""
    for _ in range(count):
        x, y, wing = next(numbers) * width, next(numbers) * height, 6 + next(numbers) * 7
        lines += f"M{x - wing:.1f} {y - wing * 0.4:.1f}q{wing * 0.6:.1f} {-wing * 0.3:.1f} {wing:.1f} {wing * 0.5:.1f}q{wing * 0.4:.1f} {-wing * 0.8:.1f} {wing:.1f} {-wing * 0.5:.1f}"
    return path(lines, fill="none", stroke=COAL_SOFT, stroke_width=2.2, stroke_linecap="round")


def clouds(seed: str, count: int, width: float, height: float) -> str:
    """Long flat clouds of the north."""
    numbers = seeded(seed)
    drawn = []
    for _ in range(count):
        x, y = next(numbers) * width - 200, next(numbers) * height
        length = 260 + next(numbers) * 420
        for shift, drop, part in ((0, 0, 1.0), (60, -16, 0.62), (150, 15, 0.7)):
            drawn.append(
                rectangle(
                    x + shift, y + drop, length * part, 22, rx=11, fill="#ffffff", fill_opacity=0.34
                )
            )
    return "".join(drawn)


SKIES = {
    "morning": ((0, "#8fabc0"), (0.55, "#c9d8e0"), (1, "#f1e7da")),
    "evening": ((0, "#6f8fa6"), (0.5, "#c7b9b2"), (0.8, "#e3b7a6"), (1, "#f0d3b6")),
    "night": ((0, "#14171a"), (0.6, "#232b31"), (1, "#3d4a55")),
    "grey": ((0, "#a9bac5"), (1, "#e7ebec")),
}
