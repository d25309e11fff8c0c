"""What the models have that the migrations have not made, and the step that would make it.

python -m content_api.migrations.compare            list the differences; exit code 1 if any
python -m content_api.migrations.compare --print    the next step, as Python to be edited
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from content_api.database import open_engine
from content_api.migrations.upgrade import upgrade
from content_api.tables import Base

BY_HAND = frozenset({"ix_search_text_words"})
"""Indexes that the models cannot describe: full text, on one engine alone."""


def differences(connection: Connection) -> list[Any]:
    """What would have to change for the database to match the models."""
    found: list[Any] = compare_metadata(_context(connection), Base.metadata)
    return found


def next_step(connection: Connection) -> str:
    """The body of `upgrade()` that brings the database to the models."""
    context = _context(connection)
    script = produce_migrations(context, Base.metadata)
    if script.upgrade_ops is None:
        return "pass"
    code = render_python_code(script.upgrade_ops, render_as_batch=False, migration_context=context)
    # A migration names what the database sees, not our classes, which may change later.
    code = re.sub(
        r"content_api\.database\.UTCDateTime\([^)]*\)", "sa.DateTime(timezone=True)", code
    )
    return re.sub(r"sa\.JSON\(\)\.with_variant\(.*?\)\), 'postgresql'\)", "DOCUMENT", code)


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave out the tables a full-text index keeps for itself."""
    return not (kind == "table" and name is not None and name.startswith("search_index"))


def include_object(
    _found: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
) -> bool:
    """Leave out indexes made by hand."""
    return not (kind == "index" and reflected and compare_to is None and name in BY_HAND)


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "include_name": include_name,
            "include_object": include_object,
            "sqlalchemy_module_prefix": "sa.",
            "alembic_module_prefix": "op.",
            "user_module_prefix": None,
            "target_metadata": Base.metadata,
        },
    )


def main(arguments: list[str]) -> int:
    """Compare a fresh database with the models."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'compare.sqlite3'}")
        upgrade(engine)
        with engine.connect() as connection:
            if "--print" in arguments:
                sys.stdout.write(next_step(connection) + "\n")
                return 0
            found = differences(connection)
        engine.dispose()
    for difference in found:
        sys.stdout.write(f"{difference}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
