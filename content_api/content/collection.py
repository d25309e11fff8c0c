"""Collections: a folder of files to the database and back, byte for byte.

Import checks everything before it touches anything, then works in the caller's one
transaction. What is unchanged makes no revision, so importing twice does nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.content.approvals import approvals, approve_scopes
from content_api.content.claims import status_readers
from content_api.content.collection_files import (
    ClaimedText,
    Collection,
    CollectionRefused,
    EntryFile,
    collection_text,
    entry_files,
    entry_text,
    languages_text,
    package_files,
    package_text,
    read_collection,
)
from content_api.content.document import field_at, flatten
from content_api.content.index import REFERENCE_KINDS
from content_api.content.models import Claim, Entry, Revision
from content_api.content.service import put_document
from content_api.content.statuses import update_statuses
from content_api.content.translation import text_hash
from content_api.content.types import ContentTypes, load_types
from content_api.content.values import reference_fault
from content_api.content.yaml_files import YamlRefused, read_yaml
from content_api.languages import service as languages_service
from content_api.media import service as media
from content_api.media.models import Asset
from content_api.packages import service as packages
from content_api.packages.models import Package
from content_api.problems import ContentError
from content_api.settings import Settings

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class ReadyImport:
    """A collection read and checked, and its new files by asset id, encoded."""

    collection: Collection
    files: Mapping[str, media.ReadyFile]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import changed; `unchanged` entries were there already as the files say them."""

    created: int
    changed: int
    unchanged: int
    assets: int
    packages: int


def prepare_import(
    session: Session,
    settings: Settings,
    root: Path,
    *,
    progress: Progress = lambda _what, _done, _all: None,
) -> ReadyImport:
    """Read and check the collection in `root`, and encode those of its files that are new.

    It only reads the database: encoding takes minutes, and a writer on SQLite keeps
    every other one waiting.

    Raises:
        CollectionRefused: a file says something that cannot be.
        TypesRefused: a content type is broken.
        ContentError: an asset's file is refused.
    """
    collection = read_collection(root, _merged_types(settings, root))
    _check_against_database(session, collection)
    files = {
        entry.id: collection.root / entry.asset_file
        for entry in collection.entries.values()
        if entry.asset_file is not None
    }
    ready = media.encode_files(
        session,
        files,
        settings=settings,
        progress=lambda done, total: progress("assets", done, total),
    )
    return ReadyImport(collection, ready)


def import_collection(
    session: Session,
    actor: Actor,
    settings: Settings,
    ready: ReadyImport,
    *,
    progress: Progress = lambda _what, _done, _all: None,
) -> Imported:
    """Bring database and files to what a prepared collection says.

    Entries the collection does not have are left alone.

    Raises:
        CollectionRefused: the database has changed since and no longer takes it; nothing was
            touched.
    """
    authorise(actor, "entry.write")
    collection = ready.collection
    _check_against_database(session, collection)
    languages_service.put_languages(session, actor, collection.languages)
    report = _import_entries(session, actor, collection, progress)
    media.attach_files(session, actor, ready.files)
    assets = len(ready.files)
    changed_packages = _import_packages(session, actor, collection)
    _place_files(settings, collection)
    record(
        session,
        actor,
        "collection.import",
        f"collection/{(collection.title or 'untitled')[:150]}",
        details={"created": report["created"], "changed": report["changed"], "assets": assets},
    )
    return Imported(**report, assets=assets, packages=changed_packages)


