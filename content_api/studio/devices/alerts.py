"""Alerts: what wants a person now, what did before, and who is told of it.

/studio/alerts/                              open alerts, and who is told
/studio/alerts/?past=1                       those that are over
/studio/alerts/subscriptions/…               who is told: add, change, try, stop
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, request

from content_api.accounts.access import current_actor
from content_api.accounts.rules import allows
from content_api.database import engine, session
from content_api.devices import alerts, fleet_schemas
from content_api.devices.fleet import device_names, find_venues
from content_api.devices.fleet_models import Alert, AlertDelivery, AlertSubscription
from content_api.devices.fleet_routes import send_trial
from content_api.devices.models import Venue
from content_api.messages import gettext as _
from content_api.outgoing import AddressRefused, SendingFailed
from content_api.problems import PreconditionFailed
from content_api.settings import current_settings
from content_api.studio.devices.forms import load, out_of_date, version_of_form
from content_api.studio.devices.shown import asked_for, fleet_tabs, package_titles
from content_api.studio.devices.words import alert_said, condition_names
from content_api.studio.pages import Pages, redirect_to, render

pages = Pages("alerts", __name__, url_prefix="/studio/alerts")

SHOWN = 50
"""Alerts that one page lists."""


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as a row."""

    alert: Alert
    said: str
    condition: str
    device: str | None
    venue: Venue | None


@pages.get("/")
@pages.requires("device.read")
def alerts_page() -> Response:
    """What wants a person, newest first, and who is told."""
    past = bool(asked_for("past"))
    before = asked_for("before", 9)
    rows = alerts.list_alerts(
        session(),
        is_open=not past,
        before=int(before) if before.isdecimal() and before.isascii() else None,
        limit=SHOWN + 1,
    )
    may = allows(current_actor(), "device.write")
    subscriptions = alerts.list_subscriptions(session()) if may else []
    return render(
        "devices/alerts.html",
        tabs=fleet_tabs("alerts"),
        told=_told(rows[:SHOWN]),
        before=rows[SHOWN - 1].id if len(rows) > SHOWN else None,
        is_first=not before,
        past=past,
        counts=alerts.count_open(session()),
        condition_names=condition_names(),
        subscriptions=subscriptions,
        deliveries=alerts.last_deliveries(session()) if may else {},
        venues=find_venues(session()),
        packages=package_titles(),
    )


@pages.get("/subscriptions/new")
@pages.requires("device.write")
def new_subscription() -> Response:
    """The form for somebody to be told."""
    return _form()


@pages.post("/subscriptions/")
@pages.requires("device.write")
def create_subscription() -> Response:
    """Tell somebody from now on; a webhook's secret is shown on the answer alone."""
    given = _given()
    values, errors = _checked(fleet_schemas.NewSubscriptionSchema(), given)
    if not errors:
        try:
            with session().begin_nested():
                made = alerts.create_subscription(session(), current_actor(), values)
        except AddressRefused as error:
            errors = {"target": _target_refused(error)}
    if errors:
        return _form(None, 422, values=given, errors=errors)
    if made.channel == "webhook":
        return _with_secret(made, 201)
    return redirect_to("/studio/alerts/#told", _("They are told from now on. Send a test."))


@pages.get("/subscriptions/<int:number>/")
@pages.requires("device.write")
def subscription_page(number: int) -> Response:
    """Who is told of what, and how the last message went."""
    return _form(alerts.get_subscription(session(), number))


@pages.post("/subscriptions/<int:number>/")
@pages.requires("device.write")
def change_subscription(number: int) -> Response:
    """Change who is told, or of what."""
    found = alerts.get_subscription(session(), number)
    given = _given()
    values, errors = _checked(fleet_schemas.SubscriptionChangeSchema(), given)
    version = version_of_form()
    if not errors and version is None:
        errors = {"form": out_of_date()}
    status = 422
    if not errors:
        try:
            with session().begin_nested():
                alerts.change_subscription(
                    session(), current_actor(), found.id, values, expected=version
                )
        except AddressRefused as error:
            errors = {"target": _target_refused(error)}
        except PreconditionFailed:
            said = _("Somebody else changed this meanwhile. Compare, then save again.")
            errors, status = {"form": said}, 412
    if errors:
        return _form(found, status, values=given, errors=errors)
    return redirect_to("/studio/alerts/#told", _("Saved."))


