"""Content types: what an entry of each type may hold. Data in YAML files, compiled once. Pure.

`types/place.yml` describes the type `place`, `types/blocks/figure.yml` the block
`figure`. Ids never change; labels may. A mistake in a file is refused in one line
that names the file, the field and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flask import current_app
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from content_api.content.yaml_files import YamlRefused, read_yaml
from content_api.problems import ContentError
from package_format.canonical import canonical_json, sha256_hex
from package_format.languages import canonical_tag, is_language_tag

TEXT_KINDS = ("text", "inline", "markdown")
"""Kinds a person reads, and a translator translates."""

LIST_KINDS = ("choices", "assets", "references", "blocks")

KINDS = (
    *TEXT_KINDS,
    "integer",
    "number",
    "boolean",
    "date",
    "datetime",
    "choice",
    "choices",
    "url",
    "geopoint",
    "camera",
    "focal",
    "rights",
    "asset",
    "assets",
    "reference",
    "references",
    "blocks",
)

ASSET_KINDS = ("image", "audio", "video", "document", "subtitles")

_ID_RULE = validate.Regexp(
    r"\A[a-z][a-z0-9_]{0,39}\Z",
    error="expected a lower-case word such as place or timeline_entry, got {input!r}",
)
_CHOICE_RULE = validate.Regexp(
    r"\A[a-z0-9][a-z0-9_-]{0,39}\Z", error="expected a lower-case word, got {input!r}"
)


class TypesRefused(ContentError):
    """The content types cannot be used; one line names file, field and what was expected."""

    code = "types-refused"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a type or block. `max` and `advise` count characters, or items of a list."""

    id: str
    kind: str
    localized: bool = False
    required: str = "never"
    fallback: str = "chain"
    max: int | None = None
    advise: int | None = None
    label: Mapping[str, str] = field(default_factory=dict)
    help: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    of: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether a person reads its value."""
        return self.kind in TEXT_KINDS

    @property
    def is_translatable(self) -> bool:
        """Whether a translator translates its value."""
        return self.localized and self.is_text


@dataclass(frozen=True)
class FieldGroup:
    """What a content type and a block type share: an id, names, ordered fields."""

    id: str
    label: Mapping[str, str]
    plural: Mapping[str, str]
    help: Mapping[str, str]
    fields: tuple[Field, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Field]:
        """The fields by id."""
        return MappingProxyType({found.id: found for found in self.fields})

    def field(self, field_id: str) -> Field | None:
        """The field called `field_id`, or None."""
        return self.by_id.get(field_id)


@dataclass(frozen=True)
class ContentType(FieldGroup):
    """What an entry of one type may hold."""

    source: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def title_field(self) -> Field | None:
        """The field whose text names an entry in a list."""
        return self.field("title") or self.field("term") or self.field("caption")

    @cached_property
    def sha256(self) -> str:
        """Hash of the type's canonical form: another hash, another version."""
        return sha256_hex(canonical_json(dict(self.source)))


@dataclass(frozen=True)
class BlockType(FieldGroup):
    """What one block of a story may hold."""

    source: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ContentTypes:
    """Every content type and block type of a server."""

    types: Mapping[str, ContentType] = field(default_factory=dict)
    blocks: Mapping[str, BlockType] = field(default_factory=dict)

    def type(self, type_id: str) -> ContentType:
        """The content type `type_id`.

        Raises:
            KeyError: there is none.
        """
        return self.types[type_id]

    def find_type(self, type_id: str) -> ContentType | None:
        """The content type `type_id`, or None."""
        return self.types.get(type_id)

    def block(self, block_id: str) -> BlockType:
        """The block type `block_id`.

        Raises:
            KeyError: there is none.
        """
        return self.blocks[block_id]

    def fields(self, type_id: str) -> tuple[Field, ...]:
        """The fields of a content type, in order.

        Raises:
            KeyError: there is no such type.
        """
        return self.types[type_id].fields

    def __iter__(self) -> Iterator[ContentType]:
        return iter(self.types.values())


def load_types(folder: Path) -> ContentTypes:
    """The content types in `folder/*.yml`, the block types in `folder/blocks/*.yml`.

    Raises:
        TypesRefused: a file is broken; the first mistake, in one line.
    """
    blocks = {
        name: _block_type(declared, shown)
        for name, shown, declared in _declarations(folder / "blocks", "types/blocks")
    }
    types = {
        name: _content_type(declared, shown, blocks)
        for name, shown, declared in _declarations(folder, "types")
    }
    for found in types.values():
        _check_targets(found, f"types/{found.id}.yml", types)
    for block in blocks.values():
        _check_targets(block, f"types/blocks/{block.id}.yml", types)
    return ContentTypes(types=MappingProxyType(types), blocks=MappingProxyType(blocks))


def content_types() -> ContentTypes:
    """The running app's content types."""
    found: ContentTypes = current_app.extensions["lampisterie_types"]
    return found


