"""HTTP of groups, orders, rollouts, plays and alerts, for people who look after devices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from flask import Response
from flask.views import MethodView
from sqlalchemy import Engine

from content_api.accounts.access import current_actor
from content_api.accounts.audit import record
from content_api.api import (
    Blueprint,
    PageQuery,
    decode_cursor,
    expected_version,
    page_of,
)
from content_api.database import engine, read_session, session, write_session
from content_api.devices import alerts, groups, orders, plays, rollouts, schemas
from content_api.devices import fleet_schemas as forms
from content_api.devices.fleet_models import Rollout
from content_api.problems import BadRequest
from content_api.settings import current_settings

device_groups = Blueprint(
    "device-groups", __name__, url_prefix="/device-groups", description="Devices told the same"
)
device_orders = Blueprint(
    "device-orders", __name__, url_prefix="/device-orders", description="What devices are to do"
)
rollout_routes = Blueprint(
    "rollouts", __name__, url_prefix="/rollouts", description="Releases that go to a share first"
)
play_routes = Blueprint("plays", __name__, url_prefix="/plays", description="What was shown")
alert_routes = Blueprint(
    "alerts", __name__, url_prefix="/alerts", description="What wants a person"
)
subscriptions = Blueprint(
    "alert-subscriptions",
    __name__,
    url_prefix="/alert-subscriptions",
    description="Who is told of alerts",
)

blueprints = [
    device_groups,
    device_orders,
    rollout_routes,
    play_routes,
    alert_routes,
    subscriptions,
]

_EXPORT_STEP = 1000
"""Rows of an export that are read at a time."""


# -- Groups ----------------------------------------------------------------------------------


@device_groups.route("")
class Groups(MethodView):
    """All groups."""

    @device_groups.requires("device.read")
    @device_groups.arguments(PageQuery, location="query")
    @device_groups.response(200, forms.GroupPageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List groups by id."""
        key = decode_cursor(query.get("cursor"), 1)
        rows = groups.list_groups(
            session(), after=str(key[0]) if key else None, limit=query["limit"] + 1
        )
        return page_of(rows, query["limit"], lambda row: [row.id])

    @device_groups.requires("device.write")
    @device_groups.arguments(schemas.NewGroupSchema)
    @device_groups.response(201, forms.GroupSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Add a group; devices join it by their own `group`."""
        group = groups.create_group(session(), current_actor(), body)
        return group, 201, {"ETag": f'"g{group.version}"'}


@device_groups.route("/<group_id>")
class OneGroup(MethodView):
    """One group."""

    @device_groups.requires("device.read")
    @device_groups.response(200, forms.GroupSchema)
    def get(self, group_id: str) -> Any:
        """The group, with its version as ETag."""
        group = groups.get_group(session(), group_id)
        return group, 200, {"ETag": f'"g{group.version}"'}

    @device_groups.requires("device.write")
    @device_groups.versioned
    @device_groups.arguments(schemas.GroupChangeSchema)
    @device_groups.response(200, forms.GroupSchema)
    def patch(self, body: dict[str, Any], group_id: str) -> Any:
        """Change what it says; its devices are told what is new to them."""
        groups.get_group(session(), group_id)
        expected = expected_version(None, "g")
        group = groups.change_group(session(), current_actor(), group_id, body, expected=expected)
        return group, 200, {"ETag": f'"g{group.version}"'}

    @device_groups.requires("device.write")
    @device_groups.versioned
    @device_groups.response(204)
    def delete(self, group_id: str) -> None:
        """Remove it; its devices keep what they were told."""
        groups.get_group(session(), group_id)
        expected = expected_version(None, "g")
        groups.delete_group(session(), current_actor(), group_id, expected=expected)


# -- Orders ----------------------------------------------------------------------------------


@device_orders.route("")
class Orders(MethodView):
    """All orders."""

    @device_orders.requires("device.read")
    @device_orders.arguments(forms.OrderQuery, location="query")
    @device_orders.response(200, forms.OrderPageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List orders, newest first."""
        rows = orders.list_orders(
            session(),
            device=query.get("device"),
            batch=query.get("batch"),
            state=query.get("state"),
            before=_before(query),
            limit=query["limit"] + 1,
        )
        return page_of(rows, query["limit"], lambda row: [row.id])

    @device_orders.requires("device.write")
    @device_orders.fails(404)
    @device_orders.arguments(forms.NewOrderSchema)
    @device_orders.response(201, forms.GivenSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Give an order; each device learns of it with the answer to its next heartbeat."""
        given = orders.give_order(
            session(),
            current_actor(),
            body["kind"],
            device=body.get("device"),
            group=body.get("group"),
            venue=body.get("venue"),
            arguments=body["arguments"],
            life=timedelta(hours=body["hours"]),
        )
        return {"items": given}


@device_orders.route("/<int:order_id>")
class OneOrder(MethodView):
    """One order."""

    @device_orders.requires("device.read")
    @device_orders.response(200, forms.OrderSchema)
    def get(self, order_id: int) -> Any:
        """The order, and how it stands."""
        return orders.get_order(session(), order_id)

    @device_orders.requires("device.write")
    @device_orders.response(200, forms.OrderSchema)
    def delete(self, order_id: int) -> Any:
        """Take back an order that no device has taken yet."""
        return orders.withdraw_order(session(), current_actor(), order_id)


# -- Rollouts --------------------------------------------------------------------------------


@rollout_routes.route("")
class Rollouts(MethodView):
    """All rollouts."""

    @rollout_routes.requires("device.read")
    @rollout_routes.response(200, forms.RolloutListSchema)
    def get(self) -> Any:
        """List the packages and channels whose releases go to a share of the devices first."""
        return {"items": rollouts.list_rollouts(session())}


@rollout_routes.route("/<slug>/<channel>")
class OneRollout(MethodView):
    """The rollout of one package and channel."""

    @rollout_routes.requires("device.read")
    @rollout_routes.response(200, forms.OneRolloutSchema)
    def get(self, slug: str, channel: str) -> Any:
        """How it stands and how far it has come, with its version as ETag."""
        return _rollout(rollouts.get_rollout(session(), slug, channel))

    @rollout_routes.requires("release.create")
    @rollout_routes.versioned
    @rollout_routes.arguments(forms.PolicySchema)
    @rollout_routes.response(200, forms.OneRolloutSchema)
    def put(self, body: dict[str, Any], slug: str, channel: str) -> Any:
        """Let new releases begin with a share; a change of a policy names its version."""
        found = rollouts.find_rollout(session(), slug, channel)
        return _rollout(
            rollouts.set_policy(
                session(),
                current_actor(),
                slug,
                channel,
                first_share=body["first_share"],
                fault_bound=body["fault_bound"],
                expected=expected_version(None, "p") if found is not None else None,
            )
        )

    @rollout_routes.requires("release.create")
    @rollout_routes.versioned
    @rollout_routes.response(204)
    def delete(self, slug: str, channel: str) -> None:
        """Let every release go to all devices at once again."""
        rollouts.get_rollout(session(), slug, channel)
        expected = expected_version(None, "p")
        rollouts.remove_policy(session(), current_actor(), slug, channel, expected=expected)


@rollout_routes.route("/<slug>/<channel>/share")
class RolloutShare(MethodView):
    """How many devices may take the release under way."""

    @rollout_routes.requires("release.create")
    @rollout_routes.versioned
    @rollout_routes.arguments(forms.ShareSchema)
    @rollout_routes.response(200, forms.OneRolloutSchema)
    def put(self, body: dict[str, Any], slug: str, channel: str) -> Any:
        """Change the share; 100 lets all take it and ends the rollout."""
        rollouts.get_rollout(session(), slug, channel)
        expected = expected_version(None, "p")
        return _rollout(
            rollouts.change_share(
                session(), current_actor(), slug, channel, body["share"], expected=expected
            )
        )


@rollout_routes.route("/<slug>/<channel>/hold")
class RolloutHold(MethodView):
    """Whether the release under way is held."""

    @rollout_routes.requires("release.create")
    @rollout_routes.versioned
    @rollout_routes.response(200, forms.OneRolloutSchema)
    def put(self, slug: str, channel: str) -> Any:
        """Let no further device take the release."""
        rollouts.get_rollout(session(), slug, channel)
        expected = expected_version(None, "p")
        return _rollout(rollouts.hold(session(), current_actor(), slug, channel, expected=expected))

    @rollout_routes.requires("release.create")
    @rollout_routes.versioned
    @rollout_routes.response(200, forms.OneRolloutSchema)
    def delete(self, slug: str, channel: str) -> Any:
        """Go on; devices in trouble now no longer count against the release."""
        rollouts.get_rollout(session(), slug, channel)
        expected = expected_version(None, "p")
        return _rollout(
            rollouts.resume(session(), current_actor(), slug, channel, expected=expected)
        )


def _rollout(found: Rollout) -> Any:
    body = {column.name: getattr(found, column.name) for column in Rollout.__table__.columns}
    body["progress"] = rollouts.progress(session(), found)
    return body, 200, {"ETag": f'"p{found.version}"'}


# -- Plays -----------------------------------------------------------------------------------


@play_routes.route("")
class Plays(MethodView):
    """What was shown."""

    @play_routes.requires("device.read")
    @play_routes.arguments(forms.PlayQuery, location="query")
    @play_routes.response(200, forms.PlayPageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List how often entries were shown, by day, device, package, entry and language."""
        key = decode_cursor(query.get("cursor"), 5)
        rows = plays.list_plays(
            session(),
            **_filter(query),
            after=_play_key(key) if key else None,
            limit=query["limit"] + 1,
        )
        return page_of(rows, query["limit"], _key_of)


@play_routes.route("/export")
class PlaysExport(MethodView):
    """What was shown, for a spreadsheet."""

    @play_routes.requires("device.read")
    @play_routes.arguments(forms.PlayFilter, location="query")
    @play_routes.response(200, {"type": "string"}, content_type="text/csv")
    def get(self, query: dict[str, Any]) -> Response:
        """All counts as CSV."""
        return Response(
            plays.write_csv(_all_plays(engine(), _filter(query))),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="plays.csv"'},
        )


def _filter(query: dict[str, Any]) -> dict[str, Any]:
    return {name: query.get(name) for name in ("since", "until", "device", "venue", "package")}


def _key_of(row: dict[str, Any]) -> list[Any]:
    return [
        row["day"].isoformat(),
        *(row[name] for name in ("device", "package", "entry", "language")),
    ]


def _play_key(key: list[Any]) -> list[Any]:
    try:
        return [date.fromisoformat(str(key[0])), *(str(part) for part in key[1:])]
    except ValueError as error:
        raise BadRequest("cursor: expected the `next` of an earlier page") from error


def _all_plays(source: Engine, wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # A year of a fleet does not fit in memory, and no transaction stays open while it is sent.
    after: list[Any] | None = None
    while True:
        with read_session(source) as reader:
            rows = plays.list_plays(reader, **wanted, after=after, limit=_EXPORT_STEP)
        yield from rows
        if len(rows) < _EXPORT_STEP:
            return
        after = _play_key(_key_of(rows[-1]))


# -- Alerts ----------------------------------------------------------------------------------


@alert_routes.route("")
class Alerts(MethodView):
    """All alerts."""

    @alert_routes.requires("device.read")
    @alert_routes.arguments(forms.AlertQuery, location="query")
    @alert_routes.response(200, forms.AlertPageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List alerts, newest first."""
        rows = alerts.list_alerts(
            session(),
            is_open=query.get("open"),
            condition=query.get("condition"),
            device=query.get("device"),
            venue=query.get("venue"),
            before=_before(query),
            limit=query["limit"] + 1,
        )
        return page_of(rows, query["limit"], lambda row: [row.id])


@subscriptions.route("")
class Subscriptions(MethodView):
    """Everybody who is told."""

    @subscriptions.requires("device.write")
    @subscriptions.response(200, forms.SubscriptionListSchema)
    def get(self) -> Any:
        """List who is told of which alerts."""
        return {"items": alerts.list_subscriptions(session())}

    @subscriptions.requires("device.write")
    @subscriptions.arguments(forms.NewSubscriptionSchema)
    @subscriptions.response(201, forms.SecretSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Tell somebody of alerts; the secret that signs a webhook's messages is shown once."""
        found = alerts.create_subscription(session(), current_actor(), body)
        return found, 201, {"ETag": f'"s{found.version}"', "Cache-Control": "no-store"}


@subscriptions.route("/<int:subscription_id>")
class OneSubscription(MethodView):
    """One who is told."""

    @subscriptions.requires("device.write")
    @subscriptions.response(200, forms.SubscriptionSchema)
    def get(self, subscription_id: int) -> Any:
        """Who is told of what, with its version as ETag."""
        found = alerts.get_subscription(session(), subscription_id)
        return found, 200, {"ETag": f'"s{found.version}"'}

    @subscriptions.requires("device.write")
    @subscriptions.versioned
    @subscriptions.arguments(forms.SubscriptionChangeSchema)
    @subscriptions.response(200, forms.SubscriptionSchema)
    def patch(self, body: dict[str, Any], subscription_id: int) -> Any:
        """Change who is told, or of what."""
        alerts.get_subscription(session(), subscription_id)
        expected = expected_version(None, "s")
        found = alerts.change_subscription(
            session(), current_actor(), subscription_id, body, expected=expected
        )
        return found, 200, {"ETag": f'"s{found.version}"'}

    @subscriptions.requires("device.write")
    @subscriptions.versioned
    @subscriptions.response(204)
    def delete(self, subscription_id: int) -> None:
        """Tell them nothing more."""
        alerts.get_subscription(session(), subscription_id)
        expected = expected_version(None, "s")
        alerts.delete_subscription(session(), current_actor(), subscription_id, expected=expected)


@subscriptions.route("/<int:subscription_id>/secret")
class SubscriptionSecret(MethodView):
    """What signs a webhook's messages."""

    @subscriptions.requires("device.write")
    @subscriptions.response(200, forms.SecretSchema)
    def put(self, subscription_id: int) -> Any:
        """A new secret, shown this once; the old one signs nothing more."""
        found = alerts.renew_secret(session(), current_actor(), subscription_id)
        return found, 200, {"Cache-Control": "no-store"}


@subscriptions.route("/<int:subscription_id>/test")
class SubscriptionTest(MethodView):
    """Whether messages arrive."""

    @subscriptions.requires("device.write")
    @subscriptions.fails(422)
    @subscriptions.response(200, forms.TrialSchema)
    def post(self, subscription_id: int) -> Any:
        """Send a message now; 409 `sending-failed` tells why it was not taken."""
        send_trial(engine(), subscription_id)
        return {"sent": True}


def send_trial(source: Engine, subscription_id: int) -> None:
    """Send a subscriber a message that says only that messages arrive.

    No transaction is open while another server takes its time.

    Raises:
        NotFound: there is no such subscription.
        AddressRefused, SendingFailed: it was not taken; the text says why.
    """
    actor = current_actor()
    with read_session(source) as reader:
        letter = alerts.trial_letter(alerts.get_subscription(reader, subscription_id))
    alerts.send_letter(current_settings(), letter)
    with write_session(source) as writer:
        record(writer, actor, "alert.test", f"alert-subscription/{subscription_id}")


def _before(query: dict[str, Any]) -> int | None:
    key = decode_cursor(query.get("cursor"), 1)
    return key[0] if key and isinstance(key[0], int) else None
