"""Read the folder of facts and our own texts; nothing is decided here."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TEXTS = Path(__file__).parent / "texts"

Record = dict[str, Any]


@dataclass(frozen=True)
class Facts:
    """The facts as published: one list a file, features by their layer."""

    sites: list[Record]
    routes: list[Record]
    events: list[Record]
    timeline: list[Record]
    glossary: list[Record]
    sources: dict[str, Record]
    layers: dict[str, list[Record]]

    def site(self, site_id: str) -> Record:
        """The place called `site_id`.

        Raises:
            KeyError: there is none.
        """
        for site in self.sites:
            if site["id"] == site_id:
                return site
        raise KeyError(f"no place called {site_id}")


def load_facts(folder: Path) -> Facts:
    """The facts of `folder`.

    Raises:
        OSError: a file is missing.
        ValueError: a file is not JSON.
    """

    def read(name: str) -> Any:
        return json.loads((folder / name).read_text(encoding="utf-8"))

    layers: dict[str, list[Record]] = {}
    for name in ("boundaries.geojson", "heritage.geojson"):
        for feature in read(name)["features"]:
            layers.setdefault(feature["properties"]["layer"], []).append(feature)
    return Facts(
        sites=read("sites.json"),
        routes=read("routes.json"),
        events=read("events.json"),
        timeline=read("timeline.json"),
        glossary=read("glossary.json"),
        sources={source["key"]: source for source in read("sources.json")},
        layers=layers,
    )


@functools.cache
def read_text(name: str) -> Any:
    """Our own words kept in `texts/<name>.yml`."""
    return yaml.safe_load((TEXTS / f"{name}.yml").read_text(encoding="utf-8"))
