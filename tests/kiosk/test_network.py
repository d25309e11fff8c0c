"""The venue's network: its proxy, its certificates, its speed and its hours."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from datetime import time as day_time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.enrol import enrol
from kiosk_client.errors import KioskError, NoNetwork
from kiosk_client.network import (
    SMALL_FILE,
    Cap,
    Network,
    Proxy,
    Window,
    bypasses,
    load_network,
    may_download,
    next_opening,
    parse_proxy,
)
from kiosk_client.sync import SyncResult, sync
from kiosk_client.wire import Wire
from tests.kiosk.conftest import PATIENCE, Kiosk
from tests.kiosk.middlemen import proxy, tls_in_front
from tests.kiosk.simulator import Content, Origin, harbour, noise

TOKYO, PARIS = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Paris")
NIGHT = Window(day_time(22), day_time(6), TOKYO)


def settle(data: DataDir, **settings: Any) -> Network:
    """Write the venue's settings and read them as a device does."""
    (data.root / "settings.json").write_text(json.dumps(settings))
    return load_network(data)


def assign(kiosk: Kiosk, **settings: Any) -> None:
    """Let the server assign settings; known to the device after its next sync."""
    assert kiosk.origin.assignment is not None
    version = kiosk.origin.assignment["version"] + 1
    kiosk.origin.assignment = {**kiosk.origin.assignment, "settings": settings, "version": version}


# Hours


@pytest.mark.parametrize(
    ("window", "now", "open_now"),
    [
        (None, datetime(2026, 12, 24, 12, tzinfo=UTC), True),
        (NIGHT, datetime(2026, 12, 24, 12, 59, tzinfo=UTC), False),
        (NIGHT, datetime(2026, 12, 24, 13, 0, tzinfo=UTC), True),
        (NIGHT, datetime(2026, 12, 24, 20, 59, tzinfo=UTC), True),
        (NIGHT, datetime(2026, 12, 24, 21, 0, tzinfo=UTC), False),
        (Window(day_time(1), day_time(5), PARIS), datetime(2026, 7, 1, 0, tzinfo=UTC), True),
        (Window(day_time(1), day_time(5), PARIS), datetime(2026, 7, 1, 3, tzinfo=UTC), False),
        (Window(day_time(8), day_time(8), PARIS), datetime(2026, 7, 1, 0, tzinfo=UTC), True),
    ],
)
def test_the_window_is_of_the_venues_clock_and_goes_over_midnight(
    window: Window | None, now: datetime, open_now: bool
) -> None:
    assert may_download(now, window) is open_now


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        (NIGHT, datetime(2026, 12, 24, 3, tzinfo=UTC), datetime(2026, 12, 24, 13, tzinfo=UTC)),
        (NIGHT, datetime(2026, 12, 24, 13, tzinfo=UTC), datetime(2026, 12, 25, 13, tzinfo=UTC)),
        # The hour from 2 to 3 does not exist in Paris that night.
        (
            Window(day_time(2, 30), day_time(5), PARIS),
            datetime(2026, 3, 28, 22, tzinfo=UTC),
            datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        ),
    ],
)
def test_the_next_opening_is_told(window: Window, now: datetime, opens: datetime) -> None:
    assert next_opening(now, window).astimezone(UTC) == opens


def big() -> dict[str, Content]:
    return {
        "package.json": Content(b'{"format":1,"edition":2}'),
        "film.mp4": Content(noise(SMALL_FILE + 1, "big"), "video/mp4"),
    }


def poll(kiosk: Kiosk, at: datetime) -> SyncResult:
    """A sync as the agent does it, at the hour `at`."""
    wire = Wire(limits=PATIENCE, network=load_network(kiosk.data), now=lambda: at)
    try:
        return sync(kiosk.data, wire, reserve=0, trigger="poll")
    finally:
        wire.close()


DAY = datetime(2026, 12, 24, 3, tzinfo=UTC)
DARK = datetime(2026, 12, 24, 15, tzinfo=UTC)


