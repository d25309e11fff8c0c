"""A visit, as visitors make it: by keys alone, in another language, searching, listening."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.player.conftest import PLAYER, Visit, visiting
from tests.player.release import write_release
from tests.player.server import Site, serve


def focused(page: Page) -> str:
    """What has the focus, in words."""
    return str(
        page.evaluate(
            "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()"
        )
    )


def tab_to(page: Page, words: str, *, back: bool = False) -> None:
    """Press Tab until the control with these words has the focus, as a visitor would."""
    for _ in range(80):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if words in focused(page):
            return
    pytest.fail(f"{words!r} was not reached by Tab; the focus is on {focused(page)!r}")


def test_a_whole_visit_is_made_by_keyboard_alone(visit: Visit) -> None:
    page = visit.open()
    tab_to(page, "日本語")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("炭田の記憶")
    assert focused(page) == "炭田の記憶"

    tab_to(page, "物語")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("物語")
    tab_to(page, "黒い国の誕生")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("黒い国の誕生")
    assert focused(page) == "黒い国の誕生"

    tab_to(page, "画像を拡大")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    for _ in range(30):
        page.keyboard.press("Tab")
        outside = page.evaluate(
            "document.activeElement !== document.body && !document.activeElement.closest('dialog')"
        )
        assert not outside, "the focus left the open dialog"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "画像を拡大" in focused(page)

    page.keyboard.press("Escape")
    expect(page.locator("h1")).to_have_text("物語")
    page.keyboard.press("Escape")
    expect(page.locator("h1")).to_have_text("炭田の記憶")
    assert visit.faults == []


def test_the_skip_link_leads_past_everything_to_the_content(visit: Visit) -> None:
    page = visit.open("#/fr/section/words")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert focused(page) == "Aller au contenu"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "page"
    assert page.evaluate("location.hash") == "#/fr/section/words"


def test_the_focus_is_seen_and_never_under_the_dock(visit: Visit) -> None:
    page = visit.open("#/fr/section/places")
    page.wait_for_selector(".pin__cluster")
    for _ in range(30):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """(() => {
              const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e)
              const dock = document.querySelector('.dock')
              return [style.outlineStyle !== 'none', dock.contains(e) || box.top < dock.getBoundingClientRect().top, e.className]
            })()"""
        )
        assert seen[:2] == [True, True], seen[2]


def test_places_on_the_map_open_by_key_and_every_move_has_a_button(visit: Visit) -> None:
    page = visit.open("#/fr/section/places")
    cluster = page.locator(".pin__cluster").first
    cluster.wait_for()
    groups = page.locator(".pin__cluster").count()
    before = page.locator(".pin").count()
    for _ in range(3):
        page.get_by_role("button", name="Agrandir").click()
        page.wait_for_timeout(350)
    assert page.locator(".pin").count() > before or page.locator(".pin__cluster").count() < groups
    for name in (
        "Vers la gauche",
        "Vers la droite",
        "Vers le haut",
        "Vers le bas",
        "Toute la carte",
        "Réduire",
    ):
        page.get_by_role("button", name=name).click()
    page.locator(".pin__place").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".page--entry h1")
    assert visit.faults == []


def test_the_language_changes_in_place(visit: Visit) -> None:
    page = visit.open("#/fr/entry/loos")
    page.wait_for_timeout(300)
    page.evaluate("document.querySelector('[data-anchor=block-long3]').scrollIntoView()")
    page.evaluate("scrollBy(0, -100)")
    top = "document.querySelector('[data-anchor=block-long3]').getBoundingClientRect().top"
    first = "[...document.querySelectorAll('[data-anchor^=block]')].find(e => e.getBoundingClientRect().bottom > 0).dataset.anchor"
    before = page.evaluate(first)
    page.click('[data-part="language"]')
    page.get_by_role("button", name="العربية").click()
    expect(page.locator("h1")).to_have_text("قاعدة 11/19 في لوس")
    assert page.evaluate(
        "[document.documentElement.lang, document.documentElement.dir, location.hash]"
    ) == ["ar", "rtl", "#/ar/entry/loos"]
    assert page.evaluate(first) == before
    assert abs(page.evaluate(top) - 100) < 400
    assert page.evaluate("document.activeElement.dataset.part") == "language"
    assert visit.faults == []


def test_a_sound_goes_on_where_it_was_when_the_language_changes(visit: Visit) -> None:
    page = visit.open("#/fr/entry/loos")
    page.locator("audio").evaluate(
        "async a => { a.muted = true; await a.play(); a.pause();"
        " await new Promise(done => { a.onseeked = done; a.currentTime = 1.5 }) }"
    )
    page.click('[data-part="language"]')
    page.get_by_role("button", name="日本語").click()
    expect(page.locator("h1")).to_contain_text("ロース")
    page.wait_for_function(
        "() => Math.abs(document.querySelector('audio').currentTime - 1.5) < 0.2"
    )
    shown = page.locator("audio").evaluate(
        "a => [...a.textTracks].filter(t => t.mode !== 'disabled').map(t => t.language)"
    )
    assert shown == ["ja"]


def test_back_stays_in_the_language_chosen_since(visit: Visit) -> None:
    page = visit.open("#/fr/section/stories")
    page.get_by_role("link", name="Naissance d’un pays noir").click()
    expect(page.locator("h1")).to_have_text("Naissance d’un pays noir")
    page.click('[data-part="language"]')
    page.get_by_role("button", name="日本語").click()
    expect(page.locator("h1")).to_have_text("黒い国の誕生")
    page.keyboard.press("Escape")
    expect(page.locator("h1")).to_have_text("物語")


@pytest.mark.parametrize(
    ("language", "query", "title", "mark"),
    [
        ("ja", "炭鉱", "炭鉱", "炭鉱"),
        ("fr", "ecomusee", "Écomusée du charbon", "Écomusée"),
        ("fr", "Lodz", "Łódź", "Łódź"),
        ("ar", "منجم", "مَنْجَم", "مَنْجَم"),
        ("ja", "たてこうやぐら", "竪坑櫓", None),
        ("ja", "lewarde", "ルワルド鉱業歴史センター（Lewarde）", "Lewarde"),
    ],
)
def test_search_finds_a_word_however_it_is_typed(
    visit: Visit, language: str, query: str, title: str, mark: str | None
) -> None:
    page = visit.open(f"#/{language}/search")
    page.get_by_role("searchbox").fill(query)
    result = page.locator(".result", has=page.locator(".result__title", has_text=title)).first
    expect(result).to_be_visible()
    if mark:
        expect(result.locator("mark").first).to_have_text(mark)
    page.wait_for_function(
        "query => decodeURIComponent(location.hash).endsWith(`?q=${query}`)", arg=query
    )


def test_search_offers_words_to_touch_where_there_is_no_keyboard(visit: Visit) -> None:
    page = visit.open("#/fr/search")
    page.get_by_role("button", name="Musée").click()
    expect(page.locator(".result__title", has_text="Lewarde")).to_be_visible()


def test_text_from_another_language_says_so_and_carries_its_language(visit: Visit) -> None:
    page = visit.open("#/ja/entry/lewarde")
    lead = page.locator(".entry__lead")
    assert lead.evaluate("e => [e.lang, e.dir]") == ["fr", "ltr"]
    expect(page.locator(".notice")).to_contain_text("フランス語")
    assert page.locator("h1").get_attribute("lang") is None
    page = visit.open("#/ar/section/places")
    item = page.locator(".placelist__item", has_text="Écomusée")
    assert item.locator(".placelist__title > span").evaluate("e => [e.lang, e.dir]") == [
        "fr",
        "ltr",
    ]
    expect(item.locator(".tongue")).to_contain_text("الفرنسية")


def test_every_page_is_shown_without_a_fault_and_nothing_is_asked_elsewhere(visit: Visit) -> None:
    page = visit.open()
    addresses = page.evaluate(
        """Promise.all(['./content/package.json', './release.json'].map(p => fetch(p).then(r => r.json()))).then(([pkg, release]) =>
          release.languages.flatMap(({tag}) => [`#/${tag}`, `#/${tag}/credits`, `#/${tag}/search?q=1`,
            ...pkg.sections.map(s => `#/${tag}/section/${s.id}`), ...new Set(pkg.sections.flatMap(s => s.entries).map(e => `#/${tag}/entry/${e}`))]))"""
    )
    assert len(addresses) > 60
    for address in addresses:
        visit.move(address)
    page.wait_for_load_state("networkidle")
    assert visit.faults == []


def test_pages_about_a_place_lead_to_what_happened_there(visit: Visit) -> None:
    page = visit.open("#/fr/entry/loos")
    related = page.locator(".related")
    for title in (
        "La houille est trouvée",
        "Fête de la Sainte-Barbe",
        "D’ouest en est",
        "Naissance d’un pays noir",
    ):
        expect(related.get_by_role("link", name=title)).to_be_visible()
    expect(page.locator(".doubt")).to_contain_text("La date d’ouverture est discutée.")
    page.locator(".doubt summary").click()
    expect(page.locator(".doubt")).to_contain_text("MBM-WH")
    expect(page.locator(".doubt")).to_contain_text("1,5 km")


def test_a_cancelled_event_is_shown_and_says_so(visit: Visit) -> None:
    page = visit.open("#/fr/section/programme")
    event = page.locator(".event", has_text="Nuit noire")
    expect(event.locator(".badge")).to_have_text("annulé")
    expect(event).to_contain_text("juin 2020")
    expect(page.locator(".season__name").first).to_have_text("Été 2020")


def test_the_timeline_keeps_one_theme_and_says_how_many(visit: Visit) -> None:
    page = visit.open("#/fr/section/time")
    expect(page.locator(".century__name").first).to_have_text("XVIIIe siècle")
    page.get_by_role("button", name="Fermeture").click()
    expect(page.locator(".moment")).to_have_count(1)
    expect(page.locator(".moment__date")).to_have_text("décembre 1990")
    expect(page.locator('[data-part="status"]')).to_have_text("1 résultat")


def test_readings_stand_above_kanji_until_they_are_switched_off(visit: Visit) -> None:
    page = visit.open("#/ja/section/words")
    reading = page.locator("rt", has_text="たんこう")
    expect(reading).to_be_visible()
    page.click('[data-part="accessibility"]')
    page.get_by_role("group", name="ふりがな").get_by_role("radio", name="なし").check()
    page.keyboard.press("Escape")
    expect(reading).to_be_hidden()


def test_text_grows_and_contrast_rises_for_the_rest_of_the_visit(visit: Visit) -> None:
    page = visit.open("#/fr/entry/loos")
    size = "parseFloat(getComputedStyle(document.querySelector('.prose')).fontSize)"
    before = page.evaluate(size)
    page.click('[data-part="accessibility"]')
    page.get_by_role("radio", name="200 %").check()
    page.get_by_role("radio", name="Renforcé").check()
    page.keyboard.press("Escape")
    assert page.evaluate(size) == pytest.approx(before * 2)
    visit.go("#/fr/section/words")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"


def test_the_accessibility_button_stays_in_one_corner_of_the_lower_half(visit: Visit) -> None:
    page = visit.open()
    corner = "(() => { const b = document.querySelector('[data-part=accessibility]').getBoundingClientRect(); return [b.right > innerWidth - 20, b.bottom > innerHeight - 20, b.top > innerHeight / 2] })()"
    for address in ("#/fr", "#/fr/section/places", "#/fr/entry/loos", "#/fr/search", "#/"):
        visit.move(address)
        assert page.evaluate(corner) == [True, True, True], address


def test_a_release_taken_in_the_middle_of_a_visit_is_read_whole_at_the_next_language(
    browser: Browser, tmp_path: Path
) -> None:
    content = write_release(tmp_path)
    with serve(PLAYER, content, None) as site, visiting(browser, site) as visit:
        page = visit.open("#/fr/entry/lewarde")
        write_release(
            tmp_path, number=2, wording=lambda words: words.replace("ルワルド", "新ルワルド")
        )
        assert "Lewarde" in page.locator("h1").inner_text()
        page.click('[data-part="language"]')
        page.get_by_role("button", name="日本語").click()
        expect(page.locator("h1")).to_contain_text("新ルワルド")


def test_an_outside_link_is_words_on_a_kiosk_and_a_link_on_the_web(
    visit: Visit, site: Site
) -> None:
    page = visit.open()
    drawn = page.evaluate(
        """import('./js/text/richtext.js').then(m => [true, false].map(links => {
          const box = document.createElement('div')
          box.append(...m.richText([{t: 'a', href: 'https://www.example.org/', c: ['site']}], {links}))
          return [box.querySelectorAll('a').length, box.textContent]
        }))"""
    )
    assert drawn == [[1, "site"], [0, "site example.org"]]
