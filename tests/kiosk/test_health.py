"""Well, full or failing: judged from what is seen, with one careful write now and then."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosk_client import health
from kiosk_client.errors import DiskFailing, NoNetwork
from kiosk_client.health import (
    CANARY_EVERY,
    DiskWatch,
    Observations,
    Pace,
    Timed,
    errors_count,
    is_slow,
    judge_disk,
)
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin, harbour

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WELL = Observations(free=10**10, total=10**11, reserve=256 * 2**20, errors_count=0, canary="ok")


def test_a_disk_with_nothing_against_it_is_well() -> None:
    assert judge_disk(WELL).verdict == "ok"
    assert judge_disk(replace(WELL, errors_count=None, canary=None)).verdict == "ok"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"read_only": True}, "read-only"),
        ({"canary": "failing"}, "refuses to write"),
        ({"canary": "lost"}, "other bytes"),
        ({"errors_count": 1}, "damaged by the system once"),
        ({"errors_count": 7}, "damaged by the system 7 times"),
        ({"writes": (Timed(4096, 9.0),) * 3}, "many seconds for small writes"),
    ],
)
def test_each_sign_of_failing_is_said_with_what_to_do(change: dict[str, object], said: str) -> None:
    found = judge_disk(replace(WELL, **change))  # type: ignore[arg-type]
    assert found.verdict == "failing"
    assert said in found.reason
    # Emptying a disk that fails does not heal it.
    assert judge_disk(replace(found.seen, free=0)).verdict == "failing"


@pytest.mark.parametrize("change", [{"free": 10**6}, {"canary": "full"}])
def test_a_disk_without_room_is_full_and_not_failing(change: dict[str, object]) -> None:
    found = judge_disk(replace(WELL, **change))  # type: ignore[arg-type]
    assert found.verdict == "full"
    assert "remove files" in found.reason


@pytest.mark.parametrize(
    ("writes", "slow"),
    [
        ([], False),
        ([Timed(4096, 6.0)] * 2, False),
        ([Timed(4096, 6.0)] * 3, True),
        ([Timed(4096, 4.0)] * 16, False),
        # A card writes some megabytes a second: a film takes its time.
        ([Timed(500_000_000, 400.0)] * 16, False),
        ([Timed(1_000_000, 7.0)] * 3, True),
    ],
)
def test_slow_is_often_and_measured_by_what_was_written(writes: list[Timed], slow: bool) -> None:
    assert is_slow(writes) is slow


def test_old_writes_are_forgotten() -> None:
    pace = Pace()
    for _ in range(3):
        pace.note(4096, 60.0)
    assert pace.is_slow()
    for _ in range(health.KEPT_TIMES):
        pace.note(4096, 0.01)
    assert not pace.is_slow()


class Clock:
    """A steady clock that is moved by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def written(folder: Path) -> int | None:
    canary = folder / "canary"
    return canary.stat().st_mtime_ns if canary.exists() else None


def test_the_canary_is_written_once_a_quarter_of_an_hour(tmp_path: Path) -> None:
    clock = Clock()
    watch = DiskWatch(tmp_path, reserve=0, monotonic=clock)
    assert watch.look(NOON).verdict == "ok"
    assert (tmp_path / "canary").stat().st_size == health.CANARY_SIZE
    first = written(tmp_path)
    # The wall clock jumps as it likes; the steady one counts.
    clock.seconds = CANARY_EVERY.total_seconds() - 1
    watch.look(NOON + timedelta(days=365))
    assert written(tmp_path) == first
    clock.seconds += 1
    watch.look(NOON)
    assert written(tmp_path) != first


def test_the_next_process_knows_when_the_canary_was_written(tmp_path: Path) -> None:
    DiskWatch(tmp_path, reserve=0).look(NOON)
    first = written(tmp_path)
    assert DiskWatch(tmp_path, reserve=0).look(NOON + timedelta(minutes=5)).seen.canary == "ok"
    assert written(tmp_path) == first
    DiskWatch(tmp_path, reserve=0).look(NOON + CANARY_EVERY)
    assert written(tmp_path) != first


