"""Read a live release from the signed repository, as any display does, and keep it in memory.

The database is not asked: what partners read is what was signed. A release never changes,
so it is read once and known by the hash of its manifest.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from content_api.problems import NotFound
from content_api.repository.metadata import targets
from content_api.repository.service import load_manifest
from content_api.repository.store import read_blob
from content_api.settings import Settings
from package_format.layout import is_slug, language_folder, manifest_target
from package_format.manifest import Manifest, ManifestFile
from package_format.schedule import is_shown

KEPT_RELEASES = 12
"""Releases in memory at once; the least recently read goes first."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LanguageDocuments:
    """What a release says in one language: entries and assets by id, and names of types."""

    tag: str
    entries: Mapping[str, Document]
    assets: Mapping[str, Document]
    types: Mapping[str, Any]


@dataclass
class LiveRelease:
    """A release as partners read it. Everything but the caches is fixed by `sha256`."""

    repository: Path
    sha256: str
    manifest: Manifest
    _languages: dict[str, LanguageDocuments] = field(default_factory=dict, repr=False)

    @cached_property
    def files(self) -> Mapping[str, ManifestFile]:
        """The files by path."""
        return {entry.path: entry for entry in self.manifest.files}

    @cached_property
    def package(self) -> Mapping[str, Any]:
        """`package.json`."""
        return self._json("package.json")

    def documents(self, tag: str) -> LanguageDocuments:
        """What the release says in `tag`, one of its languages."""
        found = self._languages.get(tag)
        if found is None:
            found = self._languages[tag] = self._read(tag)
        return found

    def documents_on(self, tag: str, today: date) -> LanguageDocuments:
        """What it says in `tag` on `today`, a day at the venue: entries have their days."""
        found = self.documents(tag)
        hidden = self._hidden_on(today)
        if hidden.isdisjoint(found.entries):
            return found
        entries = {key: value for key, value in found.entries.items() if key not in hidden}
        return replace(found, entries=entries)

    def sections_on(self, today: date) -> list[dict[str, Any]]:
        """The sections with the entries they list on `today`."""
        hidden = self._hidden_on(today)

        def shown(sections: Any) -> list[dict[str, Any]]:
            return [
                {
                    **section,
                    "entries": [entry for entry in section["entries"] if entry not in hidden],
                    "sections": shown(section["sections"]),
                }
                for section in sections
            ]

        return shown(self.package["sections"])

    def _hidden_on(self, today: date) -> frozenset[str]:
        spans = self.package.get("shown", {})
        return frozenset(entry for entry, span in spans.items() if not is_shown(span, today))

    def is_shown(self, path: str, today: date) -> bool:
        """Whether the file at `path` may be shown on `today`, a day at the venue."""
        entry = self.files.get(path)
        return entry is not None and (entry.expires is None or today < entry.expires)

    def _read(self, tag: str) -> LanguageDocuments:
        folder = language_folder(tag)
        entries: dict[str, Document] = {}
        assets: dict[str, Document] = {}
        for number in self.package["shards"].get(tag, ()):
            shard = self._json(f"{folder}/shard-{number}.json")
            entries.update(shard["entries"])
            assets.update(shard["assets"])
        ordered = {entry: entries[entry] for entry in entry_order(self.package) if entry in entries}
        names = self._json(f"{folder}/types.json")
        return LanguageDocuments(tag, ordered, assets, names["types"])

    def _json(self, path: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(read_blob(self.repository, self.files[path].sha256))
        return found


_kept: OrderedDict[tuple[str, str], LiveRelease] = OrderedDict()
_lock = threading.Lock()


def live_release(settings: Settings, slug: str) -> LiveRelease:
    """The live release of the package `slug`.

    Raises:
        NotFound: the package is not published.
        RepositoryDamaged: the repository cannot be read.
    """
    signed = (
        targets(settings.repository_dir).get(manifest_target(slug, "live"))
        if (is_slug(slug))
        else None
    )
    if signed is None:
        raise NotFound(f"No package {slug[:64]!r} is live.")
    key = (str(settings.repository_dir), signed.sha256)
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
            return found
    manifest = load_manifest(settings, slug, "live", signed.sha256)
    release = LiveRelease(settings.repository_dir, signed.sha256, manifest)
    with _lock:
        _kept[key] = release
        while len(_kept) > KEPT_RELEASES:
            _kept.popitem(last=False)
    return release


def live_packages(settings: Settings) -> list[LiveRelease]:
    """The live release of every package, by slug."""
    slugs = sorted(
        target.split("/")[1]
        for target in targets(settings.repository_dir)
        if target.endswith("/live.json")
    )
    return [live_release(settings, slug) for slug in slugs]


def entry_order(package: Mapping[str, Any]) -> list[str]:
    """Ids of the entries of a package, each once, in the editors' order."""
    found: dict[str, None] = {}

    def walk(sections: Any) -> None:
        for section in sections:
            found.update(dict.fromkeys(section["entries"]))
            walk(section["sections"])

    walk(package["sections"])
    return list(found)


def section_entries(package: Mapping[str, Any], section_id: str) -> list[str] | None:
    """Ids of the entries of a section and those inside it, or None if there is no such section."""

    def find(sections: Any) -> Mapping[str, Any] | None:
        for section in sections:
            if section["id"] == section_id:
                return section  # type: ignore[no-any-return]
            inner = find(section["sections"])
            if inner is not None:
                return inner
        return None

    section = find(package["sections"])
    return None if section is None else entry_order({"sections": [section]})


def sections_of(package: Mapping[str, Any], entry_id: str) -> list[str]:
    """Ids of the sections that list an entry."""
    found: list[str] = []

    def walk(sections: Any) -> None:
        for section in sections:
            if entry_id in section["entries"]:
                found.append(section["id"])
            walk(section["sections"])

    walk(package["sections"])
    return found
