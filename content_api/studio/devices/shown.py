"""What the pages of the fleet share: devices as rows of a list, names, the tabs above them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import request
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.accounts.rules import allows
from content_api.database import session, utc_now
from content_api.devices import service
from content_api.devices.fleet import Place
from content_api.devices.models import Device, Venue
from content_api.devices.status import DeviceState, presence, standing, tone_of
from content_api.messages import gettext as _
from content_api.packages.models import Package
from content_api.studio.devices.words import presence_words, sentence, short_state
from content_api.studio.formats import label_of

PAGE = 50
"""Devices that one page shows."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A device as a row of a list."""

    device: Device
    venue: Venue
    tone: str
    word: str
    presence: str
    presence_word: str
    """One of `PRESENCES`, and what the reader calls it."""
    said: list[str]


def shown_devices(devices: Iterable[Device], venues: Iterable[Venue]) -> list[Shown]:
    """Devices with how they stand, in the order given; `venues` holds at least theirs."""
    rows = list(devices)
    now = utc_now()
    places = {venue.id: venue for venue in venues}
    live = service.live_releases(session())
    waiting = [device.id for device in rows if device.enrolled_at is None]
    codes = service.open_codes(session(), waiting, now) if waiting else {}
    found = []
    for device in rows:
        venue = places[device.venue]
        points = standing(state_of(device, live, codes), now)
        said = [sentence(point, now, ZoneInfo(venue.timezone)) for point in points]
        word = presence(device.enrolled_at, device.last_seen_at, device.revoked_at, now)
        found.append(
            Shown(
                device,
                venue,
                tone_of(points),
                short_state(points),
                word,
                presence_words(word),
                said,
            )
        )
    return found


def state_of(
    device: Device, live: Mapping[tuple[str, str], int], codes: Mapping[str, datetime]
) -> DeviceState:
    """What the server knows of a device, for `status.standing`."""
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
        release_limit=(device.release_limits or {}).get(f"{device.package}/{device.channel}"),
    )


def place_text(place: Place) -> str:
    """Where a page of devices begins, for its address."""
    return json.dumps(place, ensure_ascii=False)


def place_from(text: str) -> Place | None:
    """The place that an address names; None for the beginning, or for what is no place."""
    try:
        rank, name, device = json.loads(text)
    except (ValueError, TypeError):
        return None
    if not isinstance(rank, int) or not isinstance(name, str) or not isinstance(device, str):
        return None
    return (1 if rank else 0, name, device) if "\0" not in name + device else None


def asked_for(name: str, most: int = 200) -> str:
    """What the address asks for by this name, without what no database takes; empty if nothing."""
    return request.args.get(name, "").replace("\0", "").strip()[:most]


def package_titles() -> dict[str, str]:
    """The title of each package in the reader's language, by slug."""
    rows = session().execute(select(Package.slug, Package.body).order_by(Package.slug))
    return {slug: label_of(body.get("title"), slug) for slug, body in rows}


def fleet_tabs(current: str) -> list[tuple[str, str, bool]]:
    """The views of the fleet that the reader may open."""
    tabs = [
        ("devices", _("Devices"), "/studio/venues/", "device.read"),
        ("venues", _("Venues"), "/studio/venues/?view=venues", "venue.read"),
        ("groups", _("Groups"), "/studio/groups/", "device.read"),
        ("plays", _("What was shown"), "/studio/plays/", "device.read"),
        ("alerts", _("Alerts"), "/studio/alerts/", "device.read"),
    ]
    return [
        (text, href, name == current)
        for name, text, href, action in tabs
        if allows(current_actor(), action)
    ]
