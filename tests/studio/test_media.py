"""The media library over HTTP: who may do what, files as they come, texts, rights, subtitles."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import pyvips

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.service import get_entry, get_revision, save_entry
from content_api.media.library import add_file
from content_api.media.models import Asset, Rendition
from content_api.media.prepare import prepare
from content_api.media.service import create_asset
from content_api.packages.models import Package
from content_api.studio.media.describing import operations_of, still_described, values_of
from content_api.studio.media.picturing import fitting
from tests.media.conftest import FILM, SOUND, drawing, ffmpeg  # noqa: F401  a fixture
from tests.studio.conftest import Studio, StudioClient, count_queries
from tests.studio.hostile import PAYLOADS

EDITOR = Grant("editor")
MEDIA_KEEPER = Grant("media")
VTT = "WEBVTT\n\n00:00.500 --> 00:01.500\nBonjour\n"
PNG = b"\x89PNG\r\n\x1a\n"


def png(width: int = 400, height: int = 300) -> bytes:
    found: bytes = drawing(width, height).pngsave_buffer()
    return found


def said(answer: Any) -> Any:
    """What our script would read of an answer."""
    return answer.json


def put(person: StudioClient, path: str, raw: bytes) -> Any:
    return person.post(
        path,
        method="PUT",
        data=raw,
        headers={"Accept": "application/json", "Content-Type": "application/octet-stream"},
    )


def add(studio: Studio, name: str, raw: bytes) -> str:
    ready = prepare(studio.settings, BytesIO(raw), declared=len(raw))
    with studio.write() as session:
        return add_file(session, SYSTEM, ready, name).id


def saved(studio: Studio, asset_id: str) -> dict[str, Any]:
    with studio.write() as session:
        entry = get_entry(session, SYSTEM, asset_id)
        found: dict[str, Any] = get_revision(session, asset_id, entry.head_rev).body["fields"]
        return found


def set_field(studio: Studio, asset_id: str, path: str, scope: str, value: Any) -> None:
    with studio.write() as session:
        rev = get_entry(session, SYSTEM, asset_id).head_rev
        operation = {"op": "set", "path": path, "scope": scope, "value": value}
        save_entry(session, SYSTEM, asset_id, rev, [operation])


# -- Uploads ---------------------------------------------------------------------------------


def test_a_file_becomes_an_asset_named_after_it(studio: Studio) -> None:
    editor = studio.person("ed", EDITOR)
    answer = put(editor, "/studio/media/upload?filename=Fosse%209.png", png())
    assert answer.status_code == 201, answer.text
    assert said(answer)["id"] == "fosse-9"
    page = editor.page(said(answer)["address"])
    assert page.findtext(".//h1") == "Fosse 9.png"
    assert "400 × 300" in page.text_content()


def test_a_refused_file_leaves_no_asset_and_says_what_is_taken(studio: Studio) -> None:
    editor = studio.person("ed", EDITOR)
    answer = put(editor, "/studio/media/upload?filename=x.png", b"%PDF-1.7 ...")
    assert answer.status_code == 415
    assert "a PDF document" in said(answer)["detail"]
    assert "JPEG" in said(answer)["detail"]
    with studio.write() as session:
        assert session.query(Asset).count() == 0


def test_a_file_cut_short_leaves_no_asset(studio: Studio) -> None:
    editor = studio.person("ed", EDITOR)
    raw = png()
    answer = put(editor, "/studio/media/upload?filename=x.png", raw[: len(raw) // 2])
    assert answer.status_code == 422
    with studio.write() as session:
        assert session.query(Asset).count() == 0


def test_a_file_we_hold_is_told_before_and_after_it_is_sent(studio: Studio) -> None:
    from package_format.canonical import sha256_hex

    editor = studio.person("ed", EDITOR)
    raw = png()
    put(editor, "/studio/media/upload?filename=one.png", raw)
    asked = editor.post("/studio/media/known", json={"sha256": [sha256_hex(raw), "0" * 64]})
    assert [one["id"] for one in said(asked)["held"]] == ["one"]
    again = put(editor, "/studio/media/upload?filename=two.png", raw)
    assert (again.status_code, said(again)["code"]) == (409, "already-held")
    meant = put(editor, "/studio/media/upload?filename=two.png&again=yes", raw)
    assert said(meant)["id"] == "two"


def test_a_file_replaced_keeps_id_texts_and_kind(
    studio: Studio,
    ffmpeg: Callable[..., bytes],  # noqa: F811
) -> None:
    asset = add(studio, "one.png", png())
    set_field(studio, asset, "alt", "fr", "Un plan")
    editor = studio.person("ed", EDITOR)
    answer = put(editor, f"/studio/media/{asset}/file?filename=new.png", png(600))
    assert answer.status_code == 200
    assert "600 × 300" in editor.page(f"/studio/media/{asset}/").text_content()
    assert saved(studio, asset)["alt"] == {"fr": "Un plan"}
    refused = put(editor, f"/studio/media/{asset}/file?filename=a.mp3", ffmpeg("a.mp3", *SOUND))
    assert refused.status_code == 409
    assert "expected another image" in refused.json["detail"]


def test_an_asset_whose_file_never_came_says_so_and_takes_it(studio: Studio) -> None:
    with studio.write() as session:
        create_asset(session, SYSTEM, asset_id="lost")
    editor = studio.person("ed", EDITOR)
    assert "The file has not arrived." in editor.page("/studio/media/lost/").text_content()
    assert "File missing" in editor.page("/studio/media/?nofile=1").text_content()
    assert put(editor, "/studio/media/lost/file?filename=a.png", png()).status_code == 200
    assert "has not arrived" not in editor.page("/studio/media/lost/").text_content()


@pytest.mark.parametrize("role", ["reader", "translator", "reviewer", "publisher"])
def test_only_who_writes_assets_sends_files(studio: Studio, role: str) -> None:
    asset = add(studio, "one.png", png())
    person = studio.person("somebody", Grant(role))
    assert person.get("/studio/media/").status_code == 200
    assert "data-choose" not in person.get(f"/studio/media/{asset}/").text
    assert put(person, "/studio/media/upload?filename=x.png", png(50)).status_code == 403
    assert put(person, f"/studio/media/{asset}/file", png(50)).status_code == 403


# -- Bytes -----------------------------------------------------------------------------------


def test_a_small_picture_is_the_narrowest_that_is_wide_enough(studio: Studio) -> None:
    asset = add(studio, "one.png", png(1600, 900))
    reader = studio.person("rea", Grant("reader"))
    small = reader.get(f"/studio/media/{asset}/picture?width=300")
    large = reader.get(f"/studio/media/{asset}/picture?width=1000")
    assert small.status_code == large.status_code == 200
    assert str(small.mimetype).startswith("image/")
    widths = [pyvips.Image.new_from_buffer(one.data, "").width for one in (small, large)]
    assert widths == [320, 1600]
    assert "private" in small.headers["Cache-Control"]
    tag = small.headers["ETag"]
    kept = reader.get(f"/studio/media/{asset}/picture?width=300", headers={"If-None-Match": tag})
    assert kept.status_code == 304


def test_the_widest_picture_serves_where_none_is_wide_enough() -> None:
    rows = [
        Rendition(name=str(width), media_type="image/webp", width=width) for width in (640, 320)
    ]
    assert [(fitting(rows, width) or rows[0]).width for width in (1, 320, 321, 900)] == [
        *(320, 320, 640, 640)
    ]
    assert fitting([Rendition(name="original.mp4", media_type="video/mp4", width=9)], 1) is None


def test_what_has_no_picture_is_drawn_or_shows_its_poster(
    studio: Studio,
    ffmpeg: Callable[..., bytes],  # noqa: F811
) -> None:
    film = add(studio, "film.mp4", ffmpeg("p.mp4", *FILM))
    reader = studio.person("rea", Grant("reader"))
    assert reader.get(f"/studio/media/{film}/picture").mimetype == "image/svg+xml"
    poster = add(studio, "poster.png", png())
    set_field(studio, film, "poster", "*", poster)
    assert reader.get(f"/studio/media/{film}/picture").mimetype != "image/svg+xml"


def test_a_film_is_sent_in_ranges_to_who_may_read(
    studio: Studio,
    ffmpeg: Callable[..., bytes],  # noqa: F811
) -> None:
    raw = ffmpeg("r.mp4", *FILM)
    film = add(studio, "film.mp4", raw)
    reader = studio.person("rea", Grant("reader"))
    part = reader.get(f"/studio/media/{film}/file", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, raw[10:20])
    assert studio.app.test_client().get(f"/studio/media/{film}/file").status_code == 303


# -- What is said ----------------------------------------------------------------------------


def form_of(page: Any) -> dict[str, str]:
    """What the browser would send of the asset's form."""
    (form,) = page.xpath("//form[@data-module='media/describe']")
    return {name: str(value or "") for name, value in form.form_values()}


