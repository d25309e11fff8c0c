"""HTTP of content types, entries, revisions, approvals, translations and references."""

from __future__ import annotations

from typing import Any

from flask import current_app, request
from flask.views import MethodView
from sqlalchemy import select

from content_api.accounts.access import current_actor
from content_api.api import (
    Blueprint,
    PageQuery,
    decode_cursor,
    expected_version,
    not_modified,
    page_of,
)
from content_api.content import claims, schemas, service, working_copies
from content_api.content.approvals import approval_log, approvals
from content_api.content.listing import entry_title, list_entries
from content_api.content.models import Reference, Revision
from content_api.content.translation import summary
from content_api.content.types import content_types
from content_api.database import session
from content_api.problems import NotFound, PreconditionFailed
from content_api.settings import current_settings

types_api = Blueprint(
    "content-types",
    __name__,
    url_prefix="/content-types",
    description="What an entry of each type may hold",
)
entries_api = Blueprint(
    "entries",
    __name__,
    url_prefix="/entries",
    description="Entries, their history, approvals and translations",
)

blueprints = [types_api, entries_api]


class EditPreconditionFailed(PreconditionFailed):
    """The revision in If-Match is not the newest, and the changes do not merge."""

    code = "edit-conflict"


@types_api.route("")
class ContentTypeList(MethodView):
    """All content types."""

    @types_api.requires("type.read")
    @types_api.response(200, schemas.TypeListSchema)
    def get(self) -> dict[str, Any]:
        """List the content types."""
        return {"items": list(content_types())}


@types_api.route("/<type_id>")
class OneContentType(MethodView):
    """One content type."""

    @types_api.requires("type.read")
    @types_api.response(200, schemas.WholeTypeSchema)
    def get(self, type_id: str) -> dict[str, Any]:
        """The type: fields, blocks, and its documents as JSON Schema."""
        types = content_types()
        kind = types.find_type(type_id)
        if kind is None:
            raise NotFound(f"There is no content type {type_id[:40]!r}.")
        used = dict.fromkeys(
            block for field in kind.fields if field.kind == "blocks" for block in field.of
        )
        compiled = current_app.extensions["lampisterie_type_schemas"][kind.id]
        return {
            "id": kind.id,
            "label": kind.label,
            "plural": kind.plural,
            "help": kind.help,
            "sha256": kind.sha256,
            "fields": kind.fields,
            "blocks": [types.block(block) for block in used],
            "json_schema": compiled.json_schema,
        }


