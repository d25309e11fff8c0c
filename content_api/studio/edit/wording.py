"""Fields, values and differences of a document in words that a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from content_api.content.document import SHARED, Flat, Pair, changed_pairs, field_at
from content_api.content.index import REFERENCE_KINDS
from content_api.content.translation import difference
from content_api.content.types import ContentType, ContentTypes, Field
from content_api.messages import gettext as _
from content_api.messages import ngettext
from content_api.studio.edit.merging import Decision
from content_api.studio.formats import format_number, label_of, language_name
from content_api.studio.widgets.choices import preloaded

Flats = Sequence[Mapping[Pair, Any]]


@dataclass(frozen=True, slots=True)
class Wording:
    """Says what stands where in the documents of one type."""

    types: ContentTypes
    kind: ContentType

    @property
    def stories(self) -> list[str]:
        """The fields that hold blocks."""
        return [found.id for found in self.kind.fields if found.kind == "blocks"]

    def place(self, path: str, flats: Flats) -> str:
        """A place of a document: `Story › Paragraph 2 › Text`."""
        parts = path.split(".")
        declared = self.kind.field(parts[0])
        found = [label_of(declared.label, declared.id) if declared else parts[0]]
        if len(parts) > 1:
            found.append(self._block(parts[0], parts[1], flats))
        if len(parts) > 2:
            inner = self._field(path, flats)
            found.append(label_of(inner.label, inner.id) if inner else parts[2])
        return " › ".join(found)

    def scope(self, scope: str) -> str:
        """A language, or what all languages share."""
        return _("all languages") if scope == SHARED else language_name(scope)

    def value(self, path: str, value: tuple[Any, ...], flats: Flats) -> str:
        """A value as text; an absent one is empty."""
        if not value:
            return ""
        if value[0] is None:
            return _("(empty on purpose)")
        found = value[0]
        if path in self.stories:
            return self._order(path, found, flats)
        if path.count(".") == 1:
            block = self.types.blocks.get(found)
            return label_of(block.label, block.id) if block else str(found)
        return shown_value(self._field(path, flats), found)

    def changes(self, before: Flat, after: Flat) -> list[dict[str, Any]]:
        """What differs between two documents, place by place in the order of the form."""
        flats = (after, before)
        gone = _blocks_of_one(before, after, self.stories)
        found = []
        for path, scope in sorted(changed_pairs(before, after), key=self._rank(flats)):
            if len(path.split(".")) == 3 and path.rsplit(".", 1)[0] in gone:
                continue
            if path in self.stories and _same_way(before, after, path):
                # The blocks that came or went tell of themselves.
                continue
            old, new = (self.value(path, side, flats) for side in _both(before, after, path, scope))
            if path in gone:
                old = self._block_text(path, before, flats) or old
            found.append(
                {
                    "label": self.place(path, flats),
                    "language": self.scope(scope),
                    "scope": scope,
                    "path": path,
                    "segments": segments(old, new),
                }
            )
        return found

    def decision(self, made: Decision, base: Flat, mine: Flat, theirs: Flat) -> dict[str, Any]:
        """A place to decide on, for the page: what it was, theirs and mine."""
        flats = (mine, theirs, base)
        sides = {}
        for name, flat in (("base", base), ("theirs", theirs), ("mine", mine)):
            if made.kind == "block":
                sides[name] = self._block_text(made.path, flat, flats)
            else:
                pair = (made.path, made.scope)
                sides[name] = self.value(made.path, (flat[pair],) if pair in flat else (), flats)
        declared = self._field(made.path, flats) if made.kind == "value" else None
        return {
            "kind": made.kind,
            "path": made.path,
            "scope": made.scope,
            "label": self.place(made.path, flats),
            "language": self.scope(made.scope),
            "is_text": bool(declared and declared.is_text),
            "base": sides["base"],
            "theirs": {
                "text": sides["theirs"],
                "segments": segments(sides["base"], sides["theirs"]),
            },
            "mine": {"text": sides["mine"], "segments": segments(sides["base"], sides["mine"])},
            "take_mine": _as_list(made.mine),
            "take_theirs": _as_list(made.theirs),
        }

    def _field(self, path: str, flats: Flats) -> Field | None:
        for flat in flats:
            found = field_at(self.types, self.kind, flat, path)
            if found is not None:
                return found
        return None

    def _block(self, story: str, block_id: str, flats: Flats) -> str:
        for flat in flats:
            order = flat.get((story, SHARED), ())
            block = self.types.blocks.get(str(flat.get((f"{story}.{block_id}", SHARED))))
            if block is not None and block_id in order:
                name = label_of(block.label, block.id)
                return _(
                    "%(block)s %(n)s", block=name, n=format_number(list(order).index(block_id) + 1)
                )
        return block_id

    def _order(self, story: str, order: Any, flats: Flats) -> str:
        return ", ".join(self._block(story, str(block), flats) for block in order)

    def _block_text(self, path: str, flat: Flat, flats: Flats) -> str:
        if (path, SHARED) not in flat:
            return _("(removed)")
        rows = []
        for (inner, scope), value in sorted(flat.items()):
            if inner.startswith(f"{path}."):
                said = self.value(inner, (value,), flats)
                rows.append(said if scope == SHARED else f"{scope}: {said}")
        return "\n".join(rows)

    def _rank(self, flats: Flats) -> Any:
        fields = [found.id for found in self.kind.fields]

        def rank(pair: Pair) -> tuple[Any, ...]:
            parts = pair[0].split(".")
            place = fields.index(parts[0]) if parts[0] in fields else len(fields)
            order: list[str] = []
            for flat in flats if parts[0] in self.stories else ():
                order += [block for block in flat.get((parts[0], SHARED), ()) if block not in order]
            inner = order.index(parts[1]) if len(parts) > 1 and parts[1] in order else -1
            return place, inner, len(parts), pair

        return rank


def shown_value(declared: Field | None, value: Any) -> str:
    """A value of a field as a person reads it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if declared is not None and declared.kind in ("choice", "choices"):
        chosen = value if isinstance(value, list) else [value]
        return ", ".join(label_of(declared.choices.get(str(c)), str(c)) for c in chosen)
    if declared is not None and declared.kind in REFERENCE_KINDS:
        ids = value if isinstance(value, list) else [value]
        named = preloaded(str(found) for found in ids)
        return ", ".join(choice.title if choice else key for key, choice in named)
    if isinstance(value, Mapping):
        return ", ".join(
            f"{key} {format_number(part) if isinstance(part, (int, float)) else part}"
            for key, part in value.items()
        )
    if isinstance(value, (int, float)):
        return format_number(value)
    if isinstance(value, list):
        return ngettext("%(n)s thing", "%(n)s things", len(value))
    return str(value)


