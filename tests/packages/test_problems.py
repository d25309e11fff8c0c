"""Every problem is found at once and named by entry, field and language."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from content_api.packages.problems import Problem, errors_of, find_problems
from content_api.packages.source import PackageContent
from tests.packages.factory import (
    CRANE,
    DOCK,
    PHOTO,
    SHARED,
    approved,
    make_content,
    picture,
    with_body,
    with_document,
)

TODAY = date(2026, 11, 24)


def found(content: PackageContent, today: date = TODAY) -> set[tuple[str, str, str, str]]:
    """Problems as (code, entry, path, language)."""
    return {
        (problem.code, problem.entry, problem.path, problem.language)
        for problem in find_problems(content, today)
    }


def crane_with(**fields: Any) -> PackageContent:
    """The harbour with other fields of the crane."""
    crane = {**CRANE, "fields": {**CRANE["fields"], **fields}}
    return with_document(make_content(), "crane", approved(crane))


def photo_with(**fields: Any) -> PackageContent:
    """The harbour with other texts of the picture."""
    shown = {**PHOTO["fields"], **fields}
    photo = {"fields": {key: value for key, value in shown.items() if value is not None}}
    return with_document(make_content(), "crane-photo", approved(photo))


def test_a_package_in_order_has_no_problem() -> None:
    assert find_problems(make_content(), TODAY) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (crane_with(title={"en": None, "fr": "La grue"}), ("missing", "crane", "title", "en")),
        (
            crane_with(title={"fr": "Une grue au nom bien trop long"}),
            ("too-long", "crane", "title", "fr"),
        ),
        (crane_with(title={"fr": "La grue de 1904 x"}), ("long", "crane", "title", "fr")),
        (
            crane_with(near={SHARED: ["nobody"]}),
            ("unknown-reference", "crane", "near", SHARED),
        ),
        (crane_with(image={SHARED: "nothing"}), ("unknown-asset", "crane", "image", SHARED)),
        (
            crane_with(image={SHARED: "voice-subtitles-2"}),
            ("unknown-asset", "crane", "image", SHARED),
        ),
        (photo_with(alt=None), ("missing-alt", "crane-photo", "alt", "fr")),
        (photo_with(alt=None), ("missing-alt", "crane-photo", "alt", "en")),
        (photo_with(credit=None), ("missing-credit", "crane-photo", "credit", "en")),
        (photo_with(rights=None), ("missing-rights", "crane-photo", "rights", SHARED)),
        (
            with_document(make_content(), "dock", approved(DOCK, SHARED, "fr")),
            ("not-approved", "dock", "", "en"),
        ),
        (
            with_document(make_content(), "dock", approved(DOCK, "fr", "en")),
            ("not-approved", "dock", "", SHARED),
        ),
        (
            with_document(make_content(), "crane-photo", {}),
            ("asset-not-approved", "crane", "image", SHARED),
        ),
        (
            with_document(make_content(), "crane-photo", {}),
            ("asset-not-approved", "", "theme", SHARED),
        ),
        (
            replace(make_content(), assets={}),
            ("no-file", "crane", "story.b2.image", SHARED),
        ),
        (
            replace(
                make_content(),
                assets={**make_content().assets, "crane-photo": picture(renditions=())},
            ),
            ("no-rendition", "crane-photo", "", SHARED),
        ),
        (
            with_body(make_content(), languages=["fr", "en", "tlh"]),
            ("unknown-language", "", "languages", "tlh"),
        ),
        (
            with_body(make_content(), languages=["fr", "ar"]),
            ("language-empty", "", "languages", "ar"),
        ),
        (with_body(make_content(), title={}), ("missing", "", "title", "fr")),
        (with_body(make_content(), title={"de": "X"}), ("missing", "", "title", "en")),
        (
            with_body(make_content(), sections=[{"id": "a", "view": "map", "entries": ["ghost"]}]),
            ("unknown-entry", "ghost", "", SHARED),
        ),
        (
            with_body(
                make_content(),
                sections=[{"id": "a", "view": "map", "entries": ["crane-photo"]}],
            ),
            ("asset-listed", "crane-photo", "", SHARED),
        ),
        (with_body(make_content(), sections=[]), ("empty", "", "sections", SHARED)),
        (
            with_body(make_content(), sections=[{"id": "a", "view": "map", "entries": ["dock"]}]),
            ("missing", "", "sections.a.title", "fr"),
        ),
    ],
)
def test_a_problem_is_named_by_entry_field_and_language(
    content: PackageContent, expected: tuple[str, str, str, str]
) -> None:
    assert expected in found(content)


def test_a_decorative_picture_needs_no_alternative_text() -> None:
    content = photo_with(alt=None, decorative={SHARED: True})
    assert "missing-alt" not in {problem.code for problem in find_problems(content, TODAY)}


def test_an_entry_whose_days_are_over_is_told() -> None:
    content = with_body(make_content(), shown={"crane": {"until": "2026-11-24"}, "dock": {}})
    day = date(2026, 11, 24)
    assert "days-over" not in {p.code for p in find_problems(content, day)}
    (found,) = [p for p in find_problems(content, date(2026, 11, 25)) if p.code == "days-over"]
    assert (found.entry, found.severity) == ("crane", "warning")
    assert found.message == "Its days ended on 2026-11-24: displays do not show it."


def test_rights_are_told_before_they_end_and_block_from_the_day_they_end() -> None:
    assert found(make_content(), date(2029, 10, 1)) == set()
    soon = find_problems(make_content(), date(2029, 12, 1))
    assert [(p.code, p.severity) for p in soon] == [("rights-expiring", "warning")]
    ended = find_problems(make_content(), date(2030, 1, 1))
    assert [(p.code, p.severity) for p in ended] == [("rights-expired", "error")]
    assert "ended on 2030-01-01" in ended[0].message


def test_a_text_shown_by_fallback_is_measured_once_where_it_is_written() -> None:
    long = crane_with(title={"fr": "Une grue au nom bien trop long"})
    titles = [p for p in find_problems(long, TODAY) if p.path == "title"]
    assert [(p.code, p.language) for p in titles] == [("too-long", "fr")]


def test_errors_come_first_and_a_missing_approval_does_not_block() -> None:
    content = with_document(crane_with(title={"fr": "x" * 30}), "dock", approved(DOCK, SHARED))
    problems = find_problems(content, TODAY)
    assert [problem.severity for problem in problems] == sorted(
        (problem.severity for problem in problems), key=lambda severity: severity != "error"
    )
    assert {problem.code for problem in errors_of(problems)} == {"too-long"}


def test_a_problem_on_the_wire_points_at_its_place() -> None:
    problem = Problem("crane", "story.b2.image", SHARED, "error", "unknown-asset", "No.")
    assert problem.to_json() == {
        "entry": "crane",
        "path": "story.b2.image",
        "language": "*",
        "severity": "error",
        "code": "unknown-asset",
        "message": "No.",
        "pointer": "/entries/crane/story/b2/image",
        "scope": "*",
    }


def test_a_sound_without_transcript_is_a_warning() -> None:
    content = make_content()
    voice = {"fields": {**content.documents["crane-voice-fr"]["fr"]["fields"], "transcript": {}}}
    content = with_document(content, "crane-voice-fr", approved(voice))
    assert [(p.code, p.severity) for p in find_problems(content, TODAY)] == [
        ("missing-transcript", "warning")
    ]