def test_saving_a_page_that_nobody_changed_makes_no_revision(studio: Studio) -> None:
    asset = add(studio, "one.png", png())
    set_field(studio, asset, "focal", "*", {"x": 0.123456, "y": 0.5})
    set_field(studio, asset, "caption", "fr", "Une ligne\n\nUne autre")
    set_field(studio, asset, "rights", "*", {"holder": "CHM", "licence": "Sur demande"})
    before = saved(studio, asset)
    editor = studio.person("ed", EDITOR)
    form = form_of(editor.page(f"/studio/media/{asset}/"))
    answer = editor.post(f"/studio/media/{asset}/save", data=form)
    assert answer.status_code == 303, answer.text
    assert saved(studio, asset) == before
    with studio.write() as session:
        assert get_entry(session, SYSTEM, asset).head_rev == 4


def test_texts_focal_point_and_rights_are_saved_together(studio: Studio) -> None:
    asset = add(studio, "one.png", png())
    editor = studio.person("ed", EDITOR)
    form = {
        **form_of(editor.page(f"/studio/media/{asset}/")),
        "alt.fr": "Un plan",
        "alt.ja": "図面",
        "focal_x": "25",
        "focal_y": "75",
        "rights_holder": "CHM Lewarde",
        "rights_licence": "CC BY 4.0",
        "rights_expires": "2031-12-31",
    }
    assert editor.post(f"/studio/media/{asset}/save", data=form).status_code == 303
    assert saved(studio, asset) == {
        "alt": {"fr": "Un plan", "ja": "図面"},
        "focal": {"*": {"x": 0.25, "y": 0.75}},
        "rights": {"*": {"holder": "CHM Lewarde", "licence": "CC BY 4.0", "expires": "2031-12-31"}},
    }


