"""The USB sticks that are plugged in: what is mounted where sticks go, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

WHERE = ("/media", "/run/media", "/mnt")
"""Folders below which systems mount what people plug in."""

MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted stick: its folder and a name to show."""

    folder: str
    name: str


def mounted_sticks(mounts: str) -> list[Mount]:
    """The sticks in the text of `/proc/self/mounts`."""
    found: dict[str, Mount] = {}
    for row in mounts.splitlines():
        words = row.split(" ")
        if len(words) < 3:
            continue
        folder = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), words[1])
        path = PurePosixPath(folder)
        if any(path.is_relative_to(place) and folder != place for place in WHERE) and (
            words[0].startswith("/dev/")
        ):
            found[folder] = Mount(folder, path.name)
    return sorted(found.values(), key=lambda mount: mount.folder)


def sticks_here() -> list[Mount]:
    """The sticks that are mounted now."""
    try:
        return mounted_sticks(MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return []
