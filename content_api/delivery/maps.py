"""Places and tours as GeoJSON (RFC 7946) and KML 2.2. Pure: the same release, the same bytes.

A tour's stops are joined by straight lines. Where nobody surveyed a path the file says so,
in the reader's language, so that no one sets out along a line across a canal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from content_api.content.richtext import to_html, to_text
from content_api.delivery.reader import LiveRelease
from content_api.delivery.shaping import Shape, lead_of, title_of
from content_api.problems import NotFound

STRAIGHT_LINES: Mapping[str, str] = {
    "fr": "Les traits droits relient les haltes ; ils ne suivent pas de chemin.",
    "en": "Straight lines join the stops; they do not follow a path.",
    "ja": "直線は立ち寄り先を結ぶもので、道筋ではありません。",
    "zh-Hans": "直线仅连接各站点，并非实际路线。",
    "de": "Gerade Linien verbinden die Stationen; sie folgen keinem Weg.",
    "nl": "Rechte lijnen verbinden de haltes; ze volgen geen pad.",
    "pl": "Proste linie łączą przystanki; nie wyznaczają drogi.",
    "pt-BR": "Linhas retas unem as paradas; não seguem um caminho.",
    "ar": "تصل خطوط مستقيمة بين المحطات، ولا تتبع مسارًا على الأرض.",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A place on a map, in one language. Degrees, WGS84."""

    id: str
    name: str
    lon: float
    lat: float
    nodes: Sequence[Any]
    properties: Mapping[str, Any]
    camera: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Tour:
    """A tour's stops in order, and what is said of it."""

    id: str
    name: str
    nodes: Sequence[Any]
    properties: Mapping[str, Any]
    stops: tuple[Point, ...]
    straight: str


def places(release: LiveRelease, shape: Shape, entry_url: Any) -> list[Point]:
    """Every entry with a position, in the editors' order. `entry_url` gives an id's address."""
    found = []
    for entry_id, document in shape.documents.entries.items():
        coords = document["fields"].get("coords")
        if coords:
            found.append(_point(release, shape, entry_id, coords, entry_url(entry_id)))
    return found


def tour(release: LiveRelease, shape: Shape, tour_id: str, entry_url: Any) -> Tour:
    """A tour of the release; stops whose place it does not hold are left out.

    Raises:
        NotFound: the release has no such tour in this language.
    """
    document = shape.documents.entries.get(tour_id)
    if document is None or document["type"] != "tour":
        raise NotFound(f"The live release has no tour {tour_id[:64]!r} in this language.")
    stops: list[Point] = []
    for block in document["fields"].get("stops", ()):
        fields = block["fields"]
        place = shape.documents.entries.get(fields.get("place", ""))
        coords = place["fields"].get("coords") if place else None
        if not place or not coords:
            continue
        point = _point(release, shape, place["id"], coords, entry_url(place["id"]))
        properties = {**point.properties, "stop": len(stops) + 1}
        properties |= {key: fields[key] for key in ("distance_km", "basis") if key in fields}
        nodes = fields.get("text") or point.nodes
        if fields.get("text"):
            properties["description"] = to_text(fields["text"])
        stops.append(
            Point(
                point.id, point.name, point.lon, point.lat, nodes, properties, fields.get("camera")
            )
        )
    tag = shape.documents.tag
    straight = STRAIGHT_LINES.get(tag, STRAIGHT_LINES["en"])
    properties = _common(release, shape, tour_id, document, entry_url(tour_id))
    properties |= {
        key: document["fields"][key]
        for key in ("mode", "distance_km", "known", "suggested")
        if key in document["fields"]
    }
    return Tour(tour_id, title_of(document), lead_of(document), properties, tuple(stops), straight)


def places_geojson(
    points: Iterable[Point], *, language: str, release: LiveRelease, credit: str
) -> dict[str, Any]:
    """A FeatureCollection of places."""
    return _collection([_feature(point) for point in points], language, release, credit)


