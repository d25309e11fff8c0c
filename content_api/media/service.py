"""What can be done with assets. Services take a session, flush, and never commit.

Making a file ready needs no database and may take long: see `prepare`. `attach_file` is the
short part, inside the transaction. Bytes are stored before the rows that name them; bytes
that no row names harm nobody, and `unused_files` finds them.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.content.models import Entry
from content_api.content.service import create_entry, delete_entry
from content_api.database import utc_now
from content_api.media.images import RECIPE
from content_api.media.intake import Readable
from content_api.media.models import Asset, Rendition
from content_api.media.prepare import Prepared, prepare, prepare_paths
from content_api.packages.source import AssetFacts, RenditionFacts
from content_api.problems import Conflict, NotFound, Refused
from content_api.repository.store import hash_file
from content_api.settings import Settings, current_settings
from package_format.layout import is_slug

ASSET_TYPE = "asset"
"""The content type of the entry that describes an asset, under the same id."""

MAX_FILENAME = 200
_CHUNK_OF_IDS = 500
_FORGOTTEN = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Rights:
    """Who holds an asset, under which licence, and the day it must no longer be shown."""

    holder: str | None = None
    licence: str | None = None
    url: str | None = None
    expires: str | None = None


def create_asset(
    session: Session, actor: Actor, *, asset_id: str | None = None, title: str | None = None
) -> Asset:
    """A new asset without a file, and the entry that describes it, under one id.

    Without `asset_id` the id is made from `title`, else by chance.

    Raises:
        Refused: the id is no slug.
        Conflict: the id is taken.
    """
    chosen = asset_id or _free_id(session, title)
    if not is_slug(chosen):
        raise Refused(f"Expected an id of words of a-z0-9 joined by -, got {chosen[:64]!r}.")
    if session.get(Entry, chosen) is not None:
        raise Conflict(f"The id {chosen} is taken.")
    return _new_asset(session, actor, chosen)


def store_file(
    session: Session,
    actor: Actor,
    asset_id: str,
    stream: Readable,
    declared_size: int | None,
    filename: str | None,
    *,
    settings: Settings | None = None,
) -> Asset:
    """Give an asset its file, or another one; its id and describing texts stay.

    For a file that arrives slowly call `prepare` first and `attach_file` after.

    Raises:
        NotFound: there is no such asset.
        TooLarge, ShortBody, TypeNotAccepted, FileDamaged: the file is refused.
    """
    get_asset(session, asset_id)
    ready = prepare(settings or current_settings(), stream, declared=declared_size)
    return attach_file(session, actor, asset_id, ready, filename)


def attach_file(
    session: Session, actor: Actor, asset_id: str, ready: Prepared, filename: str | None
) -> Asset:
    """Make a prepared file the asset's file. The same file once more changes nothing.

    Raises:
        NotFound: there is no such asset.
        Conflict: the asset is used as another kind of file.
    """
    asset = get_asset(session, asset_id)
    if asset.sha256 == ready.sha256 and _is_current(asset):
        return asset
    if asset.kind not in (None, ready.format.kind):
        raise Conflict(
            f"The asset {asset_id} is of kind {asset.kind}: expected another {asset.kind}, got a "
            f"{ready.format.label}. Entries rely on its kind; make a new asset instead."
        )
    before = asset.sha256
    asset.kind = ready.format.kind
    asset.media_type = ready.format.media_type
    asset.sha256, asset.size = ready.sha256, ready.size
    asset.width, asset.height, asset.duration = ready.width, ready.height, ready.duration
    asset.facts = ready.facts
    asset.filename = clean_filename(filename)
    asset.updated_at = utc_now()
    if before is not None:
        asset.version += 1
    asset.renditions.clear()
    session.flush()
    asset.renditions.extend(
        Rendition(
            name=encoding.name,
            position=position,
            sha256=encoding.sha256,
            size=encoding.size,
            media_type=encoding.media_type,
            width=encoding.width,
            height=encoding.height,
            profiles=list(encoding.profiles),
            blocks=list(encoding.blocks),
            source_sha256=ready.sha256,
            recipe=RECIPE,
        )
        for position, encoding in enumerate(ready.encodings)
    )
    session.flush()
    record(
        session,
        actor,
        "asset.file",
        f"asset/{asset_id}",
        details={"sha256": ready.sha256, "size": ready.size, "replaces": before},
    )
    return asset


@dataclass(frozen=True, slots=True)
class ReadyFile:
    """A file judged, encoded and stored, waiting for its rows; and what it was called."""

    prepared: Prepared
    filename: str


def encode_files(
    session: Session,
    files: Mapping[str, Path],
    *,
    settings: Settings,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, ReadyFile]:
    """Encode those of `files` (by asset id) that their assets do not hold yet, several at once.

    It only reads the database. `progress` is told how many are done, and how many there are.

    Raises:
        TooLarge, TypeNotAccepted, FileDamaged: a file is refused; the message begins with its name.
        OSError: one cannot be read.
    """
    new = {
        asset_id: path
        for asset_id, path in files.items()
        if not _holds(settings, session.get(Asset, asset_id), path)
    }
    made = prepare_paths(settings, new, progress=progress)
    return {asset_id: ReadyFile(made[asset_id], path.name) for asset_id, path in new.items()}


def attach_files(session: Session, actor: Actor, files: Mapping[str, ReadyFile]) -> None:
    """Give assets the files that `encode_files` made, making assets that are missing."""
    for asset_id, ready in files.items():
        _ensure_asset(session, actor, asset_id)
        attach_file(session, actor, asset_id, ready.prepared, ready.filename)


def get_asset(session: Session, asset_id: str) -> Asset:
    """The asset.

    Raises:
        NotFound: there is none.
    """
    found = session.get(Asset, asset_id) if is_slug(asset_id) else None
    if found is None:
        raise NotFound(f"There is no asset {asset_id[:64]!r}.")
    return found


def list_assets(
    session: Session, *, kind: str | None = None, after: str | None = None, limit: int = 50
) -> list[Asset]:
    """Assets by id, those after `after`."""
    query = select(Asset).order_by(Asset.id).limit(limit)
    if kind is not None:
        query = query.where(Asset.kind == kind)
    if after is not None:
        query = query.where(Asset.id > after)
    return list(session.scalars(query))


def delete_asset(session: Session, actor: Actor, asset_id: str) -> None:
    """Remove an asset with its entry. Its bytes stay: releases may hold them.

    Raises:
        NotFound: there is no such asset.
        Conflict: an entry or a package uses it; its details name each.
    """
    asset = get_asset(session, asset_id)
    sha256 = asset.sha256
    # The database removes the row with its entry; the session must not write it any more.
    session.expunge(asset)
    delete_entry(session, actor, asset_id)
    record(session, actor, "asset.delete", f"asset/{asset_id}", details={"sha256": sha256})


def renditions(session: Session, ids: Iterable[str]) -> dict[str, list[Rendition]]:
    """The renditions of each asset of `ids` that has any, smallest picture first."""
    found: dict[str, list[Rendition]] = {}
    for chunk in _chunks(ids):
        rows = session.scalars(
            select(Rendition)
            .where(Rendition.asset_id.in_(chunk))
            .order_by(Rendition.asset_id, Rendition.position)
        )
        for row in rows:
            found.setdefault(row.asset_id, []).append(row)
    return found


def assets_for_release(session: Session, ids: Iterable[str]) -> dict[str, AssetFacts]:
    """What a release needs to know of each asset of `ids` that has a file."""
    found: dict[str, AssetFacts] = {}
    for chunk in _chunks(ids):
        rows = session.scalars(
            select(Asset).where(Asset.id.in_(chunk), Asset.sha256.is_not(None)).order_by(Asset.id)
        )
        for asset in rows:
            found[asset.id] = AssetFacts(
                id=asset.id,
                kind=asset.kind or "",
                media_type=asset.media_type or "",
                width=asset.width,
                height=asset.height,
                duration=asset.duration,
                renditions=tuple(
                    RenditionFacts(
                        name=row.name,
                        sha256=row.sha256,
                        size=row.size,
                        media_type=row.media_type,
                        width=row.width,
                        height=row.height,
                        profiles=tuple(row.profiles),
                        blocks=tuple(row.blocks),
                    )
                    for row in asset.renditions
                ),
            )
    return found


def rights_of(body: Mapping[str, Any]) -> Rights:
    """The rights that an asset's document states, empty where it says nothing."""
    value = body.get("fields", {}).get("rights", {}).get("*") or {}
    return Rights(**{name: value.get(name) for name in ("holder", "licence", "url", "expires")})


