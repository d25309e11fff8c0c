"""A preview tells the player which day to take for today, and the player says what it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import missing
from tests.player.conftest import AXE, PLAYER, VENDOR, visiting
from tests.player.server import serve
from tests.player.test_accessibility import violations


def previewing(release: Path, tmp_path: Path, **told: str) -> Path:
    """The small release, with more in its release.json."""
    root = tmp_path / "release"
    tmp_path.mkdir(exist_ok=True)
    shutil.copytree(release, root)
    document = json.loads((root / "release.json").read_text("utf-8"))
    document |= {"shell": "web", **told}
    (root / "release.json").write_text(json.dumps(document), "utf-8")
    return root


@contextmanager
def screen(browser: Browser, root: Path, address: str) -> Iterator[Page]:
    """The player on this release, without a fault."""
    with (
        serve(PLAYER, root, VENDOR if VENDOR.is_dir() else None) as site,
        visiting(browser, site) as visit,
    ):
        yield visit.open(address)
        assert visit.faults == []


def test_events_pass_on_the_day_that_is_told_and_the_ribbon_names_it(
    browser: Browser, release: Path, tmp_path: Path
) -> None:
    past = {}
    for day in ("1900-01-01", "2999-03-04"):
        root = previewing(release, tmp_path / day, today=day, preview="draft")
        with screen(browser, root, "#/fr/section/programme") as page:
            assert page.locator(".event").count() > 0
            past[day] = page.locator(".event--past").count()
            said = page.locator("[data-part=ribbon]").inner_text()
    assert past["1900-01-01"] == 0
    assert past["2999-03-04"] > 0
    assert said == "Aperçu du brouillon au 4 mars 2999"


@pytest.mark.parametrize(("today", "shown"), [("2030-01-01", True), ("2030-01-02", False)])
def test_a_picture_whose_rights_end_is_gone_on_the_day_that_is_told(
    browser: Browser, release: Path, tmp_path: Path, today: str, shown: bool
) -> None:
    root = previewing(release, tmp_path, today=today, preview="approved")
    for shard in (root / "content" / "lang" / "fr").glob("shard-*.json"):
        document = json.loads(shard.read_text("utf-8"))
        for asset in document["assets"].values():
            asset["fields"]["rights"] = {"expires": "2030-01-02"}
        shard.write_text(json.dumps(document), "utf-8")
    with screen(browser, root, "#/") as page:
        assert (page.locator("main img").count() > 0) == shown


def test_axe_finds_no_violation_below_the_ribbon(
    browser: Browser, release: Path, tmp_path: Path
) -> None:
    if not AXE.is_file():
        missing("axe-core (python -m npm_assets --dev)")
    root = previewing(release, tmp_path, today="2027-03-04", preview="live")
    for address in ("#/", "#/ar/section/programme"):
        with screen(browser, root, address) as page:
            assert page.locator("[data-part=ribbon]").is_visible()
            page.evaluate(AXE.read_text("utf-8"))
            assert violations(page) == []


def test_a_display_has_no_ribbon(browser: Browser, release: Path, tmp_path: Path) -> None:
    with screen(browser, previewing(release, tmp_path), "#/fr") as page:
        assert page.locator("[data-part=ribbon]").is_hidden()
