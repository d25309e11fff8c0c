"""Kill an export to a stick, and an import from it, again and again; no stick may lie.

    python -m tests.torture.stick_kill [ROUNDS] [--on folder|fat|exfat] [--seed N]

Each round publishes a release, starts a real `kiosk-client export`, kills it
with SIGKILL at a random moment, and plugs the stick into another device: that
plays the old release or the new one, whole, or is told that the export never
ended. Every blob on the stick that has its name is what that says. The export
is then done to its end, and writes nothing that was there; and an import from
the stick is killed, and done to its end too.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from kiosk_client.activation import load_set, read_active
from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.enrol import enrol
from kiosk_client.stick_layout import PLACE
from kiosk_client.wire import Wire
from package_format.layout import BLOCK_SIZE
from tests.kiosk.simulator import Content, Origin, harbour, noise
from tests.kiosk.volumes import volume

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "kiosk_client.cli"]
PART = 2 * BLOCK_SIZE
"""A small part, so that the film lies in several."""


Plugged = Callable[[], AbstractContextManager[Path]]


@dataclass
class Tally:
    """What the rounds found."""

    rounds: int = 0
    killed: int = 0
    old: int = 0
    new: int = 0
    unfinished: int = 0
    imports_killed: int = 0


def edition(number: int) -> dict[str, Content]:
    """The package's files in edition `number`: documents, six pictures and a film are new."""
    files = harbour(edition=number)
    film = noise(5 * BLOCK_SIZE + 500_000, f"film {number}")
    files["media/film/720.mp4"] = Content(film, "video/mp4")
    for picture in range(6):
        seed = f"picture {picture} of {number}"
        files[f"media/p{picture}/640.webp"] = Content(noise(60_000, seed), "image/webp")
    return files


class Device:
    """A device with a data directory, used by real commands."""

    def __init__(self, folder: Path, origin: Origin, code: str) -> None:
        self.data: DataDir = open_data_dir(folder, create=True)
        origin.codes.add(code)
        wire = Wire()
        enrol(self.data, wire, origin.url, code)
        wire.close()

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KIOSK_DATA": str(self.data.root)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def check_whole(self) -> int | None:
        """The release that plays, after proving that all of it is here and right."""
        for blob in self.data.root.glob("blobs/*/*"):
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
        active = read_active(self.data)
        if active is None:
            return None
        loaded = load_set(self.data, active.current)
        assert loaded is not None, "the playing set's manifest is gone"
        for entry in loaded.files:
            path = self.data.root / "blobs" / entry.sha256[:2] / entry.sha256
            assert path.stat().st_size == entry.size, f"{entry.path} is missing"
        return active.current.release

    def playing_blobs(self) -> set[str]:
        """The blobs of the release that plays."""
        active = read_active(self.data)
        assert active is not None
        loaded = load_set(self.data, active.current)
        assert loaded is not None
        return {entry.sha256 for entry in loaded.files}


def stick_files(stick: Path) -> dict[str, int]:
    """The files on a stick that have their names, and their bytes; fit for a stick in use."""
    found = {}
    for folder, _, names in os.walk(stick / PLACE):
        for name in names:
            if not name.endswith(".new"):
                with contextlib.suppress(OSError):
                    found[os.path.join(folder, name)] = (Path(folder) / name).stat().st_size
    return found


def check_stick(stick: Path, wanted: set[str]) -> int:
    """Bytes of the `wanted` blobs on a stick, after proving that each is what its name says."""
    size = 0
    parts: dict[str, list[Path]] = {}
    for path in sorted((stick / PLACE / "blobs").glob("*/*")):
        sha256, _, tail = path.name.partition(".")
        if not tail:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
            size += path.stat().st_size if sha256 in wanted else 0
        elif tail.isdecimal():
            parts.setdefault(sha256, []).append(path)
    for sha256, paths in parts.items():
        whole = hashlib.sha256(b"".join(path.read_bytes() for path in paths))
        if whole.hexdigest() == sha256 and sha256 in wanted:
            size += sum(path.stat().st_size for path in paths)
    return size


