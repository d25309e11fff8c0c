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
    for name in ("a-good", "b-bad"):
        add_device(studio, name)
    beat(studio, "a-good")
    beat(studio, "b-bad", clock={"trusted": False, "offset_seconds": None})
    page = keeper.page("/studio/venues/")
    assert page.xpath("//tbody/tr/th/a/@href") == [
        "/studio/devices/b-bad/",
        "/studio/devices/a-good/",
    ]
    assert "1 device needs a look" in page.text_content()
    assert "Its clock cannot be believed" in page.text_content()


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
        **{"reason": "crashes"},
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
