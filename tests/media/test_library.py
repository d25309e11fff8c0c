"""The library: finding assets by words and by what they lack, on both databases."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from content_api.accounts.rules import SYSTEM, Actor, Grant
from content_api.media.library import (
    AlreadyHeld,
    Wanted,
    add_file,
    find_in_library,
)
from content_api.media.prepare import Prepared, prepare
from content_api.media.service import get_asset
from content_api.media.subtitles import SubtitlesChanged, save_subtitles, subtitles_of
from content_api.packages.models import Package
from content_api.problems import BadRequest, Forbidden, Refused
from tests.media.conftest import drawing
from tests.studio.conftest import Studio, count_queries, studio  # noqa: F401  a fixture

VTT = b"WEBVTT\n\n00:01.000 --> 00:02.000\nBonjour\n"


def ready(studio: Studio, raw: bytes) -> Prepared:  # noqa: F811
    return prepare(studio.settings, BytesIO(raw), declared=len(raw))


def png(seed: int) -> bytes:
    found: bytes = drawing(40 + seed, 30).pngsave_buffer()
    return found


def add(studio: Studio, name: str, seed: int, fields: dict[tuple[str, str], Any]) -> str:  # noqa: F811
    from content_api.content.service import save_entry

    prepared = ready(studio, png(seed))
    with studio.write() as session:
        asset = add_file(session, SYSTEM, prepared, name)
        operations = [
            {"op": "set", "path": path, "scope": scope, "value": value}
            for (path, scope), value in fields.items()
        ]
        save_entry(session, SYSTEM, asset.id, 1, operations)
        return asset.id


def ids(studio: Studio, **wanted: Any) -> list[str]:  # noqa: F811
    with studio.write() as session:
        page = find_in_library(session, SYSTEM, Wanted(**wanted))
        return [row.asset.id for row in page.rows]


@pytest.fixture
def library(studio: Studio) -> Studio:  # noqa: F811
    good = {"holder": "CHM", "licence": "CC0 1.0"}
    add(studio, "Fosse 9.png", 1, {("alt", "fr"): "Un chevalement", ("rights", "*"): good})
    add(
        studio,
        "三池炭鉱.png",
        2,
        {("alt", "ja"): "三池炭鉱の竪坑", ("rights", "*"): {**good, "expires": "2020-01-31"}},
    )
    add(studio, "trait.png", 3, {("decorative", "*"): True})
    return studio


def test_words_are_found_in_texts_and_file_names_in_every_script(library: Studio) -> None:
    assert ids(library, q="chevalement") == ["fosse-9"]
    assert ids(library, q="FOSSE") == ["fosse-9"]
    (japanese,) = ids(library, q="炭鉱")
    assert japanese.startswith("asset-")
    assert ids(library, q="三池炭鉱.png") == [japanese]
    assert ids(library, q="%") == []


def test_rights_filters_tell_what_ended_from_what_is_unknown(library: Studio) -> None:
    (ended,) = ids(library, rights="expired")
    assert ended.startswith("asset-")
    assert ids(library, rights="none") == ["trait"]
    assert ids(library, rights="complete") == ["fosse-9"]
    assert ids(library, rights="soon") == []


def test_decorative_pictures_lack_no_alternative_text(library: Studio) -> None:
    assert ids(library, missing_alt="ja") == ["fosse-9"]
    assert "trait" not in ids(library, missing_alt="de")
    assert len(ids(library, missing_alt="de")) == 2


def test_what_an_entry_or_a_package_names_is_used(library: Studio) -> None:
    library.entry("place", {("title", "fr"): "Fosse", ("image", "*"): "fosse-9"})
    with library.write() as session:
        body = {"theme": {"attract": ["trait"]}, "sections": []}
        session.add(Package(slug="harbour", body=body))
    (left,) = ids(library, unused=True)
    assert left.startswith("asset-")


def test_a_page_costs_the_same_queries_however_many_assets_it_shows(library: Studio) -> None:
    with library.write() as session, count_queries(library.engine) as few:
        find_in_library(session, SYSTEM, Wanted(), limit=1)
    with library.write() as session, count_queries(library.engine) as many:
        page = find_in_library(session, SYSTEM, Wanted(), limit=3)
    assert len(page.rows) == 3
    assert len(few) == len(many)


def test_pages_follow_each_other_without_a_gap(library: Studio) -> None:
    seen = []
    after = None
    with library.write() as session:
        for _ in range(3):
            page = find_in_library(session, SYSTEM, Wanted(), after=after, limit=1)
            seen += [row.asset.id for row in page.rows]
            after = page.last
    assert after is None
    assert len(set(seen)) == 3


def test_nonsense_is_refused(library: Studio) -> None:
    with library.write() as session:
        for wanted in (Wanted(kind="pdf"), Wanted(rights="?"), Wanted(missing_alt="tlh")):
            with pytest.raises(Refused):
                find_in_library(session, SYSTEM, wanted)
        with pytest.raises(BadRequest):
            find_in_library(session, SYSTEM, Wanted(), after=["yesterday", "x"])
        with pytest.raises(Forbidden):
            find_in_library(session, Actor("x", "x", "user"), Wanted())


def test_the_same_bytes_are_told_and_taken_only_when_meant(library: Studio) -> None:
    prepared = ready(library, png(1))
    with library.write() as session:
        with pytest.raises(AlreadyHeld, match="as fosse-9") as caught:
            add_file(session, SYSTEM, prepared, "other.png")
        assert caught.value.details == {"held": [{"id": "fosse-9", "filename": "Fosse 9.png"}]}
        assert add_file(session, SYSTEM, prepared, "other.png", again=True).id == "other"


# -- Subtitles -------------------------------------------------------------------------------


@pytest.fixture
def film(studio: Studio, ffmpeg: Any) -> str:  # noqa: F811
    raw = ffmpeg(
        "f.mp4",
        *("-f", "lavfi", "-i", "testsrc=duration=2:size=160x90:rate=10"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart"),
    )
    prepared = ready(studio, raw)
    with studio.write() as session:
        return add_file(session, SYSTEM, prepared, "film.mp4").id


def test_subtitles_are_made_then_replaced_under_the_same_id(studio: Studio, film: str) -> None:  # noqa: F811
    first = ready(studio, VTT)
    with studio.write() as session:
        made = save_subtitles(session, SYSTEM, film, "fr", first, replaces=None)
        assert made.id == "film-fr"
    second = ready(studio, VTT.replace(b"Bonjour", b"Bonsoir"))
    with studio.write() as session:
        again = save_subtitles(session, SYSTEM, film, "fr", second, replaces=first.sha256)
        assert (again.id, again.version) == ("film-fr", 2)
        assert list(subtitles_of(session, film)) == ["fr"]


def test_subtitles_that_somebody_changed_are_not_lost(studio: Studio, film: str) -> None:  # noqa: F811
    first = ready(studio, VTT)
    with studio.write() as session:
        save_subtitles(session, SYSTEM, film, "fr", first, replaces=None)
        other = ready(studio, VTT.replace(b"Bonjour", b"Bonsoir"))
        with pytest.raises(SubtitlesChanged):
            save_subtitles(session, SYSTEM, film, "fr", other, replaces=None)
        assert get_asset(session, "film-fr").sha256 == first.sha256


def test_a_translator_writes_the_subtitles_of_their_language_alone(
    studio: Studio,  # noqa: F811
    film: str,
) -> None:
    translator = studio.person("yuki", Grant("translator", ("ja",))).actor
    prepared = ready(studio, VTT)
    with studio.write() as session:
        save_subtitles(session, translator, film, "ja", prepared, replaces=None)
        with pytest.raises(Forbidden):
            save_subtitles(session, translator, film, "fr", prepared, replaces=None)


def test_only_films_and_sounds_have_subtitles(library: Studio) -> None:
    prepared = ready(library, VTT)
    with library.write() as session, pytest.raises(Refused, match="films and sounds"):
        save_subtitles(session, SYSTEM, "fosse-9", "fr", prepared, replaces=None)


def test_a_subtitles_file_shown_elsewhere_is_left_as_it_is(studio: Studio, film: str) -> None:  # noqa: F811
    from content_api.content.service import save_entry

    first = ready(studio, VTT)
    with studio.write() as session:
        save_subtitles(session, SYSTEM, film, "fr", first, replaces=None)
        save_entry(
            session,
            SYSTEM,
            film,
            2,
            [{"op": "set", "path": "subtitles", "scope": "en", "value": "film-fr"}],
        )
        other = ready(studio, VTT.replace(b"Bonjour", b"Hello"))
        made = save_subtitles(session, SYSTEM, film, "en", other, replaces=first.sha256)
        assert made.id == "film-en"
        assert get_asset(session, "film-fr").sha256 == first.sha256
