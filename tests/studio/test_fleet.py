"""Groups, orders, rollouts, what was shown and alerts in the studio, and a device that obeys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from content_api.accounts.rules import SYSTEM, Grant
from content_api.accounts.tokens import DEVICE_PREFIX, hash_token, new_token
from content_api.database import utc_now
from content_api.devices import alerts, plays, rollouts, service
from content_api.devices.fleet_models import Alert, AlertSubscription, Order
from content_api.devices.models import Device, DeviceGroup
from content_api.studio.devices import alerts as alert_pages
from tests.studio.conftest import Studio, StudioClient, count_queries
from tests.studio.fleet import full_report
from tests.studio.test_devices import FAILING, add_device, beat, keeper, names_of

__all__ = ["keeper"]

EVIL = "<script>alert(1)</script>\u202e%(n)s"


@pytest.fixture
def device(studio: Studio, keeper: StudioClient) -> dict[str, str]:
    """Headers of the device `wall`, enrolled."""
    add_device(studio)
    secret = new_token(DEVICE_PREFIX)
    with studio.write() as session:
        session.get_one(Device, "wall").token_hash = hash_token(secret)
    return {"Authorization": f"Bearer {secret}"}


def call(studio: Studio, device: dict[str, str], path: str, body: dict[str, Any]) -> Any:
    """What the device is answered."""
    answer = studio.app.test_client().post(f"/api/v1/device/{path}", json=body, headers=device)
    assert answer.status_code < 300, answer.text
    return answer.get_json()


# -- Orders ----------------------------------------------------------------------------------


def test_an_order_is_given_taken_done_and_told(
    studio: Studio, keeper: StudioClient, device: dict[str, str]
) -> None:
    assert keeper.post("/studio/devices/wall/orders", data={"kind": "verify"}).status_code == 303
    assert "waits for the device" in keeper.page("/studio/devices/wall/").text_content()
    told = call(studio, device, "heartbeats", full_report("harbour", 14))["orders"]
    assert [order["kind"] for order in told] == ["verify"]
    path = f"orders/{told[0]['id']}/acknowledgement"
    call(studio, device, path, {"state": "taken"})
    part = keeper.get("/studio/devices/wall/orders").text
    assert "at work" in part
    assert "every 5s" in part
    call(studio, device, path, {"state": "failed", "message": EVIL})
    part = keeper.get("/studio/devices/wall/orders").text
    assert "failed" in part
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in part
    assert "every 5s" not in part


def test_an_order_that_waits_can_be_taken_back(
    studio: Studio, keeper: StudioClient, device: dict[str, str]
) -> None:
    keeper.post("/studio/devices/wall/orders", data={"kind": "sync"})
    with studio.write() as session:
        number = session.scalars(select(Order.id)).one()
    assert keeper.post(f"/studio/devices/other/orders/{number}/withdraw").status_code == 404
    assert keeper.post(f"/studio/devices/wall/orders/{number}/withdraw").status_code == 303
    assert "taken back" in keeper.get("/studio/devices/wall/orders").text
    told = call(studio, device, "heartbeats", full_report("harbour", 14))
    assert told["orders"] == []


def test_no_order_is_given_to_what_cannot_take_it(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio)
    keeper.post("/studio/devices/wall/orders", data={"kind": "sync"})
    assert keeper.post("/studio/devices/wall/orders", data={"kind": "burn"}).status_code == 422
    page = keeper.page("/studio/devices/wall/")
    assert "enrol it first" in page.text_content()
    assert page.xpath("//form[contains(@action, '/orders')]") == []
    with studio.write() as session:
        assert session.scalars(select(Order)).all() == []


def test_all_devices_of_a_venue_and_a_group_are_asked(
    studio: Studio, keeper: StudioClient, device: dict[str, str]
) -> None:
    add_device(studio, "not-enrolled")
    keeper.post("/studio/venues/tokyo/orders", data={"kind": "sync"})
    keeper.post("/studio/groups/", data={"name": "Halls"})
    keeper.post("/studio/groups/halls/members", data={"device": ["wall", "no-such"]})
    keeper.post("/studio/groups/halls/orders", data={"kind": "verify"})
    with studio.write() as session:
        found = session.execute(select(Order.device, Order.kind)).all()
    assert sorted(map(tuple, found)) == [("wall", "sync"), ("wall", "verify")]


# -- Groups ----------------------------------------------------------------------------------


def test_a_group_tells_its_devices_what_they_do_not_say_themselves(
    studio: Studio, keeper: StudioClient
) -> None:
    add_device(studio)
    form = {"name": "Halls", "profile": "tablet", "some_languages": "1", "languages": ["fr"]}
    assert keeper.post("/studio/groups/", data=form).headers["Location"] == "/studio/groups/halls/"
    found = keeper.page("/studio/groups/halls/?words=wall")
    assert found.xpath("//section[@id='join']//input[@name='device']/@value") == ["wall"]
    keeper.post("/studio/groups/halls/members", data={"device": "wall"})
    page = keeper.page("/studio/groups/halls/")
    assert page.xpath("//section[@id='members']//input[@name='device']/@value") == ["wall"]
    version = page.xpath("string(//input[@name='version']/@value)")
    changed = {**form, "languages": ["fr", "en"], "version": version}
    assert keeper.post("/studio/groups/halls/", data=changed).status_code == 303
    assert keeper.post("/studio/groups/halls/", data=changed).status_code == 412
    with studio.write() as session:
        device = session.get_one(Device, "wall")
        assert (device.profile, device.languages) == ("tablet", ["fr", "en"])
        service.change_device(session, SYSTEM, "wall", {"languages": ["ja"]})
    assert "It says itself: its languages" in keeper.page("/studio/devices/wall/").text_content()
    keeper.post("/studio/devices/wall/follow")
    keeper.post("/studio/groups/halls/members", data={"device": "wall", "do": "remove"})
    keeper.post("/studio/groups/halls/delete")
    with studio.write() as session:
        device = session.get_one(Device, "wall")
        assert (device.group, device.languages) == (None, ["fr", "en"])
        assert session.scalars(select(DeviceGroup)).all() == []


def test_a_group_with_a_mistake_is_not_saved(studio: Studio, keeper: StudioClient) -> None:
    for wrong in ({"name": ""}, {"name": "x", "package": "No!"}, {"name": "x", "settings": "{"}):
        assert keeper.post("/studio/groups/", data=wrong).status_code == 422
    form = {"name": "Halls", "some_languages": "1"}
    assert keeper.post("/studio/groups/", data=form).status_code == 422
    with studio.write() as session:
        assert session.scalars(select(DeviceGroup)).all() == []


# -- Rollouts --------------------------------------------------------------------------------


def test_a_rollout_is_widened_held_and_finished(studio: Studio, keeper: StudioClient) -> None:
    page = "/studio/packages/harbour/rollout"
    publisher = studio.person("paula", Grant("publisher"))
    assert keeper.post(page, data={"first_share": "25", "fault_bound": "5"}).status_code == 403
    assert publisher.post(page, data={"first_share": "0", "fault_bound": "x"}).status_code == 422
    rule = {"first_share": "25", "fault_bound": "5"}
    assert publisher.post(page, data=rule).status_code == 303
    assert "Every device may take release 14" in keeper.page(page).text_content()
    assert publisher.post(f"{page}/hold").status_code == 409
    with studio.write() as session:
        rollout = rollouts.get_rollout(session, "harbour", "live")
        rollout.release, rollout.share, rollout.state = 15, 25, "rolling"
    add_device(studio)
    shown = publisher.page(page)
    assert "Release 15 goes to 25% of the devices" in shown.text_content()
    version = shown.xpath(
        "string(//form[contains(@action, '/hold')]//input[@name='version']/@value)"
    )
    stale = {"version": str(int(version) + 7)}
    assert publisher.post(f"{page}/hold", data=stale).status_code == 412
    publisher.post(f"{page}/share", data={"share": "50", "version": version})
    publisher.post(f"{page}/hold")
    assert "Held by paula" in publisher.page(page).text_content()
    publisher.post(f"{page}/resume")
    publisher.post(f"{page}/finish")
    assert "Every device may take release 15" in publisher.page(page).text_content()
    publisher.post(f"{page}/remove")
    assert "all devices at once" in publisher.page(page).text_content()
    for wrong in ({"share": "33"}, {"share": "x"}, {}):
        assert publisher.post(f"{page}/share", data=wrong).status_code == 404
    assert publisher.post(f"{page}/jump").status_code == 404


def test_a_rollout_counts_what_devices_hold_and_play(studio: Studio, keeper: StudioClient) -> None:
    waiting = {"package": "harbour", "release": 15, "manifest_sha256": "b" * 64}
    for name in ("plays", "holds", "went-back"):
        add_device(studio, name)
    with studio.write() as session:
        rollouts.set_policy(session, SYSTEM, "harbour", "live", first_share=50, fault_bound=5)
        rollout = rollouts.get_rollout(session, "harbour", "live")
        rollout.release, rollout.share, rollout.state = 15, 50, "rolling"
        back = {"package": "harbour", "release": 15, "reason": "page-crashed", "at": "x"}
        for name, more in (
            ("plays", {}),
            ("holds", {"next": waiting}),
            ("went-back", {"returned": back}),
        ):
            number = 15 if name == "plays" else 14
            service.note_heartbeat(session, name, full_report("harbour", number, **more), utc_now())
    part = keeper.page("/studio/packages/harbour/rollout/progress")
    facts = dict(
        zip(
            (term.text_content() for term in part.xpath("//dt")),
            (said.text_content().split()[0] for said in part.xpath("//dd")),
            strict=True,
        )
    )
    assert facts["Devices that show this package"] == "3"
    assert facts["Hold it, and wait until nobody uses the screen"] == "1"
    assert facts["Have it on their screen"] == "1"
    assert facts["Went back to the release before"] == "1"
    assert facts["In trouble since they took it"] == "went-back"


# -- What was shown --------------------------------------------------------------------------


def test_what_was_shown_is_summed_filtered_and_exported(
    studio: Studio, keeper: StudioClient, device: dict[str, str]
) -> None:
    today = utc_now().date()
    row = {"package": "harbour", "release": 14, "language": "fr", "views": 3, "seconds": 90}
    rows = [
        {**row, "day": (today - timedelta(days=days)).isoformat(), "entry": entry, "title": title}
        for days in (0, 1, 90)
        for entry, title in (("pit", "=Pit"), ("lamp", "<b>Lamp</b>"))
    ]
    call(studio, device, "plays", {"batch": "one", "rows": rows})
    page = keeper.page("/studio/plays/")
    assert "12 views of 2 entries on 1 devices" in page.text_content()
    assert page.xpath("//main//b") == []
    assert keeper.page("/studio/plays/?venue=nowhere").xpath("//main//table") == []
    assert keeper.page("/studio/plays/?package=harbour&device=wall&venue=tokyo").xpath("//table")
    long_ago = (today - timedelta(days=100)).isoformat()
    table = keeper.get(f"/studio/plays/export.csv?since={long_ago}&package=harbour")
    assert table.headers["Content-Disposition"].startswith("attachment")
    lines = table.text.splitlines()
    assert len(lines) == 7
    assert ",'=Pit," in lines[2] or ",'=Pit," in lines[1]
    for wrong in ("since=yesterday", f"since={today}&until={long_ago}"):
        assert keeper.get(f"/studio/plays/?{wrong}").status_code == 422


def test_an_export_of_many_rows_is_whole(
    studio: Studio, keeper: StudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from content_api.studio.devices import plays as pages

    monkeypatch.setattr(pages, "STEP", 4)
    add_device(studio)
    day = utc_now().date()
    row = {"package": "harbour", "release": 1, "language": "fr", "views": 1, "seconds": 1}
    rows = [{**row, "day": day, "entry": f"e{n}", "title": "t"} for n in range(11)]
    with studio.write() as session:
        plays.note_plays(session, "wall", "one", rows, utc_now())
    assert len(keeper.get("/studio/plays/export.csv").text.splitlines()) == 12


# -- Alerts ----------------------------------------------------------------------------------

WEBHOOK = {
    "name": "Tickets",
    "channel": "webhook",
    "target": "https://tickets.example.org/hook/9",
    "conditions": ["overdue", "fault", "rollout-held", "timestamp"],
    "active": "1",
}


def test_who_is_told_is_added_changed_and_stopped(studio: Studio, keeper: StudioClient) -> None:
    made = keeper.post("/studio/alerts/subscriptions/", data=WEBHOOK)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    with studio.write() as session:
        row = session.scalars(select(AlertSubscription)).one()
        number, secret = row.id, row.secret
        assert row.conditions == []
    assert secret in made.text
    page = f"/studio/alerts/subscriptions/{number}/"
    assert secret not in keeper.get(page).text
    assert "hook/9" not in keeper.get("/studio/alerts/").text
    version = keeper.page(page).xpath("string(//input[@name='version']/@value)")
    only = {**WEBHOOK, "conditions": ["overdue"], "venues": ["tokyo"], "version": version}
    assert keeper.post(page, data=only).status_code == 303
    assert keeper.post(page, data=only).status_code == 412
    renewed = keeper.post(f"{page}secret")
    with studio.write() as session:
        row = session.scalars(select(AlertSubscription)).one()
        assert (row.conditions, row.venues) == (["overdue"], ["tokyo"])
        assert row.secret != secret
        assert row.secret in renewed.text
    keeper.post(f"{page}delete")
    assert "Nobody yet" in keeper.page("/studio/alerts/").text_content()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"target": "ftp://x"}, "target"),
        ({"target": "https://a:b@x.org/"}, "target"),
        ({"channel": "email", "target": "nobody"}, "target"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused_beside_its_field(
    studio: Studio, keeper: StudioClient, change: dict[str, str], field: str
) -> None:
    answer = keeper.post("/studio/alerts/subscriptions/", data={**WEBHOOK, **change})
    assert answer.status_code == 422
    assert f'id="field-{field}-error"' in answer.text
    with studio.write() as session:
        assert session.scalars(select(AlertSubscription)).all() == []


def test_a_test_message_says_how_it_went(
    studio: Studio, keeper: StudioClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.post("/studio/alerts/subscriptions/", data=WEBHOOK)
    with studio.write() as session:
        number = session.scalars(select(AlertSubscription.id)).one()
    page = f"/studio/alerts/subscriptions/{number}/"

    def refuse(_engine: Any, _number: int) -> None:
        raise alert_pages.SendingFailed("tickets.example.org answered 500.")

    monkeypatch.setattr(alert_pages, "send_trial", refuse)
    keeper.post(f"{page}test")
    assert "did not arrive: tickets.example.org answered 500." in keeper.page(page).text_content()
    monkeypatch.setattr(alert_pages, "send_trial", lambda _engine, _number: None)
    keeper.post(f"{page}test")
    assert "The test was taken" in keeper.page(page).text_content()


def test_alerts_are_told_until_they_are_over(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio, "wall", name=EVIL)
    beat(studio, "wall", disk=FAILING)
    with studio.write() as session:
        session.get_one(Device, "wall").token_hash = "0" * 64
    alerts.look(studio.engine, studio.settings, utc_now())
    reader = studio.person("paula", Grant("publisher"))
    page = reader.page("/studio/alerts/")
    assert "Its disk is failing" in page.text_content()
    assert page.xpath("//main//script") == []
    assert page.xpath("//h2[@id='told']") == []
    assert reader.get("/studio/alerts/subscriptions/new").status_code == 403
    with studio.write() as session:
        for alert in session.scalars(select(Alert)):
            alert.resolved_at = utc_now()
    assert "Its disk is failing" not in reader.page("/studio/alerts/").text_content()
    assert "Its disk is failing" in reader.page("/studio/alerts/?past=1").text_content()


# -- Scale and hostile words -----------------------------------------------------------------


def test_pages_of_the_fleet_ask_no_more_for_more_rows(studio: Studio, keeper: StudioClient) -> None:
    keeper.post("/studio/groups/", data={"name": "Halls"})
    addresses = (
        *("/studio/", "/studio/venues/", "/studio/venues/?view=venues", "/studio/groups/"),
        *("/studio/groups/halls/", "/studio/alerts/", "/studio/plays/"),
    )
    counts = []
    for turn in range(2):
        for number in range(1 + 14 * turn):
            name = f"d{turn}-{number}"
            add_device(studio, name)
            beat(studio, name, disk=FAILING)
            with studio.write() as session:
                service.change_device(session, SYSTEM, name, {"group": "halls"})
                session.get_one(Device, name).token_hash = name.rjust(64, "-")
        alerts.look(studio.engine, studio.settings, utc_now())
        for address in addresses:
            keeper.page(address)
        with count_queries(studio.engine) as statements:
            for address in addresses:
                keeper.page(address)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_what_a_device_says_is_only_text(studio: Studio, keeper: StudioClient) -> None:
    add_device(studio)
    beat(
        studio,
        "wall",
        faults=[{"code": "x<i>", "message": EVIL}],
        returned={"package": "harbour", "release": 15, "reason": EVIL, "at": "<i>"},
        last_sync={"at": "<i>", "outcome": "failed", "error_code": EVIL, "sources": {EVIL: 5}},
        clock={"trusted": True, "offset_seconds": 0, "source": EVIL},
        timestamp_expires_at=EVIL,
        **{"shell": {"browser": EVIL, "screen": EVIL, "restarts": 1, "page_seen_seconds": 1}},
    )
    for address in ("/studio/devices/wall/", "/studio/venues/", "/studio/"):
        page = keeper.page(address)
        assert page.xpath("//main//script") == []
        assert page.xpath("//main//i") == []
    assert "<script>" in keeper.page("/studio/devices/wall/").text_content()


def test_a_device_in_a_filtered_list_is_found_by_its_group(
    studio: Studio, keeper: StudioClient
) -> None:
    keeper.post("/studio/groups/", data={"name": "Halls"})
    for name in ("in", "out"):
        add_device(studio, name)
    keeper.post("/studio/groups/halls/members", data={"device": "in"})
    assert names_of(keeper.page("/studio/venues/?group=halls")) == ["in"]


def test_a_picture_of_the_screen_is_shown_and_nothing_when_there_is_none(
    studio: Studio, keeper: StudioClient
) -> None:
    add_device(studio)
    assert keeper.get("/studio/devices/wall/screenshot").status_code == 404
    assert "/screenshot" not in keeper.get("/studio/devices/wall/").text
    with studio.write() as session:
        session.get_one(Device, "wall").screenshot_at = utc_now()
    studio.settings.screenshots_dir.mkdir(parents=True, exist_ok=True)
    (studio.settings.screenshots_dir / "wall.jpg").write_bytes(b"\xff\xd8picture")
    answer = keeper.get("/studio/devices/wall/screenshot")
    assert (answer.mimetype, answer.data) == ("image/jpeg", b"\xff\xd8picture")
    assert keeper.page("/studio/devices/wall/").xpath("//section[@id='screen']//img/@alt")
