"""The gate: candidate against baseline, over a family of metric × slice columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from haetae.core.table import ScoreTable
from haetae.core.verdict import Difference, Verdict
from haetae.stats.corpus import Corpus
from haetae.stats.distributions import sign_tail
from haetae.stats.floors import Limit, limits
from haetae.stats.intervals import cluster_mean
from haetae.stats.noninferior import t_p, unseen_p
from haetae.stats.paired import Effect, Pairs, effect, in_slice, pair
from haetae.stats.power import still_needed
from haetae.stats.samples import Floats, count_of, sum_by
from haetae.stats.scale import unit
from haetae.stats.signflip import FamilyP, family_p
from haetae.stats.tango import tango_p

SLICE_MINIMUM = 20
"""Samples, scored on both sides, below which a slice is shown but not tested."""


@dataclass(frozen=True, eq=False)
class GatedColumn:
    """One metric × slice to be judged.

    `baseline` is the pool of runs of the promoted version; every sample is averaged over all its runs
    and repeats. `corpus` is the metric's, None for a mean. `margin` ≥ 0 is the tolerated drop, on the
    declared range scaled to [0, 1] (.03 of a 0–100 metric is 3), in native units where the range is
    open, inf where only the floors matter. `slice` is "" or `key=value`. `minimum` and `maximum` are
    absolute, in native units.
    """

    metric: str
    baseline: tuple[ScoreTable, ...]
    candidate: ScoreTable
    corpus: Corpus | None
    margin: float
    slice: str = ""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Levels:
    """What each test of one look must reach: every drop and broken floor `drop`, every tolerance and kept
    floor `smaller`. The p-values that are reported are stretched, so that they too are held against α.
    """

    drop: float
    smaller: float


@dataclass(frozen=True, eq=False)
class _Held:
    """p-values to be held against α: `drop` and `rise` per column; others are to be stretched first."""

    plain: Floats
    drop: Floats
    rise: Floats
    broken: float
    smaller: float


@dataclass(frozen=True, eq=False)
class _Column:
    """A column with its numbers: `untested` says why it has no tests, "" when it has."""

    gated: GatedColumn
    effect: Effect | None
    limits: list[Limit]
    untested: str


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

    A margin of 0 tolerates nothing: a significant drop is a REGRESSION, only a significant rise is a
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
    tested = [i for i, column in enumerate(prepared) if not column.untested]
    effects = [e for i in tested if (e := prepared[i].effect) is not None]
    family = _family(effects, alpha if levels is None else levels.drop, seed)
    floors = sum(len(prepared[i].limits) for i in tested)
    held = None if family is None else _held(family, len(tested), floors, levels, alpha)
    place = {i: j for j, i in enumerate(tested)}
    found = [
        _judge(column, held, place[i], alpha) if held is not None and i in place else _untested(column)
        for i, column in enumerate(prepared)
    ]
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
        bounds = limits(column.candidate, column.corpus, column.slice, column.minimum, column.maximum)
        out.append(_Column(column, found, [] if reason else bounds, reason))
    return out


def _why_untested(column: GatedColumn, found: Effect | None) -> str:
    if column.slice and (found is None or found.n < SLICE_MINIMUM):
        return f"not tested: {0 if found is None else found.n} samples of the {SLICE_MINIMUM} that a slice needs"
    if found is None:
        return "not tested: no sample is scored on both sides"
    if found.n < 2 or count_of(found.clusters) < 2:
        return "not tested: fewer than two independent samples"
    return "" if found.d is not None else "not tested: the corpus value is undefined without one of its samples"


def _family(effects: Sequence[Effect], alpha: float, seed: int) -> FamilyP | None:
    """Adjusted p-values over the cluster sums of all columns, clusters matched by name."""
    if not effects:
        return None
    names = sorted(set().union(*{effect.cluster_names for effect in effects}))
    place = {name: i for i, name in enumerate(names)}
    maps = {own: np.array([place[name] for name in own], dtype=np.intp) for own in {e.cluster_names for e in effects}}
    sums = np.zeros((len(names), len(effects)))
    for j, found in enumerate(effects):
        if found.d is not None:
            codes = maps[found.cluster_names][found.clusters]
            sums[:, j] = np.bincount(codes, weights=found.d, minlength=len(names))
    return family_p(sums, alpha=alpha, seed=seed)


def _noninferior_p(found: Effect, d: Floats, margin: float) -> float:
    if math.isinf(margin):
        return 0.0
    sums, sizes = sum_by(found.clusters, d), sum_by(found.clusters, np.ones(found.n))
    unseen = unseen_p(float(d.mean()), len(sums), margin, found.span)
    if found.binary:
        return max(unseen, tango_p(int((d < 0).sum()), int((d > 0).sum()), found.n, margin))
    moved = t_p(sums, sizes, margin)
    return 1.0 if moved is None else max(unseen, moved)


def _held(family: FamilyP, drops: int, floors: int, levels: Levels | None, alpha: float) -> _Held:
    """Step-down max-T, which shares α with the floors; or every column by itself at its look's level."""
    if levels is None:
        share = (drops + floors) / drops
        drop, rise = family.drop_adjusted * share, family.rise_adjusted * share
        return _Held(family.drop, np.minimum(1.0, drop), np.minimum(1.0, rise), drops + floors, 1.0)
    stretch = alpha / levels.drop
    drop, rise = np.minimum(1.0, family.drop * stretch), np.minimum(1.0, family.rise * stretch)
    return _Held(family.drop, drop, rise, stretch, alpha / levels.smaller)


