"""The scores of one metric over one run, read in the order of sample ids and folded to a row for each sample.

Of a sample nothing stays but its numbers, so that a million samples need what their columns need.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from haetae.core import canonical
from haetae.core.canonical import Json
from haetae.core.metric import MetricFacts
from haetae.core.table import SampleColumns
from haetae.errors import StoreError
from haetae.store.columns import escape, unescape
from haetae.store.database import Database
from haetae.store.ledger import chunks, run_row
from haetae.store.plans import all_of_a_run
from haetae.store.rows import read_run
from haetae.store.tables import GENERATION, SAMPLE, SCORE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FETCHED = 1_000
"""Rows that wait to be folded."""


class ColumnReader:
    """`sample_columns` of `haetae.core.ledger.Ledger`."""

    _database: Database

    def sample_columns(self, run_id: str, metric: str) -> SampleColumns:
        """Raises StoreError naming the metrics of the run when it has none of that name."""

        def work(connection: Connection) -> SampleColumns:
            manifest = read_run(run_row(connection, run_id)).manifest
            if metric not in manifest.metrics:
                raise StoreError(f"run {run_id} has no metric {metric!r}; it has: {', '.join(manifest.metrics)}")
            fold = _Fold(manifest.metrics[metric], manifest.suite.get("cluster"), manifest.suite.get("slices") or ())
            if fold.reads_facets:
                all_of_a_run(connection)
            query = self._query(run_id, metric, facets=fold.reads_facets)
            rows = connection.execute(query.execution_options(stream_results=True, yield_per=_FETCHED))
            scored = self._with_facets(connection, rows.partitions()) if fold.reads_facets else map(tuple, rows)
            for sample_id, repeats in groupby(scored, key=itemgetter(0)):
                fold.add(sample_id, repeats)
            return fold.columns()

        return self._database.read(f"reading the scores of {metric} in run {run_id}", work)

    def _with_facets(self, connection: Connection, parts: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
        for part in parts:
            facets = facets_of(self._database, connection, [row[3] for row in part])
            for sample_id, value, stats, digest in part:
                yield sample_id, value, stats, facets[digest]

    def _query(self, run_id: str, metric: str, *, facets: bool) -> sa.Select[Any]:
        """(sample id, value, statistics, digest of the sample or None) in the order of the primary key."""
        name = sa.type_coerce(SCORE.c.sample_id, sa.Text())
        order = name if self._database.is_sqlite else name.collate("C")
        what = sa.select(name, SCORE.c.value, SCORE.c.stats, GENERATION.c.sample_digest if facets else sa.null())
        what = what.select_from(SCORE.join(GENERATION)) if facets else what
        of_metric = sa.type_coerce(SCORE.c.metric, sa.Text()).concat("") == escape(metric)  # keeps its index out
        return what.where(SCORE.c.run_id == run_id, of_metric).order_by(order, SCORE.c.repeat)


def facets_of(database: Database, connection: Connection, digests: Sequence[str]) -> Mapping[str, Mapping[str, Json]]:
    """The metadata of samples by their digest."""
    found: dict[str, Mapping[str, Json]] = {}
    for some in chunks(digests):
        query = sa.select(SAMPLE.c.digest, SAMPLE.c.facets).where(database.among(SAMPLE.c.digest, some))
        found.update(connection.execute(query).tuples().all())
    return found


class _Fold:
    """Columns that grow by a sample at a time."""

    def __init__(self, facts: MetricFacts, cluster: str | None, slices: Sequence[str]) -> None:
        self.reads_facets = cluster is not None or bool(slices)
        self._facts = facts
        self._cluster = cluster
        self._values = array("d")
        self._stats = array("d")
        self._widths: set[int] = set()
        self._repeated = False
        self._clusters = _Codes()
        self._slices = {key: _Codes() for key in slices}

    def add(self, sample_id: str, repeats: Iterable[tuple[Any, ...]]) -> None:
        values, stats = [], []
        facets: Mapping[str, Json] = {}
        for _, value, row_stats, row_facets in repeats:
            facets = row_facets or {}
            if value is not None:
                values.append(value)
                stats.append(row_stats or ())
        self._repeated |= len(values) > 1
        self._values.append(sum(values) / len(values) if values else float("nan"))
        if self._facts.corpus:  # a judge's are for its report, and of any length
            self._widths.update(map(len, stats))
            self._stats.extend(sum(column) / len(stats) for column in zip(*stats, strict=False))
        if self._cluster is not None:
            self._clusters.add(facet_text(facets, self._cluster) or unescape(sample_id))
        for key, codes in self._slices.items():
            codes.add(facet_text(facets, key))

    def columns(self) -> SampleColumns:
        import numpy as np

        return SampleColumns(
            facts=self._facts,
            values=np.frombuffer(self._values, np.float64),
            stats=self._stacked(),
            clusters=None if self._cluster is None else self._clusters.coded()[1],
            slices={key: codes.coded() for key, codes in self._slices.items()},
            repeated=self._repeated,
        )

    def _stacked(self) -> NDArray[np.float64] | None:
        """Shape (samples, k), NaN where a sample has no score; None unless every scored row has k statistics."""
        import numpy as np

        if len(self._widths) != 1 or (k := min(self._widths)) == 0:
            return None
        stacked = np.full((len(self._values), k), np.nan)
        stacked[np.isfinite(np.frombuffer(self._values, np.float64))] = np.frombuffer(self._stats).reshape(-1, k)
        return stacked


class _Codes:
    """A column of texts as places in the sorted list of the texts that there are."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._column = array("q")

    def add(self, text: str) -> None:
        self._column.append(self._places.setdefault(text, len(self._places)))

    def coded(self) -> tuple[tuple[str, ...], NDArray[np.intp]]:
        import numpy as np

        names = tuple(sorted(self._places))
        place = np.empty(len(names), np.intp)
        place[[self._places[name] for name in names]] = np.arange(len(names))
        return names, place[np.frombuffer(self._column, np.int64)]


def facet_text(facets: Mapping[str, Json], key: str) -> str:
    """One metadata value as text: a text as it is, anything else as JSON, "" where there is none."""
    value = facets.get(key)
    if value is None:
        return ""
    return value if isinstance(value, str) else canonical.dumps(value)
