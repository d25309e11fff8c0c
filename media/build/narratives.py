"""Entries written here rather than read: stories, objects, comparisons, questions, scenes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from media.build.entries import source_line
from media.build.facts import TEXTS, Facts, read_text
from media.build.writing import Entry


def story_entries(facts: Facts) -> Iterator[Entry]:
    """One entry a file of `texts/stories/`, in their own order."""
    stories = [
        (path.stem, yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted((TEXTS / "stories").glob("*.yml"))
    ]
    for story_id, words in sorted(stories, key=lambda story: int(story[1]["order"])):
        entry = Entry(story_id, "story")
        entry.say("title", words["title"])
        entry.say("lead", words["lead"])
        for name in ("theme", "place", "image", "related"):
            entry.share(name, words.get(name))
        for tag, sound in (words.get("narration") or {}).items():
            entry.fields.setdefault("narration", {})[tag] = sound
        for block in words["blocks"]:
            _add_block(entry, block)
        entry.share("confidence", "high")
        entry.share("sources", source_line(words["sources"], facts))
        yield entry


def _add_block(entry: Entry, block: dict[str, Any]) -> None:
    ((kind, value),) = block.items()
    if kind == "text":
        entry.add_block("story", "paragraph", {}, {"text": value})
    elif kind == "heading":
        entry.add_block("story", "heading", {}, {"text": value})
    elif kind == "figure":
        entry.add_block("story", "figure", {"image": value}, {})
    elif kind == "gallery":
        entry.add_block("story", "gallery", {"images": value}, {})
    elif kind == "map":
        entry.add_block("story", "map", {"places": value}, {})
    elif kind == "film":
        entry.add_block("story", "film", {"film": value}, {})
    elif kind == "audio":
        entry.add_block("story", "audio", {}, {})
        entry.blocks["story"][-1]["fields"]["sound"] = dict(value)
    else:
        raise ValueError(f"{entry.id}: no block called {kind}")


def object_entries(facts: Facts) -> Iterator[Entry]:
    """One object a chart, so that a gallery can hold it."""
    for image, words in read_text("charts").items():
        entry = Entry(f"objet-{image}", "object")
        entry.say("title", words["title"])
        entry.say("lead", words["lead"])
        entry.share("kind", "map" if image.startswith("carte-") else "chart")
        entry.share("date", "2026")
        entry.say(
            "maker",
            {
                "fr": "Lampisterie, d’après les données ouvertes",
                "en": "Lampisterie, from open data",
            },
        )
        entry.share("image", image)
        entry.share("place", "bassin-minier")
        entry.share("confidence", "high")
        entry.share("sources", source_line(["MBM-WH", "MBM-SHAFTS", "GEO2F"], facts))
        yield entry


def exhibit_entries(facts: Facts) -> Iterator[Entry]:
    """Persons, comparisons and questions of `texts/exhibits.yml`."""
    words = read_text("exhibits")
    for person_id, person in words["persons"].items():
        entry = Entry(person_id, "person")
        entry.say("title", person["title"])
        entry.say("lead", person["lead"])
        if "reading" in person:
            entry.fields["reading"] = dict(person["reading"])
        for name in ("start", "end", "place", "image", "related", "confidence"):
            entry.share(name, person.get(name))
        entry.share("sources", source_line(person["sources"], facts))
        yield entry
    for comparison_id, comparison in words["comparisons"].items():
        entry = Entry(comparison_id, "comparison")
        for name in ("title", "lead", "left_label", "right_label", "text"):
            entry.say(name, comparison[name])
        for name in ("left_image", "right_image", "left", "right"):
            entry.share(name, comparison[name])
        entry.share("confidence", "high")
        entry.share("sources", source_line(comparison["sources"], facts))
        yield entry
    for quiz_id, quiz in words["quizzes"].items():
        entry = Entry(quiz_id, "quiz")
        entry.say("title", quiz["title"])
        for answer in quiz["answers"]:
            entry.add_block(
                "answers", "answer", {"right": answer["right"]}, {"text": answer["text"]}
            )
        entry.say("explanation", quiz["explanation"])
        entry.share("place", quiz["place"])
        entry.share("confidence", "high")
        entry.share("sources", source_line(quiz["sources"], facts))
        yield entry


def scene_entries(facts: Facts) -> Iterator[Entry]:
    """Scenes with their cameras and panels, and the tours that string them together."""
    words = read_text("scenes")
    for scene in words["scenes"]:
        site = facts.site(scene["site"])
        entry = Entry(scene["id"], "scene")
        entry.say("title", scene["title"])
        entry.say("lead", scene["lead"])
        entry.share(
            "camera", {"lat": site["lat"], "lon": site["lon"], "altitude": 0, **scene["camera"]}
        )
        entry.share("duration_seconds", scene["seconds"])
        entry.add_block(
            "panels", "panel", {"role": "centre", "view": "earth", "asset": scene.get("layer")}, {}
        )
        entry.add_block(
            "panels", "panel", {"role": "left", "view": "image", "asset": scene["picture"]}, {}
        )
        entry.add_block(
            "panels", "panel", {"role": "right", "view": "card"}, {"text": scene["card"]}
        )
        for tag, sound in (scene.get("narration") or {}).items():
            entry.fields.setdefault("narration", {})[tag] = sound
        entry.share("places", scene["places"])
        entry.share("image", scene["picture"])
        entry.share("confidence", site["confidence"])
        entry.share("sources", source_line(site["sources"], facts))
        yield entry
    for tour in words["tours"]:
        entry = Entry(tour["id"], "tour")
        entry.say("title", tour["title"])
        entry.say("lead", tour["lead"])
        entry.share("mode", "galaxy")
        entry.share("image", tour["image"])
        scenes = {scene["id"]: scene for scene in words["scenes"]}
        for scene_id in tour["scenes"]:
            scene = scenes[scene_id]
            site = facts.site(scene["site"])
            camera = {"lat": site["lat"], "lon": site["lon"], "altitude": 0, **scene["camera"]}
            entry.add_block(
                "stops",
                "stop",
                {"place": scene["site"], "camera": camera, "basis": "suggested"},
                {"text": scene["card"]},
            )
        entry.share("scenes", tour["scenes"])
        entry.say(
            "suggested",
            {
                "fr": "Le choix et l’ordre des haltes sont de nous.",
                "en": "The choice and order of the stops are ours.",
                "ja": "立ち寄り先とその順序は私たちの提案である。",
            },
        )
        entry.share("confidence", "high")
        yield entry
