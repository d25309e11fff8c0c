"""People, their roles, and the audit trail."""

from __future__ import annotations

import csv
import json
import re
from io import StringIO
from pathlib import Path

import pytest
from lxml import html
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from content_api.accounts.audit import record
from content_api.accounts.models import AuditRecord, User
from content_api.accounts.rules import SYSTEM, Actor, Grant
from content_api.messages import use_language
from content_api.studio.people.audit_words import Names, sentence
from content_api.studio.people.export import safe_cell
from content_api.studio.people.grants_form import read_grants
from tests.accounts.people import PASSWORD, bearer, make_token, make_user
from tests.studio.conftest import Studio, count_queries

CODE = Path(__file__).resolve().parents[2] / "content_api"

MARIE = {"name": "marie", "display_name": "Marie Curie", "email": "marie@example.org"}


def test_somebody_invited_gets_in_with_the_roles_given(studio: Studio) -> None:
    ada = studio.person("ada", Grant("admin"))
    roles = {"grant": ["g1", "g2"], "g1-role": "translator", "g1-where": "some", "g2-role": ""}
    answer = ada.post("/studio/people/", data={**MARIE, **roles, "g1-scopes": ["ja", "pt-BR"]})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    address = html.fromstring(answer.text).xpath("//input[@id='new-link']/@value")[0]
    path = address[address.index("/studio/link/") :]
    client = studio.app.test_client()
    hidden = {
        field.get("name"): field.get("value")
        for field in html.fromstring(client.get(path).text).xpath("//form//input[@type='hidden']")
    }
    sent = client.post(path, data={**hidden, "password": PASSWORD, "again": PASSWORD})
    assert sent.status_code == 303
    assert client.get("/studio/account").status_code == 200
    with studio.write() as session:
        user = session.scalars(select(User).where(User.name == "marie")).one()
        assert [(g.role, g.scopes, g.types) for g in user.grants] == [
            ("translator", ["ja", "pt-BR"], ["all"])
        ]
    assert address not in ada.get(f"/studio/people/{user.id}").text


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"name": "Marie Curie"}, "field-name"),
        ({"name": "ada"}, "field-name"),
        ({"email": "nowhere"}, "field-email"),
        ({"display_name": "two\nlines"}, "field-display_name"),
    ],
)
def test_what_is_wrong_with_an_invitation_is_said_and_nothing_is_lost(
    studio: Studio, change: dict[str, str], wrong: str
) -> None:
    ada = studio.person("ada", Grant("admin"))
    data = {**MARIE, **change, "grant": ["g1"], "g1-role": "editor"}
    answer = ada.post("/studio/people/", data=data)
    assert answer.status_code == 422
    page = html.fromstring(answer.text)
    assert page.xpath(f"//*[@id='{wrong}']/@aria-invalid") == ["true"]
    assert page.xpath("//select[@id='g1-role']/option[@selected]/@value") == ["editor"]
    with studio.write() as session:
        assert len(session.scalars(select(User)).all()) == 1


def test_roles_are_replaced_and_count_at_once(studio: Studio) -> None:
    ada, marie = studio.person("ada", Grant("admin")), studio.person("marie")
    assert marie.get("/studio/people/").status_code == 403
    data = {"grant": ["g1"], "g1-role": "admin"}
    path = f"/studio/people/{marie.actor.id}/grants"
    assert ada.post(path, data=data).status_code == 303
    assert marie.get("/studio/people/").status_code == 200


def test_a_role_narrowed_to_nothing_is_explained(studio: Studio) -> None:
    ada, marie = studio.person("ada", Grant("admin")), studio.person("marie", Grant("reader"))
    data = {"grant": ["g1"], "g1-role": "translator", "g1-where": "some"}
    answer = ada.post(f"/studio/people/{marie.actor.id}/grants", data=data)
    assert answer.status_code == 422
    assert "at least one language" in answer.text
    with studio.write() as session:
        roles = [grant.role for grant in session.get_one(User, marie.actor.id).grants]
    assert roles == ["reader"]


def test_the_last_administrator_stays(studio: Studio) -> None:
    ada = studio.person("ada", Grant("admin"))
    path = f"/studio/people/{ada.actor.id}"
    assert ada.post(f"{path}/grants", data={"grant": ["g1"]}).status_code == 422
    answer = ada.post(f"{path}/deactivate")
    assert answer.status_code == 303
    assert "last administrator" in ada.page(path).text_content()
    assert ada.get("/studio/people/").status_code == 200
    with studio.write() as session:
        user = session.get_one(User, ada.actor.id)
        assert user.deactivated_at is None
        assert [grant.role for grant in user.grants] == ["admin"]


