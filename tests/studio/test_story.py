"""The whole story, as four people in four browsers and a device, through the studio alone.

Marie writes a place with a picture and a film. Kenji translates it into Japanese, one text
in his own tool, while Marie changes the source. Ada sees the outdated text, has it mended,
approves. Paul is told of a missing translation, previews at three sizes, plans the release
for nine o'clock in Tokyo. The hour comes: the enrolled device shows the place in Japanese.
Paul takes it back; the device goes back.

With LAMPISTERIE_GUIDE_PICTURES=<folder> the run leaves the pictures of the editor guide
there, in the language of LAMPISTERIE_GUIDE_LANGUAGE (fr or en).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pyvips
from lxml import etree
from playwright.sync_api import Page, expect

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.approvals import approvals, approve_scopes
from content_api.jobs import run_due
from content_api.packages.publish import publish_release
from content_api.packages.service import get_package, list_releases, live_number, save_package
from tests.e2e.conftest import free_port, running, wait_for
from tests.media.conftest import ffmpeg  # noqa: F401  a fixture
from tests.project.tree import ROOT
from tests.studio.conftest import PATIENCE, Live, Person, Windows

LANGUAGE = os.environ.get("LAMPISTERIE_GUIDE_LANGUAGE", "en")
PICTURES = os.environ.get("LAMPISTERIE_GUIDE_PICTURES")
TOKYO = ZoneInfo("Asia/Tokyo")
LEWARDE = "ルワルド炭鉱歴史センター"
FILM = (
    *("-f", "lavfi", "-i", "testsrc=size=320x180:rate=15:duration=2"),
    *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart"),
)
XLIFF = "urn:oasis:names:tc:xliff:document:1.2"

PACKAGE: dict[str, Any] = {
    "title": {"fr": "Le bassin minier", "ja": "炭田"},
    "languages": ["fr", "ja"],
    "default_language": "fr",
    "profiles": ["tablet", "wall"],
    "timezone": "Asia/Tokyo",
    "settings": {"idle_seconds": 3600, "warning_seconds": 60},
    "sections": [
        {
            "id": "places",
            "view": "list",
            "title": {"fr": "Lieux", "ja": "場所"},
            "entries": ["lewarde"],
        }
    ],
}


@dataclass
class Story:
    """Who takes part, and what they have come to."""

    live: Live
    windows: Windows
    folder: Path
    people: dict[str, Person] = field(default_factory=dict)
    entry: str = ""
    picture: str = ""
    film: str = ""

    def window(self, name: str, path: str) -> Page:
        """A page in this person's browser."""
        return self.windows.open(self.live, self.people[name], path, language=LANGUAGE)

    def go(self, page: Page, path: str) -> None:
        """On to another page of the studio in the same browser."""
        self.windows.visit(page, f"{self.live.url}{path}")

    def shoot(self, page: Page, name: str, at: str | None = None) -> None:
        """A picture for the guide, when one is being made; from the top of the page or `at`."""
        if PICTURES:
            page.evaluate(
                "(at) => at ? document.querySelector(at).scrollIntoView({ block: 'center' })"
                " : scrollTo(0, 0)",
                at,
            )
            page.wait_for_timeout(400)
            page.screenshot(path=Path(PICTURES) / f"{name}-{LANGUAGE}.png")

    def approved(self, entry: str) -> dict[str, int]:
        """The approved revision of each scope."""
        with self.live.write() as session:
            return {s: row.rev for s, row in approvals(session, [entry])[entry].items()}


