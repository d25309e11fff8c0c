"""Offline for good: the server stopped, the player shows everything, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.conftest import Demo, call, free_port, running, wait_for

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def kiosk(demo: Demo) -> Iterator[str]:
    """Address of a kiosk whose server is gone."""
    port = free_port()
    arguments = ("serve", "--data-dir", str(demo.kiosk), "--port", str(port))
    with running("kiosk_client.cli", *arguments) as child:
        wait_for(f"http://127.0.0.1:{port}/release.json", child)
        yield f"http://127.0.0.1:{port}"


class Watched:
    """A page, and everything on it that went wrong or went elsewhere."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.failed: list[str] = []
        self.elsewhere: list[str] = []
        self.asked: set[str] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.failed.append(f"error {error}"))
        page.on("requestfailed", lambda request: self.failed.append(f"failed {request.url}"))
        page.on("response", self._response)
        self._origin = origin

    def _console(self, message: object) -> None:
        if getattr(message, "type", "") in ("error", "warning"):
            self.failed.append(f"console {getattr(message, 'text', '')}")

    def _response(self, response: object) -> None:
        url = str(getattr(response, "url", ""))
        self.asked.add(url.removeprefix(self._origin))
        if not url.startswith((self._origin, "data:", "blob:")):
            self.elsewhere.append(url)
        if getattr(response, "status", 0) >= 400:
            self.failed.append(f"status {getattr(response, 'status', 0)} {url}")


@pytest.mark.parametrize("language", ["ja", "fr", "en", "zh-Hans"])
def test_every_screen_of_every_language_shows_without_a_network(
    kiosk: str, browser: Browser, language: str
) -> None:
    status, package = call("GET", f"{kiosk}/content/package.json")
    assert status == 200
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    watched = Watched(page, kiosk)
    page.goto(f"{kiosk}/")
    page.wait_for_load_state("networkidle")
    for section in package["sections"]:
        page.goto(f"{kiosk}/#/{language}/section/{section['id']}")
        page.wait_for_load_state("networkidle")
        assert page.locator("h1").first.is_visible()
        for entry in section["entries"][:2]:
            page.goto(f"{kiosk}/#/{language}/entry/{entry}")
            page.wait_for_load_state("networkidle")
            assert page.locator("h1").first.inner_text().strip()
    assert watched.failed == []
    assert watched.elsewhere == []
    assert page.locator("html").get_attribute("lang") == language


def test_search_finds_a_two_character_japanese_word_offline(kiosk: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    watched = Watched(page, kiosk)
    page.goto(f"{kiosk}/#/ja/search")
    page.get_by_role("searchbox").fill("炭鉱")
    page.get_by_role("searchbox").press("Enter")
    page.locator("main a[href*='/entry/']").first.wait_for()
    assert watched.failed == []


def test_every_file_the_device_holds_is_served_whole(demo: Demo, kiosk: str) -> None:
    from hashlib import sha256
    from urllib.request import urlopen

    from package_format.manifest import parse_manifest, select_files

    pointer = json.loads((demo.kiosk / "active.json").read_text())
    (slot,) = pointer["slots"].values()
    chosen = slot["current"]
    raw = (Path(demo.kiosk) / "sets" / f"{chosen['manifest']}.json").read_bytes()
    for file in select_files(parse_manifest(raw), chosen["profile"], chosen["languages"]):
        with urlopen(f"{kiosk}/content/{file.path}") as answer:
            assert answer.headers["Content-Type"].split(";")[0] == file.type
            assert sha256(answer.read()).hexdigest() == file.sha256
