"""Every page of the studio, on the sample collection, in real Chromium.

Each is opened in French, Japanese and at tablet size, in light and dark: it must be free of
what axe finds by WCAG 2.2 AA, of script errors, of anything from elsewhere, and must not be
wider than its window.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from content_api.accounts.rules import SYSTEM, Grant
from content_api.devices.service import create_device, create_venue
from content_api.settings import load_settings
from content_api.setup_server import prepare_server
from tests.e2e.conftest import free_port
from tests.studio import addresses
from tests.studio.conftest import Live, Person, Windows, axe_faults
from tests.studio.fleet import make_fleet

PLACES = {
    "entry": "fosse-arenberg",
    "asset": "affiche-terrils",
    "package": "meiji-tablet",
    "language": "ja",
    "venue": "meiji",
    "device": "meiji-1",
    "group": "halls",
    "subscription": "1",
}


def every_address() -> list[str]:
    """The addresses that each area lists of itself."""
    found = ["/studio/style", "/studio/nothing-here"]
    for module in iter_modules(addresses.__path__):
        found += import_module(f"{addresses.__name__}.{module.name}").ADDRESSES
    return found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with the sample collection, a venue and a device."""
    data = tmp_path_factory.mktemp("sample") / "data"
    prepare_server(load_settings({}, data_dir=data), say=lambda _text: None, sample=True)
    found = Live(data, free_port())
    with found.write() as session:
        create_venue(session, SYSTEM, name="Meiji", timezone="Asia/Tokyo", venue_id="meiji")
        create_device(
            session,
            SYSTEM,
            {
                "id": "meiji-1",
                "name": "Tablette 1",
                "venue": "meiji",
                "package": "meiji-tablet",
                "profile": "tablet",
                "languages": ["ja", "en"],
            },
        )
        make_fleet(session, "meiji", "meiji-tablet", "meiji-1")
    found.start()
    yield found
    found.stop()
    found.engine.dispose()
    shutil.rmtree(data)


@pytest.fixture(scope="module")
def admin(live: Live) -> Person:
    """Somebody who may open everything."""
    return live.person("ada", Grant("admin"))


@pytest.mark.parametrize("address", every_address())
def test_a_page_is_accessible_quiet_and_fits(
    live: Live, admin: Person, windows: Windows, address: str
) -> None:
    path = address.format(**PLACES, user=admin.user.id)
    page = windows.open(live, admin, path, language="fr")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    _check(page)
    page.emulate_media(color_scheme="dark")
    _check(page)
    page.set_viewport_size({"width": 820, "height": 1180})
    _check(page)
    # 200 % of a 1280 pixel window: half as many CSS pixels.
    page.set_viewport_size({"width": 640, "height": 400})
    assert _overflow(page) <= 0, f"{path} is wider than its window at 200 %"
    elsewhere = {urlsplit(url).netloc for url in asked} - {urlsplit(live.url).netloc, ""}
    assert elsewhere == set()
    expected = ["404"] if "nothing-here" in path else []
    assert [fault for fault in windows.faults if not any(x in fault for x in expected)] == []


@pytest.mark.parametrize("address", every_address())
def test_a_page_speaks_the_readers_language(
    live: Live, admin: Person, windows: Windows, address: str
) -> None:
    path = address.format(**PLACES, user=admin.user.id)
    page = windows.open(live, admin, path, language="ja")
    assert page.locator("html").get_attribute("lang") == "ja"
    heading = page.locator("h1").first.text_content() or ""
    assert heading.strip()


def _check(page: Page) -> None:
    assert axe_faults(page) == []
    assert _overflow(page) <= 0, f"{page.url} is wider than its window"


def _overflow(page: Page) -> int:
    found: int = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return found


def test_every_area_lists_its_pages() -> None:
    areas = {path.stem for path in Path(addresses.__path__[0]).glob("*.py")} - {"__init__"}
    assert areas == {
        "account",
        "desk",
        "devices",
        "edit",
        "entries",
        "exchange",
        "hours",
        "media",
        "packages",
        "people",
        "preview",
        "publish",
        "review",
        "translate",
    }
