"""What the player decides, apart from any page: the modules run in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.player.conftest import visiting
from tests.player.server import Site

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(browser: Browser, site: Site) -> Iterator[Run]:
    """`run(module, expression, argument)`: evaluate with `m`, the module, and `a`, the argument."""
    with visiting(browser, site) as visit:
        visit.open()

        def evaluate(module: str, expression: str, argument: object = None) -> Any:
            return visit.page.evaluate(
                f"a => import('./js/{module}').then(m => {expression})", argument
            )

        yield evaluate


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Écomusée", "ecomusee"),
        ("ŁÓDŹ", "lodz"),
        ("Søndergård Đuro Straße", "sondergard duro strasse"),
        ("Nœux-les-Mines", "noeux les mines"),
        ("ノール＝パ・デュ・カレー", "ノールパデュカレー"),
        ("ﾎﾞﾀ山", "ボタ山"),
        ("ガス炭鉱", "ガス炭鉱"),
        ("مَنْجَـم", "منجم"),
        ("أحمد إبراهيم آدم", "احمد ابراهيم ادم"),
        ("مدينة على", "مدينه علي"),
        ("Fosse  9-9 bis", "fosse 9 9 bis"),
        ("１１／１９", "11 19"),
    ],
)
def test_spellings_of_one_word_become_the_same(run: Run, written: str, plain: str) -> None:
    assert run("text/normalise.js", "m.normalise(a)", written) == plain


@pytest.mark.parametrize(
    ("text", "query", "hits"),
    [
        ("L’Écomusée du charbon", "ecomusee", ["Écomusée"]),
        ("田川の炭鉱博物館", "炭鉱", ["炭鉱"]),
        ("Łódź, Lodz", "lodz", ["Łódź", "Lodz"]),
        ("مَنْجَم الفحم", "منجم", ["مَنْجَم"]),
        ("e\u0301cole", "ecole", ["e\u0301cole"]),
        ("nothing here", "zzz", []),
    ],
)
def test_a_hit_is_marked_in_the_text_as_it_is_written(
    run: Run, text: str, query: str, hits: list[str]
) -> None:
    parts = run("text/normalise.js", "m.highlight(a[0], m.queryWords(a[1]))", [text, query])
    assert "".join(part["text"] for part in parts) == text
    assert [part["text"] for part in parts if part["hit"]] == hits


def test_titles_come_before_texts_and_every_word_must_be_there(run: Run) -> None:
    documents = [
        {
            "id": "text",
            "type": "t",
            "title": "Terril",
            "names": [],
            "body": ["près de la fosse 9"],
            "prose": [],
        },
        {
            "id": "inside",
            "type": "t",
            "title": "La fosse 9 bis",
            "names": [],
            "body": [],
            "prose": [],
        },
        {"id": "start", "type": "t", "title": "Fosse 9", "names": [], "body": [], "prose": []},
        {"id": "other", "type": "t", "title": "Fosse 8", "names": [], "body": [], "prose": []},
    ]
    found = run(
        "text/search.js", "m.search(a.map(m.makeDocument), 'fosse 9').map(d => d.id)", documents
    )
    assert found == ["start", "inside", "text"]


def test_search_in_2000_entries_answers_within_50_milliseconds(run: Run) -> None:
    spent = run(
        "text/search.js",
        """(() => {
          const words = 'charbon fosse terril coron mineur galerie puits lampe école église'.split(' ')
          const documents = Array.from({length: 2000}, (_, i) => m.makeDocument({id: `e${i}`, type: 't', title: `Fosse ${i}`,
            names: [`${i}`], body: Array.from({length: 120}, (_, j) => words[(i * 7 + j) % 10]), prose: []}))
          const times = ['f', 'fo', 'fosse 19', 'ecole', 'zzz', '炭鉱'].map(query => {
            const from = performance.now(); m.search(documents, query); return performance.now() - from })
          return times.sort((x, y) => x - y)[3]
        })()""",
    )
    assert spent < 50


@pytest.mark.parametrize(
    ("date", "language", "shown"),
    [
        ("1720-02-03", "fr", "3 février 1720"),
        ("1720-02", "fr", "février 1720"),
        ("1720", "fr", "1720"),
        ("2012-06-30", "en", "30 June 2012"),
        ("2012-06-30", "ja", "2012年6月30日"),
        ("2012-06", "ja", "2012年6月"),
        ("2012", "ja", "2012年"),
        ("2012-06-30", "zh-Hans", "2012年6月30日"),
        ("2012-06-30", "pl", "30 czerwca 2012"),
        ("2012-06-30", "de", "30. Juni 2012"),
        ("2012-06-30", "ar", "30 يونيو 2012"),
        ("soon", "fr", ""),
        ("2012-13", "fr", ""),
    ],
)
def test_only_the_known_parts_of_a_date_are_shown(
    run: Run, date: str, language: str, shown: str
) -> None:
    assert run("text/dates.js", "m.formatDate(a[0], a[1])", [date, language]) == shown


def test_a_stretch_of_days_shares_its_month_and_unequal_ends_are_written_out(run: Run) -> None:
    dates = "m.formatDates(a[0], a[1], a[2]).replace(/[\\u2009\\u202f\\u00a0]/g, ' ')"
    assert run("text/dates.js", dates, ["2026-12-04", "2026-12-06", "fr"]) == "4–6 décembre 2026"
    assert (
        run("text/dates.js", dates, ["2021-06", "2021-06-27", "fr"]) == "juin 2021 – 27 juin 2021"
    )
    assert (
        run("text/dates.js", dates, ["2014-07-09", "2014-07-15", "ja"])
        == "2014年7月9日〜2014年7月15日"
    )
    assert run("text/dates.js", dates, ["2012", None, "fr"]) == "2012"


@pytest.mark.parametrize(
    ("state", "decision"),
    [
        ({"lastActivity": 0, "warnedAt": None, "paused": False, "now": 74_999}, "stay"),
        ({"lastActivity": 0, "warnedAt": None, "paused": False, "now": 75_000}, "warn"),
        ({"lastActivity": 0, "warnedAt": None, "paused": True, "now": 900_000}, "stay"),
        ({"lastActivity": 0, "warnedAt": 75_000, "paused": False, "now": 99_999}, "stay"),
        ({"lastActivity": 0, "warnedAt": 75_000, "paused": False, "now": 100_000}, "reset"),
    ],
)
def test_idle_asks_first_and_waits_while_media_plays(
    run: Run, state: dict[str, Any], decision: str
) -> None:
    assert (
        run("idle.js", "m.idleDecision(a.now, a, {idle: 75000, warning: 25000})", state) == decision
    )


def test_a_long_text_is_given_the_time_it_takes_to_read(run: Run) -> None:
    limits = "m.idleLimits(a[0], a[1].repeat(a[2]))"
    settings = {"idle_seconds": 75, "warning_seconds": 5}
    assert run("idle.js", limits, [settings, "mot ", 10]) == {"idle": 75_000, "warning": 20_000}
    assert run("idle.js", limits, [settings, "mot ", 400])["idle"] == 150_000
    assert run("idle.js", limits, [settings, "炭", 800])["idle"] == 150_000
    assert run("idle.js", limits, [settings, "mot ", 90_000])["idle"] == 600_000


PLAYS = """(() => {
  let now = 0
  const plays = m.countPlays(() => now)
  for (const [seconds, entry, language] of a) {
    now += seconds * 1000
    plays.enter(entry && { entry, title: entry.toUpperCase().repeat(60), language })
  }
  return plays.done.map((play) => [play.entry, play.language, play.seconds, play.title.length])
})()"""


def test_an_entry_counts_once_it_was_looked_at_in_one_language(run: Run) -> None:
    steps = [
        [0, "crane", "fr"],
        [5, "crane", "fr"],
        [5, "crane", "ja"],
        [1, "lens", "ja"],
        [1.9, None, ""],
        [60, "quay", "ja"],
        [3, None, ""],
    ]
    # Ten seconds in French; one in Japanese and a glance at another are none.
    assert run("heartbeat.js", PLAYS, steps) == [
        ["crane", "fr", 10, 100],
        ["quay", "ja", 3, 100],
    ]
    many = [[10, f"e{number}", "fr"] for number in range(80)]
    kept = run("heartbeat.js", PLAYS, many)
    assert len(kept) == 50
    assert kept[-1][0] == "e78"


@pytest.mark.parametrize(
    "address",
    [
        "#/",
        "#/fr",
        "#/zh-Hans/section/places",
        "#/ja/entry/loos",
        "#/fr/search?q=%C5%81%C3%B3d%C5%BA",
        "#/ar/credits",
    ],
)
def test_an_address_read_and_written_again_is_the_same(run: Run, address: str) -> None:
    assert run("route.js", "m.formatRoute(m.parseRoute(a))", address) == address


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("", "attract"),
        ("#/fr/section", "home"),
        ("#/fr/nonsense/x", "home"),
        ("#/fr/entry/%E0%A4%A", "entry"),
    ],
)
def test_a_broken_address_leads_to_the_nearest_page(run: Run, address: str, page: str) -> None:
    assert run("route.js", "m.parseRoute(a).page", address) == page


@pytest.mark.parametrize(
    ("key", "language", "letter"),
    [
        ("écaillage", "fr", "E"),
        ("łódź", "pl", "Ł"),
        ("Łódź", "de", "L"),
        ("たてこう", "ja", "た"),
        ("ボタやま", "ja", "は"),
        ("がす", "ja", "か"),
        ("ん", "ja", "わ"),
        ("井架", "zh-Hans", "J"),
        ("منجم", "ar", "م"),
        ("9-9 bis", "fr", "#"),
    ],
)
def test_terms_are_filed_as_their_language_files_them(
    run: Run, key: str, language: str, letter: str
) -> None:
    assert run("views/glossary.js", "m.indexLetter(a[0], a[1])", [key, language]) == letter


def test_leafing_goes_round_and_an_empty_series_stays(run: Run) -> None:
    assert run(
        "parts/viewer.js", "[m.neighbour(3, 2, 1), m.neighbour(3, 0, -1), m.neighbour(0, 0, 1)]"
    ) == [0, 2, 0]
    assert run("views/attract.js", "[m.nextIndex([1, 2], 1), m.nextIndex([], 0)]") == [0, None]


def test_groups_on_the_map_are_far_enough_apart_to_touch(run: Run) -> None:
    points = [{"x": (index * 37) % 400, "y": (index * 53) % 300} for index in range(120)]
    groups = run("geo.js", "m.clusterPoints(a, 60)", points)
    assert sum(len(group["members"]) for group in groups) == 120
    apart = [
        ((one["x"] - two["x"]) ** 2 + (one["y"] - two["y"]) ** 2) ** 0.5
        for index, one in enumerate(groups)
        for two in groups[:index]
    ]
    assert min(apart) >= 60


def test_labels_cover_neither_points_nor_each_other(run: Run) -> None:
    labels = [
        {"x": 0, "y": 0, "width": 50},
        {"x": 40, "y": 2, "width": 50},
        {"x": 0, "y": 60, "width": 50},
    ]
    assert run("geo.js", "m.roomForLabels(a, 16, 10)", labels) == [False, True, True]


def test_rights_end_as_their_day_begins(run: Run) -> None:
    asset = {"fields": {"rights": {"expires": "2028-06-30"}}}
    assert run("release.js", "m.isShowable(a, '2028-06-29')", asset) is True
    assert run("release.js", "m.isShowable(a, '2028-06-30')", asset) is False
    assert run("release.js", "m.isShowable({fields: {}}, '2028-06-30')") is True


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (None, [True, True, True, True]),
        ({"from": "2026-12-01", "until": "2027-01-31"}, [False, True, True, False]),
        ({"from": "2026-12-01"}, [False, True, True, True]),
        ({"until": "2027-01-31"}, [True, True, True, False]),
    ],
)
def test_an_entry_is_shown_on_its_days_both_ends_included(
    run: Run, span: dict[str, str] | None, shown: list[bool]
) -> None:
    days = ["2026-11-30", "2026-12-01", "2027-01-31", "2027-02-01"]
    found = run(
        "release.js",
        "a.days.map(day => m.isInSeason(a.span ?? undefined, day))",
        {"span": span, "days": days},
    )
    assert found == shown


def test_an_entry_out_of_its_days_is_nowhere_in_the_library(run: Run) -> None:
    entries = {
        name: {"id": name, "type": "place", "fields": {"title": name, "near": ["noir"]}, "in": {}}
        for name in ("crane", "noir")
    }
    pkg = {
        "shown": {"noir": {"from": "2026-12-01"}},
        "sections": [{"id": "s", "view": "list", "title": {}, "entries": ["noir", "crane"]}],
    }
    release = {"languages": [], "profile": "tablet"}
    found = run(
        "release.js",
        """['2026-11-30', '2026-12-01'].map(today => {
          const library = new m.Library({tag: 'en'}, {...a.release, today}, a.pkg, {}, [{entries: a.entries}])
          return [
            library.sectionEntries(a.pkg.sections[0]).map(entry => entry.id),
            library.references(library.entry('crane')).map(entry => entry.id),
            library.searchDocuments().map(document => document.id),
          ]
        })""",
        {"entries": entries, "pkg": pkg, "release": release},
    )
    assert found == [
        [["crane"], [], ["crane"]],
        [["noir", "crane"], ["noir"], ["crane", "noir"]],
    ]


def test_a_screen_is_given_only_its_profile_s_renditions(run: Run) -> None:
    renditions = [
        {"path": "w", "width": 9, "profiles": ["wall"]},
        {"path": "b", "width": 2},
        {"path": "a", "width": 1, "profiles": ["tablet"]},
    ]
    names = run(
        "release.js", "m.renditionsFor({renditions: a}, 'tablet').map(r => r.path)", renditions
    )
    assert names == ["a", "b"]


def test_every_catalogue_has_every_word_and_the_plurals_of_its_language(run: Run) -> None:
    report = run(
        "text/strings.js",
        """(async () => {
          const tags = ['ar', 'de', 'en', 'fr', 'ja', 'nl', 'pl', 'pt-BR', 'zh-Hans'], out = []
          const english = await (await fetch('./i18n/en.json')).json()
          for (const tag of tags) {
            const words = await (await fetch(`./i18n/${tag}.json`)).json()
            for (const key of Object.keys(english)) {
              if (!words[key]) out.push(`${tag} lacks ${key}`)
              else if (typeof english[key] === 'object') {
                const needed = new Intl.PluralRules(tag).resolvedOptions().pluralCategories
                for (const form of needed) if (!words[key][form]) out.push(`${tag} ${key} lacks ${form}`)
              } else for (const [, hole] of english[key].matchAll(/\\{(\\w+)\\}/g))
                if (key !== 'century' && !words[key].includes(`{${hole}}`)) out.push(`${tag} ${key} lacks {${hole}}`)
            }
          }
          return out
        })()""",
    )
    assert report == []


def test_a_missing_word_is_said_in_english_and_numbers_choose_the_plural(run: Run) -> None:
    words = (
        "m.makeStrings(a.tag, a.own, {home: 'Home', n: {one: '{n} place', other: '{n} places'}})"
    )
    polish = {
        "tag": "pl",
        "own": {
            "n": {
                "one": "{n} miejsce",
                "few": "{n} miejsca",
                "many": "{n} miejsc",
                "other": "{n} miejsca",
            }
        },
    }
    assert run("text/strings.js", f"[1, 3, 5].map(n => {words}.t('n', {{n}}))", polish) == [
        "1 miejsce",
        "3 miejsca",
        "5 miejsc",
    ]
    assert run("text/strings.js", f"{words}.t('home')", polish) == "Home"
    assert run("text/strings.js", "['pt', 'zh-CN', 'fr-BE', 'cs'].map(m.catalogueFor)") == [
        "pt-BR",
        "zh-Hans",
        "fr",
        "en",
    ]


def door(run: Run, *touches: tuple[str, float, float]) -> bool:
    """Whether the door opens: each touch is its corner, when it begins and how long it lasts."""
    events = [
        {"down": down, "corner": corner, "at": at + (0 if down else lasts)}
        for corner, at, lasts in touches
        for down in (True, False)
    ]
    return bool(
        run(
            "corner.js",
            "a.some((s => e => m.isOpen(s.g = m.nextGesture(s.g, e)))({g: m.NO_GESTURE}))",
            events,
        )
    )


def taps(
    corner: str, start: float, count: int = 4, every: float = 500
) -> list[tuple[str, float, float]]:
    return [(corner, start + number * every, 80) for number in range(count)]


def test_the_hidden_door_wants_a_held_corner_and_four_taps_there(run: Run) -> None:
    held = ("top-left", 0, 3000)
    assert door(run, held, *taps("top-left", 3500))
    assert not door(run, held, *taps("top-left", 3500, count=3))
    assert not door(run, ("top-left", 0, 2900), *taps("top-left", 3500))
    assert not door(run, held, *taps("top-right", 3500))
    assert not door(run, held, *taps("top-left", 5500))
    assert not door(run, held, *taps("top-left", 3500, every=2500))
    assert not door(run, ("", 0, 4000), *taps("", 4500))
    assert not door(run, *taps("top-left", 0, count=30))
    assert not door(
        run,
        held,
        *taps("top-left", 3500, count=2),
        ("", 4600, 50),
        *taps("top-left", 4700, count=2),
    )


def test_corners_are_large_enough_for_a_finger_and_are_four(run: Run) -> None:
    at = "m.cornerAt(a[0], a[1], 1280, 800)"
    found = [
        run("corner.js", at, point)
        for point in ([3, 3], [1277, 3], [3, 797], [1277, 797], [640, 400], [640, 3], [3, 400])
    ]
    assert found == ["top-left", "top-right", "bottom-left", "bottom-right", "", "", ""]
    assert run("corner.js", at, [89, 89]) == "top-left"
    assert run("corner.js", "m.cornerAt(a[0], a[1], 3840, 2160)", [230, 230]) == "top-left"


@pytest.mark.parametrize(
    ("key", "leads"),
    [
        ({"code": "F12"}, True),
        ({"code": "KeyI", "ctrlKey": True, "shiftKey": True}, True),
        ({"code": "KeyW", "ctrlKey": True}, True),
        ({"code": "KeyU", "ctrlKey": True}, True),
        ({"code": "KeyC", "ctrlKey": True}, False),
        ({"code": "KeyU"}, False),
        ({"code": "ArrowLeft", "altKey": True}, False),
        ({"code": "Equal", "ctrlKey": True}, False),
    ],
)
def test_keys_that_lead_out_are_told_from_those_visitors_need(
    run: Run, key: dict[str, object], leads: bool
) -> None:
    plain = {"code": "", "ctrlKey": False, "metaKey": False, "shiftKey": False, "altKey": False}
    assert run("corner.js", "m.leadsOut(a)", {**plain, **key}) is leads
