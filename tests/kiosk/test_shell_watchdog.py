"""What the watchdog decides, second by second, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kiosk_client.shell.night import restart_due
from kiosk_client.shell.watchdog import Action, State, Watch

PARIS = ZoneInfo("Europe/Paris")


class Screen:
    """A watch, a clock, and a page that speaks or does not."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.watch = Watch(self.now)
        self.spoke: float | None = None
        self.expected = True

    def look(self, seconds: float = 1.0) -> Action:
        self.now += seconds
        silent = None if self.spoke is None else self.now - self.spoke
        action = self.watch.next(self.now, silent=silent, expected=self.expected)
        if action in (Action.START, Action.START_RESTING):
            self.watch.started(self.now)
        return action

    def start(self) -> None:
        assert self.wait_for(120) in (Action.START, Action.START_RESTING)

    def speak(self, seconds: int = 10) -> None:
        """Let time go by with a page that says so each second."""
        for _ in range(seconds):
            self.spoke = self.now
            assert self.look() is Action.NOTHING

    def wait_for(self, seconds: int) -> Action:
        """The first thing to do within `seconds` of silence."""
        for _ in range(seconds):
            action = self.look()
            if action is not Action.NOTHING:
                return action
        return Action.NOTHING

    def crash(self, reason: str = "exit") -> None:
        self.watch.crashed(self.now, reason)


@pytest.fixture
def screen() -> Screen:
    return Screen()


def test_the_browser_starts_at_once_and_is_left_alone_while_its_page_speaks(
    screen: Screen,
) -> None:
    assert screen.look() is Action.START
    screen.speak(700)
    assert (screen.watch.state, screen.watch.restarts) == (State.PLAYING, 0)


def test_a_page_that_misses_three_heartbeats_is_started_again(screen: Screen) -> None:
    screen.start()
    screen.speak(40)
    assert screen.wait_for(29) is Action.NOTHING
    assert screen.wait_for(2) is Action.STOP
    assert screen.watch.reason == "page-silent"
    assert screen.wait_for(2) is Action.START


def test_a_cold_start_has_a_minute_and_signs_of_the_page_before_do_not_count(
    screen: Screen,
) -> None:
    screen.spoke = screen.now
    screen.start()
    assert screen.wait_for(60) is Action.NOTHING
    assert screen.wait_for(2) is Action.STOP


def test_a_page_that_gives_no_signs_is_not_waited_for(screen: Screen) -> None:
    screen.expected = False
    screen.start()
    assert screen.wait_for(900) is Action.NOTHING
    # the player takes over from the first page, and has its time from then on
    screen.expected = True
    assert screen.wait_for(60) is Action.NOTHING
    assert screen.wait_for(2) is Action.STOP


def test_a_watchdog_that_slept_does_not_blame_the_page(screen: Screen) -> None:
    screen.start()
    screen.speak(40)
    assert screen.look(3600.0) is Action.NOTHING
    assert screen.wait_for(29) is Action.NOTHING
    assert screen.wait_for(3) is Action.STOP


def test_pauses_grow_while_the_browser_cannot_start_and_nobody_blames_the_content(
    screen: Screen,
) -> None:
    pauses = []
    for _ in range(10):
        began = screen.now
        assert screen.wait_for(120) is Action.START
        pauses.append(round(screen.now - began))
        screen.crash("not-started")
    assert pauses[0] == 1
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60
    assert screen.watch.needs_fresh_profile()


def test_three_crashes_in_ten_minutes_give_the_content_back_first(screen: Screen) -> None:
    screen.start()
    for _ in range(2):
        screen.speak(30)
        screen.crash()
        screen.start()
    screen.speak(30)
    screen.crash("page-crashed")
    assert screen.look() is Action.GIVE_BACK
    screen.watch.gave_back(screen.now, True)
    assert screen.look() is Action.START
    screen.speak(30)
    # the release before begins without a record
    screen.crash()
    assert screen.wait_for(3) is Action.START


def test_renderers_that_crash_at_once_are_the_content_s_doing(screen: Screen) -> None:
    for _ in range(3):
        screen.start()
        screen.look()
        screen.crash("page-crashed")
    assert screen.look() is Action.GIVE_BACK


def test_three_crashes_in_an_hour_are_accidents(screen: Screen) -> None:
    screen.start()
    for _ in range(5):
        screen.speak(601)
        screen.crash()
        assert screen.wait_for(2) is Action.START


