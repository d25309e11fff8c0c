"""Server time of the studio's pages with many entries, beside the same pages with few.

python -m benchmarks.studio_pages                   10,000 entries in 9 languages beside 100
python -m benchmarks.studio_pages --entries 2000    sooner

Two data directories are made from a seed, on SQLite. Some hundred entries are written through
the services; the rest are copies of their rows under other ids, which is what the services
would have left. The pages are then asked in turn, first of one server and then of the other,
in this process. What is counted is the time of this thread on the processor, SQLite included:
it is the server's time on a quiet machine, and other work on a busy one does not change it.
The first answer of each page is not counted: it compiles templates. Exit code 1 only when a
page did not answer.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import yaml
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from content_api.accounts.models import User
from content_api.accounts.rules import SYSTEM, Actor, Grant
from content_api.accounts.service import create_token, create_user
from content_api.app import create_app
from content_api.content.approvals import approve_scopes
from content_api.content.service import create_entry
from content_api.content.types import ContentTypes, load_types
from content_api.database import open_engine, write_session
from content_api.languages.service import put_languages
from content_api.settings import load_settings
from content_api.setup_server import prepare_server, sample_dir
from content_api.studio.sessions import SESSION_COOKIE

SEED = 1720
"""The year in which coal was found at Fresnes."""

FEW = 100
MANY = 10_000
TEMPLATES = 400
"""Entries written through the services; more are copies of these."""

TARGET_MS = 150
TARGET_RATIO = 1.5

WORDS = {
    "fr": "mine charbon fosse terril coron galerie lampe mineur puits veine grisou chevalement",
    "en": "mine coal pit heap terrace gallery lamp miner shaft seam firedamp headframe",
    "ja": "炭鉱 石炭 坑口 ボタ山 炭住 坑道 安全灯 坑夫 竪坑 炭層 坑内ガス 櫓",
    "ar": "منجم فحم حفرة كومة مساكن سرداب مصباح عامل بئر عرق غاز برج",
    "zh-Hans": "煤矿 煤炭 矿井 矸石山 工人村 巷道 矿灯 矿工 竖井 煤层 瓦斯 井架",
}

PAGES = (
    ("list", "/studio/entries/"),
    (
        "list, missing in Japanese, by title",
        "/studio/entries/?language=ja&state=missing&order=title",
    ),
    ("list, words", "/studio/entries/?q=%E7%82%AD%E9%89%B1"),
    ("list, changed since approval", "/studio/entries/?language=fr&state=changed"),
    ("matrix", "/studio/entries/matrix"),
    ("desk", "/studio/"),
    ("edit", "/studio/entries/story-00007/"),
    ("translate", "/studio/entries/story-00007/translate/ja"),
    ("review", "/studio/entries/story-00007/review"),
    ("history", "/studio/entries/story-00007/history"),
    ("media", "/studio/media/"),
    ("packages", "/studio/packages/"),
    ("exchange", "/studio/exchange/"),
)


@dataclass
class Server:
    """An app with its data, and somebody signed in."""

    app: Flask
    client: FlaskClient
    times: dict[str, list[float]] = field(default_factory=dict)
    queries: dict[str, int] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        """Its database."""
        found: Engine = self.app.extensions["lampisterie_engine"]
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--entries", type=int, default=MANY, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="at least 5")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lampisterie-bench-") as folder:
        few = make_server(Path(folder) / "few", FEW)
        many = make_server(Path(folder) / "many", options.entries)
        broken = measure((few, many), max(5, options.rounds))
        report(few, many, options.entries, broken)
    return 1 if broken else 0


def make_server(data: Path, entries: int) -> Server:
    """A server whose database holds `entries` entries in nine languages."""
    started = time.perf_counter()
    settings = load_settings({}, data_dir=data)
    prepare_server(settings, say=lambda _text: None)
    types = load_types(settings.types_dir)
    engine = open_engine(settings.database_url)
    with write_session(engine) as session:
        rows = yaml.safe_load((sample_dir() / "languages.yml").read_text("utf-8"))
        put_languages(session, SYSTEM, rows)
        tags = [row["tag"] for row in rows]
        user = create_user(session, SYSTEM, name="editor", grants=[Grant("admin")])
        user.ui_language = "fr"
        _, secret = create_token(session, SYSTEM, user.id, name="studio", life=timedelta(hours=12))
        fill(session, types, tags, user, entries)
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    engine.dispose()
    app = create_app(settings)
    client = app.test_client()
    client.set_cookie(SESSION_COOKIE, secret, path="/studio")
    click.echo(f"made {entries:,} entries in {time.perf_counter() - started:.0f} s", err=True)
    return Server(app, client)


def fill(session: Session, types: ContentTypes, tags: list[str], user: User, entries: int) -> None:
    """Write the first entries through the services and the rest as copies of them."""
    chance = random.Random(SEED)  # noqa: S311 - a benchmark must be the same each time
    writer = Actor(id=user.id, name=user.name, kind="user", grants=(Grant("admin"),))
    written = min(entries, TEMPLATES)
    for number in range(written):
        actor = writer if number % 10 == 0 else SYSTEM
        entry_id = f"story-{number:05}"
        revision = create_entry(
            session, actor, "story", operations(chance, tags), entry_id=entry_id, types=types
        )
        if number % 3:
            approve_scopes(session, SYSTEM, entry_id, ["*", *tags], revision.rev, types=types)
    session.flush()
    for first in range(written, entries, TEMPLATES):
        copy_rows(session, first, min(TEMPLATES, entries - first))


def operations(chance: random.Random, tags: list[str]) -> list[dict[str, Any]]:
    """A story of four paragraphs, in all languages or with holes."""

    def sentence(tag: str, count: int) -> str:
        return " ".join(chance.choices(WORDS.get(tag, WORDS["en"]).split(), k=count))

    def values(count: int) -> dict[str, str]:
        kept = [tag for tag in tags if tag == "fr" or chance.random() < 0.8]
        return {tag: sentence(tag, count) for tag in kept}

    found: list[dict[str, Any]] = [
        {"op": "set", "path": path, "scope": tag, "value": value}
        for path, count in (("title", 4), ("lead", 25))
        for tag, value in values(count).items()
    ]
    after = None
    for number in range(4):
        block = f"b{number}"
        found.append(
            {
                "op": "insert_block",
                "path": f"story.{block}",
                "value": {"type": "paragraph", "after": after, "fields": {"text": values(60)}},
            }
        )
        after = block
    return found


COPIED = {
    "entry": "id",
    "revision": "entry_id",
    "unit": "entry_id",
    "claim": "entry_id",
    "entry_status": "entry_id",
    "search_text": "entry_id",
    "approval": "entry_id",
}
"""Tables that tell of an entry, and the column that names it."""


def copy_rows(session: Session, first: int, count: int) -> None:
    """Copy the first `count` entries to the numbers from `first` on, row by row."""
    shift = f"printf('story-%05d', substr({{}}, 7) + {first})"
    moved = "strftime('%Y-%m-%d %H:%M:%f', updated_at, :back)"
    for table, name in COPIED.items():
        columns = [
            row[1]
            for row in session.execute(text(f"PRAGMA table_info({table})"))
            if row[1] != "id" or name == "id"
        ]
        values = [
            shift.format(name) if column == name else moved if column == "updated_at" else column
            for column in columns
        ]
        statement = (
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "  # noqa: S608
            f"FROM {table} WHERE {name} < 'story-{count:05}'"
        )
        session.execute(
            text(statement), {"back": f"-{first} minutes"} if ":back" in statement else {}
        )


def measure(servers: Sequence[Server], rounds: int) -> list[str]:
    """Ask every page of every server in turn; what did not answer."""
    broken = []
    for number in range(rounds + 1):
        for name, path in PAGES:
            for server in servers:
                with counted(server.engine) as statements:
                    started = time.thread_time()
                    answer = server.client.get(path)
                    spent = (time.thread_time() - started) * 1000
                if answer.status_code != 200:
                    broken.append(f"{name} ({path}): {answer.status_code}")
                elif number:
                    server.times.setdefault(name, []).append(spent)
                    server.queries[name] = len(statements)
    return sorted(set(broken))


def report(few: Server, many: Server, entries: int, broken: Sequence[str]) -> None:
    """Print the table."""
    click.echo(
        f"processor time in ms, median (lowest to highest); {entries:,} entries beside {FEW}"
    )
    click.echo(f"target: at most {TARGET_MS} ms and {TARGET_RATIO} times the reference\n")
    click.echo(f"{'page':38} {'many':>22} {'few':>22} {'ratio':>6} {'queries':>9}")
    for name, _path in PAGES:
        if name not in many.times or name not in few.times:
            continue
        here, there = many.times[name], few.times[name]
        ratio = statistics.median(here) / statistics.median(there)
        met = statistics.median(here) <= TARGET_MS and ratio <= TARGET_RATIO
        click.echo(
            f"{name:38} {spread(here):>22} {spread(there):>22} {ratio:>6.2f} "
            f"{many.queries[name]:>4}/{few.queries[name]:<4} {'' if met else 'over'}"
        )
    for line in broken:
        click.echo(f"could not measure: {line}")


def spread(times: Sequence[float]) -> str:
    """`61 (58 to 70)`."""
    return f"{statistics.median(times):.0f} ({min(times):.0f} to {max(times):.0f})"


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The queries that run inside the block."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


if __name__ == "__main__":
    sys.exit(main())
