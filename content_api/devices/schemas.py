"""What crosses the wire about venues and devices."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, validate, validates_schema

from content_api.api import (
    AnswerSchema,
    PageQuery,
    WireSchema,
    check_slug,
    check_tag,
    check_timezone,
)
from content_api.devices.assignments import INHERITED
from content_api.devices.rules import settings_problem
from package_format.canonical import canonical_json
from package_format.layout import CHANNELS
from package_format.manifest import PROFILES
from package_format.schedule import ScheduleError, parse_schedule

FAULTS = 50
"""A heartbeat names at most this many faults."""

SLOTS = 60
"""A heartbeat names at most this many packages: an assignment's own and its programme's."""


def check_plain(value: str) -> None:
    """A validator: text on one line, with something to see in it."""
    if not value.strip() or not value.isprintable():
        raise ValidationError("Expected text on one line.")


def _small(value: dict[str, Any]) -> None:
    try:
        size = len(canonical_json(value))
    except (TypeError, ValueError) as error:
        raise ValidationError(f"Expected plain JSON: {error}") from error
    if size > 4_000 or "\\u0000" in str(value) or "\x00" in str(value):
        raise ValidationError("Expected at most 4,000 bytes of JSON.")


def check_unique(value: list[Any]) -> None:
    """A validator: each value once."""
    if len(set(value)) != len(value):
        raise ValidationError("Expected each value once.")


def _opening(value: list[dict[str, Any]]) -> None:
    _in_schedule("opening", value)


def _closed(value: list[str]) -> None:
    _in_schedule("closed", value)


def check_programme(value: list[dict[str, Any]]) -> None:
    """A validator: rows of a schedule's programme."""
    _in_schedule("programme", value)


def _in_schedule(name: str, value: list[Any]) -> None:
    try:
        parse_schedule({name: value})
    except ScheduleError as error:
        raise ValidationError(str(error)) from error


def check_settings(value: dict[str, Any]) -> None:
    """A validator: a small JSON object; what we know by name has its own form."""
    _small(value)
    problem = settings_problem(value)
    if problem:
        raise ValidationError(problem)


NAME = validate.And(validate.Length(1, 200), check_plain)
LANGUAGES = validate.And(validate.Length(1, 100), check_unique)


