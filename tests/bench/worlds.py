"""Scores of known truth: what a simulation draws from, and where its truth is written down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from haetae.core.metric import MetricFacts
from haetae.core.table import ScoreTable

Floats = NDArray[np.float64]

STEPS = {"binary": 1.0, "ordinal": 0.25, "continuous": 0.0}
KINDS = tuple(STEPS)
SIZES = (50, 200, 1_000)
CORRELATIONS = (0.0, 0.5, 0.9)

_GRADES = np.array([0.1, 0.25, 0.5, 0.8])
_OPEN, _UNIT = MetricFacts("m", "1", low=None, high=None), MetricFacts("m", "1")
_IDS: dict[int, tuple[str, ...]] = {}


def pair(rng: np.random.Generator, kind: str, n: int, correlation: float, drop: float = 0.0) -> tuple[Floats, Floats]:
    """Two runs over the same n samples, each score on [0, 1]; the second's mean is lower by `drop`.

    Binary: 80 % ones. Ordinal: five grades. For both the second run repeats a score with probability
    `correlation`, else draws it anew, and a drop takes ones to zero, or some answers down one grade.
    Continuous: uniform on [.2, .8], the correlation that of the latent normals, the drop the same for all.
    """
    if kind == "continuous":
        z = rng.normal(size=n)
        v = ndtr(correlation * z + np.sqrt(1 - correlation**2) * rng.normal(size=n))
        return 0.2 + 0.6 * ndtr(z), 0.2 + 0.6 * v - drop
    step, floor = STEPS[kind], 0.2 if kind == "binary" else _GRADES[0]
    before, again = (_score(rng, kind, n) for _ in range(2))
    after = np.where(rng.random(n) < correlation, before, again)
    hit = (after > 0) & (rng.random(n) < drop / (step * (1 - floor)))
    return before, after - step * hit


def _score(rng: np.random.Generator, kind: str, n: int) -> Floats:
    u = rng.random(n)
    return (u < 0.8) * 1.0 if kind == "binary" else np.digitize(u, _GRADES) / 4


def spread(kind: str, correlation: float, drop: float) -> float:
    """The standard deviation of one paired difference, from 200,000 of them."""
    before, after = pair(np.random.default_rng(0), kind, 200_000, correlation, drop)
    return float((after - before).std())


def night(rng: np.random.Generator, rates: Floats, drop: Floats | float = 0.0) -> Floats:
    """One nightly run of 0/1 scores: sample i is right with its own rate, lowered by a share of it."""
    return (rng.random(len(rates)) < rates * (1 - drop)) * 1.0


def shifted(rates: Floats, by: float, mean: float = 0.8) -> Floats:
    """The same samples on a night that moves their mean by `by`: some right answers are lost, or wrong ones won."""
    return rates * (1 + by / mean) if by < 0 else rates + (1 - rates) * by / (1 - mean)


def rates(rng: np.random.Generator, n: int, mean: float = 0.8, correlation: float = 0.5) -> Floats:
    """How often each sample comes out right: Beta, so that two runs' scores have the `correlation`."""
    strength = 1 / correlation - 1
    return rng.beta(mean * strength, (1 - mean) * strength, n)


def table(values: Floats, slices: dict[str, Sequence[str]] | None = None, *, open_scale: bool = False) -> ScoreTable:
    """Scores as a table, one row per sample."""
    n = len(values)
    ids = _IDS.setdefault(n, tuple(f"s{i:06d}" for i in range(n)))
    named = {key: tuple(texts) for key, texts in (slices or {}).items()}
    return ScoreTable(_OPEN if open_scale else _UNIT, ids, np.asarray(values, dtype=float), ids, slices=named)
