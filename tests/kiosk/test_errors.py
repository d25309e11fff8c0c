"""Full and failing are told apart, and each says what a person can do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kiosk_client import errors
from kiosk_client.errors import DiskFailing, DiskFull, KioskError, from_os_error


def refusal(number: int) -> KioskError:
    return from_os_error(OSError(number, os.strerror(number), "/kiosk/parts/x.part"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_without_room_is_full(number: int) -> None:
    found = refusal(number)
    assert type(found) is DiskFull
    assert (found.code, found.exit_code) == ("disk-full", 4)
    assert "/kiosk/parts/x.part" in str(found)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "start the device again"),
        (errno.EIO, "replace the disk or card"),
        (errno.EUCLEAN, "fsck"),
        (errno.EBADMSG, "fsck"),
        (errno.ENXIO, "is it plugged in?"),
        (errno.ENODEV, "is it plugged in?"),
    ],
)
def test_a_disk_that_refuses_is_failing_and_says_what_to_do(number: int, advice: str) -> None:
    found = refusal(number)
    assert type(found) is DiskFailing
    assert (found.code, found.exit_code) == ("disk-failing", 11)
    assert advice in str(found)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOENT])
def test_a_permission_is_no_fault_of_the_disk(number: int) -> None:
    assert refusal(number).code == "failed"


def test_every_code_is_one_class_and_in_the_venue_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "venue-guide.md").read_text("utf-8")
    classes = [
        found
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, KioskError)
    ]
    codes = [found.code for found in classes]
    assert len(codes) == len(set(codes))
    missing = [
        (found.exit_code, found.code)
        for found in classes
        if f"| {found.exit_code} | `{found.code}` |" not in guide
    ]
    assert missing == []
