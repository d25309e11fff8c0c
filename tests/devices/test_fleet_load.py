"""The load benchmark, in its short form: a real server, real processes, nothing lost."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.project.tree import ROOT


def test_a_small_fleet_polls_while_an_editor_saves_and_the_last_word_of_all_is_kept() -> None:
    command = [sys.executable, "-m", "benchmarks.fleet_polls", "--devices", "100", "--rounds", "3"]
    done = subprocess.run(
        [*command, "--clients", "1", "--seconds", "60"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SQLite, 1 process: 300 polls in" in done.stdout
    assert "100 devices' last heartbeats are in the database" in done.stdout
    assert re.search(r"saves: median \d+ ms", done.stdout)
