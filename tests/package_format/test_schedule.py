"""Opening hours and programmes: the venue's clock, over midnight and through its jumps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from package_format.schedule import (
    MAX_CLOSED,
    WEEKDAYS,
    Schedule,
    ScheduleError,
    instant,
    parse_schedule,
)

PARIS = ZoneInfo("Europe/Paris")
TOKYO = ZoneInfo("Asia/Tokyo")

MUSEUM = {
    "opening": [
        {"days": ["tue", "wed", "thu", "fri"], "from": "09:00", "until": "12:30"},
        {"days": ["tue", "wed", "thu", "fri"], "from": "13:30", "until": "18:00"},
        {"days": ["sat", "sun"], "from": "10:00", "until": "19:00"},
    ],
    "closed": ["2026-12-25", "2027-01-01"],
}
NOIR = {
    "programme": [
        {
            "package": "noir",
            "channel": "live",
            "from": "2026-12-01",
            "until": "2027-01-31",
        }
    ]
}


def local(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """An instant by the clock of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def rows(*programme: dict[str, Any]) -> Schedule:
    return parse_schedule({"programme": list(programme)})


def hours(*opening: dict[str, Any], closed: tuple[str, ...] = ()) -> Schedule:
    return parse_schedule({"opening": list(opening), "closed": list(closed)})


def test_a_venue_without_hours_is_always_open() -> None:
    found = Schedule().opening(local("2026-11-24T03:00"), PARIS)
    assert (found.open, found.next_change) == (True, None)
    assert Schedule().next_change(local("2026-11-24T03:00"), PARIS) is None


@pytest.mark.parametrize(
    ("at", "is_open", "change"),
    [
        ("2026-11-24T08:59:59", False, "2026-11-24T09:00"),
        ("2026-11-24T09:00", True, "2026-11-24T12:30"),
        ("2026-11-24T12:30", False, "2026-11-24T13:30"),
        ("2026-11-24T17:59:59", True, "2026-11-24T18:00"),
        ("2026-11-24T18:00", False, "2026-11-25T09:00"),
        # Sunday evening: closed on Monday.
        ("2026-11-29T19:00", False, "2026-12-01T09:00"),
        # Christmas is a Friday.
        ("2026-12-24T18:00", False, "2026-12-26T10:00"),
        ("2026-12-25T11:00", False, "2026-12-26T10:00"),
    ],
)
def test_several_windows_a_day_and_closed_days(at: str, is_open: bool, change: str) -> None:
    found = parse_schedule(MUSEUM).opening(local(at), PARIS)
    assert (found.open, found.next_change) == (is_open, local(change))


def test_windows_that_touch_or_overlap_are_one() -> None:
    schedule = hours(
        {"days": ["tue"], "from": "09:00", "until": "12:00"},
        {"days": ["tue"], "from": "12:00", "until": "15:00"},
        {"days": ["tue"], "from": "14:00", "until": "16:00"},
    )
    assert schedule.opening(local("2026-11-24T09:00"), PARIS).next_change == local(
        "2026-11-24T16:00"
    )


def test_a_window_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    schedule = hours(
        {"days": ["fri"], "from": "20:00", "until": "02:00"}, closed=("2026-11-21", "2026-12-04")
    )
    # Friday night into a Saturday that is closed by date.
    assert schedule.opening(local("2026-11-21T01:59"), PARIS).open
    assert not schedule.opening(local("2026-11-21T02:00"), PARIS).open
    # A Friday that is closed has no night.
    assert not schedule.opening(local("2026-12-05T01:00"), PARIS).open
    # Saturday has no window of its own.
    assert not schedule.opening(local("2026-11-21T21:00"), PARIS).open


def test_a_venue_that_never_closes_but_on_one_day_says_which_instant() -> None:
    schedule = hours(closed=("2032-07-14",))
    found = schedule.opening(local("2026-11-24T12:00"), PARIS)
    assert (found.open, found.next_change) == (True, local("2032-07-14T00:00"))
    after = schedule.opening(local("2032-07-14T00:00"), PARIS)
    assert (after.open, after.next_change) == (False, local("2032-07-15T00:00"))
    assert schedule.opening(local("2032-07-15T00:00"), PARIS).next_change is None


def test_a_season_begins_and_ends_at_the_venues_midnight() -> None:
    schedule = parse_schedule(NOIR)
    before = schedule.showing(local("2026-11-30T23:59:59", TOKYO), TOKYO)
    assert (before.programme, before.next_change) == (None, local("2026-12-01T00:00", TOKYO))
    within = schedule.showing(local("2026-12-01T00:00", TOKYO), TOKYO)
    assert within.programme is not None
    assert within.programme.slot == "noir/live"
    assert within.next_change == local("2027-02-01T00:00", TOKYO)
    after = schedule.showing(local("2027-02-01T00:00", TOKYO), TOKYO)
    assert (after.programme, after.next_change) == (None, None)


