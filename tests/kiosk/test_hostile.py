"""The short form of tests/torture/hostile.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.hostile import CASES, many_files, run_case

SHORT = ("stalled", "dripping-head", "endless", "html-for-everything", "mixed-snapshot")


@pytest.mark.parametrize("name", [*SHORT, "old-metadata", "gzip-bomb-blobs"])
def test_a_screen_does_not_notice_a_hostile_origin(name: str, tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.name == name)
    ended = run_case(case, tmp_path / "kiosk", seconds=0.5)
    assert ended.seconds < 30


def test_two_thousand_small_files_come_in_little_memory(tmp_path: Path) -> None:
    many_files(2000, tmp_path / "kiosk")
