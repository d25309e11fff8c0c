"""The packages: which entries each section of `texts/packages.yml` holds, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from media.build.facts import Facts, Record, read_text
from media.build.layers import STYLES
from media.build.writing import Entry

_JAPAN = {"japan"}


def package_bodies(facts: Facts, entries: list[Entry]) -> Iterator[dict[str, Any]]:
    """Each package, its sections filled; a section left empty is dropped.

    Raises:
        ValueError: a section names an entry or a layer that does not exist.
    """
    by_type: dict[str, list[str]] = {}
    for entry in entries:
        by_type.setdefault(entry.type, []).append(entry.id)
    known = {entry.id for entry in entries}
    select = _selections(facts, by_type)
    for slug, words in read_text("packages").items():
        sections = []
        for section in words["sections"]:
            wanted = section["entries"]
            chosen = select[wanted]() if isinstance(wanted, str) else wanted
            missing = set(chosen) - known
            if missing:
                raise ValueError(f"{slug}, section {section['id']}: no entry {sorted(missing)}")
            if chosen:
                sections.append(
                    {
                        "id": section["id"],
                        "view": section["view"],
                        "title": _in_order(section["title"], words["languages"]),
                        "summary": _in_order(section["summary"], words["languages"]),
                        "entries": chosen,
                        "sections": [],
                    }
                )
        yield {
            "slug": slug,
            "title": _in_order(words["title"], words["languages"]),
            "summary": _in_order(words["summary"], words["languages"]),
            "credits": _in_order(words["credits"], words["languages"]),
            "languages": words["languages"],
            "default_language": words["default_language"],
            "profiles": words["profiles"],
            "theme": {
                "accent": words["theme"]["accent"],
                "attract": [asset for asset in words["theme"]["attract"] if asset in known],
            },
            "settings": words["settings"],
            "timezone": words["timezone"],
            "map": {
                "bounds": [float(edge) for edge in words["map"]["bounds"]],
                "layers": [
                    {"asset": asset, "style": STYLES[asset]} for asset in words["map"]["layers"]
                ],
            },
            "sections": sections,
        }


def _selections(facts: Facts, by_type: dict[str, list[str]]) -> dict[str, Callable[[], list[str]]]:
    """The named selections, each a list of entry ids in the order visitors see."""

    def places(keep: Callable[[Record], bool]) -> list[str]:
        return [site["id"] for site in facts.sites if keep(site)]

    def in_basin(site: Record) -> bool:
        return site["country"] == "FR" and site["kind"] not in ("partner-site",)

    def season_places() -> list[str]:
        route = next(route for route in facts.routes if route["id"] == "saison-noire")
        return [stop["site"] for stop in route["stops"]]

    def japan_events() -> list[str]:
        japanese = set(places(lambda site: site["country"] == "JP"))
        return _by_date(
            [
                event
                for event in facts.events
                if event.get("site") in japanese or event.get("place") == "Tokyo"
            ]
        )

    def season_events() -> list[str]:
        season = set(read_text("tours")["season_noir"])
        return _by_date([event for event in facts.events if event["id"] in season])

    def galaxy_places() -> list[str]:
        shown = {place for scene in read_text("scenes")["scenes"] for place in scene["places"]}
        route = next(route for route in facts.routes if route["id"] == "regards-croises-japon")
        shown |= {stop["site"] for stop in route["stops"]}
        return places(lambda site: site["id"] in shown)

    def gallery() -> list[str]:
        return by_type.get("object", []) + by_type.get("comparison", [])

    return {
        "basin_places": lambda: places(in_basin),
        "great_sites": lambda: places(lambda site: bool(site.get("greatSite"))),
        "europe_places": lambda: places(
            lambda site: (
                site["kind"] == "partner-site"
                and site["country"] in {"BE", "DE", "FR", "PL", "SE", "SK", "HU", "GB", "CZ"}
            )
        ),
        "japan_entries": lambda: (
            places(lambda site: site["country"] == "JP")
            + [person for person in by_type.get("person", []) if person == "sakubei-yamamoto"]
        ),
        "japan_events": japan_events,
        "season_events": season_events,
        "season_places": season_places,
        "timeline": lambda: [f"chrono-{fact['date']}" for fact in facts.timeline],
        "glossary": lambda: [term["id"] for term in facts.glossary],
        "stories": lambda: by_type.get("story", []),
        "gallery": gallery,
        "gallery_and_quizzes": lambda: gallery() + by_type.get("quiz", []),
        "scenes": lambda: by_type.get("scene", []),
        "galaxy_tours": lambda: (
            [tour for tour in by_type.get("tour", []) if tour.startswith("vol-")]
            + ["regards-croises-japon"]
        ),
        "galaxy_places": galaxy_places,
    }


def _by_date(events: list[Record]) -> list[str]:
    return [event["id"] for event in sorted(events, key=lambda event: str(event["start"]))]


def _in_order(texts: dict[str, str], languages: list[str]) -> dict[str, str]:
    """`texts` in the order of the package's languages.

    Raises:
        KeyError: a language of the package has no text.
    """
    return {tag: texts[tag] for tag in languages}
