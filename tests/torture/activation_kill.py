"""Kill a device at random points of staging, activating, confirming and giving back.

    python -m tests.torture.activation_kill [ROUNDS] [SEED]

After each `kill -9` the slots must read exactly as the last step that ended had
left them, or as the step under way was about to leave them, and there must be a
set to play. A child does a fixed row of steps and says after
each that it has ended; the same row done undisturbed says what is expected.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from kiosk_client.activation import (
    ActiveSet,
    Slot,
    activate,
    activate_next,
    confirm,
    give_back,
    keep_slots,
    main_slot,
    note_start,
    read_slots,
    stage,
    withdraw,
)
from kiosk_client.config import DataDir, open_data_dir

BEGAN = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
STEPS = 40
LONGEST_SECONDS = 0.04
PACKAGES = ("harbour", "noir")

Step = Callable[[DataDir], object]


def offered(package: str, release: int, now: datetime) -> ActiveSet:
    """A release of `package`."""
    return ActiveSet(
        manifest=f"{release:04x}" * 16,
        package=package,
        channel="live",
        release=release,
        profile="tablet",
        languages=("en", "ja"),
        timezone="Asia/Tokyo",
        anchor="a" * 16,
        activated_at=now,
    )


def row_of_steps(seed: int) -> list[Step]:
    """A row of steps as a device might do them, the same for the same seed."""
    chance = random.Random(seed)
    steps: list[Step] = [partial(activate, offered=offered("harbour", 1, BEGAN))]
    for number in range(2, STEPS + 1):
        now = BEGAN + timedelta(minutes=number)
        package = chance.choice(PACKAGES)
        key = f"{package}/live"
        coming = offered(package, number, now)
        main = package == "harbour" or chance.random() < 0.3
        choices: list[Step] = [
            *[partial(stage, key=key, offered=coming, main=main)] * 2,
            *[partial(activate_next, key=key, now=now)] * 2,
            *[partial(give_back, key=key, reason="page-errors", now=now)] * 2,
            partial(confirm, key=key),
            partial(note_start, key=key),
            partial(withdraw, key=key),
            partial(keep_slots, wanted=[key]),
        ]
        steps.append(chance.choice(choices))
    return steps


def undisturbed(seed: int, folder: Path) -> list[dict[str, Slot]]:
    """The slots before the first step and after each."""
    data = open_data_dir(folder, create=True)
    found = [read_slots(data)]
    for step in row_of_steps(seed):
        step(data)
        found.append(read_slots(data))
    return found


def _child(seed: int, data: DataDir, ended: int) -> None:
    for step in row_of_steps(seed):
        step(data)
        os.write(ended, b".")
    time.sleep(60)


def _killed(seed: int, folder: Path, seconds: float) -> tuple[DataDir, int]:
    """Begin the steps, kill after `seconds`; the directory and how many steps ended."""
    data = open_data_dir(folder, create=True)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _child(seed, data, writer)
        finally:
            os._exit(1)
    os.close(writer)
    # From the first step's end on, so that the start of a process is not what is tested.
    ended = len(os.read(reader, 1))
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while dots := os.read(reader, 65536):
        ended += len(dots)
    os.close(reader)
    return data, ended


def run(rounds: int, seed: int = 1) -> dict[str, int]:
    """Do `rounds` kills; how many found the old slots and how many the new ones.

    Raises:
        AssertionError: they were anything else, or have nothing to play.
    """
    chance = random.Random(seed)
    tally = {"old": 0, "new": 0, "between": 0}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            row = chance.randrange(10**9)
            expected = undisturbed(row, Path(folder) / "undisturbed")
            seconds = chance.random() * LONGEST_SECONDS
            data, ended = _killed(row, Path(folder) / "killed", seconds)
            found = read_slots(data)
            following = expected[min(ended + 1, len(expected) - 1)]
            assert found in (expected[ended], following), f"round {number}, seed {row}"
            assert main_slot(found) is not None, f"round {number}: nothing plays"
            if expected[ended] != following:
                tally["old" if found == expected[ended] else "new"] += 1
            else:
                tally["between"] += 1
            # Whoever comes after finds no lock held and nothing in the way.
            activate(data, offered("harbour", 1000, BEGAN))
            slot = read_slots(data)["harbour/live"]
            assert slot.current is not None
            assert slot.current.release == 1000
    return tally


def main() -> None:
    """Run as many rounds as the command line says and print the tally."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began = time.monotonic()
    tally = run(rounds, seed)
    seconds = time.monotonic() - began
    print(f"{rounds} kills in {seconds:.0f} s: {tally['old']} times the old slots,", end=" ")
    print(f"{tally['new']} times the new ones, {tally['between']} times between equal ones")


if __name__ == "__main__":
    main()
