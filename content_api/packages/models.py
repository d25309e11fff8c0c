"""Tables of packages and releases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from content_api.database import Base, JSONDocument, UTCDateTime, utc_now

RELEASE_STATES = ("scheduled", "publishing", "live", "superseded", "failed", "cancelled")

NEXT_STATES: dict[str, frozenset[str]] = {
    "scheduled": frozenset({"publishing", "failed", "cancelled"}),
    "publishing": frozenset({"live", "failed"}),
    "live": frozenset({"superseded"}),
    "superseded": frozenset({"live"}),
    "failed": frozenset({"live"}),
    "cancelled": frozenset(),
}
"""Legal state changes. A superseded or failed release only becomes live when the signed
repository says it is: after a crash, or a database restored from an older backup."""


class Package(Base):
    """What editors curate for a purpose: an ordered tree of entries, languages and profiles."""

    __tablename__ = "package"

    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSONDocument)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Release(Base):
    """A numbered, frozen, signed state of a package on a channel; its truth is the repository.

    A scheduled release has no number until its hour comes.
    """

    __tablename__ = "package_release"
    __table_args__ = (
        UniqueConstraint("package", "channel", "number", name="uq_package_release_number"),
        CheckConstraint("state IN ('" + "', '".join(RELEASE_STATES) + "')", name="state_known"),
        CheckConstraint("number IS NULL OR number >= 1", name="number_from_one"),
        Index(
            "uq_package_release_one_live",
            "package",
            "channel",
            unique=True,
            sqlite_where=text("state = 'live'"),
            postgresql_where=text("state = 'live'"),
        ),
        Index("ix_package_release_due", "state", "publish_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    package: Mapped[str] = mapped_column(ForeignKey("package.slug"), index=True)
    channel: Mapped[str] = mapped_column(String(16), default="live")
    number: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(16))
    publish_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    manifest_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    manifest_size: Mapped[int | None]
    restored_from: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    problems: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONDocument)


class PreviewLink(Base):
    """A link that shows a preview to somebody without an account, for a while.

    `package` is empty where it shows one entry alone; `options` say what is shown.
    """

    __tablename__ = "preview_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    package: Mapped[str | None] = mapped_column(
        ForeignKey("package.slug", ondelete="CASCADE"), index=True
    )
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    options: Mapped[dict[str, Any]] = mapped_column(JSONDocument, default=dict)
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
