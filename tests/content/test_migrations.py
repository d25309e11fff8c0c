"""Migrations: both engines get the schema of the models, and keep what is in them."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import inspect, text

from content_api.accounts.rules import SYSTEM
from content_api.content.service import create_entry, get_revision
from content_api.database import open_engine, read_session, write_session
from content_api.languages.service import put_languages
from content_api.migrations.compare import differences
from content_api.migrations.upgrade import (
    SchemaTooNew,
    current_revision,
    head_revision,
    upgrade_database,
)
from content_api.tables import Base

from .conftest import LANGUAGES, put


def test_the_migrated_schema_is_what_the_models_say(engine):
    with engine.connect() as connection:
        assert differences(connection) == []
        assert current_revision(connection) == head_revision()


def test_every_foreign_key_has_an_index(engine):
    inspector = inspect(engine)
    for table in Base.metadata.tables:
        led_by = {tuple(index["column_names"])[:1] for index in inspector.get_indexes(table)}
        led_by |= {
            tuple(unique["column_names"])[:1] for unique in inspector.get_unique_constraints(table)
        }
        led_by.add(tuple(inspector.get_pk_constraint(table)["constrained_columns"])[:1])
        for key in inspector.get_foreign_keys(table):
            assert tuple(key["constrained_columns"]) in led_by, (table, key)


def test_upgrading_a_populated_database_again_keeps_everything(engine, settings, types):
    with write_session(engine) as session:
        put_languages(session, SYSTEM, LANGUAGES)
        create_entry(session, SYSTEM, "place", [put("title", "fr", "x")], entry_id="a", types=types)
    upgrade_database(settings.database_url)
    with read_session(engine) as session:
        assert get_revision(session, "a", 1).body == {"fields": {"title": {"fr": "x"}}}


def test_a_database_of_a_newer_release_is_left_alone(engine, settings):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'zzzz'"))
    with pytest.raises(SchemaTooNew, match="schema zzzz, which this release does not know"):
        upgrade_database(settings.database_url)


def test_two_processes_that_upgrade_at_once_both_succeed(tmp_path):
    url = f"sqlite:///{tmp_path / 'fresh.sqlite3'}"
    failures = []

    def run():
        try:
            upgrade_database(url)
        except Exception as error:  # noqa: BLE001  the outcome is what is asked for
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    engine = open_engine(url)
    with engine.connect() as connection:
        assert current_revision(connection) == head_revision()
    engine.dispose()
