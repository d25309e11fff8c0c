"""One browser a module, one small release, the player served as a kiosk serves it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import missing
from tests.player.release import write_release
from tests.player.server import Site, serve

PLAYER = Path(__file__).resolve().parents[2] / "kiosk_client" / "player"
VENDOR = PLAYER / "vendor"
AXE = PLAYER / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


def chromium() -> str:
    """Path of the system's Chromium; skips the test when there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        missing("chromium")
    return str(found)


@dataclass
class Visit:
    """A page of the player, and everything that went wrong on it."""

    page: Page
    site: Site
    faults: list[str] = field(default_factory=list)

    def open(self, address: str = "#/") -> Page:
        """Open an address such as `#/fr/entry/loos` in a fresh document."""
        self.page.goto("about:blank")
        self.page.goto(self.site.url + address)
        self.page.wait_for_selector("h1")
        return self.page

    def move(self, address: str) -> Page:
        """Go to an address inside the document that is open, and wait for its page."""
        self.page.evaluate(
            "hash => { document.querySelector('main').replaceChildren(); location.hash = hash }",
            address,
        )
        self.page.wait_for_selector("main h1")
        return self.page

    def go(self, address: str) -> Page:
        """Follow an address inside the document that is open."""
        old = self.page.evaluate("document.title")
        self.page.evaluate("hash => { location.hash = hash }", address)
        self.page.wait_for_function("old => document.title !== old", arg=old)
        return self.page


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small release."""
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for this module."""
    path = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(release: Path) -> Iterator[Site]:
    """The player with the small release and what `python -m npm_assets` fetched."""
    with serve(PLAYER, release, VENDOR if VENDOR.is_dir() else None) as served:
        yield served


@contextmanager
def visiting(
    browser: Browser, site: Site, *, width: int = 1280, height: int = 800, **options: object
) -> Iterator[Visit]:
    """A page in a context of its own; faults are collected, not raised."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
    context.set_default_timeout(8000)  # milliseconds; the machine may be busy
    page = context.new_page()
    visit = Visit(page, site)
    page.on("console", lambda message: visit.faults.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: visit.faults.append(f"error: {error}"))
    page.on(
        "requestfailed",
        lambda request: (
            visit.faults.append(f"failed: {request.url} {request.failure}")
            if request.failure != "net::ERR_ABORTED"
            else None
        ),
    )
    page.on(
        "response",
        lambda answer: (
            visit.faults.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None
        ),
    )
    page.on(
        "request",
        lambda request: (
            visit.faults.append(f"outside: {request.url}")
            if not request.url.startswith((site.url, "data:", "blob:", "about:"))
            else None
        ),
    )
    try:
        yield visit
    finally:
        context.close()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visit]:
    """A visitor at a tablet."""
    with visiting(browser, site) as each:
        yield each
