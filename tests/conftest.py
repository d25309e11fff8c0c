"""Fixtures all tests share: a server on a real database, SQLite and PostgreSQL alike.

`LAMPISTERIE_TEST_POSTGRES` names a PostgreSQL server on which the tests may make
databases. Without it those tests skip with the reason; in CI they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from content_api.database import open_engine, write_session
from content_api.settings import Settings, load_settings, prepare_data_dir

POSTGRES = os.environ.get("LAMPISTERIE_TEST_POSTGRES", "")
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")


def missing(component: str) -> None:
    """Fail in CI, skip elsewhere: a part that a test needs is not on this machine."""
    if IN_CI:
        pytest.fail(f"{component} is missing, and CI must have it")
    pytest.skip(f"{component} is not on this machine")


def migrate(url: str) -> None:
    """Bring the database at `url` to the newest schema."""
    from content_api.migrations.upgrade import upgrade_database

    upgrade_database(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy from."""
    path = tmp_path_factory.mktemp("template") / "content.sqlite3"
    migrate(f"sqlite:///{path}")
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    """Name of a migrated, empty PostgreSQL database to copy from."""
    if not POSTGRES:
        missing("a PostgreSQL server (LAMPISTERIE_TEST_POSTGRES)")
    name = f"lampisterie_template_{uuid4().hex[:12]}"
    _on_postgres(f"CREATE DATABASE {name}")
    migrate(_postgres_url(name))
    yield name
    _on_postgres(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh migrated database, once on each engine."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        path = tmp_path / "server" / "content.sqlite3"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, path)
        yield f"sqlite:///{path}"
        return
    template = request.getfixturevalue("postgres_template")
    name = f"lampisterie_test_{uuid4().hex[:12]}"
    _on_postgres(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _postgres_url(name)
    _on_postgres(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a server whose data lies below `tmp_path`."""
    found = load_settings({}, data_dir=tmp_path / "server", database_url=database_url)
    prepare_data_dir(found)
    return found


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The database, outside any app."""
    found = open_engine(settings.database_url)
    yield found
    found.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """One write transaction, committed at the end of the test."""
    with write_session(engine) as found:
        yield found


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The server."""
    from content_api.app import create_app

    found = create_app(settings)
    found.testing = True
    # The server answers its own faults; a test wants to see them as a client does.
    found.config["PROPAGATE_EXCEPTIONS"] = False
    yield found
    found.extensions["lampisterie_engine"].dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """An anonymous HTTP client of the server."""
    return app.test_client()


def _postgres_url(name: str) -> str:
    url = make_url(POSTGRES).set(database=name)
    return url.render_as_string(hide_password=False)


def _on_postgres(statement: str) -> None:
    engine = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
