"""The short form of the boot torture: everything against it at once."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import missing
from tests.torture.boot import CHROMIUM, PATIENCE, run


def test_a_device_with_no_network_no_disk_and_no_time_shows_its_content(tmp_path: Path) -> None:
    if not Path(CHROMIUM).exists():
        missing("Chromium")
    (started,) = run(tmp_path, 1)
    assert started.title
    assert started.picture > 10_000
    assert started.code == 0
    # The long form allows ten seconds; a machine that runs the tests may be busy.
    assert started.seconds < PATIENCE
