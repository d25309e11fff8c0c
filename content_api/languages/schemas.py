"""What crosses the wire about languages."""

from __future__ import annotations

from marshmallow import fields, validate

from content_api.api import AnswerSchema, WireSchema


class LanguageChangeSchema(WireSchema):
    """A language, but for its tag, which the path names."""

    name = fields.String(
        required=True,
        validate=validate.Length(min=1, max=100),
        metadata={"description": "in the language itself: Français, 日本語"},
    )
    dir = fields.String(
        validate=validate.OneOf(["ltr", "rtl"]),
        metadata={"description": "by default what the tag's script is"},
    )
    fallback = fields.List(
        fields.String(validate=validate.Length(min=1, max=35)),
        load_default=list,
        validate=validate.Length(max=20),
        metadata={"description": "the whole chain, nearest first"},
    )
    source = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(min=1, max=35),
        metadata={"description": "the language translations start from; null: an original"},
    )
    position = fields.Integer(strict=True, validate=validate.Range(min=0, max=10_000))


class LanguageSchema(AnswerSchema):
    """A language content is written in."""

    tag = fields.String(required=True)
    name = fields.String(required=True)
    dir = fields.String(required=True)
    fallback = fields.List(fields.String(), required=True)
    source = fields.String(required=True, allow_none=True)
    position = fields.Integer(required=True)


class LanguageListSchema(AnswerSchema):
    """Every language, in the editors' order."""

    items = fields.List(fields.Nested(LanguageSchema), required=True)
