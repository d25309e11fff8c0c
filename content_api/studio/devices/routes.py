"""Pages of venues and their devices: what each shows, how it stands, how it gets in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import segno
from flask import Response, request
from marshmallow import Schema, ValidationError
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.database import session, utc_now
from content_api.devices import schemas, service
from content_api.devices.models import Device, Venue
from content_api.devices.status import (
    TONES,
    Change,
    DeviceState,
    changes,
    moment_of,
    standing,
    tone_of,
)
from content_api.messages import gettext as _
from content_api.packages.models import Package
from content_api.problems import NotFound, PreconditionFailed
from content_api.settings import current_settings
from content_api.studio.account.forms import zone_options
from content_api.studio.devices.words import (
    channel_names,
    languages_words,
    over,
    profile_names,
    sentence,
    short_state,
)
from content_api.studio.formats import content_languages, label_of
from content_api.studio.pages import Pages, redirect_to, render
from package_format.layout import is_slug

pages = Pages("devices", __name__, url_prefix="/studio")

FLEET = 2000
"""Devices and venues that one page shows at most."""

HISTORY = 100
"""Changes that a device's page tells at most."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A device as a row of a list."""

    device: Device
    tone: str
    word: str
    said: list[str]


# -- Venues ----------------------------------------------------------------------------------


@pages.get("/venues/")
@pages.requires("venue.read")
def list_venues() -> Response:
    """Every venue with its devices, those in trouble first."""
    venues = service.list_venues(session(), limit=FLEET)
    shown = shown_devices(service.list_devices(session(), limit=FLEET), venues)
    by_venue: dict[str, list[Shown]] = {venue.id: [] for venue in venues}
    for row in shown:
        by_venue[row.device.venue].append(row)
    worst = {
        key: min((TONES.index(row.tone) for row in rows), default=len(TONES))
        for key, rows in by_venue.items()
    }
    return render(
        "devices/venues.html",
        venues=sorted(venues, key=lambda venue: (worst[venue.id], venue.name)),
        by_venue=by_venue,
        trouble=[row for row in shown if row.tone in ("bad", "warn")],
        total=len(shown),
        packages=_package_titles(),
    )


@pages.get("/venues/new")
@pages.requires("venue.write")
def new_venue() -> Response:
    """The form for a venue."""
    return _venue_form()


@pages.post("/venues/")
@pages.requires("venue.write")
def create_venue() -> Response:
    """Add a venue."""
    given = {name: request.form.get(name, "").strip() for name in ("name", "timezone")}
    values, errors = _load(schemas.NewVenueSchema(), given)
    if errors:
        return _venue_form(422, values=given, errors=errors)
    venue = service.create_venue(
        session(), current_actor(), name=values["name"], timezone=values["timezone"]
    )
    return redirect_to(f"/studio/venues/{venue.id}/", _("The venue is added. Now add its devices."))


@pages.get("/venues/<venue_id>/")
@pages.requires("venue.read")
def venue_page(venue_id: str) -> Response:
    """A venue: its devices, its name and time zone."""
    return _venue_page(service.get_venue(session(), venue_id))


@pages.post("/venues/<venue_id>/")
@pages.requires("venue.write")
def change_venue(venue_id: str) -> Response:
    """Change a venue's name or time zone."""
    venue = service.get_venue(session(), venue_id)
    given = {name: request.form.get(name, "").strip() for name in ("name", "timezone")}
    values, errors = _load(schemas.VenueChangeSchema(), given)
    if errors:
        return _venue_page(venue, 422, values=given, errors=errors)
    changed = {name: value for name, value in values.items() if getattr(venue, name) != value}
    if changed:
        service.change_venue(session(), current_actor(), venue.id, changed)
    return redirect_to(f"/studio/venues/{venue.id}/", _("Saved."))


# -- Devices ---------------------------------------------------------------------------------


@pages.get("/venues/<venue_id>/new-device")
@pages.requires("device.write")
def new_device(venue_id: str) -> Response:
    """The form for a device."""
    venue = service.get_venue(session(), venue_id)
    return _device_form(venue)


@pages.post("/venues/<venue_id>/new-device")
@pages.requires("device.write")
def create_device(venue_id: str) -> Response:
    """Add a device to a venue and show a code that enrols it, once."""
    venue = service.get_venue(session(), venue_id)
    given = _given(venue.id)
    values, errors = _load(schemas.NewDeviceSchema(), given)
    if not errors and "languages" not in values and not _knows_package(values["package"]):
        errors = {"package": _("Choose one of the list.")}
    if errors:
        return _device_form(venue, 422, values=given, errors=errors)
    device = service.create_device(session(), current_actor(), values)
    return _invited(device)


