"""Reading the grants that the form of a person's page sends. Pure.

Each row of the form has a key in `grant`; its values are named `<key>-role`, `<key>-where`
(all or some), `<key>-scopes`, `<key>-what` (all or some), `<key>-types`. A row without a
role is no grant.
"""

from __future__ import annotations

from collections.abc import Sequence

from werkzeug.datastructures import MultiDict

from content_api.accounts.rules import ALL, Grant

MAX_GRANTS = 50


def read_grants(form: MultiDict[str, str]) -> list[Grant]:
    """The grants of a sent form, not yet held to their rules."""
    found = []
    for key in form.getlist("grant")[:MAX_GRANTS]:
        role = form.get(f"{key}-role", "")
        if role:
            scopes = _chosen(form, key, "where", "scopes")
            found.append(Grant(role, scopes, _chosen(form, key, "what", "types")))
    return found


def _chosen(form: MultiDict[str, str], key: str, choice: str, values: str) -> tuple[str, ...]:
    if form.get(f"{key}-{choice}", ALL) != "some":
        return (ALL,)
    chosen: Sequence[str] = form.getlist(f"{key}-{values}")
    return tuple(dict.fromkeys(chosen))
