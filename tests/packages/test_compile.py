"""Compiling is pure: these documents, these bytes, whatever the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from content_api.packages.compile import Compiled, compile_package
from content_api.packages.source import PackageContent
from package_format.canonical import sha256_hex
from package_format.layout import bucket_of
from package_format.manifest import ManifestFile, parse_manifest, select_files
from tests.packages.factory import (
    CRANE,
    DOCK,
    LANGUAGES,
    PHOTO,
    SHARED,
    approved,
    make_content,
    picture,
    with_body,
    with_document,
)

HOUR = datetime(2026, 11, 24, 6, tzinfo=UTC)


def shard(compiled: Compiled, tag: str) -> dict[str, Any]:
    """All shards of a language, as one."""
    found: dict[str, Any] = {"entries": {}, "assets": {}}
    for path, raw in compiled.documents.items():
        if path.startswith(f"lang/{tag.lower()}/shard-"):
            document = json.loads(raw)
            assert document["language"] == tag
            found["entries"].update(document["entries"])
            found["assets"].update(document["assets"])
    return found


def files(compiled: Compiled) -> dict[str, ManifestFile]:
    """The release's files by path."""
    return {entry.path: entry for entry in compiled.files}


def dock_in(content: PackageContent, body: dict[str, Any]) -> PackageContent:
    """`content` with another dock, approved everywhere."""
    return with_document(content, "dock", approved(body))


def test_the_documents_are_these_bytes() -> None:
    content = with_body(make_content(), languages=["fr"], sections=[
        {"id": "places", "view": "map", "title": {"fr": "Lieux"}, "entries": ["dock"]}
    ], theme={})  # fmt: skip
    compiled = compile_package(content)
    assert compiled.documents["lang/fr/shard-0.json"] == (
        b'{"assets":{},"entries":{"dock":{"fields":{"title":"Le quai"},"id":"dock","in":{},'
        b'"type":"place"}},"format":1,"language":"fr"}'
    )
    assert compiled.documents["package.json"] == (
        b'{"buckets":1,"format":1,"package":"harbour","sections":[{"entries":["dock"],'
        b'"id":"places","sections":[],"title":{"fr":"Lieux"},"view":"map"}],'
        b'"settings":{"idle_seconds":75},"shards":{"fr":[0]},"theme":{},'
        b'"title":{"fr":"Le port"}}'
    )
    assert sorted(compiled.documents) == [
        "lang/fr/shard-0.json",
        "lang/fr/types.json",
        "package.json",
    ]
    assert compiled.media == {}


def test_the_manifest_is_these_bytes_and_alone_holds_number_and_hour() -> None:
    compiled = compile_package(make_content())
    raw = compiled.manifest(channel="live", number=14, published_at=HOUR).to_bytes()
    assert raw.startswith(
        b'{"channel":"live","default_language":"fr","files":[{"languages":["en"],'
        b'"path":"lang/en/shard-0.json","sha256":"'
        + sha256_hex(compiled.documents["lang/en/shard-0.json"]).encode()
    )
    assert raw.endswith(
        b'"format":1,"languages":[{"dir":"ltr","fallback":["en"],"name":"Fran\xc3\xa7ais",'
        b'"tag":"fr"},{"dir":"ltr","fallback":["fr"],"name":"English","tag":"en"}],'
        b'"package":"harbour","profiles":["tablet","wall"],"published_at":"2026-11-24T06:00:00Z",'
        b'"release":14}'
    )
    manifest = parse_manifest(raw)
    assert manifest.files == compiled.files
    later = compiled.manifest(channel="live", number=15, published_at=HOUR.replace(year=2027))
    assert later.files == manifest.files


_PRINT_MANIFEST = """
from datetime import UTC, datetime
from content_api.packages.compile import compile_package
from package_format.canonical import sha256_hex
from tests.packages.factory import make_content
compiled = compile_package(make_content())
hour = datetime(2026, 11, 24, 6, tzinfo=UTC)
print(sha256_hex(compiled.manifest(channel="live", number=1, published_at=hour).to_bytes()))
"""


def test_two_processes_with_different_hash_seeds_give_identical_manifest_bytes() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", _PRINT_MANIFEST],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242", "random")
    }
    assert len(found) == 1
    assert len(found.pop().strip()) == 64


def test_a_language_shows_its_own_text_then_that_of_its_chain_and_says_which() -> None:
    crane = shard(compile_package(make_content()), "fr")["entries"]["crane"]
    assert crane["fields"]["title"] == "La grue"
    assert crane["fields"]["lead"] == [
        {"t": "p", "c": ["A crane of ", {"t": "em", "c": ["1904"]}, "."]}
    ]
    assert crane["in"] == {"lead": "en"}


def test_null_is_an_answer_that_no_fallback_fills() -> None:
    story = shard(compile_package(make_content()), "fr")["entries"]["crane"]["fields"]["story"]
    assert [block["id"] for block in story] == ["b1", "b2"]


