"""Pages of opening hours and calendars.

/studio/venues/<id>/hours          when a venue is open
/studio/devices/<id>/programme     which package a device shows when
/studio/groups/<id>/programme      the same for the devices of a group

Each can say what a given day will be, by the module that the devices themselves go by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.database import session, utc_now
from content_api.devices import groups, schemas, service
from content_api.devices.assignments import schedule_of
from content_api.devices.models import Device, DeviceGroup, Venue
from content_api.messages import gettext as _
from content_api.packages.models import Package
from content_api.problems import PreconditionFailed
from content_api.studio.devices.forms import load, out_of_date, version_of_form
from content_api.studio.formats import format_date, label_of
from content_api.studio.hours import words
from content_api.studio.hours.forms import (
    Pair,
    Row,
    cleaned,
    offered,
    opening_of,
    read_closed,
    read_rows,
    read_week,
    rearranged,
    row_of,
    runs_of,
    week_of,
)
from content_api.studio.pages import Pages, redirect_to, render
from package_format.schedule import WEEKDAYS, Schedule, ScheduleError, parse_schedule

pages = Pages("hours", __name__, url_prefix="/studio")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a day, in words."""

    hours: str
    open: bool
    package: str


@dataclass(frozen=True, slots=True)
class Told:
    """Whose calendar a page is about, and what its page needs to know of it."""

    base: str
    name: str
    crumbs: Sequence[tuple[str, str]]
    programme: list[dict[str, Any]] | None
    version: int
    main: str
    venue: Venue | None
    group: DeviceGroup | None = None
    """The group that says this calendar for a device."""


# -- Opening hours ---------------------------------------------------------------------------


@pages.get("/venues/<venue_id>/hours")
@pages.requires("venue.read")
def hours_page(venue_id: str) -> Response:
    """When a venue is open, and what a chosen day will be."""
    return _hours_page(service.get_venue(session(), venue_id))


@pages.post("/venues/<venue_id>/hours")
@pages.requires("venue.write")
def change_hours(venue_id: str) -> Response:
    """Change when a venue is open; its devices are told."""
    venue = service.get_venue(session(), venue_id)
    today = _today(venue)
    week, faults = read_week(request.form)
    closed, wrong = read_closed(request.form, today)
    by_hours = request.form.get("always") != "1"
    errors = {f"day-{fault.row}": words.fault_words(fault.word) for fault in reversed(faults)}
    if by_hours and not any(week):
        errors["week"] = words.fault_words("none")
    if wrong:
        errors["closed"] = words.fault_words(wrong)
    if errors and (by_hours or wrong):
        return _hours_page(venue, 422, week=week, closed=closed, by_hours=by_hours, errors=errors)
    given = {"opening": opening_of(week) if by_hours else None, "closed": closed or None}
    values, errors = load(schemas.VenueChangeSchema(), given)
    if errors:
        return _hours_page(venue, 422, week=week, closed=closed, by_hours=by_hours, errors=errors)
    changed = {name: value for name, value in values.items() if getattr(venue, name) != value}
    if changed:
        service.change_venue(session(), current_actor(), venue.id, changed)
    return redirect_to(
        f"/studio/venues/{venue.id}/hours", _("Saved. The devices take it at their next update.")
    )


