"""Subtitles of a film or sound, one file for each language.

Subtitles are a translation: who may write an asset's texts in a language may write its
subtitles in it. The bytes are an asset of kind `subtitles`, which the film's field
`subtitles` names in that language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.rules import SYSTEM, Actor
from content_api.content.models import Entry, Reference
from content_api.content.service import find_entry, get_revision, save_entry
from content_api.media.models import Asset
from content_api.media.prepare import Prepared
from content_api.media.service import ASSET_TYPE, attach_file, create_asset, get_asset
from content_api.problems import Conflict, Refused

FIELD = "subtitles"
TIMED = ("audio", "video")
"""Kinds of assets that have subtitles."""


class SubtitlesChanged(Conflict):
    """Somebody saved other subtitles in this language meanwhile."""

    code = "subtitles-changed"


def subtitles_of(session: Session, asset_id: str) -> dict[str, Asset]:
    """The subtitles of an asset by language, those that have a file."""
    found = _named(session, asset_id)
    rows = session.scalars(select(Asset).where(Asset.id.in_(sorted(set(found.values())))))
    held = {row.id: row for row in rows if row.sha256 is not None}
    return {tag: held[named] for tag, named in found.items() if named in held}


def save_subtitles(
    session: Session,
    actor: Actor,
    asset_id: str,
    language: str,
    ready: Prepared,
    *,
    replaces: str | None,
    types: Any = None,
) -> Asset:
    """Make a prepared WebVTT file the subtitles of an asset in a language; their asset.

    `replaces` is the SHA-256 of the subtitles this began from, None when there were none.
    A file that something else shows too is left as it is, and a new one is made.

    Raises:
        NotFound: there is no such asset.
        Refused: the asset has no time to follow, or the file is no subtitles.
        Forbidden: the actor may not write this language of assets.
        SubtitlesChanged: the subtitles are no longer those of `replaces`.
    """
    asset = get_asset(session, asset_id)
    authorise(actor, "entry.write", entry_type=ASSET_TYPE, scopes=(language,))
    if asset.kind not in TIMED:
        raise Refused("Only films and sounds have subtitles.")
    if ready.format.kind != FIELD:
        raise Refused(f"Expected WebVTT subtitles, got a {ready.format.label}.")
    named = _named(session, asset_id)
    present = session.get(Asset, named[language]) if language in named else None
    if (present.sha256 if present is not None else None) != replaces:
        raise SubtitlesChanged(
            "Somebody else saved these subtitles while you were working: load theirs, or save "
            "yours over them."
        )
    if present is not None and not _is_shared(session, present.id, asset_id, language, named):
        return attach_file(session, actor, present.id, ready, f"{present.id}.vtt")
    # A new entry is shared by all languages, and a translator writes one alone: the empty entry
    # is the system's, its file is theirs, and the audit trail says so.
    made = create_asset(session, SYSTEM, asset_id=_free_id(session, asset_id, language))
    attach_file(session, actor, made.id, ready, f"{made.id}.vtt")
    entry = find_entry(session, asset_id)
    save_entry(
        session,
        actor,
        asset_id,
        entry.head_rev if entry is not None else 1,
        [{"op": "set", "path": FIELD, "scope": language, "value": made.id}],
        types=types,
    )
    return made


def _named(session: Session, asset_id: str) -> dict[str, str]:
    entry = find_entry(session, asset_id)
    if entry is None:
        return {}
    body: Mapping[str, Any] = get_revision(session, asset_id, entry.head_rev).body
    values = body.get("fields", {}).get(FIELD, {})
    return {tag: named for tag, named in values.items() if named}


def _is_shared(
    session: Session, named_id: str, asset_id: str, language: str, named: Mapping[str, str]
) -> bool:
    if any(tag != language and other == named_id for tag, other in named.items()):
        return True
    elsewhere = select(Reference.from_id).where(
        Reference.to_id == named_id, Reference.from_id != asset_id
    )
    return session.scalar(elsewhere.limit(1)) is not None


def _free_id(session: Session, asset_id: str, language: str) -> str:
    stem = f"{asset_id[:32].strip('-')}-{language.lower()}"[:54].strip("-")
    if session.get(Entry, stem) is None:
        return stem
    return f"{stem}-{uuid4().hex[:8]}"
