"""Content types as marshmallow schemas and JSON Schema, compiled once at start-up. Pure.

Each type gives four: `draft` (lenient: kinds are right, nothing is required), `publish`
(one language after fallback: required and not too long), `admin` (values by scope),
`delivery` (one language, with the languages its values come from).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from content_api.content.document import SHARED
from content_api.content.types import ContentType, ContentTypes, Field, FieldGroup
from content_api.content.values import ValueRefused, clean_value, publishing_fault
from package_format.languages import is_language_tag


class ValueField(fields.Field[Any]):
    """A value of one field's kind; null is a value: intentionally empty."""

    def __init__(self, declared: Field, **options: Any) -> None:
        super().__init__(**{"allow_none": True, **options})
        self.declared = declared

    def _deserialize(self, value: Any, attr: Any, data: Any, **_kwargs: Any) -> Any:
        try:
            return clean_value(self.declared, value)
        except ValueRefused as error:
            raise ValidationError(str(error)) from error


class ShownField(ValueField):
    """A value that a language shows: required and not too long, as its field says."""

    def __init__(self, declared: Field) -> None:
        needed = declared.required == "publish"
        super().__init__(declared, required=needed, allow_none=not needed)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        fault = publishing_fault(self.declared, found)
        if fault:
            raise ValidationError(fault[1])
        return found


class _Ordered(Schema):
    """Blocks of a story in their order, and each by its id."""

    class Meta:
        unknown = RAISE

    order = fields.List(fields.String(), required=True)

    @validates_schema
    def check_order(self, story: dict[str, Any], **_kwargs: Any) -> None:
        """The order names each block once and nothing else."""
        order, items = story["order"], story.get("items") or {}
        if len(set(order)) != len(order) or set(order) != set(items):
            raise ValidationError("expected the id of each block of items, once", "order")


@dataclass(frozen=True, slots=True)
class TypeSchemas:
    """The four schemas of a content type, and its draft form as JSON Schema."""

    draft: type[Schema]
    publish: type[Schema]
    admin: type[Schema]
    delivery: type[Schema]
    json_schema: Mapping[str, Any]


def compile_schemas(types: ContentTypes, kind: ContentType) -> TypeSchemas:
    """The schemas of one content type."""
    draft = _draft(types, kind)
    return TypeSchemas(
        draft=draft,
        publish=_publish(kind),
        admin=draft,
        delivery=_delivery(kind),
        json_schema=json_schema(types, kind),
    )


def _scope(text: str) -> None:
    if not is_language_tag(text):
        raise ValidationError(f"expected a language tag, got {text!r:.40}")


def _by_scope(declared: Field) -> fields.Field[Any]:
    if declared.localized:
        keys: fields.Field[Any] = fields.String(validate=_scope)
    else:
        keys = fields.String(
            validate=validate.Equal(SHARED, error="expected the scope *, got {input!r}")
        )
    return fields.Dict(keys=keys, values=ValueField(declared))


def _group(group: FieldGroup, name: str) -> type[Schema]:
    made = Schema.from_dict(
        {found.id: _by_scope(found) for found in group.fields if found.kind != "blocks"}, name=name
    )
    return made


def _draft(types: ContentTypes, kind: ContentType) -> type[Schema]:
    name = _class_name(kind.id)
    stories: dict[str, Any] = {}
    for declared in kind.fields:
        if declared.kind == "blocks":
            story = type(
                f"{name}{_class_name(declared.id)}",
                (_Ordered,),
                {
                    "items": fields.Dict(
                        keys=fields.String(), values=BlockField(types, declared), required=True
                    )
                },
            )
            stories[declared.id] = fields.Nested(story)
    return Schema.from_dict(
        {
            "fields_": fields.Nested(_group(kind, f"{name}Fields"), data_key="fields"),
            "blocks": fields.Nested(Schema.from_dict(stories, name=f"{name}Blocks")),
        },
        name=f"{name}Draft",
    )


class BlockField(fields.Field[Any]):
    """A block: its `type` says which fields it may have."""

    def __init__(self, types: ContentTypes, declared: Field, **options: Any) -> None:
        super().__init__(**options)
        self.schemas = {
            block_id: _group(types.block(block_id), f"{_class_name(block_id)}Block")()
            for block_id in declared.of
        }

    def _deserialize(self, value: Any, attr: Any, data: Any, **_kwargs: Any) -> Any:
        if not isinstance(value, dict) or not value.keys() <= {"type", "fields"}:
            raise ValidationError("expected type and fields")
        block_type = value.get("type")
        schema = self.schemas.get(block_type) if isinstance(block_type, str) else None
        if schema is None:
            raise ValidationError(f"type: expected one of {', '.join(self.schemas)}")
        return {"type": value["type"], "fields": schema.load(value.get("fields") or {})}


