"""What a device reported beside how it stands: short facts for who looks closer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from content_api.devices.models import Device
from content_api.devices.status import moment_of
from content_api.messages import gettext as _
from content_api.messages import ngettext, pgettext
from content_api.studio.devices.words import languages_words
from content_api.studio.formats import (
    ago,
    format_bytes,
    format_date,
    format_datetime,
)
from content_api.studio.people.words import listed

Fact = tuple[str, str]


def facts_of(device: Device, now: datetime, zone: ZoneInfo) -> list[Fact]:
    """Terms and what to say of each; hours are told in `zone`."""
    report = device.last_heartbeat or {}
    return [
        *_heard(device, report, now, zone),
        *_update(report, zone),
        *_screen(report),
        *_machine(device, report, zone),
    ]


def _heard(
    device: Device, report: Mapping[str, Any], now: datetime, zone: ZoneInfo
) -> Iterator[Fact]:
    if device.last_seen_at:
        when = format_datetime(device.last_seen_at, zone=zone)
        yield (
            _("Last heard of"),
            _("%(when)s (%(ago)s)", when=when, ago=ago(device.last_seen_at, now)),
        )
    queued = report.get("queued")
    if queued:
        yield (
            _("Reports kept while it had no link"),
            ngettext("%(n)s, on its way", "%(n)s, on their way", queued),
        )


def _update(report: Mapping[str, Any], zone: ZoneInfo) -> Iterator[Fact]:
    last = report.get("last_sync") or {}
    at = moment_of(last.get("at"))
    if at is not None:
        when = format_datetime(at, zone=zone)
        why = _triggers().get(last.get("trigger") or "")
        said = _("%(when)s, %(why)s", when=when, why=why) if why else when
        yield _("Last looked for something new"), said
    sources = {kind: size for kind, size in (last.get("sources") or {}).items() if size}
    if sources:
        names = _source_names()
        parts = [
            _(
                "%(size)s from %(source)s",
                size=format_bytes(size),
                source=names.get(kind, kind),
            )
            for kind, size in sorted(sources.items())
        ]
        yield _("What it fetched then"), listed(parts)
    slots = [slot for slot in report.get("slots") or () if slot.get("release")]
    if len(slots) > 1:
        held = [
            _("%(package)s, release %(release)s", package=slot["package"], release=slot["release"])
            for slot in slots
        ]
        yield _("Holds"), listed(held)
    ends = moment_of(report.get("timestamp_expires_at"))
    if ends is not None:
        yield _("Signatures hold until"), format_date(ends.astimezone(zone).date())
    verified = moment_of(report.get("last_full_verify_at"))
    if verified is not None:
        yield _("Every byte checked"), format_datetime(verified, zone=zone)


def _screen(report: Mapping[str, Any]) -> Iterator[Fact]:
    shell = report.get("shell") or {}
    screens = {
        "attract": _("The opening picture: nobody uses it."),
        "visit": _("Somebody uses it."),
        "fault": _("An error: the page could not show the content."),
    }
    if shell.get("screen") in screens:
        yield _("On the screen"), screens[shell["screen"]]
    browser = {
        "running": pgettext("browser", "runs"),
        "restarting": pgettext("browser", "starts again"),
        "absent": pgettext("browser", "none"),
    }.get(shell.get("browser") or "")
    if browser:
        restarts = shell.get("restarts") or 0
        said = (
            ngettext(
                "%(state)s, restarted %(n)s time",
                "%(state)s, restarted %(n)s times",
                restarts,
                state=browser,
            )
            if restarts
            else browser
        )
        yield _("Browser"), said


def _machine(device: Device, report: Mapping[str, Any], zone: ZoneInfo) -> Iterator[Fact]:
    disk = report.get("disk") or {}
    if disk:
        free, total = format_bytes(disk["free"]), disk.get("total")
        yield (
            _("Room on its disk"),
            _("%(free)s of %(total)s", free=free, total=format_bytes(total)) if total else free,
        )
    clock = report.get("clock") or {}
    source = {
        "ntp": _("set from the network"),
        "clock": _("its own, not set from the network"),
        "floor": _("not believed; it goes by the latest time it surely knows"),
    }.get(clock.get("source") or "")
    set_at = moment_of(report.get("last_ntp_at"))
    if source and set_at is not None:
        when = format_datetime(set_at, zone=zone)
        yield _("Clock"), _("%(source)s; last set %(when)s", source=source, when=when)
    elif source:
        yield _("Clock"), source
    if device.client:
        name = f"kiosk-client {device.client}"
        yield _("Program"), f"{name} · {device.platform}" if device.platform else name
    if device.enrolled_at:
        yield _("Enrolled"), format_datetime(device.enrolled_at, zone=zone)
    if device.replaced_at:
        yield _("Machine replaced"), format_datetime(device.replaced_at, zone=zone)
    yield _("Languages"), languages_words(device.languages)


def _triggers() -> dict[str, str]:
    return {
        "poll": _("by itself"),
        "order": _("because it was asked from here"),
        "person": _("because somebody asked it there"),
        "stick": _("from a USB stick"),
    }


def _source_names() -> dict[str, str]:
    return {
        "origin": _("the server"),
        "mirror": _("a mirror"),
        "relay": _("another device nearby"),
        "stick": _("a USB stick"),
    }