def test_the_first_row_that_holds_is_shown() -> None:
    schedule = rows(
        {"package": "noir", "days": ["fri"], "hours": [["21:00", "01:00"]]},
        {"package": "night", "hours": [["18:00", "23:00"]]},
    )
    thursday = schedule.showing(local("2026-11-26T21:30"), PARIS)
    friday = schedule.showing(local("2026-11-27T18:30"), PARIS)
    assert thursday.programme is not None
    assert thursday.programme.package == "night"
    assert friday.next_change == local("2026-11-27T21:00")
    assert schedule.showing(local("2026-11-27T21:30"), PARIS).next_change == local(
        "2026-11-28T01:00"
    )


def test_a_night_that_starts_on_the_last_day_of_a_season_is_played_to_its_end() -> None:
    schedule = rows({"package": "noir", "until": "2026-11-24", "hours": [["22:00", "03:00"]]})
    found = schedule.showing(local("2026-11-25T02:00"), PARIS)
    assert found.programme is not None
    assert found.next_change == local("2026-11-25T03:00")
    assert schedule.showing(local("2026-11-25T22:30"), PARIS).programme is None


def test_hours_that_the_clock_skips_are_the_moment_of_its_jump() -> None:
    # Paris, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant(datetime.fromisoformat("2026-03-29T02:30"), PARIS) == jump
    late = hours({"days": ["sat"], "from": "20:00", "until": "02:30"})
    assert late.opening(local("2026-03-28T20:00"), PARIS).next_change == jump
    early = hours({"days": ["sun"], "from": "02:30", "until": "05:00"})
    assert early.opening(local("2026-03-28T20:00"), PARIS).next_change == jump
    assert early.opening(jump, PARIS).open


def test_a_window_that_falls_into_the_skipped_hour_waits_a_week() -> None:
    schedule = hours({"days": ["sun"], "from": "02:10", "until": "02:50"})
    found = schedule.opening(local("2026-03-28T12:00"), PARIS)
    assert (found.open, found.next_change) == (False, local("2026-04-05T02:10"))


def test_hours_that_come_twice_are_meant_the_first_time() -> None:
    # Paris, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
    closing = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    schedule = hours({"days": ["sat"], "from": "20:00", "until": "02:30"})
    assert schedule.opening(local("2026-10-24T20:00"), PARIS).next_change == closing
    for minutes in (0, 29, 31, 59, 61, 90):
        assert not schedule.opening(closing + timedelta(minutes=minutes), PARIS).open
    whole = hours({"days": ["sun"], "from": "02:00", "until": "03:00"})
    opening = datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert whole.opening(opening, PARIS).next_change == opening + timedelta(hours=2)


def test_the_half_hour_of_lord_howe_and_the_midnight_of_sao_paulo() -> None:
    howe = ZoneInfo("Australia/Lord_Howe")
    # 5 April 2026: 02:00 becomes 01:30. Windows of the half hour that comes twice run once.
    schedule = hours({"days": ["sun"], "from": "01:30", "until": "01:45"})
    start = instant(datetime.fromisoformat("2026-04-05T01:30"), howe)
    assert schedule.opening(start, howe).next_change == start + timedelta(minutes=15)
    assert not schedule.opening(start + timedelta(minutes=31), howe).open
    # 4 November 2018 had no midnight in São Paulo: the day began at one.
    paulo = ZoneInfo("America/Sao_Paulo")
    assert instant(datetime.fromisoformat("2018-11-04"), paulo) == datetime(
        2018, 11, 4, 3, tzinfo=UTC
    )
    # 18 February 2018 came an hour after 23:59 of the 17th first passed.
    assert instant(datetime.fromisoformat("2018-02-18"), paulo) == datetime(
        2018, 2, 18, 3, tzinfo=UTC
    )


def test_a_day_is_told_from_its_first_instant_to_its_last() -> None:
    schedule = parse_schedule(
        {
            "opening": [{"days": ["sun"], "from": "10:00", "until": "19:00"}],
            "programme": [{"package": "noir", "hours": [["01:00", "10:00"], ["22:00", "02:00"]]}],
        }
    )
    day = date.fromisoformat("2026-03-29")
    found = [
        (
            span.start.astimezone(PARIS).strftime("%H:%M"),
            (span.until - span.start).total_seconds() / 3600,
            span.open,
            span.programme.package if span.programme else None,
        )
        for span in schedule.plan(day, PARIS)
    ]
    # The night of the day before goes on, and the jump makes the second stretch an hour shorter.
    assert found == [
        ("00:00", 9, False, "noir"),
        ("10:00", 9, True, None),
        ("19:00", 3, False, None),
        ("22:00", 2, False, "noir"),
    ]
    assert rows().plan(date.fromisoformat("2011-12-30"), ZoneInfo("Pacific/Apia")) == []


