"""Translating side by side: what is shown, what the keys do, what saving makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.service import get_entry, get_revision, save_entry
from content_api.studio.translate.glossary import Term, mark_terms, terms_in
from tests.studio.conftest import Live, Studio, Windows, count_queries

HEADFRAME = Term("chevalement", ("chevalement",), "{竪坑櫓|たてこうやぐら}")
SLAG_HEAP = Term("terril", ("terril", "crassier"), "ボタ山")
JAPANESE = Term("tanko", ("炭鉱",), "mine")
PIT = {
    ("title", "fr"): "Fosse Delloye",
    ("lead", "fr"): "Le chevalement domine deux terrils.",
    ("commune", "fr"): "Lewarde",
    ("kind", "*"): "pit",
}
TEXTS = ("title", "lead", "commune")


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Le Chevalement et les terrils.", ["Chevalement", "terrils"]),
        ("un crassier, deux CRASSIERS", ["crassier", "CRASSIERS"]),
        ("territoire, terrilien", []),
        ("世界の炭鉱遺産", ["炭鉱"]),
        ("", []),
    ],
)
def test_terms_are_marked_as_whole_words_whatever_their_case(text: str, marked: list[str]) -> None:
    pieces = mark_terms(text, [HEADFRAME, SLAG_HEAP, JAPANESE])
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.text for piece in pieces if piece.term] == marked


def test_accents_do_not_matter_and_a_term_is_listed_once() -> None:
    term = Term("galibot", ("mineur de fond", "écaille"), "x")
    pieces = mark_terms("Ecaille, écaille et éCAILLE", [term])
    assert [piece.text for piece in pieces if piece.term] == ["Ecaille", "écaille", "éCAILLE"]
    assert terms_in(pieces) == [term]


def test_the_page_shows_sources_statuses_and_terms(studio: Studio) -> None:
    studio.entry("glossary_term", {("term", "fr"): "chevalement", ("term", "ja"): "竪坑櫓"})
    entry = studio.entry("place", PIT)
    kenji = studio.person("kenji", Grant("translator", scopes=("ja",)))
    page = kenji.page(f"/studio/entries/{entry}/translate/ja")
    assert page.xpath("//mark/text()") == ["chevalement"]
    assert page.xpath("//*[@data-insert]/@data-insert") == ["竪坑櫓"]
    assert page.xpath("//*[@data-unit]/@data-unit-status") == ["missing"] * 3
    assert page.xpath("//textarea/@lang") == ["ja"] * 3
    reading = studio.entry("place", {("title", "fr"): "x", ("reading", "ja"): "よみ"})
    page = kenji.page(f"/studio/entries/{reading}/translate/ja")
    (unit,) = page.xpath("//*[@data-unit='reading']")
    assert not unit.xpath(".//*[@data-copy-source]")


def test_without_a_language_the_persons_own_is_taken(studio: Studio) -> None:
    entry = studio.entry("place", PIT)
    kenji = studio.person("kenji", Grant("translator", scopes=("ja",)))
    answer = kenji.get(f"/studio/entries/{entry}/translate/")
    assert answer.headers["Location"] == f"/studio/entries/{entry}/translate/ja"
    assert kenji.get(f"/studio/entries/{entry}/translate/fr").status_code == 404


def test_an_outdated_text_shows_what_changed_and_can_be_called_still_right(
    studio: Studio,
) -> None:
    entry = studio.entry("place", {**PIT, ("title", "ja"): "デロワ坑"})
    with studio.write() as session:
        operation = {"op": "set", "path": "title", "scope": "fr", "value": "La fosse Delloye"}
        save_entry(session, SYSTEM, entry, 1, [operation], types=studio.types)
    kenji = studio.person("kenji", Grant("translator", scopes=("ja",)))
    where = f"/studio/entries/{entry}/translate/ja"
    page = kenji.page(where)
    assert page.xpath("//ins/text()") == ["La fosse"]
    body = {"path": "title", "state": "translated"}
    answer = kenji.post(f"{where}/claim", json=body)
    assert answer.json["statuses"]["title"] == "translated"
    reviewed = kenji.post(f"{where}/claim", json={**body, "state": "reviewed"})
    assert reviewed.status_code == 403


def test_the_next_entry_that_needs_work_is_found(studio: Studio) -> None:
    first, second = (studio.entry("place", PIT, entry_id=name) for name in ("a-pit", "b-pit"))
    admin = studio.person("ada", Grant("admin"))
    answer = admin.get(f"/studio/entries/translate/next/ja?after={first}")
    assert answer.headers["Location"].startswith(f"/studio/entries/{second}/translate/ja")
    around = admin.get(f"/studio/entries/translate/next/ja?after={second}")
    assert around.headers["Location"].startswith(f"/studio/entries/{first}/translate/ja")
    done = [{"op": "set", "path": path, "scope": "ja", "value": "坑"} for path in TEXTS]
    with studio.write() as session:
        save_entry(session, SYSTEM, first, 1, done, types=studio.types)
    last = admin.get(f"/studio/entries/translate/next/ja?after={second}")
    assert last.headers["Location"].startswith("/studio/entries/?")


def test_a_source_that_changed_meanwhile_is_shown_before_anything_is_said_of_it(
    studio: Studio,
) -> None:
    entry = studio.entry("place", {**PIT, ("title", "ja"): "デロワ坑"})
    ada = studio.person("ada", Grant("admin"))
    where = f"/studio/entries/{entry}/translate/ja"
    ada.page(where)
    with studio.write() as session:
        operation = {"op": "set", "path": "title", "scope": "fr", "value": "La fosse Delloye"}
        save_entry(session, SYSTEM, entry, 1, [operation], types=studio.types)
    body = {"path": "title", "state": "reviewed", "seen_rev": 1}
    assert ada.post(f"{where}/claim", json=body).status_code == 412
    now = ada.get(f"{where}/statuses").json
    assert now["rev"] == 2
    assert now["sources"]["title"] == "La fosse Delloye"
    assert ["insert", "La fosse"] in now["changes"]["title"]
    done = ada.post(f"{where}/claim", json={**body, "seen_rev": 2}).json
    assert done["statuses"]["title"] == "reviewed"


def test_who_translated_does_not_review_where_four_eyes_are_asked_for(studio: Studio) -> None:
    studio.app.extensions["lampisterie_settings"] = replace(studio.settings, four_eyes=True)
    entry = studio.entry("place", PIT)
    kenji = studio.person("kenji", Grant("translator", scopes=("ja",)), Grant("reviewer"))
    where = f"/studio/entries/{entry}"
    operation = {"op": "set", "path": "title", "scope": "ja", "value": "デロワ坑"}
    saved = {"expected_rev": 1, "operations": [operation]}
    assert kenji.post(f"{where}/save", json=saved).status_code == 200
    body = {"path": "title", "state": "reviewed", "seen_rev": 2}
    refused = kenji.post(f"{where}/translate/ja/claim", json=body)
    assert refused.status_code == 422
    assert refused.json["code"] == "four-eyes"
    ada = studio.person("ada", Grant("reviewer"))
    assert ada.post(f"{where}/translate/ja/claim", json=body).status_code == 200


def test_a_changed_glossary_is_seen_at_once(studio: Studio) -> None:
    term = studio.entry("glossary_term", {("term", "fr"): "chevalement", ("term", "ja"): "櫓"})
    entry = studio.entry("place", PIT)
    ada = studio.person("ada", Grant("admin"))
    where = f"/studio/entries/{entry}/translate/ja"
    assert ada.page(where).xpath("//*[@data-insert]/@data-insert") == ["櫓"]
    with studio.write() as session:
        operation = {"op": "set", "path": "term", "scope": "ja", "value": "竪坑櫓"}
        save_entry(session, SYSTEM, term, 1, [operation], types=studio.types)
    assert ada.page(where).xpath("//*[@data-insert]/@data-insert") == ["竪坑櫓"]


def test_more_texts_cost_no_more_queries(studio: Studio) -> None:
    admin = studio.person("ada", Grant("admin"))
    short = studio.entry("place", {("title", "fr"): "x"})
    long = studio.entry("place", PIT)
    admin.page(f"/studio/entries/{short}/translate/ja")
    counts = []
    for entry in (short, long):
        with count_queries(studio.engine) as statements:
            admin.page(f"/studio/entries/{entry}/translate/ja")
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_whole_entry_is_translated_by_keys_alone(live: Live, windows: Windows) -> None:
    entry = live.entry("place", PIT)
    kenji = live.person("kenji", Grant("translator", scopes=("ja",)))
    page = windows.open(live, kenji, f"/studio/entries/{entry}/translate/ja", language="ja")
    for text in ("デロワ坑", "竪坑櫓が二つのボタ山を見下ろす。", "レワルド"):
        page.keyboard.press("Alt+ArrowDown")
        page.keyboard.insert_text(text)
        page.keyboard.press("Control+s")
        expect(page.locator("[data-status]")).to_have_attribute("data-state", "saved")
        expect(page.locator("[data-unit]:focus-within")).to_have_attribute(
            "data-unit-status", "translated"
        )
    expect(page.locator("[data-counts] .status")).to_have_count(1)
    expect(page.locator("[data-counts] .status--translated .status__count")).to_have_text("3")
    with live.write() as session:
        head = get_entry(session, SYSTEM, entry).head_rev
        fields = get_revision(session, entry, head).body["fields"]
    assert fields["title"] == {"fr": "Fosse Delloye", "ja": "デロワ坑"}
    assert fields["commune"]["ja"] == "レワルド"
    assert windows.faults == []


def test_a_term_is_put_where_the_cursor_is_and_undone_by_the_browser(
    live: Live, windows: Windows
) -> None:
    live.entry("glossary_term", {("term", "fr"): "chevalement", ("term", "ja"): "竪坑櫓"})
    entry = live.entry("place", PIT)
    kenji = live.person("kenji2", Grant("translator", scopes=("ja",)))
    page = windows.open(live, kenji, f"/studio/entries/{entry}/translate/ja")
    unit = page.locator('[data-unit="lead"]')
    unit.locator("textarea").fill("が高い")
    unit.locator("textarea").press("Home")
    unit.locator("[data-insert]").first.click()
    expect(unit.locator("textarea")).to_have_value("竪坑櫓が高い")
    page.keyboard.press("Control+z")
    expect(unit.locator("textarea")).to_have_value("が高い")


def test_a_source_that_changes_while_one_translates_is_marked_after_saving(
    live: Live, windows: Windows
) -> None:
    entry = live.entry("place", PIT)
    kenji = live.person("kenji3", Grant("translator", scopes=("ja",)))
    page = windows.open(live, kenji, f"/studio/entries/{entry}/translate/ja")
    unit = page.locator('[data-unit="title"]')
    unit.locator("textarea").fill("デロワ坑")
    with live.write() as session:
        operation = {"op": "set", "path": "title", "scope": "fr", "value": "La fosse Delloye"}
        save_entry(session, SYSTEM, entry, 1, [operation], types=live.types)
    page.keyboard.press("Control+s")
    expect(unit).to_have_attribute("data-unit-status", "outdated")
    expect(unit.locator("[data-source-text]")).to_have_text("La fosse Delloye")
    expect(unit.locator(".unit__changed ins")).to_have_text("La fosse")
    unit.locator('[data-claim="translated"]').click()
    expect(unit).to_have_attribute("data-unit-status", "translated")
    expect(unit.locator(".unit__changed")).to_be_hidden()
    assert windows.faults == []


def test_arabic_is_written_from_right_to_left_in_its_column_alone(
    live: Live, windows: Windows
) -> None:
    entry = live.entry("place", {**PIT, ("title", "ar"): "بئر ديلوا"})
    ada = live.person("ada4", Grant("admin"))
    page = windows.open(live, ada, f"/studio/entries/{entry}/translate/ar")
    unit = page.locator('[data-unit="title"]')
    for place, direction in (("textarea", "rtl"), ("[data-source-text]", "ltr")):
        shown = unit.locator(place).evaluate("one => getComputedStyle(one).direction")
        assert shown == direction
    source, target = (unit.locator(side).bounding_box() for side in (".unit__source", "textarea"))
    assert source is not None
    assert target is not None
    assert source["x"] < target["x"]
