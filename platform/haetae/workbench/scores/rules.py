"""What is asked of two score files, and whether their scores lie where they were said to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from haetae.catalog.explain import nearest
from haetae.core.metric import MetricFacts
from haetae.core.score_columns import ScoreColumns
from haetae.errors import ConfigError, DatasetError, Problem

Scale = tuple[float | None, float | None]
"""The lowest and the highest score there can be, None where there is no bound."""

_WIDE = 10.0
"""From this width on, a file whose every score lies within 0 to 1 may be on another scale than it was said to be."""


@dataclass(frozen=True)
class ScoreRules:
    """How two score files are compared.

    `margin` is the tolerated drop on the scale brought to [0, 1] (0.05 of a 1–5 scale is 0.2), in the
    metric's own units where its scale is open. `alpha` bounds the false alarms over the whole gate.
    `scale` is every metric's unless `scales` names its own. `slices` are the tags to slice by, None for
    what `chosen_slices` finds. `coverage` is the share of samples that each side must have scored.
    """

    margin: float = 0.03
    alpha: float = 0.05
    scale: Scale = (0.0, 1.0)
    scales: Mapping[str, Scale] = field(default_factory=dict)
    lower_is_better: frozenset[str] = frozenset()
    slices: Sequence[str] | None = None
    coverage: float = 0.95

    def facts(self, metric: str) -> MetricFacts:
        """What is true of a metric of these files."""
        low, high = self.scales.get(metric, self.scale)
        return MetricFacts(metric, "", low, high, higher_is_better=metric not in self.lower_is_better)

    def check(self, baseline: ScoreColumns, candidate: ScoreColumns) -> None:
        """Raises ConfigError for a rule about a metric that is in neither file and for a margin of a whole scale,
        and DatasetError naming file and line for scores outside their scale, or on two scales, and for a
        sample of two clusters.
        """
        known = dict.fromkeys((*baseline.metrics, *candidate.metrics))
        unknown = [name for name in (*self.scales, *sorted(self.lower_is_better)) if name not in known]
        if unknown:
            told = (f"no metric {name!r} in the files{nearest(name, known) or _listed(known)}" for name in unknown)
            raise ConfigError([Problem(text) for text in told])
        closed = next((name for name in known if None not in self.scales.get(name, self.scale)), None)
        if closed is not None and self.margin >= 1:
            raise ConfigError(
                f"the margin is a share of the scale, from 0 to below 1, got {self.margin:g}: {closed} could not fall "
                "so far; 0.05 is 5 points of 100"
            )
        problems = [problem for side in (baseline, candidate) for problem in self._outside(side)]
        problems = problems or [*self._two_scales(baseline, candidate), *self._two_scales(candidate, baseline)]
        problems += islice(_two_clusters(baseline, candidate), 1)
        if problems:
            raise DatasetError(problems)

    def _outside(self, side: ScoreColumns) -> Iterator[Problem]:
        """For each metric the first score that is on no place of its scale. A scale is declared, never guessed."""
        scales = [self.scales.get(metric, self.scale) for metric in side.metrics]
        low = np.array([-np.inf if scale[0] is None else scale[0] for scale in scales])[side.metric_codes]
        high = np.array([np.inf if scale[1] is None else scale[1] for scale in scales])[side.metric_codes]
        outside = np.flatnonzero((side.scores < low) | (side.scores > high))
        for code in np.unique(side.metric_codes[outside]):
            metric, own = side.metrics[code], outside[side.metric_codes[outside] == code]
            lowest, highest = _range(side, int(code))
            yield Problem(
                f"{side.scores[own[0]]:g} is outside the scale of {metric}, {_shown(scales[code])}; it has {len(own)} "
                f"such scores here, and all run from {lowest:g} to {highest:g}. Declare its scale, as in "
                f"--scale-of {metric}=1:5, or bring the scores to the declared one",
                side.file,
                int(side.lines[own[0]]) or None,
                field="score",
            )

    def _two_scales(self, side: ScoreColumns, other: ScoreColumns) -> Iterator[Problem]:
        """A wide scale of which one file uses the first step, in fractions, where the other uses more."""
        for code, metric in enumerate(side.metrics):
            low, high = self.scales.get(metric, self.scale)
            if low is None or high is None or high - low < _WIDE or metric not in other.metrics:
                continue
            scores = side.scores[side.metric_codes == code]
            within = bool(np.nanmax(scores, initial=low) <= 1) and bool(((scores > 0) & (scores < 1)).any())
            theirs = np.flatnonzero((other.metric_codes == other.metrics.index(metric)) & (other.scores > 1))
            if within and len(theirs):
                yield Problem(
                    f"{metric} is {other.scores[theirs[0]]:g} here, and in {side.file} no score is above 1: the files "
                    f"are on two scales, and {_shown((low, high))} was declared; bring both to one",
                    other.file,
                    int(other.lines[theirs[0]]) or None,
                    field="score",
                )


def _two_clusters(baseline: ScoreColumns, candidate: ScoreColumns) -> Iterator[Problem]:
    """A sample that is in another cluster in the other file: which samples are independent is said once."""
    if baseline.clusters == candidate.clusters == (None,):
        return
    there = dict(zip(baseline.id_codes.tolist(), baseline.cluster_codes.tolist(), strict=True))
    known = {baseline.ids[sample]: baseline.clusters[cluster] for sample, cluster in there.items()}
    _, rows = np.unique(candidate.id_codes, return_index=True)
    for row in rows.tolist():
        sample, own = candidate.ids[candidate.id_codes[row]], candidate.clusters[candidate.cluster_codes[row]]
        if sample in known and known[sample] != own:
            yield Problem(
                f"{sample!r} is in the cluster {own or 'none'} here and in {known[sample] or 'none'} in "
                f"{baseline.file}; give both files the same clusters",
                candidate.file,
                int(candidate.lines[row]) or None,
                field="cluster",
            )


def _range(side: ScoreColumns, code: int) -> tuple[float, float]:
    scores = side.scores[(side.metric_codes == code) & np.isfinite(side.scores)]
    return float(scores.min()), float(scores.max())


def _shown(scale: Scale) -> str:
    low, high = scale
    if low is None:
        return "any number" if high is None else f"{high:g} or less"
    return f"{low:g} or more" if high is None else f"{low:g} to {high:g}"


def _listed(names: Mapping[str, None]) -> str:
    return f"; there are {', '.join(list(names)[:20])}"
