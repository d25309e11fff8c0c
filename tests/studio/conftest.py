"""A studio with the sample's content types, people who are signed in, and real browsers.

`studio` is the app on both databases, without a network. `live` is the server as an operator
runs it, a process on a free port, for Chromium.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml
from flask import Flask
from lxml import html
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from content_api.accounts.access import actor_of
from content_api.accounts.models import User
from content_api.accounts.rules import SYSTEM, Actor, Grant
from content_api.accounts.service import create_token, create_user
from content_api.content.service import create_entry
from content_api.content.setup import use_types
from content_api.content.types import ContentTypes, load_types
from content_api.database import open_engine, write_session
from content_api.languages.service import put_languages
from content_api.settings import Settings, load_settings
from content_api.setup_server import prepare_server
from content_api.studio.sessions import COOKIE_PATH, SESSION_COOKIE, token_of
from tests.e2e.conftest import free_port
from tests.player.conftest import AXE, FLAGS, chromium

MEDIA = Path(__file__).resolve().parents[2] / "media"

Values = Mapping[tuple[str, str], Any]


def sample_languages() -> list[dict[str, Any]]:
    """The sample's nine languages."""
    found: list[dict[str, Any]] = yaml.safe_load((MEDIA / "languages.yml").read_text("utf-8"))
    return found


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in: `secret` is what their cookie holds."""

    user: User
    actor: Actor
    secret: str


def make_person(engine: Engine, name: str, *grants: Grant) -> Person:
    """A new user with a session. No password is hashed: that is slow, and tested elsewhere."""
    with write_session(engine) as session:
        user = create_user(
            session, SYSTEM, name=name, display_name=name.capitalize(), grants=grants
        )
        user.ui_language = "en"
        _, secret = create_token(session, SYSTEM, user.id, name="studio", life=timedelta(hours=12))
        return Person(user, actor_of(user), secret)


def make_entry(
    session: Session,
    types: ContentTypes,
    type_id: str,
    values: Values,
    *,
    entry_id: str | None = None,
    actor: Actor = SYSTEM,
) -> str:
    """An entry with these values by (path, scope); its id. Blocks are made by operations."""
    operations = [
        {"op": "set", "path": path, "scope": scope, "value": value}
        for (path, scope), value in values.items()
    ]
    revision = create_entry(session, actor, type_id, operations, entry_id=entry_id, types=types)
    return revision.entry_id


# -- In process ------------------------------------------------------------------------------


class StudioClient:
    """A browser of somebody who is signed in, without scripts."""

    def __init__(self, app: Flask, person: Person) -> None:
        self.person = person
        self.actor = person.actor
        self.client = app.test_client()
        self.client.set_cookie(SESSION_COOKIE, person.secret, path="/studio")
        self.csrf = token_of(person.secret)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, **options)

    def post(self, path: str, *, method: str = "POST", **options: Any) -> TestResponse:
        """Send a form (`data=`) or JSON (`json=`), as our own pages do."""
        headers = {"X-CSRF-Token": self.csrf, **options.pop("headers", {})}
        if "json" in options:
            headers.setdefault("Accept", "application/json")
        return self.client.open(path, method=method, headers=headers, **options)

    def page(self, path: str) -> Any:
        """A page that must open, parsed."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:2000])
        return html.fromstring(answer.text)


class Studio:
    """The app with the sample's types and languages, on an empty database."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.engine: Engine = app.extensions["lampisterie_engine"]
        self.settings: Settings = app.extensions["lampisterie_settings"]
        self.types = load_types(MEDIA / "types")
        if not any(self.settings.types_dir.glob("*.yml")):
            # Publishing reads them from there.
            shutil.copytree(MEDIA / "types", self.settings.types_dir, dirs_exist_ok=True)
        use_types(app, self.types)
        with self.write() as session:
            put_languages(session, SYSTEM, sample_languages())

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One write transaction, with the app's context."""
        with self.app.app_context(), write_session(self.engine) as session:
            yield session

    def person(self, name: str, *grants: Grant) -> StudioClient:
        """A browser of a new user with these grants."""
        return StudioClient(self.app, make_person(self.engine, name, *grants))

    def entry(self, type_id: str, values: Values, **options: Any) -> str:
        """An entry with these values by (path, scope); its id."""
        with self.write() as session:
            return make_entry(session, self.types, type_id, values, **options)


@pytest.fixture
def studio(app: Flask) -> Studio:
    """The studio, on each database."""
    return Studio(app)


