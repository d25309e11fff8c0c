"""What a preview shows: one resolver for every way of looking at a package before displays do.

Three perspectives. `live` is what displays show: the live release, or what is approved if a
release waits whose hour comes by then. `approved` is what publishing now would give. `draft`
is the newest revision of everything, with the viewer's own unsaved work laid over it, shown
in every language as if all of it were approved.

A day may be named: the player then takes it for today, so that rights that end and dates
that pass are seen before they do. It is a day at the package's own place.

A draft need not be complete: what is missing is missing on the screen as well. An entry that
no package lists is previewed in a package made of it alone.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from content_api.content.approvals import approved_documents
from content_api.content.document import OperationRefused, apply_operations
from content_api.content.models import ApprovalLog, Entry, Revision, WorkingCopy
from content_api.content.types import ContentType, ContentTypes
from content_api.languages.service import languages
from content_api.media.models import Asset
from content_api.media.service import rendition_file
from content_api.packages.compile import Compiled, compile_package
from content_api.packages.gather import Documents, gather_content
from content_api.packages.models import Package, Release
from content_api.packages.reading import named_entries
from content_api.packages.schemas import zone_of
from content_api.packages.service import get_package
from content_api.packages.source import ASSET_TYPE, SHARED, listed_entries
from content_api.problems import NotFound
from content_api.repository.service import find_manifest
from content_api.settings import Settings
from package_format.canonical import sha256_hex
from package_format.layout import blob_path, is_slug
from package_format.manifest import PROFILES, Manifest, ManifestFile

PERSPECTIVES = ("draft", "approved", "live")

ENTRY_PREFIX = "entry:"
"""Begins the subject of a preview that is one entry and not a package."""

KEPT = 8
"""Compiled previews in memory at once; the least recently seen goes first."""

_PREVIEW_SLUG = "preview"
_RELATED = {"fr": "En lien", "en": "Related", "ja": "関連するもの", "de": "Verwandtes"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to see.

    `subject` is a package's slug, or `entry:<id>`. `day` None is today at the package's
    place. `viewer` is the id of whose unsaved work is laid over a draft. `types` are the
    entry types whose drafts may be seen; None means all. `language` is added to a draft that
    is not made for it.
    """

    subject: str
    perspective: str = "draft"
    day: date | None = None
    viewer: str | None = None
    types: frozenset[str] | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the player is given. `source` is the perspective that was really taken."""

    source: str
    day: date
    number: int
    manifest: Manifest
    documents: Mapping[str, bytes]
    files: Mapping[str, ManifestFile]
    folder: Path | None

    def find(self, path: str) -> ManifestFile | None:
        """The file at `path` that may be shown on the day, or None."""
        found = self.files.get(path)
        if found is None or (found.expires is not None and found.expires <= self.day):
            return None
        return found

    def bytes_of(self, file: ManifestFile) -> bytes | None:
        """A document that was compiled for this preview, or None: the file lies on disk."""
        return self.documents.get(file.path)

    def place_of(self, settings: Settings, file: ManifestFile) -> Path:
        """Where the bytes of a file lie that is no compiled document."""
        if self.folder is not None:
            return self.folder / blob_path(file.sha256)
        return rendition_file(settings, file.sha256)


def show(
    session: Session, settings: Settings, types: ContentTypes, wanted: Wanted, now: datetime
) -> Shown:
    """What `wanted` shows.

    Raises:
        NotFound: no such package or entry, no such perspective, or nothing is live then.
    """
    if wanted.perspective not in PERSPECTIVES:
        raise NotFound(f"Expected one of {', '.join(PERSPECTIVES)}.")
    body = package_body(session, types, wanted.subject)
    day = wanted.day or now.astimezone(zone_of(body)).date()
    source = wanted.perspective
    if source == "live":
        manifest = _live_manifest(settings, wanted.subject)
        source = displayed(manifest is not None, day, body, planned_hours(session, wanted.subject))
        if source == "nothing":
            raise NotFound("Displays show nothing of this package on that day: it is not live.")
        if source == "live" and manifest is not None:
            return _live(settings, manifest, day)
    return _compiled(session, settings, types, wanted, body, source, day, now)


def displayed(is_live: bool, day: date, body: dict[str, Any], hours: Iterable[datetime]) -> str:
    """What displays show at the end of `day`: `live`, what is `approved` now, or `nothing`.

    `hours` are those of the releases that wait.
    """
    zone = zone_of(body)
    if any(hour.astimezone(zone).date() <= day for hour in hours):
        return "approved"
    return "live" if is_live else "nothing"


def planned_hours(session: Session, slug: str) -> list[datetime]:
    """The hours of a package's releases that still wait, the next one first."""
    query = select(Release.publish_at).where(
        Release.package == slug,
        Release.channel == "live",
        Release.state == "scheduled",
        Release.publish_at.is_not(None),
    )
    return [hour for hour in session.scalars(query.order_by(Release.publish_at)) if hour]


