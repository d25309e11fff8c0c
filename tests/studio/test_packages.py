"""Putting packages together: the list, the editor, its tree, and two people at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from content_api.accounts.rules import SYSTEM, Grant
from content_api.database import read_session
from content_api.packages.service import get_package, save_package
from tests.studio.conftest import (
    Live,
    Person,
    Studio,
    StudioClient,
    Windows,
    axe_faults,
    count_queries,
)
from tests.studio.harbour import BODY, write_harbour

PAGE = "/studio/packages/harbour/"


@pytest.fixture
def harbour(studio: Studio) -> Studio:
    """The studio with the harbour."""
    with studio.write() as session:
        write_harbour(session, studio.types)
    return studio


@pytest.fixture
def editor(harbour: Studio) -> StudioClient:
    """Somebody who puts packages together."""
    return harbour.person("emma", Grant("editor"))


def stored(studio: Studio | Live, slug: str = "harbour") -> tuple[int, dict[str, Any]]:
    """A package's version and body."""
    with read_session(studio.engine) as session:
        package = get_package(session, slug)
        return package.version, package.body


# -- Over HTTP -------------------------------------------------------------------------------


def test_the_list_names_each_package_and_what_displays_have(
    harbour: Studio, editor: StudioClient
) -> None:
    page = editor.page("/studio/packages/")
    assert page.xpath('//th[@scope="row"]/a/text()') == ["The harbour"]
    assert "nothing yet" in page.text_content()


def test_the_list_asks_no_more_of_the_database_with_more_packages(
    harbour: Studio, editor: StudioClient
) -> None:
    editor.get("/studio/packages/")
    with count_queries(harbour.engine) as few:
        editor.get("/studio/packages/")
    with harbour.write() as session:
        for number in range(20):
            save_package(session, SYSTEM, f"harbour-{number}", BODY, expected=None)
    with count_queries(harbour.engine) as many:
        editor.get("/studio/packages/")
    assert len(many) == len(few)


def test_a_new_package_is_made_and_mistakes_keep_what_was_typed(
    studio: Studio,
) -> None:
    person = studio.person("emma", Grant("editor"))
    form = {
        "title": "Le phare",
        "slug": "Phare !",
        "languages": ["fr", "ja"],
        "default_language": "fr",
        "profiles": ["tablet"],
        "timezone": "Asia/Tokyo",
    }
    answer = person.post("/studio/packages/new", data=form)
    assert answer.status_code == 422
    assert 'value="Phare !"' in answer.text
    assert "Use small letters" in answer.text
    answer = person.post("/studio/packages/new", data={**form, "slug": "phare"})
    assert answer.headers["Location"] == "/studio/packages/phare/"
    _version, body = stored(studio, "phare")
    assert body["title"] == {"fr": "Le phare"}
    assert body["languages"] == ["fr", "ja"]
    again = person.post("/studio/packages/new", data={**form, "slug": "phare"})
    assert again.status_code == 422
    assert "Another package has this address" in again.text


def test_a_save_from_an_older_version_is_refused_and_changes_nothing(
    harbour: Studio, editor: StudioClient
) -> None:
    body = {**BODY, "timezone": "Europe/Paris"}
    assert editor.post(PAGE, json={"version": 1, "body": body}).json == {"version": 2}
    answer = editor.post(PAGE, json={"version": 1, "body": BODY})
    assert answer.status_code == 409
    assert stored(harbour) == (2, body)
    assert editor.get(f"{PAGE}body").json == {"version": 2, "body": body}


def test_a_body_that_cannot_be_is_refused_in_words(harbour: Studio, editor: StudioClient) -> None:
    answer = editor.post(PAGE, json={"version": 1, "body": {**BODY, "timezone": "Mars/Olympus"}})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["message"] == "Time zone: look at what was entered there."
    assert stored(harbour)[0] == 1


