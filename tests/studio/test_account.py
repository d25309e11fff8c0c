"""Signing in and out."""

from __future__ import annotations

import re

from flask.testing import FlaskClient

from content_api.accounts.rules import Grant
from tests.accounts.people import PASSWORD, make_user
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
