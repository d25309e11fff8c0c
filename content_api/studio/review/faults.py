"""What a release would refuse of an entry in one language, as it is written now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from content_api.content.document import SHARED, Body, resolve
from content_api.content.types import ContentType, ContentTypes, Field
from content_api.content.values import publishing_fault


@dataclass(frozen=True, slots=True)
class Fault:
    """`code` is `missing` or `too-long`; `length` and `most` count characters or items."""

    path: str
    code: str
    length: int
    most: int


def scope_faults(
    types: ContentTypes, kind: ContentType, body: Body, scope: str, chain: Iterable[str]
) -> list[Fault]:
    """The faults of a language after its fallbacks, or (`*`) of what all languages share."""
    scopes = (SHARED, scope, *chain)
    shown = resolve(types, kind, dict.fromkeys(scopes, body), scope, scopes[2:])
    found: list[Fault] = []
    for field in kind.fields:
        if field.kind != "blocks":
            found += _faults(field, field.id, shown.fields, shown.languages, scope)
            continue
        for block in shown.fields.get(field.id) or ():
            for inner in types.blocks[block["type"]].fields:
                path = f"{field.id}.{block['id']}.{inner.id}"
                found += _faults(inner, path, block["fields"], block["in"], scope)
    return found


def _faults(
    field: Field, path: str, values: dict[str, Any], others: dict[str, str], scope: str
) -> Iterator[Fault]:
    # A text shown by fallback is measured in its own language, not once more here.
    if field.localized == (scope == SHARED) or field.id in others:
        return
    value = values.get(field.id)
    fault = publishing_fault(field, value)
    if fault:
        yield Fault(path, fault[0], len(value or ""), field.max or 0)
