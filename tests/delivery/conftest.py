"""The harbour, published for real, and a partner's client that reads it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM
from content_api.app import create_app
from content_api.content.models import Entry
from content_api.content.service import approve, create_entry, save_entry
from content_api.database import write_session
from content_api.languages.models import Language
from content_api.media.service import attach_files, encode_files
from content_api.packages.publish import publish_release
from content_api.packages.service import save_package
from content_api.repository.service import init_repository
from content_api.settings import Settings
from tests.media.conftest import picture

TYPES = Path(__file__).parents[2] / "media" / "types"

BODY: dict[str, Any] = {
    "title": {"fr": "Le port", "en": "The harbour", "ja": "港"},
    "credits": {"fr": "Textes : le port.", "en": "Texts: the harbour.", "ja": "文：港"},
    "languages": ["fr", "en", "ja"],
    "default_language": "fr",
    "profiles": ["tablet", "guide"],
    "timezone": "Asia/Tokyo",
    "sections": [
        {
            "id": "places",
            "view": "map",
            "title": {"fr": "Lieux", "en": "Places", "ja": "場所"},
            "entries": ["dock", "crane"],
            "sections": [
                {
                    "id": "far",
                    "view": "list",
                    "title": {"fr": "Loin", "en": "Far", "ja": "遠方"},
                    "entries": ["island"],
                }
            ],
        },
        {
            "id": "tours",
            "view": "tours",
            "title": {"fr": "Itinéraires", "en": "Tours", "ja": "ルート"},
            "entries": ["round"],
        },
        {
            "id": "words",
            "view": "glossary",
            "title": {"fr": "Mots", "en": "Words", "ja": "用語"},
            "entries": ["shaft"],
        },
    ],
}

Operation = Mapping[str, Any]


def put(path: str, scope: str, value: Any) -> Operation:
    """The operation that sets one value."""
    return {"op": "set", "path": path, "scope": scope, "value": value}


def block(path: str, kind: str, after: str | None = None) -> Operation:
    """The operation that adds a block to a story, behind the block `after`."""
    return {"op": "insert_block", "path": path, "value": {"type": kind, "after": after}}


@dataclass(frozen=True)
class Harbour:
    """A server with the published harbour."""

    app: Flask
    settings: Settings

    def publish(self) -> int:
        """Publish what is approved; the release's number."""
        engine = self.app.extensions["lampisterie_engine"]
        with self.app.app_context():
            return publish_release(engine, self.settings, SYSTEM, "harbour").number or 0

    def edit(self, entry_id: str, *operations: Operation, scopes: Iterable[str] = ("*",)) -> None:
        """Save an entry and approve it."""
        engine = self.app.extensions["lampisterie_engine"]
        with self.app.app_context(), write_session(engine) as session:
            head = session.get_one(Entry, entry_id).head_rev
            rev = save_entry(session, SYSTEM, entry_id, head, operations).rev
            for scope in scopes:
                approve(session, SYSTEM, entry_id, scope, rev)

    def change_body(self, **changes: Any) -> None:
        """Save another body of the package."""
        engine = self.app.extensions["lampisterie_engine"]
        with self.app.app_context(), write_session(engine) as session:
            save_package(session, SYSTEM, "harbour", {**BODY, **changes}, expected=1)


def _entry(session: Session, type_id: str, entry_id: str, *operations: Operation) -> None:
    create_entry(session, SYSTEM, type_id, operations, entry_id=entry_id)
    for scope in ("*", "fr", "en", "ja"):
        approve(session, SYSTEM, entry_id, scope, 1)