class VenueSchema(AnswerSchema):
    """A venue."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    timezone = fields.String(required=True)
    opening = fields.List(fields.Dict(), required=True, allow_none=True)
    closed = fields.List(fields.String(), required=True, allow_none=True)
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
    opening = fields.List(fields.Dict(keys=fields.String()), allow_none=True, validate=_opening)
    closed = fields.List(fields.String(), allow_none=True, validate=_closed)


class VenueChangeSchema(WireSchema):
    """What may change of a venue; its hours are as a schedule has them, null for always open."""

    name = fields.String(validate=NAME)
    timezone = fields.String(validate=check_timezone)
    opening = fields.List(fields.Dict(keys=fields.String()), allow_none=True, validate=_opening)
    closed = fields.List(fields.String(), allow_none=True, validate=_closed)


class DeviceSchema(AnswerSchema):
    """A device, what it is told, and what was last heard of it."""

    id = fields.String(required=True)
    venue = fields.String(required=True)
    name = fields.String(required=True)
    package = fields.String(required=True)
    channel = fields.String(required=True)
    profile = fields.String(required=True)
    languages = fields.List(fields.String(), required=True)
    settings = fields.Dict(required=True, metadata={"description": "its own, without its group's"})
    group = fields.String(required=True, allow_none=True)
    own = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "fields that it does not take from its group"},
    )
    programme = fields.List(fields.Dict(), required=True, allow_none=True)
    release_limits = fields.Dict(
        required=True,
        allow_none=True,
        metadata={"description": "newest release it may take, by package/channel in a rollout"},
    )
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
    playing_since = fields.AwareDateTime(required=True, allow_none=True)
    trouble = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "words of what is wrong by its last report, with spaces between"},
    )
    screenshot_at = fields.AwareDateTime(required=True, allow_none=True)
    replaced_at = fields.AwareDateTime(required=True, allow_none=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)


class DevicePageSchema(AnswerSchema):
    """A page of devices."""

    items = fields.List(fields.Nested(DeviceSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class DeviceQuery(PageQuery):
    """Which devices to list."""

    venue = fields.String(validate=check_slug)
    group = fields.String(validate=check_slug)


class DeviceChangeSchema(WireSchema):
    """What may change of a device. In a group a field given here becomes its own; `own` says
    which fields are, and an empty one follows the group in all."""

    venue = fields.String(validate=check_slug)
    name = fields.String(validate=NAME)
    package = fields.String(validate=check_slug)
    channel = fields.String(validate=validate.OneOf(CHANNELS))
    profile = fields.String(validate=validate.OneOf(PROFILES))
    languages = fields.List(fields.String(validate=check_tag), validate=LANGUAGES)
    settings = fields.Dict(keys=fields.String(), validate=check_settings)
    programme = fields.List(
        fields.Dict(keys=fields.String()), allow_none=True, validate=check_programme
    )
    group = fields.String(allow_none=True, validate=check_slug)
    own = fields.List(fields.String(validate=validate.OneOf(INHERITED)), validate=check_unique)


class NewDeviceSchema(WireSchema):
    """A device to add; without languages it takes all of its package.

    In a group, it takes from there what is not given here.
    """

    id = fields.String(validate=check_slug)
    venue = fields.String(required=True, validate=check_slug)
    name = fields.String(required=True, validate=NAME)
    group = fields.String(validate=check_slug)
    package = fields.String(validate=check_slug)
    channel = fields.String(validate=validate.OneOf(CHANNELS))
    profile = fields.String(validate=validate.OneOf(PROFILES))
    languages = fields.List(fields.String(validate=check_tag), validate=LANGUAGES)
    programme = fields.List(fields.Dict(keys=fields.String()), validate=check_programme)
    settings = fields.Dict(keys=fields.String(), load_default=dict, validate=check_settings)

    @validates_schema
    def _says_enough(self, found: dict[str, Any], **_: Any) -> None:
        missing = [name for name in ("package", "profile") if name not in found]
        if missing and "group" not in found:
            raise ValidationError({name: ["Missing data for required field."] for name in missing})


class GroupChangeSchema(WireSchema):
    """What may change of a group; null leaves a field to each device."""

    name = fields.String(validate=NAME)
    package = fields.String(allow_none=True, validate=check_slug)
    channel = fields.String(allow_none=True, validate=validate.OneOf(CHANNELS))
    profile = fields.String(allow_none=True, validate=validate.OneOf(PROFILES))
    languages = fields.List(fields.String(validate=check_tag), allow_none=True, validate=LANGUAGES)
    programme = fields.List(
        fields.Dict(keys=fields.String()), allow_none=True, validate=check_programme
    )
    settings = fields.Dict(keys=fields.String(), validate=check_settings)


class NewGroupSchema(GroupChangeSchema):
    """A group of devices to add."""

    id = fields.String(validate=check_slug)
    name = fields.String(required=True, validate=NAME)


class InvitationSchema(AnswerSchema):
    """A code, shown this once."""

    code = fields.String(required=True)
    expires_at = fields.AwareDateTime(required=True)


class EnrolmentSchema(WireSchema):
    """A device that shows its code."""

    code = fields.String(required=True, validate=validate.Length(max=64))
    client = fields.String(
        required=True, validate=validate.And(validate.Length(1, 64), check_plain)
    )
    platform = fields.String(validate=validate.And(validate.Length(1, 200), check_plain))
    name = fields.String(validate=NAME)


class AssignmentSchema(AnswerSchema):
    """What a device is told to show."""

    package = fields.String(required=True)
    channel = fields.String(required=True)
    profile = fields.String(required=True)
    languages = fields.List(fields.String(), required=True)
    timezone = fields.String(required=True)
    settings = fields.Dict(required=True)
    schedule = fields.Dict(
        required=True, metadata={"description": "hours and programme; see the package format"}
    )
    release_limit = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "newest release it may take unless it plays none; null for any"},
    )
    release_limits = fields.Dict(
        required=True, metadata={"description": "the same for every package/channel in a rollout"}
    )
    mirrors = fields.List(fields.String(), required=True)
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


_RELEASE = validate.Range(1, 2**31 - 1)
_BYTES = validate.Range(0, 2**53)
_WORD = validate.Length(max=40)


def _time() -> fields.String:
    return fields.String(allow_none=True, validate=validate.Length(max=40))


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


class KnownReleaseSchema(_ReportSchema):
    """The newest release that a device knows of."""

    package = fields.String(required=True, validate=check_slug)
    release = fields.Integer(required=True, strict=True, validate=_RELEASE)


class ReturnedSchema(_ReportSchema):
    """A release that a device tried and went back from."""

    package = fields.String(required=True, validate=check_slug)
    release = fields.Integer(required=True, strict=True, validate=_RELEASE)
    reason = fields.String(required=True, validate=validate.Length(max=80))
    at = _time()


class SlotSchema(_ReportSchema):
    """One package that a device holds."""

    package = fields.String(required=True, validate=check_slug)
    channel = fields.String(validate=validate.OneOf(CHANNELS))
    release = fields.Integer(allow_none=True, strict=True, validate=_RELEASE)
    complete = fields.Boolean()
    next_release = fields.Integer(allow_none=True, strict=True, validate=_RELEASE)


class LastSyncSchema(_ReportSchema):
    """How the last synchronisation went; bytes by kind of source."""

    at = fields.String(required=True, validate=validate.Length(max=40))
    outcome = fields.String(required=True, validate=validate.Length(max=40))
    error_code = fields.String(allow_none=True, validate=validate.Length(max=80))
    error_class = fields.String(allow_none=True, validate=_WORD)
    trigger = fields.String(allow_none=True, validate=_WORD)
    sources = fields.Dict(
        keys=fields.String(validate=validate.Length(max=40)),
        values=fields.Integer(validate=_BYTES),
        allow_none=True,
        validate=validate.Length(max=10),
    )


class ClockSchema(_ReportSchema):
    """What a device thinks of its clock; seconds from the server's."""

    trusted = fields.Boolean(required=True)
    offset_seconds = fields.Float(allow_none=True, validate=validate.Range(-1e12, 1e12))
    source = fields.String(allow_none=True, validate=_WORD)


