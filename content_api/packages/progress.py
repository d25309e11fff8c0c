"""How far a publication has come, for whoever waits for it, in whichever process.

A small file beside the locks, since its writer and its readers share that folder. It is a
courtesy: whether a release is live is said by its state alone.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from content_api.settings import Settings

STEPS = ("compile", "write", "sign")
"""What publishing does, in order."""

PERIOD = 0.2
"""Seconds between two notes of the same step."""

Report = Callable[[str, int, int], None]
"""Takes the step, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The step a publication is at; `done` of `total` files, 0 of 0 where none are counted."""

    step: str
    done: int = 0
    total: int = 0


def no_report(_step: str, _done: int, _total: int) -> None:
    """For a publication that nobody watches."""


def reporter(settings: Settings, release_id: int) -> Report:
    """Notes the progress of release `release_id`; a disk that refuses does not stop it."""
    path = _path(settings, release_id)
    last = [("", 0.0)]

    def report(step: str, done: int, total: int) -> None:
        said, at = last[0]
        now = time.monotonic()
        if step == said and done < total and now - at < PERIOD:
            return
        last[0] = (step, now)
        part = path.with_suffix(".part")
        try:
            part.write_text(json.dumps(asdict(Progress(step, done, total))), "utf-8")
            os.replace(part, path)
        except OSError:
            # A full disk fails the release itself, with words; this note is not needed for it.
            return

    return report


def read_progress(settings: Settings, release_id: int) -> Progress | None:
    """What was last noted of release `release_id`, or None."""
    try:
        found = json.loads(_path(settings, release_id).read_text("utf-8"))
        return Progress(str(found["step"]), int(found["done"]), int(found["total"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget_progress(settings: Settings, release_id: int) -> None:
    """Remove the note of a publication that is over."""
    _path(settings, release_id).unlink(missing_ok=True)


def _path(settings: Settings, release_id: int) -> Path:
    return settings.locks_dir / f"release-{release_id}.json"