# -- Against a clock watched minute by minute ------------------------------------------------

_JUMPS = {
    "Europe/Paris": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "Asia/Tokyo": ("2026-11-24T01:00",),
    "America/Sao_Paulo": ("2018-11-04T03:00", "2018-02-18T02:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    "America/St_Johns": ("2006-10-29T02:31", "2006-04-02T03:31"),
    "Pacific/Apia": ("2011-12-30T10:00",),
    "Africa/Casablanca": ("2026-02-15T02:00", "2026-03-22T02:00"),
}


def _time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


# Around the hours at which clocks jump, so that chance meets them.
_minutes = st.one_of(
    st.integers(0, 23 * 60 + 59), st.sampled_from([0, 1, 30, 90, 105, 120, 150, 179, 180, 1380])
)
_windows = st.tuples(_minutes, _minutes).filter(lambda pair: pair[0] != pair[1])
_days = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True)


@st.composite
def _cases(draw: st.DrawFn) -> tuple[dict[str, Any], ZoneInfo, datetime]:
    name = draw(st.sampled_from(sorted(_JUMPS)))
    jump = datetime.fromisoformat(draw(st.sampled_from(_JUMPS[name]))).replace(tzinfo=UTC)
    begin = jump - timedelta(days=draw(st.integers(0, 2)), minutes=draw(st.integers(0, 2000)))
    near = st.integers(-4, 6).map(lambda days: (jump + timedelta(days=days)).date().isoformat())
    opening = [
        {"days": draw(_days), "from": _time(start), "until": _time(until)}
        for start, until in draw(st.lists(_windows, max_size=3))
    ]
    programme = []
    for number in range(draw(st.integers(0, 3))):
        row: dict[str, Any] = {"package": f"p{number}"}
        dates = sorted(draw(st.lists(near, min_size=2, max_size=2)))
        if draw(st.booleans()):
            row["from"] = dates[0]
        if draw(st.booleans()):
            row["until"] = dates[1]
        if draw(st.booleans()):
            row["days"] = draw(_days)
        row["hours"] = [
            [_time(start), _time(until)] for start, until in draw(st.lists(_windows, max_size=2))
        ]
        programme.append(row)
    closed = draw(st.lists(near, max_size=3))
    value = {"opening": opening, "closed": closed, "programme": programme}
    return value, ZoneInfo(name), begin


def _holds(row: dict[str, Any], day: date, closed: list[str]) -> bool:
    named = day.isoformat()
    return (
        named not in closed
        and row.get("from", "0") <= named <= row.get("until", "9")
        and WEEKDAYS[day.weekday()] in row.get("days", WEEKDAYS)
    )


def _covers(windows: list[list[str]], row: dict[str, Any], at: datetime, closed: list[str]) -> bool:
    """Whether a window of the row holds, spelled out in texts of the clock."""
    now, today = at.strftime("%H:%M"), at.date()
    yesterday = today - timedelta(days=1)
    for start, until in windows:
        if start < until:
            found = start <= now < until and _holds(row, today, closed)
        else:
            found = (start <= now and _holds(row, today, closed)) or (
                now < until and _holds(row, yesterday, closed)
            )
        if found:
            return True
    return False


def _brute(value: dict[str, Any], at: datetime) -> tuple[bool, str | None]:
    closed, opening = value["closed"], value["opening"]
    if opening:
        is_open = any(
            _covers([[row["from"], row["until"]]], row_days(row), at, closed) for row in opening
        )
    else:
        is_open = at.date().isoformat() not in closed
    for row in value["programme"]:
        if _covers(row["hours"] or [["00:00", "24:00"]], row, at, []):
            return is_open, row["package"]
    return is_open, None


def row_days(row: dict[str, Any]) -> dict[str, Any]:
    """Of opening hours only the days: their `from` is a time, not a date."""
    return {"days": row["days"]}


