"""Entries and their revisions: making, saving, restoring, deleting, and where they are used.

A save is a list of operations and the revision it started from. Saves of different
(path, scope) pairs merge by themselves; true conflicts are told with all three texts.
An entry's row is locked while its next revision is made, so two saves at once cannot
make the same one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from content_api.accounts.access import authorise
from content_api.accounts.audit import record
from content_api.accounts.rules import Actor
from content_api.content.approvals import approve, approved_documents, withdraw
from content_api.content.claims import (
    MadeFrom,
    carry_claims,
    claim_saved,
    made_from_older,
    translation_status,
)
from content_api.content.document import (
    SHARED,
    Body,
    Clashes,
    Flat,
    OperationRefused,
    Pair,
    apply_operations,
    body_sha256,
    changed_pairs,
    field_at,
    flatten,
    merge,
    unflatten,
)
from content_api.content.index import REFERENCE_KINDS, update_index
from content_api.content.models import ContentTypeVersion, Entry, Reference, Revision
from content_api.content.statuses import note_revision, update_statuses
from content_api.content.types import ContentType, ContentTypes, content_types
from content_api.content.values import ValueRefused, clean_text, reference_fault
from content_api.database import utc_now
from content_api.languages.models import Language
from content_api.packages.models import Package
from content_api.packages.source import listed_assets, listed_entries
from content_api.problems import Conflict, NotFound, PreconditionFailed, Refused
from package_format.layout import is_slug

__all__ = [
    "EditConflict",
    "approve",
    "approved_documents",
    "create_entry",
    "delete_entry",
    "find_entry",
    "get_entry",
    "get_revision",
    "put_document",
    "restore_revision",
    "save_entry",
    "translation_status",
    "where_used",
    "withdraw",
]

Operations = Sequence[Mapping[str, Any]]


class EditConflict(Conflict):
    """Somebody else changed the same values. `details.conflicts` holds base, mine and theirs."""

    code = "edit-conflict"


@dataclass(frozen=True, slots=True)
class Use:
    """One place that names an entry or asset: `kind` is `entry` or `package`."""

    kind: str
    id: str
    type: str | None
    path: str


def create_entry(
    session: Session,
    actor: Actor,
    type_id: str,
    operations: Operations = (),
    *,
    entry_id: str | None = None,
    message: str | None = None,
    types: ContentTypes | None = None,
) -> Revision:
    """A new entry with its first revision.

    Raises:
        Refused: no such type, an id that is none, an operation that cannot be done.
        Conflict: the id is taken.
        Forbidden: the actor may not write all of its scopes.
    """
    types = types or content_types()
    kind = types.find_type(type_id)
    if kind is None:
        raise _refused("/type", f"expected one of {', '.join(types.types)}, got {type_id[:40]!r}")
    if entry_id is None:
        entry_id = f"{type_id.replace('_', '-')}-{uuid4().hex[:12]}"
    elif not is_slug(entry_id):
        raise _refused(
            "/id",
            f"expected an id such as fosse-9-9-bis of at most 64 characters, got {entry_id!r:.80}",
        )
    tags = _tags(session)
    body = _applied(types, kind, {"fields": {}}, operations, tags)
    touched = changed_pairs({}, flatten(body))
    authorise(actor, "entry.write", entry_type=type_id, scopes=_scopes(touched) or {SHARED})
    if session.get(Entry, entry_id) is not None:
        raise Conflict(f"There is an entry {entry_id} already.", details={"id": entry_id})
    entry = Entry(id=entry_id, type=type_id, head_rev=0)
    try:
        with session.begin_nested():
            session.add(entry)
            session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"There is an entry {entry_id} already.", details={"id": entry_id}
        ) from error
    revision = _add_revision(session, actor, types, kind, entry, body, touched, None, message)
    record(
        session,
        actor,
        "entry.create",
        f"entry/{entry_id}",
        details={"type": type_id, "rev": revision.rev},
    )
    return revision


def save_entry(
    session: Session,
    actor: Actor,
    entry_id: str,
    expected_rev: int,
    operations: Operations,
    *,
    message: str | None = None,
    minor: Collection[str] = (),
    made_from: Mapping[Pair, MadeFrom] | None = None,
    types: ContentTypes | None = None,
) -> Revision:
    """Save `operations` made on revision `expected_rev`; the revision that holds them.

    What was saved in between is kept: the two are merged. A save that changes nothing
    makes no revision. `minor` names paths whose meaning is unchanged: translations of
    them stay as current as they were. A translation counts as made from the source as it
    was at `expected_rev`; `made_from` tells of those that were made from another text, or
    by a machine.

    Raises:
        NotFound: no such entry.
        Refused: an operation that cannot be done.
        PreconditionFailed: there is no revision `expected_rev`.
        EditConflict: both changed the same values.
        Forbidden: the actor may not write all of the scopes that change.
    """
    types = types or content_types()
    entry = lock_entry(session, entry_id)
    kind = type_of(types, entry)
    authorise(actor, "entry.write", entry_type=entry.type)
    tags = _tags(session)
    head = get_revision(session, entry_id, entry.head_rev)
    base = head
    if expected_rev != entry.head_rev:
        base = _base(session, entry, expected_rev)
    mine = _applied(types, kind, base.body, operations, tags)
    before = flatten(head.body)
    try:
        after = merge(flatten(base.body), flatten(mine), before)
    except Clashes as clashes:
        raise _conflict(entry, clashes) from clashes
    if base is not head:
        seen = made_from_older(session, types, kind, base, flatten(mine), after)
        made_from = {**seen, **(made_from or {})}
    return _save(
        session, actor, types, kind, entry, head, before, after,
        minor=minor, message=message, made_from=made_from,
    )  # fmt: skip


def restore_revision(
    session: Session,
    actor: Actor,
    entry_id: str,
    rev: int,
    *,
    message: str | None = None,
    types: ContentTypes | None = None,
) -> Revision:
    """Save revision `rev`'s document again as the newest; history only grows.

    Raises:
        NotFound: no such entry or revision.
        Forbidden: the actor may not write all of the scopes that change.
    """
    types = types or content_types()
    entry = lock_entry(session, entry_id)
    kind = type_of(types, entry)
    authorise(actor, "entry.write", entry_type=entry.type)
    head = get_revision(session, entry_id, entry.head_rev)
    old = get_revision(session, entry_id, rev)
    message = message or f"Restore revision {rev}"
    return _save(
        session, actor, types, kind, entry, head, flatten(head.body), flatten(old.body),
        message=message,
    )  # fmt: skip


def put_document(
    session: Session,
    actor: Actor,
    type_id: str,
    entry_id: str,
    body: Body,
    *,
    message: str | None = None,
    types: ContentTypes | None = None,
) -> tuple[str, Revision]:
    """Make `body` an entry's newest document: `created`, `changed` or `unchanged`, and its head.

    For whoever has checked the whole already, references too, and brings claims of its own.
    """
    types = types or content_types()
    kind = types.type(type_id)
    if session.get(Entry, entry_id) is None:
        touched = changed_pairs({}, flatten(body))
        authorise(actor, "entry.write", entry_type=type_id, scopes={SHARED} | _scopes(touched))
        entry = Entry(id=entry_id, type=type_id, head_rev=0)
        session.add(entry)
        session.flush()
        revision = _add_revision(
            session, actor, types, kind, entry, dict(body), touched, None, message,
            check=False, claim=False,
        )  # fmt: skip
        details = {"type": type_id, "rev": revision.rev}
        record(session, actor, "entry.create", f"entry/{entry_id}", details=details)
        return "created", revision
    entry = lock_entry(session, entry_id)
    head = get_revision(session, entry_id, entry.head_rev)
    revision = _save(
        session, actor, types, kind, entry, head, flatten(head.body), flatten(body),
        message=message, check=False, claim=False,
    )  # fmt: skip
    return ("unchanged" if revision is head else "changed"), revision


def get_entry(session: Session, actor: Actor, entry_id: str) -> Entry:
    """An entry that `actor` may read.

    Raises:
        NotFound: no such entry.
        Forbidden: of a type the actor may not read.
    """
    entry = find_entry(session, entry_id)
    if entry is None:
        raise NotFound(f"There is no entry {entry_id[:64]!r}.")
    authorise(actor, "entry.read", entry_type=entry.type)
    return entry


def find_entry(session: Session, entry_id: str) -> Entry | None:
    """The entry `entry_id`, or None."""
    return session.get(Entry, entry_id) if is_slug(entry_id) else None


def get_revision(session: Session, entry_id: str, rev: int) -> Revision:
    """One revision of an entry.

    Raises:
        NotFound: there is none.
    """
    found = None
    if 0 < rev < 2**31:
        found = session.scalar(
            select(Revision).where(Revision.entry_id == entry_id, Revision.rev == rev)
        )
    if found is None:
        raise NotFound(f"There is no revision {rev} of {entry_id[:64]}.")
    return found


def delete_entry(session: Session, actor: Actor, entry_id: str) -> None:
    """Remove an entry with its history. What was approved and released stays released.

    Raises:
        NotFound: no such entry.
        Conflict: something uses it; `details.used_by` says what.
        Forbidden: the actor may not delete entries of its type.
    """
    entry = lock_entry(session, entry_id)
    authorise(actor, "entry.delete", entry_type=entry.type)
    uses = [use for use in where_used(session, entry_id) if use.id != entry_id]
    if uses:
        names = dict.fromkeys(f"{use.kind} {use.id}" for use in uses)
        raise Conflict(
            f"{entry_id} is used by {', '.join(list(names)[:5])}: remove those uses first.",
            details={"used_by": [_use_json(use) for use in uses[:100]]},
        )
    record(
        session,
        actor,
        "entry.delete",
        f"entry/{entry_id}",
        revision=entry.head_rev,
        details={"type": entry.type},
    )
    session.delete(entry)
    session.flush()


def where_used(session: Session, entry_id: str) -> list[Use]:
    """Every place that names an entry or asset: heads, approved revisions, packages."""
    rows = session.execute(
        select(Reference.from_id, Entry.type, Reference.path)
        .join(Entry, Entry.id == Reference.from_id)
        .where(Reference.to_id == entry_id)
        .order_by(Reference.from_id, Reference.path)
    )
    uses = [Use("entry", from_id, type_id, path) for from_id, type_id, path in rows]
    for package in session.scalars(select(Package).order_by(Package.slug)):
        if entry_id in listed_entries(package.body):
            uses.append(Use("package", package.slug, None, "sections"))
        if entry_id in listed_assets(package.body):
            uses.append(Use("package", package.slug, None, "theme or map"))
    return uses


def lock_entry(session: Session, entry_id: str) -> Entry:
    """The entry, locked until the transaction ends, as it is now.

    On SQLite the write transaction holds the whole database already.

    Raises:
        NotFound: no such entry.
    """
    found = None
    if is_slug(entry_id):
        found = session.scalar(
            select(Entry)
            .where(Entry.id == entry_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    if found is None:
        raise NotFound(f"There is no entry {entry_id[:64]!r}.")
    return found


def type_of(types: ContentTypes, entry: Entry) -> ContentType:
    """The content type of an entry.

    Raises:
        Conflict: this server has no such type any more.
    """
    kind = types.find_type(entry.type)
    if kind is None:
        raise Conflict(f"{entry.id} is of the type {entry.type}, which this server does not have.")
    return kind


def type_version(session: Session, kind: ContentType) -> int:
    """The number of a content type's present version, noting it if it is new."""
    query = select(ContentTypeVersion).where(ContentTypeVersion.type == kind.id)
    for _attempt in range(3):
        rows = session.scalars(query.order_by(ContentTypeVersion.version)).all()
        for row in rows:
            if row.sha256 == kind.sha256:
                return row.version
        fresh = ContentTypeVersion(
            type=kind.id,
            version=rows[-1].version + 1 if rows else 1,
            sha256=kind.sha256,
            body=dict(kind.source),
        )
        try:
            with session.begin_nested():
                session.add(fresh)
                session.flush()
        except IntegrityError:
            # Another process noted a version at the same moment: read again.
            continue
        return fresh.version
    raise Conflict(f"The version of the type {kind.id} could not be noted; try again.")


