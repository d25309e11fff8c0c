"""Everything that keeps a package from being published, or that its editors should know. Pure.

All problems are found in one go and named by entry, field and language. An error blocks
publishing; a warning says what displays will do instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from content_api.content.types import Field
from content_api.content.values import publishing_fault
from content_api.packages.compile import carried_renditions, resolve_map, rights_expiry
from content_api.packages.reading import (
    ASSET_KINDS,
    REFERENCE_KINDS,
    Reading,
    block_fields_of,
    fields_of,
    ids_in,
    is_usable,
)
from content_api.packages.source import (
    ASSET_TYPE,
    SHARED,
    PackageContent,
    listed_assets,
    listed_entries,
)

ERROR = "error"
WARNING = "warning"
EXPIRY_NOTICE = timedelta(days=60)
"""Editors are warned this long before an asset's rights end."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong. `entry` is empty for the package itself; `language` may be `*`."""

    entry: str
    path: str
    language: str
    severity: str
    code: str
    message: str

    def to_json(self) -> dict[str, str]:
        """The problem as the API and the release table hold it."""
        where = f"/entries/{self.entry}" if self.entry else "/package"
        pointer = f"{where}/{self.path.replace('.', '/')}" if self.path else where
        return {**asdict(self), "pointer": pointer, "scope": self.language}


