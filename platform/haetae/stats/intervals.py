"""Intervals and one-sided tests of a single mean: Wilson for 0/1 scores, cluster-robust t for all others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from haetae.stats.distributions import normal_cdf, normal_quantile, t_cdf, t_quantile
from haetae.stats.samples import Floats, Ints, sum_by

Interval = tuple[float, float]

ROUNDING = 1e-12
"""Relative differences below this are arithmetic, not data."""


@dataclass(frozen=True, slots=True)
class ClusterMean:
    """A mean over n samples in G clusters, with its cluster-robust standard error.

    `error` = √(G/(G−1)·Σ(S_g − n_g·mean)²)/n, S_g a cluster's sum and n_g its size (Liang and Zeger
    1986, with the usual small-sample factor); for clusters of one sample this is s/√n. None for one
    cluster.
    """

    mean: float
    error: float | None
    n: int
    clusters: int

    @property
    def sd(self) -> float | None:
        """The standard deviation per sample that n independent samples would need for this error."""
        return None if self.error is None else self.error * math.sqrt(self.n)


def cluster_mean(values: Floats, clusters: Ints | None) -> ClusterMean:
    """The mean of `values` (n ≥ 1), whose cluster codes are `clusters`; each its own where that is None."""
    n, mean = len(values), float(values.mean())
    low, high = float(values.min()), float(values.max())
    if high - low <= ROUNDING * max(abs(low), abs(high)):  # rounding must not look like spread
        mean, values = float(values[0]), np.full(n, values[0])
    if clusters is None:
        groups, squares = n, _squares(values, mean)
    else:
        residues = sum_by(clusters, values - mean)
        groups, squares = len(residues), float(residues @ residues)
    if groups < 2:
        return ClusterMean(mean, None, n, groups)
    return ClusterMean(mean, math.sqrt(groups / (groups - 1) * squares) / n, n, groups)


def _squares(values: Floats, mean: float) -> float:
    """The sum of squared distances from the mean, a part at a time: no second column of a million."""
    parts = (values[start : start + _PART] - mean for start in range(0, len(values), _PART))
    return math.fsum(float(part @ part) for part in parts)


_PART = 1 << 16


def wilson(mean: float, n: int, level: float) -> Interval:
    """Wilson's score interval of a proportion `mean` of `n` ≥ 1 (Wilson 1927, JASA 22:209)."""
    z2 = normal_quantile((1 + level) / 2) ** 2
    centre = (mean + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (mean * (1 - mean) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return min(mean, max(0.0, centre - half)), max(mean, min(1.0, centre + half))


def t_interval(of: ClusterMean, level: float, span: float | None) -> Interval | None:
    """mean ± t_{G−1}·error.

    Where every value is the same, nothing was seen of the variance: then the bounds are those that an
    unseen share of samples, each off by the whole `span` of the scale, could hide behind (rule of
    three: span·ln(2/(1−level))/G). None for one cluster, or no spread on a scale without a span.
    """
    if of.error is None:
        return None
    if of.error == 0:
        if span is None:
            return None
        half = span * math.log(2 / (1 - level)) / of.clusters
    else:
        half = t_quantile((1 + level) / 2, of.clusters - 1) * of.error
    return of.mean - half, of.mean + half


def p_above(of: ClusterMean, threshold: float, span: float, binary: bool) -> float | None:
    """One-sided evidence that the true mean is above `threshold`; with both negated, that it is below.

    0/1 scores (`binary`, mean and threshold within [0, 1] or, negated, [−1, 0]): the score test that
    Wilson's interval inverts; others: t on cluster sums. Without spread, exp(−G·distance/span).
    None where one cluster says nothing of the variance.
    """
    distance = of.mean - threshold
    if binary:
        variance = abs(threshold) * (1 - abs(threshold)) / of.n
        if variance > 0:
            return normal_cdf(-distance / math.sqrt(variance))
        return 0.5 if distance == 0 else float(distance < 0)  # at 0 or 1 a single exception is proof
    if of.error is None:
        return None
    if of.error == 0:
        return 1.0 if distance <= 0 else math.exp(-of.clusters * distance / span)
    return t_cdf(-distance / of.error, of.clusters - 1)
