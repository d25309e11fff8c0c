"""The audit trail: every change says who, what, when and from which revision.

A record is written in the transaction of the change it tells of, so neither can be
there without the other. Details never hold secrets or whole texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