def test_a_deactivated_person_is_out_at_once_and_can_come_back(studio: Studio) -> None:
    ada, marie = studio.person("ada", Grant("admin")), studio.person("marie", Grant("reader"))
    path = f"/studio/people/{marie.actor.id}"
    assert ada.post(f"{path}/deactivate").status_code == 303
    assert marie.get("/studio/account").status_code == 303
    assert "deactivated" in ada.page("/studio/people/").text_content()
    assert ada.post(f"{path}/link").status_code == 409
    assert ada.post(f"{path}/activate").status_code == 303
    assert ada.post(f"{path}/link").status_code == 201


def test_an_administrator_ends_sessions_and_tokens_of_others(studio: Studio) -> None:
    ada = studio.person("ada", Grant("admin"))
    user = make_user(studio.app, "marie", password=PASSWORD)
    row, secret = make_token(studio.app, user)
    client = studio.app.test_client()
    assert client.get("/api/v1/me", headers=bearer(secret)).status_code == 200
    assert ada.post(f"/studio/people/{ada.actor.id}/tokens/{row.id}/end").status_code == 404
    assert ada.post(f"/studio/people/{user.id}/tokens/{row.id}/end").status_code == 303
    assert client.get("/api/v1/me", headers=bearer(secret)).status_code == 401


def test_a_person_is_found_by_a_part_of_any_name(studio: Studio) -> None:
    ada = studio.person("ada", Grant("admin"))
    ada.post("/studio/people/", data=MARIE)
    for wanted in ("curie", "marie", "EXAMPLE.org"):
        assert "Marie Curie" in ada.page(f"/studio/people/?q={wanted}").text_content()
    assert "Marie Curie" not in ada.page("/studio/people/?q=100%25").text_content()


def test_the_list_asks_no_more_for_more_people(studio: Studio) -> None:
    ada = studio.person("ada", Grant("admin"))
    ada.get("/studio/people/")
    with count_queries(studio.engine) as few:
        ada.get("/studio/people/")
    for number in range(20):
        make_user(studio.app, f"person-{number}", Grant("reader"), Grant("translator", ("ja",)))
    with count_queries(studio.engine) as many:
        ada.get("/studio/people/")
    assert len(many) == len(few)


def test_grants_are_read_row_by_row() -> None:
    form = MultiDict(
        [
            *[("grant", "a"), ("a-role", "translator"), ("a-where", "some"), ("a-scopes", "ja")],
            *[("a-scopes", "de"), ("a-scopes", "ja"), ("a-what", "some"), ("a-types", "place")],
            *[("grant", "b"), ("b-role", ""), ("grant", "c"), ("c-role", "reader")],
            *[("c-scopes", "fr"), ("d-role", "admin")],
        ]
    )
    assert read_grants(form) == [Grant("translator", ("ja", "de"), ("place",)), Grant("reader")]


# -- The audit trail -------------------------------------------------------------------------


def test_a_record_reads_as_a_sentence_with_its_subject_as_a_link(studio: Studio) -> None:
    entry = studio.entry("place", {("title", "en"): "Arenberg", ("title", "fr"): "Arenberg"})
    ada = studio.person("ada", Grant("admin"))
    page = ada.page("/studio/audit/?action=entry")
    assert "The server created Arenberg" in page.text_content()
    assert page.xpath(f"//a[@href='/studio/entries/{entry}/history']")


def test_an_action_without_words_is_shown_as_it_is(studio: Studio) -> None:
    with studio.write() as session:
        record(session, SYSTEM, "lamp.light", "lamp/7")
    ada = studio.person("ada", Grant("admin"))
    assert "lamp.light" in ada.page("/studio/audit/").text_content()


def test_every_action_the_code_records_has_a_sentence() -> None:
    from content_api.studio.people.audit_words import _SENTENCES

    recorded = set()
    for path in CODE.rglob("*.py"):
        for call in re.findall(r"\brecord\(\s*(?:[^()]|\([^()]*\))*?\)", path.read_text("utf-8")):
            recorded |= set(re.findall(r'"([a-z]+\.[a-z_-]+)"', call))
    assert len(recorded) > 25
    assert recorded - set(_SENTENCES) == set()


