"""The facts of a device are read from what is there, and only from that."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kiosk_client.activation import confirm
from kiosk_client.durable import write_json
from kiosk_client.facts import clock_source, device_facts, error_class, heartbeat_facts, save_state
from kiosk_client.health import Disk, Observations
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin, harbour

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def facts(kiosk: Kiosk, **options: Any) -> dict[str, Any]:
    return device_facts(kiosk.data, kiosk.now(), **options)


def test_a_device_with_nothing_yet_says_so(kiosk: Kiosk) -> None:
    found = facts(kiosk)
    assert found["active"] is None
    assert (found["complete"], found["slots"], found["queued"]) == (False, [], 0)
    assert (found["next"], found["returned"], found["probation"]) == (None, None, False)
    assert found["timestamp_expires_at"] is None


def test_what_is_known_complete_and_active_are_three_things(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    kiosk.sync()
    confirm(kiosk.data, "harbour/live")
    origin.publish(harbour(edition=2))
    origin.attack("/blobs/", "status", argument=404)
    with pytest.raises(Exception, match="expected"):
        kiosk.sync()
    kiosk.blob("media/film/720.mp4").unlink()
    found = facts(kiosk)
    assert found["known"] == {"package": "harbour", "release": 2}
    assert found["active"]["release"] == 1
    assert found["complete"] is False
    assert found["slots"] == [
        {
            "package": "harbour",
            "channel": "live",
            "release": 1,
            "complete": False,
            "next_release": None,
        }
    ]
    assert [fault["code"] for fault in found["faults"]] == ["store-damaged"]


def test_when_the_signature_ends_is_told(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.refresh(days=12)
    kiosk.sync()
    ends = datetime.fromisoformat(facts(kiosk)["timestamp_expires_at"])
    assert ends == origin.timestamp.expires
    (kiosk.data.metadata / "timestamp.json").write_bytes(b"{}")
    assert facts(kiosk)["timestamp_expires_at"] is None


@pytest.mark.parametrize("verdict", ["full", "failing"])
def test_the_disks_verdict_is_a_fault_of_its_own(kiosk: Kiosk, verdict: Any) -> None:
    seen = Observations(free=5, total=10, reserve=7, read_only=False, errors_count=3)
    found = facts(kiosk, disk=Disk(verdict, "expected a disk that works", seen))
    assert found["disk"] == {
        "free": 5,
        "total": 10,
        "reserve": 7,
        "verdict": verdict,
        "read_only": False,
        "errors_count": 3,
    }
    assert found["faults"] == [{"code": f"disk-{verdict}", "message": "expected a disk that works"}]


def test_a_disk_that_cannot_be_read_is_a_fact_and_no_error(
    kiosk: Kiosk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.publish(harbour(film=1000))
    kiosk.sync()

    def refuse(path: object, *others: object, **more: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    monkeypatch.setattr(os, "statvfs", refuse)
    found = facts(kiosk)
    assert [fault["code"] for fault in found["faults"]] == ["disk-failing"]
    assert found["disk"] is None


@pytest.mark.parametrize(
    ("code", "where"),
    [
        (None, None),
        ("no-network", "network"),
        ("rollback-refused", "trust"),
        ("disk-failing", "disk"),
        ("origin-trouble", "origin"),
        ("device-refused", "device"),
        ("something-new", "device"),
    ],
)
def test_each_error_has_a_class(code: str | None, where: str | None) -> None:
    assert error_class(code) == where


def test_the_last_sync_tells_its_class_trigger_and_sources(kiosk: Kiosk) -> None:
    last = {
        "at": "2026-11-24T12:00:00Z",
        "outcome": "failed",
        "error_code": "no-network",
        "message": "check the network",
        "trigger": "poll",
        "sources": {"relay": 12},
    }
    save_state(kiosk.data, last_sync=last)
    assert facts(kiosk)["last_sync"] == {**last, "error_class": "network"}
    # The server needs no sentence, and the sentence may name the network here.
    sent = heartbeat_facts(kiosk.data, kiosk.now())["last_sync"]
    assert sent == {
        **{key: last[key] for key in last if key != "message"},
        "error_class": "network",
    }


def test_the_clocks_source_is_what_its_time_rests_on() -> None:
    assert clock_source(NOON, trusted=False, confirmed=NOON) == "floor"
    assert clock_source(NOON, trusted=True, confirmed=None) == "clock"
    assert clock_source(NOON, trusted=True, confirmed=NOON - timedelta(hours=2)) == "ntp"
    assert clock_source(NOON, trusted=True, confirmed=NOON - timedelta(days=2)) == "clock"


def test_what_waits_to_be_sent_is_counted(kiosk: Kiosk) -> None:
    write_json(kiosk.data.queue, [{}, {}])
    assert facts(kiosk)["queued"] == 2


def test_a_heartbeat_carries_what_only_the_agent_knows_and_no_more_than_a_server_takes(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    kiosk.sync()
    more = {"shell": {"browser": "running", "restarts": 0}, "open": True}
    sent = heartbeat_facts(kiosk.data, kiosk.now(), more=more)
    assert sent["shell"]["browser"] == "running"
    assert sent["open"] is True
    assert sent["complete"] == sent["active"]
    assert set(sent["clock"]) == {"trusted", "offset_seconds", "source"}
    assert len(json.dumps(sent)) < 4096
