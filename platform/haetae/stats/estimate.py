"""What one run says of a metric: a value with its interval, over the whole run and over each slice."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from haetae.core.metric import MetricFacts
from haetae.core.table import SampleColumns
from haetae.core.verdict import Estimate
from haetae.stats.corpus import Corpus, bootstrap, corpus_value, pseudo_values
from haetae.stats.distributions import normal_quantile
from haetae.stats.intervals import Interval, cluster_mean, t_interval, wilson
from haetae.stats.power import DROPS_TO_FIND, detectable, paired_sd
from haetae.stats.samples import Floats, Ints, count_of, sum_by
from haetae.stats.scale import is_binary, is_closed, unit

_T = TypeVar("_T", bound=np.generic)


def estimates_of(
    name: str, columns: SampleColumns, corpus: Corpus | None, *, level: float = 0.95, seed: int = 0
) -> list[Estimate]:
    """Estimate metric `name` over the whole run, then over every `key=value` of the slices, sorted.

    The columns have a row for each sample, its repeats averaged. `n` counts samples with at least one scored
    repeat, `unscored` samples without any (samples, not rows); `clusters` counts those of the n. Samples that
    lack a slice's key belong to no slice of it.

    Intervals at `level`: `wilson` for 0/1 scores of unrepeated, unclustered samples; `bootstrap` for
    corpus metrics (`corpus` given), reproducible from `seed`; cluster-robust `t` for all others, cut to
    the metric's range. The value is None for n = 0, the interval also for n = 1 or one cluster.

    `detectable_drop` is for one run against one other at α = .05 and power .8, with the spread of this
    run and a correlation of .5 between the runs; None where the spread is unknown.
    """
    cells: list[tuple[str, Ints | None]] = [("", None)]
    for key in sorted(columns.slices):
        values, own = columns.slices[key]
        cells += [(f"{key}={value}", np.flatnonzero(own == code)) for code, value in enumerate(values) if value]
    return [_estimate(name, slice_, columns, cell, corpus, level, seed) for slice_, cell in cells]


def _estimate(
    name: str,
    slice_: str,
    columns: SampleColumns,
    cell: Ints | None,
    corpus: Corpus | None,
    level: float,
    seed: int,
) -> Estimate:
    """Of a cell's samples; of all where it is None."""
    values, stats, groups = columns.values, columns.stats, columns.clusters
    if cell is not None:
        values, stats, groups = values[cell], _only(stats, cell), _only(groups, cell)
    scored, total = np.isfinite(values), len(values)
    n = int(np.count_nonzero(scored))
    if n == 0:
        return Estimate(name, slice_, None, None, None, 0, 0, total, level)
    if n < total:
        values, stats, groups = values[scored], _only(stats, scored), _only(groups, scored)
    if corpus is not None:
        if stats is None:
            raise ValueError(f"{name}: a corpus metric needs its per-sample statistics")
        value, interval, drop = _corpus(columns.facts, corpus, stats, groups, level, seed)
        method = "bootstrap"
    else:
        method, value, interval, drop = _mean(columns.facts, values, groups, columns.repeated, level)
    low, high = interval if interval is not None and n > 1 else (None, None)
    clusters = n if groups is None else count_of(groups)
    return Estimate(name, slice_, value, low, high, n, clusters, total - n, level, method, drop)


def _only(column: NDArray[_T] | None, rows: Ints | NDArray[np.bool_]) -> NDArray[_T] | None:
    return None if column is None else column[rows]


def _mean(
    facts: MetricFacts, values: Floats, clusters: Ints | None, repeated: bool, level: float
) -> tuple[str, float, Interval | None, float | None]:
    of = cluster_mean(values, clusters)
    if of.clusters == of.n and not repeated and is_binary(facts, values):
        low, width = facts.low or 0.0, unit(facts)
        share = (of.mean - low) / width
        below, above = wilson(share, of.n, level)
        return "wilson", of.mean, (low + below * width, low + above * width), _binary_drop(share, of.n) * width
    interval = _on_scale(facts, t_interval(of, level, unit(facts) if is_closed(facts) else None))
    return "t", of.mean, interval, detectable(paired_sd(of.sd), of.n) if of.sd else None


def _on_scale(facts: MetricFacts, interval: Interval | None) -> Interval | None:
    """The part of an interval that can be."""
    if interval is None:
        return None
    floor = -math.inf if facts.low is None else facts.low
    return max(interval[0], floor), min(interval[1], math.inf if facts.high is None else facts.high)


def _binary_drop(share: float, n: int) -> float:
    """With the share shrunk as by Agresti and Coull 1998, so that all ones do not promise to find anything."""
    z2 = normal_quantile(0.975) ** 2
    centre = (share * n + z2 / 2) / (n + z2)
    return min(1.0, max(detectable(paired_sd(math.sqrt(centre * (1 - centre))), n), DROPS_TO_FIND / n))


def _corpus(
    facts: MetricFacts, corpus: Corpus, stats: Floats, clusters: Ints | None, level: float, seed: int
) -> tuple[float | None, Interval | None, float | None]:
    value, interval = corpus_value(corpus, stats), None
    if value is not None:
        span = unit(facts) if is_closed(facts) else None
        sums = stats if clusters is None else sum_by(clusters, stats)
        found = bootstrap(sums, corpus, level=level, seed=seed, span=span)
        interval = _on_scale(facts, found)
    pseudo = pseudo_values(corpus, stats)
    sd = None if pseudo is None else cluster_mean(pseudo, clusters).sd
    return value, interval, detectable(paired_sd(sd), len(stats)) if sd else None
