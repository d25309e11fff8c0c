"""Use a screen for hours: visitors who touch everything, resets, releases; nothing may grow.

    python -m tests.torture.soak [--hours H | --minutes M] [--speed N] [--seed N]

A device runs as at a venue (`kiosk-client run`, polling a content server), and a
monkey with a finger visits it in Chromium, touches whatever it meets, and walks
away, so that the player asks, and starts again by itself. Three releases are
published meanwhile and must be on the screen in the end. In the page time goes
`--speed` times as fast (20 unless told), so that an hour of use takes three
minutes; `--hours` counts the page's time.

After each visit the page's heap is measured with its garbage collected, and the
memory of all the browser's processes and of the device's own (what they hold
themselves, shared memory counted once, pages of files left out). The heap must
stay within a tenth, and the line of least squares through the memory must not rise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from kiosk_client.shell.chromium import FLAGS

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
RELEASES = 3
WARM_UP = 0.25
"""Share of the run in which caches may fill."""
HEAP_GROWTH = 1.10
MEMORY_GROWTH = 0.08
"""What the line may rise over the measured part, as a share of the memory, and at least
`SLACK` bytes: the collector's own rhythm is no leak."""
SLACK = 12_000_000

# Time in the page goes faster, and everything of it alike.
FASTER = """(() => {
  const speed = SPEED
  const { Date: RealDate, performance, setTimeout: later, setInterval: every } = globalThis
  const begin = RealDate.now(), clock = performance.now.bind(performance), from = clock()
  performance.now = () => from + (clock() - from) * speed
  RealDate.now = () => begin + (clock() - from) * speed
  globalThis.setTimeout = (act, ms = 0, ...rest) => later(act, ms / speed, ...rest)
  globalThis.setInterval = (act, ms = 0, ...rest) => every(act, ms / speed, ...rest)
})()"""
ATTRACT = "body:not(:has(dialog[open])) .page--attract .tongues__button"


@dataclass(frozen=True, slots=True)
class Sample:
    """Bytes at `at` seconds of the run: the page's heap, all of the browser, the device."""

    at: float
    heap: int
    browser: int
    device: int


@dataclass
class Soak:
    """What the run saw."""

    samples: list[Sample] = field(default_factory=list)
    visits: int = 0
    touches: int = 0
    resets: int = 0
    forced: int = 0
    releases: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The rise of the line of least squares through `points`, per unit of their first value."""
    if len(points) < 2:
        return 0.0
    found = statistics.linear_regression([x for x, _ in points], [y for _, y in points])
    return found.slope


def growth(samples: Sequence[Sample], of: Callable[[Sample], int]) -> tuple[float, float]:
    """Bytes that the line rises over the measured part, and the mean there."""
    measured = _measured(samples)
    points = [(sample.at, float(of(sample))) for sample in measured]
    span = points[-1][0] - points[0][0] if points else 0.0
    return slope(points) * span, statistics.fmean(y for _, y in points)


def heap_ratio(samples: Sequence[Sample]) -> float:
    """The heap in the last quarter of the measured part to that in its first quarter (medians)."""
    measured = _measured(samples)
    quarter = max(1, len(measured) // 4)
    first = statistics.median(sample.heap for sample in measured[:quarter])
    last = statistics.median(sample.heap for sample in measured[-quarter:])
    return last / first


def _measured(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[int(len(samples) * WARM_UP) :]


def judge(
    soak: Soak,
    *,
    heap_allowed: float = HEAP_GROWTH,
    growth_allowed: float = MEMORY_GROWTH,
    slack: int = SLACK,
) -> list[str]:
    """What is wrong with a run, in words; nothing when it is well."""
    wrong = [f"a fault on the page: {fault}" for fault in sorted(set(soak.faults))]
    if set(range(1, RELEASES + 2)) - set(soak.releases):
        wrong.append(f"expected releases 1 to {RELEASES + 1} on the screen, got {soak.releases}")
    if not soak.resets:
        wrong.append("expected the player to start again by itself, got no reset")
    ratio = heap_ratio(soak.samples)
    if ratio > heap_allowed:
        wrong.append(f"the page's heap grew to {ratio:.2f} times what it was")
    parts: tuple[tuple[str, Callable[[Sample], int]], ...] = (
        ("browser", lambda sample: sample.browser),
        ("device", lambda sample: sample.device),
    )
    for name, of in parts:
        rise, mean = growth(soak.samples, of)
        if rise > max(growth_allowed * mean, slack):
            wrong.append(f"the {name}'s memory rises: {rise / 1e6:.1f} MB on {mean / 1e6:.0f} MB")
    return wrong


def run(
    folder: Path,
    seconds: float,
    *,
    speed: float = 20.0,
    seed: int = 0,
    touches: tuple[int, int] = (4, 16),
    say: Callable[[str], None] = lambda words: None,
) -> Soak:
    """Soak for `seconds` of real time, at `speed` times in the page.

    `touches`: least and most in a visit.
    """
    from tests.kiosk.simulator import Origin

    chance = random.Random(seed)
    with (
        Origin().serving() as origin,
        _device(folder, origin) as (url, pid),
        _browser(folder, speed) as context,
    ):
        return _soak(context, url, pid, origin, folder, seconds, chance, touches, say)


@contextmanager
def _device(folder: Path, origin: Any) -> Iterator[tuple[str, int]]:
    """A device that runs in a process of its own: its address and process."""
    from kiosk_client.config import open_data_dir
    from kiosk_client.enrol import enrol
    from kiosk_client.sync import sync
    from kiosk_client.wire import Wire

    data = open_data_dir(folder / "device", create=True)
    _publish(origin, folder, 1)
    wire = Wire()
    try:
        enrol(data, wire, origin.url, "7GK2-MP4X-Q9TR")
        sync(data, wire, reserve=0)
    finally:
        wire.close()
    log = folder / "device.log"
    command = [sys.executable, "-m", "kiosk_client.cli", "--data-dir", str(data.root)]
    with (
        log.open("wb") as told,
        subprocess.Popen(
            [*command, "run", "--port", "0", "--poll", "2"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        ) as child,
    ):
        try:
            assert child.stdout is not None
            found = re.search(r"http://\S+", child.stdout.readline())
            assert found, log.read_text()[-3000:]
            yield found[0], child.pid
            assert child.poll() is None, log.read_text()[-3000:]
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(30)


def _publish(origin: Any, folder: Path, number: int) -> None:
    from tests.kiosk.playable import MANIFEST_LANGUAGES, playable

    written = playable(folder / f"release-{number}", lambda words: f"{words} {number}")
    origin.publish(written, languages=MANIFEST_LANGUAGES)


@contextmanager
def _browser(folder: Path, speed: float) -> Iterator[BrowserContext]:
    """A browser as the shell starts it, with a touch screen and a faster clock in the page."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=CHROMIUM,
            args=[*FLAGS, "--no-sandbox", "--disable-gpu"],
            viewport={"width": 1280, "height": 800},
            has_touch=True,
        )
        context.add_init_script(FASTER.replace("SPEED", repr(speed)))
        try:
            yield context
        finally:
            context.close()


