"""The gate on plain score files: no suite, no ledger, nothing imported that such a gate does not need."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from haetae.catalog.score_columns import ScoreGroups
from haetae.catalog.score_file import read_scores
from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.metric import MetricFacts
from haetae.core.table import ScoreTable
from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.errors import ConfigError, DatasetError
from haetae.stats.compare import GatedColumn, compare, errors_moved
from haetae.stats.movers import movers
from haetae.stats.samples import average
from haetae.workbench.report import comparison_lines
from haetae.workbench.score_scales import Scale, facts_of
from haetae.workbench.words import sentence

_SUSPICIOUS = 0.01
"""Level at which errors on one side withhold a pass."""
_MAX_JUDGE_FAILURES = 0.05


@dataclass(frozen=True)
class ScoreGate:
    """What is demanded of a candidate's scores.

    `margin` is the tolerated drop, on the scale from 0 to 1 (in the metric's own units where the scale
    is open); `margins` are those of single metrics. `minimum` and `maximum` are absolute, by metric, in
    own units. `by` are tags whose values are slices. `scales` and `lower_is_better` declare what the
    scores do not tell. `coverage` is the share of samples that must be scored on both sides. `common`
    leaves out the samples that only one side knows, and says so.
    """

    margin: float = 0.05
    alpha: float = 0.05
    margins: Mapping[str, float] = field(default_factory=dict)
    minimum: Mapping[str, float] = field(default_factory=dict)
    maximum: Mapping[str, float] = field(default_factory=dict)
    by: Sequence[str] = ()
    scales: Mapping[str, Scale] = field(default_factory=dict)
    lower_is_better: frozenset[str] = frozenset()
    coverage: float = 0.95
    common: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("margin", self.margin, 0.0, 1.0),
            ("alpha", self.alpha, 0.0, 0.5),
            ("coverage", self.coverage, 0.0, 1.0),
        ):
            if not low <= value <= high or (name == "alpha" and value in (low, high)):
                ends = f"above {low:g} and below {high:g}" if name == "alpha" else f"from {low:g} to {high:g}"
                raise ConfigError(f"{name} is {value:g}; it must be {ends}")
        for metric, margin in self.margins.items():
            if not 0 <= margin < math.inf:
                raise ConfigError(f"the margin of {metric} is {margin:g}; it must be a number of at least 0")
        for name, limits in (("min", self.minimum), ("max", self.maximum)):
            for metric, limit in limits.items():
                if not math.isfinite(limit):
                    raise ConfigError(f"the {name} of {metric} is {limit:g}; it must be a finite number")


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """The verdict on score files, with the facts of its metrics."""

    comparison: Comparison
    facts: Mapping[str, MetricFacts]

    @property
    def verdict(self) -> Verdict:
        """What the gate says."""
        return self.comparison.verdict

    def as_json(self) -> Json:
        """The verdict for scripts; deltas and intervals are in the metrics' own units, candidate − baseline."""
        said = self.comparison
        return {
            "verdict": said.verdict.value,
            "more_samples_needed": said.more_samples_needed,
            "changed": [
                {"metric": d.metric, "slice": d.slice, "delta": d.delta} for d in said.differences if _changed(d)
            ],
            "results": [_result(d) for d in said.differences],
            "reason": said.reason,
            "warnings": list(said.warnings),
        }

    @property
    def text(self) -> str:
        """The verdict for people."""
        return "\n".join(comparison_lines(self.comparison, self.facts))


def gate_scores(
    baseline: Sequence[str | Path], candidate: str | Path, gate: ScoreGate, form: str = "auto"
) -> ScoreReport:
    """Compare the scores of one file with those of a baseline, or of a pool of runs of it.

    Raises ConfigError and DatasetError (file, line, field) for what cannot be read or does not fit.
    """
    files = [read_scores(path, form) for path in (*baseline, candidate)]
    known = {key[0] for groups in files for key in groups.keys}
    for option in (gate.margins, gate.minimum, gate.maximum, gate.scales, gate.lower_is_better):
        for name in sorted(set(option) - known):
            raise ConfigError(f"no metric {name!r} in these files; there are {', '.join(sorted(known))}")
    facts = facts_of(files, gate.scales, gate.lower_is_better)
    tables = [{key[0]: table for key, table in groups.tables(facts.__getitem__).items()} for groups in files]
    _require_margins(facts, gate)
    _require_tags(tables[-1], files[-1], gate)
    return ScoreReport(_compared(tables[:-1], tables[-1], [groups.file for groups in files], facts, gate), facts)


def _require_margins(facts: Mapping[str, MetricFacts], gate: ScoreGate) -> None:
    for name, margin in gate.margins.items():
        if facts[name].low is not None and facts[name].high is not None and margin > 1:
            raise ConfigError(f"the margin of {name} is {margin:g}; on its closed scale it must be from 0 to 1")


def _require_tags(tables: Mapping[str, ScoreTable], groups: ScoreGroups, gate: ScoreGate) -> None:
    there = sorted({name for table in tables.values() for name in table.slices})
    for name in gate.by:
        if name not in there:
            raise DatasetError(f"{groups.file}: no score has the tag {name!r}; there are {', '.join(there) or 'none'}")


