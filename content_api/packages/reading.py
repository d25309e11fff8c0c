"""What one language of a package shows: approved values after fallback. Pure.

An entry is shown in a language when its shared values (`*`) and that language are both
approved. A language that is not approved stays unseen even where its fallback is approved.
An asset's describing texts need the approval of `*` alone: a picture whose caption is not
yet translated is shown with the caption of the next language of the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from content_api.content.types import ContentTypes, Field
from content_api.packages.source import (
    ASSET_TYPE,
    SHARED,
    PackageContent,
    listed_assets,
    listed_entries,
)

ASSET_KINDS = ("asset", "assets")
REFERENCE_KINDS = ("reference", "references")


@dataclass(frozen=True, slots=True)
class Value:
    """What a field shows, and the scope it comes from: a language tag or `*`."""

    value: Any
    scope: str


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """A block of a story: its id, its type, and what its fields show."""

    id: str
    type: str
    values: Mapping[str, Value]


def find_value(
    field: Field, scopes: Mapping[str, Mapping[str, Any]], tag: str, chain: Iterable[str]
) -> Value | None:
    """The value of `field` for a reader of `tag`; None when there is nothing to show.

    `scopes` holds the field's values of each scope's approved revision, `{"fr": {"fr": …}}`.
    An absent value lets the chain go on; null is an answer: nothing, on purpose.
    """
    if not field.localized:
        candidates = [SHARED]
    else:
        candidates = [tag, *chain] if field.fallback == "chain" else [tag]
    for scope in candidates:
        values = scopes.get(scope, {})
        if scope in values:
            value = values[scope]
            return None if value is None or value in ("", []) else Value(value, scope)
    return None


class Reading:
    """One language of a package's content."""

    def __init__(self, content: PackageContent, tag: str) -> None:
        self.content = content
        self.tag = tag
        self.chain = content.languages[tag].fallback

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """Ids of the entries this language shows, in the package's order."""
        return tuple(
            entry
            for entry in listed_entries(self.content.body)
            if entry in self.content.entry_types
            and self.content.entry_types[entry] != ASSET_TYPE
            and {SHARED, self.tag} <= self.content.documents.get(entry, {}).keys()
        )

    @cached_property
    def assets(self) -> frozenset[str]:
        """Ids of the assets this language needs: named by what it shows, or by the package."""
        found: set[str] = set()
        waiting = list(listed_assets(self.content.body))
        for entry in self.shown:
            waiting += self._named_assets(entry)
        while waiting:
            asset = waiting.pop()
            if asset not in found and is_usable(self.content, asset):
                found.add(asset)
                waiting += self._named_assets(asset)
        return frozenset(found)

    def values(self, entry: str) -> dict[str, Value]:
        """What an entry's fields show; blocks are in `blocks`."""
        documents = self.content.documents[entry]
        fields = fields_of(self.content.types, self.content.entry_types[entry])
        return self._values(
            fields, {scope: body.get("fields", {}) for scope, body in documents.items()}
        )

    def blocks(self, entry: str, field: Field) -> list[ShownBlock]:
        """The blocks a story shows; one with nothing to show is left out."""
        documents = self.content.documents[entry]
        parts = {
            scope: body.get("blocks", {}).get(field.id, {}) for scope, body in documents.items()
        }
        shared = parts.get(SHARED, {})
        found = []
        for block_id in shared.get("order", ()):
            block = shared["items"][block_id]
            fields = block_fields_of(self.content.types, block["type"])
            scopes = {
                scope: part.get("items", {}).get(block_id, {}).get("fields", {})
                for scope, part in parts.items()
            }
            values = self._values(fields, scopes)
            if values:
                found.append(ShownBlock(block_id, block["type"], values))
        return found

    def _values(
        self, fields: Iterable[Field], scopes: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Value]:
        found = {}
        for field in fields:
            of_field = {scope: values.get(field.id, {}) for scope, values in scopes.items()}
            value = find_value(field, of_field, self.tag, self.chain)
            if value is not None:
                found[field.id] = value
        return found

    def _named_assets(self, entry: str) -> Iterator[str]:
        types = self.content.types
        fields = fields_of(types, self.content.entry_types[entry])
        yield from _asset_ids(fields, self.values(entry))
        for field in fields:
            if field.kind == "blocks":
                for block in self.blocks(entry, field):
                    yield from _asset_ids(block_fields_of(types, block.type), block.values)


def is_usable(content: PackageContent, asset: str) -> bool:
    """Whether a release may carry an asset: it has a file, and its shared facts are approved."""
    return asset in content.assets and SHARED in content.documents.get(asset, {})


def fields_of(types: ContentTypes, type_id: str) -> tuple[Field, ...]:
    """The fields of an entry's type, in order."""
    return tuple(types.type(type_id).fields)


def block_fields_of(types: ContentTypes, type_id: str) -> tuple[Field, ...]:
    """The fields of a block's type, in order."""
    return tuple(types.block(type_id).fields)


def named_in_documents(
    types: ContentTypes, type_id: str, documents: Mapping[str, Mapping[str, Any]]
) -> set[str]:
    """Ids of every asset that any approved body of an entry names, whatever the language.

    The service reads these before compiling; which of them are used is decided here later.
    """
    return set(_named(types, type_id, documents, ASSET_KINDS))


def named_entries(
    types: ContentTypes, type_id: str, documents: Mapping[str, Mapping[str, Any]]
) -> set[str]:
    """Ids of every entry that any approved body of an entry refers to."""
    return set(_named(types, type_id, documents, REFERENCE_KINDS))


def _named(
    types: ContentTypes,
    type_id: str,
    documents: Mapping[str, Mapping[str, Any]],
    kinds: tuple[str, ...],
) -> Iterator[str]:
    for body in documents.values():
        yield from _all_ids(fields_of(types, type_id), body.get("fields", {}), kinds)
        for story in body.get("blocks", {}).values():
            for block in story.get("items", {}).values():
                inner = block_fields_of(types, block["type"])
                yield from _all_ids(inner, block.get("fields", {}), kinds)


def _asset_ids(fields: Iterable[Field], values: Mapping[str, Value]) -> Iterator[str]:
    for field in fields:
        # Subtitles are one file for each language and stand among an asset's tracks.
        if field.kind in ASSET_KINDS and field.id in values and not is_track(field):
            value = values[field.id].value
            yield from [value] if isinstance(value, str) else value


def _all_ids(
    fields: Iterable[Field], values: Mapping[str, Mapping[str, Any]], kinds: tuple[str, ...]
) -> Iterator[str]:
    for field in fields:
        if field.kind in kinds:
            for value in values.get(field.id, {}).values():
                yield from [value] if isinstance(value, str) else (value or ())


def is_track(field: Field) -> bool:
    """Whether a field names subtitles, which go into `tracks` and not into `fields`."""
    return field.kind == "asset" and tuple(field.accept or ()) == ("subtitles",)
