"""The short form of the kills of activation."""

from __future__ import annotations

import subprocess
import sys


def test_a_killed_activation_leaves_the_old_or_the_new_set() -> None:
    # A process of its own: it forks, and a test runner has threads.
    found = subprocess.run(
        [sys.executable, "-m", "tests.torture.activation_kill", "10", "7"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("10 kills in")
