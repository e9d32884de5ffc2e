"""Whether the judge and people, and people among themselves, agree beyond chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np

from haetae.core.canonical import Json
from haetae.core.metric import MetricFacts
from haetae.stats.agreement import Agreement, Scale, Weights, alpha, kappa

JUDGE = "judge"
MOST_STEPS = 20
"""Different scores up to which they are steps of a scale, which a rater can hit or miss; above, they are amounts."""

Ratings = Mapping[tuple[str, int], float]
"""A rater's scores by (sample id, repeat)."""


@dataclass(frozen=True, slots=True)
class Agreeing:
    """How far raters agree on a metric: two of them (`judge` is one), or all people together.

    `scale` is what the scores were taken for: `nominal` (two values), `ordinal` (steps: kappa weights
    misses by their squared distance) or `interval` (amounts, of which kappa has nothing to say).
    """

    metric: str
    between: tuple[str, ...]
    scale: Scale
    kappa: Agreement
    alpha: Agreement

    def as_json(self) -> Json:
        """The agreement for scripts."""
        return {**asdict(self), "between": list(self.between)}

    @property
    def text(self) -> str:
        """The agreement as one line."""
        who = " and ".join(self.between)
        found = f"kappa {agreement_text(self.kappa)}; alpha {agreement_text(self.alpha)}"
        return f"{self.metric}: {who} ({self.scale}, n = {self.alpha.n}): {found}"


def agreements(metric: str, facts: MetricFacts, judged: Ratings, people: Mapping[str, Ratings]) -> list[Agreeing]:
    """The judge with each person, each person with each other, and all of them where they are more than two.

    Every answer that both sides scored counts once, a repeat of a sample like a sample.
    """
    seen = {value for ratings in (judged, *people.values()) for value in ratings.values()}
    steps, scale = steps_of(seen, facts)
    sides = {JUDGE: judged, **{(name if name != JUDGE else f"{name} (human)"): own for name, own in people.items()}}
    humans = list(sides)[1:]
    pairs = [*((JUDGE, name) for name in humans), *combinations(humans, 2)]
    found = [_between(metric, pair, [sides[name] for name in pair], steps, scale) for pair in pairs]
    if len(humans) > 2:
        found.append(_between(metric, tuple(humans), [sides[name] for name in humans], steps, scale))
    return found


def steps_of(seen: set[float], facts: MetricFacts) -> tuple[list[float], Scale]:
    """The steps of the scale, also those that nobody chose, none where scores are amounts; and what scale that is."""
    low, high = facts.low, facts.high
    whole = all(float(value).is_integer() for value in seen)
    if whole and low is not None and high is not None and float(low).is_integer() and high - low < MOST_STEPS:
        steps = [float(step) for step in range(int(low), math.floor(high) + 1)]
    else:
        steps = sorted(seen)
    if len(steps) > MOST_STEPS:
        return [], "interval"
    return steps, "ordinal" if len(steps) > 2 else "nominal"


def _between(
    metric: str, names: tuple[str, ...], ratings: Sequence[Ratings], steps: Sequence[float], scale: Scale
) -> Agreeing:
    answers = sorted(set().union(*ratings))
    grid = np.array([[own.get(answer, np.nan) for answer in answers] for own in ratings]).reshape(len(ratings), -1)
    both = np.isfinite(grid).all(axis=0)
    if len(ratings) > 2:
        counted = Agreement(None, None, None, int(both.sum()), "kappa is of two raters")
    elif scale == "interval":
        counted = Agreement(None, None, None, int(both.sum()), "kappa is of steps, and these are amounts")
    else:
        weights: Weights = "quadratic" if scale == "ordinal" else "none"
        counted = kappa(*(side[both].tolist() for side in grid), weights=weights, order=steps)
    return Agreeing(metric, names, scale, counted, alpha(grid, scale=scale))


def agreement_text(found: Agreement) -> str:
    """An agreement for people: its value and interval, or why there is none."""
    if found.value is None:
        return found.reason if found.reason.startswith("undefined") else f"none ({found.reason})"
    if found.low is None or found.high is None:
        return f"{found.value:.3f} ({found.reason})"
    return f"{found.value:.3f} (95 % interval {found.low:.3f} to {found.high:.3f})"
