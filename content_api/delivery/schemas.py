"""What crosses the wire of partner reading."""

from __future__ import annotations

from marshmallow import fields, validate

from content_api.api import AnswerSchema, PageQuery, WireSchema

_LANG = {
    "description": "language tag, such as ja or zh-CN; the nearest published one serves. "
    "Absent: the package's default language"
}


class LanguageQuery(WireSchema):
    """The language to read in."""

    lang = fields.String(validate=validate.Length(max=35), metadata=_LANG)


class EntryQuery(LanguageQuery):
    """How one entry is read."""

    fallback = fields.String(
        load_default="chain",
        validate=validate.OneOf(("chain", "none")),
        metadata={"description": "`none` leaves out what is not written in the language"},
    )


class EntriesQuery(EntryQuery, PageQuery):
    """Which entries a list holds."""

    type = fields.String(validate=validate.Length(max=64))
    section = fields.String(validate=validate.Length(max=64))
    kind = fields.String(validate=validate.Length(max=64))
    bbox = fields.String(
        validate=validate.Length(max=120),
        metadata={"description": "west,south,east,north in WGS84 degrees"},
    )
    q = fields.String(
        validate=validate.Length(max=200),
        metadata={"description": "words to find, in any script"},
    )


class LiveLanguageSchema(AnswerSchema):
    """A language a package is published in."""

    tag = fields.String(required=True)
    name = fields.String(required=True, metadata={"description": "in the language itself"})
    dir = fields.String(required=True)


class LivePackageSchema(AnswerSchema):
    """A live package. Texts are language maps."""

    package = fields.String(required=True)
    release = fields.Integer(required=True)
    published_at = fields.AwareDateTime(required=True)
    default_language = fields.String(required=True)
    languages = fields.List(fields.Nested(LiveLanguageSchema), required=True)
    profiles = fields.List(fields.String())
    title = fields.Dict()
    summary = fields.Dict()
    credits = fields.Dict()
    sections = fields.List(fields.Dict())
    types = fields.Dict(metadata={"description": "number of entries of each type"})
    links = fields.Dict(metadata={"description": "addresses by what they give"})


class LivePackagesSchema(AnswerSchema):
    """Every live package."""

    items = fields.List(fields.Nested(LivePackageSchema), required=True)


class LiveEntrySchema(AnswerSchema):
    """An entry in one language."""

    id = fields.String(required=True)
    type = fields.String(required=True)
    type_label = fields.String()
    title = fields.String(required=True)
    language = fields.String(required=True)
    fields_ = fields.Dict(data_key="fields", attribute="fields", required=True)
    labels = fields.Dict(metadata={"description": "names of the choices in `fields`"})
    meta = fields.Dict(
        data_key="_meta",
        attribute="_meta",
        metadata={"description": "`language`: the language each field is really in"},
    )
    sections = fields.List(fields.String())
    assets = fields.Dict(metadata={"description": "the assets that `fields` names, by id"})
    credits = fields.List(
        fields.Dict(), metadata={"description": "lines that MUST be shown with what they name"}
    )
    links = fields.Dict()


class LiveEntriesSchema(AnswerSchema):
    """A page of entries, without their stories."""

    items = fields.List(fields.Nested(LiveEntrySchema), required=True)
    next = fields.String(allow_none=True)
    language = fields.String(required=True)
    release = fields.Integer(required=True)
    total = fields.Integer(required=True, metadata={"description": "entries on all pages"})
    credits = fields.String(metadata={"description": "the package's own credit line"})


class LiveEntryAnswerSchema(LiveEntrySchema):
    """One entry, whole."""

    release = fields.Integer(required=True)
    package_credits = fields.String()
