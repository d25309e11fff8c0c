"""Alembic's environment. It is given a connection and reads no configuration file."""

from __future__ import annotations

from alembic import context

from content_api.migrations.compare import include_name, include_object
from content_api.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    include_name=include_name,
    include_object=include_object,
    # The caller holds the transaction: one for all steps.
    transaction_per_migration=False,
)
context.run_migrations()
