"""Documents: what one revision says, changed by operations, merged, and read in a language. Pure.

Every value is stored once, keyed by scope: a language tag, or `*` for what all
languages share. A document is at heart a mapping of (path, scope) to value:

    ("title", "fr")             a field
    ("story", "*")              the order of a story's blocks
    ("story.b1", "*")           a block's presence; its value is the block's type
    ("story.b1.caption", "ja")  a field of a block

Two changes conflict when they touch the same pair, and only then (a block that is
removed is touched whole). Absent means fallback may apply, null means
intentionally empty.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from content_api.content.types import ContentType, ContentTypes, Field
from content_api.content.values import ValueRefused, clean_value
from package_format.canonical import canonical_json, sha256_hex

SHARED = "*"
"""The scope of what all languages share."""

MAX_OPERATIONS = 1_000
MAX_BODY = 2_000_000
"""Largest document, in bytes of canonical JSON."""

Pair = tuple[str, str]
Flat = dict[Pair, Any]
Body = Mapping[str, Any]

_BLOCK_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
OPERATIONS = ("set", "unset", "insert_block", "move_block", "remove_block")


class OperationRefused(ValueError):
    """An operation cannot be done; `pointer` names its place in the list, e.g. `/2/value`."""

    def __init__(self, message: str, pointer: str = "", path: str = "", scope: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer
        self.path = path
        self.scope = scope


@dataclass(frozen=True, slots=True)
class Clash:
    """A pair that two saves changed differently. A side without a value there lacks it."""

    path: str
    scope: str
    base: tuple[Any, ...] = ()
    mine: tuple[Any, ...] = ()
    theirs: tuple[Any, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the wire: a side that has no value there lacks its key."""
        found: dict[str, Any] = {"path": self.path, "scope": self.scope}
        for name, side in (("base", self.base), ("mine", self.mine), ("theirs", self.theirs)):
            if side:
                found[name] = side[0]
        return found


class Clashes(Exception):
    """Two saves changed the same pairs differently."""

    def __init__(self, clashes: Sequence[Clash]) -> None:
        super().__init__(f"{len(clashes)} values were changed by both")
        self.clashes = tuple(clashes)


def flatten(body: Body) -> Flat:
    """The document as (path, scope) to value."""
    found: Flat = {}
    for name, scopes in body.get("fields", {}).items():
        for scope, value in scopes.items():
            found[name, scope] = value
    for name, story in body.get("blocks", {}).items():
        if story["order"]:
            found[name, SHARED] = list(story["order"])
        for block_id, block in story["items"].items():
            path = f"{name}.{block_id}"
            found[path, SHARED] = block["type"]
            for inner, scopes in block.get("fields", {}).items():
                for scope, value in scopes.items():
                    found[f"{path}.{inner}", scope] = value
    return found


def unflatten(flat: Mapping[Pair, Any]) -> dict[str, Any]:
    """The document of a flat mapping, without anything empty."""
    fields: dict[str, dict[str, Any]] = {}
    blocks: dict[str, dict[str, Any]] = {}
    stories = {path.split(".")[0] for path, _ in flat if "." in path}
    # Shorter paths first: a block before its fields.
    for (path, scope), value in sorted(flat.items(), key=lambda pair: pair[0][0].count(".")):
        parts = path.split(".")
        if path in stories:
            blocks.setdefault(path, {"order": [], "items": {}})["order"] = list(value)
        elif len(parts) == 1:
            fields.setdefault(path, {})[scope] = value
        elif len(parts) == 2:
            story = blocks.setdefault(parts[0], {"order": [], "items": {}})
            story["items"][parts[1]] = {"type": value, "fields": {}}
        else:
            items = blocks[parts[0]]["items"]
            items[parts[1]]["fields"].setdefault(parts[2], {})[scope] = value
    body: dict[str, Any] = {"fields": fields}
    if blocks:
        body["blocks"] = blocks
    return body


def body_sha256(body: Body) -> str:
    """Hash of a document's canonical form."""
    return sha256_hex(canonical_json(body))


def changed_pairs(before: Mapping[Pair, Any], after: Mapping[Pair, Any]) -> set[Pair]:
    """The pairs whose value differs, or that only one of the two has."""
    return {
        pair
        for pair in before.keys() | after.keys()
        if pair not in before or pair not in after or not _same(before[pair], after[pair])
    }


def _same(one: Any, other: Any) -> bool:
    # True == 1 in Python, never in a document.
    return type(one) is type(other) and bool(one == other)


