"""What a partner's web team gets: the live release by language, with the credits beside."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import fastkml
import pytest
from flask.testing import FlaskClient
from lxml import etree

from tests.delivery.conftest import Harbour, put

HOME = "/api/v1/live/packages/harbour"


def read(partner: FlaskClient, path: str, status: int = 200, **query: Any) -> Any:
    """The JSON at a path below the package."""
    answer = partner.get(HOME + path, query_string=query)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json(force=True)


def ids(partner: FlaskClient, **query: Any) -> list[str]:
    """Ids of the entries that a list holds."""
    return [entry["id"] for entry in read(partner, "/entries", **query)["items"]]


def test_the_list_of_packages_says_languages_release_and_addresses(partner: FlaskClient) -> None:
    (found,) = partner.get("/api/v1/live/packages").get_json()["items"]
    assert (found["package"], found["release"]) == ("harbour", 1)
    assert [each["tag"] for each in found["languages"]] == ["fr", "en", "ja"]
    assert found["title"] == {"fr": "Le port", "en": "The harbour", "ja": "港"}
    assert found["types"] == {"glossary_term": 1, "place": 3, "tour": 1}
    for address in found["links"].values():
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc) == ("http", "localhost")
        assert partner.get(parts.path).status_code == 200
    assert read(partner, "") == found


def test_entries_come_in_the_editors_order_and_in_the_default_language(
    partner: FlaskClient,
) -> None:
    found = read(partner, "/entries")
    assert [entry["id"] for entry in found["items"]] == [
        "dock",
        "crane",
        "island",
        "round",
        "shaft",
    ]
    assert (found["language"], found["total"], found["next"]) == ("fr", 5, None)
    assert found["credits"] == "Textes : le port."
    assert "story" not in found["items"][1]["fields"]


def test_an_entry_tells_the_language_each_text_is_really_in(partner: FlaskClient) -> None:
    found = read(partner, "/entries/crane", lang="ja")
    assert found["language"] == "ja"
    assert found["title"] == "クレーン"
    assert found["_meta"]["language"]["title"] == "ja"
    assert found["_meta"]["language"]["lead"] == "en"
    assert "coords" not in found["_meta"]["language"]
    assert found["fields"]["lead"] == {
        "text": "A crane of 1904.",
        "html": "<p>A crane of <strong>1904</strong>.</p>",
        "nodes": [{"t": "p", "c": ["A crane of ", {"t": "strong", "c": ["1904"]}, "."]}],
    }
    assert found["labels"]["kind"] == "竪坑櫓"


def test_fallback_none_leaves_out_what_is_not_written_in_the_language(
    partner: FlaskClient,
) -> None:
    found = read(partner, "/entries/crane", lang="ja", fallback="none")
    assert "lead" not in found["fields"]
    assert found["fields"]["title"] == "クレーン"
    assert found["fields"]["coords"] == {"lat": 50.5, "lon": 3.1}
    assert set(found["_meta"]["language"].values()) == {"ja"}
    assert "alt" not in found["assets"]["crane-photo"]


def test_a_story_comes_whole_with_one_entry(partner: FlaskClient) -> None:
    (block,) = read(partner, "/entries/crane", lang="ja")["fields"]["story"]
    assert (block["id"], block["type"]) == ("b1", "paragraph")
    assert block["fields"]["text"]["text"] == "石炭を運ぶ炭鉱のクレーン。"
    assert block["_meta"]["language"] == {"text": "ja"}


def test_ruby_comes_as_nodes_html_and_text(partner: FlaskClient) -> None:
    term = read(partner, "/entries/shaft", lang="ja")["fields"]["term"]
    assert term["nodes"] == [{"t": "ruby", "base": "竪坑", "reading": "たてこう"}]
    assert term["text"] == "竪坑"
    assert "<ruby>竪坑" in term["html"]


def test_every_picture_comes_with_its_credit_rights_and_addresses(partner: FlaskClient) -> None:
    found = read(partner, "/entries/crane", lang="en")
    photo = found["assets"]["crane-photo"]
    assert photo["rights"] == {
        "holder": "A. Lampe",
        "licence": "CC BY 4.0",
        "expires": "2040-01-01",
    }
    assert photo["credit_line"] == "Photo A. Lampe · CC BY 4.0"
    assert found["credits"] == [
        {"asset": "crane-photo", "line": "Photo A. Lampe · CC BY 4.0", "licence": "CC BY 4.0"},
        {"line": "Registre du port", "sources": True},
    ]
    assert found["package_credits"] == "Texts: the harbour."
    for rendition in photo["renditions"]:
        parts = urlsplit(rendition["url"])
        answer = partner.get(f"{parts.path}?{parts.query}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == rendition["type"]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_regions_tag_finds_its_language_and_an_unknown_one_is_told_which_there_are(
    partner: FlaskClient,
) -> None:
    assert read(partner, "/entries", lang="ja-JP")["language"] == "ja"
    problem = read(partner, "/entries", 422, lang="sv")
    assert problem["code"] == "language-unknown"
    assert problem["available"] == ["fr", "en", "ja"]
    assert read(partner, "/places.kml", 422, lang="sv")["code"] == "language-unknown"


def test_lists_are_narrowed_by_type_section_kind_and_box(partner: FlaskClient) -> None:
    assert ids(partner, type="tour") == ["round"]
    assert ids(partner, section="places") == ["dock", "crane", "island"]
    assert ids(partner, section="far") == ["island"]
    assert ids(partner, kind="headframe") == ["crane"]
    assert ids(partner, bbox="2.0,50.0,3.0,51.0") == ["dock"]
    # Edges count as inside, and a box may cross the antimeridian.
    assert ids(partner, bbox="2.9,50.4,3.1,50.5") == ["dock", "crane"]
    assert ids(partner, bbox="120,-60,-120,60") == ["island"]
    assert read(partner, "/entries", 404, section="nowhere")["code"] == "not-found"


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "0,60,1,50", "0,0,nan,1", "0,0,361,1"])
def test_a_box_that_is_none_is_refused(partner: FlaskClient, box: str) -> None:
    assert (
        "bbox: expected west,south,east,north" in read(partner, "/entries", 400, bbox=box)["detail"]
    )


@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [
        ("炭鉱", "ja", ["crane"]),
        ("鉱炭", "ja", []),
        ("たてこう", "ja", ["shaft"]),
        ("ecomusee", "fr", ["crane"]),
        ("GRU", "fr", ["crane"]),
        ("le quai", "fr", ["dock"]),
        ("quai le", "fr", ["dock"]),
        ("rue", "fr", []),
        ("…", "fr", []),
    ],
)
def test_words_are_found_in_all_scripts(
    partner: FlaskClient, question: str, language: str, expected: list[str]
) -> None:
    found = ids(partner, q=question, lang=language)
    assert (found[:1] if question == "le quai" else found) == expected or found == expected


def test_pages_follow_one_another_also_across_a_new_release(
    harbour: Harbour, partner: FlaskClient
) -> None:
    first = read(partner, "/entries", limit=2)
    assert [entry["id"] for entry in first["items"]] == ["dock", "crane"]
    assert first["total"] == 5
    harbour.edit("island", put("title", "fr", "L’îlot"), scopes=("fr",))
    harbour.publish()
    second = read(partner, "/entries", limit=2, cursor=first["next"])
    assert [entry["title"] for entry in second["items"]] == ["L’îlot", "Le tour"]
    assert second["release"] == 2
    third = read(partner, "/entries", limit=2, cursor=second["next"])
    assert ([entry["id"] for entry in third["items"]], third["next"]) == (["shaft"], None)
    assert read(partner, "/entries", 400, cursor="bm9uZQ")["code"] == "bad-request"
    assert read(partner, "/entries", 400, cursor="W1sxXSwgMl0")["code"] == "bad-request"


def test_answers_have_strong_tags_that_change_with_the_release(
    harbour: Harbour, partner: FlaskClient
) -> None:
    for path in ("", "/entries", "/entries/island", "/places.geojson", "/places.kml"):
        first = partner.get(HOME + path)
        tag = first.headers["ETag"]
        assert tag.startswith('"')
        assert first.headers["Cache-Control"] == "public, max-age=60"
        again = partner.get(HOME + path, headers={"If-None-Match": f"W/{tag}"})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == tag
    harbour.edit("island", put("title", "fr", "L’îlot"), scopes=("fr",))
    harbour.publish()
    changed = partner.get(HOME + "/entries/island", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.get_json()["title"]) == (200, "L’îlot")


def test_an_entry_out_of_its_days_is_as_if_it_were_not_there(
    harbour: Harbour, partner: FlaskClient
) -> None:
    harbour.edit("crane", put("related", "*", ["island", "dock"]))
    harbour.change_body(shown={"island": {"until": "2020-12-31"}, "dock": {"from": "2020-01-01"}})
    harbour.publish()
    assert ids(partner) == ["dock", "crane", "round", "shaft"]
    assert read(partner, "/entries/island", 404)["code"] == "not-found"
    assert read(partner, "/entries/crane")["fields"]["related"] == ["dock"]
    package = read(partner, "")
    assert package["types"]["place"] == 2
    assert package["sections"][0]["sections"][0]["entries"] == []
    names = {mark["id"] for mark in read(partner, "/places.geojson")["features"]}
    assert names == {"dock", "crane"}


def test_any_sites_page_may_read_also_errors_and_preflights(partner: FlaskClient) -> None:
    for path, status in (("/entries", 200), ("/entries/nobody", 404), ("/entries?lang=sv", 422)):
        answer = partner.get(HOME + path, headers={"Origin": "https://museum.example"})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    preflight = partner.options(
        HOME + "/entries",
        headers={
            "Origin": "https://museum.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "if-none-match",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Headers"] == "If-None-Match"


def test_what_is_not_published_is_not_there(harbour: Harbour, partner: FlaskClient) -> None:
    assert partner.get("/api/v1/live/packages/dockyard").status_code == 404
    assert partner.get("/api/v1/live/packages/..%2fharbour").status_code == 404
    harbour.edit("island", put("title", "fr", "Brouillon"), scopes=())
    assert read(partner, "/entries/island")["title"] == "L’île"


def test_a_picture_whose_rights_have_ended_is_gone_from_every_answer(
    harbour: Harbour, partner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    from content_api.delivery import routes

    photo = read(partner, "/entries/crane")["assets"]["crane-photo"]
    path = urlsplit(photo["renditions"][0]["url"]).path
    # The package's clock is Tokyo's: there the first of January begins nine hours earlier.
    for hour, shown in ((14, True), (15, False)):
        now = datetime(2039, 12, 31, hour, 0, tzinfo=UTC)
        monkeypatch.setattr(routes, "utc_now", lambda now=now: now)
        found = read(partner, "/entries/crane")
        assert ("crane-photo" in found["assets"]) is shown
        assert partner.get(path).status_code == (200 if shown else 404)
        names = [line.get("asset") for line in found["credits"]]
        assert ("crane-photo" in names) is shown


def positions(geometry: dict[str, Any]) -> list[list[float]]:
    """The positions of a point or a line."""
    return [geometry["coordinates"]] if geometry["type"] == "Point" else geometry["coordinates"]


def check_geojson(found: dict[str, Any]) -> None:
    """Hold a FeatureCollection to RFC 7946, written out from its text."""
    assert found["type"] == "FeatureCollection"
    assert "crs" not in found
    for feature in found["features"]:
        assert feature["type"] == "Feature"
        assert isinstance(feature["id"], (str, int))
        assert isinstance(feature["properties"], dict)
        assert feature["geometry"]["type"] in ("Point", "LineString")
        assert not {"coordinates", "geometries"} & feature.keys()
        for lon, lat in positions(feature["geometry"]):
            assert -180 <= lon <= 180
            assert -90 <= lat <= 90
        if feature["geometry"]["type"] == "LineString":
            assert len(feature["geometry"]["coordinates"]) >= 2
    assert len({feature["id"] for feature in found["features"]}) == len(found["features"])
    west, south, east, north = found["bbox"]
    for feature in found["features"]:
        for lon, lat in positions(feature["geometry"]):
            assert west <= lon <= east
            assert south <= lat <= north


def test_places_are_geojson_with_a_name_for_maps_and_a_map_of_labels(partner: FlaskClient) -> None:
    answer = partner.get(HOME + "/places.geojson?lang=en")
    assert answer.headers["Content-Type"] == "application/geo+json"
    found = json.loads(answer.data)
    check_geojson(found)
    assert [feature["id"] for feature in found["features"]] == ["dock", "crane", "island"]
    crane = found["features"][1]
    assert crane["geometry"] == {"type": "Point", "coordinates": [3.1, 50.5]}
    properties = crane["properties"]
    assert properties["name"] == "The crane"
    assert properties["label"] == {"fr": "La grue", "en": "The crane", "ja": "クレーン"}
    assert properties["description"] == "A crane of 1904."
    assert properties["image_credit"] == "Photo A. Lampe · CC BY 4.0"
    assert found["credits"] == "Texts: the harbour."
    # Japanese falls back to English for the dock: that is no Japanese name.
    assert "ja" not in found["features"][0]["properties"]["label"]


def test_a_tour_is_its_line_and_its_stops_and_says_that_lines_are_straight(
    partner: FlaskClient,
) -> None:
    found = json.loads(partner.get(HOME + "/tours/round.geojson").data)
    check_geojson(found)
    line, *stops = found["features"]
    assert line["geometry"]["coordinates"] == [[2.9, 50.4], [3.1, 50.5], [2.9, 50.4]]
    assert line["properties"]["straight_lines"] is True
    assert "traits droits" in line["properties"]["straight_lines_note"]
    assert [stop["properties"]["place"] for stop in stops] == ["dock", "crane", "dock"]
    assert [stop["properties"]["stop"] for stop in stops] == [1, 2, 3]
    assert stops[1]["properties"]["description"] == "Levez les yeux."
    assert stops[1]["properties"]["distance_km"] == 1.2
    assert partner.get(HOME + "/tours/crane.geojson").status_code == 404


@pytest.mark.parametrize("path", ["/places.kml", "/tours/round.kml"])
@pytest.mark.parametrize("language", ["fr", "ja"])
def test_kml_is_valid_by_the_schema_and_by_another_reader(
    partner: FlaskClient, path: str, language: str
) -> None:
    answer = partner.get(f"{HOME}{path}?lang={language}")
    assert answer.headers["Content-Type"] == "application/vnd.google-earth.kml+xml"
    assert partner.get(f"{HOME}{path}?lang={language}").data == answer.data
    tree = etree.fromstring(answer.data)
    assert fastkml.validator.validate(element=tree)
    document = fastkml.KML.from_string(answer.data).features[0]
    assert document.features


def test_kml_escapes_names_and_carries_credits_and_cameras(partner: FlaskClient) -> None:
    raw = partner.get(HOME + "/tours/round.kml").data
    names = {"k": "http://www.opengis.net/kml/2.2"}
    tree = etree.fromstring(raw)
    marks = tree.findall(".//k:Placemark", names)
    assert [mark.findtext("k:name", namespaces=names) for mark in marks] == [
        "Le tour",
        "Le quai <&> “neuf”",
        "La grue",
        "Le quai <&> “neuf”",
    ]
    assert b"Le quai &lt;&amp;&gt;" in raw
    assert "Textes : le port." in (marks[2].findtext("k:description", namespaces=names) or "")
    assert "traits droits" in (tree.findtext("k:Document/k:description", namespaces=names) or "")
    assert marks[0].findtext("k:LineString/k:coordinates", namespaces=names) == (
        "2.9,50.4 3.1,50.5 2.9,50.4"
    )
    look = marks[1].find("k:LookAt", names)
    assert look is not None
    assert [etree.QName(child).localname for child in look] == [
        "longitude",
        "latitude",
        "altitude",
        "heading",
        "tilt",
        "range",
        "altitudeMode",
    ]


def test_an_address_behind_a_proxy_is_the_public_one(harbour: Harbour) -> None:
    from dataclasses import replace

    settings = replace(harbour.settings, public_url="https://lampes.example")
    harbour.app.extensions["lampisterie_settings"] = settings
    found = read(harbour.app.test_client(), "/entries/crane")
    assert found["links"]["self"].startswith("https://lampes.example/api/v1/live/packages/harbour/")
    for rendition in found["assets"]["crane-photo"]["renditions"]:
        assert rendition["url"].startswith("https://lampes.example/play/harbour/content/media/")
