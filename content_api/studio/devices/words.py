"""How a device stands, in sentences of the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from content_api.devices.status import Point
from content_api.messages import gettext as _
from content_api.messages import ngettext, pgettext
from content_api.studio import formats
from content_api.studio.people.words import listed

Values = Mapping[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC = ZoneInfo("UTC")


def sentence(point: Point, now: datetime, zone: ZoneInfo | None = None) -> str:
    """A point as a sentence; hours are told in `zone`, or in the reader's."""
    return _SENTENCES[point.word](point.values, now, zone or formats.reader_zone())


def over(point: Point) -> str:
    """That a point no longer holds."""
    said = {
        "damaged": _("All files are there and whole again."),
        "clock-not-trusted": _("Its clock can be believed again."),
        "clock-off": _("Its clock is right again."),
        "disk-full": _("There is room on its disk again."),
        "disk-failing": _("Its disk works again."),
        "disk-read-only": _("Its disk can be written again."),
        "browser-restarts": _("Its browser runs steadily again."),
        "browser-absent": _("Its browser is there again."),
        "page-still": _("Its screen answers again."),
        "closed": _("Open again by its opening hours."),
        "signature-ends": _("Its signatures are fresh again."),
        "signature-ended": _("Its signatures are fresh again."),
        "disk-low": _("There is enough room on its disk again."),
        "sync-failed": _("It reaches the server and takes what is new again."),
    }
    if point.word == "fault":
        return _("Over: %(fault)s", fault=_fault(point.values["code"], point.values["message"]))
    return said.get(point.word, point.word)


def short_state(points: tuple[Point, ...]) -> str:
    """Two or three words for the first point of a device, for its badge."""
    word = points[0].word if points else ""
    said = {
        "revoked": pgettext("device", "revoked"),
        "never-enrolled": pgettext("device", "not enrolled"),
        "waits-for-code": pgettext("device", "waits for its code"),
        "overdue": pgettext("device", "silent for long"),
        "silent": pgettext("device", "silent"),
        "next-waits": pgettext("device", "update waits"),
        "held-back": pgettext("device", "held back"),
        "on-trial": pgettext("device", "on trial"),
        "returned": pgettext("device", "went back"),
        "disk-failing": pgettext("device", "disk failing"),
        "disk-read-only": pgettext("device", "disk failing"),
        "browser-restarts": pgettext("device", "browser restarts"),
        "browser-absent": pgettext("device", "no browser"),
        "page-still": pgettext("device", "screen stuck"),
        "closed": pgettext("device", "closed now"),
        "signature-ends": pgettext("device", "signatures end"),
        "signature-ended": pgettext("device", "signatures ended"),
        "plays": pgettext("device", "in order"),
        "plays-nothing": pgettext("device", "plays nothing"),
        "plays-other": pgettext("device", "changes package"),
        "waits": pgettext("device", "update waits"),
        "coming": pgettext("device", "is updating"),
        "damaged": pgettext("device", "files missing"),
        "clock-not-trusted": pgettext("device", "clock wrong"),
        "clock-off": pgettext("device", "clock off"),
        "disk-full": pgettext("device", "disk full"),
        "disk-low": pgettext("device", "disk nearly full"),
        "sync-failed": pgettext("device", "update failed"),
        "fault": pgettext("device", "fault"),
    }
    return said.get(word, word)


def presence_words(word: str) -> str:
    """A word of `status.PRESENCES` for the reader."""
    return {
        "online": pgettext("device", "online"),
        "silent": pgettext("device", "silent, expected to play"),
        "overdue": pgettext("device", "overdue"),
        "unknown": pgettext("device", "unknown"),
    }[word]


def state_names() -> dict[str, str]:
    """What devices can be filtered by (`fleet.STATES`), in the order of need."""
    return {
        "trouble": _("Need a look"),
        "online": _("Online"),
        "silent": _("Silent, expected to play"),
        "overdue": _("Overdue"),
        "unknown": _("Unknown"),
    }