def merge(base: Mapping[Pair, Any], mine: Mapping[Pair, Any], theirs: Mapping[Pair, Any]) -> Flat:
    """What both changes make of `base` together.

    Raises:
        Clashes: both changed the same pair, and not to the same value.
    """
    my_changes = changed_pairs(base, mine)
    their_changes = changed_pairs(base, theirs)
    clashing = {
        pair
        for pair in my_changes & their_changes
        if changed_pairs(_only(mine, pair), _only(theirs, pair))
    }
    clashing |= _below_removed(my_changes, mine, their_changes)
    clashing |= _below_removed(their_changes, theirs, my_changes)
    if clashing:
        raise Clashes([_clash(pair, base, mine, theirs) for pair in sorted(clashing)])
    merged = dict(theirs)
    for pair in my_changes:
        if pair in mine:
            merged[pair] = mine[pair]
        else:
            merged.pop(pair, None)
    return merged


def _only(flat: Mapping[Pair, Any], pair: Pair) -> Flat:
    return {pair: flat[pair]} if pair in flat else {}


def _below_removed(
    changes: Collection[Pair], after: Mapping[Pair, Any], others: Collection[Pair]
) -> set[Pair]:
    """Pairs that others changed inside a block which `changes` removed or retyped."""
    removed = tuple(
        path + "." for path, scope in changes if path.count(".") == 1 and (path, scope) not in after
    )
    return {
        pair for pair in others if removed and pair[0].startswith(removed) and pair not in changes
    }


def _clash(
    pair: Pair, base: Mapping[Pair, Any], mine: Mapping[Pair, Any], theirs: Mapping[Pair, Any]
) -> Clash:
    sides = [(flat[pair],) if pair in flat else () for flat in (base, mine, theirs)]
    return Clash(pair[0], pair[1], *sides)


def apply_operations(
    types: ContentTypes,
    kind: ContentType,
    body: Body,
    operations: Sequence[Mapping[str, Any]],
    languages: Collection[str],
) -> dict[str, Any]:
    """The document after `operations`, each checked against its field; canonical.

    Raises:
        OperationRefused: the first operation that cannot be done.
    """
    if len(operations) > MAX_OPERATIONS:
        raise OperationRefused(f"expected at most {MAX_OPERATIONS} operations in one save")
    flat = flatten(body)
    change = _Change(types, kind, flat, languages)
    for index, operation in enumerate(operations):
        try:
            change.apply(operation)
        except OperationRefused as error:
            error.pointer = f"/{index}{error.pointer}"
            error.path = str(operation.get("path", ""))[:200]
            error.scope = str(operation.get("scope", ""))[:35]
            raise
    found = unflatten(flat)
    if len(canonical_json(found)) > MAX_BODY:
        raise OperationRefused(f"expected a document of at most {MAX_BODY} bytes")
    return found


