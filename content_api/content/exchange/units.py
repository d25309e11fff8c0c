"""What goes out to translators and what comes back, whatever the format. Pure.

A file names for each entry the revision its texts were taken from. So what comes back is
measured by the very texts that went out: they are in the history, and need not be
believed from a file that has passed through other hands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from content_api.content.exchange.codes import Part, Seen
from content_api.problems import BadRequest
from package_format.layout import is_slug

FORMATS = ("xliff12", "xliff2", "po")

MAX_FILE = 3_500_000
"""Bytes of a file that is read."""

MAX_UNITS = 20_000
"""Texts of one file, out and in."""

SHA_LENGTH = 12
"""Hex digits of a document's hash that travel: enough to tell one state from another."""

_ORIGIN = re.compile(rf"([a-z0-9-]{{1,64}})@(\d{{1,9}})\.([0-9a-f]{{{SHA_LENGTH}}})")
_PATH = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9-]+\.[a-z0-9_]+)?")


FILE_REASONS = (
    "too-large",
    "too-many",
    "encoding",
    "doctype",
    "broken",
    "other-format",
    "several-languages",
    "other-languages",
)


class ExchangeRefused(BadRequest):
    """A file cannot be read or made; the message says why.

    `reason` is one of `FILE_REASONS`, for which the studio has a sentence in each language.
    """

    code = "exchange-refused"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, details={"reason": reason})
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Origin:
    """The state of an entry that texts were taken from."""

    entry_id: str
    rev: int
    sha: str

    def __str__(self) -> str:
        return f"{self.entry_id}@{self.rev}.{self.sha}"


def parse_origin(text: str) -> Origin | None:
    """The origin that `text` names, or None."""
    found = _ORIGIN.fullmatch(text.strip())
    if not found or not is_slug(found[1]):
        return None
    return Origin(found[1], int(found[2]), found[3])


def is_path(text: str) -> bool:
    """Whether `text` may be the path of a text."""
    return len(text) <= 200 and _PATH.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class OutUnit:
    """One text to translate. `status` as in `translation.STATES`.

    `parts` and `target_parts` are the texts taken apart; `before` what the source was when
    an outdated translation was made.
    """

    path: str
    label: str
    kind: str
    source: str
    parts: tuple[Part, ...]
    status: str
    target: str | None = None
    target_parts: tuple[Part, ...] = ()
    max: int | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class OutEntry:
    """The texts of one entry."""

    origin: Origin
    type_label: str
    title: str
    units: tuple[OutUnit, ...]


@dataclass(frozen=True, slots=True)
class OutFile:
    """Everything one file holds."""

    source_language: str
    target_language: str
    entries: tuple[OutEntry, ...]

    def count(self) -> int:
        """How many texts it has."""
        return sum(len(entry.units) for entry in self.entries)


@dataclass(frozen=True, slots=True)
class InUnit:
    """One text as it came back.

    `target` is None where nothing was written. `state` is `unfinished`, `machine` or
    `translated`; whatever a file says, nothing is more than translated. `fault` says that
    the unit itself cannot be read.
    """

    origin: Origin | None
    path: str
    source: str | None
    target: tuple[str | Seen, ...] | None
    state: str
    fault: str | None = None
    name: str = ""
    """What the file calls it, for a report on what we cannot tell."""


@dataclass(frozen=True, slots=True)
class InFile:
    """What came back."""

    format: str
    source_language: str
    target_language: str
    units: tuple[InUnit, ...] = field(default=())
