"""Search: the same answers on both databases, in every script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_api.accounts.rules import SYSTEM
from content_api.content.listing import list_entries
from content_api.content.search import index_words, question_phrases, tokens
from content_api.content.service import create_entry, delete_entry, save_entry

from .conftest import put

TEXTS = {
    "mine": [
        put("title", "fr", "L’écomusée du bassin minier"),
        put("title", "ja", "炭鉱の歴史"),
        put("title", "pl", "Łódź i Śląsk"),
    ],
    "heap": [put("title", "fr", "Terril n° 9-9 bis"), put("title", "ja", "世界遺産のボタ山")],
    "odd": [put("title", "en", 'C++ & <b>AND</b> OR NOT "quoted" 100% a:b* (x)')],
}


@pytest.fixture
def shelf(content, types):
    for entry_id, operations in TEXTS.items():
        create_entry(content, SYSTEM, "place", operations, entry_id=entry_id, types=types)

    def find(question):
        return [row.id for row in list_entries(content, SYSTEM, q=question, types=types)]

    return find


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("炭鉱", ["mine"]),
        ("鉱炭", []),
        ("世界遺産", ["heap"]),
        ("ボタ山", ["heap"]),
        ("ecomusee", ["mine"]),
        ("ÉCOMUSÉE", ["mine"]),
        ("écomus", ["mine"]),
        ("bassin minier", ["mine"]),
        ("minier 炭鉱", []),  # all words in one language
        ("lodz", ["mine"]),
        ("Łódź Śląsk", ["mine"]),
        ("9-9 bis", ["heap"]),
        ("C++", ["odd"]),
        ("or not", ["odd"]),
        ('"quoted"', ["odd"]),
        ("a:b*", ["odd"]),
        ("heap", ["heap"]),
        ("***", []),
        ("' OR 1=1 --", []),
        ("\x00", []),
    ],
)
def test_what_a_question_finds(shelf, question, found):
    assert shelf(question) == found


def test_what_was_changed_or_deleted_is_not_found_any_more(shelf, content, types):
    save_entry(content, SYSTEM, "mine", 1, [put("title", "ja", "港")], types=types)
    assert shelf("炭鉱") == []
    assert shelf("港") == ["mine"]
    delete_entry(content, SYSTEM, "heap")
    assert shelf("ボタ山") == []


def test_arabic_is_found_with_and_without_vowel_marks():
    assert tokens("مَنْجَم") == tokens("منجم") == tokens("منجــم")
    assert tokens("أحمد") == tokens("احمد")


def test_kana_with_a_mark_is_another_letter():
    assert tokens("が") != tokens("か")
    assert tokens("ﾎﾞﾀ山") == tokens("ボタ山")


@given(st.text())
def test_a_token_is_ascii_letters_and_digits_whatever_the_text(text):
    for token in tokens(text):
        assert token.isascii()
        assert token.isalnum()
        assert token.startswith("w")


@given(st.text(max_size=40))
def test_no_question_breaks_the_query(text):
    for phrase in question_phrases(text):
        assert phrase
    index_words([text, text])