class _Change:
    """A flat document under change."""

    def __init__(
        self, types: ContentTypes, kind: ContentType, flat: Flat, languages: Collection[str]
    ) -> None:
        self.types = types
        self.kind = kind
        self.flat = flat
        self.languages = languages

    def apply(self, operation: Mapping[str, Any]) -> None:
        name = operation.get("op")
        if name not in OPERATIONS:
            raise OperationRefused(f"expected one of {', '.join(OPERATIONS)}, got {name!r}", "/op")
        path = operation.get("path")
        if not isinstance(path, str) or len(path) > 200:
            raise OperationRefused("expected a path such as title or story.b1.caption", "/path")
        getattr(self, f"_{name}")(path.split("."), operation)

    def _set(self, parts: list[str], operation: Mapping[str, Any]) -> None:
        field, scope = self._target(parts, operation)
        if "value" not in operation:
            raise OperationRefused("expected a value (null: intentionally empty)", "/value")
        try:
            self.flat[".".join(parts), scope] = clean_value(field, operation["value"])
        except ValueRefused as error:
            raise OperationRefused(str(error), "/value") from error

    def _unset(self, parts: list[str], operation: Mapping[str, Any]) -> None:
        _, scope = self._target(parts, operation, removing=True)
        self.flat.pop((".".join(parts), scope), None)

    def _insert_block(self, parts: list[str], operation: Mapping[str, Any]) -> None:
        story, block_id = self._block(parts, operation)
        value = operation.get("value")
        if not isinstance(value, Mapping) or not value.keys() <= {"type", "after", "fields"}:
            raise OperationRefused(
                'expected {"type": …, "after": id or null, "fields": …}', "/value"
            )
        path = f"{story.id}.{block_id}"
        if (path, SHARED) in self.flat:
            raise OperationRefused(f"there is a block {path} already", "/path")
        block_type = value.get("type")
        if not isinstance(block_type, str) or block_type not in story.of:
            raise OperationRefused(f"expected one of {', '.join(story.of)}", "/value/type")
        self.flat[story.id, SHARED] = self._placed(story, block_id, value)
        self.flat[path, SHARED] = block_type
        fields = value.get("fields") or {}
        if not isinstance(fields, Mapping):
            raise OperationRefused("expected fields by id and scope", "/value/fields")
        for field_id, scopes in fields.items():
            if not isinstance(scopes, Mapping):
                raise OperationRefused(
                    "expected values by scope", f"/value/fields/{field_id!s:.40}"
                )
            for scope, inner in scopes.items():
                self._set([*parts, str(field_id)], {"scope": scope, "value": inner})

    def _move_block(self, parts: list[str], operation: Mapping[str, Any]) -> None:
        story, block_id = self._existing(parts, operation)
        value = operation.get("value")
        if not isinstance(value, Mapping) or value.keys() != {"after"}:
            raise OperationRefused('expected {"after": id or null}', "/value")
        order = [found for found in self.flat[story.id, SHARED] if found != block_id]
        self.flat[story.id, SHARED] = self._placed(story, block_id, value, order)

    def _remove_block(self, parts: list[str], operation: Mapping[str, Any]) -> None:
        story, block_id = self._existing(parts, operation)
        path = f"{story.id}.{block_id}"
        for pair in [pair for pair in self.flat if f"{pair[0]}.".startswith(f"{path}.")]:
            del self.flat[pair]
        order = [found for found in self.flat[story.id, SHARED] if found != block_id]
        if order:
            self.flat[story.id, SHARED] = order
        else:
            del self.flat[story.id, SHARED]

    def _placed(
        self,
        story: Field,
        block_id: str,
        value: Mapping[str, Any],
        order: list[str] | None = None,
    ) -> list[str]:
        if order is None:
            order = list(self.flat.get((story.id, SHARED), ()))
        if "after" not in value:
            return [*order, block_id]
        after = value["after"]
        if after is None:
            return [block_id, *order]
        if after not in order:
            raise OperationRefused("expected the id of a block of this story", "/value/after")
        place = order.index(after) + 1
        return [*order[:place], block_id, *order[place:]]

    def _block(self, parts: list[str], operation: Mapping[str, Any]) -> tuple[Field, str]:
        field = self.kind.field(parts[0])
        if len(parts) != 2 or field is None or field.kind != "blocks":
            raise OperationRefused("expected the path of a block such as story.b1", "/path")
        if not _BLOCK_ID.fullmatch(parts[1]):
            raise OperationRefused("expected a block id of a-z, 0-9 and -", "/path")
        if operation.get("scope", SHARED) != SHARED:
            raise OperationRefused("blocks are shared: expected the scope *", "/scope")
        return field, parts[1]

    def _existing(self, parts: list[str], operation: Mapping[str, Any]) -> tuple[Field, str]:
        field, block_id = self._block(parts, operation)
        if (f"{field.id}.{block_id}", SHARED) not in self.flat:
            raise OperationRefused(f"there is no block {field.id}.{block_id}", "/path")
        return field, block_id

    def _target(
        self, parts: list[str], operation: Mapping[str, Any], *, removing: bool = False
    ) -> tuple[Field, str]:
        field = self.kind.field(parts[0])
        if field is not None and len(parts) == 3 and field.kind == "blocks":
            block_type = self.flat.get((f"{parts[0]}.{parts[1]}", SHARED))
            if block_type is None:
                raise OperationRefused(f"there is no block {parts[0]}.{parts[1]}", "/path")
            field = self.types.block(block_type).field(parts[2])
        elif len(parts) != 1 or (field is not None and field.kind == "blocks"):
            field = None
        if field is None:
            raise OperationRefused(f"{self.kind.id} has no field {'.'.join(parts)!r:.80}", "/path")
        return field, self._scope(field, operation.get("scope"), removing=removing)

    def _scope(self, field: Field, scope: Any, *, removing: bool) -> str:
        if field.localized and isinstance(scope, str) and scope in self.languages:
            return scope
        if not field.localized and scope in (None, SHARED):
            return SHARED
        if removing and isinstance(scope, str) and len(scope) <= 35:
            # What a field held before it became shared or localized may be cleared.
            return scope
        expected = f"a language ({', '.join(self.languages)})" if field.localized else "*"
        raise OperationRefused(
            f"{field.id}: expected the scope {expected}, got {scope!r:.40}", "/scope"
        )


