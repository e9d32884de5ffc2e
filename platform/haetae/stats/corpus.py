"""Corpus metrics: a value from summed statistics, its per-sample pseudo-values, its bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from haetae.stats.intervals import Interval
from haetae.stats.samples import Floats

Corpus = Callable[[Floats], Floats]
"""From totals (..., k) to values (...), as `CorpusMetric.corpus`."""

RESAMPLES = 2_000
BLOCKS = 4_096
CELLS = 1 << 20
"""Numbers held at once while resampling: 8 MB for each of a few arrays."""


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


def bootstrap(sums: Floats, value: Corpus, *, level: float, seed: int) -> Interval | None:
    """Percentile interval of `value` over resampled clusters (Efron 1979; Koehn 2004 for translation).

    `sums` has shape (clusters, k). Above 4,096 clusters, random blocks of them are summed first and
    resampled instead: a sum of independent clusters is as independent, and the interval's own error
    (1 %) stays below that of 2,000 resamples. None for one cluster, or where more than 1 % of the
    resamples have no value.
    """
    if len(sums) < 2:
        return None
    rng = np.random.default_rng(seed)
    if len(sums) > BLOCKS:
        order = rng.permutation(len(sums))
        sums = np.add.reduceat(sums[order], np.linspace(0, len(sums), BLOCKS, endpoint=False).astype(np.intp))
    groups = len(sums)
    values = []
    for start in range(0, RESAMPLES, step := max(1, CELLS // groups)):
        rows = min(step, RESAMPLES - start)
        picks = rng.integers(groups, size=(rows, groups)) + groups * np.arange(rows)[:, None]
        counts = np.bincount(picks.ravel(), minlength=rows * groups).reshape(rows, groups)
        with np.errstate(divide="ignore", invalid="ignore"):  # undefined resamples are counted below
            values.append(np.asarray(value(counts @ sums)))
    drawn = np.concatenate(values)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < 0.99 * RESAMPLES:
        return None
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