@given(_cases())
@settings(max_examples=60, deadline=None)
def test_the_answers_are_those_of_a_clock_watched_minute_by_minute(
    case: tuple[dict[str, Any], ZoneInfo, datetime],
) -> None:
    value, zone, begin = case
    schedule = parse_schedule(value)
    # A clock that is never put back: what it has read once has passed.
    furthest = datetime.fromisoformat("1900-01-01")
    at = begin - timedelta(hours=30)
    while at < begin:
        furthest = max(furthest, at.astimezone(zone).replace(tzinfo=None))
        at += timedelta(minutes=1)
    change = schedule.next_change(begin, zone)
    before: tuple[bool, str | None] | None = None
    for _minute in range(3 * 1440):
        furthest = max(furthest, at.astimezone(zone).replace(tzinfo=None))
        seen = _brute(value, furthest)
        if before is not None and seen != before:
            assert at == change, "something changed at another time than was announced"
        if before is None or seen != before or at == change:
            opening, showing = schedule.opening(at, zone), schedule.showing(at, zone)
            package = showing.programme.package if showing.programme else None
            assert (opening.open, package) == seen
            assert at != change or seen != before, "a change was announced that is none"
            change = schedule.next_change(at, zone)
            assert change is None or change > at
        before = seen
        at += timedelta(minutes=1)
    assert change is None or change >= at


# -- Reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "schedule: expected an object with opening, closed, programme, got []"),
        ({"hours": []}, "schedule: expected only opening, closed, programme, got 'hours'"),
        ({"opening": {}}, "opening: expected a list, got {}"),
        (
            {"opening": [{"days": ["mon"], "from": "9:00", "until": "18:00"}]},
            "opening[0].from: expected a time such as 09:00, got '9:00'",
        ),
        (
            {"opening": [{"days": ["mon"], "from": "09:00", "until": "25:00"}]},
            "opening[0].until: expected a time such as 18:00, 24:00 at most, got '25:00'",
        ),
        (
            {"opening": [{"days": ["mon"], "from": "09:00", "until": "09:00"}]},
            "opening[0].until: expected another time than the start "
            "(a whole day is 00:00 to 24:00), got '09:00'",
        ),
        (
            {"opening": [{"days": [], "from": "09:00", "until": "18:00"}]},
            "opening[0].days: expected days out of mon, tue, wed, thu, fri, sat, sun, got []",
        ),
        (
            {"opening": [{"days": ["lun"], "from": "09:00", "until": "18:00"}]},
            "opening[0].days[0]: expected one of mon, tue, wed, thu, fri, sat, sun, got 'lun'",
        ),
        (
            {"opening": [{"days": ["mon"], "from": "09:00"}]},
            "opening[0].until: expected a value, got None",
        ),
        (
            {"closed": ["2026-02-30"]},
            "closed[0]: expected a date such as 2026-12-25, got '2026-02-30'",
        ),
        ({"closed": ["20261225"]}, "closed[0]: expected a date such as 2026-12-25, got '20261225'"),
        (
            {"closed": ["2026-12-25"] * (MAX_CLOSED + 1)},
            "closed: expected at most 1000 rows, got 1001",
        ),
        (
            {"programme": [{"package": "../x"}]},
            "programme[0].package: expected a package's id, got '../x'",
        ),
        (
            {"programme": [{"package": "noir", "channel": []}]},
            "programme[0].channel: expected one of live, preview, got []",
        ),
        (
            {"programme": [{"package": "noir", "from": "2027-01-31", "until": "2026-12-01"}]},
            "programme[0].until: expected 2027-01-31 or a later date, got '2026-12-01'",
        ),
        (
            {"programme": [{"package": "noir", "hours": [["17:00"]]}]},
            "programme[0].hours[0]: expected two times such as ['17:00', '21:00'], got ['17:00']",
        ),
        (
            {"programme": [{"package": "noir", "hours": [["17:00", "21:00"], ["x", "y"]]}]},
            "programme[0].hours[1][0]: expected a time such as 09:00, got 'x'",
        ),
        (
            {"programme": [{"package": "noir", "form": "2026-12-01"}]},
            "programme[0]: expected only package, channel, from, until, days, hours, got 'form'",
        ),
    ],
)
def test_what_breaks_the_format_is_refused_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        parse_schedule(value)
    assert str(refused.value) == message


def test_a_device_reads_past_what_a_newer_server_adds() -> None:
    value = {**MUSEUM, **NOIR, "holidays": "FR"}
    assert parse_schedule(value, known_only=False) == parse_schedule({**MUSEUM, **NOIR})


@given(_cases())
@settings(max_examples=40, deadline=None)
def test_a_schedule_survives_being_written_and_read(
    case: tuple[dict[str, Any], ZoneInfo, datetime],
) -> None:
    schedule = parse_schedule(case[0])
    assert parse_schedule(schedule.to_json()) == schedule