def field_at(
    types: ContentTypes, kind: ContentType, flat: Mapping[Pair, Any], path: str
) -> Field | None:
    """The field at `path`, or None for a block, an order, or what the types no longer know."""
    parts = path.split(".")
    if len(parts) == 1:
        field = kind.field(path)
        return None if field is None or field.kind == "blocks" else field
    if len(parts) != 3:
        return None
    block = types.blocks.get(flat.get((f"{parts[0]}.{parts[1]}", SHARED), ""))
    return block.field(parts[2]) if block else None


def operations_between(before: Body, after: Body, kind: ContentType) -> list[dict[str, Any]]:
    """Operations that turn one document into another: for restoring and importing."""
    old, new = flatten(before), flatten(after)
    stories = [field.id for field in kind.fields if field.kind == "blocks"]
    found: list[dict[str, Any]] = []
    for story in stories:
        kept = [
            block
            for block in old.get((story, SHARED), ())
            if _same(old.get((f"{story}.{block}", SHARED)), new.get((f"{story}.{block}", SHARED)))
        ]
        for block in old.get((story, SHARED), ()):
            if block not in kept:
                path = f"{story}.{block}"
                found.append({"op": "remove_block", "path": path})
                old = {p: v for p, v in old.items() if not f"{p[0]}.".startswith(f"{path}.")}
        after_id = None
        for block in new.get((story, SHARED), ()):
            path = f"{story}.{block}"
            if block not in kept:
                value = {"type": new[path, SHARED], "after": after_id}
                found.append({"op": "insert_block", "path": path, "value": value})
            after_id = block
        if kept and [b for b in new.get((story, SHARED), ()) if b in kept] != kept:
            after_id = None
            for block in new[story, SHARED]:
                path = f"{story}.{block}"
                found.append({"op": "move_block", "path": path, "value": {"after": after_id}})
                after_id = block
    for path, scope in sorted(changed_pairs(old, new)):
        if path in stories or path.count(".") == 1:
            continue
        if (path, scope) in new:
            operation = {"op": "set", "path": path, "scope": scope, "value": new[path, scope]}
        else:
            operation = {"op": "unset", "path": path, "scope": scope}
        found.append(operation)
    return found


@dataclass(frozen=True, slots=True)
class Resolved:
    """A document in one language: what is shown, and which language it comes from."""

    fields: dict[str, Any]
    languages: dict[str, str]
    """For a localized field whose value is another language's: that language."""


def resolve(
    types: ContentTypes,
    kind: ContentType,
    bodies: Mapping[str, Body],
    language: str,
    chain: Iterable[str],
) -> Resolved:
    """What `language` shows of an entry whose scopes are at the given bodies.

    `bodies` maps each scope to the document it is taken from: a scope is read from its
    own document alone. Blocks come in the order of the shared scope's document.
    """
    chain = tuple(chain)
    flats = {scope: flatten(body) for scope, body in bodies.items()}
    found = _resolve_fields(kind.fields, "", flats, language, chain)
    shared = flats.get(SHARED, {})
    for field in kind.fields:
        if field.kind != "blocks":
            continue
        blocks = []
        for block_id in shared.get((field.id, SHARED), ()):
            path = f"{field.id}.{block_id}"
            block = types.blocks.get(shared[path, SHARED])
            if block is None:
                continue
            inner = _resolve_fields(block.fields, f"{path}.", flats, language, chain)
            blocks.append(
                {"id": block_id, "type": block.id, "fields": inner.fields, "in": inner.languages}
            )
        if blocks:
            found.fields[field.id] = blocks
    return found


def _resolve_fields(
    fields: Iterable[Field],
    prefix: str,
    flats: Mapping[str, Mapping[Pair, Any]],
    language: str,
    chain: tuple[str, ...],
) -> Resolved:
    found = Resolved({}, {})
    for field in fields:
        if field.kind == "blocks":
            continue
        scopes: tuple[str, ...] = (SHARED,)
        if field.localized:
            scopes = (language, *chain) if field.fallback == "chain" else (language,)
        for scope in scopes:
            pair = (prefix + field.id, scope)
            if pair in flats.get(scope, {}):
                value = flats[scope][pair]
                if value is not None:
                    found.fields[field.id] = value
                    if scope not in (SHARED, language):
                        found.languages[field.id] = scope
                break
    return found
