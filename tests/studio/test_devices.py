"""Venues and devices in the studio."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from lxml import html
from sqlalchemy import select

from content_api.accounts.rules import SYSTEM, Grant
from content_api.database import utc_now
from content_api.devices import service
from content_api.devices.models import Device, Venue
from content_api.devices.status import Point
from content_api.messages import use_language
from content_api.packages.models import Package, Release
from content_api.studio.devices import words
from tests.devices.test_status import report
from tests.studio.conftest import Studio, StudioClient, count_queries

DEVICE = {
    "name": "Entrance",
    "package": "harbour",
    "channel": "live",
    "profile": "tablet",
    "some_languages": "",
}

FAILING = {"free": 10**10, "reserve": 2**28, "verdict": "failing", "read_only": False}


@pytest.fixture
def keeper(studio: Studio) -> StudioClient:
    """Somebody who looks after venues, with a venue and a package that is live."""
    with studio.write() as session:
        service.create_venue(session, SYSTEM, name="Tokyo", timezone="Asia/Tokyo", venue_id="tokyo")
        session.add(
            Package(slug="harbour", body={"title": {"en": "Harbour"}, "languages": ["fr", "ja"]})
        )
        session.flush()
        session.add(
            Release(package="harbour", number=14, state="live", created_by="x", channel="live")
        )
    return studio.person("keeper", Grant("venue_manager"))


def add_device(studio: Studio, device_id: str = "wall", **values: Any) -> None:
    """A device of the venue in Tokyo that was enrolled a month ago."""
    with studio.write() as session:
        device = service.create_device(
            session,
            SYSTEM,
            {
                "id": device_id,
                "name": device_id,
                "venue": "tokyo",
                "package": "harbour",
                "profile": "wall",
                "languages": ["ja"],
                **values,
            },
        )
        device.enrolled_at = device.last_seen_at = utc_now() - timedelta(days=30)


def beat(studio: Studio, device_id: str, ago: timedelta = timedelta(0), **more: Any) -> None:
    """A report of a device."""
    with studio.write() as session:
        body = report(client="0.1.0", **more)
        service.note_heartbeat(session, device_id, body, utc_now() - ago)


def names_of(page: Any) -> list[str]:
    """The devices of a list, as shown."""
    return [href.split("/")[3] for href in page.xpath("//table//tbody/tr/th/a[1]/@href")]


def counts_of(page: Any) -> dict[str, int]:
    """How many devices a page says are in each state."""
    return {
        link.xpath("string(span)"): int(link.xpath("string(strong)"))
        for link in page.xpath("//nav[contains(@class, 'device-counts')]//a")
    }


def test_a_venue_and_a_device_are_added_and_enrolled(studio: Studio, keeper: StudioClient) -> None:
    answer = keeper.post("/studio/venues/", data={"name": "Lewarde", "timezone": "Europe/Paris"})
    assert answer.headers["Location"] == "/studio/venues/lewarde/"
    made = keeper.post("/studio/venues/lewarde/new-device", data=DEVICE)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    page = html.fromstring(made.text)
    code = page.xpath("string(//*[@id='enrolment-code'])")
    command = page.xpath("string(//*[@id='enrolment-command']/@value)")
    assert command == f"kiosk-client enrol http://localhost/ {code}"
    assert page.xpath("//img[starts-with(@src, 'data:image/svg+xml')]/@alt")
    with studio.write() as session:
        device, _token = service.enrol_device(session, code, utc_now(), client="0.1.0")
        assert (device.venue, device.languages) == ("lewarde", ["fr", "ja"])
    assert code not in keeper.get(f"/studio/devices/{device.id}/").text


def test_a_new_code_ends_the_older(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio)
    codes = [
        html.fromstring(keeper.post("/studio/devices/wall/invite").text).xpath(
            "string(//*[@id='enrolment-code'])"
        )
        for _ in range(2)
    ]
    with studio.write() as session, pytest.raises(service.CodeInvalid):
        service.enrol_device(session, codes[0], utc_now(), client="x")
    with studio.write() as session:
        assert service.enrol_device(session, codes[1], utc_now(), client="x")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"package": "no-such"}, "package"),
        ({"channel": "dead"}, "channel"),
        ({"settings": "{"}, "settings"),
        ({"settings": "[1]"}, "settings"),
    ],
)
def test_what_is_wrong_with_a_device_is_said_beside_the_field(
    studio: Studio, keeper: StudioClient, change: dict[str, str], field: str
) -> None:
    answer = keeper.post("/studio/venues/tokyo/new-device", data={**DEVICE, **change})
    assert answer.status_code == 422
    page = html.fromstring(answer.text)
    assert page.xpath(f"//*[@id='field-{field}']/@aria-invalid") == ["true"]
    with studio.write() as session:
        assert session.scalars(select(Device)).all() == []


@pytest.mark.parametrize("path", ["/studio/venues/", "/studio/venues/tokyo/"])
def test_a_venue_needs_a_name_and_a_zone_there_is(
    studio: Studio, keeper: StudioClient, path: str
) -> None:
    answer = keeper.post(path, data={"name": " ", "timezone": "Mars/Olympus"})
    assert answer.status_code == 422
    page = html.fromstring(answer.text)
    assert page.xpath("//*[@id='field-name']/@aria-invalid") == ["true"]
    assert page.xpath("//*[@id='field-timezone']/@aria-invalid") == ["true"]
    with studio.write() as session:
        assert [venue.name for venue in session.scalars(select(Venue))] == ["Tokyo"]


def test_a_device_moves_and_is_told_something_else(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio)
    keeper.post("/studio/venues/", data={"name": "Lewarde", "timezone": "Europe/Paris"})
    page = keeper.page("/studio/devices/wall/")
    version = page.xpath("string(//input[@name='version']/@value)")
    data = {**DEVICE, "venue": "lewarde", "version": version, "some_languages": "1"}
    data |= {"languages": "fr", "settings": '{"idle_seconds": 60}'}
    assert keeper.post("/studio/devices/wall/", data=data).status_code == 303
    with studio.write() as session:
        device = session.get_one(Device, "wall")
        assert (device.venue, device.name, device.languages) == ("lewarde", "Entrance", ["fr"])
        assert device.settings == {"idle_seconds": 60}
        assert device.assignment_version == int(version) + 1
    late = keeper.post("/studio/devices/wall/", data={**data, "name": "Mine"})
    assert late.status_code == 412
    assert "meanwhile" in late.text
    assert html.fromstring(late.text).xpath("string(//*[@id='field-name']/@value)") == "Mine"


def test_a_venue_that_is_not_there_is_refused(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio)
    data = {**DEVICE, "venue": "nowhere", "version": "1"}
    assert keeper.post("/studio/devices/wall/", data=data).status_code == 422
    with studio.write() as session:
        assert session.get_one(Device, "wall").venue == "tokyo"


def test_a_revoked_device_is_shut_out(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio)
    assert keeper.post("/studio/devices/wall/revoke").status_code == 303
    assert "Revoked on" in keeper.page("/studio/devices/wall/").text_content()


def test_problems_come_first(studio: Studio, keeper: StudioClient) -> None:
    for name in ("a-good", "b-bad", "c-late"):
        add_device(studio, name)
    beat(studio, "a-good")
    beat(studio, "b-bad", disk=FAILING)
    page = keeper.page("/studio/venues/")
    assert names_of(page) == ["b-bad", "c-late", "a-good"]
    said = page.text_content()
    assert "Its disk is failing" in said
    assert "somebody should go and look" in said
    assert counts_of(page) == {
        **{"All devices": 3, "Need a look": 2, "Online": 2},
        **{"Silent, expected to play": 0, "Overdue": 1, "Unknown": 0},
    }


def test_devices_are_found_by_venue_group_state_package_and_name(
    studio: Studio, keeper: StudioClient
) -> None:
    with studio.write() as session:
        service.create_venue(
            session, SYSTEM, name="Lewarde", timezone="Europe/Paris", venue_id="lewarde"
        )
    add_device(studio, "wall-100", name="wall-100%")
    for address in (
        "?venue=tokyo",
        "?state=overdue",
        "?package=harbour",
        "?words=L-100%25",
        "?words=wall&state=overdue&venue=tokyo",
    ):
        assert names_of(keeper.page(f"/studio/venues/{address}")) == ["wall-100"], address
    for address in (
        "?venue=lewarde",
        "?venue=no-such",
        "?state=online",
        "?group=no-such",
        "?package=noir",
        "?words=100_",
    ):
        page = keeper.page(f"/studio/venues/{address}")
        assert names_of(page) == [], address
        assert "No device fits" in page.text_content()


def test_a_state_that_is_none_and_a_place_that_is_none_are_left_out(
    studio: Studio, keeper: StudioClient
) -> None:
    add_device(studio)
    for address in ("?state=sad", "?after=x", "?after=[1]", "?after=[1,2,3]", "?after=null"):
        assert names_of(keeper.page(f"/studio/venues/{address}")) == ["wall"], address


def test_many_devices_come_in_pages(studio: Studio, keeper: StudioClient) -> None:
    with studio.write() as session:
        for number in range(120):
            session.add(
                Device(
                    id=f"d-{number:03}",
                    name="Screen" if number % 2 else f"Screen {number:03}",
                    venue="tokyo",
                    package="harbour",
                    profile="wall",
                    languages=["ja"],
                    enrolled_at=utc_now(),
                    last_seen_at=utc_now() - timedelta(days=20 if number < 55 else 1),
                )
            )
    for start in ("/studio/venues/", "/studio/venues/?words=screen", "/studio/venues/tokyo/"):
        seen: list[str] = []
        address = start
        for _ in range(4):
            page = keeper.page(address)
            seen += page.xpath("//tbody/tr/th/a[1]/@href")
            following = page.xpath("//a[@rel='next']/@href")
            if not following:
                break
            address = following[0]
        assert len(seen) == len(set(seen)) == 120, start
        late = [int(href.split("-")[1].strip("/")) < 55 for href in seen]
        assert late == sorted(late, reverse=True), start


def test_venues_tell_how_their_devices_stand(studio: Studio, keeper: StudioClient) -> None:
    empty = keeper.page("/studio/venues/")
    assert "No device yet." in empty.text_content()
    add_device(studio)
    page = keeper.page("/studio/venues/?view=venues")
    row = page.xpath("//tbody/tr")[0].text_content()
    assert "Tokyo" in row
    assert "1 device" in row
    assert "1 needs a look" in row


def test_a_device_says_since_when_it_plays_a_release(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio)
    beat(studio, "wall", timedelta(days=2), active=None, complete=None)
    beat(studio, "wall", timedelta(hours=30))
    beat(studio, "wall")
    with studio.write() as session:
        since = session.get_one(Device, "wall").playing_since
    assert since is not None
    assert timedelta(hours=29) < utc_now() - since < timedelta(hours=31)
    assert "Plays release 14 since" in keeper.page("/studio/devices/wall/").text_content()


def test_a_report_keeps_what_is_on_its_way(studio: Studio) -> None:
    from content_api.devices.schemas import HeartbeatSchema

    coming = {"package": "harbour", "release": 15, "missing_bytes": 38, "total_bytes": 100}
    body = {"at": "2026-11-24T10:00:00Z", "client": "0.1.0", "coming": {**coming, "new": 1}}
    assert HeartbeatSchema().load(body)["coming"] == coming


def test_hours_are_those_of_the_venue(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio)
    beat(studio, "wall")
    with studio.write() as session:
        at = utc_now().replace(year=2026, month=3, day=1, hour=23, minute=30)
        session.get_one(Device, "wall").last_seen_at = at
    assert "2 March 2026" in keeper.page("/studio/devices/wall/").text_content() or (
        "Mar 2, 2026" in keeper.page("/studio/devices/wall/").text_content()
    )


def test_lists_ask_no_more_for_more_devices(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio, "first")
    for path in ("/studio/venues/", "/studio/venues/tokyo/"):
        keeper.get(path)
    with count_queries(studio.engine) as few:
        keeper.get("/studio/venues/")
        keeper.get("/studio/venues/tokyo/")
    for number in range(12):
        add_device(studio, f"device-{number}")
        beat(studio, f"device-{number}")
    with count_queries(studio.engine) as many:
        keeper.get("/studio/venues/")
        keeper.get("/studio/venues/tokyo/")
    assert len(many) == len(few)


def test_who_only_reads_devices_sees_no_forms(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio)
    beat(studio, "wall")
    reader = studio.person("publisher", Grant("publisher"))
    page = reader.page("/studio/devices/wall/")
    assert page.xpath("//main//form") == []
    assert reader.post("/studio/devices/wall/revoke").status_code == 403


@pytest.mark.parametrize("language", ["en", "fr", "ja"])
def test_every_point_has_a_sentence(studio: Studio, language: str) -> None:
    now = utc_now()
    values = {
        **{"at": now, "until": now, "since": now - timedelta(days=1), "span": timedelta(hours=3)},
        **{"release": 14, "package": "a", "assigned": "b", "share": 0.62, "bytes": 5, "free": 5},
        **{"minutes": 6, "code": "no-network", "message": "x", "errors": 3, "restarts": 2},
        **{"reason": "page-crashed"},
    }
    with studio.app.test_request_context("/studio/venues/"), use_language(language):
        for word in words._SENTENCES:
            said = words.sentence(Point(word, "info", values), now)
            assert said, word
            assert "%" not in said.replace("62%", "").replace("62\u202f%", "").replace(
                "62\u00a0%", ""
            ), said
            if word != "gap":
                assert words.short_state((Point(word, "info"),)) != word or language == "en", word
