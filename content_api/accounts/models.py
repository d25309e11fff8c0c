"""Tables of people, what they may do, how they prove who they are, and what was done.

Secrets are never stored: a password as an argon2id hash, a token as its SHA-256
(256 random bits need no slow hash).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from content_api.database import Base, JSONDocument, UTCDateTime, utc_now


def new_id() -> str:
    """A random id of 32 hex digits: it tells nobody how many there are."""
    return uuid4().hex


class User(Base):
    """A person who signs in. Deactivated rather than deleted: the audit trail names them."""

    __tablename__ = "user_account"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(200), default="")
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    ui_language: Mapped[str | None] = mapped_column(String(35))
    timezone: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    deactivated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    grants: Mapped[list[UserGrant]] = relationship(
        back_populates="user",
        cascade="all, delete-orphan",
        order_by="UserGrant.id",
        lazy="selectin",
    )


class UserGrant(Base):
    """A role of one person, narrowed to scopes and entry types; `["all"]` does not narrow."""

    __tablename__ = "user_grant"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), index=True
    )
    role: Mapped[str] = mapped_column(String(32))
    scopes: Mapped[list[str]] = mapped_column(JSONDocument, default=lambda: ["all"])
    types: Mapped[list[str]] = mapped_column(JSONDocument, default=lambda: ["all"])
    user: Mapped[User] = relationship(back_populates="grants")


class Token(Base):
    """A secret that acts as its user: a session after signing in, or an API token for a program."""

    __tablename__ = "token"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(16))  # session, api
    name: Mapped[str] = mapped_column(String(100), default="")
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    user: Mapped[User] = relationship()


class OneTimeLink(Base):
    """A link that lets its bearer set a user's password once: an invitation, or a reset."""

    __tablename__ = "one_time_link"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), index=True
    )
    purpose: Mapped[str] = mapped_column(String(16))  # invitation, reset
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    user: Mapped[User] = relationship()


class ExternalIdentity(Base):
    """Who a user is at an OpenID provider: the subject never changes there, names do."""

    __tablename__ = "external_identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(String(300))
    subject: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[str] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    user: Mapped[User] = relationship()


class LoginThrottle(Base):
    """Failed sign-ins of one account or address.

    The key is hashed: people type passwords into name fields, and addresses are personal.
    """

    __tablename__ = "login_throttle"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class AuditRecord(Base):
    """One change: who, what, when, from which revision. Only ever added."""

    __tablename__ = "audit_record"
    __table_args__ = (Index("ix_audit_record_subject", "subject_type", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, index=True)
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str] = mapped_column(String(64), index=True)
    actor_name: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(64), index=True)
    subject_type: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(200))
    revision: Mapped[int | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSONDocument, default=dict)
