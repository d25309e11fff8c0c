"""What a release is compiled from: plain values, read in one go, so that compiling is pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from content_api.content.types import ContentTypes

SHARED = "*"
"""The scope of what all languages share."""

ASSET_TYPE = "asset"
"""The built-in content type of an asset's describing texts; the entry has the asset's id."""


@dataclass(frozen=True, slots=True)
class LanguageFacts:
    """A language as the language table knows it; `fallback` is the whole chain, in order."""

    tag: str
    name: str
    dir: str
    fallback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RenditionFacts:
    """One encoding of an asset. Empty `profiles` means all. Sizes in bytes and pixels."""

    name: str
    sha256: str
    size: int
    media_type: str
    width: int | None = None
    height: int | None = None
    profiles: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """An asset's bytes: kind, media type, pixels, seconds, and its encodings."""

    id: str
    kind: str
    media_type: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    renditions: tuple[RenditionFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageContent:
    """Everything one release depends on.

    `documents` holds, for each entry and asset, the body approved for each scope;
    `entry_types` the type of each that exists, approved or not.
    """

    slug: str
    body: Mapping[str, Any]
    types: ContentTypes
    languages: Mapping[str, LanguageFacts]
    documents: Mapping[str, Mapping[str, Mapping[str, Any]]]
    entry_types: Mapping[str, str]
    assets: Mapping[str, AssetFacts]

    @property
    def tags(self) -> tuple[str, ...]:
        """The package's languages that exist, in the editors' order."""
        return tuple(tag for tag in self.body["languages"] if tag in self.languages)

    @property
    def profiles(self) -> tuple[str, ...]:
        """The display profiles the package is made for."""
        return tuple(self.body["profiles"])


def listed_entries(body: Mapping[str, Any]) -> list[str]:
    """Ids of the entries a package lists in its sections, each once, in order."""
    found: dict[str, None] = {}

    def walk(sections: Any) -> None:
        for section in sections:
            found.update(dict.fromkeys(section.get("entries", ())))
            walk(section.get("sections", ()))

    walk(body.get("sections", ()))
    return list(found)


def listed_assets(body: Mapping[str, Any]) -> list[str]:
    """Ids of the assets a package names itself: logo, attract pictures and map layers."""
    theme = body.get("theme", {})
    logo = [theme["logo"]] if "logo" in theme else []
    layers = (layer["asset"] for layer in body.get("map", {}).get("layers", ()))
    return list(dict.fromkeys([*logo, *theme.get("attract", ()), *layers]))
