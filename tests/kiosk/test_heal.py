"""Whatever small file of a device rots, what plays plays on, or the next sync heals it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from kiosk_client.activation import read_active
from kiosk_client.check import verify_device
from kiosk_client.errors import DiskFailing, NoNetwork, NotEnrolled, StoreDamaged
from kiosk_client.facts import device_facts
from kiosk_client.scrub import REPAIRS
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin, harbour

SMALL = (
    "active.json",
    "assignment.json",
    "state.json",
    "trust.json",
    "scrub.json",
    "canary",
    "heartbeats.json",
    "settings.json",
    "lock",
    "room.lock",
    "metadata/timestamp.json",
    "metadata/snapshot.json",
    "metadata/targets.json",
    "metadata/root.json",
    "metadata/root_history/1.root.json",
    "sets/*.json",
)

WAYS = {
    "emptied": lambda path: path.write_bytes(b""),
    "zeroed": lambda path: path.write_bytes(b"\0" * 4096),
    "gone": lambda path: path.unlink(),
    "another kind": lambda path: path.write_bytes(b"[7]"),
}


@pytest.fixture
def playing(kiosk: Kiosk, origin: Origin) -> Kiosk:
    origin.publish(harbour(film=1000))
    kiosk.sync()
    return kiosk


@pytest.mark.parametrize("way", WAYS)
def test_a_sync_heals_every_small_file(way: str, playing: Kiosk, origin: Origin) -> None:
    for name in SMALL:
        for path in playing.data.root.glob(name):
            WAYS[way](path)
        origin.forget_hits()
        playing.sync()
        assert playing.release == 1, name
        facts = device_facts(playing.data, playing.now())
        assert facts["complete"], name
        assert not origin.asked("/blobs/"), f"{name}: what was proven came again"
    origin.publish(harbour(edition=2, film=1000))
    assert playing.sync().release == 2


@pytest.mark.parametrize("way", ["emptied", "zeroed", "gone"])
def test_what_plays_needs_no_network_to_outlive_a_rotten_pointer(way: str, playing: Kiosk) -> None:
    before = read_active(playing.data)
    WAYS[way](playing.data.active)
    assert read_active(playing.data) == before


def test_a_lost_enrolment_is_said_and_what_plays_stays(playing: Kiosk) -> None:
    playing.data.device.write_bytes(b"\0" * 100)
    with pytest.raises(NotEnrolled, match="enrol"):
        playing.sync()
    assert playing.release == 1


def test_verify_says_when_the_list_of_what_plays_is_lost(playing: Kiosk) -> None:
    shutil.rmtree(playing.data.sets)
    with pytest.raises(StoreDamaged, match="manifest"):
        verify_device(playing.data)


def test_verify_reads_what_waits_and_what_came_before(playing: Kiosk, origin: Origin) -> None:
    origin.publish(harbour(edition=2, film=2000))
    playing.sync(activate=False)
    assert verify_device(playing.data).files == 8
    waiting = next(
        path for path in playing.data.root.glob("blobs/*/*") if path.stat().st_size == 2000
    )
    waiting.chmod(0o644)
    waiting.write_bytes(b"x" * 2000)
    assert verify_device(playing.data).bad == ("media/film/720.mp4",)


def test_a_disk_that_loses_files_again_and_again_is_not_filled_for_ever(
    playing: Kiosk, origin: Origin
) -> None:
    playing.clock = datetime.now(UTC)
    for _ in range(REPAIRS):
        playing.blob("media/crane/640.webp").unlink()
        assert playing.sync(trigger="poll").outcome == "repaired"
    playing.blob("media/crane/640.webp").unlink()
    origin.forget_hits()
    with pytest.raises(DiskFailing, match="6 repairs within a day"):
        playing.sync(trigger="poll")
    assert not origin.asked("/blobs/")
    # A new release has nothing to do with that, and a person may insist.
    assert playing.sync(trigger="person").outcome == "repaired"
    origin.publish(harbour(edition=2, film=1000))
    assert playing.sync(trigger="poll").release == 2
    playing.blob("media/crane/640.webp").unlink()
    playing.clock += timedelta(days=1, minutes=1)
    assert playing.sync(trigger="poll").outcome == "repaired"


def test_a_repair_that_a_bad_line_breaks_off_counts_once(playing: Kiosk, origin: Origin) -> None:
    playing.blob("media/crane/640.webp").unlink()
    origin.attack("/blobs/", "drop")
    for _ in range(REPAIRS + 1):
        with pytest.raises(NoNetwork):
            playing.sync(trigger="poll")
    origin.attacks.clear()
    assert playing.sync(trigger="poll").outcome == "repaired"
