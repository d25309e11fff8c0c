"""Fetching blobs from servers that cut, lie, drip and drown."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from kiosk_client.errors import (
    DamagedTransfer,
    DiskFull,
    ForeignAnswer,
    KioskError,
    NoNetwork,
    OriginTrouble,
)
from kiosk_client.store import Partial
from kiosk_client.watcher import Watcher
from kiosk_client.wire import Cancelled, Limits, Wire, is_page, pause_seconds
from package_format.canonical import sha256_hex
from package_format.layout import BLOCK_SIZE
from tests.kiosk.conftest import PATIENCE, Kiosk
from tests.kiosk.simulator import Content, Origin, file_entry, harbour, noise

FILM = noise(3 * BLOCK_SIZE + 1_000_000, "film")


def film() -> dict[str, Content]:
    return {"film.mp4": Content(FILM, "video/mp4"), "package.json": Content(b'{"format":1}')}


FILM_BLOB = "/blobs/" + sha256_hex(FILM)[:2]


def test_a_cut_transfer_goes_on_where_it_was_cut(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "cut", times=1, argument=len(FILM) // 2)
    kiosk.sync()
    first, second = origin.asked(FILM_BLOB)
    assert second.range == f"bytes={len(FILM) // 2}-{len(FILM) - 1}"
    assert first.sent + second.sent == len(FILM)


def test_the_next_process_goes_on_where_the_last_one_ended(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "cut", times=1, argument=BLOCK_SIZE + 12_345)
    origin.attack(FILM_BLOB, "drop", times=5)
    with pytest.raises(NoNetwork):
        kiosk.sync()
    assert kiosk.release is None
    origin.attacks.clear()
    origin.forget_hits()
    kiosk.sync()
    (hit,) = origin.asked("/blobs/")
    assert hit.sent == len(FILM) - BLOCK_SIZE - 12_345


def test_a_bad_block_is_fetched_again_alone(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "flip", times=1, argument=[BLOCK_SIZE + 5])
    kiosk.sync()
    assert [hit.range for hit in origin.asked(FILM_BLOB)] == [
        None,
        f"bytes={BLOCK_SIZE}-{2 * BLOCK_SIZE - 1}",
    ]
    assert kiosk.blob("film.mp4").read_bytes() == FILM


def test_a_bit_that_flips_in_a_part_costs_its_block_alone(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    entry = file_entry("film.mp4", film()["film.mp4"])
    partial = Partial(kiosk.store, entry)
    partial.write(0, FILM[: 2 * BLOCK_SIZE + 100])
    partial.close()
    with kiosk.store.part(entry.sha256).open("r+b") as file:
        file.seek(7)
        file.write(bytes([FILM[7] ^ 1]))
    kiosk.sync()
    assert sum(hit.sent for hit in origin.asked(FILM_BLOB)) == len(FILM) - BLOCK_SIZE - 100


def test_a_part_of_the_right_size_and_wrong_bytes_is_not_believed(
    kiosk: Kiosk, origin: Origin
) -> None:
    files = harbour(film=5000)
    origin.publish(files)
    picture = files["media/crane/640.webp"].raw
    kiosk.store.part(sha256_hex(picture)).write_bytes(b"\0" * len(picture))
    kiosk.sync()
    assert kiosk.blob("media/crane/640.webp").read_bytes() == picture


def test_a_small_file_goes_on_in_the_middle_too(kiosk: Kiosk, origin: Origin) -> None:
    files = harbour(film=5000)
    origin.publish(files)
    picture = files["media/crane/640.webp"].raw
    kiosk.store.part(sha256_hex(picture)).write_bytes(picture[:30_000])
    kiosk.sync()
    (hit,) = origin.asked(sha256_hex(picture))
    assert (hit.range, hit.sent) == ("bytes=30000-39999", 10_000)


def test_a_server_that_ignores_ranges_is_borne(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "cut", times=1, argument=BLOCK_SIZE + 1)
    origin.attack(FILM_BLOB, "ignore-range", times=1)
    kiosk.sync()
    assert kiosk.blob("film.mp4").read_bytes() == FILM


def test_bytes_that_stay_wrong_are_a_damaged_transfer(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "flip", argument=[5])
    with pytest.raises(DamagedTransfer, match=r"film\.mp4 with SHA-256 .* got other bytes 3"):
        kiosk.sync()
    assert len(origin.asked(FILM_BLOB)) == 3
    assert kiosk.release is None


@pytest.mark.parametrize("how", ["short", "wrong-range"])
def test_a_wrong_length_or_range_is_a_damaged_transfer(
    kiosk: Kiosk, origin: Origin, how: str
) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, how)
    with pytest.raises(DamagedTransfer, match=r"film\.mp4"):
        kiosk.sync()


def test_a_page_instead_of_a_picture_is_a_foreign_answer(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "html")
    with pytest.raises(ForeignAnswer, match=r"film\.mp4"):
        kiosk.sync()


def test_a_page_that_says_it_is_bytes_is_a_foreign_answer(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "html-as-octets")
    with pytest.raises(ForeignAnswer, match="login page"):
        kiosk.sync()


def test_an_endless_answer_ends_at_the_files_size(kiosk: Kiosk, origin: Origin) -> None:
    picture = noise(100_000, "endless")
    origin.publish({"a.webp": Content(picture, "image/webp")})
    origin.attack("/blobs/", "endless")
    with pytest.raises(DamagedTransfer):
        kiosk.sync()
    assert sum(path.stat().st_size for path in kiosk.store.parts.iterdir()) <= len(picture)


def test_endless_metadata_ends_at_its_limit(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.attack(r"timestamp\.json", "endless")
    with pytest.raises(DamagedTransfer, match="at most 16384 bytes"):
        kiosk.sync()


@pytest.mark.parametrize("path", ["/blobs/", "timestamp"])
def test_a_gzip_bomb_is_cut_at_the_size_signed(kiosk: Kiosk, origin: Origin, path: str) -> None:
    origin.publish({"a.json": Content(b'{"format":1}')})
    origin.attack(path, "bomb")
    with pytest.raises(DamagedTransfer, match="got more"):
        kiosk.sync()


def test_a_stalled_transfer_is_given_up(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "stall", argument=3)
    kiosk.limits = replace(PATIENCE, gap_seconds=0.3)
    with pytest.raises(NoNetwork, match="silence"):
        kiosk.sync()
    assert len(origin.asked(FILM_BLOB)) == PATIENCE.attempts


def test_a_drip_below_the_least_rate_is_given_up(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish({"a.webp": Content(noise(10_000), "image/webp")})
    origin.attack("/blobs/", "drip", argument=0.02)
    kiosk.limits = replace(PATIENCE, rate_window_seconds=0.4)
    with pytest.raises(NoNetwork, match="at least 1024 bytes a second"):
        kiosk.sync()


def test_a_file_missing_on_the_server_is_told(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "status", argument=404)
    with pytest.raises(OriginTrouble, match=r"film\.mp4 .* status 404"):
        kiosk.sync()
    assert len(origin.asked(FILM_BLOB)) == 1


def test_a_busy_server_is_asked_again_when_it_says(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "busy", times=2, argument=1)
    kiosk.sync()
    assert [hit.status for hit in origin.asked(FILM_BLOB)] == [503, 503, 200]


def test_a_dropped_connection_is_tried_again(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    origin.attack("/repository/", "drop", times=1)
    origin.attack("/blobs/", "drop", times=2)
    assert kiosk.sync().outcome == "activated"


def test_blocks_that_do_not_make_the_file_are_refused(kiosk: Kiosk, origin: Origin) -> None:
    other = bytes(len(FILM))
    blocks = tuple(
        sha256_hex(other[at : at + BLOCK_SIZE]) for at in range(0, len(other), BLOCK_SIZE)
    )
    origin.publish({"film.mp4": Content(FILM, "video/mp4", blocks=blocks)})
    origin.files[next(path for path in origin.files if path.startswith("blobs/"))] = other
    with pytest.raises(DamagedTransfer, match="its blocks but not its hash"):
        kiosk.sync()
    assert not list(kiosk.store.parts.iterdir())


def test_what_was_proven_is_not_fetched_twice_when_another_file_fails(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish()
    film_blob = sha256_hex(harbour()["media/film/720.mp4"].raw)
    origin.attack(film_blob, "status", argument=404)
    with pytest.raises(OriginTrouble):
        kiosk.sync(workers=1)
    held = {hit.path for hit in origin.asked("/blobs/")} - {origin.asked(film_blob)[0].path}
    assert len(held) == 4
    origin.attacks.clear()
    origin.forget_hits()
    kiosk.sync()
    assert not held & {hit.path for hit in origin.hits}


def test_a_disk_that_fills_up_amid_a_transfer_leaves_the_old_set(
    kiosk: Kiosk, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    origin.publish(harbour(film=5000))
    kiosk.sync()
    before = kiosk.snapshot()
    origin.publish(film())
    real, written = os.pwrite, [0]

    def full(fd: int, raw: bytes, at: int) -> int:
        written[0] += len(raw)
        if written[0] > BLOCK_SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, raw, at)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DiskFull, match="No space left"):
        kiosk.sync()
    monkeypatch.undo()
    assert before.items() <= kiosk.snapshot().items()
    assert kiosk.release == 1
    origin.forget_hits()
    kiosk.sync()
    assert sum(hit.sent for hit in origin.asked(FILM_BLOB)) < len(FILM)


def test_being_stopped_amid_a_transfer_keeps_what_arrived(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish(film())
    cancel = threading.Event()

    class Stopping(Watcher):
        def received(self, size: int) -> None:
            cancel.set()

    wire = Wire(limits=PATIENCE, cancel=cancel)
    from kiosk_client.sync import sync

    with pytest.raises(Cancelled):
        sync(kiosk.data, wire, watcher=Stopping(), reserve=0)
    wire.close()
    kiosk.sync()
    assert kiosk.release == 1


def test_progress_counts_each_byte_once_and_takes_bad_ones_back(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(film())
    origin.attack(FILM_BLOB, "flip", times=1, argument=[5])
    seen: list[int] = []

    class Counting(Watcher):
        def begin(self, files: int, size: int) -> None:
            seen.append(-size)

        def received(self, size: int) -> None:
            seen.append(size)

    kiosk.watcher = Counting()
    kiosk.sync()
    assert sum(seen) == 0


def test_pauses_double_with_jitter_and_keep_to_retry_after() -> None:
    limits = Limits(first_pause_seconds=1, longest_pause_seconds=10)
    assert [pause_seconds(n, None, limits, 1.0, 0) for n in (1, 2, 3, 9)] == [1, 2, 4, 10]
    assert pause_seconds(1, None, limits, 0.0, 0) == 0.5
    assert pause_seconds(1, "7", limits, 0.0, 0) == 7
    assert pause_seconds(1, "86400", limits, 0.0, 0) == 10
    when = datetime(2026, 11, 24, 6, 0, 5, tzinfo=UTC)
    date = format_datetime(when, usegmt=True)
    assert pause_seconds(1, date, limits, 0.0, when.timestamp() - 5) == 5
    assert pause_seconds(1, "soon", limits, 0.0, 0) == 0.5


@pytest.mark.parametrize(
    ("kind", "start", "page"),
    [
        ("text/html", b"<!doctype html>", True),
        ("application/json", b"\xef\xbb\xbf\n <html>", True),
        ("text/html; charset=utf-8", b"", True),
        ("text/html", b'{"signed": 1}', False),
        ("application/octet-stream", b"\x00\x01", False),
    ],
)
def test_pages_are_told_from_json_by_their_bytes(kind: str, start: bytes, page: bool) -> None:
    assert is_page(kind, start) is page


def test_errors_are_one_line_and_name_no_token(kiosk: Kiosk, origin: Origin) -> None:
    origin.attack(".", "status", argument=500)
    with pytest.raises(KioskError) as failed:
        kiosk.sync()
    assert "\n" not in str(failed.value)