def order_names() -> dict[str, tuple[str, str]]:
    """What can be asked of a device (`ORDER_KINDS`): a name, and what it does there."""
    return {
        "sync": (_("Update now"), _("It looks for something new at once.")),
        "screenshot": (_("Take a picture of the screen"), _("It sends what it shows now.")),
        "restart-player": (_("Restart the page"), _("The screen loads its page again.")),
        "verify": (
            _("Check every byte"),
            _("It reads all it holds, and fetches again what is damaged. It takes a while."),
        ),
        "reload-settings": (_("Take new settings"), _("It asks for its settings at once.")),
        "restart-agent": (
            _("Restart the program"),
            _("The program on the device starts again; the screen may blink."),
        ),
    }


def order_state(state: str, message: str | None) -> tuple[str, str, str]:
    """How an order stands: words, tone and icon."""
    if state == "expired" and message == "taken back":
        return pgettext("order", "taken back"), "neutral", "undo"
    return {
        "queued": (pgettext("order", "waits for the device"), "info", "clock"),
        "taken": (pgettext("order", "at work"), "info", "play"),
        "done": (pgettext("order", "done"), "good", "check"),
        "failed": (pgettext("order", "failed"), "bad", "warning"),
        "expired": (pgettext("order", "never taken"), "warn", "warning"),
    }.get(state, (state, "neutral", "info"))


def condition_names() -> dict[str, str]:
    """What an alert can be about (`fleet_models.CONDITIONS`)."""
    return {
        "overdue": _("A device was not heard of for a week"),
        "fault": _("A device reports trouble"),
        "rollout-held": _("A release is held"),
        "timestamp": _("The server's signatures need care"),
    }


def alert_said(
    condition: str, code: str | None, details: Values, packages: Mapping[str, str]
) -> str:
    """What an alert says, beside the device it is about."""
    if condition == "overdue":
        return _("Somebody should go and look.")
    if condition == "rollout-held":
        package = str(details.get("package", ""))
        return _(
            "Release %(release)s of %(package)s goes to no further device.",
            release=details.get("release"),
            package=packages.get(package, package),
        )
    if condition == "timestamp":
        return _("See the operations guide: %(message)s", message=details.get("message", ""))
    word, __, cause = (code or "").partition(":")
    said = {
        "damaged": _("Some of what it plays is missing or damaged."),
        "disk-full": _("Its disk is full."),
        "disk-failing": _("Its disk is failing: replace it."),
        "disk-read-only": _("Its disk is failing: replace it."),
        "page-still": _("The page on its screen does not answer."),
        "returned": _("A release did not play well; it went back to the one before."),
    }
    if word == "sync-failed":
        return _sync_failed({"code": cause}, _EPOCH, _UTC)
    if word == "fault":
        return _fault(cause, cause)
    return said.get(word, code or condition)


def reason_words(reason: str) -> str:
    """Why a device went back to the release before."""
    said = {
        "page-crashed": _("its browser crashed again and again"),
        "page-silent": _("the page did not answer"),
        "page-errors": _("the page reported errors"),
        "page-fault": _("the page could not show it"),
        "restarted": _("the device restarted again and again"),
    }
    return said.get(reason) or reason


def languages_words(tags: list[str]) -> str:
    """Languages by name, joined."""
    return listed(formats.language_name(tag) for tag in tags)


def own_words(fields: Iterable[str]) -> str:
    """What of an assignment a device says itself, joined; empty when nothing."""
    names = {
        "package": _("its package"),
        "channel": _("its channel"),
        "profile": _("its kind of screen"),
        "languages": _("its languages"),
        "programme": _("its programme"),
    }
    return listed(names.get(field, field) for field in fields)


def profile_names() -> dict[str, tuple[str, str]]:
    """Display profiles: a name, and what they are for."""
    return {
        "tablet": (_("Tablet or touch kiosk"), _("One person touches it, close by.")),
        "wall": (_("Large screen or projection"), _("Several people watch it from afar.")),
        "guide": (_("Portable guide"), _("A telephone or small device in the hand.")),
        "galaxy": (_("Liquid Galaxy"), _("Several screens that show one panorama.")),
    }


def channel_names() -> dict[str, str]:
    """Channels by what they are for."""
    return {
        "live": _("Live: what is published"),
        "preview": _("Preview: to try a release before visitors see it"),
    }


