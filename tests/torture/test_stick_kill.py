"""The short form of tests/torture/stick_kill.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.stick_kill import run


@pytest.mark.parametrize(("on", "rounds"), [("folder", 2), ("fat", 1), ("exfat", 1)])
def test_a_stick_pulled_out_or_a_command_killed_never_makes_a_stick_lie(
    on: str, rounds: int, tmp_path: Path
) -> None:
    tally = run(rounds, seed=20261124, folder=tmp_path, on=on)
    assert tally.rounds == rounds
    assert tally.killed + tally.imports_killed >= 1
