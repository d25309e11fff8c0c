"""Text stays text, whatever it says; and the player goes on with less than it hoped for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import missing
from tests.player.conftest import PLAYER, VENDOR, visiting
from tests.player.release import write_release
from tests.player.server import Site, serve

PAYLOADS = [
    "<img src=x onerror=window.hacked=1>",
    '"><script>window.hacked=1</script>',
    "javascript:window.hacked=1",
    '\'" onmouseover="window.hacked=1',
    "</title><svg onload=window.hacked=1>",
]
ADDRESSES = [
    "fr",
    *(
        f"fr/section/{name}"
        for name in ("places", "stories", "works", "tours", "time", "programme", "words", "more")
    ),
    "fr/entry/loos",
    "fr/entry/tour-five",
    "fr/entry/festival",
    "fr/entry/mine",
    "fr/search?q=hacked",
    "fr/credits",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markup_in_any_text_is_shown_as_it_is_written(
    browser: Browser, tmp_path: Path, payload: str
) -> None:
    release = write_release(tmp_path, wording=lambda words: f"{payload} {words}")
    with (
        serve(PLAYER, release, VENDOR if VENDOR.is_dir() else None) as site,
        visiting(browser, site) as visit,
    ):
        page = visit.open()
        for address in ADDRESSES:
            visit.move(f"#/{address}")
            if address == "fr/section/places" and VENDOR.is_dir():
                page.wait_for_selector(".pin")
            strange = page.evaluate(
                "document.querySelectorAll('main script, main svg[onload], main img[onerror], [onmouseover], a[href^=javascript]').length"
            )
            assert strange == 0, address
        expect(page.locator("main")).to_be_visible()
        visit.go("#/fr/section/tours")
        assert payload in page.locator("h1").inner_text()
        assert page.evaluate("window.hacked ?? null") is None
        assert [fault for fault in visit.faults if "icon" not in fault] == []


def test_a_link_of_an_unknown_scheme_is_only_its_words(browser: Browser, site: Site) -> None:
    with visiting(browser, site) as visit:
        page = visit.open()
        drawn = page.evaluate(
            """import('./js/text/richtext.js').then(m => {
              const box = document.createElement('div')
              box.append(...m.richText([{t: 'p', c: [{t: 'a', href: 'javascript:alert(1)', c: ['words']}, {t: 'script', c: ['x']}, {t: 'p'}, null, 7]}], {links: true}))
              return box.innerHTML
            })"""
        )
        assert drawn == "<p>wordsx<p></p></p>"


def test_without_third_party_scripts_the_places_are_a_list_and_pictures_still_open(
    browser: Browser, release: Path
) -> None:
    with serve(PLAYER, release, None) as site, visiting(browser, site) as visit:
        page = visit.open("#/fr/section/places")
        expect(page.locator(".mapframe--still svg")).to_be_visible()
        page.get_by_role("link", name="Base 11/19").click()
        page.locator(".gallery .figure__open").nth(1).click()
        picture = page.locator(".viewer__plain")
        expect(picture).to_be_visible()
        page.get_by_role("button", name="Agrandir", exact=True).click()
        page.get_by_role("button", name="Vers la droite").click()
        assert "scale(1.5)" in str(picture.evaluate("e => e.style.transform"))
        asked = {
            fault
            for fault in visit.faults
            if "vendor/" not in fault and "404" not in fault and "MIME" not in fault
        }
        assert asked == set()


def test_a_large_picture_opens_in_the_deep_zoom_viewer_and_moves_without_a_drag(
    browser: Browser, site: Site
) -> None:
    if not (VENDOR / "openseadragon").is_dir():
        missing("openseadragon (python -m npm_assets)")
    with visiting(browser, site) as visit:
        page = visit.open("#/fr/entry/loos")
        page.locator(".gallery .figure__open").nth(1).click()
        expect(page.locator(".viewer__deep canvas").first).to_be_visible()
        for name in ("Agrandir", "Vers la gauche", "Vers le haut", "Image entière", "Réduire"):
            page.get_by_role("button", name=name, exact=True).click()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)
        assert visit.faults == []


def test_a_picture_whose_rights_have_ended_is_neither_shown_nor_fetched(
    browser: Browser, site: Site
) -> None:
    with visiting(browser, site) as visit:
        site.asked.clear()
        page = visit.open("#/fr/entry/loos")
        expect(page.locator(".gallery li")).to_have_count(2)
        page.mouse.wheel(0, 4000)
        page.wait_for_load_state("networkidle")
        assert any("photo-headframe" in path for path in site.asked)
        assert not any(
            "photo-expired" in path or "wall.webp" in path or "en.vtt" in path
            for path in site.asked
        )


def test_who_asks_for_less_movement_gets_none(browser: Browser, site: Site) -> None:
    with visiting(browser, site, reduced_motion="reduce") as visit:
        visit.page.clock.install()
        page = visit.open()
        assert page.evaluate("document.getAnimations().length") == 0
        shown = "[...document.querySelectorAll('.attract__slide')].findIndex(e => e.classList.contains('attract__slide--on'))"
        page.clock.run_for(30_000)
        assert page.evaluate(shown) == 0


def test_the_pictures_go_by_for_who_does_not(browser: Browser, site: Site) -> None:
    with visiting(browser, site) as visit:
        visit.page.clock.install()
        page = visit.open()
        page.clock.run_for(9_100)
        shown = "[...document.querySelectorAll('.attract__slide')].findIndex(e => e.classList.contains('attract__slide--on'))"
        assert page.evaluate(shown) == 1


def test_content_that_cannot_be_read_leaves_a_calm_page_that_tries_again(
    browser: Browser, tmp_path: Path
) -> None:
    release = write_release(tmp_path)
    (release / "content" / "package.json").write_text("{", encoding="utf-8")
    with serve(PLAYER, release, None) as site, visiting(browser, site) as visit:
        visit.page.clock.install()
        page = visit.open()
        expect(page.locator(".fault")).to_contain_text("まもなく再開します。")
        write_release(tmp_path)
        with page.expect_navigation():
            page.clock.run_for(31_000)
        expect(page.locator("h1")).to_have_text("Le bassin minier")


def test_the_player_s_own_code_is_light_and_names_no_other_host() -> None:
    import gzip

    own = sorted(
        path for folder in ("js", "css") for path in (PLAYER / folder).rglob("*") if path.is_file()
    )
    own += [
        PLAYER / "index.html",
        PLAYER / "icon.svg",
        PLAYER / "i18n" / "en.json",
        PLAYER / "i18n" / "ar.json",
    ]
    # What a device alone loads, from itself, is no weight on anybody's line.
    loaded = [
        path for path in own if path.name not in ("heartbeat.js", "corner.js", "corner-start.js")
    ]
    weight = len(gzip.compress(b"".join(path.read_bytes() for path in loaded), mtime=0))
    assert weight <= 60_000
    for path in own:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "://" not in text.replace("https?://", "").replace("https?:\\/\\/", ""), path
        assert "console." not in text, path
    for path in (PLAYER / "i18n").glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
