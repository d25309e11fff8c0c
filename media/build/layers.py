"""The outlines a player's offline map draws: small GeoJSON files, one a layer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from media.build.assets import (
    NATURAL_EARTH_CREDIT,
    NATURAL_EARTH_RIGHTS,
    OPEN_DATA_CREDIT,
    OPEN_DATA_RIGHTS,
    Asset,
)
from media.build.drawing import unwrapped
from media.build.facts import Facts, Record

# Asset, layer of the facts, style on the player's map, decimals kept, French and English words.
_LAYERS: tuple[tuple[str, str, str, int, str, str], ...] = (
    (
        "couche-bassin",
        "mining-basin",
        "region",
        4,
        "Contour du bassin minier",
        "Outline of the mining basin",
    ),
    (
        "couche-departements",
        "department",
        "department",
        4,
        "Départements du Nord et du Pas-de-Calais",
        "The départements of Nord and Pas-de-Calais",
    ),
    (
        "couche-communes",
        "commune",
        "commune",
        4,
        "Communes du bassin minier",
        "Communes of the mining basin",
    ),
    (
        "couche-elements",
        "component",
        "component",
        5,
        "Les 109 éléments inscrits",
        "The 109 inscribed components",
    ),
    ("couche-terrils", "slag-heap", "heap", 5, "Terrils inscrits", "Inscribed slag heaps"),
    (
        "couche-cavaliers",
        "railway",
        "railway",
        5,
        "Cavaliers miniers inscrits",
        "Inscribed mine railways",
    ),
    ("couche-eaux", "water", "water", 5, "Plans d’eau inscrits", "Inscribed waters"),
    ("couche-europe", "country", "country", 3, "Pays d’Europe", "Countries of Europe"),
    ("couche-japon", "coastline-japan", "coast", 3, "Côtes du Japon", "Coasts of Japan"),
    ("couche-monde", "coastline-world", "coast", 2, "Côtes du monde", "Coasts of the world"),
)
_NATURAL_EARTH = {"country", "coastline-japan", "coastline-world"}

STYLES = {asset: style for asset, _, style, *_ in _LAYERS}


def layer_assets(facts: Facts) -> Iterator[Asset]:
    """One GeoJSON document a layer."""
    for asset_id, layer, _, decimals, french, english in _LAYERS:
        natural = layer in _NATURAL_EARTH

        def make(layer: str = layer, decimals: int = decimals) -> bytes:
            return _geojson(facts.layers[layer], decimals)

        yield Asset(
            asset_id,
            "geojson",
            make,
            caption={"fr": french, "en": english},
            credit=NATURAL_EARTH_CREDIT if natural else OPEN_DATA_CREDIT,
            rights=NATURAL_EARTH_RIGHTS if natural else OPEN_DATA_RIGHTS,
        )


def _geojson(features: list[Record], decimals: int) -> bytes:
    collection = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {
                    key: feature["properties"][key]
                    for key in ("id", "name")
                    if feature["properties"].get(key) is not None
                },
                "geometry": {
                    "type": feature["geometry"]["type"],
                    "coordinates": _rounded(feature["geometry"]["coordinates"], decimals),
                },
            }
            for feature in features
        ],
    }
    return (json.dumps(collection, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _rounded(coordinates: Any, decimals: int) -> Any:
    """Coordinates cut to `decimals`; rings and polygons that leaves empty are dropped."""
    if isinstance(coordinates[0][0], (int, float)):
        # A coast that passes the antimeridian stops there instead of crossing the whole map.
        points = [
            [round(max(-180.0, min(180.0, lon)), decimals), round(lat, decimals)]
            for lon, lat in unwrapped(coordinates)
        ]
        kept = [
            point for index, point in enumerate(points) if index == 0 or point != points[index - 1]
        ]
        # An islet smaller than the decimals kept leaves no ring.
        return kept if len(kept) >= 4 and kept[0] == kept[-1] else []
    return [part for part in (_rounded(part, decimals) for part in coordinates) if part]
