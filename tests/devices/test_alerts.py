"""Each alert is raised once and resolved once, and whoever asked for it is told."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from content_api import outgoing
from content_api.accounts.rules import SYSTEM, Grant
from content_api.database import utc_now, write_session
from content_api.devices import alerts, rollouts, service
from content_api.devices.alert_rules import (
    QUIET,
    TRIES,
    Cause,
    Open,
    is_told,
    plan_alerts,
    wait_after,
)
from content_api.devices.fleet_models import Alert, AlertDelivery
from content_api.devices.models import Device
from content_api.repository.service import init_repository
from content_api.settings import Settings, SettingsError, load_settings
from tests.accounts.people import sign_up

from .fleet import NOW, fault, make_device, publish, report
from .receivers import Hook, Mailbox, mail_server, web_server

KEY = "fault/wall-1/fault:display-off"
CAUSE = Cause(KEY, "fault", "fault:display-off", "wall-1", "port")


def test_a_fault_that_comes_and_goes_is_one_alert() -> None:
    assert plan_alerts({}, {KEY: CAUSE}, NOW).begin == (CAUSE,)
    standing = {KEY: Open(KEY, "fault", None)}
    assert not plan_alerts(standing, {KEY: CAUSE}, NOW)
    assert plan_alerts(standing, {}, NOW).quiet == (KEY,)
    away = {KEY: Open(KEY, "fault", NOW)}
    assert not plan_alerts(away, {}, NOW + QUIET["fault"] / 2)
    assert plan_alerts(away, {KEY: CAUSE}, NOW + QUIET["fault"] / 2).again == (KEY,)
    assert plan_alerts(away, {}, NOW + QUIET["fault"]).over == (KEY,)


def test_a_device_that_is_heard_of_again_is_no_longer_overdue() -> None:
    found = {"overdue/wall-1": Open("overdue/wall-1", "overdue", None)}
    assert plan_alerts(found, {}, NOW).over == ("overdue/wall-1",)


def test_messages_are_tried_for_about_a_day_and_not_for_ever() -> None:
    waits = [wait_after(tries) for tries in range(1, TRIES)]
    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    total = sum((wait for wait in waits if wait is not None), timedelta())
    assert timedelta(hours=20) < total < timedelta(hours=40)
    assert wait_after(TRIES) is None


@pytest.mark.parametrize(
    ("conditions", "venues", "venue", "told"),
    [
        ([], [], "port", True),
        (["fault"], [], "port", True),
        (["overdue"], [], "port", False),
        ([], ["port"], "port", True),
        ([], ["mine"], "port", False),
        ([], ["port"], None, False),
        ([], [], None, True),
    ],
)
def test_who_is_told(
    conditions: list[str], venues: list[str], venue: str | None, told: bool
) -> None:
    assert is_told(conditions, venues, "fault", venue) is told


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A web server that takes webhooks."""
    with web_server() as found:
        yield found


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server."""
    with mail_server() as found:
        yield found


@pytest.fixture
def here(settings: Settings) -> Settings:
    """The server with a signed repository, which may call this machine."""
    init_repository(settings, Path(settings.data_dir, "offline"), utc_now())
    return replace(settings, allow_private_hooks=True)


def subscribe(engine: Engine, channel: str, target: str, **more: Any) -> str:
    """Tell `target` of all alerts; the secret."""
    values = {"name": "Watch", "channel": channel, "target": target, **more}
    with write_session(engine) as session:
        made = alerts.create_subscription(
            session, SYSTEM, {"conditions": [], "venues": [], **values}
        )
        return made.secret


def beat(engine: Engine, at: datetime, **more: Any) -> None:
    """Let wall-1 report."""
    with write_session(engine) as session:
        service.note_heartbeat(session, "wall-1", report(14, **more), at)


def test_a_fault_is_told_once_and_its_end_once(engine: Engine, here: Settings, hook: Hook) -> None:
    now = utc_now()
    with write_session(engine) as session:
        make_device(session)
    secret = subscribe(engine, "webhook", hook.url)
    beat(engine, now, faults=fault())
    assert alerts.look(engine, here, now) == [f"alert: {KEY}"]
    assert alerts.look(engine, here, now) == []
    assert alerts.send_due(engine, here, now) == ["told a subscriber of 1 alerts"]
    assert alerts.send_due(engine, here, now) == []
    for minutes, faults in ((1, []), (10, fault()), (20, [])):
        at = now + timedelta(minutes=minutes)
        beat(engine, at, faults=faults)
        assert alerts.look(engine, here, at) == []
    over = now + timedelta(minutes=20) + QUIET["fault"]
    assert alerts.look(engine, here, over) == [f"alert over: {KEY}"]
    alerts.send_due(engine, here, over)
    bodies = [json.loads(raw) for _, _, raw in hook.taken]
    assert [event["event"] for body in bodies for event in body["events"]] == ["raised", "resolved"]
    assert bodies[0]["format"] == "lampisterie-alerts/1"
    alert = bodies[0]["events"][0]["alert"]
    assert (alert["condition"], alert["code"]) == ("fault", "fault:display-off")
    assert alert["device"] == {"id": "wall-1", "name": "Wall-1"}
    path, headers, raw = hook.taken[0]
    assert path == "/hook?key=1"
    at_text, _, digest = headers["Lampisterie-Signature"].partition(",v1=")
    signed = f"{at_text.removeprefix('t=')}.".encode() + raw
    assert digest == hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def test_an_outage_is_one_message(engine: Engine, here: Settings, hook: Hook) -> None:
    now = utc_now()
    with write_session(engine) as session:
        for number in range(30):
            make_device(session, f"wall-{number}").last_seen_at = now - timedelta(days=8)
    subscribe(engine, "webhook", hook.url)
    assert len(alerts.look(engine, here, now)) == 30
    alerts.send_due(engine, here, now)
    assert [len(json.loads(raw)["events"]) for _, _, raw in hook.taken] == [30]


def test_a_signature_that_ends_and_a_rollout_that_is_held_are_told(
    engine: Engine, here: Settings
) -> None:
    with write_session(engine) as session:
        make_device(session)
        publish(session, 14)
        rollouts.set_policy(session, SYSTEM, "harbour", "live", first_share=50, fault_bound=5)
        publish(session, 15)
    rollouts.advance(engine, NOW)
    with write_session(engine) as session:
        rollouts.hold(session, SYSTEM, "harbour", "live")
    late = utc_now() + timedelta(days=12)
    assert sorted(alerts.look(engine, here, late)) == [
        "alert: overdue/wall-1",
        "alert: rollout-held/harbour/live/15",
        "alert: timestamp",
    ]
    with write_session(engine) as session:
        assert alerts.count_open(session) == {"overdue": 1, "rollout-held": 1, "timestamp": 1}
        rollouts.resume(session, SYSTEM, "harbour", "live")
        service.revoke_device(session, SYSTEM, "wall-1")
    assert sorted(alerts.look(engine, here, late)) == [
        "alert over: overdue/wall-1",
        "alert over: rollout-held/harbour/live/15",
    ]


def test_what_is_not_taken_is_tried_again_and_given_up_at_last(
    engine: Engine, here: Settings, hook: Hook
) -> None:
    now = utc_now()
    hook.status = 500
    with write_session(engine) as session:
        make_device(session)
    subscribe(engine, "webhook", hook.url)
    beat(engine, now, faults=fault())
    alerts.look(engine, here, now)
    assert alerts.send_due(engine, here, now) == []
    assert alerts.send_due(engine, here, now) == []
    assert len(hook.taken) == 1, "not before its time"
    hook.status = 204
    later = utc_now() + timedelta(minutes=2)
    assert alerts.send_due(engine, here, later) == ["told a subscriber of 1 alerts"]
    with write_session(engine) as session:
        row = session.query(AlertDelivery).one()
        assert (row.state, row.tries, row.error) == ("sent", 2, None)
        row.state, row.tries, row.next_try_at = "waiting", TRIES - 1, now
    hook.status = 500
    alerts.send_due(engine, here, later)
    with write_session(engine) as session:
        row = session.query(AlertDelivery).one()
        assert row.state == "failed"
        assert "answered 500, expected 200 to 299" in (row.error or "")


def test_one_dead_subscriber_does_not_keep_others_from_being_told(
    engine: Engine, here: Settings, hook: Hook
) -> None:
    with write_session(engine) as session:
        make_device(session)
    subscribe(engine, "webhook", "http://127.0.0.1:1/")
    subscribe(engine, "webhook", hook.url)
    beat(engine, utc_now(), faults=fault())
    alerts.look(engine, here, utc_now())
    assert alerts.send_due(engine, here, utc_now()) == ["told a subscriber of 1 alerts"]


def test_an_e_mail_says_what_where_and_nothing_secret(
    engine: Engine, here: Settings, mailbox: Mailbox
) -> None:
    posting = replace(
        here,
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_security="none",
        smtp_from="alerts@museum.test",
        smtp_user="robot",
        smtp_password="grisou",
        public_url="https://content.test",
    )
    with write_session(engine) as session:
        make_device(session, name="Mur d'entrée")
    subscribe(engine, "email", "marie@museum.test")
    beat(engine, utc_now(), faults=fault())
    alerts.look(engine, posting, utc_now())
    assert alerts.send_due(engine, posting, utc_now()) == ["told a subscriber of 1 alerts"]
    assert mailbox.recipients == ["rcpt TO:<marie@museum.test>"]
    assert len(mailbox.passwords) == 1
    (letter,) = mailbox.letters
    assert "From: alerts@museum.test" in letter
    assert "Auto-Submitted: auto-generated" in letter
    assert "grisou" not in letter
    assert "grisou" not in repr(posting)


def test_a_mail_server_that_refuses_is_told_without_the_password(
    here: Settings, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    posting = replace(
        here,
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_security="none",
        smtp_from="alerts@museum.test",
    )
    mailbox.refuse = "550 no such\tperson"
    with pytest.raises(outgoing.SendingFailed, match="message: 550 no such person"):
        outgoing.send_mail(posting, "marie@museum.test", "x", "y")
    wrong = replace(posting, smtp_user="robot", smtp_password="wrong grisou")
    with pytest.raises(
        outgoing.SendingFailed, match="did not accept the name and password"
    ) as told:
        outgoing.send_mail(wrong, "marie@museum.test", "x", "y")
    assert "grisou" not in str(told.value) + caplog.text
    with pytest.raises(outgoing.SendingFailed, match="did not take the message"):
        # It offers no TLS, and without it nothing is sent.
        outgoing.send_mail(replace(posting, smtp_security="starttls"), "m@museum.test", "x", "y")
    with pytest.raises(outgoing.SendingFailed, match="set CONTENT_API_SMTP_HOST"):
        outgoing.send_mail(here, "marie@museum.test", "x", "y")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"),
        *("fec0::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.1", "not an address"),
    ],
)
def test_an_address_of_the_inside_is_not_public(address: str) -> None:
    assert not outgoing.is_public(address)


@pytest.mark.parametrize(
    "address", ["9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9", "64:ff9b::909:909"]
)
def test_an_address_of_the_open_internet_is(address: str) -> None:
    assert outgoing.is_public(address)


@pytest.mark.parametrize("found", [["127.0.0.1"], ["9.9.9.9", "10.0.0.1"], ["::ffff:192.168.0.1"]])
def test_a_name_with_any_inside_address_is_not_called(found: list[str], hook: Hook) -> None:
    with pytest.raises(outgoing.AddressRefused, match="not a public address"):
        outgoing.post_json(
            f"http://hook.test:{hook.port}/", b"{}", {}, addresses=lambda _host, _port: found
        )
    assert hook.taken == []


def test_the_address_that_was_checked_is_the_one_that_is_called(hook: Hook) -> None:
    asked = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    url = f"http://hook.test:{hook.port}/"
    status = outgoing.post_json(url, b"{}", {}, allow_private=True, addresses=rebinding)
    assert (status, asked) == (200, ["hook.test"]), "the name is asked for once"
    assert hook.taken[0][1]["Host"] == f"hook.test:{hook.port}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(hook: Hook, status: int) -> None:
    hook.status, hook.headers = status, {"Location": hook.url}
    with pytest.raises(outgoing.SendingFailed, match="redirect is not followed"):
        outgoing.post_json(hook.url, b"{}", {}, allow_private=True)
    assert len(hook.taken) == 1


def test_a_receiver_that_never_answers_is_left_in_time(hook: Hook) -> None:
    hook.drip = 30
    with pytest.raises(outgoing.SendingFailed, match="it took too long"):
        outgoing.post_json(hook.url, b"{}", {}, allow_private=True, whole=0.3)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "gopher://host/", "https://", "https://user:pw@host/", "host/x"),
        *("http://host\r\nX: y/", "http://host:0/", "http://host:x/", "http://ho st/", "http://é/"),
    ],
)
def test_what_is_no_webhooks_address(url: str) -> None:
    with pytest.raises(outgoing.AddressRefused, match="Expected an address"):
        outgoing.check_hook_address(url)


@pytest.mark.parametrize("target", ["marie", "a@b@c", "a@b\r\nBcc: c@d", "<a@b>", "a@b,c@d"])
def test_what_is_no_e_mail_address(engine: Engine, target: str) -> None:
    with pytest.raises(outgoing.AddressRefused, match="Expected an"):
        subscribe(engine, "email", target)


def test_subscriptions_over_http(app: Flask, client: FlaskClient, hook: Hook) -> None:
    marie = sign_up(app, "marie", Grant("venue_manager"))
    path = "/api/v1/alert-subscriptions"
    body = {"name": "Watch", "channel": "webhook", "target": hook.url, "conditions": ["fault"]}
    assert (
        client.post(path, json=body, headers=sign_up(app, "p", Grant("publisher"))).status_code
        == 403
    )
    made = client.post(path, json=body, headers=marie)
    assert made.status_code == 201
    assert len(made.get_json()["secret"]) == 64
    one = f"{path}/{made.get_json()['id']}"
    assert "secret" not in client.get(one, headers=marie).get_json()
    assert client.patch(one, json={"active": False}, headers=marie).status_code == 428
    match = {**marie, "If-Match": made.headers["ETag"]}
    assert client.patch(one, json={"target": "ftp://x"}, headers=match).status_code == 422
    changed = client.patch(one, json={"venues": ["port"]}, headers=match)
    assert changed.get_json()["venues"] == ["port"]
    renewed = client.put(f"{one}/secret", headers=marie).get_json()["secret"]
    assert renewed != made.get_json()["secret"]
    refused = client.post(f"{one}/test", json={}, headers=marie)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "address-refused")
    assert hook.taken == []
    settings = app.extensions["lampisterie_settings"]
    app.extensions["lampisterie_settings"] = replace(settings, allow_private_hooks=True)
    assert client.post(f"{one}/test", json={}, headers=marie).get_json() == {"sent": True}
    assert json.loads(hook.taken[0][2])["events"][0]["event"] == "test"
    hook.status = 500
    failed = client.post(f"{one}/test", json={}, headers=marie)
    assert (failed.status_code, failed.get_json()["code"]) == (409, "sending-failed")
    match["If-Match"] = changed.headers["ETag"]
    assert client.delete(one, headers=match).status_code == 204
    assert client.get(one, headers=marie).status_code == 404


def test_alerts_are_listed_newest_first_and_by_what_is_asked(
    app: Flask, client: FlaskClient, engine: Engine, here: Settings
) -> None:
    marie = sign_up(app, "marie", Grant("venue_manager"))
    with write_session(engine) as session:
        make_device(session)
        session.get_one(Device, "wall-1").last_seen_at = utc_now() - timedelta(days=9)
    alerts.look(engine, here, utc_now())
    beat(engine, utc_now(), faults=fault())
    alerts.look(engine, here, utc_now())

    def listed(query: str) -> list[str]:
        rows = client.get(f"/api/v1/alerts?{query}", headers=marie).get_json()["items"]
        return [row["condition"] for row in rows]

    assert listed("") == ["fault", "overdue"]
    assert listed("open=true") == ["fault"]
    assert listed("open=false&device=wall-1") == ["overdue"]
    assert listed("venue=elsewhere") == []


def test_two_processes_that_look_at_once_raise_one_alert(engine: Engine, here: Settings) -> None:
    with write_session(engine) as session:
        make_device(session)
    beat(engine, utc_now(), faults=fault())
    causes = {KEY: CAUSE}
    plan = plan_alerts({}, causes, NOW)
    alerts.look(engine, here, utc_now())
    assert plan.begin
    with write_session(engine) as session:
        assert not plan_alerts(alerts._open_alerts(session), causes, NOW)
        assert session.query(Alert).count() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONTENT_API_SMTP_SECURITY", "ssl"),
        ("CONTENT_API_SMTP_FROM", "Alerts <a@b>"),
        ("CONTENT_API_SMTP_PORT", "many"),
        ("CONTENT_API_ALLOW_PRIVATE_HOOKS", "perhaps"),
        ("CONTENT_API_PLAYS_DAYS", "-1"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    environ = {"CONTENT_API_SMTP_HOST": "mail.test", "CONTENT_API_SMTP_FROM": "a@b.test"}
    with pytest.raises(SettingsError, match=name):
        load_settings({**environ, name: value}, data_dir="x")
