"""The real player in a real browser before a real device: when does the screen change?

Time is set by hand, on both sides: the page's clock and what the device takes for its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from waitress.server import create_server

from kiosk_client.activation import Slot, read_slots
from kiosk_client.activator import Activator, serving
from kiosk_client.agent import listen
from kiosk_client.page import PageWatch, Report
from kiosk_client.server import Kiosk as Application
from tests.kiosk.conftest import Kiosk
from tests.kiosk.playable import MANIFEST_LANGUAGES, playable
from tests.kiosk.simulator import Content, Origin
from tests.player.conftest import FLAGS, chromium

KEY = "harbour/live"


@dataclass
class Stage:
    """A device that serves its screen, the page before it, and both their clocks."""

    kiosk: Kiosk
    page: Page
    activator: Activator
    watch: PageWatch
    reports: list[Report]
    clock: list[float]
    faults: list[str] = field(default_factory=list)

    def wait(self, seconds: int) -> None:
        """Let time pass, in steps in which the page can report and the device act."""
        for _ in range(max(1, seconds // 5)):
            self.clock[0] += 5
            heard = len(self.reports)
            self.page.clock.run_for(5000)
            self.page.wait_for_timeout(30)
            if len(self.reports) == heard:
                self.page.wait_for_timeout(30)
            self.activator.step()

    @property
    def slot(self) -> Slot:
        return read_slots(self.kiosk.data)[KEY]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Content]]:
    """Two editions of a package the player can show; each text of the second ends in `II`."""
    return {
        1: playable(tmp_path_factory.mktemp("one")),
        2: playable(tmp_path_factory.mktemp("two"), lambda words: f"{words} II"),
    }


@contextmanager
def staged(kiosk: Kiosk, browser: Browser) -> Iterator[Stage]:
    clock = [0.0]
    reports: list[Report] = []
    watch = PageWatch(clock=lambda: clock[0])
    application = Application(kiosk.data, now=kiosk.now, watch=watch, plays=reports.append)
    activator = Activator(kiosk.data, watch, application.showing.slot, now=kiosk.now)
    listening = listen("127.0.0.1", 0)
    server = create_server(application, sockets=[listening], threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(8000)
    page = context.new_page()
    stage = Stage(kiosk, page, activator, watch, reports, clock)
    page.on("console", lambda message: stage.faults.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: stage.faults.append(f"error: {error}"))
    page.on(
        "response",
        lambda answer: (
            stage.faults.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None
        ),
    )
    page.clock.install()
    try:
        with serving(kiosk.data):
            page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/")
            page.wait_for_selector("main h1")
            yield stage
    finally:
        context.close()
        with suppress(OSError):
            server.trigger.pull_trigger(server.close)
        thread.join(5)
        server.task_dispatcher.shutdown()


@pytest.fixture
def stage(
    kiosk: Kiosk, origin: Origin, browser: Browser, edition: dict[int, dict[str, Content]]
) -> Iterator[Stage]:
    """A screen that shows the first edition in attract."""
    assert origin.assignment is not None
    origin.assignment.update(languages=["fr", "ja"], version=2)
    origin.publish(edition[1], languages=MANIFEST_LANGUAGES)
    kiosk.sync()
    with staged(kiosk, browser) as found:
        yield found


def publish(origin: Origin, files: dict[str, Content]) -> None:
    origin.publish(files, languages=MANIFEST_LANGUAGES)


def test_a_visit_is_not_disturbed_and_the_new_set_comes_after_it(
    stage: Stage, origin: Origin, edition: dict[int, dict[str, Content]]
) -> None:
    page = stage.page
    page.evaluate("location.hash = '#/fr/section/places'")
    page.wait_for_selector(".page--section h1, .page--map h1, main h1")
    stage.wait(10)
    assert stage.watch.state().screen == "visit"
    publish(origin, edition[2])
    assert stage.kiosk.sync().outcome == "ready"
    stage.wait(30)
    assert stage.slot.next is not None
    # Every page of the visit is of the set it began with, in another language too.
    page.evaluate("location.hash = '#/fr/entry/loos'")
    page.wait_for_selector(".page--entry h1")
    assert "II" not in page.inner_text("main h1")
    page.evaluate("location.hash = '#/ja/entry/loos'")
    page.wait_for_selector("html[lang=ja] .page--entry h1")
    assert "II" not in page.inner_text("main h1")
    page.evaluate("location.hash = '#/ja'")
    page.wait_for_selector(".page--home h1")
    # The visitor leaves: the page asks, starts again, and says so.
    for _ in range(40):
        if stage.slot.next is None:
            break
        stage.wait(5)
    assert stage.slot.current is not None
    assert stage.slot.current.release == 2
    assert stage.slot.probation is not None
    stage.wait(40)
    expect(page.locator(".page--attract h1")).to_contain_text("II")
    stage.wait(80)
    assert stage.slot.probation is None
    assert stage.faults == []


def test_in_attract_the_screen_changes_at_once(
    stage: Stage, origin: Origin, edition: dict[int, dict[str, Content]]
) -> None:
    stage.wait(10)
    publish(origin, edition[2])
    stage.kiosk.sync()
    stage.wait(20)
    expect(stage.page.locator(".page--attract h1")).to_contain_text("II")
    assert stage.faults == []


def test_a_set_the_player_cannot_show_is_given_back_by_itself(
    stage: Stage, origin: Origin, edition: dict[int, dict[str, Content]]
) -> None:
    stage.wait(10)
    broken = {**edition[2], "package.json": Content(b'{"format":1,"package":')}
    publish(origin, broken)
    stage.kiosk.sync()
    stage.wait(20)
    stage.wait(60)
    returned = stage.slot.returned
    assert returned is not None
    assert (returned.release, returned.reason) == (2, "page-fault")
    assert stage.slot.current is not None
    assert stage.slot.current.release == 1
    stage.wait(40)
    expect(stage.page.locator(".page--attract h1")).to_be_visible()
    assert "II" not in stage.page.inner_text("main")
    assert stage.kiosk.sync(trigger="poll").outcome == "unchanged"


def test_what_is_looked_at_is_told_with_its_title_and_language(stage: Stage) -> None:
    page = stage.page
    page.evaluate("location.hash = '#/fr/entry/loos'")
    page.wait_for_selector(".page--entry h1")
    title = page.inner_text("main h1")
    stage.wait(30)
    assert stage.watch.state().entry == "loos"
    page.evaluate("location.hash = '#/fr'")
    page.wait_for_selector(".page--home h1")
    stage.wait(15)
    (play,) = [play for report in stage.reports for play in report.plays]
    assert (play.entry, play.title, play.language) == ("loos", title, "fr")
    assert 25 <= play.seconds <= 40
    page.goto("about:blank")
    page.wait_for_timeout(200)
    assert stage.reports[-1].screen == "gone"


def test_a_device_that_does_not_answer_is_nothing_a_visitor_sees(stage: Stage) -> None:
    page = stage.page
    page.route("**/page", lambda route: route.abort())
    page.evaluate("location.hash = '#/fr/entry/loos'")
    page.wait_for_selector(".page--entry h1")
    stage.wait(20)
    page.unroute("**/page")
    page.route("**/page", lambda route: route.fulfill(status=200, body="<html>"))
    page.evaluate("location.hash = '#/fr/entry/lewarde'")
    page.wait_for_selector(".page--entry h1")
    stage.wait(20)
    assert page.locator("[role=alertdialog], .fault").count() == 0
    heard = len(stage.reports)
    page.unroute("**/page")
    stage.wait(20)
    told = stage.reports[heard:]
    assert told
    assert told[0].errors == ()
    # What was looked at meanwhile is told as soon as somebody listens.
    assert "loos" in {play.entry for report in told for play in report.plays}


def test_a_closed_house_is_dim_until_somebody_touches_the_screen(
    stage: Stage, origin: Origin
) -> None:
    assert origin.assignment is not None
    stage.wait(70)
    never = {"closed": [day.isoformat() for day in around(stage.kiosk.now().date())]}
    origin.assignment.update(schedule=never, version=3)
    stage.kiosk.sync()
    stage.wait(20)
    dim = stage.page.locator("html[data-dim]")
    expect(dim).to_have_count(1)
    stage.page.mouse.click(2, 2)
    expect(dim).to_have_count(0)
    stage.wait(20)
    expect(dim).to_have_count(0)
    origin.assignment.update(schedule={}, version=4)
    stage.kiosk.sync()
    stage.wait(90)
    expect(dim).to_have_count(0)
    assert stage.faults == []


def around(day: date) -> list[date]:
    """The day with its neighbours, whatever the time zone."""
    return [day + timedelta(days=days) for days in (-1, 0, 1)]
