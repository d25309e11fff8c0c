"""Fail every call that changes the disk, one after the other; the device must not mind.

    python -m tests.torture.faults [--what sync|activation|return|scrub|stick|full|all] [--sample N]

A first run counts the calls that open for writing, write, sync, rename, remove
or set anything below the device's directory. Then each is made to fail in turn:
no room (ENOSPC, once and from then on), an error of the disk (EIO), a disk that
turned read-only (EROFS, from then on), and half a write. After each the device
holds the old set or the new, whole; it names the right kind of error or none;
and what was proven before is not fetched again by the run that follows.

`full` injects nothing: small real volumes (tmpfs, ext4, exFAT) are filled
to within a few kilobytes, more each time, and whoever writes meets the wall.
"""

from __future__ import annotations

import argparse
import builtins
import contextlib
import errno
import io
import os
import random
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kiosk_client import durable, room, settling, store
from kiosk_client.activation import activate_next, confirm, give_back, read_active
from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.errors import DiskFailing, DiskFull, KioskError, from_os_error
from kiosk_client.scrub import EVERY, Scrubber
from kiosk_client.sources import GivenStick
from kiosk_client.stick_export import export_stick
from kiosk_client.store import STAMP_NS, free_bytes
from package_format.layout import BLOCK_SIZE
from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Hit, Origin, harbour, noise
from tests.kiosk.volumes import volume
from tests.torture.kiosk_kill import check_whole, count_anew, fetched_again, proven

