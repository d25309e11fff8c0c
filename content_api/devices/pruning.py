"""What the fleet's tables need no longer, and when that is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from content_api.devices.enrolment import TRIES_WINDOW
from content_api.devices.fleet_models import Alert, AlertDelivery, Order, PlayBatch, PlayCount
from content_api.devices.models import EnrolmentAttempt, EnrolmentCode, Heartbeat

HEARTBEAT_AGE = timedelta(days=30)

DEAD_CODE_AGE = timedelta(days=30)
"""An expired code is remembered this long, so that the device is told why it is refused."""

ORDER_AGE = timedelta(days=90)

BATCH_AGE = timedelta(days=400)
"""A device may come back after a year with a batch whose answer it never got."""

ALERT_AGE = timedelta(days=365)
"""A resolved alert is kept this long."""

DELIVERY_AGE = timedelta(days=30)

PLAYS_DAYS = 730
"""Days that play counts are kept, unless a setting says otherwise."""


def has_old_rows(session: Session, now: datetime, *, plays_days: int = PLAYS_DAYS) -> bool:
    """Whether `prune` would remove anything."""
    return any(
        session.scalar(select(1).select_from(model).where(condition).limit(1)) is not None
        for model, condition in _old_rows(now, plays_days)
    )


def prune(session: Session, now: datetime, *, plays_days: int = PLAYS_DAYS) -> int:
    """Drop what is too old to be of use; returns how many rows."""
    removed = 0
    for model, condition in _old_rows(now, plays_days):
        result = session.execute(delete(model).where(condition))
        removed += result.rowcount  # type: ignore[attr-defined]
    return removed


def _old_rows(now: datetime, plays_days: int) -> list[tuple[Any, Any]]:
    ended = Order.state.in_(("done", "failed", "expired"))
    return [
        (Heartbeat, Heartbeat.received_at < now - HEARTBEAT_AGE),
        (EnrolmentAttempt, EnrolmentAttempt.at < now - TRIES_WINDOW),
        (EnrolmentCode, EnrolmentCode.expires_at < now - DEAD_CODE_AGE),
        (Order, ended & (Order.expires_at < now - ORDER_AGE)),
        (PlayBatch, PlayBatch.received_at < now - BATCH_AGE),
        (PlayCount, PlayCount.day < (now - timedelta(days=plays_days)).date()),
        (
            AlertDelivery,
            (AlertDelivery.state != "waiting") & (AlertDelivery.created_at < now - DELIVERY_AGE),
        ),
        (Alert, Alert.resolved_at < now - ALERT_AGE),
    ]