def _save(
    session: Session,
    actor: Actor,
    types: ContentTypes,
    kind: ContentType,
    entry: Entry,
    head: Revision,
    before: Flat,
    after: Flat,
    *,
    minor: Collection[str] = (),
    message: str | None = None,
    check: bool = True,
    claim: bool = True,
    made_from: Mapping[Pair, MadeFrom] | None = None,
) -> Revision:
    touched = changed_pairs(before, after)
    if not touched:
        return head
    authorise(actor, "entry.write", entry_type=entry.type, scopes=_scopes(touched))
    body = unflatten(after)
    revision = _add_revision(
        session, actor, types, kind, entry, body, touched, head, message,
        check=check, claim=claim, made_from=made_from,
    )  # fmt: skip
    if minor:
        carry_claims(session, actor, types, kind, entry.id, head, revision, frozenset(minor))
        update_statuses(session, [entry.id])
    record(
        session,
        actor,
        "entry.write",
        f"entry/{entry.id}",
        revision=head.rev,
        details={"rev": revision.rev, "touched": revision.touched[:50]},
    )
    return revision


def _add_revision(
    session: Session,
    actor: Actor,
    types: ContentTypes,
    kind: ContentType,
    entry: Entry,
    body: dict[str, Any],
    touched: set[Pair],
    parent: Revision | None,
    message: str | None,
    *,
    check: bool = True,
    claim: bool = True,
    made_from: Mapping[Pair, MadeFrom] | None = None,
) -> Revision:
    flat = flatten(body)
    if check:
        _check_references(session, types, kind, flat, touched)
    revision = Revision(
        entry_id=entry.id,
        rev=entry.head_rev + 1,
        parent_rev=parent.rev if parent else None,
        type_version=type_version(session, kind),
        body=body,
        body_sha256=body_sha256(body),
        touched=[list(pair) for pair in sorted(touched)],
        author=actor.id,
        message=_message(message),
    )
    session.add(revision)
    entry.head_rev = revision.rev
    entry.updated_at = utc_now()
    session.flush()
    update_index(session, types, kind, entry, body)
    if claim:
        claim_saved(session, actor, types, kind, revision, made_from)
    note_revision(session, types, revision, entry.type)
    update_statuses(session, [entry.id])
    return revision