def original_file(settings: Settings, sha256: str) -> Path:
    """Where an uploaded file lies; never public."""
    return settings.originals_dir / sha256[:2] / sha256


def rendition_file(settings: Settings, sha256: str) -> Path:
    """Where an encoding lies."""
    return settings.renditions_dir / sha256[:2] / sha256


def unused_files(session: Session, settings: Settings) -> Iterator[Path]:
    """Originals and encodings that no asset names, older than a day; removing them is safe.

    A day, because bytes are stored before the rows that name them.
    """
    originals = set(session.scalars(select(Asset.sha256).where(Asset.sha256.is_not(None))))
    encodings = set(session.scalars(select(Rendition.sha256)))
    before = time.time() - _FORGOTTEN
    for folder, used in ((settings.originals_dir, originals), (settings.renditions_dir, encodings)):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in used:
                status = path.stat()
                # Linking an old original as an encoding sets only its ctime.
                if max(status.st_mtime, status.st_ctime) < before:
                    yield path


def clean_filename(name: str | None) -> str | None:
    """The last part of a client's file name, printable, for people to read; never a path."""
    if not name:
        return None
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(
        character
        for character in last
        if unicodedata.category(character)[0] not in "CZ" or character == " "
    ).strip()
    return printable[:MAX_FILENAME] or None


