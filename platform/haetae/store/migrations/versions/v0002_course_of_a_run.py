"""How hard endpoints were asked in a run, and what it spent that no row tells; and smaller indexes: only what was
called for is looked up by its key, or what stands for it since that was pruned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PAID = {"generation": "attempts", "score": "calls"}


def upgrade() -> None:
    """Add the column, narrow the indexes."""
    for column in ("course", "unkept"):
        op.add_column("run", sa.Column(column, sa.Text(), nullable=True))
    for table, paid in _PAID.items():
        op.add_column(table, sa.Column("heir", sa.Boolean(), nullable=True))
        _index(table, "(reused = 0 OR heir = 1)", "(NOT reused OR heir)", f" AND {paid} > 0")


def downgrade() -> None:
    """Widen the indexes, drop the columns."""
    for table in _PAID:
        _index(table, "reused = 0", "NOT reused", "")
        op.drop_column(table, "heir")
    for column in ("unkept", "course"):
        op.drop_column("run", column)


def _index(table: str, sqlite: str, postgresql: str, paid: str) -> None:
    op.drop_index(op.f(f"ix_{table}_key"), table)
    op.create_index(
        op.f(f"ix_{table}_key"),
        table,
        ["key"],
        sqlite_where=sa.text(f"reason IS NULL AND {sqlite}{paid}"),
        postgresql_where=sa.text(f"reason IS NULL AND {postgresql}{paid}"),
    )
