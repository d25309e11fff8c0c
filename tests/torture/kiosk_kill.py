"""Kill a device again and again, whatever it does; it must hold the old set or the new, whole.

    python -m tests.torture.kiosk_kill [ROUNDS] [--what sync|activation|scrub|stick|all] [--seed N]

Each round publishes a release, starts one of the things a device does in a
process of its own, kills that with SIGKILL at a random moment, and looks: the
pointer reads, its set is complete by hash, every stored blob is what its name
says. Then the same is run to its end, and the server's own log, or the stick's
count, says whether a proven byte was fetched twice.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from kiosk_client.activation import (
    activate_next,
    confirm,
    give_back,
    load_set,
    read_active,
    read_slots,
    stage,
)
from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.enrol import enrol
from kiosk_client.scrub import Scrubber
from kiosk_client.stick_export import export_stick
from kiosk_client.store import STAMP_NS
from kiosk_client.sync import sync
from kiosk_client.wire import Wire
from package_format.layout import BLOCK_SIZE
from tests.kiosk.simulator import Content, Hit, Origin, harbour, noise

ROOT = Path(__file__).parents[2]
MAIN = "harbour/live"
FILM = "media/film/720.mp4"
DEEDS = ("sync", "activation", "scrub", "stick")


@dataclass
class Tally:
    """What the rounds found."""

    rounds: int = 0
    killed: int = 0
    old: int = 0
    new: int = 0
    fetched_again: int = 0
    phases: list[int] = field(default_factory=list)
    deeds: dict[str, int] = field(default_factory=dict)


def edition(number: int) -> dict[str, Content]:
    """The package's files in edition `number`: documents, ten pictures and a film are new."""
    files = harbour(edition=number, film=2 * BLOCK_SIZE + 1_000_000)
    files[FILM] = Content(noise(2 * BLOCK_SIZE + 1_000_000, f"film {number}"), "video/mp4")
    for picture in range(10):
        seed = f"picture {picture} of {number}"
        files[f"media/p{picture}/640.webp"] = Content(noise(60_000, seed), "image/webp")
    return files


def check_whole(
    data: DataDir, expected: set[int | None], *, rotten: str | None = None
) -> int | None:
    """The release that plays, after proving that it is one of `expected`, and whole.

    `rotten` (a SHA-256) was damaged by us: it may lie there, or be gone.

    Raises:
        AssertionError: the pointer, its set or a stored blob is not as it must be.
    """
    for blob in data.root.glob("blobs/*/*"):
        if blob.name == rotten:
            continue
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
        if entry.sha256 == rotten:
            continue
        assert path.is_file(), f"{entry.path} of the playing release is missing"
        assert path.stat().st_size == entry.size
    return active.current.release


def proven(data: DataDir) -> dict[str, int]:
    """Bytes of each blob that need no fetching: whole ones, and proven blocks of parts."""
    found = {path.name: path.stat().st_size for path in data.root.glob("blobs/*/*")}
    for part in (data.root / "parts").glob("*.part"):
        found[part.name.removesuffix(".part")] = part.stat().st_size // BLOCK_SIZE * BLOCK_SIZE
    return found


def count_anew(origin: Origin) -> None:
    """Forget the requests so far, also those whose answer still runs into a dead connection."""
    deadline = time.monotonic() + 20.0
    while origin.busy and time.monotonic() < deadline:
        time.sleep(0.002)
    origin.forget_hits()


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


class Stable:
    """A process that forks others which have everything imported: a kill then meets work.

    Python's own start is left out, where a kill proves nothing, and 1,000 rounds
    take minutes. One child at a time.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.kiosk_kill", "--stable"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self, deed: str, folder: Path, argument: str = "") -> Child:
        """Begin a deed in the directory `folder`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([deed, str(folder), argument]).encode() + b"\n")
        self._process.stdin.flush()
        return Child(int(self._line()), self)

    def wait_line(self, seconds: float) -> int | None:
        """The status of the child that ended within so many seconds, or None."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout.fileno()], [], [], seconds)
        return int(self._line()) if ready else None

    def close(self) -> None:
        """End; there is no child by then."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        # Unbuffered, or select would not see what a buffer holds.
        found = b""
        while not found.endswith(b"\n"):
            byte = os.read(self._process.stdout.fileno(), 1)
            assert byte, "the stable is gone"
            found += byte
        return found


@dataclass
class Child:
    """One process that does a deed."""

    pid: int
    stable: Stable
    status: int | None = None

    def runs(self, seconds: float = 0.0) -> bool:
        """Whether it still runs after at most so many seconds."""
        if self.status is None:
            self.status = self.stable.wait_line(seconds)
        return self.status is None

    def kill(self) -> bool:
        """Kill it at once; whether that ended it, and not its own end."""
        if not self.runs():
            return False
        os.kill(self.pid, signal.SIGKILL)
        while self.runs(10.0):
            pass
        return self.status == -signal.SIGKILL

    def end(self) -> None:
        """Wait for its own end, which must be a good one."""
        while self.runs(60.0):
            pass
        assert self.status == 0, f"status {self.status}"


