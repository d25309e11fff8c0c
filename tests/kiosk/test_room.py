"""Room on the disk: asked for first, set aside, and made from what is worth least."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from kiosk_client import room
from kiosk_client.activation import ActiveSet, Slot, confirm
from kiosk_client.config import open_data_dir
from kiosk_client.errors import DiskFull
from kiosk_client.room import Stored, Worth, claimed, plan_eviction
from kiosk_client.store import Partial, free_bytes, stored_blobs
from package_format.manifest import ManifestFile
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Origin, file_entry, harbour, noise
from tests.kiosk.volumes import volume

MB = 2**20


def film(size: int, seed: str = "film") -> ManifestFile:
    return file_entry("film.mp4", Content(noise(size, seed), "video/mp4"))


def names(stored: tuple[Stored, ...]) -> list[str]:
    return [one.sha256 for one in stored]


def test_the_least_worth_goes_first_and_of_that_the_oldest_release() -> None:
    stored = [
        Stored("playing", 100, Worth.NEEDED, 7),
        Stored("before-here", 10, Worth.PREVIOUS_HERE, 6),
        Stored("before-elsewhere", 10, Worth.PREVIOUS_ELSEWHERE, 90),
        Stored("of-5", 10, Worth.UNPINNED, 5),
        Stored("of-4", 10, Worth.UNPINNED, 4),
        Stored("large-of-4", 11, Worth.UNPINNED, 4),
        Stored("part", 1, Worth.UNWANTED_PART),
    ]
    order = ["part", "large-of-4", "of-4", "of-5", "before-elsewhere", "before-here"]
    assert names(plan_eviction(52, stored)) == order
    assert names(plan_eviction(12, stored)) == order[:2]
    assert names(plan_eviction(13, stored)) == order[:3]
    assert plan_eviction(0, stored) == ()


def test_nothing_goes_when_all_that_may_go_would_not_do() -> None:
    stored = [Stored("playing", 100, Worth.NEEDED), Stored("old", 10, Worth.UNPINNED)]
    assert plan_eviction(11, stored) == ()


def test_a_sync_that_cannot_fit_removes_nothing(kiosk: Kiosk, origin: Origin) -> None:
    for number in range(3):
        origin.publish(harbour(edition=number))
        kiosk.sync()
    before = kiosk.snapshot()
    origin.publish(harbour(edition=4, film=9_500_000))
    with pytest.raises(DiskFull, match=r"10\d+\.\d MB free on the disk \(.* reserve\), got"):
        kiosk.sync(reserve=10**17)
    assert kiosk.snapshot().items() >= before.items()
    assert not list(kiosk.data.root.glob("claims/*"))


@pytest.fixture
def small(origin: Origin) -> Iterator[Kiosk]:
    """A device whose disk, of 20 MB, is its own."""
    with volume("tmpfs", 20) as folder:
        found = Kiosk(open_data_dir(folder / "kiosk", create=True), origin)
        found.enrol()
        yield found


def film_sha(number: int) -> str:
    return file_entry("f", harbour(film=8 * MB + number)["media/film/720.mp4"]).sha256


def test_a_device_with_little_room_lets_the_set_before_go_and_no_more(
    small: Kiosk, origin: Origin
) -> None:
    for number in range(3):
        origin.publish(harbour(edition=number, film=8 * MB + number))
        small.sync()
        confirm(small.data, "harbour/live")
    assert small.release == 3
    held = stored_blobs(small.store)
    assert film_sha(1) in held
    assert film_sha(0) not in held


def test_the_set_before_one_on_probation_never_goes(small: Kiosk, origin: Origin) -> None:
    for number in range(2):
        origin.publish(harbour(edition=number, film=8 * MB + number))
        small.sync()
    before = small.snapshot()
    origin.publish(harbour(edition=2, film=8 * MB + 2))
    with pytest.raises(DiskFull, match="to fetch"):
        small.sync()
    assert small.release == 2
    assert small.snapshot().items() >= before.items()


def test_what_waits_to_play_never_goes() -> None:
    when = datetime(2026, 11, 24, tzinfo=UTC)
    one, two, three = (
        ActiveSet("a" * 64, "harbour", "live", number, "tablet", ("fr",), "UTC", "", when)
        for number in (2, 1, 3)
    )
    slots = {
        "harbour/live": Slot("harbour", "live", current=one, previous=two, next=three),
        "noir/live": Slot("noir", "live", current=one, previous=two),
    }
    assert room.judge_worth(slots, "harbour/live") == [
        (Worth.NEEDED, one),
        (Worth.NEEDED, three),
        (Worth.PREVIOUS_HERE, two),
        (Worth.NEEDED, one),
        (Worth.PREVIOUS_ELSEWHERE, two),
    ]


def test_parts_no_longer_wanted_make_room(small: Kiosk) -> None:
    forgotten = small.store.part("0" * 64)
    forgotten.write_bytes(bytes(12 * MB))
    with claimed(small.store, [film(9 * MB)], 0):
        assert not forgotten.exists()


def test_room_is_set_aside_without_pretending_that_bytes_have_come(kiosk: Kiosk) -> None:
    entry = film(9 * MB)
    free = free_bytes(kiosk.data.root)
    with claimed(kiosk.store, [entry], 0) as store:
        found = store.part(entry.sha256).stat()
        assert found.st_size == 0
        assert found.st_blocks * 512 >= entry.size, "this file system cannot set room aside"
        assert free - free_bytes(kiosk.data.root) > 8 * MB
        partial = Partial(store, entry)
        assert partial.missing() == ((0, entry.size),)
        partial.write(0, noise(9 * MB, "film"))
        partial.finish()
        partial.close()
    assert kiosk.store.path(entry.sha256).read_bytes() == noise(9 * MB, "film")


def test_two_processes_never_count_the_same_free_bytes(kiosk: Kiosk) -> None:
    # Small files: nothing is set aside for them, so the claim alone speaks.
    entries = [film(1000, f"small {number}") for number in range(3)]
    other = (
        "import sys; from pathlib import Path; from kiosk_client.store import Store\n"
        "from kiosk_client.room import claimed; from package_format.manifest import ManifestFile\n"
        "entry = ManifestFile('a', 'a' * 64, 10**15, 'video/mp4')\n"
        "import kiosk_client.room as room; room.ALLOCATE_FROM = 10**18\n"
        "room.free_bytes = lambda place: 10**16\n"
        "with claimed(Store(Path(sys.argv[1])), [entry], 0): print('held', flush=True); input()\n"
    )
    command = [sys.executable, "-c", other, str(kiosk.data.root)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    refused = claimed(kiosk.store, entries, 0)
    with pytest.raises(DiskFull, match="for what another kiosk-client fetches"), refused:
        pass
    process.kill()
    process.wait()
    process.communicate()
    # Its claim died with it.
    with claimed(kiosk.store, entries, 0):
        assert len(list(kiosk.data.root.glob("claims/*"))) == 1
    assert not list(kiosk.data.root.glob("claims/*"))


def test_a_writer_stops_when_something_else_eats_the_systems_reserve(small: Kiosk) -> None:
    entry = film(12 * MB)
    raw = noise(12 * MB, "film")
    with claimed(small.store, [entry], 6 * MB) as store:
        partial = Partial(store, entry)
        partial.write(0, raw[: 5 * MB])
        (small.data.root / "log").write_bytes(bytes(4 * MB))
        with pytest.raises(DiskFull, match="something else fills the disk"):
            partial.write(5 * MB, raw[5 * MB : 10 * MB])
        partial.close()
    # What came stays, what was set aside is the system's again.
    found = small.store.part(entry.sha256).stat()
    assert found.st_size == 5 * MB
    assert found.st_blocks * 512 < 6 * MB


def test_what_was_set_aside_for_others_is_the_systems_again_too(small: Kiosk) -> None:
    entries = [film(5 * MB, "one"), film(5 * MB, "two")]
    free = free_bytes(small.data.root)

    def stop() -> None:
        with claimed(small.store, entries, 0):
            assert free - free_bytes(small.data.root) > 9 * MB
            raise DiskFull("something else fills the disk")

    with pytest.raises(DiskFull):
        stop()
    assert free - free_bytes(small.data.root) < MB


def test_a_disk_that_really_is_full_keeps_what_plays(small: Kiosk, origin: Origin) -> None:
    origin.publish(harbour(film=8 * MB))
    small.sync()
    before = small.snapshot()
    origin.publish(harbour(edition=2, film=17 * MB))
    with pytest.raises(DiskFull, match="to fetch"):
        small.sync()
    # Whoever checks is not whoever fills: the last bytes go to somebody else.
    (small.data.root / "log").write_bytes(bytes(free_bytes(small.data.root) - 64 * 1024))
    with pytest.raises(DiskFull):
        small.sync()
    assert small.snapshot().items() >= before.items()
    (small.data.root / "log").unlink()
    origin.publish(harbour(edition=3, film=8 * MB))
    assert small.sync().release == 3
