"""Posters for the attract screen and emblems for each kind of place, all drawn."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from media.build import motifs as m
from media.build.assets import Asset, Language
from media.build.drawing import (
    BRICK,
    CHALK,
    CHALK_SHADE,
    COAL,
    COAL_SOFT,
    LAMP,
    MOSS,
    SKY,
    SKY_PALE,
    circle,
    glow,
    gradient,
    group,
    path,
    rectangle,
    seeded,
    svg,
    to_webp,
)

_W, _H = 1600, 1200
_TYPICAL: Language = {
    "fr": "Composition dessinée : un paysage du bassin, sans lieu précis.",
    "en": "A drawn composition: a landscape of the basin, no place in particular.",
    "ja": "炭田の風景を描いた図。特定の場所ではない。",
}


def poster_assets() -> Iterator[Asset]:
    """Five landscapes: heaps, pit, estate, lake, night."""
    for name, draw, alt in (
        (
            "affiche-terrils",
            _heaps,
            {
                "fr": "Dessin : deux terrils noirs côte à côte sous un ciel clair, une rangée de maisons de brique à leur pied, des champs devant.",
                "en": "Drawing: two black heaps side by side under a clear sky, a row of brick houses at their foot, fields in front.",
                "ja": "図：明るい空の下に並ぶ二つの黒いボタ山、ふもとにれんが造りの長屋、手前に畑。",
            },
        ),
        (
            "affiche-fosse",
            _pit,
            {
                "fr": "Dessin : un chevalement métallique et une tour de béton au soir, un terril derrière.",
                "en": "Drawing: a steel headframe and a concrete tower in the evening, a heap behind.",
                "ja": "図：夕暮れの鉄骨の竪坑櫓とコンクリートの塔、背後にボタ山。",
            },
        ),
        (
            "affiche-cite",
            _estate,
            {
                "fr": "Dessin : une rue de corons de brique mène à une église ; un chevalement dépasse des toits.",
                "en": "Drawing: a street of brick rows leads to a church; a headframe rises above the roofs.",
                "ja": "図：れんがの長屋が並ぶ通りの先に教会、屋根の上に竪坑櫓がのぞく。",
            },
        ),
        (
            "affiche-etang",
            _lake,
            {
                "fr": "Dessin : un étang calme reflète un chevalement et un terril qui reverdit.",
                "en": "Drawing: a still lake reflects a headframe and a heap turning green.",
                "ja": "図：静かな池に竪坑櫓と緑の戻ったボタ山が映る。",
            },
        ),
        (
            "affiche-noir",
            _night,
            {
                "fr": "Dessin : dans la nuit, une lampe de mineur allumée devant des terrils à peine visibles.",
                "en": "Drawing: at night, a lit miner’s lamp in front of heaps hardly to be seen.",
                "ja": "図：夜の闇に灯る安全灯、背後にかすかなボタ山。",
            },
        ),
    ):
        yield Asset(name, "webp", functools.partial(_drawn, draw), alt=alt, caption=_TYPICAL)


def _sky(kind: str) -> list[str]:
    return [
        gradient("sky", *m.SKIES[kind]),
        gradient("haze", (0, "#ffffff"), (1, "#ffffff"), opacity=(0, 0.55)),
    ]


def _ground(y: float, tones: tuple[str, ...]) -> list[str]:
    """Fields in bands that widen towards the viewer."""
    drawn, top = [], y
    for index, tone in enumerate(tones):
        bottom = y + (_H - y) * ((index + 1) / len(tones)) ** 1.6
        drawn.append(
            path(
                f"M0 {top:.0f}C{_W * 0.3:.0f} {top - 10 - 5 * index:.0f} {_W * 0.6:.0f} {top + 14:.0f} {_W} {top - 4:.0f}V{bottom + 30:.0f}H0Z",
                fill=tone,
            )
        )
        top = bottom
    return drawn


def _furrows(y: float, colour: str) -> str:
    lines = "".join(
        f"M{_W / 2 + (x - 12) * 26} {y}L{_W / 2 + (x - 12) * 190} {_H}" for x in range(25)
    )
    return path(lines, stroke=colour, stroke_width=3, stroke_opacity=0.5)


def _heaps() -> str:
    numbers = seeded("poplars")
    poplars = [
        m.put(m.tree("#59663f"), 40 + i * 74 + next(numbers) * 30, 856, 0.62 + next(numbers) * 0.3)
        for i in range(6)
    ] + [
        m.put(m.tree("#59663f"), 1260 + i * 62 + next(numbers) * 26, 858, 0.5 + next(numbers) * 0.3)
        for i in range(6)
    ]
    return svg(
        _W,
        _H,
        [
            rectangle(0, 0, _W, _H, fill="url(#sky)"),
            circle(1240, 300, 92, fill="#fff6e2", fill_opacity=0.9),
            circle(1240, 300, 170, fill="#fff6e2", fill_opacity=0.18),
            m.clouds("heaps", 6, _W, 420),
            m.put(m.heap("#8496a1", "#a4b3bc"), 250, 850, 2.1),
            m.put(m.heap("#8f9fa9", "#afbcc4"), 1430, 850, 1.7),
            rectangle(0, 600, _W, 250, fill="url(#haze)"),
            m.put(m.heap(green=0.9), 640, 862, 4.7),
            m.put(m.heap("#262b2f", "#656f75", green=0.9), 1080, 866, 4.2),
            group([m.birds("heaps", 9, 420, 150)], transform="translate(250 260)"),
            *_ground(850, ("#8b9463", "#a8a777", "#c7b98a", "#d9cba0")),
            *poplars,
            m.put(m.coron(14), 420, 900, 2.55),
            _furrows(930, "#b19f6e"),
        ],
        _sky("morning"),
    )


def _pit() -> str:
    return svg(
        _W,
        _H,
        [
            rectangle(0, 0, _W, _H, fill="url(#sky)"),
            circle(360, 720, 120, fill="#fbe3bf"),
            circle(360, 720, 230, fill="#fbe3bf", fill_opacity=0.25),
            m.clouds("pit", 7, _W, 560),
            m.put(m.heap("#7d7f86", "#97969a"), 1330, 930, 3.3),
            m.put(m.heap("#8d8d92", "#a5a3a5"), 60, 930, 2.3),
            rectangle(0, 700, _W, 240, fill="url(#haze)"),
            *_ground(925, ("#6e6f58", "#585a4c", "#45483f")),
            m.put(m.winding_tower(), 1130, 950, 5.0),
            rectangle(690, 800, 380, 150, fill=BRICK),
            path("M676 804L720 742H1040L1084 804Z", fill=COAL_SOFT),
            "".join(
                path(f"M{x} 950V866Q{x + 24} 836 {x + 48} 866V950Z", fill="#f1d9b8")
                for x in (726, 806, 886, 966)
            ),
            m.put(m.headframe("#23282c"), 560, 956, 7.4),
            group([m.birds("pit", 7, 300, 130)], transform="translate(860 250)"),
            path("M0 1010H1600M0 1050H1600", stroke="#2b2e2d", stroke_width=6),
            path(
                "".join(f"M{x} 1000V1062" for x in range(10, 1600, 46)),
                stroke="#3b3a33",
                stroke_width=9,
            ),
            m.put(m.tub(), 250, 1044, 1.9),
            m.put(m.tub(), 470, 1044, 1.9),
        ],
        _sky("evening"),
    )


def _estate() -> str:
    left = m.put(m.coron(9), -60, 1010, 5.2)
    right = m.put(m.coron(9), 1660, 1010, 5.2, flip=True)
    return svg(
        _W,
        _H,
        [
            rectangle(0, 0, _W, _H, fill="url(#sky)"),
            m.clouds("estate", 8, _W, 480),
            m.put(m.heap("#93a1aa", "#b0bbc1"), 1180, 880, 2.8),
            m.put(m.headframe("#4a545b"), 420, 880, 4.9),
            rectangle(0, 640, _W, 250, fill="url(#haze)"),
            m.put(m.church(), 800, 905, 3.4),
            group([left], clip_path="url(#leftside)"),
            group([right], clip_path="url(#rightside)"),
            path("M0 1010H640L690 900H910L960 1010H1600V1200H0Z", fill="#b9ad99"),
            path("M690 900H910L1120 1200H480Z", fill="#d7cbb6"),
            path("M800 900V1200", stroke="#efe6d6", stroke_width=5, stroke_dasharray="30 26"),
            path("M640 1010L480 1200M960 1010L1120 1200", stroke="#8f836f", stroke_width=7),
            *(m.put(m.tree("#66744a"), x, 1004, 1.5) for x in (668, 932)),
            *(m.put(m.tree("#66744a"), x, 930, 0.9) for x in (700, 902)),
            group([m.birds("estate", 6, 300, 90)], transform="translate(900 240)"),
        ],
        [
            *_sky("grey"),
            '<clipPath id="leftside"><rect x="0" y="0" width="640" height="1200"/></clipPath>',
            '<clipPath id="rightside"><rect x="960" y="0" width="640" height="1200"/></clipPath>',
        ],
    )


def _lake() -> str:
    shore = [
        m.put(m.heap("#3a4243", "#6d7674", green=2.2), 1130, 700, 3.5),
        m.put(m.heap("#7f929b", "#9eaeb5", green=1.5), 330, 700, 2.0),
        m.put(m.headframe("#6b5a74"), 640, 704, 4.6),
        *(m.put(m.tree("#6d7b4f"), 60 + i * 58, 706, 0.7 + (i * 7 % 5) * 0.09) for i in range(8)),
        *(
            m.put(m.tree("#5f6d45"), 1290 + i * 48, 706, 0.65 + (i * 5 % 7) * 0.07)
            for i in range(7)
        ),
    ]
    reeds = seeded("reeds")
    stems = "".join(
        f"M{x:.0f} 1200Q{x + 6:.0f} {1120 - tall / 2:.0f} {x + 16 - next(reeds) * 30:.0f} {1130 - tall:.0f}"
        for x, tall in ((next(reeds) * 620, 60 + next(reeds) * 190) for _ in range(70))
    )
    return svg(
        _W,
        _H,
        [
            rectangle(0, 0, _W, 704, fill="url(#sky)"),
            m.clouds("lake", 6, _W, 380),
            rectangle(0, 480, _W, 224, fill="url(#haze)"),
            *shore,
            rectangle(0, 696, _W, 14, fill=MOSS),
            rectangle(0, 708, _W, 492, fill="url(#water)"),
            group(
                shore,
                transform="translate(0 1412) scale(1 -1)",
                opacity=0.3,
                clip_path="url(#above)",
            ),
            group([m.ripples(1500, 400, "lake")], transform="translate(40 740)"),
            path(stems, fill="none", stroke="#4f5c3a", stroke_width=5, stroke_linecap="round"),
            group([m.birds("lake", 11, 420, 130)], transform="translate(880 200)"),
        ],
        [
            *_sky("morning"),
            gradient("water", (0, "#c3d3db"), (1, "#7d9bb0")),
            '<clipPath id="above"><rect x="0" y="0" width="1600" height="704"/></clipPath>',
        ],
    )


def _night() -> str:
    stars = seeded("stars")
    return svg(
        _W,
        _H,
        [
            rectangle(0, 0, _W, _H, fill="url(#sky)"),
            *(
                circle(
                    next(stars) * _W,
                    next(stars) * 620,
                    0.8 + next(stars) * 1.7,
                    fill=CHALK,
                    fill_opacity=0.2 + next(stars) * 0.5,
                )
                for _ in range(120)
            ),
            m.put(m.heap("#1a1e21", "#2a3136"), 420, 960, 4.6),
            m.put(m.heap("#171b1e", "#262d32"), 880, 960, 3.9),
            m.put(m.headframe("#14181b", light="#3d4a55"), 1290, 964, 5.2),
            rectangle(0, 955, _W, 245, fill="#101315"),
            circle(760, 985, 620, fill="url(#lamplight)", fill_opacity=0.6),
            m.put(m.lamp(), 760, 1120, 4.6),
            path("M0 1120H1600V1200H0Z", fill="#0c0e10"),
        ],
        [*_sky("night"), glow("lamplight", LAMP, strength=0.75)],
    )


# Emblem, motifs as (shape, x, y, scale), words in French, English and Japanese.
_EMBLEMS: dict[str, tuple[str, str, str]] = {
    "embleme-chevalement": ("Un chevalement", "A headframe", "竪坑櫓"),
    "embleme-fosse": (
        "Une fosse : chevalement et tour d’extraction",
        "A pit: headframe and winding tower",
        "炭坑",
    ),
    "embleme-terril": ("Deux terrils", "Two slag heaps", "ボタ山"),
    "embleme-coron": ("Une rangée de corons", "A miners’ row", "炭鉱長屋"),
    "embleme-cite": ("Des maisons parmi des arbres", "Houses among trees", "炭鉱住宅"),
    "embleme-bureaux": ("De grands bureaux de brique", "Large brick offices", "会社の建物"),
    "embleme-eglise": ("Une église de brique", "A brick church", "教会"),
    "embleme-memoire": (
        "Une stèle et une lampe de mineur",
        "A monument and a miner’s lamp",
        "記念碑",
    ),
    "embleme-rail": ("Une berline sur ses rails", "A tub on its rails", "炭車"),
    "embleme-eau": ("Un étang au pied d’un terril", "A lake at the foot of a heap", "池とボタ山"),
    "embleme-musee": ("Une lampe de mineur allumée", "A lit miner’s lamp", "安全灯"),
    "embleme-ailleurs": (
        "Un chevalement devant un méridien",
        "A headframe before a meridian",
        "世界の炭鉱",
    ),
}

EMBLEM_OF_KIND = {
    "cultural-landscape": "embleme-terril",
    "pit": "embleme-fosse",
    "headframe": "embleme-chevalement",
    "slag-heap": "embleme-terril",
    "estate-coron": "embleme-coron",
    "estate-pavilion": "embleme-cite",
    "estate-garden": "embleme-cite",
    "estate-modern": "embleme-cite",
    "company-building": "embleme-bureaux",
    "community-building": "embleme-bureaux",
    "religious-building": "embleme-eglise",
    "memorial": "embleme-memoire",
    "railway": "embleme-rail",
    "railway-building": "embleme-rail",
    "training-mine": "embleme-musee",
    "nature": "embleme-eau",
    "museum": "embleme-musee",
    "interpretation-centre": "embleme-musee",
    "place": "embleme-bureaux",
    "partner-site": "embleme-ailleurs",
}


def emblem_assets() -> Iterator[Asset]:
    """One emblem a kind of place."""
    for name, (french, english, japanese) in _EMBLEMS.items():
        yield Asset(
            name,
            "webp",
            functools.partial(_drawn, _emblem, name),
            alt={
                "fr": f"Emblème dessiné : {french[0].lower()}{french[1:]}.",
                "en": f"Drawn emblem: {english[0].lower()}{english[1:]}.",
                "ja": f"図案：{japanese}。",
            },
            caption={
                "fr": "Emblème de ce genre de lieu.",
                "en": "Emblem of this kind of place.",
                "ja": "この種の場所を表す図案。",
            },
        )


def _emblem(name: str) -> str:
    size, floor = 800, 610
    inner: dict[str, list[str]] = {
        "embleme-chevalement": [m.put(m.headframe(), 360, floor, 4.3)],
        "embleme-fosse": [
            m.put(m.winding_tower(), 520, floor, 3.5),
            m.put(m.headframe(), 270, floor, 3.6),
        ],
        "embleme-terril": [
            m.put(m.heap(), 320, floor, 2.9),
            m.put(m.heap("#2b3135", "#6b757b", green=1.0), 520, floor, 2.5),
        ],
        "embleme-coron": [m.put(m.coron(5), 130, floor, 5.4)],
        "embleme-cite": [
            m.put(m.tree(), 180, floor, 2.9),
            m.put(m.coron(2), 205, floor, 5.0),
            m.put(m.coron(2), 430, floor, 5.0),
            m.put(m.tree("#59663f"), 415, floor, 3.3),
            m.put(m.tree(), 650, floor, 2.6),
        ],
        "embleme-bureaux": [m.put(m.great_house(), 400, floor, 4.1)],
        "embleme-eglise": [m.put(m.church(), 345, floor, 3.6)],
        "embleme-memoire": [m.put(m.monument(), 400, floor, 3.8)],
        "embleme-rail": [m.put(m.tub(), 400, floor - 20, 4.6)],
        "embleme-eau": [
            m.put(m.heap(green=1.4), 430, 520, 2.9),
            m.put(m.tree(), 180, 525, 1.7),
            m.put(m.tree("#59663f"), 225, 528, 1.3),
            rectangle(0, 515, size, 300, fill=SKY),
            group([m.ripples(560, 150, "emblem")], transform="translate(90 545)"),
        ],
        "embleme-musee": [m.put(m.lamp(), 400, floor, 4.2)],
        "embleme-ailleurs": [
            circle(400, 400, 250, fill=SKY, fill_opacity=0.55, stroke=COAL_SOFT, stroke_width=5),
            path(
                "M400 150V650M150 400H650M400 150Q220 400 400 650M400 150Q580 400 400 650M190 262H610M190 538H610",
                fill="none",
                stroke=COAL_SOFT,
                stroke_width=3,
                stroke_opacity=0.55,
            ),
            m.put(m.headframe(), 352, 610, 3.7),
        ],
    }
    ground = (
        []
        if name == "embleme-eau"
        else [
            rectangle(0, floor, size, size - floor, fill=CHALK_SHADE),
            rectangle(0, floor, size, 5, fill=COAL),
        ]
    )
    clip = '<clipPath id="round"><circle cx="400" cy="400" r="340"/></clipPath>'
    return svg(
        size,
        size,
        [
            rectangle(0, 0, size, size, fill=CHALK),
            group(
                [rectangle(0, 0, size, size, fill="url(#sky)"), *ground, *inner[name]],
                clip_path="url(#round)",
            ),
            circle(400, 400, 340, fill="none", stroke=COAL, stroke_width=8),
            circle(400, 400, 356, fill="none", stroke=BRICK, stroke_width=3),
        ],
        [gradient("sky", (0, SKY_PALE), (1, CHALK)), glow("lamplight", LAMP, strength=0.8), clip],
    )


def _drawn(draw: Callable[..., str], *arguments: object) -> bytes:
    return to_webp(draw(*arguments))
