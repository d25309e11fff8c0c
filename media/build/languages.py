"""The languages of the collection, in the order every file uses."""

from __future__ import annotations

from typing import Any

_DECLARED: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("fr", "Français", "ltr", ("en",)),
    ("en", "English", "ltr", ("fr",)),
    ("ja", "日本語", "ltr", ("en", "fr")),
    ("zh-Hans", "简体中文", "ltr", ("en", "fr")),
    ("de", "Deutsch", "ltr", ("en", "fr")),
    ("pl", "Polski", "ltr", ("en", "fr")),
    ("nl", "Nederlands", "ltr", ("en", "fr")),
    ("pt-BR", "Português (Brasil)", "ltr", ("en", "fr")),
    ("ar", "العربية", "rtl", ("fr", "en")),
    ("cs", "Čeština", "ltr", ("en", "fr")),
)

TAGS = [tag for tag, *_ in _DECLARED]


def language_table() -> list[dict[str, Any]]:
    """What languages.yml holds; French is the source of every other language."""
    return [
        {
            "tag": tag,
            "name": name,
            "dir": direction,
            "fallback": list(fallback),
            "source": None if tag == "fr" else "fr",
        }
        for tag, name, direction, fallback in _DECLARED
    ]
