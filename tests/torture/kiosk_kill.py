"""Kill a syncing device again and again; it must hold the old set or the new, whole.

    python -m tests.torture.kiosk_kill [ROUNDS] [--seed N]

Each round publishes a release, starts a real `kiosk-client sync`, kills it with
SIGKILL at a random moment, and looks: the pointer reads, its set is complete by
hash, every stored blob is what its name says. Then the sync is run to its end,
and the server's own log says whether a proven byte was fetched twice.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from kiosk_client.activation import load_set, read_active
from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.enrol import enrol
from kiosk_client.wire import Wire
from package_format.layout import BLOCK_SIZE
from tests.kiosk.simulator import Content, Hit, Origin, harbour, noise

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "kiosk_client.cli", "sync"]


@dataclass
class Tally:
    """What the rounds found."""

    rounds: int = 0
    killed: int = 0
    old: int = 0
    new: int = 0
    fetched_again: int = 0
    phases: list[int] = field(default_factory=list)


def edition(number: int) -> dict[str, Content]:
    """The package's files in edition `number`: documents, ten pictures and a film are new."""
    files = harbour(edition=number, film=2 * BLOCK_SIZE + 1_000_000)
    files["media/film/720.mp4"] = Content(
        noise(2 * BLOCK_SIZE + 1_000_000, f"film {number}"), "video/mp4"
    )
    for picture in range(10):
        seed = f"picture {picture} of {number}"
        files[f"media/p{picture}/640.webp"] = Content(noise(60_000, seed), "image/webp")
    return files


def check_whole(data: DataDir, expected: set[int | None]) -> int | None:
    """The release that plays, after proving that it is one of `expected`, and whole.

    Raises:
        AssertionError: the pointer, its set or a stored blob is not as it must be.
    """
    for blob in data.root.glob("blobs/*/*"):
        digest = hashlib.sha256(blob.read_bytes()).hexdigest()
        assert digest == blob.name, f"{blob.name} is stored and is not itself"
    active = read_active(data)
    if active is None:
        assert not data.active.exists(), "the pointer does not read"
        assert None in expected, "the pointer is gone"
        return None
    assert active.current.release in expected, (active.current.release, expected)
    loaded = load_set(data, active.current)
    assert loaded is not None, "the playing set's manifest is gone"
    for entry in loaded.files:
        path = data.root / "blobs" / entry.sha256[:2] / entry.sha256
        assert path.is_file(), f"{entry.path} of the playing release is missing"
        assert path.stat().st_size == entry.size
    return active.current.release


def proven(data: DataDir) -> dict[str, int]:
    """Bytes of each blob that need no fetching: whole ones, and proven blocks of parts."""
    found = {path.name: path.stat().st_size for path in data.root.glob("blobs/*/*")}
    for part in (data.root / "parts").glob("*.part"):
        found[part.name.removesuffix(".part")] = part.stat().st_size // BLOCK_SIZE * BLOCK_SIZE
    return found


def fetched_again(before: dict[str, int], sizes: dict[str, int], hits: list[Hit]) -> int:
    """Bytes sent for blobs beyond what was missing of them."""
    again = 0
    sent: dict[str, int] = {}
    for hit in hits:
        name = hit.path.rpartition("/")[2]
        if "/blobs/" in hit.path:
            sent[name] = sent.get(name, 0) + hit.sent
    for name, total in sent.items():
        if name in sizes:
            again += max(0, total - (sizes[name] - before.get(name, 0)))
    return again


def run(rounds: int, seed: int, folder: Path, *, quiet: bool = True) -> Tally:
    """Do `rounds` kills in `folder`; the tally, or AssertionError at the first broken promise."""
    chance = random.Random(seed)
    tally = Tally()
    environment = {**os.environ, "KIOSK_DATA": str(folder)}
    with Origin().serving() as origin:
        data = open_data_dir(folder, create=True)
        wire = Wire()
        enrol(data, wire, origin.url, "7GK2-MP4X-Q9TR")
        wire.close()
        origin.publish(edition(0))
        subprocess.run(COMMAND, cwd=ROOT, env=environment, check=True, capture_output=True)
        requests = len(origin.hits)
        playing = check_whole(data, {1})
        for number in range(1, rounds + 1):
            manifest = origin.publish(edition(number))
            sizes = {entry.sha256: entry.size for entry in manifest.files}
            killed = False
            # Several kills at one release: a device whose plug is pulled every evening.
            for _ in range(chance.choice((1, 1, 2))):
                # Time alone would mostly hit Python starting; requests tell how far it is.
                phase = chance.randrange(requests + 2)
                moment = chance.uniform(0, 0.02 if phase < requests - 1 else 0.06)
                swapped = phase > requests
                pointer = data.active.stat().st_ino
                origin.forget_hits()
                process = subprocess.Popen(
                    COMMAND,
                    cwd=ROOT,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                while process.poll() is None and (
                    data.active.stat().st_ino == pointer if swapped else len(origin.hits) < phase
                ):
                    time.sleep(0.001)
                time.sleep(moment / 10 if swapped else moment)
                killed = process.poll() is None
                process.kill()
                process.wait()
                tally.phases.append(phase)
                now = check_whole(data, {playing, manifest.release})
            tally.killed += killed
            tally.new += now == manifest.release
            tally.old += now != manifest.release
            before = proven(data)
            origin.forget_hits()
            done = subprocess.run(
                COMMAND, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            playing = check_whole(data, {manifest.release})
            tally.fetched_again += fetched_again(before, sizes, origin.hits)
            tally.rounds += 1
            if not quiet:
                print(f"round {number}: {tally.old} old, {tally.new} new", flush=True)
    assert tally.fetched_again == 0, f"{tally.fetched_again} proven bytes were fetched twice"
    return tally


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(chosen.rounds, chosen.seed, Path(folder) / "kiosk", quiet=False)
    print(
        f"{tally.rounds} rounds, {tally.killed} killed: the old set {tally.old} times, the new "
        f"{tally.new} times, never another; {tally.fetched_again} proven bytes fetched twice"
    )


if __name__ == "__main__":
    main()
