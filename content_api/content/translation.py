"""Translation status: read from hashes, never stored. Pure.

A claim says "this text was made (or reviewed) as a translation of that text". A
translation is current when a claim names the very pair of texts that stands there
now; so a changed source makes it outdated, and putting an old text back brings its
old status back.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from package_format.canonical import sha256_hex

STATES = ("missing", "outdated", "machine", "translated", "reviewed")
"""From what needs most work to what needs none."""

EMPTY = "empty"
"""Stands for the hash of null: intentionally empty, a decision that no source outdates."""


class ClaimFacts(Protocol):
    """What the status needs of a claim."""

    @property
    def path(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def value_sha256(self) -> str: ...
    @property
    def source_scope(self) -> str: ...
    @property
    def source_sha256(self) -> str: ...
    @property
    def state(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a difference: `equal`, `insert` or `delete`."""

    op: str
    text: str


def text_hash(value: str | None) -> str:
    """Hash of a text as translators see it: NFC, white space runs as one space.

    So a cosmetic change outdates nothing. null has a hash of its own.
    """
    if value is None:
        return EMPTY
    return sha256_hex(" ".join(unicodedata.normalize("NFC", value).split()).encode())


class StatusReader:
    """The status of every text of one entry, from the hashes at its head and its claims.

    `units` maps (path, scope) to the hash of the text there; `sources` maps a language to
    the one it is translated from. `claims` come oldest first: the newest about a pair counts.
    """

    def __init__(
        self,
        units: Mapping[tuple[str, str], str],
        claims: Iterable[ClaimFacts],
        sources: Mapping[str, str | None],
    ) -> None:
        self.units = units
        self.sources = sources
        self.claims: dict[tuple[str, str], list[ClaimFacts]] = defaultdict(list)
        for claim in claims:
            self.claims[claim.path, claim.scope].append(claim)

    def paths(self) -> list[str]:
        """Every path that has a text in some language."""
        return sorted({path for path, _ in self.units})

    def status(self, path: str, scope: str) -> str | None:
        """The status of one text; None where there is nothing to translate."""
        return self._status(path, scope, ())

    def statuses(self, scope: str) -> dict[str, str]:
        """The status of every text in one language."""
        found = {path: self.status(path, scope) for path in self.paths()}
        return {path: status for path, status in found.items() if status is not None}

    def valid_claim(self, path: str, scope: str) -> ClaimFacts | None:
        """The newest claim about the pair of texts that stands there now."""
        value = self.units.get((path, scope))
        for claim in reversed(self.claims.get((path, scope), ())):
            source = self.units.get((path, claim.source_scope))
            if claim.value_sha256 == value and claim.source_sha256 == source:
                return claim
        return None

    def last_claim(self, path: str, scope: str) -> ClaimFacts | None:
        """The newest claim about the text that stands there, whatever its source was."""
        value = self.units.get((path, scope))
        for claim in reversed(self.claims.get((path, scope), ())):
            if claim.value_sha256 == value:
                return claim
        return None

    def _status(self, path: str, scope: str, seen: tuple[str, ...]) -> str | None:
        source_scope = self.sources.get(scope)
        if source_scope is None:
            return None
        value = self.units.get((path, scope))
        source = self.units.get((path, source_scope))
        if value is None:
            return None if source in (None, EMPTY) else "missing"
        if value == EMPTY:
            return "translated"
        claim = self.valid_claim(path, scope)
        if claim is None:
            # Without a source text it is an original in this language.
            return "translated" if source in (None, EMPTY) else "outdated"
        pivot = claim.source_scope
        if pivot not in seen and self._status(path, pivot, (*seen, scope)) == "outdated":
            # Translated from a translation: outdated as soon as that one is.
            return "outdated"
        return claim.state


def summary(statuses: Iterable[str]) -> dict[str, int]:
    """How many texts have each status; those that none has are left out."""
    counts = dict.fromkeys(STATES, 0)
    for status in statuses:
        counts[status] += 1
    return {status: count for status, count in counts.items() if count}


def worst(statuses: Iterable[str]) -> str | None:
    """The status that needs most work, or None without any."""
    found = set(statuses)
    return next((status for status in STATES if status in found), None)


# One character of a script without spaces, a word, or a run of anything else.
_PIECES = re.compile(
    "[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|\w+|\s+|[^\w\s]"
)
_MOST_PIECES = 4_000


def difference(before: str, after: str) -> list[Segment]:
    """What changed from one text to another: by words, or by characters where there are none."""
    old, new = _PIECES.findall(before), _PIECES.findall(after)
    if len(old) > _MOST_PIECES or len(new) > _MOST_PIECES:
        # Comparing every pair would take too long: compare by lines.
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found: list[Segment] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for op, a, b, c, d in matcher.get_opcodes():
        if op == "equal":
            found.append(Segment("equal", _join(old[a:b])))
            continue
        if a < b:
            found.append(Segment("delete", _join(old[a:b])))
        if c < d:
            found.append(Segment("insert", _join(new[c:d])))
    return found


def _join(pieces: Sequence[str]) -> str:
    return "".join(pieces)
