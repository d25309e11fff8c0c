"""What one language of a package shows: approved values after fallback. Pure.

An entry is shown in a language when its shared values (`*`) and that language are both
approved. A language that is not approved stays unseen even where its fallback is approved.
An asset's describing texts need the approval of `*` alone: a picture whose caption is not
yet translated is shown with the caption of the next language of the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from content_api.content.document import Resolved, resolve
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


class Reading:
    """One language of a package's content."""

    def __init__(self, content: PackageContent, tag: str) -> None:
        self.content = content
        self.tag = tag
        self.chain = content.languages[tag].fallback
        self._resolved: dict[str, Resolved] = {}

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """Ids of the entries this language shows, in the package's order."""
        return tuple(
            entry
            for entry in listed_entries(self.content.body)
            if self.content.entry_types.get(entry, ASSET_TYPE) != ASSET_TYPE
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

    def resolve(self, entry: str) -> Resolved:
        """What an entry's fields hold for this language, and the languages they come from."""
        if entry not in self._resolved:
            types = self.content.types
            self._resolved[entry] = resolve(
                types,
                types.type(self.content.entry_types[entry]),
                self.content.documents[entry],
                self.tag,
                self.chain,
            )
        return self._resolved[entry]

    def _named_assets(self, entry: str) -> Iterator[str]:
        types = self.content.types
        shown = self.resolve(entry).fields
        for field in fields_of(types, self.content.entry_types[entry]):
            if field.kind == "blocks":
                for block in shown.get(field.id, ()):
                    yield from _asset_ids(block_fields_of(types, block["type"]), block["fields"])
            else:
                yield from _asset_ids([field], shown)


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
                # A block of a type that is gone is not shown, and needs nothing.
                if block["type"] in types.blocks:
                    inner = block_fields_of(types, block["type"])
                    yield from _all_ids(inner, block.get("fields", {}), kinds)


def _asset_ids(fields: Iterable[Field], shown: Mapping[str, Any]) -> Iterator[str]:
    for field in fields:
        # Subtitles are one file for each language and stand among an asset's tracks.
        if field.kind in ASSET_KINDS and not is_track(field):
            yield from ids_in(shown.get(field.id))


def _all_ids(
    fields: Iterable[Field], values: Mapping[str, Mapping[str, Any]], kinds: tuple[str, ...]
) -> Iterator[str]:
    for field in fields:
        if field.kind in kinds:
            for value in values.get(field.id, {}).values():
                yield from ids_in(value)


def ids_in(value: Any) -> list[str]:
    """The ids a field names, be it one or several."""
    return [value] if isinstance(value, str) else list(value or ())


def is_track(field: Field) -> bool:
    """Whether a field names subtitles, which go into `tracks` and not into `fields`."""
    return field.kind == "asset" and tuple(field.accept or ()) == ("subtitles",)
