"""Files of the repository appear whole or not at all, and say what they are by name."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest

from content_api.repository import store
from package_format.canonical import sha256_hex
from package_format.layout import blob_path

RAW = b'{"format":1,"text":"charbon, charbon, charbon, charbon, charbon"}'
SHA256 = sha256_hex(RAW)


def test_a_document_is_stored_once_with_the_same_gzip_bytes_each_time(tmp_path: Path) -> None:
    assert store.write_document(tmp_path, RAW) == (SHA256, True)
    path = tmp_path / blob_path(SHA256)
    compressed = path.with_name(f"{SHA256}.gz").read_bytes()
    assert gzip.decompress(compressed) == RAW == path.read_bytes()
    before = path.stat().st_mtime_ns
    assert store.write_document(tmp_path, RAW) == (SHA256, False)
    assert path.stat().st_mtime_ns == before
    assert compressed == store.gzip_bytes(RAW)
    assert compressed[4:8] == b"\0\0\0\0", "a time of day would differ from build to build"


def test_a_document_that_gzip_would_only_lengthen_has_no_sibling(tmp_path: Path) -> None:
    sha256, _ = store.write_document(tmp_path, b"{}")
    assert not (tmp_path / blob_path(sha256)).with_name(f"{sha256}.gz").exists()


def test_a_full_disk_leaves_neither_file_nor_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write_document(tmp_path, RAW)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_replacing_keeps_the_old_file_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "timestamp.json"
    store.write_atomically(path, b"old")

    def cut(_source: object, _target: object) -> None:
        raise OSError("power")

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(OSError, match="power"):
        store.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_rendition_is_taken_in_when_its_bytes_are_right(tmp_path: Path) -> None:
    source = tmp_path / "renditions" / "x"
    source.parent.mkdir()
    source.write_bytes(RAW)
    assert store.add_blob(tmp_path, SHA256, len(RAW), source) is True
    assert store.add_blob(tmp_path, SHA256, len(RAW), source) is False
    assert store.read_blob(tmp_path, SHA256) == RAW
    assert not list(tmp_path.rglob("*.part"))


def test_a_rendition_that_was_damaged_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    source = tmp_path / "x"
    source.write_bytes(b"other bytes!")
    with pytest.raises(store.RepositoryDamaged, match=r"expected \d+ bytes of that hash"):
        store.add_blob(tmp_path, SHA256, len(RAW), source)
    with pytest.raises(store.RepositoryDamaged, match="the file is missing"):
        store.add_blob(tmp_path, SHA256, len(RAW), tmp_path / "nowhere")
    assert list(store.stored_blobs(tmp_path)) == []


def test_a_flipped_bit_is_found_when_a_blob_is_read(tmp_path: Path) -> None:
    store.write_document(tmp_path, RAW)
    path = tmp_path / blob_path(SHA256)
    path.write_bytes(RAW.replace(b"1", b"3"))
    with pytest.raises(store.RepositoryDamaged, match="does not hold the bytes of its name"):
        store.read_blob(tmp_path, SHA256)


def test_the_sweep_takes_what_nobody_needs_and_spares_what_is_young(tmp_path: Path) -> None:
    kept, _ = store.write_document(tmp_path, RAW)
    gone, _ = store.write_document(tmp_path, b"[" + RAW + b"]")
    assert (tmp_path / blob_path(gone)).with_name(f"{gone}.gz").exists()
    week = 7 * 86_400.0
    now = time.time()
    assert store.sweep_blobs(tmp_path, {kept}, min_age=week, now=now) == (0, 0)
    assert store.sweep_blobs(tmp_path, {kept}, min_age=week, now=now + week + 1) == (
        1,
        len(RAW) + 2,
    )
    assert [sha256 for sha256, _ in store.stored_blobs(tmp_path)] == [kept]
    assert not (tmp_path / blob_path(gone)).with_name(f"{gone}.gz").exists()


def test_block_hashes_are_those_of_each_block(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(b"aaaabbbbc")
    assert store.block_hashes(path, 4) == tuple(map(sha256_hex, (b"aaaa", b"bbbb", b"c")))
