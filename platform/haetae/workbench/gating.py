"""A candidate run against its baseline: comparability first, then the statistics, then who moved."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from haetae.core import reasons
from haetae.core.ledger import Ledger
from haetae.core.run import Accounting, Run, RunStatus
from haetae.core.suite import GateSpec, MetricGate
from haetae.core.table import ScoreTable
from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.stats.attribution import judge_moved
from haetae.stats.compare import GatedColumn, compare, errors_moved
from haetae.stats.labelled import Labels
from haetae.stats.movers import movers
from haetae.stats.sequential import Design, decide
from haetae.workbench.comparable import Change, changes
from haetae.workbench.instead import Instead
from haetae.workbench.judges.labels import labels_of, may_be_corrected
from haetae.workbench.words import improvements, sentence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Corpus = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
Sides = Mapping[str, tuple[tuple[ScoreTable, ...], ScoreTable]]
"""Of each gated metric the tables of the baseline's runs, and the candidate's."""

MAX_JUDGE_FAILURES = 0.05
"""Share of judge faults above which a gate gives no verdict."""
POOL = 10
"""How many runs of the baseline's version are pooled at most."""
_SUSPICIOUS = 0.01
"""Level at which errors on one side withhold a pass, and at which a judge counts as moved."""


@dataclass(frozen=True)
class Gate:
    """Compares runs of one suite under one gate. `corpora` are the corpus functions by metric name."""

    ledger: Ledger
    gate: GateSpec
    corpora: Mapping[str, Corpus]

    def __call__(self, candidate: Run, baseline: Run | None, *, common: bool = False) -> Comparison:
        """The comparison. `common` compares runs that differ where they must not, on their common samples."""
        if baseline is None:
            return self._none(candidate, (), self._no_baseline(candidate))
        pool = self._pool(candidate, baseline)
        found = [
            *changes(baseline.manifest, candidate.manifest, frozenset(self.gate.metrics)),
            *self._renamed(candidate, baseline),
        ]
        ids = tuple(run.id for run in pool)
        changed, moved = tuple(map(str, found)), _attributed(found)
        stop = self._obstacle(candidate, baseline) or (None if common else _incomparable(found, candidate))
        if stop:
            return replace(self._none(candidate, ids, stop), changed=changed, moved=moved)
        restricted = common and bool(_forbidden(found, candidate))
        sides = self._sides(candidate, pool)
        evidence = {} if restricted else self._judges_moved(candidate, sides, _SUSPICIOUS)
        labels = self._labels(candidate, pool, sides)
        columns = self._columns({name: side for name, side in sides.items() if name not in evidence}, labels)
        judgement = compare(columns, alpha=self.gate.alpha, seed=candidate.seed)
        return self._said(candidate, ids, sides, evidence, judgement, changed, moved, restricted=restricted)

    def unfit(self, run: Run) -> str | None:
        """Why a run can carry no verdict, be it the candidate or the baseline; None when it can."""
        if run.status is not RunStatus.FINISHED:
            return f"{run.id} is not finished ({run.status.value})"
        return self._thin(run)

    def may_look(self, candidate: Run, baseline: Run | None) -> bool:
        """Whether a gate in looks makes sense: there is a baseline that the candidate can be compared with.

        Where its answers are labelled there is one look at the end: an early one could only take the
        judge's word, and people must be able to label any sample of the candidate.
        """
        if baseline is None or baseline.status is not RunStatus.FINISHED:
            return False
        found = changes(baseline.manifest, candidate.manifest, frozenset(self.gate.metrics))
        if _incomparable(found, candidate) is not None:
            return False
        return not may_be_corrected(self.ledger, self._pool(candidate, baseline), self._judged(candidate))

    def design(self, looks: tuple[int, ...], baseline: Run) -> Design:
        """What is fixed before the first sample: the looks, and over how many tests α is shared."""
        tables = {name: self.ledger.table(baseline.id, name) for name in self.gate.metrics}
        columns = self._columns({name: ((table,), table) for name, table in tables.items()})
        tests = sum(1 + (column.minimum is not None) + (column.maximum is not None) for column in columns)
        return Design(looks, alpha=self.gate.alpha, metrics=tests)

    def look(self, candidate: Run, baseline: Run, number: int, design: Design) -> Comparison | None:
        """The comparison at a look, None where the samples so far decide nothing."""
        pool, last = self._pool(candidate, baseline), number == len(design.looks) - 1
        ids = tuple(run.id for run in pool)
        found = [
            *changes(baseline.manifest, candidate.manifest, frozenset(self.gate.metrics)),
            *self._renamed(candidate, baseline),
        ]
        changed, moved = tuple(map(str, found)), _attributed(found)
        stop = _incomparable(found, candidate) or (last and (self._thin(candidate) or self._thin(baseline))) or None
        if stop:
            return replace(self._none(candidate, ids, stop), changed=changed, moved=moved)
        sides = self._sides(candidate, pool)
        evidence = self._judges_moved(candidate, sides, _SUSPICIOUS / len(design.looks))
        columns = self._columns({name: side for name, side in sides.items() if name not in evidence})
        verdict, differences = decide(columns, number, design, seed=candidate.seed)
        if verdict is None and not evidence:
            return None
        judgement = (verdict or Verdict.NO_VERDICT, differences)
        return self._said(candidate, ids, sides, evidence, judgement, changed, moved)

    def _none(self, candidate: Run, baseline: tuple[str, ...], why: str) -> Comparison:
        return Comparison(candidate.suite, candidate.id, baseline, Verdict.NO_VERDICT, why, self.gate.alpha)

    def _no_baseline(self, candidate: Run) -> str:
        name, none = self.gate.baseline, f"No baseline {self.gate.baseline!r} in {self.ledger.place}"
        if why := self.unfit(candidate):
            return f"{none}; this run cannot become one: {why}. Mend that and run again"
        named = "" if name == GateSpec.model_fields["baseline"].default else f" --baseline {name}"
        return f"{none}; make one with: haetae promote {candidate.id}{named}"

    def _pool(self, candidate: Run, baseline: Run) -> list[Run]:
        """The promoted run, and the quiet runs before the candidate that only chance sets apart from it."""
        pool, names = [baseline], self.ledger.reported_models(baseline.id)
        for run in self.ledger.runs(candidate.suite, limit=10 * POOL):
            alike = (
                run.number < candidate.number
                and run.id != baseline.id
                and run.status is RunStatus.FINISHED
                and run.manifest.target == baseline.manifest.target
                and run.manifest.dataset == baseline.manifest.dataset
                and run.manifest.metrics == baseline.manifest.metrics
            )
            if alike and len(pool) < POOL and self._quiet(run) and self.ledger.reported_models(run.id) == names:
                pool.append(run)
        return pool

    def _quiet(self, run: Run) -> bool:
        said = self.ledger.comparison(run.id)
        return said is not None and said.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)

    def _renamed(self, candidate: Run, baseline: Run) -> list[Change]:
        """Models that call themselves otherwise than they did, behind the same reference."""
        before, after = self.ledger.reported_models(baseline.id), self.ledger.reported_models(candidate.id)
        renamed = []
        for name in ("", *self.gate.metrics):
            then, now = before.get(name), after.get(name)
            if then and now and then != now:
                field = f"metrics.{name}.reported_model" if name else "target.reported_model"
                what = "judge" if name else "model"
                renamed.append(Change(what, field, ", ".join(sorted(then)), ", ".join(sorted(now))))
        return renamed

    def _obstacle(self, candidate: Run, baseline: Run) -> str | None:
        """Why the scores there are cannot carry a verdict."""
        return self.unfit(candidate) or self.unfit(baseline)

    def _thin(self, run: Run) -> str | None:
        """Which gated metric of a run has too few scores."""
        for account in self.ledger.accounting(run.id):
            if account.metric in self.gate.metrics and (why := self._uncovered(account)):
                return f"{run.id}: {why}"
        return None

    def _uncovered(self, account: Accounting) -> str | None:
        if account.scored == 0:
            return f"{account.metric}: no sample is scored ({_listed(account.unscored)})"
        total = account.total - account.not_run
        faults = sum(count for reason, count in account.unscored.items() if reason in reasons.JUDGE_FAULTS)
        if faults > MAX_JUDGE_FAILURES * total:
            return f"{account.metric}: the judge failed on {faults} of {total} ({_listed(account.unscored)})"
        if account.scored < self.gate.coverage * total:
            return (
                f"{account.metric}: {account.scored} of {total} scored, below the coverage of "
                f"{self.gate.coverage:.0%} ({_listed(account.unscored)})"
            )
        return None

    def _sides(self, candidate: Run, pool: Sequence[Run]) -> Sides:
        return {
            name: (tuple(self.ledger.table(run.id, name) for run in pool), self.ledger.table(candidate.id, name))
            for name in self.gate.metrics
        }

    def _judges_moved(self, candidate: Run, sides: Sides, level: float) -> dict[str, str]:
        """A sentence for each judged metric whose judge scores the same answers differently now."""
        said = {name: _judge_evidence(name, *sides[name], level) for name in self._judged(candidate)}
        return {name: sentence for name, sentence in said.items() if sentence}

    def _judged(self, candidate: Run) -> list[str]:
        facts = candidate.manifest.metrics
        return [name for name in self.gate.metrics if name in facts and facts[name].judge is not None]

    def _labels(self, candidate: Run, pool: Sequence[Run], sides: Sides) -> dict[str, Labels]:
        """What people said of each judged metric that declares a tolerance."""
        judged = [name for name in self._judged(candidate) if self._margin(self.gate.metrics[name]) < math.inf]
        found = {name: labels_of(self.ledger, name, candidate, pool, sides[name]) for name in judged}
        return {name: labels for name, labels in found.items() if labels is not None}

    def _columns(self, sides: Sides, labels: Mapping[str, Labels] | None = None) -> list[GatedColumn]:
        said = labels or {}
        return [column for name, side in sides.items() for column in self._columns_of(name, *side, said.get(name))]

    def _columns_of(
        self, name: str, before: tuple[ScoreTable, ...], after: ScoreTable, labels: Labels | None
    ) -> list[GatedColumn]:
        gate, keys = self.gate.metrics[name], [""]
        if gate.by is not None:
            keys += [f"{gate.by}={value}" for value in sorted({*after.slices[gate.by]} - {""})]
        return [
            GatedColumn(
                metric=name,
                baseline=before,
                candidate=after,
                corpus=self.corpora.get(name),
                margin=self._margin(gate),
                slice=key,
                minimum=gate.min,
                maximum=gate.max,
                labels=labels,
            )
            for key in keys
        ]

    def _said(
        self,
        candidate: Run,
        baseline: tuple[str, ...],
        sides: Sides,
        evidence: Mapping[str, str],
        judgement: tuple[Verdict, Sequence[Difference]],
        changed: tuple[str, ...],
        moved: tuple[str, ...],
        *,
        restricted: bool = False,
    ) -> Comparison:
        verdict, found = judgement
        differences = tuple(replace(d, margin=None) if d.margin == math.inf else d for d in found)
        if evidence and verdict is not Verdict.REGRESSION:
            verdict = Verdict.NO_VERDICT
        warnings = improvements(differences, candidate.manifest.metrics)
        for name, (before, after) in sides.items():
            p = _errors(before, after)
            if p is not None and p <= _SUSPICIOUS:
                warnings.append(f"{name}: more samples are unscored than in the baseline (sign test p = {p:.2g})")
                verdict = Verdict.INCONCLUSIVE if verdict is Verdict.PASS else verdict
        if evidence:
            moved = tuple(dict.fromkeys((*moved, "judge")))
        elif not moved and verdict is not Verdict.PASS:
            moved = ("model",) if verdict is Verdict.REGRESSION else ("noise",)
        worst = next((d.metric for d in differences if d.verdict is Verdict.REGRESSION), next(iter(sides), None))
        return Comparison(
            suite=candidate.suite,
            candidate=candidate.id,
            baseline=baseline,
            verdict=verdict,
            reason=_why(verdict, evidence) or sentence(verdict, differences, candidate.manifest.metrics),
            alpha=self.gate.alpha,
            differences=differences,
            changed=changed,
            moved=moved,
            movers=tuple(movers(worst, *sides[worst])) if worst else (),
            warnings=(*warnings, *evidence.values()),
            restricted=restricted,
        )

    def _margin(self, gate: MetricGate) -> float:
        """The declared tolerance, else the gate's; none where only a floor or a ceiling is declared."""
        if gate.max_drop is not None:
            return gate.max_drop
        return self.gate.max_drop if gate.min is None and gate.max is None else math.inf


