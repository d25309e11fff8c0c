"""Reviewing: seeing what would be let out, approving what was seen, sending back, history."""

from __future__ import annotations

from dataclasses import replace

from content_api.accounts.rules import Grant
from content_api.content.approvals import approvals
from content_api.content.reviews import request_review
from content_api.content.service import save_entry
from tests.studio.conftest import Studio, StudioClient, count_queries

REVIEWER = Grant("reviewer")


def pit(studio: Studio) -> str:
    """A place with a French and a Japanese title."""
    return studio.entry(
        "place",
        {("title", "fr"): "Fosse Delloye", ("title", "ja"): "デロワ坑", ("kind", "*"): "pit"},
        entry_id="delloye",
    )


def change(studio: Studio, who: StudioClient, path: str, scope: str, value: str) -> None:
    """One more revision."""
    with studio.write() as session:
        from content_api.content.service import get_entry

        rev = get_entry(session, who.actor, "delloye").head_rev
        operation = {"op": "set", "path": path, "scope": scope, "value": value}
        save_entry(session, who.actor, "delloye", rev, [operation], types=studio.types)


def approved(studio: Studio) -> dict[str, int]:
    """The approved revision of each scope."""
    with studio.write() as session:
        return {scope: row.rev for scope, row in approvals(session, ["delloye"])["delloye"].items()}


def test_a_reviewer_sees_what_changes_and_approves_what_was_shown(studio: Studio) -> None:
    pit(studio)
    ada = studio.person("ada", REVIEWER)
    assert "Fosse Delloye" in ada.page("/studio/entries/delloye/review").text_content()
    answer = ada.post("/studio/entries/delloye/review/approve", data={"scope": "fr", "rev": "1"})
    assert answer.status_code == 303
    assert approved(studio) == {"fr": 1}
    change(
        studio, studio.person("marie", Grant("editor")), "title", "fr", "Fosse Delloye à Lewarde"
    )
    page = ada.page("/studio/entries/delloye/review")
    assert "à Lewarde" in [mark.text_content().strip() for mark in page.xpath("//ins")]


def test_text_that_was_not_shown_is_not_approved(studio: Studio) -> None:
    pit(studio)
    ada = studio.person("ada", REVIEWER)
    change(studio, studio.person("marie", Grant("editor")), "title", "fr", "Autre chose")
    answer = ada.post("/studio/entries/delloye/review/approve", data={"scope": "fr", "rev": "1"})
    assert answer.status_code == 412
    assert "newer version" in answer.text
    assert approved(studio) == {}


def test_outdated_texts_are_approved_only_when_told_so(studio: Studio) -> None:
    pit(studio)
    marie = studio.person("marie", Grant("editor"))
    change(studio, marie, "title", "ja", "デロワ炭坑")
    change(studio, marie, "title", "fr", "Fosse Delloye, à Lewarde")
    ada = studio.person("ada", REVIEWER)
    page = ada.page("/studio/entries/delloye/review")
    assert "The source changed" in page.get_element_by_id("scope-ja").text_content()
    form = {"scope": "ja", "rev": "3"}
    assert ada.post("/studio/entries/delloye/review/approve", data=form).status_code == 409
    form["outdated_ok"] = "1"
    assert ada.post("/studio/entries/delloye/review/approve", data=form).status_code == 303
    assert approved(studio) == {"ja": 3}


def test_two_people_are_needed_where_four_eyes_are_asked_for(studio: Studio) -> None:
    studio.app.extensions["lampisterie_settings"] = replace(studio.settings, four_eyes=True)
    pit(studio)
    marie = studio.person("marie", Grant("editor"), REVIEWER)
    change(studio, marie, "title", "fr", "Fosse Delloye à Lewarde")
    form = {"scope": "fr", "rev": "2"}
    refused = marie.post("/studio/entries/delloye/review/approve", data=form)
    assert refused.status_code == 422
    assert approved(studio) == {}
    other = {"scope": "ja", "rev": "2", "outdated_ok": "1"}
    assert marie.post("/studio/entries/delloye/review/approve", data=other).status_code == 303
    ada = studio.person("ada", REVIEWER)
    assert ada.post("/studio/entries/delloye/review/approve", data=form).status_code == 303
    assert approved(studio) == {"fr": 2, "ja": 2}


def test_a_text_is_sent_back_with_a_reason_and_a_comment(studio: Studio) -> None:
    pit(studio)
    marie = studio.person("marie", Grant("editor"))
    with studio.write() as session:
        request_review(session, marie.actor, "delloye", ["fr"], "prêt")
    ada = studio.person("ada", REVIEWER)
    where = "/studio/entries/delloye"
    comment = {"scope": "fr", "path": "title", "text": "Quelle <b>fosse</b> ?"}
    assert ada.post(f"{where}/comments", data=comment).status_code == 303
    ada.post(f"{where}/review/send-back", data={"scope": "fr", "reason": "Voir ma remarque."})
    text = marie.get(f"{where}/review").text
    assert "Voir ma remarque." in text
    assert "Quelle &lt;b&gt;fosse&lt;/b&gt; ?" in text
    assert marie.post(f"{where}/comments/1/resolve").status_code == 303
    assert "Quelle" not in marie.get(f"{where}/review").text


