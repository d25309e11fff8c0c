"""What a device shows when: seasons, dayparts and opening hours by the venue's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kiosk_client.config import (
    Assignment,
    DataDir,
    load_assignment,
    open_data_dir,
    parse_assignment,
    save_assignment,
)
from kiosk_client.durable import write_json
from kiosk_client.errors import ForeignAnswer
from kiosk_client.facts import stamp
from kiosk_client.programme import Stage, opening, showing, wanted_slots

TOKYO = ZoneInfo("Asia/Tokyo")
READY = ("harbour/live", "night/live", "noir/live")
SEASON = {"package": "noir", "from": "2026-12-01", "until": "2027-01-31"}


def assigned(timezone: str = "Asia/Tokyo", **schedule: Any) -> Assignment:
    return Assignment(
        package="harbour",
        channel="live",
        profile="tablet",
        languages=("fr", "ja"),
        timezone=timezone,
        version=1,
        schedule=schedule,
    )


def at(text: str, timezone: str = "Asia/Tokyo") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)


# -- Decisions -------------------------------------------------------------------------------


def test_a_season_replaces_the_main_package_from_midnight_to_midnight() -> None:
    assignment = assigned(programme=[SEASON])
    shown = [
        showing(assignment, at(moment), True, READY)
        for moment in ("2026-11-30T23:59", "2026-12-01T00:00", "2027-01-31T23:59", "2027-02-01")
    ]
    assert shown == ["harbour/live", "noir/live", "noir/live", "harbour/live"]


def test_a_clock_that_is_not_trusted_leaves_the_main_package_and_the_doors_open() -> None:
    assignment = assigned(
        programme=[{"package": "noir"}],
        opening=[{"days": ["mon"], "from": "09:00", "until": "10:00"}],
    )
    night = at("1970-01-01T03:00")
    assert showing(assignment, night, False, READY) == "harbour/live"
    assert opening(assignment, night, False).open
    assert not opening(assignment, night, True).open


def test_a_package_that_is_not_complete_leaves_its_hours_to_the_next() -> None:
    assignment = assigned(
        programme=[SEASON, {"package": "night", "hours": [["18:00", "23:00"]]}],
    )
    evening = at("2026-12-05T19:00")
    assert showing(assignment, evening, True, READY) == "noir/live"
    assert showing(assignment, evening, True, ("harbour/live", "night/live")) == "night/live"
    assert showing(assignment, evening, True, ("harbour/live",)) == "harbour/live"


def test_a_daypart_over_midnight_and_the_night_the_clock_is_put_back() -> None:
    assignment = assigned(
        "Europe/Paris",
        programme=[{"package": "noir", "days": ["sat"], "hours": [["22:00", "02:30"]]}],
    )
    begin = at("2026-10-24T22:00", "Europe/Paris")
    shown = [
        showing(assignment, begin + timedelta(minutes=minutes), True, READY)
        # 02:30 comes after four hours and a half, and again after five and a half.
        for minutes in (-1, 0, 269, 270, 300, 331, 360)
    ]
    main, noir = "harbour/live", "noir/live"
    assert shown == [main, noir, noir, main, main, main, main]


def test_what_a_device_holds_is_the_main_package_and_each_of_the_programme_once() -> None:
    assignment = assigned(
        programme=[SEASON, {"package": "noir", "days": ["sat"]}, {"package": "harbour"}]
    )
    wanted = wanted_slots(assignment)
    assert [one.slot for one in wanted] == ["harbour/live", "noir/live"]
    assert {(one.profile, one.languages) for one in wanted} == {("tablet", ("fr", "ja"))}


def test_a_season_that_is_over_for_certain_is_no_longer_held() -> None:
    assignment = assigned(programme=[{**SEASON, "hours": [["22:00", "03:00"]]}])

    def slots(moment: str) -> list[str]:
        return [one.slot for one in wanted_slots(assignment, at(moment))]

    assert slots("2027-02-01T02:00") == ["harbour/live", "noir/live"]
    assert slots("2027-02-02T00:00") == ["harbour/live"]


@pytest.mark.parametrize("schedule", [{"programme": "noir"}, {"programme": [{"package": 7}]}])
def test_a_schedule_that_does_not_read_leaves_the_main_package(schedule: Any) -> None:
    assignment = assigned(**schedule)
    assert showing(assignment, at("2026-12-05T19:00"), True, READY) == "harbour/live"
    assert [one.slot for one in wanted_slots(assignment)] == ["harbour/live"]
    assert opening(assignment, at("2026-12-05T19:00"), True).open


# -- The assignment --------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return open_data_dir(tmp_path / "kiosk", create=True)


def test_the_schedule_is_kept_for_the_days_without_a_server(data: DataDir) -> None:
    value: dict[str, Any] = {
        "package": "harbour",
        "profile": "tablet",
        "languages": ["fr"],
        "schedule": {"programme": [SEASON], "of-a-newer-server": 1},
        "release_limit": 13,
        "release_limits": {"noir/live": 2},
        "mirrors": ["https://mirror.example.org/repository/"],
    }
    found = parse_assignment(value, "a7")
    assert found is not None
    save_assignment(data, found)
    assert load_assignment(data) == found
    assert found.schedule == value["schedule"]
    assert (found.release_limit, found.mirrors) == (13, tuple(value["mirrors"]))
    assert found.release_limits == {"noir/live": 2}


def test_a_server_that_knows_no_schedules_assigns_as_before() -> None:
    found = parse_assignment({"package": "harbour", "profile": "tablet", "languages": ["fr"]})
    assert found is not None
    assert (found.schedule, found.release_limit, found.mirrors) == ({}, None, ())


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule": "noir"},
        {"schedule": [1]},
        {"release_limit": "13"},
        {"release_limit": True},
        {"release_limits": ["noir/live"]},
        {"release_limits": {"noir/live": "2"}},
        {"mirrors": [1]},
        {"mirrors": 1},
    ],
)
def test_a_schedule_of_another_shape_is_a_foreign_answer(wrong: dict[str, Any]) -> None:
    value = {"package": "harbour", "profile": "tablet", "languages": ["fr"], **wrong}
    with pytest.raises(ForeignAnswer):
        parse_assignment(value)


# -- On the screen ---------------------------------------------------------------------------


class Clock:
    """A clock a test sets."""

    def __init__(self, moment: str) -> None:
        self.now = at(moment)

    def __call__(self) -> datetime:
        return self.now

    def set(self, moment: str) -> None:
        self.now = at(moment)


@pytest.fixture
def stage(data: DataDir) -> Callable[..., tuple[Stage, Clock]]:
    def make(moment: str, **schedule: Any) -> tuple[Stage, Clock]:
        save_assignment(data, assigned(**schedule))
        clock = Clock(moment)
        return Stage(data, clock), clock

    return make


def test_a_season_waits_for_the_visitor_to_leave(stage: Any) -> None:
    screen, clock = stage("2026-11-30T23:58", programme=[SEASON])
    assert screen.slot(READY, idle=False) == "harbour/live"
    clock.set("2026-12-01T00:00:00")
    assert screen.slot(READY, idle=False) == "harbour/live"
    clock.set("2026-12-01T00:10")
    assert screen.slot(READY, idle=False) == "harbour/live"
    assert screen.slot(READY, idle=True) == "noir/live"
    # And so when it ends.
    clock.set("2027-02-01T00:00")
    assert screen.slot(READY, idle=False) == "noir/live"
    assert screen.slot(READY, idle=True) == "harbour/live"


def test_a_season_begins_on_its_second_when_nobody_is_there(stage: Any) -> None:
    screen, clock = stage("2026-11-30T23:59:58", programme=[SEASON])
    assert screen.slot(READY, idle=True) == "harbour/live"
    clock.set("2026-11-30T23:59:59.999")
    assert screen.slot(READY, idle=True) == "harbour/live"
    clock.set("2026-12-01T00:00")
    assert screen.slot(READY, idle=True) == "noir/live"


def test_a_package_whose_files_are_gone_leaves_the_screen_at_once(stage: Any) -> None:
    screen, _clock = stage("2026-12-24T12:00", programme=[SEASON])
    assert screen.slot(READY, idle=True) == "noir/live"
    assert screen.slot(("harbour/live",), idle=False) == "harbour/live"
    # It comes back when nobody is disturbed.
    assert screen.slot(READY, idle=False) == "harbour/live"
    assert screen.slot(READY, idle=True) == "noir/live"


def test_nothing_ready_is_no_slot(stage: Any) -> None:
    screen, _clock = stage("2026-12-24T12:00", programme=[SEASON])
    assert screen.slot((), idle=True) is None
    assert screen.slot(("noir/live",), idle=True) == "noir/live"


def test_a_new_assignment_is_obeyed_without_a_restart(stage: Any, data: DataDir) -> None:
    screen, _clock = stage("2026-12-24T12:00")
    assert screen.slot(READY, idle=True) == "harbour/live"
    save_assignment(data, assigned(programme=[SEASON]))
    assert screen.slot(READY, idle=True) == "noir/live"


def test_a_clock_behind_what_has_passed_is_not_believed_on_the_screen(
    stage: Any, data: DataDir
) -> None:
    write_json(data.trust, {"floor": stamp(at("2026-12-20T12:00"))})
    hours = [{"days": ["mon"], "from": "09:00", "until": "10:00"}]
    screen, clock = stage("2026-12-24T12:00", programme=[SEASON], opening=hours)
    assert screen.slot(READY, idle=True) == "noir/live"
    assert not screen.opening().open
    clock.set("1970-01-01T00:00")
    assert screen.slot(READY, idle=True) == "harbour/live"
    assert screen.opening().open
    clock.set("2026-12-24T12:01")
    assert screen.slot(READY, idle=True) == "noir/live"


def test_a_decision_stands_a_minute_at_most(stage: Any, data: DataDir) -> None:
    screen, clock = stage("2026-12-24T12:00", programme=[SEASON])
    assert screen.slot(READY, idle=True) == "noir/live"
    # The floor rises above the clock without any boundary in the schedule.
    write_json(data.trust, {"floor": stamp(at("2027-06-01T00:00"))})
    clock.now += timedelta(seconds=61)
    assert screen.slot(READY, idle=True) == "harbour/live"


def test_a_venue_elsewhere_has_its_own_midnight(stage: Any, data: DataDir) -> None:
    screen, clock = stage("2026-12-01T00:00", programme=[SEASON])
    save_assignment(data, replace(assigned(programme=[SEASON]), timezone="Europe/Paris"))
    assert screen.slot(READY, idle=True) == "harbour/live"
    clock.now = at("2026-12-01T00:00", "Europe/Paris")
    assert screen.slot(READY, idle=True) == "noir/live"
