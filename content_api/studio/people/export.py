"""The audit trail as a file: CSV for spreadsheets, JSON lines for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from io import StringIO

from content_api.accounts.models import AuditRecord

COLUMNS = (
    *("id", "at", "actor_kind", "actor_id", "actor_name"),
    *("action", "subject", "revision", "details"),
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{text}" if text.lstrip(" \u00a0\u3000").startswith(_FORMULA) else text


def csv_lines(rows: Iterable[AuditRecord]) -> Iterator[str]:
    """RFC 4180, with a byte order mark so that spreadsheets read UTF-8."""
    yield "\ufeff" + _line(COLUMNS)
    for row in rows:
        values = _values(row)
        values["details"] = json.dumps(row.details, ensure_ascii=False, sort_keys=True)
        texts = ("" if values[name] is None else str(values[name]) for name in COLUMNS)
        yield _line(tuple(safe_cell(text) for text in texts))


def json_lines(rows: Iterable[AuditRecord]) -> Iterator[str]:
    """One JSON object a line."""
    for row in rows:
        yield json.dumps({**_values(row), "details": row.details}, ensure_ascii=False) + "\n"


def _values(row: AuditRecord) -> dict[str, object]:
    return {
        "id": row.id,
        "at": row.at.isoformat(timespec="seconds"),
        "actor_kind": row.actor_kind,
        "actor_id": row.actor_id,
        "actor_name": row.actor_name,
        "action": row.action,
        "subject": f"{row.subject_type}/{row.subject_id}",
        "revision": row.revision,
    }


def _line(texts: Iterable[str]) -> str:
    held = StringIO()
    csv.writer(held).writerow(texts)
    return held.getvalue()
