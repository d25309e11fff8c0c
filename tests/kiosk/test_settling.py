"""Small blobs that are made durable together, and enter the pool only then."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from kiosk_client import settling, store
from kiosk_client.errors import KioskError
from kiosk_client.settling import Settling
from kiosk_client.store import Partial
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Origin, file_entry, noise


def many() -> dict[str, Content]:
    return {
        f"media/p{number}/640.webp": Content(noise(2000 + number, f"p{number}"), "image/webp")
        for number in range(40)
    }


def whole(kiosk: Kiosk, name: str) -> Partial:
    """A part whose bytes have all come."""
    content = Content(noise(3000, name), "image/webp")
    partial = Partial(kiosk.store, file_entry(name, content))
    partial.write(0, content.raw)
    return partial


def replaced(monkeypatch: pytest.MonkeyPatch, sync: Callable[[int], None] | None) -> None:
    monkeypatch.setattr(settling, "sync_file_system", lambda: sync)
    monkeypatch.setattr(store, "sync_file_system", lambda: sync)


def test_nothing_enters_the_pool_before_its_file_system_is_synced(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def sync(fd: int) -> None:
        seen.append(len(list(kiosk.data.root.glob("blobs/*/*"))))
        assert os.path.samestat(os.fstat(fd), kiosk.data.root.stat())

    replaced(monkeypatch, sync)
    batch = Settling(kiosk.store)
    for name in ("a", "b", "c"):
        batch.add(whole(kiosk, name))
    assert list(kiosk.data.root.glob("blobs/*/*")) == []
    batch.settle()
    batch.settle()
    batch.close()
    assert seen == [0]
    assert len(list(kiosk.data.root.glob("blobs/*/*"))) == 3
    assert not list(kiosk.store.parts.iterdir())


def test_a_sync_waits_for_the_disk_a_few_times_and_not_for_each_file(
    kiosk: Kiosk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    replaced(monkeypatch, calls.append)
    origin.publish(many())
    assert kiosk.sync().fetched_files == 40
    assert 2 <= len(calls) <= 4


def test_where_the_system_cannot_each_file_is_synced(
    kiosk: Kiosk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(monkeypatch, None)
    origin.publish(many())
    assert kiosk.sync().fetched_files == 40


def test_a_disk_that_fails_to_sync_leaves_parts_and_no_blob(
    kiosk: Kiosk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    origin.publish(many())
    with monkeypatch.context() as patch:
        replaced(patch, failing)
        with pytest.raises(KioskError) as failed:
            kiosk.sync()
        assert failed.value.code == "disk-failing"
    assert kiosk.release is None
    assert list(kiosk.data.root.glob("blobs/*/*")) == []
    origin.forget_hits()
    kiosk.sync()
    assert origin.asked("/blobs/") == []
    assert kiosk.release == 1


def test_a_part_that_waited_when_the_power_was_cut_is_gone_on_with(
    kiosk: Kiosk, origin: Origin
) -> None:
    partial = whole(kiosk, "a")
    partial.stamp()
    partial.close()
    part = kiosk.store.part(partial.entry.sha256)
    assert part.stat().st_mode & 0o200, "nobody but root could open it again"
    again = Partial(kiosk.store, partial.entry)
    assert again.is_complete()
    again.finish()
    again.close()
    assert kiosk.store.path(partial.entry.sha256).stat().st_mode & 0o777 == 0o444


def test_a_large_file_is_synced_by_itself(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(fd: int) -> None:
        raise AssertionError("a film is worth its own fsync")

    replaced(monkeypatch, never)
    content = Content(noise(settling.SMALL + 1, "film"), "video/mp4")
    partial = Partial(kiosk.store, file_entry("film", content))
    partial.write(0, content.raw)
    batch = Settling(kiosk.store)
    batch.add(partial)
    batch.close()
    assert kiosk.store.path(partial.entry.sha256).exists()
