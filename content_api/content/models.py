"""Tables of content: entries, immutable revisions, approvals, translation claims, references."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from content_api.database import Base, JSONDocument, UTCDateTime, utc_now

CLAIM_STATES = ("machine", "translated", "reviewed")

REVIEW_STATES = ("waiting", "sent_back")


class Entry(Base):
    """A piece of content. What it says is in its revisions; `head_rev` is the newest."""

    __tablename__ = "entry"
    __table_args__ = (
        Index("ix_entry_type_id", "type", "id"),
        Index("ix_entry_updated_at_id", "updated_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    type: Mapped[str] = mapped_column(String(40))
    head_rev: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    archived_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Revision(Base):
    """One saved state of an entry, whole, never edited.

    `body` is the document, `touched` the [path, scope] pairs that differ from `parent_rev`.
    """

    __tablename__ = "revision"
    __table_args__ = (
        UniqueConstraint("entry_id", "rev", name="uq_revision_entry_id_rev"),
        Index("ix_revision_author_entry_id", "author", "entry_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", ondelete="CASCADE"))
    rev: Mapped[int]
    parent_rev: Mapped[int | None]
    type_version: Mapped[int | None]
    body: Mapped[dict[str, Any]] = mapped_column(JSONDocument)
    body_sha256: Mapped[str] = mapped_column(String(64))
    touched: Mapped[list[list[str]]] = mapped_column(JSONDocument)
    author: Mapped[str] = mapped_column(String(64))
    message: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class WorkingCopy(Base):
    """What one person has typed and not saved. No history, nobody else's business."""

    __tablename__ = "working_copy"

    entry_id: Mapped[str] = mapped_column(
        ForeignKey("entry.id", ondelete="CASCADE"), primary_key=True
    )
    actor_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    base_rev: Mapped[int]
    operations: Mapped[list[dict[str, Any]]] = mapped_column(JSONDocument)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Approval(Base):
    """The pointer: for this entry and scope, revision `rev` may be published."""

    __tablename__ = "approval"

    entry_id: Mapped[str] = mapped_column(
        ForeignKey("entry.id", ondelete="CASCADE"), primary_key=True
    )
    scope: Mapped[str] = mapped_column(String(35), primary_key=True)
    rev: Mapped[int]
    approved_by: Mapped[str] = mapped_column(String(64))
    approved_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class ApprovalLog(Base):
    """Every move of an approval. Only ever added to; it outlives the entry."""

    __tablename__ = "approval_log"
    __table_args__ = (Index("ix_approval_log_entry_id", "entry_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column(String(35))
    from_rev: Mapped[int | None]
    to_rev: Mapped[int | None]
    by: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Unit(Base):
    """One text of an entry's head in one language: an index that can be rebuilt."""

    __tablename__ = "unit"
    __table_args__ = (Index("ix_unit_scope_path", "scope", "entry_id"),)

    entry_id: Mapped[str] = mapped_column(
        ForeignKey("entry.id", ondelete="CASCADE"), primary_key=True
    )
    path: Mapped[str] = mapped_column(String(200), primary_key=True)
    scope: Mapped[str] = mapped_column(String(35), primary_key=True)
    value_sha256: Mapped[str] = mapped_column(String(64))
    characters: Mapped[int]


class Claim(Base):
    """Somebody said: this text was made (or reviewed) as a translation of that one.

    Only ever added to. A translation's status is read from the newest claim about the
    present pair of texts, so it follows the texts back and forth.
    """

    __tablename__ = "claim"
    __table_args__ = (
        Index("ix_claim_entry_id_path_scope", "entry_id", "path", "scope"),
        CheckConstraint("state IN ('" + "', '".join(CLAIM_STATES) + "')", name="state_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(String(200))
    scope: Mapped[str] = mapped_column(String(35))
    value_sha256: Mapped[str] = mapped_column(String(64))
    source_scope: Mapped[str] = mapped_column(String(35))
    source_sha256: Mapped[str] = mapped_column(String(64))
    source_rev: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    carried: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str | None] = mapped_column(String(500))
    by: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class EntryStatus(Base):
    """What lists need of an entry's head in one scope; `content.statuses` keeps it true.

    How many texts have which translation status, what names the entry (plain, and folded to
    sort by), the last revision that changed the scope, and in `*` the day its rights end.
    An index that can be rebuilt from revisions, units and claims.
    """

    __tablename__ = "entry_status"
    __table_args__ = (
        # Holds all that the totals of a language need, so that they read no row.
        Index("ix_entry_status_scope_work", "scope", "missing", "outdated", "machine"),
        Index("ix_entry_status_scope_outdated", "scope", "outdated"),
        Index("ix_entry_status_scope_expires_on", "scope", "expires_on"),
    )

    entry_id: Mapped[str] = mapped_column(
        ForeignKey("entry.id", ondelete="CASCADE"), primary_key=True
    )
    scope: Mapped[str] = mapped_column(String(35), primary_key=True)
    missing: Mapped[int] = mapped_column(default=0)
    outdated: Mapped[int] = mapped_column(default=0)
    machine: Mapped[int] = mapped_column(default=0)
    translated: Mapped[int] = mapped_column(default=0)
    reviewed: Mapped[int] = mapped_column(default=0)
    last_rev: Mapped[int] = mapped_column(default=0)
    title: Mapped[str | None] = mapped_column(Text)
    sort_title: Mapped[str | None] = mapped_column(String(80))
    expires_on: Mapped[str | None] = mapped_column(String(10))


class ReviewRequest(Base):
    """A scope of an entry that waits for a reviewer, or that one sent back with a reason.

    Approving the scope ends it.
    """

    __tablename__ = "review_request"
    __table_args__ = (
        Index("ix_review_request_state_scope", "state", "scope"),
        CheckConstraint("state IN ('" + "', '".join(REVIEW_STATES) + "')", name="state_known"),
    )

    entry_id: Mapped[str] = mapped_column(
        ForeignKey("entry.id", ondelete="CASCADE"), primary_key=True
    )
    scope: Mapped[str] = mapped_column(String(35), primary_key=True)
    rev: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    note: Mapped[str | None] = mapped_column(String(1000))
    requested_by: Mapped[str] = mapped_column(String(64))
    requested_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Comment(Base):
    """What somebody says about one field of an entry, until it is resolved."""

    __tablename__ = "comment"
    __table_args__ = (Index("ix_comment_entry_id_id", "entry_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(String(200))
    scope: Mapped[str] = mapped_column(String(35))
    rev: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    resolved_by: Mapped[str | None] = mapped_column(String(64))
    resolved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Presence(Base):
    """Who has an entry open, as their page last said; nothing is locked by it."""

    __tablename__ = "presence"

    entry_id: Mapped[str] = mapped_column(
        ForeignKey("entry.id", ondelete="CASCADE"), primary_key=True
    )
    actor_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[str] = mapped_column(String(200), default="")
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Reference(Base):
    """An entry or asset that an entry names, at its head or in an approved revision."""

    __tablename__ = "reference"
    __table_args__ = (Index("ix_reference_to_id", "to_id"),)

    from_id: Mapped[str] = mapped_column(
        ForeignKey("entry.id", ondelete="CASCADE"), primary_key=True
    )
    path: Mapped[str] = mapped_column(String(200), primary_key=True)
    to_id: Mapped[str] = mapped_column(String(64), primary_key=True)


class SearchText(Base):
    """The words of an entry's head in one language, normalised; full-text indexes read this."""

    __tablename__ = "search_text"

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", ondelete="CASCADE"), index=True)
    scope: Mapped[str] = mapped_column(String(35))
    words: Mapped[str] = mapped_column(Text)


class ContentTypeVersion(Base):
    """A content type as it was: every revision names the version it was written for."""

    __tablename__ = "content_type_version"
    __table_args__ = (
        UniqueConstraint("type", "sha256", name="uq_content_type_version_type_sha256"),
    )

    type: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any]] = mapped_column(JSONDocument)
    since: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
