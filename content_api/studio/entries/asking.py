"""What the lists of entries are asked for: read from an address, and written into one. Pure.

A state is a translation status or a state of approval: the form shows both in one choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from content_api.content.translation import STATES

APPROVALS: dict[str, str] = {"draft": "none", "changed": "older", "approved": "current"}
"""Of `list_entries`, by the word that an address uses."""

ORDERS = ("newest", "title", "id")

USUAL_ORDER = "newest"

MAX_WORDS = 200


@dataclass(frozen=True, slots=True)
class Asking:
    """A question to the list; what is not asked is empty."""

    q: str = ""
    type: str = ""
    language: str = ""
    state: str = ""
    package: str = ""
    mine: bool = False
    order: str = USUAL_ORDER

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is left out."""
        return replace(self, order=USUAL_ORDER) != Asking()

    def filters(self, me: str) -> dict[str, Any]:
        """What the service takes."""
        return {
            "q": self.q or None,
            "type_id": self.type or None,
            "language": self.language or None,
            "status": self.state if self.state in STATES else None,
            "approval": APPROVALS.get(self.state),
            "package": self.package or None,
            "changed_by": me if self.mine else None,
        }

    def address(self, path: str, **more: str) -> str:
        """The address that asks this."""
        asked = {
            "q": self.q,
            "type": self.type,
            "language": self.language,
            "state": self.state,
            "package": self.package,
            "mine": "1" if self.mine else "",
            "order": "" if self.order == USUAL_ORDER else self.order,
            **more,
        }
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"{path}?{query}" if query else path


def asking_of(args: Mapping[str, str]) -> Asking:
    """What an address asks; what it asks wrongly is not asked."""
    state = args.get("state", "") or args.get("status", "")
    order = args.get("order", "")
    return Asking(
        q=args.get("q", "").strip()[:MAX_WORDS],
        type=args.get("type", ""),
        language=args.get("language", ""),
        state=state if state in STATES or state in APPROVALS else "",
        package=args.get("package", ""),
        mine=args.get("mine") == "1",
        order=order if order in ORDERS else USUAL_ORDER,
    )
