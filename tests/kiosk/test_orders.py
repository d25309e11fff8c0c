"""Orders of the fleet: each done once, and its end told, whatever is cut off between."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kiosk_client.agent import Agent, Screen, set_up
from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.errors import KioskError, NoNetwork
from kiosk_client.orders import MOST_TRIES, REMEMBERED, Order, OrderGone, Orders
from kiosk_client.page import read_report
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin, harbour


class Killed(BaseException):
    """The process dies here."""


class Fleet:
    """The server's side, as far as orders go."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str, str | None]] = []
        self.down = False
        self.gone: set[int] = set()

    def __call__(self, number: int, state: str, message: str | None) -> None:
        if self.down:
            raise NoNetwork("down")
        if number in self.gone:
            raise OrderGone("expired")
        self.heard.append((number, state, message))


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return open_data_dir(tmp_path / "kiosk", create=True)


def order(number: int, kind: str = "sync", **arguments: Any) -> dict[str, Any]:
    return {"id": number, "kind": kind, "arguments": arguments}


def test_an_order_is_taken_done_and_told(data: DataDir) -> None:
    fleet, done = Fleet(), []
    orders = Orders(data)
    orders.receive([order(1)])

    def do(one: Order) -> str:
        done.append(one.id)
        return "fine"

    orders.work({"sync": do}, fleet)
    assert done == [1]
    assert fleet.heard == [(1, "taken", None), (1, "done", "fine")]
    # The server repeats itself: its answer was on the way when the end was told.
    orders.receive([order(1)])
    Orders(data).receive([order(1)])
    orders.work({"sync": do}, fleet)
    assert done == [1]


def test_an_order_that_fails_says_why(data: DataDir) -> None:
    fleet = Fleet()

    def do(one: Order) -> str:
        raise KioskError("x" * 900)

    orders = Orders(data)
    orders.receive([order(1), order(2, "dance")])
    orders.work({"sync": do}, fleet)
    assert [(number, state) for number, state, _ in fleet.heard] == [
        (1, "taken"),
        (1, "failed"),
        (2, "taken"),
        (2, "failed"),
    ]
    assert fleet.heard[1][2] == ("failed: " + "x" * 900)[:500]
    assert fleet.heard[3][2] == "no dance is known here"


def test_an_order_is_not_done_before_the_server_agreed_that_it_is_taken(data: DataDir) -> None:
    fleet, done = Fleet(), []
    fleet.down = True
    orders = Orders(data)
    orders.receive([order(1)])
    orders.work({"sync": lambda one: done.append(one.id)}, fleet)
    assert done == []
    fleet.down, fleet.gone = False, {1}
    Orders(data).work({"sync": lambda one: done.append(one.id)}, fleet)
    assert done == []
    assert Orders(data).open == ()


def test_an_end_that_could_not_be_told_is_told_later_and_nothing_is_done_twice(
    data: DataDir,
) -> None:
    fleet, done = Fleet(), []

    def do(one: Order) -> None:
        done.append(one.id)
        fleet.down = True

    orders = Orders(data)
    orders.receive([order(1)])
    orders.work({"sync": do}, fleet)
    fleet.down = False
    Orders(data).work({"sync": do}, fleet)
    assert done == [1]
    assert fleet.heard[-1] == (1, "done", None)


def test_what_a_crash_cut_off_is_done_again_a_few_times(data: DataDir) -> None:
    fleet, begun = Fleet(), []

    def do(one: Order) -> str:
        begun.append(one.id)
        raise Killed

    orders = Orders(data)
    orders.receive([order(1, "verify")])
    for _ in range(MOST_TRIES):
        with pytest.raises(Killed):
            Orders(data).work({"verify": do}, fleet)
    Orders(data).work({"verify": do}, fleet)
    assert len(begun) == MOST_TRIES
    assert fleet.heard[-1][1:] == ("failed", f"expected to end, got cut off {MOST_TRIES} times")


