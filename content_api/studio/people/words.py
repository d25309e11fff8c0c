"""What roles and grants mean, in words for the people who hand them out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from babel.lists import format_list

from content_api.accounts.rules import ALL, SCOPED_ACTIONS, SHARED, TYPED_ACTIONS, USER_ROLES
from content_api.accounts.rules import ROLE_ACTIONS as ACTIONS_OF
from content_api.content.types import ContentTypes
from content_api.messages import gettext as _
from content_api.messages import ngettext, pgettext
from content_api.studio.formats import label_of, language_name, reader_locale


class RoleWords(NamedTuple):
    """A role's name, what it lets a person do, and what a grant of it can be narrowed by."""

    id: str
    name: str
    may: str
    by_language: bool
    by_type: bool


def role_words(role: str) -> RoleWords:
    """The words for a role."""
    names = {
        "reader": (pgettext("role", "Reader"), _("Reads everything and changes nothing.")),
        "translator": (
            pgettext("role", "Translator"),
            _("Writes texts in their languages; nothing that all languages share."),
        ),
        "editor": (
            pgettext("role", "Editor"),
            _("Writes and deletes entries, adds media, composes packages."),
        ),
        "reviewer": (
            pgettext("role", "Reviewer"),
            _("Approves texts, language by language, or sends them back."),
        ),
        "media": (
            pgettext("role", "Media keeper"),
            _("Looks after the media library: files, their texts, their rights."),
        ),
        "publisher": (
            pgettext("role", "Publisher"),
            _("Composes packages, publishes them, takes a release back; sees the devices."),
        ),
        "venue_manager": (
            pgettext("role", "Venue manager"),
            _("Looks after venues and their devices, and reads everything."),
        ),
        "admin": (
            pgettext("role", "Administrator"),
            _("May do everything, and decides what others may do."),
        ),
    }
    name, may = names.get(role, (role, ""))
    actions = ACTIONS_OF.get(role, frozenset())
    by_language = bool(actions & SCOPED_ACTIONS) and role != "admin"
    by_type = bool(actions & TYPED_ACTIONS) and role not in ("admin", "media", "venue_manager")
    return RoleWords(role, name, may, by_language, by_type)


def all_roles() -> list[RoleWords]:
    """Every role a person can be given, the narrowest first."""
    return [role_words(role) for role in USER_ROLES]


def where_words(scopes: Sequence[str], types: Sequence[str], known: ContentTypes) -> list[str]:
    """How a grant is narrowed, a sentence each; nothing where it is not."""
    said = []
    if ALL not in scopes:
        said.append(_("Only in: %(languages)s.", languages=listed(map(scope_name, scopes))))
    if ALL not in types:
        named = (type_name(name, known) for name in types)
        said.append(_("Only entries of the type: %(types)s.", types=listed(named)))
    return said


def scope_name(scope: str) -> str:
    """A language's name, or that what all languages share is meant."""
    return _("what all languages share") if scope == SHARED else language_name(scope)


def type_name(name: str, known: ContentTypes) -> str:
    """A content type's name in the reader's language."""
    found = known.find_type(name)
    return label_of(found.label, name) if found is not None else name


def listed(texts: Iterable[str]) -> str:
    """Words in a row, as the reader's language joins them."""
    return format_list(list(texts), locale=reader_locale())


def days_words(days: int) -> str:
    """A number of days."""
    return ngettext("%(n)s day", "%(n)s days", days)
