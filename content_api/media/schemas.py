"""What crosses the wire about assets."""

from __future__ import annotations

from marshmallow import ValidationError, fields, validate

from content_api.api import AnswerSchema, PageQuery, WireSchema
from content_api.media.models import KINDS
from package_format.layout import is_slug


def _slug(value: str) -> None:
    if not is_slug(value):
        raise ValidationError("expected words of a-z0-9 joined by -, at most 64 characters")


class AssetQuery(PageQuery):
    """Which assets a list holds."""

    kind = fields.String(validate=validate.OneOf(KINDS))


class NewAssetSchema(WireSchema):
    """A new asset, before its file comes."""

    id = fields.String(validate=_slug, metadata={"description": "chosen from title if absent"})
    title = fields.String(
        validate=validate.Length(max=200),
        metadata={"description": "what the id is made from; shown nowhere"},
    )


class UploadQuery(WireSchema):
    """What may be said of an upload beside its bytes."""

    filename = fields.String(
        validate=validate.Length(max=400),
        metadata={"description": "as on the sender's machine; it decides nothing"},
    )


class RenditionSchema(AnswerSchema):
    """One encoding of an asset."""

    name = fields.String(required=True)
    sha256 = fields.String(required=True)
    size = fields.Integer(required=True, metadata={"description": "bytes"})
    media_type = fields.String(required=True)
    width = fields.Integer(allow_none=True, metadata={"description": "pixels"})
    height = fields.Integer(allow_none=True, metadata={"description": "pixels"})
    profiles = fields.List(
        fields.String(), metadata={"description": "display profiles; empty means all"}
    )


class AssetSchema(AnswerSchema):
    """What an asset's bytes are. What is said of it is in the entry of the same id."""

    id = fields.String(required=True)
    kind = fields.String(allow_none=True, metadata={"description": "null until its file comes"})
    media_type = fields.String(allow_none=True)
    sha256 = fields.String(allow_none=True)
    size = fields.Integer(allow_none=True, metadata={"description": "bytes"})
    width = fields.Integer(allow_none=True, metadata={"description": "pixels, upright"})
    height = fields.Integer(allow_none=True, metadata={"description": "pixels, upright"})
    duration = fields.Float(allow_none=True, metadata={"description": "seconds"})
    filename = fields.String(allow_none=True)
    facts = fields.Dict(metadata={"description": "what only some formats have, as a bit rate"})
    version = fields.Integer(metadata={"description": "raised when the file is replaced"})
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
    renditions = fields.List(fields.Nested(RenditionSchema))


class AssetPageSchema(AnswerSchema):
    """A page of assets."""

    items = fields.List(fields.Nested(AssetSchema), required=True)
    next = fields.String(allow_none=True)
