"""The signed repository on a USB stick, on real FAT and exFAT, from one kiosk to another."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosk_client.activation import read_slots
from kiosk_client.config import open_data_dir, parse_assignment, save_assignment
from kiosk_client.durable import write_json
from kiosk_client.errors import (
    DamagedTransfer,
    DiskFull,
    KioskError,
    MetadataExpired,
    NoNetwork,
    NotTrusted,
    PinRefused,
    PinThrottled,
    Rollback,
    StickTrouble,
    StoreDamaged,
)
from kiosk_client.facts import load_state
from kiosk_client.pin import save_pin
from kiosk_client.sources import GivenStick
from kiosk_client.stick import Exported, export_stick
from kiosk_client.stick_layout import PART_SIZE, PLACE
from kiosk_client.sync import SyncResult
from kiosk_client.watcher import Watcher
from kiosk_client.wire import Limits, Wire
from package_format.layout import BLOCK_SIZE, blob_path
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Origin, harbour, noise
from tests.kiosk.volumes import volume

NOWHERE = Limits(
    connect_seconds=1.0, attempts=1, first_pause_seconds=0.01, longest_pause_seconds=0.01
)


def files(*, edition: int = 1) -> dict[str, Content]:
    """The package's files, with a short film."""
    return harbour(edition=edition, film=300_000)


def export(kiosk: Kiosk, stick: Path, *, online: bool = False, **options: Any) -> Exported:
    wire = Wire(limits=kiosk.limits) if online else None
    try:
        return export_stick(kiosk.data, stick, wire=wire, reserve=0, **options)
    finally:
        if wire:
            wire.close()


def take(kiosk: Kiosk, stick: Path, *, pin: str | None = None, **options: Any) -> SyncResult:
    return kiosk.sync(stick=GivenStick(stick, pin), trigger="stick", **options)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Pulling(Watcher):
    """Ends the file system on `image` when the first bytes have come."""

    def __init__(self, image: Path) -> None:
        (self._server,) = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if str(image).encode() in path.read_bytes()
        ]

    def received(self, size: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._server, signal.SIGKILL)


def cut(origin: Origin) -> None:
    """From now on nobody answers at the origin's address."""
    origin.attack("", "drop")


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    found = tmp_path / "stick"
    found.mkdir()
    return found


@pytest.fixture
def make_kiosk(origin: Origin, tmp_path: Path) -> Callable[..., Kiosk]:
    """Further devices of the same server."""

    def make(name: str, **assigned: Any) -> Kiosk:
        found = Kiosk(open_data_dir(tmp_path / name, create=True), origin)
        code = hashlib.sha256(name.encode()).hexdigest()[:12].upper()
        origin.codes.add(code)
        found.enrol(code)
        if assigned:
            value = {**(origin.assignment or {}), **assigned}
            save_assignment(found.data, parse_assignment(value))
        return found

    return make


