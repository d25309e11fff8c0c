"""Writes a small release in the documented format: every view, every block, three scripts.

`BUCKETS` is kept low so that a shard holds several entries.
"""

from __future__ import annotations

import hashlib
import json
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.player.collection import (
    BUCKETS,
    ENTRIES,
    LANGUAGES,
    SECTIONS,
    TAGS,
    TODAY_IS_AFTER,
    TYPES,
    Values,
    paragraph,
    same,
    text,
)


def write_release(
    root: Path, *, number: int = 1, wording: Callable[[str], str] | None = None
) -> Path:
    """Write `content/` and `release.json` under `root`; returns `root`.

    Args:
        root: folder to fill.
        number: of the release.
        wording: changes every text of the content, to try hostile ones.
    """
    said = wording or (lambda words: words)
    content = root / "content"
    assets = [*_pictures(content), *_sounds(content), _film(content), _outline(content)]
    for tag in TAGS:
        _write_language(content, tag, assets, said)
    _write_json(content / "package.json", _package(said))
    _write_json(
        root / "release.json",
        {
            "package": "harbour",
            "channel": "live",
            "release": number,
            "published_at": "2026-11-24T06:00:00Z",
            "default_language": "fr",
            "languages": LANGUAGES,
            "profile": "tablet",
            "shell": "kiosk",
            "device": {"name": "Tablet 3"},
            "stale_days": 0,
        },
    )
    return root


def bucket_of(member: str) -> int:
    """The shard of an entry or asset, as the format defines it."""
    return int.from_bytes(hashlib.sha256(member.encode()).digest()[:8], "big") % BUCKETS


def _package(said: Callable[[str], str]) -> Values:
    def words(value: Values) -> Values:
        return {tag: said(value[tag] or value["fr"]) for tag in TAGS}

    return {
        "format": 1,
        "package": "harbour",
        "buckets": BUCKETS,
        "shards": {
            tag: sorted(
                {bucket_of(e["id"]) for e in ENTRIES} | {bucket_of(a["id"]) for a in _asset_ids()}
            )
            for tag in TAGS
        },
        "title": words(text("Le bassin minier", "炭田の記憶", "حوض المناجم")),
        "summary": words(
            text(
                "Trois siècles de charbon, sous le ciel du Nord.",
                "北の空の下、石炭の三百年。",
                "ثلاثة قرون من الفحم تحت سماء الشمال.",
            )
        ),
        "credits": words(
            text(
                "Contours : Mission Bassin Minier, Licence Ouverte 2.0.",
                "輪郭：Mission Bassin Minier、Licence Ouverte 2.0。",
                "الحدود: Mission Bassin Minier، Licence Ouverte 2.0.",
            )
        ),
        "theme": {"accent": "#b5482f", "attract": ["photo-headframe", "photo-wide"]},
        "settings": {"idle_seconds": 75, "warning_seconds": 25},
        "map": {
            "bounds": [2.4, 50.25, 3.3, 50.55],
            "layers": [{"asset": "outline", "style": "region"}],
        },
        "sections": [
            {
                **s,
                "title": words(s["title"]),
                "summary": words(s["summary"]) if "summary" in s else {},
                "sections": [],
            }
            for s in SECTIONS
        ],
    }


def _asset_ids() -> list[Values]:
    return [
        {"id": name}
        for name in (
            "photo-headframe",
            "photo-wide",
            "photo-expired",
            "sound-whistle",
            "film-basin",
            "outline",
        )
    ]


def _write_language(
    content: Path, tag: str, assets: list[Values], said: Callable[[str], str]
) -> None:
    folder = content / "lang" / tag.lower()
    shards: dict[int, Values] = {}
    for source in ENTRIES:
        shard = shards.setdefault(
            bucket_of(source["id"]), {"format": 1, "language": tag, "entries": {}, "assets": {}}
        )
        shard["entries"][source["id"]] = _resolve(source, tag, said)
    for source in assets:
        shard = shards.setdefault(
            bucket_of(source["id"]), {"format": 1, "language": tag, "entries": {}, "assets": {}}
        )
        shard["assets"][source["id"]] = {**source, **_resolve(source, tag, said)}
    for number, shard in shards.items():
        _write_json(folder / f"shard-{number}.json", shard)
    types = {name: _names(described, tag, said) for name, described in TYPES.items()}
    _write_json(folder / "types.json", {"format": 1, "language": tag, "types": types})


def _names(value: Any, tag: str, said: Callable[[str], str]) -> Any:
    if isinstance(value, dict) and set(value) == {"fr", "ja", "ar"}:
        return said(value[tag] or value["fr"])
    return {key: _names(part, tag, said) for key, part in value.items()}


def _resolve(source: Values, tag: str, said: Callable[[str], str]) -> Values:
    fields: Values = {}
    shown_in: Values = {}
    for name, value in source["fields"].items():
        if "*" in value:
            shared = value["*"]
            if (
                isinstance(shared, list)
                and shared
                and isinstance(shared[0], dict)
                and "fields" in shared[0]
            ):
                shared = [_resolve(part, tag, said) for part in shared]
            fields[name] = said(shared) if name == "sources" else shared
        else:
            own = value.get(tag)
            fields[name] = _say(own if own is not None else value["fr"], said)
            if own is None:
                shown_in[name] = "fr"
    return {"id": source["id"], "type": source["type"], "fields": fields, "in": shown_in}