def crash_thrice(screen: Screen) -> None:
    for _ in range(3):
        screen.start()
        screen.speak(20)
        screen.crash()
    assert screen.look() is Action.GIVE_BACK
    screen.watch.gave_back(screen.now, False)


def test_what_cannot_be_given_back_rests_on_a_still_page_then_is_tried_again(
    screen: Screen,
) -> None:
    crash_thrice(screen)
    assert screen.look() is Action.START_RESTING
    assert screen.watch.state is State.RESTING
    assert screen.wait_for(57) is Action.NOTHING
    assert screen.wait_for(5) is Action.STOP
    assert screen.watch.reason == "rested"
    assert screen.look() is Action.START


def test_after_a_rest_one_crash_is_enough_and_the_rest_is_longer_up_to_a_bound(
    screen: Screen,
) -> None:
    crash_thrice(screen)
    rests = []
    for _ in range(7):
        assert screen.look() is Action.START_RESTING
        began = screen.now
        assert screen.wait_for(1000) is Action.STOP
        rests.append(round(screen.now - began))
        screen.start()
        screen.speak(20)
        screen.crash()
        assert screen.look() is Action.GIVE_BACK
        screen.watch.gave_back(screen.now, False)
    assert rests == sorted(rests)
    assert (rests[0] // 10, rests[1] // 10) == (5, 11)
    assert 895 <= rests[-1] <= 900


def test_ten_good_minutes_after_a_rest_forget_it(screen: Screen) -> None:
    crash_thrice(screen)
    assert screen.look() is Action.START_RESTING
    assert screen.wait_for(100) is Action.STOP
    screen.start()
    screen.speak(610)
    screen.crash()
    assert screen.wait_for(3) is Action.START


def test_a_browser_that_dies_while_resting_rests_on(screen: Screen) -> None:
    crash_thrice(screen)
    assert screen.look() is Action.START_RESTING
    screen.crash()
    assert screen.wait_for(30) is Action.START_RESTING


def test_a_wanted_restart_is_counted_and_no_crash(screen: Screen) -> None:
    screen.start()
    screen.speak(30)
    for _ in range(5):
        screen.watch.restart(screen.now)
        assert screen.look() is Action.START
        screen.speak(5)
    assert (screen.watch.restarts, len(screen.watch.crashes)) == (5, 0)


def due(
    at: str,
    setting: str = "auto",
    *,
    seconds: int = 20,
    was_open: bool = True,
    is_open: bool = True,
    closes: bool = False,
) -> bool:
    now = datetime.fromisoformat(at).replace(tzinfo=PARIS).astimezone(UTC)
    return restart_due(
        now - timedelta(seconds=seconds),
        now,
        setting,
        PARIS,
        was_open=was_open,
        is_open=is_open,
        closes=closes,
    )


def test_the_night_begins_at_closing_time_where_a_venue_closes() -> None:
    assert due("2026-11-24T18:00:05", closes=True, is_open=False)
    assert not due("2026-11-24T18:00:05", closes=True)
    assert not due("2026-11-24T04:00:05", closes=True, was_open=False, is_open=False)


def test_the_night_is_at_four_where_a_venue_never_closes_and_when_the_setting_says() -> None:
    assert due("2026-11-24T04:00:05")
    assert not due("2026-11-24T04:00:25")
    assert due("2026-07-24T03:30:00", "03:30")
    assert due("2026-11-24T00:00:05", "23:59", seconds=66)
    assert not due("2026-11-24T04:00:05", "03:30")
    assert not due("2026-11-24T04:00:05", "off")
    assert due("2026-11-24T04:00:05", "25:99")


def test_a_time_that_the_clock_change_skips_still_comes_once() -> None:
    # 02:30 does not exist in Paris on 29 March 2026: it is 03:30 that day.
    found = [
        minute
        for minute in range(24 * 60)
        if restart_due(
            datetime(2026, 3, 29, tzinfo=UTC) + timedelta(minutes=minute - 1),
            datetime(2026, 3, 29, tzinfo=UTC) + timedelta(minutes=minute),
            "02:30",
            PARIS,
            was_open=True,
            is_open=True,
            closes=False,
        )
    ]
    assert found == [90]


def test_a_clock_that_is_set_is_no_night() -> None:
    assert not due("2026-11-24T04:00:05", seconds=56 * 365 * 86_400)
    assert not due("2026-11-24T04:00:05", seconds=-3600)
