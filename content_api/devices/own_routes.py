"""HTTP of a device that speaks of itself: polls, heartbeats, orders, plays."""

from __future__ import annotations

from typing import Any

from flask import g, request
from flask.views import MethodView

from content_api.accounts.access import current_actor
from content_api.api import Blueprint, not_modified
from content_api.database import engine, read_session, session, utc_now
from content_api.devices import fleet_schemas, schemas, service
from content_api.devices.fleet_models import Order
from content_api.devices.heartbeats import Beat
from content_api.devices.orders import acknowledge_order, orders_for
from content_api.devices.plays import note_plays
from content_api.devices.polls import Known
from content_api.devices.screenshots import keep_screenshot
from content_api.devices.setup import heartbeat_buffer
from content_api.problems import Forbidden
from content_api.settings import current_settings

own_device = Blueprint(
    "device", __name__, url_prefix="/device", description="What a device asks and reports"
)


@own_device.route("")
class OwnDevice(MethodView):
    """The device that asks."""

    @own_device.requires("device.self")
    @own_device.versioned
    @own_device.response(200, schemas.OwnDeviceSchema)
    def get(self) -> Any:
        """What it is told to show; 304 when it knows."""
        known = _own()
        unchanged = not_modified(f"a{known.assignment_version}")
        if unchanged is not None:
            return unchanged
        device = service.get_device(session(), known.id)
        tag = f"a{device.assignment_version}"
        return (
            {
                "device": device,
                "assignment": service.assignment(session(), device),
                "server_time": utc_now(),
            },
            200,
            {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache, no-transform"},
        )


@own_device.route("/heartbeats")
class OwnHeartbeats(MethodView):
    """Reports of the device that calls."""

    @own_device.requires("device.self")
    @own_device.arguments(schemas.HEARTBEAT)
    @own_device.response(202, schemas.HeartbeatAnswerSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Report how it stands, and learn what it is to do."""
        known, now = _own(), utc_now()
        heartbeat_buffer().add(Beat(known.id, now, body))
        orders: list[Order] = []
        if known.has_orders:
            with read_session(engine()) as reader:
                orders = orders_for(reader, known.id, now)
        return {"assignment_version": known.assignment_version, "orders": orders}


@own_device.route("/orders/<int:order_id>/acknowledgement")
class OwnAcknowledgement(MethodView):
    """What became of an order."""

    @own_device.requires("device.self")
    @own_device.arguments(fleet_schemas.AcknowledgementSchema)
    @own_device.response(200, fleet_schemas.OrderSchema)
    def post(self, body: dict[str, Any], order_id: int) -> Any:
        """Say that an order is taken, or how it ended; saying it again changes nothing."""
        return acknowledge_order(
            session(),
            _own().actor,
            order_id,
            body["state"],
            utc_now(),
            message=body.get("message"),
        )


@own_device.route("/orders/<int:order_id>/screenshot")
class OwnScreenshot(MethodView):
    """The picture that an order asks for."""

    @own_device.requires("device.self")
    @own_device.fails(413, 415, 422)
    @own_device.response(204)
    @own_device.doc(
        requestBody={
            "required": True,
            "content": {
                media_type: {"schema": {"type": "string", "format": "binary"}}
                for media_type in ("image/png", "image/jpeg")
            },
        }
    )
    def put(self, order_id: int) -> None:
        """Send the screen as PNG or JPEG, at most 4 MB; its bytes say what it is."""
        known, raw = _own(), request.get_data()
        keep_screenshot(session(), current_settings(), known.id, order_id, raw, utc_now())


@own_device.route("/plays")
class OwnPlays(MethodView):
    """What was shown."""

    @own_device.requires("device.self")
    @own_device.arguments(fleet_schemas.PlaysSchema)
    @own_device.response(202, fleet_schemas.PlaysAnswerSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Report how often entries were shown, by day; a batch counts once."""
        added = note_plays(session(), _own().id, body["batch"], body["rows"], utc_now())
        return {"added": added}


def _own() -> Known:
    actor = current_actor()
    found: Known | None = g.get("device")
    if actor.kind != "device" or found is None:
        raise Forbidden("Only a device may ask about itself: use its token.")
    return found
