"""Samples that nobody refers to any more are deleted, while other processes may be about to refer to them.

Rows point at their samples, and no index tells who points at one: it would cost every recorded answer more
than a prune may. So a foreign key would read the whole ledger for each sample. SQLite is asked not to check it,
and what it would have found is looked for among the rows that came since. On Postgres the index is built
beside the writers, for as long as it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.store.database import Database
from haetae.store.ledger import chunks
from haetae.store.pruning.breathing import breathing
from haetae.store.tables import ANNOTATION, GENERATION, PRUNED, RUN, SAMPLE

_INDEX: Final = "ix_generation_sample_digest_while_pruning"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one snapshot showed: samples without a row, the last row there was, and the runs there were."""

    samples: Sequence[str]
    last_row: int
    runs: frozenset[str]


def drop_orphans(database: Database) -> int:
    """Delete the samples that no answer and no label refers to; how many there were."""
    seen = database.read("looking for samples that nobody refers to", lambda c: _look(c, database.is_sqlite))
    if not seen.samples:
        return 0
    if not database.is_sqlite:
        return _drop_with_index(database, seen)
    unchecked = Database(database.url, enforcing=False)
    try:
        return _drop(unchecked, seen)
    finally:
        unchecked.close()


def _look(connection: Connection, is_sqlite: bool) -> _Seen:
    columns = (SAMPLE.c.digest, GENERATION.c.sample_digest, ANNOTATION.c.sample_digest)
    samples = connection.execute(sa.except_(*map(sa.select, columns))).scalars().all()
    last = connection.exec_driver_sql("SELECT max(rowid) FROM generation").scalar() if is_sqlite else None
    return _Seen(samples, last or 0, frozenset(connection.execute(sa.select(RUN.c.id)).scalars()))


def _drop(database: Database, seen: _Seen) -> int:
    """Delete a part at a time, leaving what was referred to since. Ends where somebody else prunes: then rows do not
    only come, and what came since cannot be told; the next prune finds the rest."""
    newer = sa.select(GENERATION.c.sample_digest)
    if database.is_sqlite:
        newer = newer.where(sa.literal_column("generation.rowid") > seen.last_row)
    deleted = 0
    for some in chunks(seen.samples):
        orphans = sa.and_(
            SAMPLE.c.digest.in_(some),
            SAMPLE.c.digest.not_in(newer.where(GENERATION.c.sample_digest.in_(some))),
            SAMPLE.c.digest.not_in(sa.select(ANNOTATION.c.sample_digest)),
        )

        def work(connection: Connection, orphans: sa.ColumnElement[bool] = orphans) -> int | None:
            rows = connection.execute(sa.select(RUN.c.id, RUN.c.status)).tuples().all()
            if any(status == PRUNED for _, status in rows) or not seen.runs <= {run_id for run_id, _ in rows}:
                return None
            return connection.execute(SAMPLE.delete().where(orphans)).rowcount

        count, _ = breathing(database, "deleting samples that nobody refers to", work)
        if count is None:
            break
        deleted += count
    return deleted


def _drop_with_index(database: Database, seen: _Seen) -> int:
    drop = f"DROP INDEX IF EXISTS {_INDEX}"
    database.alone("dropping the index of a prune that was killed", drop)
    database.alone("indexing samples", f"CREATE INDEX CONCURRENTLY {_INDEX} ON generation (sample_digest)")
    try:
        return _drop(database, seen)
    finally:
        database.alone("dropping the index of samples", drop)
