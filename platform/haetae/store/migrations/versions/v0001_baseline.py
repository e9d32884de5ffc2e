"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ORIGINALS: dict[str, Any] = {
    "sqlite_where": sa.text("reason IS NULL AND reused = 0"),
    "postgresql_where": sa.text("reason IS NULL AND NOT reused"),
}


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "comparison",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("suite", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparison")),
    )
    op.create_index(op.f("ix_comparison_candidate"), "comparison", ["candidate"])

    op.create_table(
        "registration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration")),
        sa.UniqueConstraint("kind", "name", "digest", name=op.f("uq_registration_kind_name_digest")),
        sa.UniqueConstraint("kind", "name", "number", name=op.f("uq_registration_kind_name_number")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("suite", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("manifest_digest", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("owner_host", sa.String(), nullable=True),
        sa.Column("owner_pid", sa.Integer(), nullable=True),
        sa.Column("owner_started", sa.String(), nullable=True),
        sa.Column("owner_token", sa.String(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("suite", "number", name=op.f("uq_run_suite_number")),
    )
    op.create_index(op.f("ix_run_started_at"), "run", ["started_at"])
    op.create_index(op.f("ix_run_suite_manifest_digest"), "run", ["suite", "manifest_digest"])

    op.create_table(
        "sample",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("facets", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sample")),
    )
    op.create_table(
        "alias",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["kind", "name", "number"],
            ["registration.kind", "registration.name", "registration.number"],
            name=op.f("fk_alias_kind"),
        ),
        sa.PrimaryKeyConstraint("kind", "name", "alias", name=op.f("pk_alias")),
    )
    op.create_table(
        "annotation",
        sa.Column("sample_digest", sa.String(), nullable=False),
        sa.Column("output_digest", sa.String(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("rater", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308", name=op.f("ck_annotation_finite")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_annotation_run_id")),
        sa.ForeignKeyConstraint(["sample_digest"], ["sample.digest"], name=op.f("fk_annotation_sample_digest")),
        sa.PrimaryKeyConstraint("sample_digest", "output_digest", "metric", "rater", name=op.f("pk_annotation")),
    )
    op.create_table(
        "baseline",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("suite", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_baseline_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_baseline")),
    )
    op.create_index(op.f("ix_baseline_suite_name"), "baseline", ["suite", "name"])

    op.create_table(
        "estimate",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_estimate_run_id")),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_estimate")),
    )
    op.create_table(
        "generation",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("sample_id", sa.Text(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("sample_digest", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("output_digest", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("latency_s", sa.Float(), nullable=True),
        sa.Column("reused", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_generation_run_id")),
        sa.ForeignKeyConstraint(["sample_digest"], ["sample.digest"], name=op.f("fk_generation_sample_digest")),
        sa.PrimaryKeyConstraint("run_id", "sample_id", "repeat", name=op.f("pk_generation")),
    )
    op.create_index(op.f("ix_generation_key"), "generation", ["key"], **ORIGINALS)
    op.create_index(op.f("ix_generation_run_id_position_repeat"), "generation", ["run_id", "position", "repeat"])

    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tracker", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_outbox_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("tracker", "key", name=op.f("uq_outbox_tracker_key")),
    )
    op.create_table(
        "score",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("sample_id", sa.Text(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("stats", sa.Text(), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.Column("usage", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("reused", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(value IS NULL) = (reason IS NOT NULL)", name=op.f("ck_score_value_or_reason")),
        sa.ForeignKeyConstraint(
            ["run_id", "sample_id", "repeat"],
            ["generation.run_id", "generation.sample_id", "generation.repeat"],
            name=op.f("fk_score_run_id"),
        ),
        sa.PrimaryKeyConstraint("run_id", "sample_id", "repeat", "metric", name=op.f("pk_score")),
    )
    op.create_index(op.f("ix_score_key"), "score", ["key"], **ORIGINALS)
    op.create_index(op.f("ix_score_run_id_metric_reason"), "score", ["run_id", "metric", "reason"])


def downgrade() -> None:
    """Drop every table."""
    op.drop_table("score")
    op.drop_table("outbox")
    op.drop_table("generation")
    op.drop_table("estimate")
    op.drop_table("baseline")
    op.drop_table("annotation")
    op.drop_table("alias")
    op.drop_table("sample")
    op.drop_table("run")
    op.drop_table("registration")
    op.drop_table("comparison")
