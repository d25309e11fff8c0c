"""What can be done with assets. Services take a session, flush, and never commit.

Making a file ready (hashing, telling what it is, encoding) needs no database and may take
long, so it is apart: `prepare` outside a transaction, `attach_file` inside one. Bytes are
stored before the rows that name them; bytes that no row names harm nobody (`unused_files`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from content_api.accounts.rules import Actor
from content_api.media.models import Asset, Rendition
from content_api.packages.source import AssetFacts
from content_api.settings import Settings


def create_asset(
    session: Session, actor: Actor, *, asset_id: str | None = None, title: str | None = None
) -> Asset:
    """A new asset without a file, and the entry that describes it, under one id."""
    raise NotImplementedError


def store_file(
    session: Session,
    actor: Actor,
    asset_id: str,
    stream: BinaryIO,
    declared_size: int | None,
    filename: str | None,
    *,
    settings: Settings | None = None,
) -> Asset:
    """Give an asset its file, or another one; its id and describing texts stay."""
    raise NotImplementedError


def import_file(
    session: Session, actor: Actor, asset_id: str, path: Path, *, settings: Settings | None = None
) -> Asset:
    """Give an asset the file at `path`, making the asset (and its entry) if there is none."""
    raise NotImplementedError


def import_files(
    session: Session,
    actor: Actor,
    files: Mapping[str, Path],
    *,
    settings: Settings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """`import_file` for many, encoding several at once; says how many files were new."""
    raise NotImplementedError


def get_asset(session: Session, asset_id: str) -> Asset:
    """The asset, or NotFound."""
    raise NotImplementedError


def delete_asset(session: Session, actor: Actor, asset_id: str) -> None:
    """Remove an asset and its entry; refused while something uses it."""
    raise NotImplementedError


def renditions(session: Session, ids: Iterable[str]) -> dict[str, list[Rendition]]:
    """The renditions of each asset of `ids` that has any."""
    raise NotImplementedError


def assets_for_release(session: Session, ids: Iterable[str]) -> dict[str, AssetFacts]:
    """What a release needs to know of each asset of `ids` that has a file."""
    raise NotImplementedError


def original_file(settings: Settings, sha256: str) -> Path:
    """Where an uploaded file lies."""
    return settings.originals_dir / sha256[:2] / sha256


def rendition_file(settings: Settings, sha256: str) -> Path:
    """Where an encoding lies."""
    return settings.renditions_dir / sha256[:2] / sha256
