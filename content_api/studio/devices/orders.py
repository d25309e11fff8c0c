"""Orders to devices: what a person asks of a screen from afar, and what became of it.

/studio/devices/<id>/orders                 give one, or see what became of the last ones
/studio/devices/<id>/orders/<n>/withdraw    take back one that waits
/studio/devices/<id>/screenshot             the last picture of its screen
/studio/groups/<id>/orders                  the same for each device of a group
/studio/venues/<id>/orders                  and of a venue
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.accounts.models import User
from content_api.database import session
from content_api.devices import groups, orders, screenshots, service
from content_api.devices.fleet_models import ORDER_KINDS, Order
from content_api.devices.models import Device
from content_api.messages import gettext as _
from content_api.messages import ngettext
from content_api.problems import Conflict, NotFound, Refused
from content_api.settings import current_settings
from content_api.studio.devices.words import order_names, order_state
from content_api.studio.pages import Pages, redirect_to, render

pages = Pages("orders", __name__, url_prefix="/studio")

SHOWN = 15
"""Orders that a device's page tells of, the newest."""


@dataclass(frozen=True, slots=True)
class Told:
    """An order as a row: what was asked, by whom, and how it stands."""

    order: Order
    name: str
    word: str
    tone: str
    icon: str
    who: str


@pages.get("/devices/<device_id>/orders")
@pages.requires("device.read")
def orders_part(device_id: str) -> Response:
    """What became of the last orders; the page asks again while one is open."""
    device = service.get_device(session(), device_id)
    return render("devices/orders.html", device=device, **order_context(device))


@pages.post("/devices/<device_id>/orders")
@pages.requires("device.write")
def give_order(device_id: str) -> Response:
    """Ask one device to do something."""
    service.get_device(session(), device_id)
    back, kind = f"/studio/devices/{device_id}/#orders", _kind()
    try:
        orders.give_order(session(), current_actor(), kind, device=device_id)
    except Refused:
        return redirect_to(back, _("No order reaches this device: enrol it first."), "warn")
    return redirect_to(back, _("Asked. The device does it when it next calls."))


@pages.post("/devices/<device_id>/orders/<int:number>/withdraw")
@pages.requires("device.write")
def withdraw_order(device_id: str, number: int) -> Response:
    """Take back an order that the device has not taken yet."""
    order = orders.get_order(session(), number)
    if order.device != device_id:
        raise NotFound(_("There is no such order."))
    back = f"/studio/devices/{device_id}/#orders"
    try:
        orders.withdraw_order(session(), current_actor(), number)
    except Conflict:
        return redirect_to(back, _("Too late: the device has taken it."), "warn")
    return redirect_to(back, _("The order is taken back."))


@pages.get("/devices/<device_id>/screenshot")
@pages.requires("device.read")
def screenshot(device_id: str) -> Response:
    """The last picture of a device's screen."""
    service.get_device(session(), device_id)
    found = screenshots.read_screenshot(session(), current_settings(), device_id)
    answer = Response(found, mimetype="image/jpeg")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@pages.post("/groups/<group_id>/orders")
@pages.requires("device.write")
def give_group_order(group_id: str) -> Response:
    """Ask every device of a group."""
    groups.get_group(session(), group_id)
    given = orders.give_order(session(), current_actor(), _kind(), group=group_id)
    return redirect_to(f"/studio/groups/{group_id}/", _asked(len(given)))


@pages.post("/venues/<venue_id>/orders")
@pages.requires("device.write")
def give_venue_order(venue_id: str) -> Response:
    """Ask every device of a venue."""
    service.get_venue(session(), venue_id)
    given = orders.give_order(session(), current_actor(), _kind(), venue=venue_id)
    return redirect_to(f"/studio/venues/{venue_id}/", _asked(len(given)))


def order_context(device: Device) -> dict[str, Any]:
    """What the part about orders needs to know of a device."""
    rows = orders.list_orders(session(), device=device.id, limit=SHOWN)
    return {
        "orders": told_orders(rows),
        "order_names": order_names(),
        "orders_open": any(row.state in ("queued", "taken") for row in rows),
        "takes_orders": device.token_hash is not None and device.revoked_at is None,
    }


def told_orders(rows: Iterable[Order]) -> list[Told]:
    """Orders in words."""
    found = list(rows)
    ids = {row.created_by for row in found}
    people = {
        row.id: row.display_name or row.name
        for row in session().execute(
            select(User.id, User.display_name, User.name).where(User.id.in_(ids))
        )
    }
    names = order_names()
    told = []
    for row in found:
        word, tone, icon = order_state(row.state, row.message)
        name = names[row.kind][0] if row.kind in names else row.kind
        who = people.get(row.created_by, _("the server"))
        told.append(Told(row, name, word, tone, icon, who))
    return told


def _kind() -> str:
    kind = request.form.get("kind", "")
    if kind not in ORDER_KINDS:
        raise Refused(_("Choose one of the list."))
    return kind


def _asked(count: int) -> str:
    if not count:
        return _("No device there can take orders: enrol them first.")
    return ngettext(
        "Asked %(n)s device. It does it when it next calls.",
        "Asked %(n)s devices. Each does it when it next calls.",
        count,
    )
