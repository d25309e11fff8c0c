"""A release reaches a share of the devices first, and nobody else before its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM, Grant
from content_api.database import write_session
from content_api.devices import rollouts, service
from content_api.devices.models import Device
from content_api.devices.rollout_rules import (
    Stage,
    finish,
    follow_live,
    is_among_first,
    limit_for,
    must_hold,
    place_of,
)
from content_api.problems import Conflict, PreconditionFailed
from tests.accounts.people import sign_up

from .fleet import NOW, fault, give_token, make_device, publish, report

STAGE = Stage("harbour", "live", first_share=10, base=14)


def test_the_share_is_the_one_asked_for_and_always_the_same_devices() -> None:
    stage = replace(STAGE, release=15, wave=15, share=10, state="rolling")
    names = [f"device-{number}" for number in range(5000)]
    first = {name for name in names if is_among_first(stage, name)}
    assert 0.08 < len(first) / len(names) < 0.12
    assert first == {name for name in names if is_among_first(stage, name)}
    assert first <= {name for name in names if is_among_first(replace(stage, share=30), name)}
    other = {name for name in names if is_among_first(replace(stage, wave=16), name)}
    assert len(first & other) < len(first) / 2, "not always the same ones go first"
    assert all(0 <= place_of(name, "a/live", 1) < 100 for name in names[:100])


def test_a_release_that_just_went_live_is_above_everybodys_limit_until_its_share_is_let_in() -> (
    None
):
    assert limit_for(STAGE, "wall-1") == 14, "release 15 may be live already"
    begun = follow_live(STAGE, 15)
    assert (begun.release, begun.share, begun.state, begun.wave) == (15, 10, "rolling", 15)
    limits = {limit_for(begun, f"device-{number}") for number in range(200)}
    assert limits == {14, 15}
    assert {limit_for(replace(begun, state="held"), f"d-{n}") for n in range(200)} == {14}


def test_a_mended_release_goes_to_those_that_hold_the_broken_one() -> None:
    broken = replace(follow_live(STAGE, 15), share=20)
    mended = follow_live(replace(broken, state="held"), 16)
    assert (mended.release, mended.base, mended.wave) == (16, 14, 15)
    names = [f"device-{number}" for number in range(500)]
    again = replace(mended, share=20)
    assert {n for n in names if is_among_first(again, n)} == {
        n for n in names if is_among_first(broken, n)
    }


def test_the_first_release_of_all_and_a_share_of_all_go_to_everybody() -> None:
    assert follow_live(replace(STAGE, base=None), 1).base == 1
    whole = follow_live(replace(STAGE, first_share=100), 15)
    assert (whole.base, whole.release, whole.state) == (15, None, "idle")
    assert follow_live(STAGE, 14) == follow_live(STAGE, None) == STAGE
    assert finish(follow_live(STAGE, 15)).base == 15


@pytest.mark.parametrize(
    ("updated", "troubled", "bound", "held"),
    [
        (0, 0, 0, False),
        (100, 0, 0, False),
        (100, 5, 5, False),
        (100, 6, 5, True),
        (1, 1, 5, True),
        (0, 1, 50, True),
        (10, 10, 100, False),
    ],
)
def test_more_trouble_than_the_bound_holds(
    updated: int, troubled: int, bound: int, held: bool
) -> None:
    assert must_hold(updated, troubled, bound) is held


def fleet(session: Session, count: int = 30) -> list[Device]:
    """Devices that play release 14, under a policy of 20 percent."""
    publish(session, 14)
    devices = [make_device(session, f"wall-{number}") for number in range(count)]
    for device in devices:
        service.note_heartbeat(session, device.id, report(14), NOW)
    rollouts.set_policy(session, SYSTEM, "harbour", "live", first_share=20, fault_bound=5)
    return devices


def limits(session: Session) -> dict[str, int]:
    """The newest release that each device may take."""
    session.expire_all()
    return {
        device.id: (device.release_limits or {})["harbour/live"] for device in session.query(Device)
    }


def test_nothing_leaks_between_publication_and_the_first_look(engine: Engine) -> None:
    with write_session(engine) as session:
        fleet(session)
        assert set(limits(session).values()) == {14}
    with write_session(engine) as session:
        publish(session, 15)
    with write_session(engine) as session:
        # Whoever asks now, is enrolled now or is moved here now is held back all the same.
        assert set(limits(session).values()) == {14}
        late = make_device(session, "wall-late")
        assert late.release_limits == {"harbour/live": 14}
        service.change_device(session, SYSTEM, "wall-late", {"languages": ["ja"]})
        assert late.release_limits == {"harbour/live": 14}
    assert rollouts.advance(engine, NOW) == [
        "harbour on live: release 15 goes to 20 % of the devices"
    ]
    with write_session(engine) as session:
        after = limits(session)
        assert set(after.values()) == {14, 15}
        assert 1 <= sum(limit == 15 for limit in after.values()) <= 14
    assert rollouts.advance(engine, NOW) == [], "looking again changes nothing"


def test_only_devices_whose_limit_changes_are_told(engine: Engine) -> None:
    with write_session(engine) as session:
        fleet(session)
        publish(session, 15)
    rollouts.advance(engine, NOW)
    with write_session(engine) as session:
        for device in session.query(Device):
            inside = (device.release_limits or {})["harbour/live"] == 15
            assert device.assignment_version == (3 if inside else 2), device.id


def test_a_rollout_is_raised_and_finished(engine: Engine) -> None:
    with write_session(engine) as session:
        fleet(session)
        publish(session, 15)
    rollouts.advance(engine, NOW)
    with write_session(engine) as session:
        before = {name for name, limit in limits(session).items() if limit == 15}
        rollouts.change_share(session, SYSTEM, "harbour", "live", 60)
        after = {name for name, limit in limits(session).items() if limit == 15}
        assert before < after
        rollouts.finish_rollout(session, SYSTEM, "harbour", "live")
        assert set(limits(session).values()) == {15}
        with pytest.raises(Conflict, match="No release of harbour on live"):
            rollouts.hold(session, SYSTEM, "harbour", "live")


def updated_devices(engine: Engine, **more: Any) -> list[str]:
    """Let those that may take release 15 report that they play it, with `more`; their ids."""
    with write_session(engine) as session:
        names = [name for name, limit in limits(session).items() if limit == 15]
        for name in names:
            later = NOW + timedelta(minutes=10)
            service.note_heartbeat(session, name, report(15, **more), later)
    return names


def test_faults_after_the_update_hold_the_release_and_a_person_may_go_on(engine: Engine) -> None:
    with write_session(engine) as session:
        fleet(session)
        publish(session, 15)
    rollouts.advance(engine, NOW)
    names = updated_devices(engine, faults=fault())
    done = rollouts.advance(engine, NOW)
    assert done == [f"harbour on live: release 15 is held, {len(names)} devices in trouble"]
    with write_session(engine) as session:
        rollout = rollouts.get_rollout(session, "harbour", "live")
        assert rollout.state == "held"
        assert rollout.reason is not None
        assert rollout.reason["devices"] == sorted(names)
        assert set(limits(session).values()) == {14}, "nobody else takes it"
        rollouts.resume(session, SYSTEM, "harbour", "live")
        assert rollouts.progress(session, rollout).updated == len(names)
    assert rollouts.advance(engine, NOW) == [], "what was seen counts no longer"


def test_a_fault_from_before_is_not_the_releases(engine: Engine) -> None:
    with write_session(engine) as session:
        for device in fleet(session):
            before = report(14, faults=fault())
            service.note_heartbeat(session, device.id, before, NOW + timedelta(minutes=1))
        publish(session, 15)
    rollouts.advance(engine, NOW)
    updated_devices(engine, faults=fault())
    assert rollouts.advance(engine, NOW) == []


def test_a_returned_release_holds(engine: Engine) -> None:
    with write_session(engine) as session:
        fleet(session)
        publish(session, 15)
    rollouts.advance(engine, NOW)
    with write_session(engine) as session:
        name = next(name for name, limit in limits(session).items() if limit == 15)
        back = {"package": "harbour", "release": 15, "reason": "crashes", "at": "2026-11-24"}
        service.note_heartbeat(session, name, report(14, returned=back), NOW)
    assert rollouts.advance(engine, NOW) == [
        "harbour on live: release 15 is held, 1 devices in trouble"
    ]


def test_without_a_policy_nobody_is_limited_any_more(session: Session) -> None:
    devices = fleet(session, 3)
    rollouts.remove_policy(session, SYSTEM, "harbour", "live")
    assert all(device.release_limits is None for device in devices)


def test_a_package_of_the_programme_is_limited_too(session: Session) -> None:
    publish(session, 3, "noir")
    device = make_device(session, programme=[{"package": "noir", "channel": "live"}])
    rollouts.set_policy(session, SYSTEM, "noir", "live", first_share=10, fault_bound=5)
    session.refresh(device)
    assert device.release_limits == {"noir/live": 3}
    told = service.assignment(session, device)
    assert (told["release_limit"], told["release_limits"]) == (None, {"noir/live": 3})


def test_rollouts_over_http(app: Flask, client: FlaskClient, engine: Engine) -> None:
    with write_session(engine) as session:
        make_device(session)
        publish(session, 14)
        device = give_token(session, "wall-1")
    paul = sign_up(app, "paul", Grant("publisher"))
    marie = sign_up(app, "marie", Grant("venue_manager"))
    path = "/api/v1/rollouts/harbour/live"
    policy = {"first_share": 10}
    assert client.put(path, json=policy, headers=marie).status_code == 403
    made = client.put(path, json=policy, headers=paul)
    assert (made.status_code, made.headers["ETag"]) == (200, '"p1"')
    assert client.put(path, json=policy, headers=paul).status_code == 428
    told = client.get("/api/v1/device", headers=device).get_json()["assignment"]
    assert told["release_limit"] == 14
    with write_session(engine) as session:
        publish(session, 15)
    rollouts.advance(engine, NOW)
    shown = client.get(path, headers=marie)
    assert (shown.get_json()["release"], shown.get_json()["state"]) == (15, "rolling")
    assert shown.get_json()["progress"]["devices"] == 1
    match = {**paul, "If-Match": shown.headers["ETag"]}
    held = client.put(f"{path}/hold", headers=match)
    assert held.get_json()["reason"] == {"kind": "person", "by": "paul"}
    assert client.put(f"{path}/share", json={"share": 50}, headers=match).status_code == 412
    match["If-Match"] = held.headers["ETag"]
    resumed = client.delete(f"{path}/hold", headers=match)
    match["If-Match"] = resumed.headers["ETag"]
    done = client.put(f"{path}/share", json={"share": 100}, headers=match)
    assert (done.get_json()["state"], done.get_json()["base"]) == ("idle", 15)
    told = client.get("/api/v1/device", headers=device).get_json()["assignment"]
    assert told["release_limit"] == 15
    match["If-Match"] = done.headers["ETag"]
    assert client.delete(path, headers=match).status_code == 204
    assert client.get(path, headers=marie).status_code == 404


def test_a_change_from_an_older_version_is_refused(session: Session) -> None:
    fleet(session, 1)
    with pytest.raises(PreconditionFailed, match="at version 1, not 7"):
        rollouts.remove_policy(session, SYSTEM, "harbour", "live", expected=7)
