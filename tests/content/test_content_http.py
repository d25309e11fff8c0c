"""Entries over HTTP: preconditions, conflicts, refusals, documents."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from content_api.accounts.rules import SYSTEM, Grant
from content_api.database import write_session
from content_api.languages.service import put_languages
from tests.accounts.people import sign_up

from .conftest import LANGUAGES, put, write_types


@pytest.fixture
def settings(settings):
    """A server with the small content types."""
    write_types(settings.types_dir)
    return settings


@pytest.fixture
def api(app: Flask, client: FlaskClient):
    """Calls as an administrator, on a server with languages and one entry."""
    with write_session(app.extensions["lampisterie_engine"]) as session:
        put_languages(session, SYSTEM, LANGUAGES)
    admin = sign_up(app, "chief", Grant("admin"))

    class Api:
        def __init__(self, headers):
            self.headers = headers

        def __call__(self, method, path, body=None, **headers):
            return client.open(
                f"/api/v1{path}",
                method=method,
                json=body,
                headers={**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}},
            )

        def who(self, name, *grants):
            return Api(sign_up(app, name, *grants))

    found = Api(admin)
    made = found("POST", "/entries", {"id": "port", "type": "place", "operations": [
        put("title", "fr", "Le port"), put("story.b1", "*", None) and
        {"op": "insert_block", "path": "story.b1", "value": {"type": "paragraph"}},
        put("story.b1.text", "fr", "Une grue."),
    ]})  # fmt: skip
    assert made.status_code == 201, made.get_json()
    assert made.headers["ETag"] == '"r1"'
    assert made.headers["Location"] == "/api/v1/entries/port"
    return found


def save(*operations, rev=None, **more):
    return {"operations": list(operations), **({"expected_rev": rev} if rev else {}), **more}


def test_an_entry_is_read_with_every_value_by_scope_and_a_tag(api):
    answer = api("GET", "/entries/port")
    assert answer.headers["ETag"] == '"r1"'
    body = answer.get_json()
    assert body["fields"] == {"title": {"fr": "Le port"}}
    assert body["blocks"]["story"]["order"] == ["b1"]
    assert body["title"] == {"fr": "Le port"}
    assert api("GET", "/entries/port", If_None_Match='W/"r1"').status_code == 304


def test_a_save_says_what_it_starts_from_by_header_or_body(api):
    change = put("title", "ja", "港")
    assert api("PATCH", "/entries/port", save(change)).status_code == 428
    by_header = api("PATCH", "/entries/port", save(change), If_Match='"r1"')
    assert by_header.headers["ETag"] == '"r2"'
    # Another language merges, though the revision is no longer the newest.
    assert api("PATCH", "/entries/port", save(put("title", "pl", "Port"), rev=1)).status_code == 200
    weak = api("PATCH", "/entries/port", save(put("title", "en", "Port")), If_Match='W/"r1"')
    assert weak.status_code == 200
    assert api("PATCH", "/entries/port", save(change), If_Match='"v1"').status_code == 412


@pytest.mark.parametrize(("way", "status"), [("body", 409), ("header", 412)])
def test_a_conflict_shows_both_texts(api, way, status):
    api("PATCH", "/entries/port", save(put("title", "fr", "Leur port"), rev=1))
    mine = put("title", "fr", "Mon port")
    if way == "body":
        answer = api("PATCH", "/entries/port", save(mine, rev=1))
    else:
        answer = api("PATCH", "/entries/port", save(mine), If_Match='"r1"')
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json()
    assert problem["code"] == "edit-conflict"
    assert problem["head_rev"] == 2
    assert problem["conflicts"] == [
        {"path": "title", "scope": "fr", "base": "Le port", "mine": "Mon port",
         "theirs": "Leur port"}
    ]  # fmt: skip
    assert api("GET", "/entries/port").get_json()["fields"]["title"]["fr"] == "Leur port"


def test_a_value_of_the_wrong_kind_is_refused_by_pointer(api):
    answer = api("PATCH", "/entries/port", save(put("coords", "*", {"lat": 95, "lon": 0}), rev=1))
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == [
        {
            "pointer": "/operations/0/value",
            "scope": "*",
            "code": "invalid",
            "message": "lat: expected -90 to 90, got 95",
        }
    ]
    assert api("GET", "/entries/port").get_json()["rev"] == 1


GARBAGE = [None, True, -1, 10**30, 1e308, "\x00", "x" * 300, [[[]]], {"a": {"b": 1}}]


@pytest.mark.parametrize("value", GARBAGE, ids=lambda value: repr(value)[:20])
def test_garbage_anywhere_in_a_save_is_told_and_never_a_fault(api, value):
    bodies = [
        value,
        {"operations": value, "expected_rev": 1},
        {"operations": [value], "expected_rev": 1},
        save(put("title", "fr", "x"), rev=1, minor=value),
        save(put("title", "fr", "x"), rev=1, message=value),
        {**save(put("title", "fr", "x")), "expected_rev": value},
    ]
    for path in (
        "title",
        "coords",
        "height",
        "kind",
        "image",
        "near",
        "narration",
        "story.b1.text",
    ):
        for operation in ("set", "insert_block", "move_block"):
            for scope in ("fr", "*"):
                bodies.append(
                    save({"op": operation, "path": path, "scope": scope, "value": value}, rev=1)
                )
    for part in ("op", "path", "scope"):
        bodies.append(save({**put("title", "fr", "x"), part: value}, rev=1))
    for block in ({"type": value}, {"type": "paragraph", "after": value},
                  {"type": "paragraph", "fields": value}, value):  # fmt: skip
        bodies.append(save({"op": "insert_block", "path": "story.b9", "value": block}, rev=1))
    for body in bodies:
        answer = api("PATCH", "/entries/port", body)
        assert answer.status_code < 500, body


@pytest.mark.parametrize(
    "path",
    ["/entries/nowhere", "/entries/..", "/entries/port/revisions/99",
     "/entries/port/revisions/999999999", "/entries/port/approvals/zz", "/languages/zz",
     "/content-types/nope", "/entries/port/working-copy"],
)  # fmt: skip
def test_what_is_not_there_is_404(api, path):
    assert api("GET", path).status_code == 404


@pytest.mark.parametrize(
    "query", ["type=nope", "language=zz", "status=nope", "limit=0", "limit=x", "cursor=%00", "q="]
)
def test_a_list_refuses_what_it_does_not_know(api, query):
    assert api("GET", f"/entries?{query}").status_code in (400, 422)


def test_a_list_pages_and_filters(api):
    for number in range(5):
        api("POST", "/entries", {"type": "place", "id": f"lieu-{number}"})
    found, cursor = [], ""
    while cursor is not None:
        page = api("GET", f"/entries?limit=2&type=place{'&cursor=' + cursor if cursor else ''}")
        found += [row["id"] for row in page.get_json()["items"]]
        cursor = page.get_json()["next"]
    assert found == ["lieu-0", "lieu-1", "lieu-2", "lieu-3", "lieu-4", "port"]
    assert [row["id"] for row in api("GET", "/entries?q=grue").get_json()["items"]] == ["port"]
    missing = api("GET", "/entries?status=missing&language=ja").get_json()["items"]
    assert [row["id"] for row in missing] == ["port"]


def test_a_reader_of_one_type_sees_that_type_alone(api):
    reader = api.who("reader", Grant("reader", types=("glossary_term",)))
    assert reader("GET", "/entries").get_json()["items"] == []
    assert reader("GET", "/entries/port").status_code == 403
    assert reader("GET", "/entries?type=place").status_code == 403


def test_approving_and_withdrawing(api):
    assert api("PUT", "/entries/port/approvals/*", {"rev": 1}).get_json()["scope"] == "*"
    assert api("PUT", "/entries/port/approvals/ja", {"rev": 1}).status_code == 200
    assert api("PUT", "/entries/port/approvals/ja", {"rev": 7}).status_code == 404
    assert api("PUT", "/entries/port/approvals/xx", {"rev": 1}).status_code == 422
    assert api("DELETE", "/entries/port/approvals/ja").status_code == 204
    found = api("GET", "/entries/port/approvals").get_json()
    assert [row["scope"] for row in found["items"]] == ["*"]
    assert [(row["scope"], row["to_rev"]) for row in found["log"]] == [
        ("ja", None), ("ja", 1), ("*", 1)
    ]  # fmt: skip


def test_the_history_and_a_restored_revision(api):
    api("PATCH", "/entries/port", save(put("title", "fr", "Erreur"), rev=1, message="oups"))
    restored = api("POST", "/entries/port/revisions/1/restore", {})
    assert restored.get_json()["fields"]["title"]["fr"] == "Le port"
    rows = api("GET", "/entries/port/revisions?limit=2").get_json()
    assert [row["rev"] for row in rows["items"]] == [3, 2]
    assert rows["items"][1]["message"] == "oups"
    rest = api("GET", f"/entries/port/revisions?cursor={rows['next']}").get_json()
    assert [row["rev"] for row in rest["items"]] == [1]
    assert api("GET", "/entries/port/revisions/2").get_json()["fields"]["title"]["fr"] == "Erreur"


def test_translations_are_told_with_the_difference_of_the_source(api):
    api("PATCH", "/entries/port", save(put("title", "ja", "港"), rev=1))
    api("POST", "/entries/port/claims", {"path": "title", "language": "ja", "state": "reviewed"})
    api("PATCH", "/entries/port", save(put("title", "fr", "Le grand port"), rev=2))
    [japanese] = api("GET", "/entries/port/translations?language=ja").get_json()["items"]
    assert japanese["counts"] == {"missing": 1, "outdated": 1}
    title = next(text for text in japanese["texts"] if text["path"] == "title")
    assert {"op": "insert", "text": "grand "} in title["changes"]
    assert len(api("GET", "/entries/port/claims").get_json()["items"]) == 2


def test_unsaved_work_is_ones_own(api):
    other = api.who("bea", Grant("editor"))
    kept = {"base_rev": 1, "operations": [put("title", "fr", "Un brou")]}
    assert api("PUT", "/entries/port/working-copy", kept).status_code == 200
    assert api("GET", "/entries/port/working-copy").get_json()["operations"] == kept["operations"]
    assert other("GET", "/entries/port/working-copy").status_code == 404
    assert api("DELETE", "/entries/port/working-copy").status_code == 204
    assert api("GET", "/entries/port").get_json()["rev"] == 1


def test_what_is_used_says_by_what(api):
    api("POST", "/entries", {"type": "place", "id": "quai", "operations": [
        put("near", "*", ["port"])]})  # fmt: skip
    found = api("GET", "/entries/port/references").get_json()
    assert found == {
        "names": [],
        "used_by": [{"kind": "entry", "id": "quai", "type": "place", "path": "near"}],
    }
    refused = api("DELETE", "/entries/port")
    assert refused.status_code == 409
    assert refused.get_json()["used_by"] == found["used_by"]
    assert api("DELETE", "/entries/quai").status_code == 204
    assert api("DELETE", "/entries/port").status_code == 204


def test_a_content_type_tells_its_fields_and_its_json_schema(api):
    assert [row["id"] for row in api("GET", "/content-types").get_json()["items"]] == [
        "asset", "glossary_term", "place"
    ]  # fmt: skip
    found = api("GET", "/content-types/place").get_json()
    assert found["fields"][0] == {
        "id": "title", "kind": "text", "localized": True, "required": "publish",
        "fallback": "chain", "max": 120, "advise": None, "label": {}, "help": {}, "choices": {},
        "of": [], "accept": [],
    }  # fmt: skip
    assert [block["id"] for block in found["blocks"]] == ["paragraph", "figure"]
    coords = found["json_schema"]["properties"]["fields"]["properties"]["coords"]
    assert set(coords["properties"]) == {"*"}