@pages.get("/devices/<device_id>/")
@pages.requires("device.read")
def device_page(device_id: str) -> Response:
    """A device: how it stands, what it is told, what it reported."""
    return _device_page(service.get_device(session(), device_id))


@pages.post("/devices/<device_id>/")
@pages.requires("device.write")
def change_device(device_id: str) -> Response:
    """Change what a device is told, its name or its venue."""
    device = service.get_device(session(), device_id)
    given = _given(request.form.get("venue", device.venue))
    version = request.form.get("version", "")
    values, errors = _load(schemas.DeviceChangeSchema(), given)
    if not errors and not request.form.get("some_languages"):
        package = session().get(Package, values["package"])
        if package is not None:
            values["languages"] = list(package.body["languages"])
    if not errors and not version.isdecimal():
        errors = {"name": _("This page is out of date. Reload it and try again.")}
    if not errors:
        try:
            with session().begin_nested():
                service.change_device(
                    session(), current_actor(), device.id, values, expected=int(version)
                )
        except PreconditionFailed:
            stale = _("Somebody else changed this device meanwhile. Compare, then save again.")
            return _device_page(device, 412, values=given, errors={"form": stale})
        except NotFound:
            errors = {"venue": _("Choose one of the list.")}
    if errors:
        return _device_page(device, 422, values=given, errors=errors)
    return redirect_to(
        f"/studio/devices/{device.id}/", _("Saved. The device takes it at its next update.")
    )


@pages.post("/devices/<device_id>/invite")
@pages.requires("device.write")
def invite_device(device_id: str) -> Response:
    """A new code for a device, shown on the answer alone; codes given before end."""
    return _invited(service.get_device(session(), device_id))


@pages.post("/devices/<device_id>/revoke")
@pages.requires("device.write")
def revoke_device(device_id: str) -> Response:
    """Take a device's token back."""
    service.revoke_device(session(), current_actor(), device_id)
    said = _("The device is revoked: it plays what it holds and takes nothing new.")
    return redirect_to(f"/studio/devices/{device_id}/", said, "info")


# -- Parts -----------------------------------------------------------------------------------


