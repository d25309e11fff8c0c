"""What crosses the wire about packages and releases."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate, validates_schema

from content_api.api import (
    AnswerSchema,
    FieldErrorSchema,
    WireSchema,
    check_slug,
    check_tag,
    check_timezone,
)
from package_format.manifest import PROFILES

VIEWS = (
    "map",
    "list",
    "stories",
    "gallery",
    "timeline",
    "glossary",
    "events",
    "tours",
    "scenes",
)
LAYER_STYLES = (
    "region",
    "department",
    "commune",
    "country",
    "coast",
    "component",
    "heap",
    "railway",
    "water",
)
MAX_DEPTH = 3
MAX_ENTRIES = 5_000


def _degrees(value: Any) -> None:
    # Not a Float field: that would turn 50 into 50.0, and an export would differ from its import.
    if type(value) not in (int, float) or not -180 <= value <= 180:
        raise ValidationError(f"Expected degrees from -180 to 180, got {str(value)[:40]}.")


def _unique(value: list[Any]) -> None:
    if len(set(value)) != len(value):
        raise ValidationError("Expected each value once.")


def _texts(most: int) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=check_tag),
        values=fields.String(validate=validate.Length(max=most)),
        validate=validate.Length(max=100),
    )


def _ids(most: int) -> fields.List:
    return fields.List(
        fields.String(validate=check_slug),
        validate=validate.And(validate.Length(max=most), _unique),
    )


class ThemeSchema(WireSchema):
    """Colour, logo and attract pictures."""

    accent = fields.String(validate=validate.Regexp(r"^#[0-9a-f]{6}\Z"))
    logo = fields.String(validate=check_slug)
    attract = _ids(50)


class PackageSettingsSchema(WireSchema):
    """Times of the display, in seconds."""

    idle_seconds = fields.Integer(strict=True, validate=validate.Range(min=5, max=86_400))
    warning_seconds = fields.Integer(strict=True, validate=validate.Range(min=1, max=3_600))


class LayerSchema(WireSchema):
    """A map layer: a GeoJSON asset and how it is drawn."""

    asset = fields.String(required=True, validate=check_slug)
    style = fields.String(required=True, validate=validate.OneOf(LAYER_STYLES))


class MapSchema(WireSchema):
    """The offline map: west, south, east, north in WGS84 degrees, and its layers."""

    bounds = fields.List(
        fields.Raw(validate=_degrees, metadata={"type": "number"}),
        required=True,
        validate=validate.Length(equal=4),
    )
    layers = fields.List(fields.Nested(LayerSchema), validate=validate.Length(max=50))

    @validates_schema
    def check_bounds(self, values: dict[str, Any], **_more: Any) -> None:
        """South below north, both on the globe."""
        bounds = values.get("bounds", ())
        if len(bounds) == 4 and not -90 <= bounds[1] < bounds[3] <= 90:
            raise ValidationError("Expected west, south, east, north.", "bounds")


def _date(value: str) -> None:
    try:
        written = date.fromisoformat(value).isoformat()
    except ValueError:
        written = ""
    if written != value:
        raise ValidationError("Expected a date such as 2026-12-01.")


def _span(value: dict[str, str]) -> None:
    if value.get("from", "") > value.get("until", "9"):
        raise ValidationError("Expected until to be from or a later date.")


SHOWN = fields.Dict(
    keys=fields.String(validate=check_slug),
    values=fields.Dict(
        keys=fields.String(validate=validate.OneOf(("from", "until"))),
        values=fields.String(validate=_date),
        validate=validate.And(validate.Length(min=1), _span),
    ),
    validate=validate.Length(max=MAX_ENTRIES),
    metadata={
        "description": "days on which an entry is shown, both included, by its id; others always"
    },
)


class SectionSchema(WireSchema):
    """A section of the tree; it may hold sections."""

    id = fields.String(required=True, validate=check_slug)
    view = fields.String(required=True, validate=validate.OneOf(VIEWS))
    title = _texts(200)
    summary = _texts(2_000)
    entries = _ids(MAX_ENTRIES)
    sections = fields.List(
        fields.Nested(lambda: SectionSchema()), validate=validate.Length(max=100)
    )


class PackageBodySchema(WireSchema):
    """A package's body: what editors curate."""

    slug = fields.String(validate=check_slug)
    title = _texts(200)
    summary = _texts(2_000)
    credits = _texts(4_000)
    languages = fields.List(
        fields.String(validate=check_tag),
        required=True,
        validate=validate.And(validate.Length(min=1, max=100), _unique),
    )
    default_language = fields.String(required=True, validate=check_tag)
    profiles = fields.List(
        fields.String(validate=validate.OneOf(PROFILES)),
        required=True,
        validate=validate.And(validate.Length(min=1), _unique),
    )
    theme = fields.Nested(ThemeSchema)
    settings = fields.Nested(PackageSettingsSchema)
    timezone = fields.String(validate=check_timezone)
    map = fields.Nested(MapSchema)
    sections = fields.List(fields.Nested(SectionSchema), validate=validate.Length(max=100))
    shown = SHOWN

    @validates_schema
    def check_whole(self, values: dict[str, Any], **_more: Any) -> None:
        """The default language is one of the package's, sections are few deep and named once."""
        if values.get("default_language") not in values.get("languages", ()):
            raise ValidationError("Expected one of languages.", "default_language")
        seen: set[str] = set()
        _check_sections(values.get("sections", ()), 1, seen)


