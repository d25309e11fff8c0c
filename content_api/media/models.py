"""Tables of assets and their renditions.

What is said of an asset (alternative text, caption, credit, rights, focal point) is an
entry of type `asset` with the same id. These tables hold only what the bytes are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from content_api.database import Base, JSONDocument, UTCDateTime, utc_now

KINDS = ("image", "audio", "video", "document", "subtitles")


class Asset(Base):
    """An uploaded file. Until its file has come, everything but the id is empty.

    Pixels are as the file stores them, turned upright; `duration` is in seconds. `facts`
    holds what only some formats have, such as a bit rate or the number of cues.
    """

    __tablename__ = "asset"
    __table_args__ = (
        CheckConstraint(
            "kind IS NULL OR kind IN ('" + "', '".join(KINDS) + "')", name="kind_known"
        ),
        CheckConstraint("(sha256 IS NULL) = (kind IS NULL)", name="kind_with_file"),
    )

    id: Mapped[str] = mapped_column(ForeignKey("entry.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str | None] = mapped_column(String(16), index=True)
    media_type: Mapped[str | None] = mapped_column(String(64))
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    size: Mapped[int | None] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    duration: Mapped[float | None]
    filename: Mapped[str | None] = mapped_column(String(200))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONDocument, default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)

    renditions: Mapped[list[Rendition]] = relationship(
        back_populates="asset",
        cascade="all, delete-orphan",
        order_by="Rendition.position",
        lazy="selectin",
    )


class Rendition(Base):
    """One encoding of an asset, for the display profiles it serves. Empty `profiles` means all.

    `recipe` says which version of our encoding rules made it, so that a change of the rules
    is told apart from a change of the file.
    """

    __tablename__ = "rendition"

    asset_id: Mapped[str] = mapped_column(
        ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(String(64))
    width: Mapped[int | None]
    height: Mapped[int | None]
    profiles: Mapped[list[str]] = mapped_column(JSONDocument, default=list)
    blocks: Mapped[list[str]] = mapped_column(JSONDocument, default=list)
    source_sha256: Mapped[str] = mapped_column(String(64), index=True)
    recipe: Mapped[int]

    asset: Mapped[Asset] = relationship(back_populates="renditions")
