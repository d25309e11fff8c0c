"""Orders: what a person asks of devices, told with a heartbeat's answer, acknowledged by them.

An order is done once or not at all. It waits until the device asks, at most until it
expires; the device says when it took it and how it ended. Legal changes of state are one
table, `fleet_models.NEXT_ORDER_STATES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.database import utc_now
from content_api.devices.fleet_models import NEXT_ORDER_STATES, ORDER_KINDS, Order
from content_api.devices.models import Device
from content_api.devices.polls import changed
from content_api.devices.registry import find_group, get_device, get_venue
from content_api.problems import Conflict, NotFound, Refused

ORDER_LIFE = timedelta(days=1)
"""An order that nobody took by then is not done any more, unless it says otherwise."""

LONGEST_LIFE = timedelta(days=30)

TOLD_AT_ONCE = 20
"""Orders that one answer tells a device."""


class OrderExpired(Conflict):
    """The device asks to take an order whose time is over: it must not do it."""

    code = "order-expired"


def give_order(
    session: Session,
    actor: Actor,
    kind: str,
    *,
    device: str | None = None,
    group: str | None = None,
    venue: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    life: timedelta = ORDER_LIFE,
) -> list[Order]:
    """Give an order to one device, or to each device of a group or venue that has a token.

    A device that waits for the same order already keeps that one. The list may be empty.

    Raises:
        NotFound: there is no such device, group or venue.
        Refused: not exactly one of them is named, or the device cannot take orders.
    """
    if kind not in ORDER_KINDS:
        raise Refused(f"kind: expected one of {', '.join(ORDER_KINDS)}, got {kind[:40]!r}.")
    targets = _targets(session, device=device, group=group, venue=venue)
    now = utc_now()
    waiting = {
        order.device: order
        for order in session.scalars(
            select(Order).where(
                Order.state == "queued",
                Order.kind == kind,
                Order.expires_at > now,
                Order.device.in_(targets) if len(targets) < 500 else Order.id > 0,
            )
        )
        if order.arguments == dict(arguments or {})
    }
    batch = token_hex(8)
    orders = []
    for target in targets:
        found = waiting.get(target)
        if found is None:
            found = Order(
                device=target,
                batch=batch,
                kind=kind,
                arguments=dict(arguments or {}),
                state="queued",
                created_by=actor.id,
                created_at=now,
                expires_at=now + min(life, LONGEST_LIFE),
            )
            session.add(found)
        orders.append(found)
    session.flush()
    changed(session, targets)
    subject = next(
        f"{what}/{name}"
        for what, name in (("device", device), ("group", group), ("venue", venue))
        if name
    )
    details = {"kind": kind, "devices": len(targets), "batch": batch}
    record(session, actor, "order.give", subject, details=details)
    return orders


def list_orders(
    session: Session,
    *,
    device: str | None = None,
    batch: str | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int = 200,
) -> list[Order]:
    """Orders, newest first."""
    query = select(Order).order_by(Order.id.desc()).limit(limit)
    for column, value in ((Order.device, device), (Order.batch, batch), (Order.state, state)):
        if value is not None:
            query = query.where(column == value)
    return list(session.scalars(query.where(Order.id < before) if before is not None else query))


def get_order(session: Session, order_id: int) -> Order:
    """The order.

    Raises:
        NotFound: there is none of that id.
    """
    found = session.get(Order, order_id)
    if found is None:
        raise NotFound(f"There is no order {order_id}.")
    return found


def withdraw_order(session: Session, actor: Actor, order_id: int) -> Order:
    """Take back an order that no device has taken yet; it is expired from then on.

    Raises:
        NotFound: there is none of that id.
        Conflict: a device has taken it, or it is over.
    """
    order = get_order(session, order_id)
    if order.state != "queued":
        raise Conflict(f"The order is {order.state}: only one that still waits can be taken back.")
    order.state = "expired"
    order.ended_at = utc_now()
    order.message = "taken back"
    session.flush()
    changed(session, [order.device])
    details = {"kind": order.kind, "order": order.id}
    record(session, actor, "order.withdraw", f"device/{order.device}", details=details)
    return order


def orders_for(session: Session, device_id: str, now: datetime) -> list[Order]:
    """The orders that wait for a device, oldest first, as its heartbeat's answer tells them."""
    query = (
        select(Order)
        .where(Order.device == device_id, Order.state == "queued", Order.expires_at > now)
        .order_by(Order.id)
        .limit(TOLD_AT_ONCE)
    )
    return list(session.scalars(query))


