"""The preview page in Chromium: the real player, at each size, in any language, for a colleague."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.service import save_entry
from content_api.content.working_copies import put_working_copy
from content_api.packages.service import save_package
from content_api.studio.preview.choices import SIZES
from tests.studio.conftest import Live, Person, Windows, axe_faults

BODY: dict[str, Any] = {
    "title": {"fr": "Le port", "ja": "港"},
    "languages": ["fr", "ja", "ar"],
    "default_language": "fr",
    "profiles": ["tablet", "wall", "guide", "galaxy"],
    "timezone": "Asia/Tokyo",
    "sections": [
        {"id": "dates", "view": "events", "title": {"fr": "Dates"}, "entries": ["launch"]},
        {"id": "places", "view": "list", "title": {"fr": "Lieux"}, "entries": ["crane"]},
    ],
}


@pytest.fixture(scope="module")
def ada(live: Live) -> Iterator[Person]:
    """An editor, with a package whose places are drafts."""
    live.entry(
        "place",
        {("title", "fr"): "La grue", ("title", "ja"): "クレーン", ("title", "ar"): "الرافعة"},
        entry_id="crane",
    )
    live.entry(
        "event",
        {("title", "fr"): "Mise à l’eau", ("start", "*"): "2030-05-01"},
        entry_id="launch",
    )
    with live.write() as session:
        save_package(session, SYSTEM, "harbour", BODY, expected=None)
    return live.person("ada", Grant("editor"))


def player(page: Page) -> FrameLocator:
    """The player inside the page, once it shows something."""
    frame = page.frame_locator("iframe[data-frame]")
    expect(frame.locator("main h1").first).to_be_visible(timeout=20_000)
    return frame


def test_an_editor_looks_at_an_entry_at_every_size_and_in_another_language(
    live: Live, ada: Person, windows: Windows
) -> None:
    page = windows.open(live, ada, "/studio/entries/crane/preview")
    frame = player(page)
    expect(frame.locator("h1")).to_have_text("La grue")
    expect(frame.locator("[data-part=ribbon]")).to_contain_text("Aperçu du brouillon")
    for size in reversed(SIZES):
        # By keys: the radio buttons are one stop of the tab key, the arrows choose.
        page.locator(f"input[name=size][value={size.id}]").focus()
        page.keyboard.press("Space")
        expect(page.locator("iframe[data-frame]")).to_have_attribute("data-width", str(size.width))
        frame = player(page)
        expect(frame.locator("h1")).to_have_text("La grue")
        assert frame.locator("html").evaluate("() => [innerWidth, innerHeight]") == [
            size.width,
            size.height,
        ]
        assert frame.locator("html").get_attribute("data-profile") == size.profile
        box = page.locator("iframe[data-frame]").bounding_box()
        view = page.locator("[data-view]").bounding_box()
        assert box
        assert view
        assert box["x"] >= view["x"]
        assert box["x"] + box["width"] <= view["x"] + view["width"] + 1
        assert abs(box["width"] / box["height"] - size.width / size.height) < 0.02
    page.get_by_label("Language", exact=True).select_option("ja")
    expect(player(page).locator("h1")).to_have_text("クレーン")
    assert "language=ja" in page.url
    page.get_by_label("Language", exact=True).select_option("ar")
    expect(player(page).locator("h1")).to_have_text("الرافعة")
    expect(player(page).locator("html")).to_have_attribute("dir", "rtl")
    assert windows.faults == []


def test_the_page_follows_where_one_goes_in_the_player(
    live: Live, ada: Person, windows: Windows
) -> None:
    page = windows.open(live, ada, "/studio/packages/harbour/preview")
    frame = player(page)
    frame.locator("html").evaluate("() => { location.hash = '#/ja/section/places' }")
    expect(frame.locator("html")).to_have_attribute("lang", "ja")
    expect(page.get_by_label("Language", exact=True)).to_have_value("ja")
    page.get_by_text("Phone", exact=True).click()
    expect(page.locator("iframe[data-frame]")).to_have_attribute("data-width", "390")
    frame = player(page)
    assert frame.locator("html").evaluate("() => location.hash") == "#/ja/section/places"
    assert windows.faults == []


def test_a_day_to_come_is_shown_as_it_will_be(live: Live, ada: Person, windows: Windows) -> None:
    path = "/studio/packages/harbour/preview?route=section/dates"
    page = windows.open(live, ada, path)
    expect(player(page).locator(".event")).to_have_count(1)
    expect(player(page).locator(".event--past")).to_have_count(0)
    page.get_by_label("As on").fill("2030-05-02")
    page.get_by_label("As on").blur()
    expect(player(page).locator(".event--past")).to_have_count(1)
    expect(player(page).locator("[data-part=ribbon]")).to_contain_text("2 mai 2030")
    assert windows.faults == []


def test_unsaved_work_is_in_ones_own_preview(live: Live, ada: Person, windows: Windows) -> None:
    change = {"op": "set", "path": "lead", "scope": "fr", "value": "Pas encore enregistré."}
    with live.write() as session:
        put_working_copy(session, ada.actor, "crane", 1, [change])
    page = windows.open(live, ada, "/studio/entries/crane/preview")
    expect(player(page).locator("main")).to_contain_text("Pas encore enregistré.")


def test_what_is_saved_meanwhile_appears_where_one_reads(
    live: Live, ada: Person, windows: Windows
) -> None:
    live.entry("story", {("title", "fr"): "Avant"}, entry_id="before")
    page = windows.open(live, ada, "/studio/entries/before/preview")
    frame = player(page)
    expect(frame.locator("h1")).to_have_text("Avant")
    with live.write() as session:
        change = {"op": "set", "path": "title", "scope": "fr", "value": "Après"}
        save_entry(session, SYSTEM, "before", 1, [change], types=live.types)
    expect(frame.locator("h1")).to_have_text("Après", timeout=20_000)
    assert frame.locator("html").evaluate("() => location.hash") == "#/fr/entry/before"
    assert windows.faults == []


def test_a_colleague_without_an_account_sees_the_saved_draft_until_the_link_is_ended(
    live: Live, ada: Person, windows: Windows
) -> None:
    page = windows.open(live, ada, "/studio/entries/crane/preview?language=ja")
    player(page)
    page.get_by_role("button", name="Show to a colleague").click()
    page.get_by_role("button", name="Make a link").click()
    field = page.get_by_label("Address of the link")
    expect(field).to_be_visible()
    address = field.input_value()
    assert address.startswith(f"{live.url}/preview/lmp_")
    assert address.endswith("#/ja/entry/crane")
    assert axe_faults(page) == []

    context = windows.browser.new_context(viewport={"width": 390, "height": 844}, locale="en")
    windows.contexts.append(context)
    colleague = context.new_page()
    colleague.goto(address)
    expect(colleague.locator("h1")).to_have_text("クレーン")
    expect(colleague.locator("[data-part=ribbon]")).to_contain_text("下書きのプレビュー")
    assert context.cookies() == []

    page.get_by_role("button", name="End now").click()
    expect(page.locator("#preview-links").get_by_text("ended")).to_be_visible()
    colleague.reload()
    expect(colleague.get_by_role("heading")).to_have_text("This link has ended")
    assert windows.faults == []


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (820, True), (390, False)])
def test_the_page_is_sound_for_every_reader(
    live: Live, ada: Person, windows: Windows, width: int, dark: bool
) -> None:
    page = windows.open(
        live, ada, "/studio/entries/crane/preview", width=width, height=900, dark=dark
    )
    player(page)
    assert axe_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert windows.faults == []