def _soak(
    context: BrowserContext,
    url: str,
    pid: int,
    origin: Any,
    folder: Path,
    seconds: float,
    chance: random.Random,
    touches: tuple[int, int],
    say: Callable[[str], None],
) -> Soak:
    soak = Soak()
    page = context.pages[0] if context.pages else context.new_page()
    page.on("pageerror", lambda error: soak.faults.append(f"error {error}"))
    page.on(
        "console",
        lambda message: (
            soak.faults.append(f"console {message.text} {message.location.get('url', '')}")
            if message.type == "error"
            else None
        ),
    )
    cdp = context.new_cdp_session(page)
    page.goto(url)
    page.wait_for_selector(ATTRACT)
    began = time.monotonic()
    published = 1
    while (passed := time.monotonic() - began) < seconds or RELEASES + 1 not in soak.releases:
        assert passed < seconds + 120, f"the last release never came: {soak.releases}"
        due = 1 + min(RELEASES, int(passed / seconds * (RELEASES + 1)))
        # One after the other, each of them seen.
        if due > published and published in soak.releases:
            published += 1
            _publish(origin, folder, published)
        _visit(page, soak, chance, touches)
        _walk_away(page, soak, url)
        shown = _shown(url)
        if shown not in soak.releases:
            soak.releases.append(shown)
        soak.samples.append(_measure(cdp, time.monotonic() - began, pid, folder))
        if soak.visits % 10 == 1:
            last = soak.samples[-1]
            say(
                f"{last.at:6.0f} s  visit {soak.visits:4d}  release {shown}  "
                f"heap {last.heap / 1e6:6.2f} MB  browser {last.browser / 1e6:6.1f} MB  "
                f"device {last.device / 1e6:5.1f} MB"
            )
    return soak


