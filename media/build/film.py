"""A short film: the places of the mine light up at the date they were begun.

Silent, without a word in the picture: the years are in the subtitles.
"""

from __future__ import annotations

import functools
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media.build import ground
from media.build.assets import OPEN_DATA_CREDIT, OPEN_DATA_RIGHTS, Asset
from media.build.drawing import (
    BRICK,
    BRICK_LIGHT,
    CHALK,
    COAL,
    LAMP,
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
from media.build.facts import Facts
from media.build.sound import vtt

_W, _H, _FPS = 1280, 720, 24
_OPENING, _CLOSING = 0.8, 3.2  # seconds before the first light and of the last image
_READING, _STEP = 2.1, 0.2  # least seconds a subtitle stands, seconds between two lights
_BEGINNINGS = (
    "coal found",
    "sinking",
    "first shaft",
    "construction begins",
    "Anzin company founded",
    "line opened",
    "monument",
    "first headframe",
)

# From which year each subtitle stands, and what it says.
_WORDS: tuple[tuple[int, dict[str, str]], ...] = (
    (
        1720,
        {
            "fr": "1720 : le premier charbon, à Fresnes-sur-Escaut",
            "en": "1720: the first coal, at Fresnes-sur-Escaut",
            "ja": "1720年　フレーヌ＝シュル＝エスコーで最初の石炭",
        },
    ),
    (
        1757,
        {
            "fr": "De 1757 à 1840 : Anzin et le Valenciennois",
            "en": "1757 to 1840: Anzin and the Valenciennes country",
            "ja": "1757〜1840年　アンザンとヴァランシエンヌ地方",
        },
    ),
    (
        1841,
        {
            "fr": "Après 1841 : le charbon continue vers l’ouest",
            "en": "After 1841: the coal runs on to the west",
            "ja": "1841年以後　炭田は西へのびる",
        },
    ),
    (
        1890,
        {
            "fr": "De 1890 à 1914 : les grandes fosses",
            "en": "1890 to 1914: the great pits",
            "ja": "1890〜1914年　大きな炭坑の時代",
        },
    ),
    (
        1920,
        {
            "fr": "Après 1920 : le dernier grand siège, à Oignies",
            "en": "After 1920: the last great unit, at Oignies",
            "ja": "1920年以後　オワニーの最後の大きな炭坑",
        },
    ),
    (
        2012,
        {
            "fr": "2012 : cent neuf éléments au patrimoine mondial",
            "en": "2012: one hundred and nine components on the World Heritage List",
            "ja": "2012年　109の構成資産が世界遺産に",
        },
    ),
)


@dataclass(frozen=True)
class Light:
    """A place that lights up: where, in which year, at which second of the film."""

    x: float
    y: float
    year: int
    second: float


def film_assets(facts: Facts) -> Iterator[Asset]:
    """The film, its still picture and its subtitles."""
    tags = ("fr", "en", "ja")
    yield Asset(
        "film-lumieres",
        "mp4",
        functools.partial(_film, facts),
        caption={
            "fr": "Les lieux de la mine s’allument à la date où ils furent commencés ; à la fin, les 109 éléments inscrits. Film sans parole.",
            "en": "The places of the mine light up at the date they were begun; at the end, the 109 inscribed components. A film without words.",
            "ja": "炭鉱の場所が、つくられ始めた年の順に灯る。最後に109の構成資産が現れる。音声はない。",
        },
        alt={
            "fr": "Film : sur une carte sombre du bassin, des lampes s’allument d’abord à l’est, puis vers l’ouest, jusqu’à ce que tous les éléments inscrits apparaissent en rouge brique.",
            "en": "Film: on a dark map of the basin, lamps light up first in the east, then towards the west, until all the inscribed components appear in brick red.",
            "ja": "映像：暗い炭田の地図に、東から西へ灯りがともり、最後にすべての構成資産がれんが色で現れる。",
        },
        credit=OPEN_DATA_CREDIT,
        rights=OPEN_DATA_RIGHTS,
        transcript={
            tag: " ".join(
                f"{words[tag]}。" if tag == "ja" else f"{words[tag]}." for _, words in _WORDS
            )
            for tag in tags
        },
        subtitles={tag: f"film-lumieres-st-{tag}" for tag in tags},
        poster="film-lumieres-image",
    )
    yield Asset(
        "film-lumieres-image",
        "webp",
        lambda: to_webp(_whole(facts, duration(facts) - 0.6)),
        alt={
            "fr": "Image du film : le bassin de nuit, ses lampes allumées et ses éléments en rouge brique.",
            "en": "Still of the film: the basin at night, its lamps lit and its components in brick red.",
            "ja": "映像の一場面：夜の炭田に灯りがともり、構成資産がれんが色に浮かぶ。",
        },
        credit=OPEN_DATA_CREDIT,
        rights=OPEN_DATA_RIGHTS,
    )
    for tag in tags:
        yield Asset(
            f"film-lumieres-st-{tag}",
            "vtt",
            functools.partial(_cues, facts, tag),
            credit={"fr": "Sous-titres : Lampisterie.", "en": "Subtitles: Lampisterie."},
        )


def lights(facts: Facts, view: View) -> list[Light]:
    """Places of the basin in the order they were begun, each age long enough to be read."""
    begun: list[tuple[int, Any]] = []
    for site in facts.sites:
        years = [int(d["date"][:4]) for d in site["dates"] if d["event"].startswith(_BEGINNINGS)]
        if site["country"] == "FR" and site["kind"] != "partner-site" and years:
            begun.append((min(years), site))
    begun.sort(key=lambda pair: (pair[0], pair[1]["id"]))
    found = []
    second = _OPENING
    for (first, _), (last, _) in itertools.pairwise(_WORDS):
        age = [(year, site) for year, site in begun if first <= year < last]
        for index, (year, site) in enumerate(age):
            x, y = view.project(site["lon"], site["lat"])
            found.append(Light(x, y, year, second + _STEP * index))
        second += max(_READING, _STEP * len(age))
    return found


def duration(facts: Facts) -> float:
    """How long the film lasts, in seconds."""
    return _starts(facts)[-1] + _CLOSING


def _starts(facts: Facts) -> list[float]:
    """The second each subtitle begins, the last one with the closing image."""
    found = lights(facts, _view())
    starts = []
    second = _OPENING
    for (first, _), (last, _) in itertools.pairwise(_WORDS):
        starts.append(second)
        second += max(_READING, _STEP * sum(first <= light.year < last for light in found))
    return [*starts, second]


def _view() -> View:
    return View(2.957, 50.425, 112, _W, _H)


def _ground(facts: Facts) -> list[str]:
    view = _view()
    return [
        rectangle(0, 0, _W, _H, fill="#15181b"),
        ground.basin_outline(
            facts, view, fill=COAL, stroke="#3d4a55", stroke_width=2.4, stroke_linejoin="round"
        ),
        group(
            (path(outline(f, view)) for f in facts.layers["commune"]),
            fill="none",
            stroke="#2c3338",
            stroke_width=0.8,
        ),
        group(
            (path(outline(f, view)) for f in facts.layers["component"]),
            fill="#3a2f2d",
            stroke="#4a3a36",
            stroke_width=0.8,
        ),
    ]


def _overlay(facts: Facts, found: list[Light], second: float) -> list[str]:
    view = _view()
    drawn = []
    closing = max(0.0, min(1.0, (second - _starts(facts)[-1]) / 1.2))
    if closing:
        drawn.append(
            group(
                (path(outline(f, view)) for f in facts.layers["component"]),
                fill=BRICK_LIGHT,
                stroke=BRICK_LIGHT,
                stroke_width=1.6,
                opacity=f"{closing:.3f}",
            )
        )
    for light in found:
        age = second - light.second
        if age < 0:
            continue
        flare = max(0.0, 1 - age / 0.9)
        drawn.append(
            circle(
                light.x,
                light.y,
                20 + 46 * flare,
                fill="url(#halo)",
                fill_opacity=f"{0.55 + 0.45 * flare:.3f}",
            )
        )
        drawn.append(circle(light.x, light.y, 3.6 + 4 * flare, fill="#fff3d0"))
    drawn += _axis(found, second)
    return drawn


def _axis(found: list[Light], second: float) -> list[str]:
    """A line of years from 1720 to 2020, filled as far as the film has come."""
    left, right, y = 90, _W - 90, _H - 62

    def across(year: float) -> float:
        return left + (right - left) * (year - 1720) / 300

    year = 1720.0
    for before, after in itertools.pairwise(found):
        if before.second <= second < after.second:
            part = (second - before.second) / (after.second - before.second)
            year = before.year + (after.year - before.year) * part
    if found and second >= found[-1].second:
        part = min(1.0, (second - found[-1].second) / (_CLOSING * 0.5))
        year = found[-1].year + (2012 - found[-1].year) * part
    ticks = "".join(f"M{across(y0):.1f} {y - 7}v14" for y0 in range(1720, 2021, 50))
    return [
        path(f"M{left} {y}H{right}{ticks}", stroke=CHALK, stroke_opacity=0.35, stroke_width=2),
        path(
            f"M{left} {y}H{across(year):.1f}", stroke=LAMP, stroke_width=5, stroke_linecap="round"
        ),
        circle(across(year), y, 8, fill=LAMP, stroke=BRICK, stroke_width=2),
    ]


def _defs() -> list[str]:
    return [glow("halo", LAMP, strength=0.9)]


def _whole(facts: Facts, second: float) -> str:
    return svg(_W, _H, [*_ground(facts), *_overlay(facts, lights(facts, _view()), second)], _defs())


def _cues(facts: Facts, tag: str) -> bytes:
    starts = _starts(facts)
    ends = [*starts[1:], duration(facts)]
    return vtt(
        [
            (start, end - 0.04, words[tag])
            for start, end, (_, words) in zip(starts, ends, _WORDS, strict=True)
        ]
    )


def _film(facts: Facts) -> bytes:
    import pyvips

    found = lights(facts, _view())
    base = pyvips.Image.svgload_buffer(svg(_W, _H, _ground(facts)).encode(), unlimited=True)
    base = base.flatten().copy_memory()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "film.mp4"
        encoder = subprocess.Popen(
            [
                "ffmpeg",
                "-loglevel",
                "error",
                "-f",
                "rawvideo",
                "-pix_fmt",
                "rgb24",
                "-s",
                f"{_W}x{_H}",
                "-r",
                str(_FPS),
                "-i",
                "-",
                "-an",
                "-c:v",
                "libx264",
                "-preset",
                "slow",
                "-crf",
                "22",
                "-pix_fmt",
                "yuv420p",
                "-threads",
                "1",
                "-map_metadata",
                "-1",
                "-fflags",
                "+bitexact",
                "-flags:v",
                "+bitexact",
                "-movflags",
                "+faststart",
                str(target),
            ],
            stdin=subprocess.PIPE,
        )
        if encoder.stdin is None:
            raise OSError("ffmpeg takes no frames")
        for frame in range(round(duration(facts) * _FPS)):
            over = svg(_W, _H, _overlay(facts, found, frame / _FPS), _defs())
            layer = pyvips.Image.svgload_buffer(over.encode(), unlimited=True)
            whole = base.composite2(layer, "over").flatten()
            encoder.stdin.write(whole.cast("uchar").write_to_memory())
        encoder.stdin.close()
        if encoder.wait():
            raise OSError("ffmpeg could not encode the film")
        return target.read_bytes()