@pytest.fixture
def story(live: Live, windows: Windows, tmp_path: Path) -> Story:
    """A package that is live with one place, and four people."""
    values: dict[tuple[str, str], Any] = {
        ("title", "fr"): "Centre historique minier de Lewarde",
        ("title", "ja"): LEWARDE,
        ("kind", "*"): "museum",
        ("coords", "*"): {"lat": 50.3386, "lon": 3.1669},
    }
    live.entry("place", values, entry_id="lewarde")
    with live.write() as session:
        scopes = ["*", "fr", "ja"]
        approve_scopes(session, SYSTEM, "lewarde", scopes, 1, types=live.types)
        save_package(session, SYSTEM, "harbour", PACKAGE, expected=None)
    publish_release(live.engine, live.settings, SYSTEM, "harbour")
    found = Story(live, windows, tmp_path)
    grants = {
        "marie": (Grant("editor"), Grant("media")),
        "kenji": (Grant("translator", scopes=("ja",)),),
        "ada": (Grant("reviewer"),),
        "paul": (Grant("publisher"), Grant("venue_manager")),
    }
    for name, given in grants.items():
        found.people[name] = live.person(name, *given)
    return found


def cell(page: Page, path: str, scope: str = "fr") -> Any:
    """The cell of a value on the edit page."""
    return page.locator(f'[data-cell][data-path="{path}"][data-scope="{scope}"]')


def save(page: Page) -> None:
    """Press Save and wait until it is true."""
    page.locator("[data-save]").click()
    expect(page.locator("[data-status]")).to_have_attribute("data-state", "saved")


def add_file(page: Page, path: Path) -> str:
    """Add a file to the media library; the id of its asset."""
    page.locator("#media-files").set_input_files(path)
    line = page.locator(".media-line").last
    expect(line).to_have_attribute("data-state", "done")
    link = line.locator("a").first.get_attribute("href") or ""
    return link.rstrip("/").split("/")[-1]


def choose_newest_asset(page: Page, place: Any) -> None:
    """Choose the newest asset that a picker offers."""
    place.locator("[data-open]").click()
    dialog = page.locator("dialog.asset-dialog[open]")
    dialog.locator('[role="option"]').first.click()
    dialog.locator("button.button--primary").click()
    expect(dialog).to_have_count(0)
    expect(place.locator(".chosen__row")).to_have_count(1)


def test_the_whole_story(story: Story, ffmpeg: Callable[..., bytes]) -> None:  # noqa: F811
    kiosk = enrol(story)
    with screen_of(kiosk) as url:
        expect(show(story, url, "/ja/entry/lewarde").locator("h1")).to_have_text(LEWARDE)
    marie = write_the_place(story, ffmpeg)
    kenji = translate_while_the_source_changes(story, marie)
    review_and_mend(story, kenji)
    publish_for_nine_in_tokyo(story)
    kiosk_runs(kiosk, "sync")
    with screen_of(kiosk) as url:
        page = show(story, url, f"/ja/entry/{story.entry}")
        expect(page.locator("h1")).to_have_text("デロワ坑")
        expect(page.locator("main")).to_contain_text("1971年12月に閉山")
        expect(page.locator("main")).to_contain_text("レワルド")
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / "kiosk-ja.png")
    take_it_back(story)
    kiosk_runs(kiosk, "sync")
    with screen_of(kiosk) as url:
        page = show(story, url, "/ja/section/places")
        expect(page.locator("main")).to_contain_text(LEWARDE)
        expect(page.locator("main")).not_to_contain_text("デロワ坑")
    assert story.windows.faults == []


# -- The people ------------------------------------------------------------------------------


def enrol(story: Story) -> Path:
    """Paul adds a venue and a device; somebody there types the code. The device's folder."""
    page = story.window("paul", "/studio/venues/new")
    page.locator('main [name="name"]').fill("Meiji")
    page.locator('[name="timezone"]').select_option("Asia/Tokyo")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url(re.compile(r"/studio/venues/[^/]+/$"))
    story.go(page, f"{page.url.removeprefix(story.live.url)}new-device")
    page.locator('main [name="name"]').fill("Entrée")
    page.locator('[name="package"]').select_option("harbour")
    page.locator("#profile-tablet").check()
    page.locator("main form button[type=submit]").click()
    code = page.locator("#enrolment-code").inner_text()
    story.shoot(page, "device-code")
    page.context.close()
    story.windows.contexts.remove(page.context)
    kiosk = story.folder / "kiosk"
    kiosk_runs(kiosk, "enrol", story.live.url, code)
    kiosk_runs(kiosk, "sync")
    return kiosk