def serve_stable() -> None:
    """Fork a child for each line, say its number and then its status."""
    for line in sys.stdin.buffer:
        deed, folder, argument = json.loads(line)
        pid = os.fork()
        if not pid:
            code = 1
            try:
                _do(deed, DataDir(Path(folder)), argument)
                code = 0
            except BaseException as error:  # noqa: BLE001  # the parent must hear of it
                print(f"{deed}: {error!r}", file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        os.write(1, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


def _do(deed: str, data: DataDir, argument: str) -> None:
    wire = Wire()
    if deed == "sync":
        sync(data, wire, reserve=0)
    elif deed == "stage":
        sync(data, wire, reserve=0, activate=False)
    elif deed == "stick":
        from kiosk_client.sources import GivenStick

        result = sync(data, wire, reserve=0, stick=GivenStick(Path(argument)))
        (data.root.parent / "imported.json").write_text(json.dumps(dict(result.sources)))
    elif deed == "scrub":
        Scrubber(data, rate=1e12).step(60)
    elif deed == "activation":
        _play_and_return(data)
    else:
        raise AssertionError(f"no deed called {deed}")


def _play_and_return(data: DataDir) -> None:
    """What watches the screen does, without a rest: the waiting set plays, and is taken back."""
    offered = read_slots(data)[MAIN].next
    assert offered is not None
    for number in range(10_000):
        now = datetime.now(UTC)
        stage(data, MAIN, replace(offered, activated_at=now))
        activate_next(data, MAIN, now)
        if number % 7 == 6:
            # Healthy this time; then a set to come back to is what plays.
            confirm(data, MAIN)
            return
        give_back(data, MAIN, "crashes", now)


@dataclass
class Grounds:
    """A device, the server and the stick it takes from, and who starts processes."""

    origin: Origin
    data: DataDir
    writer: DataDir
    stick: Path
    stable: Stable
    chance: random.Random
    tally: Tally
    requests: int = 0
    rotten: str | None = None

    def run(self, deed: str) -> None:
        """Do a deed to its end, in a process of its own."""
        self.stable.start(deed, self.data.root, str(self.stick)).end()

    def confirm(self) -> None:
        """What plays is healthy."""
        confirm(self.data, MAIN)


def run(rounds: int, seed: int, folder: Path, *, what: str = "all", quiet: bool = True) -> Tally:
    """Do `rounds` kills in `folder`; the tally, or AssertionError at the first broken promise."""
    deeds = DEEDS if what == "all" else (what,)
    with _grounds(folder, seed) as grounds:
        tally, chance = grounds.tally, grounds.chance
        playing = check_whole(grounds.data, {1})
        for number in range(1, rounds + 1):
            deed = deeds[number % len(deeds)] if rounds < 50 else chance.choice(deeds)
            manifest = grounds.origin.publish(edition(number))
            sizes = {entry.sha256: entry.size for entry in manifest.files}
            PREPARE[deed](grounds)
            killed = False
            now = playing
            # Several kills at one release: a device whose plug is pulled every evening.
            for _ in range(chance.choice((1, 1, 2))):
                grounds.origin.forget_hits()
                child = grounds.stable.start(deed, grounds.data.root, str(grounds.stick))
                WAIT[deed](grounds, child)
                killed = child.kill() or killed
                now = check_whole(grounds.data, {playing, manifest.release}, rotten=grounds.rotten)
                if deed == "activation" and read_slots(grounds.data)[MAIN].next is None:
                    break
            tally.killed += killed
            tally.deeds[deed] = tally.deeds.get(deed, 0) + 1
            tally.new += now == manifest.release
            tally.old += now != manifest.release
            tally.fetched_again += FINISH[deed](grounds, sizes)
            playing = check_whole(grounds.data, {manifest.release})
            grounds.confirm()
            tally.rounds += 1
            if not quiet and number % 10 == 0:
                print(f"round {number}: {tally.old} old, {tally.new} new", flush=True)
        assert tally.fetched_again == 0, f"{tally.fetched_again} proven bytes were fetched twice"
        return tally


@contextlib.contextmanager
def _grounds(folder: Path, seed: int) -> Iterator[Grounds]:
    stable = Stable()
    try:
        with Origin().serving() as origin:
            folders = []
            for name in ("kiosk", "writer"):
                folders.append(open_data_dir(folder / name, create=True))
                origin.codes.add("7GK2MP4XQ9TR")
                wire = Wire()
                enrol(folders[-1], wire, origin.url, "7GK2-MP4X-Q9TR")
                wire.close()
            grounds = Grounds(
                origin=origin,
                data=folders[0],
                writer=folders[1],
                stick=folder / "stick",
                stable=stable,
                chance=random.Random(seed),
                tally=Tally(),
            )
            grounds.stick.mkdir()
            origin.publish(edition(0))
            grounds.run("sync")
            grounds.requests = len(origin.hits)
            grounds.confirm()
            yield grounds
    finally:
        stable.close()


def _prepare_nothing(grounds: Grounds) -> None:
    grounds.rotten = None


def _prepare_activation(grounds: Grounds) -> None:
    grounds.rotten = None
    grounds.run("stage")


def _prepare_scrub(grounds: Grounds) -> None:
    """Damage what will play: the newest release, which then is due to be read."""
    grounds.run("sync")
    grounds.confirm()
    active = read_active(grounds.data)
    assert active is not None
    loaded = load_set(grounds.data, active.current)
    assert loaded is not None
    film = next(entry for entry in loaded.files if entry.path == FILM)
    path = grounds.data.root / "blobs" / film.sha256[:2] / film.sha256
    path.chmod(0o644)
    with path.open("r+b") as file:
        at = BLOCK_SIZE + grounds.chance.randrange(BLOCK_SIZE)
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(STAMP_NS, STAMP_NS))
    (grounds.data.root / "scrub.json").unlink(missing_ok=True)
    grounds.rotten = film.sha256


def _prepare_stick(grounds: Grounds) -> None:
    grounds.rotten = None
    grounds.stable.start("sync", grounds.writer.root).end()
    export_stick(grounds.writer, grounds.stick, reserve=0)


def _wait_sync(grounds: Grounds, child: Child) -> None:
    """Until some request was made, or the pointer was swapped; then a moment more."""
    phase = grounds.chance.randrange(grounds.requests + 2)
    moment = grounds.chance.uniform(0, 0.02 if phase < grounds.requests - 1 else 0.06)
    swapped = phase > grounds.requests
    pointer = grounds.data.active.stat().st_ino
    while child.runs(0.001) and (
        grounds.data.active.stat().st_ino == pointer
        if swapped
        else len(grounds.origin.hits) < phase
    ):
        pass
    time.sleep(moment / 10 if swapped else moment)
    grounds.tally.phases.append(phase)


def _wait_stick(grounds: Grounds, child: Child) -> None:
    """Until some more blobs lie in the pool; then a moment more."""
    blobs = grounds.data.root / "blobs"
    before = sum(1 for _ in blobs.glob("*/*"))
    more = grounds.chance.randrange(16)
    while child.runs(0.001) and sum(1 for _ in blobs.glob("*/*")) < before + more:
        pass
    time.sleep(grounds.chance.uniform(0, 0.03))


def _wait_some(longest: float) -> Callable[[Grounds, Child], None]:
    def wait(grounds: Grounds, child: Child) -> None:
        time.sleep(grounds.chance.uniform(0, longest))

    return wait


def _finish_sync(grounds: Grounds, sizes: dict[str, int]) -> int:
    before = proven(grounds.data)
    count_anew(grounds.origin)
    grounds.run("sync")
    return fetched_again(before, sizes, grounds.origin.hits)


def _finish_scrub(grounds: Grounds, sizes: dict[str, int]) -> int:
    """The round ends, the damaged block comes again, and no other."""
    grounds.run("scrub")
    count_anew(grounds.origin)
    grounds.run("sync")
    (grounds.data.root / "scrub.json").unlink(missing_ok=True)
    sent = sum(hit.sent for hit in grounds.origin.asked("/blobs/"))
    assert sent, "the damage was not found"
    return max(0, sent - BLOCK_SIZE)


def _finish_stick(grounds: Grounds, sizes: dict[str, int]) -> int:
    before = proven(grounds.data)
    grounds.run("stick")
    active = read_active(grounds.data)
    assert active is not None
    loaded = load_set(grounds.data, active.current)
    assert loaded is not None
    needed = {entry.sha256: entry.size for entry in loaded.files}
    missing = sum(size - before.get(sha256, 0) for sha256, size in needed.items())
    told = json.loads((grounds.data.root.parent / "imported.json").read_text("utf-8"))
    copied = sum(int(size) for size in told.values())
    return max(0, copied - missing)


PREPARE: dict[str, Callable[[Grounds], None]] = {
    "sync": _prepare_nothing,
    "activation": _prepare_activation,
    "scrub": _prepare_scrub,
    "stick": _prepare_stick,
}
WAIT: dict[str, Callable[[Grounds, Child], None]] = {
    "sync": _wait_sync,
    "activation": _wait_some(0.06),
    "scrub": _wait_some(0.12),
    "stick": _wait_stick,
}
FINISH: dict[str, Callable[[Grounds, dict[str, int]], int]] = {
    "sync": _finish_sync,
    "activation": _finish_sync,
    "scrub": _finish_scrub,
    "stick": _finish_stick,
}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=100)
    parser.add_argument("--what", choices=[*DEEDS, "all"], default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stable", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.stable:
        serve_stable()
        return
    with tempfile.TemporaryDirectory() as folder:
        tally = run(chosen.rounds, chosen.seed, Path(folder), what=chosen.what, quiet=False)
    deeds = ", ".join(f"{number} {deed}" for deed, number in sorted(tally.deeds.items()))
    print(
        f"{tally.rounds} rounds ({deeds}), {tally.killed} killed: the old set {tally.old} times, "
        f"the new {tally.new} times, never another; {tally.fetched_again} proven bytes fetched "
        "twice"
    )


if __name__ == "__main__":
    main()
