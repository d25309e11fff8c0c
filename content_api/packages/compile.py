"""Compile a package into the files of a release, as docs/package-format.md says. Pure.

The same content gives the same bytes, in any process: nothing here reads a clock, a disk or
the order of a set. The release's number and hour stand in the manifest alone, so restoring
an old release repeats its documents byte for byte and costs a display no download.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from content_api.content.richtext import inline_nodes, to_nodes
from content_api.content.types import Field
from content_api.packages.reading import (
    Reading,
    block_fields_of,
    fields_of,
    is_track,
    is_usable,
)
from content_api.packages.source import (
    ASSET_TYPE,
    SHARED,
    AssetFacts,
    PackageContent,
    RenditionFacts,
)
from package_format import FORMAT
from package_format.canonical import canonical_json, sha256_hex
from package_format.layout import bucket_count, bucket_of, language_folder
from package_format.manifest import Manifest, ManifestFile, ManifestLanguage

JSON_TYPE = "application/json"
VTT_TYPE = "text/vtt"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A release before it has a number: its documents by path, and all of its files."""

    content: PackageContent
    documents: Mapping[str, bytes]
    media: Mapping[str, str]
    files: tuple[ManifestFile, ...]

    def manifest(self, *, channel: str, number: int, published_at: datetime) -> Manifest:
        """The manifest of this content as release `number`."""
        body = self.content.body
        return Manifest(
            package=self.content.slug,
            channel=channel,
            release=number,
            published_at=published_at.replace(microsecond=0),
            default_language=body["default_language"],
            languages=tuple(
                ManifestLanguage(facts.tag, facts.name, facts.dir, facts.fallback)
                for facts in (self.content.languages[tag] for tag in self.content.tags)
            ),
            profiles=self.content.profiles,
            files=self.files,
        )


def compile_package(content: PackageContent) -> Compiled:
    """The documents and files of a release of `content`.

    What a language does not show is left out of it, with everything that only it would need.
    """
    readings = [Reading(content, tag) for tag in content.tags]
    entries = {entry for reading in readings for entry in reading.shown}
    assets = {asset for reading in readings for asset in reading.assets}
    buckets = bucket_count(len(entries | assets))
    documents: dict[str, bytes] = {}
    files: list[ManifestFile] = []
    shards: dict[str, list[int]] = {}
    for reading in readings:
        written = {
            f"{language_folder(reading.tag)}/shard-{number}.json": shard
            for number, shard in sorted(_shards(reading, buckets).items())
        }
        shards[reading.tag] = sorted(
            {bucket_of(member, buckets) for member in (*reading.shown, *reading.assets)}
        )
        written[f"{language_folder(reading.tag)}/types.json"] = _types_document(
            content, reading, {content.entry_types[entry] for entry in entries}
        )
        for path, value in written.items():
            documents[path] = canonical_json(value)
            files.append(_document_file(path, documents[path], (reading.tag,)))
    documents["package.json"] = canonical_json(
        _package_document(content, buckets, shards, entries, assets)
    )
    files.append(_document_file("package.json", documents["package.json"], ()))
    media_files = _media_files(content, readings)
    return Compiled(
        content=content,
        documents=documents,
        media={file.path: file.sha256 for file in media_files},
        files=tuple(sorted([*files, *media_files], key=lambda file: file.path)),
    )


def resolve_map(content: PackageContent, texts: Mapping[str, str]) -> dict[str, str]:
    """A text of the package in each of its languages, after fallback; {} if one stays without.

    The last resort is the package's default language.
    """
    found = {}
    for tag in content.tags:
        chain = (tag, *content.languages[tag].fallback, content.body["default_language"])
        text = next((texts[scope] for scope in chain if texts.get(scope)), None)
        if text is None:
            return {}
        found[tag] = text
    return found


def carried_renditions(content: PackageContent, asset: AssetFacts) -> list[RenditionFacts]:
    """The encodings of an asset that a profile of the package needs."""
    return [
        rendition
        for rendition in asset.renditions
        if not rendition.profiles or set(rendition.profiles) & set(content.profiles)
    ]


def media_path(asset: str, rendition: RenditionFacts) -> str:
    """Where the player finds an encoding."""
    return f"media/{asset}/{rendition.name}"


def rights_expiry(content: PackageContent, asset: str) -> date | None:
    """The day from which an asset must not be shown, by its approved rights; None: no end."""
    body = content.documents.get(asset, {}).get(SHARED, {})
    rights = body.get("fields", {}).get("rights", {}).get(SHARED) or {}
    try:
        return date.fromisoformat(rights["expires"]) if rights.get("expires") else None
    except ValueError:
        return None