def export_collection(
    session: Session,
    settings: Settings,
    root: Path,
    *,
    progress: Progress = lambda _what, _done, _all: None,
) -> int:
    """Write everything to the folder `root`; how many entries.

    The folder is new, empty, or a collection already: then files of what is no more go.

    Raises:
        CollectionRefused: `root` holds something that is no collection.
        OSError: the disk refused.
    """
    if root.is_dir() and any(root.iterdir()) and not (root / "collection.yml").is_file():
        raise CollectionRefused(f"{root}: expected an empty folder or a collection")
    types = load_types(settings.types_dir)
    languages = list(languages_service.languages(session).values())
    tags = [language.tag for language in languages]
    written: set[str] = set()

    def write(name: str, text: str) -> None:
        written.add(name)
        _write_bytes(root / name, text.encode())

    write("collection.yml", collection_text(_title(settings)))
    write("languages.yml", languages_text(languages))
    for path in sorted(settings.types_dir.rglob("*.yml")):
        name = f"types/{path.relative_to(settings.types_dir).as_posix()}"
        written.add(name)
        _write_bytes(root / name, path.read_bytes())
    entries = _exported(session, types)
    for done, (entry, asset) in enumerate(entries):
        write(entry.shown, entry_text(entry, types, tags))
        if asset is not None and entry.asset_file is not None and asset.sha256 is not None:
            written.add(entry.asset_file)
            _copy(media.original_file(settings, asset.sha256), root / entry.asset_file)
        progress("entries", done + 1, len(entries))
    for package in session.scalars(select(Package).order_by(Package.slug)):
        write(f"packages/{package.slug}.yml", package_text(package.slug, package.body, tags))
    _remove_stale(root, written)
    return len(entries)


def _merged_types(settings: Settings, root: Path) -> ContentTypes:
    """The server's content types with those of the collection in their place, checked together."""
    with tempfile.TemporaryDirectory(prefix="lampisterie-types-") as folder:
        merged = Path(folder) / "types"
        for source in (settings.types_dir, root / "types"):
            for name in _type_files(source):
                target = merged / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, target)
        return load_types(merged)


def _type_files(folder: Path) -> list[str]:
    found: list[str] = []
    for part, prefix in ((folder, ""), (folder / "blocks", "blocks/")):
        if part.is_symlink():
            raise CollectionRefused(f"types/{prefix}: expected a folder, not a link")
        for path in sorted(part.glob("*.yml")) if part.is_dir() else ():
            if path.is_symlink() or not path.is_file():
                raise CollectionRefused(f"types/{prefix}{path.name}: expected a plain file")
            found.append(f"{prefix}{path.name}")
    return found


def _check_against_database(session: Session, collection: Collection) -> None:
    """What the files alone cannot know: ids taken by another type, references, package bodies."""
    known = dict(session.execute(select(Entry.id, Entry.type)).all())
    for entry in collection.entries.values():
        taken = known.get(entry.id)
        if taken is not None and taken != entry.type:
            raise CollectionRefused(
                f"{entry.shown}: id: {entry.id} is taken by an entry of type {taken}"
            )
    known.update({entry.id: entry.type for entry in collection.entries.values()})
    for entry in collection.entries.values():
        _check_references(collection.types, entry, known)
    for slug, body in collection.packages.items():
        try:
            packages.check_body(slug, body)
        except ContentError as error:
            first = error.errors[0] if error.errors else {}
            where = str(first.get("pointer", "")).strip("/").replace("/", ".")
            message = first.get("message", error.message)
            raise CollectionRefused(f"packages/{slug}.yml: {where}: {message}") from error


def _check_references(types: ContentTypes, entry: EntryFile, known: Mapping[str, str]) -> None:
    kind = types.type(entry.type)
    flat = flatten(entry.body)
    for (path, _scope), value in flat.items():
        declared = field_at(types, kind, flat, path)
        if declared is None or declared.kind not in REFERENCE_KINDS or value is None:
            continue
        for to_id in [value] if isinstance(value, str) else value:
            fault = reference_fault(declared, to_id, known.get(to_id))
            if fault is not None:
                raise CollectionRefused(f"{entry.shown}: {path}: {fault}")


def _import_entries(
    session: Session, actor: Actor, collection: Collection, progress: Progress
) -> dict[str, int]:
    counts = {"created": 0, "changed": 0, "unchanged": 0}
    entries = list(collection.entries.values())
    for done, entry in enumerate(entries):
        outcome, revision = put_document(
            session, actor, entry.type, entry.id, entry.body, types=collection.types
        )
        counts[outcome] += 1
        _import_claims(session, actor, entry, revision)
        if entry.approved:
            approve_scopes(
                session, actor, entry.id, entry.approved, revision.rev, types=collection.types
            )
        progress("entries", done + 1, len(entries))
    update_statuses(session, collection.entries)
    return counts