def write_the_place(story: Story, ffmpeg: Callable[..., bytes]) -> Page:  # noqa: F811
    """Marie: a picture and a film with their texts, then the place that shows them."""
    page = story.window("marie", "/studio/media/")
    files = {"chevalement.png": picture(), "descente.mp4": ffmpeg("descente.mp4", *FILM)}
    for name, raw in files.items():
        (story.folder / name).write_bytes(raw)
    story.picture = add_file(page, story.folder / "chevalement.png")
    story.film = add_file(page, story.folder / "descente.mp4")
    story.shoot(page, "media")
    for asset, alt in ((story.film, ""), (story.picture, "Le chevalement au-dessus des toits")):
        story.go(page, f"/studio/media/{asset}/")
        if alt:
            page.locator('textarea[name="alt.fr"]').fill(alt)
        page.locator('[name="rights_holder"]').fill("Centre historique minier")
        page.locator('[name="rights_licence"]').select_option(index=1)
        page.locator('textarea[name="credit.fr"]').fill("Centre historique minier")
        story.shoot(page, "asset")
        with page.expect_response(lambda answer: "/save" in answer.url) as saved:
            page.locator(".media-save button[type=submit]").click()
        assert saved.value.status in (200, 303)

    story.go(page, "/studio/entries/new")
    page.locator("#type-place").check()
    page.locator('main [name="title"]').fill("Fosse Delloye")
    story.shoot(page, "new-entry")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url(re.compile(r"/studio/entries/(?!new)[^/]+/$"))
    page.wait_for_selector("html[data-ready=true]", state="attached")
    story.entry = page.url.split("/")[-2]
    cell(page, "lead").locator("textarea").fill("Le puits ferme en 1971.")
    cell(page, "commune").locator("textarea").fill("Lewarde")
    cell(page, "kind", "*").locator("select").select_option("pit")
    cell(page, "coords", "*").locator('[data-part="lat"]').fill("50.3386")
    cell(page, "coords", "*").locator('[data-part="lon"]').fill("3.1669")
    choose_newest_asset(page, cell(page, "image", "*"))
    page.locator('[data-story="story"] [data-add="film"]').last.click()
    block = page.locator('[data-story="story"] [data-block]')
    choose_newest_asset(page, block.locator('[data-kind="asset"]').first)
    expect(page.locator("[data-status]")).to_have_attribute("data-state", "kept")
    story.shoot(page, "edit")
    story.shoot(page, "blocks", at='[data-story="story"]')
    save(page)
    return page


def translate_while_the_source_changes(story: Story, marie: Page) -> Page:
    """Kenji: two texts in the page, one in his own tool; meanwhile Marie corrects the source."""
    kenji = story.window("kenji", f"/studio/entries/{story.entry}/translate/ja")
    target(kenji, "title").fill("デロワ坑")
    target(kenji, "lead").fill("坑は1971年に閉山した。")
    cell(marie, "lead").locator("textarea").fill("Le puits ferme en décembre 1971.")
    save(marie)
    save(kenji)
    story.shoot(kenji, "translate")
    for asset, alt in ((story.picture, "屋根の上の竪坑櫓"), (story.film, None)):
        story.go(kenji, f"/studio/entries/{asset}/translate/ja")
        if alt:
            target(kenji, "alt").fill(alt)
        target(kenji, "credit").fill("炭鉱歴史センター")
        save(kenji)

    story.go(kenji, f"/studio/exchange/?entry={story.entry}&language=ja")
    with kenji.expect_download() as sent:
        kenji.locator('form[action="/studio/exchange/file"] button[type=submit]').click()
    came_back = story.folder / "came-back.xlf"
    came_back.write_bytes(translated(sent.value.path().read_bytes(), {"Lewarde": "レワルド"}))
    kenji.locator('[name="file"]').set_input_files(came_back)
    kenji.locator("form[enctype] button[type=submit]").click()
    kenji.wait_for_url(re.compile(r"/studio/exchange/\w+$"))
    story.shoot(kenji, "exchange")
    kenji.locator(f'form[action="{kenji.url.removeprefix(story.live.url)}"] button').click()
    expect(kenji.locator("main")).to_contain_text("レワルド")
    return kenji


