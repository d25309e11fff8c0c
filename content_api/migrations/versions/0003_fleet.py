"""The fleet: groups, orders, rollouts, plays, alerts, and what is drawn from heartbeats."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Add the fleet's tables and columns."""
    op.create_table(
        "alert_subscription",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("target", sa.String(length=500), nullable=False),
        sa.Column("conditions", DOCUMENT, nullable=False),
        sa.Column("venues", DOCUMENT, nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('webhook', 'email')", name=op.f("ck_alert_subscription_channel_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_subscription")),
    )
    op.create_table(
        "device_group",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("package", sa.String(length=64), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=True),
        sa.Column("profile", sa.String(length=16), nullable=True),
        sa.Column("languages", DOCUMENT, nullable=True),
        sa.Column("programme", DOCUMENT, nullable=True),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_group")),
    )
    op.create_table(
        "rollout",
        sa.Column("package", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("first_share", sa.Integer(), nullable=False),
        sa.Column("fault_bound", sa.Integer(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=True),
        sa.Column("release", sa.Integer(), nullable=True),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", DOCUMENT, nullable=True),
        sa.Column("tolerated", DOCUMENT, nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('idle', 'rolling', 'held')", name=op.f("ck_rollout_state_known")
        ),
        sa.CheckConstraint(
            "first_share BETWEEN 1 AND 100", name=op.f("ck_rollout_first_share_percent")
        ),
        sa.CheckConstraint("share BETWEEN 0 AND 100", name=op.f("ck_rollout_share_percent")),
        sa.PrimaryKeyConstraint("package", "channel", name=op.f("pk_rollout")),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=240), nullable=False),
        sa.Column("condition", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=True),
        sa.Column("device", sa.String(length=64), nullable=True),
        sa.Column("venue", sa.String(length=64), nullable=True),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quiet_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["device"], ["device.id"], name=op.f("fk_alert_device_device"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index(op.f("ix_alert_device"), "alert", ["device"], unique=False)
    op.create_index("ix_alert_raised_at", "alert", ["raised_at"], unique=False)
    op.create_index(
        "uq_alert_one_open",
        "alert",
        ["key"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "device_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("batch", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("arguments", DOCUMENT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'taken', 'expired', 'done', 'failed')",
            name=op.f("ck_device_order_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["device"],
            ["device.id"],
            name=op.f("fk_device_order_device_device"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_order")),
    )
    op.create_index(op.f("ix_device_order_batch"), "device_order", ["batch"], unique=False)
    op.create_index("ix_device_order_device_id", "device_order", ["device", "id"], unique=False)
    op.create_index(
        "ix_device_order_queued",
        "device_order",
        ["device"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_device_order_state_expires_at", "device_order", ["state", "expires_at"], unique=False
    )
    op.create_table(
        "play_batch",
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("batch", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"], ["device.id"], name=op.f("fk_play_batch_device_device"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("device", "batch", name=op.f("pk_play_batch")),
    )
    op.create_index(op.f("ix_play_batch_received_at"), "play_batch", ["received_at"], unique=False)
    op.create_table(
        "play_count",
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("package", sa.String(length=64), nullable=False),
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("views", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"], ["device.id"], name=op.f("fk_play_count_device_device"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "device", "day", "package", "entry", "language", name=op.f("pk_play_count")
        ),
    )
    op.create_index("ix_play_count_day_device", "play_count", ["day", "device"], unique=False)
    op.create_table(
        "alert_delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscription", sa.Integer(), nullable=False),
        sa.Column("alert", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'failed')", name=op.f("ck_alert_delivery_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["alert"], ["alert.id"], name=op.f("fk_alert_delivery_alert_alert"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["subscription"],
            ["alert_subscription.id"],
            name=op.f("fk_alert_delivery_subscription_alert_subscription"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_delivery")),
    )
    op.create_index(op.f("ix_alert_delivery_alert"), "alert_delivery", ["alert"], unique=False)
    op.create_index(
        "ix_alert_delivery_state_next_try_at",
        "alert_delivery",
        ["state", "next_try_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_alert_delivery_subscription"), "alert_delivery", ["subscription"], unique=False
    )
    op.add_column("device", sa.Column("group", sa.String(length=64), nullable=True))
    op.add_column("device", sa.Column("own", DOCUMENT, nullable=True))
    op.add_column("device", sa.Column("programme", DOCUMENT, nullable=True))
    op.add_column("device", sa.Column("release_limits", DOCUMENT, nullable=True))
    op.add_column("device", sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("device", sa.Column("history_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("device", sa.Column("active_package", sa.String(length=64), nullable=True))
    op.add_column("device", sa.Column("active_release", sa.Integer(), nullable=True))
    op.add_column("device", sa.Column("returned_package", sa.String(length=64), nullable=True))
    op.add_column("device", sa.Column("returned_release", sa.Integer(), nullable=True))
    op.add_column("device", sa.Column("trouble", sa.String(length=400), nullable=True))
    op.add_column("device", sa.Column("screenshot_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_device_active", "device", ["active_package", "active_release"], unique=False
    )
    op.create_index(op.f("ix_device_group"), "device", ["group"], unique=False)
    op.create_index(
        "ix_device_trouble",
        "device",
        ["trouble"],
        unique=False,
        sqlite_where=sa.text("trouble IS NOT NULL"),
        postgresql_where=sa.text("trouble IS NOT NULL"),
    )
    op.add_column("venue", sa.Column("opening", DOCUMENT, nullable=True))
    op.add_column("venue", sa.Column("closed", DOCUMENT, nullable=True))
