"""A gated column with human labels: what people say of the change, instead of what the judge says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from haetae.core.metric import MetricFacts
from haetae.core.table import ScoreTable
from haetae.stats.intervals import Interval
from haetae.stats.judge_correction import CorrectedDrop, correct_drop
from haetae.stats.paired import Effect, Pairs, pair
from haetae.stats.powered import Groups
from haetae.stats.samples import average, count_of
from haetae.stats.scale import unit

LABELS = 50
"""Labelled pairs from which a column is corrected: the fewest at which the corrected gate was shown to hold."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What people said of the answers on both sides of a comparison.

    Tables like those of the judge's scores, on the same scale, NaN where nobody labelled. The samples
    labelled on the baseline's side must be drawn at random (or with known, equal probability) from all,
    and the same people, or people who label alike, must have labelled both sides.
    """

    baseline: tuple[ScoreTable, ...]
    candidate: ScoreTable


@dataclass(frozen=True, slots=True)
class Correction:
    """A column's change in human scores, from `labels` labelled pairs.

    `drop` is in the units of `Effect.d`; `delta` and its `interval` are candidate − baseline in native units.
    """

    drop: CorrectedDrop
    labels: int
    delta: float
    interval: Interval | None


def correction(
    pairs: Pairs, found: Effect, labels: Labels, facts: MetricFacts, *, margin: float, level: float, seed: int
) -> Correction | str:
    """The correction of one column, or a note that says how many labelled pairs it lacks.

    It needs 50 labelled pairs, and a label of the candidate's answer wherever the baseline's is
    labelled. A label belongs to the content of an answer, so an answer that did not change has its
    label already; were the changed ones left out, the labelled pairs would be those where nothing can
    have happened. Raises ValueError for a column without differences.
    """
    if found.d is None:
        raise ValueError("only a column with differences can be corrected")
    said, place = pair(labels.baseline, labels.candidate), {sample: i for i, sample in enumerate(pairs.ids)}
    kept = np.array([i for i, sample in enumerate(said.ids) if sample in place], dtype=np.intp)
    before = average(labels.baseline)
    asked = sum(sample in place for sample, labelled in zip(before.ids, before.scored, strict=True) if labelled)
    wanted = max(LABELS, asked)
    if len(kept) < wanted:
        return f"not judge-corrected: {len(kept)} of {wanted} labelled pairs ({wanted - len(kept)} missing)"
    at = np.array([place[said.ids[i]] for i in kept], dtype=np.intp)
    scale = unit(facts) if facts.higher_is_better else -unit(facts)
    human = (said.candidate[kept] - said.baseline[kept]) / scale
    groups: Groups | None = None
    if count_of(found.clusters) < found.n:
        groups = found.clusters, found.clusters[at]
    drop = correct_drop(
        found.d, found.d[at], human, margin=margin, span=found.span, groups=groups, level=level, seed=seed
    )
    interval = None
    if drop.of.low is not None and drop.of.high is not None:
        low, high = sorted((drop.of.low * scale, drop.of.high * scale))
        interval = low, high
    return Correction(drop, len(kept), drop.of.estimate * scale, interval)