def test_by_day_texts_come_and_films_wait_for_the_night(kiosk: Kiosk, origin: Origin) -> None:
    assign(kiosk, download_window=["22:00", "06:00"])
    origin.publish(harbour(film=5000))
    # The first content of all does not wait: there is nothing else to show.
    assert poll(kiosk, DAY).outcome == "activated"
    origin.publish(big())
    origin.forget_hits()
    result = poll(kiosk, DAY)
    assert (result.outcome, result.release, kiosk.release) == ("waiting", 1, 1)
    assert result.message == (
        "what is large waits for the download window, 22:00 to 06:00: it comes at 22:00; "
        "`kiosk-client sync` by hand does not wait"
    )
    assert len(origin.asked("/blobs/")) == 1
    assert poll(kiosk, DAY).outcome == "waiting"
    result = poll(kiosk, DARK)
    assert (result.outcome, kiosk.release) == ("activated", 2)
    assert len(origin.asked("/blobs/")) == 2


def test_somebody_who_asks_for_it_does_not_wait(kiosk: Kiosk, origin: Origin) -> None:
    assign(kiosk, download_window=["22:00", "06:00"])
    origin.publish(harbour(film=5000))
    poll(kiosk, DAY)
    origin.publish(big())
    wire = Wire(limits=PATIENCE, network=load_network(kiosk.data), now=lambda: DAY)
    assert sync(kiosk.data, wire, reserve=0).outcome == "activated"
    wire.close()


def test_what_plays_is_made_whole_at_any_hour(kiosk: Kiosk, origin: Origin) -> None:
    assign(kiosk, download_window=["22:00", "06:00"])
    origin.publish(big())
    poll(kiosk, DAY)
    kiosk.blob("film.mp4").unlink()
    origin.publish({**big(), "other.mp4": Content(noise(SMALL_FILE + 2, "other"), "video/mp4")})
    assert poll(kiosk, DAY).outcome == "waiting"
    assert kiosk.blob("film.mp4").exists()
    assert len(origin.asked("/blobs/")) == 3


def test_a_film_stops_when_the_window_closes_and_goes_on_when_it_opens(
    kiosk: Kiosk, origin: Origin
) -> None:
    assign(kiosk, download_window=["22:00", "06:00"])
    origin.publish(harbour(film=5000))
    poll(kiosk, DAY)
    origin.publish({"film.mp4": Content(noise(9_000_000, "long"), "video/mp4")})
    clock = [DARK]

    class Closing(Wire):
        def may_fetch(self, size: int) -> bool:
            if self.received > 3_000_000:
                clock[0] = DAY
            return super().may_fetch(size)

    wire = Closing(limits=PATIENCE, network=load_network(kiosk.data), now=lambda: clock[0])
    assert sync(kiosk.data, wire, reserve=0, trigger="poll").outcome == "waiting"
    wire.close()
    origin.forget_hits()
    assert poll(kiosk, DARK).outcome == "activated"
    (hit,) = origin.asked("/blobs/")
    assert hit.sent <= 6_000_000


def test_a_clock_that_is_behind_tells_no_hour(kiosk: Kiosk, origin: Origin) -> None:
    assign(kiosk, download_window=["22:00", "06:00"])
    origin.publish(harbour(film=5000))
    poll(kiosk, DAY)
    origin.publish(big())
    assert poll(kiosk, datetime(1970, 1, 1, 3, tzinfo=UTC)).outcome == "activated"


# Settings


