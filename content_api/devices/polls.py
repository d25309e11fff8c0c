"""Knowing a device by its token, thousands of times a minute.

A poll is two requests within a second or so. The first one asks the database, with one
query for all that both need; the second finds the answer here. An answer is kept for
KNOWN_FOR seconds: so long can a process go on serving a device that another process has
revoked, or keep an order from it. In the process that made the change it counts at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy import Engine, bindparam, event, exists, select
from sqlalchemy.orm import Session

from content_api.accounts.rules import Actor, Grant
from content_api.accounts.tokens import hash_token
from content_api.devices.fleet_models import Order
from content_api.devices.models import Device
from content_api.problems import Unauthenticated

KNOWN_FOR = 5.0
"""Seconds that what was read of a device is believed."""

MOST_KNOWN = 50_000
"""Devices remembered at once; beyond that all are forgotten and read again."""

_GRANTS = (Grant(role="device", scopes=("all",), types=("all",)),)

_BY_TOKEN = select(
    Device.id,
    Device.name,
    Device.revoked_at,
    Device.assignment_version,
    exists().where(Order.device == Device.id, Order.state == "queued").label("has_orders"),
).where(Device.token_hash == bindparam("token_hash"))


class DeviceRevoked(Unauthenticated):
    """The device's token was taken back."""

    code = "device-revoked"


@dataclass(frozen=True, slots=True)
class Known:
    """What a poll needs of the device that asks."""

    id: str
    name: str
    revoked_at: datetime | None
    assignment_version: int
    has_orders: bool

    @property
    def actor(self) -> Actor:
        """The device as an actor: it may read and report about itself."""
        return Actor(id=self.id, name=self.name, kind="device", grants=_GRANTS)


class KnownDevices:
    """What was lately read of devices, by the hash of their token."""

    def __init__(self, *, life: float = KNOWN_FOR, most: int = MOST_KNOWN) -> None:
        self._life = life
        self._most = most
        self._lock = Lock()
        self._rows: dict[str, tuple[float, Known]] = {}
        self._changes = 0

    def find(self, token_hash: str) -> Known | None:
        """What is believed of the device with this token; None when it must be read."""
        row = self._rows.get(token_hash)
        return row[1] if row is not None and time.monotonic() - row[0] < self._life else None

    @property
    def changes(self) -> int:
        """Rises with every change; a row read before one is not kept after it."""
        return self._changes

    def keep(self, token_hash: str, known: Known, *, seen: int) -> None:
        """Believe this row, unless something was changed since `changes` was `seen`."""
        with self._lock:
            if seen != self._changes:
                return
            if len(self._rows) >= self._most:
                self._rows.clear()
            self._rows[token_hash] = (time.monotonic(), known)

    def forget(self, device_ids: Iterable[str] | None = None) -> None:
        """Read these devices again, or all."""
        with self._lock:
            self._changes += 1
            if device_ids is None:
                self._rows.clear()
                return
            gone = frozenset(device_ids)
            for key in [key for key, (_, row) in self._rows.items() if row.id in gone]:
                del self._rows[key]


_known = KnownDevices()
"""One for the process: a token is of one server alone, whichever app asks."""


def find_known(engine: Engine, token: str) -> Known | None:
    """The device of a token; None when no device has it.

    Raises:
        DeviceRevoked: the device had it, and it was taken back.
    """
    key = hash_token(token)
    found = _known.find(key)
    if found is None:
        seen = _known.changes
        with _reader(engine).connect() as connection:
            row = connection.execute(_BY_TOKEN, {"token_hash": key}).one_or_none()
        if row is None:
            return None
        found = Known(*row)
        _known.keep(key, found, seen=seen)
    if found.revoked_at is not None:
        raise DeviceRevoked("This device was revoked: enrol it again with a new code.")
    return found


def _reader(engine: Engine) -> Engine:
    # One query needs no transaction around it: on PostgreSQL that is two round trips saved.
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine


def changed(session: Session, device_ids: Iterable[str] | None = None) -> None:
    """Have this process read these devices again (None: all) once the transaction is done."""
    gone = None if device_ids is None else list(device_ids)
    if gone == []:
        return

    def forget(_session: Session) -> None:
        _known.forget(gone)

    # Not once: the end of a savepoint counts as a commit too, and comes before it.
    event.listen(session, "after_commit", forget)