def acknowledge_order(
    session: Session,
    device: Actor,
    order_id: int,
    state: str,
    now: datetime,
    *,
    message: str | None = None,
) -> Order:
    """Note that the device took an order, or how it ended; saying the same again is fine.

    Raises:
        NotFound: the device has no such order.
        OrderExpired: it is too late to take it.
        Conflict: the order has ended otherwise.
    """
    order = own_order(session, device.id, order_id)
    if order.state == "queued" and order.expires_at <= now and state == "taken":
        raise OrderExpired(f"The order {order_id} has expired: leave it.")
    if order.state == state:
        return order
    if order.state == "expired" and state == "taken":
        raise OrderExpired(f"The order {order_id} has expired: leave it.")
    if state not in NEXT_ORDER_STATES[order.state]:
        raise Conflict(f"The order {order_id} is {order.state}, so it cannot be {state} now.")
    order.state = state
    order.message = message
    order.taken_at = order.taken_at or now
    if state != "taken":
        order.ended_at = now
        details = {"kind": order.kind, "order": order.id}
        record(session, device, f"order.{state}", f"device/{device.id}", details=details)
    session.flush()
    changed(session, [device.id])
    return order


def own_order(session: Session, device_id: str, order_id: int) -> Order:
    """The order, given to this device.

    Raises:
        NotFound: the device has no such order; another's looks the same.
    """
    found = session.get(Order, order_id)
    if found is None or found.device != device_id:
        raise NotFound(f"This device has no order {order_id}.")
    return found


def has_expired_orders(session: Session, now: datetime) -> bool:
    """Whether `expire_orders` would change anything."""
    query = select(Order.id).where(_overdue(now)).limit(1)
    return session.scalar(query) is not None


def expire_orders(session: Session, now: datetime) -> int:
    """End the orders whose time is over; returns how many."""
    result = session.execute(
        update(Order)
        .where(_overdue(now))
        .values(state="expired", ended_at=now)
        .execution_options(synchronize_session=False)
    )
    found: int = result.rowcount  # type: ignore[attr-defined]
    if found:
        changed(session)
    return found


def count_orders(session: Session) -> dict[str, int]:
    """How many orders are in each state that is not an end."""
    query = select(Order.state, func.count()).where(Order.state.in_(("queued", "taken")))
    return {row[0]: row[1] for row in session.execute(query.group_by(Order.state))}


def _overdue(now: datetime) -> Any:
    return Order.state.in_(("queued", "taken")) & (Order.expires_at <= now)


def _targets(
    session: Session, *, device: str | None, group: str | None, venue: str | None
) -> Sequence[str]:
    if sum(name is not None for name in (device, group, venue)) != 1:
        raise Refused("Expected exactly one of device, group and venue.")
    if device is not None:
        found = get_device(session, device)
        if found.token_hash is None or found.revoked_at is not None:
            raise Refused(f"The device {device} has no token, so no order reaches it: enrol it.")
        return [found.id]
    query = select(Device.id).where(Device.token_hash.is_not(None), Device.revoked_at.is_(None))
    if group is not None:
        find_group(session, group)
        query = query.where(Device.group == group)
    elif venue is not None:
        query = query.where(Device.venue == get_venue(session, venue).id)
    return list(session.scalars(query.order_by(Device.id)))