def _visit(page: Page, soak: Soak, chance: random.Random, touches: tuple[int, int]) -> None:
    """Begin a visit and touch here and there, links and buttons more often than walls."""
    soak.visits += 1
    starts = page.locator(".tongues__button--start")
    try:
        starts.nth(chance.randrange(max(1, starts.count()))).tap(timeout=5000)
    except PlaywrightError:
        # The first screen loads anew just now, with the next release.
        page.wait_for_selector(ATTRACT)
        starts.first.tap()
    for _ in range(chance.randint(*touches)):
        soak.touches += 1
        target = page.evaluate(
            """chance => {
              const seen = [...document.querySelectorAll('main a[href], button, summary, input')]
                .map(e => e.getBoundingClientRect())
                .filter(b => b.width && b.bottom > 0 && b.top < innerHeight && b.right > 0)
              const box = seen[Math.floor(chance * seen.length)]
              return box && [box.left + box.width / 2, Math.max(1, box.top + box.height / 2)]
            }""",
            chance.random(),
        )
        what = chance.random()
        if target and what < 0.7:
            page.touchscreen.tap(min(1279, max(0, target[0])), min(799, target[1]))
        elif what < 0.85:
            page.touchscreen.tap(chance.uniform(0, 1279), chance.uniform(0, 799))
        elif what < 0.95:
            page.mouse.wheel(0, chance.choice((-600, 400, 900)))
        else:
            page.keyboard.press(chance.choice(("Tab", "Enter", "Escape", "ArrowRight")))
        page.wait_for_timeout(chance.uniform(20, 120))


def _walk_away(page: Page, soak: Soak, url: str) -> None:
    """Leave the screen alone until the player starts again by itself."""
    try:
        page.wait_for_selector(ATTRACT, timeout=25_000)
        soak.resets += 1
    except PlaywrightError:
        # A long film keeps its page; no visit may wait for its end here.
        soak.forced += 1
        page.goto("about:blank")
        page.goto(url)
        page.wait_for_selector(ATTRACT)


def _shown(url: str) -> int:
    with urllib.request.urlopen(f"{url}release.json") as answer:
        release: int = json.loads(answer.read())["release"]
        return release


def _measure(cdp: CDPSession, at: float, pid: int, folder: Path) -> Sample:
    # Caches are no leak: what the browser would give up when memory runs short, it gives up here.
    cdp.send("Memory.simulatePressureNotification", {"level": "critical"})
    cdp.send("HeapProfiler.collectGarbage")
    cdp.send("HeapProfiler.collectGarbage")
    heap = int(cdp.send("Runtime.getHeapUsage")["usedSize"])
    profile = str(folder / "profile")
    browser = sum(_memory(each) for each in _processes(profile))
    return Sample(at, heap, browser, _memory(pid))


def _processes(profile: str) -> Iterator[int]:
    """The processes of the browser that uses `profile`, and their children."""
    children: dict[int, list[int]] = {}
    roots = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            status = Path(f"/proc/{entry}/stat").read_text()
            line = Path(f"/proc/{entry}/cmdline").read_bytes()
        except OSError:
            continue
        parent = int(status.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry))
        if f"--user-data-dir={profile}".encode() in line:
            roots.append(int(entry))
    found: set[int] = set()
    waiting = roots
    while waiting:
        process = waiting.pop()
        if process not in found:
            found.add(process)
            waiting.extend(children.get(process, ()))
    yield from found


def _memory(pid: int) -> int:
    """What a process takes by itself, in bytes; 0 when it has gone.

    Pages of files are left out: how much of a program counts for one process
    depends on who else runs the same program on this machine.
    """
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB", rollup, re.MULTILINE)
    return sum(int(size) for size in found) * 1024


def main() -> None:
    """Parse, run, say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--hours", type=float, help="Hours of use, in the page's time (12).")
    length.add_argument("--minutes", type=float, help="Minutes this may take, in real time.")
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    hours = 12.0 if chosen.hours is None else chosen.hours
    seconds = chosen.minutes * 60 if chosen.minutes else hours * 3600 / chosen.speed
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soak = run(
            Path(folder),
            seconds,
            speed=chosen.speed,
            seed=chosen.seed,
            say=lambda words: print(words, flush=True),
        )
    used = seconds / 3600 * chosen.speed
    print(
        f"{soak.visits} visits, {soak.touches} touches, {soak.resets} resets, "
        f"{soak.forced} forced; {used:.1f} hours of use; releases {soak.releases}"
    )
    parts: tuple[tuple[str, Callable[[Sample], int]], ...] = (
        ("browser", lambda sample: sample.browser),
        ("device", lambda sample: sample.device),
    )
    for name, of in parts:
        rise, mean = growth(soak.samples, of)
        print(f"{name}: {mean / 1e6:.1f} MB, the line rises {rise / 1e6:+.2f} MB over the run")
    print(f"heap after a reset: {heap_ratio(soak.samples):.3f} times what it was")
    wrong = judge(soak)
    for words in wrong:
        print(f"WRONG: {words}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