def _publish(kind: ContentType) -> type[Schema]:
    return Schema.from_dict(
        {found.id: ShownField(found) for found in kind.fields if found.kind != "blocks"},
        name=f"{_class_name(kind.id)}Publish",
    )


def _delivery(kind: ContentType) -> type[Schema]:
    shown: dict[str, fields.Field[Any]] = {found.id: fields.Raw() for found in kind.fields}
    name = _class_name(kind.id)
    return Schema.from_dict(
        {
            "id": fields.String(),
            "type": fields.String(),
            "fields_": fields.Nested(
                Schema.from_dict(shown, name=f"{name}Shown"), data_key="fields"
            ),
            "in_": fields.Dict(keys=fields.String(), values=fields.String(), data_key="in"),
        },
        name=f"{name}Delivery",
    )


def json_schema(types: ContentTypes, kind: ContentType) -> dict[str, Any]:
    """A type's documents, values by scope, as JSON Schema 2020-12."""
    stories = {
        found.id: {
            "type": "object",
            "properties": {
                "order": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                "items": {
                    "type": "object",
                    "additionalProperties": {
                        "oneOf": [_block_json(types, block_id) for block_id in found.of]
                    },
                },
            },
            "required": ["order", "items"],
            "additionalProperties": False,
        }
        for found in kind.fields
        if found.kind == "blocks"
    }
    properties: dict[str, Any] = {"fields": _group_json(kind)}
    if stories:
        properties["blocks"] = {
            "type": "object",
            "properties": stories,
            "additionalProperties": False,
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.id,
        "type": "object",
        "properties": properties,
        "required": ["fields"],
        "additionalProperties": False,
    }


def _block_json(types: ContentTypes, block_id: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"const": block_id}, "fields": _group_json(types.block(block_id))},
        "required": ["type"],
        "additionalProperties": False,
    }


def _group_json(group: FieldGroup) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            found.id: _scopes_json(found) for found in group.fields if found.kind != "blocks"
        },
        "additionalProperties": False,
    }


def _scopes_json(declared: Field) -> dict[str, Any]:
    value = {"anyOf": [_value_json(declared), {"type": "null"}]}
    if declared.localized:
        return {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*$"},
            "additionalProperties": value,
        }
    return {"type": "object", "properties": {SHARED: value}, "additionalProperties": False}


_ID_JSON = {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 64}


def _number_json(low: float, high: float) -> dict[str, Any]:
    return {"type": "number", "minimum": low, "maximum": high}


def _object_json(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _value_json(declared: Field) -> dict[str, Any]:
    point = {"lat": _number_json(-90, 90), "lon": _number_json(-180, 180)}
    texts = {"type": "string", **({"maxLength": declared.max} if declared.max else {})}
    choice = {"type": "string", "enum": list(declared.choices)}
    simple: dict[str, dict[str, Any]] = {
        "text": texts,
        "inline": texts,
        "markdown": texts,
        "integer": {"type": "integer"},
        "number": {"type": "number"},
        "boolean": {"type": "boolean"},
        "date": {"type": "string", "pattern": r"^\d{4}(-\d{2}(-\d{2})?)?$"},
        "datetime": {"type": "string", "format": "date-time"},
        "url": {"type": "string", "format": "uri"},
        "choice": choice,
        "choices": {"type": "array", "items": choice, "uniqueItems": True},
        "geopoint": _object_json(point, "lat", "lon"),
        "camera": _object_json(
            {
                **point,
                "altitude": {"type": "number"},
                "heading": _number_json(-360, 360),
                "tilt": _number_json(0, 180),
                "range": {"type": "number", "minimum": 0},
            },
            "lat",
            "lon",
        ),
        "focal": _object_json({"x": _number_json(0, 1), "y": _number_json(0, 1)}, "x", "y"),
        "rights": _object_json(
            {
                "holder": {"type": "string"},
                "licence": {"type": "string"},
                "url": {"type": "string", "format": "uri"},
                "expires": {"type": "string", "format": "date"},
            }
        ),
        "asset": _ID_JSON,
        "reference": _ID_JSON,
        "assets": {"type": "array", "items": _ID_JSON, "uniqueItems": True},
        "references": {"type": "array", "items": _ID_JSON, "uniqueItems": True},
    }
    return simple[declared.kind]


def _class_name(identifier: str) -> str:
    return "".join(part.title() for part in identifier.split("_"))
