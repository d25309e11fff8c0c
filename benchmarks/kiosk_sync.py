"""A device's syncs beside curl, from nginx as origin, with the standard set of files.

python -m benchmarks.kiosk_sync           2,000 files, 960 MB: two minutes and more
python -m benchmarks.kiosk_sync --small   200 files, 20 MB: seconds

The set is made from a seed: small JSON (2 KB), images (200 KB), films (50 MB). nginx serves it
with deploy/nginx.conf; what is asked of the content server itself, a thread here answers. Each
figure stands beside its reference, measured in turn in the same run:

  first sync      a new device's `kiosk-client sync`, beside `curl --parallel` with 8 connections,
                  then SHA-256 over the files, then `sync` of their file system
  unchanged       a sync inside a process that runs, beside one conditional `curl`
  cold            `kiosk-client sync` with nothing new, beside `python -c pass`
  one edit        a release in which one document changed: bytes and requests
  resume          `kiosk-client sync` killed at half of the bytes, then run to its end: bytes sent
  memory          `kiosk-client run` idle, and while it syncs the set: highest resident size

Exit code 1 only when something could not be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from kiosk_client.config import DataDir, open_data_dir
from kiosk_client.durable import write_json
from kiosk_client.enrol import enrol
from kiosk_client.sync import sync
from kiosk_client.wire import Wire
from package_format.layout import BLOCK_SIZE, blob_path, manifest_target
from package_format.manifest import Manifest, ManifestFile
from tests.kiosk.simulator import LANGUAGES, Origin

SEED = 1720
ROOT = Path(__file__).parents[1]
CONF = ROOT / "deploy" / "nginx.conf"
CLIENT = [sys.executable, "-m", "kiosk_client.cli"]


@dataclass(frozen=True)
class Size:
    """How many files of each kind, and how large a film is."""

    documents: int
    images: int
    films: int
    film_bytes: int


FULL = Size(documents=188, images=1800, films=12, film_bytes=50_000_000)
SMALL = Size(documents=152, images=46, films=2, film_bytes=5_500_000)


@dataclass
class Figures:
    """Seconds of ours and of the reference, measured in turn."""

    name: str
    reference: str
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Median (lowest to highest) of both, and the ratio of the medians."""
        ratio = statistics.median(self.ours) / statistics.median(self.theirs)
        return (
            f"{self.name:<12} {_spread(self.ours):<28} {self.reference:<22} "
            f"{_spread(self.theirs):<28} ratio {ratio:.2f}"
        )


