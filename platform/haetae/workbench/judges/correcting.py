"""A judge's mean corrected by what people said of some of the answers: the same for a ledger and for files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from haetae.core.canonical import Json
from haetae.core.table import ScoreTable
from haetae.stats.judge_correction import Corrected, correct
from haetae.stats.powered import Groups
from haetae.stats.samples import Floats, average, codes_of, count_of
from haetae.stats.scale import is_binary, is_closed, unit
from haetae.workbench.judges.labels import labelled_table

SEED = 20_260_101
"""Seed of every draw: the same labels give the same interval."""
COVERAGE = 0.95
"""Share of samples that the judge must have scored: what it failed on is not chance."""
_FEWEST = {"jeffreys": 20, "ppi++": 50}
"""Labels from which an interval covers as often as it says."""


@dataclass(frozen=True, slots=True)
class CorrectedMetric:
    """What people would have said of all `samples` on average, in the metric's own units.

    `judge` is the judge's own mean, `labels` how many samples are labelled, `method` `jeffreys` or
    `ppi++`. Without an estimate, or with one that deserves doubt, `note` says why.
    """

    metric: str
    estimate: float | None
    low: float | None
    high: float | None
    method: str | None
    labels: int
    samples: int
    judge: float | None
    note: str = ""

    def as_json(self) -> Json:
        """The estimate for scripts; `ci` is null where there is no interval."""
        said = asdict(self)
        low, high = said.pop("low"), said.pop("high")
        ci = None if low is None or high is None else [low, high]
        return {"metric": said.pop("metric"), "estimate": said.pop("estimate"), "ci": ci, **said}


def corrected(metric: str, judged: ScoreTable, labels: Mapping[tuple[str, int], float]) -> CorrectedMetric:
    """Correct the mean of `judged` by `labels` by (sample id, repeat), which must be a random subset.

    Repeats are averaged within a sample, and samples within one cluster are not taken for independent.
    0/1 scores on both sides give `jeffreys`, all else `ppi++`. No estimate without a label, or where the
    judge scored less than 95 % of the samples.
    """
    judge, human = average([judged]), average([labelled_table(judged, labels)])
    scored, both = judge.scored, judge.scored & human.scored
    n, total, labelled = int(scored.sum()), len(judge.ids), int(both.sum())
    raw = float(judge.values[scored].mean()) if n else None
    if n < COVERAGE * total or not labelled:
        why = f"the judge scored {n} of {total} samples, below {COVERAGE:.0%}" if labelled else "nobody labelled it"
        return CorrectedMetric(metric, None, None, None, None, labelled, total, raw, why)
    clusters = codes_of(judged.clusters)[1][judge.rows]
    groups: Groups | None = None
    if count_of(clusters[scored]) < n:
        groups = clusters[scored], clusters[both]
    columns = judge.values[scored], judge.values[both], human.values[both]
    binary = groups is None and not judge.repeated and is_binary(judged.facts, columns[0], columns[2])
    low, width = (judged.facts.low or 0.0, unit(judged.facts)) if binary else (0.0, 1.0)
    span = unit(judged.facts) / width if is_closed(judged.facts) else None
    scaled = ((column - low) / width for column in columns)
    found = correct(*scaled, binary=binary, span=span, groups=groups, seed=SEED)
    return CorrectedMetric(
        metric=metric,
        estimate=low + found.estimate * width,
        low=None if found.low is None else low + found.low * width,
        high=None if found.high is None else low + found.high * width,
        method=found.method,
        labels=labelled,
        samples=total,
        judge=raw,
        note="; ".join(filter(None, (_doubt(found, columns[2]), _left_out(human.scored & ~judge.scored)))),
    )


def corrections_text(found: Sequence[CorrectedMetric]) -> str:
    """Estimates as lines of text."""
    return "\n".join(map(_line, found))


def corrections_json(found: Sequence[CorrectedMetric]) -> Json:
    """Estimates for scripts, under `results`; a single one also by itself."""
    results = [each.as_json() for each in found]
    return {**results[0], "results": results} if len(results) == 1 else {"results": results}


def exit_code(found: Sequence[CorrectedMetric]) -> int:
    """0 where every labelled metric has an estimate; 3 where one has none, or none is labelled."""
    labelled = [each for each in found if each.labels]
    return 0 if labelled and all(each.estimate is not None for each in labelled) else 3


def _line(found: CorrectedMetric) -> str:
    judge = "" if found.judge is None else f"; the judge alone says {found.judge:.4g}"
    if found.estimate is None:
        return f"{found.metric}: no estimate: {found.note}{judge}"
    interval = "no interval" if found.low is None else f"95 % interval {found.low:.4g} to {found.high:.4g}"
    about = f"{found.method}, {found.labels} labels of {found.samples} samples"
    note = f"\n  ! {found.note}" if found.note else ""
    return f"{found.metric}: {found.estimate:.4g} ({interval}; {about}){judge}{note}"


def _doubt(found: Corrected, human: Floats) -> str:
    fewest = _FEWEST[found.method]
    if found.n_labels < fewest:
        return f"fewer than {fewest} labels: the interval may cover less often than it says"
    if found.method == "ppi++" and float(np.ptp(human)) == 0:
        return "every label is the same: nothing was seen of how much they vary"
    return ""


def _left_out(unjudged: NDArray[np.bool_]) -> str:
    count = int(unjudged.sum())
    return f"labels left out, because the judge did not score them: {count}" if count else ""