MAIN = "harbour/live"


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to fail: `number` is the errno (None: half a write), `stays` from then on."""

    name: str
    number: int | None
    error: type[KioskError] | None
    stays: bool = False


KINDS = (
    Kind("full once", errno.ENOSPC, DiskFull),
    Kind("full", errno.ENOSPC, DiskFull, stays=True),
    Kind("error", errno.EIO, DiskFailing),
    Kind("read-only", errno.EROFS, DiskFailing, stays=True),
    Kind("short write", None, None),
)


class Faults:
    """Counts the calls that change something below `root`; fails the one numbered `at`.

    Numbers begin at 1. Reading never fails here, and a full disk still removes.
    """

    def __init__(self, root: Path, kind: Kind | None = None, at: int = 0) -> None:
        self._root = os.path.realpath(root)
        self._kind = kind
        self._at = at
        self._lock = threading.Lock()
        self.calls = 0
        self.names: list[str] = []

    @property
    def reached(self) -> bool:
        """Whether the call to fail was made."""
        return self.calls >= self._at > 0

    @contextlib.contextmanager
    def injected(self) -> Iterator[Faults]:
        """Watch, and fail, until the block ends."""
        before: list[tuple[Any, str, Any]] = []

        def patch(module: Any, name: str, wrapped: Any) -> None:
            before.append((module, name, getattr(module, name)))
            setattr(module, name, wrapped)

        for name in ("rename", "replace", "link", "symlink", "mkdir", "chmod", "utime"):
            patch(os, name, self._path_call(name, getattr(os, name)))
        for name in ("unlink", "remove", "rmdir"):
            patch(os, name, self._path_call(name, getattr(os, name), frees=True))
        for name in ("truncate", "ftruncate"):
            patch(os, name, self._path_call(name, getattr(os, name)))
        for name in ("fsync", "fdatasync"):
            patch(os, name, self._path_call(name, getattr(os, name)))
        for name in ("write", "pwrite"):
            patch(os, name, self._write_call(name, getattr(os, name)))
        patch(os, "open", self._open_call(os.open))
        patch(room, "allocate", self._path_call("allocate", durable.allocate))
        for module in (store, settling):
            patch(module, "sync_file_system", self._syncfs(store.sync_file_system))
        opened = self._io_open(io.open)
        patch(io, "open", opened)
        patch(builtins, "open", opened)
        try:
            yield self
        finally:
            for module, name, original in reversed(before):
                setattr(module, name, original)

    def _is_ours(self, place: Any, dir_fd: int | None = None) -> bool:
        try:
            if isinstance(place, int):
                path = os.readlink(f"/proc/self/fd/{place}")
            elif dir_fd is not None:
                path = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), os.fspath(place))
            else:
                path = os.path.abspath(os.fspath(place))
        except (OSError, TypeError):
            return False
        return path.startswith(self._root)

    def _fails(self, name: str, *, write: bool = False, frees: bool = False) -> bool:
        """Count a call, if this kind of failure can meet it, and say whether it fails."""
        if self._kind is not None:
            if self._kind.number is None and not write:
                return False
            if self._kind.number == errno.ENOSPC and frees:
                return False
        with self._lock:
            self.calls += 1
            if self._kind is None:
                self.names.append(name)
                return False
            return self.calls == self._at or (self._kind.stays and self.reached)

    def _refusal(self) -> OSError:
        assert self._kind is not None
        assert self._kind.number is not None
        return OSError(self._kind.number, os.strerror(self._kind.number), "injected")

    def _path_call(self, name: str, real: Any, *, frees: bool = False) -> Any:
        def call(place: Any, *others: Any, **options: Any) -> Any:
            dir_fd = options.get("dir_fd", options.get("src_dir_fd"))
            target = others[0] if name == "symlink" else place
            if self._is_ours(target, dir_fd) and self._fails(name, frees=frees):
                raise self._refusal()
            return real(place, *others, **options)

        return call

    def _syncfs(self, real: Callable[[], Any]) -> Callable[[], Any]:
        def find() -> Any:
            call = real()
            return None if call is None else self._path_call("syncfs", call)

        return find

    def _write_call(self, name: str, real: Any) -> Any:
        def call(fd: int, raw: Any, *others: Any) -> int:
            if self._is_ours(fd) and self._fails(name, write=True):
                if self._kind is None or self._kind.number is not None:
                    raise self._refusal()
                raw = memoryview(raw)[: max(1, len(raw) // 2)]
            return int(real(fd, raw, *others))

        return call

    def _open_call(self, real: Any) -> Any:
        def call(place: Any, flags: int, *others: Any, **options: Any) -> Any:
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and self._is_ours(place, options.get("dir_fd")) and self._fails("open"):
                raise self._refusal()
            return real(place, flags, *others, **options)

        return call

    def _io_open(self, real: Any) -> Any:
        faults = self

        class Raw(io.FileIO):
            def write(self, raw: Any) -> int:
                if faults._is_ours(self.fileno()) and faults._fails("file.write", write=True):
                    if faults._kind is None or faults._kind.number is not None:
                        raise faults._refusal()
                    raw = memoryview(raw)[: max(1, len(raw) // 2)]
                return super().write(raw)

        def call(
            place: Any,
            mode: str = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            closefd: bool = True,
            opener: Any = None,
        ) -> Any:
            ours = not isinstance(place, int) and self._is_ours(place)
            if not ours or not set(mode) & set("wax+"):
                return real(place, mode, buffering, encoding, errors, newline, closefd, opener)
            if opener is None and self._fails("open"):
                raise self._refusal()
            raw = Raw(place, mode.replace("b", "").replace("t", ""), closefd, opener)
            kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
            file = kind(raw)
            return file if "b" in mode else io.TextIOWrapper(file, encoding, errors, newline)

        return call


@dataclass
class Bench:
    """A device, the server it syncs from, and a second device that writes sticks."""

    origin: Origin
    kiosk: Kiosk
    writer: Kiosk
    stick: Path
    number: int = 0
    release: int = 0

    def publish(self) -> dict[str, int]:
        """Publish the next release; sizes of its blobs."""
        self.number += 1
        manifest = self.origin.publish(edition(self.number))
        self.release = manifest.release
        return {entry.sha256: entry.size for entry in manifest.files}

    @property
    def data(self) -> DataDir:
        """The device's directory."""
        return self.kiosk.data


def edition(number: int) -> dict[str, Content]:
    """A small release: documents, pictures, and a film of two blocks of which one is new."""
    files = harbour(edition=number, film=1000)
    films = noise(BLOCK_SIZE, "always") + noise(20_000, f"film {number}")
    files["media/film/720.mp4"] = Content(films, "video/mp4")
    for picture in range(2):
        seed = f"picture {picture} of {number}"
        files[f"media/p{picture}/640.webp"] = Content(noise(30_000, seed), "image/webp")
    return files


@dataclass(frozen=True)
class Scenario:
    """Something a device does. `prepare` gives blob sizes; `act` is what is disturbed;
    `settle` does it again in peace, and leaves the newest release playing.
    """

    name: str
    prepare: Callable[[Bench], dict[str, int]]
    act: Callable[[Bench], Any]
    settle: Callable[[Bench], Any]
    root: Callable[[Bench], Path] = field(default=lambda bench: bench.data.root)


def _sync(bench: Bench) -> None:
    bench.kiosk.sync(workers=1)


def _stage(bench: Bench) -> dict[str, int]:
    sizes = bench.publish()
    bench.kiosk.sync(activate=False)
    return sizes


def _activate(bench: Bench) -> None:
    """What an idle screen does: the next set plays, fails, comes again, and plays healthily."""
    activate_next(bench.data, MAIN, datetime.now(UTC))
    confirm(bench.data, MAIN)