class Bench:
    """A repository on disk, nginx before it, and the content server's answers behind it."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder = folder
        self.size = size
        self.repository = folder / "repository"
        self.origin = Origin()
        self.url = ""
        self.entries: list[ManifestFile] = []

    @property
    def total(self) -> int:
        """Bytes of the whole set."""
        return sum(entry.size for entry in self.entries)

    def make(self) -> None:
        """Write the set and publish it."""
        chance = random.Random(SEED)  # noqa: S311  # must be the same each time
        for number in range(self.size.documents):
            self._add(f"lang/en/shard-{number}.json", _document(chance), "application/json")
        for number in range(self.size.images):
            size = chance.randrange(150_000, 250_000)
            self._add(f"media/p{number}/1920.webp", chance.randbytes(size), "image/webp")
        for number in range(self.size.films):
            raw = chance.randbytes(self.size.film_bytes)
            self._add(f"media/f{number}/1080.mp4", raw, "video/mp4")
        self.publish(1)

    def publish(self, release: int, *, edited: bytes | None = None) -> None:
        """Sign the set as release number `release`; `edited` replaces the first document."""
        if edited is not None:
            self.entries = [e for e in self.entries if e.path != "lang/en/shard-0.json"]
            self._add("lang/en/shard-0.json", edited, "application/json")
        manifest = Manifest(
            package="harbour",
            channel="live",
            release=release,
            published_at=self.origin.published_at,
            default_language="fr",
            languages=LANGUAGES,
            profiles=("tablet", "wall"),
            files=tuple(sorted(self.entries, key=lambda entry: entry.path)),
            extra={},
        )
        self.origin.publish_manifest(manifest_target("harbour", "live"), manifest.to_bytes())
        for path, raw in self.origin.files.items():
            self._write(path, raw)

    def _add(self, path: str, raw: bytes, kind: str) -> None:
        blocks = tuple(
            hashlib.sha256(raw[at : at + BLOCK_SIZE]).hexdigest()
            for at in (range(0, len(raw), BLOCK_SIZE) if len(raw) > BLOCK_SIZE else ())
        )
        sha256 = hashlib.sha256(raw).hexdigest()
        self.entries.append(ManifestFile(path, sha256, len(raw), kind, blocks=blocks))
        self._write(blob_path(sha256), raw, zipped=kind == "application/json")

    def _write(self, path: str, raw: bytes, *, zipped: bool = False) -> None:
        place = self.repository / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)
        if zipped or path.startswith("targets/"):
            place.with_name(f"{place.name}.gz").write_bytes(gzip.compress(raw, mtime=0))

    @property
    def log(self) -> Path:
        """One line a request: bytes received, bytes sent, address."""
        return self.folder / "access.log"

    def asked(self) -> list[tuple[int, int, str]]:
        """Bytes received and sent and the address of each request since `forget`."""
        time.sleep(0.2)
        lines = self.log.read_text().splitlines()
        found = [line.split(" ", 2) for line in lines[self._before :]]
        return [(int(received), int(sent), address) for received, sent, address in found]

    _before = 0

    def forget(self) -> None:
        """Count requests anew."""
        time.sleep(0.2)
        self._before = len(self.log.read_text().splitlines())

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """nginx on a free port, with the thread that answers for the content server behind it.

        Raises:
            ClickException: nginx is not there or does not start.
        """
        command = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if not command:
            raise click.ClickException("expected nginx, got none: install it")
        for folder in (self.folder, self.repository):
            folder.chmod(0o755)
        with self.origin.serving():
            port = _free_port()
            self.url = f"http://127.0.0.1:{port}/"
            conf = self.folder / "nginx.conf"
            conf.write_text(
                CONF.read_text("utf-8")
                .replace("/data/repository", str(self.repository))
                .replace("/tmp/nginx", f"{self.folder}/run-nginx")  # noqa: S108
                .replace("listen 8080", f"listen 127.0.0.1:{port}")
                .replace("server:8000", self.origin.url.removeprefix("http://").rstrip("/"))
                .replace(
                    "access_log off;",
                    "log_format counted '$request_length $bytes_sent $request_uri';\n"
                    f"access_log {self.log} counted;\nkeepalive_requests 100000;",
                )
            )
            process = subprocess.Popen(
                [command, "-p", str(self.folder), "-c", str(conf), "-g", "daemon off;"],
                stderr=(self.folder / "nginx.err").open("wb"),
            )
            try:
                _wait(lambda: _listens(port), 20, "nginx to listen")
                yield
            finally:
                process.terminate()
                process.wait(timeout=20)

    def device(self) -> DataDir:
        """A newly enrolled device."""
        data = open_data_dir(Path(tempfile.mkdtemp(dir=self.folder, prefix="kiosk-")), create=True)
        self.origin.codes.add("7GK2MP4XQ9TR")
        wire = Wire()
        enrol(data, wire, self.url, "7GK2-MP4X-Q9TR")
        wire.close()
        return data

    def curl_list(self) -> Path:
        """A file that tells curl to fetch every blob."""
        folder = self.folder / "curl"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        lines = [
            f'url = "{self.url}repository/{blob_path(entry.sha256)}"\n'
            f'output = "{folder / entry.sha256}"\n'
            for entry in self.entries
        ]
        listed = self.folder / "curl.list"
        listed.write_text("".join(lines))
        return listed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="200 files, 20 MB")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--only", default="", metavar="NAMES", help="some of the figures, by name")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lampisterie-bench-") as folder:
        # As installed: with compiled modules, also where a checkout may not write them.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/compiled"
        bench = Bench(Path(folder), SMALL if options.small else FULL)
        bench.make()
        click.echo(f"{len(bench.entries):,} files, {bench.total / 1e6:,.0f} MB", err=True)
        with bench.serving():
            only = options.only.split(",") if options.only else list(MEASURES)
            for name in MEASURES:
                if name in only:
                    for line in MEASURES[name](bench, options.rounds):
                        click.echo(line)
    return 0


def first_sync(bench: Bench, rounds: int) -> list[str]:
    """Everything, into an empty device and into an empty folder, in turn."""
    figures = Figures("first sync", "curl, hashlib, sync")
    bare = Figures("", "curl, hashlib")
    cpu, cpu_theirs = [], []
    for _ in range(rounds):
        listed = bench.curl_list()
        _settle(bench)
        before = os.times()
        began = time.perf_counter()
        _run(["curl", "--silent", "--fail", "--parallel", "--parallel-max", "8", "-K", str(listed)])
        for entry in bench.entries:
            with (bench.folder / "curl" / entry.sha256).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                    raise click.ClickException("expected curl to fetch what was published")
        bare.theirs.append(time.perf_counter() - began)
        _run(["sync", "-f", str(bench.folder)])
        figures.theirs.append(time.perf_counter() - began)
        cpu_theirs.append(_cpu(before))
        shutil.rmtree(bench.folder / "curl")
        data = bench.device()
        _settle(bench)
        before = os.times()
        began = time.perf_counter()
        _run([*CLIENT, "--data-dir", str(data.root), "sync"])
        figures.ours.append(time.perf_counter() - began)
        cpu.append(_cpu(before))
        shutil.rmtree(data.root)
    bare.ours = figures.ours
    return [
        figures.line(),
        bare.line(),
        f"{'':<12} processor {_spread(cpu)} beside {_spread(cpu_theirs)}",
    ]


def unchanged(bench: Bench, rounds: int) -> list[str]:
    """A sync with nothing new in a process that has synced before."""
    figures = Figures("unchanged", "one conditional curl")
    data = bench.device()
    # A tag of a file that changed within two seconds is not believed.
    time.sleep(2)
    _sync(data)
    target = f"{bench.url}repository/metadata/timestamp.json"
    etag = re.search(r'(?i)etag: (".*?")', _text(["curl", "--silent", "--head", target]))
    if etag is None:
        raise click.ClickException("expected an ETag from nginx, got none")
    condition = f"If-None-Match: {etag[1]}"
    for _ in range(max(rounds, 5) * 4):
        began = time.perf_counter()
        _run(["curl", "--silent", "--header", condition, target])
        figures.theirs.append(time.perf_counter() - began)
        bench.forget() if not figures.ours else None
        began = time.perf_counter()
        _sync(data, confirmed=1)
        figures.ours.append(time.perf_counter() - began)
        if len(figures.ours) == 1:
            asked = [hit for hit in bench.asked() if "curl" not in hit[2]]
    shutil.rmtree(data.root)
    both = sum(received + sent for received, sent, _ in asked)
    return [figures.line(), f"{'':<12} {len(asked)} requests, {both} bytes both ways"]


def cold(bench: Bench, rounds: int) -> list[str]:
    """The command with nothing new, beside an empty Python."""
    figures = Figures("cold", "python -c pass")
    data = bench.device()
    _sync(data)
    spent: list[float] = []
    for _ in range(2):
        _run([*CLIENT, "--data-dir", str(data.root), "sync"])
    for _ in range(max(rounds, 5) * 2):
        began = time.perf_counter()
        _run([sys.executable, "-c", "pass"])
        figures.theirs.append(time.perf_counter() - began)
        before, began = os.times(), time.perf_counter()
        _run([*CLIENT, "--data-dir", str(data.root), "sync"])
        figures.ours.append(time.perf_counter() - began)
        spent.append(_cpu(before))
    shutil.rmtree(data.root)
    over = statistics.median(figures.ours) - statistics.median(figures.theirs)
    return [figures.line(), f"{'':<12} {over:.2f} s over it; processor {_spread(spent)}"]


def one_edit(bench: Bench, rounds: int) -> list[str]:
    """A release in which one document of 2 KB changed."""
    data = bench.device()
    _sync(data)
    bench.publish(2, edited=_document(random.Random(7)))  # noqa: S311
    bench.forget()
    began = time.perf_counter()
    _sync(data)
    seconds = time.perf_counter() - began
    asked = bench.asked()
    sent = sum(hit[1] for hit in asked)
    manifest = sum(hit[1] for hit in asked if "/targets/packages/" in hit[2])
    shutil.rmtree(data.root)
    return [
        f"{'one edit':<12} {seconds:.2f} s, {len(asked)} requests, {sent:,} bytes, "
        f"{manifest:,} of them the manifest of {len(bench.entries):,} files"
    ]


def resume(bench: Bench, rounds: int) -> list[str]:
    """Killed when half of the bytes had come, then run to its end."""
    data = bench.device()
    # Slow enough to be cut in the middle: five seconds for the whole.
    write_json(data.root / "settings.json", {"download_cap_kbps": bench.total // 625})
    bench.forget()
    process = subprocess.Popen(
        [*CLIENT, "--data-dir", str(data.root), "sync"], stdout=subprocess.DEVNULL
    )
    with contextlib.suppress(click.ClickException):
        _wait(lambda: _received(data) >= bench.total / 2 or process.poll() is not None, 300, "half")
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.returncode != -signal.SIGKILL:
        raise click.ClickException("expected a sync to cut, got one that had ended")
    held = _received(data)
    time.sleep(1)
    bench.forget()
    _sync(data)
    sent = sum(hit[1] for hit in bench.asked() if "/blobs/" in hit[2])
    shutil.rmtree(data.root)
    missing = bench.total - held
    return [
        f"{'resume':<12} cut at {held / bench.total:.0%}: {sent / 1e6:,.1f} MB sent for "
        f"{missing / 1e6:,.1f} MB missing, ratio {sent / missing:.3f}"
    ]


def memory(bench: Bench, rounds: int) -> list[str]:
    """The agent's resident size, before it has anything and while it takes the set."""
    data = bench.device()
    assigned, bench.origin.assignment = bench.origin.assignment, None
    process = subprocess.Popen(
        [*CLIENT, "--data-dir", str(data.root), "run", "--port", "0", "--poll", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(6)
        idle, _ = _resident(process.pid)
        bench.origin.assignment = {**(assigned or {}), "version": 2}
        highest = 0
        while not data.active.exists():
            if process.poll() is not None:
                raise click.ClickException("expected the agent to run, got its end")
            highest = max(highest, _resident(process.pid)[0])
            time.sleep(0.02)
        time.sleep(3)
        after, peak = _resident(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)
        bench.origin.assignment = assigned
    shutil.rmtree(data.root)
    return [
        f"{'memory':<12} idle {idle / 1e6:.0f} MB, syncing {max(highest, peak) / 1e6:.0f} MB, "
        f"afterwards {after / 1e6:.0f} MB resident"
    ]


MEASURES: dict[str, Callable[[Bench, int], list[str]]] = {
    "first": first_sync,
    "unchanged": unchanged,
    "cold": cold,
    "edit": one_edit,
    "resume": resume,
    "memory": memory,
}


def _document(chance: random.Random) -> bytes:
    words = ["mine", "charbon", "fosse", "terril", "coron", "galerie", "lampe", "mineur", "puits"]
    text = " ".join(chance.choices(words, k=330))
    return f'{{"format":1,"text":"{text}"}}'.encode()


def _sync(data: DataDir, *, confirmed: int | None = None) -> None:
    """A sync in this process, as `kiosk-client run` does it at every poll."""
    wire = Wire()
    try:
        sync(data, wire, reserve=0, trigger="poll", confirmed=confirmed)
    finally:
        wire.close()


def _received(data: DataDir) -> int:
    """Bytes of blobs on the device, whole or in part."""
    total = 0
    for path in (*data.root.glob("blobs/*/*"), *data.root.glob("parts/*.part")):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _run(command: list[str]) -> None:
    """Run to its end.

    Raises:
        ClickException: it failed.
    """
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, check=False
    )
    if done.returncode:
        raise click.ClickException(f"expected {command[0]} to succeed, got: {done.stderr.decode()}")


def _text(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _cpu(before: os.times_result) -> float:
    """Seconds on the processor since, here and in the processes that were waited for."""
    now = os.times()
    return sum(now[:4]) - sum(before[:4])


def _settle(bench: Bench) -> None:
    """Write out what is pending, so that no run pays for the one before it."""
    _run(["sync", "-f", str(bench.folder)])


def _resident(pid: int) -> tuple[int, int]:
    text = Path(f"/proc/{pid}/status").read_text()
    sizes = [re.search(rf"{name}:\s+(\d+) kB", text) for name in ("VmRSS", "VmHWM")]
    now, peak = (int(found[1]) * 1024 if found else 0 for found in sizes)
    return now, peak


def _spread(seconds: Sequence[float]) -> str:
    unit, factor = ("s", 1.0) if statistics.median(seconds) >= 0.5 else ("ms", 1000.0)
    median, low, high = (
        value * factor for value in (statistics.median(seconds), min(seconds), max(seconds))
    )
    digits = 2 if unit == "s" else 0
    return f"{median:.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f})"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _wait(done: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise click.ClickException(f"expected {what}, got nothing in {seconds:.0f} s")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
