"""What problems of a package mean, in the reader's language, and where to mend them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from content_api.content.types import ContentTypes, FieldGroup
from content_api.messages import gettext as _
from content_api.packages.problems import ERROR
from content_api.packages.source import ASSET_TYPE, SHARED
from content_api.studio.formats import format_date, label_of, language_name
from content_api.studio.pages import field_anchor
from content_api.studio.widgets.choices import Choice

_NUMBERS = re.compile(r"\d+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ASSET = re.compile(r"The asset ([a-z0-9-]+) ")
_REFERENCE = re.compile(r"The field names ([a-z0-9-]+),")
_PROFILE = re.compile(r"for the profile ([a-z]+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One problem as the page shows it: what is wrong, what to do, where."""

    error: bool
    language: str
    field: str
    text: str
    href: str
    code: str
    asset_href: str = ""


@dataclass(slots=True)
class Group:
    """The problems of one entry, or of the package itself."""

    title: str
    kind: str
    language: str | None
    href: str
    lines: list[Line] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """How many of them block publishing."""
        return sum(line.error for line in self.lines)


def named_ids(problems: Iterable[Mapping[str, Any]]) -> set[str]:
    """Ids of the entries and assets that problems speak of."""
    found: set[str] = set()
    for problem in problems:
        found.add(problem["entry"])
        for pattern in (_ASSET, _REFERENCE):
            match = pattern.match(problem["message"])
            if match:
                found.add(match[1])
    return found - {""}


def group_problems(
    problems: Iterable[Mapping[str, Any]],
    names: Mapping[str, Choice],
    types: ContentTypes,
    slug: str,
    *,
    language: str = "",
) -> list[Group]:
    """Problems by entry, those that block publishing first; of one language if it is given.

    What holds for all languages stays in sight whichever is chosen.
    """
    found: dict[str, Group] = {}
    for problem in problems:
        if language and problem["language"] not in (language, SHARED):
            continue
        entry = problem["entry"]
        if entry not in found:
            found[entry] = _group(entry, names.get(entry), slug)
        found[entry].lines.append(_line(problem, names, types, slug))
    for group in found.values():
        group.lines.sort(key=lambda line: not line.error)
    return sorted(found.values(), key=lambda group: (group.errors == 0, bool(group.kind)))


def _group(entry: str, name: Choice | None, slug: str) -> Group:
    if not entry:
        return Group(_("The package itself"), "", None, f"/studio/packages/{slug}/")
    if name is None:
        return Group(entry, _("no such entry"), None, f"/studio/packages/{slug}/#contents")
    base = "media" if name.type == ASSET_TYPE else "entries"
    return Group(name.title, name.type_label, name.language, f"/studio/{base}/{entry}/")


def _line(
    problem: Mapping[str, Any], names: Mapping[str, Choice], types: ContentTypes, slug: str
) -> Line:
    entry = problem["entry"]
    return Line(
        error=problem["severity"] == ERROR,
        language=problem["language"],
        field=_field_words(problem["path"], names.get(entry), types) if entry else "",
        text=_words(problem, names),
        href=_address(problem, names.get(entry), slug),
        code=problem["code"],
        asset_href=_asset_address(problem, names),
    )


def _asset_address(problem: Mapping[str, Any], names: Mapping[str, Choice]) -> str:
    match = _ASSET.match(problem["message"])
    if match is None or match[1] not in names:
        return ""
    if problem["code"] == "asset-not-approved":
        return f"/studio/entries/{match[1]}/review"
    return f"/studio/media/{match[1]}/"


def _address(problem: Mapping[str, Any], name: Choice | None, slug: str) -> str:
    entry, path, code, language = (problem[x] for x in ("entry", "path", "code", "language"))
    if not entry or name is None or code in ("asset-listed", "days-over"):
        return f"/studio/packages/{slug}/#{_package_anchor(path, language)}"
    if code == "not-approved":
        return f"/studio/entries/{entry}/review"
    is_asset = name.type == ASSET_TYPE
    address = f"/studio/{'media' if is_asset else 'entries'}/{entry}/"
    if not path:
        return address
    # The edit page shows some languages only: the field must be among them.
    shown = "" if is_asset or language == SHARED else f"?languages={language}"
    return f"{address}{shown}#{field_anchor(path, language)}"


def _package_anchor(path: str, language: str) -> str:
    first, *rest = path.split(".")
    if first == "sections":
        return f"section-{rest[-2]}" if len(rest) >= 2 else "contents"
    if first == "title":
        return f"f-title-{language}"
    return {"languages": "languages", "theme": "theme"}.get(first, "contents")


def _field_words(path: str, name: Choice | None, types: ContentTypes) -> str:
    if not path or name is None:
        return ""
    kind: FieldGroup | None = types.find_type(name.type)
    first, *rest = path.split(".")
    found = kind.field(first) if kind else None
    words = label_of(found.label, first) if found else first
    if len(rest) < 2:
        return words
    # The block's type is not in the path; a field of this id has the same label in all of them.
    inner = rest[-1]
    for block in types.blocks.values():
        held = block.field(inner)
        if held is not None:
            return _("%(field)s › %(part)s", field=words, part=label_of(held.label, inner))
    return words


