"""Paired 0/1 scores: Tango's score test and interval for a difference of proportions.

Source: Tango 1998, Statistics in Medicine 17:891–908.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from haetae.stats.distributions import normal_cdf, normal_quantile
from haetae.stats.intervals import Interval


def restricted_drop(drops: int, gains: int, n: int, margin: float) -> float:
    """The most likely probability q of a drop when that of a gain is q − margin (−1 < margin < 1).

    The larger root of 2n·q² − (b + c + m(2n + b − c))·q + b·m(1 + m) = 0, b drops, c gains.
    """
    linear = drops + gains + margin * (2 * n + drops - gains)
    root = math.sqrt(max(0.0, linear * linear - 8 * n * drops * margin * (1 + margin)))
    return (linear + root) / (4 * n)


def tango_z(drops: int, gains: int, n: int, margin: float) -> float:
    """z of the null "candidate − baseline = −margin", positive where the data lie above it."""
    distance = gains - drops + n * margin
    q = restricted_drop(drops, gains, n, margin)
    variance = n * (2 * q - margin * (1 + margin))
    if variance > 1e-12 * n:
        return distance / math.sqrt(variance)
    return 0.0 if abs(distance) < 1e-9 else math.copysign(math.inf, distance)


def tango_p(drops: int, gains: int, n: int, margin: float) -> float:
    """One-sided evidence that the drop is smaller than `margin`; a drop cannot be 1 or more."""
    return 0.0 if margin >= 1 else normal_cdf(-tango_z(drops, gains, n, margin))


def tango_interval(drops: int, gains: int, n: int, level: float) -> Interval:
    """The differences candidate − baseline that the two-sided score test does not reject."""
    z, delta = normal_quantile((1 + level) / 2), (gains - drops) / n
    low = _bisect(lambda x: tango_z(drops, gains, n, -x) > z, -1.0, delta)
    high = _bisect(lambda x: tango_z(drops, gains, n, -x) > -z, delta, 1.0)
    return low, high


def _bisect(left: Callable[[float], bool], low: float, high: float) -> float:
    """Where `left` turns from true to false between `low` and `high`."""
    for _ in range(48):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) else (low, middle)
    return (low + high) / 2
