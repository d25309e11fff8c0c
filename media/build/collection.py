"""Put the whole collection on disk: languages, entries, assets, packages."""

from __future__ import annotations

from pathlib import Path

from media.build.assets import Asset
from media.build.charts import chart_assets
from media.build.entries import (
    event_entries,
    place_entries,
    term_entries,
    timeline_entries,
    tour_entries,
)
from media.build.facts import Facts, load_facts, read_text
from media.build.film import film_assets
from media.build.languages import TAGS, language_table
from media.build.layers import layer_assets
from media.build.maps import place_map, route_maps
from media.build.narratives import exhibit_entries, object_entries, scene_entries, story_entries
from media.build.packages import package_bodies
from media.build.pictures import EMBLEM_OF_KIND, emblem_assets, poster_assets
from media.build.plans import plan_assets
from media.build.sound import speech_assets
from media.build.writing import Entry, Writer, field_orders, to_yaml

TYPES = Path(__file__).resolve().parent.parent / "types"


def build_collection(
    facts_folder: Path, into: Path, *, draw: bool, only: str | None = None
) -> dict[str, int]:
    """Write the collection made of `facts_folder` into `into`; how much of each there is.

    Assets are made when `draw` is set, those whose id starts with `only` if given.

    Raises:
        OSError: a file of facts is missing, or the folder cannot be written.
        ValueError: a fact or a text does not fit its content type.
    """
    facts = load_facts(facts_folder)
    assets = list(collection_assets(facts))
    images = _images(facts)
    entries: list[Entry] = [asset.entry() for asset in assets]
    entries += place_entries(facts, images)
    entries += tour_entries(facts, images)
    entries += event_entries(facts)
    entries += timeline_entries(facts)
    entries += term_entries(facts)
    entries += story_entries(facts)
    entries += object_entries(facts)
    entries += exhibit_entries(facts)
    entries += scene_entries(facts)
    _refuse_twins(entries)

    into.mkdir(parents=True, exist_ok=True)
    (into / "collection.yml").write_text(
        to_yaml({"format": 1, "title": "Bassin minier du Nord-Pas de Calais"}), encoding="utf-8"
    )
    (into / "languages.yml").write_text(to_yaml(language_table()), encoding="utf-8")
    written = Writer(into, field_orders(TYPES), TAGS).write(entries)
    (into / "packages").mkdir(exist_ok=True)
    slugs = []
    for body in package_bodies(facts, entries):
        slugs.append(body["slug"])
        (into / "packages" / f"{body['slug']}.yml").write_text(to_yaml(body), encoding="utf-8")
    if draw:
        _write_assets(assets, into, only)
    return {"entries": written, "assets": len(assets), "packages": len(slugs)}


def collection_assets(facts: Facts) -> list[Asset]:
    """Every file of the collection, described but not yet made."""
    return [
        *layer_assets(facts),
        *(place_map(facts, site) for site in facts.sites),
        *route_maps(facts),
        *plan_assets(facts),
        *chart_assets(facts),
        *poster_assets(),
        *emblem_assets(),
        *speech_assets(),
        *film_assets(facts),
    ]


def _images(facts: Facts) -> dict[str, list[str]]:
    """The pictures of each place and route, the main one first."""
    plans = read_text("plans")
    images = {route["id"]: [f"carte-{route['id']}"] for route in facts.routes}
    for site in facts.sites:
        own = [f"carte-{site['id']}", EMBLEM_OF_KIND[site["kind"]]]
        if site["id"] in plans:
            own.insert(1, f"plan-{site['id']}")
        images[site["id"]] = own
    return images


def _write_assets(assets: list[Asset], into: Path, only: str | None) -> None:
    (into / "assets").mkdir(exist_ok=True)
    names = {asset.file for asset in assets}
    for path in (into / "assets").iterdir():
        if f"assets/{path.name}" not in names:
            path.unlink()
    for asset in assets:
        if only is None or asset.id.startswith(only):
            (into / asset.file).write_bytes(asset.make())


def _refuse_twins(entries: list[Entry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.id in seen:
            raise ValueError(f"{entry.id} is both a {seen[entry.id]} and a {entry.type}")
        seen[entry.id] = entry.type