def package_body(session: Session, types: ContentTypes, subject: str) -> dict[str, Any]:
    """The body of the package that `subject` names, or one made of an entry alone.

    Raises:
        NotFound: no such package; no such entry, or one that no screen shows by itself.
    """
    if not subject.startswith(ENTRY_PREFIX):
        return get_package(session, subject).body
    entry_id = subject.removeprefix(ENTRY_PREFIX)
    entry = session.get(Entry, entry_id) if is_slug(entry_id) else None
    kind = types.find_type(entry.type) if entry else None
    if entry is None or kind is None or kind.id == ASSET_TYPE:
        raise NotFound(f"There is no entry {entry_id[:64]!r} that a screen could show.")
    return _entry_body(session, types, entry, kind)


def packages_listing(session: Session, entry_id: str) -> list[Package]:
    """The packages that list an entry, by slug."""
    rows = session.scalars(select(Package).order_by(Package.slug))
    return [row for row in rows if entry_id in listed_entries(row.body)]


def draft_documents(
    types: ContentTypes,
    tags: Sequence[str],
    viewer: str | None,
    visible: frozenset[str] | None,
    session: Session,
    ids: list[str],
) -> Documents:
    """The newest document of each entry, for every scope; of types not in `visible`, what
    is approved."""
    found: dict[str, Mapping[str, Mapping[str, Any]]] = {}
    hidden = []
    unsaved = dict(_unsaved(session, viewer, ids)) if viewer is not None else {}
    for entry_id, type_id, body in _heads(session, ids):
        if visible is not None and type_id not in visible:
            hidden.append(entry_id)
            continue
        kind = types.find_type(type_id)
        if kind is not None and entry_id in unsaved:
            body = laid_over(types, kind, body, unsaved[entry_id], tags)
        found[entry_id] = dict.fromkeys((SHARED, *tags), body)
    if hidden:
        found.update(approved_documents(session, hidden))
    return found


def laid_over(
    types: ContentTypes,
    kind: ContentType,
    body: Mapping[str, Any],
    operations: Sequence[Mapping[str, Any]],
    tags: Sequence[str],
) -> Mapping[str, Any]:
    """`body` after those of `operations` that can be done: unsaved work may be half a word."""
    rest = list(operations)
    while rest:
        try:
            return apply_operations(types, kind, body, rest, tags)
        except OperationRefused as refused:
            number = refused.pointer.split("/")[1] if "/" in refused.pointer else ""
            if not number.isdigit() or int(number) >= len(rest):
                return body
            del rest[int(number)]
    return body


# -- Compiled, and kept while nothing changes ------------------------------------------------

_kept: OrderedDict[tuple[Any, ...], Compiled] = OrderedDict()
# One at a time: the forty requests of one page load wait for the first and find its result.
_lock = threading.Lock()


