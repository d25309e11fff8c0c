"""`/api/docs`: the OpenAPI document as a page to read.

Rendered here, without scripts and without anything fetched from elsewhere, so that it
works under the strictest content policy and in a museum without a link.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flask import Blueprint, current_app, redirect, render_template
from werkzeug.wrappers import Response

front_door = Blueprint("front-door", __name__)

api_docs = Blueprint(
    "api-docs-page",
    __name__,
    url_prefix="/api",
    template_folder="templates",
    static_folder="static",
    static_url_path="/docs/static",
)

_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as the page shows it."""

    id: str
    tag: str
    method: str
    path: str
    summary: str
    description: str
    open: bool
    parameters: tuple[tuple[str, str, str], ...]
    body: tuple[tuple[str, str], ...]
    responses: tuple[tuple[str, str, str], ...]


@front_door.get("/")
def show_front_door() -> Response:
    """Lead whoever opens the server's bare address to the studio."""
    return redirect("/studio/")


@api_docs.get("/docs")
def show_docs() -> str:
    """The page."""
    extension = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    document: dict[str, Any] = extension.spec.to_dict()
    operations = sorted(list_operations(document), key=lambda found: found.tag)
    groups = [(tag, list(found)) for tag, found in groupby(operations, key=lambda one: one.tag)]
    about = {tag["name"]: tag.get("description", "") for tag in document.get("tags", [])}
    schemas = {
        name: _schema_fields(schema)
        for name, schema in sorted(document["components"].get("schemas", {}).items())
    }
    return render_template(
        "api_docs.html", title=document["info"], groups=groups, about=about, schemas=schemas
    )


def list_operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation of an OpenAPI document, in its order."""
    return [
        _operation(document, path, method, found)
        for path, item in document["paths"].items()
        for method, found in item.items()
        if method in _METHODS
    ]


def _operation(
    document: dict[str, Any], path: str, method: str, found: dict[str, Any]
) -> Operation:
    parameters = [*document["paths"][path].get("parameters", []), *found.get("parameters", [])]
    return Operation(
        id=found["operationId"],
        tag=(found.get("tags") or ["other"])[0],
        method=method.upper(),
        path=path,
        summary=found.get("summary", ""),
        description=found.get("description", ""),
        open=found.get("security") == [],
        parameters=tuple(
            (each["name"], each["in"], each.get("description") or describe(each.get("schema", {})))
            for each in (_resolve(document, each) for each in parameters)
        ),
        body=_contents(found.get("requestBody", {})),
        responses=tuple(
            (
                str(status),
                _resolve(document, answer).get("description", ""),
                ", ".join(schema for _, schema in _contents(answer)),
            )
            for status, answer in found.get("responses", {}).items()
        ),
    )


def describe(schema: dict[str, Any]) -> str:
    """A schema in a few words: its name, or its type."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(describe(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {describe(schema.get('items', {}))}"
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _contents(found: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (kind, describe(content.get("schema", {})))
        for kind, content in found.get("content", {}).items()
    )


def _schema_fields(schema: dict[str, Any]) -> list[tuple[str, str, bool, str]]:
    required = set(schema.get("required", ()))
    return [
        (name, describe(found), name in required, found.get("description", ""))
        for name, found in schema.get("properties", {}).items()
    ]


def _resolve(document: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in found:
        return found
    target: Any = document
    for step in found["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    resolved: dict[str, Any] = target
    return resolved
