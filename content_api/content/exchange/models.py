"""Files that came back from translators, until somebody has decided about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from content_api.database import Base, JSONDocument, UTCDateTime, utc_now


class ExchangeUpload(Base):
    """A file somebody sent. `report` is what became of it, once it was taken."""

    __tablename__ = "exchange_upload"
    __table_args__ = (Index("ix_exchange_upload_actor_id", "actor_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    actor_id: Mapped[str] = mapped_column(String(64))
    filename: Mapped[str] = mapped_column(String(200))
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONDocument)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    taken_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
