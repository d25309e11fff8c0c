"""The files of a collection: read into plain values, written from them. No database.

    collection.yml   languages.yml   types/…   entries/<type>/<id>.yml
    assets/<id>.<ext>   packages/<slug>.yml

The same content gives the same bytes: keys in a fixed order, fields as their type
lists them, `*` before the languages, languages as languages.yml lists them. Paths
are made of ids that were checked; a link is never followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from content_api.content.document import SHARED, Body, unflatten
from content_api.content.models import CLAIM_STATES
from content_api.content.types import ContentType, ContentTypes, FieldGroup, first_message
from content_api.content.values import ValueRefused, clean_value
from content_api.content.yaml_files import YamlRefused, dump_yaml, read_yaml
from content_api.problems import ContentError
from package_format.languages import canonical_tag, is_language_tag
from package_format.layout import is_slug

FORMAT = 1
MAX_ENTRIES = 100_000

_ASSET_FILE = re.compile(r"assets/(?P<id>[a-z0-9]+(?:-[a-z0-9]+)*)\.(?P<extension>[a-z0-9]{1,8})")
_BLOCK_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

PACKAGE_KEYS = (
    "slug",
    "title",
    "summary",
    "credits",
    "languages",
    "default_language",
    "profiles",
    "theme",
    "settings",
    "timezone",
    "map",
    "sections",
    "shown",
)
_ORDERS: Mapping[str, tuple[str, ...]] = {
    "theme": ("accent", "logo", "attract"),
    "settings": ("idle_seconds", "warning_seconds"),
    "map": ("bounds", "layers"),
    "layers": ("asset", "style"),
    "sections": ("id", "view", "title", "summary", "entries", "sections"),
    "shown": (),
}


class CollectionRefused(ContentError):
    """A collection cannot be imported; one line names the file and what was expected."""

    code = "collection-refused"


@dataclass(frozen=True, slots=True)
class ClaimedText:
    """What a collection says of one translation."""

    path: str
    language: str
    state: str
    source: str


@dataclass(frozen=True, slots=True)
class EntryFile:
    """One entry as a file says it. `asset_file` is relative to the collection."""

    id: str
    type: str
    body: Body
    approved: tuple[str, ...] = ()
    claims: tuple[ClaimedText, ...] = ()
    asset_file: str | None = None

    @property
    def shown(self) -> str:
        """The file's name in messages."""
        return f"entries/{self.type}/{self.id}.yml"


@dataclass(frozen=True, slots=True)
class Collection:
    """A whole collection, checked."""

    root: Path
    title: str
    languages: tuple[Mapping[str, Any], ...]
    types: ContentTypes
    entries: Mapping[str, EntryFile] = field(default_factory=dict)
    packages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class _CollectionSchema(Schema):
    """collection.yml."""

    format = fields.Integer(
        required=True, strict=True, validate=validate.Equal(FORMAT, error="expected {other}")
    )
    title = fields.String(load_default="", validate=validate.Length(max=200))


def _tag(text: str) -> None:
    if not is_language_tag(text) or canonical_tag(text) != text:
        raise ValidationError(f"expected a language tag such as fr or zh-Hans, got {text!r:.50}")


class _LanguageSchema(Schema):
    """One language of languages.yml."""

    tag = fields.String(required=True, validate=_tag)
    name = fields.String(required=True, validate=validate.Length(1, 100))
    dir = fields.String(validate=validate.OneOf(["ltr", "rtl"], error="expected ltr or rtl"))
    fallback = fields.List(fields.String(validate=_tag), load_default=list)
    source = fields.String(load_default=None, allow_none=True, validate=_tag)


class _ClaimSchema(Schema):
    """One claim of an entry file."""

    state = fields.String(
        required=True,
        validate=validate.OneOf(CLAIM_STATES, error="expected one of {choices}, got {input!r}"),
    )
    source = fields.String(required=True, validate=_tag)


class _EntrySchema(Schema):
    """An entry file, but for what its type decides."""

    id = fields.String(required=True)
    type = fields.String(required=True)
    file = fields.String()
    fields_ = fields.Dict(keys=fields.String(), load_default=dict, data_key="fields")
    blocks = fields.Dict(keys=fields.String(), load_default=dict)
    approved = fields.List(fields.String(), load_default=list)
    claims = fields.Dict(
        keys=fields.String(validate=_tag),
        values=fields.Dict(keys=fields.String(), values=fields.Nested(_ClaimSchema)),
        load_default=dict,
    )


