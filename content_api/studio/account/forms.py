"""What the account's forms take, and the words for what they do not take."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from zoneinfo import available_timezones

from marshmallow import ValidationError, validate

from content_api.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from content_api.messages import available_languages, ngettext
from content_api.messages import gettext as _
from content_api.problems import ContentError, RateLimited
from content_api.studio.formats import own_name

TOKEN_DAYS = (30, 90, 180, 365)

_is_email = validate.Email()


@cache
def zone_options() -> list[tuple[str, str]]:
    """Time zones of the IANA database that people live in, by name."""
    places = sorted(zone for zone in available_timezones() if _is_place(zone))
    return [("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in places)]


def language_options() -> list[tuple[str, str]]:
    """The interface's languages, each in its own words."""
    return [(tag, own_name(tag)) for tag in available_languages()]


def profile_errors(values: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with one's own profile, by field."""
    errors = {}
    if len(values["display_name"]) > 200 or not values["display_name"].isprintable():
        errors["display_name"] = _("Give a name of up to 200 characters, on one line.")
    if values["email"] and not is_email(values["email"]):
        errors["email"] = _("This is not an e-mail address.")
    if values["ui_language"] not in available_languages():
        errors["ui_language"] = _("Choose one of the list.")
    if values["timezone"] not in available_timezones():
        errors["timezone"] = _("Choose one of the list.")
    return errors


def is_email(text: str) -> bool:
    """Whether `text` has the form of an e-mail address."""
    try:
        _is_email(text)
    except ValidationError:
        return False
    return len(text) <= 254


def password_problem(error: ContentError) -> str:
    """Why a new password is not taken."""
    if any(found.get("code") == "length" for found in error.errors):
        return _(
            "Take a password of at least %(min)s and at most %(max)s characters.",
            min=MIN_LENGTH,
            max=MAX_LENGTH,
        )
    return _("Take a password that is not made of your name.")


def wait_words(error: RateLimited) -> str:
    """How long to wait before the next try."""
    seconds = int(error.headers["Retry-After"])
    if seconds < 90:
        return ngettext(
            "Too many tries that failed. Wait %(n)s second, then try again.",
            "Too many tries that failed. Wait %(n)s seconds, then try again.",
            seconds,
        )
    return ngettext(
        "Too many tries that failed. Wait %(n)s minute, then try again.",
        "Too many tries that failed. Wait %(n)s minutes, then try again.",
        -(-seconds // 60),
    )


def _is_place(zone: str) -> bool:
    region, slash, _rest = zone.partition("/")
    return bool(slash) and region not in ("Etc", "SystemV", "US", "posix", "right")
