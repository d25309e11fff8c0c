"""The short form of tests/torture/faults.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.faults import SCENARIOS, VOLUMES, Faults, fill_up, run


@pytest.mark.parametrize("what", [scenario.name for scenario in SCENARIOS])
def test_no_call_that_fails_leaves_anything_but_the_old_set_or_the_new(
    what: str, tmp_path: Path
) -> None:
    tally = run(tmp_path, what=what, sample=4)
    assert tally.faults >= 12
    assert tally.refused > 0


@pytest.mark.parametrize("kind", VOLUMES)
def test_a_volume_that_really_fills_up_leaves_the_old_set_or_the_new(kind: str) -> None:
    tally = fill_up(kind, rounds=4)
    assert tally.refused > 0


def test_the_faults_meet_every_way_to_write(tmp_path: Path) -> None:
    with Faults(tmp_path).injected() as watched:
        path = tmp_path / "a"
        path.write_bytes(b"1")
        path.rename(tmp_path / "b")
        with (tmp_path / "c").open("w", encoding="utf-8") as file:
            file.write("2")
        (tmp_path / "c").unlink()
        (tmp_path / "b").read_bytes()
    assert watched.names == ["open", "file.write", "rename", "open", "file.write", "unlink"]
