"""What people would have said: judge scores on all samples, corrected by human labels on some of them.

The labelled samples must be drawn at random from all. Every function takes plain columns: `judge_all`
(N,) holds the judge's scores of all samples, the labelled ones included; `judge` and `human` (n,) are
the two scores of the labelled samples, in the same order and on the same scale. Where samples are not
independent, `groups` are the codes of the clusters of all samples (N,) and of the labelled ones (n,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from haetae.stats.distributions import t_cdf
from haetae.stats.intervals import ClusterMean, t_interval
from haetae.stats.noninferior import t_p, unseen_p
from haetae.stats.powered import Groups, Powered, powered
from haetae.stats.samples import Floats, sum_by

DRAWS = 40_000


@dataclass(frozen=True, slots=True)
class Corrected:
    """An estimate of the mean human score, with its interval: None where the labels are too few for it.

    `method` is `jeffreys` or `ppi++`.
    """

    estimate: float
    low: float | None
    high: float | None
    method: str
    n_labels: int


@dataclass(frozen=True, slots=True)
class CorrectedDrop:
    """The mean human difference candidate − baseline, and the evidence for the gate's two questions.

    `p_drop` is one-sided evidence that it is below 0, `p_noninferior` that it is above −margin; both 1
    where the labels are too few. `error` is the standard error of the estimate, None for one label.
    """

    of: Corrected
    p_drop: float
    p_noninferior: float
    error: float | None


def correct(
    judge_all: ArrayLike,
    judge: ArrayLike,
    human: ArrayLike,
    *,
    binary: bool,
    span: float | None = None,
    groups: Groups | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Corrected:
    """The mean score that people would give all samples.

    `binary`: all scores are 0 or 1, and samples independent. Then θ = q·P(human 1 | judge 1) +
    (1 − q)·P(human 1 | judge 0), each of the three rates with its posterior under Jeffreys' prior, and
    the interval from their quantiles. Else prediction-powered inference with tuned, cross-fitted weight
    (`powered`) and a t interval; where the labels show no variance, the bounds of `t_interval` that their
    number and the `span` of the scale leave possible, none on an open scale (None).
    Raises ValueError without labels, for columns that do not fit, scores that are not finite or not 0/1,
    or a binary estimate of clusters.
    """
    everyone, guessed, said = _columns(judge_all, judge, human)
    if not binary:
        return _powered_interval(powered(everyone, guessed, said, groups=groups, seed=seed), len(said), level, span)
    if groups is not None:
        raise ValueError("the binary estimate is of independent samples")
    if not all(bool(np.isin(scores, (0.0, 1.0)).all()) for scores in (everyone, guessed, said)):
        raise ValueError("binary scores are 0 or 1")
    rng = np.random.default_rng(seed)
    share, share_mean = _jeffreys(rng, int(everyone.sum()), len(everyone))
    ones, zeros = said[guessed == 1], said[guessed == 0]
    right, right_mean = _jeffreys(rng, int(ones.sum()), len(ones))
    missed, missed_mean = _jeffreys(rng, int(zeros.sum()), len(zeros))
    low, high = np.quantile(share * right + (1 - share) * missed, [(1 - level) / 2, (1 + level) / 2])
    estimate = share_mean * right_mean + (1 - share_mean) * missed_mean
    return Corrected(estimate, float(low), float(high), "jeffreys", len(said))


def correct_drop(
    judge_all: ArrayLike,
    judge: ArrayLike,
    human: ArrayLike,
    *,
    margin: float,
    span: float = 1.0,
    groups: Groups | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> CorrectedDrop:
    """The same for paired differences candidate − baseline, 0/1 or not, as the gate needs them.

    `margin` ≥ 0 is the tolerated drop and `span` the width of the scale, in the units of the scores. What
    the labels show beyond the judge's word goes through the gate's own test: skew-corrected t with
    pseudo-pairs, and never below what an unseen harm among the *labelled* pairs leaves possible. A judge
    that both sides please equally says nothing of that harm, so a pass needs 3·span/margin labels.
    """
    everyone, guessed, said = _columns(judge_all, judge, human)
    parts = powered(everyone, guessed, said, groups=groups, seed=seed)
    of = _powered_interval(parts, len(said), level, span)
    if parts.error is None or parts.spread is None:
        return CorrectedDrop(of, 1.0, 1.0, None)
    # Residues carry the variance of the whole estimate, so that one test of a mean serves.
    scale = parts.error / parts.spread if parts.spread > 0 else 1.0
    values = parts.estimate + (parts.residues - parts.residues.mean()) * scale
    own = np.arange(len(said)) if groups is None else groups[1]
    smaller = t_p(sum_by(own, values), sum_by(own, np.ones(len(said))), margin)
    unseen = unseen_p(float(said.mean()), parts.units, margin, span)
    if parts.error == 0:
        drop = 0.5 if parts.estimate == 0 else float(parts.estimate > 0)
    else:
        drop = t_cdf(parts.estimate / parts.error, parts.units - 1)
    return CorrectedDrop(of, drop, max(unseen, 1.0 if smaller is None else smaller), parts.error)


def _powered_interval(parts: Powered, n: int, level: float, span: float | None) -> Corrected:
    found = t_interval(ClusterMean(parts.estimate, parts.error, n, parts.units), level, span)
    low, high = (None, None) if found is None else found
    return Corrected(parts.estimate, low, high, "ppi++", n)


def _jeffreys(rng: np.random.Generator, ones: int, n: int) -> tuple[Floats, float]:
    """Draws from, and the mean of, the posterior Beta(ones + ½, n − ones + ½) of a rate."""
    return rng.beta(ones + 0.5, n - ones + 0.5, DRAWS), (ones + 0.5) / (n + 1)


def _columns(judge_all: ArrayLike, judge: ArrayLike, human: ArrayLike) -> tuple[Floats, Floats, Floats]:
    everyone, guessed, said = (np.asarray(scores, dtype=np.float64) for scores in (judge_all, judge, human))
    if not len(said) or len(guessed) != len(said) or len(everyone) < len(said):
        raise ValueError(
            f"expected judge scores for each of 1 or more labels and for all samples; "
            f"got {len(said)} labels, {len(guessed)} and {len(everyone)} judge scores"
        )
    if not all(bool(np.isfinite(scores).all()) for scores in (everyone, guessed, said)):
        raise ValueError("judge scores and labels must be finite; leave out samples that either lacks")
    return everyone, guessed, said
