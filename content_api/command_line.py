"""What every command shares: `--data-dir`, a transaction, JSON, and one line for an error.

A feature's commands take their Settings from `with_settings`, open one session with
`writing` or `reading`, and raise our errors; `CommandGroup` ends them with one line on
stderr and exit code 1. Wrong usage is click's, with exit code 2.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

# Flask and SQLAlchemy take half a second to import: `--help` must not wait for them.
if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.orm import Session

    from content_api.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_FINDINGS = 50
"""Lines of an error's single findings that are printed; the rest is counted."""


class CommandGroup(click.Group):
    """Ends our errors with one clear line and exit code 1; faults of ours keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            # The reader of our output went away, as `head` does: nobody is left to tell.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except Exception as error:
            line = _line_for(error)
            if line is None:
                raise
            _fail(line, getattr(error, "errors", ()))


def with_settings(function: Function) -> Function:
    """Give a command `--data-dir`, and hand it the Settings as its first argument."""

    @click.option(
        "--data-dir",
        envvar="CONTENT_API_DATA",
        type=click.Path(path_type=Path),
        help="Where the server keeps its files (CONTENT_API_DATA, ./lampisterie-data).",
    )
    @functools.wraps(function)
    def wrapped(*args: Any, data_dir: Path | None, **kwargs: Any) -> Any:
        from content_api.settings import load_settings

        given = data_dir or click.get_current_context().find_root().params.get("data_dir")
        return function(load_settings(data_dir=given), *args, **kwargs)

    return wrapped  # type: ignore[return-value]


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON alone, for programs."
)


@contextmanager
def writing(settings: Settings) -> Iterator[Session]:
    """One write transaction on a prepared database: committed at the end, or nothing.

    Raises:
        NotReady: the database was not prepared for this version.
    """
    from content_api.database import write_session

    with database_of(settings) as engine, write_session(engine) as session:
        yield session


@contextmanager
def reading(settings: Settings) -> Iterator[Session]:
    """One session that only reads.

    Raises:
        NotReady: the database was not prepared for this version.
    """
    from content_api.database import read_session

    with database_of(settings) as engine, read_session(engine) as session:
        yield session


@contextmanager
def database_of(settings: Settings) -> Iterator[Engine]:
    """The engine of a prepared database.

    Raises:
        NotReady: the database was not prepared for this version.
    """
    from content_api.database import open_engine

    check_prepared(settings)
    engine = open_engine(settings.database_url)
    try:
        yield engine
    finally:
        engine.dispose()


def check_prepared(settings: Settings) -> None:
    """Go on only with a data directory that `init` prepared for this version.

    Raises:
        NotReady: says what to run.
    """
    from sqlalchemy.exc import OperationalError

    from content_api.database import open_engine
    from content_api.migrations.upgrade import current_revision, head_revision
    from content_api.problems import NotReady

    path = settings.database_url.removeprefix("sqlite:///")
    if path != settings.database_url and not Path(path).is_file():
        # Opening it would make an empty file where an operator only mistyped a folder.
        raise NotReady(f"there is no database at {path}: run `content-api init` first")
    engine = open_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            found = current_revision(connection)
    except OperationalError as error:
        raise NotReady(_database_line(error)) from error
    finally:
        engine.dispose()
    if found != head_revision():
        raise NotReady(
            f"the database has schema {found or 'none'}, expected {head_revision()}: "
            "run `content-api init`, which brings it up to date"
        )


def print_json(value: Any) -> None:
    """Print one JSON value; times as ISO 8601."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_json_value))


def set_up_logging(*, verbose: bool = False) -> None:
    """Log to stderr: what an operator can act on, or everything of ours."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )


def _line_for(error: Exception) -> str | None:
    """What to tell of an error that is no fault of ours; None for a fault."""
    from sqlalchemy.exc import OperationalError

    from content_api.problems import ContentError
    from content_api.settings import SettingsError

    if isinstance(error, ContentError):
        return error.message
    if isinstance(error, SettingsError):
        return str(error)
    if isinstance(error, OperationalError):
        return _database_line(error)
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}" if error.filename else reason
    return None


def _fail(line: str, findings: Sequence[Mapping[str, Any]]) -> None:
    click.echo(f"content-api: {line}", err=True)
    for finding in findings[:MAX_FINDINGS]:
        place = " ".join(str(finding[name]) for name in ("pointer", "scope") if finding.get(name))
        click.echo(f"  {place}: {finding.get('message', '')}", err=True)
    if len(findings) > MAX_FINDINGS:
        click.echo(f"  and {len(findings) - MAX_FINDINGS} more", err=True)
    sys.exit(1)


def _database_line(error: OperationalError) -> str:
    return f"the database cannot be used: {str(error.orig).strip().splitlines()[0]}"


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"expected a JSON value, got {type(value).__name__}")


@contextmanager
def counting(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A line that counts, when a person watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda _what, _done, _all: None
        return

    def show(what: str, done: int, total: int) -> None:
        if done == total or done % 25 == 0:
            click.echo(f"\r{what}: {done} of {total} ", nl=done == total, err=True)

    yield show