def test_root_leaves_no_canary_that_the_kiosks_user_could_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    real = os.stat

    def anothers(path: Path, **options: Any) -> os.stat_result:
        found = list(real(path, **options))
        found[4] = 1000
        return os.stat_result(found)

    monkeypatch.setattr(os, "stat", anothers)
    assert DiskWatch(tmp_path, reserve=0).look(NOON).seen.canary is None
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_canary_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "canary").write_bytes(b'{"at": "yesterday"}')
    assert DiskWatch(tmp_path, reserve=0).look(NOON).verdict == "ok"
    assert b"2026-11-24" in (tmp_path / "canary").read_bytes()


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (errno.EIO, "failing"),
        (errno.EROFS, "failing"),
        (errno.EUCLEAN, "failing"),
        (errno.ENOSPC, "full"),
        (errno.EACCES, "ok"),
    ],
)
def test_what_the_canary_meets_decides(
    number: int, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    assert DiskWatch(tmp_path, reserve=0).look(NOON).verdict == verdict


def test_a_disk_that_forgets_what_it_was_given_is_failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pread", lambda fd, size, at: b"\0" * size)
    assert DiskWatch(tmp_path, reserve=0).look(NOON).seen.canary == "lost"


def test_slow_canaries_are_remembered_over_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    def slowly(fd: int) -> None:
        clock.seconds += 20

    monkeypatch.setattr(os, "fsync", slowly)
    now = NOON
    for _ in range(2):
        assert DiskWatch(tmp_path, reserve=0, monotonic=clock).look(now).verdict == "ok"
        now += CANARY_EVERY
    found = DiskWatch(tmp_path, reserve=0, monotonic=clock).look(now)
    assert found.verdict == "failing"
    assert "many seconds" in found.reason


def test_ext4_errors_are_read_where_the_kernel_counts_them(tmp_path: Path) -> None:
    sysfs = tmp_path / "sys"
    device = os.stat(tmp_path).st_dev
    target = sysfs / "devices" / "mmcblk0" / "mmcblk0p2"
    target.mkdir(parents=True)
    (sysfs / "dev" / "block").mkdir(parents=True)
    (sysfs / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}").symlink_to(target)
    assert errors_count(tmp_path, sysfs) is None
    (sysfs / "fs" / "ext4" / "mmcblk0p2").mkdir(parents=True)
    (sysfs / "fs" / "ext4" / "mmcblk0p2" / "errors_count").write_text("3\n")
    assert errors_count(tmp_path, sysfs) == 3
    found = DiskWatch(tmp_path, reserve=0, sysfs=sysfs).look(NOON)
    assert (found.verdict, found.to_json()["errors_count"]) == ("failing", 3)


def test_a_sync_that_waits_for_the_disk_does_not_blame_the_network(
    kiosk: Kiosk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = origin.publish(harbour(film=100_000))
    film = next(entry.sha256 for entry in manifest.files if entry.type == "video/mp4")
    # Servers give up on who takes minutes for a document; the film comes last.
    origin.attack(film, "drop")
    with pytest.raises(NoNetwork):
        kiosk.sync(workers=1)
    for path in kiosk.data.root.glob("blobs/*/*"):
        path.unlink()
    real, slept, steady = os.pwrite, [0.0], time.monotonic

    def slowly(fd: int, raw: bytes, at: int) -> int:
        slept[0] += 100.0
        return real(fd, raw, at)

    monkeypatch.setattr(os, "pwrite", slowly)
    monkeypatch.setattr(time, "monotonic", lambda: steady() + slept[0])
    with pytest.raises(DiskFailing, match="keeps up with the network"):
        kiosk.sync(workers=1)