def test_who_may_not_change_packages_sees_them(harbour: Studio) -> None:
    for role in ("reader", "translator", "reviewer"):
        person = harbour.person(role, Grant(role))
        page = person.page(PAGE)
        assert "Your roles do not include changing packages" in page.text_content()
        assert page.xpath("//*[@data-save]") == []
        assert person.post(PAGE, json={"version": 1, "body": BODY}).status_code == 403
        assert person.get("/studio/packages/new").status_code == 403


# -- The pure modules, in a browser ----------------------------------------------------------


Run = Callable[[str, str, Any], Any]

TREE: list[dict[str, Any]] = [
    {
        "id": "a",
        "view": "map",
        "entries": ["e1", "e2"],
        "more": 1,
        "sections": [{"id": "b", "view": "list", "entries": ["e3"]}],
    },
    {"id": "c", "view": "list"},
]


@pytest.fixture(scope="module")
def run(live: Live, browser: Browser) -> Run:
    """Runs an expression of `m`, a module of this area, on an argument `a`."""
    page = browser.new_page()
    page.goto(f"{live.url}/studio/sign-in")

    def evaluate(module: str, expression: str, argument: Any) -> Any:
        return page.evaluate(
            f"a => import('/studio/static/js/packages/{module}.js').then(m => {expression})",
            argument,
        )

    return evaluate


def outline(sections: list[dict[str, Any]]) -> str:
    """A tree in one line: `a[e1 e2 b[e3]] c[]`."""
    return " ".join(
        f"{found['id']}["
        + " ".join([*found.get("entries", []), *filter(None, [outline(found.get("sections", []))])])
        + "]"
        for found in sections
    )


@pytest.mark.parametrize(
    ("spot", "way", "expected"),
    [
        ("a/e1", "down", "a[e2 e1 b[e3]] c[]"),
        ("a/e2", "down", "a[e1 b[e2 e3]] c[]"),
        ("b/e3", "up", "a[e1 e2 e3 b[]] c[]"),
        ("b/e3", "down", "a[e1 e2 b[]] c[e3]"),
        ("a/e1", "up", None),
        ("a/e1", "in", None),
        ("c", "up", "c[] a[e1 e2 b[e3]]"),
        ("c", "down", None),
        ("c", "in", "a[e1 e2 b[e3] c[]]"),
        ("b", "out", "a[e1 e2] b[e3] c[]"),
        ("a", "out", None),
        ("a", "in", None),
    ],
)
def test_keys_move_an_entry_or_a_section(
    run: Run, spot: str, way: str, expected: str | None
) -> None:
    section, _slash, entry = spot.partition("/")
    place = {"kind": "entry", "section": section, "entry": entry}
    given = [TREE, place if entry else {"kind": "section", "section": section}, way]
    found = run("tree", "m.moved(...a)", given)
    assert (outline(found["sections"]) if found else None) == expected
    if found:
        assert found["sections"][0].get("more", found["sections"][-1].get("more")) == 1


def test_nothing_is_put_into_itself_or_more_than_three_deep(run: Run) -> None:
    inside = {"kind": "section", "section": "b"}
    outer = {"kind": "section", "section": "a"}
    assert run("tree", "m.put(...a)", [TREE, outer, inside, "inside"]) is None
    tall = [*TREE, {"id": "d", "view": "list", "sections": [{"id": "e", "view": "list"}]}]
    deep = {"kind": "section", "section": "d"}
    assert run("tree", "m.put(...a)", [tall, deep, inside, "inside"]) is None
    found = run("tree", "m.put(...a)", [tall, deep, outer, "inside"])
    assert outline(found["sections"]) == "a[e1 e2 b[e3] d[e[]]] c[]"


def test_an_entry_is_put_where_the_pointer_says_and_never_twice_in_a_section(run: Run) -> None:
    first = {"kind": "entry", "section": "a", "entry": "e1"}
    third = {"kind": "entry", "section": "b", "entry": "e3"}
    found = run("tree", "m.put(...a)", [TREE, first, third, "after"])
    assert outline(found["sections"]) == "a[e2 b[e3 e1]] c[]"
    twice = [{**TREE[0], "entries": ["e1", "e3"]}]
    assert run("tree", "m.put(...a)", [twice, third, {**first, "section": "a"}, "before"]) is None