def _why(verdict: Verdict, evidence: Mapping[str, str]) -> str | None:
    if verdict is not Verdict.NO_VERDICT:
        return None
    names = ", ".join(evidence)
    return f"The judge of {names} scores the same answers differently now: its scores say nothing of the application"


def _attributed(found: Sequence[Change]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(change.what for change in found))


def _forbidden(found: Sequence[Change], candidate: Run) -> list[Change]:
    """What may not differ. Where another model was asked for, its decoding is a part of what is compared."""
    another = Instead.of_run(candidate).model is not None
    return [change for change in found if change.forbids and not (another and change.what == "decoding")]


def _incomparable(found: Sequence[Change], candidate: Run) -> str | None:
    forbidden = _forbidden(found, candidate)
    if not forbidden:
        return None
    what = " and ".join(dict.fromkeys(change.what for change in forbidden))
    shown = "; ".join(str(change) for change in forbidden[:3])
    return (
        f"The runs differ in {what}: {shown}. Promote a new baseline, or compare the common samples "
        f"(haetae compare {candidate.id} --common)."
    )


def _errors(before: tuple[ScoreTable, ...], after: ScoreTable) -> float | None:
    """The sign test on samples that failed on one side only; None when nothing failed."""
    then, now = _failed(before[0]), _failed(after)
    both = sorted(then.keys() & now.keys())
    if not any(then[i] or now[i] for i in both):
        return None
    return errors_moved([bool(then[i]) for i in both], [bool(now[i]) for i in both])


def _failed(table: ScoreTable) -> dict[str, bool]:
    """By sample, whether all its repeats are unscored."""
    failed: dict[str, bool] = {}
    for sample_id, value in zip(table.sample_ids, table.values, strict=True):
        failed[sample_id] = failed.get(sample_id, True) and bool(value != value)
    return failed


def _judge_evidence(name: str, before: tuple[ScoreTable, ...], after: ScoreTable, level: float) -> str | None:
    """A sentence when the same answers were judged differently."""
    found = judge_moved(before, after)
    if found.p is None or found.p > level:
        return None
    return (
        f"{name}: the judge moved: {found.n_identical} of {found.n} answers are the same as in the baseline, "
        f"and are judged {found.delta:+.3g} (p = {found.p:.2g})"
    )


def _listed(unscored: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(unscored.items())) or "none unscored"
