"""Writing an entry in Chromium: typing, blocks, keeping, losing the server, two people at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from content_api.accounts.models import Token, User
from content_api.accounts.passwords import hash_password
from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.document import flatten
from content_api.content.models import Entry, Revision
from content_api.content.service import get_revision, save_entry, translation_status
from content_api.content.types import load_types
from content_api.content.working_copies import find_working_copy
from content_api.database import utc_now
from content_api.studio.sessions import COOKIE_PATH, SESSION_COOKIE
from tests.studio.conftest import MEDIA, Live, Person, Windows, axe_faults

EDITOR = Grant("editor")
Run = Callable[..., Any]


# -- What scripts decide ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(browser: Browser, live: Live) -> Iterator[Run]:
    """`run(module, expression, argument)`: evaluate with `m`, the module, and `a`, the argument."""
    page = browser.new_page()
    page.goto(f"{live.url}/studio/sign-in")

    def evaluate(module: str, expression: str, argument: object = None) -> Any:
        return page.evaluate(
            f"a => import('/studio/static/js/edit/{module}').then(m => {expression})", argument
        )

    yield evaluate
    page.close()


BEFORE: list[Any] = [
    ["title", "fr", "Fosse"],
    ["company", "*", "Aniche"],
    ["story", "*", ["b1", "b2", "b3"]],
    ["story.b1", "*", "paragraph"],
    ["story.b1.text", "fr", "Un"],
    ["story.b1.text", "ja", "一"],
    ["story.b2", "*", "heading"],
    ["story.b3", "*", "figure"],
]


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        [],
        [["title", "fr", None], ["title", "ja", "坑"]],
        [["coords", "*", {"lat": 50.4, "lon": 3}], *BEFORE[1:]],
        [*BEFORE[:2], ["story", "*", ["b3", "b1", "b2"]], *BEFORE[3:]],
        [
            *BEFORE[:2],
            ["story", "*", ["n1", "b2", "n2", "b1"]],
            *BEFORE[3:7],
            ["story.n1", "*", "quote"],
            ["story.n1.text", "ja", "引用"],
            ["story.n2", "*", "paragraph"],
        ],
    ],
)
def test_operations_turn_one_document_into_another_as_the_server_applies_them(
    run: Run, after: list[Any]
) -> None:
    from content_api.content.document import apply_operations, unflatten

    expression = "m.operationsBetween(m.toDoc(a.before), m.toDoc(a.after), ['story'])"
    operations = run("document.js", expression, {"before": BEFORE, "after": after})
    types = load_types(MEDIA / "types")
    flats = [{(path, scope): value for path, scope, value in one} for one in (BEFORE, after)]
    body = apply_operations(
        types, types.type("place"), unflatten(flats[0]), operations, ["fr", "ja"]
    )
    assert flatten(body) == flats[1]
    assert (operations == []) == (after == BEFORE)


def test_changes_are_counted_as_a_person_sees_them(run: Run) -> None:
    expression = "m.countChanges(m.toDoc(a.before), m.toDoc(a.after), ['story'])"
    without_b1 = [
        ["title", "fr", "Puits"],
        ["company", "*", "Aniche"],
        ["story", "*", ["b2", "b3"]],
        *BEFORE[6:],
    ]
    assert run("document.js", expression, {"before": BEFORE, "after": without_b1}) == 2
    moved = [*BEFORE[:2], ["story", "*", ["b2", "b1", "b3"]], *BEFORE[3:]]
    assert run("document.js", expression, {"before": BEFORE, "after": moved}) == 1
    assert run("document.js", expression, {"before": BEFORE, "after": BEFORE}) == 0


def test_what_was_typed_meanwhile_is_laid_over_what_was_saved(run: Run) -> None:
    found = run(
        "document.js",
        """[...m.rebased(m.toDoc(a.sent), m.toDoc(a.now), m.toDoc(a.saved), ['story'])]""",
        {
            "sent": [["title", "fr", "A"], ["company", "*", "C"]],
            "now": [["title", "fr", "AB"]],
            "saved": [["title", "fr", "A"], ["company", "*", "C"], ["commune", "fr", "D"]],
        },
    )
    assert found == [["title@fr", "AB"], ["commune@fr", "D"]]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("12,5", 12.5),
        ("1 234", 1234),
        ("−3", -3),
        ("１２", 12),
        ("12 km", None),
        ("", None),
        ("1,2,3", None),
        ("1e5", None),
    ],
)
def test_numbers_are_read_as_people_write_them(run: Run, text: str, number: float | None) -> None:
    assert run("values.js", "m.parseNumber(a)", text) == number


def test_a_clock_time_knows_its_zone_and_its_summer(run: Run) -> None:
    cases = [
        ["2026-07-01T09:00", "Europe/Paris", "2026-07-01T09:00:00+02:00"],
        ["2026-11-24T09:00", "Asia/Tokyo", "2026-11-24T09:00:00+09:00"],
        ["2026-03-29T03:30", "Europe/Paris", "2026-03-29T03:30:00+02:00"],
        ["2026-10-25T01:30", "Europe/Paris", "2026-10-25T01:30:00+02:00"],
        ["2026-01-01T09:00", "America/St_Johns", "2026-01-01T09:00:00-03:30"],
    ]
    assert run("values.js", "a.map(([l, z]) => m.zonedIso(l, z))", cases) == [c[2] for c in cases]
    back = run("values.js", "a.map(([l, z, i]) => m.wallTime(i, z))", cases)
    assert back == [c[0] for c in cases]


STATE = {
    "dirty": True,
    "saving": False,
    "keeping": False,
    "isKept": False,
    "isLocal": False,
    "trouble": "",
}


@pytest.mark.parametrize(
    ("change", "state", "lost"),
    [
        ({"dirty": False}, "saved", False),
        ({}, "unsaved", True),
        ({"isLocal": True}, "unsaved", False),
        ({"keeping": True, "isLocal": True}, "keeping", False),
        ({"isKept": True}, "kept", False),
        ({"saving": True, "isKept": True}, "saving", False),
        ({"trouble": "offline", "isLocal": True}, "away", False),
        ({"trouble": "server", "isLocal": True}, "away", False),
        ({"trouble": "offline"}, "lost", True),
        ({"trouble": "signed-out", "isLocal": True}, "signed-out", False),
        ({"trouble": "refused", "isLocal": True}, "local", False),
        ({"trouble": "conflict", "isKept": True}, "conflict", False),
    ],
)
def test_the_status_says_what_is_true(
    run: Run, change: dict[str, Any], state: str, lost: bool
) -> None:
    found = run("keeping.js", "[m.stateOf(a), m.wouldLose(a)]", {**STATE, **change})
    assert found == [state, lost]


def test_trying_again_waits_longer_each_time_up_to_half_a_minute(run: Run) -> None:
    waits = run("keeping.js", "[0, 1, 2, 5, 50].map(m.retryAfter)")
    assert waits == [1000, 2000, 4000, 30000, 30000]


def test_a_block_drops_where_the_pointer_is(run: Run) -> None:
    assert run(
        "block-editor.js", "[5, 15, 25, 99].map((y) => m.dropIndex(a, y))", [10, 20, 30]
    ) == [
        0,
        1,
        2,
        3,
    ]


# -- Writing ---------------------------------------------------------------------------------


@pytest.fixture
def ann(live: Live, request: pytest.FixtureRequest) -> Person:
    return _person(live, "ann", request)


@pytest.fixture
def ben(live: Live, request: pytest.FixtureRequest) -> Person:
    return _person(live, "ben", request)


def _person(live: Live, name: str, request: pytest.FixtureRequest) -> Person:
    # Names are unique in a database that the module's tests share.
    words = re.sub(r"\W+", "-", request.node.name)
    return live.person(f"{name}-{abs(hash(words)) % 10**8}", EDITOR)


@pytest.fixture
def entry(live: Live, windows: Windows) -> str:
    """A story with three paragraphs, the first in Japanese too."""
    found: str = live.entry("story", {("title", "fr"): "Le fond"})
    operations = []
    for name, text in (("b1", "Un"), ("b2", "Deux"), ("b3", "Trois")):
        after = {"b1": None, "b2": "b1", "b3": "b2"}[name]
        path = f"story.{name}"
        value = {"type": "paragraph", "after": after}
        operations.append({"op": "insert_block", "path": path, "value": value})
        operations.append({"op": "set", "path": f"{path}.text", "scope": "fr", "value": text})
    operations.append({"op": "set", "path": "story.b1.text", "scope": "ja", "value": "一"})
    with live.write() as session:
        save_entry(session, SYSTEM, found, 1, operations, types=live.types)
    return found


def address(entry: str, fragment: str = "") -> str:
    return f"/studio/entries/{entry}/{fragment}"


def field(page: Page, path: str, scope: str = "fr") -> Any:
    return page.locator(f'[name="{path}@{scope}"]')


def status(page: Page) -> Any:
    return page.locator("[data-status]")


def expect_state(page: Page, state: str) -> None:
    expect(status(page)).to_have_attribute("data-state", state)


def order(page: Page) -> list[str]:
    found: list[str] = page.locator("[data-block]").evaluate_all(
        "(blocks) => blocks.map((block) => block.dataset.block)"
    )
    return found


def texts(page: Page) -> list[str]:
    found: list[str] = page.locator("[data-block] textarea").evaluate_all(
        "(areas) => areas.map((area) => area.value)"
    )
    return found


def saved(live: Live, entry: str) -> dict[Any, Any]:
    with live.write() as session:
        return flatten(get_revision(session, entry, session.get_one(Entry, entry).head_rev).body)


def kept(live: Live, person: Person, entry: str) -> list[Any]:
    with live.write() as session:
        copy = find_working_copy(session, person.actor, entry)
        return list(copy.operations) if copy else []


def press_save(page: Page) -> None:
    page.locator("[data-save]").click()


def save_all(page: Page) -> None:
    press_save(page)
    expect_state(page, "saved")


def test_a_place_is_written_kept_and_saved(live: Live, windows: Windows, ann: Person) -> None:
    page = windows.open(live, ann, "/studio/entries/new")
    page.get_by_label("Place", exact=True).check()
    page.get_by_label("Title").fill("Fosse Renard")
    page.get_by_role("button", name="Begin to write").click()
    page.wait_for_selector("html[data-ready=true]", state="attached")
    entry = page.url.split("/")[-2]
    field(page, "lead").fill("Un **puits** à Denain.")
    field(page, "kind", "*").select_option("pit")
    page.get_by_label("Latitude").fill("50,33")
    page.get_by_label("Longitude").fill("3,39")
    field(page, "precision_m", "*").fill("25")
    field(page, "inscribed", "*").check()
    field(page, "aliases").fill("La fosse")
    expect_state(page, "kept")
    assert kept(live, ann, entry)
    page.get_by_label("What did you change?").fill("Premier jet")
    page.keyboard.press("Control+s")
    expect_state(page, "saved")
    assert saved(live, entry) == {
        ("title", "fr"): "Fosse Renard",
        ("lead", "fr"): "Un **puits** à Denain.",
        ("kind", "*"): "pit",
        ("coords", "*"): {"lat": 50.33, "lon": 3.39},
        ("precision_m", "*"): 25,
        ("inscribed", "*"): True,
        ("aliases", "fr"): "La fosse",
    }
    assert kept(live, ann, entry) == []
    with live.write() as session:
        assert get_revision(session, entry, 2).message == "Premier jet"
    assert windows.faults == []


def test_blocks_are_moved_added_copied_and_removed_by_keys(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry))
    handle = page.get_by_role("button", name="Move Paragraph, 1 of 3")
    handle.focus()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("#live")).to_have_text("Paragraph is now number 2 of 3.")
    assert order(page) == ["b2", "b1", "b3"]
    assert page.evaluate("document.activeElement.dataset.handle !== undefined")
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Alt+ArrowDown")
    assert order(page) == ["b2", "b3", "b1"]
    # Buttons do the same, one place at a time, and stay in reach.
    up = page.locator('[data-block="b1"] [data-act="up"]')
    up.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert order(page) == ["b1", "b2", "b3"]
    assert page.evaluate("document.activeElement.dataset.act") == "down"
    # A copy stands behind its original, in all its languages, with an id of its own.
    page.locator('[data-block="b1"] [data-act="duplicate"]').focus()
    page.keyboard.press("Enter")
    first, copy, *_rest = order(page)
    assert first == "b1"
    assert texts(page) == ["Un", "Un", "Deux", "Trois"]
    page.locator('[data-block="b1"] [data-act="add"]').focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Quote").press("Enter")
    page.keyboard.type("Citation")
    assert texts(page)[1] == "Citation"
    save_all(page)
    flat = saved(live, entry)
    assert flat["story", "*"] == order(page)
    assert flat[f"story.{copy}.text", "ja"] == "一"
    assert flat["story.b1.text", "ja"] == "一"
    # Removed with its keys, and back with Ctrl+Z outside of a text.
    page.locator('[data-block="b2"] [data-act="remove"]').press("Enter")
    assert "b2" not in order(page)
    assert page.evaluate("document.activeElement.dataset.fold !== undefined")
    page.keyboard.press("Control+z")
    assert order(page) == flat["story", "*"]
    expect_state(page, "saved")
    assert windows.faults == []


def test_blocks_are_dragged_and_removed_by_pointer(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry), height=1400)
    page.locator('[data-block="b3"]').scroll_into_view_if_needed()
    handle = page.locator('[data-block="b3"] [data-handle]').bounding_box()
    first = page.locator('[data-block="b1"]').bounding_box()
    assert handle
    assert first
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    page.mouse.move(handle["x"] + 8, handle["y"] - 40, steps=4)
    page.mouse.move(first["x"] + 20, first["y"] + 6, steps=6)
    expect(page.locator('[data-block="b1"]')).to_have_class(re.compile("drop-before"))
    page.mouse.up()
    assert order(page) == ["b3", "b1", "b2"]
    # Escape takes a drag back before it is dropped.
    handle = page.locator('[data-block="b3"] [data-handle]').bounding_box()
    assert handle
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    page.mouse.move(handle["x"] + 8, handle["y"] + 500, steps=5)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert order(page) == ["b3", "b1", "b2"]
    field(page, "story.b1.text").fill("Un, changé")
    page.locator('[data-block="b1"] [data-act="remove"]').click()
    assert order(page) == ["b3", "b2"]
    page.get_by_role("button", name="Undo").click()
    assert order(page) == ["b3", "b1", "b2"]
    assert texts(page) == ["Trois", "Un, changé", "Deux"]
    save_all(page)
    flat = saved(live, entry)
    assert flat["story", "*"] == ["b3", "b1", "b2"]
    assert (flat["story.b1.text", "fr"], flat["story.b1.text", "ja"]) == ("Un, changé", "一")


def test_undo_in_a_text_is_the_browsers_own(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry))
    page.locator('[data-block="b2"] [data-act="remove"]').click()
    area = field(page, "title")
    area.press("End")
    area.press_sequentially(" du puits")
    page.keyboard.press("Control+z")
    assert order(page) == ["b1", "b3"]
    assert area.input_value() != "Le fond du puits"


def test_an_empty_text_shows_what_falls_through_and_can_be_empty_on_purpose(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry, "?languages=fr,en"))
    area = field(page, "title", "en")
    assert area.input_value() == ""
    assert area.get_attribute("placeholder") == "Le fond"
    field(page, "title").fill("Au fond")
    assert area.get_attribute("placeholder") == "Au fond"
    cell = page.locator('[data-cell][data-path="title"][data-scope="en"]')
    cell.get_by_label("Empty on purpose").check()
    assert area.get_attribute("placeholder") == ""
    save_all(page)
    assert saved(live, entry)["title", "en"] is None
    area.fill("Underground")
    expect(cell.get_by_label("Empty on purpose")).to_be_hidden()
    save_all(page)
    assert saved(live, entry)["title", "en"] == "Underground"
    area.fill("")
    cell.get_by_label("Empty on purpose").uncheck()
    save_all(page)
    assert ("title", "en") not in saved(live, entry)


def test_what_cannot_be_read_is_said_beside_the_field(
    live: Live, windows: Windows, ann: Person
) -> None:
    entry = live.entry("place", {("title", "fr"): "Fosse"})
    page = windows.open(live, ann, address(entry))
    field(page, "precision_m", "*").fill("environ 12")
    field(page, "company", "*").fill("Aniche")
    press_save(page)
    cell = page.locator('[data-cell][data-path="precision_m"]')
    expect(cell.locator("[data-error]")).to_have_text(
        "A whole number is expected here, such as 1931."
    )
    assert page.evaluate("document.activeElement.name") == "precision_m@*"
    assert field(page, "company", "*").input_value() == "Aniche"
    field(page, "precision_m", "*").fill("12")
    expect(cell.locator("[data-error]")).to_be_hidden()
    save_all(page)
    assert saved(live, entry)["precision_m", "*"] == 12
    windows.faults.clear()  # the browser notes the refusal


# -- When things go wrong --------------------------------------------------------------------


def test_a_killed_server_and_a_closed_browser_lose_nothing(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry))
    field(page, "title").fill("Le fond de la mine")
    page.locator("[data-add=quote]").click()
    page.keyboard.type("On y descendait")
    expect_state(page, "kept")
    live.kill()
    field(page, "lead").fill("Écrit sans serveur")
    expect_state(page, "away")
    press_save(page)
    expect(page.locator(".toast").first).to_contain_text("kept on this computer")
    context = page.context
    page.close(run_before_unload=False)
    live.start()
    page = context.new_page()
    windows.visit(page, f"{live.url}{address(entry)}")
    # What the browser alone held is brought to the server, and laid over the page.
    expect(field(page, "lead")).to_have_value("Écrit sans serveur")
    expect(page.locator("[data-unsaved-bar]")).to_be_visible()
    assert field(page, "title").input_value() == "Le fond de la mine"
    assert texts(page)[3] == "On y descendait"
    page.wait_for_selector("html[data-ready=true]", state="attached")
    page.locator("[data-unsaved-bar]").get_by_role("button", name="Show differences").click()
    expect(page.get_by_role("dialog", name="What you changed")).to_contain_text(
        "Écrit sans serveur"
    )
    page.keyboard.press("Escape")
    save_all(page)
    flat = saved(live, entry)
    assert flat["lead", "fr"] == "Écrit sans serveur"
    assert flat["title", "fr"] == "Le fond de la mine"
    windows.faults.clear()


def test_a_lost_link_is_told_and_keeping_goes_on_when_it_is_back(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry))
    page.context.set_offline(True)
    field(page, "title").fill("Hors ligne")
    expect_state(page, "away")
    held = page.evaluate("Object.entries(localStorage).find(([k]) => k.includes('unsaved'))?.[1]")
    assert "Hors ligne" in held
    press_save(page)
    expect_state(page, "away")
    page.context.set_offline(False)
    expect_state(page, "kept")
    assert "Hors ligne" in json.dumps(kept(live, ann, entry), ensure_ascii=False)
    assert page.evaluate("Object.keys(localStorage).filter((k) => k.includes('unsaved'))") == []
    save_all(page)
    assert saved(live, entry)["title", "fr"] == "Hors ligne"
    windows.faults.clear()


def test_a_second_window_of_the_same_person_is_told(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry))
    other = page.context.new_page()
    windows.visit(other, f"{live.url}{address(entry)}")
    for window in (page, other):
        expect(window.locator(".toast")).to_contain_text("open in another window")


def test_a_minor_edit_of_the_source_is_ticked_beside_it(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry))
    cell = page.locator('[data-cell][data-path="story.b1.text"][data-scope="fr"]')
    tick = cell.get_by_label("Same meaning")
    expect(tick).to_be_hidden()
    field(page, "story.b1.text").fill("Un.")
    tick.check()
    save_all(page)
    expect(tick).to_be_hidden()
    with live.write() as session:
        found = translation_status(session, entry, ["ja"], types=live.types)["ja"]
    assert {text.path: text.status for text in found}["story.b1.text"] == "translated"


def test_unsaved_work_can_be_discarded(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry))
    field(page, "title").fill("Non")
    expect_state(page, "kept")
    page.reload()
    page.wait_for_selector("html[data-ready=true]", state="attached")
    page.get_by_role("button", name="Discard it").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard it").click()
    expect(field(page, "title")).to_have_value("Le fond")
    expect_state(page, "saved")
    assert kept(live, ann, entry) == []


def test_a_column_is_added_without_losing_what_is_typed(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry))
    field(page, "title").fill("Pas encore enregistré")
    page.locator(".edit-bar summary").click()
    page.get_by_role("link", name=re.compile("Arabic")).click()
    expect(field(page, "title", "ar")).to_be_visible()
    assert field(page, "title").input_value() == "Pas encore enregistré"
    assert field(page, "title", "ar").get_attribute("dir") == "rtl"
    expect(page.locator("[data-unsaved-bar]")).to_have_count(0)


def test_a_session_that_ends_asks_for_the_password_and_saves(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:

    page = windows.open(live, ann, address(entry))
    with live.write() as session:
        session.get_one(User, ann.user.id).password_hash = hash_password("lampe 1931 fosse")
        for token in session.scalars(select(Token).where(Token.user_id == ann.user.id)):
            token.expires_at = utc_now() - timedelta(minutes=1)
    # The studio's own path: a browser sends the cookie of the longer path first.
    page.context.clear_cookies(name=SESSION_COOKIE)
    page.context.add_cookies(
        [
            {
                "name": SESSION_COOKIE,
                "value": ann.secret,
                "domain": "127.0.0.1",
                "path": COOKIE_PATH,
            }
        ]
    )
    field(page, "title").fill("Après la session")
    expect_state(page, "signed-out")
    press_save(page)
    dialog = page.get_by_role("dialog", name="Sign in again")
    dialog.get_by_label("Password").fill("lampe 1931 fosse")
    dialog.get_by_role("button", name="Sign in and go on").click()
    expect_state(page, "saved")
    assert saved(live, entry)["title", "fr"] == "Après la session"
    windows.faults.clear()


# -- Two people ------------------------------------------------------------------------------


def test_two_people_see_each_other_and_their_changes_are_merged(
    live: Live, windows: Windows, ann: Person, ben: Person, entry: str
) -> None:
    one = windows.open(live, ann, address(entry))
    field(one, "title").focus()
    one.wait_for_timeout(2000)
    two = windows.open(live, ben, address(entry))
    expect(two.locator("[data-people]")).to_contain_text(
        f"{ann.user.display_name} is at Title (French)"
    )
    field(one, "lead").fill("Le chapeau d’Ann")
    field(two, "story.b2.text").fill("Deux, par Ben")
    two.locator("[data-add=heading]").click()
    two.keyboard.type("Fin")
    save_all(two)
    save_all(one)
    expect(one.locator(".toast")).to_contain_text(ben.user.display_name)
    assert texts(one) == ["Un", "Deux, par Ben", "Trois", "Fin"]
    assert field(one, "lead").input_value() == "Le chapeau d’Ann"
    flat = saved(live, entry)
    assert flat["lead", "fr"] == "Le chapeau d’Ann"
    assert flat["story.b2.text", "fr"] == "Deux, par Ben"
    # The next change of Ben is announced to Ann, who takes it in beside her unsaved text.
    field(two, "title").fill("Titre de Ben")
    save_all(two)
    field(one, "story.b1.text").fill("Un, encore")
    one.locator("[data-fold-all]").focus()
    expect(one.locator("[data-newer]")).to_contain_text("saved version")
    one.get_by_role("button", name="Take it in now").click()
    expect(field(one, "title")).to_have_value("Titre de Ben")
    assert field(one, "story.b1.text").input_value() == "Un, encore"
    assert windows.faults == []


@pytest.mark.parametrize("choice", ["mine", "theirs", "together", "later"])
def test_two_people_on_one_field_decide_and_lose_nothing(
    live: Live, windows: Windows, ann: Person, ben: Person, entry: str, choice: str
) -> None:
    one = windows.open(live, ann, address(entry))
    two = windows.open(live, ben, address(entry))
    field(two, "title").fill("Le fond, par Ben")
    save_all(two)
    field(one, "title").fill("Le fond, par Ann")
    field(one, "lead").fill("Aussi d’Ann")
    press_save(one)
    dialog = one.get_by_role("dialog", name="You and somebody else changed the same thing")
    expect(dialog).to_contain_text(ben.user.display_name)
    expect(dialog.locator("ins").filter(has_text="Ben")).to_have_count(1)
    expect(dialog.locator("ins").filter(has_text="Ann")).to_have_count(1)
    assert axe_faults(one) == []
    if choice == "later":
        one.keyboard.press("Escape")
        expect_state(one, "conflict")
        assert "par Ann" in json.dumps(kept(live, ann, entry), ensure_ascii=False)
        one.reload()
        one.wait_for_selector("html[data-ready=true]", state="attached")
        assert field(one, "title").input_value() == "Le fond, par Ann"
        assert field(one, "lead").input_value() == "Aussi d’Ann"
        assert saved(live, entry)["title", "fr"] == "Le fond, par Ben"
        windows.faults.clear()
        return
    if choice == "theirs":
        dialog.get_by_label("Their text").check()
    if choice == "together":
        dialog.get_by_label("Edit both together").check()
        dialog.get_by_label("Your text and theirs, put together").fill("Par Ann et Ben")
    dialog.get_by_role("button", name="Save like this").click()
    expect_state(one, "saved")
    expected = {
        "mine": "Le fond, par Ann",
        "theirs": "Le fond, par Ben",
        "together": "Par Ann et Ben",
    }
    assert saved(live, entry)["title", "fr"] == expected[choice]
    assert saved(live, entry)["lead", "fr"] == "Aussi d’Ann"
    assert field(one, "title").input_value() == expected[choice]
    with live.write() as session:
        revisions = session.scalars(select(Revision.rev).where(Revision.entry_id == entry)).all()
    assert max(revisions) == 4
    windows.faults.clear()


@pytest.mark.parametrize("choice", ["mine", "theirs"])
def test_a_block_that_one_removed_while_the_other_wrote_in_it(
    live: Live, windows: Windows, ann: Person, ben: Person, entry: str, choice: str
) -> None:
    one = windows.open(live, ann, address(entry))
    two = windows.open(live, ben, address(entry))
    field(two, "story.b2.text").fill("Deux, et c’est important")
    save_all(two)
    one.locator('[data-block="b2"] [data-act="remove"]').click()
    press_save(one)
    dialog = one.get_by_role("dialog", name="You and somebody else changed the same thing")
    expect(dialog).to_contain_text("Deux, et c’est important")
    dialog.get_by_label("My version" if choice == "mine" else "Their version").check()
    dialog.get_by_role("button", name="Save like this").click()
    expect_state(one, "saved")
    expected = ["b1", "b3"] if choice == "mine" else ["b1", "b2", "b3"]
    assert saved(live, entry)["story", "*"] == expected
    assert order(one) == expected
    windows.faults.clear()


def test_an_entry_deleted_meanwhile_becomes_a_new_one(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry))
    with live.write() as session:
        session.delete(session.get_one(Entry, entry))
    field(page, "lead").fill("Écrit trop tard")
    dialog = page.get_by_role("dialog", name="This entry was deleted meanwhile")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Make a new entry of it").click()
    page.wait_for_url(lambda url: "/entries/story-" in url and entry not in url)
    page.wait_for_selector("html[data-ready=true]", state="attached")
    assert field(page, "lead").input_value() == "Écrit trop tard"
    assert texts(page) == ["Un", "Deux", "Trois"]
    windows.faults.clear()


def test_the_page_is_accessible_in_both_lights_with_arabic_beside(
    live: Live, windows: Windows, ann: Person, entry: str
) -> None:
    page = windows.open(live, ann, address(entry, "?languages=fr,ar"), language="fr")
    page.locator("[data-add=figure]").click()
    page.locator('[data-block="b1"] [data-fold]').click()
    assert axe_faults(page) == []
    page.emulate_media(color_scheme="dark")
    assert axe_faults(page) == []
    page.locator('[data-block="b2"] [data-act="add"]').click()
    assert axe_faults(page) == []
    assert windows.faults == []