@pages.post("/subscriptions/<int:number>/test")
@pages.requires("device.write")
def send_test(number: int) -> Response:
    """Send a message that says only that messages arrive."""
    back = f"/studio/alerts/subscriptions/{number}/"
    try:
        # Before anything asks for this request's transaction: the other side may be slow.
        send_trial(engine(), number)
    except (AddressRefused, SendingFailed) as error:
        return redirect_to(
            back, _("The test did not arrive: %(reason)s", reason=error.message), "bad"
        )
    return redirect_to(back, _("The test was taken. It should be there in a moment."))


@pages.post("/subscriptions/<int:number>/secret")
@pages.requires("device.write")
def renew_secret(number: int) -> Response:
    """Give a webhook another secret, shown on the answer alone."""
    return _with_secret(alerts.renew_secret(session(), current_actor(), number))


@pages.post("/subscriptions/<int:number>/delete")
@pages.requires("device.write")
def delete_subscription(number: int) -> Response:
    """Tell them nothing more."""
    alerts.delete_subscription(session(), current_actor(), number)
    return redirect_to("/studio/alerts/#told", _("They are not told any more."), "info")


# -- Parts -----------------------------------------------------------------------------------


def _told(rows: list[Alert]) -> list[Told]:
    names = device_names(session(), {row.device for row in rows if row.device})
    venues = find_venues(session(), {row.venue for row in rows if row.venue})
    titles = package_titles()
    conditions = condition_names()
    return [
        Told(
            row,
            alert_said(row.condition, row.code, row.details, titles),
            conditions.get(row.condition, row.condition),
            names.get(row.device, row.device) if row.device else None,
            venues.get(row.venue) if row.venue else None,
        )
        for row in rows
    ]


def _given() -> dict[str, Any]:
    form = request.form
    return {
        "name": form.get("name", "").strip(),
        "channel": form.get("channel", ""),
        "target": form.get("target", "").strip(),
        "conditions": form.getlist("conditions"),
        "venues": form.getlist("venues"),
        "active": bool(form.get("active")),
    }


def _checked(schema: Any, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    values, errors = load(schema, given)
    if "target" in errors:
        errors["target"] = _("Give an address: https://… or somebody@example.org.")
    if not errors and not given["conditions"]:
        errors = {"conditions": _("Choose at least one.")}
    if not errors and len(values["conditions"]) == len(condition_names()):
        # All of them, also those that a newer server will know.
        values["conditions"] = []
    return values, errors


def _target_refused(error: AddressRefused) -> str:
    return _("This address cannot be used: %(reason)s", reason=error.message)


def _with_secret(found: AlertSubscription, status: int = 200) -> Response:
    answer = _form(found, status, secret=found.secret)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _form(
    found: AlertSubscription | None = None,
    status: int = 200,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
    secret: str | None = None,
) -> Response:
    conditions = condition_names()
    given = values or (
        {
            "name": found.name,
            "channel": found.channel,
            "target": found.target,
            "conditions": found.conditions or list(conditions),
            "venues": found.venues,
            "active": found.active,
        }
        if found
        else {
            "name": "",
            "channel": "email",
            "target": "",
            "conditions": list(conditions),
            "venues": [],
            "active": True,
        }
    )
    last: AlertDelivery | None = None
    if found:
        last = alerts.last_deliveries(session()).get(found.id)
    return render(
        "devices/subscription.html",
        status,
        found=found,
        values=given,
        errors=errors or {},
        secret=secret,
        last=last,
        condition_names=conditions,
        venues=find_venues(session()),
        mail_ready=bool(current_settings().smtp_host),
    )
