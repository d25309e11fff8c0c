"""The pool of blobs: proven by hashes, stamped, whole after any stop."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.durable import exclusive, read_json, write_file, write_json
from kiosk_client.errors import Busy
from kiosk_client.plan import held_languages, plan_sync
from kiosk_client.store import (
    STAMP_NS,
    Partial,
    Store,
    held_blobs,
    is_proven,
    prove,
    rehash,
    remove,
    stored_blobs,
    verify,
)
from package_format.layout import BLOCK_SIZE
from package_format.manifest import Manifest, ManifestFile, ManifestLanguage
from tests.kiosk.simulator import Content, file_entry, noise


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return open_data_dir(tmp_path / "kiosk", create=True)


@pytest.fixture
def store(data: DataDir) -> Store:
    return Store(data.root)


def put(store: Store, raw: bytes) -> ManifestFile:
    entry = file_entry("a.bin", Content(raw, "application/octet-stream"))
    partial = Partial(store, entry)
    partial.write(0, raw)
    partial.finish()
    partial.close()
    return entry


def test_a_finished_blob_is_named_by_its_hash_stamped_and_read_only(store: Store) -> None:
    entry = put(store, b"lamp")
    path = store.path(entry.sha256)
    assert path == store.root / "blobs" / entry.sha256[:2] / hashlib.sha256(b"lamp").hexdigest()
    assert path.stat().st_mtime_ns == STAMP_NS
    assert path.stat().st_mode & 0o777 == 0o444
    assert not list(store.parts.iterdir())
    assert is_proven(store, entry.sha256, 4)


def test_a_touched_blob_is_hashed_again_and_stamped_when_right(store: Store) -> None:
    entry = put(store, b"lamp")
    os.utime(store.path(entry.sha256))
    assert not is_proven(store, entry.sha256, 4)
    assert prove(store, entry.sha256, 4)
    assert is_proven(store, entry.sha256, 4)


def test_a_touched_blob_that_is_wrong_is_dropped(store: Store) -> None:
    entry = put(store, b"lamp")
    path = store.path(entry.sha256)
    path.chmod(0o644)
    path.write_bytes(b"lamb")
    assert not prove(store, entry.sha256, 4)
    assert not path.exists()


def test_of_a_large_blob_that_was_changed_the_right_blocks_are_kept(store: Store) -> None:
    raw = noise(2 * BLOCK_SIZE)
    entry = put(store, raw)
    path = store.path(entry.sha256)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(5)
        file.write(b"\xff\xfe\xfd")
    assert held_blobs(store, [entry]) == frozenset()
    partial = Partial(store, entry)
    assert partial.missing() == ((0, BLOCK_SIZE),)
    partial.write(0, raw[:BLOCK_SIZE])
    assert partial.finish().read_bytes() == raw
    partial.close()


def test_a_bit_that_flips_behind_the_stamp_is_found_by_verify(store: Store) -> None:
    entries = [put(store, raw) for raw in (b"lamp", noise(2 * BLOCK_SIZE), b"")]
    path = store.path(entries[1].sha256)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(BLOCK_SIZE)
        file.write(b"\xff\xfe")
    os.utime(path, ns=(STAMP_NS, STAMP_NS))
    assert is_proven(store, entries[1].sha256, entries[1].size)
    seen: list[int] = []
    assert verify(store, entries, seen.append) == (entries[1].sha256,)
    assert sum(seen) == sum(entry.size for entry in entries)
    assert not path.exists()


def test_a_missing_blob_is_found_by_verify(store: Store) -> None:
    entry = put(store, b"lamp")
    store.path(entry.sha256).unlink()
    assert verify(store, [entry]) == (entry.sha256,)
    assert not rehash(store, entry.sha256, 4)


@pytest.mark.parametrize("cut", [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1])
def test_a_part_is_continued_from_every_cut(store: Store, cut: int) -> None:
    raw = noise(2 * BLOCK_SIZE + 3)
    entry = file_entry("film.mp4", Content(raw, "video/mp4"))
    first = Partial(store, entry)
    first.write(0, raw[:cut])
    first.close()
    second = Partial(store, entry)
    assert second.missing()[0] == (cut, entry.size)
    second.write(cut, raw[cut:])
    assert second.missing() == ()
    assert second.finish().read_bytes() == raw
    second.close()


def test_a_wrong_block_stays_missing_and_the_block_begun_goes_first(store: Store) -> None:
    raw = noise(3 * BLOCK_SIZE)
    entry = file_entry("film.mp4", Content(raw, "video/mp4"))
    bad = bytearray(raw)
    bad[3] ^= 1
    partial = Partial(store, entry)
    assert partial.write(0, bytes(bad[: BLOCK_SIZE + 10])) == BLOCK_SIZE
    assert partial.missing() == ((0, BLOCK_SIZE), (BLOCK_SIZE + 10, 3 * BLOCK_SIZE))
    assert partial.next_range() == (BLOCK_SIZE + 10, 3 * BLOCK_SIZE)
    partial.write(BLOCK_SIZE + 10, raw[BLOCK_SIZE + 10 :])
    assert partial.next_range() == (0, BLOCK_SIZE)
    partial.write(0, raw[:BLOCK_SIZE])
    assert partial.is_complete()
    assert partial.finish().read_bytes() == raw
    partial.close()


def test_bytes_past_the_end_are_refused(store: Store) -> None:
    partial = Partial(store, file_entry("a.txt", Content(b"lamp", "text/plain")))
    with pytest.raises(ValueError, match="4 bytes hold no 5 more"):
        partial.write(0, b"lamps")
    partial.close()


def test_removing_spares_what_others_need(store: Store) -> None:
    one, two = put(store, b"one"), put(store, b"two")
    store.part(one.sha256).write_bytes(b"o")
    store.part(two.sha256).write_bytes(b"t")
    assert remove(store, [one.sha256], keep_parts=[two.sha256]) == 4
    assert stored_blobs(store) == {two.sha256}
    assert [path.name for path in store.parts.iterdir()] == [f"{two.sha256}.part"]


def entry(sha256: str, size: int, media_type: str = "image/webp") -> ManifestFile:
    return ManifestFile(f"{sha256}.bin", sha256, size, media_type)


def test_a_plan_takes_documents_first_then_small_before_large() -> None:
    needed = [entry("film", 9), entry("photo", 2), entry("text", 50, "application/json")]
    plan = plan_sync(needed, held=())
    assert [one.sha256 for one in plan.fetch] == ["text", "photo", "film"]
    assert plan.fetch_bytes == 61


def manifest(*tags: str) -> Manifest:
    from datetime import UTC, datetime

    languages = tuple(ManifestLanguage(tag, tag, "ltr") for tag in tags)
    when = datetime(2026, 11, 24, tzinfo=UTC)
    return Manifest("harbour", "live", 1, when, tags[0], languages, ("tablet",), ())


@pytest.mark.parametrize(
    ("assigned", "held"),
    [
        (["zh-CN"], ("zh-Hans",)),
        (["ja", "fr"], ("fr", "ja")),
        (["zh-Hant"], ("fr",)),
        ([], ("fr",)),
    ],
)
def test_assigned_languages_find_the_releases_own(
    assigned: list[str], held: tuple[str, ...]
) -> None:
    assert held_languages(manifest("fr", "ja", "zh-Hans"), assigned) == held


def test_a_file_is_replaced_whole_or_not_at_all(
    data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = data.root / "pointer.json"
    write_json(path, {"release": 1})

    def refuse(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"release": 2})
    assert read_json(path) == {"release": 1}
    assert [one.name for one in data.root.iterdir() if one.is_file()] == ["pointer.json"]


def test_a_secret_file_is_its_owners_alone_whatever_the_umask(data: DataDir) -> None:
    before = os.umask(0)
    try:
        write_file(data.root / "secret", b"x", mode=0o600)
    finally:
        os.umask(before)
    assert (data.root / "secret").stat().st_mode & 0o777 == 0o600


def test_two_processes_do_not_change_one_directory(data: DataDir) -> None:
    second = exclusive(data.lock, wait=0.1)
    with exclusive(data.lock), pytest.raises(Busy, match="another kiosk-client"), second:
        pass
    with exclusive(data.lock, wait=0):
        pass
