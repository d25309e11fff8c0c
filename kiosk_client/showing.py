"""Which set the screen shows, and where a file of it lies: asked anew for each request.

Reads the pointer when that file was swapped, lets the programme choose the slot,
and finds files by the tag of the set a page was begun with: a page gets all of
one set, also when another has become current meanwhile.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from kiosk_client.activation import ActiveSet, LoadedSet, Slot, load_set, main_slot, read_slots
from kiosk_client.config import DataDir, load_assignment, zone
from kiosk_client.durable import json_mark
from kiosk_client.errors import KioskError
from kiosk_client.facts import clock
from kiosk_client.page import PageWatch
from kiosk_client.programme import Stage
from package_format.manifest import ManifestFile

_PINNED = re.compile(r"([0-9a-f]{16})/(.+)", re.DOTALL)

log = logging.getLogger("kiosk_client.showing")


@dataclass(frozen=True, slots=True)
class Playing:
    """A set on the screen and its files by path."""

    current: LoadedSet
    files: Mapping[str, ManifestFile]

    @property
    def tag(self) -> str:
        """Names exactly this content; pages address its files below `content/<tag>/`."""
        return self.current.set.tag


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be asked for, and the time zone that says when its rights end."""

    file: ManifestFile
    timezone: str


def is_expired(entry: ManifestFile, today: date) -> bool:
    """Whether a file must not be shown on `today`, a day in the venue's time zone."""
    return entry.expires is not None and today >= entry.expires


def venue_day(now: datetime, timezone: str) -> date:
    """The day at the venue."""
    return now.astimezone(zone(timezone)).date()


def passed_time(data: DataDir, now: datetime) -> datetime:
    """`now`, or what surely has passed where the clock is behind that."""
    _, floor = clock(data, now)
    return max(now, floor or now)


class Showing:
    """What the screen shows. Safe for several threads.

    Another package of the programme appears only while nobody uses the screen:
    `idle` tells that, by default from what the page says to `watch`.
    """

    def __init__(
        self,
        data: DataDir,
        *,
        now: Callable[[], datetime],
        watch: PageWatch,
        idle: Callable[[], bool] | None = None,
    ) -> None:
        self._data = data
        self._now = now
        self._watch = watch
        self._idle = idle or (lambda: watch.state().idle)
        self._stage = Stage(data, now)
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._slots: dict[str, Slot] = {}
        self._loaded: dict[str, Playing] = {}
        self._playing: Playing | None = None
        self._shown: str | None = None
        # The set shown before this one, whatever slot it was of.
        self._before: Playing | None = None

    def playing(self) -> Playing | None:
        """The set that is shown, or None when there never was one."""
        with self._lock:
            return self._look()

    def slot(self) -> str | None:
        """The key of the slot that is shown."""
        with self._lock:
            self._look()
            return self._shown

    def find(self, path: str) -> Found | None:
        """The file at `path`, which begins with a set's tag or means the set that is shown.

        Without a tag a page begun in the set before still finds what only that has.
        """
        with self._lock:
            playing = self._look()
            if playing is None:
                return None
            pinned = _PINNED.fullmatch(path)
            if pinned:
                held = self._held(pinned[1])
                return _found(held, pinned[2]) if held else None
            slot = self._slots.get(self._shown or "")
            previous = self._load(slot.previous) if slot else None
            for one in (playing, previous, self._before):
                found = _found(one, path) if one else None
                if found:
                    return found
        return None

    def today(self) -> date:
        """The day at the venue; a clock behind what has passed brings no earlier day back."""
        playing = self.playing()
        timezone = playing.current.set.timezone if playing else "UTC"
        return venue_day(passed_time(self._data, self._now()), timezone)

    def is_open(self) -> bool:
        """Whether the venue is open, as far as is known."""
        return self._stage.opening().open

    def is_dim(self) -> bool:
        """Whether a screen nobody uses is to be dark: the venue is closed, and wants that."""
        assignment = load_assignment(self._data)
        wanted = assignment is not None and assignment.settings.get("dim", True) is not False
        return wanted and not self.is_open()

    def _look(self) -> Playing | None:
        self._read_pointer()
        chosen = self._choose()
        if chosen is None:
            return self._playing
        key, found = chosen
        if self._playing is not None and self._playing.tag != found.tag:
            self._before = self._playing
        self._shown, self._playing = key, found
        return found

    def _read_pointer(self) -> None:
        try:
            seen = json_mark(self._data.active)
            if seen is None or seen == self._seen:
                return
            slots = read_slots(self._data)
        except OSError as error:
            log.error("the disk does not give the pointer: %s", error)
            return
        # A pointer that does not read leaves on the screen what was there.
        if slots:
            self._slots, self._seen = slots, seen
            kept = {
                one.tag for slot in slots.values() for one in (slot.current, slot.previous) if one
            }
            kept.add(self._watch.state().content or "")
            self._loaded = {tag: held for tag, held in self._loaded.items() if tag in kept}

    def _choose(self) -> tuple[str, Playing] | None:
        """The slot to show and what it plays; slots that do not load are as good as absent."""
        ready = [key for key, slot in self._slots.items() if slot.current is not None]
        while ready:
            key = self._stage.slot(ready, idle=self._idle())
            if key is None:
                main = main_slot({name: self._slots[name] for name in ready})
                key = main.key if main else ready[0]
            slot = self._slots[key]
            # Rather yesterday's release than a dark screen.
            loaded = self._load(slot.current) or self._load(slot.previous)
            if loaded is not None:
                return key, loaded
            ready.remove(key)
        return None

    def _held(self, tag: str) -> Playing | None:
        """The set tagged `tag`, if it plays, played before, or is what the page still has."""
        for slot in self._slots.values():
            for one in (slot.current, slot.previous):
                if one is not None and one.tag == tag:
                    return self._load(one)
        return self._loaded.get(tag)

    def _load(self, chosen: ActiveSet | None) -> Playing | None:
        if chosen is None:
            return None
        known = self._loaded.get(chosen.tag)
        if known is not None:
            return known
        try:
            loaded = load_set(self._data, chosen)
        except (KioskError, OSError) as error:
            log.error("the set of release %s does not load: %s", chosen.release, error)
            return None
        if loaded is None:
            return None
        found = Playing(loaded, {entry.path: entry for entry in loaded.files})
        self._loaded[chosen.tag] = found
        return found


def _found(playing: Playing, path: str) -> Found | None:
    entry = playing.files.get(path)
    return Found(entry, playing.current.set.timezone) if entry else None