@pytest.mark.parametrize("kind", ["fat", "exfat"])
def test_a_stick_carries_a_release_to_a_kiosk_without_network(
    kind: str, kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, tmp_path: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    other = make_kiosk("other")
    cut(origin)
    image = tmp_path / "image"
    with volume(kind, 48, image=image) as mounted:
        (mounted / "Holiday.jpg").write_bytes(b"nobody's business")
        done = export(kiosk, mounted)
        assert (done.files, done.copied_files, done.removed_files) == (5, 5, 0)
        assert done.whole_chain
        assert not done.same_disk
    with volume(kind, 48, image=image) as mounted:
        result = take(other, mounted)
        assert (result.outcome, result.release, other.release) == ("activated", 1, 1)
        assert set(result.sources) == {"stick"}
        noted = load_state(other.data)["last_sync"]
        assert (noted["trigger"], noted["sources"]) == ("stick", dict(result.sources))
        assert (mounted / "Holiday.jpg").read_bytes() == b"nobody's business"
    assert {path.name for path in other.data.root.glob("blobs/*/*")} == {
        path.name for path in kiosk.data.root.glob("blobs/*/*")
    }


@pytest.mark.parametrize("kind", ["fat", "exfat"])
def test_exporting_again_updates_in_place_and_copies_only_what_is_missing(
    kind: str, kiosk: Kiosk, origin: Origin, tmp_path: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    with volume(kind, 48) as mounted:
        export(kiosk, mounted)
        before = tree(mounted)
        again = export(kiosk, mounted)
        assert (again.copied_files, again.removed_files) == (0, 0)
        assert tree(mounted) == before
        origin.publish(files(edition=2))
        kiosk.sync()
        done = export(kiosk, mounted)
        # Two documents changed: ja and en.
        assert done.copied_files == 2
        # Two documents, the manifest, targets and snapshot of before.
        assert done.removed_files == 5
        after = tree(mounted)
        assert f"{PLACE}/metadata/3.targets.json" in after
        assert f"{PLACE}/metadata/2.targets.json" not in after
        assert not [name for name in after if name.endswith(".new")]


def test_a_stick_is_the_repository_itself(kiosk: Kiosk, origin: Origin, stick: Path) -> None:
    origin.rotate_root()
    origin.publish(files())
    kiosk.sync()
    export(kiosk, stick)
    found = tree(stick / PLACE)
    served = {f"{name}": raw for name, raw in origin.files.items()}
    assert {name: served[name] for name in found} == found
    assert {"metadata/1.root.json", "metadata/2.root.json", "metadata/timestamp.json"} <= set(found)


def test_every_package_a_kiosk_holds_is_on_its_stick(
    kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
) -> None:
    schedule = {"programme": [{"package": "noir", "from": "2020-12-01"}]}
    assert origin.assignment is not None
    origin.assignment.update(schedule=schedule, version=2)
    origin.publish(files())
    noir = Content(noise(20_000, "noir"), "image/webp")
    origin.publish({"package.json": Content(b"{}"), "media/n/1.webp": noir}, package="noir")
    kiosk.sync()
    done = export(kiosk, stick)
    assert [one.package for one in done.releases] == ["harbour", "noir"]
    other = make_kiosk("other")
    cut(origin)
    assert take(other, stick).outcome == "activated"
    slots = read_slots(other.data)
    assert {key for key, slot in slots.items() if slot.current} == {"harbour/live", "noir/live"}


def test_names_on_a_stick_survive_a_file_system_that_folds_case(
    kiosk: Kiosk, origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    export(kiosk, stick)
    names = [str(path.relative_to(stick / PLACE)) for path in (stick / PLACE).rglob("*")]
    assert all(name.isascii() and name == name.lower() for name in names)
    assert not [path for path in stick.rglob("*") if path.is_symlink()]


def test_the_whole_chain_of_roots_is_on_the_stick_of_a_kiosk_that_was_enrolled_late(
    newcomer: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    early = make_kiosk("early")
    early.sync()
    for _ in range(3):
        origin.rotate_root()
    origin.rotate_root(role="timestamp")
    origin.codes.add("7GK2MP4XQ9TR")
    newcomer.enrol()
    newcomer.sync()
    done = export(newcomer, stick)
    assert done.whole_chain
    assert sorted(path.name for path in (stick / PLACE / "metadata").glob("*.root.json")) == [
        f"{number}.root.json" for number in range(1, 6)
    ]
    cut(origin)
    assert take(early, stick).outcome == "unchanged"


def test_a_large_blob_lies_in_parts_below_four_gigabytes(
    kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
) -> None:
    assert PART_SIZE < 2**32
    assert PART_SIZE % BLOCK_SIZE == 0
    found = harbour(film=3 * BLOCK_SIZE + 100)
    manifest = origin.publish(found)
    kiosk.sync()
    export(kiosk, stick, part_size=BLOCK_SIZE)
    film = next(entry for entry in manifest.files if entry.path.endswith(".mp4"))
    parts = sorted((stick / PLACE / "blobs" / film.sha256[:2]).iterdir())
    assert [path.name for path in parts] == [f"{film.sha256}.00{n}" for n in (1, 2, 3, 4)]
    assert [path.stat().st_size for path in parts] == [BLOCK_SIZE] * 3 + [100]
    assert export(kiosk, stick, part_size=BLOCK_SIZE).copied_files == 0
    other = make_kiosk("other")
    cut(origin)
    assert take(other, stick).outcome == "activated"
    # Another size of parts: the old ones give way.
    assert export(kiosk, stick).copied_files == 1
    assert [path.name for path in (stick / PLACE / "blobs" / film.sha256[:2]).iterdir()] == [
        film.sha256
    ]


def test_languages_and_profile_choose_what_is_on_the_stick(
    kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    held = len(list(kiosk.data.root.glob("blobs/*/*")))
    done = export(kiosk, stick, online=True, languages=("fr",), profile="wall")
    assert (done.languages, done.profile, done.files) == (("fr",), "wall", 3)
    wall = make_kiosk("wall", profile="wall", languages=["fr"])
    # What was fetched for the stick alone does not stay on this device.
    assert len(list(kiosk.data.root.glob("blobs/*/*"))) == held
    cut(origin)
    assert take(wall, stick).outcome == "activated"
    everything = export_all(kiosk, stick, origin)
    assert everything.languages == ("fr", "en", "ja")


def export_all(kiosk: Kiosk, stick: Path, origin: Origin) -> Exported:
    origin.attacks.clear()
    return export(kiosk, stick, online=True, languages=("all",), profile="all")


def test_what_this_kiosk_lacks_is_said_before_the_stick_is_touched(
    kiosk: Kiosk, origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    with pytest.raises(NoNetwork, match="2 more files"):
        export(kiosk, stick, languages=("fr",), profile="wall")
    assert tree(stick) == {}
    cut(origin)
    with pytest.raises(NoNetwork, match="2 more files"):
        export(kiosk, stick, online=True, languages=("fr",), profile="wall")
    assert not (stick / PLACE / "metadata" / "timestamp.json").exists()


@pytest.mark.parametrize("kind", ["fat", "exfat"])
def test_a_stick_that_is_too_small_is_refused_unchanged(
    kind: str, kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(harbour(film=45_000_000))
    kiosk.sync()
    with volume(kind, 40) as mounted:
        with pytest.raises(DiskFull, match=r"free \d+\.\d MB there"):
            export(kiosk, mounted)
        assert tree(mounted) == {}


def test_an_old_release_makes_room_for_the_new_one_where_both_do_not_fit(
    kiosk: Kiosk, origin: Origin
) -> None:
    origin.publish(harbour(film=24_000_000))
    kiosk.sync()
    with volume("fat", 40) as mounted:
        export(kiosk, mounted)
        found = files(edition=2)
        found["media/film/720.mp4"] = Content(noise(23_000_000, "another"), "video/mp4")
        origin.publish(found)
        kiosk.sync()
        done = export(kiosk, mounted)
        assert done.copied_files == 3
        assert take(kiosk, mounted).outcome == "unchanged"


def test_an_export_cut_short_leaves_a_stick_that_never_lies(
    kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    export(kiosk, stick)
    first = tree(stick)
    origin.publish(files(edition=2))
    kiosk.sync()
    export(kiosk, stick)
    last = tree(stick)
    other = make_kiosk("other")
    cut(origin)
    # The state after each file that was written, in the order of writing: blobs, manifest, rest.
    order = ["/blobs/", "/targets/", ".targets.json", ".snapshot.json", "timestamp.json"]
    now = dict(first)
    new = [name for name in last if last[name] != first.get(name)]
    for name in sorted(
        new, key=lambda name: next(i for i, word in enumerate(order) if word in name)
    ):
        shutil.rmtree(stick)
        for path, raw in now.items():
            (stick / path).parent.mkdir(parents=True, exist_ok=True)
            (stick / path).write_bytes(raw)
        assert take(other, stick).release == 1
        now[name] = last[name]


def test_an_older_stick_has_nothing_newer_and_still_heals(
    kiosk: Kiosk, origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    export(kiosk, stick)
    origin.publish(files(edition=2))
    kiosk.sync()
    cut(origin)
    before = kiosk.snapshot()
    result = take(kiosk, stick)
    assert (result.outcome, result.release) == ("unchanged", 2)
    assert kiosk.snapshot() == before
    kiosk.blob("media/crane/640.webp").unlink()
    result = take(kiosk, stick)
    assert (result.outcome, result.fetched_files, result.sources) == (
        "repaired",
        1,
        {"stick": 40_000},
    )
    assert kiosk.snapshot() == before


def test_a_stick_from_before_a_change_of_keys_is_old_and_no_alarm(
    kiosk: Kiosk, origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    export(kiosk, stick)
    origin.rotate_root(role="timestamp")
    origin.rotate_root(role="snapshot")
    origin.publish(files(edition=2))
    kiosk.sync()
    assert take(kiosk, stick).outcome == "unchanged"


def test_three_changes_of_keys_and_a_year_away_a_stick_is_enough(
    kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    away = make_kiosk("away")
    away.sync()
    origin.rotate_root()
    origin.rotate_root(role="snapshot")
    origin.rotate_root()
    origin.published_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)
    for role in (origin.timestamp, origin.snapshot, origin.targets):
        role.expires = origin.published_at + timedelta(days=30)
    origin.publish(files(edition=2))
    kiosk.clock = away.clock = origin.published_at + timedelta(days=1)
    kiosk.sync()
    export(kiosk, stick)
    cut(origin)
    assert (take(away, stick).outcome, away.release) == ("activated", 2)


def test_what_metadata_promised_and_a_bad_line_never_brought_comes_by_stick(
    kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    other = make_kiosk("other")
    origin.attack("/blobs/", "status", argument=404)
    with pytest.raises(KioskError):
        other.sync()
    origin.attacks.clear()
    kiosk.sync()
    export(kiosk, stick)
    cut(origin)
    assert take(other, stick).outcome == "activated"


def test_a_stick_that_lacks_files_says_so_and_the_network_fills_in(
    kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
) -> None:
    manifest = origin.publish(files())
    lacking = {"lang/fr/shard-0.json", "media/crane/1920.webp"}
    kiosk.sync()
    export(kiosk, stick)
    wall = make_kiosk("wall", profile="wall", languages=["fr"])
    wall.limits = NOWHERE
    cut(origin)
    with pytest.raises(StickTrouble, match=r"got 2 missing .* languages and profile"):
        take(wall, stick)
    assert wall.release is None
    origin.attacks.clear()
    result = take(wall, stick)
    assert result.outcome == "activated"
    assert result.sources["origin"] == sum(
        entry.size for entry in manifest.files if entry.path in lacking
    )


def test_a_stick_that_stays_plugged_in_spares_the_network(
    kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    export(kiosk, stick)
    other = make_kiosk("other")
    write_json(other.data.root / "settings.json", {"stick": str(stick)})
    origin.forget_hits()
    assert set(other.sync().sources) == {"stick"}
    assert not origin.asked("/blobs/")
    shutil.rmtree(stick)
    origin.publish(files(edition=2))
    # That no stick is there is how things mostly are.
    assert set(other.sync().sources) == {"origin"}


class TestExpired:
    @pytest.fixture
    def late(
        self, kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
    ) -> Kiosk:
        """A kiosk that plays release 1, a stick with release 2, and forty days gone by."""
        origin.publish(files())
        late = make_kiosk("late")
        late.sync()
        origin.publish(files(edition=2))
        kiosk.sync()
        export(kiosk, stick)
        cut(origin)
        late.clock = datetime.now(UTC) + timedelta(days=40)
        return late

    def test_without_a_pin_nothing_new_is_taken(self, late: Kiosk, stick: Path) -> None:
        before = late.snapshot()
        with pytest.raises(MetadataExpired, match="export to the stick") as caught:
            take(late, stick)
        assert "PIN" not in str(caught.value)
        assert late.snapshot() == before
        assert load_state(late.data)["last_sync"]["error_code"] == "metadata-expired"

    def test_the_venue_may_answer_for_it_and_that_is_written_down(
        self, late: Kiosk, stick: Path
    ) -> None:
        save_pin(late.data, "246813")
        with pytest.raises(MetadataExpired, match="--pin PIN"):
            take(late, stick)
        with pytest.raises(PinRefused):
            take(late, stick, pin="111111")
        assert late.release == 1
        assert take(late, stick, pin="246813").outcome == "activated"
        assert late.release == 2
        (consent,) = load_state(late.data)["consents"]
        assert consent["reason"] == "metadata-expired"
        assert consent["source"] == "stick"
        assert consent["at"].startswith(str((late.clock or datetime.now(UTC)).date()))
        assert "246813" not in late.data.state.read_text()

    def test_wrong_pins_are_slowed_down(self, late: Kiosk, stick: Path) -> None:
        save_pin(late.data, "246813")
        for _ in range(5):
            with pytest.raises(PinRefused):
                take(late, stick, pin="111111")
        with pytest.raises(PinThrottled):
            take(late, stick, pin="246813")
        assert late.release == 1

    def test_a_pin_opens_no_older_and_no_wrongly_signed_stick(
        self, late: Kiosk, stick: Path, origin: Origin
    ) -> None:
        save_pin(late.data, "246813")
        metadata = stick / PLACE / "metadata" / "timestamp.json"
        metadata.write_bytes(metadata.read_bytes().replace(b'"sig":"', b'"sig":"00', 1))
        with pytest.raises(NotTrusted):
            take(late, stick, pin="246813")
        assert late.release == 1

    def test_an_expired_stick_with_what_plays_already_is_no_fault(
        self, late: Kiosk, kiosk: Kiosk, stick: Path
    ) -> None:
        kiosk.clock = late.clock
        assert take(kiosk, stick).outcome == "unchanged"


class TestHostile:
    @pytest.fixture
    def other(
        self, kiosk: Kiosk, make_kiosk: Callable[..., Kiosk], origin: Origin, stick: Path
    ) -> Kiosk:
        """A kiosk that plays release 1, and a good stick with release 2 to spoil."""
        origin.publish(files())
        other = make_kiosk("other")
        other.sync()
        found = files(edition=2)
        found["media/film/720.mp4"] = Content(noise(5_000_000, "new film"), "video/mp4")
        origin.publish(found)
        kiosk.sync()
        export(kiosk, stick)
        cut(origin)
        other.limits = NOWHERE
        return other

    def film(self, stick: Path) -> Path:
        return max((stick / PLACE / "blobs").rglob("*"), key=lambda path: path.stat().st_size)

    def refused(
        self,
        other: Kiosk,
        stick: Path,
        error: type[KioskError],
        words: str | None = None,
        **options: Any,
    ) -> None:
        before = other.snapshot()
        with pytest.raises(error, match=words):
            take(other, stick, **options)
        after = other.snapshot()
        assert {name: after[name] for name in before} == before
        for path in other.data.root.glob("blobs/*/*"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name

    def test_wrong_bytes(self, other: Kiosk, stick: Path) -> None:
        film = self.film(stick)
        raw = bytearray(film.read_bytes())
        raw[4_500_000] ^= 1
        film.write_bytes(raw)
        self.refused(other, stick, DamagedTransfer, "film/720.mp4")
        # The blocks that were right are kept: a mended stick need not give them again.
        assert list((other.data.root / "parts").iterdir())

    @pytest.mark.parametrize("size", [0, 1, 4_999_999, 5_000_001])
    def test_another_length(self, other: Kiosk, stick: Path, size: int) -> None:
        os.truncate(self.film(stick), size)
        self.refused(other, stick, StickTrouble, "1 missing")

    def test_a_link_in_the_place_of_a_blob(self, other: Kiosk, stick: Path) -> None:
        film = self.film(stick)
        film.rename(stick / "film")
        film.symlink_to(stick / "film")
        self.refused(other, stick, StickTrouble, "1 missing")

    def test_a_link_in_the_place_of_a_folder(self, other: Kiosk, stick: Path) -> None:
        (stick / PLACE / "blobs").rename(stick / "elsewhere")
        (stick / PLACE / "blobs").symlink_to(stick / "elsewhere")
        self.refused(other, stick, StickTrouble, "missing")

    @pytest.mark.parametrize("what", ["blob", "timestamp.json", "1.root.json", "manifest"])
    def test_a_pipe_keeps_nobody_waiting(self, other: Kiosk, stick: Path, what: str) -> None:
        place = {
            "blob": self.film(stick),
            "manifest": next((stick / PLACE / "targets").rglob("*.json")),
        }.get(what, stick / PLACE / "metadata" / what)
        place.unlink()
        os.mkfifo(place)
        if what == "1.root.json":
            # Never read: this device starts from its own.
            assert take(other, stick).outcome == "activated"
            return
        self.refused(other, stick, StickTrouble)

    def test_an_endless_manifest_and_an_endless_timestamp(self, other: Kiosk, stick: Path) -> None:
        manifest = next((stick / PLACE / "targets").rglob("*.json"))
        raw = manifest.read_bytes()
        os.truncate(manifest, 2**33)
        self.refused(other, stick, StickTrouble, "no such file")
        manifest.write_bytes(raw)
        os.truncate(stick / PLACE / "metadata" / "timestamp.json", 2**33)
        self.refused(other, stick, DamagedTransfer)

    def test_a_foreign_signature(self, other: Kiosk, stick: Path, tmp_path: Path) -> None:
        stranger = Origin()
        with stranger.serving():
            stranger.publish(files(edition=9))
            theirs = Kiosk(open_data_dir(tmp_path / "theirs", create=True), stranger)
            theirs.enrol()
            theirs.sync()
            shutil.rmtree(stick / "lampisterie")
            export(theirs, stick)
        self.refused(other, stick, NotTrusted)

    def test_a_stick_of_another_server_is_not_written_over(
        self, other: Kiosk, kiosk: Kiosk, tmp_path: Path
    ) -> None:
        stranger, place = Origin(), tmp_path / "another"
        place.mkdir()
        with stranger.serving():
            stranger.publish(files())
            theirs = Kiosk(open_data_dir(tmp_path / "theirs", create=True), stranger)
            theirs.enrol()
            theirs.sync()
            export(theirs, place)
        before = tree(place)
        with pytest.raises(StickTrouble, match="one of another"):
            export(kiosk, place)
        assert tree(place) == before

    def test_somebody_elses_stick_and_no_stick(self, other: Kiosk, tmp_path: Path) -> None:
        place = tmp_path / "photos"
        (place / "DCIM").mkdir(parents=True)
        self.refused(other, place, StickTrouble, "make a stick with")
        self.refused(other, tmp_path / "nothing", StickTrouble, "plugged in")
        (place / "metadata").mkdir()
        (place / "metadata" / "timestamp.json").write_bytes(b"<plist>")
        self.refused(other, place, NotTrusted)

    def test_half_written(self, other: Kiosk, stick: Path) -> None:
        (stick / PLACE / "metadata" / "timestamp.json").unlink()
        self.refused(other, stick, StickTrouble, "half-written")

    def test_no_room_on_the_device(self, other: Kiosk, stick: Path) -> None:
        self.refused(other, stick, DiskFull, "reserve", reserve=2**60)
        assert not list((other.data.root / "parts").iterdir())

    def test_pulled_out_in_the_middle(
        self, other: Kiosk, stick: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from kiosk_client import folder

        real, calls = os.pread, []

        def pread(fd: int, size: int, at: int) -> bytes:
            calls.append(at)
            if len(calls) > 4:
                raise OSError(5, "Input/output error")
            return real(fd, size, at)

        class Gone:
            """`os`, with a stick that is pulled out after four reads."""

            def __getattr__(self, name: str) -> Any:
                return pread if name == "pread" else getattr(os, name)

        monkeypatch.setattr(folder, "os", Gone())
        self.refused(other, stick, StickTrouble, "pulled out")
        monkeypatch.undo()
        assert take(other, stick).outcome == "activated"

    def test_a_file_system_that_dies_in_the_middle(
        self, other: Kiosk, stick: Path, tmp_path: Path
    ) -> None:
        image = tmp_path / "image"
        with volume("fat", 40, image=image) as mounted:
            for name, raw in tree(stick).items():
                (mounted / name).parent.mkdir(parents=True, exist_ok=True)
                (mounted / name).write_bytes(raw)
            before = other.snapshot()
            with pytest.raises(StickTrouble, match="pulled out"):
                take(other, mounted, watcher=Pulling(image))
            after = other.snapshot()
            assert {name: after[name] for name in before} == before
        assert take(other, stick).outcome == "activated"
        again = tmp_path / "another"
        with (
            volume("fat", 40, image=again) as mounted,
            pytest.raises(StickTrouble, match="pulled out"),
        ):
            export(other, mounted, watcher=Pulling(again))

    def test_a_lower_release_in_newer_metadata(
        self, other: Kiosk, kiosk: Kiosk, origin: Origin, stick: Path
    ) -> None:
        assert take(other, stick).outcome == "activated"
        origin.attacks.clear()
        origin.publish(files(edition=1), release=1)
        shutil.rmtree(kiosk.data.root)
        fresh = Kiosk(open_data_dir(kiosk.data.root, create=True), origin)
        origin.codes.add("7GK2MP4XQ9TR")
        fresh.enrol()
        fresh.sync()
        export(fresh, stick)
        cut(origin)
        self.refused(other, stick, Rollback, "release 2 or newer, got 1")


def test_an_export_follows_no_link_and_removes_nothing_of_others(
    kiosk: Kiosk, origin: Origin, stick: Path, tmp_path: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    outside = tmp_path / "outside"
    (outside / "repository" / "blobs" / "aa").mkdir(parents=True)
    kept = outside / "repository" / "blobs" / "aa" / ("aa" * 32)
    kept.write_bytes(b"mine")
    (stick / "lampisterie").symlink_to(outside)
    with pytest.raises(StickTrouble, match="a link or a file in its place"):
        export(kiosk, stick)
    assert kept.read_bytes() == b"mine"
    assert len(list(outside.rglob("*"))) == 4
    (stick / "lampisterie").unlink()
    for name in ("lampisterie/notes.txt", f"{PLACE}/blobs/index.html", f"{PLACE}/blobs/aa/README"):
        (stick / name).parent.mkdir(parents=True, exist_ok=True)
        (stick / name).write_bytes(b"theirs")
    old = stick / PLACE / "blobs" / "aa" / ("aa" * 32)
    old.write_bytes(b"old blob")
    export(kiosk, stick)
    assert (stick / "lampisterie/notes.txt").read_bytes() == b"theirs"
    assert (stick / f"{PLACE}/blobs/aa/README").read_bytes() == b"theirs"
    assert not old.exists()


def test_what_a_stick_gives_back_wrongly_is_written_again_and_then_given_up(
    kiosk: Kiosk, origin: Origin, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kiosk_client.folder import Folder

    origin.publish(files())
    kiosk.sync()
    real, asked = Folder._hash, []

    def lying(self: Folder, parent: int, name: str) -> str:
        asked.append(name)
        return "0" * 64 if len(asked) in (1, 4, 5) else real(self, parent, name)

    monkeypatch.setattr(Folder, "_hash", lying)
    with pytest.raises(StickTrouble, match="use another stick"):
        export(kiosk, stick)
    assert asked[0] == asked[1]
    assert not (stick / PLACE / "metadata" / "timestamp.json").exists()
    monkeypatch.undo()
    export(kiosk, stick)
    assert take(kiosk, stick).outcome == "unchanged"


def test_a_blob_that_rotted_on_this_kiosk_does_not_get_on_the_stick(
    kiosk: Kiosk, origin: Origin, stick: Path
) -> None:
    origin.publish(files())
    kiosk.sync()
    blob = kiosk.blob("media/film/720.mp4")
    stamp = blob.stat().st_mtime_ns
    blob.chmod(0o600)
    with blob.open("r+b") as file:
        file.write(b"rot")
    # As a bad sector does it: the time of change says nothing.
    os.utime(blob, ns=(stamp, stamp))
    with pytest.raises(StoreDamaged, match="kiosk-client verify"):
        export(kiosk, stick)
    assert not (stick / PLACE / blob_path(blob.name)).exists()
