"""`content-api doctor`: each part of a server, whether it is right, and what to do if not."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select

from content_api.accounts.models import User, UserGrant
from content_api.command_line import check_prepared, reading
from content_api.database import utc_now
from content_api.problems import ContentError
from content_api.settings import Settings, SettingsError

LEAST_FREE = 2 * 1024**3
"""Bytes free below which publishing films may fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of a server: whether it is right, and a line for a person."""

    check: str
    ok: bool
    message: str


def examine(settings: Settings) -> list[Finding]:
    """Look at every part; changes nothing."""
    checks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("data directory", _data_dir),
        ("database", _database),
        ("content types", _types),
        ("administrator", _admin),
        ("keys", _keys),
        ("repository", _repository),
        ("disk", _disk),
    )
    found: list[Finding] = []
    for name, check in checks:
        try:
            found += check(settings)
        except ContentError as error:
            found.append(Finding(name, False, error.message))
        except (OSError, SettingsError) as error:
            found.append(Finding(name, False, str(error)))
    return found


def _data_dir(settings: Settings) -> Iterator[Finding]:
    writable = settings.data_dir.is_dir() and os.access(settings.data_dir, os.W_OK | os.X_OK)
    message = (
        f"{settings.data_dir} can be written"
        if writable
        else f"{settings.data_dir}: expected a folder this user can write; run `content-api init`"
    )
    yield Finding("data directory", writable, message)


def _database(settings: Settings) -> Iterator[Finding]:
    from content_api.migrations.upgrade import head_revision

    check_prepared(settings)
    kind = settings.database_url.partition(":")[0].partition("+")[0]
    yield Finding("database", True, f"{kind}, schema {head_revision()}")


def _types(settings: Settings) -> Iterator[Finding]:
    from content_api.content.types import load_types

    found = load_types(settings.types_dir)
    yield Finding(
        "content types",
        bool(found.types),
        f"{len(found.types)} types in {settings.types_dir}",
    )


def _admin(settings: Settings) -> Iterator[Finding]:
    with reading(settings) as session:
        count = session.scalar(
            select(func.count(User.id.distinct()))
            .join(UserGrant)
            .where(UserGrant.role == "admin", User.deactivated_at.is_(None))
        )
    message = f"{count} active" if count else "nobody is: run `content-api init`"
    yield Finding("administrator", bool(count), message)


def _keys(settings: Settings) -> Iterator[Finding]:
    open_to_others = [
        path
        for path in sorted(settings.keys_dir.glob("**/*.pem"))
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    for path in open_to_others:
        yield Finding("keys", False, f"{path} can be read by others: chmod 600 it")
    if not open_to_others:
        yield Finding("keys", True, "readable by this user alone")
    if any((settings.keys_dir / "root-offline").glob("*.pem")):
        yield Finding(
            "keys",
            True,
            f"root keys lie at {settings.keys_dir / 'root-offline'}: take them off this machine",
        )


def _repository(settings: Settings) -> Iterator[Finding]:
    from content_api.repository.service import health

    found = health(settings, utc_now())
    for message in found.messages:
        yield Finding("repository", False, message)
    if not found.messages:
        yield Finding("repository", found.level == "ok", "signed, every role in its first half")


def _disk(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(settings.data_dir).free
    message = f"{free / 1024**3:.1f} GiB free"
    if free < LEAST_FREE:
        message += f", expected at least {LEAST_FREE / 1024**3:.0f}"
    yield Finding("disk", free >= LEAST_FREE, message)
