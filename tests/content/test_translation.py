"""Translation status: read from hashes, so it follows the texts back and forth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.claims import make_claim, status_readers, translation_status
from content_api.content.listing import list_entries
from content_api.content.service import create_entry, restore_revision, save_entry
from content_api.content.translation import difference, text_hash
from content_api.content.working_copies import put_working_copy
from content_api.problems import Forbidden, NotFound, PreconditionFailed, Refused

from .conftest import person, put


@pytest.fixture
def desk(content, types):
    """A place in French and Japanese, and what its translations are worth."""

    class Desk:
        rev = 1

        def save(self, *operations, minor=()):
            saved = save_entry(
                content, SYSTEM, "port", self.rev, operations, minor=minor, types=types
            )
            self.rev = saved.rev
            return saved

        def status(self, tag="ja", path="title"):
            found = translation_status(content, "port", [tag], types=types)[tag]
            return next((text.status for text in found if text.path == path), None)

        def review(self, tag="ja", path="title"):
            make_claim(content, SYSTEM, "port", path, tag, "reviewed", types=types)

    create_entry(
        content, SYSTEM, "place", [put("title", "fr", "Le port")], entry_id="port", types=types
    )
    return Desk()


def test_a_text_is_missing_then_translated_then_reviewed(desk):
    assert desk.status() == "missing"
    desk.save(put("title", "ja", "港"))
    assert desk.status() == "translated"
    desk.review()
    assert desk.status() == "reviewed"


def test_a_changed_source_makes_its_translations_outdated_and_shows_what_changed(
    desk, content, types
):
    desk.save(put("title", "ja", "港"))
    desk.save(put("title", "fr", "Le grand port"))
    [text] = translation_status(content, "port", ["ja"], types=types)["ja"]
    assert text.status == "outdated"
    assert [(part.op, part.text) for part in text.changes] == [
        ("equal", "Le "),
        ("insert", "grand "),
        ("equal", "port"),
    ]


def test_a_cosmetic_change_outdates_nothing(desk):
    desk.save(put("lead", "fr", "Un port. Une grue."), put("lead", "ja", "港。"))
    desk.review(path="lead")
    desk.save(put("lead", "fr", "Un  port.\nUne grue."))
    assert desk.status(path="lead") == "reviewed"


def test_a_working_copy_outdates_nothing(desk, content):
    desk.save(put("title", "ja", "港"))
    put_working_copy(content, SYSTEM, "port", 2, [put("title", "fr", "Tout autre chose")])
    assert desk.status() == "translated"


def test_a_minor_edit_carries_translations_forward(desk):
    desk.save(put("title", "ja", "港"))
    desk.review()
    desk.save(put("title", "fr", "Le Port"), minor=["title"])
    assert desk.status() == "reviewed"
    desk.save(put("title", "fr", "La mine"))
    assert desk.status() == "outdated"


def test_a_translation_of_a_source_that_changed_meanwhile_is_outdated_when_it_is_saved(
    desk, content, types
):
    desk.save(put("title", "fr", "Le grand port"))
    save_entry(content, SYSTEM, "port", 1, [put("title", "ja", "港")], types=types)
    (text,) = translation_status(content, "port", ["ja"], types=types)["ja"]
    assert (text.status, text.value) == ("outdated", "港")
    assert [(part.op, part.text) for part in text.changes] == [
        ("equal", "Le "),
        ("insert", "grand "),
        ("equal", "port"),
    ]


def test_a_source_that_was_written_after_its_translation_outdates_it(desk, content, types):
    desk.save(put("lead", "fr", "Un port."))
    save_entry(content, SYSTEM, "port", 1, [put("lead", "ja", "港。")], types=types)
    assert desk.status(path="lead") == "outdated"


def test_source_and_translation_saved_together_on_an_older_revision_belong_together(
    desk, content, types
):
    desk.save(put("lead", "fr", "Lewarde"))
    operations = [put("title", "fr", "Le vieux port"), put("title", "ja", "古い港")]
    save_entry(content, SYSTEM, "port", 1, operations, types=types)
    assert desk.status() == "translated"


def test_what_was_not_seen_is_not_called_right(desk, content, types):
    desk.save(put("title", "ja", "港"))
    desk.save(put("title", "fr", "Le grand port"))
    claim = ("port", "title", "ja", "translated")
    with pytest.raises(PreconditionFailed, match="after version 2"):
        make_claim(content, SYSTEM, *claim, seen_rev=2, types=types)
    assert desk.status() == "outdated"
    desk.save(put("title", "pl", "Port"))
    make_claim(content, SYSTEM, *claim, seen_rev=3, types=types)
    assert desk.status() == "translated"


def test_a_minor_edit_does_not_make_an_outdated_text_current(desk):
    desk.save(put("title", "ja", "港"))
    desk.save(put("title", "fr", "La mine"))
    desk.save(put("title", "fr", "La Mine"), minor=["title"])
    assert desk.status() == "outdated"


def test_putting_the_old_source_back_brings_the_old_status_back(desk):
    desk.save(put("title", "ja", "港"))
    desk.review()
    desk.save(put("title", "fr", "La mine"))
    assert desk.status() == "outdated"
    desk.save(put("title", "fr", "Le port"))
    assert desk.status() == "reviewed"


def test_restoring_a_revision_restores_its_translation_status(desk, content, types):
    desk.save(put("title", "ja", "港"))
    desk.review()
    desk.save(put("title", "ja", "炭鉱"), put("title", "fr", "La mine"))
    assert desk.status() == "translated"
    restore_revision(content, SYSTEM, "port", 2, types=types)
    assert desk.status() == "reviewed"


def test_an_intentionally_empty_translation_is_a_decision(desk):
    desk.save(put("title", "ja", None))
    desk.save(put("title", "fr", "Autre"))
    assert desk.status() == "translated"


def test_a_translation_of_a_translation_is_outdated_with_it(desk):
    desk.save(put("title", "en", "The port"))
    desk.save(put("title", "pl", "Port"))  # Polish is translated from English
    assert desk.status("pl") == "translated"
    desk.save(put("title", "fr", "La mine"))
    assert (desk.status("en"), desk.status("pl")) == ("outdated", "outdated")
    desk.save(put("title", "en", "The mine"))
    assert (desk.status("en"), desk.status("pl")) == ("translated", "outdated")


def test_the_original_language_has_no_translation_status(desk, content, types):
    assert "fr" not in translation_status(content, "port", types=types)


def test_machine_and_reviewed_are_said_by_those_who_may(desk, content, types):
    desk.save(put("title", "ja", "港"))
    translator = person(Grant("translator", scopes=("ja",)))
    make_claim(content, translator, "port", "title", "ja", "machine", types=types)
    assert desk.status() == "machine"
    with pytest.raises(Forbidden):
        make_claim(content, translator, "port", "title", "ja", "reviewed", types=types)
    with pytest.raises(NotFound):
        make_claim(content, SYSTEM, "port", "lead", "ja", "reviewed", types=types)
    with pytest.raises(Refused):
        make_claim(content, SYSTEM, "port", "title", "fr", "reviewed", types=types)


def test_a_list_reads_its_status_in_few_queries_whatever_its_length(content, types, engine):
    for number in range(40):
        create_entry(
            content,
            SYSTEM,
            "place",
            [put("title", "fr", f"Lieu {number}"), put("title", "ja", f"場所 {number}")],
            entry_id=f"lieu-{number:02}",
            types=types,
        )
    counted = []
    event.listen(engine, "after_cursor_execute", lambda *args: counted.append(args[2]))
    rows = list_entries(content, SYSTEM, limit=40, types=types)
    assert len(rows) == 40
    assert rows[0].translations["ja"] == {"translated": 1}
    assert rows[0].translations["en"] == {"missing": 1}
    assert len(counted) <= 8


def test_a_list_by_status_pages_through_everything(content, types):
    for number in range(9):
        operations = [put("title", "fr", f"Lieu {number}")]
        if number % 2:
            operations.append(put("title", "ja", "場所"))
        create_entry(content, SYSTEM, "place", operations, entry_id=f"l-{number}", types=types)
    found, after = [], None
    while True:
        rows = list_entries(
            content, SYSTEM, language="ja", status="missing", limit=2, after=after, types=types
        )
        found += [row.id for row in rows[:2]]
        if len(rows) <= 2:
            break
        after = (found[-1],)
    assert found == ["l-0", "l-2", "l-4", "l-6", "l-8"]


def test_an_entry_without_texts_has_an_empty_status(content, types):
    create_entry(content, SYSTEM, "place", [], entry_id="vide", types=types)
    assert status_readers(content, ["vide"])["vide"].statuses("ja") == {}


def test_a_difference_in_japanese_is_by_characters():
    parts = [(part.op, part.text) for part in difference("古い炭鉱です", "新しい炭鉱です")]
    assert ("equal", "い炭鉱です") in parts
    assert ("delete", "古") in parts


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_difference_holds_both_texts_whole(before, after):
    parts = difference(before, after)
    assert "".join(part.text for part in parts if part.op != "insert") == before
    assert "".join(part.text for part in parts if part.op != "delete") == after


def test_the_hash_of_a_text_sees_what_a_reader_sees():
    assert text_hash("E\u0301cluse  du\nport") == text_hash("\u00c9cluse du port ")
    assert text_hash("port") != text_hash("Port")
    assert text_hash(None) != text_hash("")
