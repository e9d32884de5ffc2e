"""A Score: what a metric says of one generation."""

from __future__ import annotations

import math

from msgspec import Struct

from haetae.core import reasons
from haetae.core.generation import Usage


class Score(Struct, frozen=True):
    """A finite value, or None with a reason; never NaN.

    `stats` are the sufficient statistics of a corpus metric (BLEU's counts), summed over samples to
    give the corpus value. `explanation` is the judge's, for people. `calls`, `usage` and `cost_usd` are
    what scoring itself spent. `model` is the judge's name as its endpoint reported it.
    """

    value: float | None
    stats: tuple[float, ...] = ()
    reason: str | None = None
    explanation: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    model: str | None = None
    calls: int = 0

    def __post_init__(self) -> None:
        if (self.value is None) != (self.reason is not None):
            raise ValueError("a score has a value or a reason, not both and not neither")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a score is finite, got {self.value}")

    @classmethod
    def unscored(cls, reason: str, explanation: str | None = None) -> Score:
        """No value, and why."""
        return cls(None, reason=reason, explanation=explanation)

    @classmethod
    def of(cls, value: float, low: float | None, high: float | None, explanation: str | None = None) -> Score:
        """A score checked against its scale: outside it or not finite is unscored, never clamped."""
        if not math.isfinite(value):
            return cls.unscored(reasons.NOT_FINITE, f"the metric returned {value}")
        if (low is not None and value < low) or (high is not None and value > high):
            return cls.unscored(reasons.OUT_OF_RANGE, f"{value} is outside the scale {low} to {high}")
        return cls(float(value), explanation=explanation)