def test_the_venues_own_word_wins_over_the_servers(kiosk: Kiosk, origin: Origin) -> None:
    assign(kiosk, download_window=["22:00", "06:00"], download_cap_kbps=800, proxy="http://evil:1")
    origin.publish(harbour(film=5000))
    kiosk.sync()
    network = load_network(kiosk.data)
    assert network.window == NIGHT
    assert (network.cap, network.proxy) == (100_000, None)
    network = settle(kiosk.data, download_window=None, download_cap_kbps=80)
    assert (network.window, network.cap) == (None, 10_000)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("proxy", "proxy.example.org", "http://proxy.example.org:3128"),
        ("proxy", "socks5://proxy.example.org", "http://proxy.example.org:3128"),
        ("proxy", "http://name:s3cret@host:port", "http://proxy.example.org:3128"),
        ("ca_file", "venue.pem", "whole path"),
        ("ca_file", "/no/such/file.pem", "whole path"),
        ("download_cap_kbps", "fast", "kilobits"),
        ("download_cap_kbps", 0, "kilobits"),
        ("download_cap_kbps", True, "kilobits"),
        ("download_window", ["22:00"], "two hours"),
        ("download_window", "night", "two hours"),
        ("download_window", ["22:00", "25:00"], "two hours"),
        ("no_proxy", "example.org", "list of names"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    newcomer: Kiosk, key: str, value: Any, expected: str
) -> None:
    newcomer.data.active.write_text("{}")
    with pytest.raises(KioskError, match=rf"expected {key} in settings\.json as .*") as failed:
        settle(newcomer.data, **{key: value})
    assert expected in str(failed.value)
    assert "s3cret" not in str(failed.value)


def test_a_servers_setting_that_cannot_be_used_stops_nothing(kiosk: Kiosk, origin: Origin) -> None:
    assign(kiosk, download_window="night", download_cap_kbps=-1)
    origin.publish(harbour(film=5000))
    kiosk.sync()
    network = load_network(kiosk.data)
    assert (network.window, network.cap) == (None, None)


@pytest.mark.parametrize(
    ("host", "names", "past"),
    [
        ("content.example.org", (".example.org",), True),
        ("example.org", (".example.org",), True),
        ("example.org", ("example.org",), True),
        ("badexample.org", ("example.org",), False),
        ("10.0.0.5", ("10.0.0.0/8",), True),
        ("11.0.0.5", ("10.0.0.0/8", "localhost"), False),
        ("::1", ("::1",), True),
        ("anything", ("*",), True),
        ("anything", (), False),
    ],
)
def test_names_that_need_no_proxy(host: str, names: tuple[str, ...], past: bool) -> None:
    assert bypasses(host, names) is past


def test_a_proxys_secret_is_in_no_representation() -> None:
    found = parse_proxy("http://name:s3cr%40t@proxy.example.org")
    assert found == Proxy("proxy.example.org", 3128, "Basic bmFtZTpzM2NyQHQ=")
    assert "bmFt" not in repr(found)
    assert "bmFt" not in repr(Network(proxy=found))


# The way through