def _since(at: datetime, now: datetime, zone: ZoneInfo) -> tuple[str, str]:
    here = at.astimezone(zone)
    days = (now.astimezone(zone).date() - here.date()).days
    kind = {0: "today", 1: "yesterday"}.get(days, "day")
    return kind, formats.format_time(at, zone)


def _plays(values: Values, now: datetime, zone: ZoneInfo) -> str:
    release, since = values["release"], values.get("since")
    if since is None:
        return _("Plays release %(release)s.", release=release)
    kind, hour = _since(since, now, zone)
    if kind == "today":
        return _("Plays release %(release)s since today %(hour)s.", release=release, hour=hour)
    if kind == "yesterday":
        return _("Plays release %(release)s since yesterday %(hour)s.", release=release, hour=hour)
    day = formats.format_date(since.astimezone(zone).date(), "long")
    return _("Plays release %(release)s since %(day)s.", release=release, day=day)


def _plays_other(values: Values, _now: datetime, _zone: ZoneInfo) -> str:
    return _(
        "Still plays release %(release)s of %(package)s; %(assigned)s is assigned to it.",
        **{name: values[name] for name in ("release", "package", "assigned")},
    )


def _silent(values: Values, now: datetime, zone: ZoneInfo) -> str:
    kind, hour = _since(values["at"], now, zone)
    if kind == "today":
        return _("Not heard of since today %(hour)s; it plays what it holds.", hour=hour)
    if kind == "yesterday":
        return _("Not heard of since yesterday %(hour)s; it plays what it holds.", hour=hour)
    day = formats.format_date(values["at"].astimezone(zone).date(), "long")
    return _("Not heard of since %(day)s; it plays what it holds.", day=day)


def _overdue(values: Values, now: datetime, _zone: ZoneInfo) -> str:
    return ngettext(
        "Not heard of for %(n)s day: somebody should go and look.",
        "Not heard of for %(n)s days: somebody should go and look.",
        (now - values["at"]).days,
    )


def _sync_failed(values: Values, _now: datetime, _zone: ZoneInfo) -> str:
    code = values["code"]
    said = {
        "no-network": _("It could not reach the server the last time it tried."),
        "origin-trouble": _("The server did not answer it as it should the last time."),
        "foreign-answer": _(
            "Something between it and the server answers in the server's place: "
            "look at the venue's network."
        ),
        "disk-full": _("Its disk has no room for what is new."),
        "not-trusted": _("It was offered something that was not signed by us, and refused it."),
        "rollback-refused": _("It was offered something older than it has, and refused it."),
        "metadata-expired": _("The server's signature is too old: see the operations guide."),
        "damaged-transfer": _("What it fetched arrived damaged; it will try again."),
        "newer-format": _("The release needs a newer program: bring the device up to date."),
        "nothing-assigned": _("No package is assigned to it."),
        "device-refused": _("The server does not know it any more: enrol it again."),
        "store-damaged": _("Some of its files were damaged; it fetches them again."),
        "disk-failing": _("It could not write to its disk: replace the disk or card."),
    }
    return said.get(code) or _("Its last update failed (%(code)s).", code=code)


def _fault(code: str, message: str) -> str:
    said = {
        "manifest-lost": _("It lost the list of what it plays; the next update mends that."),
        "not-enrolled": _("It does not know which device it is: enrol it again."),
        "not-trusted": _("What it holds is not signed as it should be."),
        "disk-failing": _("Its disk is failing: replace it."),
        "disk-full": _("Its disk is full."),
        "store-damaged": _("Some of its files were damaged; it fetches them again."),
    }
    text = message if message == code else f"{code}: {message}"
    return said.get(code) or _("Fault reported: %(message)s", message=text)


def _returned(values: Values, _now: datetime, _zone: ZoneInfo) -> str:
    reason = values.get("reason")
    if not reason:
        return _(
            "Release %(release)s did not play well; it went back to the one before.",
            release=values["release"],
        )
    return _(
        "Release %(release)s did not play well (%(reason)s); it went back to the one before.",
        release=values["release"],
        reason=reason_words(reason),
    )


def _failing(values: Values, _now: datetime, _zone: ZoneInfo) -> str:
    if not values["errors"]:
        return _("Its disk is failing: replace it.")
    return ngettext(
        "Its disk is failing, with %(n)s error so far: replace it.",
        "Its disk is failing, with %(n)s errors so far: replace it.",
        values["errors"],
    )