def test_a_restart_of_this_process_is_done_once(data: DataDir) -> None:
    fleet, begun = Fleet(), []

    def do(one: Order) -> str:
        begun.append(one.id)
        raise Killed

    orders = Orders(data)
    orders.receive([order(1, "restart-agent")])
    with pytest.raises(Killed):
        orders.work({"restart-agent": do}, fleet)
    Orders(data).work({"restart-agent": do}, fleet)
    assert begun == [1]
    assert fleet.heard == [(1, "taken", None), (1, "done", "restarting")]


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"id": "1", "kind": "sync"},
        {"id": True, "kind": "sync"},
        {"id": 1},
        {"id": 1, "kind": 3},
        {"id": 1, "kind": "sync", "arguments": []},
    ],
)
def test_what_is_no_order_is_left_aside(data: DataDir, told: dict[str, Any]) -> None:
    orders = Orders(data)
    orders.receive([told, order(7)])
    assert [one.id for one in orders.open] == [7]


def test_only_the_last_settled_orders_are_remembered(data: DataDir) -> None:
    fleet = Fleet()
    orders = Orders(data)
    orders.receive([order(number) for number in range(REMEMBERED + 30)])
    orders.work({"sync": lambda one: None}, fleet)
    assert (data.root / "orders.json").read_text().count('"id"') == REMEMBERED


@pytest.fixture
def screen(kiosk: Kiosk) -> Screen:
    return set_up(kiosk.data)


def test_the_agent_does_what_a_heartbeats_answer_asks_for(
    kiosk: Kiosk, origin: Origin, screen: Screen
) -> None:
    origin.publish()
    restarted: list[int] = []
    agent = Agent(kiosk.data)
    agent.attach(screen, lambda: restarted.append(1))
    agent.poll()
    origin.publish(harbour(edition=2))
    kinds = ("sync", "verify", "reload-settings", "restart-player", "screenshot", "restart-agent")
    origin.orders = [order(number, kind) for number, kind in enumerate(kinds, 1)]
    agent.poll()
    ended = {number: (state, message) for number, state, message in origin.told[1::2]}
    assert [state for _, state, _ in origin.told[::2]] == ["taken"] * 6
    assert ended[1] == ("done", "unchanged: harbour release 2")
    assert ended[2] == ("done", "every one of 5 files is as it should be")
    assert ended[3] == ("done", "settings of version 1")
    assert ended[4][0] == ended[5][0] == "failed"
    assert "no browser is watched here" in (ended[4][1] or "")
    assert ended[6] == ("done", "restarting")
    assert restarted == [1]
    beat = origin.heartbeats[-1]
    assert beat["shell"] == {
        "browser": "absent",
        "restarts": 0,
        "page_seen_seconds": None,
        "screen": None,
        "heap": None,
    }
    assert beat["open"] is True


def test_what_was_shown_is_reported_with_the_poll(
    kiosk: Kiosk, origin: Origin, screen: Screen
) -> None:
    origin.publish()
    agent = Agent(kiosk.data)
    agent.attach(screen, lambda: None)
    shown = {"entry": "crane", "title": "Crane", "language": "en", "seconds": 12}
    report = {"package": "harbour", "release": 1, "screen": "visit", "plays": [shown]}
    screen.plays.note(read_report(report))
    agent.poll()
    agent.poll()
    ((_, rows),) = origin.plays
    assert [(row["entry"], row["views"], row["seconds"]) for row in rows] == [("crane", 1, 12)]


def test_an_order_that_asks_for_a_verification_heals_what_it_finds(
    kiosk: Kiosk, origin: Origin, screen: Screen
) -> None:
    origin.publish()
    agent = Agent(kiosk.data)
    agent.attach(screen, lambda: None)
    agent.poll()
    blob = kiosk.blob("media/crane/640.webp")
    whole = blob.read_bytes()
    found = blob.stat()
    blob.chmod(0o644)
    blob.write_bytes(whole[:-1] + b"x")
    os.utime(blob, ns=(found.st_atime_ns, found.st_mtime_ns))
    origin.orders = [order(1, "verify")]
    agent.poll()
    assert origin.told[-1][1] == "done"
    assert "1 of 5 files were missing or damaged; repaired" in (origin.told[-1][2] or "")
    assert blob.read_bytes() == whole