def _fill(session: Session, settings: Settings) -> None:
    for position, (tag, name, fallback) in enumerate(
        (("fr", "Français", []), ("en", "English", ["fr"]), ("ja", "日本語", ["en", "fr"]))
    ):
        session.add(Language(tag=tag, name=name, dir="ltr", fallback=fallback, position=position))
    session.flush()
    photo = settings.data_dir / "crane.jpg"
    photo.write_bytes(picture(900, 600).jpegsave_buffer())
    ready = encode_files(session, {"crane-photo": photo}, settings=settings)
    attach_files(session, SYSTEM, ready)
    operations = [
        put("alt", "fr", "Une grue"),
        put("credit", "fr", "Photo A. Lampe"),
        put("rights", "*", {"holder": "A. Lampe", "licence": "CC BY 4.0", "expires": "2040-01-01"}),
    ]
    rev = save_entry(session, SYSTEM, "crane-photo", 1, operations).rev
    for scope in ("*", "fr", "en", "ja"):
        approve(session, SYSTEM, "crane-photo", scope, rev)
    _entry(
        session,
        "place",
        "dock",
        put("title", "fr", "Le quai <&> “neuf”"),
        put("title", "en", "The dock"),
        put("kind", "*", "pit"),
        put("coords", "*", {"lat": 50.4, "lon": 2.9}),
    )
    _entry(
        session,
        "place",
        "crane",
        put("title", "fr", "La grue"),
        put("title", "en", "The crane"),
        put("title", "ja", "クレーン"),
        put("lead", "fr", "Une grue de **1904**, à l’écomusée."),
        put("lead", "en", "A crane of **1904**."),
        put("kind", "*", "headframe"),
        put("coords", "*", {"lat": 50.5, "lon": 3.1}),
        put("image", "*", "crane-photo"),
        put("sources", "*", "Registre du port"),
        block("story.b1", "paragraph"),
        put("story.b1.text", "fr", "Elle sert au charbon."),
        put("story.b1.text", "ja", "石炭を運ぶ炭鉱のクレーン。"),
    )
    _entry(
        session,
        "place",
        "island",
        put("title", "fr", "L’île"),
        put("title", "en", "The island"),
        put("kind", "*", "town"),
        put("coords", "*", {"lat": 32.63, "lon": 129.74}),
    )
    _entry(
        session,
        "glossary_term",
        "shaft",
        put("term", "fr", "puits"),
        put("term", "ja", "{竪坑|たてこう}"),
        put("definition", "fr", "Un trou profond."),
    )
    _entry(
        session,
        "tour",
        "round",
        put("title", "fr", "Le tour"),
        put("title", "en", "The round"),
        put("mode", "*", "foot"),
        block("stops.s1", "stop"),
        put("stops.s1.place", "*", "dock"),
        put(
            "stops.s1.camera",
            "*",
            {"lat": 50.4, "lon": 2.9, "altitude": 0, "heading": 20, "tilt": 60, "range": 900},
        ),
        block("stops.s2", "stop", "s1"),
        put("stops.s2.place", "*", "crane"),
        put("stops.s2.text", "fr", "Levez les yeux."),
        put("stops.s2.distance_km", "*", 1.2),
        block("stops.s3", "stop", "s2"),
        put("stops.s3.place", "*", "dock"),
    )
    save_package(session, SYSTEM, "harbour", BODY, expected=None)


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One engine is enough here: what partners read comes from signed files. Publishing them
    is tested on both."""
    path = tmp_path / "server" / "content.sqlite3"
    path.parent.mkdir(parents=True)
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The server's settings, with the heritage content types in its data directory."""
    shutil.copytree(TYPES, settings.types_dir, dirs_exist_ok=True)
    return settings


@pytest.fixture
def harbour(settings: Settings) -> Any:
    """The harbour, live as release 1."""
    app = create_app(settings)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    with app.app_context(), write_session(app.extensions["lampisterie_engine"]) as session:
        _fill(session, settings)
    init_repository(settings, settings.data_dir / "offline", datetime.now(UTC))
    found = Harbour(app, settings)
    found.publish()
    yield found
    app.extensions["lampisterie_engine"].dispose()


@pytest.fixture
def partner(harbour: Harbour) -> FlaskClient:
    """A partner's client: anonymous."""
    return harbour.app.test_client()
