"""How much scores of the same thing vary: of one answer judged again, of one sample answered again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from haetae.core.canonical import Json
from haetae.core.metric import MetricFacts
from haetae.stats.agreement import Agreement, alpha
from haetae.stats.intervals import wilson
from haetae.workbench.judges.agreeing import agreement_text, steps_of

LEVEL = 0.95
MOST = 5_000
"""Groups that alpha is computed on, the first ones: more would only narrow its interval."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of `groups` of two to `times` scores each, `differing` is the share whose scores are not all the same.

    `low` and `high` bound it at 95 %. `sd` is the standard deviation within a group, pooled over all, in the
    metric's own units. `alpha` is Krippendorff's: 1 where scores differ between groups only, 0 where
    they differ within a group as much as between groups.
    """

    times: int
    groups: int
    differing: float
    low: float
    high: float
    sd: float
    alpha: Agreement

    def as_json(self) -> Json:
        """The spread for scripts."""
        return asdict(self)

    def text(self, what: str) -> str:
        """The spread as one line; `what` names a group."""
        return (
            f"{self.differing:.1%} of {self.groups} {what} got differing scores (95 % interval {self.low:.1%} to "
            f"{self.high:.1%}), standard deviation {self.sd:.3g} within one; alpha {agreement_text(self.alpha)}"
        )


def spread(groups: Sequence[Sequence[float]], facts: MetricFacts) -> Spread | None:
    """The spread within groups of scores; None where no group has two."""
    several = [group for group in groups if len(group) > 1]
    if not several:
        return None
    times = max(map(len, several))
    differing = sum(max(group) > min(group) for group in several) / len(several)
    squares = sum(float(np.var(group)) * len(group) for group in several)
    low, high = wilson(differing, len(several), LEVEL)
    grid = np.array([[*group, *[math.nan] * (times - len(group))] for group in several[:MOST]]).T
    return Spread(
        times=times,
        groups=len(several),
        differing=differing,
        low=low,
        high=high,
        sd=math.sqrt(squares / sum(len(group) - 1 for group in several)),
        alpha=alpha(grid, scale=steps_of({score for group in several for score in group}, facts)[1]),
    )