def _applied(
    types: ContentTypes,
    kind: ContentType,
    body: Body,
    operations: Operations,
    tags: Collection[str],
) -> dict[str, Any]:
    try:
        return apply_operations(types, kind, body, operations, tags)
    except OperationRefused as error:
        raise Refused(
            f"operations{error.pointer}: {error}.",
            errors=[
                {
                    "pointer": f"/operations{error.pointer}",
                    "scope": error.scope,
                    "code": "invalid",
                    "message": str(error),
                }
            ],
        ) from error


def _base(session: Session, entry: Entry, expected_rev: int) -> Revision:
    try:
        return get_revision(session, entry.id, expected_rev)
    except NotFound as error:
        raise PreconditionFailed(
            f"expected_rev: expected a revision of {entry.id} (1 to {entry.head_rev}), "
            f"got {expected_rev}.",
            details={"head_rev": entry.head_rev},
        ) from error


def _conflict(entry: Entry, clashes: Clashes) -> EditConflict:
    found = [clash.as_json() for clash in clashes.clashes]
    places = ", ".join(f"{clash['path']} ({clash['scope']})" for clash in found[:5])
    return EditConflict(
        f"Somebody else changed {places} since the revision you started from.",
        errors=[
            {
                "pointer": f"/{clash['path']}",
                "scope": clash["scope"],
                "code": "edit-conflict",
                "message": "changed by both",
            }
            for clash in found
        ],
        details={"conflicts": found, "head_rev": entry.head_rev},
    )


