"""The ground of the studio: cookies, forged requests, refusals, words, the style page."""

from __future__ import annotations

from typing import Any

import pytest

from content_api.accounts.rules import Grant
from content_api.studio.pages import Pages, field_anchor, local_path
from tests.studio.conftest import Live, Studio, Windows, axe_faults, count_queries


def test_a_page_that_does_not_say_who_may_open_it_does_not_start() -> None:
    pages = Pages("mine", __name__, url_prefix="/studio/mine")
    with pytest.raises(TypeError, match="expected requires, signed_in or public"):
        pages.get("/")(lambda: "")


def test_who_has_not_signed_in_is_sent_to_sign_in_and_back(studio: Studio) -> None:
    answer = studio.app.test_client().get("/studio/style?a=1")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/studio/sign-in?next=%2Fstudio%2Fstyle%3Fa%3D1"


def test_a_script_of_somebody_who_was_signed_out_is_told_in_json(studio: Studio) -> None:
    answer = studio.app.test_client().get("/studio/style", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.json["code"] == "unauthenticated"


def test_an_api_token_opens_no_page(studio: Studio) -> None:
    person = studio.person("marie")
    headers = {"Authorization": f"Bearer {person.person.secret}"}
    answer = studio.app.test_client().get("/studio/style", headers=headers)
    assert answer.status_code == 303


def test_the_session_cookie_opens_nothing_of_the_api(studio: Studio) -> None:
    person = studio.person("marie", Grant("admin"))
    person.client.set_cookie("lampisterie_session", person.person.secret, path="/")
    assert person.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-CSRF-Token": "0" * 64},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_change_that_no_page_of_ours_sent_is_refused(
    studio: Studio, headers: dict[str, str]
) -> None:
    person = studio.person("marie")
    sent = dict(headers)
    if headers and "X-CSRF-Token" not in headers:
        sent["X-CSRF-Token"] = person.csrf
    answer = person.client.post("/studio/language", data={"language": "ja"}, headers=sent)
    assert answer.status_code == 403
    assert person.page("/studio/style").get("lang") == "en"


def test_a_change_from_our_own_page_is_taken(studio: Studio) -> None:
    person = studio.person("marie")
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
    form = {"language": "ja", "csrf_token": person.csrf, "next": "/studio/style"}
    answer = person.client.post("/studio/language", data=form, headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/studio/style")
    assert person.page("/studio/style").get("lang") == "ja"


@pytest.mark.parametrize(
    "path",
    ["https://elsewhere.example/", "//elsewhere.example", "/studio//x", "/api/v1", "/studio/\\x"],
)
def test_nobody_is_sent_elsewhere(path: str) -> None:
    assert local_path(path) is None


def test_a_field_has_one_address() -> None:
    assert field_anchor("story.b1.text", "fr") == "f-story--b1--text-fr"
    assert field_anchor("coords", "*") == "f-coords-shared"


def test_pages_are_strict_private_and_in_nobodys_frame(studio: Studio) -> None:
    answer = studio.person("marie").get("/studio/style")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_an_address_where_nothing_is_says_so_in_the_readers_language(studio: Studio) -> None:
    person = studio.person("marie")
    answer = person.get("/studio/nothing-here")
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.text


@pytest.mark.parametrize("path", ["../pages.py", "..%2fpages.py", ".hidden", "css/../../setup.py"])
def test_static_files_are_those_of_their_folder_alone(studio: Studio, path: str) -> None:
    answer: Any = studio.app.test_client().get(f"/studio/static/{path}")
    assert answer.status_code == 404


def test_a_page_costs_few_queries(studio: Studio) -> None:
    person = studio.person("marie", Grant("admin"))
    person.get("/studio/style")
    with count_queries(studio.engine) as statements:
        person.get("/studio/style")
    assert len(statements) <= 5, statements


@pytest.mark.parametrize("dark", [False, True])
def test_the_style_page_is_accessible(live: Live, windows: Windows, dark: bool) -> None:
    person = live.person(f"style-{'dark' if dark else 'light'}", Grant("admin"))
    page = windows.open(live, person, "/studio/style", dark=dark)
    assert axe_faults(page) == []
    assert windows.faults == []