def test_a_reader_reads_and_says_nothing(studio: Studio) -> None:
    pit(studio)
    reader = studio.person("rita", Grant("reader"))
    assert reader.get("/studio/entries/delloye/review").status_code == 200
    comment = {"scope": "fr", "path": "title", "text": "non"}
    assert reader.post("/studio/entries/delloye/comments", data=comment).status_code == 403
    form = {"scope": "fr", "rev": "1"}
    assert reader.post("/studio/entries/delloye/review/approve", data=form).status_code == 403


def test_a_reviewer_of_japanese_approves_japanese_alone(studio: Studio) -> None:
    pit(studio)
    kenji = studio.person("kenji", Grant("reviewer", scopes=("ja",)))
    where = "/studio/entries/delloye/review/approve"
    assert kenji.post(where, data={"scope": "fr", "rev": "1"}).status_code == 403
    assert kenji.post(where, data={"scope": "ja", "rev": "1"}).status_code == 303


def test_history_tells_each_version_and_restores_an_old_one(studio: Studio) -> None:
    pit(studio)
    marie = studio.person("marie", Grant("editor"))
    change(studio, marie, "title", "fr", "Autre chose")
    text = marie.page("/studio/entries/delloye/history").text_content()
    assert "Marie" in text
    assert "Title (fr)" in " ".join(text.split())
    page = marie.page("/studio/entries/delloye/history/2")
    assert "Autre chose" in page.text_content()
    assert marie.post("/studio/entries/delloye/history/1/restore").status_code == 303
    restored = marie.page("/studio/entries/delloye/history/3?with=1")
    assert "The two versions say the same" in restored.text_content()


def test_many_languages_comments_and_versions_cost_no_more_queries(studio: Studio) -> None:
    pit(studio)
    marie = studio.person("marie", Grant("admin"))
    counts = []
    for turn in range(2):
        for number in range(3 + 12 * turn):
            change(studio, marie, "title", "fr", f"Fosse {turn} {number}")
            marie.post(
                "/studio/entries/delloye/comments",
                data={"scope": "fr", "path": "title", "text": str(number)},
            )
        for page in ("review", "history"):
            with count_queries(studio.engine) as statements:
                marie.page(f"/studio/entries/delloye/{page}")
            counts.append(len(statements))
    assert counts[:2] == counts[2:]


def test_what_a_release_would_refuse_is_told_with_the_field(studio: Studio) -> None:
    studio.entry("place", {("lead", "fr"): "Fosse", ("kind", "*"): "pit"}, entry_id="delloye")
    ada = studio.person("ada", REVIEWER)
    page = ada.page("/studio/entries/delloye/review")
    shared = page.get_element_by_id("scope-shared")
    assert "A release would refuse this" in shared.text_content()
    links = shared.xpath(".//*[contains(@class, 'notice--bad')]//a/@href")
    assert "/studio/entries/delloye/#f-coords-shared" in links
    french = page.get_element_by_id("scope-fr")
    links = french.xpath(".//*[contains(@class, 'notice--bad')]//a/@href")
    assert links == ["/studio/entries/delloye/?languages=fr#f-title-fr"]


def test_a_refused_approval_shows_the_page_as_it_is_now(studio: Studio) -> None:
    pit(studio)
    ada = studio.person("ada", REVIEWER)
    change(studio, studio.person("marie", Grant("editor")), "title", "fr", "Autre chose")
    form = {"scope": "fr", "rev": "1"}
    answer = ada.post("/studio/entries/delloye/review/approve", data=form)
    assert answer.status_code == 412
    assert "Autre chose" in answer.text
    assert 'name="rev" value="2"' in answer.text


def test_only_who_may_write_all_that_changes_is_offered_to_restore(studio: Studio) -> None:
    pit(studio)
    marie = studio.person("marie", Grant("editor"))
    kenji = studio.person("kenji", Grant("translator", scopes=("ja",)))
    change(studio, marie, "title", "fr", "Autre chose")
    where = "/studio/entries/delloye/history/1"
    assert marie.page(where).xpath("//form[contains(@action, '/restore')]")
    assert not kenji.page(where).xpath("//form[contains(@action, '/restore')]")
    assert kenji.post(f"{where}/restore").status_code == 403


def test_names_stand_in_a_difference_rather_than_ids(studio: Studio) -> None:
    studio.entry("place", {("title", "en"): "Pit of Oignies"}, entry_id="oignies")
    studio.entry("place", {("title", "fr"): "x", ("related", "*"): ["oignies"]}, entry_id="delloye")
    page = studio.person("ada", REVIEWER).page("/studio/entries/delloye/review")
    assert "Pit of Oignies" in page.get_element_by_id("scope-shared").text_content()