def kill_amid(
    process: subprocess.Popen[bytes], steps: int, done: Iterator[int], chance: random.Random
) -> bool:
    """Kill `process` when about `steps` of its steps are `done`; whether it was still at work."""
    while process.poll() is None and next(done) < steps:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.02))
    alive = process.poll() is None
    process.kill()
    process.wait()
    return alive


def run(rounds: int, seed: int, folder: Path, *, on: str = "folder", quiet: bool = True) -> Tally:
    """Do `rounds` kills of each kind; the tally, or AssertionError at the first broken promise."""
    chance = random.Random(seed)
    tally = Tally()
    image = folder / "image"
    # Room for one release and a half: the old one must go before the new one comes.
    size_mb = 36

    def plugged() -> AbstractContextManager[Path]:
        if on == "folder":
            place = folder / "stick"
            place.mkdir(exist_ok=True)
            return contextlib.nullcontext(place)
        return volume(on, size_mb, image=image)

    with Origin().serving() as origin:
        writer = Device(folder / "writer", origin, "AAAABBBBCCCC")
        reader = Device(folder / "reader", origin, "DDDDEEEEFFFF")
        origin.publish(edition(0))
        assert writer.run("sync").returncode == 0
        with plugged() as stick:
            done = writer.run("export", str(stick), "--part-size", str(PART))
            assert done.returncode == 0, done.stderr
            assert reader.run("import", str(stick)).returncode == 0
        for number in range(1, rounds + 1):
            release = origin.publish(edition(number)).release
            assert writer.run("sync").returncode == 0
            _export_round(writer, reader, plugged, release, chance, tally)
            _import_round(reader, plugged, release, chance, tally)
            tally.rounds += 1
            if not quiet:
                print(f"round {number}: {tally}", flush=True)
    return tally


def _export_round(
    writer: Device,
    reader: Device,
    plugged: Plugged,
    release: int,
    chance: random.Random,
    tally: Tally,
) -> None:
    export = ("export", "--part-size", str(PART), "--offline", "--json")
    with plugged() as stick:
        before = set(stick_files(stick))

        def written() -> Iterator[int]:
            while True:
                yield len(set(stick_files(stick)) - before)

        process = writer.begin(*export, str(stick))
        tally.killed += kill_amid(process, chance.randrange(17), written(), chance)
    # Pulled out, and plugged into the other device.
    with plugged() as stick:
        present = check_stick(stick, writer.playing_blobs())
        told = reader.run("import", str(stick))
        playing = reader.check_whole()
        assert playing in (release - 1, release), playing
        if told.returncode:
            assert "half-written" in told.stderr, told.stderr
            assert playing == release - 1
            tally.unfinished += 1
        else:
            tally.new += playing == release
            tally.old += playing == release - 1
        # To its end; what was whole is not written again.
        done = writer.run(*export, str(stick))
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["copied_bytes"] + present <= result["bytes"]
        again = json.loads(writer.run(*export, str(stick)).stdout)
        assert (again["copied_files"], again["removed_files"]) == (0, 0), again
        assert not list((stick / PLACE).rglob("*.new"))


def _import_round(
    reader: Device, plugged: Plugged, release: int, chance: random.Random, tally: Tally
) -> None:
    if reader.check_whole() == release:
        return
    with plugged() as stick:

        def arrived() -> Iterator[int]:
            first = sum(1 for _ in reader.data.root.glob("blobs/*/*"))
            while True:
                yield sum(1 for _ in reader.data.root.glob("blobs/*/*")) - first

        process = reader.begin("import", str(stick))
        tally.imports_killed += kill_amid(process, chance.randrange(11), arrived(), chance)
        assert reader.check_whole() in (release - 1, release)
        done = reader.run("import", str(stick))
        assert done.returncode == 0, done.stderr
        assert reader.check_whole() == release


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=100)
    parser.add_argument("--on", choices=["folder", "fat", "exfat"], default="folder")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(chosen.rounds, chosen.seed, Path(folder), on=chosen.on, quiet=False)
    print(
        f"{tally.rounds} rounds: {tally.killed} exports were killed; the other device then played "
        f"the old release {tally.old} times, the new {tally.new} times, and was told of an "
        f"unfinished stick {tally.unfinished} times; {tally.imports_killed} imports were killed"
    )


if __name__ == "__main__":
    main()