def test_new_sections_get_an_id_nobody_has(run: Run) -> None:
    found = run(
        "tree",
        "[m.freshSectionId(...a), m.freshSectionId(a[0], 'B'), m.freshSectionId(a[0], '場所')]",
        [TREE, "Été à l’Écluse"],
    )
    assert found == ["ete-a-l-ecluse", "b-2", "section"]


def merged(run: Run, base: Any, mine: Any, theirs: Any) -> tuple[Any, list[str]]:
    """What two people's work gives, and the parts both changed."""
    found = run("merging", "m.merge(...a)", [base, mine, theirs])
    return found["merged"], [conflict["path"] for conflict in found["conflicts"]]


def copy_of(value: Any) -> Any:
    """A deep copy."""
    return json.loads(json.dumps(value))


def test_work_on_different_parts_is_put_together(run: Run) -> None:
    mine, theirs = copy_of(BODY), copy_of(BODY)
    mine["title"]["fr"] = "Le grand port"
    mine["sections"][0]["entries"] = ["quay", "crane"]
    theirs["title"]["ja"] = "大きな港"
    theirs["sections"].append({"id": "more", "view": "list", "entries": ["quay"]})
    body, conflicts = merged(run, BODY, mine, theirs)
    assert conflicts == []
    assert body["title"] == {"fr": "Le grand port", "en": "The harbour", "ja": "大きな港"}
    assert outline(body["sections"]) == "places[quay crane] stories[] more[quay]"
    assert run("merging", "m.bodyOf(m.partsOf(a))", BODY) == BODY


def test_what_both_changed_is_asked_and_the_choice_is_taken(run: Run) -> None:
    mine, theirs = copy_of(BODY), copy_of(BODY)
    mine["title"]["fr"], theirs["title"]["fr"] = "À moi", "À eux"
    body, conflicts = merged(run, BODY, mine, theirs)
    assert conflicts == ["title.fr"]
    assert body["title"]["fr"] == "À moi"
    taken = run("merging", "m.taking(...a)", [body, theirs, ["title.fr"], BODY])
    assert taken["title"]["fr"] == "À eux"


def test_a_section_that_one_removed_while_the_other_worked_in_it_is_not_lost(run: Run) -> None:
    mine, theirs = copy_of(BODY), copy_of(BODY)
    mine["sections"][0]["entries"] = ["quay"]
    del theirs["sections"][0]
    body, conflicts = merged(run, BODY, mine, theirs)
    assert conflicts == ["tree"]
    assert body["sections"] == mine["sections"]
    taken = run("merging", "m.taking(...a)", [body, theirs, ["tree"], BODY])
    assert outline(taken["sections"]) == "stories[]"


def test_both_may_add_a_section(run: Run) -> None:
    mine, theirs = copy_of(BODY), copy_of(BODY)
    mine["sections"].append({"id": "mine", "view": "list"})
    theirs["sections"][0]["sections"] = [{"id": "theirs", "view": "map", "entries": ["quay"]}]
    body, conflicts = merged(run, BODY, mine, theirs)
    assert conflicts == []
    assert outline(body["sections"]) == "places[crane quay theirs[quay]] stories[] mine[]"


def test_contrast_is_measured_as_wcag_does(run: Run) -> None:
    assert run("colours", "m.contrast('#000000', '#ffffff')", None) == pytest.approx(21)
    assert run("colours", "m.contrast('#767676', '#ffffff')", None) == pytest.approx(4.54, abs=0.01)
    assert run("colours", "[4.5, 3, 2.9].map(m.verdict)", None) == ["good", "large", "bad"]


# -- The editor in a browser -----------------------------------------------------------------


