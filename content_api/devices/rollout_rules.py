"""Which device may take which release while one is rolled out: pure decisions.

A rollout goes in waves. A wave begins with a release that not all devices may take, and ends
when one has gone to all. Within a wave the same devices are first, so that the mended release
goes to those that hold the broken one; the next wave picks others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a rollout stands. `base`: the newest release for all, None before the first.

    `release` is the one that goes to `share` percent of devices, None when nothing is under
    way. `first_share` is the percentage a new release begins with.
    """

    package: str
    channel: str
    first_share: int
    base: int | None = None
    release: int | None = None
    wave: int = 0
    share: int = 0
    state: str = "idle"

    @property
    def slot(self) -> str:
        """The package and channel as one word."""
        return f"{self.package}/{self.channel}"


def place_of(device: str, slot: str, wave: int) -> float:
    """Where a device stands in the queue of a wave, in percent from 0 to just below 100."""
    digest = hashlib.sha256(f"{slot}\n{wave}\n{device}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _STEPS * 100 / _STEPS


def is_among_first(stage: Stage, device: str) -> bool:
    """Whether a device is in the share that may take the release that is under way."""
    return stage.release is not None and place_of(device, stage.slot, stage.wave) < stage.share


def limit_for(stage: Stage, device: str) -> int:
    """The newest release that a device may take; 0 when that is none.

    A device that plays nothing of the package takes the newest whatever the limit says: it
    has nothing to lose. While a rollout is held nobody else takes the release.
    """
    if stage.state == "rolling" and stage.release is not None and is_among_first(stage, device):
        return stage.release
    return stage.base or 0


def follow_live(stage: Stage, live: int | None) -> Stage:
    """The stage after looking at the number of the live release.

    The first release of all goes to everybody: there is nothing that it could replace.
    """
    newest = max(stage.release or 0, stage.base or 0)
    if live is None or live <= newest:
        return stage
    if stage.base is None:
        return replace(stage, base=live)
    wave = stage.wave if stage.release is not None else live
    begun = replace(stage, release=live, wave=wave, share=stage.first_share, state="rolling")
    return finish(begun) if begun.share >= 100 else begun


def finish(stage: Stage) -> Stage:
    """The release is for all."""
    return replace(stage, base=stage.release, release=None, share=0, state="idle")


def must_hold(updated: int, troubled: int, bound: int) -> bool:
    """Whether more than `bound` percent of the devices that took a release are in trouble."""
    return troubled > 0 and troubled * 100 > bound * max(updated, troubled)
