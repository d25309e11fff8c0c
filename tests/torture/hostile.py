"""Origins that cut, stall, drip, lie, drown and replay: the screen must not notice.

    python -m tests.torture.hostile [CASE …] [--files 100000] [--seconds 90]

Each case enrols a device, lets it play release 1, publishes release 2 and turns
the origin hostile. A real `kiosk-client sync` runs against it and must end with
the right exit code and one line of the right words, while release 1 plays on
byte for byte, in bounded memory and on bounded disk. Then the origin is good
again, and the next sync must take release 2. The last case is no attack: a
release of 100,000 small files. `--seconds` is how long a stalled or dripping
origin is given, in place of the product's own patience; 0 keeps that.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Content, Origin, harbour, noise

ROOT = Path(__file__).parents[2]
MOST_MEMORY = 90 * 1024 * 1024
"""Bytes resident at most, whatever an origin sends."""

DISK_SLACK = 2 * 1024 * 1024
FILM = 6_000_000

Prepare = Callable[[Origin], None]


@dataclass(frozen=True)
class Case:
    """An attack: what it does to the origin, and the code and words a sync must end with."""

    name: str
    prepare: Prepare
    exit_code: int
    words: str


def attacking(path: str, how: str, argument: object = None) -> Prepare:
    """The simulator's attack `how` on every path that matches."""

    def prepare(origin: Origin) -> None:
        origin.attack(path, how, argument=argument)

    return prepare


def _mixed(origin: Origin) -> None:
    """The newest timestamp beside the snapshot of before under the newest name."""
    newest = origin.snapshot.version
    origin.files[f"metadata/{newest}.snapshot.json"] = origin.files[
        f"metadata/{newest - 1}.snapshot.json"
    ]


def _mixed_targets(origin: Origin) -> None:
    newest = origin.targets.version
    origin.files[f"metadata/{newest}.targets.json"] = origin.files[
        f"metadata/{newest - 1}.targets.json"
    ]


def _another_repository(origin: Origin) -> None:
    other = Origin()
    other.publish(release=7)
    origin.files.update(
        {path: raw for path, raw in other.files.items() if not path.endswith("root.json")}
    )


def _older(origin: Origin) -> None:
    # The device knows the newest: `run_case` lets it, before the mirror falls back.
    origin.restore(getattr(origin, "before"))  # noqa: B009


def _strange_key(origin: Origin) -> None:
    origin.sign_with_strange_key("timestamp")


def _expired(origin: Origin) -> None:
    origin.refresh(days=-3)


FILM_BLOB = "/blobs/"
CASES = (
    Case("truncated", attacking(FILM_BLOB, "cut", 1000), 8, "ends at|cut short"),
    Case("stalled", attacking(FILM_BLOB, "stall", 60), 3, "silence"),
    Case("one-byte-a-second", attacking(FILM_BLOB, "drip", 1.0), 3, "at least 1024 bytes a second"),
    Case("dripping-head", attacking("/metadata/", "drip-head", 0.5), 3, "silence"),
    Case("endless", attacking(FILM_BLOB, "endless"), 8, "got more|other bytes"),
    Case("endless-metadata", attacking("timestamp", "endless"), 8, "at most 16384 bytes"),
    Case("wrong-content-range", attacking(FILM_BLOB, "wrong-range"), 8, "expected bytes 0-"),
    Case("wrong-length", attacking(FILM_BLOB, "short"), 8, "expected [0-9]+ bytes"),
    Case("html-for-everything", attacking(".", "html"), 7, "login page"),
    Case("html-for-blobs", attacking(FILM_BLOB, "html-as-octets"), 7, "login page"),
    Case("redirect-loop", attacking("/repository/", "redirect", "."), 7, "in circles"),
    Case(
        "redirect-elsewhere",
        attacking(".", "redirect", "http://login.hotel.example/"),
        7,
        "sent to http://login.hotel.example",
    ),
    Case("no-web-server", attacking(".", "garbage"), 7, "no web server"),
    Case("old-metadata", _older, 6, "nothing older"),
    Case("mixed-snapshot", _mixed, 6, "nothing older"),
    Case("mixed-targets", _mixed_targets, 6, "nothing older"),
    Case("another-repository", _another_repository, 5, "trusted keys"),
    Case("strange-key", _strange_key, 5, "trusted keys"),
    Case("expired", _expired, 9, "signatures still valid"),
    Case("gzip-bomb", attacking(r"\.live\.json", "bomb"), 8, "got more"),
    Case("gzip-bomb-metadata", attacking("timestamp", "bomb"), 8, "got more"),
    Case("gzip-bomb-blobs", attacking(FILM_BLOB, "bomb"), 8, "got more"),
    Case("gone", attacking(".", "drop"), 3, "no connection"),
    Case("failing", attacking("/repository/", "status", 500), 1, "status 500"),
)


@dataclass(frozen=True)
class Ended:
    """How a process ended. `memory` is its highest resident size in bytes."""

    exit_code: int
    words: str
    memory: int
    seconds: float


