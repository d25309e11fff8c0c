"""Pages of groups: what devices that belong together are told, and which ones they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from content_api.accounts.access import current_actor
from content_api.database import session, utc_now
from content_api.devices import groups, schemas, service
from content_api.devices.fleet import (
    Wanted,
    count_by_group,
    count_devices,
    find_devices,
    find_venues,
    group_names,
    place_of,
)
from content_api.devices.models import DeviceGroup
from content_api.messages import gettext as _
from content_api.messages import ngettext
from content_api.problems import NotFound, PreconditionFailed
from content_api.studio.devices.forms import (
    load,
    out_of_date,
    settings_of_form,
    settings_text,
    version_of_form,
)
from content_api.studio.devices.shown import (
    PAGE,
    asked_for,
    fleet_tabs,
    package_titles,
    place_from,
    place_text,
    shown_devices,
)
from content_api.studio.devices.words import (
    channel_names,
    languages_words,
    order_names,
    profile_names,
    state_names,
)
from content_api.studio.formats import content_languages
from content_api.studio.pages import Pages, redirect_to, render

pages = Pages("groups", __name__, url_prefix="/studio/groups")

MOST = 500
"""Groups that one page lists at most."""

FOUND = 50
"""Devices that can be put into a group at once."""


@pages.get("/")
@pages.requires("device.read")
def list_groups() -> Response:
    """Every group, what it says and how its devices stand."""
    return render(
        "devices/groups.html",
        tabs=fleet_tabs("groups"),
        groups=groups.list_groups(session(), limit=MOST),
        counts=count_by_group(session(), utc_now()),
        packages=package_titles(),
        profiles=profile_names(),
        languages_words=languages_words,
    )


@pages.get("/new")
@pages.requires("device.write")
def new_group() -> Response:
    """The form for a group."""
    return _new_page()


@pages.post("/")
@pages.requires("device.write")
def create_group() -> Response:
    """Add a group; its devices are put into it afterwards."""
    values, errors = load(schemas.NewGroupSchema(), _given())
    if errors:
        return _new_page(422, values=_given(), errors=errors)
    group = groups.create_group(session(), current_actor(), values)
    return redirect_to(_address(group), _("The group is added. Now put devices into it."))


@pages.get("/<group_id>/")
@pages.requires("device.read")
def group_page(group_id: str) -> Response:
    """A group: what it says, its devices, and devices that could join."""
    return _group_page(groups.get_group(session(), group_id))


@pages.post("/<group_id>/")
@pages.requires("device.write")
def change_group(group_id: str) -> Response:
    """Change what a group says; its devices learn of it."""
    group = groups.get_group(session(), group_id)
    given = _given()
    values, errors = load(schemas.GroupChangeSchema(), given)
    version = version_of_form()
    if not errors and version is None:
        errors = {"form": out_of_date()}
    if errors:
        return _group_page(group, 422, values=given, errors=errors)
    try:
        with session().begin_nested():
            groups.change_group(session(), current_actor(), group.id, values, expected=version)
    except PreconditionFailed:
        stale = _("Somebody else changed this group meanwhile. Compare, then save again.")
        return _group_page(group, 412, values=given, errors={"form": stale})
    return redirect_to(_address(group), _("Saved. The devices take it at their next update."))


@pages.post("/<group_id>/delete")
@pages.requires("device.write")
def delete_group(group_id: str) -> Response:
    """Remove a group; its devices keep what they were told."""
    groups.delete_group(session(), current_actor(), group_id)
    return redirect_to(
        "/studio/groups/", _("The group is gone. Its devices show what they showed."), "info"
    )


@pages.post("/<group_id>/members")
@pages.requires("device.write")
def change_members(group_id: str) -> Response:
    """Put devices into a group, or take them out of it."""
    group = groups.get_group(session(), group_id)
    joining = request.form.get("do") != "remove"
    moved = 0
    for device_id in request.form.getlist("device")[:FOUND]:
        try:
            device = service.get_device(session(), device_id)
        except NotFound:
            continue
        if (device.group == group.id) == joining:
            continue
        target = group.id if joining else None
        service.change_device(session(), current_actor(), device.id, {"group": target})
        moved += 1
    if not moved:
        return redirect_to(_address(group), _("Choose devices first."), "info")
    said = (
        ngettext("%(n)s device is in the group now.", "%(n)s devices are in the group now.", moved)
        if joining
        else ngettext(
            "%(n)s device left the group; it shows what it showed.",
            "%(n)s devices left the group; they show what they showed.",
            moved,
        )
    )
    return redirect_to(_address(group), said)


# -- Parts -----------------------------------------------------------------------------------


def _address(group: DeviceGroup) -> str:
    return f"/studio/groups/{group.id}/"


def _given() -> dict[str, Any]:
    form = request.form
    given: dict[str, Any] = {"name": form.get("name", "").strip()}
    for name in ("package", "channel", "profile"):
        given[name] = form.get(name, "").strip() or None
    given["languages"] = form.getlist("languages") if form.get("some_languages") else None
    given["settings"] = settings_of_form()
    return given


def _choices(values: Mapping[str, Any]) -> dict[str, Any]:
    packages = package_titles()
    slug = values.get("package")
    if slug and slug not in packages:
        packages[slug] = slug
    return {
        "values": values,
        "packages": packages,
        "channels": channel_names(),
        "profiles": profile_names(),
        "language_tags": list(content_languages()),
        "chosen_languages": values.get("languages") or [],
        "settings_text": settings_text(values.get("settings")),
    }


def _new_page(
    status: int = 200,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    return render(
        "devices/new_group.html", status, errors=errors or {}, **_choices(values or {"name": ""})
    )


def _group_page(
    group: DeviceGroup,
    status: int = 200,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    now = utc_now()
    wanted = Wanted(group=group.id)
    after = place_from(request.args.get("after", ""))
    rows = find_devices(session(), wanted, now, after=after, limit=PAGE + 1)
    venues = find_venues(session())
    search = Wanted(words=asked_for("words"), venue=asked_for("venue", 64))
    found = []
    if search != Wanted():
        found = find_devices(session(), search, now, limit=FOUND + 1)
    names = group_names(session())
    given = values or {
        name: getattr(group, name)
        for name in ("name", "package", "channel", "profile", "languages", "settings")
    }
    return render(
        "devices/group.html",
        status,
        group=group,
        group_names=names,
        shown=shown_devices(rows[:PAGE], venues.values()),
        counts=count_devices(session(), wanted, now),
        state_names=state_names(),
        order_names=order_names(),
        next_place=place_text(place_of(rows[PAGE - 1], now)) if len(rows) > PAGE else None,
        is_first=after is None,
        venues=venues,
        search=search,
        searched=search != Wanted(),
        found=[device for device in found[:FOUND] if device.group != group.id],
        found_more=len(found) > FOUND,
        errors=errors or {},
        **_choices(given),
    )
