"""Absolute floors and ceilings: is a run's own value proven to be on either side of a limit?"""

from __future__ import annotations

from dataclasses import dataclass

from haetae.core.table import ScoreTable
from haetae.stats.corpus import Corpus, corpus_value, pseudo_values
from haetae.stats.intervals import ClusterMean, cluster_mean, p_above
from haetae.stats.paired import in_slice
from haetae.stats.samples import average, codes_of
from haetae.stats.scale import is_binary, unit


@dataclass(frozen=True, slots=True)
class Limit:
    """One-sided p-values of one limit: `broken` is evidence that the value breaks it, `kept` that it keeps it."""

    name: str
    broken: float
    kept: float

    @property
    def note(self) -> str:
        return "below the floor" if self.name == "floor" else "above the ceiling"


def limits(
    table: ScoreTable, corpus: Corpus | None, slice_: str, minimum: float | None, maximum: float | None
) -> list[Limit]:
    """Test `minimum` and `maximum` (native units) on all scored samples of a run's slice, paired or not.

    The tests are those of the estimate's one-sided interval: score test for 0/1, cluster t for others,
    cluster t on pseudo-values for corpus metrics. A limit at or beyond the metric's own end is kept by
    definition. Nothing to test with (no sample, one cluster) proves nothing: both p are 1.
    """
    if minimum is None and maximum is None:
        return []
    of, binary = _value(table, corpus, slice_)
    low, high, span = table.facts.low, table.facts.high, unit(table.facts)
    found = []
    if minimum is not None:
        trivial = low is not None and minimum <= low
        found.append(_limit("floor", of, minimum, +1, span, binary, trivial, low))
    if maximum is not None:
        trivial = high is not None and maximum >= high
        found.append(_limit("ceiling", of, maximum, -1, span, binary, trivial, low))
    return found


def _value(table: ScoreTable, corpus: Corpus | None, slice_: str) -> tuple[ClusterMean | None, bool]:
    samples = average([table])
    cell = in_slice(table, samples.rows, slice_)
    cell = cell[samples.scored[cell]]
    if not len(cell):
        return None, False
    clusters = codes_of(table.clusters)[1][samples.rows[cell]]
    if corpus is None:
        of = cluster_mean(samples.values[cell], clusters)
        plain = of.clusters == of.n and not samples.repeated
        return of, plain and is_binary(table.facts, samples.values[cell])
    stats = None if samples.stats is None else samples.stats[cell]
    pseudo = None if stats is None else pseudo_values(corpus, stats)
    value = None if stats is None else corpus_value(corpus, stats)
    if pseudo is None or value is None:
        return None, False
    spread = cluster_mean(pseudo, clusters)
    return ClusterMean(value, spread.error, spread.n, spread.clusters), False


def _limit(
    name: str, of: ClusterMean | None, at: float, side: int, span: float, binary: bool, trivial: bool, low: float | None
) -> Limit:
    if trivial:
        return Limit(name, broken=1.0, kept=0.0)
    if of is None:
        return Limit(name, broken=1.0, kept=1.0)
    if binary and low is not None:  # shares of ones, on the scale where the score test's variance is p(1 − p)
        of = ClusterMean((of.mean - low) / span, None, of.n, of.clusters)
        at, span = (at - low) / span, 1.0
    turned = ClusterMean(side * of.mean, of.error, of.n, of.clusters)
    mirrored = ClusterMean(-turned.mean, of.error, of.n, of.clusters)
    kept = p_above(turned, side * at, span, binary)
    broken = p_above(mirrored, -side * at, span, binary)
    return Limit(name, 1.0 if broken is None else broken, 1.0 if kept is None else kept)
