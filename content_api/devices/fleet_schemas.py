"""What crosses the wire about groups, orders, rollouts, plays and alerts."""

from __future__ import annotations

from marshmallow import fields, validate

from content_api.api import AnswerSchema, PageQuery, WireSchema, check_slug
from content_api.devices.fleet_models import (
    ALERT_CHANNELS,
    CONDITIONS,
    NEXT_ORDER_STATES,
    ORDER_KINDS,
)
from content_api.devices.plays import MOST_ROWS
from content_api.devices.schemas import NAME, check_plain, check_settings, check_unique

MOST_HOURS = 24 * 30
"""An order lives at most this long."""

_LONG = 2**31 - 1

MOST_VIEWS = 10_000_000
MOST_SECONDS = 32 * 24 * 3600
"""A device that was offline for long sums up the days of a month."""


# -- Groups ----------------------------------------------------------------------------------


class GroupSchema(AnswerSchema):
    """A group; a field that is null is left to each device."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    package = fields.String(required=True, allow_none=True)
    channel = fields.String(required=True, allow_none=True)
    profile = fields.String(required=True, allow_none=True)
    languages = fields.List(fields.String(), required=True, allow_none=True)
    programme = fields.List(fields.Dict(), required=True, allow_none=True)
    settings = fields.Dict(required=True)
    version = fields.Integer(required=True)
    created_at = fields.AwareDateTime(required=True)


class GroupPageSchema(AnswerSchema):
    """A page of groups."""

    items = fields.List(fields.Nested(GroupSchema), required=True)
    next = fields.String(required=True, allow_none=True)


# -- Orders ----------------------------------------------------------------------------------


class OrderSchema(AnswerSchema):
    """An order to one device, and how it stands."""

    id = fields.Integer(required=True)
    device = fields.String(required=True)
    batch = fields.String(required=True)
    kind = fields.String(required=True)
    arguments = fields.Dict(required=True)
    state = fields.String(
        required=True, metadata={"description": "queued, taken, done, failed or expired"}
    )
    message = fields.String(required=True, allow_none=True)
    created_by = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    taken_at = fields.AwareDateTime(required=True, allow_none=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)


class OrderPageSchema(AnswerSchema):
    """A page of orders, newest first."""

    items = fields.List(fields.Nested(OrderSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class OrderQuery(PageQuery):
    """Which orders to list."""

    device = fields.String(validate=check_slug)
    batch = fields.String(validate=validate.Length(max=32))
    state = fields.String(validate=validate.OneOf(sorted(NEXT_ORDER_STATES)))


class NewOrderSchema(WireSchema):
    """An order to one device, or to all of a group or venue: exactly one of the three."""

    kind = fields.String(required=True, validate=validate.OneOf(ORDER_KINDS))
    device = fields.String(validate=check_slug)
    group = fields.String(validate=check_slug)
    venue = fields.String(validate=check_slug)
    arguments = fields.Dict(keys=fields.String(), load_default=dict, validate=check_settings)
    hours = fields.Integer(
        load_default=24,
        strict=True,
        validate=validate.Range(1, MOST_HOURS),
        metadata={"description": "how long it may wait for the device to ask"},
    )


class GivenSchema(AnswerSchema):
    """The orders that were given, or that waited already."""

    items = fields.List(fields.Nested(OrderSchema), required=True)


class AcknowledgementSchema(WireSchema):
    """What became of an order."""

    state = fields.String(required=True, validate=validate.OneOf(["taken", "done", "failed"]))
    message = fields.String(allow_none=True, validate=validate.Length(max=500))


# -- Rollouts --------------------------------------------------------------------------------


class ProgressSchema(AnswerSchema):
    """Counts of devices, and the ids of those in trouble since they took the release."""

    devices = fields.Integer(required=True)
    first = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    returned = fields.Integer(required=True)
    troubled = fields.List(fields.String(), required=True)


class RolloutSchema(AnswerSchema):
    """How releases of a package and channel reach devices, and the one under way."""

    package = fields.String(required=True)
    channel = fields.String(required=True)
    first_share = fields.Integer(required=True, metadata={"description": "percent"})
    fault_bound = fields.Integer(required=True, metadata={"description": "percent"})
    base = fields.Integer(
        required=True, allow_none=True, metadata={"description": "newest release for all devices"}
    )
    release = fields.Integer(
        required=True, allow_none=True, metadata={"description": "the one under way"}
    )
    share = fields.Integer(required=True, metadata={"description": "percent that may take it"})
    state = fields.String(required=True, metadata={"description": "idle, rolling or held"})
    reason = fields.Dict(required=True, allow_none=True)
    since = fields.AwareDateTime(required=True)
    version = fields.Integer(required=True)


class OneRolloutSchema(RolloutSchema):
    """A rollout with how far it has come."""

    progress = fields.Nested(ProgressSchema, required=True)


class RolloutListSchema(AnswerSchema):
    """Every rollout."""

    items = fields.List(fields.Nested(RolloutSchema), required=True)


class PolicySchema(WireSchema):
    """How new releases begin, in percent of devices, and how much trouble holds them."""

    first_share = fields.Integer(required=True, strict=True, validate=validate.Range(1, 100))
    fault_bound = fields.Integer(load_default=5, strict=True, validate=validate.Range(0, 100))


class ShareSchema(WireSchema):
    """Percent of the devices that may take the release; 100 finishes the rollout."""

    share = fields.Integer(required=True, strict=True, validate=validate.Range(0, 100))


# -- Plays -----------------------------------------------------------------------------------


class PlayRowSchema(WireSchema):
    """How often an entry was shown on a day, in one language, and for how many seconds."""

    day = fields.Date(required=True)
    package = fields.String(required=True, validate=check_slug)
    release = fields.Integer(required=True, strict=True, validate=validate.Range(1, _LONG))
    entry = fields.String(required=True, validate=validate.And(validate.Length(1, 64), check_plain))
    title = fields.String(
        required=True, validate=validate.And(validate.Length(1, 300), check_plain)
    )
    language = fields.String(
        required=True, validate=validate.And(validate.Length(1, 35), check_plain)
    )
    views = fields.Integer(required=True, strict=True, validate=validate.Range(0, MOST_VIEWS))
    seconds = fields.Integer(required=True, strict=True, validate=validate.Range(0, MOST_SECONDS))


class PlaysSchema(WireSchema):
    """A batch of counts; sent again under the same name it adds nothing."""

    batch = fields.String(required=True, validate=validate.Regexp(r"^[A-Za-z0-9._-]{1,64}\Z"))
    rows = fields.List(
        fields.Nested(PlayRowSchema), required=True, validate=validate.Length(max=MOST_ROWS)
    )


class PlaysAnswerSchema(AnswerSchema):
    """Whether the batch was new."""

    added = fields.Boolean(required=True)


class PlayCountSchema(AnswerSchema):
    """One count."""

    day = fields.Date(required=True)
    venue = fields.String(required=True)
    device = fields.String(required=True)
    package = fields.String(required=True)
    release = fields.Integer(required=True)
    entry = fields.String(required=True)
    title = fields.String(required=True)
    language = fields.String(required=True)
    views = fields.Integer(required=True)
    seconds = fields.Integer(required=True)


class PlayPageSchema(AnswerSchema):
    """A page of counts."""

    items = fields.List(fields.Nested(PlayCountSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class PlayFilter(WireSchema):
    """Which counts; both days are included."""

    since = fields.Date()
    until = fields.Date()
    device = fields.String(validate=check_slug)
    venue = fields.String(validate=check_slug)
    package = fields.String(validate=check_slug)


class PlayQuery(PageQuery, PlayFilter):
    """Which counts, a page at a time."""


# -- Alerts ----------------------------------------------------------------------------------


class AlertSchema(AnswerSchema):
    """Something that wants a person; over when `resolved_at` is set."""

    id = fields.Integer(required=True)
    condition = fields.String(required=True)
    code = fields.String(required=True, allow_none=True)
    device = fields.String(required=True, allow_none=True)
    venue = fields.String(required=True, allow_none=True)
    details = fields.Dict(required=True)
    raised_at = fields.AwareDateTime(required=True)
    resolved_at = fields.AwareDateTime(required=True, allow_none=True)


class AlertPageSchema(AnswerSchema):
    """A page of alerts, newest first."""

    items = fields.List(fields.Nested(AlertSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class AlertQuery(PageQuery):
    """Which alerts to list."""

    open = fields.Boolean()
    condition = fields.String(validate=validate.OneOf(CONDITIONS))
    device = fields.String(validate=check_slug)
    venue = fields.String(validate=check_slug)


class SubscriptionSchema(AnswerSchema):
    """Who is told of which alerts."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    channel = fields.String(required=True, metadata={"description": "webhook or email"})
    target = fields.String(required=True)
    conditions = fields.List(fields.String(), required=True)
    venues = fields.List(fields.String(), required=True)
    active = fields.Boolean(required=True)
    version = fields.Integer(required=True)
    created_at = fields.AwareDateTime(required=True)


