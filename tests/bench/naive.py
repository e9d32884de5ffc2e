"""The usual rules, for one metric over the same samples: does the candidate fail, or pass?"""

from __future__ import annotations

import math

from scipy.special import ndtr, stdtr
from worlds import Floats


def lower(before: Floats, after: Floats) -> bool:
    """The mean is lower."""
    return bool(after.mean() < before.mean())


def two_points(before: Floats, after: Floats) -> bool:
    """The mean dropped by more than 2 points of 100."""
    return bool(before.mean() - after.mean() > 0.02)


def five_percent(before: Floats, after: Floats) -> bool:
    """The mean dropped by more than 5 % of itself."""
    return bool(after.mean() < 0.95 * before.mean())


def any_failure(before: Floats, after: Floats) -> bool:
    """Not every test case passes."""
    return bool((after < 1).any())


def paired_t(before: Floats, after: Floats) -> bool:
    """A paired t-test finds a drop, one-sided at .05, whatever the number of metrics."""
    d = after - before
    error = d.std(ddof=1) / math.sqrt(len(d))
    return bool(error > 0 and stdtr(len(d) - 1, d.mean() / error) <= 0.05)


def unpaired_z(before: Floats, after: Floats) -> bool:
    """An unpaired z-test finds a difference, two-sided at .05; else "p > .05, so pass"."""
    error = math.sqrt(before.var(ddof=1) / len(before) + after.var(ddof=1) / len(after))
    return bool(error > 0 and 2 * ndtr(-abs(after.mean() - before.mean()) / error) <= 0.05 and lower(before, after))


RULES = {
    "mean is lower": lower,
    "dropped more than 2 pt": two_points,
    "dropped more than 5 %": five_percent,
    "every test case must pass": any_failure,
    "paired t per metric": paired_t,
    "unpaired z, p > .05 so pass": unpaired_z,
}
