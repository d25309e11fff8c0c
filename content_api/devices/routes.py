"""HTTP of venues, devices and their enrolment."""

from __future__ import annotations

import base64
from typing import Any

from flask import Response, request
from flask.views import MethodView

from content_api.accounts.access import current_actor
from content_api.api import (
    Blueprint,
    PageQuery,
    decode_cursor,
    expected_version,
    page_of,
)
from content_api.database import session, utc_now
from content_api.devices import fleet_routes, own_routes, schemas, screenshots, service
from content_api.devices.models import Device
from content_api.devices.rules import fleet_word
from content_api.problems import NotReady
from content_api.repository.metadata import newest_root
from content_api.repository.store import RepositoryDamaged
from content_api.settings import current_settings

venues = Blueprint("venues", __name__, url_prefix="/venues", description="Places with devices")
devices = Blueprint("devices", __name__, url_prefix="/devices", description="Displays")
enrolments = Blueprint(
    "enrolments", __name__, url_prefix="/enrolments", description="A device's first call"
)

blueprints = [venues, devices, enrolments, *fleet_routes.blueprints, own_routes.own_device]


@venues.route("")
class Venues(MethodView):
    """All venues."""

    @venues.requires("venue.read")
    @venues.arguments(PageQuery, location="query")
    @venues.response(200, schemas.VenuePageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List venues by id."""
        key = decode_cursor(query.get("cursor"), 1)
        rows = service.list_venues(
            session(), after=str(key[0]) if key else None, limit=query["limit"] + 1
        )
        return page_of(rows, query["limit"], lambda row: [row.id])

    @venues.requires("venue.write")
    @venues.arguments(schemas.NewVenueSchema)
    @venues.response(201, schemas.VenueSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Add a venue."""
        return service.create_venue(
            session(),
            current_actor(),
            name=body["name"],
            timezone=body["timezone"],
            venue_id=body.get("id"),
            opening=body.get("opening"),
            closed=body.get("closed"),
        )


@venues.route("/<venue_id>")
class OneVenue(MethodView):
    """One venue."""

    @venues.requires("venue.read")
    @venues.response(200, schemas.VenueSchema)
    def get(self, venue_id: str) -> Any:
        """The venue."""
        return service.get_venue(session(), venue_id)

    @venues.requires("venue.write")
    @venues.arguments(schemas.VenueChangeSchema)
    @venues.response(200, schemas.VenueSchema)
    def patch(self, body: dict[str, Any], venue_id: str) -> Any:
        """Change its name or time zone."""
        return service.change_venue(session(), current_actor(), venue_id, body)


@devices.route("")
class Devices(MethodView):
    """All devices."""

    @devices.requires("device.read")
    @devices.arguments(schemas.DeviceQuery, location="query")
    @devices.response(200, schemas.DevicePageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List devices by id, with how each stands."""
        key = decode_cursor(query.get("cursor"), 1)
        rows = service.list_devices(
            session(),
            venue=query.get("venue"),
            group=query.get("group"),
            after=str(key[0]) if key else None,
            limit=query["limit"] + 1,
        )
        page = page_of(rows, query["limit"], lambda row: [row.id])
        return {**page, "items": [_device(row) for row in page["items"]]}

    @devices.requires("device.write")
    @devices.fails(404)
    @devices.arguments(schemas.NewDeviceSchema)
    @devices.response(201, schemas.DeviceSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Add a device to a venue; it is enrolled with a code."""
        return _device(service.create_device(session(), current_actor(), body))


@devices.route("/<device_id>")
class OneDevice(MethodView):
    """One device."""

    @devices.requires("device.read")
    @devices.response(200, schemas.DeviceSchema)
    def get(self, device_id: str) -> Any:
        """The device, with its assignment's version as ETag."""
        device = service.get_device(session(), device_id)
        return _device(device), 200, {"ETag": f'"a{device.assignment_version}"'}

    @devices.requires("device.write")
    @devices.versioned
    @devices.arguments(schemas.DeviceChangeSchema)
    @devices.response(200, schemas.DeviceSchema)
    def patch(self, body: dict[str, Any], device_id: str) -> Any:
        """Change what it is told (`If-Match: "a<version>"` guards against another's change)."""
        expected = expected_version(None, "a") if request.headers.get("If-Match") else None
        return _device(
            service.change_device(session(), current_actor(), device_id, body, expected=expected)
        )


@devices.route("/<device_id>/invitations")
class Invitations(MethodView):
    """Codes for a device."""

    @devices.requires("device.write")
    @devices.response(201, schemas.InvitationSchema)
    def post(self, device_id: str) -> Any:
        """A new enrolment code, shown this once; codes given before end."""
        code, expires_at = service.invite_device(session(), current_actor(), device_id)
        answer = {"code": code, "expires_at": expires_at}
        return answer, 201, {"Cache-Control": "no-store"}


@devices.route("/<device_id>/revocation")
class Revocation(MethodView):
    """The end of a device's token."""

    @devices.requires("device.write")
    @devices.response(200, schemas.DeviceSchema)
    def put(self, device_id: str) -> Any:
        """Take its token back; it goes on playing what it holds, and learns nothing new."""
        return _device(service.revoke_device(session(), current_actor(), device_id))


@devices.route("/<device_id>/heartbeats")
class Heartbeats(MethodView):
    """What a device reported."""

    @devices.requires("device.read")
    @devices.arguments(PageQuery, location="query")
    @devices.response(200, schemas.HeartbeatPageSchema)
    def get(self, query: dict[str, Any], device_id: str) -> Any:
        """List its reports, newest first."""
        service.get_device(session(), device_id)
        key = decode_cursor(query.get("cursor"), 1)
        before = key[0] if key and isinstance(key[0], int) else None
        rows = service.list_heartbeats(
            session(), device_id, before=before, limit=query["limit"] + 1
        )
        return page_of(rows, query["limit"], lambda row: [row.id])


@devices.route("/<device_id>/screenshot")
class Screenshot(MethodView):
    """What was on a device's screen."""

    @devices.requires("device.read")
    @devices.response(
        200, {"type": "string", "format": "binary"}, content_type=screenshots.MEDIA_TYPE
    )
    def get(self, device_id: str) -> Response:
        """The last picture that an order asked it for, a JPEG made by this server."""
        raw = screenshots.read_screenshot(session(), current_settings(), device_id)
        return screenshots.send(raw)


@enrolments.route("")
class Enrolments(MethodView):
    """Codes traded for tokens."""

    @enrolments.public("a device has no token before it has shown its code; tries are limited")
    @enrolments.fails(403, 429)
    @enrolments.arguments(schemas.EnrolmentSchema)
    @enrolments.response(201, schemas.EnrolledSchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Enrol a device: its token and the root it shall trust, once."""
        settings, now = current_settings(), utc_now()
        address = request.remote_addr or "unknown"
        service.check_tries(session(), address, now)
        try:
            root = newest_root(settings.repository_dir)
        except RepositoryDamaged as error:
            raise NotReady(error.message) from error
        try:
            device, token = service.enrol_device(
                session(),
                body["code"],
                now,
                client=body["client"],
                platform=body.get("platform"),
            )
        except (service.CodeInvalid, service.CodeExpired):
            # The request is refused and rolled back, but the try must count.
            session().rollback()
            service.note_try(session(), address, now)
            session().commit()
            raise
        answer = {
            "device": device,
            "token": token,
            "root": base64.b64encode(root).decode("ascii"),
            "repository": f"{settings.public_url}/repository/",
            "assignment": service.assignment(session(), device),
        }
        return answer, 201, {"Cache-Control": "no-store"}


def _device(device: Device) -> dict[str, Any]:
    columns = {column.name: getattr(device, column.name) for column in Device.__table__.columns}
    columns["state"] = fleet_word(
        device.enrolled_at, device.last_seen_at, device.revoked_at, utc_now()
    )
    return columns
