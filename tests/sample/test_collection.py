"""The sample collection holds together: types, references, words, credits, doubts.

These checks read the files themselves and share nothing with the importer.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from media.build.writing import Entry, Writer, field_orders, to_yaml

REPOSITORY = Path(__file__).resolve().parents[2]
MEDIA = REPOSITORY / "media"
CREDIT = "Mission Bassin Minier – data.gouv.fr / Géo2France, Licence Ouverte 2.0"
LANGUAGES = ["fr", "en", "ja", "zh-Hans", "de", "pl", "nl", "pt-BR", "ar", "cs"]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def types() -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((MEDIA / "types").rglob("*.yml")):
        declared = load(path)
        prefix = "blocks/" if path.parent.name == "blocks" else ""
        found[prefix + declared["id"]] = {field["id"]: field for field in declared["fields"]}
    return found


@cache
def entries() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((MEDIA / "entries").glob("*/*.yml")):
        entry = load(path)
        assert (entry["type"], entry["id"]) == (path.parent.name, path.stem), path
        assert entry["id"] not in found, f"two entries are called {entry['id']}"
        found[entry["id"]] = entry
    return found


def of_type(type_id: str) -> list[dict[str, Any]]:
    return [entry for entry in entries().values() if entry["type"] == type_id]


def values(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str, Any]]:
    """Where, the field's declaration, scope and value of everything an entry says."""
    for name, scopes in entry["fields"].items():
        for scope, value in scopes.items():
            yield f"{entry['id']}.{name}", types()[entry["type"]][name], scope, value
    for name, blocks in entry.get("blocks", {}).items():
        for block_id, block in blocks["items"].items():
            for field_id, scopes in block["fields"].items():
                declared = types()[f"blocks/{block['type']}"][field_id]
                for scope, value in scopes.items():
                    yield f"{entry['id']}.{name}.{block_id}.{field_id}", declared, scope, value


def everything() -> Iterator[tuple[str, dict[str, Any], str, Any]]:
    for entry in entries().values():
        yield from values(entry)


def test_the_collection_has_every_place_route_event_date_and_term():
    counts = {
        name: len(of_type(name)) for name in ("place", "event", "timeline_entry", "glossary_term")
    }
    assert counts == {"place": 84, "event": 47, "timeline_entry": 54, "glossary_term": 63}
    tours = {tour["id"] for tour in of_type("tour")}
    assert {"cinq-grands-sites", "veloroute-bassin", "europe-underground", "memoire-1906"} <= tours
    assert len(tours) == 9
    assert 8 <= len(of_type("story")) <= 12
    assert len(of_type("scene")) >= 8


def test_every_field_and_block_is_one_its_type_declares():
    for entry in entries().values():
        assert entry["type"] in types(), entry["id"]
        assert set(entry["fields"]) <= set(types()[entry["type"]]), entry["id"]
        for name, blocks in entry.get("blocks", {}).items():
            declared = types()[entry["type"]][name]
            assert blocks["order"] == list(blocks["items"]), f"{entry['id']}.{name}"
            for block in blocks["items"].values():
                assert block["type"] in declared["of"], f"{entry['id']}.{name}"
                assert set(block["fields"]) <= set(types()[f"blocks/{block['type']}"]), entry["id"]


def test_text_stands_in_declared_languages_and_shared_values_under_the_star():
    known = [language["tag"] for language in load(MEDIA / "languages.yml")]
    assert known == LANGUAGES
    for where, declared, scope, _ in everything():
        if declared.get("localized"):
            assert scope in known, f"{where}: {scope}"
        else:
            assert scope == "*", f"{where}: {scope}"


def test_fallback_chains_name_declared_languages_and_never_the_language_itself():
    for language in load(MEDIA / "languages.yml"):
        assert set(language["fallback"]) <= set(LANGUAGES) - {language["tag"]}
        assert language["dir"] == ("rtl" if language["tag"] == "ar" else "ltr")


def test_every_choice_date_and_number_is_of_its_kind():
    for where, declared, _, value in everything():
        kind = declared["kind"]
        if kind == "choice":
            assert value in declared["choices"], f"{where}: {value}"
        elif kind == "date":
            assert re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", value), f"{where}: {value}"
        elif kind in ("geopoint", "camera"):
            assert -90 <= value["lat"] <= 90, where
            assert -180 <= value["lon"] <= 180, where
        elif kind in ("text", "inline", "markdown"):
            assert isinstance(value, str), where
            assert value.strip() == value, where
            assert value, where
            assert len(value) <= declared.get("max", 200_000), f"{where}: {len(value)} characters"
        elif kind == "boolean":
            assert isinstance(value, bool), where