class _Labels(fields.Dict):
    """Texts by language: `{fr: Lieu, en: Place}`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            keys=fields.String(validate=_check_tag),
            values=fields.String(validate=validate.Length(1, 500)),
            **options,
        )


def _check_tag(text: str) -> None:
    if not is_language_tag(text) or canonical_tag(text) != text:
        raise ValidationError(f"expected a language tag such as fr or zh-Hans, got {text!r}")


class _FieldSchema(Schema):
    """One field, as written in YAML."""

    id = fields.String(required=True, validate=_ID_RULE)
    kind = fields.String(
        required=True,
        validate=validate.OneOf(KINDS, error="expected one of {choices}, got {input!r}"),
    )
    localized = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    required = fields.String(
        load_default="never",
        validate=validate.OneOf(
            ["never", "publish"], error="expected never or publish, got {input!r}"
        ),
    )
    fallback = fields.String(
        load_default="chain",
        validate=validate.OneOf(["chain", "none"], error="expected chain or none, got {input!r}"),
    )
    max = fields.Integer(strict=True, validate=validate.Range(1, 1_000_000))
    advise = fields.Integer(strict=True, validate=validate.Range(1, 1_000_000))
    label = _Labels(load_default=dict)
    help = _Labels(load_default=dict)
    choices = fields.Dict(
        keys=fields.String(validate=_CHOICE_RULE),
        values=_Labels(),
        validate=validate.Length(1, 200),
    )
    of = fields.List(fields.String(validate=_ID_RULE), validate=validate.Length(1, 50))
    accept = fields.List(
        fields.String(
            validate=validate.OneOf(ASSET_KINDS, error="expected one of {choices}, got {input!r}")
        ),
        validate=validate.Length(1),
    )

    @validates_schema
    def check_kind(self, declared: dict[str, Any], **_kwargs: Any) -> None:
        """Each kind takes the options that mean something for it, and needs its own."""
        kind = declared["kind"]
        needs = {"choice": "choices", "choices": "choices", "blocks": "of"}.get(kind)
        if needs and needs not in declared:
            raise ValidationError(f"expected for kind {kind}", needs)
        allowed = {
            "choices": ("choice", "choices"),
            "of": ("reference", "references", "blocks"),
            "accept": ("asset", "assets"),
            "max": (*TEXT_KINDS, *LIST_KINDS, "url"),
            "advise": (*TEXT_KINDS, *LIST_KINDS),
        }
        for option, kinds in allowed.items():
            if option in declared and kind not in kinds:
                raise ValidationError(f"has no meaning for kind {kind}", option)
        if declared["fallback"] != "chain" and not declared["localized"]:
            raise ValidationError("has no meaning for a field that is not localized", "fallback")
        if kind == "blocks" and declared["localized"]:
            raise ValidationError("has no meaning for kind blocks: their fields are", "localized")


class _TypeSchema(Schema):
    """A content type or block type, as written in YAML."""

    id = fields.String(required=True, validate=_ID_RULE)
    label = _Labels(required=True, validate=validate.Length(1))
    plural = _Labels(load_default=dict)
    help = _Labels(load_default=dict)
    fields_ = fields.List(
        fields.Nested(_FieldSchema),
        required=True,
        data_key="fields",
        validate=validate.Length(1, 100),
    )


def _declarations(folder: Path, prefix: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if not folder.is_dir():
        return
    schema = _TypeSchema()
    for path in sorted(folder.glob("*.yml")):
        shown = f"{prefix}/{path.name}"
        try:
            written = read_yaml(path, shown)
        except YamlRefused as error:
            raise TypesRefused(str(error)) from error
        if not isinstance(written, dict):
            raise TypesRefused(f"{shown}: expected id, label and fields")
        try:
            declared = schema.load(written)
        except ValidationError as error:
            raise TypesRefused(f"{shown}: {first_message(error.messages)}") from error
        if declared["id"] != path.stem:
            raise TypesRefused(f"{shown}: id: expected {path.stem}, the file's name")
        declared["source"] = written
        yield declared["id"], shown, declared


def first_message(messages: Any) -> str:
    """The first of marshmallow's nested messages as `fields.3.kind: expected …`."""
    path: list[str] = []
    while isinstance(messages, Mapping):
        key, messages = next(iter(messages.items()))
        if key not in ("_schema", "value"):
            path.append(str(key))
    while isinstance(messages, list):
        messages = messages[0] if messages else "refused"
    return f"{'.'.join(path)}: {messages}" if path else str(messages)


def _fields(declared: Mapping[str, Any], shown: str) -> tuple[Field, ...]:
    found: dict[str, Field] = {}
    for written in declared["fields_"]:
        if written["id"] in found:
            raise TypesRefused(f"{shown}: fields: {written['id']} stands twice")
        options = dict(written)
        options["of"] = tuple(options.get("of", ()))
        options["accept"] = tuple(options.get("accept", ()))
        found[written["id"]] = Field(**options)
    return tuple(found.values())


def _names(declared: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": declared["id"],
        "label": declared["label"],
        "plural": declared["plural"] or declared["label"],
        "help": declared["help"],
        "source": declared["source"],
    }


def _block_type(declared: Mapping[str, Any], shown: str) -> BlockType:
    found = BlockType(fields=_fields(declared, shown), **_names(declared))
    for inner in found.fields:
        if inner.kind == "blocks":
            raise TypesRefused(f"{shown}: fields.{inner.id}.kind: a block holds no blocks")
    return found


def _content_type(
    declared: Mapping[str, Any], shown: str, blocks: Mapping[str, BlockType]
) -> ContentType:
    found = ContentType(fields=_fields(declared, shown), **_names(declared))
    for inner in found.fields:
        for target in inner.of if inner.kind == "blocks" else ():
            if target not in blocks:
                raise TypesRefused(
                    f"{shown}: fields.{inner.id}.of: expected a block type "
                    f"({', '.join(sorted(blocks)) or 'there is none'}), got {target!r}"
                )
    return found


def _check_targets(group: FieldGroup, shown: str, types: Mapping[str, ContentType]) -> None:
    for inner in group.fields:
        for target in inner.of if inner.kind in ("reference", "references") else ():
            if target not in types:
                raise TypesRefused(
                    f"{shown}: fields.{inner.id}.of: expected a content type "
                    f"({', '.join(sorted(types))}), got {target!r}"
                )
