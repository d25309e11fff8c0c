"""What a preview page offers, and what was chosen of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import quote

from content_api.packages.preview import ENTRY_PREFIX, PERSPECTIVES

TODAY = "today"
"""In an address: no day was chosen."""

_ROUTE = re.compile(r"(?:(?:section|entry|search|credits)(?:/[a-z0-9-]{1,64})?)?")


@dataclass(frozen=True, slots=True)
class Size:
    """A screen to look at a package on: CSS pixels, and the display profile it stands for."""

    id: str
    width: int
    height: int
    profile: str


SIZES = (
    Size("tablet", 1280, 800, "tablet"),
    Size("wall", 3840, 2160, "wall"),
    Size("phone", 390, 844, "guide"),
    Size("galaxy", 1080, 1920, "galaxy"),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen on the page. `day` None is today; `route` is the player's page."""

    subject: str
    perspective: str
    size: Size
    language: str
    day: date | None
    route: str = ""

    @property
    def address(self) -> str:
        """Where the player is served on it."""
        return player_address(self)

    @property
    def source(self) -> str:
        """What the frame shows: the player's address and its page."""
        return self.address + player_hash(self.language, self.route)


def read_choice(
    subject: str,
    given: Mapping[str, str],
    *,
    languages: Sequence[str],
    perspectives: Sequence[str] = PERSPECTIVES,
    route: str = "",
    language: str = "",
) -> Choice:
    """What `given`, an address's query, chooses; anything not understood is as if not given."""
    wanted = given.get("language", "")
    fallback = language if language in languages else (languages[0] if languages else "fr")
    perspective = given.get("perspective", "")
    size = next((size for size in SIZES if size.id == given.get("size")), SIZES[0])
    asked = given.get("route", route)
    return Choice(
        subject=subject,
        perspective=perspective if perspective in perspectives else perspectives[0],
        size=size,
        language=wanted if wanted in languages else fallback,
        day=read_day(given.get("day", "")),
        route=asked if _ROUTE.fullmatch(asked) else route,
    )


def read_day(text: str) -> date | None:
    """A day such as 2027-03-04, or None."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def player_address(choice: Choice) -> str:
    """`/studio/preview/harbour/draft/tablet/today/`; a draft is served in any language."""
    perspective = choice.perspective
    if perspective == "draft":
        perspective = f"draft+{choice.language}"
    day = choice.day.isoformat() if choice.day else TODAY
    subject = quote(choice.subject, safe=":")
    return f"/studio/preview/{subject}/{perspective}/{choice.size.profile}/{day}/"


def player_hash(language: str, route: str) -> str:
    """The player's own address of a page: `#/fr/entry/crane`."""
    return f"#/{language}/{route}" if route else f"#/{language}"


def entry_route(entry_id: str) -> str:
    """The player's page of an entry."""
    return f"entry/{entry_id}"


def entry_subject(entry_id: str) -> str:
    """An entry by itself, as the subject of a preview."""
    return ENTRY_PREFIX + entry_id


def with_subject(choice: Choice, subject: str) -> Choice:
    """The same choice of another package."""
    return replace(choice, subject=subject)
