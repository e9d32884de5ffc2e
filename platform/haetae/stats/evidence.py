"""What the columns of a gate say, as p-values that are held against α: the family's flips, or a test's own share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from haetae.stats.intervals import cluster_mean
from haetae.stats.labelled import Correction
from haetae.stats.noninferior import t_p, unseen_p
from haetae.stats.paired import Effect
from haetae.stats.samples import Floats, sum_by
from haetae.stats.signflip import FamilyP, family_p
from haetae.stats.tango import tango_p


@dataclass(frozen=True, slots=True)
class Levels:
    """What each test of one look must reach: every drop and broken floor `drop`, every tolerance and kept
    floor `smaller`. The p-values that are reported are stretched, so that they too are held against α.
    """

    drop: float
    smaller: float


@dataclass(frozen=True, eq=False)
class Tested:
    """A column with differences: what changed, the tolerance on the scale of its `d`, and what labels make
    of it (or a note, where they make nothing)."""

    effect: Effect
    margin: float
    correction: Correction | str


@dataclass(frozen=True, slots=True)
class Stretch:
    """By what a p-value is multiplied before it is held against α: of a test `alone`, outside the family
    (a broken floor, a corrected drop), and of what is proven `smaller` (a tolerance, a kept floor).
    """

    alone: float
    smaller: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """One column's p-values: of a drop as it is (`plain`), and of a drop, a rise and a drop smaller than the
    margin as held against α. `mean` and `sd` are of the `n` samples or labelled pairs that they rest on.
    """

    plain: float
    drop: float
    rise: float
    smaller: float
    mean: float
    sd: float
    n: int


def evidence(
    columns: Sequence[Tested], floors: int, levels: Levels | None, *, alpha: float, seed: int
) -> tuple[list[Evidence], Stretch]:
    """The evidence of every column, and the stretch of the `floors` floors and ceilings tested beside them.

    Drops of judged differences form a family: step-down max-T over common sign flips. A corrected
    column is not among them: its estimate weights labelled and unlabelled samples differently, so it
    has no differences that a common flip could exchange. Like a floor it takes an equal share of α
    (Bonferroni), which holds whatever the correlation: of K flipped drops and S such tests the family
    has K/(K + S) of α, every other test 1/(K + S). With `levels` every test stands by itself.
    """
    flipped = [column for column in columns if not isinstance(column.correction, Correction)]
    family = _family([column.effect for column in flipped], alpha if levels is None else levels.drop, seed)
    if levels is None:
        tests = len(columns) + floors
        stretch, share = Stretch(tests, 1.0), tests / max(1, len(flipped))
        drops, rises = family.drop_adjusted * share, family.rise_adjusted * share
    else:
        stretch = Stretch(alpha / levels.drop, alpha / levels.smaller)
        drops, rises = family.drop * stretch.alone, family.rise * stretch.alone
    places, found = iter(range(len(flipped))), []
    for column in columns:
        if isinstance(column.correction, Correction):
            found.append(_corrected(column.correction, stretch))
            continue
        j, of = next(places), cluster_mean(_differences(column.effect), column.effect.clusters)
        found.append(
            Evidence(
                plain=float(family.drop[j]),
                drop=min(1.0, float(drops[j])),
                rise=min(1.0, float(rises[j])),
                smaller=min(1.0, _noninferior_p(column.effect, column.margin) * stretch.smaller),
                mean=of.mean,
                sd=of.sd or 0.0,
                n=of.n,
            )
        )
    return found, stretch


def _corrected(correction: Correction, stretch: Stretch) -> Evidence:
    drop = correction.drop
    return Evidence(
        plain=drop.p_drop,
        drop=min(1.0, drop.p_drop * stretch.alone),
        rise=min(1.0, (1 - drop.p_drop) * stretch.alone),
        smaller=min(1.0, drop.p_noninferior * stretch.smaller),
        mean=drop.of.estimate,
        sd=(drop.error or 0.0) * math.sqrt(correction.labels),
        n=correction.labels,
    )


def _family(effects: Sequence[Effect], alpha: float, seed: int) -> FamilyP:
    """Adjusted p-values over the cluster sums of all columns, clusters matched by name."""
    if not effects:
        return FamilyP(*[np.zeros(0)] * 4)
    names = sorted(set().union(*{effect.cluster_names for effect in effects}))
    place = {name: i for i, name in enumerate(names)}
    maps = {own: np.array([place[name] for name in own], dtype=np.intp) for own in {e.cluster_names for e in effects}}
    sums = np.zeros((len(names), len(effects)))
    for j, found in enumerate(effects):
        codes = maps[found.cluster_names][found.clusters]
        sums[:, j] = np.bincount(codes, weights=_differences(found), minlength=len(names))
    return family_p(sums, alpha=alpha, seed=seed)


def _noninferior_p(found: Effect, margin: float) -> float:
    if math.isinf(margin):
        return 0.0
    d = _differences(found)
    sums, sizes = sum_by(found.clusters, d), sum_by(found.clusters, np.ones(found.n))
    unseen = unseen_p(float(d.mean()), len(sums), margin, found.span)
    if found.binary:
        return max(unseen, tango_p(int((d < 0).sum()), int((d > 0).sum()), found.n, margin))
    moved = t_p(sums, sizes, margin)
    return 1.0 if moved is None else max(unseen, moved)


def _differences(found: Effect) -> Floats:
    if found.d is None:
        raise ValueError("only a column with differences can be tested")
    return found.d
