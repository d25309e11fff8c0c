"""A small package that can be published: two places, their texts approved, a signed repository."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM
from content_api.content.models import Entry
from content_api.content.service import approve, save_entry
from content_api.content.types import ContentTypes
from content_api.packages.service import save_package
from content_api.repository.service import init_repository
from content_api.settings import Settings
from tests.studio.conftest import make_entry

BODY: dict[str, Any] = {
    "title": {"fr": "Le port", "en": "The harbour", "ja": "港"},
    "languages": ["ja", "fr", "en"],
    "default_language": "ja",
    "profiles": ["tablet", "wall"],
    "timezone": "Asia/Tokyo",
    "sections": [
        {
            "id": "places",
            "view": "map",
            "title": {"fr": "Lieux", "en": "Places", "ja": "場所"},
            "entries": ["crane", "quay"],
        },
        {"id": "stories", "view": "list", "title": {"fr": "Récits", "en": "Stories"}},
    ],
}


def write_harbour(
    session: Session, types: ContentTypes, body: dict[str, Any] | None = None
) -> None:
    """The places, approved in every language, and the package `harbour`."""
    for entry, words in (("crane", "Grue"), ("quay", "Quai")):
        make_entry(
            session,
            types,
            "place",
            {
                ("title", "fr"): words,
                ("title", "en"): f"{words} (en)",
                ("title", "ja"): f"{words} (ja)",
                ("kind", "*"): "pit",
                ("coords", "*"): {"lat": 50.4, "lon": 2.9},
            },
            entry_id=entry,
        )
        for scope in ("*", "fr", "en", "ja"):
            approve(session, SYSTEM, entry, scope, 1, types=types)
    save_package(session, SYSTEM, "harbour", {**BODY, **(body or {})}, expected=None)


def sign_repository(settings: Settings) -> None:
    """Make the keys, so that something can be published."""
    init_repository(settings, settings.data_dir / "offline", datetime.now(UTC))


def retitle(
    session: Session, types: ContentTypes, entry: str, language: str, text: str, *, approved: bool
) -> None:
    """Change a title, and have it approved or not."""
    rev = session.get_one(Entry, entry).head_rev
    operation = {"op": "set", "path": "title", "scope": language, "value": text}
    saved = save_entry(session, SYSTEM, entry, rev, [operation], types=types)
    if approved:
        approve(session, SYSTEM, entry, language, saved.rev, types=types)
