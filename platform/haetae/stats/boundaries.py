"""Group-sequential boundaries: how strong the evidence must be at each of several looks.

Sources: Armitage, McPherson and Rowe 1969 and Jennison and Turnbull 2000, ch. 19 (the recursion); Lan and
DeMets 1983 (spending, and the O'Brien–Fleming type); Hwang, Shih and DeCani 1990 (the γ family).
The normal distribution is scipy's, imported where it is needed: it costs more than all else that a command loads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from haetae.stats.samples import Floats

Spending = Callable[[float, float], float]
"""(information fraction in [0, 1], alpha) → the error spent by then, from 0 to alpha."""

NODES = 256
"""Points of Gauss–Legendre quadrature per look: bounds accurate to 1e-9 at ten equal looks."""
FAR = 9.0
"""Standard deviations beyond which no path has mass worth counting."""
UNREACHABLE = 38.0
"""Standard deviations beyond which the normal tail is 0 in floating point."""


def hwang_shih_decani(fraction: float, alpha: float, gamma: float = -1.0) -> float:
    """α(1 − e^{−γt})/(1 − e^{−γ}): γ = −4 spends much like O'Brien and Fleming, γ = 1 like Pocock, γ = 0 evenly."""
    if gamma == 0:
        return alpha * fraction
    return alpha * math.expm1(-gamma * fraction) / math.expm1(-gamma)


def lan_demets_obf(fraction: float, alpha: float) -> float:
    """2 − 2Φ(z_{1−α/2}/√t): hardly anything early, almost the fixed-sample bound at the end."""
    if fraction <= 0:
        return 0.0
    from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]  # ships no types

    return float(2 * ndtr(ndtri(alpha / 2) / math.sqrt(fraction)))


@lru_cache(maxsize=64)
def boundaries(fractions: tuple[float, ...], alpha: float, spending: Spending = hwang_shih_decani) -> tuple[float, ...]:
    """The z of every look that a one-sided test must exceed, so that all looks together err at most `alpha`.

    `fractions` are the shares of the planned information at the looks: rising, above 0, the last one 1
    or less. Under the null, z·√t is a Brownian motion watched at the times t; the density of the paths
    that have not crossed is carried from look to look, and each bound is where exactly the error that
    `spending` allots to its look crosses. Raises ValueError for fractions that do not rise within (0, 1].
    """
    steps = np.diff((0.0, *fractions))
    if not fractions or (steps <= 0).any() or fractions[-1] > 1 + 1e-12:
        raise ValueError(f"information fractions rise within (0, 1], got {fractions}")
    bounds: list[float] = []
    points, mass, spent = np.zeros(1), np.ones(1), 0.0  # before the first look all paths are at 0
    for fraction, step in zip(fractions, steps, strict=True):
        width, spread = math.sqrt(fraction), math.sqrt(step)
        bound = _crossing(points, mass, spread, spending(fraction, alpha) - spent, UNREACHABLE * width)
        spent = spending(fraction, alpha)
        bounds.append(bound / width)
        ahead, weights = _quadrature(-FAR * width, min(bound, FAR * width))
        steps_z = (ahead[:, None] - points) / spread
        mass = weights * (np.exp(-steps_z * steps_z / 2) @ mass) / (spread * math.sqrt(2 * math.pi))
        points = ahead
    return tuple(bounds)


def _crossing(points: Floats, mass: Floats, spread: float, target: float, limit: float) -> float:
    """The bound above which `target` of the paths, now at `points` with `mass`, are one step later."""
    from scipy.special import ndtr

    low, high = -limit, limit
    for _ in range(80):
        middle = (low + high) / 2
        beyond = float(mass @ ndtr((points - middle) / spread))
        low, high = (middle, high) if beyond > target else (low, middle)
    return (low + high) / 2


def _quadrature(low: float, high: float) -> tuple[Floats, Floats]:
    """Gauss–Legendre points and weights on [low, high]."""
    points, weights = _legendre()
    half = (high - low) / 2
    return low + half * (points + 1), half * weights


@lru_cache(maxsize=1)
def _legendre() -> tuple[Floats, Floats]:
    points, weights = np.polynomial.legendre.leggauss(NODES)
    return points, weights
