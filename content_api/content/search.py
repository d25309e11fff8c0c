"""Words to search: one normaliser for every script and both databases. Pure, but for the query.

A word becomes a token of ASCII letters and digits alone, so that SQLite's and
PostgreSQL's own ideas of what a word is cannot differ. Chinese and Japanese are
written without spaces: each of their characters is a token, and what is asked for
is a phrase, so 炭鉱 finds 炭鉱 and not 鉱炭. Accents, Arabic vowel marks and
Polish ł fold away.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, column, func, literal_column, select, table

from content_api.content.models import SearchText

MAX_TOKENS = 12_000
"""Tokens of one text that are indexed: PostgreSQL knows no position beyond 16,383."""

MAX_TERMS = 12
"""Words of a question that count."""

MAX_TOKEN = 160

GAP = "x"
"""Stands between two fields, so that no phrase runs from one into the next."""

_FOLDED = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ŧ": "t",
        "ı": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ى": "ي",
        "ة": "ه",
        "ٱ": "ا",
        "ک": "ك",
        "ی": "ي",
        "\u0640": "",  # tatweel only stretches a word
    }
)
# Marks that carry no letter of their own: Latin, Greek, Cyrillic, Hebrew and Arabic ones.
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]")
# Scripts written without spaces between words, one token a character.
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_KANA = re.compile("[\u3040-\u30ff\uac00-\ud7af]")


def tokens(text: str) -> list[str]:
    """The tokens of a text, in order: `Łódź 炭鉱` gives `wlodz`, `wu70ad`, `wu9271`."""
    found: list[str] = []
    word: list[str] = []

    def end() -> None:
        if word:
            found.append(("w" + "".join(word))[:MAX_TOKEN])
            word.clear()

    for character in fold(text):
        if _SPACELESS.match(character):
            end()
            found.append(f"w{_ascii(character)}")
        elif unicodedata.category(character)[0] in "LNM":
            word.append(_ascii(character))
        else:
            end()
    end()
    return found


def index_words(texts: Iterable[str]) -> str:
    """What the index holds of one language of an entry."""
    found: list[str] = []
    for text in texts:
        found += [*tokens(text), GAP]
        if len(found) > MAX_TOKENS:
            break
    return " ".join(found[:MAX_TOKENS])


def question_phrases(question: str) -> list[list[str]]:
    """A question as phrases that must all be found: what stands between white space is one."""
    phrases = [tokens(part) for part in question.split()]
    return [phrase for phrase in phrases if phrase][:MAX_TERMS]


def matching_rows(dialect: str, phrases: list[list[str]]) -> Select[Any]:
    """Ids of `search_text` rows that hold every phrase; a last word may be the start of one.

    Every token is ASCII letters and digits, so nothing in a question is query language.
    """
    if dialect == "postgresql":
        query = " & ".join(f"({' <-> '.join(phrase)}{_star(phrase, ':*')})" for phrase in phrases)
        return select(SearchText.id).where(
            func.to_tsvector(literal_column("'simple'"), SearchText.words).op("@@")(
                func.to_tsquery(literal_column("'simple'"), bindparam("question", query))
            )
        )
    query = " AND ".join(f'"{" ".join(phrase)}"{_star(phrase, "*")}' for phrase in phrases)
    index = table("search_index", column("rowid"))
    matches: ColumnElement[bool] = literal_column("search_index").op("MATCH")(
        bindparam("question", query)
    )
    return select(index.c.rowid).select_from(index).where(matches)


def _star(phrase: list[str], star: str) -> str:
    # The start of a word is enough, but one character of a spaceless script is a whole token.
    last = phrase[-1]
    return "" if re.fullmatch(r"wu[0-9a-f]{4,5}", last) else star


def fold(text: str) -> str:
    """A text without case, accents and other marks that carry no letter of their own."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    parts = []
    for character in folded:
        if _KANA.match(character):
            # が is か with a mark, but another letter.
            parts.append(character)
        else:
            parts.append(_MARKS.sub("", unicodedata.normalize("NFD", character)))
    return "".join(parts).translate(_FOLDED)


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    return f"u{ord(character):04x}"
