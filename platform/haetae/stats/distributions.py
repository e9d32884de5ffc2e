"""The distributions that the statistics need.

What a gate needs is plain Python, so that it starts at once: importing scipy.special costs a third of a
second. The F and the gamma distribution, which only the monitor needs, are scipy's.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from haetae.stats.incomplete_beta import incomplete_beta

_NORMAL = NormalDist()


def normal_cdf(z: float) -> float:
    """P(Z ≤ z) of the standard normal; infinities are welcome."""
    return math.erfc(-z / math.sqrt(2)) / 2


def normal_quantile(p: float) -> float:
    """The z with P(Z ≤ z) = p, 0 < p < 1 (Wichura 1988, AS 241)."""
    return _NORMAL.inv_cdf(p)


def t_cdf(t: float, df: int) -> float:
    """P(T ≤ t) of Student's t with `df` ≥ 1 degrees of freedom."""
    if math.isinf(t):
        return float(t > 0)
    square = t * t + df
    tail = incomplete_beta(df / 2, 0.5, df / square, t * t / square) / 2
    return tail if t < 0 else 1.0 - tail


@lru_cache(maxsize=1024)  # the columns of one gate mostly share their number of samples
def t_quantile(p: float, df: int) -> float:
    """The t with P(T ≤ t) = p, 0 < p < 1, `df` ≥ 1: Newton's steps, kept within a bracket."""
    if p == 0.5:
        return 0.0
    if p > 0.5:
        return -t_quantile(1 - p, df)
    low, high = -1.0, 0.0
    while t_cdf(low, df) > p:
        low, high = 2 * low, low
    t = (low + high) / 2
    for _ in range(100):
        off = t_cdf(t, df) - p
        low, high = (t, high) if off < 0 else (low, t)
        step = off / _t_density(t, df)
        t, before = (t - step if low < t - step < high else (low + high) / 2), t
        if abs(t - before) <= 1e-15 * abs(t):
            break
    return t


def _t_density(t: float, df: int) -> float:
    scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    return math.exp(scale - (df + 1) / 2 * math.log1p(t * t / df))


def f_quantile(p: float, df: int, df_within: int) -> float:
    """The F with P(F ≤ f) = p, 0 < p < 1, both degrees of freedom ≥ 1."""
    from scipy.special import fdtri  # type: ignore[import-untyped]  # ships no types

    return float(fdtri(df, df_within, p))


def skewed_tail(z: float, skew: float) -> float:
    """P(Z > z) of a variable with mean 0, variance 1 and skewness `skew`: Pearson's type III (a shifted gamma).

    To first order in the skewness this is the correction of Cornish and Fisher 1938, z − skew·(z² − 1)/6,
    which turns back beyond z = 3/skew where this stays a distribution.
    """
    from scipy.special import gammainc, gammaincc

    if abs(skew) < 1e-3:
        return normal_cdf(-z)
    shape = 4 / skew**2
    x = shape + math.copysign(z, z * skew) * math.sqrt(shape)
    if x <= 0:
        return 1.0 if skew > 0 else 0.0
    return float(gammaincc(shape, x) if skew > 0 else gammainc(shape, x))


def sign_tail(successes: int, trials: int) -> float:
    """P(X ≥ successes), X ~ Binomial(trials, 1/2): the exact one-sided sign test."""
    if successes <= 0:
        return 1.0
    return incomplete_beta(successes, trials - successes + 1, 0.5, 0.5) if successes <= trials else 0.0


def sign_mid_p(successes: int, trials: int) -> float:
    """P(X > successes) + P(X = successes)/2, X ~ Binomial(trials, 1/2): one-sided McNemar mid-p.

    1/2 where there was no trial. Source: Fagerland, Lydersen and Laake 2013, BMC Med Res Methodol 13:91.
    """
    if trials == 0:
        return 0.5
    return (sign_tail(successes, trials) + sign_tail(successes + 1, trials)) / 2
