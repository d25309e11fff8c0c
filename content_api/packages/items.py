"""One entry or asset as a release shows it in one language, and what differs between two. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from content_api.content.translation import Segment, difference
from content_api.content.types import ContentTypes, Field
from package_format.layout import bucket_of, language_folder

ReadPath = Callable[[str], bytes | None]
"""Gives the bytes of a document of a release by its path, or None."""

_NAMING = ("asset", "assets", "reference", "references")


@dataclass(frozen=True, slots=True)
class Part:
    """One field as it was and is. `labels` lead to it; `segments` tell a text's change."""

    labels: tuple[Mapping[str, str], ...]
    before: Any
    after: Any
    segments: tuple[Segment, ...] = ()
    names: bool = False
    """Whether the values are ids of entries or assets."""


def read_item(read: ReadPath, tag: str, item: str) -> dict[str, Any] | None:
    """The entry or asset `item` in the language `tag`, or None where it is not shown."""
    package = read("package.json")
    if package is None:
        return None
    bucket = bucket_of(item, json.loads(package)["buckets"])
    raw = read(f"{language_folder(tag)}/shard-{bucket}.json")
    if raw is None:
        return None
    shard = json.loads(raw)
    found: dict[str, Any] | None = shard["entries"].get(item, shard["assets"].get(item))
    return found


def item_parts(
    types: ContentTypes, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> list[Part]:
    """The fields that differ, in the order of the newer one, removed ones last."""
    old, new = _fields(types, before), _fields(types, after)
    found = []
    for key in [*new, *(key for key in old if key not in new)]:
        one, other = old.get(key), new.get(key)
        values = (one[2] if one else None, other[2] if other else None)
        if values[0] == values[1]:
            continue
        labels, field, _value = other or one or ((), None, None)
        is_text = all(value is None or isinstance(value, str) for value in values)
        names = field is not None and field.kind in _NAMING
        segments = difference(values[0] or "", values[1] or "") if is_text and not names else ()
        found.append(Part(labels, *values, tuple(segments), names))
    return found


def _fields(
    types: ContentTypes, item: Mapping[str, Any] | None
) -> dict[str, tuple[tuple[Mapping[str, str], ...], Field | None, Any]]:
    if item is None:
        return {}
    kind = types.find_type(item.get("type", "asset")) or types.find_type("asset")
    found: dict[str, tuple[tuple[Mapping[str, str], ...], Field | None, Any]] = {}
    for name, value in item["fields"].items():
        field = kind.field(name) if kind else None
        label: Mapping[str, str] = (field.label if field else None) or {"en": name}
        if field is None or field.kind != "blocks":
            found[name] = ((label,), field, value)
            continue
        for block in value:
            block_type = types.blocks.get(block["type"])
            for inner, held in block["fields"].items():
                part = block_type.field(inner) if block_type else None
                own: Mapping[str, str] = (part.label if part else None) or {"en": inner}
                found[f"{name}.{block['id']}.{inner}"] = ((label, own), part, held)
    return found
