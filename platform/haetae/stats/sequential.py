"""The gate at several looks: stop asking as soon as the samples so far decide.

Samples come in an order fixed in advance at random, so every look sees a random part of the suite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from haetae.core.verdict import Difference, Verdict
from haetae.stats.boundaries import Spending, boundaries, hwang_shih_decani
from haetae.stats.compare import GatedColumn, judge
from haetae.stats.distributions import normal_cdf
from haetae.stats.evidence import Levels

LOOKS = 10


@dataclass(frozen=True, slots=True)
class Design:
    """What is fixed before the first sample: when to look, and what error each look may spend.

    `looks` are numbers of samples, rising; the last is all there are. `alpha` bounds false alarms over
    all looks and the whole family, and false passes over all looks. `metrics` counts the family: every
    metric × slice column and every floor or ceiling. Raises ValueError where one of them makes no sense.
    """

    looks: tuple[int, ...]
    alpha: float = 0.05
    metrics: int = 1
    spending: Spending = hwang_shih_decani

    def __post_init__(self) -> None:
        if not self.looks or self.looks[0] < 1 or any(a >= b for a, b in pairwise(self.looks)):
            raise ValueError(f"looks are rising numbers of samples, got {self.looks}")
        if not 0 < self.alpha < 0.5 or self.metrics < 1:
            raise ValueError(f"alpha is above 0 and below .5, and metrics 1 or more; got {self.alpha}, {self.metrics}")

    def levels(self, look: int) -> Levels:
        """The p-values to reach at look 0 … len(looks) − 1.

        A drop shares α with the family (Bonferroni); to pass, all primary columns must cross together,
        so each has the whole α (intersection-union, Berger 1982).
        """
        return Levels(drop=self._level(look, self.alpha / self.metrics), smaller=self._level(look, self.alpha))

    def _level(self, look: int, alpha: float) -> float:
        fractions = tuple(n / self.looks[-1] for n in self.looks)
        return normal_cdf(-boundaries(fractions, alpha, self.spending)[look])


def equal_looks(n: int, looks: int = LOOKS) -> tuple[int, ...]:
    """Looks after equal parts of `n` ≥ 1 samples, fewer where there are fewer samples than looks."""
    return tuple(sorted({max(1, round(n * k / looks)) for k in range(1, looks + 1)}))


def decide(
    columns: Sequence[GatedColumn], look: int, design: Design, *, seed: int = 0, level: float = 0.95
) -> tuple[Verdict | None, list[Difference]]:
    """The gate's verdict on the samples so far, or None: go on.

    `columns` hold the first `design.looks[look]` samples (unscored ones included) of the declared order.
    The tests and their order are those of `compare`: a column whose tolerance is proven kept passes
    before its drop is asked about. PASS when every primary column passes at this look, REGRESSION when
    any column drops or breaks a floor; the last look says INCONCLUSIVE or NO_VERDICT where the others
    say None, with what earlier looks left of α. The p-values in the differences but `p_drop` are
    stretched by α over the look's level, so that they are still held against α.

    `level` is that of the intervals, which are those of a fixed sample: of a run that stopped early
    they are a little too optimistic. Raises ValueError for a look that is not planned, or more columns
    and floors than the design counts.
    """
    if not 0 <= look < len(design.looks):
        raise ValueError(f"look {look} is none of the {len(design.looks)} planned")
    family = sum(1 + (c.minimum is not None) + (c.maximum is not None) for c in columns)
    if family > design.metrics:
        raise ValueError(f"the design shares alpha over {design.metrics} tests, not {family}")
    verdict, found = judge(columns, design.levels(look), alpha=design.alpha, seed=seed, level=level)
    settled = verdict in (Verdict.PASS, Verdict.REGRESSION) or look == len(design.looks) - 1
    return verdict if settled else None, found
