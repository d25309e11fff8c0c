"""Bring a database to the newest schema, and say which one it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from content_api.database import open_engine
from content_api.problems import ContentError

# Any number will do, as long as every process of this product uses the same.
_LOCK = 7_460_215_501


class SchemaTooNew(ContentError):
    """The database was made by a newer release of this product."""

    code = "schema-too-new"


def upgrade_database(url: str) -> None:
    """Bring the database at `url` to the newest schema; all of it or nothing.

    Two processes may call it at once: the second waits and then finds nothing to do.

    Raises:
        SchemaTooNew: the database has a schema that this release does not know.
    """
    engine = open_engine(url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring `engine`'s database to `revision` in one write transaction.

    Raises:
        SchemaTooNew: the database has a schema that this release does not know.
    """
    sqlite = engine.dialect.name == "sqlite"
    driver: Any = None
    with engine.connect() as plain:
        if sqlite:
            # Rebuilding a table drops the old one: cascades would empty its children. The
            # pragma means something outside a transaction only.
            driver = plain.connection.driver_connection
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            connection = plain.execution_options(lampisterie_write=True)
            with connection.begin():
                if not sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
                _refuse_newer(connection)
                command.upgrade(alembic_config(connection), revision)
        finally:
            if sqlite:
                driver.execute("PRAGMA foreign_keys = ON")


def current_revision(connection: Connection) -> str | None:
    """The schema a database has, or None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str:
    """The newest schema this release knows."""
    found = _scripts().get_current_head()
    if found is None:
        raise RuntimeError("there are no migrations")
    return found


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for one connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent))


def _refuse_newer(connection: Connection) -> None:
    current = current_revision(connection)
    known = {script.revision for script in _scripts().walk_revisions()}
    if current is not None and current not in known:
        raise SchemaTooNew(
            f"the database has schema {current}, which this release does not know "
            f"(it knows up to {head_revision()}): expected a newer release of content-api"
        )
