"""What a screen's browser is answered, over real HTTP from waitress."""

from __future__ import annotations

import http.client
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from waitress.server import create_server

from kiosk_client.activation import confirm
from kiosk_client.agent import listen
from kiosk_client.server import CSP
from kiosk_client.server import Kiosk as Application
from kiosk_client.showing import is_expired, venue_day
from kiosk_client.store import STAMP_NS
from package_format.manifest import ManifestFile
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Origin, harbour, noise


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Screen:
    port: int

    def ask(
        self, path: str, method: str = "GET", *, body: bytes | None = None, **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            named = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            found = {name.lower(): text for name, text in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def report(self, value: Any, **headers: str) -> Answer:
        """What a page of this screen reports, as a browser would send it."""
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        here = f"127.0.0.1:{self.port}"
        sent = {
            "Host": here,
            "Origin": f"http://{here}",
            "Sec_Fetch_Site": "same-origin",
            "Content_Type": "application/json",
            **headers,
        }
        return self.ask("/page", "POST", body=raw, **{k: v for k, v in sent.items() if v})


@contextmanager
def screen_of(kiosk: Kiosk, player: Path) -> Iterator[Screen]:
    listening = listen("127.0.0.1", 0)
    server = create_server(
        Application(kiosk.data, player=player, now=kiosk.now), sockets=[listening], threads=4
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Screen(listening.getsockname()[1])
    finally:
        # In its own loop: closing from another thread pulls the socket from under select().
        # It may wake by itself between taking the order and being woken.
        with suppress(OSError):
            server.trigger.pull_trigger(server.close)
        thread.join(5)
        server.task_dispatcher.shutdown()


@pytest.fixture
def player(tmp_path: Path) -> Path:
    folder = tmp_path / "player"
    (folder / "js").mkdir(parents=True)
    (folder / "node_modules").mkdir()
    (folder / "index.html").write_text("<!doctype html><title>Player</title>")
    (folder / "js" / "main.mjs").write_text("export const lamp = 1\n")
    (folder / "package.json").write_text("{}")
    (folder / "node_modules" / "x.js").write_text("")
    (folder / ".secret").write_text("")
    (tmp_path / "outside.txt").write_text("outside")
    return folder


@pytest.fixture
def screen(kiosk: Kiosk, origin: Origin, player: Path) -> Iterator[Screen]:
    """The screen of a device that plays `harbour` release 1."""
    origin.publish()
    kiosk.sync()
    with screen_of(kiosk, player) as found:
        yield found


def test_the_player_comes_with_its_policy_and_types(screen: Screen) -> None:
    page = screen.ask("/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == CSP
    script = screen.ask("/js/main.mjs")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert screen.ask("/", If_None_Match=page.headers["etag"]).status == 304


@pytest.mark.parametrize(
    "path",
    [
        "/package.json",
        "/node_modules/x.js",
        "/.secret",
        "/../outside.txt",
        "/js/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/js/..%2f..%2foutside.txt",
        "//etc/passwd",
        "/js/",
        "/js",
        "/js%00.mjs",
        "/content/../active.json",
        "/content/",
        "/device.json",
    ],
)
def test_nothing_but_the_player_and_the_release_is_served(screen: Screen, path: str) -> None:
    assert screen.ask(path).status == 404


def test_the_release_document_tells_what_plays(screen: Screen, origin: Origin) -> None:
    answer = screen.ask("/release.json")
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json
    assert found.pop("published_at") == origin.published_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert re.fullmatch(r"content/[0-9a-f]{16}/", found.pop("content"))
    assert date.fromisoformat(found.pop("today")) >= origin.published_at.date()
    assert found == {
        "package": "harbour",
        "channel": "live",
        "release": 1,
        "default_language": "en",
        "languages": [
            {"tag": "en", "name": "English", "dir": "ltr", "fallback": ["fr"]},
            {"tag": "ja", "name": "日本語", "dir": "ltr", "fallback": ["en"]},
        ],
        "profile": "tablet",
        "shell": "kiosk",
        "device": {"name": "Harbour 1"},
        "stale_days": 0,
    }


def test_content_is_served_by_path_with_its_type_and_hash(screen: Screen) -> None:
    files = harbour()
    for path in ("package.json", "lang/ja/shard-0.json", "media/crane/640.webp"):
        answer = screen.ask(f"/content/{path}")
        assert answer.body == files[path].raw
        assert answer.headers["content-type"] == files[path].type
        assert answer.headers["cache-control"] == "no-cache"
        again = screen.ask(f"/content/{path}", If_None_Match=answer.headers["etag"])
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["lang/fr/shard-0.json", "media/crane/1920.webp", "media"])
def test_what_this_device_does_not_hold_is_not_found(screen: Screen, path: str) -> None:
    assert screen.ask(f"/content/{path}").status == 404


@pytest.mark.parametrize(
    ("asked", "status", "said", "span"),
    [
        ("bytes=0-1", 206, "bytes 0-1/9000000", (0, 2)),
        ("bytes=0-0", 206, "bytes 0-0/9000000", (0, 1)),
        ("bytes=8999990-", 206, "bytes 8999990-8999999/9000000", (8_999_990, 9_000_000)),
        ("bytes=-5", 206, "bytes 8999995-8999999/9000000", (8_999_995, 9_000_000)),
        ("bytes=5000000-5999999", 206, "bytes 5000000-5999999/9000000", (5_000_000, 6_000_000)),
        ("bytes=9000000-", 416, "bytes */9000000", (0, 0)),
        ("bytes=0-1,4-5", 200, None, (0, 9_000_000)),
        ("lines=1-2", 200, None, (0, 9_000_000)),
    ],
)
def test_a_film_is_answered_by_exact_ranges(
    screen: Screen, asked: str, status: int, said: str | None, span: tuple[int, int]
) -> None:
    film = harbour()["media/film/720.mp4"].raw
    answer = screen.ask("/content/media/film/720.mp4", Range=asked)
    assert (answer.status, answer.headers.get("content-range")) == (status, said)
    assert answer.body == film[span[0] : span[1]]
    assert answer.headers["content-length"] == str(span[1] - span[0])


def test_head_tells_the_size_and_sends_nothing(screen: Screen) -> None:
    answer = screen.ask("/content/media/film/720.mp4", "HEAD", Range="bytes=0-1")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "9000000", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed_from_the_page(screen: Screen, method: str) -> None:
    answer = screen.ask("/release.json", method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_new_release_shows_without_a_restart(
    screen: Screen, kiosk: Kiosk, origin: Origin
) -> None:
    assert screen.ask("/release.json").json["release"] == 1
    files = harbour(edition=2)
    gone = files.pop("media/crane/640.webp").raw
    origin.publish(files)
    kiosk.sync()
    assert screen.ask("/release.json").json["release"] == 2
    assert screen.ask("/content/lang/en/shard-0.json").body == files["lang/en/shard-0.json"].raw
    # A page that began in release 1 still finds its picture.
    assert screen.ask("/content/media/crane/640.webp").body == gone


def test_a_damaged_blob_is_not_shown(screen: Screen, kiosk: Kiosk) -> None:
    blob = kiosk.blob("media/crane/640.webp")
    blob.chmod(0o644)
    blob.write_bytes(noise(40_000, "other"))
    assert screen.ask("/content/media/crane/640.webp").status == 404
    assert screen.ask("/healthz").json == {
        "status": "incomplete",
        "release": 1,
        "missing": 1,
        "clock_trusted": True,
    }


def test_a_touched_but_right_blob_is_shown_and_stamped_again(screen: Screen, kiosk: Kiosk) -> None:
    blob = kiosk.blob("media/crane/640.webp")
    os.utime(blob)
    assert screen.ask("/content/media/crane/640.webp").status == 200
    assert blob.stat().st_mtime_ns == STAMP_NS


def test_a_broken_pointer_leaves_on_the_screen_what_was_there(screen: Screen, kiosk: Kiosk) -> None:
    assert screen.ask("/release.json").status == 200
    kiosk.data.active.write_text("{half")
    assert screen.ask("/release.json").json["release"] == 1
    kiosk.data.active.unlink()
    assert screen.ask("/content/package.json").status == 200


def test_the_set_before_plays_when_the_newest_list_is_lost(
    kiosk: Kiosk, origin: Origin, player: Path
) -> None:
    origin.publish()
    kiosk.sync()
    origin.publish(harbour(edition=2))
    kiosk.sync()
    from kiosk_client.activation import manifest_path, read_active

    active = read_active(kiosk.data)
    assert active is not None
    manifest_path(kiosk.data, active.current.manifest).write_bytes(b"{}")
    with screen_of(kiosk, player) as screen:
        assert screen.ask("/release.json").json["release"] == 1


def test_with_nothing_to_play_a_page_in_all_languages_shows(newcomer: Kiosk, player: Path) -> None:
    with screen_of(newcomer, player) as screen:
        page = screen.ask("/")
        text = page.body.decode()
        assert page.status == 200
        for words in ("Cet écran", "この画面", "屏幕", "هذه الشاشة", "This screen"):
            assert words in text
        assert "<style" not in text
        assert "style=" not in text
        assert screen.ask("/default_page.css").headers["content-type"].startswith("text/css")
        assert screen.ask("/release.json").status == 404
        assert screen.ask("/healthz").json["status"] == "empty"


def test_a_file_is_not_shown_from_its_day_on_in_the_venues_zone(
    kiosk: Kiosk, origin: Origin, player: Path
) -> None:
    picture = Content(noise(100), "image/webp", expires=date(2027, 7, 1))
    origin.publish({"a.webp": picture})
    kiosk.sync()
    with screen_of(kiosk, player) as screen:
        # 23:59 on 30 June in Tokyo, then midnight.
        kiosk.clock = datetime(2027, 6, 30, 14, 59, tzinfo=UTC)
        assert screen.ask("/content/a.webp").status == 200
        kiosk.clock = datetime(2027, 6, 30, 15, 0, tzinfo=UTC)
        assert screen.ask("/content/a.webp").status == 404


def test_a_clock_set_back_brings_no_expired_file_back(
    kiosk: Kiosk, origin: Origin, player: Path
) -> None:
    day = origin.published_at.date()
    origin.publish(
        {
            "over.webp": Content(noise(100), "image/webp", expires=day),
            "fine.webp": Content(noise(101), "image/webp", expires=date(2099, 1, 1)),
        }
    )
    kiosk.sync()
    kiosk.clock = datetime(1970, 1, 1, tzinfo=UTC)
    with screen_of(kiosk, player) as screen:
        assert screen.ask("/content/over.webp").status == 404
        assert screen.ask("/content/fine.webp").status == 200


def test_a_file_expires_at_the_start_of_its_day() -> None:
    entry = ManifestFile("a.webp", "0" * 64, 1, "image/webp", expires=date(2027, 7, 1))
    assert not is_expired(entry, date(2027, 6, 30))
    assert is_expired(entry, date(2027, 7, 1))
    assert not is_expired(ManifestFile("a", "0" * 64, 1, "image/webp"), date(9999, 1, 1))


def test_an_unknown_time_zone_is_read_as_utc() -> None:
    moment = datetime(2027, 6, 30, 23, 0, tzinfo=UTC)
    assert venue_day(moment, "Asia/Tokyo") == date(2027, 7, 1)
    assert venue_day(moment, "Mars/Base") == date(2027, 6, 30)


def tag_of(screen: Screen) -> str:
    return str(screen.ask("/release.json").json["content"])


def test_a_page_gets_all_of_the_set_it_began_with(
    kiosk: Kiosk, origin: Origin, player: Path
) -> None:
    origin.publish(harbour(edition=1))
    kiosk.sync()
    with screen_of(kiosk, player) as screen:
        first = tag_of(screen)
        path = "lang/en/shard-0.json"
        old = screen.ask(f"/{first}{path}").body
        origin.publish(harbour(edition=2))
        kiosk.sync()
        second = tag_of(screen)
        assert first != second
        assert screen.ask(f"/{first}{path}").body == old
        assert screen.ask(f"/{second}{path}").body != old
        assert screen.ask(f"/content/{path}").body != old
        origin.publish(harbour(edition=3))
        confirm(kiosk.data, "harbour/live")
        kiosk.sync()
        # Two sets later its files are gone from the disk; no page is held up that long.
        assert screen.ask(f"/{first}{path}").status == 404
        assert screen.ask(f"/{second}{path}").status == 200
        assert screen.ask(f"/content/{'0' * 16}/{path}").status == 404


def test_a_page_that_still_plays_an_older_set_is_told_to_load_anew(
    screen: Screen, kiosk: Kiosk, origin: Origin
) -> None:
    tag = tag_of(screen).split("/")[1]
    report = {"package": "harbour", "release": 1, "content": tag, "screen": "attract"}
    answer = screen.report(report)
    assert (answer.status, answer.json) == (200, {"reload": False, "dim": False, "message": None})
    assert answer.headers["cache-control"] == "no-store"
    origin.publish(harbour(edition=2))
    kiosk.sync()
    assert screen.report(report).json["reload"] is True


def test_a_screen_is_dim_while_the_venue_is_closed_unless_it_must_not_be(
    screen: Screen, kiosk: Kiosk, origin: Origin
) -> None:
    assert origin.assignment is not None
    # The 26th of November 2090 is a Sunday.
    schedule = {"opening": [{"days": ["mon"], "from": "09:00", "until": "18:00"}]}
    kiosk.clock = datetime(2090, 11, 26, 6, 0, tzinfo=UTC)
    for version, settings, dim in ((2, {}, True), (3, {"dim": False}, False)):
        origin.assignment.update(schedule=schedule, settings=settings, version=version)
        kiosk.clock = None
        kiosk.sync()
        kiosk.clock = datetime(2090, 11, 26, 6, 0, tzinfo=UTC)
        assert screen.report({"screen": "attract"}).json["dim"] is dim


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Host": "evil.example.org", "Origin": "http://evil.example.org"}, 403),
        ({"Host": "[", "Origin": "http://["}, 403),
        ({"Host": "x@127.0.0.1", "Origin": "http://x@127.0.0.1"}, 403),
        ({"Host": "127.0.0.1.evil.org", "Origin": "http://127.0.0.1.evil.org"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": ""}, 415),
        ({"Content_Length": "nine"}, 400),
        ({"Content_Length": "-3"}, 400),
    ],
)
def test_a_report_from_anywhere_else_is_refused(
    screen: Screen, kiosk: Kiosk, headers: dict[str, str], status: int
) -> None:
    before = kiosk.snapshot()
    assert screen.report({"screen": "attract"}, **headers).status == status
    assert kiosk.snapshot() == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"<form>", 400),
        (b'{"screen": "attract", "release": "../../x"}', 400),
        (b'{"screen": "attract", "x": "' + b"y" * 4096 + b'"}', 413),
    ],
)
def test_a_report_that_is_none_is_refused(screen: Screen, body: bytes, status: int) -> None:
    assert screen.report(body).status == status
    assert screen.ask("/release.json").status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_the_page_reports_by_post_alone(screen: Screen, method: str) -> None:
    answer = screen.ask("/page", method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
