"""The scores of one metric over one run as columns, straight from the rows. Only these columns need numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core.canonical import Json
from haetae.core.table import ScoreTable
from haetae.errors import StoreError
from haetae.store.database import Database
from haetae.store.ledger import run_row
from haetae.store.plans import all_of_a_run
from haetae.store.rows import Row, read_run
from haetae.store.sample_columns import facet_text, facets_of
from haetae.store.tables import GENERATION, SCORE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ScoreTables:
    """`table` of `haetae.core.ledger.Ledger`."""

    _database: Database

    def table(self, run_id: str, metric: str) -> ScoreTable:
        """Raises StoreError naming the metrics of the run when it has none of that name.

        Slices are the suite's; the cluster of a sample without the suite's cluster key is itself.
        """

        def work(connection: Connection) -> ScoreTable:
            manifest = read_run(run_row(connection, run_id)).manifest
            if metric not in manifest.metrics:
                raise StoreError(f"run {run_id} has no metric {metric!r}; it has: {', '.join(manifest.metrics)}")
            rows = _rows(connection, run_id, metric)
            slices: Sequence[str] = manifest.suite.get("slices") or ()
            cluster: str | None = manifest.suite.get("cluster")
            digests = [row["sample_digest"] for row in rows] if slices or cluster else []
            facets = facets_of(self._database, connection, digests)
            facts = manifest.metrics[metric]
            return ScoreTable(
                facts=facts,
                sample_ids=tuple(row["sample_id"] for row in rows),
                values=_values(rows),
                clusters=tuple(_facet(facets, row, cluster) or row["sample_id"] for row in rows),
                stats=_stats(rows) if facts.corpus else None,  # a judge's are for its report, and of any length
                slices={key: tuple(_facet(facets, row, key) for row in rows) for key in slices},
                reasons=tuple(row["reason"] for row in rows),
                digests=tuple(row["sample_digest"] for row in rows),
                outputs=tuple(row["output_digest"] for row in rows),
            )

        return self._database.read(f"reading the scores of {metric} in run {run_id}", work)


def _rows(connection: Connection, run_id: str, metric: str) -> Sequence[Row]:
    columns = (SCORE.c.sample_id, SCORE.c.value, SCORE.c.reason, SCORE.c.stats)
    query = (
        sa.select(*columns, GENERATION.c.sample_digest, GENERATION.c.output_digest)
        .select_from(SCORE.join(GENERATION))
        .where(SCORE.c.run_id == run_id, SCORE.c.metric == metric)
        .order_by(GENERATION.c.position, GENERATION.c.repeat)
    )
    return all_of_a_run(connection).execute(query).mappings().all()


def _facet(facets: Mapping[str, Mapping[str, Json]], row: Row, key: str | None) -> str:
    return "" if key is None else facet_text(facets[row["sample_digest"]], key)


def _values(rows: Sequence[Row]) -> NDArray[np.float64]:
    import numpy as np

    return np.array([np.nan if row["value"] is None else row["value"] for row in rows], dtype=np.float64)


def _stats(rows: Sequence[Row]) -> NDArray[np.float64] | None:
    """Shape (rows, k), NaN in unscored rows; None unless every scored row has k statistics."""
    lengths = {len(row["stats"] or ()) for row in rows if row["value"] is not None}
    if len(lengths) != 1 or (k := lengths.pop()) == 0:
        return None
    import numpy as np

    hole = [np.nan] * k
    return np.array([hole if row["value"] is None else row["stats"] for row in rows], dtype=np.float64)
