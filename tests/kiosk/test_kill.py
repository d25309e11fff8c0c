"""The short form of tests/torture/kiosk_kill.py."""

from __future__ import annotations

from pathlib import Path

from tests.torture.kiosk_kill import DEEDS, run


def test_a_device_killed_at_any_moment_holds_the_old_set_or_the_new(tmp_path: Path) -> None:
    tally = run(20, seed=20261124, folder=tmp_path)
    assert tally.rounds == 20
    assert tally.killed >= 8
    assert set(tally.deeds) == set(DEEDS)
