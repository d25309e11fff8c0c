"""The OpenAPI document: valid, whole, and in step with what the server does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from content_api.api import operation_id
from tests.api.routes import METHODS, list_routes


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    response = client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    found: dict[str, Any] = response.json
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method.upper() in METHODS
    }


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    errors = list(OpenAPIV31SpecValidator(document).iter_errors())  # type: ignore[arg-type]
    assert errors == []


def test_every_route_is_in_the_document_and_nothing_else(
    app: Flask, document: dict[str, Any]
) -> None:
    routes = {
        (method, re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "api-docs.openapi_json"
        for method in (rule.methods or set()) & set(METHODS)
    }
    assert set(operations(document)) == routes
    assert len(routes) == len(list_routes(app))


def test_every_operation_has_its_own_id_that_follows_from_its_path(
    document: dict[str, Any],
) -> None:
    ids = [operation["operationId"] for operation in operations(document).values()]
    assert len(ids) == len(set(ids))
    assert operation_id("get", "/venues/<venue_id>") in ids
    assert operation_id("get", "/a/<int:number>/b") == "get_a_by_number_b"


def test_every_operation_says_in_one_line_what_it_does(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        assert operation.get("summary", "").endswith((".", "…")), name


def test_who_needs_a_token_is_said_and_so_is_how_it_is_refused(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["bearerAuth"]["scheme"] == "bearer"
    for name, operation in operations(document).items():
        if operation["security"]:
            assert operation["security"] == [{"bearerAuth": []}], name
            assert {"401", "403"} <= set(operation["responses"]), name
        if "{" in name[1]:
            assert "404" in operation["responses"], name
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            assert {"400", "413", "415", "422"} <= set(operation["responses"]), name
        assert "default" not in operation["responses"], name


def test_every_refusal_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    responses = document["components"]["responses"]
    for name, operation in operations(document).items():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                found = responses[answer["$ref"].rpartition("/")[2]]
                assert list(found["content"]) == ["application/problem+json"], (name, status)


def test_the_docs_page_lists_every_operation_and_needs_nothing_from_elsewhere(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    response = client.get("/api/docs")
    assert response.status_code == 200
    for operation in operations(document).values():
        assert f'id="{operation["operationId"]}"' in response.text
    assert "<script" not in response.text
    assert " style=" not in response.text
    links = re.findall(r'(?:href|src)="([^"#]+)"', response.text)
    assert links
    for link in links:
        assert link.startswith("/"), link
        with client.get(link) as found:
            assert found.status_code == 200, link
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; style-src 'self';")
    assert "unsafe" not in policy


def test_the_bare_address_leads_to_the_studio(client: FlaskClient) -> None:
    response = client.get("/")
    assert (response.status_code, response.headers["Location"]) == (302, "/studio/")
