"""What this client sends is what the content server takes: both sides' own code, face to face."""

from __future__ import annotations

from typing import Any

from content_api.devices.fleet_schemas import AcknowledgementSchema, PlaysSchema
from content_api.devices.schemas import HeartbeatSchema
from kiosk_client.activation import give_back
from kiosk_client.activator import serving
from kiosk_client.agent import Agent, set_up
from kiosk_client.page import read_report
from kiosk_client.plays import Plays
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin, harbour


def test_a_heartbeat_with_all_it_can_tell_is_taken(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    screen = set_up(kiosk.data)
    agent = Agent(kiosk.data)
    agent.attach(screen, lambda: None)
    agent.poll()
    origin.publish(harbour(edition=2))
    agent.poll()
    give_back(
        kiosk.data, "harbour/live", "the page crashed 3 times, last: page-silent", kiosk.now()
    )
    playing = screen.application.playing()
    assert playing is not None
    screen.watch.note(read_report({"screen": "attract", "heap": 9_000_000, "content": playing.tag}))
    origin.publish(harbour(edition=3))
    with serving(kiosk.data):
        agent.poll()
    beat = origin.heartbeats[-1]
    assert (beat["next"]["release"], beat["known"]["release"]) == (3, 3)
    assert beat["returned"] is None or beat["returned"]["release"] == 2
    assert (beat["shell"]["screen"], beat["shell"]["heap"]) == ("attract", 9_000_000)
    for each in origin.heartbeats:
        assert HeartbeatSchema().validate(each) == {}


def test_counts_of_what_any_page_reports_are_taken(kiosk: Kiosk) -> None:
    strange: list[dict[str, Any]] = [
        {"entry": "crane", "title": "Grue", "language": "fr", "seconds": 12},
        {"entry": "crane", "title": "\u0000\u202e\n", "language": "<b>", "seconds": 1e12},
        {"entry": "x" * 900, "title": "y" * 900, "language": "fr"},
        {"entry": "quay\r\nX: y", "title": " ", "language": "zh-Hans"},
        {"entry": "\ud800", "title": "\ud800"},
    ]
    plays = Plays(kiosk.data, now=kiosk.now)
    for play in strange:
        plays.note(
            read_report({"screen": "visit", "package": "harbour", "release": 1, "plays": [play]})
        )
    plays.note(
        read_report({"screen": "visit", "package": "../x", "release": 1, "plays": strange[:1]})
    )
    sent: list[dict[str, Any]] = []
    plays.send(lambda batch, rows: sent.append({"batch": batch, "rows": rows}))
    assert sent[0]["rows"][0]["entry"] == "crane"
    for each in sent:
        assert PlaysSchema().validate(each) == {}


def test_an_acknowledgement_is_taken(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    agent = Agent(kiosk.data)
    origin.orders = [{"id": 1, "kind": "verify", "arguments": {}}, {"id": 2, "kind": "?"}]
    agent.poll()
    assert [state for _, state, _ in origin.told] == ["taken", "done", "taken", "failed"]
    for _, state, message in origin.told:
        assert AcknowledgementSchema().validate({"state": state, "message": message}) == {}
