"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make every table, and the full-text index each engine has in its own way."""
    _tables()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE INDEX ix_search_text_words ON search_text "
            "USING gin (to_tsvector('simple', words))"
        )
        return
    op.execute(
        "CREATE VIRTUAL TABLE search_index USING fts5("
        "words, content='search_text', content_rowid='id', tokenize='ascii')"
    )
    op.execute(
        "CREATE TRIGGER search_text_inserted AFTER INSERT ON search_text BEGIN "
        "INSERT INTO search_index(rowid, words) VALUES (new.id, new.words); END"
    )
    op.execute(
        "CREATE TRIGGER search_text_deleted AFTER DELETE ON search_text BEGIN "
        "INSERT INTO search_index(search_index, rowid, words) "
        "VALUES ('delete', old.id, old.words); END"
    )
    op.execute(
        "CREATE TRIGGER search_text_updated AFTER UPDATE ON search_text BEGIN "
        "INSERT INTO search_index(search_index, rowid, words) "
        "VALUES ('delete', old.id, old.words); "
        "INSERT INTO search_index(rowid, words) VALUES (new.id, new.words); END"
    )


def _tables() -> None:
    op.create_table(
        "approval_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=35), nullable=False),
        sa.Column("from_rev", sa.Integer(), nullable=True),
        sa.Column("to_rev", sa.Integer(), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_log")),
    )
    op.create_index("ix_approval_log_entry_id", "approval_log", ["entry_id", "id"], unique=False)
    op.create_table(
        "audit_record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject_type", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=200), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_record")),
    )
    op.create_index(op.f("ix_audit_record_action"), "audit_record", ["action"], unique=False)
    op.create_index(op.f("ix_audit_record_actor_id"), "audit_record", ["actor_id"], unique=False)
    op.create_index(op.f("ix_audit_record_at"), "audit_record", ["at"], unique=False)
    op.create_index(
        "ix_audit_record_subject", "audit_record", ["subject_type", "subject_id"], unique=False
    )
    op.create_table(
        "content_type_version",
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("type", "version", name=op.f("pk_content_type_version")),
        sa.UniqueConstraint("type", "sha256", name="uq_content_type_version_type_sha256"),
    )
    op.create_table(
        "enrolment_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment_attempt")),
    )
    op.create_index(
        "ix_enrolment_attempt_address_at", "enrolment_attempt", ["address", "at"], unique=False
    )
    op.create_table(
        "entry",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("head_rev", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
    )
    op.create_index("ix_entry_type_id", "entry", ["type", "id"], unique=False)
    op.create_table(
        "language",
        sa.Column("tag", sa.String(length=35), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("dir", sa.String(length=3), nullable=False),
        sa.Column("fallback", DOCUMENT, nullable=False),
        sa.Column("source", sa.String(length=35), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("dir IN ('ltr', 'rtl')", name=op.f("ck_language_dir_known")),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_language")),
    )
    op.create_table(
        "login_throttle",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_throttle")),
    )
    op.create_index(op.f("ix_login_throttle_last_at"), "login_throttle", ["last_at"], unique=False)
    op.create_table(
        "package",
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_package")),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("email", name=op.f("uq_user_account_email")),
        sa.UniqueConstraint("name", name=op.f("uq_user_account_name")),
    )
    op.create_table(
        "venue",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_venue")),
    )
    op.create_table(
        "approval",
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=35), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["entry.id"], name=op.f("fk_approval_entry_id_entry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("entry_id", "scope", name=op.f("pk_approval")),
    )
    op.create_table(
        "asset",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=True),
        sa.Column("media_type", sa.String(length=64), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("duration", sa.Double(), nullable=True),
        sa.Column("filename", sa.String(length=200), nullable=True),
        sa.Column("facts", DOCUMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IS NULL OR kind IN ('image', 'audio', 'video', 'document', 'subtitles')",
            name=op.f("ck_asset_kind_known"),
        ),
        sa.CheckConstraint(
            "(sha256 IS NULL) = (kind IS NULL)", name=op.f("ck_asset_kind_with_file")
        ),
        sa.ForeignKeyConstraint(
            ["id"], ["entry.id"], name=op.f("fk_asset_id_entry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
    )
    op.create_index(op.f("ix_asset_kind"), "asset", ["kind"], unique=False)
    op.create_index(op.f("ix_asset_sha256"), "asset", ["sha256"], unique=False)
    op.create_table(
        "claim",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("scope", sa.String(length=35), nullable=False),
        sa.Column("value_sha256", sa.String(length=64), nullable=False),
        sa.Column("source_scope", sa.String(length=35), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("source_rev", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("carried", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('machine', 'translated', 'reviewed')", name=op.f("ck_claim_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["entry.id"], name=op.f("fk_claim_entry_id_entry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
    )
    op.create_index(
        "ix_claim_entry_id_path_scope", "claim", ["entry_id", "path", "scope"], unique=False
    )
    op.create_table(
        "device",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("venue", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("package", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("profile", sa.String(length=16), nullable=False),
        sa.Column("languages", DOCUMENT, nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("assignment_version", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("client", sa.String(length=64), nullable=True),
        sa.Column("platform", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_heartbeat", DOCUMENT, nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["venue"], ["venue.id"], name=op.f("fk_device_venue_venue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_device_token_hash")),
    )
    op.create_index(op.f("ix_device_venue"), "device", ["venue"], unique=False)
    op.create_table(
        "package_release",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("package", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("publish_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=True),
        sa.Column("manifest_size", sa.Integer(), nullable=True),
        sa.Column("restored_from", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("problems", DOCUMENT, nullable=True),
        sa.CheckConstraint(
            "state IN ('scheduled', 'publishing', 'live', 'superseded', 'failed', 'cancelled')",
            name=op.f("ck_package_release_state_known"),
        ),
        sa.CheckConstraint(
            "number IS NULL OR number >= 1", name=op.f("ck_package_release_number_from_one")
        ),
        sa.ForeignKeyConstraint(
            ["package"], ["package.slug"], name=op.f("fk_package_release_package_package")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package_release")),
        sa.UniqueConstraint("package", "channel", "number", name="uq_package_release_number"),
    )
    op.create_index(
        "ix_package_release_due", "package_release", ["state", "publish_at"], unique=False
    )
    op.create_index(
        op.f("ix_package_release_manifest_sha256"),
        "package_release",
        ["manifest_sha256"],
        unique=False,
    )
    op.create_index(
        op.f("ix_package_release_package"), "package_release", ["package"], unique=False
    )
    op.create_index(
        "uq_package_release_one_live",
        "package_release",
        ["package", "channel"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "reference",
        sa.Column("from_id", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("to_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["from_id"], ["entry.id"], name=op.f("fk_reference_from_id_entry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("from_id", "path", "to_id", name=op.f("pk_reference")),
    )
    op.create_index("ix_reference_to_id", "reference", ["to_id"], unique=False)
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("parent_rev", sa.Integer(), nullable=True),
        sa.Column("type_version", sa.Integer(), nullable=True),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("touched", DOCUMENT, nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["entry.id"], name=op.f("fk_revision_entry_id_entry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
        sa.UniqueConstraint("entry_id", "rev", name="uq_revision_entry_id_rev"),
    )
    op.create_table(
        "search_text",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=35), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["entry.id"],
            name=op.f("fk_search_text_entry_id_entry"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_text")),
    )
    op.create_index(op.f("ix_search_text_entry_id"), "search_text", ["entry_id"], unique=False)
    op.create_table(
        "token",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name=op.f("fk_token_user_id_user_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
    )
    op.create_index(op.f("ix_token_user_id"), "token", ["user_id"], unique=False)
    op.create_table(
        "unit",
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("scope", sa.String(length=35), nullable=False),
        sa.Column("value_sha256", sa.String(length=64), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["entry.id"], name=op.f("fk_unit_entry_id_entry"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("entry_id", "path", "scope", name=op.f("pk_unit")),
    )
    op.create_index("ix_unit_scope_path", "unit", ["scope", "entry_id"], unique=False)
    op.create_table(
        "user_grant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("types", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name=op.f("fk_user_grant_user_id_user_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_grant")),
    )
    op.create_index(op.f("ix_user_grant_user_id"), "user_grant", ["user_id"], unique=False)
    op.create_table(
        "working_copy",
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("base_rev", sa.Integer(), nullable=False),
        sa.Column("operations", DOCUMENT, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["entry.id"],
            name=op.f("fk_working_copy_entry_id_entry"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("entry_id", "actor_id", name=op.f("pk_working_copy")),
    )
    op.create_table(
        "enrolment_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"],
            ["device.id"],
            name=op.f("fk_enrolment_code_device_device"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_enrolment_code_code_hash")),
    )
    op.create_index(op.f("ix_enrolment_code_device"), "enrolment_code", ["device"], unique=False)
    op.create_table(
        "heartbeat",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["device"], ["device.id"], name=op.f("fk_heartbeat_device_device"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heartbeat")),
    )
    op.create_index(
        "ix_heartbeat_device_received", "heartbeat", ["device", "received_at"], unique=False
    )
    op.create_table(
        "rendition",
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("profiles", DOCUMENT, nullable=False),
        sa.Column("blocks", DOCUMENT, nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"], ["asset.id"], name=op.f("fk_rendition_asset_id_asset"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asset_id", "name", name=op.f("pk_rendition")),
    )
    op.create_index(op.f("ix_rendition_sha256"), "rendition", ["sha256"], unique=False)
    op.create_index(
        op.f("ix_rendition_source_sha256"), "rendition", ["source_sha256"], unique=False
    )
