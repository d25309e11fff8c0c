"""The desk shows what waits for a person, and only that."""

from __future__ import annotations

from datetime import timedelta

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.approvals import approve_scopes
from content_api.content.comments import add_comment
from content_api.content.reviews import request_review, send_back
from content_api.content.working_copies import put_working_copy
from content_api.database import utc_now
from content_api.packages.service import save_package
from tests.studio.conftest import Studio, StudioClient, count_queries

EDITOR = Grant("editor")
BODY = {
    "title": {"fr": "Le port"},
    "languages": ["fr"],
    "default_language": "fr",
    "profiles": ["tablet"],
    "sections": [{"id": "s", "view": "list", "title": {"fr": "S"}, "entries": ["delloye"]}],
}


def panels(person: StudioClient) -> dict[str, str]:
    """The desk's panels by title."""
    page = person.page("/studio/")
    return {
        panel.get("aria-label"): " ".join(panel.text_content().split())
        for panel in page.xpath("//section[contains(@class, 'panel')]")
    }


def pit(studio: Studio, who: StudioClient, entry_id: str = "delloye") -> str:
    """A place that `who` wrote."""
    values = {("title", "fr"): f"Fosse {entry_id}", ("kind", "*"): "pit"}
    return studio.entry("place", values, entry_id=entry_id, actor=who.actor)


def test_an_empty_desk_is_calm(studio: Studio) -> None:
    marie = studio.person("marie", EDITOR)
    assert panels(marie) == {}
    assert "Nothing waits for you" in marie.get("/studio/").text


def test_a_writer_finds_drafts_unsaved_work_and_what_was_said(studio: Studio) -> None:
    marie, ada = studio.person("marie", EDITOR), studio.person("ada", Grant("reviewer"))
    pit(studio, marie)
    pit(studio, marie, "typed")
    with studio.write() as session:
        put_working_copy(session, marie.actor, "typed", 1, [])
        request_review(session, marie.actor, "delloye", ["fr"])
        send_back(session, ada.actor, "delloye", "fr", "Le titre est faux.")
        add_comment(session, ada.actor, "delloye", "title", "fr", "Quelle fosse ?")
    found = panels(marie)
    assert "Fosse typed" in found["Typed and not saved"]
    assert "Fosse delloye" in found["Your drafts"]
    assert "Le titre est faux." in found["Sent back to you"]
    assert "Quelle fosse ?" in found["Comments on what you wrote"]
    assert "Sent back to you" not in panels(ada)


def test_a_translator_sees_their_languages_and_a_reviewer_what_waits(studio: Studio) -> None:
    marie = studio.person("marie", EDITOR)
    pit(studio, marie)
    with studio.write() as session:
        request_review(session, marie.actor, "delloye", ["fr", "ja"], "prêt")
    kenji = studio.person("kenji", Grant("translator", scopes=("ja",)))
    assert list(panels(kenji)) == ["To translate"]
    assert "日本語" in panels(kenji)["To translate"]
    assert "Deutsch" not in panels(kenji)["To translate"]
    ada = studio.person("ada", Grant("reviewer", scopes=("ja",)))
    assert "prêt" in panels(ada)["Waiting for your review"]
    assert "Français" not in panels(ada)["Waiting for your review"]


def test_rights_packages_and_devices_concern_those_who_care_for_them(studio: Studio) -> None:
    marie, admin = studio.person("marie", EDITOR), studio.person("ada", Grant("admin"))
    pit(studio, marie)
    today = utc_now().date()
    with studio.write() as session:
        save_package(session, SYSTEM, "harbour", BODY, expected=None)
        approve_scopes(session, SYSTEM, "delloye", ["fr"], 1, types=studio.types)
    for name, days in (("over", -1), ("soon", 20), ("later", 200)):
        day = (today + timedelta(days=days)).isoformat()
        rights = {"holder": "CHM", "licence": "CC-BY-4.0", "expires": day}
        values = {("alt", "fr"): name, ("rights", "*"): rights}
        studio.entry("asset", values, entry_id=name)
    found = panels(marie)
    assert "Le port" in found["Packages with unpublished changes"]
    assert "ended on" in found["Rights that end"]
    assert "later" not in found["Rights that end"]
    reader = studio.person("rita", Grant("reader"))
    assert panels(reader) == {}
    assert "To translate" in panels(admin)


def test_more_work_costs_no_more_queries(studio: Studio) -> None:
    admin = studio.person("ada", Grant("admin"))
    counts = []
    for turn in range(2):
        for number in range(3 + 9 * turn):
            entry = pit(studio, admin, f"p{turn}-{number}")
            with studio.write() as session:
                put_working_copy(session, admin.actor, entry, 1, [])
                request_review(session, admin.actor, entry, ["fr"])
                save_package(session, SYSTEM, f"h{turn}-{number}", BODY, expected=None)
        admin.page("/studio/")
        with count_queries(studio.engine) as statements:
            admin.page("/studio/")
        counts.append(len(statements))
    assert counts[0] == counts[1]
