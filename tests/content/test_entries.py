"""Entries: saving, merging, approving, restoring, deleting; on both databases."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from content_api.accounts.models import AuditRecord
from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.approvals import approval_log, approvals
from content_api.content.models import ContentTypeVersion, Reference, Revision
from content_api.content.service import (
    EditConflict,
    approve,
    approved_documents,
    create_entry,
    delete_entry,
    find_entry,
    get_revision,
    restore_revision,
    save_entry,
    where_used,
    withdraw,
)
from content_api.database import write_session
from content_api.languages.service import put_languages
from content_api.packages.service import save_package
from content_api.problems import Conflict, Forbidden, NotFound, PreconditionFailed, Refused

from .conftest import LANGUAGES, person, put


@pytest.fixture
def place(content, types):
    return create_entry(
        content, SYSTEM, "place", [put("title", "fr", "Le port")], entry_id="port", types=types
    )


def test_a_save_makes_a_revision_that_knows_what_it_touched(content, types, place):
    saved = save_entry(content, SYSTEM, "port", 1, [put("title", "ja", "港")], types=types)
    assert (saved.rev, saved.parent_rev, saved.touched) == (2, 1, [["title", "ja"]])
    assert saved.body["fields"]["title"] == {"fr": "Le port", "ja": "港"}
    assert get_revision(content, "port", 1).body["fields"]["title"] == {"fr": "Le port"}


def test_a_save_that_changes_nothing_makes_no_revision(content, types, place):
    same = save_entry(content, SYSTEM, "port", 1, [put("title", "fr", " Le port ")], types=types)
    assert same.rev == 1


def test_a_save_on_an_older_revision_keeps_what_came_between(content, types, place):
    save_entry(content, SYSTEM, "port", 1, [put("title", "pl", "Port")], types=types)
    saved = save_entry(content, SYSTEM, "port", 1, [put("title", "ja", "港")], types=types)
    assert saved.rev == 3
    assert saved.body["fields"]["title"] == {"fr": "Le port", "pl": "Port", "ja": "港"}


def test_two_saves_of_one_text_conflict_and_show_all_three(content, types, place):
    save_entry(content, SYSTEM, "port", 1, [put("title", "fr", "Leur port")], types=types)
    with pytest.raises(EditConflict) as caught:
        save_entry(content, SYSTEM, "port", 1, [put("title", "fr", "Mon port")], types=types)
    assert caught.value.details["conflicts"] == [
        {
            "path": "title",
            "scope": "fr",
            "base": "Le port",
            "mine": "Mon port",
            "theirs": "Leur port",
        }
    ]
    assert find_entry(content, "port").head_rev == 2


def test_a_revision_that_never_was_is_no_ground_to_save_on(content, types, place):
    for rev in (0, 9, 2**40):
        with pytest.raises(PreconditionFailed, match="1 to 1"):
            save_entry(content, SYSTEM, "port", rev, [put("title", "ja", "港")], types=types)


def in_threads(engine, *saves):
    """Run each save in a thread and transaction of its own, all released at one moment."""
    start = threading.Barrier(len(saves))
    outcomes: list[object] = [None] * len(saves)

    def run(place, save):
        start.wait()
        try:
            with write_session(engine) as session:
                outcomes[place] = save(session).rev
        except Exception as error:  # noqa: BLE001  the outcome is what is asked for
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(saves)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.fixture
def committed(engine, types):
    """A committed entry that threads of their own can save."""
    with write_session(engine) as session:
        put_languages(session, SYSTEM, LANGUAGES)
        create_entry(
            session, SYSTEM, "place", [put("title", "fr", "Le port")], entry_id="port", types=types
        )
    return engine


def saving(types, scope, text):
    return lambda session: save_entry(
        session, SYSTEM, "port", 1, [put("title", scope, text)], types=types
    )


def test_translators_of_different_languages_save_at_once_and_all_succeed(committed, types):
    outcomes = in_threads(
        committed, *(saving(types, scope, f"port {scope}") for scope in ("en", "ja", "pl"))
    )
    assert sorted(outcomes) == [2, 3, 4]
    with write_session(committed) as session:
        titles = get_revision(session, "port", 4).body["fields"]["title"]
    assert titles == {"fr": "Le port", "en": "port en", "ja": "port ja", "pl": "port pl"}


def test_of_two_who_change_one_text_at_once_one_is_told_of_both(committed, types):
    outcomes = in_threads(committed, saving(types, "ja", "港"), saving(types, "ja", "波止場"))
    conflict = next(outcome for outcome in outcomes if not isinstance(outcome, int))
    assert isinstance(conflict, EditConflict)
    [clash] = conflict.details["conflicts"]
    assert {clash["mine"], clash["theirs"]} == {"港", "波止場"}
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [2]


def test_of_two_who_make_one_entry_at_once_one_is_refused(committed, types):
    def make(session):
        return create_entry(session, SYSTEM, "place", [], entry_id="quai", types=types)

    outcomes = in_threads(committed, make, make)
    assert sorted(isinstance(outcome, Conflict) for outcome in outcomes) == [False, True]


def test_a_translator_saves_their_language_and_nothing_else(content, types, place):
    translator = person(Grant("translator", scopes=("ja",)))
    save_entry(content, translator, "port", 1, [put("title", "ja", "港")], types=types)
    for operation in (put("title", "fr", "x"), put("height", "*", 3)):
        with pytest.raises(Forbidden):
            save_entry(content, translator, "port", 2, [operation], types=types)
    assert find_entry(content, "port").head_rev == 2


def test_each_scope_is_approved_by_itself_and_published_from_its_own_revision(
    content, types, place
):
    save_entry(content, SYSTEM, "port", 1, [put("title", "fr", "Nouveau")], types=types)
    approve(content, SYSTEM, "port", "*", 1, types=types)
    approve(content, SYSTEM, "port", "fr", 1, types=types)
    approve(content, SYSTEM, "port", "ja", 2, types=types)  # empty: shown with its fallback
    documents = approved_documents(content, ["port", "nowhere"])
    assert set(documents) == {"port"}
    assert documents["port"]["fr"]["fields"]["title"]["fr"] == "Le port"
    assert documents["port"]["ja"]["fields"]["title"]["fr"] == "Nouveau"
    withdraw(content, SYSTEM, "port", "ja", types=types)
    assert set(approvals(content, ["port"])["port"]) == {"*", "fr"}
    moves = [(m.scope, m.from_rev, m.to_rev) for m in approval_log(content, "port")]
    assert moves[0] == ("ja", 2, None)
    assert len(moves) == 4


def test_approvals_name_a_language_and_a_revision_there_are(content, types, place):
    with pytest.raises(Refused, match="expected \\* or one of fr, en, ja, pl"):
        approve(content, SYSTEM, "port", "de", 1, types=types)
    with pytest.raises(NotFound, match="no revision 2"):
        approve(content, SYSTEM, "port", "fr", 2, types=types)
    reviewer = person(Grant("reviewer", scopes=("ja",)))
    with pytest.raises(Forbidden):
        approve(content, reviewer, "port", "*", 1, types=types)
    approve(content, reviewer, "port", "ja", 1, types=types)


def test_what_is_used_cannot_be_deleted(content, types, place):
    create_entry(
        content, SYSTEM, "place", [put("near", "*", ["port"])], entry_id="quai", types=types
    )
    with pytest.raises(Conflict) as caught:
        delete_entry(content, SYSTEM, "port")
    assert caught.value.details["used_by"] == [
        {"kind": "entry", "id": "quai", "type": "place", "path": "near"}
    ]
    save_entry(content, SYSTEM, "quai", 1, [put("near", "*", [])], types=types)
    delete_entry(content, SYSTEM, "port")
    assert find_entry(content, "port") is None
    assert not content.scalar(select(func.count()).where(Revision.entry_id == "port"))


def test_what_an_approved_revision_names_counts_as_used_too(content, types, place):
    create_entry(
        content, SYSTEM, "place", [put("near", "*", ["port"])], entry_id="quai", types=types
    )
    approve(content, SYSTEM, "quai", "*", 1, types=types)
    save_entry(content, SYSTEM, "quai", 1, [put("near", "*", [])], types=types)
    assert [use.id for use in where_used(content, "port")] == ["quai"]
    withdraw(content, SYSTEM, "quai", "*", types=types)
    assert where_used(content, "port") == []


def test_an_entry_in_a_package_is_used(content, types, place):
    body = {
        "languages": ["fr"],
        "default_language": "fr",
        "profiles": ["tablet"],
        "sections": [{"id": "places", "view": "map", "entries": ["port"]}],
    }
    save_package(content, SYSTEM, "harbour", body, expected=None)
    with pytest.raises(Conflict, match="port is used by package harbour"):
        delete_entry(content, SYSTEM, "port")


def test_a_reference_must_name_something_of_the_right_type(content, types, place):
    with pytest.raises(
        Refused, match="near: expected an entry of type place, got nowhere, which does not exist"
    ):
        save_entry(content, SYSTEM, "port", 1, [put("near", "*", ["nowhere"])], types=types)
    with pytest.raises(
        Refused, match="image: expected an entry of type asset, got port, of type place"
    ):
        save_entry(content, SYSTEM, "port", 1, [put("image", "*", "port")], types=types)
    assert not content.scalars(select(Reference)).all()


def test_restoring_saves_an_old_document_as_the_newest(content, types, place):
    save_entry(content, SYSTEM, "port", 1, [put("title", "fr", "Erreur")], types=types)
    restored = restore_revision(content, SYSTEM, "port", 1, types=types)
    assert (restored.rev, restored.message) == (3, "Restore revision 1")
    assert restored.body == get_revision(content, "port", 1).body
    assert restored.body_sha256 == get_revision(content, "port", 1).body_sha256


def test_every_change_is_in_the_audit_trail_with_its_revision(content, types, place):
    save_entry(content, SYSTEM, "port", 1, [put("title", "ja", "港")], types=types)
    approve(content, SYSTEM, "port", "ja", 2, types=types)
    rows = content.scalars(
        select(AuditRecord).where(AuditRecord.subject_id == "port").order_by(AuditRecord.id)
    ).all()
    assert [(row.action, row.revision) for row in rows] == [
        ("entry.create", None),
        ("entry.write", 1),
        ("entry.approve", 2),
    ]


def test_a_revision_names_the_version_of_its_type(content, types, place):
    assert place.type_version == 1
    row = content.get(ContentTypeVersion, ("place", 1))
    assert row.sha256 == types.type("place").sha256