@contextmanager
def count_queries(engine: Engine) -> Iterator[list[str]]:
    """The statements that run inside the block, savepoints and transaction marks aside."""
    found: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.split(" ", 1)[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


# -- With a server and browsers --------------------------------------------------------------

PATIENCE = 60.0
"""Seconds after which something that should happen will not; never a measure of speed."""

expect.set_options(timeout=PATIENCE * 1000)


@dataclass
class Live:
    """A server process on a data directory of its own, on SQLite."""

    data: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = load_settings({}, data_dir=self.data)
        self.engine = open_engine(self.settings.database_url)
        self.types = load_types(self.settings.types_dir)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Run the server until it answers."""
        with (self.data / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "content_api.cli", "serve"),
                    *("--data-dir", str(self.data), "--port", str(self.port)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                with urlopen(f"{self.url}/healthz", timeout=2):
                    return
            except (URLError, OSError):
                time.sleep(0.05)
        pytest.fail(f"the server did not start: {(self.data / 'server.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Take its power away."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        if number == signal.SIGKILL:
            # The workers first: they are processes of their own and would go on serving.
            for child in _children(self.process.pid):
                _signal(child, number)
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.process = None

    def write(self) -> Any:
        """One write transaction on its database."""
        return write_session(self.engine)

    def person(self, name: str, *grants: Grant) -> Person:
        """Somebody who is signed in."""
        return make_person(self.engine, name, *grants)

    def entry(self, type_id: str, values: Values, **options: Any) -> str:
        """An entry with these values by (path, scope); its id."""
        with self.write() as session:
            return make_entry(session, self.types, type_id, values, **options)


@pytest.fixture(scope="session")
def prepared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after `content-api init`, with the sample's languages; to copy from."""
    data = tmp_path_factory.mktemp("prepared") / "data"
    settings = load_settings({}, data_dir=data)
    prepare_server(settings, say=lambda _text: None)
    engine = open_engine(settings.database_url)
    with write_session(engine) as session:
        put_languages(session, SYSTEM, sample_languages())
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return data


@pytest.fixture(scope="module")
def live(prepared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server for this module's browsers."""
    data = tmp_path_factory.mktemp("live") / "data"
    shutil.copytree(prepared_data, data)
    found = Live(data, free_port())
    found.start()
    yield found
    found.stop()
    found.engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for this module."""
    path = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@dataclass
class Windows:
    """Opens pages as people, and remembers what went wrong on them."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Script errors and messages on the console, of all pages; a test may clear it."""

    def open(
        self,
        live: Live,
        person: Person | None,
        path: str,
        *,
        width: int = 1280,
        height: int = 800,
        language: str = "en",
        dark: bool = False,
        **options: Any,
    ) -> Page:
        """A page in a browser of this person's own; its scripts have started."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            locale=language,
            color_scheme="dark" if dark else "light",
            timezone_id="Europe/Paris",
            # Colours that are on their way from one to another are nobody's contrast.
            reduced_motion="reduce",
            **options,
        )
        self.contexts.append(context)
        cookies = [{"name": "lampisterie_language", "value": language}]
        if person is not None:
            cookies.append({"name": SESSION_COOKIE, "value": person.secret})
            with live.write() as session:
                session.get_one(User, person.user.id).ui_language = language
        context.add_cookies(
            [{**cookie, "domain": "127.0.0.1", "path": COOKIE_PATH} for cookie in cookies]  # type: ignore[list-item]
        )
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda message: (
                self.faults.append(f"{page.url}: {message.text}")
                if message.type in ("error", "warning")
                else None
            ),
        )
        self.visit(page, f"{live.url}{path}")
        return page

    @staticmethod
    def visit(page: Page, url: str) -> None:
        """Go to a page of the studio and wait until its scripts have started."""
        page.goto(url)
        page.wait_for_selector("html[data-ready=true]", state="attached")


@pytest.fixture
def windows(browser: Browser) -> Iterator[Windows]:
    """Browsers that close at the end of the test."""
    found = Windows(browser)
    yield found
    for context in found.contexts:
        context.close()


def axe_faults(page: Page) -> list[str]:
    """What axe finds wrong by WCAG 2.2 AA on the page as it is shown."""
    if not AXE.is_file():
        pytest.fail(f"{AXE}: expected axe-core, fetched from npm for the tests")
    page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = page.evaluate(
        """async () => {
          const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
          const answer = await axe.run(document, { runOnly: tags, resultTypes: ['violations'] })
          return answer.violations.flatMap((rule) => rule.nodes.map((node) =>
            `${rule.id}: ${rule.help}: ${node.target.join(' ')}: ${node.failureSummary}`))
        }"""
    )
    return found


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    direct = [int(word) for word in found.read_text().split()] if found.exists() else []
    return [*direct, *(inner for child in direct for inner in _children(child))]


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