class DiskSchema(_ReportSchema):
    """Bytes free, and bytes kept free; `verdict` is ok, full or failing."""

    free = fields.Integer(required=True, validate=_BYTES)
    reserve = fields.Integer(required=True, validate=_BYTES)
    total = fields.Integer(allow_none=True, validate=_BYTES)
    verdict = fields.String(allow_none=True, validate=_WORD)
    read_only = fields.Boolean(allow_none=True)
    errors_count = fields.Integer(allow_none=True, validate=_BYTES)


class ShellSchema(_ReportSchema):
    """The browser and the page in it."""

    browser = fields.String(allow_none=True, validate=_WORD)
    restarts = fields.Integer(allow_none=True, validate=_BYTES)
    page_seen_seconds = fields.Float(allow_none=True, validate=validate.Range(0, 1e12))
    screen = fields.String(allow_none=True, validate=_WORD)
    heap = fields.Integer(allow_none=True, validate=_BYTES)


class FaultSchema(_ReportSchema):
    """One thing wrong on a device."""

    code = fields.String(required=True, validate=validate.Length(max=80))
    message = fields.String(required=True, validate=validate.Length(max=500))


class HeartbeatSchema(_ReportSchema):
    """What a device reports about itself: plain facts."""

    at = fields.String(required=True, validate=validate.Length(max=40))
    client = fields.String(
        required=True, validate=validate.And(validate.Length(1, 64), check_plain)
    )
    active = fields.Nested(PlayingSchema, allow_none=True)
    complete = fields.Nested(PlayingSchema, allow_none=True)
    next = fields.Nested(PlayingSchema, allow_none=True)
    known = fields.Nested(KnownReleaseSchema, allow_none=True)
    slots = fields.List(
        fields.Nested(SlotSchema), allow_none=True, validate=validate.Length(max=SLOTS)
    )
    probation = fields.Boolean(allow_none=True)
    returned = fields.Nested(ReturnedSchema, allow_none=True)
    missing_bytes = fields.Integer(validate=_BYTES, allow_none=True)
    coming = fields.Nested(ComingSchema, allow_none=True)
    last_sync = fields.Nested(LastSyncSchema, allow_none=True)
    last_full_verify_at = _time()
    last_ntp_at = _time()
    timestamp_expires_at = _time()
    clock = fields.Nested(ClockSchema, allow_none=True)
    disk = fields.Nested(DiskSchema, allow_none=True)
    shell = fields.Nested(ShellSchema, allow_none=True)
    queued = fields.Integer(allow_none=True, validate=_BYTES)
    open = fields.Boolean(allow_none=True)
    faults = fields.List(fields.Nested(FaultSchema), validate=validate.Length(max=FAULTS))


HEARTBEAT = HeartbeatSchema()
"""One for all requests: a schema made anew costs more than what it then checks."""


class TaskSchema(AnswerSchema):
    """An order as a device is told it."""

    id = fields.Integer(required=True)
    kind = fields.String(required=True)
    arguments = fields.Dict(required=True)


class HeartbeatAnswerSchema(AnswerSchema):
    """Tells a device whether it has something to fetch, and what it is to do."""

    assignment_version = fields.Integer(required=True)
    orders = fields.List(fields.Nested(TaskSchema), required=True)


class StoredHeartbeatSchema(AnswerSchema):
    """A heartbeat as it was kept."""

    received_at = fields.AwareDateTime(required=True)
    body = fields.Dict(required=True)


class HeartbeatPageSchema(AnswerSchema):
    """A page of heartbeats, newest first."""

    items = fields.List(fields.Nested(StoredHeartbeatSchema), required=True)
    next = fields.String(required=True, allow_none=True)