def _give_back(bench: Bench) -> None:
    give_back(bench.data, MAIN, "crashes", datetime.now(UTC))


def _on_probation(bench: Bench) -> dict[str, int]:
    sizes = _stage(bench)
    activate_next(bench.data, MAIN, datetime.now(UTC))
    return sizes


def _rot(bench: Bench) -> dict[str, int]:
    """A bit of the film's second block flips behind the stamp's back; a new week begins."""
    sizes = {entry.name: entry.stat().st_size for entry in bench.data.root.glob("blobs/*/*")}
    path = bench.kiosk.blob("media/film/720.mp4")
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(BLOCK_SIZE + 7)
        byte = file.read(1)
        file.seek(BLOCK_SIZE + 7)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(STAMP_NS, STAMP_NS))
    (bench.data.root / "scrub.json").unlink(missing_ok=True)
    return sizes


def _scrub(bench: Bench) -> None:
    Scrubber(bench.data, rate=1e12).step(60)


def _scrub_and_heal(bench: Bench) -> None:
    later = datetime.now(UTC) + EVERY + timedelta(days=1)
    Scrubber(bench.data, rate=1e12, now=lambda: later).step(60)
    bench.kiosk.sync()


def _write_stick(bench: Bench) -> dict[str, int]:
    sizes = bench.publish()
    bench.writer.sync()
    export_stick(bench.writer.data, bench.stick, reserve=0)
    return sizes


def _import(bench: Bench) -> None:
    bench.kiosk.sync(workers=1, stick=GivenStick(bench.stick))


SCENARIOS = (
    Scenario("sync", Bench.publish, _sync, _sync),
    Scenario("activation", _stage, _activate, _sync),
    Scenario("return", _on_probation, _give_back, _sync),
    Scenario("scrub", _rot, _scrub, _scrub_and_heal),
    Scenario("stick", _write_stick, _import, _import),
)


@dataclass
class Tally:
    """What came out, summed over all faults."""

    faults: int = 0
    refused: int = 0
    unharmed: int = 0
    old: int = 0
    new: int = 0
    again: int = 0


