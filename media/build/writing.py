"""Entries as they are written to disk, in one fixed order of keys.

The order is the one the server's export uses, so that importing this folder
and exporting it again gives the same bytes: fields as the content type lists
them, `*` before the languages, languages as languages.yml lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SHARED = "*"
_BEFORE_SIGN = re.compile(r"[ \u00a0](?=[;:!?»])|(?<=«)[ \u00a0]")


class _PlainDumper(yaml.SafeDumper):
    """Repeats a value instead of naming it: the importer refuses aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(value: Any) -> str:
    """`value` as block-style YAML, keys in the order given, text never folded."""
    return yaml.dump(
        value,
        Dumper=_PlainDumper,
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000,
        default_flow_style=False,
    )


@dataclass
class Entry:
    """One entry under construction: values by field and scope, blocks, claims."""

    id: str
    type: str
    file: str | None = None
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    blocks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    claims: dict[str, dict[str, str]] = field(default_factory=dict)

    def share(self, name: str, value: Any) -> None:
        """Set what all languages share; None and empty values are left absent."""
        if value not in (None, "", [], {}):
            self.fields.setdefault(name, {})[SHARED] = value

    def say(self, name: str, texts: dict[str, Any] | None, state: str | None = None) -> None:
        """Set `name` in each language of `texts`.

        English is reviewed against the French source, the others are
        translated; `state` overrides both. A text without French claims nothing.
        """
        for tag, text in (texts or {}).items():
            if text in (None, ""):
                continue
            self.fields.setdefault(name, {})[tag] = _set_type(text) if tag == "fr" else text
            if tag != "fr" and texts and texts.get("fr"):
                self._claim(tag, name, state)

    def add_block(
        self, name: str, kind: str, shared: dict[str, Any], texts: dict[str, dict[str, str]]
    ) -> None:
        """Append a block to the field `name`; its id is its place in the order made."""
        blocks = self.blocks.setdefault(name, [])
        block_id = f"b{len(blocks) + 1}"
        values: dict[str, dict[str, Any]] = {}
        for key, value in shared.items():
            if value is not None:
                values[key] = {SHARED: value}
        for key, by_language in texts.items():
            for tag, text in by_language.items():
                values.setdefault(key, {})[tag] = _set_type(text) if tag == "fr" else text
                if tag != "fr" and "fr" in by_language:
                    self._claim(tag, f"{name}.{block_id}.{key}", None)
        blocks.append({"id": block_id, "type": kind, "fields": values})

    def _claim(self, tag: str, path: str, state: str | None) -> None:
        self.claims.setdefault(tag, {})[path] = state or (
            "reviewed" if tag == "en" else "translated"
        )


def _set_type(french: str) -> str:
    """French with the narrow no-break space its tall signs want."""
    return _BEFORE_SIGN.sub("\u202f", french)


def _whole(value: Any) -> Any:
    """`value` with whole numbers written whole: 11 and 11.0 are one number, and one text."""
    if isinstance(value, dict):
        return {key: _whole(part) for key, part in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Writer:
    """Writes entries in the order of their content type and of the languages."""

    def __init__(self, root: Path, types: dict[str, Any], tags: list[str]) -> None:
        """`types` maps content and block type ids (`blocks/<id>`) to field ids in order."""
        self._root = root
        self._types = types
        self._tags = tags

    def text_of(self, entry: Entry) -> str:
        """The entry's file.

        Raises:
            ValueError: a field or language nobody declared.
        """
        body: dict[str, Any] = {"id": entry.id, "type": entry.type}
        if entry.file:
            body["file"] = entry.file
        body["fields"] = self._fields(entry.type, entry.fields)
        blocks = {
            name: {
                "order": [block["id"] for block in entry.blocks[name]],
                "items": {
                    block["id"]: {
                        "type": block["type"],
                        "fields": self._fields(f"blocks/{block['type']}", block["fields"]),
                    }
                    for block in entry.blocks[name]
                },
            }
            for name in self._ordered(entry.type, entry.blocks)
        }
        if blocks:
            body["blocks"] = blocks
        body["approved"] = [SHARED, *self._tags]
        claims = self._claims(entry)
        if claims:
            body["claims"] = claims
        return to_yaml(body)

    def write(self, entries: Iterable[Entry]) -> int:
        """Write every entry and remove the files of entries that are no more; how many."""
        wanted: set[Path] = set()
        for entry in entries:
            path = self._root / "entries" / entry.type / f"{entry.id}.yml"
            if path in wanted:
                raise ValueError(f"two entries are called {entry.id}")
            wanted.add(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text_of(entry), encoding="utf-8")
        for path in (self._root / "entries").glob("*/*.yml"):
            if path not in wanted:
                path.unlink()
        return len(wanted)

    def _ordered(self, type_id: str, names: Iterable[str]) -> list[str]:
        order = self._types[type_id]
        unknown = set(names) - set(order)
        if unknown:
            raise ValueError(f"{type_id} has no field {sorted(unknown)}")
        return [name for name in order if name in names]

    def _fields(self, type_id: str, fields: dict[str, dict[str, Any]]) -> dict[str, Any]:
        return {
            name: self._scopes(fields[name], f"{type_id}.{name}")
            for name in self._ordered(type_id, fields)
        }

    def _scopes(self, values: dict[str, Any], where: str) -> dict[str, Any]:
        unknown = set(values) - {SHARED, *self._tags}
        if unknown:
            raise ValueError(f"{where}: languages not declared: {sorted(unknown)}")
        return {tag: _whole(values[tag]) for tag in [SHARED, *self._tags] if tag in values}

    def _claims(self, entry: Entry) -> dict[str, Any]:
        return {
            tag: {
                path: {"state": state, "source": "fr"}
                for path, state in sorted(entry.claims[tag].items())
            }
            for tag in self._tags
            if entry.claims.get(tag)
        }


def field_orders(types_folder: Path) -> dict[str, list[str]]:
    """Field ids in order for each content type, and for each block type under `blocks/`."""
    orders: dict[str, list[str]] = {}
    for path in sorted(types_folder.rglob("*.yml")):
        declared = yaml.safe_load(path.read_text(encoding="utf-8"))
        prefix = "blocks/" if path.parent.name == "blocks" else ""
        orders[prefix + declared["id"]] = [entry["id"] for entry in declared["fields"]]
    return orders
