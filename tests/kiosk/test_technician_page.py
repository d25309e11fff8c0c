"""The technician's page in a browser: found by its gesture alone, used by touch and by keys."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, CDPSession, Page, ViewportSize, sync_playwright

from kiosk_client.pin import save_pin
from kiosk_client.technician.sticks import Mount
from tests.conftest import missing
from tests.kiosk.conftest import Kiosk
from tests.kiosk.playable import MANIFEST_LANGUAGES, playable
from tests.kiosk.simulator import Origin
from tests.kiosk.technician_screen import Screen, serving
from tests.kiosk.test_technician import a_stick

AXE = Path(__file__).parents[2] / "kiosk_client/player/node_modules/axe-core/axe.min.js"
SIZE: ViewportSize = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("Chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture
def screen(kiosk: Kiosk) -> Iterator[Screen]:
    save_pin(kiosk.data, "4711")
    with serving(kiosk) as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZE, has_touch=True)
    found = context.new_page()
    faults: list[str] = []
    found.on("pageerror", lambda error: faults.append(str(error)))
    # A refused PIN is a refused request, and the browser says so.
    found.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if message.type == "error" and "status of 4" not in message.text
            else None
        ),
    )
    yield found
    context.close()
    assert faults == []


def touch(cdp: CDPSession, x: int, y: int, seconds: float = 0.02) -> None:
    """A finger on the screen for `seconds`, as a touch screen reports it."""
    cdp.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    time.sleep(seconds)
    cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def sign_in(page: Page, screen: Screen, language: str = "en") -> None:
    page.goto(f"{screen.url}/technician/?lang={language}")
    for digit in "4711":
        page.get_by_role("button", name=digit, exact=True).tap()
    page.locator(".key--go").tap()
    page.wait_for_selector(".line")


def audit(page: Page) -> list[str]:
    """What axe objects to."""
    if not AXE.exists():
        missing("axe-core (python -m npm_assets --dev)")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(
        "() => axe.run(document).then(r => r.violations.flatMap("
        "v => v.nodes.map(n => `${v.id} ${n.html.slice(0, 120)}`)))"
    )
    return found


def test_the_door_opens_to_a_held_corner_and_four_taps_and_to_nothing_less(
    screen: Screen, page: Page
) -> None:
    page.goto(screen.url)
    page.wait_for_timeout(200)
    cdp = page.context.new_cdp_session(page)
    for _ in range(8):
        touch(cdp, 1270, 10)
    touch(cdp, 1270, 10, 3.1)
    for _ in range(3):
        touch(cdp, 1270, 10)
    touch(cdp, 10, 790)
    touch(cdp, 1270, 10)
    page.wait_for_timeout(300)
    assert page.url == f"{screen.url}/"
    touch(cdp, 1270, 10, 3.1)
    for _ in range(4):
        touch(cdp, 1270, 10)
    page.wait_for_url("**/technician/**")
    page.get_by_role("button", name="Close").tap()
    page.wait_for_url(f"{screen.url}/")


def test_the_door_opens_to_a_keyboard_too_and_escape_leaves(screen: Screen, page: Page) -> None:
    page.goto(screen.url)
    page.wait_for_timeout(200)
    page.keyboard.press("t")
    page.keyboard.press("Control+t")
    assert page.url == f"{screen.url}/"
    page.keyboard.press("Control+Alt+t")
    page.wait_for_url("**/technician/**")
    page.wait_for_selector(".pin")
    page.keyboard.press("Escape")
    page.wait_for_url(f"{screen.url}/")


def test_the_player_has_the_door_too_and_keeps_the_browser_s_own_keys(
    screen: Screen, page: Page, origin: Origin, kiosk: Kiosk, tmp_path: Path
) -> None:
    origin.publish(playable(tmp_path / "release"), languages=MANIFEST_LANGUAGES)
    kiosk.sync()
    page.goto(screen.url)
    page.wait_for_selector(".page--attract h1")
    for key, kept in (("F12", True), ("a", False)):
        event = f"new KeyboardEvent('keydown', {{code: '{key}', cancelable: true, bubbles: true}})"
        assert page.evaluate(f"!document.body.dispatchEvent({event})") is kept
    page.keyboard.press("Control+Alt+t")
    page.wait_for_url("**/technician/?lang=ja")


def test_a_person_with_a_keyboard_alone_updates_the_screen(
    screen: Screen, page: Page, origin: Origin
) -> None:
    origin.publish()
    page.goto(f"{screen.url}/technician/?lang=en")
    page.wait_for_selector(".pin")
    page.keyboard.type("0000")
    page.keyboard.press("Enter")
    page.get_by_text("That is not the PIN.").wait_for()
    page.keyboard.type("4711")
    page.keyboard.press("Enter")
    page.get_by_text("Nothing was fetched completely yet.").wait_for()
    update = page.get_by_role("button", name="Update now")
    for _ in range(12):
        if update.evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Plays harbour, release 1. Every file is whole.").wait_for()
    page.get_by_text("harbour, release 1, is here").first.wait_for()
    assert page.url.endswith("/technician/?lang=en")
    assert page.evaluate("document.cookie + JSON.stringify([...Object.entries(localStorage)])") == (
        "[]"
    )


def test_an_expired_stick_is_taken_by_the_pin_alone(
    screen: Screen, page: Page, origin: Origin, kiosk: Kiosk, tmp_path: Path
) -> None:
    origin.publish()
    folder = a_stick(origin, tmp_path)
    screen.sticks = [Mount(str(folder), "HARBOUR")]
    kiosk.clock = datetime.now(UTC) + timedelta(days=40)
    sign_in(page, screen)
    page.get_by_role("button", name="USB stick").tap()
    page.get_by_role("button", name="HARBOUR").tap()
    page.get_by_text("The signatures on this stick have expired.").wait_for()
    for digit in "4711":
        page.get_by_role("button", name=digit, exact=True).tap()
    page.locator(".key--go").tap()
    page.get_by_text("harbour, release 1, is here and plays.").wait_for()


def test_a_restart_is_asked_of_the_shell(screen: Screen, page: Page) -> None:
    sign_in(page, screen)
    page.get_by_role("button", name="Restart the player").tap()
    page.wait_for_timeout(300)
    assert screen.shell.restarted == ["technician"]


def test_a_name_is_typed_and_shown_as_text(screen: Screen, page: Page) -> None:
    sign_in(page, screen)
    page.get_by_role("button", name="Name of this device").tap()
    page.get_by_role("textbox").fill("<b>港</b>")
    page.get_by_role("button", name="Keep this name").tap()
    page.locator(".bar__name", has_text="<b>港</b>").wait_for()


def test_the_language_changes_where_one_is(screen: Screen, page: Page) -> None:
    sign_in(page, screen)
    page.get_by_role("combobox").select_option("ar")
    page.get_by_role("heading", name="الحالة").wait_for()
    assert page.evaluate("document.documentElement.dir") == "rtl"


def test_a_page_nobody_touches_closes_by_itself(screen: Screen, page: Page) -> None:
    page.clock.install()
    page.goto(f"{screen.url}/technician/")
    page.wait_for_selector(".pin")
    page.clock.run_for(65_000)
    page.wait_for_url(f"{screen.url}/")


@pytest.mark.parametrize("language", ["ja", "ar"])
def test_axe_finds_nothing_and_every_target_is_large(
    screen: Screen, page: Page, language: str
) -> None:
    screen.sticks = [Mount("/media/kiosk/HARBOUR", "HARBOUR")]
    page.goto(f"{screen.url}/technician/?lang={language}")
    page.wait_for_selector(".pin")
    assert audit(page) == []
    sign_in(page, screen, language)
    page.locator(".action").nth(1).tap()
    page.locator(".work .line").first.wait_for()
    page.locator(".action").nth(2).tap()
    page.locator(".extra button").first.wait_for()
    assert audit(page) == []
    small = page.evaluate(
        "() => [...document.querySelectorAll('button, select, input')].map(e => e."
        "getBoundingClientRect()).filter(b => b.height < 44 || b.width < 44).length"
    )
    assert small == 0
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= SIZE["width"]
