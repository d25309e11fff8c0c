"""What crosses the wire about content types, entries, revisions, approvals and translations."""

from __future__ import annotations

from marshmallow import fields, validate

from content_api.api import AnswerSchema, Instant, PageQuery, WireSchema
from content_api.content.document import MAX_OPERATIONS, OPERATIONS
from content_api.content.models import CLAIM_STATES
from content_api.content.translation import STATES

_REV = validate.Range(min=1, max=2**31 - 1)
_TAG = validate.Length(min=1, max=35)
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


class TypeSchema(AnswerSchema):
    """A content type in a list."""

    id = fields.String(required=True)
    label = fields.Dict(required=True, metadata=_TEXTS)
    plural = fields.Dict(required=True, metadata=_TEXTS)


class TypeListSchema(AnswerSchema):
    """Every content type."""

    items = fields.List(fields.Nested(TypeSchema), required=True)


class FieldSchema(AnswerSchema):
    """A field of a content type or block."""

    id = fields.String(required=True)
    kind = fields.String(required=True)
    localized = fields.Boolean(required=True)
    required_ = fields.String(required=True, data_key="required", attribute="required")
    fallback = fields.String(required=True)
    max = fields.Integer(allow_none=True)
    advise = fields.Integer(allow_none=True)
    label = fields.Dict(required=True, metadata=_TEXTS)
    help = fields.Dict(metadata=_TEXTS)
    choices = fields.Dict()
    of = fields.List(fields.String())
    accept = fields.List(fields.String())


class BlockSchema(AnswerSchema):
    """A block type."""

    id = fields.String(required=True)
    label = fields.Dict(required=True, metadata=_TEXTS)
    fields_ = fields.List(fields.Nested(FieldSchema), data_key="fields", attribute="fields")


class WholeTypeSchema(TypeSchema):
    """A content type with its fields, its blocks, and its documents as JSON Schema."""

    help = fields.Dict(metadata=_TEXTS)
    sha256 = fields.String(required=True)
    fields_ = fields.List(fields.Nested(FieldSchema), data_key="fields", attribute="fields")
    blocks = fields.List(fields.Nested(BlockSchema))
    json_schema = fields.Dict(metadata={"description": "JSON Schema 2020-12 of a document"})


class OperationSchema(WireSchema):
    """One change of a document."""

    op = fields.String(required=True, validate=validate.OneOf(OPERATIONS))
    path = fields.String(
        required=True,
        validate=validate.Length(min=1, max=200),
        metadata={"description": "`title`, `story.b1` (a block), `story.b1.caption`"},
    )
    scope = fields.String(
        validate=_TAG, metadata={"description": "language tag, or * for what all languages share"}
    )
    value = fields.Raw(
        allow_none=True,
        metadata={
            "description": "`set`: the value; null means intentionally empty. `insert_block`: "
            "`{type, after?, fields?}`. `move_block`: `{after}`. `after` is the id of the block "
            "before, null for the first place; an inserted block without it comes last."
        },
    )


class _Operations(fields.List):
    def __init__(self, **options: object) -> None:
        super().__init__(
            fields.Nested(OperationSchema),
            validate=validate.Length(max=MAX_OPERATIONS),
            **options,  # type: ignore[arg-type]
        )


_MESSAGE = {"description": "why, for the history"}


class NewEntrySchema(WireSchema):
    """An entry to be made."""

    type = fields.String(required=True, validate=validate.Length(min=1, max=40))
    id = fields.String(
        validate=validate.Length(min=1, max=64),
        metadata={"description": "a slug such as fosse-9-9-bis; made up if not given"},
    )
    operations = _Operations(load_default=list)
    message = fields.String(validate=validate.Length(max=500), metadata=_MESSAGE)


class SaveSchema(WireSchema):
    """A save: what changes, and the revision it was made on."""

    expected_rev = fields.Integer(
        strict=True,
        validate=_REV,
        metadata={"description": "the revision the changes were made on, unless If-Match says it"},
    )
    operations = _Operations(required=True)
    message = fields.String(validate=validate.Length(max=500), metadata=_MESSAGE)
    minor = fields.List(
        fields.String(validate=validate.Length(min=1, max=200)),
        load_default=list,
        validate=validate.Length(max=MAX_OPERATIONS),
        metadata={
            "description": "paths whose meaning is unchanged: their translations stay current"
        },
    )


class EntryQuery(PageQuery):
    """Which entries a list shows."""

    type = fields.String(validate=validate.Length(min=1, max=40))
    language = fields.String(validate=_TAG)
    status = fields.String(validate=validate.OneOf(STATES))
    q = fields.String(
        validate=validate.Length(min=1, max=200), metadata={"description": "words, all of them"}
    )


class EntrySummarySchema(AnswerSchema):
    """An entry in a list."""

    id = fields.String(required=True)
    type = fields.String(required=True)
    rev = fields.Integer(required=True, attribute="head_rev")
    title = fields.Dict(required=True, metadata=_TEXTS)
    updated_at = Instant(required=True)
    approved = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "the approved revision of each scope"},
    )
    translations = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.Integer()),
        required=True,
        metadata={"description": "for each language, how many texts have which status"},
    )


class EntryPageSchema(AnswerSchema):
    """A page of entries."""

    items = fields.List(fields.Nested(EntrySummarySchema), required=True)
    next = fields.String(required=True, allow_none=True)