def review_and_mend(story: Story, kenji: Page) -> None:
    """Ada sees that the lead is outdated and sends it back; Kenji mends it; Ada approves."""
    ask_for_review(story, kenji)
    ada = story.window("ada", "/studio/")
    story.shoot(ada, "desk")
    story.go(ada, "/studio/entries/matrix")
    story.shoot(ada, "matrix")
    story.go(ada, f"/studio/entries/{story.entry}/review")
    japanese = ada.locator("#scope-ja")
    expect(japanese.locator("ins").filter(has_text="décembre").first).to_be_visible()
    story.shoot(ada, "review")
    japanese.locator('[name="reason"]').fill("Le mois manque dans le chapeau.")
    japanese.locator('form[action$="/send-back"] button').click()
    expect(ada.locator(".notice--info").first).to_be_visible()

    story.go(kenji, f"/studio/entries/{story.entry}/translate/ja")
    expect(kenji.locator("main")).to_contain_text("Le mois manque dans le chapeau.")
    target(kenji, "lead").fill("坑は1971年12月に閉山した。")
    save(kenji)
    ask_for_review(story, kenji)

    approve_everything(story, ada, story.entry)
    approve_everything(story, ada, story.film)
    story.go(ada, f"/studio/entries/{story.entry}/history")
    story.shoot(ada, "history")
    # The picture’s French waits: Paul will be told that its description is missing.
    approve_everything(story, ada, story.picture, but="fr")
    assert set(story.approved(story.entry)) >= {"*", "fr", "ja"}


def publish_for_nine_in_tokyo(story: Story) -> None:
    """Paul lists the place, is told what is missing, looks at it, and plans the release."""
    paul = story.window("paul", "/studio/packages/harbour/")
    list_entry(story, paul)
    story.go(paul, "/studio/packages/harbour/publish")
    expect(paul.locator("#problems")).to_contain_text(story.picture)
    story.shoot(paul, "problems")
    ada = story.window("ada", f"/studio/entries/{story.picture}/review")
    approve(ada, "fr")

    for size in ("tablet", "wall", "phone"):
        story.go(paul, f"/studio/entries/{story.entry}/preview?size={size}&language=ja")
        frame = paul.frame_locator("iframe[data-frame]")
        expect(frame.locator("main h1").first).to_have_text("デロワ坑")
        story.shoot(paul, f"preview-{size}")

    story.go(paul, "/studio/packages/harbour/publish")
    expect(paul.locator("#problems")).not_to_contain_text(story.picture)
    nine = (datetime.now(TOKYO) + timedelta(days=1)).replace(
        hour=9, minute=0, second=0, microsecond=0
    )
    paul.locator('[name="at"]').fill(nine.strftime("%Y-%m-%dT%H:%M"))
    story.shoot(paul, "publish")
    paul.locator('form[action$="/publish/plan"] button[type=submit]').click()
    expect(paul.locator("#releases")).to_be_visible()
    with story.live.write() as session:
        planned = [r for r in list_releases(session, "harbour") if r.state == "scheduled"]
        assert [r.publish_at for r in planned] == [nine.astimezone(UTC)]
    # The hour comes; only the clock is ours.
    run_due(story.live.engine, story.live.settings, nine.astimezone(UTC))
    with story.live.write() as session:
        assert live_number(session, "harbour") == 2


def take_it_back(story: Story) -> None:
    """Paul restores the release before, having seen what that changes."""
    paul = story.window("paul", "/studio/packages/harbour/publish")
    story.shoot(paul, "releases", at="#releases")
    paul.locator('#releases a[href$="/restore/1"]').click()
    paul.wait_for_url(re.compile(r"/restore/1$"))
    expect(paul.locator("main")).to_contain_text("Fosse Delloye")
    story.shoot(paul, "restore")
    paul.locator("main form button[type=submit]").click()
    until(lambda: _live(story) == 3)