def test_what_publishing_requires_is_there_in_french():
    for entry in entries().values():
        for name, declared in types()[entry["type"]].items():
            if declared.get("required") == "publish" and declared["kind"] != "blocks":
                scopes = entry["fields"].get(name, {})
                assert "fr" in scopes or "*" in scopes, f"{entry['id']}.{name}"


def test_every_reference_and_asset_exists_and_is_of_an_accepted_kind():
    suffixes = {
        "image": {".webp"},
        "audio": {".mp3"},
        "video": {".mp4"},
        "subtitles": {".vtt"},
        "document": {".geojson"},
    }
    for where, declared, _, value in everything():
        if declared["kind"] not in ("reference", "references", "asset", "assets"):
            continue
        for target in value if isinstance(value, list) else [value]:
            assert target in entries(), f"{where}: {target}"
            found = entries()[target]
            if "of" in declared:
                assert found["type"] in declared["of"], f"{where}: {target}"
            if "accept" in declared:
                allowed = set().union(*(suffixes[kind] for kind in declared["accept"]))
                assert Path(found["file"]).suffix in allowed, f"{where}: {target}"


def test_every_asset_has_its_file_and_every_file_its_asset():
    named = {entry["file"] for entry in of_type("asset")}
    held = {f"assets/{path.name}" for path in (MEDIA / "assets").iterdir()}
    assert named == held


def test_every_picture_says_what_it_shows_in_french_and_english():
    for entry in of_type("asset"):
        if Path(entry["file"]).suffix in (".webp", ".mp4"):
            assert {"fr", "en"} <= set(entry["fields"]["alt"]), entry["id"]


def test_sound_and_film_have_subtitles_and_a_transcript_in_french_and_english():
    recorded = [e for e in of_type("asset") if Path(e["file"]).suffix in (".mp3", ".mp4")]
    assert len(recorded) >= 3
    for entry in recorded:
        assert {"fr", "en"} <= set(entry["fields"]["subtitles"]), entry["id"]
        assert {"fr", "en"} <= set(entry["fields"]["transcript"]), entry["id"]
        for track in entry["fields"]["subtitles"].values():
            text = (MEDIA / entries()[track]["file"]).read_text(encoding="utf-8")
            assert text.startswith("WEBVTT\n"), track
            assert text.count(" --> ") >= 5, track


def test_subtitles_follow_each_other_and_last_long_enough_to_be_read():
    def seconds(clock: str) -> float:
        hours, minutes, rest = clock.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(rest)

    for path in (MEDIA / "assets").glob("*.vtt"):
        end = 0.0
        for start_clock, end_clock in re.findall(r"([\d:.]+) --> ([\d:.]+)", path.read_text()):
            assert seconds(start_clock) >= end, path.name
            end = seconds(end_clock)
            assert end - seconds(start_clock) >= 1.5, path.name


def test_a_picture_or_layer_from_open_data_carries_the_licence_credit_line():
    open_data = [
        entry
        for entry in of_type("asset")
        if entry["fields"].get("rights", {}).get("*", {}).get("licence") == "Licence Ouverte 2.0"
    ]
    assert len(open_data) > 80
    for entry in open_data:
        for tag in ("fr", "en"):
            assert CREDIT in entry["fields"]["credit"][tag], entry["id"]
            assert "2026" in entry["fields"]["credit"][tag], entry["id"]


def test_every_asset_says_whose_it_is_and_under_which_licence():
    for entry in of_type("asset"):
        rights = entry["fields"]["rights"]["*"]
        assert rights["holder"], entry["id"]
        assert rights["licence"], entry["id"]
        assert entry["fields"]["credit"]["fr"], entry["id"]


def test_every_package_shows_the_credit_line_in_each_of_its_languages():
    for path in sorted((MEDIA / "packages").glob("*.yml")):
        package = load(path)
        assert set(package["credits"]) == set(package["languages"])
        for credit in package["credits"].values():
            assert CREDIT in credit, path.name


def test_packages_name_entries_and_layers_that_exist_and_are_titled_in_each_language():
    slugs = set()
    for path in sorted((MEDIA / "packages").glob("*.yml")):
        package = load(path)
        slugs.add(package["slug"])
        assert path.stem == package["slug"]
        assert package["default_language"] in package["languages"]
        for layer in package["map"]["layers"]:
            assert entries()[layer["asset"]]["file"].endswith(".geojson")
        assert package["theme"]["attract"]
        for asset in package["theme"]["attract"]:
            assert entries()[asset]["file"].endswith(".webp")
        for section in package["sections"]:
            assert set(section["title"]) == set(package["languages"]), section["id"]
            assert section["entries"], section["id"]
            assert set(section["entries"]) <= set(entries()), section["id"]
    assert slugs == {"meiji-tablet", "meiji-galaxy", "decouverte", "noir"}


