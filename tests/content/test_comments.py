"""Comments: on a field that exists, by who works on its language."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from content_api.accounts.rules import Grant
from content_api.content.comments import (
    MAX_COMMENT,
    add_comment,
    list_comments,
    resolve_comment,
)
from content_api.content.service import create_entry
from content_api.content.types import ContentTypes
from content_api.problems import Forbidden, NotFound, Refused
from tests.content.conftest import person, put

MARIE = person(Grant("editor"), name="marie")
KENJI = person(Grant("reviewer", scopes=("ja",)), name="kenji")
RITA = person(Grant("reader"), name="rita")


@pytest.fixture
def entry(content: Session, types: ContentTypes) -> str:
    """A place with a title."""
    operations = [put("title", "fr", "Fosse")]
    return create_entry(content, MARIE, "place", operations, types=types).entry_id


def test_a_comment_stands_until_it_is_resolved(
    content: Session, types: ContentTypes, entry: str
) -> None:
    made = add_comment(content, KENJI, entry, "title", "ja", " 読みは？ ", types=types)
    assert [said.comment.text for said in list_comments(content, RITA, entry)] == ["読みは？"]
    resolve_comment(content, MARIE, entry, made.id)
    assert list_comments(content, RITA, entry) == []
    kept = list_comments(content, RITA, entry, resolved=True)
    assert [said.comment.resolved_by for said in kept] == ["marie"]


@pytest.mark.parametrize(
    ("path", "scope", "text", "said"),
    [
        ("title", "tlh", "x", "language of this server"),
        ("nothing", "fr", "x", "expected a field"),
        ("story.b9.text", "fr", "x", "expected a field"),
        ("title", "fr", "  ", "1 to"),
        ("title", "fr", "x" * (MAX_COMMENT + 1), "1 to"),
        ("title", "fr", "a\x00b", "control characters"),
    ],
)
def test_what_is_no_comment_is_refused(
    content: Session, types: ContentTypes, entry: str, path: str, scope: str, text: str, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        add_comment(content, MARIE, entry, path, scope, text, types=types)
    assert list_comments(content, MARIE, entry) == []


def test_only_who_writes_or_approves_a_language_comments_on_it(
    content: Session, types: ContentTypes, entry: str
) -> None:
    with pytest.raises(Forbidden):
        add_comment(content, KENJI, entry, "title", "fr", "non", types=types)
    made = add_comment(content, MARIE, entry, "title", "fr", "oui", types=types)
    for stranger in (KENJI, RITA):
        with pytest.raises(Forbidden):
            resolve_comment(content, stranger, entry, made.id)
    with pytest.raises(NotFound):
        resolve_comment(content, MARIE, entry, made.id + 1)
