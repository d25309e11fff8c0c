"""What crosses the wire about venues and devices."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, validate

from content_api.api import (
    AnswerSchema,
    PageQuery,
    WireSchema,
    check_slug,
    check_tag,
    check_timezone,
)
from package_format.canonical import canonical_json
from package_format.layout import CHANNELS
from package_format.manifest import PROFILES

FAULTS = 50
"""A heartbeat names at most this many faults."""


def _printable(value: str) -> None:
    if not value.strip() or not value.isprintable():
        raise ValidationError("Expected text on one line.")


def _small(value: dict[str, Any]) -> None:
    try:
        size = len(canonical_json(value))
    except (TypeError, ValueError) as error:
        raise ValidationError(f"Expected plain JSON: {error}") from error
    if size > 4_000 or "\\u0000" in str(value) or "\x00" in str(value):
        raise ValidationError("Expected at most 4,000 bytes of JSON.")


def _unique(value: list[Any]) -> None:
    if len(set(value)) != len(value):
        raise ValidationError("Expected each value once.")


NAME = validate.And(validate.Length(1, 200), _printable)
LANGUAGES = validate.And(validate.Length(1, 100), _unique)


class VenueSchema(AnswerSchema):
    """A venue."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    timezone = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)


class VenuePageSchema(AnswerSchema):
    """A page of venues."""

    items = fields.List(fields.Nested(VenueSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class NewVenueSchema(WireSchema):
    """A venue to add."""

    id = fields.String(validate=check_slug)
    name = fields.String(required=True, validate=NAME)
    timezone = fields.String(load_default="UTC", validate=check_timezone)


class VenueChangeSchema(WireSchema):
    """What may change of a venue."""

    name = fields.String(validate=NAME)
    timezone = fields.String(validate=check_timezone)


class DeviceSchema(AnswerSchema):
    """A device, what it is told, and what was last heard of it."""

    id = fields.String(required=True)
    venue = fields.String(required=True)
    name = fields.String(required=True)
    package = fields.String(required=True)
    channel = fields.String(required=True)
    profile = fields.String(required=True)
    languages = fields.List(fields.String(), required=True)
    settings = fields.Dict(required=True)
    assignment_version = fields.Integer(required=True)
    state = fields.String(
        required=True,
        metadata={"description": "never-enrolled, online, silent, overdue or revoked"},
    )
    client = fields.String(required=True, allow_none=True)
    platform = fields.String(required=True, allow_none=True)
    enrolled_at = fields.AwareDateTime(required=True, allow_none=True)
    last_seen_at = fields.AwareDateTime(required=True, allow_none=True)
    last_heartbeat = fields.Dict(required=True, allow_none=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)


class DevicePageSchema(AnswerSchema):
    """A page of devices."""

    items = fields.List(fields.Nested(DeviceSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class DeviceQuery(PageQuery):
    """Which devices to list."""

    venue = fields.String(validate=check_slug)


class DeviceChangeSchema(WireSchema):
    """What may change of a device."""

    venue = fields.String(validate=check_slug)
    name = fields.String(validate=NAME)
    package = fields.String(validate=check_slug)
    channel = fields.String(validate=validate.OneOf(CHANNELS))
    profile = fields.String(validate=validate.OneOf(PROFILES))
    languages = fields.List(fields.String(validate=check_tag), validate=LANGUAGES)
    settings = fields.Dict(keys=fields.String(), validate=_small)


class NewDeviceSchema(WireSchema):
    """A device to add; without languages it takes all of its package."""

    id = fields.String(validate=check_slug)
    venue = fields.String(required=True, validate=check_slug)
    name = fields.String(required=True, validate=NAME)
    package = fields.String(required=True, validate=check_slug)
    channel = fields.String(load_default="live", validate=validate.OneOf(CHANNELS))
    profile = fields.String(required=True, validate=validate.OneOf(PROFILES))
    languages = fields.List(fields.String(validate=check_tag), validate=LANGUAGES)
    settings = fields.Dict(keys=fields.String(), load_default=dict, validate=_small)


class InvitationSchema(AnswerSchema):
    """A code, shown this once."""

    code = fields.String(required=True)
    expires_at = fields.AwareDateTime(required=True)


class EnrolmentSchema(WireSchema):
    """A device that shows its code."""

    code = fields.String(required=True, validate=validate.Length(max=64))
    client = fields.String(required=True, validate=validate.And(validate.Length(1, 64), _printable))
    platform = fields.String(validate=validate.And(validate.Length(1, 200), _printable))
    name = fields.String(validate=NAME)


class AssignmentSchema(AnswerSchema):
    """What a device is told to show."""

    package = fields.String(required=True)
    channel = fields.String(required=True)
    profile = fields.String(required=True)
    languages = fields.List(fields.String(), required=True)
    timezone = fields.String(required=True)
    settings = fields.Dict(required=True)
    version = fields.Integer(required=True)


class DeviceNameSchema(AnswerSchema):
    """Which device it is."""

    id = fields.String(required=True)
    name = fields.String(required=True)


class EnrolledSchema(AnswerSchema):
    """What a device needs from then on."""

    device = fields.Nested(DeviceNameSchema, required=True)
    token = fields.String(required=True, metadata={"description": "shown this once"})
    root = fields.String(
        required=True, metadata={"description": "base64 of the newest root metadata, to trust"}
    )
    repository = fields.String(
        required=True, metadata={"description": "URL of the repository; may be relative"}
    )
    assignment = fields.Nested(AssignmentSchema, required=True)


class OwnDeviceSchema(AnswerSchema):
    """What a device asks at every poll."""

    device = fields.Nested(DeviceNameSchema, required=True)
    assignment = fields.Nested(AssignmentSchema, required=True)
    server_time = fields.AwareDateTime(required=True)


class _ReportSchema(WireSchema):
    class Meta:
        # A newer device may report more than this server knows.
        unknown = EXCLUDE


class PlayingSchema(_ReportSchema):
    """A release a device holds."""

    package = fields.String(required=True, validate=check_slug)
    release = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**31 - 1))
    manifest_sha256 = fields.String(required=True, validate=validate.Regexp(r"^[0-9a-f]{64}\Z"))


class ComingSchema(_ReportSchema):
    """A release a device is fetching; bytes still missing of all it needs."""

    package = fields.String(required=True, validate=check_slug)
    release = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**31 - 1))
    missing_bytes = fields.Integer(required=True, validate=validate.Range(0, 2**53))
    total_bytes = fields.Integer(required=True, validate=validate.Range(0, 2**53))


