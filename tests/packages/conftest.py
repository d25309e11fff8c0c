"""The harbour on a real database, with real files and a signed repository."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pyvips
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM
from content_api.content.models import Entry
from content_api.content.service import approve, create_entry, save_entry
from content_api.content.types import ContentTypes, load_types
from content_api.database import open_engine, write_session
from content_api.languages.models import Language
from content_api.media.service import attach_files, encode_files
from content_api.packages.models import Release
from content_api.packages.publish import publish_release
from content_api.packages.service import get_package, save_package
from content_api.repository.service import init_repository
from content_api.settings import Settings, load_settings, prepare_data_dir
from tests.conftest import _on_postgres, _postgres_url

TYPES = Path(__file__).parents[2] / "media" / "types"

BODY: dict[str, Any] = {
    "title": {"fr": "Le port", "en": "The harbour"},
    "languages": ["fr", "en"],
    "default_language": "fr",
    "profiles": ["tablet", "wall"],
    "theme": {"attract": ["crane-photo"]},
    "timezone": "Asia/Tokyo",
    "sections": [
        {
            "id": "places",
            "view": "map",
            "title": {"fr": "Lieux", "en": "Places"},
            "entries": [f"place-{number}" for number in range(20)],
        }
    ],
}


@dataclass(frozen=True)
class Harbour:
    """A server with the harbour package, as a program would use it."""

    engine: Engine
    settings: Settings
    app: Flask
    types: ContentTypes

    def publish(self, **options: Any) -> Release:
        """Publish the harbour."""
        return publish_release(self.engine, self.settings, SYSTEM, "harbour", **options)

    def edit(self, entry: str, operations: Sequence[Mapping[str, Any]], *scopes: str) -> int:
        """Save an entry and approve the new revision for these scopes; its number."""
        with write_session(self.engine) as session:
            rev = session.get_one(Entry, entry).head_rev
            saved = save_entry(session, SYSTEM, entry, rev, operations, types=self.types)
            for scope in scopes:
                approve(session, SYSTEM, entry, scope, saved.rev, types=self.types)
            return saved.rev

    def change_body(self, **changes: Any) -> None:
        """Save another body of the package."""
        with write_session(self.engine) as session:
            package = get_package(session, "harbour")
            body = {**package.body, **changes}
            save_package(session, SYSTEM, "harbour", body, expected=package.version)

    def blobs(self) -> set[str]:
        """Names of the blobs in the repository."""
        return {
            path.name
            for path in (self.settings.repository_dir / "blobs").rglob("*")
            if path.is_file() and path.suffix != ".gz"
        }


def title(language: str, text: str) -> dict[str, Any]:
    """The operation that gives an entry a title."""
    return {"op": "set", "path": "title", "scope": language, "value": text}


def fill(session: Session, settings: Settings, types: ContentTypes) -> None:
    """Write languages, twenty places, a picture and the package."""
    session.add(Language(tag="fr", name="Français", dir="ltr", position=0))
    session.add(Language(tag="en", name="English", dir="ltr", fallback=["fr"], position=1))
    session.flush()
    for number in range(20):
        operations = [
            title("fr", f"Lieu {number}"),
            title("en", f"Place {number}"),
            {"op": "set", "path": "kind", "scope": "*", "value": "pit"},
            {"op": "set", "path": "coords", "scope": "*", "value": {"lat": 50.4, "lon": 2.9}},
        ]
        entry = f"place-{number}"
        create_entry(session, SYSTEM, "place", operations, entry_id=entry, types=types)
        for scope in ("*", "fr", "en"):
            approve(session, SYSTEM, entry, scope, 1, types=types)
    picture = settings.data_dir / "crane.png"
    image = (pyvips.Image.gaussnoise(64, 48) + 128).cast("uchar")
    image.write_to_file(str(picture))
    ready = encode_files(session, {"crane-photo": picture}, settings=settings)
    attach_files(session, SYSTEM, ready)
    operations = [
        {"op": "set", "path": "alt", "scope": "fr", "value": "Une grue"},
        {"op": "set", "path": "credit", "scope": "fr", "value": "H."},
        {
            "op": "set",
            "path": "rights",
            "scope": "*",
            "value": {"holder": "H.", "licence": "CC0", "expires": "2040-01-01"},
        },
    ]
    saved = save_entry(session, SYSTEM, "crane-photo", 1, operations, types=types)
    for scope in ("*", "fr", "en"):
        approve(session, SYSTEM, "crane-photo", scope, saved.rev, types=types)
    save_package(session, SYSTEM, "harbour", BODY, expected=None)


def seed(settings: Settings) -> None:
    """Make a server with the harbour, approved and never published, and sign its repository."""
    prepare_data_dir(settings)
    shutil.copytree(TYPES, settings.types_dir, dirs_exist_ok=True)
    app = _app(settings)
    engine = open_engine(settings.database_url)
    with app.app_context(), write_session(engine) as session:
        fill(session, settings, app.extensions["lampisterie_types"])
    engine.dispose()
    init_repository(settings, settings.data_dir / "offline", datetime.now(UTC))


@pytest.fixture(scope="session")
def sqlite_harbour(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded data directory with its database, to copy from."""
    folder = tmp_path_factory.mktemp("harbour-sqlite")
    shutil.copyfile(sqlite_template, folder / "content.sqlite3")
    seed(load_settings({}, data_dir=folder))
    return folder


@pytest.fixture(scope="session")
def postgres_harbour(
    postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """A seeded data directory and the name of its PostgreSQL database, to copy from."""
    folder = tmp_path_factory.mktemp("harbour-postgres")
    name = f"lampisterie_harbour_{uuid4().hex[:12]}"
    _on_postgres(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    seed(load_settings({}, data_dir=folder, database_url=_postgres_url(name)))
    yield folder, name
    _on_postgres(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a server with the harbour, once on each engine."""
    folder = tmp_path / "server"
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("sqlite_harbour"), folder)
        yield load_settings({}, data_dir=folder)
        return
    template_folder, template = request.getfixturevalue("postgres_harbour")
    shutil.copytree(template_folder, folder)
    name = f"lampisterie_test_{uuid4().hex[:12]}"
    _on_postgres(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield load_settings({}, data_dir=folder, database_url=_postgres_url(name))
    _on_postgres(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def harbour(engine: Engine, settings: Settings) -> Harbour:
    """The harbour package, approved and never published."""
    app = _app(settings)
    return Harbour(engine, settings, app, app.extensions["lampisterie_types"])


def _app(settings: Settings) -> Flask:
    # Content types belong to an app; nothing else of one is needed here.
    app = Flask(__name__, static_folder=None)
    app.extensions["lampisterie_types"] = load_types(settings.types_dir)
    app.extensions["lampisterie_settings"] = settings
    return app
