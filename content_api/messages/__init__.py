"""What the server says, in the reader's language: gettext on Babel.

A msgid is the English sentence itself, so English needs no catalogue. The other
languages lie in `locales/<tag>/<area>.po`, several files that count as one, read when
somebody first asks for the language and kept from then on. What is not translated is
said in English. `python -m content_api.messages.extract` keeps the files up to date.

Tags are BCP 47 (`zh-Hans`) everywhere but at Babel's door, where `_babel_tag` turns them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from flask import g, has_app_context
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from package_format.languages import match_languages, parse_accept_language

__all__ = [
    "SOURCE_LANGUAGE",
    "available_languages",
    "current_language",
    "gettext",
    "init_jinja",
    "negotiate",
    "ngettext",
    "pgettext",
    "script_messages",
    "set_language",
    "use_language",
]

log = logging.getLogger(__name__)

SOURCE_LANGUAGE = "en"
"""What msgids are written in."""

_FIRST = ("fr", "en", "ja")
_BESIDE_PACKAGE = Path(__file__).resolve().parent.parent
_FOLDERS = (_BESIDE_PACKAGE / "locales", _BESIDE_PACKAGE.parent / "locales")
"""Where catalogues lie in an installed wheel, and in a working copy."""

_CONTEXT = "\x04"
"""Between context and msgid, as gettext has it."""

_CATEGORIES = ("zero", "one", "two", "few", "many", "other")
_SAMPLE_COUNTS = (*range(201), 1000, 10_000, 1_000_000)
"""Whole numbers among which each plural form of every language occurs."""

_language: ContextVar[str | None] = ContextVar("language", default=None)


# -- Saying ----------------------------------------------------------------------------------


def gettext(message: str, /, **values: object) -> str:
    """The sentence in the reader's language, its `%(name)s` filled from `values`.

    It is always a format: a percent sign alone is written `%%`.
    """
    return _fill(_translations().gettext(message), message, values)


def pgettext(context: str, message: str, /, **values: object) -> str:
    """As `gettext`, where one English word needs two translations: `context` tells them apart."""
    return _fill(_translations().pgettext(context, message), message, values)


def ngettext(one: str, other: str, count: int, /, **values: object) -> str:
    """As `gettext`, in the form that `count` asks for; `%(n)s` is the count as people write it."""
    found = _translations().ngettext(one, other, count)
    return _fill(found, one if count == 1 else other, _with_count(values, count))


# -- The reader's language -------------------------------------------------------------------


def current_language() -> str:
    """What is spoken here: the tag set for this block or this request, else English."""
    chosen = _language.get()
    if chosen is None and has_app_context():
        chosen = g.get("message_language")
    return chosen or SOURCE_LANGUAGE


def set_language(tag: str) -> None:
    """Speak `tag` until this request ends; the next request starts afresh."""
    g.message_language = tag


@contextmanager
def use_language(tag: str) -> Iterator[None]:
    """Speak `tag` inside the block, whatever the request has."""
    before = _language.set(tag)
    try:
        yield
    finally:
        _language.reset(before)


@cache
def available_languages() -> tuple[str, ...]:
    """The languages there are catalogues for, and English; the project's own languages first."""
    found = {path.parent.name for path in locales_folder().glob("*/*.po")}
    return tuple(sorted(found | {*_FIRST}, key=lambda tag: (_rank(tag), tag)))


def negotiate(header: str, available: Sequence[str]) -> str | None:
    """The language of `available` that an `Accept-Language` header likes best, or None.

    `zh-CN` finds `zh-Hans`; see `package_format.languages`.
    """
    return match_languages(parse_accept_language(header), available)


# -- For scripts and templates ---------------------------------------------------------------


@cache
def script_messages(tag: str) -> Mapping[str, str | Mapping[str, str]]:
    """What the studio's scripts say, in `tag`: msgid to text, or to texts by plural category.

    A msgid with a context has it in front, parted by U+0004. The categories are those of
    CLDR, as `Intl.PluralRules` names them; `other` is always there. Only what is
    translated is in it.
    """
    catalog = _catalog(tag)
    found: dict[str, str | Mapping[str, str]] = {}
    for message in catalog:
        said = message_forms(message)
        scripts = any(str(place).endswith(".js") for place, _line in message.locations)
        if not (message.id and scripts and all(said)) or message.fuzzy:
            continue
        first = message.id if isinstance(message.id, str) else message.id[0]
        key = f"{message.context}{_CONTEXT}{first}" if message.context else first
        found[key] = said[0] if isinstance(message.id, str) else _by_category(tag, said)
    return found


