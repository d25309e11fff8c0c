"""The page of a package's rollout: who may take a release first, how it does there, when all may.

/studio/packages/<slug>/rollout              where it stands, and the rule for the next release
/studio/packages/<slug>/rollout/progress     how far it is, asked now and then by the page
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request
from marshmallow import ValidationError, fields, validate

from content_api.accounts.access import current_actor
from content_api.api import WireSchema
from content_api.database import session
from content_api.devices import rollouts
from content_api.devices.fleet import count_next, device_names
from content_api.devices.fleet_models import Rollout
from content_api.messages import gettext as _
from content_api.packages.models import Package
from content_api.packages.service import get_package, live_number
from content_api.problems import Conflict, NotFound, PreconditionFailed
from content_api.studio import formats
from content_api.studio.devices.forms import version_of_form
from content_api.studio.pages import Pages, redirect_to, render
from content_api.studio.publish.routes import package_tabs
from package_format.layout import CHANNELS

pages = Pages("rollout", __name__, url_prefix="/studio/packages")

SHARES = (5, 10, 25, 50, 75)
"""Percentages of the devices that a release can be given to before all have it."""

NAMED = 50
"""Devices in trouble that the page names at most."""


class PolicyForm(WireSchema):
    """The rule for releases to come; both are percentages."""

    first_share = fields.Integer(required=True, validate=validate.Range(1, 99))
    fault_bound = fields.Integer(required=True, validate=validate.Range(0, 100))


@pages.get("/<slug>/rollout")
@pages.requires("device.read")
def rollout_page(slug: str) -> Response:
    """How releases of a package reach the devices."""
    return _page(get_package(session(), slug))


@pages.get("/<slug>/rollout/progress")
@pages.requires("device.read")
def progress_part(slug: str) -> Response:
    """How far the release is."""
    package = get_package(session(), slug)
    rollout = rollouts.get_rollout(session(), package.slug, _channel())
    return render("devices/rollout_progress.html", **_progress(package, rollout))


@pages.post("/<slug>/rollout")
@pages.requires("release.create")
def set_policy(slug: str) -> Response:
    """Say with which share of the devices a new release begins."""
    package = get_package(session(), slug)
    given = {name: request.form.get(name, "").strip() for name in ("first_share", "fault_bound")}
    try:
        values = PolicyForm().load(given)
    except ValidationError as error:
        said = {
            "first_share": _("Give a percentage from 1 to 99."),
            "fault_bound": _("Give a percentage from 0 to 100."),
        }
        errors = {name: said[name] for name in error.messages_dict}
        return _page(package, 422, values=given, errors=errors)
    return _do(
        package,
        _("Saved. It counts from the next release on."),
        lambda expected: rollouts.set_policy(
            session(), current_actor(), slug, _channel(), expected=expected, **values
        ),
    )


@pages.post("/<slug>/rollout/<step>")
@pages.requires("release.create")
def take_step(slug: str, step: str) -> Response:
    """Widen, hold, go on, finish, or give releases to all at once again."""
    package = get_package(session(), slug)
    db, actor, channel = session(), current_actor(), _channel()
    if step == "share":
        share = request.form.get("share", "")
        if share not in {str(number) for number in SHARES}:
            raise NotFound(_("Choose one of the list."))
        return _do(
            package,
            _("The release now goes to %(share)s of the devices.", share=f"{share} %"),
            lambda expected: rollouts.change_share(
                db, actor, slug, channel, int(share), expected=expected
            ),
        )
    steps: dict[str, tuple[str, Callable[[int | None], object]]] = {
        "hold": (
            _("The release is held: no further device takes it."),
            lambda expected: rollouts.hold(db, actor, slug, channel, expected=expected),
        ),
        "resume": (
            _("The rollout goes on."),
            lambda expected: rollouts.resume(db, actor, slug, channel, expected=expected),
        ),
        "finish": (
            _("Every device may take the release now."),
            lambda expected: rollouts.finish_rollout(db, actor, slug, channel, expected=expected),
        ),
        "remove": (
            _("Releases go to all devices at once again."),
            lambda expected: rollouts.remove_policy(db, actor, slug, channel, expected=expected),
        ),
    }
    if step not in steps:
        raise NotFound(_("There is nothing at this address. It may have been removed or renamed."))
    said, change = steps[step]
    return _do(package, said, change)


# -- Parts -----------------------------------------------------------------------------------


def _channel() -> str:
    found = request.values.get("channel", "live")
    return found if found in CHANNELS else "live"


def _address(package: Package) -> str:
    channel = _channel()
    base = f"/studio/packages/{package.slug}/rollout"
    return base if channel == "live" else f"{base}?channel={channel}"


def _do(package: Package, said: str, change: Callable[[int | None], object]) -> Response:
    try:
        with session().begin_nested():
            change(version_of_form())
    except PreconditionFailed:
        stale = _("Somebody else, or the server, changed the rollout meanwhile. Look again.")
        return _page(package, 412, errors={"form": stale})
    except Conflict:
        return _page(package, 409, errors={"form": _("No release is being rolled out now.")})
    return redirect_to(_address(package), said)


def _page(
    package: Package,
    status: int = 200,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    rollout = rollouts.find_rollout(session(), package.slug, _channel())
    given = values or {
        "first_share": rollout.first_share if rollout else 25,
        "fault_bound": rollout.fault_bound if rollout else 5,
    }
    title = formats.label_of(package.body.get("title"), package.slug)
    return render(
        "devices/rollout.html",
        status,
        package_title=title,
        package_tabs=package_tabs(package.slug, "rollout"),
        live_release=live_number(session(), package.slug),
        values=given,
        errors=errors or {},
        shares=SHARES,
        **(_progress(package, rollout) if rollout else _names(package, rollout)),
    )


def _names(package: Package, rollout: Rollout | None) -> dict[str, Any]:
    return {
        "package": package,
        "channel": _channel(),
        "address": _address(package),
        "rollout": rollout,
    }


def _progress(package: Package, rollout: Rollout) -> dict[str, Any]:
    found = rollouts.progress(session(), rollout)
    newest = rollout.release if rollout.release is not None else rollout.base
    named = found.troubled[:NAMED]
    reason = rollout.reason or {}
    return {
        **_names(package, rollout),
        "found": found,
        "newest": newest,
        "next_count": count_next(session(), package.slug, rollout.channel, newest or 0),
        "troubled": device_names(session(), named),
        "more_troubled": len(found.troubled) - len(named),
        "held_for": device_names(session(), list(reason.get("devices") or ())[:NAMED]),
    }