def find_problems(content: PackageContent, today: date) -> list[Problem]:
    """Every problem of a package on the day `today` in its time zone, errors first."""
    found: set[Problem] = set(_package_problems(content))
    for entry in listed_entries(content.body):
        found.update(_listing_problems(content, entry))
        found.update(_days_problems(content, entry, today))
    for tag in content.tags:
        reading = Reading(content, tag)
        if not reading.shown and listed_entries(content.body):
            found.add(
                Problem(
                    "",
                    "languages",
                    tag,
                    ERROR,
                    "language-empty",
                    f"No entry is approved in {tag}: a display would show nothing in it.",
                )
            )
        for entry in reading.shown:
            found.update(_entry_problems(reading, entry))
        for asset in reading.assets:
            found.update(_entry_problems(reading, asset))
            found.update(_asset_problems(reading, asset, today))
    return sorted(found, key=lambda problem: (problem.severity != ERROR, problem))


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Those that block publishing."""
    return [problem for problem in problems if problem.severity == ERROR]


def _package_problems(content: PackageContent) -> Iterator[Problem]:
    body = content.body
    for tag in body["languages"]:
        if tag not in content.languages:
            yield Problem(
                "",
                "languages",
                tag,
                ERROR,
                "unknown-language",
                f"The language {tag} does not exist.",
            )
    named: list[tuple[str, Mapping[str, str]]] = [("title", body.get("title", {}))]
    named += _section_titles(body.get("sections", ()), "sections")
    for path, texts in named:
        if not resolve_map(content, texts):
            lacking = [tag for tag in content.tags if not texts.get(tag)]
            for tag in lacking:
                yield Problem("", path, tag, ERROR, "missing", f"The title is missing in {tag}.")
    for asset in listed_assets(body):
        yield from _naming_problems(content, "", "theme", SHARED, asset)
    if not listed_entries(body):
        yield Problem("", "sections", SHARED, ERROR, "empty", "The package lists no entry.")


def _section_titles(
    sections: Iterable[Mapping[str, Any]], path: str
) -> Iterator[tuple[str, Mapping[str, str]]]:
    for section in sections:
        where = f"{path}.{section['id']}"
        yield f"{where}.title", section.get("title", {})
        yield from _section_titles(section.get("sections", ()), where)


def _listing_problems(content: PackageContent, entry: str) -> Iterator[Problem]:
    if entry not in content.entry_types:
        yield Problem(
            entry,
            "",
            SHARED,
            ERROR,
            "unknown-entry",
            f"The package lists {entry}, which does not exist.",
        )
        return
    if content.entry_types[entry] == ASSET_TYPE:
        yield Problem(
            entry,
            "",
            SHARED,
            ERROR,
            "asset-listed",
            f"{entry} is an asset: name it in an entry, not in a section.",
        )
        return
    approved = content.documents.get(entry, {})
    for scope in (SHARED, *content.tags):
        if scope not in approved:
            part = "shared values are" if scope == SHARED else f"{scope} text is"
            where = "every language" if scope == SHARED else scope
            yield Problem(
                entry,
                "",
                scope,
                WARNING,
                "not-approved",
                f"The {part} not approved: {entry} is left out in {where}.",
            )


def _days_problems(content: PackageContent, entry: str, today: date) -> Iterator[Problem]:
    last = content.body.get("shown", {}).get(entry, {}).get("until")
    if last is not None and last < today.isoformat():
        yield Problem(
            entry,
            "",
            SHARED,
            WARNING,
            "days-over",
            f"Its days ended on {last}: displays do not show it.",
        )


def _entry_problems(reading: Reading, entry: str) -> Iterator[Problem]:
    types = reading.content.types
    resolved = reading.resolve(entry)
    for field in fields_of(types, reading.content.entry_types[entry]):
        shown = resolved.fields.get(field.id)
        if field.kind != "blocks":
            yield from _field_problems(
                reading, entry, field.id, field, shown, resolved.languages.get(field.id)
            )
            continue
        fault = publishing_fault(field, shown)
        if fault:
            yield Problem(entry, field.id, SHARED, ERROR, *fault)
        for block in shown or ():
            for inner in block_fields_of(types, block["type"]):
                yield from _field_problems(
                    reading,
                    entry,
                    f"{field.id}.{block['id']}.{inner.id}",
                    inner,
                    block["fields"].get(inner.id),
                    block["in"].get(inner.id),
                )


def _field_problems(
    reading: Reading, entry: str, path: str, field: Field, value: Any, other: str | None
) -> Iterator[Problem]:
    language = reading.tag if field.localized else SHARED
    # A text shown by fallback is measured in its own language, not once more here.
    fault = publishing_fault(field, value) if other is None else None
    if fault:
        yield Problem(entry, path, language, ERROR, *fault)
    elif (
        other is None
        and field.advise is not None
        and isinstance(value, (str, list))
        and len(value) > field.advise
    ):
        yield Problem(
            entry,
            path,
            language,
            WARNING,
            "long",
            f"{len(value)} of advised at most {field.advise}: a display may cut it.",
        )
    if field.kind in ASSET_KINDS:
        for asset in ids_in(value):
            yield from _naming_problems(reading.content, entry, path, language, asset)
    elif field.kind in REFERENCE_KINDS:
        for named in ids_in(value):
            if named not in reading.content.entry_types:
                yield Problem(
                    entry,
                    path,
                    language,
                    ERROR,
                    "unknown-reference",
                    f"The field names {named}, which does not exist.",
                )


def _naming_problems(
    content: PackageContent, entry: str, path: str, language: str, asset: str
) -> Iterator[Problem]:
    if is_usable(content, asset):
        return
    if asset not in content.entry_types and asset not in content.assets:
        code, message = "unknown-asset", f"The asset {asset} does not exist."
    elif asset not in content.assets:
        code, message = "no-file", f"The asset {asset} has no file yet."
    else:
        code = "asset-not-approved"
        message = f"The asset {asset} is not approved: its rights and texts (*) need approval."
    yield Problem(entry, path, language, ERROR, code, message)


def _asset_problems(reading: Reading, asset: str, today: date) -> Iterator[Problem]:
    content, tag = reading.content, reading.tag
    facts = content.assets[asset]
    values = reading.resolve(asset).fields
    decorative = bool(values.get("decorative"))
    if facts.kind == "image" and not decorative and not values.get("alt"):
        yield Problem(
            asset,
            "alt",
            tag,
            ERROR,
            "missing-alt",
            "The picture has no alternative text; write one, or mark it decorative.",
        )
    if not values.get("rights"):
        yield Problem(
            asset,
            "rights",
            SHARED,
            ERROR,
            "missing-rights",
            "The rights are not stated: holder and licence.",
        )
    if not values.get("credit"):
        yield Problem(asset, "credit", tag, ERROR, "missing-credit", "The credit line is missing.")
    expires = rights_expiry(content, asset)
    if expires is not None and expires <= today:
        yield Problem(
            asset,
            "rights",
            SHARED,
            ERROR,
            "rights-expired",
            f"The rights ended on {expires.isoformat()}.",
        )
    elif expires is not None and expires - today <= EXPIRY_NOTICE:
        yield Problem(
            asset,
            "rights",
            SHARED,
            WARNING,
            "rights-expiring",
            f"The rights end on {expires.isoformat()}; displays drop the asset on that day.",
        )
    if facts.kind in ("audio", "video") and not values.get("transcript"):
        yield Problem(
            asset,
            "transcript",
            tag,
            WARNING,
            "missing-transcript",
            "Sound and film need a transcript for those who do not hear.",
        )
    carried = carried_renditions(content, facts)
    for profile in content.profiles:
        if not any(not r.profiles or profile in r.profiles for r in carried):
            yield Problem(
                asset,
                "",
                SHARED,
                ERROR,
                "no-rendition",
                f"There is no encoding for the profile {profile}.",
            )
