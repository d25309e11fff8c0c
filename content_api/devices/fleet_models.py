"""Tables of what happens to many devices: orders, rollouts, plays and alerts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from content_api.database import Base, JSONDocument, UTCDateTime, utc_now
from content_api.devices.models import OptionalDocument

ORDER_KINDS = (
    "sync",
    "restart-player",
    "verify",
    "screenshot",
    "reload-settings",
    "restart-agent",
)

NEXT_ORDER_STATES: dict[str, frozenset[str]] = {
    "queued": frozenset({"taken", "done", "failed", "expired"}),
    "taken": frozenset({"done", "failed", "expired"}),
    # The device knows better than our clock what it has done.
    "expired": frozenset({"done", "failed"}),
    "done": frozenset(),
    "failed": frozenset(),
}
"""Legal state changes of an order."""

ROLLOUT_STATES = ("idle", "rolling", "held")

CONDITIONS = ("overdue", "fault", "timestamp", "rollout-held")
"""What an alert can be about."""

ALERT_CHANNELS = ("webhook", "email")

DELIVERY_STATES = ("waiting", "sent", "failed")


class Order(Base):
    """Something one device is to do once; `batch` names those that were given together."""

    __tablename__ = "device_order"
    __table_args__ = (
        CheckConstraint("state IN ('" + "', '".join(NEXT_ORDER_STATES) + "')", name="state_known"),
        Index("ix_device_order_device_id", "device", "id"),
        Index("ix_device_order_state_expires_at", "state", "expires_at"),
        Index(
            "ix_device_order_queued",
            "device",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"))
    batch: Mapped[str] = mapped_column(String(32), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONDocument, default=dict)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    message: Mapped[str | None] = mapped_column(String(500))
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    taken_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Rollout(Base):
    """How releases of a package and channel reach devices: a share first, then all.

    `base` is the newest release that every device may take. While `release` is set, those
    in `share` percent may take that one too. `wave` picks which devices are the first;
    `tolerated` are devices whose trouble somebody has seen and does not mind.
    """

    __tablename__ = "rollout"
    __table_args__ = (
        CheckConstraint("state IN ('idle', 'rolling', 'held')", name="state_known"),
        CheckConstraint("share BETWEEN 0 AND 100", name="share_percent"),
        CheckConstraint("first_share BETWEEN 1 AND 100", name="first_share_percent"),
    )

    package: Mapped[str] = mapped_column(String(64), primary_key=True)
    channel: Mapped[str] = mapped_column(String(16), primary_key=True)
    first_share: Mapped[int]
    fault_bound: Mapped[int] = mapped_column(default=5)
    base: Mapped[int | None]
    release: Mapped[int | None]
    wave: Mapped[int] = mapped_column(default=0)
    share: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default="idle")
    reason: Mapped[dict[str, Any] | None] = mapped_column(OptionalDocument)
    tolerated: Mapped[list[str] | None] = mapped_column(OptionalDocument)
    since: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    version: Mapped[int] = mapped_column(default=1)


class PlayCount(Base):
    """How often and how long an entry was shown on a device on one day; nothing about people.

    The title stays here: statistics outlive the entry they tell of.
    """

    __tablename__ = "play_count"
    __table_args__ = (Index("ix_play_count_day_device", "day", "device"),)

    device: Mapped[str] = mapped_column(
        ForeignKey("device.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    package: Mapped[str] = mapped_column(String(64), primary_key=True)
    entry: Mapped[str] = mapped_column(String(64), primary_key=True)
    language: Mapped[str] = mapped_column(String(35), primary_key=True)
    release: Mapped[int]
    title: Mapped[str] = mapped_column(String(300))
    views: Mapped[int]
    seconds: Mapped[int]


class PlayBatch(Base):
    """A batch of play counts that was taken, so that the same one sent again adds nothing."""

    __tablename__ = "play_batch"

    device: Mapped[str] = mapped_column(
        ForeignKey("device.id", ondelete="CASCADE"), primary_key=True
    )
    batch: Mapped[str] = mapped_column(String(64), primary_key=True)
    received_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, index=True)


class Alert(Base):
    """Something that wants a person, from when it began until it was over.

    `key` is what there can be only one of at a time: `fault/wall-1/disk-full`.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "uq_alert_one_open",
            "key",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("ix_alert_raised_at", "raised_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(240))
    condition: Mapped[str] = mapped_column(String(32))
    code: Mapped[str | None] = mapped_column(String(80))
    device: Mapped[str | None] = mapped_column(
        ForeignKey("device.id", ondelete="CASCADE"), index=True
    )
    venue: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(JSONDocument, default=dict)
    raised_at: Mapped[datetime] = mapped_column(UTCDateTime)
    quiet_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AlertSubscription(Base):
    """Who is told of which alerts, and how. Empty `conditions` or `venues` mean all."""

    __tablename__ = "alert_subscription"
    __table_args__ = (CheckConstraint("channel IN ('webhook', 'email')", name="channel_known"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    channel: Mapped[str] = mapped_column(String(16))
    target: Mapped[str] = mapped_column(String(500))
    conditions: Mapped[list[str]] = mapped_column(JSONDocument, default=list)
    venues: Mapped[list[str]] = mapped_column(JSONDocument, default=list)
    secret: Mapped[str] = mapped_column(String(64))
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class AlertDelivery(Base):
    """One message to one subscriber, tried until it is taken or given up."""

    __tablename__ = "alert_delivery"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'failed')", name="state_known"),
        Index("ix_alert_delivery_state_next_try_at", "state", "next_try_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subscription: Mapped[int] = mapped_column(
        ForeignKey("alert_subscription.id", ondelete="CASCADE"), index=True
    )
    alert: Mapped[int] = mapped_column(ForeignKey("alert.id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    next_try_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
