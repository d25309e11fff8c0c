"""Every byte is read once a week; rot is dropped, healed by block, and not for ever."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk_client import scrub
from kiosk_client.durable import exclusive, write_json
from kiosk_client.facts import device_facts, load_state
from kiosk_client.scrub import EVERY, Scrubber, Step, is_due, load_progress, may_heal
from kiosk_client.store import STAMP_NS, is_proven
from package_format.layout import BLOCK_SIZE
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FAST = 1e12


@pytest.fixture
def playing(kiosk: Kiosk, origin: Origin) -> Kiosk:
    origin.publish()
    kiosk.sync()
    kiosk.clock = NOON
    return kiosk


def scrubber(kiosk: Kiosk, **options: object) -> Scrubber:
    return Scrubber(kiosk.data, **{"rate": FAST, "now": kiosk.now, **options})  # type: ignore[arg-type]


def rot(path: Path, at: int) -> None:
    """Flip a bit behind the stamp's back, as an old card does."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(STAMP_NS, STAMP_NS))


def film(kiosk: Kiosk) -> Path:
    return kiosk.blob("media/film/720.mp4")


def test_a_round_reads_every_byte_and_says_so(playing: Kiosk) -> None:
    found = scrubber(playing).step(60)
    assert found == Step("idle", 9_046_173)
    assert load_state(playing.data)["last_full_verify_at"] == "2026-11-24T12:00:00Z"
    assert load_progress(playing.data).finished == NOON


def test_where_nothing_plays_nothing_was_verified(kiosk: Kiosk) -> None:
    assert scrubber(kiosk).step(60) == Step("idle")
    assert "last_full_verify_at" not in load_state(kiosk.data)


def test_the_next_round_begins_after_a_week(playing: Kiosk) -> None:
    one = scrubber(playing)
    one.step(60)
    playing.clock = NOON + EVERY - timedelta(minutes=1)
    assert one.step(60) == Step("idle")
    playing.clock = NOON + EVERY
    assert one.step(60).size > 9_000_000


@pytest.mark.parametrize("jump", [timedelta(days=-20_000), timedelta(days=20_000)])
def test_a_clock_that_jumps_makes_a_round_early_and_not_late(jump: timedelta) -> None:
    assert is_due(NOON, NOON + jump)
    assert is_due(None, NOON)
    assert not is_due(NOON, NOON - timedelta(hours=1))


def test_a_step_ends_in_time_and_the_next_goes_on_there(playing: Kiosk) -> None:
    one = scrubber(playing)
    total, steps = 0, 0
    while (found := one.step(0.004)).state == "working":
        total += found.size
        steps += 1
        assert steps < 10_000
    assert total + found.size == 9_046_173
    assert steps > 1


def test_another_process_goes_on_where_the_first_was_killed(
    playing: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub, "SAVE_SECONDS", 0.0)
    first = scrubber(playing)
    read = 0
    while not read:
        found = first.step(0.002)
        assert found.state == "working"
        read += found.size
    before = load_progress(playing.data)
    second = scrubber(playing).step(60)
    assert second == Step("idle", 9_046_173 - read)
    assert load_state(playing.data)["last_full_verify_at"] == "2026-11-24T12:00:00Z"
    assert before.began == NOON


def test_a_rotten_block_is_found_and_fetched_alone(playing: Kiosk, origin: Origin) -> None:
    path = film(playing)
    rot(path, BLOCK_SIZE + 17)
    assert is_proven(playing.store, path.name, path.stat().st_size)
    found = scrubber(playing).step(60)
    assert found.damaged == ("media/film/720.mp4",)
    assert not path.exists()
    assert device_facts(playing.data, NOON)["faults"][0]["code"] == "store-damaged"
    origin.forget_hits()
    playing.clock = None
    assert playing.sync().outcome == "repaired"
    sent = [hit.sent for hit in origin.asked("/blobs/")]
    assert sent == [BLOCK_SIZE]
    assert load_progress(playing.data).damages[0]["path"] == "media/film/720.mp4"