def tour_geojson(
    found: Tour, *, language: str, release: LiveRelease, credit: str
) -> dict[str, Any]:
    """A FeatureCollection: the line through the stops, if it has two, then each stop."""
    features: list[dict[str, Any]] = []
    positions = [[stop.lon, stop.lat] for stop in found.stops]
    if len(positions) > 1:
        features.append(
            {
                "type": "Feature",
                "id": found.id,
                "geometry": {"type": "LineString", "coordinates": positions},
                "properties": {
                    **found.properties,
                    "straight_lines": True,
                    "straight_lines_note": found.straight,
                },
            }
        )
    # A tour may come back to a place: the id is the stop's, not the place's.
    for stop in found.stops:
        feature = _feature(stop)
        feature["id"] = f"{found.id}/{stop.properties['stop']}"
        feature["properties"]["place"] = stop.id
        features.append(feature)
    collection = _collection(features, language, release, credit)
    collection["name"] = found.name
    return collection


def _point(
    release: LiveRelease, shape: Shape, entry_id: str, coords: Mapping[str, Any], url: str
) -> Point:
    document = shape.documents.entries[entry_id]
    properties = _common(release, shape, entry_id, document, url)
    properties |= {
        key: document["fields"][key]
        for key in ("kind", "precision_m", "confidence", "note")
        if key in document["fields"]
    }
    entry = shape.entry(entry_id, whole=False)
    if "kind" in entry.get("labels", {}):
        properties["kind_label"] = entry["labels"]["kind"]
    image = entry["assets"].get(document["fields"].get("image", ""))
    if image:
        middle = min(image["renditions"], key=lambda each: abs(each.get("width", 0) - 640))
        properties["image"] = middle["url"]
        properties["image_credit"] = image["credit_line"]
    return Point(
        entry_id,
        title_of(document),
        round(float(coords["lon"]), 6),
        round(float(coords["lat"]), 6),
        lead_of(document),
        properties,
    )


def _common(
    release: LiveRelease, shape: Shape, entry_id: str, document: Mapping[str, Any], url: str
) -> dict[str, Any]:
    elsewhere = document.get("in", {})
    names = ("title", "term", "lead") if shape.fallback else ()
    language = {name: elsewhere[name] for name in names if name in elsewhere}
    label = {
        tag: title_of(own)
        for tag in release.manifest.tags
        if (own := release.documents(tag).entries.get(entry_id)) is not None
        and not {"title", "term"} & own.get("in", {}).keys()
    }
    found: dict[str, Any] = {
        "name": title_of(document),
        "label": label,
        "type": document["type"],
        "language": shape.documents.tag,
        "url": url,
    }
    if language:
        found["in"] = language
    lead = to_text(lead_of(document))
    if lead:
        found["description"] = lead
    return found


def _feature(point: Point) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": point.id,
        "geometry": {"type": "Point", "coordinates": [point.lon, point.lat]},
        "properties": dict(point.properties),
    }


def _collection(
    features: list[dict[str, Any]], language: str, release: LiveRelease, credit: str
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "FeatureCollection",
        "package": release.manifest.package,
        "release": release.manifest.release,
        "language": language,
        "credits": credit,
    }
    positions = [
        position
        for feature in features
        for position in (
            [feature["geometry"]["coordinates"]]
            if feature["geometry"]["type"] == "Point"
            else feature["geometry"]["coordinates"]
        )
    ]
    if positions:
        lons = [position[0] for position in positions]
        lats = [position[1] for position in positions]
        found["bbox"] = [min(lons), min(lats), max(lons), max(lats)]
    found["features"] = features
    return found


def description_html(nodes: Sequence[Any], *lines: str) -> str:
    """Rich text and further plain lines as the HTML of a balloon."""
    parts = [to_html(nodes)] if nodes else []
    parts += [to_html([{"t": "p", "c": [line]}]) for line in lines if line]
    return "".join(parts)