def test_an_entry_is_shown_where_its_shared_values_and_the_language_are_approved() -> None:
    content = with_document(make_content(), "dock", approved(DOCK, SHARED, "fr"))
    compiled = compile_package(content)
    assert "dock" in shard(compiled, "fr")["entries"]
    assert "dock" not in shard(compiled, "en")["entries"]
    nowhere = compile_package(with_document(content, "dock", approved(DOCK, "fr", "en")))
    assert "dock" not in shard(nowhere, "fr")["entries"]
    assert json.loads(nowhere.documents["package.json"])["sections"][0]["entries"] == ["crane"]


def test_each_scope_is_read_from_its_own_approved_revision() -> None:
    newer = {"fields": {"title": {"fr": "BROUILLON", "en": "The quay"}}}
    content = with_document(make_content(), "dock", {SHARED: DOCK, "fr": DOCK, "en": newer})
    compiled = compile_package(content)
    assert shard(compiled, "en")["entries"]["dock"]["fields"]["title"] == "The quay"
    assert shard(compiled, "fr")["entries"]["dock"]["fields"]["title"] == "Le quai"


def test_references_to_what_the_language_does_not_show_are_left_out() -> None:
    content = with_document(make_content(), "dock", approved(DOCK, SHARED, "fr"))
    compiled = compile_package(content)
    assert shard(compiled, "fr")["entries"]["crane"]["fields"]["near"] == ["dock"]
    assert "near" not in shard(compiled, "en")["entries"]["crane"]["fields"]


def test_a_release_carries_only_the_assets_it_uses() -> None:
    content = make_content()
    content = replace(
        content,
        assets={**content.assets, "unused": picture("unused")},
        entry_types={**content.entry_types, "unused": "asset"},
        documents={**content.documents, "unused": approved(PHOTO)},
    )
    compiled = compile_package(content)
    assert not any("unused" in path for path in compiled.media)


def test_an_asset_whose_rights_are_not_approved_stays_out() -> None:
    content = with_document(make_content(), "crane-photo", approved(PHOTO, "fr", "en"))
    compiled = compile_package(content)
    assert not any("crane-photo" in path for path in compiled.media)
    assert "image" not in shard(compiled, "fr")["entries"]["crane"]["fields"]
    assert json.loads(compiled.documents["package.json"])["theme"]["attract"] == []


def test_the_logo_travels_with_the_package_and_is_left_out_while_it_may_not_be_shown() -> None:
    content = make_content()
    content = replace(
        content,
        body={**content.body, "theme": {"accent": "#b5482f", "logo": "harbour-mark"}},
        assets={**content.assets, "harbour-mark": picture("harbour-mark")},
        entry_types={**content.entry_types, "harbour-mark": "asset"},
    )
    without = compile_package(content)
    assert json.loads(without.documents["package.json"])["theme"] == {"accent": "#b5482f"}
    assert not any("harbour-mark" in path for path in without.media)
    compiled = compile_package(with_document(content, "harbour-mark", approved(PHOTO)))
    assert json.loads(compiled.documents["package.json"])["theme"]["logo"] == "harbour-mark"
    assert any("harbour-mark" in path for path in compiled.media)


def test_a_sound_of_one_language_travels_with_that_language_alone() -> None:
    compiled = compile_package(make_content())
    found = files(compiled)
    assert found["media/crane-voice-fr/original.mp3"].languages == ("fr",)
    assert found["media/voice-subtitles/original.vtt"].languages == ("fr",)
    assert found["media/crane-photo/640.webp"].languages == ()
    manifest = compiled.manifest(channel="live", number=1, published_at=HOUR)
    english = {entry.path for entry in select_files(manifest, "tablet", ["en"])}
    assert english == {
        "lang/en/shard-0.json",
        "lang/en/types.json",
        "media/crane-photo/640.webp",
        "package.json",
    }


def test_encodings_name_the_profiles_they_serve_unless_they_serve_all() -> None:
    compiled = compile_package(make_content())
    assert files(compiled)["media/crane-photo/640.webp"].profiles == ("tablet",)
    tablets = compile_package(with_body(make_content(), profiles=["tablet"]))
    assert files(tablets)["media/crane-photo/640.webp"].profiles == ()
    assert "media/crane-photo/1600.webp" not in files(tablets)
    renditions = shard(tablets, "fr")["assets"]["crane-photo"]["renditions"]
    assert renditions == [
        {"path": "media/crane-photo/640.webp", "type": "image/webp", "width": 640, "height": 480}
    ]


def test_files_of_an_asset_say_when_its_rights_end() -> None:
    compiled = compile_package(make_content())
    assert files(compiled)["media/crane-photo/640.webp"].expires == date(2030, 1, 1)
    assert files(compiled)["media/crane-voice-fr/original.mp3"].expires is None


