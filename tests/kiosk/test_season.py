"""A season on a real screen: two packages on the disk, one clock, and a visitor in the way."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kiosk_client.activation import read_slots
from kiosk_client.activator import Activator, serving
from kiosk_client.durable import write_json
from kiosk_client.facts import stamp
from kiosk_client.page import PageWatch, parse_report
from kiosk_client.server import Kiosk as Application
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Origin

SEASON = {"package": "noir", "from": "2090-12-01", "until": "2091-01-31"}


def tokyo(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Tokyo")).astimezone(UTC)


def page_of(package: str) -> dict[str, Content]:
    return {
        "package.json": Content(f'{{"format":1,"package":"{package}"}}'.encode()),
        f"media/{package}.webp": Content(package.encode() * 99, "image/webp"),
    }


class Screen:
    """The application asked directly, and whether a visitor stands before it."""

    def __init__(self, kiosk: Kiosk) -> None:
        self.visited = False
        self._application = Application(kiosk.data, now=kiosk.now, idle=lambda: not self.visited)

    @property
    def package(self) -> str | None:
        found = self._application.playing()
        return found.current.manifest.package if found else None

    def slot(self) -> str | None:
        found = self._application.playing()
        return f"{found.current.set.package}/{found.current.set.channel}" if found else None

    def status(self, path: str) -> int:
        told: list[str] = []
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
        body = self._application(environ, lambda status, headers: told.append(status))
        for _piece in body:
            pass
        return int(told[0].split()[0])

    def json(self, path: str) -> Any:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
        return json.loads(b"".join(self._application(environ, lambda status, headers: None)))


@pytest.fixture
def screen(kiosk: Kiosk, origin: Origin) -> Screen:
    """A screen at a venue in Tokyo that holds `harbour` and, for a season, `noir`."""
    assert origin.assignment is not None
    origin.publish(page_of("harbour"))
    origin.publish(page_of("noir"), package="noir")
    origin.assignment["schedule"] = {"programme": [SEASON]}
    kiosk.sync()
    assert {key for key, slot in read_slots(kiosk.data).items() if slot.current} == {
        "harbour/live",
        "noir/live",
    }
    return Screen(kiosk)


def test_the_season_begins_at_the_venues_midnight_once_the_visitor_has_left(
    screen: Screen, kiosk: Kiosk
) -> None:
    kiosk.clock = tokyo("2090-11-30T23:59:30")
    assert screen.package == "harbour"
    screen.visited = True
    kiosk.clock = tokyo("2090-12-01T00:00:30")
    assert screen.package == "harbour"
    assert screen.json("/release.json")["package"] == "harbour"
    kiosk.clock = tokyo("2090-12-01T00:09")
    assert screen.package == "harbour"
    screen.visited = False
    assert screen.package == "noir"
    assert screen.json("/release.json")["package"] == "noir"


def test_a_page_begun_before_the_season_still_gets_its_pictures(
    screen: Screen, kiosk: Kiosk
) -> None:
    kiosk.clock = tokyo("2090-11-30T23:59:59")
    assert screen.status("/content/media/harbour.webp") == 200
    assert screen.status("/content/media/noir.webp") == 404
    kiosk.clock = tokyo("2090-12-01T00:00")
    assert screen.status("/content/media/noir.webp") == 200
    assert screen.status("/content/media/harbour.webp") == 200


def test_the_season_ends_and_the_main_package_is_back(screen: Screen, kiosk: Kiosk) -> None:
    kiosk.clock = tokyo("2091-01-31T23:59:59")
    assert screen.package == "noir"
    kiosk.clock = tokyo("2091-02-01T00:00")
    assert screen.package == "harbour"


def test_a_clock_that_is_not_trusted_shows_the_main_package(screen: Screen, kiosk: Kiosk) -> None:
    kiosk.clock = tokyo("2090-12-24T12:00")
    assert screen.package == "noir"
    kiosk.clock = datetime(1970, 1, 1, tzinfo=UTC)
    assert screen.package == "harbour"
    # A device that was in its season and lost its clock does not know that it still is.
    write_json(kiosk.data.trust, {"floor": stamp(tokyo("2090-12-24T12:00"))})
    kiosk.clock = tokyo("2090-12-24T11:59")
    assert screen.package == "harbour"


def test_a_package_whose_list_of_files_is_lost_is_not_shown(screen: Screen, kiosk: Kiosk) -> None:
    kiosk.clock = tokyo("2090-12-24T12:00")
    noir = read_slots(kiosk.data)["noir/live"].current
    assert noir is not None
    (kiosk.data.sets / f"{noir.manifest}.json").unlink()
    assert screen.package == "harbour"


def test_the_player_is_told_the_day_at_the_venue(screen: Screen, kiosk: Kiosk) -> None:
    kiosk.clock = tokyo("2090-07-14T00:00")
    assert screen.json("/release.json")["today"] == "2090-07-14"
    kiosk.clock = tokyo("2090-07-14T23:59:59")
    assert screen.json("/release.json")["today"] == "2090-07-14"
    # A clock behind what has passed does not bring back a day that is over.
    write_json(kiosk.data.trust, {"floor": stamp(tokyo("2090-07-15T09:00"))})
    kiosk.clock = datetime(1970, 1, 1, tzinfo=UTC)
    assert screen.json("/release.json")["today"] == "2090-07-15"


def test_a_season_is_there_after_a_restart_without_any_network(
    screen: Screen, kiosk: Kiosk, origin: Origin
) -> None:
    assert screen.package == "harbour"
    origin.files.clear()
    kiosk.clock = tokyo("2090-12-24T12:00")
    assert Screen(kiosk).package == "noir"


def test_a_rollout_holds_back_a_package_of_the_programme_as_well(
    screen: Screen, kiosk: Kiosk, origin: Origin
) -> None:
    assert origin.assignment is not None
    origin.publish(
        {**page_of("noir"), "media/new.webp": Content(b"new", "image/webp")}, package="noir"
    )
    origin.assignment |= {"release_limits": {"noir/live": 1}, "version": 2}
    kiosk.sync()
    kiosk.clock = tokyo("2090-12-24T12:00")
    assert screen.json("/release.json")["release"] == 1
    kiosk.clock = None
    origin.assignment |= {"release_limits": {}, "version": 3}
    kiosk.sync()
    kiosk.clock = tokyo("2090-12-24T12:00")
    assert screen.json("/release.json")["release"] == 2


def test_a_season_called_off_during_a_visit_stays_until_the_visitor_has_left(
    screen: Screen, kiosk: Kiosk, origin: Origin
) -> None:
    kiosk.clock = tokyo("2090-12-24T12:00")
    watch = PageWatch()
    activator = Activator(kiosk.data, watch, screen.slot, now=kiosk.now)
    assert screen.package == "noir"
    screen.visited = True
    assert origin.assignment is not None
    origin.assignment |= {"schedule": {}, "version": 2}
    kiosk.clock = None
    with serving(kiosk.data):
        kiosk.sync()
        activator.step()
        assert screen.package == "noir"
        assert screen.status("/content/media/noir.webp") == 200
        screen.visited = False
        assert screen.package == "harbour"
        Activator(kiosk.data, watch, screen.slot, now=kiosk.now).step()
        assert set(read_slots(kiosk.data)) == {"harbour/live"}
        kiosk.sync()
    assert screen.status("/content/media/noir.webp") == 404


def test_a_page_that_still_has_a_package_keeps_it_on_the_disk(
    screen: Screen, kiosk: Kiosk, origin: Origin
) -> None:
    noir = read_slots(kiosk.data)["noir/live"].current
    assert noir is not None
    assert origin.assignment is not None
    origin.assignment |= {"schedule": {}, "version": 2}
    watch = PageWatch()
    report = {"package": "noir", "release": 1, "content": noir.tag, "screen": "visit"}
    watch.note(parse_report(json.dumps({**report, "idle_seconds": 3}).encode()))
    with serving(kiosk.data):
        kiosk.sync()
        Activator(kiosk.data, watch, screen.slot, now=kiosk.now).step()
        assert set(read_slots(kiosk.data)) == {"harbour/live", "noir/live"}
        watch.note(parse_report(json.dumps({**report, "content": "", "idle_seconds": 3}).encode()))
        Activator(kiosk.data, watch, screen.slot, now=kiosk.now).step()
        assert set(read_slots(kiosk.data)) == {"harbour/live"}
