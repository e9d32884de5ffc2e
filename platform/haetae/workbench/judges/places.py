"""Where the winners stood: a judge that favours a place says so in the orders in which it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from haetae.core.canonical import Json
from haetae.stats.intervals import cluster_mean, t_interval, wilson

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Places:
    """Position bias over `samples` that were asked in every order.

    `disagreeing` is the share of samples whose orders gave different verdicts. `first` is the share of all
    verdicts with a winner that the first place won, `fair` what it would be without bias; its
    interval takes the verdicts on one sample for one (None where nothing was decided, or by one sample).
    """

    samples: int
    disagreeing: float
    disagreeing_low: float
    disagreeing_high: float
    decided: int
    first: float | None
    first_low: float | None
    first_high: float | None
    fair: float

    def as_json(self) -> Json:
        """The bias for scripts."""
        return asdict(self)

    @property
    def text(self) -> str:
        """The bias as one line."""
        orders = (
            f"{self.disagreeing:.1%} of {self.samples} samples got another verdict in another order "
            f"(95 % interval {self.disagreeing_low:.1%} to {self.disagreeing_high:.1%})"
        )
        if self.first is None:
            return f"{orders}; no order had a winner"
        won = f"the first place won {self.first:.1%} of {self.decided} decided verdicts"
        if self.first_low is None or self.first_high is None:
            return f"{orders}; {won} ({self.fair:.1%} without bias)"
        interval = f"95 % interval {self.first_low:.1%} to {self.first_high:.1%}"
        return f"{orders}; {won} ({interval}; {self.fair:.1%} without bias)"

    @property
    def biased(self) -> bool:
        """Whether the interval of the first place's share leaves out what is fair."""
        return (
            self.first_low is not None
            and self.first_high is not None
            and not (self.first_low <= self.fair <= self.first_high)
        )


def of_pairs(verdicts: Sequence[Sequence[float]]) -> Places | None:
    """From the statistics of `pairwise`: the verdict with the answer first, and with it second."""
    won_first = [
        [float((verdict == 1) == (order == 0)) for order, verdict in enumerate(both) if verdict != 0.5]
        for both in verdicts
    ]
    return _places([both[0] != both[1] for both in verdicts], won_first, 1 / 2)


def of_rotations(choices: Sequence[Sequence[float]]) -> Places | None:
    """From the statistics of `best_of`: of each rotation the answer that was chosen."""
    won_first = [[float(chosen == turn) for turn, chosen in enumerate(turns)] for turns in choices]
    fair = 1 / len(choices[0]) if choices else 1.0
    return _places([len({*turns}) > 1 for turns in choices], won_first, fair)


def _places(disagreed: Sequence[bool], won_first: Sequence[Sequence[float]], fair: float) -> Places | None:
    if not disagreed:
        return None
    share = sum(disagreed) / len(disagreed)
    low, high = wilson(share, len(disagreed), LEVEL)
    values = np.array([won for sample in won_first for won in sample])
    first, bounds = None, None
    if len(values):
        clusters = np.repeat(np.arange(len(won_first)), [len(sample) for sample in won_first])
        of = cluster_mean(values, clusters)
        first, bounds = of.mean, t_interval(of, LEVEL, 1.0)
    return Places(
        samples=len(disagreed),
        disagreeing=share,
        disagreeing_low=low,
        disagreeing_high=high,
        decided=len(values),
        first=first,
        first_low=None if bounds is None else max(0.0, bounds[0]),
        first_high=None if bounds is None else min(1.0, bounds[1]),
        fair=fair,
    )
