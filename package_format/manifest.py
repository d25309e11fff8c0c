"""The manifest: one release's list of files, and the rules it must keep.

Parsing is strict about what the format says and silent about what it does not:
unknown fields are kept, so that an older client can pass a newer manifest on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from package_format import FORMAT
from package_format.canonical import canonical_json, is_sha256, parse_json
from package_format.languages import is_language_tag
from package_format.layout import CHANNELS, block_count, is_file_path, is_slug

PROFILES = ("tablet", "wall", "guide", "galaxy")
MAX_SIZE = 2**63 - 1

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class ManifestError(ValueError):
    """A manifest breaks the format; the message says what was expected and where."""


class NewerFormat(ManifestError):
    """The manifest is of a format this version does not know."""


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file of a release. Empty `languages` or `profiles` means all of them."""

    path: str
    sha256: str
    size: int
    type: str
    languages: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    expires: date | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        """The file as it stands in the manifest."""
        found: dict[str, Any] = dict(self.extra)
        found.update(path=self.path, sha256=self.sha256, size=self.size, type=self.type)
        if self.languages:
            found["languages"] = list(self.languages)
        if self.profiles:
            found["profiles"] = list(self.profiles)
        if self.blocks:
            found["blocks"] = list(self.blocks)
        if self.expires:
            found["expires"] = self.expires.isoformat()
        return found


