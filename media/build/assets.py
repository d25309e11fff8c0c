"""What is said of every file we make: alternative texts, captions, credits, rights.

A maker (a map, a chart, an emblem, a sound) describes its file as an `Asset`;
the bytes are made apart, so entries can be rebuilt without drawing anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from media.build.writing import Entry

Language = dict[str, str]

OPEN_DATA_CREDIT: Language = {
    "fr": "Mission Bassin Minier – data.gouv.fr / Géo2France, Licence Ouverte 2.0 ; API Géo (IGN Admin Express)."
    " Copie du 21 août 2026. Dessin : Lampisterie.",
    "en": "Mission Bassin Minier – data.gouv.fr / Géo2France, Licence Ouverte 2.0; API Géo (IGN Admin Express)."
    " Copy of 21 August 2026. Drawing: Lampisterie.",
    "ja": "Mission Bassin Minier – data.gouv.fr / Géo2France, Licence Ouverte 2.0; API Géo (IGN Admin Express)."
    "（2026年8月21日取得）図版：Lampisterie",
}
OPEN_DATA_RIGHTS = {
    "holder": "Mission Bassin Minier ; IGN ; dessin Lampisterie",
    "licence": "Licence Ouverte 2.0",
    "url": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
}
NATURAL_EARTH_CREDIT: Language = {
    "fr": "Natural Earth, domaine public. Dessin : Lampisterie.",
    "en": "Natural Earth, public domain. Drawing: Lampisterie.",
    "ja": "Natural Earth（パブリックドメイン）図版：Lampisterie",
}
NATURAL_EARTH_RIGHTS = {
    "holder": "Natural Earth ; dessin Lampisterie",
    "licence": "Domaine public",
    "url": "https://www.naturalearthdata.com/about/terms-of-use/",
}
OWN_CREDIT: Language = {
    "fr": "Dessin : Lampisterie.",
    "en": "Drawing: Lampisterie.",
    "ja": "図版：Lampisterie",
}
OWN_RIGHTS = {"holder": "Lampisterie", "licence": "CC0 1.0"}


@dataclass(frozen=True)
class Asset:
    """One file of the collection and its describing texts."""

    id: str
    extension: str
    make: Callable[[], bytes]
    alt: Language = field(default_factory=dict)
    caption: Language = field(default_factory=dict)
    credit: Language = field(default_factory=lambda: OWN_CREDIT)
    rights: dict[str, str] = field(default_factory=lambda: OWN_RIGHTS)
    transcript: Language = field(default_factory=dict)
    decorative: bool = False
    focal: tuple[float, float] | None = None
    subtitles: Language = field(default_factory=dict)
    poster: str | None = None

    @property
    def file(self) -> str:
        """Where the bytes lie, from the root of the collection."""
        return f"assets/{self.id}.{self.extension}"

    def entry(self) -> Entry:
        """The asset's describing entry."""
        entry = Entry(self.id, "asset", file=self.file)
        entry.say("alt", self.alt)
        entry.say("caption", self.caption)
        entry.say("credit", self.credit)
        entry.say("transcript", self.transcript)
        entry.share("decorative", self.decorative or None)
        if self.focal:
            entry.share("focal", {"x": self.focal[0], "y": self.focal[1]})
        rights: dict[str, Any] = dict(self.rights)
        entry.share("rights", rights)
        for tag, track in self.subtitles.items():
            entry.fields.setdefault("subtitles", {})[tag] = track
        entry.share("poster", self.poster)
        return entry