def _hours_page(
    venue: Venue,
    status: int = 200,
    *,
    week: list[list[Pair]] | None = None,
    closed: list[str] | None = None,
    by_hours: bool | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    today = _today(venue)
    days = [day for day in venue.closed or () if day >= today.isoformat()]
    schedule = _schedule(venue, None)
    return render(
        "hours/venue.html",
        status,
        venue=venue,
        by_hours=bool(venue.opening) if by_hours is None else by_hours,
        week=[offered(pairs) for pairs in (week_of(venue.opening) if week is None else week)],
        day_names=words.day_names(),
        closed=[
            (first, last, words.stretch_words(first, last))
            for first, last in runs_of(days if closed is None else closed)
        ],
        lines=words.week_words(venue.opening) if venue.opening else [],
        errors=errors or {},
        **_asked_day(schedule, ZoneInfo(venue.timezone), {}, ""),
    )


# -- Calendars -------------------------------------------------------------------------------


@pages.get("/devices/<device_id>/programme")
@pages.requires("device.read")
def device_programme(device_id: str) -> Response:
    """Which package a device shows when."""
    return _programme_page(_told_device(service.get_device(session(), device_id)))


@pages.post("/devices/<device_id>/programme")
@pages.requires("device.write")
def change_device_programme(device_id: str) -> Response:
    """Change which package a device shows when; in a group it becomes the device's own."""
    device = service.get_device(session(), device_id)

    def save(programme: list[dict[str, Any]] | None, version: int) -> None:
        service.change_device(
            session(), current_actor(), device.id, {"programme": programme}, expected=version
        )

    return _change(_told_device(device), schemas.DeviceChangeSchema, save)


@pages.get("/groups/<group_id>/programme")
@pages.requires("device.read")
def group_programme(group_id: str) -> Response:
    """Which package the devices of a group show when."""
    return _programme_page(_told_group(groups.get_group(session(), group_id)))


@pages.post("/groups/<group_id>/programme")
@pages.requires("device.write")
def change_group_programme(group_id: str) -> Response:
    """Change which package the devices of a group show when."""
    group = groups.get_group(session(), group_id)

    def save(programme: list[dict[str, Any]] | None, version: int) -> None:
        groups.change_group(
            session(), current_actor(), group.id, {"programme": programme}, expected=version
        )

    return _change(_told_group(group), schemas.GroupChangeSchema, save)


def _change(told: Told, schema: Any, save: Any) -> Response:
    rows, faults = read_rows(request.form)
    do = request.form.get("do", "save")
    other = rearranged(rows, do)
    if other is not None:
        # Nothing is stored yet: the page is shown again with the rows as they now stand.
        return _programme_page(told, rows=other, unsaved=True)
    errors = {f"row-{fault.row}": words.fault_words(fault.word) for fault in reversed(faults)}
    version = version_of_form()
    if version is None:
        errors["form"] = out_of_date()
    if not errors:
        programme = [cleaned(row).to_json() for row in rows] or None
        _values, wrong = load(schema(), {"programme": programme})
        if wrong:
            errors["form"] = next(iter(wrong.values()))
        if not errors and version is not None:
            try:
                with session().begin_nested():
                    save(programme, version)
            except PreconditionFailed:
                errors["form"] = _(
                    "Somebody else changed this meanwhile. Compare, then save again."
                )
                return _programme_page(told, 412, rows=rows, errors=errors)
            return redirect_to(
                f"{told.base}programme", _("Saved. The devices take it at their next update.")
            )
    return _programme_page(told, 422, rows=rows, errors=errors, unsaved=True)


def _programme_page(
    told: Told,
    status: int = 200,
    *,
    rows: list[Row] | None = None,
    errors: Mapping[str, str] | None = None,
    unsaved: bool = False,
) -> Response:
    titles = _package_titles()
    shown = [row_of(row) for row in told.programme or ()] if rows is None else rows
    for slug in (told.main, *(row.package for row in shown)):
        if slug:
            titles.setdefault(slug, slug)
    schedule = _schedule(told.venue, told.programme)
    zone = ZoneInfo(told.venue.timezone) if told.venue else ZoneInfo("UTC")
    return render(
        "hours/programme.html",
        status,
        told=told,
        rows=[(row, offered(row.hours)) for row in shown],
        packages=titles,
        channels={"live": _("Live"), "preview": _("Preview")},
        weekdays=list(zip(WEEKDAYS, words.day_names("abbreviated"), strict=True)),
        main_title=titles.get(told.main, ""),
        unsaved=unsaved,
        errors=errors or {},
        **_asked_day(schedule, zone, titles, titles.get(told.main, "")),
    )


def _told_device(device: Device) -> Told:
    venue = service.get_venue(session(), device.venue)
    group = session().get(DeviceGroup, device.group) if device.group else None
    says = group is not None and group.programme is not None
    return Told(
        base=f"/studio/devices/{device.id}/",
        name=device.name,
        crumbs=(
            (_("Venues and devices"), "/studio/venues/"),
            (venue.name, f"/studio/venues/{venue.id}/"),
            (device.name, f"/studio/devices/{device.id}/"),
        ),
        programme=device.programme,
        version=device.assignment_version,
        main=device.package,
        venue=venue,
        group=group if says and "programme" not in (device.own or ()) else None,
    )


def _told_group(group: DeviceGroup) -> Told:
    return Told(
        base=f"/studio/groups/{group.id}/",
        name=group.name,
        crumbs=(
            (_("Venues and devices"), "/studio/venues/"),
            (_("Groups"), "/studio/groups/"),
            (group.name, f"/studio/groups/{group.id}/"),
        ),
        programme=group.programme,
        version=group.version,
        main=group.package or "",
        venue=None,
    )


# -- What other pages say of it --------------------------------------------------------------


@pages.app_template_global()
def venue_hours(venue: Venue) -> dict[str, Any]:
    """When a venue is open, for its own page: a sentence on now, and lines of the week."""
    zone = ZoneInfo(venue.timezone)
    state = _schedule(venue, None).opening(utc_now(), zone)
    return {
        "open": state.open,
        "until": state.next_change.astimezone(zone) if state.next_change else None,
        "lines": words.week_words(venue.opening) if venue.opening else [],
        "closed": words.closed_words(venue.closed, _today(venue)),
    }


@pages.app_template_global()
def device_calendar(device: Device, venue: Venue) -> dict[str, Any]:
    """What a device is to show now and when that changes, and the lines of its calendar."""
    zone = ZoneInfo(venue.timezone)
    titles = _package_titles()
    now = _schedule(venue, device.programme).showing(utc_now(), zone)
    slug = now.programme.package if now.programme else device.package
    return {
        "title": titles.get(slug, slug),
        "until": now.next_change.astimezone(zone) if now.next_change else None,
        "lines": programme_lines(device.programme, titles),
    }


@pages.app_template_global()
def programme_lines(
    programme: list[dict[str, Any]] | None, titles: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """Each row of a calendar: the package's title, and when it is shown."""
    titles = _package_titles() if titles is None else titles
    rows = [row_of(row) for row in programme or ()]
    return [(titles.get(row.package, row.package), words.row_words(row)) for row in rows]


# -- Parts -----------------------------------------------------------------------------------


def _asked_day(
    schedule: Schedule, zone: ZoneInfo, titles: Mapping[str, str], main: str
) -> dict[str, Any]:
    """The day that the address asks about, and what it will be; today unless it names one."""
    today = utc_now().astimezone(zone).date()
    try:
        day = date.fromisoformat(request.args.get("on", "")[:10])
        # Beyond this nobody plans, and a calendar ends somewhere.
        day = day if 2000 <= day.year < 2200 else today
    except ValueError:
        day = today

    def clock(at: datetime) -> str:
        return words.hour_words(at.astimezone(zone).strftime("%H:%M"))

    return {
        "on": day.isoformat(),
        "on_words": format_date(day, "full"),
        "stretches": [
            Stretch(
                hours=f"{clock(span.start)} – {clock(span.until)}",
                open=span.open,
                package=titles.get(span.programme.package, span.programme.package)
                if span.programme
                else main,
            )
            for span in schedule.plan(day, zone)
        ],
    }


def _schedule(venue: Venue | None, programme: list[dict[str, Any]] | None) -> Schedule:
    try:
        if venue is None:
            return parse_schedule({"programme": programme or []})
        return parse_schedule(schedule_of(venue, programme))
    except ScheduleError:
        # What was stored by another version of this program is said to be nothing.
        return Schedule()


def _today(venue: Venue) -> date:
    return utc_now().astimezone(ZoneInfo(venue.timezone)).date()


def _package_titles() -> dict[str, str]:
    rows = session().execute(select(Package.slug, Package.body).order_by(Package.slug))
    return {slug: label_of(body.get("title"), slug) for slug, body in rows}
