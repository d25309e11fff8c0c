"""What the fleet asks of this device: taken once, done, and its end told, whatever crashes between.

An order is written down before it is taken at the server, and is done only when
the server agreed that it is taken; how it ended is written down before it is told.
All but the restart of this process may be done twice without harm: what a crash
cut off is done again, a few times. A process that restarts has done its order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from kiosk_client.config import DataDir
from kiosk_client.durable import read_json, write_json
from kiosk_client.errors import KioskError

KINDS = frozenset(
    ("sync", "restart-player", "verify", "screenshot", "reload-settings", "restart-agent")
)
MOST_TRIES = 3
REMEMBERED = 64
"""Orders whose end was told, remembered so that none is done twice."""
LONGEST_MESSAGE = 500

log = logging.getLogger("kiosk_client.orders")


class OrderGone(KioskError):
    """The server has no such order any more, or its time is over: it is left."""

    code = "order-gone"


class Tell(Protocol):
    """Says at the server what became of an order.

    Raises:
        OrderGone: it is not to be done any more.
        KioskError: the server was not reached.
    """

    def __call__(self, number: int, state: str, message: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Order:
    """An order here. `state`: `received`, `taken`, `done`, `failed`; `told` once its end is."""

    id: int
    kind: str
    arguments: Mapping[str, Any]
    state: str = "received"
    message: str | None = None
    tries: int = 0
    told: bool = False

    @property
    def ended(self) -> bool:
        """Whether it was done or has failed."""
        return self.state in ("done", "failed")


Do = Callable[[Order], str | None]
"""Does an order; what to say of it, if anything. Raises KioskError when it cannot be done."""


class Orders:
    """The orders of one device. One thread at a time."""

    def __init__(self, data: DataDir) -> None:
        self._path = data.root / "orders.json"
        self._orders = _read(read_json(self._path))

    @property
    def open(self) -> tuple[Order, ...]:
        """Orders that wait to be done, or whose end waits to be told."""
        return tuple(order for order in self._orders if not order.told)

    def receive(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Write down what a heartbeat was answered; an order known already stays as it is.

        Raises:
            OSError: the disk refused; the server will tell them again.
        """
        known = {order.id for order in self._orders}
        new = [
            Order(one["id"], str(one["kind"])[:40], dict(one.get("arguments") or {}))
            for one in told
            if _is_order(one) and one["id"] not in known
        ]
        if new:
            self._keep([*self._orders, *new])

    def work(self, does: Mapping[str, Do], tell: Tell) -> None:
        """Do what waits, and tell how it ended, as far as the server can be reached.

        `does` are the kinds this process can do.

        Raises:
            OSError: the disk refused; nothing is done that could not be written down.
        """
        for order in self.open:
            try:
                self._carry_on(order, does, tell)
            except OrderGone as gone:
                log.info("order %s is left: %s", order.id, gone)
                self._forget(order.id)
            except KioskError as error:
                log.info("order %s waits: %s", order.id, error)
                return

    def _carry_on(self, order: Order, does: Mapping[str, Do], tell: Tell) -> None:
        if order.state == "received":
            tell(order.id, "taken", None)
            order = self._change(order, state="taken")
        if order.state == "taken":
            order = self._do(order, does)
        tell(order.id, order.state, order.message)
        self._change(order, told=True)

    def _do(self, order: Order, does: Mapping[str, Do]) -> Order:
        do = does.get(order.kind)
        if do is None:
            return self._change(order, state="failed", message=f"no {order.kind} is known here")
        if order.kind == "restart-agent":
            # Written first: the process that comes after must not restart again.
            order = self._change(order, state="done", message="restarting")
            do(order)
            return order
        if order.tries >= MOST_TRIES:
            words = f"expected to end, got cut off {order.tries} times"
            return self._change(order, state="failed", message=words)
        order = self._change(order, tries=order.tries + 1)
        try:
            message = do(order)
        except KioskError as error:
            return self._change(order, state="failed", message=f"{error.code}: {error}")
        return self._change(order, state="done", message=message)

    def _change(self, order: Order, **changes: Any) -> Order:
        if changes.get("message"):
            changes["message"] = str(changes["message"])[:LONGEST_MESSAGE]
        changed = replace(order, **changes)
        self._keep([changed if one.id == order.id else one for one in self._orders])
        return changed

    def _forget(self, number: int) -> None:
        self._keep([replace(o, told=True) if o.id == number else o for o in self._orders])

    def _keep(self, orders: list[Order]) -> None:
        settled = [order for order in orders if order.told][-REMEMBERED:]
        kept = [order for order in orders if not order.told or order in settled]
        write_json(self._path, {"orders": [_to_json(order) for order in kept]})
        self._orders = kept


def _is_order(value: Mapping[str, Any]) -> bool:
    number = value.get("id")
    arguments = value.get("arguments")
    return (
        isinstance(number, int)
        and not isinstance(number, bool)
        and isinstance(value.get("kind"), str)
        and (arguments is None or isinstance(arguments, dict))
    )


def _to_json(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "kind": order.kind,
        "arguments": dict(order.arguments),
        "state": order.state,
        "message": order.message,
        "tries": order.tries,
        "told": order.told,
    }


def _read(found: Any) -> list[Order]:
    """The orders kept; a row that does not read is left aside."""
    rows = found.get("orders") if isinstance(found, dict) else None
    orders = []
    for row in rows if isinstance(rows, list) else ():
        try:
            orders.append(
                Order(
                    id=int(row["id"]),
                    kind=str(row["kind"]),
                    arguments=dict(row["arguments"]),
                    state=str(row["state"]),
                    message=row["message"],
                    tries=int(row["tries"]),
                    told=row["told"] is True,
                )
            )
        except (KeyError, TypeError, ValueError):
            continue
    return orders
