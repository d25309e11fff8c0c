"""Alembic's environment: the database grows by these steps and by nothing else."""