def _invited(device: Device) -> Response:
    code, until = service.invite_device(session(), current_actor(), device.id)
    address = f"{current_settings().public_url or request.host_url.rstrip('/')}/"
    command = f"kiosk-client enrol {address} {code}"
    invitation = {
        "code": code,
        "until": until,
        "address": address,
        "command": command,
        "picture": segno.make(command, error="m").svg_data_uri(scale=5, border=4, light="white"),
    }
    answer = _device_page(device, 201, invitation=invitation)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _venue_form(
    status: int = 200,
    *,
    values: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    return render(
        "devices/new_venue.html",
        status,
        values=values or {"name": "", "timezone": "Europe/Paris"},
        errors=errors or {},
        zones=zone_options(),
    )


def _venue_page(
    venue: Venue,
    status: int = 200,
    *,
    values: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    devices = service.list_devices(session(), venue=venue.id, limit=FLEET)
    return render(
        "devices/venue.html",
        status,
        venue=venue,
        shown=shown_devices(devices, [venue]),
        values=values or {"name": venue.name, "timezone": venue.timezone},
        errors=errors or {},
        zones=zone_options(),
        packages=_package_titles(),
        local_now=utc_now().astimezone(ZoneInfo(venue.timezone)),
    )


def _device_form(
    venue: Venue,
    status: int = 200,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    packages = _package_titles()
    given = values or {
        "name": "",
        "package": next(iter(packages), ""),
        "channel": "live",
        "profile": "tablet",
        "settings": {},
    }
    return render(
        "devices/new_device.html",
        status,
        venue=venue,
        values=given,
        errors=errors or {},
        **_choices(packages, given),
    )


def _device_page(
    device: Device,
    status: int = 200,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
    invitation: Mapping[str, Any] | None = None,
) -> Response:
    venues = service.list_venues(session(), limit=FLEET)
    now = utc_now()
    codes = service.open_codes(session(), [device.id], now)
    live = service.live_releases(session())
    points = standing(_state(device, live, codes), now)
    packages = _package_titles()
    given = values or {
        "venue": device.venue,
        "name": device.name,
        "package": device.package,
        "channel": device.channel,
        "profile": device.profile,
        "languages": device.languages,
        "settings": device.settings,
    }
    venue = next(row for row in venues if row.id == device.venue)
    zone = ZoneInfo(venue.timezone)
    return render(
        "devices/device.html",
        status,
        device=device,
        venue=venue,
        venues=venues,
        points=[(point.tone, sentence(point, now, zone)) for point in points],
        tone=tone_of(points),
        word=short_state(points),
        code_until=codes.get(device.id),
        values=given,
        errors=errors or {},
        invitation=invitation,
        history=_history(device, now, zone),
        report=device.last_heartbeat or {},
        verified_at=moment_of((device.last_heartbeat or {}).get("last_full_verify_at")),
        languages_said=languages_words(device.languages),
        package_title=packages.get(device.package, device.package),
        local_zone=zone,
        **_choices(packages, given),
    )


def _choices(packages: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    slug = given.get("package", "")
    known = dict(packages)
    if slug and slug not in known:
        known[slug] = slug
    settings = given.get("settings") or {}
    return {
        "package_options": list(known.items()),
        "packages": known,
        "channels": channel_names(),
        "profiles": profile_names(),
        "language_tags": list(content_languages()),
        "chosen_languages": given.get("languages") or [],
        "settings_text": settings
        if isinstance(settings, str)
        else json.dumps(settings, ensure_ascii=False, indent=2)
        if settings
        else "",
    }


def _given(venue: str) -> dict[str, Any]:
    form = request.form
    given: dict[str, Any] = {
        name: form.get(name, "").strip() for name in ("name", "package", "channel", "profile")
    }
    given["venue"] = venue
    if form.get("some_languages"):
        given["languages"] = form.getlist("languages")
    text = form.get("settings", "").strip()
    try:
        given["settings"] = json.loads(text) if text else {}
    except ValueError:
        given["settings"] = text
    return given


def _load(schema: Schema, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What a schema of the API makes of a form, and what to say beside each field."""
    try:
        return schema.load(given), {}
    except ValidationError as error:
        said = {
            "name": _("Give a name of up to 200 characters, on one line."),
            "languages": _("Choose at least one language."),
            "settings": _("This is not a JSON object, or it is too large."),
        }
        wrong = error.messages_dict
        return {}, {name: said.get(name, _("Choose one of the list.")) for name in wrong}


def shown_devices(devices: list[Device], venues: Iterable[Venue]) -> list[Shown]:
    """Devices with how they stand, the worst first."""
    now = utc_now()
    zones = {venue.id: ZoneInfo(venue.timezone) for venue in venues}
    live = service.live_releases(session())
    waiting = [device.id for device in devices if device.enrolled_at is None]
    codes = service.open_codes(session(), waiting, now) if waiting else {}
    rows = []
    for device in devices:
        points = standing(_state(device, live, codes), now)
        said = [sentence(point, now, zones[device.venue]) for point in points]
        rows.append(Shown(device, tone_of(points), short_state(points), said))
    return sorted(rows, key=lambda row: (TONES.index(row.tone), row.device.name))


def _state(
    device: Device, live: Mapping[tuple[str, str], int], codes: Mapping[str, datetime]
) -> DeviceState:
    return DeviceState(
        package=device.package,
        channel=device.channel,
        enrolled_at=device.enrolled_at,
        last_seen_at=device.last_seen_at,
        revoked_at=device.revoked_at,
        playing_since=device.playing_since,
        report=device.last_heartbeat,
        live_release=live.get((device.package, device.channel)),
        code_until=codes.get(device.id),
    )


def _history(
    device: Device, now: datetime, zone: ZoneInfo
) -> list[tuple[datetime, list[tuple[str, str]]]]:
    rows = service.list_heartbeats(session(), device.id, limit=service.HEARTBEATS_KEPT)
    found = changes((row.received_at, row.body) for row in reversed(rows))
    return [(change.at, _told(change, now, zone)) for change in found[:HISTORY]]


def _told(change: Change, now: datetime, zone: ZoneInfo) -> list[tuple[str, str]]:
    came = [(point.tone, sentence(point, now, zone)) for point in change.came]
    return came + [("good", over(point)) for point in change.went]


def _package_titles() -> dict[str, str]:
    rows = session().execute(select(Package.slug, Package.body).order_by(Package.slug))
    return {slug: label_of(body.get("title"), slug) for slug, body in rows}


def _knows_package(slug: str) -> bool:
    return is_slug(slug) and session().get(Package, slug) is not None