def test_a_sound_brings_its_subtitles_as_tracks() -> None:
    voice = shard(compile_package(make_content()), "fr")["assets"]["crane-voice-fr"]
    assert voice["tracks"] == [
        {
            "path": "media/voice-subtitles/original.vtt",
            "type": "text/vtt",
            "language": "fr",
            "kind": "subtitles",
        }
    ]
    assert "subtitles" not in voice["fields"]
    assert voice["duration"] == 12.5


def test_names_of_types_and_choices_are_in_each_language() -> None:
    compiled = compile_package(make_content())
    french = json.loads(compiled.documents["lang/fr/types.json"])["types"]["place"]
    english = json.loads(compiled.documents["lang/en/types.json"])["types"]["place"]
    assert (french["label"], english["plural"]) == ("Lieu", "Lieux (en)")
    assert french["fields"]["kind"] == {"label": "kind", "choices": {"pit": "Fosse"}}
    assert english["fields"]["kind"]["choices"] == {"pit": "Pit"}


def test_a_language_tag_is_lower_case_in_paths_and_itself_in_documents() -> None:
    facts = replace(LANGUAGES["ar"], tag="zh-Hans", name="简体中文", dir="ltr")
    content = replace(make_content(), languages={**LANGUAGES, "zh-Hans": facts})
    content = with_body(content, languages=["zh-Hans"], default_language="zh-Hans")
    content = with_document(content, "dock", approved(DOCK, SHARED, "en", "zh-Hans"))
    compiled = compile_package(content)
    assert json.loads(compiled.documents["package.json"])["shards"] == {"zh-Hans": [0]}
    dock = shard(compiled, "zh-Hans")["entries"]["dock"]
    assert (dock["fields"], dock["in"]) == ({"title": "The dock"}, {"title": "en"})


def many(count: int) -> PackageContent:
    """A package of `count` places."""
    ids = [f"place-{number}" for number in range(count)]
    content = make_content()
    return with_body(
        replace(
            content,
            documents={
                **content.documents,
                **{entry: approved({"fields": {"title": {"fr": entry}}}) for entry in ids},
            },
            entry_types={**content.entry_types, **dict.fromkeys(ids, "place")},
        ),
        sections=[{"id": "places", "view": "map", "entries": ids}],
        theme={},
    )


def test_entries_lie_in_the_shard_their_id_says_and_the_shards_that_exist_are_listed() -> None:
    compiled = compile_package(many(40))
    head = json.loads(compiled.documents["package.json"])
    assert head["buckets"] == 8
    for tag in ("fr", "en"):
        for number in head["shards"][tag]:
            document = json.loads(compiled.documents[f"lang/{tag}/shard-{number}.json"])
            assert document["entries"]
            assert {bucket_of(entry, 8) for entry in document["entries"]} == {number}
        count = sum(path.startswith(f"lang/{tag}/shard-") for path in compiled.documents)
        assert count == len(head["shards"][tag])


def test_one_edited_text_changes_one_document_of_its_language() -> None:
    before = compile_package(many(200))
    edited = {"fields": {"title": {"fr": "Autre titre", "en": "place-7"}}}
    same = {"fields": {"title": {"fr": "place-7", "en": "place-7"}}}
    base = compile_package(with_document(many(200), "place-7", approved(same)))
    after = compile_package(with_document(many(200), "place-7", approved(edited)))
    changed = [path for path, raw in after.documents.items() if base.documents[path] != raw]
    assert len(changed) == 1
    assert changed[0].startswith("lang/fr/shard-")
    assert before.documents.keys() == after.documents.keys()


def test_every_path_of_a_document_is_a_file_of_the_release() -> None:
    compiled = compile_package(make_content())
    paths = files(compiled).keys()
    for tag in ("fr", "en"):
        for asset in shard(compiled, tag)["assets"].values():
            for part in (*asset["renditions"], *asset["tracks"]):
                assert part["path"] in paths


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "[x](javascript:alert(1))"])
def test_no_text_can_smuggle_markup_into_a_document(text: str) -> None:
    crane = {**CRANE, "fields": {**CRANE["fields"], "lead": {"fr": text}}}
    compiled = compile_package(with_document(make_content(), "crane", approved(crane)))
    lead = shard(compiled, "fr")["entries"]["crane"]["fields"]["lead"]
    assert "href" not in json.dumps(lead)
    assert {node["t"] for node in lead} == {"p"}


def test_days_of_entries_travel_with_the_package_and_only_of_entries_it_shows() -> None:
    span = {"from": "2026-12-01", "until": "2027-01-31"}
    content = with_body(make_content(), shown={"crane": span, "nobody": span})
    package = json.loads(compile_package(content).documents["package.json"])
    assert package["shown"] == {"crane": span}
    assert "shown" not in json.loads(compile_package(make_content()).documents["package.json"])


def test_a_title_missing_in_one_language_is_filled_from_the_default_language() -> None:
    content = with_body(make_content(), title={"fr": "Le port"})
    head = json.loads(compile_package(content).documents["package.json"])
    assert head["title"] == {"en": "Le port", "fr": "Le port"}
