"""Corpus metrics: a value from summed statistics, its per-sample pseudo-values, its bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from haetae.stats.intervals import ROUNDING, ClusterMean, Interval, t_interval
from haetae.stats.samples import Floats

Corpus = Callable[[Floats], Floats]
"""From totals (..., k) to values (...), as `CorpusMetric.corpus`."""

RESAMPLES = 2_000
BLOCKS = 4_096
MANY = 1_024
RARE = 100
"""Clusters from which what a total counts must come for signs to serve: below, its skewness is to be seen."""
CELLS = 1 << 20
"""Numbers held at once while resampling."""


def corpus_value(corpus: Corpus, stats: Floats) -> float | None:
    """The value over all samples of `stats` (n ≥ 1, k); None where the metric does not define one."""
    value = float(corpus(stats.sum(axis=0)))
    return value if np.isfinite(value) else None


def pseudo_values(corpus: Corpus, stats: Floats) -> Floats | None:
    """Jackknife pseudo-values n·θ − (n−1)·θ₍₋ᵢ₎, one per sample: their mean estimates θ and their spread
    its variance, so that tests for means serve corpus metrics too (Tukey 1958; Efron and Tibshirani
    1993, ch. 11). None for fewer than two samples, or where the metric is not defined without one.
    """
    n = len(stats)
    if n < 2:
        return None
    total = stats.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):  # an undefined value is told by the check below
        whole, without = np.asarray(corpus(total)), np.asarray(corpus(total - stats))
    values: Floats = whole + (n - 1) * (whole - without)  # this order keeps equal values equal
    return values if bool(np.isfinite(values).all()) else None


def bootstrap(sums: Floats, value: Corpus, *, level: float, seed: int, span: float | None = None) -> Interval | None:
    """Percentile interval of `value` over resampled clusters (Efron 1979; Koehn 2004 for translation).

    `sums` has shape (clusters, k). Above 1,024 clusters the totals are moved by random signs instead
    (`_multiplied`), with the same spread, where nothing counted is rare. Above 4,096, random blocks of clusters
    are summed first: a sum of independent clusters is as independent, and the interval's own error (1 %) stays
    below that of 2,000 resamples. None for one cluster, or where more than 1 % of the resamples have no value.
    Where all have one value, nothing was seen of the variance: then the bounds of `t_interval`, by the `span` of
    the scale.
    """
    if len(sums) < 2:
        return None
    rng, clusters = np.random.default_rng(seed), len(sums)
    if len(sums) > BLOCKS:
        order = rng.permutation(len(sums))
        sums = np.add.reduceat(sums[order], np.linspace(0, len(sums), BLOCKS, endpoint=False).astype(np.intp))
    drawn = _drawn(sums, rng)
    with np.errstate(divide="ignore", invalid="ignore"):  # undefined resamples are counted below
        values = np.asarray(value(drawn))
    values = values[np.isfinite(values)]
    if len(values) < 0.99 * RESAMPLES:
        return None
    if float(np.ptp(values)) <= ROUNDING * float(np.abs(values).max()):
        return t_interval(ClusterMean(float(values[0]), 0.0, clusters, clusters), level, span)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _drawn(sums: Floats, rng: np.random.Generator) -> Floats:
    """Totals (resamples, k), moved by signs where that is as good as resampling and no count falls to 0."""
    if len(sums) > MANY and not _rare(sums):
        moved = _multiplied(sums, rng)
        counts = (sums >= 0).all(axis=0) & sums.any(axis=0)
        if bool((moved[:, counts] > 0).all()):
            return moved
    return _resampled(sums, rng)


def _rare(sums: Floats) -> bool:
    """Whether a total, or the difference of two (the errors of a system that is nearly all right), comes from few
    clusters."""
    for column in range(sums.shape[1]):
        others = np.column_stack([sums[:, column], sums[:, column, None] - sums[:, column + 1 :]])
        seen = np.count_nonzero(others, axis=0)
        if bool(((seen > 0) & (seen < RARE)).any()):
            return True
    return False


def _resampled(sums: Floats, rng: np.random.Generator) -> Floats:
    """Totals (resamples, k) of as many clusters, drawn with replacement."""
    groups = len(sums)
    counts = np.empty((RESAMPLES, groups))
    for row in counts:
        row[:] = np.bincount(rng.integers(groups, size=groups), minlength=groups)
    return np.asarray(counts @ sums, dtype=np.float64)


def _multiplied(sums: Floats, rng: np.random.Generator) -> Floats:
    """Totals (resamples, k) plus every cluster's distance from the mean, with a random sign each.

    Their covariance is exactly that of resampled totals (the multiplier bootstrap, Præstgaard and Wellner
    1993); only their skewness, which a thousand clusters have averaged out, is lost. A sign costs a bit
    where a draw costs a number and a count.
    """
    groups, total = len(sums), sums.sum(axis=0)
    moved = (sums - total / groups).astype(np.float32)
    width = (groups + 7) // 8
    out = np.empty((RESAMPLES, sums.shape[1]))
    for start in range(0, RESAMPLES, step := max(1, CELLS // groups)):
        rows = min(step, RESAMPLES - start)
        words = rng.integers(2**64 - 1, size=(rows * width + 7) // 8, dtype=np.uint64, endpoint=True)
        bits = np.unpackbits(words.view(np.uint8)[: rows * width].reshape(rows, width), axis=1, count=groups)
        out[start : start + rows] = total + 2 * (bits.astype(np.float32) @ moved)
    return np.asarray(out - moved.sum(axis=0), dtype=np.float64)
