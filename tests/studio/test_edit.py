"""The page an entry is written on: its form, what is kept, saving, merging, who is here."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.document import (
    SHARED,
    apply_operations,
    changed_pairs,
    flatten,
    operations_between,
    unflatten,
)
from content_api.content.models import Entry, Presence, WorkingCopy
from content_api.content.presence import FRESH
from content_api.content.service import get_revision, save_entry
from content_api.content.types import KINDS, load_types
from content_api.content.working_copies import find_working_copy, put_working_copy
from content_api.database import utc_now
from content_api.studio.edit.form import Column, build_form, choose_columns
from content_api.studio.edit.merging import combine_orders, lay_over, reconcile, repaired
from content_api.studio.pages import field_anchor
from tests.studio.conftest import MEDIA, Studio, StudioClient, count_queries
from tests.studio.hostile import PAYLOADS

EDITOR = Grant("editor")


def operation(op: str, path: str, value: Any = None, scope: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"op": op, "path": path}
    if op != "unset" and op != "remove_block":
        found["value"] = value
    if scope:
        found["scope"] = scope
    return found


def add_block(block: str, kind: str = "paragraph", after: str | None = None) -> dict[str, Any]:
    return operation("insert_block", f"story.{block}", {"type": kind, "after": after})


def write(block: str, text: str, scope: str = "fr") -> dict[str, Any]:
    return operation("set", f"story.{block}.text", text, scope)


def save(person: StudioClient, entry: str, rev: int, *operations: Any, **more: Any) -> Any:
    body = {"expected_rev": rev, "operations": list(operations), **more}
    return person.post(f"/studio/entries/{entry}/save", json=body)


def keep(person: StudioClient, entry: str, rev: int, *operations: Any) -> Any:
    body = {"base_rev": rev, "operations": list(operations)}
    return person.post(f"/studio/entries/{entry}/working-copy", method="PUT", json=body)


def cell(page: Any, path: str, scope: str) -> Any:
    found = page.xpath(f'//*[@data-cell][@data-path="{path}"][@data-scope="{scope}"]')
    assert len(found) == 1, (path, scope)
    return found[0]


@pytest.fixture
def ann(studio: Studio) -> StudioClient:
    return studio.person("ann", EDITOR)


@pytest.fixture
def ben(studio: Studio) -> StudioClient:
    return studio.person("ben", EDITOR)


@pytest.fixture
def place(studio: Studio) -> str:
    """A place with two paragraphs; b1 has Japanese too."""
    entry = studio.entry(
        "place", {("title", "fr"): "Fosse 9-9 bis", ("kind", "*"): "pit"}, entry_id="fosse"
    )
    with studio.write() as session:
        operations = [
            add_block("b1"),
            add_block("b2", after="b1"),
            write("b1", "Un"),
            write("b1", "一", "ja"),
            write("b2", "Deux"),
        ]
        save_entry(session, SYSTEM, entry, 1, operations, types=studio.types)
    return entry


# -- The form --------------------------------------------------------------------------------


@pytest.mark.parametrize("type_id", sorted(load_types(MEDIA / "types").types))
def test_every_type_has_a_control_for_every_field(
    studio: Studio, ann: StudioClient, type_id: str
) -> None:
    kind = studio.types.type(type_id)
    entry = studio.entry(type_id, {})
    if type_id == "asset":
        assert ann.get(f"/studio/entries/{entry}/").headers["Location"] == f"/studio/media/{entry}/"
        return
    page = ann.page(f"/studio/entries/{entry}/?languages=fr,ja")
    for field in kind.fields:
        if field.kind == "blocks":
            story = page.xpath(f'//*[@data-story="{field.id}"]')[0]
            offered = story.xpath(".//template/@data-template")
            assert offered == list(field.of)
            for block in field.of:
                made = story.xpath(f'.//template[@data-template="{block}"]')[0]
                for inner in studio.types.block(block).fields:
                    path = f"{field.id}.__id__.{inner.id}"
                    assert made.xpath(f'.//*[@data-path="{path}"]//*[@name]'), path
            continue
        for scope in ("fr", "ja") if field.localized else ("*",):
            found = cell(page, field.id, scope)
            assert found.get("data-kind") == field.kind
            assert found.xpath(f'.//*[@id="{field_anchor(field.id, scope)}"]'), field.id
            names = {one.get("name") for one in found.xpath(".//*[@name]")}
            assert names == {f"{field.id}@{scope}"}


def test_every_kind_of_field_has_its_control() -> None:
    shown = (MEDIA.parent / "content_api/studio/templates/edit/fields.html").read_text()
    for kind in KINDS:
        if kind not in ("blocks", "text", "inline", "markdown"):
            assert f'"{kind}"' in shown, kind


def test_languages_are_columns_and_are_remembered(ann: StudioClient, place: str) -> None:
    page = ann.page(f"/studio/entries/{place}/")
    assert page.xpath('//*[@data-path="title"]/@data-scope') == ["fr"]
    page = ann.page(f"/studio/entries/{place}/?languages=fr,ar,nonsense")
    assert page.xpath('//*[@data-path="title"]/@data-scope') == ["fr", "ar"]
    for scope, direction in (("fr", "ltr"), ("ar", "rtl")):
        area = cell(page, "title", scope).xpath(".//textarea")[0]
        assert (area.get("lang"), area.get("dir")) == (scope, direction)
    again = ann.page(f"/studio/entries/{place}/")
    assert again.xpath('//*[@data-path="title"]/@data-scope') == ["fr", "ar"]


def test_a_fallback_is_never_a_value(studio: Studio, ann: StudioClient) -> None:
    entry = studio.entry("place", {("title", "en"): "Pit", ("title", "ja"): None})
    page = ann.page(f"/studio/entries/{entry}/?languages=fr,ja,de")
    for scope in ("fr", "ja", "de"):
        assert (cell(page, "title", scope).xpath(".//textarea")[0].text or "").strip() == ""
    assert cell(page, "title", "de").get("data-chain").split(",")[0] == "en"
    empty = {
        scope: bool(cell(page, "title", scope).xpath(".//input[@data-empty]/@checked"))
        for scope in ("fr", "ja", "de")
    }
    assert empty == {"fr": False, "ja": True, "de": False}


def test_what_a_release_needs_is_hinted_and_blocks_nothing(
    studio: Studio, ann: StudioClient
) -> None:
    entry = studio.entry("place", {("title", "en"): "Pit"})
    page = ann.page(f"/studio/entries/{entry}/?languages=de,ja")

    def needed(path: str, scope: str) -> bool:
        return cell(page, path, scope).xpath(".//*[@data-needed]")[0].get("hidden") is None

    assert needed("coords", "*")
    assert needed("kind", "*")
    assert not needed("title", "de")  # English is shown
    assert save(ann, entry, 1, operation("set", "title", "x" * 500, "fr")).status_code == 200


def test_a_person_sees_to_read_what_they_may_not_write(studio: Studio, place: str) -> None:
    translator = studio.person("kei", Grant("translator", scopes=("ja",)))
    page = translator.page(f"/studio/entries/{place}/")
    assert page.xpath('//*[@data-path="title"]/@data-scope') == ["fr", "ja"]
    assert cell(page, "title", "fr").xpath(".//textarea")[0].get("readonly") is not None
    assert cell(page, "title", "ja").xpath(".//textarea")[0].get("readonly") is None
    assert cell(page, "kind", "*").xpath(".//select")[0].get("disabled") is not None
    assert page.xpath("//template") == []
    assert page.xpath("//*[@data-handle]") == []
    assert "What all languages share" in page.text_content()
    assert save(translator, place, 2, operation("set", "title", "x", "fr")).status_code == 403
    assert save(translator, place, 2, operation("set", "title", "坑", "ja")).status_code == 200


def test_a_reader_reads_and_a_type_may_be_kept_from_them(studio: Studio, place: str) -> None:
    reader = studio.person("rea", Grant("reader"))
    page = reader.page(f"/studio/entries/{place}/")
    assert page.xpath("//*[@data-save]") == []
    assert "Your roles do not let you write it" in page.text_content()
    assert save(reader, place, 2).status_code == 403
    assert keep(reader, place, 2).status_code == 403
    stories = studio.person("sto", Grant("editor", types=("story",)))
    assert stories.get(f"/studio/entries/{place}/").status_code == 403
    for path in ("save", "working-copy", "differences", "presence", "duplicate"):
        method = "PUT" if path == "working-copy" else "POST"
        body = {"base_rev": 1, "expected_rev": 1, "operations": []}
        if path == "presence":
            body = {}
        if path in ("save", "differences", "working-copy"):
            body.pop("base_rev" if path == "save" else "expected_rev")
        answer = stories.post(f"/studio/entries/{place}/{path}", method=method, json=body)
        assert answer.status_code == 403, path


@pytest.mark.parametrize("text", PAYLOADS)
def test_hostile_text_is_text(studio: Studio, ann: StudioClient, text: str) -> None:
    entry = studio.entry("place", {("title", "fr"): text, ("company", "*"): text})
    page = ann.page(f"/studio/entries/{entry}/")
    said = {(p, s): v for p, s, v in json.loads(page.xpath("//@data-base")[0])}
    assert said["title", "fr"] == said["company", "*"] == text
    assert cell(page, "title", "fr").xpath(".//textarea")[0].text.strip() == text
    assert page.xpath("//h1")[0].text_content() == text
    assert page.xpath("//script[not(@src)] | //x-hacked | //*[@x-hacked] | //@onerror") == []
    # What is wrong comes back as text too.
    given = [operation("set", "precision_m", text)]
    assert keep(ann, entry, 1, *given).status_code == 200
    shown = cell(ann.page(f"/studio/entries/{entry}/"), "precision_m", "*")
    assert shown.xpath(".//input/@value") == [text]


def test_no_query_is_added_by_languages_references_or_blocks(
    studio: Studio, ann: StudioClient, place: str
) -> None:
    def asked(path: str) -> int:
        with count_queries(studio.engine) as queries:
            assert ann.get(path).status_code == 200
        return len(queries)

    one = studio.entry("place", {("title", "fr"): "Lieu"})
    assert save(ann, place, 2, operation("set", "related", [one])).status_code == 200
    asked(f"/studio/entries/{place}/")
    few = asked(f"/studio/entries/{place}/?languages=fr")
    related = [studio.entry("place", {("title", "fr"): f"Lieu {n}"}) for n in range(12)]
    operations = [operation("set", "related", related)]
    operations += [add_block(f"c{n}", "map") for n in range(8)]
    operations += [operation("set", f"story.c{n}.places", related[: n + 1]) for n in range(8)]
    assert save(ann, place, 3, *operations).status_code == 200
    many = asked(f"/studio/entries/{place}/?languages=fr,ja,ar,de")
    assert many == few
    assert many <= 10


# -- A new entry -----------------------------------------------------------------------------


def test_a_new_entry_begins_with_its_title(studio: Studio, ann: StudioClient) -> None:
    page = ann.page("/studio/entries/new?type=place")
    assert page.xpath('//input[@name="type"][@checked]/@value') == ["place"]
    assert "asset" not in page.xpath('//input[@name="type"]/@value')
    answer = ann.post(
        "/studio/entries/new", data={"type": "place", "title": "Fosse Renard", "language": "fr"}
    )
    assert answer.status_code == 303
    page = ann.page(answer.headers["Location"])
    assert page.xpath("//h1")[0].text_content() == "Fosse Renard"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"title": "x", "language": "fr"}, "Choose what you want to write."),
        ({"type": "asset", "title": "x", "language": "fr"}, "Choose what you want to write."),
        ({"type": "place", "title": " ", "language": "fr"}, "Give it a title"),
        ({"type": "place", "title": "garder ceci", "language": "xx"}, "expected the scope"),
        ({"type": "place", "title": "a\x00b", "language": "fr"}, "control characters"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_made(
    studio: Studio, ann: StudioClient, form: dict[str, str], said: str
) -> None:
    answer = ann.post("/studio/entries/new", data=form)
    assert answer.status_code == 422
    assert said in answer.text
    assert "\x00" in form["title"] or form["title"].strip() in answer.text
    with studio.write() as session:
        assert session.query(Entry).count() == 0


def test_somebody_is_offered_what_they_may_write(studio: Studio) -> None:
    kei = studio.person("kei", Grant("translator", scopes=("ja",), types=("story",)))
    page = kei.page("/studio/entries/new")
    assert page.xpath('//input[@name="type"]/@value') == ["story"]
    assert page.xpath('//input[@name="language"]/@value') == ["ja"]
    media = studio.person("med", Grant("media"))
    assert media.page("/studio/entries/new").xpath('//input[@name="type"]') == []
    form = {"type": "place", "title": "x", "language": "ja"}
    assert kei.post("/studio/entries/new", data=form).status_code == 403


# -- Saving ----------------------------------------------------------------------------------


def test_a_save_is_one_revision_with_its_message(
    studio: Studio, ann: StudioClient, place: str
) -> None:
    keep(ann, place, 2, operation("set", "title", "Fosse", "fr"))
    answer = save(ann, place, 2, operation("set", "title", "Fosse", "fr"), message="Titre court")
    assert (answer.status_code, answer.json["rev"], answer.json["merged_with"]) == (200, 3, [])
    assert ["title", "fr", "Fosse"] in answer.json["document"]
    assert answer.json["title"] == "Fosse"
    with studio.write() as session:
        assert get_revision(session, place, 3).message == "Titre court"
        assert find_working_copy(session, ann.actor, place) is None


def test_a_value_that_cannot_be_read_names_its_place_and_changes_nothing(
    studio: Studio, ann: StudioClient, place: str
) -> None:
    good, bad = operation("set", "company", "Aniche"), operation("set", "precision_m", "environ 5")
    answer = save(ann, place, 2, good, bad)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/operations/1/value"
    with studio.write() as session:
        assert session.get_one(Entry, place).head_rev == 2


def test_a_minor_edit_leaves_translations_current(
    studio: Studio, ann: StudioClient, place: str
) -> None:
    from content_api.content.service import translation_status

    save(ann, place, 2, operation("set", "title", "坑", "ja"))
    save(ann, place, 3, operation("set", "title", "Fosse 9", "fr"), minor=["title"])
    save(ann, place, 4, write("b1", "Un !"))
    with studio.write() as session:
        found = translation_status(session, place, ["ja"], types=studio.types)["ja"]
    status = {text.path: text.status for text in found}
    assert status["title"] == "translated"
    assert status["story.b1.text"] == "outdated"


def test_two_people_on_different_fields_are_merged_and_told(
    ann: StudioClient, ben: StudioClient, place: str
) -> None:
    assert save(ben, place, 2, operation("set", "company", "Aniche")).status_code == 200
    answer = save(ann, place, 2, operation("set", "title", "Fosse", "fr"))
    assert answer.json["rev"] == 4
    assert answer.json["merged_with"] == ["Ben"]
    assert ["company", "*", "Aniche"] in answer.json["document"]


def test_two_people_adding_blocks_are_merged(
    ann: StudioClient, ben: StudioClient, place: str
) -> None:
    save(ben, place, 2, add_block("x1", after="b1"), write("x1", "Ben"))
    answer = save(ann, place, 2, add_block("y1", after="b2"), write("y1", "Ann"))
    assert answer.status_code == 200, answer.json
    assert ["story", "*", ["b1", "x1", "b2", "y1"]] in answer.json["document"]
    assert ["story.y1.text", "fr", "Ann"] in answer.json["document"]
    assert answer.json["merged_with"] == ["Ben"]


def test_two_people_on_one_field_are_asked(
    studio: Studio, ann: StudioClient, ben: StudioClient, place: str
) -> None:
    save(ben, place, 2, operation("set", "title", "Fosse 9 bis", "fr"))
    answer = save(
        ann,
        place,
        2,
        operation("set", "title", "Fosse neuf", "fr"),
        operation("set", "company", "Dourges"),
    )
    assert answer.status_code == 409
    assert answer.json["code"] == "edit-conflict"
    (made,) = answer.json["decisions"]
    assert (made["label"], made["language"], made["by"]) == ("Title", "French", "Ben")
    assert (made["base"], made["mine"]["text"]) == ("Fosse 9-9 bis", "Fosse neuf")
    assert made["theirs"]["text"] == "Fosse 9 bis"
    assert {op for op, _ in made["theirs"]["segments"]} == {"equal", "delete"}
    assert made["take_mine"] == [["title", "fr", "Fosse neuf"]]
    # What does not clash is in already; where it does, theirs stands until decided.
    assert ["company", "*", "Dourges"] in answer.json["merged"]
    assert ["title", "fr", "Fosse 9 bis"] in answer.json["merged"]
    with studio.write() as session:
        assert session.get_one(Entry, place).head_rev == 3


def test_a_block_removed_while_somebody_wrote_in_it_is_one_question(
    ann: StudioClient, ben: StudioClient, place: str
) -> None:
    save(ben, place, 2, write("b1", "Un et demi"))
    answer = save(ann, place, 2, operation("remove_block", "story.b1"))
    (made,) = answer.json["decisions"]
    assert (made["kind"], made["path"], made["label"]) == (
        "block",
        "story.b1",
        "Story › Paragraph 1",
    )
    assert made["mine"]["text"] == "(removed)"
    assert "Un et demi" in made["theirs"]["text"]
    assert answer.json["orders"] == {"story": ["b1", "b2"]}


def test_saving_again_from_an_unknown_revision_is_refused(ann: StudioClient, place: str) -> None:
    assert save(ann, place, 99).status_code == 412
    assert ann.post(f"/studio/entries/{place}/save", json={"operations": []}).status_code == 422
    assert ann.post(f"/studio/entries/{place}/save", json=[]).status_code in (400, 422)


# -- Unsaved work ----------------------------------------------------------------------------


def test_unsaved_work_is_laid_over_the_form_for_its_author_alone(
    ann: StudioClient, ben: StudioClient, place: str
) -> None:
    assert (
        keep(
            ann,
            place,
            2,
            operation("set", "title", "Fosse", "fr"),
            add_block("n1"),
            write("n1", "Trois"),
        ).status_code
        == 200
    )
    page = ann.page(f"/studio/entries/{place}/")
    assert cell(page, "title", "fr").xpath(".//textarea")[0].text.strip() == "Fosse"
    assert cell(page, "story.n1.text", "fr").xpath(".//textarea")[0].text.strip() == "Trois"
    assert len(page.xpath("//*[@data-unsaved-bar]")) == 1
    assert ben.page(f"/studio/entries/{place}/").xpath("//*[@data-unsaved-bar]") == []
    answer = ann.post(f"/studio/entries/{place}/working-copy", method="DELETE")
    assert answer.status_code == 204
    again = ann.post(f"/studio/entries/{place}/working-copy", method="DELETE")
    assert again.status_code == 204
    assert ann.page(f"/studio/entries/{place}/").xpath("//*[@data-unsaved-bar]") == []


def test_half_a_word_is_kept_as_it_was_typed(ann: StudioClient, place: str) -> None:
    keep(ann, place, 2, operation("set", "precision_m", "12 o"), operation("set", "kind", "gone"))
    page = ann.page(f"/studio/entries/{place}/")
    assert cell(page, "precision_m", "*").xpath(".//input")[0].get("value") == "12 o"
    assert cell(page, "kind", "*").xpath(".//option[@selected]/@value") == ["gone"]


def test_unsaved_work_follows_what_others_save(
    ann: StudioClient, ben: StudioClient, place: str
) -> None:
    keep(ann, place, 2, operation("set", "title", "Fosse", "fr"))
    save(ben, place, 2, operation("set", "company", "Aniche"))
    root = ann.page(f"/studio/entries/{place}/").xpath("//*[@data-rev]")[0]
    assert root.get("data-rev") == "3"
    assert ["company", "*", "Aniche"] in json.loads(root.get("data-mine"))
    assert ["title", "fr", "Fosse"] in json.loads(root.get("data-mine"))


def test_unsaved_work_that_clashes_stays_as_typed_until_saving(
    ann: StudioClient, ben: StudioClient, place: str
) -> None:
    keep(ann, place, 2, operation("set", "title", "Fosse", "fr"))
    save(ben, place, 2, operation("set", "title", "Puits", "fr"))
    root = ann.page(f"/studio/entries/{place}/").xpath("//*[@data-rev]")[0]
    assert root.get("data-rev") == "2"
    assert ["title", "fr", "Fosse"] in json.loads(root.get("data-mine"))


def test_differences_are_said_in_words(ann: StudioClient, studio: Studio, place: str) -> None:
    other = studio.entry("place", {("title", "fr"): "Le voisin"})
    given = {
        "base_rev": 2,
        "operations": [
            operation("set", "title", "Fosse 9 bis", "fr"),
            operation("set", "kind", "museum"),
            operation("set", "related", [other]),
            operation("set", "inscribed", True),
            operation("remove_block", "story.b2"),
        ],
    }
    answer: Any = ann.post(f"/studio/entries/{place}/differences", json=given).json
    items = answer["items"]
    (removed,) = [item for item in items if item["label"] == "Story › Paragraph 2"]
    assert removed["segments"] == [["delete", "fr: Deux"]]
    said = {
        item["label"]: "".join(t for op, t in item["segments"] if op != "delete") for item in items
    }
    assert said == {
        "Title": "Fosse 9 bis",
        "Kind": "Museum",
        "Inside the inscribed property": "yes",
        "Story › Paragraph 2": "",
        "See also": "Le voisin",
    }


def test_text_of_an_entry_that_is_gone_becomes_a_new_one(
    studio: Studio, ann: StudioClient, place: str
) -> None:
    with studio.write() as session:
        session.delete(session.get_one(Entry, place))
    assert save(ann, place, 2, write("b1", "x")).status_code == 404
    assert keep(ann, place, 2).status_code == 404
    body = {"type": "place", "operations": [operation("set", "title", "Sauvé", "fr")]}
    answer: Any = ann.post("/studio/entries/rescue", json=body).json
    assert ann.page(answer["url"]).xpath("//h1")[0].text_content() == "Sauvé"


# -- Who is here -----------------------------------------------------------------------------


def test_others_are_named_with_the_field_they_are_at(
    studio: Studio, ann: StudioClient, ben: StudioClient, place: str
) -> None:
    def at(person: StudioClient, where: str) -> Any:
        answer = person.post(f"/studio/entries/{place}/presence", json={"place": where})
        assert answer.status_code == 200, answer.text
        return answer.json

    assert at(ann, "title@fr")["people"] == []
    told = at(ben, "story.b2.text@ja")
    assert told["people"] == [{"name": "Ann", "where": "Title (French)"}]
    assert at(ann, "")["people"] == [
        {"name": "Ben", "where": "Story › Paragraph 2 › Text (Japanese)"}
    ]
    save(ben, place, 2, write("b2", "Deux !"))
    told = at(ann, "<script>@x")
    assert (told["rev"], told["saved_by"], told["mine"]) == (3, "Ben", False)
    assert ben.post(f"/studio/entries/{place}/presence", method="DELETE").status_code == 204
    assert at(ann, "")["people"] == []
    at(ben, "")
    with studio.write() as session:
        row = session.get_one(Presence, (place, ben.actor.id))
        row.seen_at = utc_now() - FRESH - timedelta(seconds=1)
    assert at(ann, "")["people"] == []


# -- Copies and deletion ---------------------------------------------------------------------


def test_a_duplicate_says_the_same_in_every_language(
    studio: Studio, ann: StudioClient, place: str
) -> None:
    answer = ann.post(f"/studio/entries/{place}/duplicate", data={})
    assert answer.status_code == 303
    copy = answer.headers["Location"].split("/")[-2]
    with studio.write() as session:
        one = flatten(get_revision(session, place, 2).body)
        other = flatten(get_revision(session, copy, 1).body)
    assert other.pop(("title", "fr")) == "Fosse 9-9 bis (2)"
    assert one.pop(("title", "fr")) == "Fosse 9-9 bis"
    assert other == one


def test_a_duplicate_leaves_out_what_its_maker_may_not_write(studio: Studio, place: str) -> None:
    fra = studio.person("fra", Grant("editor", scopes=("*", "fr")))
    answer = fra.post(f"/studio/entries/{place}/duplicate", data={})
    page = fra.page(answer.headers["Location"])
    assert "without Japanese" in page.text_content()
    only_fr = studio.person("only", Grant("editor", scopes=("fr",)))
    assert only_fr.post(f"/studio/entries/{place}/duplicate", data={}).status_code == 403


def test_an_entry_in_use_is_not_deleted_and_says_where(
    studio: Studio, ann: StudioClient, place: str
) -> None:
    other = studio.entry("story", {("title", "en"): "The pit", ("place", "*"): place})
    page = ann.page(f"/studio/entries/{place}/delete")
    assert "The pit" in page.text_content()
    assert page.xpath(f'//form[@action="/studio/entries/{place}/delete"]') == []
    assert ann.post(f"/studio/entries/{place}/delete", data={}).status_code == 409
    with studio.write() as session:
        assert session.get(Entry, place) is not None
    assert ann.post(f"/studio/entries/{other}/delete", data={}).status_code == 303
    assert ann.post(f"/studio/entries/{place}/delete", data={}).status_code == 303
    assert ann.get(f"/studio/entries/{place}/").status_code == 404


def test_review_is_asked_for_what_may_be_written(
    studio: Studio, ann: StudioClient, place: str
) -> None:
    from content_api.content.models import ReviewRequest

    path = f"/studio/entries/{place}/ask-review"
    assert ann.post(path, data={"scope": ["fr", "*"], "note": "Merci"}).status_code == 303
    with studio.write() as session:
        rows = session.query(ReviewRequest).order_by(ReviewRequest.scope).all()
        assert [(row.scope, row.rev, row.note) for row in rows] == [
            ("*", 2, "Merci"),
            ("fr", 2, "Merci"),
        ]
    ann.post(path, data={})
    assert "Choose at least one language" in ann.get(f"/studio/entries/{place}/").text
    kei = studio.person("kei", Grant("translator", scopes=("ja",)))
    assert kei.post(path, data={"scope": "fr"}).status_code == 403


# -- Putting together, pure ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "expected"),
    [
        ("abc", "abcx", "abcy", ("abcxy", True)),
        ("abc", "xabc", "abcy", ("xabcy", True)),
        ("abc", "ac", "abcy", ("acy", True)),
        ("abc", "cab", "abxc", ("cabx", True)),
        ("abc", "abxc", "cab", ("cabx", True)),
        ("abc", "cab", "cab", ("cab", True)),
        ("abc", "cab", "bac", ("bac", False)),
        ("", "x", "y", ("xy", True)),
        ("abc", "", "abc", ("", True)),
    ],
)
def test_orders_are_put_together(
    base: str, mine: str, theirs: str, expected: tuple[str, bool]
) -> None:
    found, decided = combine_orders(list(base), list(mine), list(theirs))
    assert ("".join(found), decided) == expected


STORY = {
    ("story", "*"): ["b1", "b2"],
    ("story.b1", "*"): "paragraph",
    ("story.b1.text", "fr"): "Un",
    ("story.b2", "*"): "paragraph",
}


def test_work_is_laid_over_as_operations_would_apply() -> None:
    types = load_types(MEDIA / "types")
    kind = types.type("place")
    operations = [
        add_block("n1", after="b1"),
        write("n1", "Nouveau"),
        operation("move_block", "story.b2", {"after": None}),
        operation("remove_block", "story.b1"),
        operation("set", "title", "T", "fr"),
    ]
    applied = apply_operations(types, kind, unflatten(STORY), operations, ["fr"])
    assert lay_over(STORY, operations, ["story"]) == flatten(applied)


def test_work_that_makes_no_sense_any_more_is_left_out() -> None:
    operations = [
        write("gone", "x"),
        operation("move_block", "story.gone", {"after": None}),
        operation("insert_block", "title.x", {"type": "paragraph"}),
        operation("insert_block", "story", {"type": "paragraph"}),
        {"op": "what", "path": None},
    ]
    assert lay_over(STORY, operations, ["story"]) == STORY


def test_what_does_not_clash_is_merged_as_the_service_does() -> None:
    mine = {**STORY, ("title", "fr"): "A"}
    theirs = {**STORY, ("title", "ja"): "B"}
    together = reconcile(STORY, mine, theirs, ["story"])
    assert together.decisions == ()
    assert together.flat == {**mine, **theirs}


def test_either_decision_on_a_removed_block_gives_a_whole_document() -> None:
    mine = {("story", "*"): ["b2"], ("story.b2", "*"): "paragraph"}
    theirs = {**STORY, ("story.b1.text", "ja"): "一"}
    together = reconcile(STORY, mine, theirs, ["story"])
    (made,) = together.decisions
    assert together.flat == theirs
    taken = dict(together.flat)
    for pair, value in made.mine.items():
        if value:
            taken[pair] = value[0]
        else:
            taken.pop(pair, None)
    assert repaired(taken, ["story"]) == mine


def test_a_form_of_every_type_takes_what_operations_make() -> None:
    types = load_types(MEDIA / "types")
    for kind in types:
        form = build_form(types, kind, {}, [Column("fr")], {"fr", SHARED})
        assert [item.field.id for item in form.items] == [field.id for field in kind.fields]
        assert operations_between({}, {}, kind) == []
    assert changed_pairs(STORY, STORY) == set()


def test_columns_are_the_original_and_one_that_may_be_written() -> None:
    sources = {"fr": None, "en": "fr", "ja": "en"}
    assert choose_columns([], sources, {"fr"}) == ["fr"]
    assert choose_columns([""], sources, {"ja"}) == ["fr", "ja"]
    assert choose_columns(["ja", "xx", "ja"], sources, {"ja"}) == ["ja"]
    assert choose_columns([], {}, set()) == []


def test_a_working_copy_is_one_persons(studio: Studio, place: str) -> None:
    with studio.write() as session:
        put_working_copy(session, SYSTEM, place, 2, [write("b1", "x")])
        assert find_working_copy(session, SYSTEM, place) is not None
        assert session.query(WorkingCopy).count() == 1
