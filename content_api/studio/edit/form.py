"""The form of an entry, from its content type: which controls, with which values, for whom. Pure.

Language is a column: a localized field has one cell for each language that is shown, a
shared field has one cell. What a person may not write is shown to read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from content_api.content.document import SHARED, Pair
from content_api.content.types import ContentType, ContentTypes, Field, FieldGroup
from content_api.content.values import publishing_fault

NEW_BLOCK = "__id__"
"""Stands for the id of a block that the page makes from a template."""

MOST_COLUMNS = 4

SHORT_TEXT = 160
"""A shared text of at most so many characters needs no row of its own."""

_SHORT = frozenset({"integer", "number", "boolean", "date", "datetime", "choice"})


@dataclass(frozen=True, slots=True)
class Column:
    """A language shown as a column. `chain`: what an empty text falls back to, in order."""

    tag: str
    chain: tuple[str, ...] = ()
    writable: bool = True
    is_source: bool = False
    """Whether other languages are translated from it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value in one scope. `absent`: nothing was said; a None value is empty on purpose."""

    field: Field
    path: str
    scope: str
    value: Any = None
    absent: bool = True
    writable: bool = True
    chain: tuple[str, ...] = ()
    is_source: bool = False
    needed: bool = False
    """Whether a release would miss a value here."""


@dataclass(frozen=True, slots=True)
class Row:
    """A field with its cells."""

    field: Field
    path: str
    cells: tuple[Cell, ...]
    short: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a story."""

    id: str
    type: str
    label: Mapping[str, str]
    path: str
    rows: tuple[Row, ...] = ()
    summary: str = ""
    """Its first words, for when it is folded."""


@dataclass(frozen=True, slots=True)
class Story:
    """A field of blocks; `templates` has an empty block of every type it takes."""

    field: Field
    path: str
    blocks: tuple[Block, ...] = ()
    templates: tuple[Block, ...] = ()
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Form:
    """Everything an entry's page shows of its document."""

    items: tuple[Row | Story, ...]
    columns: tuple[Column, ...]
    shared_writable: bool

    @property
    def writable(self) -> bool:
        """Whether anything shown may be changed."""
        return self.shared_writable or any(column.writable for column in self.columns)

    @property
    def pairs_named(self) -> list[Any]:
        """The values of cells that name entries or assets."""
        cells = [cell for row in self._rows() for cell in row.cells]
        kinds = ("asset", "assets", "reference", "references")
        return [cell.value for cell in cells if cell.field.kind in kinds and cell.value]

    def _rows(self) -> Iterable[Row]:
        for item in self.items:
            if isinstance(item, Row):
                yield item
            else:
                for block in item.blocks:
                    yield from block.rows


def build_form(
    types: ContentTypes,
    kind: ContentType,
    flat: Mapping[Pair, Any],
    columns: Sequence[Column],
    writable: Collection[str],
) -> Form:
    """A document's form in the languages of `columns`, for somebody who may write `writable`."""
    maker = _Maker(types, flat, tuple(columns), frozenset(writable))
    items = tuple(
        maker.story(found) if found.kind == "blocks" else maker.row(found, found.id)
        for found in kind.fields
    )
    return Form(items, tuple(columns), SHARED in writable)


def choose_columns(
    asked: Iterable[str],
    sources: Mapping[str, str | None],
    writable: Collection[str],
) -> list[str]:
    """The languages to show: those asked for, else the original and one that may be written."""
    found = list(dict.fromkeys(tag for tag in asked if tag in sources))[:MOST_COLUMNS]
    if found:
        return found
    originals = [tag for tag, source in sources.items() if source is None] or list(sources)
    found = originals[:1]
    if found and found[0] not in writable:
        found += [tag for tag in sources if tag in writable and tag not in found][:1]
    return found


@dataclass(frozen=True, slots=True)
class _Maker:
    types: ContentTypes
    flat: Mapping[Pair, Any]
    columns: tuple[Column, ...]
    writable: frozenset[str]

    def row(self, declared: Field, path: str) -> Row:
        if declared.localized:
            cells = tuple(self._localized(declared, path, column) for column in self.columns)
            return Row(declared, path, cells)
        value = self.flat.get((path, SHARED))
        cell = Cell(
            field=declared,
            path=path,
            scope=SHARED,
            value=value,
            absent=(path, SHARED) not in self.flat,
            writable=SHARED in self.writable,
            needed=self._needed(declared, value),
        )
        short = declared.kind in _SHORT or (
            declared.kind == "text" and declared.max is not None and declared.max <= SHORT_TEXT
        )
        return Row(declared, path, (cell,), short)

    def story(self, declared: Field) -> Story:
        blocks = []
        for block_id in self.flat.get((declared.id, SHARED), ()):
            path = f"{declared.id}.{block_id}"
            found = self.types.blocks.get(self.flat.get((path, SHARED), ""))
            if found is not None:
                blocks.append(self._block(found, block_id, path))
        empty = _Maker(self.types, {}, self.columns, self.writable)
        templates = tuple(
            empty._block(self.types.block(name), NEW_BLOCK, f"{declared.id}.{NEW_BLOCK}")
            for name in declared.of
        )
        writable = SHARED in self.writable
        return Story(declared, declared.id, tuple(blocks), templates if writable else (), writable)

    def _block(self, found: FieldGroup, block_id: str, path: str) -> Block:
        rows = tuple(self.row(inner, f"{path}.{inner.id}") for inner in found.fields)
        return Block(block_id, found.id, found.label, path, rows, self._summary(rows))

    def _summary(self, rows: Iterable[Row]) -> str:
        for row in rows:
            for cell in row.cells:
                if row.field.is_text and isinstance(cell.value, str) and cell.value:
                    return cell.value[:90]
        return ""

    def _localized(self, declared: Field, path: str, column: Column) -> Cell:
        pair = (path, column.tag)
        chain = column.chain if declared.fallback == "chain" else ()
        shown = None
        for scope in (column.tag, *chain):
            if (path, scope) in self.flat:
                shown = self.flat[path, scope]
                break
        return Cell(
            field=declared,
            path=path,
            scope=column.tag,
            value=self.flat.get(pair),
            absent=pair not in self.flat,
            writable=column.tag in self.writable,
            chain=chain,
            is_source=column.is_source and declared.is_text,
            needed=self._needed(declared, shown),
        )

    @staticmethod
    def _needed(declared: Field, shown: Any) -> bool:
        fault = publishing_fault(declared, shown)
        return fault is not None and fault[0] == "missing"
