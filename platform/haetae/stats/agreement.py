"""Do two judges, or many, agree beyond chance: Cohen's kappa and Krippendorff's alpha, with intervals."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from haetae.stats.distributions import normal_quantile
from haetae.stats.samples import Floats

RESAMPLES = 2_000
Scale = Literal["nominal", "ordinal", "interval"]
Weights = Literal["none", "linear", "quadratic"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """1 is perfect agreement, 0 what chance gives, below 0 worse than chance.

    `n` counts the samples that at least two raters labelled. `value` is None, and `reason` says why,
    where agreement is undefined: chance alone would agree perfectly when all labels are the same.
    The bounds are None too where the samples do not determine an interval.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


def kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    *,
    weights: Weights = "none",
    order: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Agreement:
    """Cohen's kappa of two raters who labelled the same samples (Cohen 1960).

    `weights` count near misses of ordered labels as part agreement, by the (squared) distance of their
    ranks (Cohen 1968); `order` names all labels from lowest to highest, by default those seen, sorted.
    The interval is the large-sample one of Fleiss, Cohen and Everitt 1969, cut to [−1, 1].
    Raises ValueError for sides of different length or a label that `order` lacks.
    """
    labels: list[Hashable] = list(order) if order is not None else sorted({*first, *second}, key=_by_size)
    place = {label: i for i, label in enumerate(labels)}
    if len(first) != len(second) or any(label not in place for label in (*first, *second)):
        raise ValueError("two raters give one label each to the same samples, all of them in the order given")
    n, k = len(first), len(labels)
    if n == 0:
        return Agreement(None, None, None, 0, "no sample is labelled by both")
    table = np.zeros((k, k))
    np.add.at(table, ([place[a] for a in first], [place[b] for b in second]), 1 / n)
    credit = _credit(k, weights)
    row, column = table.sum(axis=1), table.sum(axis=0)
    observed, chance = float((credit * table).sum()), float(row @ credit @ column)
    if 1 - chance < 1e-12:
        return Agreement(None, None, None, n, f"undefined: every label is {labels[int(row.argmax())]!r}")
    value = (observed - chance) / (1 - chance)
    # Fleiss, Cohen and Everitt 1969, eq. 13: mean credits of each label, given the other's.
    mean_row, mean_column = credit @ column, credit.T @ row
    inner = credit - (1 - value) * (mean_row[:, None] + mean_column)
    variance = float((table * inner**2).sum()) - (value - chance * (1 - value)) ** 2
    half = normal_quantile((1 + level) / 2) * math.sqrt(max(0.0, variance) / n) / (1 - chance)
    value = min(1.0, value)  # 1 may come out a rounding error above
    if half == 0:
        return Agreement(value, None, None, n, "no interval: the labels leave no room for chance")
    return Agreement(value, max(-1.0, value - half), min(1.0, value + half), n)


def _by_size(label: Hashable) -> tuple[bool, float, str]:
    """Numbers by size, then texts by alphabet."""
    return (False, float(label), "") if isinstance(label, int | float) else (True, 0.0, str(label))


def _credit(k: int, weights: Weights) -> Floats:
    """What a pair of labels counts as agreement, (k, k) in [0, 1]."""
    if weights == "none" or k < 2:
        return np.eye(k)
    apart = np.abs(np.arange(k)[:, None] - np.arange(k)) / (k - 1)
    return np.asarray(1 - (apart if weights == "linear" else apart**2), dtype=np.float64)


def alpha(ratings: ArrayLike, *, scale: Scale = "nominal", level: float = 0.95, seed: int = 0) -> Agreement:
    """Krippendorff's alpha of any number of raters, who may have left gaps (Krippendorff 2011).

    `ratings` has shape (raters, samples); labels are numbers (codes, for nominal ones) and NaN is none.
    α = 1 − observed/expected disagreement, over pairs of labels within and between samples; the distance
    of two labels is 0 or 1, the labels ranked between them, or their difference, squared. The interval
    is the percentile bootstrap over samples, reproducible from `seed`.
    """
    grid = np.asarray(ratings, dtype=np.float64).T
    if grid.ndim != 2:
        raise ValueError("ratings have shape (raters, samples)")
    known = np.isfinite(grid)
    grid, known = (part[known.sum(axis=1) >= 2] for part in (grid, known))
    n = len(grid)
    if n == 0:
        return Agreement(None, None, None, 0, "no sample has labels of two raters")
    values = np.unique(grid[known])
    counts = np.stack([(known & (grid == value)).sum(axis=1) for value in values], axis=1).astype(np.float64)
    distance = _distance(values, counts.sum(axis=0), scale)
    raters = counts.sum(axis=1)
    observed = np.einsum("uc,cd,ud->u", counts, distance, counts) / (raters - 1)
    whole = _alpha(np.ones((1, n)), counts, observed, distance)[0]
    if not math.isfinite(whole):
        return Agreement(None, None, None, n, f"undefined: every label is {values[0]:g}")
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    found = _alpha(drawn, counts, observed, distance)
    found = found[np.isfinite(found)]  # a resample of one label alone says nothing
    if len(found) < 0.9 * RESAMPLES:
        return Agreement(float(whole), None, None, n, "no interval: almost every label is the same")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Agreement(float(whole), float(low), float(high), n)


def _alpha(times: Floats, counts: Floats, observed: Floats, distance: Floats) -> Floats:
    """Alpha of resamples (resamples, samples) that hold every sample so many `times`; NaN where undefined."""
    seen = times @ counts
    total = seen.sum(axis=1)
    expected = np.einsum("bc,cd,bd->b", seen, distance, seen) / (total - 1)
    out = np.full(len(times), np.nan)
    np.divide(times @ observed, expected, out=out, where=expected > 0)
    return 1 - out


def _distance(values: Floats, totals: Floats, scale: Scale) -> Floats:
    """Squared distances of the labels (v, v); `totals` (v,) is how often each occurs."""
    if scale == "nominal":
        return 1 - np.eye(len(values))
    ranked = values if scale == "interval" else np.cumsum(totals) - totals / 2
    return np.asarray((ranked[:, None] - ranked) ** 2, dtype=np.float64)
