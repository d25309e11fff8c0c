"""Lists of entries: what they find, what they show of languages, what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.approvals import approve
from content_api.content.models import ReviewRequest
from content_api.content.service import save_entry
from content_api.packages.service import save_package
from tests.studio.conftest import Studio, StudioClient, count_queries

LIST = "/studio/entries/"
GRID = "/studio/entries/matrix"


def place(studio: Studio, entry_id: str, **titles: str) -> str:
    """A place with titles by language."""
    values = {("title", tag.replace("_", "-")): text for tag, text in titles.items()}
    return studio.entry("place", values, entry_id=entry_id)


def ids(page: Any) -> list[str]:
    """The entries of a list, in its order."""
    return [str(box) for box in page.xpath("//input[@name='ids']/@value")]


@pytest.fixture
def reader(studio: Studio) -> StudioClient:
    """Somebody who may only read."""
    return studio.person("reader", Grant("reader"))


def test_two_characters_accents_and_the_polish_l_find(studio: Studio, reader: StudioClient) -> None:
    place(studio, "mine", fr="Mine à ciel ouvert", ja="三池炭鉱の竪坑")
    place(studio, "lodz", fr="Łódź")
    place(studio, "herne", fr="Hérne", ar="منجم الفحم")
    for words, found in (
        ("炭鉱", ["mine"]),
        ("鉱炭", []),
        ("lodz", ["lodz"]),
        ("ŁÓDŹ", ["lodz"]),
        ("herne", ["herne"]),
        ("الفحم", ["herne"]),
        ("a ciel", ["mine"]),
    ):
        assert ids(reader.page(f"{LIST}?q={words}")) == found, words


def test_filters_narrow_together_and_the_address_says_all(
    studio: Studio, reader: StudioClient
) -> None:
    place(studio, "both", fr="Fosse", ja="坑")
    place(studio, "french", fr="Terril")
    studio.entry("story", {("title", "fr"): "Récit"}, entry_id="tale")
    assert ids(reader.page(f"{LIST}?type=place&language=ja&state=missing")) == ["french"]
    assert ids(reader.page(f"{LIST}?language=ja&state=translated")) == ["both"]
    assert sorted(ids(reader.page(f"{LIST}?language=ja&state=missing"))) == ["french", "tale"]
    page = reader.page(f"{LIST}?type=place&language=ja&state=missing&order=title")
    chosen = page.xpath("//form[@role='search']//option[@selected]/@value")
    assert chosen == ["place", "ja", "missing", "", "title"]
    # What is no more is not asked, rather than refused: addresses are kept for years.
    assert len(ids(reader.page(f"{LIST}?type=gone&language=xx&state=odd&package=none"))) == 3
    assert reader.get(f"{LIST}?after=nonsense").status_code == 400


def test_approval_is_told_by_language_and_by_what_changed_since(
    studio: Studio, reader: StudioClient
) -> None:
    place(studio, "pit", fr="Fosse", en="Pit")
    with studio.write() as session:
        approve(session, SYSTEM, "pit", "fr", 1, types=studio.types)
        approve(session, SYSTEM, "pit", "en", 1, types=studio.types)
        change = [{"op": "set", "path": "title", "scope": "en", "value": "The pit"}]
        save_entry(session, SYSTEM, "pit", 1, change, types=studio.types)
    assert ids(reader.page(f"{LIST}?language=fr&state=approved")) == ["pit"]
    assert ids(reader.page(f"{LIST}?language=fr&state=changed")) == []
    assert ids(reader.page(f"{LIST}?language=en&state=changed")) == ["pit"]
    place(studio, "new", fr="Neuf")
    assert ids(reader.page(f"{LIST}?language=fr&state=draft")) == ["new"]


def test_a_package_and_a_person_narrow_too(studio: Studio) -> None:
    place(studio, "inside", fr="Dedans")
    place(studio, "outside", fr="Dehors")
    editor = studio.person("editor", Grant("editor"))
    with studio.write() as session:
        body = {
            "title": {"fr": "Visite"},
            "languages": ["fr"],
            "default_language": "fr",
            "profiles": ["tablet"],
            "sections": [
                {"id": "one", "title": {"fr": "Un"}, "view": "list", "entries": ["inside"]}
            ],
        }
        save_package(session, SYSTEM, "visit", body, expected=None)
        change = [{"op": "set", "path": "title", "scope": "fr", "value": "Au-dehors"}]
        save_entry(session, editor.actor, "outside", 1, change, types=studio.types)
    assert ids(editor.page(f"{LIST}?package=visit")) == ["inside"]
    assert ids(editor.page(f"{LIST}?mine=1")) == ["outside"]


@pytest.mark.parametrize("order", ["newest", "title", "id"])
def test_pages_follow_each_other_without_a_gap(
    studio: Studio, reader: StudioClient, order: str
) -> None:
    for number in range(120):
        place(studio, f"e{number:03}", fr=f"Même titre {number % 3}")
    address, seen = f"{LIST}?order={order}", []
    for _ in range(3):
        page = reader.page(address)
        seen += ids(page)
        following = page.xpath("//nav[contains(@class, 'pager')]//a[@rel='next']/@href")
        address = str(following[0]) if following else ""
    assert address == ""
    assert len(seen) == 120
    assert len(set(seen)) == 120


def test_marks_say_in_words_what_their_colours_say(studio: Studio, reader: StudioClient) -> None:
    place(studio, "pit", fr="Fosse", en="Pit")
    for address, mark in ((LIST, "entry-chip"), (GRID, "entry-square")):
        page = reader.page(address)
        marks = page.xpath(f"//tbody//a[contains(@class, '{mark}')]")
        said = {str(link.get("href")): str(link.get("title")) for link in marks}
        for link in marks:
            assert link.text_content().endswith(f" {link.get('title')}")
        assert said["/studio/entries/pit/"] == "French: never approved"
        assert said["/studio/entries/pit/translate/en"] == "English: translated, not reviewed (1)"
        assert said["/studio/entries/pit/translate/ja"] == "Japanese: missing (1)"
        shapes = {str(use.get("href")).split("#")[-1] for use in page.xpath("//tbody//use")}
        assert {"status-missing", "status-translated", "status-draft"} <= shapes


def test_the_grid_counts_the_entries_that_need_work(studio: Studio, reader: StudioClient) -> None:
    place(studio, "one", fr="Un", ja="一")
    place(studio, "two", fr="Deux")
    links = reader.page(f"{GRID}?type=place").xpath("//tfoot//a")
    said = {str(link.get("title")): str(link.get("href")) for link in links}
    address = said["Japanese: missing (1)"]
    assert address == "/studio/entries/?type=place&language=ja&state=missing&order=title"
    assert ids(reader.page(address)) == ["two"]


def test_a_title_in_another_language_is_marked(studio: Studio, reader: StudioClient) -> None:
    place(studio, "pit", fr="Fosse")
    link = reader.page(LIST).xpath("//th[@scope='row']/a")[0]
    assert (link.get("lang"), link.text) == ("fr", "Fosse")
    assert link.getnext().text == "fr"


def costs(studio: Studio, reader: StudioClient) -> dict[str, tuple[int, int]]:
    """Queries and rows of each kind of page."""
    found = {}
    for address in (LIST, GRID, f"{LIST}?language=ja&state=missing&order=title"):
        reader.get(address)
        with count_queries(studio.engine) as statements:
            page = reader.page(address)
        found[address] = len(statements), len(page.xpath("//tbody/tr"))
    return found


def test_queries_do_not_grow_with_the_rows(studio: Studio, reader: StudioClient) -> None:
    for number in range(5):
        place(studio, f"e{number:03}", fr=f"Titre {number}")
    few = costs(studio, reader)
    for number in range(5, 50):
        place(studio, f"e{number:03}", fr=f"Titre {number}")
    many = costs(studio, reader)
    for address in few:
        assert (few[address][1], many[address][1]) == (5, 50)
        assert few[address][0] == many[address][0], address


def test_chosen_entries_are_sent_to_review_in_the_languages_one_writes(studio: Studio) -> None:
    place(studio, "pit", fr="Fosse", ja="坑")
    translator = studio.person("mika", Grant("translator", scopes=("ja",)))
    answer = translator.post(
        "/studio/entries/ask-review", data={"ids": ["pit"], "next": "/studio/entries/?type=place"}
    )
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/studio/entries/?type=place"
    with studio.write() as session:
        assert session.get(ReviewRequest, ("pit", "ja")) is not None
        assert session.get(ReviewRequest, ("pit", "fr")) is None
        approve(session, SYSTEM, "pit", "ja", 1, types=studio.types)
    translator.post("/studio/entries/ask-review", data={"ids": ["pit"]})
    with studio.write() as session:
        assert session.get(ReviewRequest, ("pit", "ja")) is None


def test_what_one_may_not_do_is_not_offered(studio: Studio, reader: StudioClient) -> None:
    place(studio, "pit", fr="Fosse")
    page = reader.page(LIST)
    assert not page.xpath("//a[contains(@href, '/studio/entries/new')]")
    assert not page.xpath("//button[contains(., 'review')]")
    assert reader.post("/studio/entries/ask-review", data={"ids": "pit"}).status_code == 403
    editor = studio.person("editor", Grant("editor", types=("place",)))
    made = editor.page(LIST).xpath("//a[contains(@href, '/studio/entries/new')]/@href")
    assert made == ["/studio/entries/new?type=place"]
    studio.entry("story", {("title", "fr"): "Récit"}, entry_id="tale")
    assert ids(editor.page(LIST)) == ["pit"]
    assert ids(editor.page(f"{LIST}?type=story")) == ["pit"]


def test_nothing_found_says_what_to_do(studio: Studio, reader: StudioClient) -> None:
    assert "There are no entries yet." in reader.get(LIST).text
    assert "Take a filter away" in reader.get(f"{LIST}?q=coal").text
    assert "Take a filter away" in reader.get(f"{GRID}?q=coal").text


def test_a_part_is_answered_where_a_part_is_asked(studio: Studio, reader: StudioClient) -> None:
    place(studio, "pit", fr="Fosse")
    answer = reader.get(LIST, headers={"HX-Request": "true"})
    assert "<html" not in answer.text
    assert 'value="pit"' in answer.text