def _package_document(
    content: PackageContent,
    buckets: int,
    shards: Mapping[str, list[int]],
    entries: set[str],
    assets: set[str],
) -> dict[str, Any]:
    body = content.body
    found: dict[str, Any] = {
        "format": FORMAT,
        "package": content.slug,
        "buckets": buckets,
        "shards": shards,
        "sections": [_section(content, section, entries) for section in body.get("sections", ())],
        "settings": body.get("settings", {}),
    }
    for name in ("title", "summary", "credits"):
        texts = resolve_map(content, body.get(name, {}))
        if texts:
            found[name] = texts
    shown = {entry: span for entry, span in body.get("shown", {}).items() if entry in entries}
    if shown:
        found["shown"] = shown
    theme = dict(body.get("theme", {}))
    if "attract" in theme:
        theme["attract"] = [asset for asset in theme["attract"] if asset in assets]
    if theme.get("logo") not in assets:
        theme.pop("logo", None)
    found["theme"] = theme
    if "map" in body:
        layers = body["map"].get("layers", ())
        found["map"] = {
            **body["map"],
            "layers": [layer for layer in layers if layer["asset"] in assets],
        }
    return found


def _section(
    content: PackageContent, section: Mapping[str, Any], entries: set[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": section["id"],
        "view": section["view"],
        "entries": [entry for entry in section.get("entries", ()) if entry in entries],
        "sections": [_section(content, inner, entries) for inner in section.get("sections", ())],
    }
    for name in ("title", "summary"):
        texts = resolve_map(content, section.get(name, {}))
        if texts:
            found[name] = texts
    return found


def _types_document(
    content: PackageContent, reading: Reading, type_ids: Iterable[str]
) -> dict[str, Any]:
    types: dict[str, Any] = {}
    blocks: dict[str, Any] = {}
    for type_id in sorted(type_ids):
        kind = content.types.type(type_id)
        types[type_id] = {
            "label": _label(content, reading, kind.label),
            "plural": _label(content, reading, kind.plural),
            "fields": {field.id: _field_label(content, reading, field) for field in kind.fields},
        }
        for field in kind.fields:
            for block_id in field.of if field.kind == "blocks" else ():
                block = content.types.block(block_id)
                blocks[block_id] = {
                    "label": _label(content, reading, block.label),
                    "fields": {
                        inner.id: _field_label(content, reading, inner) for inner in block.fields
                    },
                }
    return {"format": FORMAT, "language": reading.tag, "types": types, "blocks": blocks}


def _field_label(content: PackageContent, reading: Reading, field: Field) -> dict[str, Any]:
    found: dict[str, Any] = {"label": _label(content, reading, field.label)}
    if field.choices:
        found["choices"] = {
            choice: _label(content, reading, labels) for choice, labels in field.choices.items()
        }
    return found


def _label(content: PackageContent, reading: Reading, labels: Mapping[str, str]) -> str:
    chain = (reading.tag, *reading.chain, content.body["default_language"], *sorted(labels))
    return next((labels[tag] for tag in chain if labels.get(tag)), "")


def _shards(reading: Reading, buckets: int) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}

    def shard(member: str) -> dict[str, Any]:
        empty = {"format": FORMAT, "language": reading.tag, "entries": {}, "assets": {}}
        return found.setdefault(bucket_of(member, buckets), empty)

    for entry in reading.shown:
        shard(entry)["entries"][entry] = _entry(reading, entry)
    for asset in sorted(reading.assets):
        shard(asset)["assets"][asset] = _asset(reading, asset)
    return found


def _entry(reading: Reading, entry: str) -> dict[str, Any]:
    content = reading.content
    type_id = content.entry_types[entry]
    resolved = reading.resolve(entry)
    shown: dict[str, Any] = {}
    for field in fields_of(content.types, type_id):
        if field.kind == "blocks":
            value: Any = _blocks(reading, resolved.fields.get(field.id, ()))
        else:
            value = _shown_value(reading, field, resolved.fields.get(field.id))
        if value is not None:
            shown[field.id] = value
    return {"id": entry, "type": type_id, "fields": shown, "in": _origin(resolved.languages, shown)}


