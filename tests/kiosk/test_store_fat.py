"""A device whose directory lies on FAT or exFAT: no modes, no links, no journal, and it lives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiosk_client.activation import read_active
from kiosk_client.check import verify_device
from kiosk_client.config import open_data_dir
from kiosk_client.durable import file_system, read_json, remove_json, renames_atomically, write_json
from kiosk_client.facts import device_facts
from kiosk_client.store import Partial, is_proven
from package_format.layout import BLOCK_SIZE
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Origin, file_entry, harbour, noise
from tests.kiosk.volumes import volume


def device(folder: Path, origin: Origin) -> Kiosk:
    return Kiosk(open_data_dir(folder / "kiosk", create=True), origin)


@pytest.mark.parametrize("kind", ["fat", "exfat"])
def test_a_device_on_such_a_disk_syncs_verifies_and_comes_back(
    kind: str, origin: Origin, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    with volume(kind, 80, image=image) as folder:
        kiosk = device(folder, origin)
        kiosk.enrol()
        origin.publish()
        assert kiosk.sync().fetched_files == 5
        origin.publish(harbour(edition=2))
        # What both releases share was stamped there, and is not fetched again.
        assert kiosk.sync().fetched_files == 2
        assert kiosk.sync().outcome == "unchanged"
        assert verify_device(kiosk.data).bad == ()
    with volume(kind, 80, image=image) as folder:
        kiosk = device(folder, origin)
        assert kiosk.release == 2
        facts = device_facts(kiosk.data, kiosk.now())
        assert (facts["complete"], facts["faults"][1:]) == (True, [])
        origin.rotate_root()
        origin.publish(harbour(edition=3))
        assert kiosk.sync().release == 3


@pytest.mark.parametrize("kind", ["fat", "exfat"])
def test_a_part_goes_on_there_after_the_plug_was_pulled(kind: str, tmp_path: Path) -> None:
    raw = noise(2 * BLOCK_SIZE + 3)
    entry = file_entry("film.mp4", Content(raw, "video/mp4"))
    image = tmp_path / "image"
    with volume(kind, 80, image=image) as folder:
        data = open_data_dir(folder / "kiosk", create=True)
        store = Kiosk(data, Origin()).store
        first = Partial(store, entry)
        first.write(0, raw[: BLOCK_SIZE + 5])
        first.close()
    with volume(kind, 80, image=image) as folder:
        store = Kiosk(open_data_dir(folder / "kiosk"), Origin()).store
        second = Partial(store, entry)
        assert second.missing() == ((BLOCK_SIZE + 5, entry.size),)
        second.write(BLOCK_SIZE + 5, raw[BLOCK_SIZE + 5 :])
        assert second.finish().read_bytes() == raw
        second.close()
        assert is_proven(store, entry.sha256, entry.size)


@pytest.mark.parametrize("kind", ["fat", "exfat"])
def test_a_pointer_lost_in_a_rename_is_read_from_its_copy(kind: str, origin: Origin) -> None:
    with volume(kind, 80) as folder:
        kiosk = device(folder, origin)
        kiosk.enrol()
        origin.publish(harbour(film=1000))
        kiosk.sync()
        before = read_active(kiosk.data)
        assert before is not None
        kiosk.data.active.write_bytes(b"\0" * 512)
        assert read_active(kiosk.data) == before
        kiosk.data.active.unlink()
        assert read_active(kiosk.data) == before
        assert kiosk.sync().outcome == "unchanged"


def test_where_a_rename_is_atomic_nothing_is_written_twice(tmp_path: Path) -> None:
    if not renames_atomically(tmp_path):
        reason = f"temporary files lie on {file_system(tmp_path) or 'an unknown file system'}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    write_json(tmp_path / "pointer.json", {"release": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["pointer.json"]


def test_what_is_removed_does_not_come_back_from_its_copy(tmp_path: Path) -> None:
    with volume("exfat", 8) as folder:
        path = folder / "pin.json"
        write_json(path, {"wrong": 5})
        assert len(list(folder.iterdir())) == 2
        remove_json(path)
        assert read_json(path) is None
        assert list(folder.iterdir()) == []
