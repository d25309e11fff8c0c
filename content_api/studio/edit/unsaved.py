"""An entry as its page shows it: with the person's own unsaved work laid over it."""

from __future__ import annotations

from typing import Any

from content_api.accounts.rules import Actor
from content_api.content import service, working_copies
from content_api.content.document import Flat, flatten
from content_api.content.models import Entry, Revision, WorkingCopy
from content_api.database import session
from content_api.studio.edit.merging import lay_over, reconcile
from content_api.studio.edit.wording import Wording


def with_unsaved(
    actor: Actor, entry: Entry, head: Revision, wording: Wording
) -> tuple[Flat, Flat, int, WorkingCopy | None]:
    """The document to start from, the one to show, the revision of the first, the working copy."""
    newest = flatten(head.body)
    copy = working_copies.find_working_copy(session(), actor, entry.id)
    if copy is None or not copy.operations:
        return newest, newest, head.rev, None
    before = head
    if copy.base_rev != head.rev:
        before = service.get_revision(session(), entry.id, copy.base_rev)
    base = flatten(before.body)
    mine = lay_over(base, copy.operations, wording.stories)
    if before.rev == head.rev:
        return base, mine, head.rev, copy
    together = reconcile(base, mine, newest, wording.stories)
    if together.decisions:
        # Decided when saving: until then the page shows what was typed, as it was typed.
        return base, mine, before.rev, copy
    return newest, together.flat, head.rev, copy


def pairs(flat: Flat) -> list[list[Any]]:
    """A document as the page's script reads it: [path, scope, value]."""
    return [[path, scope, value] for (path, scope), value in flat.items()]
