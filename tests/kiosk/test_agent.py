"""`run`: serving goes on, polls spread out, heartbeats wait for better days."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kiosk_client.agent import Agent, poll_pause
from kiosk_client.durable import read_json
from kiosk_client.errors import KioskError, MetadataExpired
from kiosk_client.facts import stamp
from kiosk_client.reports import HOURS, QUEUE, RECENT, queue_heartbeat
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import TOKEN, Origin, harbour


def test_a_poll_syncs_and_reports_plain_facts(kiosk: Kiosk, origin: Origin) -> None:
    manifest = origin.publish()
    assert Agent(kiosk.data).poll() is False
    (beat,) = origin.heartbeats
    assert beat["active"]["release"] == manifest.release
    assert len(beat["active"]["manifest_sha256"]) == 64
    assert beat["complete"] == beat["active"]
    assert (beat["missing_bytes"], beat["faults"]) == (0, [])
    assert beat["last_sync"]["outcome"] == "activated"
    assert beat["clock"]["trusted"] is True
    assert abs(beat["clock"]["offset_seconds"]) <= 2
    assert beat["disk"]["verdict"] == "ok"
    assert TOKEN not in str(beat)


def test_a_heartbeat_tells_what_is_missing(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    agent = Agent(kiosk.data)
    agent.poll()
    kiosk.blob("media/crane/640.webp").unlink()
    origin.attack("/blobs/", "status", argument=404)
    with pytest.raises(KioskError):
        agent.poll()
    beat = origin.heartbeats[-1]
    assert (beat["complete"], beat["missing_bytes"]) == (None, 40_000)
    assert [fault["code"] for fault in beat["faults"]] == ["store-damaged"]
    assert beat["last_sync"]["error_code"] == "origin-trouble"


def test_a_long_transfer_is_told_of_while_it_goes_on(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    agent = Agent(kiosk.data)
    agent.poll()
    origin.publish(harbour(edition=2))
    Agent(kiosk.data, interval=0.0).poll()
    told = [beat for beat in origin.heartbeats if "coming" in beat]
    assert told
    assert {(beat["active"]["release"], beat["coming"]["release"]) for beat in told} == {(1, 2)}
    left = [beat["coming"]["missing_bytes"] for beat in told]
    assert left == sorted(left, reverse=True)
    assert 0 <= left[0] < told[0]["coming"]["total_bytes"]
    assert "coming" not in origin.heartbeats[-1]
    assert origin.heartbeats[-1]["active"]["release"] == 2


def test_a_transfer_that_broke_off_tells_how_far_it_came(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    agent = Agent(kiosk.data)
    agent.poll()
    origin.publish(harbour(edition=2))
    origin.attack("/blobs/", "status", argument=404)
    with pytest.raises(KioskError):
        agent.poll()
    coming = origin.heartbeats[-1]["coming"]
    assert (coming["package"], coming["release"]) == ("harbour", 2)
    assert 0 < coming["missing_bytes"] <= coming["total_bytes"]


def test_heartbeats_wait_while_offline_and_are_sent_oldest_first(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    origin.attack("/heartbeats", "status", argument=500)
    agent = Agent(kiosk.data)
    for _ in range(3):
        agent.poll()
    waiting = read_json(kiosk.data.queue)
    assert len(waiting) == 3
    origin.attacks.clear()
    agent.poll()
    assert [beat["at"] for beat in origin.heartbeats[:3]] == [beat["at"] for beat in waiting]
    assert len(origin.heartbeats) == 4
    assert read_json(kiosk.data.queue) == []


def test_a_year_of_silence_is_kept_within_a_bound_and_still_tells_its_story() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    waiting: list[Any] = []
    # Every twenty minutes, for a year and a month.
    for number in range(3 * 24 * 395):
        at = began + timedelta(minutes=20 * number)
        waiting = queue_heartbeat(waiting, {"at": stamp(at), "number": number})
    assert len(waiting) <= QUEUE
    numbers = [one["number"] for one in waiting]
    assert numbers == sorted(numbers)
    assert numbers[-RECENT:] == list(range(numbers[-1] - RECENT + 1, numbers[-1] + 1))
    days = [one["at"][:10] for one in waiting[: -RECENT - HOURS]]
    assert len(days) == len(set(days))
    assert len(days) >= 365
    hours = [one["at"][:13] for one in waiting[-RECENT - HOURS : -RECENT]]
    assert len(hours) == len(set(hours)) == HOURS


def test_a_queue_whose_clock_jumps_stays_within_its_bound() -> None:
    waiting: list[Any] = []
    for number in range(3000):
        year = 1970 if number % 2 else 2026
        waiting = queue_heartbeat(waiting, {"at": f"{year}-01-01T00:00:00Z", "number": number})
    assert len(waiting) <= QUEUE
    assert waiting[-1]["number"] == 2999


def test_a_refused_sync_is_reported_too(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.refresh(days=-1)
    with pytest.raises(MetadataExpired):
        Agent(kiosk.data).poll()
    assert origin.heartbeats[-1]["last_sync"]["error_code"] == "metadata-expired"


def test_a_new_assignment_told_by_the_heartbeat_asks_for_another_poll(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    agent = Agent(kiosk.data)
    assert agent.poll() is False
    assert origin.assignment is not None
    real = dict(origin.assignment)
    origin.assignment = {**real, "version": 2, "languages": ["fr"]}
    assert agent.poll() is True
    assert agent.poll() is False


def test_polls_spread_out_and_slow_down_while_failing() -> None:
    assert poll_pause(300, 0, 0.0) == pytest.approx(240)
    assert poll_pause(300, 0, 1.0) == pytest.approx(360)
    assert poll_pause(300, 2, 0.5) == 1200
    assert poll_pause(300, 50, 0.5) == 3600
    assert poll_pause(7200, 1, 0.5) == 7200


def test_an_agent_polls_by_itself_and_stops_when_told(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    agent = Agent(kiosk.data, interval=0.05)
    agent.start()
    deadline = time.monotonic() + 10
    while kiosk.release != 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    origin.publish(harbour(edition=2))
    while kiosk.release != 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    agent.stop()
    assert kiosk.release == 2
    asked = len(origin.hits)
    time.sleep(0.2)
    assert len(origin.hits) == asked


def test_a_stop_does_not_wait_for_a_long_transfer(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.attack("/blobs/", "drip", argument=0.05)
    agent = Agent(kiosk.data, interval=0.05)
    agent.start()
    deadline = time.monotonic() + 10
    while not origin.asked("timestamp") and time.monotonic() < deadline:
        time.sleep(0.02)
    began = time.monotonic()
    agent.stop()
    assert time.monotonic() - began < 3


def test_a_clock_behind_the_floor_is_reported(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    past = datetime(2000, 1, 1, tzinfo=UTC)
    Agent(kiosk.data, now=lambda: past).poll()
    clock = origin.heartbeats[-1]["clock"]
    assert clock["trusted"] is False
    assert clock["offset_seconds"] > 800_000_000


def test_a_poll_with_nothing_new_asks_for_root_and_timestamp_alone(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    agent = Agent(kiosk.data)
    agent.poll()
    origin.forget_hits()
    agent.poll()
    # The heartbeat's answer said that the assignment is the same.
    assert [(hit.path.rpartition("/")[2], hit.status) for hit in origin.asked()] == [
        ("2.root.json", 404),
        ("timestamp.json", 304),
        ("heartbeats", 202),
    ]
