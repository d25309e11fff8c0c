"""The language table."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from content_api.database import Base, JSONDocument


class Language(Base):
    """A language content is written in. `fallback` is the whole chain, in order."""

    __tablename__ = "language"
    __table_args__ = (CheckConstraint("dir IN ('ltr', 'rtl')", name="dir_known"),)

    tag: Mapped[str] = mapped_column(String(35), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    dir: Mapped[str] = mapped_column(String(3))
    fallback: Mapped[list[str]] = mapped_column(JSONDocument, default=list)
    source: Mapped[str | None] = mapped_column(String(35))
    """The language translations into this one start from; None for an original."""
    position: Mapped[int] = mapped_column(default=0)