def _gap(values: Values, _now: datetime, _zone: ZoneInfo) -> str:
    span: timedelta = values["span"]
    hours = round(span.total_seconds() / 3600)
    if hours < 48:
        return ngettext(
            "Heard of again after %(n)s hour of silence.",
            "Heard of again after %(n)s hours of silence.",
            max(1, hours),
        )
    return ngettext(
        "Heard of again after %(n)s day of silence.",
        "Heard of again after %(n)s days of silence.",
        round(hours / 24),
    )


_SENTENCES: dict[str, Callable[[Values, datetime, ZoneInfo], str]] = {
    "revoked": lambda v, _n, zone: _(
        "Revoked on %(when)s: it plays what it holds and takes nothing new.",
        when=formats.format_datetime(v["at"], zone=zone),
    ),
    "never-enrolled": lambda _v, _n, _z: _("Not enrolled yet: make a code for it."),
    "waits-for-code": lambda v, _n, zone: _(
        "Waits to be enrolled; its code works until %(when)s.",
        when=formats.format_datetime(v["until"], zone=zone),
    ),
    "overdue": _overdue,
    "silent": _silent,
    "plays": _plays,
    "plays-other": _plays_other,
    "plays-nothing": lambda _v, _n, _z: _("Plays nothing yet."),
    "waits": lambda v, _n, _z: _(
        "Release %(release)s is ready; it takes it at its next update.", release=v["release"]
    ),
    "coming": lambda v, _n, _z: _(
        "Release %(release)s is %(share)s there.",
        release=v["release"],
        share=formats.format_percent(v["share"]),
    ),
    "damaged": lambda v, _n, _z: _(
        "%(size)s of what it plays are missing or damaged; the next update mends that.",
        size=formats.format_bytes(v["bytes"]),
    ),
    "clock-not-trusted": lambda _v, _n, _z: _("Its clock cannot be believed: set it."),
    "clock-off": lambda v, _n, _z: ngettext(
        "Its clock is %(n)s minute off.", "Its clock is %(n)s minutes off.", v["minutes"]
    ),
    "disk-full": lambda v, _n, _z: _(
        "Its disk is full: %(size)s are left.", size=formats.format_bytes(v["free"])
    ),
    "disk-low": lambda v, _n, _z: _(
        "Its disk is nearly full: %(size)s are left.", size=formats.format_bytes(v["free"])
    ),
    "sync-failed": _sync_failed,
    "fault": lambda v, _n, _z: _fault(v["code"], v["message"]),
    "gap": _gap,
    "next-waits": lambda v, _n, _z: _(
        "Release %(release)s is complete and waits until nobody uses the screen.",
        release=v["release"],
    ),
    "held-back": lambda v, _n, _z: _(
        "Release %(release)s comes later: the rollout has not reached it.", release=v["release"]
    ),
    "on-trial": lambda v, _n, _z: _(
        "Release %(release)s is new on it and must first play well.", release=v["release"]
    ),
    "returned": _returned,
    "disk-failing": _failing,
    "disk-read-only": lambda _v, _n, _z: _(
        "Its disk can only be read any more, which is how a disk dies: replace it."
    ),
    "browser-restarts": lambda v, _n, _z: ngettext(
        "Its browser was restarted %(n)s time and is starting again.",
        "Its browser was restarted %(n)s times and is starting again.",
        v["restarts"],
    ),
    "browser-absent": lambda _v, _n, _z: _("No browser shows the page on it: look at its screen."),
    "page-still": lambda v, _n, _z: ngettext(
        "The page on its screen has not answered for %(n)s minute.",
        "The page on its screen has not answered for %(n)s minutes.",
        v["minutes"],
    ),
    "closed": lambda _v, _n, _z: _("Closed now by its opening hours: the screen is dark."),
    "signature-ends": lambda v, _n, zone: _(
        "It has heard nothing newly signed; after %(when)s it takes nothing new until it does.",
        when=formats.format_datetime(v["at"], zone=zone),
    ),
    "signature-ended": lambda _v, _n, _z: _(
        "Its signatures have ended: it plays on, and takes nothing new until it hears newer ones."
    ),
}