def _judge(column: _Column, held: _Held, j: int, alpha: float) -> Difference:
    found, gated = column.effect, column.gated
    if found is None or found.d is None:
        raise ValueError(f"{gated.metric}: only a column with differences can be judged")
    adjusted, rise = float(held.drop[j]), float(held.rise[j])
    smaller = min(1.0, _noninferior_p(found, found.d, gated.margin) * held.smaller)
    broken = [limit for limit in column.limits if limit.broken * held.broken <= alpha]
    unsettled = [limit for limit in column.limits if limit.kept * held.smaller > alpha and limit not in broken]
    notes = [limit.note for limit in broken] + [f"{limit.name} not settled" for limit in unsettled]
    if adjusted <= alpha and smaller <= alpha:
        notes.append("tolerated drop")
    if rise <= alpha:
        notes.append("significant rise")
    if broken or (adjusted <= alpha < smaller):
        verdict = Verdict.REGRESSION
    else:
        verdict = Verdict.PASS if smaller <= alpha and not unsettled else Verdict.INCONCLUSIVE
    needed = None
    if verdict is Verdict.INCONCLUSIVE and smaller > alpha:
        of = cluster_mean(found.d, found.clusters)
        scale = found.span
        needed = still_needed((of.sd or 0.0) / scale, gated.margin / scale, found.n, of.mean / scale, alpha)
    return _difference(column, float(held.plain[j]), adjusted, smaller, verdict, needed, ", ".join(notes))


def _untested(column: _Column) -> Difference:
    verdict = Verdict.NO_VERDICT if column.gated.slice else Verdict.INCONCLUSIVE
    return _difference(column, None, None, None, verdict, None, column.untested)


def _difference(
    column: _Column,
    drop: float | None,
    adjusted: float | None,
    smaller: float | None,
    verdict: Verdict,
    needed: int | None,
    note: str,
) -> Difference:
    gated, found = column.gated, column.effect
    low, high = found.interval if found is not None and found.interval is not None else (None, None)
    return Difference(
        metric=gated.metric,
        slice=gated.slice,
        n=0 if found is None else found.n,
        baseline=None if found is None else found.baseline,
        candidate=None if found is None else found.candidate,
        delta=None if found is None else found.delta,
        low=low,
        high=high,
        margin=gated.margin * unit(gated.candidate.facts),
        p_drop=drop,
        p_drop_adjusted=adjusted,
        p_noninferior=smaller,
        verdict=verdict,
        needed=needed,
        note=note,
    )


def overall(found: Sequence[Difference]) -> Verdict:
    """What all columns say together: see `compare`."""
    verdicts = {d.verdict for d in found}
    if Verdict.REGRESSION in verdicts:
        return Verdict.REGRESSION
    if all(d.n == 0 for d in found):
        return Verdict.NO_VERDICT
    primary = [d for d in found if not d.slice] or [d for d in found if d.verdict is not Verdict.NO_VERDICT]
    return Verdict.PASS if primary and all(d.verdict is Verdict.PASS for d in primary) else Verdict.INCONCLUSIVE