@pytest.fixture(scope="module")
def emma(live: Live) -> Person:
    """Somebody who puts packages together, on the live server with the harbour."""
    with live.write() as session:
        write_harbour(session, live.types)
    return live.person("emma", Grant("editor"))


@pytest.fixture
def fresh(live: Live, emma: Person) -> None:
    """The harbour as it was."""
    with live.write() as session:
        package = get_package(session, "harbour")
        save_package(session, SYSTEM, "harbour", BODY, expected=package.version)


def rows(page: Page) -> list[str]:
    """The rows of the tree, in order."""
    return [
        (text or "").strip()
        for text in page.locator("[role=treeitem] .tree__title").all_text_contents()
    ]


def told(page: Page, text: str) -> None:
    """Wait until a message says so."""
    page.locator(".toast__text", has_text=text).first.wait_for()


def save(page: Page) -> None:
    """Save, and wait for it."""
    page.keyboard.press("Control+s")
    told(page, "The package is saved.")


@pytest.mark.usefixtures("fresh")
def test_the_tree_is_put_in_order_by_keys_alone(live: Live, emma: Person, windows: Windows) -> None:
    page = windows.open(live, emma, PAGE)
    assert axe_faults(page) == []
    page.locator("[role=treeitem]").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Alt+ArrowDown")
    assert rows(page) == ["Places", "Quai (en)", "Grue (en)", "Stories"]
    assert page.evaluate("document.activeElement.dataset.key") == "places/crane"
    page.locator("#live", has_text="number 2 of 2 in Places").wait_for(state="attached")
    page.keyboard.press("Alt+ArrowDown")
    assert rows(page) == ["Places", "Quai (en)", "Stories", "Grue (en)"]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Alt+ArrowRight")
    assert page.locator('[data-key="stories"]').get_attribute("aria-level") == "2"
    page.keyboard.press("Control+z")
    page.keyboard.press("Delete")
    assert rows(page) == ["Places", "Quai (en)"]
    page.keyboard.press("Control+z")
    save(page)
    _version, body = stored(live)
    assert outline(body["sections"]) == "places[quay] stories[crane]"
    assert axe_faults(page) == []
    assert windows.faults == []


@pytest.mark.usefixtures("fresh")
def test_the_tree_is_put_in_order_by_dragging_and_by_buttons(
    live: Live, emma: Person, windows: Windows
) -> None:
    page = windows.open(live, emma, PAGE)
    drag(page, "places/crane", "stories", 0.4)
    assert rows(page) == ["Places", "Quai (en)", "Stories", "Grue (en)"]
    drag(page, "stories", "places", 0.1)
    assert rows(page) == ["Stories", "Grue (en)", "Places", "Quai (en)"]
    page.get_by_role("button", name="Move down (Alt+Down)").click()
    assert rows(page)[0] == "Places"
    page.get_by_role("button", name="Into the section above (Alt+Right)").click()
    save(page)
    assert outline(stored(live)[1]["sections"]) == "places[quay stories[crane]]"
    assert windows.faults == []


def drag(page: Page, key: str, target: str, share: float) -> None:
    """Drag a row onto another, `share` of the way down it."""
    start = page.locator(f'[data-key="{key}"] .tree__handle').bounding_box()
    goal = page.locator(f'[data-key="{target}"]').bounding_box()
    assert start is not None
    assert goal is not None
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(start["x"] + 8, start["y"] + 30, steps=3)
    page.mouse.move(goal["x"] + 60, goal["y"] + goal["height"] * share, steps=5)
    page.mouse.up()


