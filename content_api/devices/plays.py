"""Proof of play: how often and how long each entry was shown, by device and day.

Nothing about people comes in or is kept: no times of day, no visits, no order of pages.
Titles are kept with the numbers, for statistics outlive the entry they tell of. A batch
counts once, however often a device sends it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from content_api.devices.fleet_models import PlayBatch, PlayCount
from content_api.devices.models import Device

MOST_ROWS = 500
"""Rows of one batch."""

COLUMNS = (
    "day",
    "venue",
    "device",
    "package",
    "release",
    "entry",
    "title",
    "language",
    "views",
    "seconds",
)
"""Of the export, in order."""

_KEY = ("device", "day", "package", "entry", "language")

# A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def note_plays(
    session: Session,
    device_id: str,
    batch: str,
    rows: Sequence[Mapping[str, Any]],
    now: datetime,
) -> bool:
    """Add a batch of counts to what is known of a device; False when it was taken before."""
    insert = _insert(session)
    taken = session.scalar(
        insert(PlayBatch)
        .values(device=device_id, batch=batch, received_at=now)
        .on_conflict_do_nothing()
        .returning(PlayBatch.batch)
    )
    if taken is None:
        return False
    counts = add_up(device_id, rows)
    if counts:
        statement = insert(PlayCount)
        statement = statement.on_conflict_do_update(
            index_elements=list(_KEY),
            set_={
                "views": PlayCount.views + statement.excluded.views,
                "seconds": PlayCount.seconds + statement.excluded.seconds,
                "title": statement.excluded.title,
                "release": statement.excluded.release,
            },
        )
        session.execute(statement, counts, execution_options={"render_nulls": True})
    return True


def add_up(device_id: str, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each day, package, entry and language; the newest title wins. Pure."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        counted = {**row, "device": device_id}
        key = tuple(counted[name] for name in _KEY)
        before = found.get(key)
        if before is None:
            found[key] = counted
            continue
        before["views"] += row["views"]
        before["seconds"] += row["seconds"]
        if row["release"] >= before["release"]:
            before["title"], before["release"] = row["title"], row["release"]
    return [found[key] for key in sorted(found)]


def list_plays(
    session: Session,
    *,
    since: date | None = None,
    until: date | None = None,
    device: str | None = None,
    venue: str | None = None,
    package: str | None = None,
    after: Sequence[Any] | None = None,
    limit: int | None = 200,
) -> list[dict[str, Any]]:
    """Counts by day and device; `since` and `until` are both included, `after` is a row's key."""
    query = _rows(since, until, device, venue, package)
    if after is not None:
        query = query.where(tuple_(*_order()) > tuple_(*after))
    return [dict(row) for row in session.execute(query.limit(limit)).mappings()]


def sum_plays(
    session: Session,
    *,
    since: date | None = None,
    until: date | None = None,
    device: str | None = None,
    venue: str | None = None,
    package: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Each entry's views and seconds over all days and devices asked for, the most seen first."""
    part = _rows(since, until, device, venue, package).order_by(None).subquery()
    query = (
        select(
            part.c.package,
            part.c.entry,
            func.max(part.c.title).label("title"),
            func.sum(part.c.views).label("views"),
            func.sum(part.c.seconds).label("seconds"),
        )
        .group_by(part.c.package, part.c.entry)
        .order_by(func.sum(part.c.views).desc(), part.c.package, part.c.entry)
        .limit(limit)
    )
    return [
        {**row, "views": int(row["views"]), "seconds": int(row["seconds"])}
        for row in session.execute(query).mappings()
    ]


def total_plays(
    session: Session,
    *,
    since: date | None = None,
    until: date | None = None,
    device: str | None = None,
    venue: str | None = None,
    package: str | None = None,
) -> dict[str, int]:
    """All views and seconds, and of how many entries on how many devices."""
    part = _rows(since, until, device, venue, package).order_by(None).subquery()
    row = session.execute(
        select(
            func.coalesce(func.sum(part.c.views), 0).label("views"),
            func.coalesce(func.sum(part.c.seconds), 0).label("seconds"),
            func.count(part.c.entry.distinct()).label("entries"),
            func.count(part.c.device.distinct()).label("devices"),
        )
    ).mappings()
    return {name: int(value) for name, value in row.one().items()}


def write_csv(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The counts as CSV (RFC 4180) with a line of names first, a piece at a time.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    yield _line(COLUMNS)
    for row in rows:
        yield _line(_plain(row[name]) for name in COLUMNS)


def _rows(
    since: date | None,
    until: date | None,
    device: str | None,
    venue: str | None,
    package: str | None,
) -> Any:
    query: Any = (
        select(
            PlayCount.day,
            Device.venue,
            PlayCount.device,
            PlayCount.package,
            PlayCount.release,
            PlayCount.entry,
            PlayCount.title,
            PlayCount.language,
            PlayCount.views,
            PlayCount.seconds,
        )
        .join(Device, Device.id == PlayCount.device)
        .order_by(*_order())
    )
    if since is not None:
        query = query.where(PlayCount.day >= since)
    if until is not None:
        query = query.where(PlayCount.day <= until)
    for column, value in (
        (PlayCount.device, device),
        (Device.venue, venue),
        (PlayCount.package, package),
    ):
        if value is not None:
            query = query.where(column == value)
    return query


def _order() -> tuple[Any, ...]:
    return (
        PlayCount.day,
        PlayCount.device,
        PlayCount.package,
        PlayCount.entry,
        PlayCount.language,
    )


def _insert(session: Session) -> Any:
    return postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _line(cells: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(list(cells))
    return text.getvalue()
