"""Widgets that edit one value: what they decide, what the server gives them, how they work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.service import save_entry
from content_api.content.values import clean_text
from content_api.media.models import Asset
from content_api.packages.models import Package
from content_api.studio.widgets import choices
from tests.studio.conftest import (
    MEDIA,
    Live,
    Studio,
    StudioClient,
    Windows,
    axe_faults,
    count_queries,
)

Run = Callable[..., Any]

EDITOR = Grant("editor")


# -- What scripts decide ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(browser: Browser, live: Live) -> Iterator[Run]:
    """`run(module, expression, argument)`: evaluate with `m`, the module, and `a`, the argument."""
    page = browser.new_page()
    page.goto(f"{live.url}/studio/sign-in")

    def evaluate(module: str, expression: str, argument: object = None) -> Any:
        return page.evaluate(
            f"a => import('/studio/static/js/widgets/{module}').then(m => {expression})", argument
        )

    yield evaluate
    page.close()


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("50.3, 3.4", (50.3, 3.4)),
        ("50,3; 3,4", (50.3, 3.4)),
        ("50,3 3,4", (50.3, 3.4)),
        ("-33.86, 151.2", (-33.86, 151.2)),
        ("−33.86, 151.2", (-33.86, 151.2)),
        ("50°18′N 3°24′E", (50.3, 3.4)),
        ("50°18′N3°24′E", (50.3, 3.4)),
        ("50° 18' 30.5\" N, 3° 24' 0\" E", (50.308472, 3.4)),
        ("50 18 30 N 3 24 0 W", (50.308333, -3.4)),
        ("N 50° 18.5 E 003° 24.1", (50.308333, 3.401667)),
        ("48° N 3° O", (48, -3)),
        ("北33.03 東130.43", (33.03, 130.43)),
        ("3.4 E 50.3 N", (50.3, 3.4)),
        ("geo:50.3,3.4", (50.3, 3.4)),
        ("https://www.google.com/maps/@50.4,2.98,15z", (50.4, 2.98)),
        ("https://www.openstreetmap.org/#map=15/50.4/2.98", (50.4, 2.98)),
        ("91, 3", None),
        ("3, 181", None),
        ("50.3", None),
        ("50 60 0 N 3 24 0 E", None),
        ("fosse 9, 9 bis", None),
        ("", None),
    ],
)
def test_coordinates_are_read_as_people_write_them(
    run: Run, text: str, point: tuple[float, float] | None
) -> None:
    found = run("coordinates.js", "m.parsePoint(a)", text)
    assert (None if found is None else (found["lat"], found["lon"])) == point


def test_a_camera_is_whole_or_nothing(run: Run) -> None:
    value = (
        "m.valueOf(Object.fromEntries(Object.entries(a).map(([k, v]) => [k, m.partValue(k, v)])))"
    )
    given = {"lat": "50,4", "lon": "2.9", "altitude": "", "tilt": "1 0", "range": ""}
    assert json.loads(run("coordinates.js", value, given)) == {"lat": 50.4, "lon": 2.9, "tilt": 10}
    assert run("coordinates.js", value, {**given, "lat": "", "lon": "", "tilt": ""}) == ""
    assert run("coordinates.js", value, {**given, "lat": ""}) is None
    assert run("coordinates.js", value, {**given, "tilt": "181"}) is None
    assert run("coordinates.js", value, {**given, "range": "far"}) is None


def test_a_map_turned_often_still_gives_a_longitude(run: Run) -> None:
    assert run("coordinates.js", "[m.wrapped(a), m.wrapped(-181), m.bounded(95)]", 540 + 2.5) == [
        -177.5,
        179,
        90,
    ]


@pytest.mark.parametrize(
    ("command", "before", "after"),
    [
        ("bold", "a [fosse] b", "a **[fosse]** b"),
        ("bold", "a **[fosse]** b", "a [fosse] b"),
        ("bold", "a [**fosse**] b", "a [fosse] b"),
        ("bold", "a [fosse ]b", "a **[fosse]** b"),
        ("bold", "***[x]***", "*[x]*"),
        ("italic", "a **[fosse]** b", "a ***[fosse]*** b"),
        ("italic", "a *[f]* b", "a [f] b"),
        ("bold", "a[]b", "a**[]**b"),
        ("link", "voir [fosse]", "voir ‹fosse›([https://])"),
        ("link", "[https://x.y]", "‹[]›(https://x.y)"),
        ("link", "[]", "‹[]›(https://)"),
        ("ruby", "[三池]炭鉱", "{三池|[]}炭鉱"),
        ("ruby", "[]", "{[]|}"),
        ("ruby", "[a{b|c}]", "{abc|[]}"),
        ("list", "[un\ndeux]", "[- un\n- deux]"),
        ("list", "[- un\n- deux]", "[un\ndeux]"),
        ("list", "para\n[un\ndeux]", "para\n\n[- un\n- deux]"),
        ("list", "- a\n[]b", "- a\n- b[]"),
        ("list", "- a\n[b\n]", "- a\n[- b]\n"),
        ("list", "[]", "- []"),
        ("quote", "x[]", "> x[]"),
        ("quote", "[> x]", "[x]"),
    ],
)
def test_a_tool_makes_one_replacement(run: Run, command: str, before: str, after: str) -> None:
    # ‹ › stand for the brackets of a link, for [ ] mark what is selected.
    start = before.index("[")
    end = before.index("]") - 1
    text = before.replace("[", "").replace("]", "")
    done = run(
        "markdown-edits.js",
        """(() => {
          const e = m.COMMANDS[a.command](a)
          const out = (a.text.slice(0, e.from) + e.insert + a.text.slice(e.to))
          const plain = (s) => s.replaceAll('[', '‹').replaceAll(']', '›')
          return plain(out.slice(0, e.start)) + '[' + plain(out.slice(e.start, e.end)) + ']'
            + plain(out.slice(e.end))
        })()""",
        {"command": command, "text": text, "start": start, "end": end},
    )
    assert done == after


@pytest.mark.parametrize(
    "text",
    [
        "  Fosse 9-9 bis \r\n",
        "e\u0301cole",
        "𠮷野家",
        "👩‍🏭",
        "a\u0085b\u3000",
        "\u00a0x\u2009",
        "か\u3099",
        "",
    ],
)
def test_characters_are_counted_as_the_server_counts_them(run: Run, text: str) -> None:
    assert run("counting.js", "m.countCharacters(a)", text) == len(clean_text(text))


@pytest.mark.parametrize(
    ("text", "language", "seconds"),
    [
        ("mot " * 195, "fr", 60),
        ("word " * 228, "en-GB", 60),
        ("字" * 357, "ja", 60),
        ("字" * 255, "zh-Hans", 60),
        ("{字|よみ}" * 357, "ja", 60),
        ("[mot](https://example.org/a/very/long/address) " * 195, "fr", 60),
        ("- **mot**\n" * 195, "fr", 60),
        ("l’écomusée " * 195, "fr", 60),
        ("slovo " * 184, "cs", 60),
        ("", "fr", 0),
    ],
)
def test_reading_takes_as_long_as_its_language_is_read(
    run: Run, text: str, language: str, seconds: float
) -> None:
    found = run("counting.js", "m.readingSeconds(a.text, a.language)", _said(text, language))
    assert found == pytest.approx(seconds)


def _said(text: str, language: str) -> dict[str, str]:
    return {"text": text, "language": language}


def test_reading_time_is_said_in_round_numbers(run: Run) -> None:
    words = run("counting.js", "a.map((s) => m.readingWords(s))", [2, 4, 38, 58, 100, 900])
    assert [w and (w["value"], w["unit"]) for w in words] == [
        None,
        (5, "seconds"),
        (40, "seconds"),
        (1, "minutes"),
        (1.5, "minutes"),
        (15, "minutes"),
    ]


def test_a_length_is_judged_by_words_not_colour(run: Run) -> None:
    judged = run("counting.js", "a.map(([n, advise, max]) => m.judge(n, advise, max))", [
        [80, 80, 120], [81, 80, 120], [121, 80, 120], [500, None, None],
    ])  # fmt: skip
    assert [(found["state"], found["by"]) for found in judged] == [
        ("fits", 0),
        ("long", 1),
        ("over", 1),
        ("fits", 0),
    ]


def test_an_order_changes_by_one_place(run: Run) -> None:
    assert run("ordering.js", "m.moved(['a','b','c'], 0, 1)") == ["b", "a", "c"]
    assert run("ordering.js", "m.moved(['a','b','c'], 0, -1)") == ["a", "b", "c"]
    assert run("ordering.js", "m.withMore(['a'], ['b','a'], true)") == ["a", "b"]
    assert run("ordering.js", "m.withMore(['a'], ['b'], false)") == ["b"]
    assert run("ordering.js", "m.idsOf(' a,,b, a')") == ["a", "b"]
    keys = (
        "['ArrowRight', 'ArrowDown', 'ArrowUp', 'End', 'PageDown', 'a']"
        ".map(key => m.optionAfter(1, 7, 3, key, a))"
    )
    assert run("ordering.js", keys, False) == [2, 4, 1, 6, 6, None]
    assert run("ordering.js", keys, True)[0] == 0


# -- What the server gives -------------------------------------------------------------------


def add_asset(studio: Studio, asset_id: str, kind: str = "image", **values: Any) -> str:
    """An asset with a row that says it has a file."""
    studio.entry("asset", {("alt", "fr"): values.pop("alt", None)}, entry_id=asset_id)
    with studio.write() as session:
        session.add(
            Asset(
                id=asset_id,
                kind=kind,
                media_type=values.pop("media_type", "image/png"),
                sha256="0" * 64,
                size=1,
                facts={},
                **values,
            )
        )
    return asset_id


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "{<b>|<i onclick=alert(1)>}",
    "![<script>](x)",
    '[x](https://a.b "onmouseover=alert(1)")',
    "<svg/onload=alert(1)>",
    "</textarea><script>alert(1)</script>",
]


@pytest.mark.parametrize("kind", ["inline", "markdown"])
def test_a_preview_shows_ruby_and_runs_nothing(studio: Studio, kind: str) -> None:
    ann = studio.person("ann", EDITOR)
    answer = ann.post("/studio/widgets/preview", json={"text": "{三池|みいけ}", "kind": kind})
    assert "<ruby>三池<rp>(</rp><rt>みいけ</rt>" in answer.json["html"]
    for text in HOSTILE:
        html = ann.post("/studio/widgets/preview", json={"text": text, "kind": kind}).json["html"]
        for tag in ("<script", "<img", "<svg", "<i ", "<b>", "<textarea"):
            assert tag not in html, (text, html)
        assert "href=" not in html or 'href="https://a.b"' in html, (text, html)


def test_a_preview_is_for_those_who_may_read(studio: Studio) -> None:
    body = {"text": "x", "kind": "markdown"}
    nobody = studio.person("nobody")
    assert nobody.post("/studio/widgets/preview", json=body).status_code == 403
    ann = studio.person("ann", EDITOR)
    assert ann.client.post("/studio/widgets/preview", json=body).status_code == 403  # no token
    bad = ann.post("/studio/widgets/preview", json={**body, "kind": "html"})
    assert (bad.status_code, bad.json["code"]) == (422, "refused")
    huge = ann.post("/studio/widgets/preview", json={**body, "text": "x" * 200_001})
    assert huge.status_code == 422


def _ids(client: StudioClient, path: str) -> list[str]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json["items"]]


def test_assets_come_newest_first_of_the_kinds_asked_and_in_pages(studio: Studio) -> None:
    ann = studio.person("ann", EDITOR)
    names = [f"photo-{number:02}" for number in range(30)]
    for name in names:
        add_asset(studio, name)
    add_asset(studio, "chant", "audio", media_type="audio/mpeg")
    studio.entry("asset", {("alt", "fr"): "Sans fichier"}, entry_id="empty")
    first = ann.get("/studio/widgets/assets?accept=image").json
    again = ann.get(f"/studio/widgets/assets?accept=image&cursor={first['next']}").json
    found = [item["id"] for item in [*first["items"], *again["items"]]]
    assert found == names[::-1]
    assert again["next"] is None
    assert _ids(ann, "/studio/widgets/assets?accept=audio,video") == ["chant"]
    assert ann.get("/studio/widgets/assets?accept=html").status_code == 400
    assert ann.get("/studio/widgets/assets?cursor=x").status_code == 400


def test_an_asset_is_found_by_its_words_its_id_and_its_file(studio: Studio) -> None:
    ann = studio.person("ann", EDITOR)
    add_asset(studio, "galibot", alt="Un galibot devant la 炭鉱", filename="DSC_0042.JPG")
    add_asset(studio, "terril", alt="Łódź")
    for words in ("炭鉱", "galib", "dsc_0042", "GALIBOT devant"):
        assert _ids(ann, f"/studio/widgets/assets?q={words}") == ["galibot"], words
    assert _ids(ann, "/studio/widgets/assets?q=lodz") == ["terril"]
    for words in ("%25", "_", '"', "zzz", "' OR 1"):
        assert _ids(ann, f"/studio/widgets/assets?q={words}") in ([], ["galibot"]), words
    assert _ids(ann, "/studio/widgets/assets?q=%25") == []


def test_an_asset_tells_what_is_not_said_of_it(studio: Studio) -> None:
    ann = studio.person("ann", EDITOR)
    add_asset(studio, "bare")
    studio.entry(
        "asset",
        {
            ("alt", "fr"): "Une lampe",
            ("credit", "ja"): "記録館",
            ("rights", "*"): {"expires": "2001-01-01"},
            ("decorative", "*"): True,
        },
        entry_id="full",
    )
    told = ann.get("/studio/widgets/described?ids=bare,full,gone").json["items"]
    assert sorted(told) == ["bare", "full"]
    assert (told["bare"]["alt"], told["bare"]["credit"], told["bare"]["expired"]) == ([], [], False)
    assert (told["full"]["alt"], told["full"]["credit"]) == (["fr"], ["ja"])
    assert told["full"]["expired"]
    assert told["full"]["decorative"]


def test_entries_are_offered_as_a_person_may_read_them(studio: Studio) -> None:
    studio.entry("place", {("title", "fr"): "Fosse Delloye", ("title", "ja"): "炭鉱"}, entry_id="d")
    studio.entry("story", {("title", "fr"): "Le fond"}, entry_id="s")
    add_asset(studio, "photo", alt="Fosse")
    ann = studio.person("ann", EDITOR)
    assert _ids(ann, "/studio/widgets/entries") == ["s", "d"]
    assert _ids(ann, "/studio/widgets/entries?types=place,person") == ["d"]
    assert _ids(ann, "/studio/widgets/entries?q=炭鉱") == ["d"]
    only = studio.person("only", Grant("reader", types=("story",)))
    assert _ids(only, "/studio/widgets/entries") == ["s"]
    assert only.get("/studio/widgets/described?ids=d,s").json["items"].keys() == {"s"}
    assert studio.person("nobody").get("/studio/widgets/entries").status_code == 403


def test_no_query_is_added_by_what_is_shown(studio: Studio) -> None:
    ann = studio.person("ann", EDITOR)

    def asked(path: str) -> int:
        with count_queries(studio.engine) as queries:
            assert ann.get(path).status_code == 200
        return len(queries)

    add_asset(studio, "one")
    studio.entry("place", {("title", "fr"): "Un"}, entry_id="place-one")
    paths = ("/studio/widgets/assets", "/studio/widgets/entries", "/studio/widgets/described?ids=")
    asked("/studio/widgets/layers")  # the session's use is noted once
    few = [asked(path + ("one" if path.endswith("=") else "")) for path in paths]
    for number in range(12):
        add_asset(studio, f"more-{number}")
        studio.entry("place", {("title", "fr"): "Deux"}, entry_id=f"place-{number}")
    ids = ",".join(f"more-{number}" for number in range(12))
    assert [asked(path + (ids if path.endswith("=") else "")) for path in paths] == few


def test_a_page_that_preloads_names_what_is_chosen_without_asking(studio: Studio) -> None:
    studio.entry("place", {("title", "fr"): "Fosse Delloye"}, entry_id="d")
    with studio.app.test_request_context(), studio.write() as session:
        choices.preload(session, SYSTEM, ["d", "gone"])
        found = choices.preloaded(["d", "gone"])
    assert [(key, choice and choice.title) for key, choice in found] == [
        ("d", "Fosse Delloye"),
        ("gone", None),
    ]


def test_outlines_are_assets_that_are_map_layers_and_nothing_else(studio: Studio) -> None:
    ann = studio.person("ann", EDITOR)
    with studio.write() as session:
        from content_api.media.service import attach_files, encode_files

        path = MEDIA / "assets" / "couche-bassin.geojson"
        ready = encode_files(session, {"bassin": path}, settings=studio.settings)
        attach_files(session, SYSTEM, ready)
        layers = [{"asset": "bassin", "style": "region"}, {"asset": "photo", "style": "x"}]
        body = {
            "title": {"fr": "P"}, "languages": ["fr"], "profiles": ["tablet"], "sections": [],
            "map": {"bounds": [2, 50, 4, 51], "layers": layers},
        }  # fmt: skip
        session.add(Package(slug="p", body=body))
    add_asset(studio, "photo")
    told = ann.get("/studio/widgets/layers").json
    assert told == {"items": [{"asset": "bassin", "style": "region"}], "bounds": [2, 50, 4, 51]}
    answer = ann.get("/studio/widgets/layers/bassin")
    assert answer.json["type"] == "FeatureCollection"
    assert answer.mimetype == "application/geo+json"
    tag = answer.headers["ETag"]
    assert (
        ann.get("/studio/widgets/layers/bassin", headers={"If-None-Match": tag}).status_code == 304
    )
    assert ann.get("/studio/widgets/layers/photo").status_code == 404
    for name in ("..%2f..%2fkeys", "gone", "http:%2f%2f127.0.0.1"):
        assert ann.get(f"/studio/widgets/layers/{name}").status_code == 404


# -- How they work in a browser --------------------------------------------------------------


@pytest.fixture(scope="module")
def style(live: Live) -> Any:
    """Somebody who opens the style page, and things to choose."""
    person = live.person("wanda", EDITOR)
    for number in range(3):
        live.entry("place", {("title", "fr"): f"Fosse {number}"}, entry_id=f"fosse-{number}")
        live.entry("asset", {("alt", "fr"): f"Lampe {number}"}, entry_id=f"lampe-{number}")
        with live.write() as session:
            session.add(
                Asset(
                    id=f"lampe-{number}", kind="image", media_type="image/png", sha256="0" * 64,
                    size=1, width=4, height=3, facts={},
                )
            )  # fmt: skip
    return person


@pytest.fixture
def page(windows: Windows, live: Live, style: Any) -> Iterator[Page]:
    """The style page, on which every widget stands."""
    found = windows.open(live, style, "/studio/style")
    # The pictures of assets without a file are not there, which the page takes well.
    found.evaluate(
        """() => {
          window.said = []
          for (const type of ['input', 'change']) document.addEventListener(type, (event) => {
            const { name, value } = event.target
            if (name?.startsWith('sample')) window.said.push([type, name, value])
          })
        }"""
    )
    yield found
    faults = [fault for fault in windows.faults if "404" not in fault]
    assert faults == []


def _said_last(page: Page, name: str) -> str:
    told: str = page.evaluate(
        "name => window.said.filter(([type, n]) => type === 'change' && n === name).at(-1)?.[2]",
        name,
    )
    return told


def test_keys_write_markdown_and_undo_takes_it_back(page: Page) -> None:
    area = page.locator("#sample-markdown")
    area.fill("la fosse")
    area.evaluate("area => area.setSelectionRange(3, 8)")
    area.press("Control+b")
    assert area.input_value() == "la **fosse**"
    area.press("Control+i")
    assert area.input_value() == "la ***fosse***"
    area.press("Control+z")
    area.press("Control+z")
    assert area.input_value() == "la fosse"
    area.press("Tab")
    assert not area.evaluate("area => area === document.activeElement")


def test_the_toolbar_is_one_stop_for_tab_and_arrows_go_through_it(page: Page) -> None:
    bar = page.locator(".md__tools").first
    bar.locator("button").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.command") == "italic"
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.dataset.command") == "ruby"
    assert bar.locator('button[tabindex="0"]').count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.hasAttribute('data-toggle-preview')")


def test_the_preview_follows_what_is_written(page: Page) -> None:
    field = page.locator(".md--inline").first
    field.locator("[data-toggle-preview]").click()
    field.locator("[data-preview] ruby").first.wait_for()
    page.locator("#sample-inline").fill("{竪坑|たてこう}<img src=x onerror=window.ran=1>")
    page.wait_for_function(
        "() => document.querySelector('.md--inline ruby')?.textContent.startsWith('竪坑')"
    )
    assert field.locator("img").count() == 0
    assert page.evaluate("window.ran") is None
    field.locator("[data-toggle-preview]").click()


def test_the_counter_says_in_words_what_is_too_long(page: Page) -> None:
    page.locator("#sample-text").fill("مناجم الشمال القديمة")
    words = page.locator("#sample-text-count").inner_text()
    assert "20 of 10 characters" in words
    assert "10 characters too many to publish" in words
    page.locator("#sample-markdown").fill("mot " * 140)
    assert "about 45 s to read" in page.locator("#sample-markdown-count").inner_text()


def test_assets_are_chosen_ordered_and_removed_by_keys_alone(page: Page) -> None:
    picker = page.locator("#sample-assets")
    picker.locator("[data-open]").focus()
    page.keyboard.press("Enter")
    page.locator(".asset-option").nth(2).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert axe_faults(page) == []
    page.get_by_role("button", name="Add 2").focus()
    page.keyboard.press("Enter")
    assert _said_last(page, "sample_assets") == "lampe-2,lampe-0"
    assert page.evaluate("document.activeElement.dataset.open") is not None
    picker.get_by_role("button", name="Move lampe-0 up").focus()
    page.keyboard.press("Enter")
    assert _said_last(page, "sample_assets") == "lampe-0,lampe-2"
    assert page.evaluate("document.activeElement.dataset.act") == "down"
    picker.get_by_role("button", name="Remove lampe-0").click()
    assert _said_last(page, "sample_assets") == "lampe-2"
    assert page.evaluate("document.activeElement.dataset.act") == "remove"


def test_escape_closes_the_dialog_and_changes_nothing(page: Page) -> None:
    opener = page.locator("#sample-asset [data-open]")
    opener.click()
    page.locator(".asset-option").first.click()
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('.asset-dialog').open")
    assert page.locator("#sample-asset-value").input_value() == ""
    assert opener.evaluate("button => button === document.activeElement")


def test_an_entry_is_searched_and_chosen_by_keys(page: Page) -> None:
    box = page.locator("#sample-entry-search")
    box.focus()
    page.keyboard.type("fosse 1")
    page.locator("#sample-entry-list [role=option]").wait_for()
    page.wait_for_function(
        "() => document.querySelectorAll('#sample-entry-list [role=option]').length === 1"
    )
    page.keyboard.press("ArrowDown")
    assert box.get_attribute("aria-activedescendant")
    page.keyboard.press("Enter")
    assert _said_last(page, "sample_entry") == "fosse-1"
    assert page.locator("#sample-entry .chosen__title").inner_text() == "Fosse 1"
    assert box.get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowDown")
    page.locator("#sample-entry-list [role=option]").first.wait_for()
    page.keyboard.press("Escape")
    assert box.get_attribute("aria-expanded") == "false"
    # Words being searched are nobody's value.
    assert all(name == "sample_entry" for _t, name, _v in page.evaluate("window.said"))


def test_a_widget_shows_what_another_script_put_into_its_control(page: Page) -> None:
    page.evaluate(
        """() => {
          const set = (id, value) => {
            const control = document.getElementById(id)
            control.value = value
            control.dispatchEvent(new Event('change', { bubbles: true }))
          }
          set('sample-entries-value', 'fosse-0,fosse-2')
          set('sample-point-value', '{"lat":1.5,"lon":-2}')
        }"""
    )
    page.get_by_role("link", name="Fosse 2").wait_for()
    assert page.locator("#sample-entries .chosen__row").count() == 2
    assert page.locator("#sample-point-lon").input_value() == "-2"


def test_a_pasted_pair_fills_both_numbers_and_a_wrong_one_is_named(page: Page) -> None:
    lat = page.locator("#sample-point-lat")
    lat.fill("50°18′N, 3°24′E")
    assert json.loads(_said_last(page, "sample_point")) == {"lat": 50.3, "lon": 3.4}
    assert page.locator("#sample-point-lon").input_value() == "3.4"
    lat.fill("95")
    error = page.locator("#sample-point-error")
    assert error.inner_text() == "Latitude: expected a number from -90 to 90."
    assert lat.get_attribute("aria-invalid") == "true"
    # What was whole stays, until the numbers are whole again.
    assert json.loads(page.locator("#sample-point-value").input_value()) == {
        "lat": 50.3,
        "lon": 3.4,
    }
    lat.fill("")
    assert error.inner_text() == "Latitude is missing."
    page.locator("#sample-point-lon").fill("")
    assert _said_last(page, "sample_point") == ""
    assert error.is_hidden()


def test_a_point_is_moved_on_the_map_by_keys(page: Page) -> None:
    opener = page.locator("#sample-point [data-open]")
    opener.wait_for()
    opener.click()
    page.locator(".map-pin").wait_for()
    assert axe_faults(page) == []
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowUp"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Use this place").click()
    found = json.loads(_said_last(page, "sample_point"))
    assert found["lat"] > 50.4297
    assert found["lon"] > 2.9808
    assert opener.evaluate("button => button === document.activeElement")


@pytest.mark.parametrize("dark", [False, True])
def test_the_widgets_are_accessible(windows: Windows, live: Live, style: Any, dark: bool) -> None:
    page = windows.open(live, style, "/studio/style", dark=dark, language="fr")
    page.locator("#sample-inline").locator("xpath=..").locator("[data-toggle-preview]").click()
    page.locator("#sample-entry-search").click()
    page.locator("#sample-entry-list [role=option]").first.wait_for()
    assert axe_faults(page) == []


def test_without_a_map_the_numbers_remain(windows: Windows, live: Live, style: Any) -> None:
    page = windows.open(live, style, "/studio/sign-out-not", language="en")
    page.route("**/vendor/leaflet/**", lambda route: route.abort())
    windows.visit(page, f"{live.url}/studio/style")
    page.locator("#sample-point-lat").fill("12.5")
    assert json.loads(page.locator("#sample-point-value").input_value())["lat"] == 12.5
    assert page.locator("#sample-point [data-open]").is_hidden()
    windows.faults.clear()


def test_two_assets_with_one_value_are_named_once(studio: Studio) -> None:
    ann = studio.person("ann", EDITOR)
    add_asset(studio, "lampe", alt="Une lampe")
    with studio.write() as session:
        put = {"op": "set", "path": "caption", "scope": "fr", "value": "**Lampe** {炎|ほのお}"}
        save_entry(session, SYSTEM, "lampe", 1, [put], types=studio.types)
    item = ann.get("/studio/widgets/assets").json["items"][0]
    assert (item["title"], item["language"]) == ("Lampe 炎", "fr")
