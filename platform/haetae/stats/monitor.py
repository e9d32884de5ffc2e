"""The nightly watch over one stream of runs: did the score fall, since when, and where?

The samples are the same every night, so which samples were chosen is not noise here: a night's mean is
compared with other nights' means, and its noise is what one sample's score does from run to run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from haetae.core.table import ScoreTable
from haetae.core.verdict import lies_mostly_in
from haetae.stats.distributions import f_quantile, skewed_tail, t_cdf
from haetae.stats.intervals import ROUNDING
from haetae.stats.paired import in_slice
from haetae.stats.samples import Floats, Ints, average, codes_of, sum_by
from haetae.stats.signflip import family_p

WINDOWS = (1, 2, 3, 5, 8, 13)
"""Nights that a change may have lasted when it is looked for: short ones find large drops, long ones small."""
NIGHTS_A_MONTH = 30
NIGHTS_DIFFER = 0.2
"""Level of the F-test that nights vary by more than their samples explain."""
SLICE_ALPHA = 0.05
SLICE_MINIMUM = 20


@dataclass(frozen=True, eq=False)
class Night:
    """One scheduled run of a stream: its id, and its scores of the stream's metric."""

    run: str
    table: ScoreTable


@dataclass(frozen=True, slots=True)
class Alarm:
    """A drop found on the night of run `detected_at` that began with run `changed_at`.

    `delta` is the mean since then minus the mean of the regime before, in the metric's own units; `p`
    is corrected for the windows that were tried; `slices` (`key=value`) are those that moved, the worst
    first, empty where none stands out from chance; `mostly` is the one in which most of the drop lies, if there is
    one. `recovered_at` is the run where a rise as
    significant began that took back half of the drop or more; None while the metric is still down.
    """

    detected_at: str
    changed_at: str
    delta: float
    p: float
    slices: tuple[str, ...]
    recovered_at: str | None = None
    mostly: str = ""


def monitor(history: Sequence[Night], *, budget: float = 1.0, streams: int = 1, seed: int = 0) -> list[Alarm]:
    """The alarms of one stream, in the order of its nights (oldest first).

    `budget` is how many false alarms a month of 30 nights the whole installation accepts, over all its
    `streams`. A night's alarm depends on that night and those before it alone, its recovery on later ones.
    After an alarm, or a rise as significant, a new regime begins at the night where the change began.

    The samples are those scored on the first night; one that is unscored later counts with its mean so
    far in the regime, and a night without any scored sample is passed over. Repeats are averaged.
    Corpus metrics are watched by their samples' own scores. Raises ValueError for a budget of 0 or less
    or no stream.
    """
    if budget <= 0 or streams < 1:
        raise ValueError(f"a budget is above 0 and streams are 1 or more; got {budget} and {streams}")
    level = budget / (NIGHTS_A_MONTH * streams)
    nights, scores = _matrix(history)
    alarms: list[Alarm] = []
    halfway: list[float] = []
    start = 0
    for t in range(1, len(scores) + 1):
        drop, rise = _window_p(scores[start:t])
        if min(drop, rise) > level:
            continue
        begin = start + _change(scores[start:t])
        now = float(scores[begin:t].mean())
        if drop <= rise:
            alarms.append(_alarm(nights, scores, start, begin, t, drop, seed))
            halfway.append((float(scores[start:begin].mean()) + now) / 2)
        else:
            for i, half in enumerate(halfway):
                if alarms[i].recovered_at is None and now >= half:
                    alarms[i] = replace(alarms[i], recovered_at=nights[begin].run)
        start = begin
    return alarms


def _matrix(history: Sequence[Night]) -> tuple[list[Night], Floats]:
    """Nights with any score, and their (nights, samples) scores, oriented so that less is worse, gaps filled."""
    nights: list[Night] = []
    rows: list[Floats] = []
    ids: tuple[str, ...] = ()
    for night in history:
        found = average([night.table])
        if not found.scored.any():
            continue
        if not nights:
            ids = tuple(sample for sample, scored in zip(found.ids, found.scored, strict=True) if scored)
        place = dict(zip(found.ids, found.values, strict=True))
        row = np.array([place.get(sample, math.nan) for sample in ids])
        if np.isfinite(row).any():
            nights.append(night)
            rows.append(row if night.table.facts.higher_is_better else -row)
    scores = np.array(rows).reshape(len(rows), len(ids))
    total, count = np.cumsum(np.nan_to_num(scores), axis=0), np.cumsum(np.isfinite(scores), axis=0)
    return nights, np.where(np.isfinite(scores), scores, total / count)