def _compared(
    pools: Sequence[Mapping[str, ScoreTable]],
    candidate: Mapping[str, ScoreTable],
    files: Sequence[str],
    facts: Mapping[str, MetricFacts],
    gate: ScoreGate,
) -> Comparison:
    said = Comparison(
        "scores", files[-1], tuple(files[:-1]), Verdict.NO_VERDICT, "", gate.alpha, restricted=gate.common
    )
    before = {
        name: tuple(pool[name] for pool in pools if name in pool) for name in dict.fromkeys(n for p in pools for n in p)
    }
    gone = [name for name in before if name not in candidate]
    if gone:
        return replace(
            said, reason=f"no score of {', '.join(gone)} in {files[-1]}: a metric that is gone is not passed"
        )
    warnings = [f"{name}: only in the candidate, not compared" for name in candidate if name not in before]
    evidence = {name: _Coverage.of(before[name], candidate[name], gate.common) for name in before}
    columns = [column for name in before for column in _columns(name, before[name], candidate[name], gate)]
    verdict, found = compare(columns, alpha=gate.alpha, seed=gate.seed)
    warnings += [f"{_name(d)}: {d.note}" for d in found if "rise" in d.note]
    for name, coverage in evidence.items():
        if coverage.errors_p <= _SUSPICIOUS:
            warnings.append(
                f"{name}: more samples are unscored than in the baseline (sign test p = {coverage.errors_p:.2g})"
            )
            verdict = Verdict.INCONCLUSIVE if verdict is Verdict.PASS else verdict
    worst = next((d for d in found if d.verdict is Verdict.REGRESSION), found[0])
    obstacles = [f"{name}: {why}" for name, coverage in evidence.items() if (why := coverage.obstacle(gate.coverage))]
    return replace(
        said,
        verdict=Verdict.NO_VERDICT if obstacles else verdict,
        reason="; ".join(obstacles) or sentence(verdict, found, facts),
        differences=tuple(found),
        movers=tuple(movers(worst.metric, before[worst.metric], candidate[worst.metric])),
        warnings=tuple(warnings),
    )


def _columns(name: str, before: tuple[ScoreTable, ...], after: ScoreTable, gate: ScoreGate) -> list[GatedColumn]:
    keys = ["", *(f"{tag}={value}" for tag in gate.by for value in sorted({*after.slices.get(tag, ())} - {""}))]
    margin = gate.margins.get(name, gate.margin)
    low, high = gate.minimum.get(name), gate.maximum.get(name)
    return [GatedColumn(name, before, after, None, margin, key, low, high) for key in keys]


@dataclass(frozen=True, slots=True)
class _Coverage:
    """How many of a metric's samples can be compared, and why not the others."""

    total: int
    both: int
    only_before: int
    only_after: int
    judge_faults: int
    rows: tuple[int, int]
    unscored: str
    errors_p: float

    @classmethod
    def of(cls, baseline: Sequence[ScoreTable], candidate: ScoreTable, common: bool) -> _Coverage:
        """Samples of either side, or with `common` of both. A sample that a side lacks failed there."""
        before, after = average(baseline), average([candidate])
        then = dict(zip(before.ids, before.scored.tolist(), strict=True))
        now = dict(zip(after.ids, after.scored.tolist(), strict=True))
        ids = then.keys() & now.keys() if common else then.keys() | now.keys()
        failed = [(not then.get(name, False), not now.get(name, False)) for name in ids]
        why = Counter(
            reason or "no reason given"
            for reason, value in zip(candidate.reasons, candidate.values.tolist(), strict=False)
            if value != value
        )
        return cls(
            total=len(ids),
            both=sum(not b and not c for b, c in failed),
            only_before=len(then.keys() - now.keys()),
            only_after=len(now.keys() - then.keys()),
            judge_faults=sum(count for reason, count in why.items() if reason in reasons.JUDGE_FAULTS),
            rows=(int(np.isfinite(candidate.values).sum()), len(candidate.values)),
            unscored=", ".join(f"{reason} {count}" for reason, count in sorted(why.items())),
            errors_p=errors_moved([b for b, _ in failed], [c for _, c in failed]),
        )

    def obstacle(self, coverage: float) -> str | None:
        """Why these scores cannot carry a verdict."""
        scored, rows = self.rows
        listed = f" ({self.unscored})" if self.unscored else ""
        if self.both == 0:
            return f"no sample is scored on both sides{listed or self._apart()}"
        if self.judge_faults > _MAX_JUDGE_FAILURES * rows:
            return f"the judge failed on {self.judge_faults} of {rows} scores{listed}"
        if scored < coverage * rows:
            return f"{scored} of {rows} scored, below the coverage of {coverage:.0%}{listed}"
        if self.both < coverage * self.total:
            return f"{self.both} of {self.total} samples are scored on both sides, below {coverage:.0%}{self._apart()}"
        return None

    def _apart(self) -> str:
        if not self.only_before and not self.only_after:
            return ""
        return (
            f": {self.only_before} only in the baseline, {self.only_after} only in the candidate; "
            f"compare the common ones on request"
        )


def _changed(difference: Difference) -> bool:
    return difference.verdict is Verdict.REGRESSION or "tolerated drop" in difference.note


def _result(d: Difference) -> Json:
    return {
        "metric": d.metric,
        "slice": d.slice,
        "n": d.n,
        "delta": d.delta,
        "ci": None if d.low is None else [d.low, d.high],
        "p_drop": d.p_drop,
        "p_drop_adj": d.p_drop_adjusted,
        "p_noninferior": d.p_noninferior,
        "verdict": d.verdict.value,
    }


def _name(d: Difference) -> str:
    return f"{d.metric}[{d.slice}]" if d.slice else d.metric