def _import_claims(session: Session, actor: Actor, entry: EntryFile, revision: Revision) -> None:
    if not entry.claims:
        return
    flat = flatten(entry.body)
    reader = status_readers(session, [entry.id])[entry.id]
    for claim in entry.claims:
        held = reader.valid_claim(claim.path, claim.language)
        if held and (held.state, held.source_scope) == (claim.state, claim.source):
            continue
        session.add(
            Claim(
                entry_id=entry.id,
                path=claim.path,
                scope=claim.language,
                value_sha256=text_hash(flat[claim.path, claim.language]),
                source_scope=claim.source,
                source_sha256=text_hash(flat[claim.path, claim.source]),
                source_rev=revision.rev,
                state=claim.state,
                by=actor.id,
            )
        )
    session.flush()


def _import_packages(session: Session, actor: Actor, collection: Collection) -> int:
    changed = 0
    for slug, body in collection.packages.items():
        held = session.get(Package, slug)
        before = held.version if held else None
        found = packages.save_package(session, actor, slug, body, expected=before)
        changed += found.version != before
    return changed


def _place_files(settings: Settings, collection: Collection) -> None:
    """Content types and the collection's title, which live as files beside the database."""
    source = collection.root / "types"
    for name in _type_files(source):
        _write_bytes(settings.types_dir / name, (source / name).read_bytes())
    _write_bytes(settings.data_dir / "collection.yml", collection_text(collection.title).encode())


def _title(settings: Settings) -> str:
    try:
        written = read_yaml(settings.data_dir / "collection.yml")
    except YamlRefused:
        return ""
    return str(written.get("title", "")) if isinstance(written, dict) else ""


def _exported(session: Session, types: ContentTypes) -> list[tuple[EntryFile, Asset | None]]:
    rows = session.execute(
        select(Entry, Revision)
        .join(Revision, (Revision.entry_id == Entry.id) & (Revision.rev == Entry.head_rev))
        .order_by(Entry.type, Entry.id)
    ).all()
    ids = [entry.id for entry, _ in rows]
    pointers = approvals(session, ids)
    readers = status_readers(session, ids)
    assets = {asset.id: asset for asset in session.scalars(select(Asset))}
    found: list[tuple[EntryFile, Asset | None]] = []
    for entry, revision in rows:
        if types.find_type(entry.type) is None:
            raise CollectionRefused(
                f"{entry.id}: expected a content type of this server, got {entry.type}"
            )
        asset = assets.get(entry.id)
        reader = readers[entry.id]
        claims = [
            ClaimedText(path, tag, claim.state, claim.source_scope)
            for tag in reader.sources
            for path in reader.paths()
            if (claim := reader.valid_claim(path, tag))
        ]
        file = EntryFile(
            id=entry.id,
            type=entry.type,
            body=revision.body,
            approved=tuple(
                scope for scope, row in pointers[entry.id].items() if row.rev == entry.head_rev
            ),
            claims=tuple(claims),
            asset_file=_asset_name(asset),
        )
        found.append((file, asset))
    return found


def _asset_name(asset: Asset | None) -> str | None:
    if asset is None or asset.sha256 is None:
        return None
    suffix = Path(asset.filename or "").suffix.lower().lstrip(".")
    if not (suffix.isascii() and suffix.isalnum() and len(suffix) <= 8):
        suffix = (asset.media_type or "").rpartition("/")[2].partition("+")[0]
        suffix = "".join(c for c in suffix.lower() if c.isascii() and c.isalnum())[:8] or "bin"
    return f"assets/{asset.id}.{suffix}"


def _remove_stale(root: Path, written: Iterable[str]) -> None:
    kept = set(written)
    listed: list[str] = [shown for _, _, shown in entry_files(root)]
    listed += [shown for _, shown in package_files(root)]
    listed += [f"types/{name}" for name in _type_files(root / "types")]
    if (root / "assets").is_dir() and not (root / "assets").is_symlink():
        listed += [f"assets/{path.name}" for path in (root / "assets").iterdir() if path.is_file()]
    for name in listed:
        if name not in kept:
            (root / name).unlink()


def _write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old bytes or the new ones."""
    if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    os.replace(beside, path)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, beside)
    os.replace(beside, target)
