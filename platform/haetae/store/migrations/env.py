"""What Alembic runs: the migrations on the connection it was given, inside that connection's transaction."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from haetae.store.columns import JsonText, SafeText
from haetae.store.migrations import VERSION_TABLE
from haetae.store.tables import METADATA, describe_for_postgres


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write our column types as SQLAlchemy's own, so that a migration stands without our code."""
    if kind == "type":
        if isinstance(item, UTCDateTime):
            return "sa.DateTime(timezone=True)"
        if isinstance(item, AutoString):
            return "sa.String()"
        if isinstance(item, JsonText | SafeText):
            return "sa.Text()"
    return False


connection = context.config.attributes["connection"]
describe_for_postgres()
context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_item=render_item,
    compare_type=True,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