def _blocks(reading: Reading, blocks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    found = []
    for block in blocks:
        shown = _fields(
            reading,
            block_fields_of(reading.content.types, block["type"]),
            block["fields"],
        )
        # A block with nothing to show would only be a gap on the screen.
        if shown:
            found.append(
                {
                    "id": block["id"],
                    "type": block["type"],
                    "fields": shown,
                    "in": _origin(block["in"], shown),
                }
            )
    return found or None


def _asset(reading: Reading, asset: str) -> dict[str, Any]:
    content, facts = reading.content, reading.content.assets[asset]
    resolved = reading.resolve(asset)
    fields = [field for field in fields_of(content.types, ASSET_TYPE) if not is_track(field)]
    shown = _fields(reading, fields, resolved.fields)
    found: dict[str, Any] = {
        "id": asset,
        "kind": facts.kind,
        "type": facts.media_type,
        "fields": shown,
        "in": _origin(resolved.languages, shown),
        "renditions": [
            _rendition(content, asset, rendition)
            for rendition in carried_renditions(content, facts)
        ],
        "tracks": [
            {
                "path": media_path(track, rendition),
                "type": VTT_TYPE,
                "language": tag,
                "kind": "subtitles",
            }
            for tag, track, rendition in _tracks(content, asset)
        ],
    }
    for name in ("width", "height", "duration"):
        if getattr(facts, name) is not None:
            found[name] = getattr(facts, name)
    return found


def _rendition(content: PackageContent, asset: str, rendition: RenditionFacts) -> dict[str, Any]:
    found: dict[str, Any] = {"path": media_path(asset, rendition), "type": rendition.media_type}
    for name in ("width", "height"):
        if getattr(rendition, name) is not None:
            found[name] = getattr(rendition, name)
    profiles = _profiles(content, rendition)
    if profiles:
        found["profiles"] = list(profiles)
    return found


def _tracks(content: PackageContent, asset: str) -> list[tuple[str, str, RenditionFacts]]:
    # One a language, of that language itself: subtitles in another are no help.
    found = []
    for field in fields_of(content.types, ASSET_TYPE):
        if not is_track(field):
            continue
        for tag in content.tags:
            body = content.documents.get(asset, {}).get(tag, {})
            track = body.get("fields", {}).get(field.id, {}).get(tag)
            if track and is_usable(content, track):
                vtt = [r for r in content.assets[track].renditions if r.media_type == VTT_TYPE]
                found += [(tag, track, rendition) for rendition in vtt[:1]]
    return found


def _fields(reading: Reading, fields: Iterable[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    found = {field.id: _shown_value(reading, field, values.get(field.id)) for field in fields}
    return {field_id: value for field_id, value in found.items() if value is not None}


def _origin(languages: Mapping[str, str], shown: Mapping[str, Any]) -> dict[str, str]:
    return {field_id: tag for field_id, tag in languages.items() if field_id in shown}


def _shown_value(reading: Reading, field: Field, value: Any) -> Any:
    if value is None or value in ("", []):
        return None
    if field.kind == "markdown":
        return to_nodes(value) or None
    if field.kind == "inline":
        return inline_nodes(value) or None
    if field.kind == "asset":
        return value if value in reading.assets else None
    if field.kind == "assets":
        return [asset for asset in value if asset in reading.assets] or None
    if field.kind == "reference":
        return value if value in reading.shown else None
    if field.kind == "references":
        return [entry for entry in value if entry in reading.shown] or None
    return value


def _profiles(content: PackageContent, rendition: RenditionFacts) -> tuple[str, ...]:
    # Absent means all: also when the encoding serves every profile this package has.
    if not rendition.profiles or set(content.profiles) <= set(rendition.profiles):
        return ()
    return tuple(profile for profile in content.profiles if profile in rendition.profiles)


def _document_file(path: str, raw: bytes, languages: tuple[str, ...]) -> ManifestFile:
    return ManifestFile(path, sha256_hex(raw), len(raw), JSON_TYPE, languages=languages)


def _media_files(content: PackageContent, readings: list[Reading]) -> list[ManifestFile]:
    needed: dict[tuple[str, RenditionFacts], set[str]] = {}
    for reading in readings:
        for asset in reading.assets:
            for rendition in carried_renditions(content, content.assets[asset]):
                needed.setdefault((asset, rendition), set()).add(reading.tag)
    for asset in {asset for reading in readings for asset in reading.assets}:
        for tag, track, rendition in _tracks(content, asset):
            needed.setdefault((track, rendition), set()).add(tag)
    return [
        ManifestFile(
            path=media_path(asset, rendition),
            sha256=rendition.sha256,
            size=rendition.size,
            type=rendition.media_type,
            languages=()
            if tags == set(content.tags)
            else tuple(tag for tag in content.tags if tag in tags),
            profiles=_profiles(content, rendition),
            blocks=rendition.blocks,
            expires=rights_expiry(content, asset),
        )
        for (asset, rendition), tags in needed.items()
    ]
