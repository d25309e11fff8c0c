"""Reviews: asked for, sent back with a reason, ended by approving."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from content_api.accounts.rules import Grant
from content_api.content.approvals import approve
from content_api.content.reviews import (
    request_review,
    review_states,
    send_back,
    sent_back_to,
    waiting_reviews,
)
from content_api.content.service import create_entry
from content_api.content.types import ContentTypes
from content_api.problems import Conflict, Forbidden, Refused
from tests.content.conftest import person

EDITOR = person(Grant("editor"), name="marie")
REVIEWER = person(Grant("reviewer", scopes=("ja",)), name="kenji")


@pytest.fixture
def entry(content: Session, types: ContentTypes) -> str:
    """An entry with a Japanese title."""
    made = create_entry(
        content,
        EDITOR,
        "place",
        [{"op": "set", "path": "title", "scope": "ja", "value": "炭鉱"}],
        types=types,
    )
    return made.entry_id


def test_a_review_waits_for_who_may_approve_its_language_alone(
    content: Session, entry: str
) -> None:
    request_review(content, EDITOR, entry, ["ja", "fr"], "première version")
    found = waiting_reviews(content, REVIEWER)
    assert [(one.entry.id, one.request.scope) for one in found] == [(entry, "ja")]
    assert found[0].request.note == "première version"
    assert waiting_reviews(content, EDITOR) == []


def test_sending_back_needs_a_reason_and_the_right_to_approve(content: Session, entry: str) -> None:
    request_review(content, EDITOR, entry, ["ja"])
    with pytest.raises(Refused, match="reason"):
        send_back(content, REVIEWER, entry, "ja", "  ")
    with pytest.raises(Forbidden):
        send_back(content, EDITOR, entry, "ja", "no")
    send_back(content, REVIEWER, entry, "ja", "Le titre manque de lecture.")
    assert review_states(content, [entry])[entry]["ja"].state == "sent_back"
    assert [one.request.note for one in sent_back_to(content, EDITOR)] == [
        "Le titre manque de lecture."
    ]
    assert waiting_reviews(content, REVIEWER) == []
    with pytest.raises(Conflict, match="does not wait"):
        send_back(content, REVIEWER, entry, "ja", "again")


def test_what_was_sent_back_can_be_asked_for_again(content: Session, entry: str) -> None:
    request_review(content, EDITOR, entry, ["ja"])
    send_back(content, REVIEWER, entry, "ja", "no")
    request_review(content, EDITOR, entry, ["ja"])
    assert [one.request.scope for one in waiting_reviews(content, REVIEWER)] == ["ja"]


def test_approving_ends_the_review_of_that_language_alone(
    content: Session, entry: str, types: ContentTypes
) -> None:
    request_review(content, EDITOR, entry, ["ja", "fr"])
    approve(content, REVIEWER, entry, "ja", 1, types=types)
    assert list(review_states(content, [entry])[entry]) == ["fr"]


def test_a_language_that_does_not_exist_is_refused(content: Session, entry: str) -> None:
    with pytest.raises(Refused, match="expected"):
        request_review(content, EDITOR, entry, ["tlh"])


def test_a_note_is_held_to_text_of_a_readable_length(content: Session, entry: str) -> None:
    with pytest.raises(Refused, match="note: expected at most 1000"):
        request_review(content, EDITOR, entry, ["ja"], "x" * 1001)
    with pytest.raises(Refused, match="note: expected text"):
        request_review(content, EDITOR, entry, ["ja"], "\x00")
    assert review_states(content, [entry]) == {}


def test_a_short_desk_is_not_filled_with_what_others_may_approve(
    content: Session, types: ContentTypes
) -> None:
    for number in range(8):
        title = [{"op": "set", "path": "title", "scope": "fr", "value": str(number)}]
        made = create_entry(content, EDITOR, "place", title, types=types)
        request_review(content, EDITOR, made.entry_id, ["ja" if number == 7 else "fr"])
    assert len(waiting_reviews(content, REVIEWER, limit=1)) == 1
