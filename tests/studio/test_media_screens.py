"""The media library in Chromium: dropped files, lost servers, focal points, subtitles."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
import pyvips
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from content_api.accounts.rules import SYSTEM, Grant
from content_api.content.service import create_entry, find_entry, get_revision, save_entry
from content_api.media.models import Asset
from content_api.media.prepare import prepare
from content_api.media.service import attach_file, original_file
from content_api.media.subtitles import subtitles_of
from content_api.media.texts import check_vtt
from tests.media.conftest import FILM, drawing, ffmpeg  # noqa: F401  a fixture
from tests.studio.conftest import Live, Person, Windows, axe_faults

Run = Callable[..., Any]

WAV_SIZE = 6_000_000

DROP = """(size) => {
  const bytes = new Uint8Array(44 + size)
  const view = new DataView(bytes.buffer)
  const word = (at, text) => [...text].forEach((c, i) => { bytes[at + i] = c.charCodeAt(0) })
  word(0, 'RIFF'); view.setUint32(4, 36 + size, true); word(8, 'WAVEfmt ')
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true)
  view.setUint32(24, 8000, true); view.setUint32(28, 16000, true)
  view.setUint16(32, 2, true); view.setUint16(34, 16, true)
  word(36, 'data'); view.setUint32(40, size, true)
  const carried = new DataTransfer()
  carried.items.add(new File([bytes], 'Descente.wav', { type: 'audio/wav' }))
  carried.items.add(new File(['%PDF-1.7 not a picture'], 'plan.pdf', { type: 'application/pdf' }))
  window.seen = []
  new MutationObserver(() => {
    for (const words of document.querySelectorAll('.media-line__words')) {
      window.seen.push(words.textContent)
    }
  }).observe(document.querySelector('[data-queue]'),
    { subtree: true, childList: true, characterData: true })
  const main = document.querySelector('#main')
  for (const name of ['dragover', 'drop']) {
    const options = { bubbles: true, cancelable: true, dataTransfer: carried }
    main.dispatchEvent(new DragEvent(name, options))
  }
}"""


@pytest.fixture
def editor(live: Live, request: pytest.FixtureRequest) -> Person:
    """Somebody who writes, new for each test."""
    return live.person(f"ed-{abs(hash(request.node.nodeid)) % 10**8}", Grant("editor"))


@pytest.fixture(scope="module")
def run(browser: Browser, live: Live) -> Iterator[Run]:
    """`run(module, expression, argument)`: evaluate with `m`, the module, and `a`, the argument."""
    page = browser.new_page()
    page.goto(f"{live.url}/studio/sign-in")

    def evaluate(module: str, expression: str, argument: object = None) -> Any:
        return page.evaluate(
            f"a => import('/studio/static/js/media/{module}').then(m => {expression})", argument
        )

    yield evaluate
    page.close()


def add(live: Live, name: str, raw: bytes) -> str:
    ready = prepare(live.settings, BytesIO(raw), declared=len(raw))
    stem = name.split(".")[0]
    with live.write() as session:
        create_entry(session, SYSTEM, "asset", [], entry_id=stem, types=live.types)
        session.add(Asset(id=stem, facts={}, version=1))
        session.flush()
        return attach_file(session, SYSTEM, stem, ready, name).id


def png(seed: int, width: int = 400) -> bytes:
    found: bytes = drawing(width + seed, 300).pngsave_buffer()
    return found


def noise(side: int) -> bytes:
    """A picture that does not compress, so that it takes its time on the way."""
    raw = random.Random(side).randbytes(side * side * 3)
    image = pyvips.Image.new_from_memory(raw, side, side, 3, "uchar")
    found: bytes = image.copy(interpretation="srgb").pngsave_buffer(compression=0)
    return found


def fields(live: Live, asset_id: str) -> dict[str, Any]:
    with live.write() as session:
        entry = find_entry(session, asset_id)
        assert entry is not None
        found: dict[str, Any] = get_revision(session, asset_id, entry.head_rev).body["fields"]
        return found


def subtitles(live: Live, asset_id: str, tag: str) -> str:
    with live.write() as session:
        track = subtitles_of(session, asset_id)[tag]
        raw = original_file(live.settings, track.sha256 or "").read_bytes()
    check_vtt(raw)
    return raw.decode()


# -- What scripts decide ---------------------------------------------------------------------

WHOLE = (
    "WEBVTT - Film\n\nSTYLE\n::cue { color: white }\n\nNOTE first\n\nintro\n"
    "00:01.000 --> 00:02.500 align:start line:0\nBonjour,\n<i>le jour</i>\n\n"
    "NOTE between\n\n01:00:00.000 --> 01:00:01.000\nUne heure\n\nNOTE last\n"
)


def test_subtitles_come_out_as_they_went_in(run: Run) -> None:
    assert run("vtt.js", "m.serialise(m.parse(a))", WHOLE) == WHOLE
    check_vtt(WHOLE.encode())


def test_cues_are_written_in_the_order_of_their_start_and_notes_go_with_them(run: Run) -> None:
    late = "WEBVTT\n\nNOTE two\n\n00:05.000 --> 00:06.000\nB\n\n00:01.000 --> 00:02.000\nA\n"
    written = run("vtt.js", "m.serialise(m.parse(a))", late)
    assert written == (
        "WEBVTT\n\n00:01.000 --> 00:02.000\nA\n\nNOTE two\n\n00:05.000 --> 00:06.000\nB\n"
    )
    check_vtt(written.encode())


def test_subrip_is_read(run: Run) -> None:
    srt = (
        "\ufeff1\r\n00:00:01,000 --> 00:00:02,500\r\nBonjour\r\n\r\n"
        "2\r\n01:00:03,000 --> 01:00:04,000\r\nFin\r\n"
    )
    assert run("vtt.js", "m.serialise(m.parse(a))", srt) == (
        "WEBVTT\n\n00:01.000 --> 00:02.500\nBonjour\n\n01:00:03.000 --> 01:00:04.000\nFin\n"
    )


def test_no_text_of_a_cue_can_end_it(run: Run) -> None:
    cue = {
        "start": 0,
        "end": 1000,
        "text": "a\n\n00:01 --> 00:02\nb",
        "id": "",
        "settings": "",
        "notes": [],
    }
    written = run("vtt.js", "m.serialise({...m.emptyTrack(), cues: [{...a, notes: []}]})", cue)
    assert check_vtt(written.encode()) == (1, 1.0)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("00:01.000", 1000),
        ("1:02:03.5", 3723500),
        ("01:02,250", 62250),
        ("2:5", 125000),
        ("61:00", None),
        ("abc", None),
        ("", None),
    ],
)
def test_times_are_read_as_people_write_them(run: Run, text: str, milliseconds: int | None) -> None:
    assert run("vtt.js", "m.parseTime(a)", text) == milliseconds


def test_a_file_that_cannot_be_read_names_its_line(run: Run) -> None:
    line = run(
        "vtt.js",
        "{ try { m.parse(a) } catch (error) { return error.line } }",
        "WEBVTT\n\n00:01.000 -> 00:02.000\nx\n",
    )
    assert line == 4


CUES = (
    """[1, 3, 5].map((s) => m.newCue({start: s * 1000, end: s * 1000 + 2000, text: `cue ${s}`}))"""
)


def test_cues_are_added_split_merged_and_removed(run: Run) -> None:
    def edited(expression: str) -> Any:
        return run(
            "cue-edits.js",
            f"{{ const c = {CUES}; const e = {expression};"
            " return [e.at, e.cues.map((q) => [q.start, q.end, q.text])] }",
        )

    assert edited("m.addAt(c, 2500)") == [
        1,
        [[1000, 3000, "cue 1"], [2500, 3000, ""], [3000, 5000, "cue 3"], [5000, 7000, "cue 5"]],
    ]
    assert edited("m.split(c, 1, 3)")[1][1:3] == [[3000, 4200, "cue"], [4200, 5000, "3"]]
    assert edited("m.mergeNext(c, 0)")[1] == [[1000, 5000, "cue 1\ncue 3"], [5000, 7000, "cue 5"]]
    assert edited("m.mergeNext(c, 2)")[1][2] == [5000, 7000, "cue 5"]
    assert edited("m.remove(c, 2)") == [1, [[1000, 3000, "cue 1"], [3000, 5000, "cue 3"]]]


def test_hints_name_what_viewers_would_suffer_from(run: Run) -> None:
    def hints(cues: str, language: str = "fr") -> Any:
        return run("cue-edits.js", f"m.hints({cues}.map(m.newCue), 0, '{language}')")

    assert hints("[{start: 0, end: 2000, text: 'Bonjour'}]") == []
    assert hints("[{start: 0, end: 2000, text: 'a'}, {start: 1000, end: 3000}]") == ["overlap"]
    assert hints("[{start: 2000, end: 1000, text: 'a'}]") == ["backwards"]
    assert hints("[{start: 0, end: 100, text: 'a'}]") == ["short"]
    assert hints("[{start: 0, end: 1000, text: ' '}]") == ["empty"]
    assert hints("[{start: 0, end: 1000, text: 'x'.repeat(18)}]") == ["fast"]
    assert hints("[{start: 0, end: 1000, text: '炭鉱の歴史を見る人'}]", "ja") == ["fast"]


def test_a_focal_point_moves_by_keys_and_stays_on_the_picture(run: Run) -> None:
    assert run("focal-point.js", "m.stepped('ArrowRight', false, [50, 50])") == [51, 50]
    assert run("focal-point.js", "m.stepped('ArrowUp', true, [50, 5])") == [50, 0]
    assert run("focal-point.js", "m.stepped('Tab', false, [50, 50])") is None
    assert run("focal-point.js", "m.parsePercent('120')") == 100
    assert run("focal-point.js", "m.parsePercent('12,5')") == 12.5


# -- Uploads ---------------------------------------------------------------------------------


def test_dropped_files_show_how_far_they_are_and_refusals_what_is_taken(
    live: Live, editor: Person, windows: Windows
) -> None:
    page = windows.open(live, editor, "/studio/media/")
    page.evaluate(DROP, WAV_SIZE)
    lines = page.locator(".media-line")
    expect(lines.nth(0)).to_have_attribute("data-state", "done", timeout=30_000)
    expect(lines.nth(1)).to_have_attribute("data-state", "refused")
    expect(lines.nth(1)).to_contain_text("This kind of file is not taken")
    expect(lines.nth(1)).to_contain_text("WebVTT")
    seen = page.evaluate("window.seen")
    assert any("% sent" in words or "Arrived" in words for words in seen), seen
    expect(page.locator(".media-tile__name", has_text="Descente.wav")).to_be_visible()
    assert axe_faults(page) == []


def test_a_file_we_hold_is_not_sent_again(live: Live, editor: Person, windows: Windows) -> None:
    raw = png(11)
    add(live, "held.png", raw)
    page = windows.open(live, editor, "/studio/media/")
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.method) if "upload" in asked.url else None)
    _choose(page, "another.png", raw)
    line = page.locator(".media-line")
    expect(line).to_contain_text("You have this file already: held.png")
    assert sent == []
    line.get_by_role("button", name="Add it a second time").click()
    expect(line).to_have_attribute("data-state", "done")
    assert sent == ["PUT"]


def test_a_server_killed_during_an_upload_costs_nothing(
    live: Live, editor: Person, windows: Windows
) -> None:
    page = windows.open(live, editor, "/studio/media/")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 150_000}
    network.send("Network.emulateNetworkConditions", slow)
    _choose(page, "Puits.png", noise(700))
    line = page.locator(".media-line")
    expect(line).to_have_attribute("data-state", "sending")
    expect(line.locator(".media-line__words")).to_contain_text("% sent", timeout=15_000)
    line.get_by_label("What does it show?").fill("Le puits numéro 2")
    live.kill()
    expect(line).to_have_attribute("data-state", "failed", timeout=30_000)
    expect(line).to_contain_text("try again")
    expect(line.get_by_label("What does it show?")).to_have_value("Le puits numéro 2")
    live.start()
    with live.write() as session:
        assert session.scalar(select(Asset.id).where(Asset.filename == "Puits.png")) is None
    slow["uploadThroughput"] = -1
    network.send("Network.emulateNetworkConditions", slow)
    line.get_by_role("button", name="Try again").click()
    expect(line).to_contain_text("with its alternative text", timeout=30_000)
    assert fields(live, "puits") == {"alt": {"en": "Le puits numéro 2"}}
    windows.faults.clear()


def test_an_upload_can_be_cancelled_and_a_lost_link_is_tried_again(
    live: Live, editor: Person, windows: Windows
) -> None:
    page = windows.open(live, editor, "/studio/media/")
    page.context.set_offline(True)
    _choose(page, "lost.png", png(21))
    line = page.locator(".media-line")
    expect(line).to_have_attribute("data-state", "failed")
    page.context.set_offline(False)
    expect(line).to_have_attribute("data-state", "done", timeout=15_000)
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 50_000}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", slow)
    _choose(page, "unwanted.png", noise(400))
    second = page.locator(".media-line").nth(1)
    expect(second.locator(".media-line__words")).to_contain_text("% sent", timeout=15_000)
    second.get_by_role("button", name="Cancel").click()
    expect(second).to_contain_text("Nothing of it was kept")
    with live.write() as session:
        assert session.scalar(select(Asset.id).where(Asset.filename == "unwanted.png")) is None
    windows.faults.clear()


# -- One asset -------------------------------------------------------------------------------


def test_the_focal_point_moves_by_keys_and_by_pointer(
    live: Live, editor: Person, windows: Windows
) -> None:
    asset = add(live, "focal.png", png(31))
    page = windows.open(live, editor, f"/studio/media/{asset}/")
    point = page.locator("[data-point]")
    point.focus()
    for key in ("Shift+ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    expect(point).to_contain_text("61 % from the left, 49 % from the top")
    assert page.locator("[data-crop]").first.evaluate("i => i.style.objectPosition") == "61% 49%"
    page.keyboard.press("Control+s")
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    assert fields(live, asset)["focal"] == {"*": {"x": 0.61, "y": 0.49}}
    box = page.locator(".media-focal__stage").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.75)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    focal = fields(live, asset)["focal"]["*"]
    assert focal["x"] == pytest.approx(0.25, abs=0.02)
    assert focal["y"] == pytest.approx(0.75, abs=0.02)
    assert axe_faults(page) == []
    assert windows.faults == []


def test_decorative_asks_before_it_takes_the_texts_away(
    live: Live, editor: Person, windows: Windows
) -> None:
    asset = add(live, "decor.png", png(32))
    page = windows.open(live, editor, f"/studio/media/{asset}/?languages=fr")
    page.locator("textarea[name='alt.fr']").fill("Un trait")
    page.get_by_label("It is decorative").check()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("textarea[name='alt.fr']")).to_have_value("Un trait")
    page.get_by_label("It is decorative").check()
    page.get_by_role("button", name="Remove them").click()
    expect(page.locator("textarea[name='alt.fr']")).to_have_value("")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    assert fields(live, asset) == {"decorative": {"*": True}}


def test_two_people_on_one_text_choose_in_the_page(
    live: Live, editor: Person, windows: Windows
) -> None:
    asset = add(live, "both.png", png(33))
    page = windows.open(live, editor, f"/studio/media/{asset}/?languages=fr,en")
    page.locator("textarea[name='alt.fr']").fill("Le mien")
    with live.write() as session:
        operation = {"op": "set", "path": "alt", "scope": "fr", "value": "Le leur"}
        save_entry(session, SYSTEM, asset, 1, [operation], types=live.types)
    page.get_by_role("button", name="Save", exact=True).click()
    problem = page.locator("[data-problem]")
    expect(problem).to_contain_text("Le leur")
    problem.get_by_role("button", name="Keep mine").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    assert fields(live, asset)["alt"] == {"fr": "Le mien"}
    windows.faults.clear()


# -- Subtitles -------------------------------------------------------------------------------


@pytest.fixture
def film(live: Live, ffmpeg: Callable[..., bytes], request: pytest.FixtureRequest) -> str:  # noqa: F811
    """A film of two seconds of its own for each test."""
    name = f"film-{abs(hash(request.node.nodeid)) % 10**8}"
    return add(live, f"{name}.mp4", ffmpeg(f"{name}.mp4", *FILM))


def test_subtitles_are_written_by_keyboard_with_the_film_beside(
    live: Live, editor: Person, windows: Windows, film: str
) -> None:
    page = windows.open(live, editor, f"/studio/media/{film}/subtitles/fr")
    player = page.locator("[data-player]")
    player.evaluate("p => new Promise(r => { p.onseeked = r; p.currentTime = 0.4 })")
    page.keyboard.press("Alt+n")
    page.keyboard.type("Bonjour à tous")
    player.evaluate("p => new Promise(r => { p.onseeked = r; p.currentTime = 1.2 })")
    page.keyboard.press("Alt+o")
    expect(page.get_by_label("End of cue 1")).to_have_value("00:01.200")
    player.evaluate("p => new Promise(r => { p.onseeked = r; p.currentTime = 0.8 })")
    expect(page.locator("[data-now]")).to_have_text("Bonjour à tous")
    page.get_by_role("button", name="New cue here").click()
    expect(page.locator("[data-hint='overlap']")).to_have_count(1)
    page.get_by_label("Words of cue 2").fill("Fin")
    page.get_by_label("Start of cue 2").fill("0:01.5")
    page.get_by_label("End of cue 2").fill("0:01.9")
    page.get_by_label("Words of cue 2").focus()
    expect(page.locator("[data-hint='overlap']")).to_have_count(0)
    assert axe_faults(page) == []
    page.keyboard.press("Control+s")
    expect(page.locator("[data-saving]")).to_have_text("Saved")
    assert subtitles(live, film, "fr") == (
        "WEBVTT\n\n00:00.400 --> 00:01.200\nBonjour à tous\n\n00:01.500 --> 00:01.900\nFin\n"
    )
    page.get_by_label("Words of cue 1").focus()
    page.keyboard.press("Home")
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+s")
    expect(page.locator(".cue")).to_have_count(3)
    expect(page.get_by_label("Words of cue 2")).to_have_value("à tous")
    page.keyboard.press("Alt+z")
    expect(page.locator(".cue")).to_have_count(2)
    page.get_by_label("Words of cue 2").focus()
    page.keyboard.press("Alt+d")
    expect(page.locator(".cue")).to_have_count(1)
    page.get_by_role("region", name="Messages").get_by_role("button", name="Undo").click()
    expect(page.locator(".cue")).to_have_count(2)
    assert windows.faults == []


def test_subtitles_survive_a_lost_link_and_a_closed_page(
    live: Live, editor: Person, windows: Windows, film: str
) -> None:
    address = f"/studio/media/{film}/subtitles/ja"
    page = windows.open(live, editor, address)
    srt = "1\r\n00:00:00,200 --> 00:00:01,000\r\n三池炭鉱\r\n"
    page.locator("[data-import]").set_input_files(
        {"name": "a.srt", "mimeType": "text/plain", "buffer": srt.encode()}
    )
    expect(page.get_by_label("Words of cue 1")).to_have_value("三池炭鉱")
    page.context.set_offline(True)
    page.keyboard.press("Control+s")
    expect(page.locator("[data-problem]")).to_contain_text("kept in this browser")
    page.context.set_offline(False)
    page.wait_for_timeout(600)
    page.close(run_before_unload=False)
    again = page.context.new_page()
    windows.visit(again, f"{live.url}{address}")
    expect(again.get_by_label("Words of cue 1")).to_have_value("三池炭鉱")
    again.get_by_role("button", name="Save", exact=True).click()
    expect(again.locator("[data-saving]")).to_have_text("Saved")
    assert "三池炭鉱" in subtitles(live, film, "ja")
    windows.faults.clear()


def test_subtitles_two_people_saved_are_both_there_to_choose(
    live: Live, editor: Person, windows: Windows, film: str
) -> None:
    other = live.person(f"{editor.user.name}-2", Grant("editor"))
    address = f"/studio/media/{film}/subtitles/fr"
    mine, theirs = (windows.open(live, person, address) for person in (editor, other))
    for page, words in ((theirs, "Les leurs"), (mine, "Les miens")):
        page.get_by_role("button", name="New cue here").click()
        page.keyboard.type(words)
    theirs.keyboard.press("Control+s")
    expect(theirs.locator("[data-saving]")).to_have_text("Saved")
    mine.keyboard.press("Control+s")
    expect(mine.locator("[data-problem]")).to_contain_text("Somebody else saved")
    assert "Les leurs" in subtitles(live, film, "fr")
    mine.get_by_role("button", name="Save mine over theirs").click()
    expect(mine.locator("[data-saving]")).to_have_text("Saved")
    assert "Les miens" in subtitles(live, film, "fr")
    windows.faults.clear()


def _choose(page: Page, name: str, raw: bytes) -> None:
    page.locator("#media-files").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": raw}
    )
