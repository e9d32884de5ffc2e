"""The gate on two score files of any tool: no suite, no ledger, the same statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from haetae.catalog.scores.source import scores_of
from haetae.core.score_columns import ScoreColumns
from haetae.core.table import ScoreTable
from haetae.core.verdict import Comparison, Difference, Verdict
from haetae.errors import NoSamplesError
from haetae.stats.compare import GatedColumn, compare
from haetae.stats.movers import movers
from haetae.stats.scale import unit
from haetae.workbench.scores.counts import MetricCount, counts_of
from haetae.workbench.scores.report import ScoreReport
from haetae.workbench.scores.rules import ScoreRules
from haetae.workbench.scores.tables import chosen_slices, tables_of, tags_of
from haetae.workbench.words import improvements, sentence

_SEED = 20_260_101
"""Seed of every sign flip: the same scores give the same verdict."""
_SUSPICIOUS = 0.01
"""Level at which errors on one side withhold a pass."""

Sides = Mapping[str, tuple[ScoreTable, ScoreTable]]


def gate_files(baseline: str, candidate: str, rules: ScoreRules) -> ScoreReport:
    """`gate_scores` on the files at two paths, of any tool that `scores_of` understands.

    Raises what they raise; a file without a score is no verdict (exit 3), never a pass.
    """
    try:
        before, after = (scores_of(Path(file), file) for file in (baseline, candidate))
    except NoSamplesError as exc:
        exc.exit_code = Verdict.NO_VERDICT.exit_code
        raise
    return gate_scores(before, after, rules)


def gate_scores(baseline: ScoreColumns, candidate: ScoreColumns, rules: ScoreRules) -> ScoreReport:
    """Compare two files of scores, paired by sample id, over all their metrics and slices: see `compare`.

    A metric that is in one file only, has no pairs, or too few scores on a side gives no verdict, and
    withholds one from the whole but for a regression proven elsewhere. Where significantly more samples
    of the candidate are unscored or missing, a pass is withheld.

    Raises ConfigError and DatasetError: see `ScoreRules.check` and `chosen_slices`.
    """
    rules.check(baseline, candidate)
    slices, notes = chosen_slices(candidate, tags_of(candidate, baseline), rules.slices)
    counts = counts_of(baseline, candidate)
    stops = {name: why for name, count in counts.items() if (why := count.obstacle(rules.coverage))}
    facts = {name: rules.facts(name) for name in counts}
    tested = {name: own for name, own in facts.items() if name not in stops}
    before, after = tables_of(baseline, tested), tables_of(candidate, tested, slices)
    sides = {name: (before[name], after[name]) for name in tested}
    verdict, judged = compare(_columns(sides, rules.margin), alpha=rules.alpha, seed=_SEED)
    unjudged = [_unjudged(counts[name], why, rules.margin * unit(facts[name])) for name, why in stops.items()]
    order = list(counts)
    differences = sorted([*judged, *unjudged], key=lambda d: order.index(d.metric))
    if stops and verdict is not Verdict.REGRESSION:
        verdict = Verdict.NO_VERDICT
    failing = [name for name in tested if counts[name].errors_p <= _SUSPICIOUS]
    if failing and verdict is Verdict.PASS:
        verdict = Verdict.INCONCLUSIVE
    worst = next((d.metric for d in judged if d.verdict is Verdict.REGRESSION), None)
    comparison = Comparison(
        suite="scores",
        candidate=candidate.file,
        baseline=(baseline.file,),
        verdict=verdict,
        reason=_stopped(stops) if verdict is Verdict.NO_VERDICT else sentence(verdict, judged, facts),
        alpha=rules.alpha,
        differences=tuple(differences),
        movers=tuple(movers(worst, (before[worst],), after[worst])) if worst else (),
        warnings=(
            *(f"{name}: {why}" for name, why in stops.items()),
            *(_errors(counts[name]) for name in failing),
            *improvements(judged, facts),
            *notes,
        ),
    )
    return ScoreReport(comparison, facts, counts, rules.margin)


def _columns(sides: Sides, margin: float) -> list[GatedColumn]:
    return [
        GatedColumn(metric=name, baseline=(before,), candidate=after, corpus=None, margin=margin, slice=slice_)
        for name, (before, after) in sides.items()
        for slice_ in ("", *_slices(after))
    ]


def _slices(table: ScoreTable) -> Sequence[str]:
    return [f"{key}={value}" for key, values in table.slices.items() for value in sorted({*values} - {""})]


def _unjudged(count: MetricCount, why: str, margin: float) -> Difference:
    """The place of a metric that gives no verdict: named, never left out."""
    numbers = dict.fromkeys(("baseline", "candidate", "delta", "low", "high"))
    tests = dict.fromkeys(("p_drop", "p_drop_adjusted", "p_noninferior"))
    return Difference(
        count.metric, "", count.common, **numbers, margin=margin, **tests, verdict=Verdict.NO_VERDICT, note=why
    )


def _stopped(stops: Mapping[str, str]) -> str:
    told = [f"{name}: {why}" for name, why in stops.items()]
    more = f"; and {len(told) - 3} more metrics" if len(told) > 3 else ""
    return f"{'; '.join(told[:3])}{more}." if told else "No sample is scored on both sides."


def _errors(count: MetricCount) -> str:
    p = f"sign test p = {count.errors_p:.2g}"
    return f"{count.metric}: more samples are unscored or missing than in the baseline ({p})"
