"""Lists of entries in Chromium: live filters, and the grid by keys."""

from __future__ import annotations

from playwright.sync_api import expect

from content_api.accounts.rules import Grant
from tests.studio.conftest import Live, Windows


def test_filters_answer_while_one_types_and_the_address_can_be_shared(
    live: Live, windows: Windows
) -> None:
    person = live.person("filter", Grant("admin"))
    live.entry("place", {("title", "fr"): "Fosse Delloye"}, entry_id="delloye")
    live.entry("place", {("title", "ja"): "三池炭鉱"}, entry_id="miike")
    page = windows.open(live, person, "/studio/entries/")
    rows = page.locator(".entry-table tbody tr")
    page.get_by_label("Search", exact=True).fill("炭鉱")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("三池炭鉱")
    assert "q=" in page.url
    shared = windows.open(live, person, page.url.removeprefix(live.url))
    expect(shared.locator(".entry-table tbody tr")).to_have_count(1)
    page.get_by_label("Search", exact=True).fill("")
    expect(rows).not_to_have_count(1)
    page.get_by_label("State").select_option("missing")
    page.get_by_label("Language", exact=True).select_option("ja")
    expect(page.get_by_role("link", name="Fosse Delloye")).to_be_visible()
    expect(page.get_by_role("link", name="三池炭鉱")).to_have_count(0)
    # Boxes that came with the answer are counted as well.
    page.get_by_role("checkbox", name="Choose Fosse Delloye").check()
    expect(page.get_by_text("1 chosen")).to_be_visible()
    assert windows.faults == []


def test_arrow_keys_move_in_the_grid_and_enter_opens(live: Live, windows: Windows) -> None:
    person = live.person("keys", Grant("admin"))
    live.entry("event", {("title", "fr"): "Alpha"}, entry_id="alpha")
    live.entry("event", {("title", "fr"): "Beta"}, entry_id="beta")
    page = windows.open(live, person, "/studio/entries/matrix?type=event")
    page.get_by_role("link", name="Alpha", exact=True).focus()
    focused = page.locator(":focus")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("href", "/studio/entries/alpha/")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("href", "/studio/entries/alpha/translate/ja")
    page.keyboard.press("ArrowDown")
    expect(focused).to_have_attribute("href", "/studio/entries/beta/translate/ja")
    page.keyboard.press("ArrowDown")
    expect(focused).to_have_accessible_name("2 Japanese: missing (2)")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/studio/entries/beta/translate/ja")
    assert windows.faults == []
