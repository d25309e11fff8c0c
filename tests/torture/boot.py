"""Start a device as after a power cut, with everything against it; it must show its content.

    python -m tests.torture.boot [ROUNDS]

A device that holds a release starts in a process of its own, with no network at
all (a network namespace where the system allows one, else a server that is gone),
with a disk that takes no writes, and with a clock that says 1970, 2099 or the
truth. From the first instruction to the player's picture in Chromium it may take
ten seconds. The browser keeps the machine's clock: only the device's is changed.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
ALLOWED_SECONDS = 10.0
PATIENCE = 90.0
CLOCKS = ("1970-01-02", "2099-06-01", "")
SEEN = """(() => {
  const title = document.querySelector('.page--attract .attract__title')
  const starts = document.querySelectorAll('.tongues__button').length
  const slides = document.querySelectorAll('.attract__slide').length
  return title && starts && slides ? title.textContent : ''
})()"""


@dataclass(frozen=True, slots=True)
class Against:
    """What is against a start. `clock` is a day, empty for the true time."""

    clock: str
    network: bool = False
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """How a start went: seconds to the picture, the title on it, bytes of a photograph of it."""

    seconds: float
    title: str
    picture: int
    code: int
    writable: bool


def make_device(folder: Path) -> Path:
    """A device that holds one playable release, and whose server is gone."""
    from kiosk_client.config import open_data_dir
    from kiosk_client.enrol import enrol
    from kiosk_client.sync import sync
    from kiosk_client.wire import Wire
    from tests.kiosk.playable import MANIFEST_LANGUAGES, playable
    from tests.kiosk.simulator import Origin

    data = open_data_dir(folder / "device", create=True)
    with Origin().serving() as origin:
        origin.publish(playable(folder / "release"), languages=MANIFEST_LANGUAGES)
        wire = Wire()
        try:
            enrol(data, wire, origin.url, "7GK2-MP4X-Q9TR")
            sync(data, wire, reserve=0)
        finally:
            wire.close()
    return data.root


def can_isolate() -> bool:
    """Whether a process may be given a network and mounts of its own here."""
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("unshare", "ip", "mount")):
        return False
    return subprocess.run(["unshare", "-n", "-m", "true"], check=False).returncode == 0


def start(device: Path, against: Against) -> Started:
    """Start the device once; ends it again.

    Raises:
        AssertionError: it showed nothing, or did not end in good order.
    """
    command = [sys.executable, "-m", "tests.torture.boot", "--child", str(device)]
    isolated = can_isolate()
    if isolated and not (against.network and against.writable):
        steps = ["ip link set lo up"]
        if not against.writable:
            steps.append('mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"')
        share = ["unshare", "-m"] + ([] if against.network else ["-n"])
        command = [*share, "sh", "-c", f'{" && ".join(steps)} && exec "$@"', str(device), *command]
    elif not against.writable:
        _set_writable(device, writable=False)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "KIOSK_TEST_HEADLESS": "1",
        "TORTURE_CLOCK": against.clock,
        # One clock for all processes of a machine, and none that is changed here.
        "TORTURE_BEGAN": repr(time.monotonic()),
    }
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE + 30,
            check=False,
        )
    finally:
        _set_writable(device, writable=True)
    last = done.stdout.strip().rpartition("\n")[2]
    assert last.startswith("{"), f"nothing was shown: {done.stdout[-500:]} {done.stderr[-3000:]}"
    found = json.loads(last)
    assert found["title"], f"the player did not show: {found} {done.stderr[-3000:]}"
    assert found["writable"] is against.writable, "the disk was not as it should be"
    return Started(**found, code=done.returncode)


def _set_writable(device: Path, *, writable: bool) -> None:
    for path in (device, *device.rglob("*")):
        if not path.is_symlink():
            with contextlib.suppress(OSError):
                mode = path.stat().st_mode
                path.chmod(mode | 0o200 if writable else mode & ~0o222)


def run(folder: Path, rounds: int, *, say: Any = lambda words: None) -> list[Started]:
    """Start `rounds` times, each against something else."""
    device = make_device(folder)
    everything = itertools.cycle(
        Against(clock, network, writable)
        for network, writable in ((False, False), (False, True), (True, False))
        for clock in CLOCKS
    )
    found = []
    for against in itertools.islice(everything, rounds):
        started = start(device, against)
        say(f"{against}: {started}")
        found.append(started)
    return found


def _set_clock(day: str) -> None:
    """Make everything imported after this believe that it is `day` now."""
    real = datetime.datetime
    begin = real.fromisoformat(f"{day}T08:00:00+00:00")
    shift = begin - real.now(datetime.UTC)
    true_time = time.time

    class Shifted(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return real.now(tz) + shift

    datetime.datetime = Shifted  # type: ignore[misc]
    time.time = lambda: true_time() + shift.total_seconds()


def _child(device: Path) -> None:
    """`kiosk-client run`, and a look at what its browser shows; prints it and ends itself."""
    clock = os.environ["TORTURE_CLOCK"]
    if clock:
        _set_clock(clock)
    began = float(os.environ["TORTURE_BEGAN"])

    from kiosk_client.cli import main
    from kiosk_client.errors import KioskError
    from kiosk_client.shell import Shell

    begin = Shell.start

    def watch(shell: Shell) -> None:
        title, picture = "", 0
        while not title and time.monotonic() - began < PATIENCE:
            browser = shell._browser
            try:
                if browser is not None:
                    answer = browser.call("Runtime.evaluate", {"expression": SEEN}, seconds=5.0)
                    title = answer["result"].get("value", "")
            except KioskError:
                pass
            time.sleep(0.05)
        seconds = round(time.monotonic() - began, 2)
        with contextlib.suppress(KioskError):
            picture = len(shell.screenshot())
        found = {"seconds": seconds, "title": title, "picture": picture}
        print(json.dumps({**found, "writable": _takes_writes(device)}), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    def start_watched(shell: Shell, address: str) -> None:
        begin(shell, address)
        threading.Thread(target=watch, args=(shell,), daemon=True).start()

    setattr(Shell, "start", start_watched)  # noqa: B010  (a method, replaced for this process)
    main(["--data-dir", str(device), "run", "--port", "0", "--browser", CHROMIUM])


def _takes_writes(folder: Path) -> bool:
    try:
        (folder / "probe").write_bytes(b"")
        (folder / "probe").unlink()
    except OSError:
        return False
    return True


def main() -> None:
    """Parse, run, say."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("rounds", nargs="?", type=int, default=9)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child is not None:
        _child(chosen.child)
        return
    with tempfile.TemporaryDirectory(prefix="boot-") as folder:
        found = run(Path(folder), chosen.rounds, say=lambda words: print(words, flush=True))
    slow = [started for started in found if started.seconds > ALLOWED_SECONDS]
    most = max(started.seconds for started in found)
    print(f"{len(found)} starts, the slowest after {most} s, {len(slow)} after too long")
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