def test_a_decorative_picture_with_a_text_is_refused_with_the_reason(studio: Studio) -> None:
    asset = add(studio, "one.png", png())
    editor = studio.person("ed", EDITOR)
    form = {"rev": "1", "decorative": "yes", "alt.fr": "Un plan"}
    answer = editor.post(f"/studio/media/{asset}/save", data=form)
    assert answer.status_code == 422
    assert "Remove the text in French" in answer.text
    assert "Un plan" in answer.text
    assert saved(studio, asset) == {}
    done = editor.post(
        f"/studio/media/{asset}/save", data={**form, "alt.fr": ""}, follow_redirects=False
    )
    assert done.status_code == 303
    assert saved(studio, asset) == {"decorative": {"*": True}}


def test_a_value_that_cannot_be_is_named_and_nothing_typed_is_lost(studio: Studio) -> None:
    asset = add(studio, "one.png", png())
    editor = studio.person("ed", EDITOR)
    form = {"rev": "1", "alt.fr": "Un plan", "rights_holder": "x", "rights_url": "javascript:1"}
    answer = editor.post(f"/studio/media/{asset}/save", data=form)
    assert answer.status_code == 422
    assert "Rights: " in answer.text
    assert "Un plan" in answer.text
    assert saved(studio, asset) == {}


