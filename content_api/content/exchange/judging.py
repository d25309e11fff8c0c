"""What becomes of one text that came back. Pure: no file, no database.

A text is taken as a translation of the source it was made from. Nothing that changed here
since the file went out is overwritten, and nothing is ever emptied by a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from content_api.content.exchange.codes import CodesRefused, Part, from_seen, take_apart
from content_api.content.exchange.units import InUnit
from content_api.content.translation import text_hash
from content_api.content.types import Field
from content_api.content.values import ValueRefused, clean_text

TAKEN, CONFIRMED, UNCHANGED, REFUSED = "taken", "confirmed", "unchanged", "refused"
OUTCOMES = (TAKEN, CONFIRMED, UNCHANGED, REFUSED)

REASONS = (
    "unknown-entry",
    "unknown-state",
    "path-gone",
    "not-allowed",
    "unreadable",
    "part-missing",
    "source-altered",
    "mark-lost",
    "mark-unknown",
    "mark-twice",
    "mark-crossed",
    "bad-text",
    "too-long",
    "fuzzy",
    "conflict",
    "again",
)
"""Why a text is refused. The studio has a sentence for each."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts at one path: when the file went out, and now. None: there is none."""

    source_then: str | None
    target_then: str | None
    source_now: str | None
    target_now: str | None
    status_now: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a text; `value` is what would be saved, `detail` belongs to `reason`.

    `outdated`: its source has changed since, so it will need another look. `state` is what
    is claimed of it: `translated` or `machine`.
    """

    outcome: str
    reason: str = ""
    detail: str = ""
    value: str | None = None
    state: str = "translated"
    outdated: bool = False


def judge(unit: InUnit, field: Field, texts: Texts, form: str) -> Verdict:
    """The verdict on one text of a file of format `form`, whose entry and path are known."""
    if unit.fault is not None:
        return Verdict(REFUSED, unit.fault if unit.fault in REASONS else "unreadable")
    if not texts.source_then:
        return Verdict(REFUSED, "path-gone")
    if unit.target is None:
        return Verdict(UNCHANGED, "nothing-written")
    parts: Sequence[Part] = (
        take_apart(texts.source_then, field.kind) if form != "po" else (texts.source_then,)
    )
    if unit.source is not None and not _same_source(unit.source, texts.source_then, parts):
        return Verdict(REFUSED, "source-altered")
    try:
        value = clean_text(from_seen(unit.target, parts))
    except CodesRefused as error:
        return Verdict(REFUSED, f"mark-{error.reason}", error.shown[:200])
    except ValueRefused as error:
        return Verdict(REFUSED, "bad-text", str(error))
    return _compare(unit, field, texts, form, value)


def _compare(unit: InUnit, field: Field, texts: Texts, form: str, value: str) -> Verdict:
    if not value:
        return Verdict(UNCHANGED, "nothing-written")
    outdated = text_hash(texts.source_then) != text_hash(texts.source_now)
    if value == texts.target_now:
        waits = texts.status_now in ("outdated", "machine")
        if waits and not outdated and unit.state == "translated":
            return Verdict(CONFIRMED, value=value)
        return Verdict(UNCHANGED, "same")
    if value == texts.target_then:
        # Nobody worked on it there; somebody did here.
        return Verdict(UNCHANGED, "same")
    if texts.target_now != texts.target_then:
        return Verdict(REFUSED, "conflict", (texts.target_now or "")[:500], value=value)
    if field.max is not None and len(value) > field.max:
        return Verdict(REFUSED, "too-long", f"{len(value)} > {field.max}", value=value)
    if form == "po" and unit.state == "unfinished":
        return Verdict(REFUSED, "fuzzy", value=value)
    state = "machine" if unit.state == "machine" else "translated"
    return Verdict(TAKEN, value=value, state=state, outdated=outdated)


def _same_source(given: str, sent: str, parts: Sequence[Part]) -> bool:
    # Tools may change white space; the marks of a source are codes in XLIFF, no words.
    return text_hash(given) in (text_hash(sent), text_hash("".join(_words(parts))))


def _words(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        else:
            yield from _words(part.inside)