# -- What they do ----------------------------------------------------------------------------


def target(page: Page, path: str) -> Any:
    """The translation of a text, on the translate page."""
    return page.locator(f'[data-unit="{path}"] .unit__target textarea')


def ask_for_review(story: Story, page: Page) -> None:
    """From the translate page."""
    story.go(page, f"/studio/entries/{story.entry}/translate/ja")
    page.locator('form[action$="/ask-review"] button[type=submit]').last.click()
    page.wait_for_url(re.compile(r"/studio/entries/"))


def approve_everything(story: Story, ada: Page, entry: str, *, but: str | None = None) -> None:
    """Approve what all languages share, French and Japanese."""
    story.go(ada, f"/studio/entries/{entry}/review")
    for scope in ("*", "fr", "ja"):
        if scope != but:
            approve(ada, scope)


def approve(ada: Page, scope: str) -> None:
    """Approve one language on the review page that is open."""
    part = ada.locator(f"#scope-{'shared' if scope == '*' else scope}")
    if part.get_attribute("open") is None:
        part.locator("summary").first.click()
    part.locator('form[action$="/approve"] button[type=submit]').click()
    expect(ada.locator(".notice--good").first).to_be_visible()


def list_entry(story: Story, paul: Page) -> None:
    """Put the place into the package's only section."""
    paul.locator('[role="treeitem"]').first.click()
    search = paul.locator("#add-entries-search")
    search.fill("Delloye")
    paul.locator('#add-entries-list [role="option"]').first.click()
    expect(paul.locator("#add-entries .chosen__row")).to_have_count(1)
    paul.locator("[data-add-entries]").click()
    story.shoot(paul, "package")
    paul.locator("[data-save]").click()
    until(lambda: story.entry in json.dumps(_body(story)))


def translated(raw: bytes, texts: dict[str, str]) -> bytes:
    """An XLIFF 1.2 file as a translator's tool sends it back."""
    root = etree.fromstring(raw)
    done = 0
    for unit in root.iter(f"{{{XLIFF}}}trans-unit"):
        source = unit.find(f"{{{XLIFF}}}source")
        text = "".join(source.itertext()) if source is not None else ""
        if text in texts:
            found = unit.find(f"{{{XLIFF}}}target")
            if found is None:
                found = etree.SubElement(unit, f"{{{XLIFF}}}target")
            found.text = texts[text]
            found.set("state", "translated")
            done += 1
    assert done == len(texts)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def picture() -> bytes:
    """A drawing of a headframe."""
    image = pyvips.Image.new_from_file(str(ROOT / "media" / "assets" / "affiche-fosse.webp"))
    found: bytes = image.pngsave_buffer()
    return found


def until(done: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def _live(story: Story) -> int | None:
    with story.live.write() as session:
        return live_number(session, "harbour")


def _body(story: Story) -> Any:
    with story.live.write() as session:
        return get_package(session, "harbour").body


# -- The device ------------------------------------------------------------------------------


def kiosk_runs(data: Path, *arguments: str) -> None:
    """Run the device's own command, which must end well."""
    done = subprocess.run(
        [sys.executable, "-m", "kiosk_client.cli", "--data-dir", str(data), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def screen_of(data: Path) -> Iterator[str]:
    """The device's screen, served by the device from what it holds; its address."""
    port = free_port()
    with running(
        "kiosk_client.cli", "--data-dir", str(data), "serve", "--port", str(port)
    ) as child:
        url = f"http://127.0.0.1:{port}/"
        wait_for(url, child)
        yield url


def show(story: Story, url: str, route: str) -> Page:
    """The device's browser at a route of the player."""
    context = story.windows.browser.new_context(viewport={"width": 1280, "height": 800})
    story.windows.contexts.append(context)
    page = context.new_page()
    page.goto(f"{url}#{route}")
    page.wait_for_selector("main h1")
    return page
