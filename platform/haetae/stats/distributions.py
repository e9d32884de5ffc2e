"""The four distributions that the statistics need, from scipy.special: a fraction of scipy.stats' import time."""

from __future__ import annotations

import math

from scipy.special import (  # type: ignore[import-untyped]  # ships no types
    bdtr,
    bdtrc,
    fdtri,
    gammainc,
    gammaincc,
    ndtr,
    ndtri,
    stdtr,
    stdtrit,
)


def normal_cdf(z: float) -> float:
    """P(Z ≤ z) of the standard normal; infinities are welcome."""
    return float(ndtr(z))


def normal_quantile(p: float) -> float:
    """The z with P(Z ≤ z) = p, 0 < p < 1."""
    return float(ndtri(p))


def t_cdf(t: float, df: int) -> float:
    """P(T ≤ t) of Student's t with `df` ≥ 1 degrees of freedom."""
    return float(stdtr(df, t))


def t_quantile(p: float, df: int) -> float:
    """The t with P(T ≤ t) = p, 0 < p < 1, `df` ≥ 1."""
    return float(stdtrit(df, p))


def f_quantile(p: float, df: int, df_within: int) -> float:
    """The F with P(F ≤ f) = p, 0 < p < 1, both degrees of freedom ≥ 1."""
    return float(fdtri(df, df_within, p))


def skewed_tail(z: float, skew: float) -> float:
    """P(Z > z) of a variable with mean 0, variance 1 and skewness `skew`: Pearson's type III (a shifted gamma).

    To first order in the skewness this is the correction of Cornish and Fisher 1938, z − skew·(z² − 1)/6,
    which turns back beyond z = 3/skew where this stays a distribution.
    """
    if abs(skew) < 1e-3:
        return normal_cdf(-z)
    shape = 4 / skew**2
    x = shape + math.copysign(z, z * skew) * math.sqrt(shape)
    if x <= 0:
        return 1.0 if skew > 0 else 0.0
    return float(gammaincc(shape, x) if skew > 0 else gammainc(shape, x))


def sign_tail(successes: int, trials: int) -> float:
    """P(X ≥ successes), X ~ Binomial(trials, 1/2): the exact one-sided sign test."""
    return 1.0 if successes <= 0 else float(bdtrc(successes - 1, trials, 0.5))


def sign_mid_p(successes: int, trials: int) -> float:
    """P(X > successes) + P(X = successes)/2, X ~ Binomial(trials, 1/2): one-sided McNemar mid-p.

    1/2 where there was no trial. Source: Fagerland, Lydersen and Laake 2013, BMC Med Res Methodol 13:91.
    """
    if trials == 0:
        return 0.5
    below = float(bdtr(successes - 1, trials, 0.5)) if successes > 0 else 0.0
    return 1.0 - (below + float(bdtr(successes, trials, 0.5))) / 2
