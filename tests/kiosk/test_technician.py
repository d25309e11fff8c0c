"""What the technician's page is answered: nothing without the PIN, one thing at a time after it."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosk_client.config import load_device, open_data_dir, save_device
from kiosk_client.pin import save_pin
from kiosk_client.stick import export_stick
from kiosk_client.technician.lines import status_lines
from kiosk_client.technician.reach import try_network
from kiosk_client.technician.sessions import IDLE_SECONDS, LONGEST_SECONDS, Sessions
from kiosk_client.technician.sticks import Mount, mounted_sticks
from kiosk_client.technician.work import Note
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import TOKEN, Origin
from tests.kiosk.technician_screen import Screen, serving

I18N = Path(__file__).parents[2] / "kiosk_client" / "technician" / "page" / "i18n"
QUESTIONS = ("state", "sync", "network", "sticks", "stick", "name", "restart", "leave")


@pytest.fixture
def screen(kiosk: Kiosk) -> Iterator[Screen]:
    save_pin(kiosk.data, "4711")
    with serving(kiosk) as found:
        yield found


def ended(screen: Screen) -> dict[str, Any]:
    """The work once it has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        work: dict[str, Any] = screen.ask("state")[1]["work"]
        if not work["running"]:
            return work
        time.sleep(0.02)
    raise AssertionError("the work did not end")


@pytest.mark.parametrize("question", QUESTIONS)
def test_nothing_is_told_or_done_without_the_pin(screen: Screen, question: str) -> None:
    assert screen.ask(question) == (403, {"error": "signed-out"})
    assert screen.ask(question, X_Technician="x" * 43) == (403, {"error": "signed-out"})
    assert screen.shell.restarted == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": ""},
        {"Origin": "null"},
        {"Host": "elsewhere.example", "Origin": "http://elsewhere.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_page_from_elsewhere_gets_nothing_even_with_the_token(
    screen: Screen, headers: dict[str, str]
) -> None:
    screen.enter()
    assert screen.ask("restart", **headers) == (403, {"error": "foreign-page"})
    assert screen.ask("enter", {"pin": "4711"}, **headers)[0] == 403
    assert screen.shell.restarted == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"pin": 4711}', b'{"pin": null}'])
def test_what_is_no_question_is_refused(screen: Screen, body: bytes) -> None:
    own = {"Origin": screen.url, "Content_Type": "application/json"}
    status, _, raw = screen.send("POST", "/technician/enter", body, **own)
    assert (status, json.loads(raw)["error"]) == (400, "bad-request")
    status, _, _ = screen.send("POST", "/technician/enter", b" " * 5000, **own)
    assert status == 413


def test_the_page_itself_holds_nothing_and_nothing_foreign_may_run_in_it(screen: Screen) -> None:
    status, headers, body = screen.send("GET", "/technician/")
    assert status == 200
    assert b"script" in body
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    status, headers, _ = screen.send("GET", "/technician")
    assert (status, headers["location"]) == (308, "/technician/")
    assert screen.send("GET", "/technician/../technician/app.py")[0] == 404
    assert screen.send("GET", "/technician/i18n/ja.json")[0] == 200
    assert screen.send("PUT", "/technician/")[0] == 405