@dataclass(frozen=True, slots=True)
class ManifestLanguage:
    """A language of a release: its tag, own name, direction and the chain already applied."""

    tag: str
    name: str
    dir: str
    fallback: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The language as it stands in the manifest."""
        return {
            "tag": self.tag,
            "name": self.name,
            "dir": self.dir,
            "fallback": list(self.fallback),
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    """A release: numbered, frozen, and complete."""

    package: str
    channel: str
    release: int
    published_at: datetime
    default_language: str
    languages: tuple[ManifestLanguage, ...]
    profiles: tuple[str, ...]
    files: tuple[ManifestFile, ...]
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def tags(self) -> tuple[str, ...]:
        """The language tags, in the editors' order."""
        return tuple(language.tag for language in self.languages)

    def to_bytes(self) -> bytes:
        """Canonical bytes; `parse_manifest` of them gives an equal manifest."""
        return canonical_json(
            {
                **self.extra,
                "format": FORMAT,
                "package": self.package,
                "channel": self.channel,
                "release": self.release,
                "published_at": self.published_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "default_language": self.default_language,
                "languages": [language.to_json() for language in self.languages],
                "profiles": list(self.profiles),
                "files": [entry.to_json() for entry in sorted(self.files, key=lambda f: f.path)],
            }
        )


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest and hold it to the format.

    Raises:
        NewerFormat: its `format` is higher than ours.
        ManifestError: it breaks the format anywhere else.
    """
    try:
        value = parse_json(raw)
    except ValueError as error:
        raise ManifestError(f"manifest: expected JSON: {error}") from error
    if not isinstance(value, dict):
        raise ManifestError("manifest: expected an object")
    version = _integer(value, "format", "manifest", 1)
    if version > FORMAT:
        raise NewerFormat(f"manifest: expected format {FORMAT}, got {version}: update this client")
    files = tuple(_parse_file(entry) for entry in _array(value, "files", "manifest"))
    paths = [entry.path for entry in files]
    if paths != sorted(set(paths)):
        raise ManifestError("manifest: expected files sorted by path, each path once")
    languages = tuple(_parse_language(entry) for entry in _array(value, "languages", "manifest"))
    manifest = Manifest(
        package=_text(value, "package", "manifest"),
        channel=_text(value, "channel", "manifest"),
        release=_integer(value, "release", "manifest", 1),
        published_at=_time(value, "published_at"),
        default_language=_text(value, "default_language", "manifest"),
        languages=languages,
        profiles=_names(value, "profiles", "manifest"),
        files=files,
        extra=_rest(
            value,
            "format package channel release published_at default_language languages profiles files",
        ),
    )
    if not is_slug(manifest.package):
        raise ManifestError(f"manifest: expected a package slug, got {manifest.package!r}")
    if manifest.channel not in CHANNELS:
        raise ManifestError(f"manifest: expected channel live or preview, got {manifest.channel!r}")
    if manifest.default_language not in manifest.tags:
        raise ManifestError("manifest: expected default_language among languages")
    return manifest


def select_files(
    manifest: Manifest, profile: str, languages: Iterable[str]
) -> tuple[ManifestFile, ...]:
    """The files a device of `profile` that takes `languages` needs, in path order."""
    wanted = set(languages)
    return tuple(
        entry
        for entry in manifest.files
        if (not entry.profiles or profile in entry.profiles)
        and (not entry.languages or not wanted.isdisjoint(entry.languages))
    )


def _parse_file(value: Any) -> ManifestFile:
    if not isinstance(value, dict):
        raise ManifestError("manifest files: expected objects")
    path = _text(value, "path", "file")
    where = f"file {path!r}"
    if not is_file_path(path):
        raise ManifestError(f"{where}: expected a relative lower-case path")
    sha256 = _text(value, "sha256", where)
    if not is_sha256(sha256):
        raise ManifestError(f"{where}: expected a SHA-256 in 64 lower-case hex digits")
    size = _integer(value, "size", where, 0)
    media_type = _text(value, "type", where)
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise ManifestError(f"{where}: expected a media type such as image/webp")
    blocks = _names(value, "blocks", where, required=False)
    if len(blocks) != block_count(size) or not all(is_sha256(block) for block in blocks):
        raise ManifestError(f"{where}: expected {block_count(size)} block hashes")
    expires = None
    if "expires" in value:
        try:
            expires = date.fromisoformat(_text(value, "expires", where))
        except ValueError as error:
            raise ManifestError(f"{where}: expected expires as YYYY-MM-DD") from error
    return ManifestFile(
        path=path,
        sha256=sha256,
        size=size,
        type=media_type,
        languages=_names(value, "languages", where, required=False),
        profiles=_names(value, "profiles", where, required=False),
        blocks=blocks,
        expires=expires,
        extra=_rest(value, "path sha256 size type languages profiles blocks expires"),
    )


def _parse_language(value: Any) -> ManifestLanguage:
    if not isinstance(value, dict):
        raise ManifestError("manifest languages: expected objects")
    tag = _text(value, "tag", "language")
    if not is_language_tag(tag):
        raise ManifestError(f"language: expected a BCP 47 tag, got {tag!r}")
    direction = _text(value, "dir", f"language {tag}")
    if direction not in ("ltr", "rtl"):
        raise ManifestError(f"language {tag}: expected dir ltr or rtl, got {direction!r}")
    return ManifestLanguage(
        tag, _text(value, "name", tag), direction, _names(value, "fallback", tag, required=False)
    )


def _text(value: dict[str, Any], key: str, where: str) -> str:
    found = value.get(key)
    if not isinstance(found, str) or not found:
        raise ManifestError(f"{where}: expected text for {key}")
    return found


def _integer(value: dict[str, Any], key: str, where: str, least: int) -> int:
    found = value.get(key)
    if type(found) is not int or not least <= found <= MAX_SIZE:
        raise ManifestError(f"{where}: expected a whole number from {least} for {key}")
    return found


def _array(value: dict[str, Any], key: str, where: str) -> list[Any]:
    found = value.get(key)
    if not isinstance(found, list):
        raise ManifestError(f"{where}: expected a list for {key}")
    return found


def _names(
    value: dict[str, Any], key: str, where: str, *, required: bool = True
) -> tuple[str, ...]:
    if key not in value and not required:
        return ()
    found = _array(value, key, where)
    if not all(isinstance(name, str) and name for name in found):
        raise ManifestError(f"{where}: expected texts in {key}")
    return tuple(found)


def _time(value: dict[str, Any], key: str) -> datetime:
    text = _text(value, key, "manifest")
    if not _TIME.fullmatch(text):
        raise ManifestError(f"manifest: expected {key} as 2026-11-24T06:00:00Z, got {text!r}")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ManifestError(f"manifest: {key}: {error}") from error


def _rest(value: dict[str, Any], known: str) -> dict[str, Any]:
    return {key: found for key, found in value.items() if key not in known.split()}