def segments(before: str, after: str) -> list[list[str]]:
    """A difference as [op, text] pairs."""
    return [[part.op, part.text] for part in difference(before, after)]


def ids_named(types: ContentTypes, kind: ContentType, flats: Iterable[Flat]) -> set[str]:
    """Every id that documents name, to be read in one query."""
    found: set[str] = set()
    for flat in flats:
        for (path, _scope), value in flat.items():
            declared = field_at(types, kind, flat, path)
            if declared is not None and declared.kind in REFERENCE_KINDS and value:
                found |= {str(one) for one in (value if isinstance(value, list) else [value])}
    return found


def _both(before: Flat, after: Flat, path: str, scope: str) -> list[tuple[Any, ...]]:
    pair = (path, scope)
    return [(flat[pair],) if pair in flat else () for flat in (before, after)]


def _blocks_of_one(before: Flat, after: Flat, stories: Sequence[str]) -> set[str]:
    """Blocks that were removed: one line tells of them, not one for every field."""
    return {
        path
        for path, scope in before
        if scope == SHARED
        and path.count(".") == 1
        and path.split(".")[0] in stories
        and (path, scope) not in after
    }


def _same_way(before: Flat, after: Flat, story: str) -> bool:
    """Whether the blocks that both have stand in the same order."""
    was, now = (list(flat.get((story, SHARED), ())) for flat in (before, after))
    return [block for block in was if block in now] == [block for block in now if block in was]


def _as_list(pairs: Mapping[Pair, tuple[Any, ...]]) -> list[list[Any]]:
    """[path, scope] to take away, [path, scope, value] to set."""
    return [[path, scope, *value] for (path, scope), value in pairs.items()]