def read_collection(root: Path, types: ContentTypes) -> Collection:
    """Everything in the folder `root`, checked but for what only the database knows.

    `types` are the content types its entries are held to.

    Raises:
        CollectionRefused: the first mistake, in one line that names the file.
    """
    if not root.is_dir():
        raise CollectionRefused(f"{root}: expected a folder with collection.yml")
    head = _load(_CollectionSchema(), _read(root, "collection.yml"), "collection.yml")
    languages = _read_languages(root)
    tags = [language["tag"] for language in languages]
    entries: dict[str, EntryFile] = {}
    for type_id, entry_id, shown in entry_files(root):
        if len(entries) >= MAX_ENTRIES:
            raise CollectionRefused(f"entries: expected at most {MAX_ENTRIES}")
        if entry_id in entries:
            other = entries[entry_id].shown
            raise CollectionRefused(f"{shown}: expected an id of its own, {other} has it too")
        kind = types.find_type(type_id)
        if kind is None:
            known = ", ".join(types.types)
            raise CollectionRefused(f"{shown}: type: expected one of {known}, got {type_id!r:.50}")
        entries[entry_id] = read_entry(root, shown, entry_id, types, kind, tags)
    packages = {slug: _read_package(root, slug, shown) for slug, shown in package_files(root)}
    return Collection(root, head["title"], languages, types, entries, packages)


def read_entry(
    root: Path,
    shown: str,
    entry_id: str,
    types: ContentTypes,
    kind: ContentType,
    tags: Sequence[str],
) -> EntryFile:
    """One entry's file, every value in canonical form.

    Raises:
        CollectionRefused: in one line.
    """
    written = _load(_EntrySchema(), _read(root, shown), shown)
    for key, expected in (("id", entry_id), ("type", kind.id)):
        if written[key] != expected:
            raise CollectionRefused(
                f"{shown}: {key}: expected {expected}, as in the file's path, "
                f"got {written[key]!r:.70}"
            )
    flat = dict(_values(kind, written["fields_"], "", shown, tags))
    for story_id, story in written["blocks"].items():
        flat.update(_story(types, kind, story_id, story, shown, tags))
    approved = written["approved"]
    for scope in approved:
        if scope != SHARED and scope not in tags:
            raise CollectionRefused(
                f"{shown}: approved: expected * or a language of languages.yml, got {scope!r:.50}"
            )
    claims = []
    for language, by_path in written["claims"].items():
        for path, claim in by_path.items():
            found = ClaimedText(path, language, claim["state"], claim["source"])
            _check_claim(found, flat, shown)
            claims.append(found)
    return EntryFile(
        id=entry_id,
        type=kind.id,
        body=unflatten(flat),
        approved=tuple(dict.fromkeys(approved)),
        claims=tuple(claims),
        asset_file=_asset_file(root, shown, kind.id, entry_id, written.get("file")),
    )


def entry_files(root: Path) -> Iterator[tuple[str, str, str]]:
    """The (type, id, relative path) of each entry file, in order; links are refused.

    Raises:
        CollectionRefused: a link, or a name that is no id.
    """
    for folder in _listed(root / "entries", "entries"):
        shown = f"entries/{folder.name}"
        if not folder.is_dir(follow_symlinks=False):
            raise CollectionRefused(f"{shown}: expected a folder named for a content type")
        for file in _listed(root / "entries" / folder.name, shown):
            name, dot, extension = file.name.partition(".")
            if dot + extension != ".yml" or not is_slug(name):
                raise CollectionRefused(f"{shown}/{file.name}: expected an entry's file <id>.yml")
            yield folder.name, name, f"{shown}/{file.name}"


def package_files(root: Path) -> Iterator[tuple[str, str]]:
    """The (slug, relative path) of each package file, in order.

    Raises:
        CollectionRefused: a link, or a name that is no slug.
    """
    for file in _listed(root / "packages", "packages"):
        name, dot, extension = file.name.partition(".")
        if dot + extension != ".yml" or not is_slug(name):
            raise CollectionRefused(f"packages/{file.name}: expected a package's file <slug>.yml")
        yield name, f"packages/{file.name}"


def entry_text(entry: EntryFile, types: ContentTypes, tags: Sequence[str]) -> str:
    """An entry's file."""
    kind = types.type(entry.type)
    written: dict[str, Any] = {"id": entry.id, "type": entry.type}
    if entry.asset_file:
        written["file"] = entry.asset_file
    written["fields"] = _ordered_fields(kind, entry.body.get("fields", {}), tags)
    stories = entry.body.get("blocks", {})
    blocks = {
        found.id: {
            "order": list(stories[found.id]["order"]),
            "items": {
                block_id: _ordered_block(types, stories[found.id]["items"][block_id], tags)
                for block_id in stories[found.id]["order"]
            },
        }
        for found in kind.fields
        if found.id in stories
    }
    if blocks:
        written["blocks"] = blocks
    written["approved"] = [scope for scope in (SHARED, *tags) if scope in entry.approved]
    claims: dict[str, dict[str, Any]] = {}
    for tag in tags:
        found_claims = sorted(
            (claim for claim in entry.claims if claim.language == tag), key=lambda c: c.path
        )
        if found_claims:
            claims[tag] = {
                claim.path: {"state": claim.state, "source": claim.source} for claim in found_claims
            }
    if claims:
        written["claims"] = claims
    return dump_yaml(written)


