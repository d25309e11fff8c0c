"""KML 2.2 of places and tours, element order as the schema wants it. Pure and deterministic."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree

from content_api.delivery.maps import Point, Tour, description_html

KML_TYPE = "application/vnd.google-earth.kml+xml"
KML = "http://www.opengis.net/kml/2.2"
ATOM = "http://www.w3.org/2005/Atom"

# The stubs know no default namespace, which lxml writes for None.
_NAMES: Any = {None: KML, "atom": ATOM}

# XML 1.0 has no way to write these, escaped or not.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def places_kml(points: Sequence[Point], *, name: str, credit: str) -> bytes:
    """A document with one placemark for each place."""
    root, document = _document(name, credit)
    for point in points:
        _placemark(document, point, f"place_{point.id}", credit)
    return _bytes(root)


def tour_kml(found: Tour, *, credit: str) -> bytes:
    """A document with the line through a tour's stops and a placemark for each."""
    lines = (found.straight,) if len(found.stops) > 1 else ()
    root, document = _document(found.name, credit, found.nodes, *lines)
    if len(found.stops) > 1:
        line = _sub(document, "Placemark", id=f"tour_{found.id}")
        _text(line, "name", found.name)
        _text(line, "description", description_html((), found.straight, credit))
        path = _sub(line, "LineString")
        _text(path, "tessellate", "1")
        _text(path, "altitudeMode", "clampToGround")
        _text(path, "coordinates", " ".join(_position(stop) for stop in found.stops))
    for number, stop in enumerate(found.stops, start=1):
        _placemark(document, stop, f"stop_{number}_{stop.id}", credit)
    return _bytes(root)


def _document(
    name: str, credit: str, nodes: Sequence[object] = (), *lines: str
) -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{KML}}}kml", nsmap=_NAMES)
    document = _sub(root, "Document")
    _text(document, "name", name)
    description = description_html(nodes, *lines, credit)
    if description:
        _text(document, "description", description)
    return root, document


def _placemark(parent: etree._Element, point: Point, ident: str, credit: str) -> None:
    mark = _sub(parent, "Placemark", id=ident)
    _text(mark, "name", point.name)
    link = etree.SubElement(mark, f"{{{ATOM}}}link")
    link.set("href", str(point.properties["url"]))
    lines = [str(point.properties.get(key, "")) for key in ("note", "image_credit")]
    _text(mark, "description", description_html(point.nodes, *lines, credit))
    if point.camera:
        _look_at(mark, point.camera)
    extended = _sub(mark, "ExtendedData")
    for name in ("type", "kind", "kind_label", "language", "precision_m", "confidence", "stop"):
        value = point.properties.get(name)
        if value is not None:
            _text(_sub(extended, "Data", name=name), "value", str(value))
    _text(_sub(mark, "Point"), "coordinates", _position(point))


def _look_at(mark: etree._Element, camera: Mapping[str, float]) -> None:
    look = _sub(mark, "LookAt")
    for element, key in (
        ("longitude", "lon"),
        ("latitude", "lat"),
        ("altitude", "altitude"),
        ("heading", "heading"),
        ("tilt", "tilt"),
        ("range", "range"),
    ):
        _text(look, element, _number(camera.get(key, 0)))
    _text(look, "altitudeMode", "relativeToGround")


def _position(point: Point) -> str:
    return f"{_number(point.lon)},{_number(point.lat)}"


def _number(value: float) -> str:
    # Never an exponent, never a locale's comma.
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


def _sub(parent: etree._Element, tag: str, /, **attributes: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{KML}}}{tag}")
    for key, value in attributes.items():
        child.set(key, value)
    return child


def _text(parent: etree._Element, name: str, text: str) -> None:
    _sub(parent, name).text = _NOT_XML.sub("", text)


def _bytes(root: etree._Element) -> bytes:
    raw: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return raw
