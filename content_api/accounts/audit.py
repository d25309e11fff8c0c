"""The audit trail: every change says who, what, when and from which revision.

A record is written in the transaction of the change it tells of, so neither can be
there without the other. Details never hold secrets or whole texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from content_api.accounts.models import AuditRecord
from content_api.accounts.rules import Actor


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject: str,
    *,
    revision: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> AuditRecord:
    """Add one record to the trail.

    `action` is what was done, as `package.change`. `subject` is `<type>/<id>`, as
    `entry/fosse-9`; the id may hold more slashes. `revision` is the one the change
    started from.
    """
    subject_type, slash, subject_id = subject.partition("/")
    if not slash or not subject_id:
        raise ValueError(f"expected a subject as type/id, got {subject!r}")
    found = AuditRecord(
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        subject_type=subject_type,
        subject_id=subject_id,
        revision=revision,
        details=dict(details or {}),
    )
    session.add(found)
    session.flush()
    return found


def list_audit(
    session: Session,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 200,
) -> list[AuditRecord]:
    """Records, newest first.

    `actor` is an id or a name, `action` a whole action or its first word, `subject` a
    type or `type/id`; `since` is inclusive, `until` is not.
    """
    query = select(AuditRecord).order_by(AuditRecord.id.desc()).limit(limit)
    if actor is not None:
        query = query.where((AuditRecord.actor_id == actor) | (AuditRecord.actor_name == actor))
    if action is not None:
        prefix = AuditRecord.action.startswith(f"{action}.", autoescape=True)
        query = query.where((AuditRecord.action == action) | prefix)
    if subject is not None:
        kind, slash, subject_id = subject.partition("/")
        query = query.where(AuditRecord.subject_type == kind)
        query = query.where(AuditRecord.subject_id == subject_id) if slash else query
    if since is not None:
        query = query.where(AuditRecord.at >= since)
    if until is not None:
        query = query.where(AuditRecord.at < until)
    if before is not None:
        query = query.where(AuditRecord.id < before)
    return list(session.scalars(query))
