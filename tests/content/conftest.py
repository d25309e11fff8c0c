"""A small set of content types, four languages, and people to act."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM, Actor, Grant
from content_api.content.types import ContentTypes, load_types
from content_api.languages.service import put_languages

# How fast a machine draws examples says nothing about what they show.
settings.register_profile(
    "content", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("content")

PLACE = """
id: place
label: {fr: Lieu, en: Place}
fields:
  - {id: title, kind: text, localized: true, required: publish, max: 120}
  - {id: lead, kind: markdown, localized: true, max: 600}
  - {id: coords, kind: geopoint}
  - {id: height, kind: number}
  - {id: kind, kind: choice, choices: {pit: {fr: Fosse}, heap: {fr: Terril}}}
  - {id: image, kind: asset, accept: [image]}
  - {id: narration, kind: asset, accept: [audio], localized: true, fallback: none}
  - {id: near, kind: references, of: [place]}
  - {id: story, kind: blocks, of: [paragraph, figure], max: 20}
"""
ASSET = """
id: asset
label: {fr: Média, en: Asset}
fields:
  - {id: alt, kind: text, localized: true}
  - {id: caption, kind: markdown, localized: true}
  - {id: rights, kind: rights}
"""
TERM = """
id: glossary_term
label: {fr: Mot, en: Term}
fields:
  - {id: term, kind: inline, localized: true, required: publish}
  - {id: reading, kind: text, localized: true, fallback: none}
  - {id: definition, kind: markdown, localized: true}
"""
PARAGRAPH = """
id: paragraph
label: {fr: Paragraphe}
fields:
  - {id: text, kind: markdown, localized: true}
"""
FIGURE = """
id: figure
label: {fr: Figure}
fields:
  - {id: image, kind: asset, accept: [image]}
  - {id: caption, kind: text, localized: true}
"""

LANGUAGES = (
    {"tag": "fr", "name": "Français", "fallback": ["en"], "source": None},
    {"tag": "en", "name": "English", "fallback": ["fr"], "source": "fr"},
    {"tag": "ja", "name": "日本語", "fallback": ["en", "fr"], "source": "fr"},
    {"tag": "pl", "name": "Polski", "fallback": ["en", "fr"], "source": "en"},
)


def write_types(folder: Path) -> None:
    """The types above as files."""
    (folder / "blocks").mkdir(parents=True, exist_ok=True)
    for name, text in (("place", PLACE), ("asset", ASSET), ("glossary_term", TERM)):
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    for name, text in (("paragraph", PARAGRAPH), ("figure", FIGURE)):
        (folder / "blocks" / f"{name}.yml").write_text(text, encoding="utf-8")


def person(*grants: Grant, name: str = "ann") -> Actor:
    """Somebody with these grants."""
    return Actor(id=name, name=name, kind="user", grants=grants)


def put(path: str, scope: str, value: object) -> dict[str, object]:
    """A `set` operation."""
    return {"op": "set", "path": path, "scope": scope, "value": value}


@pytest.fixture(scope="session")
def types(tmp_path_factory: pytest.TempPathFactory) -> ContentTypes:
    """The content types."""
    folder = tmp_path_factory.mktemp("types")
    write_types(folder)
    return load_types(folder)


@pytest.fixture
def content(session: Session) -> Session:
    """A session on a database with languages."""
    put_languages(session, SYSTEM, LANGUAGES)
    return session
