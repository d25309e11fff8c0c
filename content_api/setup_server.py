"""Preparing a server: everything that `init` makes, keeping what is there.

Each step asks what it finds before it makes anything, so it can be run again, after an
interruption or an upgrade, and finishes what is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from content_api.accounts.models import User, UserGrant
from content_api.accounts.passwords import make_password
from content_api.accounts.rules import SYSTEM, Grant
from content_api.accounts.service import create_user, find_user
from content_api.command_line import counting
from content_api.database import open_engine, read_session, utc_now, write_session
from content_api.problems import Conflict
from content_api.settings import Settings, SettingsError, prepare_data_dir

ADMIN_NAME = "admin"

_BESIDE_PACKAGE = Path(__file__).parent
_SAMPLES = (_BESIDE_PACKAGE / "sample", _BESIDE_PACKAGE.parent / "media")
"""Where the sample collection lies: in an installed wheel, in a checkout."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made. `password` is the new administrator's, to be shown this once."""

    admin: str | None = None
    password: str | None = None
    root_keys: Path | None = None


def prepare_server(
    settings: Settings,
    *,
    say: Callable[[str], None],
    sample: bool = False,
    root_keys: Path | None = None,
    admin_name: str = ADMIN_NAME,
    admin_password: str | None = None,
) -> Prepared:
    """Make what is missing of a server: folders, database, types, keys, an administrator.

    With `sample`, also the sample collection in an empty database, and a first release
    of each of its packages. Root keys go to `root_keys`, by default below the data
    directory, for the operator to take away.

    Raises:
        SettingsError: the data directory or a setting cannot be used.
        SchemaTooNew: the database belongs to a newer release of this product.
    """
    from content_api.content.statuses import ensure_statuses
    from content_api.content.types import load_types
    from content_api.migrations.upgrade import upgrade_database
    from content_api.repository.service import init_repository, refresh

    prepare_data_dir(settings)
    say("Preparing the database …")
    upgrade_database(settings.database_url)
    _place_types(settings)
    offline = root_keys or settings.keys_dir / "root-offline"
    made_keys = init_repository(settings, offline, utc_now())
    refresh(settings, utc_now())
    engine = open_engine(settings.database_url)
    try:
        with write_session(engine) as session:
            password = _ensure_admin(session, admin_name, admin_password)
            ensure_statuses(session, load_types(settings.types_dir))
        if sample:
            _load_sample(settings, engine, say)
    finally:
        engine.dispose()
    return Prepared(
        admin=admin_name if password else None,
        password=password if password and not admin_password else None,
        root_keys=offline if made_keys else None,
    )


def sample_dir() -> Path:
    """The sample collection.

    Raises:
        SettingsError: this installation has none.
    """
    for folder in _SAMPLES:
        if (folder / "collection.yml").is_file():
            return folder
    raise SettingsError(
        f"the sample collection is not installed: expected it at {' or '.join(map(str, _SAMPLES))}"
    )


def _place_types(settings: Settings) -> None:
    if any(settings.types_dir.glob("*.yml")):
        return
    for found in sorted((sample_dir() / "types").rglob("*.yml")):
        place = settings.types_dir / found.relative_to(sample_dir() / "types")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, place)


def _ensure_admin(session: Session, name: str, given: str | None) -> str | None:
    """Make an administrator unless one is active; their password, None if none was made."""
    there = session.scalar(
        select(func.count())
        .select_from(User)
        .join(UserGrant)
        .where(UserGrant.role == "admin", User.deactivated_at.is_(None))
    )
    if there:
        return None
    if find_user(session, name) is not None:
        raise Conflict(
            f"there is a user {name} who is no active administrator: give another name with "
            f"--admin, or `content-api user grant {name} --grant admin`"
        )
    password = given or make_password()
    create_user(session, SYSTEM, name=name, password=password, grants=[Grant("admin")])
    return password


def _load_sample(settings: Settings, engine: Engine, say: Callable[[str], None]) -> None:
    from content_api.content.collection import import_collection, prepare_import
    from content_api.content.models import Entry
    from content_api.packages.publish import publish_release
    from content_api.packages.service import list_packages, live_number

    with read_session(engine) as session:
        # Only into an empty database: a second start must not undo what was changed since.
        empty = not session.scalar(select(func.count()).select_from(Entry))
    if empty:
        say("Loading the sample collection …")
        with counting() as progress:
            with read_session(engine) as session:
                ready = prepare_import(session, settings, sample_dir(), progress=progress)
            with write_session(engine) as session:
                import_collection(session, SYSTEM, settings, ready, progress=progress)
    with read_session(engine) as session:
        waiting = [
            package.slug
            for package in list_packages(session)
            if live_number(session, package.slug) is None
        ]
    for slug in waiting:
        say(f"Publishing {slug} …")
        publish_release(engine, settings, SYSTEM, slug)
