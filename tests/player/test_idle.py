"""Nobody there: the screen asks, then starts again, as if nobody had been."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.player.conftest import PLAYER, Visit, visiting
from tests.player.release import write_release
from tests.player.server import Site, serve


@pytest.fixture
def clocked(browser: Browser, site: Site) -> Iterator[Visit]:
    """A visit whose clock moves only when told."""
    with visiting(browser, site) as visit:
        visit.page.clock.install()
        yield visit


def wait(page: Page, seconds: int) -> None:
    """Let time pass without a touch."""
    page.clock.run_for(seconds * 1000)


def test_after_75_seconds_it_asks_and_after_25_more_it_starts_again(clocked: Visit) -> None:
    page = clocked.open("#/fr/section/tours")
    page.evaluate("window.visited = true; document.documentElement.dataset.contrast = 'high'")
    wait(page, 74)
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    wait(page, 2)
    dialog = page.get_by_role("alertdialog", name="Êtes-vous toujours là ?")
    expect(dialog).to_be_visible()
    assert [button.inner_text() for button in dialog.get_by_role("button").all()] == [
        "Continuer",
        "Recommencer",
    ]
    assert not any(character.isdigit() for character in dialog.inner_text()), "no countdown"
    with page.expect_navigation():
        wait(page, 26)
    page.wait_for_selector(".page--attract h1")
    assert page.evaluate(
        "[window.visited ?? null, document.documentElement.dataset.contrast, location.hash]"
    ) == [None, "normal", ""]


def test_going_on_keeps_the_page_and_asks_again_later(clocked: Visit) -> None:
    page = clocked.open("#/fr/section/tours")
    wait(page, 76)
    page.get_by_role("button", name="Continuer").click()
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    wait(page, 60)
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    assert page.evaluate("location.hash") == "#/fr/section/tours"
    wait(page, 17)
    expect(page.get_by_role("alertdialog")).to_be_visible()


def test_starting_again_at_once_is_the_other_answer(clocked: Visit) -> None:
    page = clocked.open("#/fr/section/tours")
    wait(page, 76)
    with page.expect_navigation():
        page.get_by_role("button", name="Recommencer").click()
    page.wait_for_selector(".page--attract h1")


def test_a_touch_counts_and_a_moving_mouse_does_not(clocked: Visit) -> None:
    page = clocked.open("#/fr/section/tours")
    wait(page, 60)
    page.mouse.click(5, 300)
    wait(page, 60)
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    page.mouse.move(200, 200)
    wait(page, 16)
    expect(page.get_by_role("alertdialog")).to_be_visible()


def test_nothing_is_asked_while_a_sound_plays(clocked: Visit) -> None:
    page = clocked.open("#/fr/entry/loos")
    page.evaluate(
        "Object.defineProperty(document.querySelector('audio'), 'paused', {get: () => !window.playing})"
    )
    page.evaluate("window.playing = true")
    wait(page, 400)
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    page.evaluate("window.playing = false")
    # the page is long: more than the package's 75 seconds are given, but not for ever
    for _ in range(60):
        wait(page, 10)
        if page.get_by_role("alertdialog").count():
            break
    expect(page.get_by_role("alertdialog")).to_be_visible()


def test_the_attract_screen_waits_for_ever(clocked: Visit) -> None:
    page = clocked.open()
    page.evaluate("window.visited = true")
    wait(page, 900)
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    assert page.evaluate("window.visited") is True


def test_a_new_release_is_taken_on_the_attract_screen_and_not_in_a_visit(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = write_release(tmp_path_factory.mktemp("release"))
    with serve(PLAYER, content, None) as site, visiting(browser, site) as visit:
        visit.page.clock.install()
        page = visit.open("#/fr/section/tours")
        page.evaluate("window.visited = true")
        write_release(
            content, number=2, wording=lambda words: words.replace("bassin", "bassin neuf")
        )
        wait(page, 40)
        assert page.evaluate("window.visited") is True
        page.evaluate("location.hash = '#/'")
        page.wait_for_selector(".page--attract h1")
        with page.expect_navigation():
            wait(page, 31)
        expect(page.locator("h1")).to_have_text("Le bassin neuf minier")


def test_what_is_left_open_or_set_on_the_first_screen_is_undone_too(clocked: Visit) -> None:
    page = clocked.open()
    wait(page, 200)
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    page.evaluate("window.visited = true")
    page.locator('[data-part="accessibility"]').click()
    expect(page.locator("dialog[open]")).to_have_count(1)
    wait(page, 76)
    expect(page.get_by_role("alertdialog")).to_be_visible()
    with page.expect_navigation():
        wait(page, 26)
    page.wait_for_selector(".page--attract h1")
    assert page.evaluate("window.visited ?? null") is None
    expect(page.locator("dialog[open]")).to_have_count(0)
