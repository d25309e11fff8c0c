"""Tags, and the language a reader gets for the one asked."""

from __future__ import annotations

import pytest

from package_format.languages import (
    canonical_tag,
    direction,
    is_language_tag,
    match_language,
    match_languages,
    parse_accept_language,
)

SAMPLE = ("fr", "en", "ja", "zh-Hans", "de", "pl", "nl", "pt-BR", "ar")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("zh-CN", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("zh-SG", "zh-Hans"),
        ("zh-Hans-CN", "zh-Hans"),
        ("zh_CN", "zh-Hans"),
        ("zh-TW", None),
        ("zh-Hant", None),
        ("fr-BE", "fr"),
        ("FR", "fr"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("ar-MA", "ar"),
        ("nl-BE", "nl"),
        ("ko", None),
        ("<script>", None),
        ("", None),
    ],
)
def test_a_reader_gets_the_language_of_the_same_script(asked: str, found: str | None) -> None:
    assert match_language(asked, SAMPLE) == found


def test_an_exact_tag_wins_over_a_wider_one() -> None:
    assert match_language("pt-BR", ("pt", "pt-BR")) == "pt-BR"
    assert match_language("pt-PT", ("pt-BR", "pt")) == "pt"


def test_a_browser_set_to_chinese_is_served_chinese() -> None:
    asked = parse_accept_language("zh-CN,zh;q=0.9,en-US;q=0.8,en;q=0.7")
    assert match_languages(asked, SAMPLE) == "zh-Hans"


def test_accept_language_is_ordered_by_quality_and_refusals_are_left_out() -> None:
    assert parse_accept_language("en;q=0.5, ja, fr;q=0, *;q=0.1, de;q=x") == ("ja", "en")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ZH-hans-cn", "zh-Hans-CN"),
        ("pt_br", "pt-BR"),
        ("FR", "fr"),
        ("ja-Latn-Hepburn", "ja-Latn-hepburn"),
        ("ja-JP-u-ca-japanese", "ja-JP-u-ca-japanese"),
    ],
)
def test_tags_have_one_spelling(text: str, canonical: str) -> None:
    assert canonical_tag(text) == canonical


@pytest.mark.parametrize("text", ["", "f", "fr-", "français", "../x", "fr-" + "a" * 40, "en us"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    assert not is_language_tag(text)
    with pytest.raises(ValueError, match="expected a language tag"):
        canonical_tag(text)


def test_direction_follows_the_script() -> None:
    assert [direction(tag) for tag in ("ar", "ar-MA", "he", "pa-PK", "az-Arab")] == ["rtl"] * 5
    assert [direction(tag) for tag in ("fr", "ja", "zh-Hans", "ar-Latn", "zgh")] == ["ltr"] * 5