def test_the_galaxy_package_has_scenes_with_true_cameras_and_two_flights():
    package = load(MEDIA / "packages/meiji-galaxy.yml")
    shown = {entry for section in package["sections"] for entry in section["entries"]}
    scenes = [entry for entry in of_type("scene") if entry["id"] in shown]
    assert len(scenes) >= 8
    places = {
        (p["fields"]["coords"]["*"]["lat"], p["fields"]["coords"]["*"]["lon"])
        for p in of_type("place")
    }
    for scene in scenes:
        camera = scene["fields"]["camera"]["*"]
        assert (camera["lat"], camera["lon"]) in places, scene["id"]
        assert {"ja", "en", "fr"} <= set(scene["fields"]["title"]), scene["id"]
    flights = [
        t for t in of_type("tour") if t["fields"]["mode"]["*"] == "galaxy" and t["id"] in shown
    ]
    assert len(flights) >= 2


@pytest.mark.parametrize(
    "entry_id",
    [
        "terrils-jumeaux-loos", "tagawa-museum", "miike-miyanohara", "miike-manda", "betteshanger",
        "bois-du-luc", "blegny-mine", "huangshi", "falun", "tokaj", "champagne", "banska-stiavnica",
        "minas-gerais", "bassin-minier", "notre-dame-de-lorette", "tomioka", "cite-des-provinces",
        "fosse-13bis-benifontaine", "terril-argales", "mine-image-libercourt", "npu-praha",
        "musee-histoire-naturelle-lille", "cite-electriciens", "vieux-2-marles", "fosse-arenberg",
        "zollern", "chevalement-8-evin", "monument-declercq", "upernoir-2020", "soleil-noir",
        "arenberg-14-juin-2020", "mapping-electriciens-2020", "culinaire-bethune-2020",
        "chrono-1841", "chrono-1884-02-21", "chrono-1885", "chrono-1946", "chrono-2002",
    ],
)  # fmt: skip
def test_what_is_uncertain_carries_its_doubt(entry_id: str):
    note = entries()[entry_id]["fields"]["note"]
    assert {"fr", "en"} <= set(note)


def test_the_underground_route_never_passes_for_a_complete_list():
    route = entries()["europe-underground"]
    assert "n’est pas complète" in route["fields"]["lead"]["fr"]
    assert "not complete" in route["fields"]["lead"]["en"]
    bases = [block["fields"]["basis"]["*"] for block in route["blocks"]["stops"]["items"].values()]
    assert bases.count("known") == 4
    assert {"probable", "guess"} <= set(bases)


def test_no_text_speaks_of_forced_labour_at_hashima_or_miike():
    for entry_id in ("hashima", "miike-miyanohara", "miike-manda"):
        entry = entries()[entry_id]
        assert {"fr", "en"} <= set(entry["fields"]["note"])
        said = json.dumps(entry, ensure_ascii=False).lower()
        for word in ("prison", "forced", "forcé", "wartime", "修羅"):
            assert word not in said, f"{entry_id}: {word}"


def test_a_name_that_is_no_source_of_ours_says_where_it_comes_from():
    place = entries()["fosse-arenberg"]["fields"]
    assert place["name_status"]["ja"] == "attested"
    assert place["name_status"]["de"] == "translation"
    assert "zh-Hans" not in place["title"], "a mere transliteration is not published"


def test_claims_name_texts_that_exist_in_their_language_and_in_french():
    for entry in entries().values():
        said = {(where.partition(".")[2], scope) for where, _, scope, _ in values(entry)}
        for tag, claims in entry.get("claims", {}).items():
            for path, claim in claims.items():
                assert (path, tag) in said, f"{entry['id']}: {path} in {tag}"
                assert (path, claim["source"]) in said, f"{entry['id']}: {path}"
                assert claim["state"] in ("reviewed", "translated"), f"{entry['id']}: {path}"


def test_japanese_terms_carry_readings_as_ruby():
    term = entries()["chevalement"]["fields"]
    assert term["term"]["ja"] == "{竪坑|たてこう}{櫓|やぐら}"
    assert term["reading"]["ja"] == "たてこうやぐら"


def test_french_puts_the_narrow_space_before_its_tall_signs():
    for where, _, scope, value in everything():
        if scope == "fr" and isinstance(value, str) and where.split(".")[1] != "sources":
            assert not re.search(r"[ \u00a0][;:!?»]|«[ \u00a0]", value), f"{where}: {value[:80]}"