@entries_api.route("")
class Entries(MethodView):
    """All entries."""

    @entries_api.requires("entry.read")
    @entries_api.fails(422)
    @entries_api.arguments(schemas.EntryQuery, location="query")
    @entries_api.response(200, schemas.EntryPageSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List entries by id: of a type, in a language, with a translation status, with words."""
        key = decode_cursor(query.get("cursor"), 1)
        rows = list_entries(
            session(),
            current_actor(),
            type_id=query.get("type"),
            language=query.get("language"),
            status=query.get("status"),
            q=query.get("q"),
            after=(str(key[0]),) if key else None,
            limit=query["limit"],
        )
        return page_of(rows, query["limit"], lambda row: [row.id])

    @entries_api.requires("entry.write")
    @entries_api.arguments(schemas.NewEntrySchema)
    @entries_api.response(201, schemas.EntrySchema)
    def post(self, body: dict[str, Any]) -> Any:
        """Make an entry."""
        revision = service.create_entry(
            session(),
            current_actor(),
            body["type"],
            body["operations"],
            entry_id=body.get("id"),
            message=body.get("message"),
        )
        headers = {**_etag(revision), "Location": f"{request.path}/{revision.entry_id}"}
        return _entry(revision), 201, headers


@entries_api.route("/<entry_id>")
class OneEntry(MethodView):
    """One entry."""

    @entries_api.requires("entry.read")
    @entries_api.versioned
    @entries_api.response(200, schemas.EntrySchema)
    def get(self, entry_id: str) -> Any:
        """The newest document, every value by scope."""
        entry = service.get_entry(session(), current_actor(), entry_id)
        unchanged = not_modified(f"r{entry.head_rev}")
        if unchanged is not None:
            return unchanged
        revision = service.get_revision(session(), entry_id, entry.head_rev)
        return _entry(revision), 200, _etag(revision)

    @entries_api.requires("entry.write")
    @entries_api.versioned
    @entries_api.arguments(schemas.SaveSchema)
    @entries_api.response(200, schemas.EntrySchema)
    def patch(self, body: dict[str, Any], entry_id: str) -> Any:
        """Save changes, merged with what others saved since the revision they were made on.

        A true conflict answers 409, or 412 when If-Match was used, with `conflicts`: a list
        of `path`, `scope`, `base`, `mine` and `theirs`. A side without a value lacks its key.
        """
        expected = expected_version(body.get("expected_rev"), "r")
        try:
            revision = service.save_entry(
                session(),
                current_actor(),
                entry_id,
                expected,
                body["operations"],
                message=body.get("message"),
                minor=body["minor"],
            )
        except service.EditConflict as error:
            if not request.headers.get("If-Match"):
                raise
            raise EditPreconditionFailed(
                error.message, errors=error.errors, details=error.details
            ) from error
        return _entry(revision), 200, _etag(revision)

    @entries_api.requires("entry.delete")
    @entries_api.response(204)
    def delete(self, entry_id: str) -> tuple[str, int]:
        """Remove an entry that nothing uses, with its history."""
        service.delete_entry(session(), current_actor(), entry_id)
        return "", 204


@entries_api.route("/<entry_id>/revisions")
class Revisions(MethodView):
    """An entry's history."""

    @entries_api.requires("entry.read")
    @entries_api.arguments(PageQuery, location="query")
    @entries_api.response(200, schemas.RevisionPageSchema)
    def get(self, query: dict[str, Any], entry_id: str) -> dict[str, Any]:
        """The history, newest first."""
        service.get_entry(session(), current_actor(), entry_id)
        key = decode_cursor(query.get("cursor"), 1)
        wanted = select(Revision).where(Revision.entry_id == entry_id)
        if key and isinstance(key[0], int):
            wanted = wanted.where(Revision.rev < key[0])
        rows = session().scalars(wanted.order_by(Revision.rev.desc()).limit(query["limit"] + 1))
        return page_of(list(rows), query["limit"], lambda row: [row.rev])


@entries_api.route("/<entry_id>/revisions/<int:rev>")
class OneRevision(MethodView):
    """One saved state."""

    @entries_api.requires("entry.read")
    @entries_api.response(200, schemas.WholeRevisionSchema)
    def get(self, entry_id: str, rev: int) -> dict[str, Any]:
        """The document as it was."""
        service.get_entry(session(), current_actor(), entry_id)
        revision = service.get_revision(session(), entry_id, rev)
        names = ("rev", "parent_rev", "author", "message", "created_at", "touched", "body_sha256")
        return {**_document(revision), **{name: getattr(revision, name) for name in names}}


@entries_api.route("/<entry_id>/revisions/<int:rev>/restore")
class RestoredRevision(MethodView):
    """An old state made new again."""

    @entries_api.requires("entry.write")
    @entries_api.arguments(schemas.RestoreSchema)
    @entries_api.response(200, schemas.EntrySchema)
    def post(self, body: dict[str, Any], entry_id: str, rev: int) -> Any:
        """Save an old revision's document as the newest; nothing is lost."""
        revision = service.restore_revision(
            session(), current_actor(), entry_id, rev, message=body.get("message")
        )
        return _entry(revision), 200, _etag(revision)


@entries_api.route("/<entry_id>/approvals")
class Approvals(MethodView):
    """What of an entry may be published."""

    @entries_api.requires("entry.read")
    @entries_api.response(200, schemas.ApprovalsSchema)
    def get(self, entry_id: str) -> dict[str, Any]:
        """The approved revision of each scope, and how it came there."""
        service.get_entry(session(), current_actor(), entry_id)
        held = approvals(session(), [entry_id])[entry_id]
        return {"items": list(held.values()), "log": approval_log(session(), entry_id)}


@entries_api.route("/<entry_id>/approvals/<scope>")
class OneApproval(MethodView):
    """What of an entry may be published in one scope."""

    @entries_api.requires("entry.read")
    @entries_api.response(200, schemas.ApprovalSchema)
    def get(self, entry_id: str, scope: str) -> Any:
        """The approved revision."""
        service.get_entry(session(), current_actor(), entry_id)
        held = approvals(session(), [entry_id])[entry_id].get(scope)
        if held is None:
            raise NotFound(f"{entry_id} is not approved in {scope[:40]!r}.")
        return held

    @entries_api.requires("entry.approve")
    @entries_api.arguments(schemas.ApproveSchema)
    @entries_api.response(200, schemas.ApprovalSchema)
    def put(self, body: dict[str, Any], entry_id: str, scope: str) -> Any:
        """Approve a revision for this scope: the next release shows it."""
        return service.approve(
            session(),
            current_actor(),
            entry_id,
            scope,
            body["rev"],
            four_eyes=current_settings().four_eyes,
        )

    @entries_api.requires("entry.approve")
    @entries_api.response(204)
    def delete(self, entry_id: str, scope: str) -> tuple[str, int]:
        """Withdraw the approval: the next release leaves this scope out."""
        service.withdraw(session(), current_actor(), entry_id, scope)
        return "", 204


@entries_api.route("/<entry_id>/translations")
class Translations(MethodView):
    """How far an entry is translated."""

    @entries_api.requires("entry.read")
    @entries_api.arguments(schemas.TranslationQuery, location="query")
    @entries_api.response(200, schemas.TranslationsSchema)
    def get(self, query: dict[str, Any], entry_id: str) -> dict[str, Any]:
        """Each text in each language: its status, its source, and what changed there since."""
        entry = service.get_entry(session(), current_actor(), entry_id)
        wanted = [query["language"]] if "language" in query else None
        found = claims.translation_status(session(), entry_id, wanted)
        items = [
            {
                "language": tag,
                "counts": summary(text.status for text in texts),
                "texts": texts,
            }
            for tag, texts in found.items()
        ]
        return {"rev": entry.head_rev, "items": items}


@entries_api.route("/<entry_id>/claims")
class Claims(MethodView):
    """What was said of an entry's translations."""

    @entries_api.requires("entry.read")
    @entries_api.response(200, schemas.ClaimListSchema)
    def get(self, entry_id: str) -> dict[str, Any]:
        """The newest 200 claims, newest first."""
        service.get_entry(session(), current_actor(), entry_id)
        return {"items": claims.claim_rows(session(), entry_id)}

    @entries_api.requires("entry.read")
    @entries_api.arguments(schemas.NewClaimSchema)
    @entries_api.response(201, schemas.ClaimSchema)
    def post(self, body: dict[str, Any], entry_id: str) -> Any:
        """Say what a translation is: `reviewed` needs the right to approve, the others to write."""
        return claims.make_claim(
            session(),
            current_actor(),
            entry_id,
            body["path"],
            body["language"],
            body["state"],
            source=body.get("source"),
            note=body.get("note"),
            seen_rev=body.get("seen_rev"),
            four_eyes=current_settings().four_eyes,
        )


@entries_api.route("/<entry_id>/references")
class References(MethodView):
    """What an entry names, and what names it."""

    @entries_api.requires("entry.read")
    @entries_api.response(200, schemas.ReferencesSchema)
    def get(self, entry_id: str) -> dict[str, Any]:
        """Both directions: an entry or asset that is used cannot be removed."""
        service.get_entry(session(), current_actor(), entry_id)
        names = session().scalars(
            select(Reference)
            .where(Reference.from_id == entry_id)
            .order_by(Reference.path, Reference.to_id)
        )
        return {"names": list(names), "used_by": service.where_used(session(), entry_id)}


@entries_api.route("/<entry_id>/working-copy")
class OneWorkingCopy(MethodView):
    """One's own unsaved work."""

    @entries_api.requires("entry.read")
    @entries_api.response(200, schemas.WorkingCopySchema)
    def get(self, entry_id: str) -> Any:
        """One's own unsaved work on an entry."""
        return working_copies.get_working_copy(session(), current_actor(), entry_id)

    @entries_api.requires("entry.write")
    @entries_api.arguments(schemas.WorkingCopyChangeSchema)
    @entries_api.response(200, schemas.WorkingCopySchema)
    def put(self, body: dict[str, Any], entry_id: str) -> Any:
        """Keep one's unsaved work; it is no revision and nobody else sees it."""
        return working_copies.put_working_copy(
            session(), current_actor(), entry_id, body["base_rev"], body["operations"]
        )

    @entries_api.requires("entry.read")
    @entries_api.response(204)
    def delete(self, entry_id: str) -> tuple[str, int]:
        """Forget one's unsaved work."""
        working_copies.drop_working_copy(session(), current_actor(), entry_id)
        return "", 204


def _document(revision: Revision) -> dict[str, Any]:
    return {
        "fields": revision.body.get("fields", {}),
        "blocks": revision.body.get("blocks", {}),
    }


def _entry(revision: Revision) -> dict[str, Any]:
    entry = service.get_entry(session(), current_actor(), revision.entry_id)
    return {
        **_document(revision),
        "id": entry.id,
        "type": entry.type,
        "rev": revision.rev,
        "title": entry_title(content_types(), entry.type, revision.body),
        "author": revision.author,
        "message": revision.message,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
    }


def _etag(revision: Revision) -> dict[str, str]:
    return {"ETag": f'"r{revision.rev}"', "Cache-Control": "private, no-cache"}
