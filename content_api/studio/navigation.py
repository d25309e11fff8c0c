"""The studio's main menu: what a person may open, in the order of their work."""

from __future__ import annotations

from dataclasses import dataclass

from content_api.accounts.rules import Actor, allows
from content_api.messages import gettext as _

FLEET = ("/studio/devices/", "/studio/groups/", "/studio/plays/", "/studio/alerts/")
"""Addresses of what lies under "Venues and devices" in the menu."""


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One place in the menu. `current` marks the one being shown."""

    text: str
    href: str
    icon: str
    current: bool


def menu_for(actor: Actor | None, path: str) -> list[MenuItem]:
    """The places that `actor` may open; the longest address that `path` begins with is current."""
    if actor is None:
        return []
    places = (
        (_("Desk"), "/studio/", "home", None),
        (_("Entries"), "/studio/entries/", "text", "entry.read"),
        (_("Languages at a glance"), "/studio/entries/matrix", "grid", "entry.read"),
        (_("Media"), "/studio/media/", "image", "asset.read"),
        (_("Exchange"), "/studio/exchange/", "download", "entry.read"),
        (_("Packages"), "/studio/packages/", "package", "package.read"),
        (_("Venues and devices"), "/studio/venues/", "device", "device.read"),
        (_("People"), "/studio/people/", "people", "user.read"),
        (_("Audit trail"), "/studio/audit/", "history", "audit.read"),
    )
    allowed = [place for place in places if place[3] is None or allows(actor, place[3])]
    if path.startswith(FLEET):
        path = "/studio/venues/"
    # The desk's address begins every other one.
    within = [href for _t, href, _i, _a in allowed if path.startswith(href) and href != "/studio/"]
    best = max(within, key=len, default="/studio/" if path == "/studio/" else "")
    return [MenuItem(text, href, icon, href == best) for text, href, icon, _a in allowed]
