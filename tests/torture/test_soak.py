"""The short form of the soak: twenty minutes of use in as many seconds, and what it objects to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.torture.soak import CHROMIUM, RELEASES, Sample, Soak, judge, run


def test_twenty_minutes_of_visitors_and_three_releases_leave_the_screen_as_it_was(
    tmp_path: Path,
) -> None:
    if not Path(CHROMIUM).exists():
        missing("Chromium")
    soak = run(tmp_path, 20.0, speed=60.0, seed=4, touches=(2, 5))
    assert soak.visits >= 3
    # Half a minute is too short to tell a leak from the collector's rhythm in a browser.
    assert judge(soak, heap_allowed=1.5, growth_allowed=0.5, slack=60_000_000) == []


def samples(leak: float = 0.0, heap: float = 0.0) -> list[Sample]:
    return [
        Sample(
            number * 10.0,
            4_000_000 + int(number * heap),
            300_000_000 + int(number * leak) + (number % 3) * 2_000_000,
            30_000_000,
        )
        for number in range(100)
    ]


def well(**options: float) -> Soak:
    return Soak(samples(**options), 100, 900, 100, 0, list(range(1, RELEASES + 2)))


def test_a_leak_is_told_from_noise() -> None:
    assert judge(well()) == []
    assert judge(well(leak=100_000)) == []
    (words,) = judge(well(leak=500_000))
    assert "browser's memory rises" in words
    (words,) = judge(well(heap=10_000))
    assert "heap grew" in words


@pytest.mark.parametrize("fault", ["console x", "error y"])
def test_a_fault_on_the_page_is_enough(fault: str) -> None:
    soak = well()
    soak.faults.append(fault)
    assert judge(soak) == [f"a fault on the page: {fault}"]


def test_a_release_that_never_showed_is_told() -> None:
    soak = well()
    soak.releases = [1, 2]
    assert "expected releases 1 to 4" in judge(soak)[0]
