"""Choosing what to fetch: pure, touches nothing. What may go is `room.plan_eviction`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from package_format.languages import match_language
from package_format.manifest import Manifest, ManifestFile, select_files

DOCUMENT_TYPES = ("application/json", "application/geo+json")


@dataclass(frozen=True, slots=True)
class Plan:
    """Blobs to fetch, in order, and their bytes in all."""

    fetch: tuple[ManifestFile, ...]
    fetch_bytes: int


def plan_sync(needed: Iterable[ManifestFile], *, held: Iterable[str]) -> Plan:
    """Choose blobs (SHA-256) to fetch; `held` are the needed ones, stored and proven.

    Documents come first, then small before large: what a visitor reads is
    there before the films are.
    """
    by_hash: dict[str, ManifestFile] = {}
    for entry in needed:
        by_hash.setdefault(entry.sha256, entry)
    proven = set(held)
    fetch = sorted(
        (entry for sha256, entry in by_hash.items() if sha256 not in proven),
        key=lambda entry: (entry.type not in DOCUMENT_TYPES, entry.size, entry.sha256),
    )
    return Plan(
        fetch=tuple(fetch),
        fetch_bytes=sum(entry.size for entry in fetch),
    )


def held_languages(manifest: Manifest, assigned: Sequence[str]) -> tuple[str, ...]:
    """The release's languages that serve the assigned ones, in the release's order.

    `zh-CN` assigned takes `zh-Hans` of the release. When nothing matches, the
    release's default language: a screen in a strange language beats none.
    """
    matched = {match_language(tag, manifest.tags) for tag in assigned}
    return tuple(tag for tag in manifest.tags if tag in matched) or (manifest.default_language,)


def needed_files(
    manifest: Manifest, profile: str, assigned: Sequence[str]
) -> tuple[ManifestFile, ...]:
    """The files a device of `profile` that was assigned these languages needs."""
    return select_files(manifest, profile, held_languages(manifest, assigned))
