"""axe finds nothing on any page, in three scripts, light and in high contrast."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import missing
from tests.player.conftest import AXE, Visit, visiting
from tests.player.server import Site

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGES = [
    "{tag}",
    *(
        f"{{tag}}/section/{section}"
        for section in ("places", "stories", "works", "tours", "time", "programme", "words", "more")
    ),
    *(
        f"{{tag}}/entry/{entry}"
        for entry in ("loos", "tour-five", "festival", "mine", "nothing-of-the-kind")
    ),
    "{tag}/search?q=a",
    "{tag}/search?q=%E7%82%AD",
    "{tag}/credits",
    "",
]


def violations(page: Page) -> list[str]:
    """What axe objects to on the page as it stands: rule and element."""
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']}).then(r => r.violations.flatMap("
        "v => v.nodes.map(n => `${v.id}: ${n.target} ${(n.any[0] || n.all[0] || n.none[0] || {}).message || ''}`)))",
        TAGS,
    )
    return list(found)


@pytest.fixture(scope="module")
def audited(browser: Browser, site: Site) -> Iterator[Visit]:
    """A page with axe in it, that moves from address to address without a new document."""
    if not AXE.is_file():
        missing("axe-core (python -m npm_assets --dev)")
    with visiting(browser, site, reduced_motion="reduce") as visit:
        visit.open()
        visit.page.evaluate(AXE.read_text(encoding="utf-8"))
        yield visit


def show(visit: Visit, address: str) -> None:
    """Move inside the document and wait until the page's map is drawn."""
    page = visit.move(f"#/{address}")
    if "section/places" in address:
        page.wait_for_selector(".pin__cluster")


@pytest.mark.parametrize("contrast", ["normal", "high"])
@pytest.mark.parametrize("tag", ["fr", "ja", "ar"])
def test_axe_finds_no_violation_on_any_page(audited: Visit, tag: str, contrast: str) -> None:
    page = audited.page
    page.evaluate("contrast => { document.documentElement.dataset.contrast = contrast }", contrast)
    found = []
    for address in PAGES:
        show(audited, address.format(tag=tag))
        found += [f"{address} {problem}" for problem in violations(page)]
    assert found == []


@pytest.mark.parametrize("part", ["language", "accessibility"])
def test_axe_finds_no_violation_in_the_dialogs(audited: Visit, part: str) -> None:
    page = audited.page
    page.evaluate("document.documentElement.dataset.contrast = 'normal'")
    show(audited, f"fr/search?q={part}")
    page.click(f'[data-part="{part}"]')
    page.wait_for_selector("dialog[open]")
    assert violations(page) == []
    page.keyboard.press("Escape")


def test_axe_finds_no_violation_in_the_picture_viewer(audited: Visit) -> None:
    page = audited.page
    show(audited, "fr/entry/loos")
    page.click(".gallery .figure__open >> nth=1")
    page.wait_for_selector(".viewer__stage canvas, .viewer__plain")
    assert violations(page) == []
    page.keyboard.press("Escape")


@pytest.mark.parametrize(
    ("width", "height", "scale"), [(1280, 800, "2"), (390, 844, "1"), (390, 844, "2")]
)
def test_no_page_scrolls_sideways_at_any_size_of_text(
    audited: Visit, width: int, height: int, scale: str
) -> None:
    page = audited.page
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(
        "scale => document.documentElement.style.setProperty('--text-scale', scale)", scale
    )
    wide = []
    for address in PAGES:
        show(audited, address.format(tag="fr"))
        if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            wide.append(address)
    page.evaluate("document.documentElement.style.setProperty('--text-scale', '1')")
    page.set_viewport_size({"width": 1280, "height": 800})
    assert wide == []


def test_controls_of_a_kiosk_are_60_pixels_and_more(audited: Visit) -> None:
    page = audited.page
    small = []
    for address in PAGES:
        show(audited, address.format(tag="fr"))
        small += page.evaluate(
            """address => [...document.querySelectorAll('button, .button, .dock a, input, select, summary, .chip, .tongues__button')]
              .filter(e => e.checkVisibility() && !e.closest('.viewer__plain'))
              .map(e => [e, e.getBoundingClientRect()])
              .filter(([, box]) => box.height && (box.height < 59.5 || box.width < 59.5))
              .map(([e, box]) => `${address} ${e.className} ${e.getAttribute('aria-label') ?? e.textContent} ${box.width}x${box.height}`)""",
            address,
        )
    assert small == []
