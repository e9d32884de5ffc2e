"""How many scores two files have of a metric, of which samples, and whether one side fails more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from haetae.core.canonical import Json
from haetae.core.score_columns import ScoreColumns
from haetae.stats.compare import errors_moved

UNEXPLAINED = "null"
"""What an unscored row is counted under that gives no reason."""


@dataclass(frozen=True)
class SideCount:
    """Of one metric in one file: rows, and scored ones among them; `unscored` rows by reason.

    `missing` samples are in the other file only. `coverage` is the share of each sample's repeats that is
    scored, averaged over the samples of both files: a missing one has none.
    """

    file: str
    rows: int
    scored: int
    missing: int
    coverage: float
    unscored: Mapping[str, int]

    def as_json(self) -> Json:
        return {"rows": self.rows, "scored": self.scored, "missing": self.missing, "unscored": dict(self.unscored)}


@dataclass(frozen=True)
class MetricCount:
    """Both sides of one metric. `samples` are in either file, `common` in both. `errors_p` is the evidence that
    the candidate fails on more of them (exact sign test over samples unscored or missing on one side).
    """

    metric: str
    samples: int
    common: int
    baseline: SideCount
    candidate: SideCount
    errors_p: float

    @property
    def sides(self) -> tuple[SideCount, SideCount]:
        return self.baseline, self.candidate

    def obstacle(self, coverage: float) -> str | None:
        """Why the scores there are cannot carry a verdict, None where they can."""
        for side, other in (self.sides, self.sides[::-1]):
            if side.rows == 0:
                return f"is in {other.file} only"
        if self.common == 0:
            only = [f"{side.rows} rows of {side.file}" for side in self.sides]
            return f"no sample id is in both files: none of {' and none of '.join(only)} has a pair"
        for side in self.sides:
            if side.scored == 0:
                return f"no sample is scored in {side.file} ({_listed(side)})"
            if side.coverage < coverage:
                have = f"{side.coverage:.1%} of {self.samples} samples are scored in {side.file}"
                return f"{have}, below the coverage of {coverage:.0%} ({_listed(side)})"
        return None

    @property
    def remarks(self) -> list[str]:
        """A sentence for each side that lacks scores."""
        lacking = [side for side in self.sides if side.rows > 0 and (side.unscored or side.missing)]
        return [f"{side.file}: {side.scored} of {side.rows} scored; {_listed(side)}" for side in lacking]


def counts_of(baseline: ScoreColumns, candidate: ScoreColumns) -> dict[str, MetricCount]:
    """The counts of every metric of either file, the baseline's first."""
    place = {name: number for number, name in enumerate(baseline.ids)}
    for name in candidate.ids:
        place.setdefault(name, len(place))
    numbers = [np.array([place[name] for name in side.ids], np.intp) for side in (baseline, candidate)]
    return {
        metric: _count(metric, baseline, candidate, numbers, len(place))
        for metric in dict.fromkeys((*baseline.metrics, *candidate.metrics))
    }


def _count(
    metric: str, baseline: ScoreColumns, candidate: ScoreColumns, numbers: list[NDArray[np.intp]], total: int
) -> MetricCount:
    rows = [_rows(side, metric) for side in (baseline, candidate)]
    seen, scored = [], []
    for side, own, number in zip((baseline, candidate), rows, numbers, strict=True):
        ids = number[side.id_codes[own]]
        seen.append(np.bincount(ids, minlength=total))
        scored.append(np.bincount(ids[np.isfinite(side.scores[own])], minlength=total))
    present = (seen[0] > 0) | (seen[1] > 0)
    samples = int(present.sum())
    failed = [have[present] == 0 for have in scored]
    differ = failed[0] != failed[1]
    counted = []
    for side, own, all_, have in zip((baseline, candidate), rows, seen, scored, strict=True):
        share = np.divide(have, all_, out=np.zeros(total), where=all_ > 0)
        missing = int((present & (all_ == 0)).sum())
        unscored = own[~np.isfinite(side.scores[own])]
        reasons = np.bincount(side.reason_codes[unscored], minlength=len(side.reasons)).tolist()
        by_reason = {name or UNEXPLAINED: count for name, count in zip(side.reasons, reasons, strict=True) if count}
        counted.append(
            SideCount(
                side.file, len(own), len(own) - len(unscored), missing, float(share[present].sum()) / samples, by_reason
            )
        )
    common = samples - counted[0].missing - counted[1].missing
    p = errors_moved(failed[0][differ].tolist(), failed[1][differ].tolist())
    return MetricCount(metric, samples, common, counted[0], counted[1], p)


def _rows(side: ScoreColumns, metric: str) -> NDArray[np.intp]:
    if metric not in side.metrics:
        return np.zeros(0, np.intp)
    return np.flatnonzero(side.metric_codes == side.metrics.index(metric))


def _listed(side: SideCount) -> str:
    parts = [f"{reason} {count}" for reason, count in sorted(side.unscored.items())]
    return ", ".join([*parts, *([f"missing samples {side.missing}"] if side.missing else [])]) or "none unscored"
