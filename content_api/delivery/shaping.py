"""An entry or asset as partners get it: flat, in one language, credits beside. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from content_api.content.richtext import to_html, to_text
from content_api.content.types import ContentTypes, Field
from content_api.delivery.choosing import is_rich
from content_api.delivery.reader import LanguageDocuments

_RICH = ("inline", "markdown")


@dataclass(frozen=True)
class Shape:
    """How documents are shaped for one answer.

    `url` gives the address of a release's file, or None if it must not be shown now.
    """

    documents: LanguageDocuments
    types: ContentTypes
    url: Callable[[str], str | None]
    fallback: bool = True

    def entry(self, entry_id: str, *, whole: bool) -> dict[str, Any]:
        """An entry; without its stories unless `whole`. Names of type and choices are beside."""
        document = self.documents.entries[entry_id]
        names = self.documents.types.get(document["type"], {})
        declared = self.types.find_type(document["type"])
        declared_fields = declared.by_id if declared else {}
        fields, origin = self._fields(document, declared_fields, whole=whole)
        found: dict[str, Any] = {
            "id": entry_id,
            "type": document["type"],
            "type_label": names.get("label", ""),
            "title": title_of(document),
            "language": self.documents.tag,
            "fields": fields,
            "_meta": {"language": origin},
        }
        labels = _choice_labels(names, fields)
        if labels:
            found["labels"] = labels
        assets: dict[str, dict[str, Any]] = {}
        waiting = list(self._named_assets(fields, declared_fields))
        for asset in waiting:
            shaped = self.asset(asset) if asset not in assets else None
            if shaped is not None:
                assets[asset] = shaped
                if shaped.get("poster"):
                    waiting.append(shaped["poster"])
        found["assets"] = assets
        found["credits"] = credits_of(document, assets.values())
        return found

    def asset(self, asset_id: str) -> dict[str, Any] | None:
        """An asset with the addresses of its encodings; None if there is nothing to show."""
        document = self.documents.assets.get(asset_id)
        if document is None:
            return None
        renditions = [
            {**{key: part for key, part in rendition.items() if key != "path"}, "url": url}
            for rendition in document["renditions"]
            if (url := self.url(rendition["path"])) is not None
        ]
        if not renditions:
            return None
        declared = self.types.find_type("asset")
        fields, origin = self._fields(document, declared.by_id if declared else {}, whole=True)
        found = {
            key: document[key]
            for key in ("id", "kind", "type", "width", "height", "duration")
            if key in document
        }
        found |= fields
        found["credit_line"] = credit_line(fields)
        found["renditions"] = renditions
        found["tracks"] = [
            {**{key: part for key, part in track.items() if key != "path"}, "url": url}
            for track in document.get("tracks", ())
            if (url := self.url(track["path"])) is not None
        ]
        found["_meta"] = {"language": origin}
        return found

    def _fields(
        self, document: Mapping[str, Any], declared: Mapping[str, Field], *, whole: bool
    ) -> tuple[dict[str, Any], dict[str, str]]:
        fields: dict[str, Any] = {}
        origin: dict[str, str] = {}
        elsewhere = document.get("in", {})
        for name, value in document["fields"].items():
            field = declared.get(name)
            if name in elsewhere and not self.fallback:
                continue
            if is_blocks(value):
                if whole:
                    fields[name] = [self._block(block) for block in value]
                continue
            value = self._leading_somewhere(value, field)
            if value is None:
                continue
            fields[name] = _value(value, field)
            if name in elsewhere or _is_text(value, field):
                origin[name] = elsewhere.get(name, self.documents.tag)
        return fields, origin

    def _leading_somewhere(self, value: Any, field: Field | None) -> Any:
        """A value without references to entries that are not shown today; None: nothing left."""
        entries = self.documents.entries
        if field is not None and field.kind == "reference":
            return value if value in entries else None
        if field is not None and field.kind == "references":
            return [entry for entry in value if entry in entries] or None
        return value

    def _block(self, block: Mapping[str, Any]) -> dict[str, Any]:
        declared = self.types.blocks.get(block["type"])
        fields, origin = self._fields(block, declared.by_id if declared else {}, whole=True)
        return {
            "id": block["id"],
            "type": block["type"],
            "fields": fields,
            "_meta": {"language": origin},
        }

    def _named_assets(
        self, fields: Mapping[str, Any], declared: Mapping[str, Field]
    ) -> dict[str, None]:
        found: dict[str, None] = {}
        for name, value in fields.items():
            field = declared.get(name)
            if is_blocks(value):
                for block in value:
                    inner = self.types.blocks.get(block["type"])
                    found |= self._named_assets(block["fields"], inner.by_id if inner else {})
            elif field is None or field.kind in ("asset", "assets"):
                values = value if isinstance(value, list) else [value]
                found |= dict.fromkeys(
                    part
                    for part in values
                    if isinstance(part, str) and part in self.documents.assets
                )
        return found


def title_of(document: Mapping[str, Any]) -> str:
    """An entry's title as plain text: its `title`, else its `term`, else its id."""
    fields = document["fields"]
    value = fields.get("title") or fields.get("term")
    if isinstance(value, str):
        return value
    return to_text(value) if isinstance(value, list) else str(document["id"])


def lead_of(document: Mapping[str, Any]) -> list[Any]:
    """The nodes of an entry's lead, else none."""
    value = document["fields"].get("lead")
    return value if isinstance(value, list) else []


def credit_line(fields: Mapping[str, Any]) -> str:
    """Credit, holder and licence in one line, nothing said twice."""
    rights = fields.get("rights") or {}
    parts: list[str] = []
    for part in (fields.get("credit"), rights.get("holder"), rights.get("licence")):
        if isinstance(part, str) and part and not any(part in other for other in parts):
            parts.append(part)
    return " · ".join(parts)


def credits_of(
    document: Mapping[str, Any], assets: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Whom to name beside an entry: each asset's line, then the sources of its facts."""
    found: list[dict[str, Any]] = []
    for asset in assets:
        if asset["credit_line"]:
            rights = asset.get("rights") or {}
            line: dict[str, Any] = {"asset": asset["id"], "line": asset["credit_line"]}
            line |= {key: rights[key] for key in ("licence", "url") if rights.get(key)}
            found.append(line)
    sources = document["fields"].get("sources")
    if isinstance(sources, str) and sources:
        found.append({"line": sources, "sources": True})
    return found


def is_blocks(value: Any) -> bool:
    """Whether a value is a list of story blocks."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(part, dict) and {"id", "type", "fields"} <= part.keys() for part in value
        )
    )


def _value(value: Any, field: Field | None) -> Any:
    if (field is not None and field.kind in _RICH) or (field is None and is_rich(value)):
        return {"text": to_text(value), "html": to_html(value), "nodes": value}
    return value


def _is_text(value: Any, field: Field | None) -> bool:
    return field.localized if field is not None else is_rich(value)


def _choice_labels(names: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, described in names.get("fields", {}).items():
        choices, value = described.get("choices"), fields.get(name)
        if not choices or value is None:
            continue
        if isinstance(value, list):
            found[name] = [choices.get(part, part) for part in value]
        else:
            found[name] = choices.get(value, value)
    return found