def _words(problem: Mapping[str, Any], names: Mapping[str, Choice]) -> str:
    said = _SENTENCES.get(problem["code"])
    return said(problem, names) if said else str(problem["message"])


def _language(problem: Mapping[str, Any]) -> str:
    return language_name(problem["language"])


def _named(problem: Mapping[str, Any], pattern: re.Pattern[str], names: Mapping[str, Any]) -> str:
    match = pattern.search(problem["message"])
    found = match[1] if match else ""
    return names[found].title if found in names else found


def _numbers(problem: Mapping[str, Any]) -> list[int]:
    return [int(word) for word in _NUMBERS.findall(problem["message"])]


def _day(problem: Mapping[str, Any]) -> str:
    match = _DAY.search(problem["message"])
    return format_date(date.fromisoformat(match[0])) if match else ""


def _missing(problem: Mapping[str, Any], _names: Mapping[str, Any]) -> str:
    if not problem["entry"]:
        if problem["path"] == "title":
            return _("The package has no title in %(language)s.", language=_language(problem))
        return _("A section has no title in %(language)s.", language=_language(problem))
    if problem["language"] == SHARED:
        return _("Fill in this field: displays need it.")
    return _("The text is missing in %(language)s.", language=_language(problem))


def _not_approved(problem: Mapping[str, Any], _names: Mapping[str, Any]) -> str:
    if problem["language"] == SHARED:
        return _("What all languages share is not approved: displays leave the entry out.")
    return _(
        "Not approved in %(language)s: displays leave the entry out in that language.",
        language=_language(problem),
    )


def _too_long(problem: Mapping[str, Any], _names: Mapping[str, Any]) -> str:
    most, got = (*_numbers(problem), 0, 0)[:2]
    if "items" in problem["message"]:
        return _("Too many: %(got)s, where at most %(most)s fit.", got=got, most=most)
    return _("Too long: %(got)s characters, where at most %(most)s fit.", got=got, most=most)


def _long(problem: Mapping[str, Any], _names: Mapping[str, Any]) -> str:
    got, most = (*_numbers(problem), 0, 0)[:2]
    return _(
        "Long: %(got)s characters, where %(most)s are advised. A display may cut it.",
        got=got,
        most=most,
    )


_SENTENCES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    "missing": _missing,
    "too-long": _too_long,
    "long": _long,
    "not-approved": _not_approved,
    "language-empty": lambda p, _n: _(
        "Nothing is approved in %(language)s: a display would show nothing. "
        "Approve entries in it, or take the language out of the package.",
        language=_language(p),
    ),
    "unknown-language": lambda p, _n: _(
        "The language %(tag)s does not exist here: take it out of the package.", tag=p["language"]
    ),
    "empty": lambda _p, _n: _("The package lists no entry: add some in its contents."),
    "unknown-entry": lambda p, _n: _(
        "The package lists %(id)s, which was deleted: take it out of its contents.", id=p["entry"]
    ),
    "asset-listed": lambda _p, _n: _(
        "Assets are shown by the entries that use them: take it out of the contents."
    ),
    "unknown-reference": lambda p, n: _(
        "This field names %(id)s, which was deleted: choose another entry.",
        id=_named(p, _REFERENCE, n),
    ),
    "unknown-asset": lambda p, n: _(
        "This field names the asset %(id)s, which was deleted: choose another one.",
        id=_named(p, _ASSET, n),
    ),
    "no-file": lambda p, n: _(
        "The asset “%(title)s” has no file yet: upload it, or choose another one.",
        title=_named(p, _ASSET, n),
    ),
    "asset-not-approved": lambda p, n: _(
        "The asset “%(title)s” is not approved: have its rights and description approved.",
        title=_named(p, _ASSET, n),
    ),
    "missing-alt": lambda p, _n: _(
        "The picture has no alternative text in %(language)s: write one, or mark it decorative.",
        language=_language(p),
    ),
    "missing-rights": lambda _p, _n: _("The rights are not stated: name the holder and licence."),
    "missing-credit": lambda p, _n: _(
        "The credit line is missing in %(language)s.", language=_language(p)
    ),
    "rights-expired": lambda p, _n: _(
        "The rights ended on %(day)s: renew them, or choose another asset.", day=_day(p)
    ),
    "rights-expiring": lambda p, _n: _(
        "The rights end on %(day)s: displays drop the asset on that day.", day=_day(p)
    ),
    "days-over": lambda p, _n: _(
        "Its days in this package ended on %(day)s: displays do not show it any more.", day=_day(p)
    ),
    "missing-transcript": lambda p, _n: _(
        "There is no transcript in %(language)s, for those who do not hear.",
        language=_language(p),
    ),
    "no-rendition": lambda p, _n: _(
        "There is no encoding of it for the profile %(profile)s: upload the file again.",
        profile=(_PROFILE.search(p["message"]) or ["", ""])[1],
    ),
    "interrupted": lambda _p, _n: _(
        "The server stopped before it was done. Displays kept what they had: publish again."
    ),
    "publish-failed": lambda _p, _n: _(
        "The files could not be written, perhaps because the disk is full. "
        "Displays kept what they had."
    ),
}


def problem_words(problem: Mapping[str, Any], names: Mapping[str, Choice]) -> str:
    """What one problem means, for a list of releases."""
    return _words(problem, names)