def _check_sections(sections: Any, depth: int, seen: set[str]) -> None:
    if sections and depth > MAX_DEPTH:
        raise ValidationError(f"Expected sections at most {MAX_DEPTH} deep.", "sections")
    for section in sections:
        if section["id"] in seen:
            raise ValidationError(f"Section {section['id']} stands twice.", "sections")
        seen.add(section["id"])
        _check_sections(section.get("sections", ()), depth + 1, seen)


class PackageSchema(AnswerSchema):
    """A package with its body and the release that is live."""

    slug = fields.String(required=True)
    version = fields.Integer(required=True)
    body = fields.Dict(required=True)
    updated_at = fields.AwareDateTime(required=True)
    live = fields.Integer(allow_none=True, metadata={"description": "number of the live release"})


class PackagePageSchema(AnswerSchema):
    """A page of packages."""

    items = fields.List(fields.Nested(PackageSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class PackageProblemSchema(FieldErrorSchema):
    """One problem of a package, by entry, field and language."""

    severity = fields.String(required=True, validate=validate.OneOf(("error", "warning")))
    entry = fields.String(required=True)
    path = fields.String(required=True)
    language = fields.String(required=True)


class ProblemsSchema(AnswerSchema):
    """Everything found; `publishable` is false while an error is among it."""

    publishable = fields.Boolean(required=True)
    problems = fields.List(fields.Nested(PackageProblemSchema), required=True)


class LanguageChangesSchema(AnswerSchema):
    """Ids that differ in one language."""

    new = fields.List(fields.String(), required=True)
    changed = fields.List(fields.String(), required=True)
    removed = fields.List(fields.String(), required=True)


class DownloadSchema(AnswerSchema):
    """What a device that plays the older release fetches: bytes plain, and with gzip."""

    profile = fields.String(required=True)
    languages = fields.List(fields.String(), required=True)
    files = fields.Integer(required=True)
    bytes = fields.Integer(required=True)
    gzip_bytes = fields.Integer(required=True)


class ChangesSchema(AnswerSchema):
    """The difference between two releases, or between the live one and what would be published."""

    before = fields.Integer(required=True, allow_none=True)
    after = fields.Integer(required=True, allow_none=True)
    package_changed = fields.Boolean(required=True)
    languages = fields.Dict(
        keys=fields.String(), values=fields.Nested(LanguageChangesSchema), required=True
    )
    downloads = fields.List(fields.Nested(DownloadSchema), required=True)


class ReleaseSchema(AnswerSchema):
    """A release."""

    id = fields.Integer(required=True)
    package = fields.String(required=True)
    channel = fields.String(required=True)
    number = fields.Integer(required=True, allow_none=True)
    state = fields.String(required=True)
    publish_at = fields.AwareDateTime(required=True, allow_none=True)
    published_at = fields.AwareDateTime(required=True, allow_none=True)
    manifest_sha256 = fields.String(required=True, allow_none=True)
    restored_from = fields.Integer(required=True, allow_none=True)
    created_by = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    problems = fields.List(fields.Nested(PackageProblemSchema), allow_none=True)


class ReleasePageSchema(AnswerSchema):
    """A page of releases, newest first."""

    items = fields.List(fields.Nested(ReleaseSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class PublishSchema(WireSchema):
    """How to publish: now, or at an hour (with a zone, or local in the package's zone)."""

    at = fields.String(
        validate=validate.Length(max=40),
        metadata={"description": "ISO 8601; without a zone it is local in the package's time zone"},
    )
    channel = fields.String(load_default="live", validate=validate.OneOf(("live", "preview")))


class ChannelQuery(WireSchema):
    """Which channel is meant."""

    channel = fields.String(load_default="live", validate=validate.OneOf(("live", "preview")))


def zone_of(body: dict[str, Any]) -> ZoneInfo:
    """The package's time zone, UTC when it names none."""
    return ZoneInfo(body.get("timezone") or "UTC")