def test_files_are_written_the_one_way_that_round_trips():
    for path in sorted((MEDIA / "entries").glob("*/*.yml"))[::7]:
        text = path.read_text(encoding="utf-8")
        assert to_yaml(yaml.safe_load(text)) == text, path


def test_map_layers_are_small_and_the_whole_collection_under_forty_megabytes():
    for path in (MEDIA / "assets").glob("*.geojson"):
        assert path.stat().st_size < 400_000, path.name
        assert json.loads(path.read_text(encoding="utf-8"))["type"] == "FeatureCollection"
    total = sum(path.stat().st_size for path in (MEDIA / "assets").iterdir())
    assert total < 40_000_000


def test_no_coast_line_crosses_the_map_at_the_antimeridian():
    coasts = json.loads((MEDIA / "assets/couche-monde.geojson").read_text(encoding="utf-8"))
    for feature in coasts["features"]:
        for polygon in feature["geometry"]["coordinates"]:
            for ring in polygon:
                for (before, _), (after, lat) in itertools.pairwise(ring):
                    assert abs(after - before) < 180 or lat < -60, (before, after, lat)


SMALL_FACTS = {
    "sites.json": [
        {
            "id": "crane", "kind": "pit",
            "names": {"fr": "La grue", "en": "The crane", "ja": "クレーン"},
            "nameStatus": {"ja": "translit"}, "country": "FR", "commune": "Lens", "lat": 50.43,
            "lon": 2.83, "precisionM": 40, "dates": [{"date": "1903-06", "event": "first coal"}],
            "text": {"fr": "Une grue : la seule.", "en": "A crane."},
            "sources": ["A"], "confidence": "high",
        }
    ],
    "routes.json": [], "events.json": [], "timeline.json": [],
    "glossary.json": [],
    "sources.json": [{"key": "A", "publisher": "A museum"}],
    "boundaries.geojson": {"type": "FeatureCollection", "features": []},
    "heritage.geojson": {"type": "FeatureCollection", "features": []},
}  # fmt: skip

BUILD_SMALL = """
import sys
from pathlib import Path
from media.build.collection import TYPES
from media.build.entries import place_entries
from media.build.facts import load_facts
from media.build.languages import TAGS
from media.build.writing import Writer, field_orders
writer = Writer(Path(sys.argv[2]), field_orders(TYPES), TAGS)
writer.write(place_entries(load_facts(Path(sys.argv[1])), {"crane": ["carte-crane", "embleme"]}))
"""


@pytest.fixture
def small_facts(tmp_path: Path) -> Path:
    folder = tmp_path / "facts"
    folder.mkdir()
    for name, content in SMALL_FACTS.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def build_small(facts: Path, into: Path, seed: str) -> bytes:
    subprocess.run(
        [sys.executable, "-c", BUILD_SMALL, str(facts), str(into)],
        check=True,
        cwd=REPOSITORY,
        env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"},
    )
    return (into / "entries/place/crane.yml").read_bytes()


def test_the_same_facts_give_the_same_bytes_in_two_processes(small_facts: Path, tmp_path: Path):
    first = build_small(small_facts, tmp_path / "one", "1")
    assert first == build_small(small_facts, tmp_path / "two", "2")
    assert build_small(small_facts, tmp_path / "one", "3") == first, "a second build over the first"


def test_a_fact_becomes_an_entry_with_its_date_source_and_french_spaces(
    small_facts: Path, tmp_path: Path
):
    crane = yaml.safe_load(build_small(small_facts, tmp_path / "one", "1"))
    assert crane["fields"]["lead"]["fr"] == "Une grue\u202f: la seule."
    assert crane["fields"]["chronology"]["en"] == "- **June 1903**: first coal"
    assert crane["fields"]["sources"] == {"*": "A museum (A)"}
    assert "ja" not in crane["fields"]["title"]
    assert crane["fields"]["gallery"] == {"*": ["embleme"]}
    assert crane["approved"] == ["*", *LANGUAGES]


def test_an_entry_with_a_field_nobody_declared_is_refused():
    writer = Writer(MEDIA, field_orders(MEDIA / "types"), LANGUAGES)
    entry = Entry("crane", "place", fields={"colour": {"*": "red"}})
    with pytest.raises(ValueError, match=r"place has no field \['colour'\]"):
        writer.text_of(entry)


def test_building_without_facts_says_so_and_touches_nothing(tmp_path: Path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "media.build",
            "--facts",
            str(tmp_path / "no"),
            "--into",
            str(tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("cannot build the collection: ")
    assert "boundaries.geojson" in done.stderr
    assert not (tmp_path / "out").exists()
