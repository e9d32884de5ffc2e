"""The gate: candidate against baseline, over a family of metric × slice columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haetae.core.metric import MetricFacts
from haetae.core.table import ScoreTable
from haetae.core.verdict import IMPROVED, Difference, Verdict
from haetae.stats.corpus import Corpus
from haetae.stats.distributions import sign_tail
from haetae.stats.evidence import Evidence, Levels, Stretch, Tested, evidence
from haetae.stats.floors import Limit, limits
from haetae.stats.labelled import Correction, Labels, correction
from haetae.stats.paired import Effect, Pairs, effect, in_slice, pair
from haetae.stats.power import still_needed
from haetae.stats.samples import count_of
from haetae.stats.scale import is_closed, unit

SLICE_MINIMUM = 20
"""Samples, scored on both sides, below which a slice is shown but not tested."""


@dataclass(frozen=True, eq=False)
class GatedColumn:
    """One metric × slice to be judged.

    `baseline` is the pool of runs of the promoted version; every sample is averaged over all its runs
    and repeats. `corpus` is the metric's, None for a mean. `margin` ≥ 0 is the tolerated drop, on the
    declared range scaled to [0, 1] (.03 of a 0–100 metric is 3), in native units where the range is
    open, inf where only the floors matter. `slice` is "" or `key=value`. `minimum` and `maximum` are
    absolute, in native units. `labels` are what people said of the answers that a judge scored.
    """

    metric: str
    baseline: tuple[ScoreTable, ...]
    candidate: ScoreTable
    corpus: Corpus | None
    margin: float
    slice: str = ""
    minimum: float | None = None
    maximum: float | None = None
    labels: Labels | None = None


@dataclass(frozen=True, eq=False)
class _Column:
    """A column with its numbers: `untested` says why it has no tests, "" when it has. `correction` is what
    labels make of it, or says how many it lacks, "" where nobody labelled anything."""

    gated: GatedColumn
    effect: Effect | None
    limits: list[Limit]
    untested: str
    correction: Correction | str = ""


def compare(
    columns: Sequence[GatedColumn], *, alpha: float = 0.05, seed: int = 0, level: float = 0.95
) -> tuple[Verdict, list[Difference]]:
    """Judge every column, and all together; one Difference per column, in the columns' order.

    A column is a REGRESSION when its drop is significant at `alpha` over the whole family (`p_drop_
    adjusted`: step-down max-T by sign flips) or it breaks a floor or ceiling, PASS when the drop is
    proven smaller than the margin at `alpha` (`p_noninferior`: Tango's score test for 0/1 scores,
    cluster t otherwise, neither below what an unseen harm leaves possible) and its floors are proven
    kept, else INCONCLUSIVE with the samples `needed`. A significant drop proven smaller than the margin
    passes as `tolerated drop`. Floors share α with the drops: of K drops and F floors the drops get
    K/(K + F) of it and every floor 1/(K + F) (Bonferroni), which the adjusted p-values carry. A floor
    that is neither proven kept nor proven broken leaves its column INCONCLUSIVE: a score exactly at a
    floor breaks nothing and proves nothing.

    A column with `labels` enough (`labelled.correction`) is judged on the change in human scores, which
    its `delta` then is: both its drop, with a share of α like a floor's, and its tolerance. Floors and
    the two sides' values stay the judge's. With too few labels the judge's word counts alone, and the
    note says how many are missing.

    A margin of 0 tolerates nothing: a significant drop is a REGRESSION, only a significant improvement is a
    PASS, and all else stays INCONCLUSIVE with `needed` None, since no number of samples proves that
    nothing changed.

    A slice with fewer than 20 pairs is shown with verdict NO_VERDICT and a note, is not in the family
    and has no part in the overall verdict. So is a column without two clusters to compare, but where
    that is a primary one (slice ""), it is INCONCLUSIVE and withholds a pass.

    Overall: any regression is a REGRESSION; a PASS needs a pass of every primary column (every tested
    one, where no column is primary); NO_VERDICT without any pair; else INCONCLUSIVE. No correction is
    due for the pass (intersection-union, Berger 1982). The same `seed` gives the same numbers,
    whatever the order of the rows.
    """
    return judge(columns, None, alpha=alpha, seed=seed, level=level)


def judge(
    columns: Sequence[GatedColumn], levels: Levels | None, *, alpha: float, seed: int, level: float
) -> tuple[Verdict, list[Difference]]:
    """`compare`, or with `levels` the same rules at one of several looks."""
    prepared = _prepare(columns, seed, level)
    tested = [
        Tested(column.effect, column.gated.margin, column.correction)
        for column in prepared
        if column.effect is not None and not column.untested
    ]
    floors = sum(len(column.limits) for column in prepared)
    said, stretch = evidence(tested, floors, levels, alpha=alpha, seed=seed)
    of = iter(said)
    found = [_untested(column) if column.untested else _judge(column, next(of), stretch, alpha) for column in prepared]
    return overall(found), found


def errors_moved(baseline_failed: Sequence[bool], candidate_failed: Sequence[bool]) -> float:
    """Exact one-sided sign test that the candidate fails more of the same samples; 1 where nothing differs.

    At .01 or below a pass is to be withheld: samples that fail leave the comparison, and not at random.
    """
    pairs = list(zip(baseline_failed, candidate_failed, strict=True))
    worse = sum(after and not before for before, after in pairs)
    return sign_tail(worse, sum(before != after for before, after in pairs))


def _prepare(columns: Sequence[GatedColumn], seed: int, level: float) -> list[_Column]:
    paired: dict[tuple[int, ...], Pairs] = {}
    out = []
    for column in columns:
        if column.margin < 0:
            raise ValueError(f"{column.metric}: a tolerated drop is 0 or more, got {column.margin}")
        key = (*map(id, column.baseline), id(column.candidate))
        if key not in paired:
            paired[key] = pair(column.baseline, column.candidate)
        pairs = paired[key]
        if column.slice:
            pairs = pairs.where(in_slice(column.candidate, pairs.rows, column.slice))
        facts, found = column.candidate.facts, None
        if len(pairs.ids):
            found = effect(pairs, facts, column.corpus, level=level, seed=seed)
        reason = _why_untested(column, found)
        if reason or found is None:
            out.append(_Column(column, found, [], reason))
            continue
        corrected: Correction | str = ""
        if column.labels is not None:
            corrected = correction(pairs, found, column.labels, facts, margin=column.margin, level=level, seed=seed)
        bounds = limits(column.candidate, column.corpus, column.slice, column.minimum, column.maximum)
        out.append(_Column(column, found, bounds, reason, corrected))
    return out


def _why_untested(column: GatedColumn, found: Effect | None) -> str:
    if column.slice and (found is None or found.n < SLICE_MINIMUM):
        return f"not tested: {0 if found is None else found.n} samples of the {SLICE_MINIMUM} that a slice needs"
    if found is None:
        return "not tested: no sample is scored on both sides"
    if found.n < 2 or count_of(found.clusters) < 2:
        return "not tested: fewer than two independent samples"
    return "" if found.d is not None else "not tested: the corpus value is undefined without one of its samples"


def _judge(column: _Column, said: Evidence, stretch: Stretch, alpha: float) -> Difference:
    broken = [limit for limit in column.limits if limit.broken * stretch.alone <= alpha]
    unsettled = [limit for limit in column.limits if limit.kept * stretch.smaller > alpha and limit not in broken]
    notes = [limit.note for limit in broken] + [f"{limit.name} not settled" for limit in unsettled]
    if said.drop <= alpha and said.smaller <= alpha:
        notes.append("tolerated drop")
    if said.rise <= alpha:
        notes.append(IMPROVED)
    if broken or (said.drop <= alpha < said.smaller):
        verdict = Verdict.REGRESSION
    else:
        verdict = Verdict.PASS if said.smaller <= alpha and not unsettled else Verdict.INCONCLUSIVE
    needed = None
    if verdict is Verdict.INCONCLUSIVE and said.smaller > alpha and column.effect is not None:
        scale = column.effect.span
        needed = still_needed(said.sd / scale, column.gated.margin / scale, said.n, said.mean / scale, alpha)
    return _difference(column, said, verdict, needed, notes)


def _untested(column: _Column) -> Difference:
    verdict = Verdict.NO_VERDICT if column.gated.slice else Verdict.INCONCLUSIVE
    return _difference(column, None, verdict, None, [column.untested])


def _difference(
    column: _Column, said: Evidence | None, verdict: Verdict, needed: int | None, notes: list[str]
) -> Difference:
    """`needed` counts samples, or for a corrected column labelled pairs, which only its note can say."""
    gated, found, corrected = column.gated, column.effect, column.correction
    delta, interval = (None, None) if found is None else (found.delta, found.interval)
    if isinstance(corrected, Correction):
        notes.append(_corrected(corrected, delta, needed, gated.candidate.facts))
        delta, interval, needed = corrected.delta, corrected.interval, None
    elif corrected:
        notes.append(corrected)
    low, high = (None, None) if interval is None else interval
    return Difference(
        metric=gated.metric,
        slice=gated.slice,
        n=0 if found is None else found.n,
        baseline=None if found is None else found.baseline,
        candidate=None if found is None else found.candidate,
        delta=delta,
        low=low,
        high=high,
        margin=gated.margin * unit(gated.candidate.facts),
        p_drop=None if said is None else said.plain,
        p_drop_adjusted=None if said is None else said.drop,
        p_noninferior=None if said is None else said.smaller,
        verdict=verdict,
        needed=needed,
        note=", ".join(notes),
    )


def _corrected(correction: Correction, judged: float | None, needed: int | None, facts: MetricFacts) -> str:
    more, alone = "" if needed is None else f" (about {needed:,} would settle it)", judged or 0.0
    said = f"{100 * alone / unit(facts):+.1f} points" if is_closed(facts) else f"{alone:+.3g}"
    return f"judge-corrected with {correction.labels} labelled pairs{more}, the judge alone says {said}"


def overall(found: Sequence[Difference]) -> Verdict:
    """What all columns say together: see `compare`."""
    verdicts = {d.verdict for d in found}
    if Verdict.REGRESSION in verdicts:
        return Verdict.REGRESSION
    if all(d.n == 0 for d in found):
        return Verdict.NO_VERDICT
    primary = [d for d in found if not d.slice] or [d for d in found if d.verdict is not Verdict.NO_VERDICT]
    return Verdict.PASS if primary and all(d.verdict is Verdict.PASS for d in primary) else Verdict.INCONCLUSIVE
