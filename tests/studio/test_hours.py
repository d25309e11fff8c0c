"""Opening hours and calendars in the studio: what is typed, what is stored, what is said."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from playwright.sync_api import Page
from werkzeug.datastructures import MultiDict

from content_api.accounts.rules import SYSTEM, Grant
from content_api.database import read_session
from content_api.devices import groups, service
from content_api.devices.assignments import assignment
from content_api.devices.models import Device, Venue
from content_api.packages.models import Package
from content_api.studio.hours.forms import (
    Fault,
    offered,
    opening_of,
    read_closed,
    read_rows,
    read_week,
    rearranged,
    runs_of,
    week_of,
)
from kiosk_client.config import parse_assignment
from kiosk_client.programme import showing, wanted_slots
from package_format.schedule import parse_schedule
from tests.studio.conftest import Live, Studio, StudioClient, Windows, axe_faults

HOURS = "/studio/venues/tokyo/hours"
CALENDAR = "/studio/devices/wall/programme"

MUSEUM = [
    {"days": ["tue", "wed", "thu", "fri"], "from": "09:00", "until": "12:30"},
    {"days": ["tue", "wed", "thu", "fri"], "from": "13:30", "until": "18:00"},
    {"days": ["sat"], "from": "20:00", "until": "02:00"},
]
SEASON = {"package": "noir", "channel": "live", "from": "2026-12-01", "until": "2027-01-31"}


@pytest.fixture
def tokyo(studio: Studio) -> Studio:
    """A venue in Tokyo with a device, and two packages."""
    with studio.write() as session:
        fill(session)
    return studio


def fill(session: Any) -> None:
    for slug, title in (("harbour", "Harbour"), ("noir", "Black")):
        session.add(Package(slug=slug, body={"title": {"en": title}, "languages": ["fr"]}))
    service.create_venue(session, SYSTEM, name="Tokyo", timezone="Asia/Tokyo", venue_id="tokyo")
    values = {"venue": "tokyo", "name": "Wall", "package": "harbour", "profile": "wall"}
    service.create_device(session, SYSTEM, {"id": "wall", "languages": ["fr"], **values})


@pytest.fixture
def keeper(tokyo: Studio) -> StudioClient:
    return tokyo.person("keeper", Grant("venue_manager"))


def venue_of(studio: Studio | Live) -> Venue:
    with read_session(studio.engine) as session:
        return session.get_one(Venue, "tokyo")


def device_of(studio: Studio | Live) -> Device:
    with read_session(studio.engine) as session:
        return session.get_one(Device, "wall")


def text_of(page: Any) -> str:
    return " ".join(page.text_content().split())


# -- What is typed ---------------------------------------------------------------------------


def test_days_that_are_alike_share_a_row_and_come_back_as_they_were() -> None:
    week = week_of(MUSEUM)
    assert week[0] == []
    assert week[1] == [("09:00", "12:30"), ("13:30", "18:00")]
    assert opening_of(week) == MUSEUM
    assert week_of(None) == [[], [], [], [], [], [], []]


def test_a_form_offers_the_hours_there_are_and_room_for_one_more() -> None:
    assert offered([]) == [("", ""), ("", "")]
    assert offered([("09:00", "24:00")]) == [("09:00", "00:00"), ("", "")]
    assert offered([("09:00", "12:00"), ("13:00", "18:00")])[2] == ("", "")


def test_midnight_ends_a_day_and_hours_half_typed_are_kept_and_told() -> None:
    form = MultiDict(
        {
            "from-0-0": "00:00",
            "until-0-0": "00:00",
            "from-1-1": "09:00:00",
            "until-1-1": "18:00:00",
            "from-2-0": "09:00",
            "from-3-0": "10:00",
            "until-3-0": "10:00",
            "from-4-0": "ten",
            "until-4-0": "11:00",
        }
    )
    week, faults = read_week(form)
    assert week[0] == [("00:00", "24:00")]
    assert week[1] == [("09:00", "18:00")]
    assert week[2] == [("09:00", "")]
    assert faults == [Fault(2, "half"), Fault(3, "same"), Fault(4, "hour")]
    parse_schedule({"opening": opening_of(week[:2] + [[]] * 5)})


@pytest.mark.parametrize(
    ("typed", "days", "fault"),
    [
        ({"closed-first": "2026-12-25"}, ["2026-12-25"], ""),
        ({"closed-first": "2026-12-30", "closed-last": "2027-01-01"}, 3, ""),
        ({"closed": "2026-12-24/2026-12-26"}, 3, ""),
        ({"closed": "2026-11-20/2026-11-25"}, ["2026-11-24", "2026-11-25"], ""),
        ({"closed-last": "2026-12-25"}, [], "date"),
        ({"closed-first": "2026-12-25", "closed-last": "2026-12-24"}, [], "order"),
        ({"closed-first": "2027-01-01", "closed-last": "2029-01-01"}, [], "many"),
        ({"closed": "x/y"}, [], ""),
    ],
)
def test_closed_days_come_in_stretches_and_past_ones_go(
    typed: dict[str, str], days: Any, fault: str
) -> None:
    found, word = read_closed(MultiDict(typed), date.fromisoformat("2026-11-24"))
    assert word == fault
    assert (len(found) if isinstance(days, int) else found) == days


def test_stretches_of_closed_days() -> None:
    days = ["2026-12-31", "2027-01-01", "2026-12-25"]
    assert runs_of(days) == [("2026-12-25", "2026-12-25"), ("2026-12-31", "2027-01-01")]


def test_rows_are_read_checked_and_put_in_another_order() -> None:
    form = MultiDict(
        [
            ("rows", "2"),
            ("package-0", "noir"),
            ("first-0", "2026-12-01"),
            ("last-0", "2026-11-01"),
            ("package-1", ""),
            ("days-1", "sat"),
            ("days-1", "fri"),
            ("days-1", "x"),
            ("from-1-0", "22:00"),
            ("until-1-0", "02:00"),
        ]
    )
    rows, faults = read_rows(form)
    assert faults == [Fault(0, "order"), Fault(1, "package")]
    assert rows[1].days == ("fri", "sat")
    assert rows[1].hours == (("22:00", "02:00"),)
    assert rearranged(rows, "up-1") == [rows[1], rows[0]]
    assert rearranged(rows, "down-0") == [rows[1], rows[0]]
    assert rearranged(rows, "up-0") == rows
    assert rearranged(rows, "remove-0") == [rows[1]]
    assert len(rearranged(rows, "add") or ()) == 3
    for do in ("save", "up-9", "up-x", "remove-", "fly-1", ""):
        assert rearranged(rows, do) is None


# -- Opening hours ---------------------------------------------------------------------------


def week_form(**more: str) -> dict[str, str]:
    form = {"always": ""}
    for day in (1, 2, 3, 4):
        form |= {f"from-{day}-0": "09:00", f"until-{day}-0": "12:30"}
        form |= {f"from-{day}-1": "13:30", f"until-{day}-1": "18:00"}
    form |= {"from-5-0": "20:00", "until-5-0": "02:00"}
    return {**form, **more}


def test_hours_are_stored_as_a_schedule_and_the_devices_are_told(
    tokyo: Studio, keeper: StudioClient
) -> None:
    before = device_of(tokyo).assignment_version
    answer = keeper.post(HOURS, data=week_form(**{"closed-first": "2199-12-25"}))
    assert (answer.status_code, answer.headers["Location"]) == (303, HOURS)
    venue = venue_of(tokyo)
    assert (venue.opening, venue.closed) == (MUSEUM, ["2199-12-25"])
    with read_session(tokyo.engine) as session:
        told = assignment(session, session.get_one(Device, "wall"))
    assert told["schedule"] == {"opening": MUSEUM, "closed": ["2199-12-25"]}
    assert told["version"] == before + 1
    keeper.post(HOURS, data=week_form(closed="2199-12-25/2199-12-25"))
    assert device_of(tokyo).assignment_version == before + 1


def test_the_page_tells_a_day_as_the_devices_reckon_it(tokyo: Studio, keeper: StudioClient) -> None:
    keeper.post(HOURS, data=week_form())
    said = text_of(keeper.page(f"{HOURS}?on=2026-11-29").xpath('//*[@id="day"]')[0])
    assert "Sunday, November 29, 2026" in said
    assert "12:00 AM – 2:00 AM" in said.replace("\u202f", " ")
    assert said.count("closed") == 1
    for odd in ("1999-01-01", "2026-02-30", "x", "9999-12-31"):
        assert keeper.get(f"{HOURS}?on={odd}").status_code == 200


def test_the_venues_page_says_the_week_in_words(tokyo: Studio, keeper: StudioClient) -> None:
    assert "Always open." in text_of(keeper.page("/studio/venues/tokyo/"))
    keeper.post(HOURS, data=week_form())
    said = text_of(keeper.page("/studio/venues/tokyo/").xpath('//*[@id="hours"]')[0])
    assert "Tuesday to Friday" in said
    assert "the next day" in said
    assert "Monday, Sunday" in said


def test_mistakes_keep_what_was_typed_and_store_nothing(
    tokyo: Studio, keeper: StudioClient
) -> None:
    answer = keeper.post(HOURS, data=week_form(**{"until-2-1": "", "closed-first": "2199-12-25"}))
    assert answer.status_code == 422
    assert "Give both hours, or neither." in answer.text
    assert 'name="from-2-1" value="13:30"' in answer.text
    assert venue_of(tokyo).opening is None
    none = keeper.post(HOURS, data={"always": ""})
    assert none.status_code == 422
    assert "Give at least one day its hours" in none.text


def test_always_open_again_leaves_the_closed_days(tokyo: Studio, keeper: StudioClient) -> None:
    keeper.post(HOURS, data=week_form(**{"closed-first": "2199-12-25"}))
    keeper.post(HOURS, data=week_form(always="1", closed="2199-12-25/2199-12-25"))
    assert (venue_of(tokyo).opening, venue_of(tokyo).closed) == (None, ["2199-12-25"])


# -- Calendars -------------------------------------------------------------------------------


def calendar_form(version: int, *rows: dict[str, str], do: str = "save") -> dict[str, Any]:
    form = {"version": str(version), "rows": str(len(rows)), "do": do}
    for number, row in enumerate(rows):
        form |= {f"{name}-{number}": value for name, value in row.items() if "-" not in name}
        for name, value in row.items():
            if "-" in name:
                start, rest = name.split("-", 1)
                form[f"{start}-{number}-{rest}"] = value
    return form


NOIR = {"package": "noir", "channel": "live", "first": "2026-12-01", "last": "2027-01-31"}
NIGHT = {
    "package": "harbour",
    "channel": "live",
    "days": "fri",
    "from-0": "22:00",
    "until-0": "02:00",
}


def test_a_season_is_planned_and_the_device_is_told(tokyo: Studio, keeper: StudioClient) -> None:
    version = device_of(tokyo).assignment_version
    answer = keeper.post(CALENDAR, data=calendar_form(version, NOIR, NIGHT))
    assert (answer.status_code, answer.headers["Location"]) == (303, CALENDAR)
    night = {
        "package": "harbour",
        "channel": "live",
        "days": ["fri"],
        "hours": [["22:00", "02:00"]],
    }
    assert device_of(tokyo).programme == [SEASON, night]
    with read_session(tokyo.engine) as session:
        told = parse_assignment(assignment(session, session.get_one(Device, "wall")))
    assert told is not None
    assert [one.slot for one in wanted_slots(told)] == ["harbour/live", "noir/live"]
    evening = datetime(2026, 12, 1, 3, tzinfo=UTC)
    assert showing(told, evening, True, ["harbour/live", "noir/live"]) == "noir/live"
    said = text_of(keeper.page(f"{CALENDAR}?on=2026-12-01").xpath('//*[@id="day"]')[0])
    assert "Black" in said
    assert "Harbour" not in said
    page = text_of(keeper.page("/studio/devices/wall/").xpath('//*[@id="programme"]')[0])
    assert "Dec 1, 2026 – Jan 31, 2027" in page
    assert "Friday · 10:00" in page
    # All rows taken out: as if there had never been any.
    keeper.post(CALENDAR, data=calendar_form(version + 1))
    assert device_of(tokyo).programme is None


def test_buttons_move_rows_and_store_nothing(tokyo: Studio, keeper: StudioClient) -> None:
    version = device_of(tokyo).assignment_version
    answer = keeper.post(CALENDAR, data=calendar_form(version, NOIR, NIGHT, do="up-1"))
    assert answer.status_code == 200
    assert "Not saved yet." in answer.text
    assert answer.text.index('value="harbour" selected') < answer.text.index(
        'value="noir" selected'
    )
    assert device_of(tokyo).programme is None
    more = keeper.post(CALENDAR, data=calendar_form(version, do="add"))
    assert 'name="rows" value="1"' in more.text


def test_two_people_do_not_overwrite_each_other(tokyo: Studio, keeper: StudioClient) -> None:
    version = device_of(tokyo).assignment_version
    keeper.post(CALENDAR, data=calendar_form(version, NOIR))
    late = keeper.post(CALENDAR, data=calendar_form(version, NIGHT))
    assert late.status_code == 412
    assert device_of(tokyo).programme == [SEASON]
    assert keeper.post(CALENDAR, data={"rows": "0", "do": "save"}).status_code == 422


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**NOIR, "package": ""}, "Choose a package."),
        ({**NOIR, "last": "2026-01-01"}, "The last day is before the first."),
        ({**NOIR, "first": "soon"}, "Give dates such as 2026-12-25."),
        ({**NOIR, "from-0": "22:00"}, "Give both hours, or neither."),
        ({**NOIR, "package": "../x"}, "Choose one of the list."),
        ({**NOIR, "channel": "night"}, "Choose one of the list."),
    ],
)
def test_a_row_that_cannot_be_is_told_and_kept(
    tokyo: Studio, keeper: StudioClient, row: dict[str, str], said: str
) -> None:
    version = device_of(tokyo).assignment_version
    answer = keeper.post(CALENDAR, data=calendar_form(version, row))
    assert answer.status_code == 422
    assert said in answer.text
    assert device_of(tokyo).programme is None


def test_a_group_plans_for_its_devices_and_one_may_differ(
    tokyo: Studio, keeper: StudioClient
) -> None:
    with tokyo.write() as session:
        group = groups.create_group(session, SYSTEM, {"name": "Halls", "id": "halls"})
        group_version = group.version
        service.change_device(session, SYSTEM, "wall", {"group": "halls"})
    path = "/studio/groups/halls/programme"
    assert keeper.post(path, data=calendar_form(group_version, NOIR)).status_code == 303
    assert device_of(tokyo).programme == [SEASON]
    assert "Black" in text_of(keeper.page("/studio/groups/halls/").xpath('//*[@id="programme"]')[0])
    page = text_of(keeper.page(CALENDAR))
    assert "This comes from the group Halls." in page
    version = device_of(tokyo).assignment_version
    keeper.post(CALENDAR, data=calendar_form(version))
    assert device_of(tokyo).programme in (None, [])
    assert "This comes from the group" not in text_of(keeper.page(CALENDAR))


def test_readers_see_hours_and_calendars_and_change_none(
    tokyo: Studio, keeper: StudioClient
) -> None:
    keeper.post(HOURS, data=week_form())
    reader = tokyo.person("rosa", Grant("editor"))
    for path in (HOURS, CALENDAR):
        page = reader.get(path)
        if page.status_code == 200:
            assert 'method="post" action="/studio/venues' not in page.text
        assert reader.post(path, data={}).status_code == 403


# -- In a browser ----------------------------------------------------------------------------


def test_a_season_is_planned_by_keyboard(live: Live, windows: Windows) -> None:
    with live.write() as session:
        fill(session)
    person = live.person("kim", Grant("venue_manager"))
    page = windows.open(live, person, CALENDAR)
    page.get_by_role("button", name="Add a row").press("Enter")
    page.locator("text=Not saved yet.").wait_for()
    page.get_by_label("Package").select_option("noir")
    page.get_by_label("From", exact=True).fill("2026-12-01")
    page.get_by_label("To the end of").fill("2027-01-31")
    page.get_by_label("Hours of row 1, from").first.fill("17:00")
    page.get_by_label("Hours of row 1, to").first.fill("21:00")
    assert axe_faults(page) == []
    press_save(page)
    assert device_of(live).programme == [{**SEASON, "hours": [["17:00", "21:00"]]}]
    windows.visit(page, f"{live.url}{HOURS}")
    page.get_by_label("By these hours:").check()
    page.get_by_label("Monday, from").first.fill("09:00")
    page.get_by_label("Monday, to").first.fill("18:00")
    assert axe_faults(page) == []
    press_save(page)
    assert venue_of(live).opening == [{"days": ["mon"], "from": "09:00", "until": "18:00"}]
    assert windows.faults == []


def press_save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    page.locator("text=at their next update").wait_for()
