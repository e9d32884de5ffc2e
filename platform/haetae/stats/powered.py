"""Prediction-powered inference: a mean of labels, sharpened by predictions of everything (PPI++).

Source: Angelopoulos, Duchi and Zrnic 2023. Columns are those of `haetae.stats.judge_correction`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from haetae.stats.intervals import ROUNDING
from haetae.stats.samples import Floats, Ints, sum_by

FOLDS = 10
LARGEST_WEIGHT = 1.5
"""Of the judge's scores: a judge that compresses its scale deserves more than 1, rarely much more."""

Groups = tuple[Ints, Ints]
"""Codes of the clusters of all samples (N,) and of the labelled ones (n,)."""


@dataclass(frozen=True, eq=False)
class Powered:
    """A prediction-powered mean and its standard error, from the labels' residues (n,).

    `spread` is the standard error of the residues' mean alone, and `units` how many independent samples
    or clusters are labelled: with fewer than two of them both errors are None.
    """

    estimate: float
    error: float | None
    residues: Floats
    spread: float | None
    units: int


def powered(
    everyone: Floats,
    judge: Floats,
    human: Floats,
    *,
    groups: Groups | None = None,
    seed: int = 0,
    weight: float | None = None,
) -> Powered:
    """mean(human − λ·judge) over the labelled + λ·mean(judge) over all.

    λ is `weight`, or for every tenth of the labels the regression slope of human on judge in the other
    nine, cut to [0, 1.5]: a λ tuned on the residues that it is judged by would make them look too small.
    The error counts that the labelled are among all: with every sample labelled it is that of the
    human mean. With `groups` it is cluster-robust.
    """
    n, total = len(human), len(everyone)
    own = np.arange(n) if groups is None else groups[1]
    units = len(np.unique(own))
    weights = _weights(judge, human, own, seed) if weight is None else np.full(n, weight)
    residues, mean = human - weights * judge, float(weights.mean())
    estimate = float(residues.mean()) + mean * float(everyone.mean())
    if units < 2:
        return Powered(estimate, None, residues, None, units)
    parts = sum_by(own, residues - residues.mean())
    judged, there = _judged_sums(everyone, judge, groups)
    more, all_units = units / (units - 1), len(judged)
    spread = float(parts @ parts) / n**2 * more
    guessed = float(judged @ judged) / total**2 * all_units / (all_units - 1)
    shared = float(parts @ there) / (n * total) * more
    variance = spread + mean**2 * guessed + 2 * mean * shared
    error, rounding = math.sqrt(max(0.0, variance)), ROUNDING * float(np.abs(human).max())
    return Powered(estimate, error if error > rounding else 0.0, residues, math.sqrt(spread), units)


def _judged_sums(everyone: Floats, judge: Floats, groups: Groups | None) -> tuple[Floats, Floats]:
    """What each independent unit's judge scores add to the deviation from their mean: of all, and of the labelled."""
    centre = float(everyone.mean())
    if groups is None:
        return everyone - centre, judge - centre
    whole = np.asarray(np.bincount(groups[0], weights=everyone - centre), dtype=np.float64)
    return whole[np.unique(groups[0])], whole[np.unique(groups[1])]


def _weights(judge: Floats, human: Floats, own: Ints, seed: int) -> Floats:
    """λ per label, from the labels of the other folds; a cluster is in one fold."""
    names, unit = np.unique(own, return_inverse=True)
    folds = min(FOLDS, len(names))
    fold = (np.random.default_rng(seed).permutation(len(names)) % folds)[unit]
    out = np.zeros(len(human))
    for k in range(folds):
        kept = fold != k
        x, y = judge[kept], human[kept]
        variance = float(x.var()) if len(x) > 1 else 0.0
        slope = float(((x - x.mean()) * (y - y.mean())).mean()) / variance if variance > 0 else 0.0
        out[~kept] = min(LARGEST_WEIGHT, max(0.0, slope))
    return out
