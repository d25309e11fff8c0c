"""Read everything a release is compiled from, in the caller's one snapshot of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.content.models import Entry
from content_api.content.service import approved_documents
from content_api.content.types import ContentTypes
from content_api.languages.service import languages
from content_api.media.service import assets_for_release
from content_api.packages.reading import named_entries, named_in_documents
from content_api.packages.source import (
    LanguageFacts,
    PackageContent,
    listed_assets,
    listed_entries,
)

Documents = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""For entries by id, the document that each scope is read from."""


def gather_content(
    session: Session,
    types: ContentTypes,
    slug: str,
    body: Mapping[str, Any],
    *,
    read: Callable[[Session, list[str]], Documents] = approved_documents,
) -> PackageContent:
    """The content of package `slug` as its body and the approvals say now.

    `read` gives other documents than the approved ones, for a preview.
    """
    documents: dict[str, Mapping[str, Mapping[str, Any]]] = {}
    entry_types: dict[str, str] = {}
    assets: set[str] = set()
    referenced: set[str] = set()
    waiting = {*listed_entries(body), *listed_assets(body)}
    assets.update(listed_assets(body))
    while waiting:
        kinds = _types_of(session, types, waiting)
        entry_types.update(kinds)
        held = read(session, sorted(waiting))
        named: set[str] = set()
        for entry in waiting:
            documents[entry] = held.get(entry, {})
            if entry in kinds:
                named |= named_in_documents(types, kinds[entry], documents[entry])
                referenced |= named_entries(types, kinds[entry], documents[entry])
        assets |= named
        waiting = named - documents.keys()
    entry_types.update(_types_of(session, types, referenced - entry_types.keys()))
    return PackageContent(
        slug=slug,
        body=body,
        types=types,
        languages={
            tag: LanguageFacts(tag, row.name, row.dir, tuple(row.fallback or ()))
            for tag, row in languages(session).items()
        },
        documents=documents,
        entry_types=entry_types,
        assets=assets_for_release(session, sorted(assets)),
    )


def _types_of(session: Session, types: ContentTypes, ids: Iterable[str]) -> dict[str, str]:
    # An entry whose type is gone cannot be shown, so it counts as one that does not exist.
    rows = session.execute(select(Entry.id, Entry.type).where(Entry.id.in_(sorted(ids))))
    return {entry: type_id for entry, type_id in rows if types.find_type(type_id)}
