"""Which samples moved most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from haetae.core.table import ScoreTable
from haetae.core.verdict import Mover
from haetae.stats.paired import pair


def movers(metric: str, baseline: Sequence[ScoreTable], candidate: ScoreTable, top: int = 5) -> list[Mover]:
    """Up to `top` samples that became worst, then up to `top` that became better, each by size.

    Sizes are in the metric's own units, of averages over repeats and over the baseline's runs; equal
    ones are in order of sample id. A sample that did not move is no mover.
    """
    pairs = pair(baseline, candidate)
    better = pairs.moved * (1 if candidate.facts.higher_is_better else -1)
    order = np.argsort(better, kind="stable")
    worst = [i for i in order[:top] if better[i] < 0]
    best = [i for i in np.argsort(-better, kind="stable")[:top] if better[i] > 0]
    return [Mover(pairs.ids[i], metric, float(pairs.baseline[i]), float(pairs.candidate[i])) for i in worst + best]
