"""The difference between two releases: what readers see, and what devices will fetch. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from content_api.packages.compile import JSON_TYPE
from content_api.repository.store import gzip_bytes
from package_format.layout import language_folder
from package_format.manifest import Manifest, ManifestFile, select_files

Reader = Callable[[ManifestFile], bytes]


@dataclass(frozen=True, slots=True)
class LanguageChanges:
    """Ids of entries and assets that differ in one language, sorted."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Download:
    """What one kind of device fetches, manifest included: files and bytes, plain and with gzip."""

    profile: str
    languages: tuple[str, ...]
    files: int
    bytes: int
    gzip_bytes: int


@dataclass(frozen=True, slots=True)
class Changes:
    """From release `before` (None: nothing) to `after` (None: not published yet)."""

    before: int | None
    after: int | None
    package_changed: bool
    languages: Mapping[str, LanguageChanges]
    downloads: tuple[Download, ...] = field(default=())


def compare_releases(
    before: Manifest | None, read_before: Reader, after: Manifest, read_after: Reader
) -> Changes:
    """What changes for readers by language, and what devices of each profile will fetch.

    The readers give the bytes of a document; only those whose hash differs are asked for.
    """
    old = {entry.path: entry for entry in before.files} if before else {}
    new = {entry.path: entry for entry in after.files}
    tags = dict.fromkeys((*(before.tags if before else ()), *after.tags))
    return Changes(
        before=before.release if before else None,
        after=after.release,
        package_changed=_hash(old, "package.json") != _hash(new, "package.json"),
        languages={tag: _language(tag, old, read_before, new, read_after) for tag in tags},
        downloads=tuple(_downloads(before, after, read_after)),
    )


def _language(
    tag: str,
    old: Mapping[str, ManifestFile],
    read_old: Reader,
    new: Mapping[str, ManifestFile],
    read_new: Reader,
) -> LanguageChanges:
    prefix = f"{language_folder(tag)}/shard-"
    before = _members(prefix, old, new, read_old)
    after = _members(prefix, new, old, read_new)
    return LanguageChanges(
        new=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(id for id in after.keys() & before.keys() if after[id] != before[id])),
        removed=tuple(sorted(before.keys() - after.keys())),
    )


def _members(
    prefix: str,
    files: Mapping[str, ManifestFile],
    others: Mapping[str, ManifestFile],
    read: Reader,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, entry in files.items():
        if path.startswith(prefix) and _hash(others, path) != entry.sha256:
            shard = json.loads(read(entry))
            found.update(shard["entries"])
            found.update(shard["assets"])
    return found


def _downloads(before: Manifest | None, after: Manifest, read: Reader) -> list[Download]:
    found = []
    choices = [after.tags] if len(after.tags) == 1 else [after.tags, *((t,) for t in after.tags)]
    raw = after.to_bytes()
    compressed: dict[str, int] = {}

    def gzip_size(entry: ManifestFile) -> int:
        if entry.type != JSON_TYPE:
            return entry.size
        if entry.sha256 not in compressed:
            compressed[entry.sha256] = len(gzip_bytes(read(entry)))
        return compressed[entry.sha256]

    for profile in after.profiles:
        for tags in choices:
            held = {e.sha256 for e in select_files(before, profile, tags)} if before else set()
            wanted = {e.sha256: e for e in select_files(after, profile, tags)}
            fetched = [entry for sha256, entry in wanted.items() if sha256 not in held]
            found.append(
                Download(
                    profile,
                    tuple(tags),
                    1 + len(fetched),
                    len(raw) + sum(entry.size for entry in fetched),
                    len(gzip_bytes(raw)) + sum(gzip_size(entry) for entry in fetched),
                )
            )
    return found


def _hash(files: Mapping[str, ManifestFile], path: str) -> str | None:
    return files[path].sha256 if path in files else None