class SubscriptionListSchema(AnswerSchema):
    """Every subscription."""

    items = fields.List(fields.Nested(SubscriptionSchema), required=True)


class SecretSchema(SubscriptionSchema):
    """A subscription with the secret its messages are signed with, shown this once."""

    secret = fields.String(required=True)


class SubscriptionChangeSchema(WireSchema):
    """What may change of a subscription; empty lists mean all."""

    name = fields.String(validate=NAME)
    channel = fields.String(validate=validate.OneOf(ALERT_CHANNELS))
    target = fields.String(validate=validate.And(validate.Length(1, 500), check_plain))
    conditions = fields.List(
        fields.String(validate=validate.OneOf(CONDITIONS)), validate=check_unique
    )
    venues = fields.List(
        fields.String(validate=check_slug),
        validate=validate.And(validate.Length(max=200), check_unique),
    )
    active = fields.Boolean()


class NewSubscriptionSchema(SubscriptionChangeSchema):
    """A subscription to add."""

    name = fields.String(required=True, validate=NAME)
    channel = fields.String(required=True, validate=validate.OneOf(ALERT_CHANNELS))
    target = fields.String(
        required=True, validate=validate.And(validate.Length(1, 500), check_plain)
    )
    conditions = fields.List(
        fields.String(validate=validate.OneOf(CONDITIONS)), load_default=list, validate=check_unique
    )
    venues = fields.List(
        fields.String(validate=check_slug),
        load_default=list,
        validate=validate.And(validate.Length(max=200), check_unique),
    )


class TrialSchema(AnswerSchema):
    """A message was sent and taken."""

    sent = fields.Boolean(required=True)