def _new_asset(session: Session, actor: Actor, asset_id: str) -> Asset:
    create_entry(session, actor, ASSET_TYPE, [], entry_id=asset_id)
    return _add_row(session, asset_id)


def _ensure_asset(session: Session, actor: Actor, asset_id: str) -> Asset:
    asset = session.get(Asset, asset_id)
    if asset is not None:
        return asset
    entry = session.get(Entry, asset_id)
    if entry is None:
        return create_asset(session, actor, asset_id=asset_id)
    if entry.type != ASSET_TYPE:
        raise Conflict(f"The id {asset_id} is taken by an entry of type {entry.type}.")
    return _add_row(session, asset_id)


def _add_row(session: Session, asset_id: str) -> Asset:
    asset = Asset(id=asset_id, facts={}, version=1)
    session.add(asset)
    session.flush()
    return asset


def _holds(settings: Settings, asset: Asset | None, path: Path) -> bool:
    if asset is None or asset.sha256 is None or not _is_current(asset):
        return False
    if path.stat().st_size != asset.size or hash_file(path)[0] != asset.sha256:
        return False
    # A data directory restored without its files heals when the collection is imported again.
    return all(
        file.exists()
        for file in (
            original_file(settings, asset.sha256),
            *(rendition_file(settings, row.sha256) for row in asset.renditions),
        )
    )


def _is_current(asset: Asset) -> bool:
    return bool(asset.renditions) and all(row.recipe == RECIPE for row in asset.renditions)


def _free_id(session: Session, title: str | None) -> str:
    plain = unicodedata.normalize("NFKD", title or "").encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    if not stem:
        return f"asset-{uuid4().hex[:12]}"
    if session.get(Entry, stem) is None:
        return stem
    return f"{stem}-{uuid4().hex[:8]}"


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    # SQLite and PostgreSQL bound the number of values in one statement.
    listed = sorted(set(ids))
    for start in range(0, len(listed), _CHUNK_OF_IDS):
        yield listed[start : start + _CHUNK_OF_IDS]


__all__ = [
    "ASSET_TYPE",
    "Asset",
    "Rendition",
    "Rights",
    "assets_for_release",
    "attach_file",
    "attach_files",
    "clean_filename",
    "create_asset",
    "delete_asset",
    "encode_files",
    "get_asset",
    "list_assets",
    "original_file",
    "rendition_file",
    "renditions",
    "rights_of",
    "store_file",
    "unused_files",
]
