"""The difference between two releases as a table: an item a row, a language a column. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from content_api.packages.changes import Changes, Download

KINDS = ("new", "changed", "removed")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry or asset; `marks` says by language what happens to it."""

    id: str
    marks: Mapping[str, str]

    @property
    def kind(self) -> str:
        """What happens to it, where that is the same everywhere; else `changed`."""
        kinds = set(self.marks.values())
        return kinds.pop() if len(kinds) == 1 else "changed"


def rows_of(changes: Changes) -> list[Row]:
    """What differs, item by item: new things, then changed, then removed ones."""
    marks: dict[str, dict[str, str]] = {}
    for tag, found in changes.languages.items():
        for kind in KINDS:
            for item in getattr(found, kind):
                marks.setdefault(item, {})[tag] = kind
    rows = [Row(item, by_language) for item, by_language in marks.items()]
    return sorted(rows, key=lambda row: (KINDS.index(row.kind), row.id))


def counts_of(changes: Changes) -> dict[str, dict[str, int]]:
    """How many are new, changed and removed, by language."""
    return {
        tag: {kind: len(getattr(found, kind)) for kind in KINDS}
        for tag, found in changes.languages.items()
    }


def is_same(changes: Changes) -> bool:
    """Whether displays would show exactly what they show now."""
    return not changes.package_changed and not any(
        getattr(found, kind) for found in changes.languages.values() for kind in KINDS
    )


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a device of one profile fetches: with all languages, and with one."""

    profile: str
    whole: Download
    by_language: Mapping[str, Download]


def sizes_of(changes: Changes) -> list[Sizes]:
    """The downloads by profile."""
    profiles = dict.fromkeys(found.profile for found in changes.downloads)
    result = []
    for profile in profiles:
        own = [found for found in changes.downloads if found.profile == profile]
        whole = max(own, key=lambda found: len(found.languages))
        single = {found.languages[0]: found for found in own if len(found.languages) == 1}
        result.append(Sizes(profile, whole, single))
    return result