def test_wrong_pins_are_told_from_throttled_ones_and_stay_out_of_the_log(
    screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(5):
        assert screen.ask("enter", {"pin": "31415926"}) == (403, {"error": "pin-wrong"})
    status, answer = screen.ask("enter", {"pin": "4711"})
    assert (status, answer["error"]) == (429, "pin-throttled")
    assert 0 < answer["seconds"] <= 30
    assert "31415926" not in caplog.text
    assert "4711" not in caplog.text


def test_without_a_pin_the_door_says_how_to_set_one(kiosk: Kiosk) -> None:
    with serving(kiosk) as screen:
        assert screen.ask("enter", {"pin": "0000"}) == (403, {"error": "no-pin"})


def test_a_second_person_signs_the_first_out_and_leaving_ends_it(screen: Screen) -> None:
    screen.enter()
    first = screen.token
    screen.enter()
    assert screen.ask("state", X_Technician=first)[0] == 403
    assert screen.ask("state")[0] == 200
    screen.ask("leave")
    assert screen.ask("state")[0] == 403


def test_a_session_ends_by_itself_and_looking_alone_does_not_prolong_it() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    token = sessions.begin()
    now[0] = IDLE_SECONDS - 1
    assert sessions.use(token, prolong=False)
    now[0] = IDLE_SECONDS + 1
    assert not sessions.use(token)
    token = sessions.begin()
    for _ in range(100):
        now[0] += IDLE_SECONDS / 2
        alive = sessions.use(token)
    assert not alive
    assert 100 * IDLE_SECONDS / 2 > LONGEST_SECONDS
    assert not sessions.use("")


def test_the_state_is_in_lines_and_holds_no_secret(screen: Screen, kiosk: Kiosk) -> None:
    screen.enter()
    status, state = screen.ask("state")
    assert status == 200
    assert state["name"] == load_device(kiosk.data).name
    assert [line["key"] for line in state["lines"]][:1] == ["status.nothing"]
    assert {"key": "status.screen", "state": "ok", "values": {"restarts": 3}} in state["lines"]
    assert TOKEN not in json.dumps(state)


def test_a_sync_is_started_followed_and_told(screen: Screen, origin: Origin, kiosk: Kiosk) -> None:
    manifest = origin.publish()
    screen.enter()
    status, answer = screen.ask("sync")
    assert (status, answer["work"]["kind"]) == (200, "sync")
    work = ended(screen)
    assert work["done"] == work["total"] > 0
    (line,) = work["lines"]
    assert line["key"] in ("done.activated", "done.ready")
    assert line["values"]["release"] == manifest.release


def test_a_sync_that_fails_says_so_with_the_reason(screen: Screen, origin: Origin) -> None:
    origin.publish()
    origin.attack("/blobs/", "status", argument=404)
    screen.enter()
    screen.ask("sync")
    (line,) = ended(screen)["lines"]
    assert (line["key"], line["state"]) == ("error.origin-trouble", "bad")
    assert "expected" in line["values"]["detail"]


def test_one_thing_is_done_at_a_time(kiosk: Kiosk) -> None:
    save_pin(kiosk.data, "4711")
    goes_on = threading.Event()
    with serving(kiosk, sync=lambda note: goes_on.wait(20)) as screen:
        screen.enter()
        screen.ask("sync")
        status, answer = screen.ask("network")
        assert (status, answer["error"]) == (400, "busy")
        goes_on.set()
        ended(screen)
        assert screen.ask("network")[0] == 200
        ended(screen)


def test_the_network_test_names_each_step(screen: Screen, origin: Origin) -> None:
    origin.attack("timestamp.json", "status", argument=503)
    screen.enter()
    screen.ask("network")
    lines = ended(screen)["lines"]
    assert [line["key"] for line in lines] == ["net.reach", "net.serverBad"]
    assert lines[1]["values"]["status"] == 503


def tried(kiosk: Kiosk, server: str | None = None, **options: Any) -> list[dict[str, Any]]:
    """Lines of the network test of `kiosk`, enrolled at `server`."""
    if server is not None:
        save_device(kiosk.data, dataclasses.replace(load_device(kiosk.data), server=server))
    note = Note()
    try_network(kiosk.data, note, **options)
    lines: list[dict[str, Any]] = note.to_json()["lines"]
    return lines


def test_a_server_that_answers_is_told_with_the_clock_s_difference(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    keys = [line["key"] for line in tried(kiosk)]
    assert keys == ["net.reach", "net.server", "net.clock"]
    late = datetime.now(UTC) - timedelta(days=400)
    assert tried(kiosk, now=lambda: late)[-1]["key"] == "net.clockBad"


def test_a_login_page_is_recognised(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.attack("timestamp.json", "html")
    assert tried(kiosk)[-1]["key"] == "net.portal"


def test_the_cable_the_name_and_the_port_are_told_apart(kiosk: Kiosk, tmp_path: Path) -> None:
    bare = tmp_path / "net"
    (bare / "lo").mkdir(parents=True)
    (bare / "eth0").mkdir()
    (bare / "eth0" / "operstate").write_text("down\n")
    far = "http://harbour.invalid/"
    assert [line["key"] for line in tried(kiosk, far, sysfs=bare)] == ["net.linkBad"]
    (bare / "eth0" / "operstate").write_text("up\n")
    keys = [line["key"] for line in tried(kiosk, far, sysfs=bare)]
    assert keys == ["net.link", "net.nameBad"]
    assert [line["key"] for line in tried(kiosk, "http://127.0.0.1:1/")] == ["net.reachBad"]


def test_a_server_that_cannot_prove_itself_is_told(kiosk: Kiosk, origin: Origin) -> None:
    plain = origin.url.replace("http://", "https://")
    lines = tried(kiosk, plain)
    assert [line["key"] for line in lines] == ["net.reach", "net.tlsBad"]


def test_sticks_are_what_is_mounted_where_sticks_go() -> None:
    mounts = r"""/dev/sda2 / ext4 rw 0 0
/dev/sdb1 /media/kiosk/HARBOUR\040STICK vfat rw 0 0
/dev/sdc1 /run/media/kiosk/港 exfat rw 0 0
tmpfs /media tmpfs rw 0 0
tmpfs /media/memory tmpfs rw 0 0
/dev/sdd1 /mnt ext4 rw 0 0
/dev/sde1 /srv/data ext4 rw 0 0
broken
"""
    assert mounted_sticks(mounts) == [
        Mount("/media/kiosk/HARBOUR STICK", "HARBOUR STICK"),
        Mount("/run/media/kiosk/港", "港"),
    ]


def a_stick(origin: Origin, tmp_path: Path) -> Path:
    """A stick with the release that `origin` published last, and the origin gone."""
    other = Kiosk(open_data_dir(tmp_path / "other", create=True), origin)
    origin.codes.add("9TRX7GK2MP4X")
    other.enrol("9TRX7GK2MP4X")
    other.sync()
    folder = tmp_path / "stick"
    folder.mkdir()
    export_stick(other.data, folder, reserve=0)
    origin.attack("", "drop")
    return folder


def test_a_stick_is_taken_and_no_other_folder_is(
    screen: Screen, origin: Origin, kiosk: Kiosk, tmp_path: Path
) -> None:
    origin.publish()
    folder = a_stick(origin, tmp_path)
    screen.enter()
    status, answer = screen.ask("stick", {"folder": str(folder)})
    assert (status, answer["error"]) == (400, "stick-trouble")
    screen.sticks = [Mount(str(folder), "HARBOUR")]
    assert screen.ask("sticks")[1]["sticks"] == [{"folder": str(folder), "name": "HARBOUR"}]
    screen.ask("stick", {"folder": str(folder)})
    assert [line["key"] for line in ended(screen)["lines"]] == ["done.imported", "done.activated"]
    assert kiosk.release == 1


def test_an_expired_stick_wants_the_pin_once_more(
    screen: Screen, origin: Origin, kiosk: Kiosk, tmp_path: Path
) -> None:
    origin.publish()
    folder = a_stick(origin, tmp_path)
    screen.sticks = [Mount(str(folder), "HARBOUR")]
    screen.enter()
    kiosk.clock = datetime.now(UTC) + timedelta(days=40)

    def take(pin: str | None) -> str:
        screen.ask("stick", {"folder": str(folder), "pin": pin})
        return str(ended(screen)["lines"][-1]["key"])

    assert take(None) == "error.metadata-expired"
    assert take("0000") == "error.pin-refused"
    assert kiosk.release is None
    assert take("4711") == "done.activated"


def test_the_name_changes_and_nothing_else_of_the_device(screen: Screen, kiosk: Kiosk) -> None:
    before = load_device(kiosk.data)
    screen.enter()
    assert screen.ask("name", {"name": "  港, left  "}) == (200, {"name": "港, left"})
    after = load_device(kiosk.data)
    assert (after.name, after.token, after.id) == ("港, left", before.token, before.id)
    for bad in ("", "   ", "x" * 81, "a\nb", 7, None):
        assert screen.ask("name", {"name": bad}) == (400, {"error": "bad-name"})
    assert load_device(kiosk.data).name == "港, left"


def test_a_restart_closes_the_session_and_reaches_the_shell(screen: Screen) -> None:
    screen.enter()
    assert screen.ask("restart") == (200, {"shell": True})
    assert screen.shell.restarted == ["technician"]
    assert screen.ask("state")[0] == 403


def test_every_line_has_words_in_every_language() -> None:
    catalogues = {path.stem: json.loads(path.read_text()) for path in I18N.glob("*.json")}
    english = catalogues["en"]
    assert set(catalogues) == {"ar", "de", "en", "fr", "ja", "nl", "pl", "pt-BR", "zh-Hans"}
    for tag, found in catalogues.items():
        assert list(found) == list(english), tag
        for key, words in found.items():
            if isinstance(words, str):
                holes = set(re.findall(r"{\w+}", words))
                assert holes == set(re.findall(r"{\w+}", english[key])), (tag, key)
    source = "".join(path.read_text() for path in (I18N.parents[1]).glob("*.py")) + "".join(
        path.read_text() for path in (I18N.parent / "js").glob("*.js")
    )
    named = set(re.findall(r"[\"'](?:status|net|done|work|stick|name|state)\.\w+[\"']", source))
    assert {key.strip("\"'") for key in named} <= set(english) | {"name.replace"}


def test_a_faulty_device_is_told_in_words_of_what_to_do() -> None:
    facts = {
        "active": {"package": "harbour", "release": 7},
        "complete": False,
        "missing_bytes": 40_000,
        "last_sync": {"at": "2026-11-24T06:05:00Z", "error_code": "no-network"},
        "clock": {"trusted": False, "floor": "2026-11-24T00:00:00Z"},
        "disk": {"free": 10, "reserve": 20, "verdict": "full"},
        "faults": [
            {"code": "disk-full", "message": "told by the disk's own line"},
            {"code": "manifest-lost", "message": "expected the manifest, got none"},
        ],
    }
    lines = status_lines(facts, stale_days=31, shell=None)
    assert [(line["key"], line["state"]) for line in lines] == [
        ("status.missing", "bad"),
        ("status.news", "warn"),
        ("status.syncFailed", "warn"),
        ("status.clockWrong", "bad"),
        ("status.diskFull", "bad"),
        ("error.manifest-lost", "bad"),
    ]
    assert lines[2]["values"]["reason"] == "error.no-network"