@pytest.mark.usefixtures("fresh")
def test_entries_sections_languages_and_words_are_added(
    live: Live, emma: Person, windows: Windows
) -> None:
    page = windows.open(live, emma, PAGE)
    page.get_by_role("button", name="New section").click()
    page.keyboard.type("新しい章")
    assert "新しい章" in rows(page)
    page.locator("#add-entries-search").fill("quay")
    page.locator("#add-entries-list [role=option]").first.click()
    page.get_by_role("button", name="Add them").click()
    page.get_by_role("button", name="Add the language").click()
    added = page.locator("[data-language-list] bdi").all_text_contents()
    assert len(added) == 4
    page.locator("#f-title-fr").fill("Le grand port")
    page.locator("#field-accent").fill("#ffee00")
    assert "cannot be read" in (page.locator("[data-contrast]").text_content() or "")
    save(page)
    _version, body = stored(live)
    assert body["sections"][-1]["title"] == {"ja": "新しい章"}
    assert body["sections"][-1]["entries"] == ["quay"]
    assert body["title"]["fr"] == "Le grand port"
    assert body["theme"] == {"accent": "#ffee00"}
    assert len(body["languages"]) == 4
    assert windows.faults == []


@pytest.mark.usefixtures("fresh")
def test_an_entry_is_given_its_days_and_loses_them_again(
    live: Live, emma: Person, windows: Windows
) -> None:
    page = windows.open(live, emma, PAGE)
    page.locator('[data-key="places/crane"]').click()
    page.get_by_label("From", exact=True).fill("2026-12-01")
    page.get_by_label("To the end of").fill("2026-11-30")
    page.get_by_label("To the end of").press("Tab")
    assert page.locator("[data-shown-error]").text_content() == "The last day is before the first."
    assert axe_faults(page) == []
    page.get_by_label("To the end of").fill("2027-01-31")
    page.get_by_label("To the end of").press("Tab")
    assert page.locator("[data-shown-error]").is_hidden()
    # Another entry has no days, and does not take those typed here.
    page.locator('[data-key="places/quay"]').click()
    assert page.get_by_label("From", exact=True).input_value() == ""
    save(page)
    assert stored(live)[1]["shown"] == {"crane": {"from": "2026-12-01", "until": "2027-01-31"}}
    page.locator('[data-key="places/crane"]').click()
    assert page.get_by_label("To the end of").input_value() == "2027-01-31"
    for name in ("From", "To the end of"):
        page.get_by_label(name, exact=True).fill("")
    save(page)
    page.locator("[data-state=saved]").wait_for()
    assert "shown" not in stored(live)[1]
    assert windows.faults == []


@pytest.mark.usefixtures("fresh")
def test_what_is_not_saved_is_here_again_after_a_crash(
    live: Live, emma: Person, windows: Windows
) -> None:
    page = windows.open(live, emma, PAGE)
    page.locator("#f-title-fr").fill("Pas encore enregistré")
    windows.visit(page, f"{live.url}{PAGE}")
    told(page, "What you had not saved was found")
    assert page.locator("#f-title-fr").input_value() == "Pas encore enregistré"
    save(page)
    assert stored(live)[1]["title"]["fr"] == "Pas encore enregistré"


@pytest.mark.usefixtures("fresh")
def test_two_people_on_one_title_lose_nothing(live: Live, emma: Person, windows: Windows) -> None:
    page = windows.open(live, emma, PAGE)
    page.locator("#f-title-fr").fill("À moi")
    page.locator("#f-title-en").fill("Mine")
    with live.write() as session:
        package = get_package(session, "harbour")
        other = copy_of(package.body)
        other["title"] = {**other["title"], "fr": "À eux", "ja": "新しい港"}
        save_package(session, SYSTEM, "harbour", other, expected=package.version)
    page.keyboard.press("Control+s")
    panel = page.locator("[data-conflict]")
    panel.wait_for()
    assert "À moi" in (panel.text_content() or "")
    assert "À eux" in (panel.text_content() or "")
    assert axe_faults(page) == []
    page.get_by_label("Theirs").check()
    page.get_by_role("button", name="Save it like this").click()
    told(page, "The package is saved.")
    assert stored(live)[1]["title"] == {"fr": "À eux", "en": "Mine", "ja": "新しい港"}
    assert [fault for fault in windows.faults if "409" not in fault] == []
