"""A device in a group takes what the group names, unless it says it itself."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM, Grant
from content_api.devices import groups, service
from content_api.devices.assignments import assignment, inherit, merge_settings, slots_of
from content_api.problems import Conflict, NotFound, PreconditionFailed, Refused
from tests.accounts.people import sign_up

from .fleet import make_device, make_venue

DEVICE = {"package": "a", "channel": "live", "profile": "wall", "languages": ["fr"]}
GROUP = {"package": "b", "channel": None, "profile": None, "languages": ["ja", "en"]}


@pytest.mark.parametrize(
    ("own", "package", "languages"),
    [([], "b", ["ja", "en"]), (["package"], "a", ["ja", "en"]), (["languages"], "b", ["fr"])],
)
def test_what_the_group_names_wins_unless_it_is_the_devices_own(
    own: list[str], package: str, languages: list[str]
) -> None:
    values, said = {**DEVICE, "programme": None}, {**GROUP, "programme": None}
    found = inherit(values, said, own)
    assert (found["package"], found["languages"]) == (package, languages)
    assert found["channel"] == "live", "the group does not name it"


def test_without_a_group_a_device_says_all_itself() -> None:
    values = {**DEVICE, "programme": None}
    assert inherit(values, None, []) == values


def test_settings_are_merged_key_by_key() -> None:
    assert merge_settings({"dim": True, "relay": True}, {"relay": False}) == {
        "dim": True,
        "relay": False,
    }


def test_a_device_holds_its_package_and_those_of_its_programme() -> None:
    programme = [{"package": "noir", "channel": "preview"}, {"package": "a"}]
    assert slots_of("a", "live", programme) == {"a/live", "noir/preview"}


def test_a_change_of_a_group_reaches_its_devices_and_nobody_else(session: Session) -> None:
    groups.create_group(session, SYSTEM, {"name": "Walls", "package": "harbour"})
    inside = make_device(session, "wall-1", group="walls", package="harbour")
    outside = make_device(session, "wall-2")
    inside.own = []
    groups.change_group(session, SYSTEM, "walls", {"package": "noir", "settings": {"dim": True}})
    assert (inside.package, inside.assignment_version) == ("noir", 2)
    assert assignment(session, inside)["settings"] == {"dim": True}
    assert (outside.package, outside.assignment_version) == ("harbour", 1)


def test_what_changes_nothing_for_a_device_tells_it_nothing(session: Session) -> None:
    groups.create_group(session, SYSTEM, {"name": "Walls"})
    device = make_device(session, group="walls", package="noir")
    groups.change_group(session, SYSTEM, "walls", {"package": "noir", "name": "All walls"})
    assert device.assignment_version == 1


def test_a_field_changed_on_the_device_becomes_its_own_until_it_is_given_back(
    session: Session,
) -> None:
    groups.create_group(session, SYSTEM, {"name": "Walls", "package": "harbour"})
    make_device(session, group="walls")
    service.change_device(session, SYSTEM, "wall-1", {"own": []})
    device = service.change_device(session, SYSTEM, "wall-1", {"package": "noir"})
    assert device.own == ["package"]
    groups.change_group(session, SYSTEM, "walls", {"package": "season"})
    assert device.package == "noir"
    service.change_device(session, SYSTEM, "wall-1", {"own": []})
    assert device.package == "season"


def test_joining_takes_and_leaving_keeps(session: Session) -> None:
    groups.create_group(
        session, SYSTEM, {"name": "Walls", "package": "noir", "settings": {"dim": True}}
    )
    device = make_device(session)
    service.change_device(session, SYSTEM, "wall-1", {"group": "walls"})
    assert (device.package, device.own) == ("noir", None)
    service.change_device(session, SYSTEM, "wall-1", {"group": None})
    told = assignment(session, device)
    assert (told["package"], told["settings"]) == ("noir", {"dim": True})


def test_a_removed_group_leaves_its_devices_as_they_were_told(session: Session) -> None:
    groups.create_group(
        session, SYSTEM, {"name": "Walls", "package": "noir", "settings": {"dim": True}}
    )
    device = make_device(session, group="walls")
    before = assignment(session, device)
    groups.delete_group(session, SYSTEM, "walls")
    assert device.group is None
    assert assignment(session, device) == before


def test_a_device_may_leave_package_and_profile_to_its_group_alone(session: Session) -> None:
    make_venue(session)
    groups.create_group(
        session,
        SYSTEM,
        {"name": "Walls", "package": "noir", "profile": "wall", "languages": ["fr"]},
    )
    values = {"venue": "port", "name": "Wall", "group": "walls"}
    device = service.create_device(session, SYSTEM, values)
    assert (device.package, device.profile, device.own) == ("noir", "wall", [])
    groups.create_group(session, SYSTEM, {"name": "Empty"})
    with pytest.raises(Refused, match="package: expected one"):
        service.create_device(session, SYSTEM, {**values, "group": "empty"})
    with pytest.raises(NotFound, match="no group 'gone'"):
        service.create_device(session, SYSTEM, {**values, "group": "gone"})


def test_a_change_from_an_older_version_is_refused(session: Session) -> None:
    groups.create_group(session, SYSTEM, {"name": "Walls"})
    groups.change_group(session, SYSTEM, "walls", {"package": "noir"}, expected=1)
    with pytest.raises(PreconditionFailed, match="at version 2, not 1"):
        groups.change_group(session, SYSTEM, "walls", {"package": "x"}, expected=1)
    with pytest.raises(Conflict, match="a group walls already"):
        groups.create_group(session, SYSTEM, {"id": "walls", "name": "Other"})


def test_groups_over_http(app: Flask, client: FlaskClient) -> None:
    headers = sign_up(app, "marie", Grant("venue_manager"))

    def send(method: str, path: str, body: Any = None, **more: str) -> Any:
        return client.open(f"/api/v1/{path}", method=method, json=body, headers={**headers, **more})

    made = send("POST", "device-groups", {"name": "Walls", "package": "noir", "profile": "wall"})
    assert (made.status_code, made.headers["ETag"]) == (201, '"g1"')
    assert send("PATCH", "device-groups/walls", {"package": "x"}).status_code == 428
    changed = send("PATCH", "device-groups/walls", {"channel": "preview"}, **{"If-Match": '"g1"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"g2"')
    stale = send("PATCH", "device-groups/walls", {"channel": None}, **{"If-Match": '"g1"'})
    assert stale.status_code == 412
    listed = send("GET", "device-groups").get_json()["items"]
    assert [(row["id"], row["channel"]) for row in listed] == [("walls", "preview")]
    wrong = {"settings": {"technician_pin": "1234"}}
    refused = send("PATCH", "device-groups/walls", wrong, **{"If-Match": '"g2"'})
    assert refused.status_code == 422
    assert "never the PIN" in refused.text
    assert send("DELETE", "device-groups/walls", **{"If-Match": '"g2"'}).status_code == 204
    assert send("GET", "device-groups/walls").status_code == 404
