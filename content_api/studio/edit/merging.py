"""Unsaved work laid over a document, and two people's work put together. Pure.

The service merges what does not touch; here is what a person needs when it does: every
place they must decide on, and for each what either decision makes of the document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from content_api.content.document import SHARED, Clashes, Flat, Pair, changed_pairs, merge

Change = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """A place that both changed. `mine` and `theirs` are pairs to set or (absent) to take away.

    `kind`: `value`, `block` (one removed it, one wrote in it) or `order`.
    """

    kind: str
    path: str
    scope: str
    mine: dict[Pair, tuple[Any, ...]] = field(default_factory=dict)
    theirs: dict[Pair, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Together:
    """Two changes of one document put together; where a decision is open, theirs stands."""

    flat: Flat
    decisions: tuple[Decision, ...] = ()
    orders: Mapping[str, list[str]] = field(default_factory=dict)
    """The order of each story with the blocks that are undecided in their places."""


def lay_over(
    flat: Mapping[Pair, Any], operations: Sequence[Change], stories: Collection[str]
) -> Flat:
    """A document with unsaved work over it, values as they were typed: nothing is refused.

    What no longer makes sense (a field of a block that is gone) is left out.
    """
    found: Flat = dict(flat)
    for operation in operations:
        name, path = operation.get("op"), str(operation.get("path", ""))
        scope, value = str(operation.get("scope", SHARED)), operation.get("value")
        if name == "set":
            found[path, scope] = value
        elif name == "unset":
            found.pop((path, scope), None)
        elif path.count(".") != 1 or path.split(".")[0] not in stories:
            continue
        elif name == "insert_block" and isinstance(value, Mapping):
            found[path, SHARED] = value.get("type")
            _place(found, path, value)
        elif name == "move_block" and isinstance(value, Mapping):
            if (path, SHARED) in found:
                _place(found, path, value)
        elif name == "remove_block":
            found = {pair: kept for pair, kept in found.items() if not _within(pair[0], path)}
    return repaired(found, stories)


def reconcile(
    base: Mapping[Pair, Any],
    mine: Mapping[Pair, Any],
    theirs: Mapping[Pair, Any],
    stories: Collection[str],
) -> Together:
    """What both changes make together, and what a person must decide.

    Blocks that either side added or removed keep their places by themselves; the order is
    asked about only where both moved blocks, and differently.
    """
    try:
        return Together(repaired(merge(base, mine, theirs), stories))
    except Clashes as clashes:
        pairs = [(clash.path, clash.scope) for clash in clashes.clashes]
    merged: Flat = dict(theirs)
    blocks = _clashing_blocks(pairs, mine, theirs, stories)
    for pair in changed_pairs(base, mine):
        if pair in pairs or any(_within(pair[0], block) for block in blocks):
            continue
        if pair in mine:
            merged[pair] = mine[pair]
        else:
            merged.pop(pair, None)
    decisions = [_block_decision(path, mine, theirs) for path in blocks]
    orders: dict[str, list[str]] = {}
    for story in stories:
        undecided = [path.split(".")[1] for path in blocks if path.split(".")[0] == story]
        if not undecided and (story, SHARED) not in pairs:
            continue
        at_first = list(base.get((story, SHARED), ()))
        my_order, their_order = (
            _with_blocks(list(side.get((story, SHARED), ())), at_first, undecided)
            for side in (mine, theirs)
        )
        orders[story], decided = combine_orders(at_first, my_order, their_order)
        merged[story, SHARED] = orders[story]
        if not decided:
            decisions.append(_value_decision("order", (story, SHARED), mine, theirs))
    decisions += [
        _value_decision("value", pair, mine, theirs)
        for pair in pairs
        if pair[0] not in stories and not any(_within(pair[0], block) for block in blocks)
    ]
    return Together(repaired(merged, stories), tuple(decisions), orders)


def combine_orders(
    base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]
) -> tuple[list[str], bool]:
    """Two orders of blocks as one, and whether that needs nobody's decision.

    Who moved nothing follows who did; what either added stands behind the block it was put
    behind; what either removed is gone.
    """
    kept = [block for block in base if block in mine and block in theirs]
    my_way = [block for block in mine if block in kept]
    their_way = [block for block in theirs if block in kept]
    decided = my_way in (kept, their_way) or their_way == kept
    first, other = (mine, theirs) if their_way == kept else (theirs, mine)
    gone = {block for block in base if block not in mine or block not in theirs}
    found = [block for block in first if block not in gone]
    for index, block in enumerate(other):
        if block in found or block in gone:
            continue
        before = next((known for known in reversed(other[:index]) if known in found), None)
        place = 0 if before is None else found.index(before) + 1
        while place < len(found) and found[place] not in base:
            place += 1
        found.insert(place, block)
    return found, decided


def repaired(flat: Mapping[Pair, Any], stories: Collection[str]) -> Flat:
    """The document with each order naming exactly the blocks there are, and no field of others."""
    found: Flat = {}
    for (path, scope), value in flat.items():
        parts = path.split(".")
        if len(parts) == 3 and (f"{parts[0]}.{parts[1]}", SHARED) not in flat:
            continue
        if parts[0] in stories and len(parts) == 1:
            continue
        found[path, scope] = value
    for story in stories:
        there = [
            path.split(".")[1]
            for path, scope in found
            if scope == SHARED and path.count(".") == 1 and path.startswith(f"{story}.")
        ]
        named = flat.get((story, SHARED))
        order = [block for block in named if block in there] if isinstance(named, list) else []
        order = list(dict.fromkeys(order))
        order += [block for block in there if block not in order]
        if order:
            found[story, SHARED] = order
    return found


def _place(flat: Flat, path: str, value: Mapping[str, Any]) -> None:
    story, block = path.split(".")
    order = [known for known in flat.get((story, SHARED), ()) if known != block]
    after = value.get("after", order[-1] if order else None)
    index = order.index(after) + 1 if after in order else (0 if after is None else len(order))
    flat[story, SHARED] = [*order[:index], block, *order[index:]]


def _within(path: str, block: str) -> bool:
    return path == block or path.startswith(f"{block}.")


def _with_blocks(order: list[str], at_first: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """An order with these blocks in it: where they stood at first, if they do not stand in it."""
    found = list(order)
    for block in wanted:
        if block not in found and block in at_first:
            earlier = at_first[: at_first.index(block)]
            before = next((known for known in reversed(earlier) if known in found), None)
            found.insert(0 if before is None else found.index(before) + 1, block)
    return found


def _clashing_blocks(
    pairs: Iterable[Pair],
    mine: Mapping[Pair, Any],
    theirs: Mapping[Pair, Any],
    stories: Collection[str],
) -> list[str]:
    """Blocks that one side removed (or made anew) while the other changed them."""
    found = set()
    for path, _scope in pairs:
        parts = path.split(".")
        if parts[0] not in stories or len(parts) == 1:
            continue
        block = f"{parts[0]}.{parts[1]}"
        if len(parts) == 2 or ((block, SHARED) in mine) != ((block, SHARED) in theirs):
            found.add(block)
    return sorted(found)


def _sides(pairs: Iterable[Pair], flat: Mapping[Pair, Any]) -> dict[Pair, tuple[Any, ...]]:
    return {pair: (flat[pair],) if pair in flat else () for pair in pairs}


def _value_decision(
    kind: str, pair: Pair, mine: Mapping[Pair, Any], theirs: Mapping[Pair, Any]
) -> Decision:
    return Decision(kind, *pair, mine=_sides([pair], mine), theirs=_sides([pair], theirs))


def _block_decision(path: str, mine: Mapping[Pair, Any], theirs: Mapping[Pair, Any]) -> Decision:
    pairs = sorted(pair for pair in {*mine, *theirs} if _within(pair[0], path))
    return Decision("block", path, SHARED, mine=_sides(pairs, mine), theirs=_sides(pairs, theirs))
