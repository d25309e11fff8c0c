"""Pages of venues and their devices: what each shows, how it stands, how it gets in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import segno
from flask import Response, request

from content_api.accounts.access import current_actor
from content_api.database import session, utc_now
from content_api.devices import schemas, service
from content_api.devices.fleet import (
    STATES,
    Wanted,
    count_by_venue,
    count_devices,
    find_devices,
    find_venues,
    group_names,
    has_devices,
    place_of,
)
from content_api.devices.models import Device, DeviceGroup, Venue
from content_api.devices.status import Change, changes, presence, standing, tone_of
from content_api.messages import gettext as _
from content_api.packages.models import Package
from content_api.problems import NotFound, PreconditionFailed
from content_api.settings import current_settings
from content_api.studio.account.forms import zone_options
from content_api.studio.devices import alerts, groups, orders, plays, rollout
from content_api.studio.devices.facts import facts_of
from content_api.studio.devices.forms import (
    load,
    out_of_date,
    settings_of_form,
    settings_text,
    version_of_form,
)
from content_api.studio.devices.orders import order_context
from content_api.studio.devices.shown import (
    PAGE,
    asked_for,
    fleet_tabs,
    package_titles,
    place_from,
    place_text,
    shown_devices,
    state_of,
)
from content_api.studio.devices.words import (
    channel_names,
    order_names,
    over,
    own_words,
    presence_words,
    profile_names,
    sentence,
    short_state,
    state_names,
)
from content_api.studio.formats import content_languages
from content_api.studio.pages import Pages, redirect_to, render
from package_format.layout import is_slug

pages = Pages("devices", __name__, url_prefix="/studio")

FLEET = 2000
"""Venues that one page shows at most."""

HISTORY = 100
"""Changes that a device's page tells at most."""


# -- Venues ----------------------------------------------------------------------------------


@pages.get("/venues/")
@pages.requires("venue.read")
def fleet_page() -> Response:
    """Every device with how it stands, those in trouble first; or every venue."""
    if request.args.get("view") == "venues" or not has_devices(session()):
        return _venues_page()
    now = utc_now()
    wanted = _wanted()
    after = place_from(request.args.get("after", ""))
    rows = find_devices(session(), wanted, now, after=after, limit=PAGE + 1)
    page = rows[:PAGE]
    venues = find_venues(session())
    asked = {name: value for name, value in asdict(wanted).items() if value}
    return render(
        "devices/fleet.html",
        tabs=fleet_tabs("devices"),
        shown=shown_devices(page, venues.values()),
        counts=count_devices(session(), wanted, now),
        wanted=wanted,
        asked=asked,
        state_names=state_names(),
        venues=venues,
        groups=group_names(session()),
        packages=package_titles(),
        next_place=place_text(place_of(page[-1], now)) if len(rows) > PAGE else None,
        is_first=after is None,
    )


def _venues_page() -> Response:
    now = utc_now()
    venues = find_venues(session())
    counts = count_by_venue(session(), now)
    worst = sorted(
        venues.values(),
        key=lambda venue: -counts[venue.id].by_state["trouble"] if venue.id in counts else 0,
    )
    return render(
        "devices/venues.html", tabs=fleet_tabs("venues"), venues=worst[:FLEET], counts=counts
    )


def _wanted() -> Wanted:
    given = {name: asked_for(name) for name in Wanted.__slots__}
    if given["state"] not in STATES:
        given["state"] = ""
    return Wanted(**given)


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
    values, errors = load(schemas.NewVenueSchema(), given)
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
    values, errors = load(schemas.VenueChangeSchema(), given)
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
    values, errors = load(schemas.NewDeviceSchema(), given)
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
    given["group"] = request.form.get("group", device.group or "") or None
    version = version_of_form()
    values, errors = load(schemas.DeviceChangeSchema(), given)
    if not errors and not request.form.get("some_languages"):
        package = session().get(Package, values["package"])
        if package is not None:
            values["languages"] = list(package.body["languages"])
    if not errors and version is None:
        errors = {"form": out_of_date()}
    if not errors:
        try:
            with session().begin_nested():
                service.change_device(
                    session(), current_actor(), device.id, values, expected=version
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


@pages.post("/devices/<device_id>/follow")
@pages.requires("device.write")
def follow_group(device_id: str) -> Response:
    """Take from the group again what the device says itself."""
    service.change_device(session(), current_actor(), device_id, {"own": []})
    return redirect_to(
        f"/studio/devices/{device_id}/", _("It takes everything from its group again.")
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
    now = utc_now()
    wanted = Wanted(venue=venue.id)
    after = place_from(request.args.get("after", ""))
    rows = find_devices(session(), wanted, now, after=after, limit=PAGE + 1)
    page = rows[:PAGE]
    return render(
        "devices/venue.html",
        status,
        venue=venue,
        shown=shown_devices(page, [venue]),
        counts=count_devices(session(), wanted, now),
        state_names=state_names(),
        order_names=order_names(),
        values=values or {"name": venue.name, "timezone": venue.timezone},
        errors=errors or {},
        zones=zone_options(),
        packages=package_titles(),
        local_now=now.astimezone(ZoneInfo(venue.timezone)),
        next_place=place_text(place_of(page[-1], now)) if len(rows) > PAGE else None,
        is_first=after is None,
    )


def _device_form(
    venue: Venue,
    status: int = 200,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    packages = package_titles()
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
    points = standing(state_of(device, live, codes), now)
    packages = package_titles()
    given = values or {
        "venue": device.venue,
        "name": device.name,
        "group": device.group or "",
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
        facts=facts_of(device, now, zone),
        known=presence(device.enrolled_at, device.last_seen_at, device.revoked_at, now),
        presence_words=presence_words,
        group=session().get(DeviceGroup, device.group) if device.group else None,
        own=own_words(device.own or ()),
        groups=group_names(session()),
        **order_context(device),
        package_title=packages.get(device.package, device.package),
        local_zone=zone,
        **_choices(packages, given),
    )


def _choices(packages: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    slug = given.get("package", "")
    known = dict(packages)
    if slug and slug not in known:
        known[slug] = slug
    return {
        "package_options": list(known.items()),
        "packages": known,
        "channels": channel_names(),
        "profiles": profile_names(),
        "language_tags": list(content_languages()),
        "chosen_languages": given.get("languages") or [],
        "settings_text": settings_text(given.get("settings")),
    }


def _given(venue: str) -> dict[str, Any]:
    form = request.form
    given: dict[str, Any] = {
        name: form.get(name, "").strip() for name in ("name", "package", "channel", "profile")
    }
    given["venue"] = venue
    if form.get("some_languages"):
        given["languages"] = form.getlist("languages")
    given["settings"] = settings_of_form()
    return given


def _history(
    device: Device, now: datetime, zone: ZoneInfo
) -> list[tuple[datetime, list[tuple[str, str]]]]:
    rows = service.list_heartbeats(session(), device.id, limit=service.HEARTBEATS_KEPT)
    found = changes((row.received_at, row.body) for row in reversed(rows))
    return [(change.at, _told(change, now, zone)) for change in found[:HISTORY]]


def _told(change: Change, now: datetime, zone: ZoneInfo) -> list[tuple[str, str]]:
    came = [(point.tone, sentence(point, now, zone)) for point in change.came]
    return came + [("good", over(point)) for point in change.went]


def _knows_package(slug: str) -> bool:
    return is_slug(slug) and session().get(Package, slug) is not None


all_pages = [pages, groups.pages, orders.pages, plays.pages, rollout.pages, alerts.pages]
