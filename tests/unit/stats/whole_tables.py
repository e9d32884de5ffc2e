"""Estimates of a table as it stands, with a row for each repeat: what the columns of the ledger are held to."""

from __future__ import annotations

from haetae.core.table import SampleColumns, ScoreTable
from haetae.core.verdict import Estimate
from haetae.stats.corpus import Corpus
from haetae.stats.estimate import estimates_of
from haetae.stats.samples import average, codes_of


def estimates(
    name: str, table: ScoreTable, corpus: Corpus | None, *, level: float = 0.95, seed: int = 0
) -> list[Estimate]:
    """`estimates_of` the table's samples; repeats are averaged within a sample first."""
    samples = average([table])
    clusters = codes_of(table.clusters)[1][samples.rows]
    slices = {key: codes_of(tuple(texts)) for key, texts in table.slices.items()}
    columns = SampleColumns(
        facts=table.facts,
        values=samples.values,
        stats=samples.stats,
        clusters=clusters,
        slices={key: (names, codes[samples.rows]) for key, (names, codes) in slices.items()},
        repeated=samples.repeated,
    )
    return estimates_of(name, columns, corpus, level=level, seed=seed)
