"""Changes what is on the screen while nobody uses it, and takes back what does not play.

Runs beside the server, whether or not anything polls. A set that waits is
activated once it is whole and the screen is idle; on probation it is confirmed by
a page that plays it, or given back. A disk that refuses leaves all as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from kiosk_client.activation import (
    Slot,
    activate_next,
    confirm,
    give_back,
    keep_slots,
    load_set,
    note_start,
    read_slots,
)
from kiosk_client.config import DataDir, load_assignment
from kiosk_client.durable import json_mark
from kiosk_client.errors import KioskError, from_os_error
from kiosk_client.facts import clock, completeness
from kiosk_client.page import QUIET_SECONDS, PageState, PageWatch
from kiosk_client.probation import CONFIRM, GIVE_BACK, judge
from kiosk_client.programme import wanted_slots
from kiosk_client.store import Store

STEP_SECONDS = 1.0
JUST_NOW_SECONDS = 30.0
LONGEST_REASON = 80
LOOK_SECONDS = 15.0
"""Between two looks at a set that is not whole."""
REST_SECONDS = 60.0
"""After the disk refused: asking it each second helps nobody."""

log = logging.getLogger("kiosk_client.activator")


class Activator:
    """One thread; `stop` ends it. `shown` tells the key of the slot on the screen."""

    def __init__(
        self,
        data: DataDir,
        watch: PageWatch,
        shown: Callable[[], str | None],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`changed` is told, without delay, when what is shown has changed."""
        self._data = data
        self._watch = watch
        self._shown = shown
        self._now = now
        self._changed = changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="activator", daemon=True)
        self._seen: tuple[int, int] | None = None
        self._slots: dict[str, Slot] = {}
        self._rest_until = 0.0
        self._gave_back_at: float | None = None
        # The set on probation that this process has seen a page begin with.
        self._begun: str | None = None
        self._look_again: dict[str, float] = {}
        self._forget_at = 0.0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a change that is being written is finished first."""
        self._stop.set()
        self._thread.join(timeout=5)

    @property
    def alive(self) -> bool:
        """Whether it runs, as it must between `start` and `stop`."""
        return self._thread.is_alive()

    def step(self) -> bool:
        """Do what is due now; whether anything was changed.

        Raises:
            KioskError, OSError: the disk refused; nothing changed.
        """
        slots = self._read()
        shown = self._shown()
        page = self._watch.state()
        done = False
        for key, slot in slots.items():
            # What nobody sees may change at any time.
            unseen = not slot.main and key != shown
            if slot.next is not None and (unseen or page.idle or shown is None):
                done = self._activate(slot) or done
            elif slot.probation is not None and slot.current is not None and key == shown:
                self._count_start(slot, page)
                verdict = judge(slot.probation, page, slot.current.tag)
                if verdict.verdict == CONFIRM:
                    done = self._confirm(slot) or done
                elif verdict.verdict == GIVE_BACK:
                    done = self.give_back(verdict.reason) or done
        return self._forget(slots, shown, page) or done

    def give_back(self, reason: str) -> bool:
        """Take the set on the screen back if it is on probation; whether it was, or was just now.

        Raises:
            KioskError, OSError: the disk refused; it plays on.
        """
        key = self._shown()
        slot = self._read().get(key or "")
        if slot is None or slot.current is None:
            return False
        if not give_back(self._data, slot.key, reason[:LONGEST_REASON], self._now()):
            # Who else counts crashes comes to the same end a moment later.
            then = self._gave_back_at
            return then is not None and time.monotonic() - then < JUST_NOW_SECONDS
        log.error("release %s of %s was given back: %s", slot.current.release, slot.package, reason)
        self._gave_back_at = time.monotonic()
        self._watch.begin_anew()
        self._changed()
        return True

    def _forget(self, slots: dict[str, Slot], shown: str | None, page: PageState) -> bool:
        """Let packages go that nothing wants any more, once no page has them on the screen."""
        if len(slots) < 2 or time.monotonic() < self._forget_at:
            return False
        self._forget_at = time.monotonic() + LOOK_SECONDS
        assignment = load_assignment(self._data)
        if assignment is None:
            return False
        _, passed = clock(self._data, self._now())
        kept = {one.slot for one in wanted_slots(assignment, passed)}
        # A visit that began in a season is finished in it, whatever is planned meanwhile.
        if page.seen_seconds_ago is not None and page.seen_seconds_ago < QUIET_SECONDS:
            tag = page.content
            kept |= {key for key, slot in slots.items() if any(tag == s.tag for s in slot.sets)}
        return keep_slots(self._data, kept | {shown} if shown else kept)

    def _count_start(self, slot: Slot, page: PageState) -> None:
        """Write down, once a process, that a page began with the set on probation.

        One that takes the whole machine down with it is found out by that.
        """
        tag = slot.current.tag if slot.current else None
        if tag != self._begun and page.content == tag:
            note_start(self._data, slot.key)
            self._begun = tag

    def _activate(self, slot: Slot) -> bool:
        if slot.next is None or time.monotonic() < self._look_again.get(slot.key, 0.0):
            return False
        loaded = load_set(self._data, slot.next)
        if loaded is None or completeness(Store(self._data.root), loaded).missing:
            # Touched since it was proven: the next sync makes it whole again.
            self._look_again[slot.key] = time.monotonic() + LOOK_SECONDS
            return False
        if not activate_next(self._data, slot.key, self._now()):
            return False
        log.info("release %s of %s plays now", slot.next.release, slot.package)
        self._watch.begin_anew()
        self._changed()
        return True

    def _confirm(self, slot: Slot) -> bool:
        done = confirm(self._data, slot.key)
        if done and slot.current is not None:
            log.info("release %s of %s plays healthily", slot.current.release, slot.package)
        return done

    def _read(self) -> dict[str, Slot]:
        seen = json_mark(self._data.active)
        if seen is None:
            return {}
        if seen != self._seen:
            self._slots, self._seen = read_slots(self._data), seen
        return self._slots

    def _loop(self) -> None:
        while not self._stop.wait(STEP_SECONDS):
            if time.monotonic() < self._rest_until:
                continue
            try:
                self.step()
            except OSError as error:
                self._rest(from_os_error(error))
            except KioskError as error:
                self._rest(error)
            except Exception:
                self._rest_until = time.monotonic() + REST_SECONDS
                log.exception("the screen could not be changed in a way nobody foresaw")

    def _rest(self, error: KioskError) -> None:
        self._rest_until = time.monotonic() + REST_SECONDS
        log.error("%s: %s", error.code, error)


@contextlib.contextmanager
def serving(data: DataDir) -> Iterator[None]:
    """Let others know, while the block runs, that this device's screen is being served.

    A disk that takes no writes keeps nobody from serving.
    """
    fd = -1
    try:
        fd = os.open(data.serving_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Another server of the same screen may hold it: then it is known already.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        log.debug("not marked as being served: %s", error)
    try:
        yield
    finally:
        if fd >= 0:
            os.close(fd)


def is_served(data: DataDir) -> bool:
    """Whether a process serves this device's screen, and so knows when it is idle."""
    try:
        fd = os.open(data.serving_lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False
