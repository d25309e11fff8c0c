"""The short form of the publishing torture: a dozen kills."""

from __future__ import annotations

import random
from pathlib import Path

from tests.torture.publish_kill import run


def test_a_publication_killed_at_any_moment_leaves_everything_whole(tmp_path: Path) -> None:
    ended = run(tmp_path, 12, random.Random())
    assert sum(ended.values()) == 12
