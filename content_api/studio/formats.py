"""How pages write dates, numbers and names: in the reader's language and time zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel import dates as babel_dates
from babel import numbers as babel_numbers
from flask import g, request

from content_api.database import session, utc_now
from content_api.languages.models import Language
from content_api.languages.service import languages as all_languages
from content_api.messages import (
    available_languages,
    current_language,
    negotiate,
    ngettext,
    set_language,
)
from content_api.studio.sessions import LANGUAGE_COOKIE, current_user
from package_format.languages import direction

DEFAULT_LANGUAGE = "fr"
DEFAULT_ZONE = "Europe/Paris"

_BYTE_UNITS = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")


def choose_language() -> None:
    """Set the interface language: the person's own, else the browser's."""
    offered = available_languages()
    user = current_user()
    wanted = [user.ui_language if user else None, request.cookies.get(LANGUAGE_COOKIE)]
    chosen = next((tag for tag in wanted if tag in offered), None)
    if chosen is None:
        header = request.headers.get("Accept-Language", "")
        chosen = negotiate(header, offered) or DEFAULT_LANGUAGE
    set_language(chosen)


@lru_cache(maxsize=64)
def babel_locale(tag: str) -> Locale:
    """Babel's locale of a language tag; the default's where it knows none."""
    try:
        return Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale.parse(DEFAULT_LANGUAGE)


def reader_locale() -> Locale:
    """The locale of who reads."""
    return babel_locale(current_language())


def reader_zone() -> ZoneInfo:
    """The time zone of who reads."""
    user = current_user()
    return ZoneInfo((user.timezone if user else None) or DEFAULT_ZONE)


def format_date(value: datetime | date | None, length: str = "medium") -> str:
    """A day: `24 nov. 2026`."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = value.astimezone(reader_zone())
    return babel_dates.format_date(value, length, reader_locale())


def format_datetime(
    value: datetime | None, length: str = "medium", zone: ZoneInfo | None = None
) -> str:
    """A moment in the reader's zone, or in `zone`."""
    if value is None:
        return ""
    where = zone or reader_zone()
    day = babel_dates.format_date(value.astimezone(where), length, reader_locale())
    return f"{day} {format_time(value, where)}"


def format_time(value: datetime | None, zone: ZoneInfo | None = None) -> str:
    """An hour: `09:00`."""
    if value is None:
        return ""
    return babel_dates.format_time(value, "short", zone or reader_zone(), reader_locale())


def ago(value: datetime | None, now: datetime | None = None) -> str:
    """How long since or until: `3 hours ago`."""
    if value is None:
        return ""
    passed = value - (now or utc_now())
    return babel_dates.format_timedelta(passed, add_direction=True, locale=reader_locale())


def format_number(value: float | None) -> str:
    """A number: `1 234,5`."""
    return "" if value is None else babel_numbers.format_decimal(value, locale=reader_locale())


def format_percent(value: float | None) -> str:
    """A share between 0 and 1: `62 %`."""
    if value is None:
        return ""
    return babel_numbers.format_percent(value, locale=reader_locale())


def format_bytes(value: float | None) -> str:
    """A size: `4,2 Mo`, in steps of 1000."""
    if value is None:
        return ""
    size, step = float(value), 0
    while size >= 999.5 and step < len(_BYTE_UNITS) - 1:
        size, step = size / 1000, step + 1
    shown = round(size, 1 if step and size < 100 else 0)
    unit = f"digital-{_BYTE_UNITS[step]}"
    from babel.units import format_unit

    return format_unit(shown, unit, "short" if step else "long", locale=reader_locale())


def format_duration(seconds: float | None) -> str:
    """A length of time on a clock: `3:07`, `1:02:03`."""
    if seconds is None:
        return ""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def characters(count: int) -> str:
    """A number of characters, in words."""
    return ngettext("%(n)s character", "%(n)s characters", count)


def language_name(tag: str) -> str:
    """A language in the reader's language: `japonais`."""
    try:
        name = Locale.parse(tag, sep="-").get_display_name(reader_locale())
    except (ValueError, UnknownLocaleError):
        name = None
    return name or endonym(tag)


def endonym(tag: str) -> str:
    """A language as the language table names it: `日本語`."""
    row = content_languages().get(tag)
    return row.name if row is not None else tag


def own_name(tag: str) -> str:
    """An interface language in its own words: `français`."""
    locale = babel_locale(tag)
    return locale.get_display_name(locale) or tag


def language_dir(tag: str) -> str:
    """`ltr` or `rtl`."""
    row = content_languages().get(tag)
    return row.dir if row is not None else direction(tag)


def content_languages() -> Mapping[str, Language]:
    """The languages content is written in, by tag, in order; read once a request."""
    if "content_languages" not in g:
        g.content_languages = all_languages(session())
    found: Mapping[str, Language] = g.content_languages
    return found


def label_of(texts: Mapping[str, str] | None, otherwise: str = "") -> str:
    """A label of a content type in the reader's language, or the nearest there is."""
    if not texts:
        return otherwise
    wanted = current_language()
    for tag in (wanted, wanted.split("-")[0], "fr", "en"):
        if texts.get(tag):
            return texts[tag]
    return next(iter(texts.values()), otherwise)


def ui_direction() -> str:
    """Direction of the interface language."""
    return direction(current_language())