def init_jinja(environment: Environment) -> None:
    """Give templates `_`, `ngettext`, `pgettext` and `{% trans %}`, filled as in Python."""
    environment.add_extension("jinja2.ext.i18n")
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals.update(
        _=_template_gettext,
        gettext=_template_gettext,
        ngettext=_template_ngettext,
        pgettext=_template_pgettext,
    )


@pass_context
def _template_gettext(context: Context, message: str, /, **values: object) -> str:
    return _fill(_translations().gettext(message), message, values, _text_type(context))


@pass_context
def _template_pgettext(context: Context, about: str, message: str, /, **values: object) -> str:
    return _fill(_translations().pgettext(about, message), message, values, _text_type(context))


@pass_context
def _template_ngettext(
    context: Context, one: str, other: str, count: int, /, **values: object
) -> str:
    found = _translations().ngettext(one, other, count)
    source = one if count == 1 else other
    return _fill(found, source, _with_count(values, count), _text_type(context))


def _text_type(context: Context) -> type[str]:
    # Our own sentences may hold markup; what fills them is escaped.
    return Markup if context.eval_ctx.autoescape else str


# -- Catalogues ------------------------------------------------------------------------------


def locales_folder() -> Path:
    """The folder of the catalogues: beside the code in a wheel, at the root in a working copy."""
    return next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[-1])


def _translations() -> NullTranslations:
    return _load(current_language())


@cache
def _load(tag: str) -> NullTranslations:
    if tag == SOURCE_LANGUAGE or tag not in available_languages():
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, _catalog(tag))
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def _catalog(tag: str) -> Catalog:
    whole = new_catalog(tag)
    if tag in available_languages():
        for path in sorted((locales_folder() / tag).glob("*.po")):
            for message in read_catalog(path, tag):
                if not message.id:
                    continue
                held = whole.get(_first(message.id), message.context)
                if held is None or not any(message_forms(held)):
                    places = message.locations + (held.locations if held else [])
                    whole.add(
                        message.id,
                        message.string,
                        places,
                        flags=message.flags,
                        context=message.context,
                    )
                else:
                    # Two areas say the same: one text serves both, scripts among them.
                    held.locations.extend(message.locations)
    return whole


def read_catalog(path: Path, tag: str) -> Catalog:
    """The catalogue in a PO file.

    Raises:
        PoFileError: it is no PO file; the message says where.
    """
    with path.open("rb") as stream:
        return read_po(stream, locale=_babel_tag(tag), charset="utf-8", abort_invalid=True)


def new_catalog(tag: str) -> Catalog:
    """A catalogue in `tag` with nothing in it."""
    return Catalog(locale=_babel_tag(tag))


def message_forms(message: Message) -> list[str]:
    """The translation: one text, or one for each plural form; empty where it is missing."""
    said = message.string
    return [said] if isinstance(said, str) else list(said or ())


def _babel_tag(tag: str) -> str:
    return tag.replace("-", "_")


def _first(message_id: str | tuple[str, ...] | list[str]) -> str:
    return message_id if isinstance(message_id, str) else message_id[0]


def _rank(tag: str) -> int:
    return _FIRST.index(tag) if tag in _FIRST else len(_FIRST)


def _by_category(tag: str, forms: list[str]) -> Mapping[str, str]:
    rule = getattr(_load(tag), "plural", None)  # gettext's own, as the catalogue's head has it
    locale = Locale.parse(tag, sep="-")
    found = {"other": forms[-1]}
    for count in _SAMPLE_COUNTS:
        category = locale.plural_form(count)
        index = rule(count) if rule else 0
        if category in _CATEGORIES and index < len(forms):
            found[category] = forms[index]
    return found


def _with_count(values: Mapping[str, object], count: int) -> dict[str, object]:
    if "n" in values:
        return dict(values)
    return {**values, "n": format_decimal(count, locale=_babel_tag(current_language()))}


def _fill(text: str, source: str, values: Mapping[str, object], kind: type[str] = str) -> str:
    if not source:
        return kind()  # gettext keeps the catalogue's head under the empty msgid
    for form in (text, source):
        try:
            filled: str = kind(form) % values
        except (KeyError, TypeError, ValueError) as error:
            # A mistaken translation must not take the page with it; the check finds it.
            log.warning("%r in %s cannot be filled: %r", form, current_language(), error)
        else:
            return filled
    return kind(source)
