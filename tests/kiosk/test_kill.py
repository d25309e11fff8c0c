"""The short form of tests/torture/kiosk_kill.py."""

from __future__ import annotations

from pathlib import Path

from tests.torture.kiosk_kill import run


def test_a_sync_killed_at_any_moment_leaves_the_old_set_or_the_new(tmp_path: Path) -> None:
    tally = run(12, seed=20261124, folder=tmp_path / "kiosk")
    assert tally.rounds == 12
    assert tally.killed >= 4
