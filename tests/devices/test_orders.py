"""An order is told once it is asked for, done once, and never after its time."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from content_api.accounts.rules import SYSTEM, Grant
from content_api.database import utc_now, write_session
from content_api.devices import enrolment, orders, screenshots, service
from content_api.devices.fleet_models import NEXT_ORDER_STATES, Order
from content_api.devices.models import Device
from content_api.problems import Conflict, NotFound, Refused
from content_api.settings import Settings
from tests.accounts.people import enrolled_device, sign_up

from .fleet import make_device, report


@pytest.fixture
def device(app: Flask) -> dict[str, str]:
    """Headers of the device `wall-1`."""
    return enrolled_device(app)


@pytest.fixture
def marie(app: Flask) -> dict[str, str]:
    """Headers of somebody who looks after devices."""
    return sign_up(app, "marie", Grant("venue_manager"))


def give(client: FlaskClient, headers: dict[str, str], kind: str, **more: Any) -> Any:
    """What the server answers to an order for wall-1."""
    body = {"kind": kind, **({"device": "wall-1"} if not more else {}), **more}
    return client.post("/api/v1/device-orders", json=body, headers=headers)


def beat(client: FlaskClient, device: dict[str, str]) -> list[dict[str, Any]]:
    """The orders in the answer to a heartbeat."""
    answer = client.post("/api/v1/device/heartbeats", json=report(), headers=device)
    assert answer.status_code == 202
    found: list[dict[str, Any]] = answer.get_json()["orders"]
    return found


def acknowledge(client: FlaskClient, device: dict[str, str], number: int, state: str) -> Any:
    """What the server answers to an acknowledgement."""
    path = f"/api/v1/device/orders/{number}/acknowledgement"
    return client.post(path, json={"state": state, "message": "as told"}, headers=device)


def test_an_order_goes_its_way(
    client: FlaskClient, device: dict[str, str], marie: dict[str, str]
) -> None:
    assert beat(client, device) == []
    given = give(client, marie, "sync")
    assert given.status_code == 201
    number = given.get_json()["items"][0]["id"]
    told = [{"id": number, "kind": "sync", "arguments": {}}]
    assert beat(client, device) == told
    assert beat(client, device) == told, "the answer may have been lost"
    assert acknowledge(client, device, number, "taken").status_code == 200
    assert beat(client, device) == []
    assert acknowledge(client, device, number, "done").get_json()["state"] == "done"
    assert acknowledge(client, device, number, "done").status_code == 200, "said again"
    assert acknowledge(client, device, number, "failed").status_code == 409
    shown = client.get(f"/api/v1/device-orders/{number}", headers=marie).get_json()
    assert (shown["state"], shown["message"]) == ("done", "as told")
    trail = client.get("/api/v1/audit?action=order", headers=marie)
    assert trail.status_code == 403, "only administrators read the trail"


def test_a_device_knows_its_own_orders_alone(
    app: Flask, client: FlaskClient, device: dict[str, str], marie: dict[str, str]
) -> None:
    other = enrolled_device(app, "wall-2")
    number = give(client, marie, "verify").get_json()["items"][0]["id"]
    assert beat(client, other) == []
    assert acknowledge(client, other, number, "taken").status_code == 404
    picture = client.put(f"/api/v1/device/orders/{number}/screenshot", data=b"x", headers=other)
    assert picture.status_code == 404


def test_the_same_order_does_not_pile_up(
    client: FlaskClient, device: dict[str, str], marie: dict[str, str]
) -> None:
    first = give(client, marie, "sync").get_json()["items"][0]["id"]
    assert give(client, marie, "sync").get_json()["items"][0]["id"] == first
    assert give(client, marie, "verify").get_json()["items"][0]["id"] != first


def test_a_group_or_venue_gets_an_order_for_each_device_with_a_token(session: Session) -> None:
    make_device(session, "wall-1")
    make_device(session, "wall-2", venue="port")
    silent = make_device(session, "wall-3")
    silent.token_hash = None
    given = orders.give_order(session, SYSTEM, "restart-player", venue="port")
    assert [order.device for order in given] == ["wall-1", "wall-2"]
    assert len({order.batch for order in given}) == 1


@pytest.mark.parametrize("where", [{}, {"device": "wall-1", "venue": "port"}])
def test_an_order_names_exactly_one_target(session: Session, where: dict[str, str]) -> None:
    make_device(session)
    with pytest.raises(Refused, match="exactly one of device, group and venue"):
        orders.give_order(session, SYSTEM, "sync", **where)  # type: ignore[arg-type]


def test_no_order_is_given_to_what_cannot_take_it(session: Session) -> None:
    make_device(session)
    service.revoke_device(session, SYSTEM, "wall-1")
    with pytest.raises(Refused, match="has no token"):
        orders.give_order(session, SYSTEM, "sync", device="wall-1")
    with pytest.raises(NotFound):
        orders.give_order(session, SYSTEM, "sync", group="gone")
    with pytest.raises(Refused, match="expected one of sync, restart-player"):
        orders.give_order(session, SYSTEM, "format-disk", venue="port")


def test_after_its_time_an_order_is_neither_told_nor_taken(session: Session) -> None:
    device = make_device(session)
    order = orders.give_order(session, SYSTEM, "sync", device="wall-1")[0]
    late = utc_now() + timedelta(days=2)
    actor = service.device_actor(device)
    assert orders.orders_for(session, "wall-1", utc_now()) == [order]
    assert orders.orders_for(session, "wall-1", late) == []
    with pytest.raises(orders.OrderExpired, match="leave it"):
        orders.acknowledge_order(session, actor, order.id, "taken", late)
    assert orders.has_expired_orders(session, late)
    assert orders.expire_orders(session, late) == 1
    session.refresh(order)
    assert order.state == "expired"
    assert not orders.has_expired_orders(session, late)
    done = orders.acknowledge_order(session, actor, order.id, "done", late)
    assert done.state == "done", "the device knows what it has done"


def test_an_order_that_waits_can_be_taken_back_and_another_not(session: Session) -> None:
    device = make_device(session)
    order = orders.give_order(session, SYSTEM, "sync", device="wall-1")[0]
    assert orders.withdraw_order(session, SYSTEM, order.id).state == "expired"
    again = orders.give_order(session, SYSTEM, "sync", device="wall-1")[0]
    orders.acknowledge_order(session, service.device_actor(device), again.id, "taken", utc_now())
    with pytest.raises(Conflict, match="is taken"):
        orders.withdraw_order(session, SYSTEM, again.id)


def test_every_state_an_order_may_reach_is_in_the_table() -> None:
    reached = {state for states in NEXT_ORDER_STATES.values() for state in states}
    assert reached | {"queued"} == set(NEXT_ORDER_STATES)


def test_a_replaced_machine_ends_the_old_ones_token_word_and_orders(
    app: Flask, client: FlaskClient, engine: Engine, device: dict[str, str], marie: dict[str, str]
) -> None:
    give(client, marie, "sync")
    assert (
        client.post("/api/v1/device/heartbeats", json=report(14), headers=device).status_code == 202
    )
    with write_session(engine) as session:
        code, _ = service.invite_device(session, SYSTEM, "wall-1")
    with write_session(engine) as session:
        found, _ = enrolment.enrol_device(session, code, utc_now(), client="0.2.0")
        assert (found.active_release, found.last_heartbeat) == (None, None)
        assert found.replaced_at is not None
        assert [order.state for order in session.query(Order)] == ["expired"]
        assert len(service.list_heartbeats(session, "wall-1")) == 1, "the history stays"
    old = client.get("/api/v1/device", headers=device)
    assert (old.status_code, old.get_json()["code"]) == (401, "token-invalid")
    boss = sign_up(app, "boss", Grant("admin"))
    trail = client.get("/api/v1/audit?action=device.replace", headers=boss).get_json()["items"]
    assert trail[0]["subject_id" if "subject_id" in trail[0] else "subject"].endswith("wall-1")


def picture(kind: str, size: tuple[int, int] = (64, 36)) -> bytes:
    """Bytes of a small picture."""
    raw = BytesIO()
    Image.new("RGB", size, (20, 60, 90)).save(raw, kind)
    return raw.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_screenshot_is_made_anew_and_shown_to_those_who_may_read_devices(
    app: Flask,
    client: FlaskClient,
    engine: Engine,
    device: dict[str, str],
    marie: dict[str, str],
    kind: str,
) -> None:
    number = give(client, marie, "screenshot").get_json()["items"][0]["id"]
    path = "/api/v1/devices/wall-1/screenshot"
    assert client.get(path, headers=marie).status_code == 404
    sent = client.put(
        f"/api/v1/device/orders/{number}/screenshot", data=picture(kind), headers=device
    )
    assert sent.status_code == 204
    shown = client.get(path, headers=marie)
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert "no-store" in shown.headers["Cache-Control"]
    assert Image.open(BytesIO(shown.data)).size == (64, 36)
    assert client.get(path, headers=sign_up(app, "reader", Grant("reader"))).status_code == 403
    with write_session(engine) as session:
        assert session.get_one(Device, "wall-1").screenshot_at is not None


HOSTILE = {
    "empty": (b"", 422),
    "a web page": (b"<!doctype html><script>alert(1)</script>", 415),
    "a drawing": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415),
    "a film's head": (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", 415),
    "cut short": (picture("PNG")[:60], 422),
    "with a page behind": (picture("PNG") + b"<script>alert(1)</script>", 415),
    "a GIF": (picture("GIF"), 415),
    "too many pixels": (picture("PNG", (9000, 9000)), 413),
    "too many bytes": (b"\x89PNG\r\n\x1a\n" + bytes(screenshots.MAX_BYTES), 413),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_bytes_are_no_screenshot(
    client: FlaskClient,
    settings: Settings,
    device: dict[str, str],
    marie: dict[str, str],
    what: str,
) -> None:
    raw, status = HOSTILE[what]
    number = give(client, marie, "screenshot").get_json()["items"][0]["id"]
    answer = client.put(f"/api/v1/device/orders/{number}/screenshot", data=raw, headers=device)
    assert answer.status_code in (status, 422 if status == 415 else status), answer.text
    assert list(settings.screenshots_dir.iterdir()) == []


def test_a_screenshot_nobody_asked_for_is_refused(
    client: FlaskClient, settings: Settings, device: dict[str, str], marie: dict[str, str]
) -> None:
    number = give(client, marie, "sync").get_json()["items"][0]["id"]
    path = f"/api/v1/device/orders/{number}/screenshot"
    assert client.put(path, data=picture("PNG"), headers=device).status_code == 409
    number = give(client, marie, "screenshot").get_json()["items"][0]["id"]
    acknowledge(client, device, number, "done")
    path = f"/api/v1/device/orders/{number}/screenshot"
    assert client.put(path, data=picture("PNG"), headers=device).status_code == 409
    assert list(settings.screenshots_dir.iterdir()) == []


def test_a_large_screen_is_made_smaller() -> None:
    made = screenshots.remake(picture("JPEG", (3840, 2160)))
    assert Image.open(BytesIO(made)).size == (1920, 1080)


def test_old_pictures_go(settings: Settings) -> None:
    screenshots.screenshot_path(settings, "wall-1").write_bytes(b"x")
    now = utc_now().timestamp()
    assert screenshots.drop_old(settings, now - 60) == 0
    assert screenshots.drop_old(settings, now + 60) == 1
    assert list(settings.screenshots_dir.iterdir()) == []
