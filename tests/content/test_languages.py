"""Languages: chains, circles, deletion, and which one serves a reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel import Locale
from babel.core import get_global
from flask import Flask, request

from content_api.accounts.rules import SYSTEM
from content_api.content.service import approve, create_entry
from content_api.content.yaml_files import read_yaml
from content_api.languages.service import (
    delete_language,
    get_language,
    languages,
    negotiate,
    put_language,
    put_languages,
    source_circle,
)
from content_api.packages.service import save_package
from content_api.problems import Conflict, NotFound, Refused
from package_format.languages import direction, match_language

from .conftest import put


def test_languages_keep_the_editors_order(content):
    assert list(languages(content)) == ["fr", "en", "ja", "pl"]


def test_the_direction_comes_from_the_tag(content):
    row, created = put_language(content, SYSTEM, "ar", {"name": "العربية", "fallback": ["fr"]})
    assert (row.dir, created, row.position) == ("rtl", True, 4)
    _, created = put_language(content, SYSTEM, "ar", {"name": "العربية", "fallback": ["en"]})
    assert not created
    assert get_language(content, "ar").fallback == ["en"]


@pytest.mark.parametrize(
    ("tag", "wanted", "said"),
    [
        ("ZH-hans", {}, "tag: expected the tag as zh-Hans"),
        ("not a tag", {}, "tag: expected a language tag"),
        ("de", {"fallback": ["de"]}, "de cannot fall back to itself: that is a circle"),
        ("de", {"fallback": ["xx"]}, "fallback/0: expected an existing language, got 'xx'"),
        ("de", {"fallback": ["fr", "fr"]}, "fallback/1: expected each language once"),
        ("de", {"source": "xx"}, "source: expected an existing language"),
        ("de", {"source": "de"}, "cannot be translated from itself"),
        ("fr", {"source": "pl"}, "is a circle"),
    ],
)
def test_a_language_that_cannot_be_is_refused(content, tag, wanted, said):
    with pytest.raises(Refused) as caught:
        put_language(content, SYSTEM, tag, {"name": "X", **wanted})
    assert said in caught.value.message


def test_a_circle_of_sources_is_found():
    assert source_circle({"fr": None, "en": "fr", "pl": "en"}) is None
    assert source_circle({"en": "pl", "pl": "en"}) == ["en", "pl", "en"]


def test_a_language_used_as_a_fallback_is_not_deleted(content):
    with pytest.raises(Conflict, match="en is used by language fr"):
        delete_language(content, SYSTEM, "en")
    put_languages(
        content,
        SYSTEM,
        [
            {"tag": "fr", "name": "Français"},
            {"tag": "ja", "name": "日本語", "fallback": ["fr"], "source": "fr"},
            {"tag": "pl", "name": "Polski", "source": "fr"},
        ],
    )
    delete_language(content, SYSTEM, "en")
    with pytest.raises(NotFound):
        get_language(content, "en")


def test_a_language_used_by_an_entry_an_approval_or_a_package_is_not_deleted(content, types):
    create_entry(content, SYSTEM, "place", [put("title", "pl", "x")], entry_id="a", types=types)
    with pytest.raises(Conflict, match="used by entry a"):
        delete_language(content, SYSTEM, "pl")
    approve(content, SYSTEM, "a", "ja", 1, types=types)
    with pytest.raises(Conflict, match="used by entry a"):
        delete_language(content, SYSTEM, "ja")
    put_language(content, SYSTEM, "de", {"name": "Deutsch"})
    body = {"languages": ["de"], "default_language": "de", "profiles": ["tablet"]}
    save_package(content, SYSTEM, "harbour", body, expected=None)
    with pytest.raises(Conflict, match="used by package harbour"):
        delete_language(content, SYSTEM, "de")


@pytest.mark.parametrize(
    ("address", "header", "chosen"),
    [
        ("/", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("/", "zh-TW", "fr"),
        ("/", "pt-PT,ja;q=0.5", "pt-BR"),
        ("/", "", "fr"),
        ("/", "xx,*", "fr"),
        ("/?lang=ja", "fr", "ja"),
        ("/?lang=zh-SG", "fr", "zh-Hans"),
        ("/?lang=xx", "fr", None),
    ],
)
def test_a_reader_gets_the_language_that_serves_them(address, header, chosen):
    available = ["fr", "ja", "zh-Hans", "pt-BR"]
    with Flask(__name__).test_request_context(address, headers={"Accept-Language": header}):
        assert negotiate(request, available, "fr") == chosen


SAMPLE = Path(__file__).parents[2] / "media" / "languages.yml"
REGIONS = {"zh": ["CN", "SG", "TW", "HK", "MO"], "pt": ["BR", "PT"], "sr": ["RS", "ME"],
           "uz": ["UZ", "AF"], "pa": ["IN", "PK"], "az": ["AZ", "IR"], "kk": ["KZ"]}  # fmt: skip


def test_our_table_of_scripts_agrees_with_cldr():
    likely = get_global("likely_subtags")
    tags = [row["tag"] for row in read_yaml(SAMPLE)]
    pairs = [*tags, *(f"{lang}-{r}" for lang, rs in REGIONS.items() for r in rs)]
    for tag in pairs:
        language = tag.split("-")[0]
        known = likely.get(tag.replace("-", "_")) or likely[language]
        script = Locale.parse(known).script
        # A reader of the tag is served by the language in the script CLDR expects for it.
        assert match_language(tag, [f"{language}-{script}", language]) is not None, tag
        if language in REGIONS and language != "pt":
            other = {"Hans": "Hant", "Hant": "Hans"}.get(script, "Zyyy")
            assert match_language(tag, [f"{language}-{other}"]) is None, tag
        if "-" not in tag:
            assert direction(tag) == Locale.parse(known).text_direction, tag
