"""Marks inside a text that a translation tool must carry over, not translate. Pure.

A text becomes literal parts and codes: emphasis, strong emphasis, links as pairs around
what they mark, ruby as one thing. A code keeps the very characters it stands for, so a
text that is taken apart and put together again is the same to the last character. What
is not recognised stays literal, and no harm is done: marks of lists, quotes and headings
are left to the translator, as is the spelling of every mark in what they add themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MOST_NESTED = 4
"""How deep marks are taken apart inside marks; deeper ones stay literal."""

LONGEST = 600
"""Characters between two marks that belong together; bounds the search on hostile texts."""

LONGEST_TEXT = 20_000
"""Characters of a text that is taken apart; a longer one stays literal as a whole."""

_INSIDE = rf"(?=\S)[^\n]{{1,{LONGEST}}}?(?<=\S)"
_CODE = re.compile(
    rf"""
      \\[\s\S]                                                      # escaped: literal
    | (?P<ticks>`+)[^`\n]{{1,{LONGEST}}}(?P=ticks)(?!`)             # code: literal
    | \{{(?P<base>[^{{}}|\n]{{1,100}})\|(?P<reading>[^{{}}|\n]{{1,100}})\}}
    | (?<!!)\[(?P<words>[^\[\]\n]{{1,{LONGEST}}})\](?P<address>\([^()\s]{{1,2000}}\))
    | (?P<strong>\*\*(?!\*)|__(?!_))(?P<bold>{_INSIDE})(?P=strong)(?![*_])
    | (?P<em>\*(?!\*)|(?<!\w)_(?!_))(?P<italic>{_INSIDE})(?P=em)(?![*\w])
    """,
    re.VERBOSE,
)


class CodesRefused(ValueError):
    """A text came back without a mark that it needs, or with one that it never had.

    `reason` is `lost`, `unknown`, `twice` or `crossed`; `shown` the mark's own characters.
    """

    def __init__(self, reason: str, shown: str) -> None:
        super().__init__(f"{reason}: {shown}")
        self.reason = reason
        self.shown = shown


@dataclass(frozen=True, slots=True)
class Code:
    """One mark. `close` and `inside` are of pairs; ruby has neither.

    `kind` is bold, italic, link or ruby.
    """

    id: str
    kind: str
    open: str
    close: str | None = None
    inside: tuple[Part, ...] = ()

    @property
    def may_go(self) -> bool:
        """Whether a translation may leave it out: emphasis and readings, but no link."""
        return self.kind != "link"


Part = str | Code


@dataclass(frozen=True, slots=True)
class Seen:
    """A code as a file names it: `open`, `close` or `single`, by its id."""

    what: str
    id: str


def take_apart(text: str, kind: str) -> tuple[Part, ...]:
    """The literal parts and codes of a text of a field of `kind`; plain text has no codes."""
    if kind not in ("inline", "markdown") or len(text) > LONGEST_TEXT:
        return (text,) if text else ()
    counter = iter(range(1, len(text) + 2))
    return tuple(_parts(text, counter, 0))


def put_together(parts: Iterable[Part]) -> str:
    """The text of parts: the inverse of `take_apart`."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, str):
            found.append(part)
        else:
            found += [part.open, put_together(part.inside), part.close or ""]
    return "".join(found)


def all_codes(parts: Iterable[Part]) -> Iterator[Code]:
    """Every code, outer ones before those inside them."""
    for part in parts:
        if isinstance(part, Code):
            yield part
            yield from all_codes(part.inside)


def like_source(target: str, kind: str, source: Sequence[Part]) -> tuple[Part, ...]:
    """A translation in parts whose codes are the source's; a mark of its own stays literal."""
    free = list(all_codes(source))
    return tuple(_joined(_like(take_apart(target, kind), free)))


def from_seen(seen: Iterable[str | Seen], source: Sequence[Part]) -> str:
    """The text of what a file holds, its codes those of the source text.

    Raises:
        CodesRefused: a link of the source is missing, a code is not the source's, stands
            twice, or opens without closing.
    """
    known = {code.id: code for code in all_codes(source)}
    opened: list[str] = []
    used: set[str] = set()
    found: list[str] = []
    for part in seen:
        if isinstance(part, str):
            found.append(part)
            continue
        code = known.get(part.id)
        if code is None or (part.what == "single") != (code.close is None):
            raise CodesRefused("unknown", part.id[:40])
        if part.what == "close":
            if part.id not in opened:
                raise CodesRefused("crossed", code.open)
            opened.remove(part.id)
            found.append(code.close or "")
            continue
        if part.id in used:
            raise CodesRefused("twice", code.open)
        used.add(part.id)
        if part.what == "open":
            opened.append(part.id)
        found.append(code.open)
    if opened:
        raise CodesRefused("crossed", known[opened[0]].open)
    for code in known.values():
        if not code.may_go and code.id not in used:
            raise CodesRefused("lost", f"{code.open}{code.close or ''}")
    return "".join(found)


def _parts(text: str, counter: Iterator[int], depth: int) -> Iterator[Part]:
    place = 0
    for match in _CODE.finditer(text) if depth < MOST_NESTED else ():
        code = _code(match, counter, depth)
        if code is None:
            continue
        if match.start() > place:
            yield text[place : match.start()]
        yield code
        place = match.end()
    if place < len(text):
        yield text[place:]


def _code(match: re.Match[str], counter: Iterator[int], depth: int) -> Code | None:
    if match["base"] is not None:
        return Code(str(next(counter)), "ruby", match[0])
    if match["address"] is not None:
        code_id = str(next(counter))
        inside = tuple(_parts(match["words"], counter, depth + 1))
        return Code(code_id, "link", "[", f"]{match['address']}", inside)
    for kind, mark in (("bold", match["strong"]), ("italic", match["em"])):
        if mark is not None:
            code_id = str(next(counter))
            inside = tuple(_parts(match[kind], counter, depth + 1))
            return Code(code_id, kind, mark, mark, inside)
    return None


def _like(parts: Iterable[Part], free: list[Code]) -> Iterator[Part]:
    for part in parts:
        if isinstance(part, str):
            yield part
            continue
        same = next(
            (c for c in free if (c.kind, c.open, c.close) == (part.kind, part.open, part.close)),
            None,
        )
        if same is not None:
            free.remove(same)
            inside = tuple(_joined(_like(part.inside, free)))
            yield Code(same.id, same.kind, same.open, same.close, inside)
        else:
            yield part.open
            yield from _like(part.inside, free)
            yield part.close or ""


def _joined(parts: Iterable[Part]) -> Iterator[Part]:
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
            text = ""
        yield part
    if text:
        yield text
