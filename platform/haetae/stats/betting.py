"""Evidence that may be looked at after every sample, with a guarantee at every sample size."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from haetae.stats.samples import Floats

BETS = 32
"""Stakes in the mixture, from a thousandth of the largest one up, evenly in their logarithm."""


def betting_e_values(moved: ArrayLike, null: float = 0.0, *, low: float = -1.0, high: float = 1.0) -> Floats:
    """E-values (n,), one after every sample, against "the mean is at most `null`".

    `moved` (n,) are values within [low, high], in their declared order: differences candidate − baseline
    on the scale [0, 1] lie in [−1, 1]. The wealth of a gambler who stakes λ on each value being above
    `null` is Π(1 + λ(x − null)), which no strategy can expect to grow if the null is true; the e-value
    is the average over stakes λ from almost nothing to the largest that cannot go bankrupt
    (Waudby-Smith and Ramdas 2024, JRSS B 86:1; a fixed mixture). By Ville's inequality it ever exceeds
    1/α with probability at most α, whatever the distribution and however often one looks: 1 over the
    running maximum is an anytime-valid p-value.

    Against a drop of `margin`: betting_e_values(d, −margin) for a pass, betting_e_values(−d) for a
    regression. Raises ValueError for a null or a value outside the range, or one that is not finite.
    """
    x = np.asarray(moved, dtype=np.float64)
    if not low < null < high:
        raise ValueError(f"the null lies within ({low}, {high}), got {null}")
    if x.ndim != 1 or not bool(((x >= low) & (x <= high)).all()):
        raise ValueError(f"expected one row of values within [{low}, {high}]")
    stakes = np.geomspace(1e-3, 1 - 1e-9, BETS) / (null - low)
    wealth = np.cumsum(np.log1p(stakes[:, None] * (x - null)), axis=1)
    most = wealth.max(axis=0, initial=-np.inf)
    with np.errstate(over="ignore"):  # evidence beyond floating point is infinite evidence
        e: Floats = np.exp(most) * np.exp(wealth - most).mean(axis=0)
    return e


def betting_e_value(moved: ArrayLike, null: float = 0.0, *, low: float = -1.0, high: float = 1.0) -> float:
    """The last of `betting_e_values`; 1 before the first sample."""
    values = betting_e_values(moved, null, low=low, high=high)
    return float(values[-1]) if len(values) else 1.0
