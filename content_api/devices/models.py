"""Tables of venues, devices, groups, enrolment codes and heartbeats."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from content_api.database import Base, JSONDocument, UTCDateTime, utc_now

OptionalDocument = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON value, or nothing at all: a query can ask which."""


class Venue(Base):
    """A place that holds devices; its time zone is the one its devices live in.

    `opening` and `closed` are rows and dates as docs/package-format.md has them in a schedule.
    """

    __tablename__ = "venue"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    opening: Mapped[list[dict[str, Any]] | None] = mapped_column(OptionalDocument)
    closed: Mapped[list[str] | None] = mapped_column(OptionalDocument)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class DeviceGroup(Base):
    """Devices that are told the same; a field that is None is left to each device."""

    __tablename__ = "device_group"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    package: Mapped[str | None] = mapped_column(String(64))
    channel: Mapped[str | None] = mapped_column(String(16))
    profile: Mapped[str | None] = mapped_column(String(16))
    languages: Mapped[list[str] | None] = mapped_column(OptionalDocument)
    programme: Mapped[list[dict[str, Any]] | None] = mapped_column(OptionalDocument)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONDocument, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Device(Base):
    """One display, and what it is told to show.

    `package` names a package without a foreign key: a device may be assigned before the
    package exists, and keeps playing after it is gone. In a group its columns hold what it
    is told after the group had its say; `own` names the fields it does not take from there.
    `settings` are its own alone. What is said below `last_heartbeat` is drawn from it.
    """

    __tablename__ = "device"
    __table_args__ = (
        Index("ix_device_active", "active_package", "active_release"),
        Index(
            "ix_device_trouble",
            "trouble",
            sqlite_where=text("trouble IS NOT NULL"),
            postgresql_where=text("trouble IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    venue: Mapped[str] = mapped_column(ForeignKey("venue.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    group: Mapped[str | None] = mapped_column(String(64), index=True)
    own: Mapped[list[str] | None] = mapped_column(OptionalDocument)
    package: Mapped[str] = mapped_column(String(64))
    channel: Mapped[str] = mapped_column(String(16), default="live")
    profile: Mapped[str] = mapped_column(String(16))
    languages: Mapped[list[str]] = mapped_column(JSONDocument)
    programme: Mapped[list[dict[str, Any]] | None] = mapped_column(OptionalDocument)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONDocument, default=dict)
    release_limits: Mapped[dict[str, int] | None] = mapped_column(OptionalDocument)
    assignment_version: Mapped[int] = mapped_column(default=1)
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    client: Mapped[str | None] = mapped_column(String(64))
    platform: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    enrolled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    replaced_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_heartbeat: Mapped[dict[str, Any] | None] = mapped_column(JSONDocument)
    history_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    playing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    active_package: Mapped[str | None] = mapped_column(String(64))
    active_release: Mapped[int | None]
    returned_package: Mapped[str | None] = mapped_column(String(64))
    returned_release: Mapped[int | None]
    trouble: Mapped[str | None] = mapped_column(String(400))
    screenshot_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class EnrolmentCode(Base):
    """A code that enrols one device once. Only its SHA-256 is kept."""

    __tablename__ = "enrolment_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class EnrolmentAttempt(Base):
    """A failed try to enrol, kept for as long as it counts against its address."""

    __tablename__ = "enrolment_attempt"
    __table_args__ = (Index("ix_enrolment_attempt_address_at", "address", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Heartbeat(Base):
    """What a device reported, and when it came in, whenever it said something new; pruned."""

    __tablename__ = "heartbeat"
    __table_args__ = (Index("ix_heartbeat_device_received", "device", "received_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"))
    received_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    body: Mapped[dict[str, Any]] = mapped_column(JSONDocument)
