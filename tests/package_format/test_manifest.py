"""The manifest: literal bytes, what is refused, and what a device takes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from package_format.canonical import canonical_json, parse_json
from package_format.layout import (
    BLOCK_SIZE,
    blob_path,
    bucket_count,
    bucket_of,
    is_file_path,
    is_slug,
    manifest_target,
    target_file,
)
from package_format.manifest import (
    Manifest,
    ManifestError,
    ManifestFile,
    ManifestLanguage,
    NewerFormat,
    parse_manifest,
    select_files,
)

A, B = "a" * 64, "b" * 64


def make_manifest(**changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "package": "harbour",
        "channel": "live",
        "release": 14,
        "published_at": datetime(2026, 11, 24, 6, tzinfo=UTC),
        "default_language": "fr",
        "languages": (ManifestLanguage("fr", "Français", "ltr", ("en",)),),
        "profiles": ("tablet", "wall"),
        "files": (ManifestFile("package.json", A, 10, "application/json"),),
    }
    values.update(changes)
    return Manifest(**values)


def altered(**changes: Any) -> bytes:
    value = json.loads(make_manifest().to_bytes())
    value.update(changes)
    return canonical_json(value)


def altered_file(**changes: Any) -> bytes:
    value = json.loads(make_manifest().to_bytes())
    value["files"][0].update(changes)
    return canonical_json(value)


def test_a_manifest_is_these_bytes() -> None:
    assert make_manifest().to_bytes() == (
        b'{"channel":"live","default_language":"fr","files":[{"path":"package.json","sha256":"'
        + b"a" * 64
        + b'","size":10,"type":"application/json"}],"format":1,"languages":[{"dir":"ltr",'
        b'"fallback":["en"],"name":"Fran\xc3\xa7ais","tag":"fr"}],"package":"harbour",'
        b'"profiles":["tablet","wall"],"published_at":"2026-11-24T06:00:00Z","release":14}'
    )


def test_parsing_gives_back_the_same_manifest_and_keeps_unknown_fields() -> None:
    raw = altered(later={"x": 1})
    found = parse_manifest(raw)
    assert found.extra == {"later": {"x": 1}}
    assert found.to_bytes() == raw


def test_a_newer_format_is_refused_by_its_own_error() -> None:
    with pytest.raises(NewerFormat, match="expected format 1, got 2"):
        parse_manifest(altered(format=2))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<html>", "expected JSON"),
        (b"[]", "expected an object"),
        (b'{"format":1,"format":1}', "stands twice"),
        (b"[" * 100_000, "nests too deep"),
        (altered(release=0), "whole number from 1 for release"),
        (altered(release=True), "whole number from 1 for release"),
        (altered(release=1.5), "whole number from 1 for release"),
        (altered(package="../x"), "package slug"),
        (altered(channel="beta"), "live or preview"),
        (altered(default_language="ja"), "default_language among languages"),
        (altered(published_at="yesterday"), "published_at"),
        (altered(published_at="2026-13-24T06:00:00Z"), "published_at"),
        (altered_file(path="../etc/passwd"), "relative lower-case path"),
        (altered_file(path="/a"), "relative lower-case path"),
        (altered_file(path="a/.hidden"), "relative lower-case path"),
        (altered_file(path="A.json"), "relative lower-case path"),
        (altered_file(sha256="A" * 64), "64 lower-case hex digits"),
        (altered_file(size=-1), "whole number from 0 for size"),
        (altered_file(size=2**63), "whole number from 0 for size"),
        (altered_file(type="image"), "media type"),
        (altered_file(size=BLOCK_SIZE + 1), "expected 2 block hashes"),
        (altered_file(blocks=[A]), "expected 0 block hashes"),
        (altered_file(expires="soon"), "YYYY-MM-DD"),
        (altered_file(languages=[1]), "expected texts in languages"),
    ],
)
def test_a_manifest_that_breaks_the_format_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        parse_manifest(raw)


def test_a_path_may_stand_only_once_and_in_order() -> None:
    value = json.loads(make_manifest().to_bytes())
    value["files"] *= 2
    with pytest.raises(ManifestError, match="each path once"):
        parse_manifest(canonical_json(value))


def test_a_device_takes_its_own_languages_and_profile_alone() -> None:
    manifest = make_manifest(
        files=(
            ManifestFile("a", A, 1, "text/plain"),
            ManifestFile("b", A, 1, "text/plain", languages=("ja",)),
            ManifestFile("c", A, 1, "text/plain", languages=("fr", "en")),
            ManifestFile("d", A, 1, "text/plain", profiles=("wall",)),
            ManifestFile("e", A, 1, "text/plain", languages=("fr",), profiles=("tablet",)),
        )
    )
    assert [f.path for f in select_files(manifest, "tablet", ["fr"])] == ["a", "c", "e"]
    assert [f.path for f in select_files(manifest, "wall", ["ja"])] == ["a", "b", "d"]


def test_expiry_and_blocks_survive_a_round_trip() -> None:
    film = ManifestFile(
        "film.mp4", B, BLOCK_SIZE + 1, "video/mp4", blocks=(A, B), expires=date(2028, 6, 30)
    )
    assert parse_manifest(make_manifest(files=(film,)).to_bytes()).files == (film,)


def test_names_and_places_are_these() -> None:
    assert blob_path(A) == f"blobs/aa/{A}"
    assert manifest_target("harbour", "live") == "packages/harbour/live.json"
    assert target_file("packages/harbour/live.json", A) == f"targets/packages/harbour/{A}.live.json"
    with pytest.raises(ValueError, match="64 lower-case hex"):
        blob_path("../../x")
    with pytest.raises(ValueError, match="package slug"):
        manifest_target("Harbour", "live")


def test_shards_hold_eight_on_average_and_keep_their_members() -> None:
    assert [bucket_count(n) for n in (0, 1, 8, 9, 16, 17, 1000)] == [1, 1, 1, 2, 2, 4, 128]
    assert bucket_of("crane", 4) == bucket_of("crane", 64) % 4
    assert 0 <= bucket_of("炭鉱", 32) < 32


def test_slugs_and_paths_are_ascii_and_lower_case() -> None:
    assert is_slug("fosse-9-9bis")
    assert not any(is_slug(text) for text in ("", "-a", "a--b", "É", "a/b", "a" * 65, None))
    assert is_file_path("media/crane/640.webp")
    assert not any(is_file_path(text) for text in ("", "a//b", "a/../b", "a\\b", "a" * 201))


def test_canonical_json_sorts_refuses_nan_and_lone_surrogates() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    with pytest.raises(ValueError):
        canonical_json(float("nan"))
    with pytest.raises(ValueError):
        canonical_json("\ud800")
    with pytest.raises(ValueError):
        parse_json(b'{"a":NaN}')