def test_two_people_on_one_text_see_each_others(studio: Studio) -> None:
    asset = add(studio, "one.png", png())
    editor = studio.person("ed", EDITOR)
    set_field(studio, asset, "alt", "fr", "Le leur")
    answer = editor.post(f"/studio/media/{asset}/save", data={"rev": "1", "alt.fr": "Le mien"})
    assert answer.status_code == 409
    assert "Le mien" in answer.text
    assert "Le leur" in answer.text
    told = editor.post(
        f"/studio/media/{asset}/save",
        data={"rev": "1", "alt.fr": "Le mien"},
        headers={"Accept": "application/json"},
    )
    assert said(told)["conflicts"][0]["theirs"] == "Le leur"
    assert said(told)["head_rev"] == 2


def test_a_translator_writes_their_language_and_reads_the_rest(studio: Studio) -> None:
    asset = add(studio, "one.png", png())
    translator = studio.person("yuki", Grant("translator", ("ja",)))
    page = translator.page(f"/studio/media/{asset}/?languages=fr,ja")
    assert page.xpath("//textarea[@name='alt.fr']/@readonly")
    assert not page.xpath("//textarea[@name='alt.ja']/@readonly")
    assert not page.xpath("//input[@name='rights_holder']")
    good = translator.post(f"/studio/media/{asset}/save", data={"rev": "1", "alt.ja": "図"})
    assert good.status_code == 303
    bad = translator.post(f"/studio/media/{asset}/save", data={"rev": "2", "alt.fr": "x"})
    assert bad.status_code == 403


def test_what_is_used_says_where_and_cannot_be_deleted(studio: Studio) -> None:
    asset = add(studio, "one.png", png())
    place = studio.entry("place", {("title", "fr"): "Fosse Arenberg", ("image", "*"): asset})
    with studio.write() as session:
        session.add(Package(slug="harbour", body={"theme": {"attract": [asset]}, "sections": []}))
    keeper = studio.person("kim", Grant("admin"))
    page = keeper.page(f"/studio/media/{asset}/")
    (uses,) = page.xpath("//*[@id='uses']")
    assert "Fosse Arenberg" in uses.text_content()
    assert [link.get("href") for link in uses.iter("a")] == [
        f"/studio/entries/{place}/",
        "/studio/packages/harbour/",
    ]
    assert keeper.post(f"/studio/media/{asset}/delete").status_code == 409
    other = add(studio, "two.png", png(50))
    assert keeper.post(f"/studio/media/{other}/delete").status_code == 303
    assert keeper.get(f"/studio/media/{other}/").status_code == 404


def test_the_library_filters_by_its_address_and_asks_no_more_for_more(studio: Studio) -> None:
    reader = studio.person("rea", Grant("reader"))
    add(studio, "one.png", png())
    reader.page("/studio/media/")
    with count_queries(studio.engine) as few:
        reader.page("/studio/media/")
    for size in range(50, 56):
        add(studio, f"more-{size}.png", png(size))
    with count_queries(studio.engine) as many:
        page = reader.page("/studio/media/")
    assert len(page.xpath("//li[contains(@class, 'media-tile')]")) == 7
    assert len(few) == len(many)
    assert len(reader.page("/studio/media/?q=one&view=list").xpath("//tbody/tr")) == 1
    assert "Nothing fits" in reader.page("/studio/media/?kind=audio").text_content()
    assert reader.get("/studio/media/?kind=pdf").status_code == 422
    part = reader.get("/studio/media/?q=one", headers={"HX-Request": "true"})
    assert "<html" not in part.text