class EntrySchema(AnswerSchema):
    """An entry with its newest document: every value by scope, never a fallback."""

    id = fields.String(required=True)
    type = fields.String(required=True)
    rev = fields.Integer(required=True)
    title = fields.Dict(required=True, metadata=_TEXTS)
    fields_ = fields.Dict(required=True, data_key="fields", attribute="fields")
    blocks = fields.Dict(required=True)
    author = fields.String(required=True)
    message = fields.String(required=True, allow_none=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class RevisionSchema(AnswerSchema):
    """One saved state in a history."""

    rev = fields.Integer(required=True)
    parent_rev = fields.Integer(required=True, allow_none=True)
    author = fields.String(required=True)
    message = fields.String(required=True, allow_none=True)
    created_at = Instant(required=True)
    touched = fields.List(
        fields.List(fields.String()),
        required=True,
        metadata={"description": "the [path, scope] pairs that changed"},
    )


class WholeRevisionSchema(RevisionSchema):
    """One saved state with its document."""

    fields_ = fields.Dict(required=True, data_key="fields", attribute="fields")
    blocks = fields.Dict(required=True)
    sha256 = fields.String(required=True, attribute="body_sha256")


class RevisionPageSchema(AnswerSchema):
    """A page of a history, newest first."""

    items = fields.List(fields.Nested(RevisionSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class RestoreSchema(WireSchema):
    """Why an old revision is restored."""

    message = fields.String(validate=validate.Length(max=500), metadata=_MESSAGE)


class ApproveSchema(WireSchema):
    """The revision that may be published."""

    rev = fields.Integer(required=True, strict=True, validate=_REV)


class ApprovalSchema(AnswerSchema):
    """For one scope, the revision that may be published."""

    scope = fields.String(required=True)
    rev = fields.Integer(required=True)
    by = fields.String(required=True, attribute="approved_by")
    at = Instant(required=True, attribute="approved_at")


class ApprovalMoveSchema(AnswerSchema):
    """One move of an approval; `to_rev` null: withdrawn."""

    scope = fields.String(required=True)
    from_rev = fields.Integer(required=True, allow_none=True)
    to_rev = fields.Integer(required=True, allow_none=True)
    by = fields.String(required=True)
    at = Instant(required=True)


class ApprovalsSchema(AnswerSchema):
    """Where an entry's approvals stand, and how they came there, newest first."""

    items = fields.List(fields.Nested(ApprovalSchema), required=True)
    log = fields.List(fields.Nested(ApprovalMoveSchema), required=True)


class TranslationQuery(WireSchema):
    """One language, or all."""

    language = fields.String(validate=_TAG)


class SegmentSchema(AnswerSchema):
    """A part of a difference."""

    op = fields.String(required=True, validate=validate.OneOf(["equal", "insert", "delete"]))
    text = fields.String(required=True)


class TextStatusSchema(AnswerSchema):
    """One text in one language, beside its source; `changes`: of the source since then."""

    path = fields.String(required=True)
    language = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATES))
    value = fields.String(required=True, allow_none=True)
    source_language = fields.String(required=True)
    source = fields.String(required=True, allow_none=True)
    by = fields.String(required=True, allow_none=True)
    changes = fields.List(fields.Nested(SegmentSchema), required=True)


class LanguageStatusSchema(AnswerSchema):
    """The texts of an entry in one language."""

    language = fields.String(required=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    texts = fields.List(fields.Nested(TextStatusSchema), required=True)


class TranslationsSchema(AnswerSchema):
    """The translation status of an entry."""

    rev = fields.Integer(required=True)
    items = fields.List(fields.Nested(LanguageStatusSchema), required=True)


class NewClaimSchema(WireSchema):
    """What somebody says of a translation, as source and translation stand now."""

    path = fields.String(required=True, validate=validate.Length(min=1, max=200))
    language = fields.String(required=True, validate=_TAG)
    state = fields.String(required=True, validate=validate.OneOf(CLAIM_STATES))
    source = fields.String(
        validate=_TAG, metadata={"description": "the language it was translated from"}
    )
    note = fields.String(validate=validate.Length(max=500))
    seen_rev = fields.Integer(
        strict=True,
        validate=_REV,
        metadata={"description": "the revision that was read; refused if a text changed since"},
    )


class ClaimSchema(AnswerSchema):
    """What somebody said of a translation."""

    path = fields.String(required=True)
    language = fields.String(required=True, attribute="scope")
    state = fields.String(required=True)
    source = fields.String(required=True, attribute="source_scope")
    source_rev = fields.Integer(required=True)
    carried = fields.Boolean(required=True)
    note = fields.String(required=True, allow_none=True)
    by = fields.String(required=True)
    at = Instant(required=True)


class ClaimListSchema(AnswerSchema):
    """The newest claims of an entry, newest first."""

    items = fields.List(fields.Nested(ClaimSchema), required=True)


class UseSchema(AnswerSchema):
    """A place that names an entry or asset."""

    kind = fields.String(required=True, validate=validate.OneOf(["entry", "package"]))
    id = fields.String(required=True)
    type = fields.String(required=True, allow_none=True)
    path = fields.String(required=True)


class NamedSchema(AnswerSchema):
    """An entry or asset that an entry names."""

    path = fields.String(required=True)
    id = fields.String(required=True, attribute="to_id")


class ReferencesSchema(AnswerSchema):
    """What an entry names, and what names it."""

    names = fields.List(fields.Nested(NamedSchema), required=True)
    used_by = fields.List(fields.Nested(UseSchema), required=True)


class WorkingCopyChangeSchema(WireSchema):
    """Unsaved work, unchecked."""

    base_rev = fields.Integer(required=True, strict=True, validate=_REV)
    operations = _Operations(required=True)


class WorkingCopySchema(AnswerSchema):
    """Unsaved work of one person."""

    base_rev = fields.Integer(required=True)
    operations = fields.List(fields.Dict(), required=True)
    updated_at = Instant(required=True)
