"""Signing in and out, links that set a password, one's own account."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from lxml import html

from content_api.accounts.links import create_link
from content_api.accounts.models import User
from content_api.accounts.passwords import verify_password
from content_api.accounts.rules import SYSTEM, Grant
from tests.accounts.people import PASSWORD, bearer, make_token, make_user
from tests.studio.conftest import Studio


def form_of(client: FlaskClient, path: str) -> dict[str, str]:
    """The hidden fields of the form on a page."""
    text = client.get(path).text
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))


def test_a_person_signs_in_and_comes_to_where_they_were_going(studio: Studio) -> None:
    make_user(studio.app, "marie", Grant("editor"), password=PASSWORD)
    client = studio.app.test_client()
    hidden = form_of(client, "/studio/sign-in?next=/studio/style")
    answer = client.post(
        "/studio/sign-in",
        data={**hidden, "name": "Marie", "password": PASSWORD, "next": "/studio/style"},
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/studio/style")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if "session" in c)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/studio" in cookie
    assert client.get("/studio/style").status_code == 200


def test_a_wrong_password_says_so_and_keeps_the_name(studio: Studio) -> None:
    make_user(studio.app, "marie", password=PASSWORD)
    client = studio.app.test_client()
    hidden = form_of(client, "/studio/sign-in")
    answer = client.post("/studio/sign-in", data={**hidden, "name": "marie", "password": "no"})
    assert answer.status_code == 401
    assert "Le nom ou le mot de passe est faux" in answer.text
    assert 'value="marie"' in answer.text


def test_too_many_failures_say_how_long_to_wait(studio: Studio) -> None:
    client = studio.app.test_client()
    client.get("/studio/sign-in")
    hidden = form_of(client, "/studio/sign-in")
    for _ in range(5):
        answer = client.post("/studio/sign-in", data={**hidden, "name": "x", "password": "no"})
    answer = client.post("/studio/sign-in", data={**hidden, "name": "x", "password": "no"})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Trop d’essais" in answer.text


def test_an_open_page_signs_in_again_without_being_left(studio: Studio) -> None:
    make_user(studio.app, "marie", password=PASSWORD)
    client = studio.app.test_client()
    hidden = form_of(client, "/studio/sign-in")
    headers = {"Accept": "application/json", "X-CSRF-Token": hidden["csrf_token"]}
    body = {"name": "marie", "password": "no"}
    refused = client.post("/studio/sign-in", data=body, headers=headers)
    assert (refused.status_code, refused.json["code"]) == (401, "login-failed")
    answer = client.post("/studio/sign-in", data={**body, "password": PASSWORD}, headers=headers)
    assert answer.status_code == 200
    sent = {"X-CSRF-Token": answer.json["csrf_token"]}
    assert client.post("/studio/language", data={"language": "ja"}, headers=sent).status_code == 303


def test_signing_out_ends_the_session_itself(studio: Studio) -> None:
    person = studio.person("marie")
    assert person.post("/studio/sign-out").headers["Location"] == "/studio/sign-in"
    person.client.set_cookie("lampisterie_session", person.person.secret, path="/studio")
    assert person.get("/studio/style").status_code == 303


# -- Links -----------------------------------------------------------------------------------


def link_for(studio: Studio, name: str, purpose: str = "invitation") -> str:
    """The path of a new link for somebody new."""
    user = make_user(studio.app, name, Grant("editor"))
    with studio.write() as session:
        return f"/studio/link/{create_link(session, SYSTEM, user.id, purpose)[1]}"


def test_an_invitation_leads_to_the_desk(studio: Studio) -> None:
    path = link_for(studio, "marie")
    client = studio.app.test_client()
    hidden = form_of(client, path)
    answer = client.post(path, data={**hidden, "password": PASSWORD, "again": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/studio/")
    assert client.get("/studio/account").status_code == 200
    used = studio.app.test_client().get(path)
    assert used.status_code == 409
    assert "Ce lien a déjà servi" in used.text


@pytest.mark.parametrize(
    ("password", "again", "said"),
    [
        (PASSWORD, "something else", "ne sont pas identiques"),
        ("short", "short", "au moins 12"),
        ("marie marie", "marie marie", "au moins 12"),
    ],
)
def test_a_password_that_is_not_taken_is_explained(
    studio: Studio, password: str, again: str, said: str
) -> None:
    path = link_for(studio, "marie")
    client = studio.app.test_client()
    hidden = form_of(client, path)
    answer = client.post(path, data={**hidden, "password": password, "again": again})
    assert answer.status_code == 422
    assert said in answer.text
    assert (
        client.post(path, data={**hidden, "password": PASSWORD, "again": PASSWORD}).status_code
        == 303
    )


def test_the_secret_of_a_link_stays_in_its_address(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    path = link_for(studio, "marie")
    client = studio.app.test_client()
    with caplog.at_level("DEBUG"):
        answer = client.get(path)
        client.post(path, data={**form_of(client, path), "password": "x", "again": "x"})
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]
    secret = path.rpartition("/")[2]
    assert secret not in caplog.text
    assert "/studio/link/***" in caplog.text
    assert secret not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "null"}, 303),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
def test_a_page_that_hides_its_address_can_still_send_its_form(
    studio: Studio, headers: dict[str, str], status: int
) -> None:
    path = link_for(studio, "marie")
    client = studio.app.test_client()
    form = {**form_of(client, path), "password": PASSWORD, "again": PASSWORD}
    assert client.post(path, data=form, headers=headers).status_code == status


def test_a_link_cut_short_says_what_to_do(studio: Studio) -> None:
    answer = studio.app.test_client().get("/studio/link/lml_abc")
    assert answer.status_code == 404
    assert "jusqu’à sa dernière lettre" in answer.text


# -- One's own account -----------------------------------------------------------------------


def test_a_person_changes_name_language_and_zone(studio: Studio) -> None:
    marie = studio.person("marie", Grant("editor"))
    values = {"display_name": "Marie C.", "email": "Marie@example.org"}
    answer = marie.post(
        "/studio/account", data={**values, "ui_language": "ja", "timezone": "Asia/Tokyo"}
    )
    assert answer.status_code == 303
    page = marie.page("/studio/account")
    assert page.get("lang") == "ja"
    assert page.xpath("//input[@name='display_name']/@value") == ["Marie C."]
    assert page.xpath("//input[@name='email']/@value") == ["marie@example.org"]
    assert page.xpath("//select[@name='timezone']/option[@selected]/@value") == ["Asia/Tokyo"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "no address"),
        ("timezone", "Mars/Olympus"),
        ("ui_language", "tlh"),
        ("display_name", "x" * 201),
    ],
)
def test_what_cannot_be_taken_is_said_beside_the_field(
    studio: Studio, name: str, value: str
) -> None:
    marie = studio.person("marie")
    good = {"display_name": "M", "email": "", "ui_language": "fr", "timezone": "Europe/Paris"}
    answer = marie.post("/studio/account", data={**good, name: value})
    assert answer.status_code == 422
    page = html.fromstring(answer.text)
    assert page.xpath(f"//*[@id='field-{name}']/@aria-invalid") == ["true"]


def test_somebody_elses_address_is_refused(studio: Studio) -> None:
    ada, marie = studio.person("ada"), studio.person("marie")
    good = {"display_name": "A", "ui_language": "en", "timezone": "UTC", "email": "a@example.org"}
    assert ada.post("/studio/account", data=good).status_code == 303
    answer = marie.post("/studio/account", data=good)
    assert answer.status_code == 422
    assert "Somebody else has this address" in answer.text


def test_changing_the_password_signs_out_everywhere_else(studio: Studio) -> None:
    user = make_user(studio.app, "marie", password=PASSWORD)
    first, second = (studio.app.test_client() for _ in range(2))
    for client in (first, second):
        hidden = form_of(client, "/studio/sign-in")
        client.post("/studio/sign-in", data={**hidden, "name": "marie", "password": PASSWORD})
    hidden = form_of(first, "/studio/account")
    new = {"current": PASSWORD, "new": "chevalement de fer", "again": "chevalement de fer"}
    wrong = first.post("/studio/account/password", data={**hidden, **new, "current": "no"})
    assert wrong.status_code == 422
    assert second.get("/studio/account").status_code == 200
    assert first.post("/studio/account/password", data={**hidden, **new}).status_code == 303
    assert first.get("/studio/account").status_code == 200
    assert second.get("/studio/account").status_code == 303
    with studio.write() as session:
        assert verify_password(session.get_one(User, user.id).password_hash, new["new"])


def test_signing_out_everywhere_ends_sessions_and_keeps_tokens(studio: Studio) -> None:
    user = make_user(studio.app, "marie", password=PASSWORD)
    _row, api = make_token(studio.app, user)
    client = studio.app.test_client()
    hidden = form_of(client, "/studio/sign-in")
    client.post("/studio/sign-in", data={**hidden, "name": "marie", "password": PASSWORD})
    hidden = form_of(client, "/studio/account")
    assert client.post("/studio/account/sign-out-everywhere", data=hidden).status_code == 303
    assert client.get("/studio/account").status_code == 303
    assert studio.app.test_client().get("/api/v1/me", headers=bearer(api)).status_code == 200


def test_a_token_is_shown_once_and_can_be_ended(studio: Studio) -> None:
    marie = studio.person("marie")
    answer = marie.post("/studio/account/tokens", data={"name": "export", "days": "30"})
    assert answer.status_code == 201
    secret = html.fromstring(answer.text).xpath("//input[@id='new-token']/@value")[0]
    client = studio.app.test_client()
    assert client.get("/api/v1/me", headers=bearer(secret)).status_code == 200
    page = marie.page("/studio/account")
    assert secret not in html.tostring(page).decode()
    ends = page.xpath("//tr[contains(., 'export')]//form/@action")[0]
    assert marie.post(ends).status_code == 303
    assert client.get("/api/v1/me", headers=bearer(secret)).status_code == 401


def test_nobody_ends_a_token_of_somebody_else_here(studio: Studio) -> None:
    other = make_user(studio.app, "other")
    row, secret = make_token(studio.app, other)
    marie = studio.person("marie", Grant("admin"))
    assert marie.post(f"/studio/account/tokens/{row.id}/end").status_code == 404
    client = studio.app.test_client()
    assert client.get("/api/v1/me", headers=bearer(secret)).status_code == 200