def test_a_device_lives_behind_a_proxy_with_a_password(
    newcomer: Kiosk, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    origin.publish()
    with proxy("name:s3cret") as between:
        network = settle(newcomer.data, proxy=f"http://name:s3cret@127.0.0.1:{between.port}")
        wire = Wire(limits=PATIENCE, network=network)
        enrol(newcomer.data, wire, origin.url, "7GK2-MP4X-Q9TR")
        assert sync(newcomer.data, wire, reserve=0).outcome == "activated"
        wire.close()
        # It closes connections at rest: some requests are sent anew on another.
        assert len(between.asked) == len(origin.hits) <= wire.requests
        assert between.asked[0] == f"POST {origin.url}api/v1/enrolments HTTP/1.1"
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password_is_told(scheme: str, origin: Origin, tmp_path: Path) -> None:
    with proxy("name:s3cret") as between, tls_in_front(origin.url, tmp_path) as (url, ca_file):
        network = Network(
            proxy=parse_proxy(f"http://name:other@127.0.0.1:{between.port}"), ca_file=ca_file
        )
        wire = Wire(limits=PATIENCE, network=network)
        with pytest.raises(NoNetwork, match=r"the proxy 127\.0\.0\.1 .* wants a name") as failed:
            wire.ask("GET", url if scheme == "https" else origin.url, limit=99, attempts=1)
        wire.close()
    assert "other" not in str(failed.value)


def test_https_goes_through_a_proxy_to_a_server_of_the_venues_own_certificates(
    newcomer: Kiosk, origin: Origin, tmp_path: Path
) -> None:
    origin.publish(harbour(film=5000))
    with proxy("name:s3cret") as between, tls_in_front(origin.url, tmp_path) as (url, ca_file):
        network = settle(
            newcomer.data,
            proxy=f"http://name:s3cret@127.0.0.1:{between.port}",
            ca_file=str(ca_file),
        )
        wire = Wire(limits=PATIENCE, network=network)
        enrol(newcomer.data, wire, url, "7GK2-MP4X-Q9TR")
        assert sync(newcomer.data, wire, reserve=0, workers=2).outcome == "activated"
        wire.close()
        # Connections are used again: far fewer than requests.
        assert 1 <= len(between.asked) <= 3 < wire.requests
        assert all(line.startswith("CONNECT 127.0.0.1:") for line in between.asked)


def test_a_certificate_nobody_vouches_for_is_refused(origin: Origin, tmp_path: Path) -> None:
    with tls_in_front(origin.url, tmp_path) as (url, ca_file):
        wire = Wire(limits=PATIENCE)
        with pytest.raises(NoNetwork, match=r"expected a trusted certificate .* device's clock"):
            wire.ask("GET", url, limit=99, attempts=1)
        wire.close()
        wire = Wire(limits=PATIENCE, network=Network(ca_file=ca_file))
        assert wire.ask("GET", url, limit=9999).status in (401, 404)
        wire.close()


def test_a_file_that_holds_no_certificates_is_named(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    wire = Wire(limits=PATIENCE, network=Network(ca_file=tmp_path / "ca.pem"))
    with pytest.raises(KioskError, match=r"certificates \(PEM\) in .*ca\.pem"):
        wire.ask("GET", "https://127.0.0.1:9/", limit=9)


def test_a_proxy_that_is_away_is_told(origin: Origin) -> None:
    wire = Wire(limits=PATIENCE, network=Network(proxy=Proxy("127.0.0.1", 9)))
    with pytest.raises(NoNetwork, match=r"through the proxy 127\.0\.0\.1"):
        wire.ask("GET", origin.url, limit=9, attempts=1)
    names = Network(proxy=Proxy("127.0.0.1", 9), no_proxy=("127.0.0.0/8",))
    wire = Wire(limits=PATIENCE, network=names)
    assert wire.ask("GET", origin.url, limit=999, attempts=1).status in (401, 404)
    wire.close()


# Speed


def test_the_cap_is_shared_and_saves_up_no_more_than_a_second() -> None:
    now = [0.0]
    cap = Cap(1000, clock=lambda: now[0])
    assert cap.take(500) == 0.5
    assert cap.take(500) == 1.0
    now[0] = 60.0
    assert cap.take(1000) == 0.0
    assert cap.take(1000) == 1.0


def test_a_transfer_keeps_to_the_cap_and_is_not_blamed_for_it(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish({"a.webp": Content(noise(300_000), "image/webp")})
    wire = Wire(
        limits=replace(PATIENCE, rate_window_seconds=0.2, least_rate=400_000),
        network=Network(cap=200_000),
    )
    began = time.monotonic()
    sync(kiosk.data, wire, reserve=0)
    wire.close()
    # 300 kB, a second's worth of them saved up.
    assert 0.4 <= time.monotonic() - began <= 6


def test_the_commands_use_the_settings(newcomer: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from kiosk_client.cli import main

    settings: Callable[..., Network] = settle
    settings(newcomer.data, proxy="http://127.0.0.1:9")
    found = CliRunner().invoke(
        main, ["--data-dir", str(newcomer.data.root), "enrol", newcomer.origin.url, "CODE"]
    )
    assert found.exit_code == 3
    assert "through the proxy 127.0.0.1" in found.output
    assert open_data_dir(newcomer.data.root) == newcomer.data