@pytest.mark.parametrize("language", ["en", "fr", "ja"])
def test_every_sentence_is_whole_and_escapes_names(studio: Studio, language: str) -> None:
    from content_api.studio.people.audit_words import _SENTENCES

    with studio.app.test_request_context(), use_language(language):
        for action in _SENTENCES:
            row = AuditRecord(
                actor_kind="user",
                actor_id="1",
                actor_name="<b>ada</b>",
                action=action,
                subject_type="package",
                subject_id="<i>harbour</i>/release/3",
                details={},
            )
            said = str(sentence(row, Names()))
            assert "\ue000" not in said, action
            assert "%(" not in said, action
            assert "<b>" not in said, action
            assert "<i>" not in said, action


def test_filters_narrow_by_person_action_subject_and_day(studio: Studio) -> None:
    with studio.write() as session:
        marie = Actor("m" * 32, "marie", "user")
        record(session, marie, "package.change", "package/harbour", details={"version": 3})
        late = record(session, SYSTEM, "venue.create", "venue/meiji")
        # 23:30 in UTC is the next day in Paris, where the reader is.
        late.at = late.at.replace(year=2026, month=3, day=1, hour=23, minute=30)
    ada = studio.person("ada", Grant("admin"))

    def count(query: str) -> int:
        return len(ada.page(f"/studio/audit/?{query}").xpath("//table/tbody/tr"))

    assert count("person=marie") == 1
    assert count("action=package") == 1
    assert count("action=package.change&person=system") == 0
    assert count("subject=package/harbour") == 1
    assert count("since=2026-03-02&until=2026-03-02") == 1
    assert count("since=2026-03-01&until=2026-03-01") == 0
    assert count("since=not-a-day&person=marie") == 1


def test_pages_of_the_trail_meet_without_gap(studio: Studio) -> None:
    with studio.write() as session:
        for number in range(120):
            record(session, SYSTEM, "lamp.light", f"lamp/{number}")
    ada = studio.person("ada", Grant("admin"))
    path, seen = "/studio/audit/?action=lamp", []
    while path:
        page = ada.page(path)
        seen += [cell.text_content().split()[-1] for cell in page.xpath("//tbody/tr/td[2]")]
        path = next(iter(page.xpath("//a[@rel='next']/@href")), "")
    assert seen == [str(number) for number in reversed(range(120))]


def test_the_trail_asks_no_more_for_more_records(studio: Studio) -> None:
    ada = studio.person("ada", Grant("admin"))
    ada.get("/studio/audit/")
    with count_queries(studio.engine) as few:
        ada.get("/studio/audit/")
    for number in range(15):
        studio.entry("place", {("title", "fr"): f"Fosse {number}"})
    with count_queries(studio.engine) as many:
        ada.get("/studio/audit/")
    assert len(many) == len(few)


def test_the_trail_leaves_whole_as_csv_and_json_lines(studio: Studio) -> None:
    with studio.write() as session:
        for number in range(3):
            record(session, SYSTEM, "lamp.light", f"lamp/{number}", details={"by": "=1+1", "炭": 1})
        record(session, Actor("x", "=HYPERLINK(1)", "user"), "lamp.light", "lamp/9")
    ada = studio.person("ada", Grant("admin"))
    text = ada.get("/studio/audit/export.csv?action=lamp").data.decode("utf-8-sig")
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["subject"] for row in rows] == ["lamp/9", "lamp/2", "lamp/1", "lamp/0"]
    assert rows[0]["actor_name"] == "'=HYPERLINK(1)"
    assert json.loads(rows[1]["details"]) == {"by": "=1+1", "炭": 1}
    answer = ada.get("/studio/audit/export.jsonl?action=lamp")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["subject"] for line in lines] == ["lamp/9", "lamp/2", "lamp/1", "lamp/0"]
    assert lines[0]["actor_name"] == "=HYPERLINK(1)"
    assert "attachment" in answer.headers["Content-Disposition"]


def test_a_long_trail_leaves_in_steps(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("content_api.studio.people.routes.EXPORT_STEP", 7)
    with studio.write() as session:
        for number in range(21):
            record(session, SYSTEM, "lamp.light", f"lamp/{number}")
    ada = studio.person("ada", Grant("admin"))
    assert len(ada.get("/studio/audit/export.jsonl?action=lamp").text.splitlines()) == 21


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "  =1", "\u3000=1", "＝1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["", "2026-01-01", "entry/fosse-9", "{}", "ada=1"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text