def run_case(case: Case, folder: Path, *, seconds: float) -> Ended:
    """Let `case` happen to a device.

    Raises:
        AssertionError: the screen noticed, or the sync did not end as it must.
    """
    with Origin().serving() as origin:
        kiosk = _playing(folder, origin)
        setattr(origin, "before", origin.save())  # noqa: B010
        origin.publish(_second())
        if case.prepare is _older:
            _know_the_newest(kiosk)
        newest = origin.save()
        before, size = kiosk.snapshot(), _size(kiosk.data.root)
        case.prepare(origin)
        ended = sync_process(kiosk.data.root, seconds=seconds)
        told = f"{case.name}: exit {ended.exit_code}, {ended.words!r}"
        assert ended.exit_code == case.exit_code, told
        assert re.search(case.words, ended.words), told
        assert ended.words.count("\n") == 1, told
        assert "Traceback" not in ended.words, told
        assert before.items() <= kiosk.snapshot().items(), f"{case.name}: release 1 was touched"
        assert kiosk.release == 1, told
        # gzip's and python's own needs are in the bound: nothing that came is.
        assert ended.memory <= MOST_MEMORY, f"{case.name}: {ended.memory:,} bytes resident"
        grown = _size(kiosk.data.root) - size
        needed = sum(len(content.raw) for content in _second().values())
        assert grown <= needed + DISK_SLACK, f"{case.name}: {grown:,} bytes more on the disk"
        _make_good(origin, newest)
        assert sync_process(kiosk.data.root, seconds=seconds).exit_code == 0, told
        assert kiosk.release == 2, f"{case.name}: release 2 did not come afterwards"
        return ended


def many_files(count: int, folder: Path) -> Ended:
    """Sync a release of `count` small files.

    Raises:
        AssertionError: it does not come, or takes memory out of proportion.
    """
    with Origin().serving() as origin:
        kiosk = _playing(folder, origin)
        files = {"package.json": Content(b'{"format":1,"package":"harbour"}')}
        for number in range(count - 1):
            raw = f'{{"format":1,"number":{number}}}'.encode()
            files[f"lang/en/shard-{number}.json"] = Content(raw)
        manifest = origin.publish(files)
        assert len(manifest.files) == count
        ended = sync_process(kiosk.data.root, seconds=0)
        assert ended.exit_code == 0, ended.words
        assert kiosk.release == 2
        assert ended.memory <= MOST_MEMORY + 4000 * count, f"{ended.memory:,} bytes resident"
        assert len(origin.asked("/blobs/")) < count + 50, "files were asked for twice"
        return ended


def sync_process(data: Path, *, seconds: float) -> Ended:
    """Run `kiosk-client sync` to its end; with `seconds`, its patience is cut to about that."""
    command = [sys.executable, "-m", "kiosk_client.cli"]
    if seconds:
        # connect, gap, rate window, least rate, attempts, first and longest pause, redirects
        patience = (5.0, seconds, seconds, 1024, 2, 0.05, 0.2, 3)
        command = [
            sys.executable,
            "-c",
            "from kiosk_client import wire; "
            f"wire.Limits.__init__.__defaults__ = {patience!r}; "
            "from kiosk_client.cli import main; main(prog_name='kiosk-client')",
        ]
    began = time.monotonic()
    with (
        subprocess.Popen(
            [*command, "--data-dir", str(data), "sync"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        _highest_memory(process.pid) as memory,
    ):
        _, words = process.communicate(timeout=3600)
    return Ended(process.returncode, words, memory[0], time.monotonic() - began)


@contextmanager
def _highest_memory(pid: int) -> Iterator[list[int]]:
    """The highest resident size of a process so far, while the block runs."""
    found, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            try:
                text = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                return
            high = re.search(r"VmHWM:\s+(\d+) kB", text)
            found[0] = max(found[0], int(high[1]) * 1024 if high else 0)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _playing(folder: Path, origin: Origin) -> Kiosk:
    """A device that plays release 1."""
    from kiosk_client.config import open_data_dir

    kiosk = Kiosk(open_data_dir(folder, create=True), origin)
    kiosk.enrol()
    origin.publish(harbour(film=5000))
    kiosk.sync()
    return kiosk


def _second() -> dict[str, Content]:
    return {
        "package.json": Content(b'{"format":1,"package":"harbour"}'),
        "media/film/720.mp4": Content(noise(FILM, "second film"), "video/mp4"),
    }


def _know_the_newest(kiosk: Kiosk) -> None:
    """Let the device accept the newest metadata, and nothing else."""
    from kiosk_client.errors import KioskError

    kiosk.origin.attack("/blobs/|packages/", "status", argument=404)
    try:
        kiosk.sync()
    except KioskError:
        kiosk.origin.attacks.clear()
        return
    raise AssertionError("expected a release that does not come")


def _make_good(origin: Origin, newest: tuple[dict[str, bytes], int]) -> None:
    """What the operator of a real origin would do."""
    origin.attacks.clear()
    origin.restore(newest)
    origin.timestamp.version += 1
    origin.sign()
    origin.refresh(days=30)


def _size(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", help="all unless named")
    parser.add_argument("--files", type=int, default=100_000, metavar="N")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="N")
    options = parser.parse_args(arguments)
    wrong = 0
    for case in CASES:
        if options.cases and case.name not in options.cases:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                ended = run_case(case, Path(folder), seconds=options.seconds)
            except AssertionError as error:
                wrong += 1
                print(f"WRONG {error}")
                continue
        _tell(case.name, ended)
    if not options.cases or "many-files" in options.cases:
        with tempfile.TemporaryDirectory() as folder:
            _tell(f"{options.files:,} files", many_files(options.files, Path(folder)))
    return 1 if wrong else 0


def _tell(name: str, ended: Ended) -> None:
    said = json.dumps(ended.words.strip()[:90], ensure_ascii=False)
    print(
        f"{name:<22} exit {ended.exit_code}  {ended.seconds:6.1f} s  "
        f"{ended.memory / 1e6:5.0f} MB  {said}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