class LastSyncSchema(_ReportSchema):
    """How the last synchronisation went."""

    at = fields.String(required=True, validate=validate.Length(max=40))
    outcome = fields.String(required=True, validate=validate.Length(max=40))
    error_code = fields.String(allow_none=True, validate=validate.Length(max=80))


class ClockSchema(_ReportSchema):
    """What a device thinks of its clock; seconds from the server's."""

    trusted = fields.Boolean(required=True)
    offset_seconds = fields.Float(allow_none=True, validate=validate.Range(-1e12, 1e12))


class DiskSchema(_ReportSchema):
    """Bytes free, and bytes kept free."""

    free = fields.Integer(required=True, validate=validate.Range(0, 2**53))
    reserve = fields.Integer(required=True, validate=validate.Range(0, 2**53))


class FaultSchema(_ReportSchema):
    """One thing wrong on a device."""

    code = fields.String(required=True, validate=validate.Length(max=80))
    message = fields.String(required=True, validate=validate.Length(max=500))


class HeartbeatSchema(_ReportSchema):
    """What a device reports about itself: plain facts."""

    at = fields.String(required=True, validate=validate.Length(max=40))
    client = fields.String(required=True, validate=validate.And(validate.Length(1, 64), _printable))
    active = fields.Nested(PlayingSchema, allow_none=True)
    complete = fields.Nested(PlayingSchema, allow_none=True)
    missing_bytes = fields.Integer(validate=validate.Range(0, 2**53), allow_none=True)
    coming = fields.Nested(ComingSchema, allow_none=True)
    last_sync = fields.Nested(LastSyncSchema, allow_none=True)
    last_full_verify_at = fields.String(allow_none=True, validate=validate.Length(max=40))
    clock = fields.Nested(ClockSchema, allow_none=True)
    disk = fields.Nested(DiskSchema, allow_none=True)
    faults = fields.List(fields.Nested(FaultSchema), validate=validate.Length(max=FAULTS))


class HeartbeatAnswerSchema(AnswerSchema):
    """Tells a device whether it has something to fetch."""

    assignment_version = fields.Integer(required=True)


class StoredHeartbeatSchema(AnswerSchema):
    """A heartbeat as it was kept."""

    received_at = fields.AwareDateTime(required=True)
    body = fields.Dict(required=True)


class HeartbeatPageSchema(AnswerSchema):
    """A page of heartbeats, newest first."""

    items = fields.List(fields.Nested(StoredHeartbeatSchema), required=True)
    next = fields.String(required=True, allow_none=True)