def _compiled(
    session: Session,
    settings: Settings,
    types: ContentTypes,
    wanted: Wanted,
    body: dict[str, Any],
    source: str,
    day: date,
    now: datetime,
) -> Shown:
    tags = list(languages(session))
    if source == "draft" and wanted.language in tags and wanted.language not in body["languages"]:
        body = {**body, "languages": [*body["languages"], wanted.language]}
    viewer = wanted.viewer if source == "draft" else None
    visible = wanted.types if source == "draft" else None
    state = _state(session, viewer)
    if viewer is not None and not state[-1]:
        viewer = None  # nothing unsaved: everybody sees the same
    key = (
        str(settings.data_dir), settings.database_url, wanted.subject, source, viewer, visible,
        json.dumps(body, sort_keys=True), state,
    )  # fmt: skip
    with _lock:
        compiled = _kept.get(key)
        if compiled is None:
            read = (
                partial(draft_documents, types, tags, viewer, visible)
                if source == "draft"
                else approved_documents
            )
            slug = wanted.subject
            if slug.startswith(ENTRY_PREFIX):
                slug = _PREVIEW_SLUG
            compiled = compile_package(gather_content(session, types, slug, body, read=read))
            _kept[key] = compiled
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
    manifest = compiled.manifest(channel="preview", number=1, published_at=now)
    return Shown(
        source=source,
        day=day,
        # The player asks for a number to learn that something changed; more it need not mean.
        number=int(sha256_hex(repr(key).encode())[:12], 16) + 1,
        manifest=manifest,
        documents=compiled.documents,
        files={file.path: file for file in compiled.files},
        folder=None,
    )


def _state(session: Session, viewer: str | None) -> tuple[Any, ...]:
    # Everything that could change what is compiled leaves its mark in one of these.
    copies = select(func.count(), func.max(WorkingCopy.updated_at)).where(
        WorkingCopy.actor_id == (viewer or "")
    )
    marks = session.execute(
        select(
            select(func.max(Revision.id)).scalar_subquery(),
            select(func.count()).select_from(Entry).scalar_subquery(),
            select(func.max(ApprovalLog.id)).scalar_subquery(),
            # A file that is attached or encoded anew touches its asset.
            select(func.max(Asset.updated_at)).scalar_subquery(),
        )
    ).one()
    tongues = tuple(
        (tag, row.name, row.dir, tuple(row.fallback or ()))
        for tag, row in languages(session).items()
    )
    number, latest = session.execute(copies).one()
    return (*map(str, marks), tongues, (number, str(latest)) if number else ())


def _live_manifest(settings: Settings, subject: str) -> Manifest | None:
    return None if subject.startswith(ENTRY_PREFIX) else find_manifest(settings, subject)


def _live(settings: Settings, manifest: Manifest, day: date) -> Shown:
    return Shown(
        source="live",
        day=day,
        number=manifest.release,
        manifest=manifest,
        documents={},
        files={file.path: file for file in manifest.files},
        folder=settings.repository_dir,
    )


# -- One entry as a package ------------------------------------------------------------------


def _entry_body(
    session: Session, types: ContentTypes, entry: Entry, kind: ContentType
) -> dict[str, Any]:
    tags = list(languages(session))
    head = session.scalar(
        select(Revision.body).where(Revision.entry_id == entry.id, Revision.rev == entry.head_rev)
    )
    named = named_entries(types, kind.id, {SHARED: head or {}}) - {entry.id}
    sections: list[dict[str, Any]] = [
        {"id": "entry", "view": "list", "title": dict(kind.label), "entries": [entry.id]}
    ]
    if named:
        # So that a tour has its stops and a comparison its two sides.
        sections.append(
            {"id": "related", "view": "list", "title": _RELATED, "entries": sorted(named)}
        )
    return {
        "languages": tags,
        "default_language": tags[0] if tags else "fr",
        "profiles": list(PROFILES),
        "sections": sections,
    }


# -- Reading ---------------------------------------------------------------------------------


def _heads(session: Session, ids: Iterable[str]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    for part in _parts(ids):
        yield from session.execute(
            select(Entry.id, Entry.type, Revision.body)
            .join(Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev))
            .where(Entry.id.in_(part))
            .order_by(Entry.id)
        )


def _unsaved(
    session: Session, viewer: str, ids: Iterable[str]
) -> Iterable[tuple[str, Sequence[Mapping[str, Any]]]]:
    for part in _parts(ids):
        yield from session.execute(
            select(WorkingCopy.entry_id, WorkingCopy.operations).where(
                WorkingCopy.actor_id == viewer, WorkingCopy.entry_id.in_(part)
            )
        )


def _parts(ids: Iterable[str], size: int = 500) -> Iterable[list[str]]:
    wanted = list(ids)
    for start in range(0, len(wanted), size):
        yield wanted[start : start + size]
