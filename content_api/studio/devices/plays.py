"""What was shown: each entry's views and time on screen, by package, venue, device and days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response

from content_api.database import session, utc_now
from content_api.devices import plays
from content_api.devices.fleet import device_names, find_venues
from content_api.messages import gettext as _
from content_api.studio.devices.shown import asked_for, fleet_tabs, package_titles
from content_api.studio.formats import reader_zone
from content_api.studio.pages import Pages, render

pages = Pages("plays", __name__, url_prefix="/studio/plays")

SPAN = timedelta(days=30)
"""The days that are summed unless others are asked for."""

SHOWN = 100
"""Entries that the page lists, those most seen."""

STEP = 2000
"""Rows of the export read at a time."""

KEY = ("day", "device", "package", "entry", "language")
"""What the rows of the export are in the order of."""


@pages.get("/")
@pages.requires("device.read")
def plays_page() -> Response:
    """The entries most seen in some days, and how often and long."""
    asked, errors = _asked()
    rows = [] if errors else plays.sum_plays(session(), **asked, limit=SHOWN + 1)
    most = max((row["views"] for row in rows), default=0)
    device = asked.get("device")
    return render(
        "devices/plays.html",
        422 if errors else 200,
        tabs=fleet_tabs("plays"),
        rows=rows[:SHOWN],
        more=len(rows) > SHOWN,
        most=most,
        totals=None if errors else plays.total_plays(session(), **asked),
        asked=asked,
        errors=errors,
        given={name: asked_for(name) for name in ("since", "until")},
        export=urlencode({name: value for name, value in asked.items() if value}),
        packages=package_titles(),
        venues=find_venues(session()),
        device_name=device_names(session(), [device]).get(device, device) if device else None,
    )


@pages.get("/export.csv")
@pages.requires("device.read")
def export_plays() -> Response:
    """The counts by day, device and entry, as a file for a spreadsheet."""
    asked, errors = _asked()
    rows: list[dict[str, Any]] = []
    # Read whole within the request's transaction: a year of a hundred screens is some MB.
    while not errors:
        after = [rows[-1][name] for name in KEY] if rows else None
        step = plays.list_plays(session(), **asked, after=after, limit=STEP)
        rows += step
        if len(step) < STEP:
            break
    answer = Response(
        ["\ufeff", *plays.write_csv(rows)], mimetype="text/csv", content_type="text/csv"
    )
    answer.headers["Content-Type"] = "text/csv; charset=utf-8"
    name = f"plays-{asked['since']}-{asked['until']}.csv" if not errors else "plays.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _asked() -> tuple[dict[str, Any], dict[str, str]]:
    today = utc_now().astimezone(reader_zone()).date()
    errors = {}
    days = {"since": today - SPAN, "until": today}
    for name in days:
        text = asked_for(name, 20)
        if not text:
            continue
        try:
            days[name] = date.fromisoformat(text)
        except ValueError:
            errors[name] = _("This is not a day.")
    if not errors and days["since"] > days["until"]:
        errors["until"] = _("It ends before it begins.")
    asked: dict[str, Any] = dict(days)
    for name in ("package", "venue", "device"):
        asked[name] = asked_for(name, 64) or None
    return asked, errors
