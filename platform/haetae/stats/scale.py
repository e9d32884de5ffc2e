"""A metric's declared range as the scale of comparison."""

from __future__ import annotations

import numpy as np

from haetae.core.metric import MetricFacts
from haetae.stats.samples import Floats


def unit(facts: MetricFacts) -> float:
    """One unit of the scaled score in native units: the width of the declared range, 1 where it is open."""
    return 1.0 if facts.low is None or facts.high is None else facts.high - facts.low


def is_closed(facts: MetricFacts) -> bool:
    """Whether the range has both ends."""
    return facts.low is not None and facts.high is not None


def is_binary(facts: MetricFacts, *columns: Floats) -> bool:
    """Whether all values lie on the two ends of a closed range: 0/1 scores, whatever their units."""
    if facts.low is None or facts.high is None:
        return False
    return all(bool(np.isin(values, (facts.low, facts.high)).all()) for values in columns)
