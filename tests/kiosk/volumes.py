"""Small real file systems to test on: FAT and exFAT as sticks have them, and a disk soon full.

`volume("fat", 48)` mounts a fresh image and yields its folder. What a machine
cannot mount is skipped with the reason, except in CI, where it fails: a stick
that nobody tests breaks again every year.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

NEEDS = {
    "fat": ("mkfs.vfat", "fusefat", "fusermount3"),
    "exfat": ("mkfs.exfat", "mount.exfat-fuse", "losetup", "fusermount3"),
    "ext4": ("mkfs.ext4", "losetup", "mount", "umount"),
    "tmpfs": ("mount", "umount"),
}
"""Programs each kind of volume needs; all but `fat` need root as well."""

_PATIENCE = 10.0
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@contextlib.contextmanager
def volume(kind: str, size_mb: int, *, image: Path | None = None) -> Iterator[Path]:
    """A mounted volume of `size_mb` megabytes (2**20); unmounted when the block ends.

    `kind` is `fat` (FAT32 from 70 MB on, FAT16 below), `exfat`, `ext4` or `tmpfs`. With
    `image`, a file that holds a volume from before is mounted as it is: that
    is pulling a stick and plugging it in again.
    """
    _require(kind)
    with tempfile.TemporaryDirectory(prefix="volume-") as folder:
        place = Path(folder) / "mounted"
        place.mkdir()
        file = image or Path(folder) / "image"
        if kind != "tmpfs" and not file.exists():
            _format(kind, file, size_mb)
        with _mounted(kind, file, place, size_mb):
            yield place


def _require(kind: str) -> None:
    missing = [name for name in NEEDS[kind] if _find(name) is None]
    reason = f"no {', '.join(missing)} on this machine" if missing else ""
    if not reason and kind == "fat" and not os.access("/dev/fuse", os.R_OK | os.W_OK):
        reason = "this user may not use /dev/fuse"
    if not reason and kind != "fat" and os.geteuid() != 0:
        reason = f"only root mounts {kind}"
    if not reason:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"expected to mount {kind}, got: {reason}", pytrace=False)
    pytest.skip(reason)


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SBIN)


def _run(*command: str) -> str:
    program = _find(command[0])
    assert program is not None
    done = subprocess.run([program, *command[1:]], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def _format(kind: str, file: Path, size_mb: int) -> None:
    with file.open("wb") as out:
        out.truncate(size_mb * 2**20)
    if kind == "fat":
        # A FAT32 volume has at least 65,525 clusters, here of 1 KiB.
        _run("mkfs.vfat", *(("-F", "32", "-s", "2") if size_mb >= 70 else ("-F", "16")), str(file))
    elif kind == "exfat":
        _run("mkfs.exfat", str(file))
    else:
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(file))


@contextlib.contextmanager
def _mounted(kind: str, file: Path, place: Path, size_mb: int) -> Iterator[None]:
    with contextlib.ExitStack() as cleanup:
        if kind == "tmpfs":
            _run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(place))
            cleanup.callback(_unmount, "umount", str(place))
        elif kind == "fat":
            _run("fusefat", "-o", "rw+", str(file), str(place))
            cleanup.callback(_unmount, "fusermount3", "-u", str(place))
        else:
            device = _run("losetup", "-f", "--show", str(file))
            cleanup.callback(_unmount, "losetup", "-d", device)
            if kind == "exfat":
                _run("mount.exfat-fuse", device, str(place))
                cleanup.callback(_unmount, "fusermount3", "-u", str(place))
            else:
                _run("mount", "-t", "ext4", device, str(place))
                cleanup.callback(_unmount, "umount", str(place))
        assert place.is_mount()
        yield


def _unmount(*command: str) -> None:
    """Unmount, with patience: what was closed a moment ago may count as busy still."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            _run(*command)
            return
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