def _check_references(
    session: Session,
    types: ContentTypes,
    kind: ContentType,
    flat: Mapping[Pair, Any],
    touched: Iterable[Pair],
) -> None:
    named: dict[str, list[tuple[Pair, Any]]] = {}
    for pair in touched:
        field = field_at(types, kind, flat, pair[0])
        if field is None or field.kind not in REFERENCE_KINDS or not flat.get(pair):
            continue
        for to_id in [flat[pair]] if isinstance(flat[pair], str) else flat[pair]:
            named.setdefault(to_id, []).append((pair, field))
    if not named:
        return
    ids = sorted(named)
    found: dict[str, str] = {}
    for start in range(0, len(ids), 500):
        rows = session.execute(
            select(Entry.id, Entry.type).where(Entry.id.in_(ids[start : start + 500]))
        )
        found.update(rows.all())
    for to_id in ids:
        for pair, field in named[to_id]:
            fault = reference_fault(field, to_id, found.get(to_id))
            if fault is not None:
                message = f"{pair[0]}: {fault}"
                error = {"pointer": f"/{pair[0]}", "scope": pair[1], "code": "invalid"}
                raise Refused(f"{message}.", errors=[{**error, "message": message}])


def _scopes(pairs: Iterable[Pair]) -> set[str]:
    return {scope for _, scope in pairs}


def _message(message: str | None) -> str | None:
    if not message:
        return None
    try:
        return clean_text(message)[:500] or None
    except ValueRefused as error:
        raise _refused("/message", str(error)) from error


def _tags(session: Session) -> tuple[str, ...]:
    return tuple(session.scalars(select(Language.tag).order_by(Language.position, Language.tag)))


def _use_json(use: Use) -> dict[str, Any]:
    return {"kind": use.kind, "id": use.id, "type": use.type, "path": use.path}


def _refused(pointer: str, message: str) -> Refused:
    return Refused(
        f"{pointer.lstrip('/')}: {message}.",
        errors=[{"pointer": pointer, "code": "invalid", "message": message}],
    )