def test_hostile_words_stay_words(studio: Studio) -> None:
    asset = add(studio, "one.png", png())
    editor = studio.person("ed", EDITOR)
    for text in PAYLOADS:
        set_field(studio, asset, "alt", "fr", text)
        page = editor.page(f"/studio/media/{asset}/?languages=fr")
        shown = page.xpath("//textarea[@name='alt.fr']")[0].text
        assert shown.strip() == saved(studio, asset)["alt"]["fr"]
        for found in (page, editor.page("/studio/media/?view=list")):
            assert not found.xpath("//x-hacked | //*[@x-hacked] | //*[@onerror] | //main//script")


# -- Subtitles -------------------------------------------------------------------------------


def test_subtitles_are_written_replaced_and_held_to_the_standard(
    studio: Studio,
    ffmpeg: Callable[..., bytes],  # noqa: F811
) -> None:
    film = add(studio, "film.mp4", ffmpeg("s.mp4", *FILM))
    editor = studio.person("ed", EDITOR)
    address = f"/studio/media/{film}/subtitles/fr"
    made = editor.post(address, method="PUT", json={"text": VTT, "replaces": None})
    assert made.status_code == 200, made.text
    assert saved(studio, film)["subtitles"] == {"fr": "film-fr"}
    assert "Bonjour" in editor.page(address).text_content()
    broken = editor.post(
        address,
        method="PUT",
        json={"text": "WEBVTT\n\nnot a time\nx\n", "replaces": said(made)["replaces"]},
    )
    assert broken.status_code == 422
    assert "line 4" in said(broken)["detail"] or "line 3" in said(broken)["detail"]
    late = editor.post(
        address, method="PUT", json={"text": VTT.replace("jour", "soir"), "replaces": None}
    )
    assert (late.status_code, said(late)["code"]) == (409, "subtitles-changed")
    page = editor.page(f"/studio/media/{film}/")
    assert page.xpath("//track/@srclang") == ["fr"]
    reader = studio.person("rea", Grant("reader"))
    assert reader.get(address).status_code == 200
    forbidden = reader.post(address, method="PUT", json={"text": VTT, "replaces": None})
    assert forbidden.status_code == 403


def test_pictures_have_no_subtitles(studio: Studio) -> None:
    asset = add(studio, "one.png", png())
    editor = studio.person("ed", EDITOR)
    assert editor.get(f"/studio/media/{asset}/subtitles/fr").status_code == 404


# -- What a form says ------------------------------------------------------------------------


def test_only_what_differs_becomes_an_operation() -> None:
    body = {"fields": {"alt": {"fr": "Un plan", "en": "A plan"}, "credit": {"fr": "CHM"}}}
    form = {"alt.fr": "Un plan", "alt.en": "A drawing\r\n", "credit.fr": " "}
    assert operations_of(form, body, ["fr", "en"]) == [
        {"op": "set", "path": "alt", "scope": "en", "value": "A drawing"},
        {"op": "unset", "path": "credit", "scope": "fr"},
    ]
    assert operations_of({**form, "alt.de": "x"}, body, ["fr"])[-1]["path"] == "credit"


def test_a_text_of_a_language_the_form_does_not_show_counts_too() -> None:
    body = {"fields": {"alt": {"ja": "図"}}}
    assert still_described({"decorative": "yes", "alt.fr": ""}, body, ["fr"]) == ["ja"]
    assert still_described({"decorative": "no"}, body, ["fr"]) == []


def test_a_licence_we_do_not_know_is_shown_and_kept() -> None:
    body = {"fields": {"rights": {"*": {"holder": "x", "licence": "Sur demande"}}}}
    values = values_of(body)
    assert (values["rights_licence"], values["rights_licence_other"]) == ("other", "Sur demande")
    form = {name: text for name, text in values.items() if name.startswith("rights_")}
    assert operations_of(form, body, []) == []