def _window_p(regime: Floats) -> tuple[float, float]:
    """Evidence of a drop and of a rise in the last nights of a regime (nights, samples), for all windows tried."""
    t, n = regime.shape
    if t < 2 or n < 2:
        return 1.0, 1.0
    means = regime.mean(axis=1)
    variance, skew = _noise(regime)
    windows = [w for w in WINDOWS if w < t]
    drop = min(_one_window(means, w, variance, skew, n) for w in windows)
    rise = min(_one_window(-means, w, variance, -skew, n) for w in windows)
    return min(1.0, len(WINDOWS) * drop), min(1.0, len(WINDOWS) * rise)


def _noise(regime: Floats) -> tuple[float, float]:
    """Variance and skewness of one sample's score from run to run.

    From what is left when every sample's and every night's mean is taken out (a two-way layout), so
    that a change of all samples is not taken for noise. The third moment is unbiased for t ≥ 3 nights.
    """
    t, n = regime.shape
    left = regime - regime.mean(axis=0) - regime.mean(axis=1, keepdims=True) + regime.mean()
    variance = float((left**2).sum()) / ((n - 1) * (t - 1))
    if variance <= 0 or t < 3:
        return variance, 0.0
    third = float((left**3).sum()) / n * t / ((t - 1) * (t - 2))
    return variance, third / variance**1.5


def _one_window(means: Floats, w: int, variance: float, skew: float, n: int) -> float:
    before, after = means[:-w], means[-w:]
    r, fall = len(before), float(before.mean() - after.mean())
    if abs(fall) <= ROUNDING * float(np.abs(means).max()):  # a mean of equal scores may differ in the last bit
        return 0.5
    share = 1 / w + 1 / r
    if r > 1:
        nightly = float(before.var(ddof=1))
        if nightly > variance / n * f_quantile(1 - NIGHTS_DIFFER, r - 1, (n - 1) * r) and nightly > 0:
            return t_cdf(-fall / math.sqrt(nightly * share), r - 1)
    if variance <= 0:
        return float(fall < 0)  # runs that never vary have changed
    z = fall / math.sqrt(variance / n * share)
    # Third moments add up with the cubes of the weights, +1/r before and −1/w after.
    return skewed_tail(z, skew * (1 / r**2 - 1 / w**2) / (share**1.5 * math.sqrt(n)))


def _change(regime: Floats) -> int:
    """The first night of the change: where the two sides' means differ most, in standard errors."""
    means, t = regime.mean(axis=1), len(regime)
    after = np.arange(1, t)
    fall = np.cumsum(means)[:-1] / after - np.cumsum(means[::-1])[-2::-1] / (t - after)
    return 1 + int(np.argmax(np.abs(fall) / np.sqrt(1 / after + 1 / (t - after))))


def _alarm(nights: Sequence[Night], scores: Floats, start: int, change: int, end: int, p: float, seed: int) -> Alarm:
    moved = scores[change:end].mean(axis=0) - scores[start:change].mean(axis=0)
    table = nights[0].table
    sign = 1 if table.facts.higher_is_better else -1
    slices, mostly = _slices(table, moved, seed)
    return Alarm(nights[end - 1].run, nights[change].run, sign * float(moved.mean()), p, slices, mostly=mostly)


def _slices(table: ScoreTable, moved: Floats, seed: int) -> tuple[tuple[str, ...], str]:
    """Slices of 20 samples or more whose mean fell, by step-down max-T over the samples' changes, the worst first; and
    the first of them where most of the drop lies in it, else ""."""
    samples = average([table])
    rows = samples.rows[samples.scored]
    clusters = codes_of(table.clusters)[1][rows]
    names: list[str] = []
    columns: list[Floats] = []
    means: list[float] = []
    sizes: list[int] = []
    for key in sorted(table.slices):
        for value in sorted({*table.slices[key]} - {""}):
            places: Ints = in_slice(table, rows, f"{key}={value}")
            if len(places) >= SLICE_MINIMUM:
                names.append(f"{key}={value}")
                columns.append(np.zeros(len(moved)))
                columns[-1][places] = moved[places]
                means.append(float(moved[places].mean()))
                sizes.append(len(places))
    if not columns:
        return (), ""
    sums = sum_by(clusters, np.stack(columns, axis=1))
    adjusted = family_p(sums, alpha=SLICE_ALPHA, seed=seed).drop_adjusted
    fallen = [j for j in np.argsort(means, kind="stable") if adjusted[j] <= SLICE_ALPHA]
    whole = (len(moved), float(moved.mean()))
    is_most = bool(fallen) and lies_mostly_in((sizes[fallen[0]], means[fallen[0]]), whole)
    return tuple(names[j] for j in fallen), names[fallen[0]] if is_most else ""
