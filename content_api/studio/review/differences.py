"""What differs between two states of an entry, field by field, for people to read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from content_api.content.document import SHARED, Body, Flat, changed_pairs, field_at, flatten
from content_api.content.translation import Segment, difference
from content_api.content.types import ContentType, ContentTypes, Field

Labels = tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs. `kind` is `added`, `changed` or `removed`.

    `labels` lead from the block, if it is in one, to the field. `segments` tell a text's
    change; for other values `before` and `after` stand side by side.
    """

    path: str
    scope: str
    kind: str
    labels: Labels
    field: Field | None
    before: Any
    after: Any
    segments: tuple[Segment, ...]


def document_changes(
    types: ContentTypes, kind: ContentType, before: Body | None, after: Body
) -> list[Change]:
    """From `before` (None: nothing) to `after`: shared values first, then by language and field.

    The order of blocks is told once, where blocks only moved.
    """
    old: Flat = flatten(before) if before is not None else {}
    new = flatten(after)
    found = []
    for path, scope in changed_pairs(old, new):
        if _is_order(kind, path) and not _only_moved(old, new, path):
            continue
        held = ((path, scope) in old, (path, scope) in new)
        word = {(True, True): "changed", (False, True): "added", (True, False): "removed"}[held]
        one, other = old.get((path, scope)), new.get((path, scope))
        where = new if held[1] else old
        texts = (one or "", other or "")
        is_text = all(isinstance(text, str) for text in texts) and _is_text(
            types, kind, where, path
        )
        found.append(
            Change(
                path=path,
                scope=scope,
                kind=word,
                labels=labels_of(types, kind, where, path),
                field=field_at(types, kind, where, path),
                before=one,
                after=other,
                segments=tuple(difference(*texts)) if is_text else (),
            )
        )
    order = _places(kind, old, new)
    return sorted(found, key=lambda c: (c.scope != SHARED, c.scope, order(c.path), c.path))


def labels_of(
    types: ContentTypes, kind: ContentType, flat: Mapping[tuple[str, str], Any], path: str
) -> Labels:
    """The names of the field at `path`, after its block's if it is in one."""
    parts = path.split(".")
    top = kind.field(parts[0])
    if len(parts) == 1:
        return (top.label if top and top.label else {"en": path},)
    block = types.blocks.get(flat.get((".".join(parts[:2]), SHARED), ""))
    name: Mapping[str, str] = block.label if block else {"en": parts[1]}
    if len(parts) == 2:
        return (name,)
    field = block.field(parts[2]) if block else None
    return (name, field.label if field and field.label else {"en": parts[2]})


def _is_order(kind: ContentType, path: str) -> bool:
    field = kind.field(path)
    return field is not None and field.kind == "blocks"


def _only_moved(old: Flat, new: Flat, path: str) -> bool:
    one, other = old.get((path, SHARED), []), new.get((path, SHARED), [])
    both = set(one) & set(other)
    return [block for block in one if block in both] != [block for block in other if block in both]


def _is_text(types: ContentTypes, kind: ContentType, flat: Flat, path: str) -> bool:
    field = field_at(types, kind, flat, path)
    return field is not None and field.is_text


def _places(kind: ContentType, old: Flat, new: Flat) -> Any:
    """A sort key: fields as the type has them, blocks as they stand."""
    fields = {field.id: index for index, field in enumerate(kind.fields)}
    blocks: dict[str, int] = {}
    for flat in (old, new):
        for field in kind.fields:
            if field.kind != "blocks":
                continue
            for index, block in enumerate(flat.get((field.id, SHARED), ())):
                blocks[f"{field.id}.{block}"] = index

    def place(path: str) -> tuple[int, int]:
        parts = path.split(".")
        return fields.get(parts[0], 999), blocks.get(".".join(parts[:2]), -1)

    return place