def _say(value: Any, said: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return said(value)
    if isinstance(value, list):
        return [_say(part, said) for part in value]
    return {
        key: said(part) if key in ("base", "reading") else _say(part, said) if key == "c" else part
        for key, part in value.items()
    }


def _described(
    asset_id: str,
    kind: str,
    media_type: str,
    alt: Values,
    *,
    expires: str | None = None,
    **facts: Any,
) -> Values:
    rights = {"holder": "Mission Bassin Minier", "licence": "CC BY 4.0"} | (
        {"expires": expires} if expires else {}
    )
    return {
        "id": asset_id,
        "kind": kind,
        "type": media_type,
        **facts,
        "fields": {
            "alt": alt,
            "caption": paragraph("Un chevalement au soir.", "夕方の竪坑櫓。", "برج البئر مساءً."),
            "credit": text("Dessin de la Mission"),
            "rights": same(rights),
            "focal": same({"x": 0.5, "y": 0.3}),
        },
    }


def _pictures(content: Path) -> list[Values]:
    found = []
    for asset_id, width, height, expires in (
        ("photo-headframe", 1280, 860, None),
        ("photo-wide", 2400, 1000, None),
        ("photo-expired", 640, 480, TODAY_IS_AFTER),
    ):
        picture = Image.new("RGB", (width, height), "#b9cad6")
        pen = ImageDraw.Draw(picture)
        pen.rectangle((0, height * 0.72, width, height), fill="#5c2a1d")
        pen.polygon(
            [(0, height * 0.72), (width * 0.3, height * 0.3), (width * 0.62, height * 0.72)],
            fill="#23272d",
        )
        for leg in (0.66, 0.78):
            pen.line(
                (width * 0.72, height * 0.22, width * leg, height * 0.74),
                fill="#14161a",
                width=max(4, width // 90),
            )
        pen.ellipse(
            (width * 0.68, height * 0.14, width * 0.76, height * 0.14 + width * 0.08),
            outline="#14161a",
            width=max(3, width // 120),
        )
        folder = content / "media" / asset_id
        folder.mkdir(parents=True, exist_ok=True)
        renditions = []
        for size in {640, width}:
            scaled = picture.resize((size, height * size // width))
            scaled.save(folder / f"{size}.webp", quality=70)
            renditions.append(
                {
                    "path": f"media/{asset_id}/{size}.webp",
                    "type": "image/webp",
                    "width": scaled.width,
                    "height": scaled.height,
                }
            )
        renditions.append(
            {
                "path": f"media/{asset_id}/wall.webp",
                "type": "image/webp",
                "width": 9000,
                "height": 6000,
                "profiles": ["wall"],
            }
        )
        found.append(
            _described(
                asset_id,
                "image",
                "image/webp",
                text("Un chevalement devant un terril", "ボタ山の前の竪坑櫓", "برج بئر أمام تل"),
                expires=expires,
                width=width,
                height=height,
            )
            | {"renditions": renditions, "tracks": []}
        )
    return found


def _sounds(content: Path) -> list[Values]:
    folder = content / "media" / "sound-whistle"
    folder.mkdir(parents=True, exist_ok=True)
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(struct.pack("<24000h", *([0] * 24000)))
    tracks = _tracks(folder, "sound-whistle")
    described = _described(
        "sound-whistle",
        "audio",
        "audio/wav",
        text("La sirène de la fosse", "竪坑のサイレン", "صفارة البئر"),
        duration=3.0,
    )
    described["fields"]["transcript"] = paragraph(
        "La sirène appelle l’équipe du matin.", "サイレンが朝番を呼ぶ。"
    )
    return [
        described
        | {
            "renditions": [{"path": "media/sound-whistle/sound.wav", "type": "audio/wav"}],
            "tracks": tracks,
        }
    ]


def _tracks(folder: Path, asset_id: str) -> list[Values]:
    cues = {"fr": "La sirène sonne.", "ja": "サイレンが鳴る。", "en": "The whistle blows."}
    for tag, words in cues.items():
        (folder / f"{tag}.vtt").write_text(
            f"WEBVTT\n\n00:00.000 --> 00:03.000\n{words}\n", encoding="utf-8"
        )
    # the device does not hold English: the player must not ask for that file
    (folder / "en.vtt").unlink()
    return [
        {
            "path": f"media/{asset_id}/{tag}.vtt",
            "type": "text/vtt",
            "language": tag,
            "kind": "captions",
        }
        for tag in cues
    ]


def _film(content: Path) -> Values:
    folder = content / "media" / "film-basin"
    folder.mkdir(parents=True, exist_ok=True)
    # the shortest film the browser reads: an audio file is one to a <video> too
    (folder / "film.wav").write_bytes(
        (content / "media" / "sound-whistle" / "sound.wav").read_bytes()
    )
    described = _described(
        "film-basin",
        "video",
        "video/mp4",
        text("Le bassin vu du ciel", "空から見た炭田", "الحوض من السماء"),
        width=1280,
        height=720,
        duration=3.0,
    )
    described["fields"]["poster"] = same("photo-wide")
    return described | {
        "renditions": [{"path": "media/film-basin/film.wav", "type": "audio/wav"}],
        "tracks": _tracks(folder, "film-basin"),
    }


def _outline(content: Path) -> Values:
    ring = [[2.45, 50.45], [2.75, 50.33], [3.2, 50.28], [3.25, 50.42], [2.8, 50.5], [2.45, 50.45]]
    feature = {
        "type": "Feature",
        "properties": {"name": "basin"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    _write_json(
        content / "media" / "outline" / "outline.geojson",
        {"type": "FeatureCollection", "features": [feature]},
    )
    described = _described("outline", "document", "application/geo+json", text("Contour du bassin"))
    return described | {
        "renditions": [{"path": "media/outline/outline.geojson", "type": "application/geo+json"}],
        "tracks": [],
    }


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        encoding="utf-8",
    )
