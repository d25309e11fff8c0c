"""When the screen changes, and when it changes back: decided beside the server, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kiosk_client.activation import Slot, load_set, read_slots
from kiosk_client.activator import Activator, is_served, serving
from kiosk_client.page import PageWatch
from kiosk_client.server import Kiosk as Application
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Origin, harbour, noise

KEY = "harbour/live"


class Hall:
    """A device that serves its screen, and a page that says what it is told to say."""

    def __init__(self, kiosk: Kiosk) -> None:
        self.kiosk = kiosk
        self.time = 0.0
        self.changes = 0
        self.watch = PageWatch(clock=lambda: self.time)
        self.showing = Application(kiosk.data, now=kiosk.now, watch=self.watch).showing
        self.activator = self.anew()

    def anew(self) -> Activator:
        return Activator(
            self.kiosk.data,
            self.watch,
            self.showing.slot,
            now=self.kiosk.now,
            changed=self.changed,
        )

    def changed(self) -> None:
        self.changes += 1

    def page(self, screen: str = "attract", seconds: float = 0, **more: Any) -> None:
        """A page that reports every ten seconds, for `seconds` at least once."""
        until = self.time + seconds
        while True:
            playing = self.showing.playing()
            tag = playing.tag if playing else ""
            report = {"package": "harbour", "content": tag, "screen": screen, **more}
            self.watch.note(report)
            if self.time >= until:
                return
            self.time += 10

    @property
    def slot(self) -> Slot:
        return read_slots(self.kiosk.data)[KEY]

    @property
    def release(self) -> int | None:
        playing = self.showing.playing()
        return playing.current.set.release if playing else None


@contextmanager
def hall_of(kiosk: Kiosk) -> Iterator[Hall]:
    with serving(kiosk.data):
        yield Hall(kiosk)


@pytest.fixture
def hall(kiosk: Kiosk, origin: Origin) -> Iterator[Hall]:
    """A device that plays release 1, with release 2 staged."""
    origin.publish()
    kiosk.sync()
    origin.publish(harbour(edition=2))
    with hall_of(kiosk) as found:
        assert kiosk.sync().outcome == "ready"
        yield found


def test_a_served_screen_is_known_as_such(kiosk: Kiosk) -> None:
    assert not is_served(kiosk.data)
    with serving(kiosk.data):
        assert is_served(kiosk.data)
        # A second server of the same screen serves as well.
        with serving(kiosk.data):
            assert is_served(kiosk.data)
        assert is_served(kiosk.data)
    assert not is_served(kiosk.data)


def test_a_visitor_keeps_the_set_and_attract_takes_the_next(hall: Hall) -> None:
    hall.page("visit")
    assert hall.activator.step() is False
    assert hall.release == 1
    hall.page("attract")
    assert hall.activator.step() is True
    assert (hall.release, hall.changes) == (2, 1)
    assert hall.activator.step() is False


def test_right_after_the_start_a_page_has_time_to_say_that_somebody_visits(hall: Hall) -> None:
    assert hall.activator.step() is False
    hall.time = 13
    assert hall.activator.step() is True


def test_a_set_that_was_touched_since_it_was_proven_waits_for_the_next_sync(
    hall: Hall, kiosk: Kiosk
) -> None:
    hall.page()
    following = hall.slot.next
    assert following is not None
    loaded = load_set(kiosk.data, following)
    assert loaded is not None
    lost = next(entry for entry in loaded.files if entry.path == "lang/en/shard-0.json")
    kiosk.store.path(lost.sha256).unlink()
    assert hall.activator.step() is False
    assert kiosk.sync().outcome == "ready"
    assert hall.anew().step() is True


def test_a_minute_of_a_healthy_page_ends_the_probation(hall: Hall) -> None:
    hall.page()
    hall.activator.step()
    hall.page(seconds=50)
    assert hall.activator.step() is False
    hall.page(seconds=20)
    assert hall.activator.step() is True
    assert (hall.slot.probation, hall.release) == (None, 2)


def test_a_page_that_crashes_thrice_takes_the_set_back_whoever_asks_first(hall: Hall) -> None:
    hall.page()
    hall.activator.step()
    for _ in range(3):
        hall.page("start")
        hall.watch.crashed("renderer gone")
    assert hall.activator.step() is True
    assert hall.release == 1
    assert hall.slot.returned is not None
    assert hall.slot.returned.reason == "page-crashed"
    # The shell counted the same crashes: the set before plays already.
    assert hall.activator.give_back("the page crashed 3 times") is True
    assert hall.release == 1


def test_what_has_played_healthily_is_not_given_back(hall: Hall) -> None:
    hall.page()
    hall.activator.step()
    hall.page(seconds=80)
    hall.activator.step()
    assert hall.activator.give_back("the page crashed 3 times") is False
    assert hall.release == 2


def test_a_set_that_takes_the_machine_down_with_it_is_given_back_in_the_fourth_run(
    hall: Hall,
) -> None:
    hall.page()
    hall.activator.step()
    for run in range(1, 4):
        hall.page(seconds=20)
        hall.activator.step()
        hall.activator.step()
        assert hall.slot.probation is not None
        assert (hall.slot.probation.starts, hall.release) == (run, 2)
        hall.activator = hall.anew()
        hall.time += 60
    hall.page()
    hall.activator.step()
    hall.activator.step()
    assert hall.release == 1
    assert hall.slot.returned is not None
    assert hall.slot.returned.reason == "restarted"


def test_a_machine_that_starts_every_morning_without_a_page_gives_nothing_back(
    hall: Hall,
) -> None:
    hall.time = 13
    hall.activator.step()
    for _ in range(10):
        hall.activator = hall.anew()
        hall.activator.step()
    assert hall.release == 2
    assert hall.slot.probation is not None
    assert hall.slot.probation.starts == 0


def test_a_package_nobody_sees_changes_amid_a_visit(
    hall: Hall, kiosk: Kiosk, origin: Origin
) -> None:
    assert origin.assignment is not None
    files = {"media/a.webp": Content(noise(5000, "a"), "image/webp")}
    origin.publish(files, package="noir")
    programme = [{"package": "noir", "from": "2090-01-01", "until": "2090-02-01"}]
    origin.assignment.update(schedule={"programme": programme}, version=2)
    kiosk.sync()
    hall.page("visit")
    hall.activator.step()
    slots = read_slots(kiosk.data)
    assert slots["noir/live"].current is not None
    assert slots[KEY].next is not None
    assert hall.release == 1


def test_another_assigned_package_waits_for_the_visitor_to_leave(
    kiosk: Kiosk, origin: Origin
) -> None:
    assert origin.assignment is not None
    origin.publish()
    kiosk.sync()
    files = {"media/a.webp": Content(noise(5000, "a"), "image/webp")}
    origin.publish(files, package="noir")
    origin.assignment.update(package="noir", version=2)
    with hall_of(kiosk) as hall:
        assert kiosk.sync().outcome == "ready"
        hall.page("visit")
        hall.activator.step()
        assert hall.showing.slot() == KEY
        hall.page()
        hall.activator.step()
        assert hall.showing.slot() == "noir/live"
        for _ in range(3):
            hall.watch.crashed("renderer gone")
        hall.activator.step()
        assert hall.showing.slot() == KEY


def test_a_running_activator_changes_the_screen_by_itself(hall: Hall) -> None:
    hall.page()
    hall.activator.start()
    deadline = time.monotonic() + 10
    while hall.release != 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    hall.activator.stop()
    assert hall.release == 2


def test_a_disk_that_refuses_leaves_the_old_set_on_the_screen(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    hall.page()
    monkeypatch.setattr("kiosk_client.activation.write_json", refuse)
    with pytest.raises(OSError, match="Read-only"):
        hall.activator.step()
    assert hall.release == 1
    monkeypatch.undo()
    assert hall.activator.step() is True
    assert hall.release == 2
