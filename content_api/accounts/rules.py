"""Who may do what: one pure table and one pure question.

Grants only ever add: nothing takes a right away, so the order of grants and who
gave which first cannot matter. A grant may be narrowed to scopes (language tags
and `*`, what all languages share) and to entry types; `all` does not narrow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ALL = "all"
"""As a scope or type of a grant: not narrowed."""

SHARED = "*"
"""The scope of values that all languages share."""

ACTIONS = frozenset(
    {
        *("entry.read", "entry.write", "entry.approve", "entry.delete"),
        *("asset.read", "asset.write", "asset.delete"),
        *("package.read", "package.write"),
        *("release.read", "release.create", "release.restore"),
        *("device.read", "device.write", "device.self"),
        *("venue.read", "venue.write"),
        *("user.read", "user.write"),
        *("token.read", "token.write"),
        "audit.read",
        *("language.read", "language.write"),
        "type.read",
    }
)

_READ = frozenset(
    {"entry.read", "asset.read", "package.read", "release.read", "language.read", "type.read"}
)

ROLE_ACTIONS: dict[str, frozenset[str]] = {
    "reader": _READ,
    "translator": _READ | {"entry.write"},
    "editor": _READ | {"entry.write", "entry.delete", "asset.write", "package.write"},
    "reviewer": _READ | {"entry.approve"},
    "media": _READ | {"entry.write", "entry.delete", "asset.write", "asset.delete"},
    "publisher": _READ
    | {"package.write", "release.create", "release.restore", "venue.read", "device.read"},
    "venue_manager": _READ | {"venue.read", "venue.write", "device.read", "device.write"},
    "admin": ACTIONS - {"device.self"},
    "device": frozenset({"device.self"}),
}
"""What each role may do, before scopes and types narrow it."""

USER_ROLES = tuple(role for role in ROLE_ACTIONS if role != "device")
"""Roles that a person can be given."""

SCOPED_ACTIONS = frozenset({"entry.write", "entry.approve", "entry.delete"})
"""Actions that name scopes. A deletion takes every language away, so it counts as shared."""

TYPED_ACTIONS = frozenset({"entry.read", *SCOPED_ACTIONS})
"""Actions on entries, which a grant may narrow to entry types."""

_CHANGED_TYPES = {"media": frozenset({"asset"})}
"""Roles that change entries of these types alone: `media` writes what describes an asset."""

_LANGUAGES_ONLY = frozenset({"translator"})
"""Roles that never change what all languages share, however wide their scopes are."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, narrowed to scopes and entry types."""

    role: str
    scopes: tuple[str, ...] = (ALL,)
    types: tuple[str, ...] = (ALL,)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a `user`, a `device`, or the `system` (commands of the machine's operator)."""

    id: str
    name: str
    kind: str
    grants: tuple[Grant, ...] = ()


SYSTEM = Actor(id="system", name="system", kind="system", grants=(Grant("admin"),))
"""The operator's commands. Whoever can run them can read the database anyway."""


def allows(
    actor: Actor, action: str, *, entry_type: str | None = None, scopes: Iterable[str] = ()
) -> bool:
    """Whether `actor` may do `action`.

    Without `entry_type` and `scopes` it answers "for some entry and some scope", the
    question a route asks before it knows the entry. With scopes, each of them must be
    covered, by whichever grants: one grant for `fr` and one for `ja` cover both.

    Creating an entry is `entry.write` with the scopes of its first values.
    """
    if action not in ACTIONS:
        raise ValueError(f"expected an action of accounts.rules, got {action!r}")
    able = [grant for grant in actor.grants if _covers(grant, action, entry_type)]
    named = tuple(scopes)
    if action == "entry.delete" and (named or entry_type is not None):
        named = (SHARED,)
    if action not in SCOPED_ACTIONS or not named:
        return bool(able)
    return all(any(_covers_scope(grant, scope) for grant in able) for scope in named)


def visible_types(actor: Actor, action: str = "entry.read") -> frozenset[str] | None:
    """The entry types that `actor` may do `action` with; None means every type."""
    able = [grant for grant in actor.grants if action in ROLE_ACTIONS.get(grant.role, ())]
    found: set[str] = set()
    for grant in able:
        changed = _CHANGED_TYPES.get(grant.role) if action != "entry.read" else None
        if changed is not None:
            found |= changed if ALL in grant.types else changed & set(grant.types)
        elif ALL in grant.types:
            return None
        else:
            found |= set(grant.types)
    return frozenset(found)


def allowed_scopes(
    actor: Actor, action: str, scopes: Iterable[str], *, entry_type: str | None = None
) -> frozenset[str]:
    """Those of `scopes` in which `actor` may do `action`."""
    return frozenset(
        scope for scope in scopes if allows(actor, action, entry_type=entry_type, scopes=(scope,))
    )


def _covers(grant: Grant, action: str, entry_type: str | None) -> bool:
    if action not in ROLE_ACTIONS.get(grant.role, ()):
        return False
    if action not in TYPED_ACTIONS or entry_type is None:
        return True
    changed = _CHANGED_TYPES.get(grant.role) if action != "entry.read" else None
    if changed is not None and entry_type not in changed:
        return False
    return ALL in grant.types or entry_type in grant.types


def _covers_scope(grant: Grant, scope: str) -> bool:
    if scope == SHARED and grant.role in _LANGUAGES_ONLY:
        return False
    return ALL in grant.scopes or scope in grant.scopes
