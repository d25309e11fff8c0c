"""What can go wrong on a device: a small tree, each with a stable code and an exit code.

The codes are read by scripts, by the fleet view and by docs/venue-guide.md;
they never change their meaning. Only `cli.py` turns them into an exit.
"""

from __future__ import annotations

import errno


class KioskError(Exception):
    """Base of the errors raised on purpose: refused, or failed with one clear line."""

    code = "failed"
    exit_code = 1


class NotEnrolled(KioskError):
    """The data directory belongs to no enrolled device."""

    code = "not-enrolled"


class NothingAssigned(KioskError):
    """The server has assigned no package to this device."""

    code = "nothing-assigned"


class EnrolmentRefused(KioskError):
    """The server did not accept the enrolment code."""

    code = "enrolment-refused"


class DeviceRefused(KioskError):
    """The server no longer accepts this device's token."""

    code = "device-refused"


class Busy(KioskError):
    """Another process is changing the same data directory."""

    code = "busy"


class PinThrottled(KioskError):
    """Too many wrong PINs were given: the next is judged in `seconds`."""

    code = "pin-throttled"

    def __init__(self, message: str, *, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class NewerFormat(KioskError):
    """The release is of a format this client does not know."""

    code = "newer-format"


class StickTrouble(KioskError):
    """The stick is no stick of ours, lacks something, was pulled out, or takes no writes."""

    code = "stick-trouble"


class PinRefused(KioskError):
    """The PIN given is not the venue's."""

    code = "pin-refused"


class OriginTrouble(KioskError):
    """The server answers, but not with what the release promises (a 500, a missing file)."""

    code = "origin-trouble"


class NoNetwork(KioskError):
    """The server cannot be reached, or a transfer stalls."""

    code = "no-network"
    exit_code = 3


class DiskFull(KioskError):
    """There is not enough room beside the reserve kept for the system."""

    code = "disk-full"
    exit_code = 4


class NotTrusted(KioskError):
    """Metadata is not signed by the keys this device trusts, or is malformed."""

    code = "not-trusted"
    exit_code = 5


class Rollback(KioskError):
    """Something older than what this device already accepted was offered."""

    code = "rollback-refused"
    exit_code = 6


class ForeignAnswer(KioskError):
    """Somebody else answered: a login page, or a server that is no repository."""

    code = "foreign-answer"
    exit_code = 7


class DamagedTransfer(KioskError):
    """Bytes arrived that are not the ones named: wrong length, hash or range."""

    code = "damaged-transfer"
    exit_code = 8


class MetadataExpired(KioskError):
    """The signatures are too old to accept anything new; playing goes on."""

    code = "metadata-expired"
    exit_code = 9


class StoreDamaged(KioskError):
    """Stored files are missing or are not what their names say."""

    code = "store-damaged"
    exit_code = 10


class DiskFailing(KioskError):
    """The disk takes no writes, returns errors, or has become so slow that nothing ends."""

    code = "disk-failing"
    exit_code = 11


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_FAILING = {
    errno.EROFS: "is read-only: start the device again; if that does not last, replace the card",
    errno.EIO: "returns errors: replace the disk or card, and try another power supply",
    errno.EUCLEAN: "has a damaged file system: check it with fsck, or replace the disk or card",
    errno.EBADMSG: "has a damaged file system: check it with fsck, or replace the disk or card",
    errno.ENXIO: "is gone: is it plugged in?",
    errno.ENODEV: "is gone: is it plugged in?",
    errno.ENOMEDIUM: "is gone: is the card in its slot?",
    errno.EREMOTEIO: "returns errors: replace the disk or card",
    errno.ESHUTDOWN: "was switched off after an error: start the device again, then replace it",
}
"""What a failing disk answers, and what a person in front of it can do."""


def from_os_error(error: OSError) -> KioskError:
    """The kiosk error for a disk's refusal: full is one thing, failing another."""
    where = f" ({error.filename})" if error.filename else ""
    said = error.strerror or str(error)
    if error.errno in _FULL:
        return DiskFull(f"expected room on the disk, got: {said}{where}: remove files from it")
    if error.errno == errno.EFBIG:
        return DiskFull(
            f"expected a disk that takes files of any size, got: {said}{where}: "
            "format it as ext4; FAT ends at 4 GB"
        )
    advice = _FAILING.get(error.errno or 0)
    if advice is not None:
        return DiskFailing(f"expected a disk that works, got: {said}{where}: the disk {advice}")
    return KioskError(f"expected a disk that takes writes, got: {said}{where}")
