"""The database: engine, column types, and where transactions begin and end.

One request or command is one transaction. Services take a Session, flush, and
never commit. On SQLite a writer begins with BEGIN IMMEDIATE: a transaction that
reads first and writes later would fail at once when another one wrote between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, current_app, g, has_request_context, request
from sqlalchemy import JSON, Connection, DateTime, Dialect, Engine, MetaData, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

BUSY_TIMEOUT = 10_000
"""Milliseconds a SQLite writer waits for another one."""

JSONDocument = JSON().with_variant(JSONB(), "postgresql")
"""A JSON value. It is never mutated in place: changes there would not be saved."""


class Base(DeclarativeBase):
    """Base of all tables; every constraint has a name, so migrations can change it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UTCDateTime(TypeDecorator[datetime]):
    """An aware time in UTC, on databases that know zones and on those that do not."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected a time with a zone, got {value!r}")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give every time back as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///…` or `postgresql+psycopg://…`, set up as this product needs it."""
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(url, pool_pre_ping=True)


@contextmanager
def write_session(engine: Engine) -> Iterator[Session]:
    """A session in one write transaction: committed at the end, rolled back on an error."""
    with Session(engine, expire_on_commit=False) as session:
        session.connection(execution_options={"lampisterie_write": True})
        yield session
        session.commit()


@contextmanager
def read_session(engine: Engine) -> Iterator[Session]:
    """A session that only reads, in one snapshot."""
    with Session(engine, expire_on_commit=False) as session:
        yield session


def engine() -> Engine:
    """The running app's engine."""
    found: Engine = current_app.extensions["lampisterie_engine"]
    return found


def session() -> Session:
    """This request's session. Safe methods read; the others write, committed once at the end."""
    if "session" not in g:
        g.session = Session(engine(), expire_on_commit=False)
        if not has_request_context() or request.method not in ("GET", "HEAD", "OPTIONS"):
            g.session.connection(execution_options={"lampisterie_write": True})
    found: Session = g.session
    return found


def init_app(app: Flask, url: str) -> None:
    """Give `app` its engine and end each request's transaction in one place."""
    app.extensions["lampisterie_engine"] = open_engine(url)
    app.after_request(_end_request)
    app.teardown_appcontext(_close_session)


def _end_request(response: Response) -> Response:
    open_session: Session | None = g.get("session")
    if open_session is not None:
        if response.status_code < 400:
            open_session.commit()
        else:
            open_session.rollback()
    return response


def _close_session(_error: BaseException | None) -> None:
    open_session: Session | None = g.pop("session", None)
    if open_session is not None:
        open_session.close()


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own BEGIN is deferred; _begin_sqlite says which kind is meant.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("lampisterie_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