def test_a_small_file_that_rots_is_fetched_anew(playing: Kiosk, origin: Origin) -> None:
    rot(playing.blob("media/crane/640.webp"), 5)
    assert scrubber(playing).step(60).damaged == ("media/crane/640.webp",)
    playing.clock = None
    assert playing.sync().fetched_files == 1


def test_a_spot_that_does_not_read_is_damage(
    playing: Kiosk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    inode = film(playing).stat().st_ino
    real = os.pread

    def refuse(fd: int, size: int, at: int) -> bytes:
        if os.fstat(fd).st_ino == inode and at <= BLOCK_SIZE + 17 < at + size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(fd, size, at)

    monkeypatch.setattr(os, "pread", refuse)
    assert scrubber(playing).step(60).damaged == ("media/film/720.mp4",)
    monkeypatch.undo()
    playing.clock = None
    assert playing.sync().outcome == "repaired"


def test_a_touched_file_that_is_right_gets_its_stamp_again(playing: Kiosk) -> None:
    path = film(playing)
    os.utime(path)
    assert scrubber(playing).step(60).damaged == ()
    assert path.stat().st_mtime_ns == STAMP_NS


def test_a_file_that_is_not_there_is_no_damage(playing: Kiosk) -> None:
    film(playing).unlink()
    assert scrubber(playing).step(60).damaged == ()


def test_a_visit_and_a_sync_go_first(playing: Kiosk) -> None:
    assert scrubber(playing, busy=lambda: True).step(60) == Step("paused")
    with exclusive(playing.data.lock):
        assert scrubber(playing).step(60) == Step("paused")


def test_a_disk_that_rots_again_and_again_is_reported_and_left_alone(playing: Kiosk) -> None:
    names = ["media/crane/640.webp", "media/film/720.mp4", "lang/en/shard-0.json", "package.json"]
    paths = [playing.blob(name) for name in names]
    for path in paths:
        rot(path, 3)
    found = scrubber(playing).step(60)
    assert len(found.damaged) == 4
    assert sum(path.exists() for path in paths) == 1, "three are healed in a day, the fourth stays"
    told = load_progress(playing.data)
    assert len(told.heals) == 3
    assert told.resting is not None
    codes = [fault["code"] for fault in device_facts(playing.data, NOON)["faults"]]
    assert "disk-failing" in codes


def test_a_round_without_damage_takes_the_warning_back(playing: Kiosk) -> None:
    old = replace(load_progress(playing.data), resting="a bad week", heals=(NOON,) * 3)
    write_json(playing.data.root / "scrub.json", scrub._to_json(old))
    scrubber(playing).step(60)
    assert load_progress(playing.data).resting is None


def test_healing_is_capped_within_a_window_whatever_the_clock_does() -> None:
    hours = [NOON - timedelta(hours=hour) for hour in (1, 2, 3)]
    assert may_heal(hours[:2], NOON)
    assert not may_heal(hours, NOON)
    assert may_heal(hours, NOON + timedelta(days=1))
    # Noted while the clock was ahead: it counts when it is near, and else does not.
    assert not may_heal([NOON + timedelta(hours=5)] * 3, NOON)
    assert may_heal([NOON + timedelta(days=5)] * 3, NOON)


def test_the_rate_is_kept(playing: Kiosk) -> None:
    slept: list[float] = []

    def wait(seconds: float) -> bool:
        slept.append(seconds)
        return False

    scrubber(playing, rate=1_000_000, wait=wait).step(60)
    assert 7 < sum(slept) <= 9.1


def test_notes_that_do_not_read_begin_a_round(playing: Kiosk) -> None:
    (playing.data.root / "scrub.json").write_bytes(b'{"began": 7}')
    assert scrubber(playing).step(60).state == "idle"


def test_the_thread_ends_when_told_and_comes_last(playing: Kiosk) -> None:
    background = scrub.Background(playing.data)
    background.start()
    background.stop()
    names = [thread.name for thread in threading.enumerate()]
    assert "scrub" not in names