def languages_text(languages: Iterable[Any]) -> str:
    """languages.yml, of rows with tag, name, dir, fallback and source, in the editors' order."""
    names = ("tag", "name", "dir", "fallback", "source")
    rows = [{name: getattr(row, name) for name in names} for row in languages]
    return dump_yaml([{**row, "fallback": list(row["fallback"])} for row in rows])


def package_text(slug: str, body: Mapping[str, Any], tags: Sequence[str]) -> str:
    """A package's file."""
    # A package's own order of languages comes first: it is the one its editors chose.
    order = [*body.get("languages", ()), *tags]
    return dump_yaml(_ordered_package({**body, "slug": slug}, PACKAGE_KEYS, order))


def collection_text(title: str) -> str:
    """collection.yml."""
    return dump_yaml({"format": FORMAT, "title": title})


def _ordered_package(
    body: Mapping[str, Any], keys: Iterable[str], tags: Sequence[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in [*(key for key in keys if key in body), *sorted(set(body) - set(keys))]:
        value = body[key]
        if key in ("title", "summary", "credits") and isinstance(value, Mapping):
            listed = [tag for tag in dict.fromkeys(tags) if tag in value]
            found[key] = {tag: value[tag] for tag in [*listed, *sorted(set(value) - set(listed))]}
        elif key in _ORDERS and isinstance(value, Mapping):
            found[key] = _ordered_package(value, _ORDERS[key], tags)
        elif key in _ORDERS and isinstance(value, list):
            found[key] = [_ordered_package(part, _ORDERS[key], tags) for part in value]
        else:
            found[key] = value
    return found


def _ordered_block(
    types: ContentTypes, block: Mapping[str, Any], tags: Sequence[str]
) -> dict[str, Any]:
    kind = types.block(block["type"])
    return {
        "type": block["type"],
        "fields": _ordered_fields(kind, block.get("fields", {}), tags),
    }


def _ordered_fields(
    group: FieldGroup, values: Mapping[str, Mapping[str, Any]], tags: Sequence[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for declared in group.fields:
        scopes = values.get(declared.id, {})
        ordered = {
            # A database that stores JSON by its own order gives keys back in that order.
            scope: clean_value(declared, scopes[scope])
            for scope in (SHARED, *tags)
            if scope in scopes
        }
        if ordered:
            found[declared.id] = ordered
    return found


def _read_languages(root: Path) -> tuple[Mapping[str, Any], ...]:
    written = _read(root, "languages.yml")
    if not isinstance(written, list) or not written:
        raise CollectionRefused("languages.yml: expected a list of languages")
    found = [_load(_LanguageSchema(), row, f"languages.yml: {n}") for n, row in enumerate(written)]
    tags = [language["tag"] for language in found]
    for language in found:
        if tags.count(language["tag"]) > 1:
            raise CollectionRefused(f"languages.yml: {language['tag']} stands twice")
        named = [*language["fallback"], *([language["source"]] if language["source"] else [])]
        for other in named:
            if other not in tags or other == language["tag"]:
                raise CollectionRefused(
                    f"languages.yml: {language['tag']}: expected another language of this file, "
                    f"got {other!r}"
                )
    return tuple({**language, "position": place} for place, language in enumerate(found))


def _read_package(root: Path, slug: str, shown: str) -> Mapping[str, Any]:
    body = _read(root, shown)
    if not isinstance(body, dict) or body.get("slug") != slug:
        raise CollectionRefused(f"{shown}: slug: expected {slug}, the file's name")
    return {key: value for key, value in body.items() if key != "slug"}


def _values(
    group: FieldGroup, written: Any, prefix: str, shown: str, tags: Sequence[str]
) -> Iterator[tuple[tuple[str, str], Any]]:
    if not isinstance(written, Mapping):
        raise CollectionRefused(f"{shown}: {prefix}fields: expected values by field")
    for field_id, scopes in written.items():
        declared = group.field(field_id) if isinstance(field_id, str) else None
        where = f"{prefix}{field_id}"
        if declared is None or declared.kind == "blocks":
            known = ", ".join(f.id for f in group.fields if f.kind != "blocks")
            raise CollectionRefused(
                f"{shown}: {where!s:.80}: expected a field of {group.id}: {known}"
            )
        if not isinstance(scopes, Mapping):
            raise CollectionRefused(f"{shown}: {where}: expected values by scope")
        for scope, value in scopes.items():
            allowed = tags if declared.localized else (SHARED,)
            if scope not in allowed:
                raise CollectionRefused(
                    f"{shown}: {where}: expected the scope "
                    f"{' or '.join(allowed)}, got {scope!r:.50}"
                )
            try:
                yield (where, scope), clean_value(declared, value)
            except ValueRefused as error:
                raise CollectionRefused(f"{shown}: {where} ({scope}): {error}") from error


def _story(
    types: ContentTypes,
    kind: ContentType,
    story_id: str,
    story: Any,
    shown: str,
    tags: Sequence[str],
) -> dict[tuple[str, str], Any]:
    declared = kind.field(story_id)
    if declared is None or declared.kind != "blocks":
        raise CollectionRefused(f"{shown}: blocks.{story_id!s:.60}: {kind.id} has no such blocks")
    where = f"{shown}: blocks.{story_id}"
    if not isinstance(story, Mapping) or story.keys() != {"order", "items"}:
        raise CollectionRefused(f"{where}: expected order and items")
    order, items = story["order"], story["items"]
    if not isinstance(order, list) or not isinstance(items, Mapping):
        raise CollectionRefused(f"{where}: expected order as a list, items by id")
    if sorted(map(str, order)) != sorted(map(str, items)) or len(set(map(str, order))) != len(
        order
    ):
        raise CollectionRefused(f"{where}: order: expected the id of each block of items, once")
    flat: dict[tuple[str, str], Any] = {}
    if order:
        flat[story_id, SHARED] = list(order)
    for block_id, block in items.items():
        path = f"{story_id}.{block_id}"
        if not isinstance(block_id, str) or not _BLOCK_ID.fullmatch(block_id):
            raise CollectionRefused(f"{where}: expected a block id of a-z, 0-9 and -")
        if not isinstance(block, Mapping) or not block.keys() <= {"type", "fields"}:
            raise CollectionRefused(f"{where}.{block_id}: expected type and fields")
        if block.get("type") not in declared.of:
            raise CollectionRefused(
                f"{where}.{block_id}: type: expected one of {', '.join(declared.of)}, "
                f"got {block.get('type')!r:.50}"
            )
        flat[path, SHARED] = block["type"]
        group = types.block(block["type"])
        flat.update(_values(group, block.get("fields") or {}, f"{path}.", shown, tags))
    return flat


def _check_claim(claim: ClaimedText, flat: Mapping[tuple[str, str], Any], shown: str) -> None:
    where = f"{shown}: claims.{claim.language}.{claim.path!s:.80}"
    for scope in (claim.language, claim.source):
        if not isinstance(flat.get((claim.path, scope)), str):
            raise CollectionRefused(f"{where}: expected a text in {scope} at this path")


def _asset_file(
    root: Path, shown: str, type_id: str, entry_id: str, name: str | None
) -> str | None:
    if name is None:
        return None
    if type_id != "asset":
        raise CollectionRefused(f"{shown}: file: expected in entries of type asset alone")
    found = _ASSET_FILE.fullmatch(name)
    if not found or found["id"] != entry_id:
        raise CollectionRefused(
            f"{shown}: file: expected assets/{entry_id}.<extension>, got {name!r:.100}"
        )
    path = root / "assets" / f"{entry_id}.{found['extension']}"
    if (root / "assets").is_symlink() or path.is_symlink() or not path.is_file():
        raise CollectionRefused(f"{shown}: file: expected a plain file at {name}")
    return name


def _listed(folder: Path, shown: str) -> list[os.DirEntry[str]]:
    if folder.is_symlink():
        raise CollectionRefused(f"{shown}: expected a folder, not a link")
    if not folder.is_dir():
        return []
    with os.scandir(folder) as scanned:
        found = sorted(scanned, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_symlink():
            raise CollectionRefused(f"{shown}/{entry.name}: expected a plain file, not a link")
    # Editors and file managers leave hidden files behind; they say nothing.
    return [entry for entry in found if not entry.name.startswith(".")]


def _read(root: Path, shown: str) -> Any:
    try:
        return read_yaml(root / shown, shown)
    except YamlRefused as error:
        raise CollectionRefused(str(error)) from error


def _load(schema: Schema, written: Any, shown: str) -> dict[str, Any]:
    if not isinstance(written, dict):
        raise CollectionRefused(f"{shown}: expected keys and values")
    try:
        loaded: dict[str, Any] = schema.load(written)
    except ValidationError as error:
        raise CollectionRefused(f"{shown}: {first_message(error.messages)}") from error
    return loaded
