"""A second entry with what a first one says."""

from __future__ import annotations

from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.rules import Actor, allowed_scopes
from content_api.content.document import SHARED, Flat, flatten, operations_between, unflatten
from content_api.content.models import Revision
from content_api.content.service import create_entry, get_entry, get_revision, type_of
from content_api.content.types import ContentTypes, content_types

COPY_MARK = " (2)"
"""Ends a copied title: understood in every language."""


def duplicate_entry(
    session: Session, actor: Actor, entry_id: str, *, types: ContentTypes | None = None
) -> tuple[Revision, list[str]]:
    """A new entry that says what this one does at its head, in every language; and the languages
    left out because the actor may not write them.

    Raises:
        NotFound: no such entry.
        Forbidden: the actor may not write what all languages share.
    """
    types = types or content_types()
    entry = get_entry(session, actor, entry_id)
    authorise(actor, "entry.write", entry_type=entry.type, scopes=(SHARED,))
    kind = type_of(types, entry)
    flat = flatten(get_revision(session, entry_id, entry.head_rev).body)
    scopes = {scope for _, scope in flat}
    kept = allowed_scopes(actor, "entry.write", scopes, entry_type=entry.type)
    copied: Flat = {pair: value for pair, value in flat.items() if pair[1] in kept}
    title = kind.title_field
    for pair, value in copied.items():
        if title is not None and pair[0] == title.id and isinstance(value, str) and value:
            copied[pair] = value + COPY_MARK
    revision = create_entry(
        session,
        actor,
        entry.type,
        operations_between({}, unflatten(copied), kind),
        message=f"Copy of {entry_id}",
        types=types,
    )
    return revision, sorted(scopes - kept)
