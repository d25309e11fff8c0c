"""Signing in, links, people and devices in real Chromium: what needs scripts, and axe."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from content_api.accounts.links import create_link
from content_api.accounts.rules import SYSTEM, Grant
from content_api.accounts.service import create_user
from content_api.database import utc_now
from content_api.devices.models import Device
from content_api.devices.service import create_device, create_venue, note_heartbeat
from tests.devices.test_status import report
from tests.studio.conftest import Live, Windows, axe_faults

PASSWORD = "fosse delloye 1931"


def check(page: Page) -> None:
    """What axe finds in light and in dark, and whether the page fits at 200 %."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        assert axe_faults(page) == []
    size = page.viewport_size
    page.set_viewport_size({"width": 640, "height": 400})
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    assert size is not None
    page.set_viewport_size(size)


def test_somebody_invited_sets_a_password_and_signs_in_with_it(
    live: Live, windows: Windows
) -> None:
    with live.write() as session:
        user = create_user(session, SYSTEM, name="marie", grants=[Grant("venue_manager")])
        secret = create_link(session, SYSTEM, user.id, "invitation")[1]
    page = windows.open(live, None, f"/studio/link/{secret}", language="fr")
    check(page)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=again]").fill(PASSWORD)
    page.locator("[name=again]").press("Enter")
    page.wait_for_url(f"{live.url}/studio/")
    windows.visit(page, f"{live.url}/studio/account")
    expect(page.locator("#sessions tbody tr")).to_have_count(1)
    check(page)
    page.locator("form[action$='sign-out-everywhere'] button").click()
    page.wait_for_url("**/studio/sign-in")
    check(page)
    page.locator("[name=name]").fill("marie")
    page.locator("[name=password]").fill("wrong")
    page.locator("[name=password]").press("Enter")
    expect(page.locator("[role=alert]").first).to_be_visible()
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url(f"{live.url}/studio/")


@pytest.mark.parametrize("language", ["fr", "ja"])
def test_a_link_that_does_not_work_is_a_page_of_its_own(
    live: Live, windows: Windows, language: str
) -> None:
    page = windows.open(live, None, "/studio/link/lml_nothing", language=language)
    assert page.locator("html").get_attribute("lang") == language
    check(page)


def test_a_role_shows_only_what_narrows_it(live: Live, windows: Windows) -> None:
    ada = live.person("ada", Grant("admin"))
    page = windows.open(live, ada, "/studio/people/new")
    part = page.locator("[data-part=by-language]")
    expect(part).to_be_hidden()
    page.locator("#g1-role").select_option("translator")
    expect(part).to_be_visible()
    expect(page.locator("[data-said]")).to_contain_text("Writes texts in their languages")
    expect(page.locator("#g1-scope-1")).to_be_hidden()
    page.locator("#g1-where-some").check()
    expect(page.locator("#g1-scope-1")).to_be_visible()
    check(page)
    page.locator("#g1-role").select_option("venue_manager")
    expect(part).to_be_hidden()
    assert windows.faults == []


def test_a_device_is_invited_and_revoked_by_keys_alone(live: Live, windows: Windows) -> None:
    keeper = live.person("keeper", Grant("venue_manager"))
    with live.write() as session:
        create_venue(session, SYSTEM, name="Tokyo", timezone="Asia/Tokyo", venue_id="tokyo")
        values = {"id": "wall", "name": "Mur", "venue": "tokyo", "package": "harbour"}
        create_device(session, SYSTEM, {**values, "profile": "wall", "languages": ["ja"]})
        session.get_one(Device, "wall").enrolled_at = utc_now() - timedelta(days=3)
        bad = report(client="1", clock={"trusted": False, "offset_seconds": None})
        note_heartbeat(session, "wall", bad, utc_now())
    page = windows.open(live, keeper, "/studio/venues/", language="ja", width=820, height=1180)
    expect(page.locator("tbody")).to_contain_text("時計を信頼できません")
    check(page)
    windows.visit(page, f"{live.url}/studio/devices/wall/")
    check(page)
    page.locator("form[action$='/invite'] button").press("Enter")
    expect(page.locator("#enrolment-code")).to_be_visible()
    assert page.locator(".device-code__picture").evaluate("image => image.naturalWidth") > 50
    check(page)
    revoke = page.locator("form[action$='/revoke'] button")
    revoke.press("Enter")
    expect(page.locator("#confirm-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#confirm-dialog")).to_be_hidden()
    expect(revoke).to_be_focused()
    revoke.press("Enter")
    page.locator("#confirm-dialog [data-action]").press("Enter")
    expect(page.locator("form[action$='/revoke']")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("登録を取り消し")
    assert windows.faults == []