@contextlib.contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A device that plays a first release."""
    with Origin().serving() as origin:
        devices = []
        for name in ("kiosk", "writer"):
            found = Kiosk(open_data_dir(folder / name, create=True), origin)
            origin.codes.add("7GK2MP4XQ9TR")
            found.enrol()
            devices.append(found)
        made = Bench(origin, devices[0], devices[1], folder / "stick")
        made.stick.mkdir()
        made.publish()
        made.kiosk.sync()
        made.writer.sync()
        confirm(made.data, MAIN)
        yield made


def count_calls(bench: Bench, scenario: Scenario, kind: Kind) -> int:
    """How many calls of a scenario a kind of failure can meet."""
    scenario.prepare(bench)
    with Faults(bench.data.root, kind).injected() as watched:
        scenario.act(bench)
    scenario.settle(bench)
    confirm(bench.data, MAIN)
    return watched.calls


def disturb(bench: Bench, scenario: Scenario, kind: Kind, at: int, tally: Tally) -> bool:
    """Fail call number `at`; False when there are fewer calls.

    Raises:
        AssertionError: a promise was broken.
    """
    playing = read_active(bench.data)
    assert playing is not None
    sizes = scenario.prepare(bench)
    active = read_active(bench.data)
    assert active is not None
    allowed: set[int | None] = {playing.current.release, active.current.release, bench.release}
    where = f"{scenario.name}, {kind.name}, call {at}"
    error: BaseException | None = None
    with Faults(scenario.root(bench), kind, at).injected() as faults:
        try:
            scenario.act(bench)
        except KioskError as refused:
            error = refused
        except OSError as refused:
            # Only our own layers promise errors of ours; the shell around them maps the rest.
            assert scenario.name not in ("sync", "stick"), where
            error = from_os_error(refused)
    if error is not None:
        assert faults.reached, where
        assert kind.error is not None, f"{where}: {error!r}"
        assert type(error) is kind.error, f"{where}: {error!r}"
    if scenario.name == "scrub":
        # The rotten film may lie there still: that is what the next round is for.
        now = active.current.release
    else:
        found = check_whole(bench.data, allowed)
        assert found is not None, where
        now = found
    before = proven(bench.data)
    count_anew(bench.origin)
    scenario.settle(bench)
    after = check_whole(bench.data, allowed)
    assert after is not None, where
    if scenario.name != "return":
        assert after == bench.release, where
    hits: list[Hit] = list(bench.origin.hits)
    if scenario.name != "scrub":
        again = fetched_again(before, sizes, hits)
        assert again == 0, f"{where}: {again} proven bytes were fetched again"
        tally.again += again
    confirm(bench.data, MAIN)
    tally.faults += faults.reached
    tally.refused += error is not None
    tally.unharmed += error is None and faults.reached
    tally.new += now == bench.release
    tally.old += now != bench.release
    return faults.reached


def run(
    folder: Path,
    *,
    what: str = "all",
    sample: int | None = None,
    seed: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> Tally:
    """Fail each call of each scenario in each way, or `sample` of each; the tally.

    Raises:
        AssertionError: at the first broken promise.
    """
    chance = random.Random(seed)
    tally = Tally()
    with bench(folder) as made:
        for scenario in SCENARIOS:
            if what not in ("all", scenario.name):
                continue
            for kind in KINDS:
                calls = count_calls(made, scenario, kind)
                chosen = range(1, calls + 1)
                if sample is not None and calls > sample:
                    chosen = sorted(chance.sample(chosen, sample))  # type: ignore[assignment]
                for at in chosen:
                    disturb(made, scenario, kind, at, tally)
                tell(f"{scenario.name}, {kind.name}: {len(chosen)} of {calls} calls failed")
    return tally


VOLUMES = {"tmpfs": 32, "ext4": 40, "exfat": 40}
"""Kinds of real volumes, and their megabytes. Full, fusefat says "not permitted": no FAT here."""


def fill_up(kind: str, *, rounds: int, seed: int = 1) -> Tally:
    """Sync on a small volume that has too little room by a little less each time.

    What is claimed beforehand would not let it come to that: so a device is made
    to believe in endless room, as if another program had taken it meanwhile.

    Raises:
        AssertionError: a promise was broken.
    """
    tally = Tally()
    chance = random.Random(seed)
    with volume(kind, VOLUMES[kind]) as folder, bench(folder) as made:
        for _ in range(rounds):
            sizes = made.publish()
            playing = read_active(made.data)
            assert playing is not None
            # Two sets lie there, and a third is needed: old blobs go as in life.
            left = chance.randrange(4096, sum(sizes.values()) * 3 // 2)
            log = folder / "log"
            _fill(log, folder, left)
            error: KioskError | None = None
            with _endless():
                try:
                    made.kiosk.sync()
                except KioskError as refused:
                    error = refused
            where = f"{kind}, {left} bytes left"
            if error is not None:
                assert type(error) is DiskFull, f"{where}: {error!r}"
            now = check_whole(made.data, {playing.current.release, made.release})
            log.unlink()
            before = proven(made.data)
            count_anew(made.origin)
            made.kiosk.sync()
            assert check_whole(made.data, {made.release}) == made.release, where
            again = fetched_again(before, sizes, made.origin.hits)
            assert again == 0, f"{where}: {again} proven bytes were fetched again"
            confirm(made.data, MAIN)
            tally.faults += error is not None
            tally.refused += error is not None
            tally.unharmed += error is None
            tally.new += now == made.release
            tally.old += now != made.release
    return tally


def _fill(log: Path, folder: Path, left: int) -> None:
    """Write `log` until about `left` bytes are free."""
    size = max(0, free_bytes(folder) - left)
    with log.open("wb") as file:
        while size > 0:
            try:
                size -= file.write(bytes(min(size, 65536)))
                file.flush()
            except OSError:
                break


@contextlib.contextmanager
def _endless() -> Iterator[None]:
    """Let nobody look at the room beforehand, nor set any aside."""
    before = room.free_bytes, room.allocate  # type: ignore[attr-defined]
    room.free_bytes = lambda place: sys.maxsize  # type: ignore[attr-defined]
    room.allocate = lambda fd, size: False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        room.free_bytes, room.allocate = before  # type: ignore[attr-defined]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--what", choices=[*names, "full", "all"], default="all")
    parser.add_argument("--sample", type=int, help="only so many calls of each")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(
            Path(folder),
            what=chosen.what,
            sample=chosen.sample,
            seed=chosen.seed,
            tell=lambda line: print(line, flush=True),
        )
    for kind in VOLUMES if chosen.what in ("full", "all") else ():
        filled = fill_up(kind, rounds=chosen.sample or 50, seed=chosen.seed)
        print(
            f"{kind}: {filled.refused} times full, {filled.unharmed} times room enough: the old "
            f"set {filled.old} times, the new {filled.new} times, never another",
            flush=True,
        )
    print(
        f"{tally.faults} faults, {tally.refused} refused with the right error, {tally.unharmed} "
        f"harmless: the old set {tally.old} times, the new {tally.new} times, never another; "
        f"{tally.again} proven bytes fetched twice"
    )


if __name__ == "__main__":
    main()
