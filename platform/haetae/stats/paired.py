"""The same samples on both sides: per-sample differences of one metric over one slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from haetae.core.metric import MetricFacts
from haetae.core.table import ScoreTable
from haetae.stats.corpus import Corpus, bootstrap, corpus_value, pseudo_values
from haetae.stats.intervals import ROUNDING, Interval, cluster_mean, t_interval
from haetae.stats.samples import Floats, Ints, Samples, average, codes_of, count_of, sum_by
from haetae.stats.scale import is_binary, is_closed, unit
from haetae.stats.tango import tango_interval


@dataclass(frozen=True, eq=False)
class Pairs:
    """Samples scored on both sides, sorted by id, in native units; (n,) each, stats (n, k) or None.

    `clusters` are codes into `cluster_names`; `rows` are the candidate table's rows of the samples.
    """

    ids: tuple[str, ...]
    baseline: Floats
    candidate: Floats
    baseline_stats: Floats | None
    candidate_stats: Floats | None
    clusters: Ints
    cluster_names: tuple[str, ...]
    rows: Ints

    @property
    def moved(self) -> Floats:
        """candidate − baseline of each sample (n,); 0 where only rounding sets them apart."""
        moved = self.candidate - self.baseline
        noise = ROUNDING * np.maximum(np.abs(self.baseline), np.abs(self.candidate))
        moved[np.abs(moved) <= noise] = 0.0  # the average of three equal scores may differ in the last bit
        return np.asarray(moved)

    def where(self, keep: Ints) -> Pairs:
        """Only the pairs at the places `keep`."""
        return Pairs(
            self.ids if len(keep) == len(self.ids) else tuple(map(self.ids.__getitem__, keep)),
            self.baseline[keep],
            self.candidate[keep],
            None if self.baseline_stats is None else self.baseline_stats[keep],
            None if self.candidate_stats is None else self.candidate_stats[keep],
            self.clusters[keep],
            self.cluster_names,
            self.rows[keep],
        )


def pair(baseline: Sequence[ScoreTable], candidate: ScoreTable) -> Pairs:
    """Pair by sample id: the baseline pool's average over all runs and repeats, the candidate's over repeats."""
    before, after = average(baseline), average([candidate])
    left, right = _common(before, after)
    names, codes = codes_of(candidate.clusters)
    rows = after.rows[right]
    return Pairs(
        after.ids if len(right) == len(after.ids) else tuple(after.ids[i] for i in right),
        before.values[left],
        after.values[right],
        None if before.stats is None else before.stats[left],
        None if after.stats is None else after.stats[right],
        codes[rows],
        names,
        rows,
    )


def _common(before: Samples, after: Samples) -> tuple[Ints, Ints]:
    if before.ids == after.ids:
        both = np.flatnonzero(before.scored & after.scored)
        return both, both
    place = {sample: i for i, sample in enumerate(before.ids)}
    left = np.array([place.get(sample, -1) for sample in after.ids], dtype=np.intp)
    right = np.flatnonzero((left >= 0) & after.scored)
    right = right[before.scored[left[right]]]
    return left[right], right


def in_slice(table: ScoreTable, rows: Ints, slice_: str) -> Ints:
    """Places in `rows` whose metadata match `key=value`; all places for ""."""
    if not slice_:
        return np.arange(len(rows), dtype=np.intp)
    key, _, value = slice_.partition("=")
    texts = table.slices.get(key)
    if texts is None:
        return np.array([], dtype=np.intp)
    names, codes = codes_of(tuple(texts))
    if value not in names:
        return np.array([], dtype=np.intp)
    return np.flatnonzero(codes[rows] == names.index(value))


@dataclass(frozen=True, eq=False)
class Effect:
    """What changed in one column: native numbers to report, scaled oriented differences to test.

    `d` (n,) is candidate − baseline on the declared range scaled to [0, 1] (native units where the
    range is open), negative is worse; for a corpus metric, differences of pseudo-values. `span` is the
    whole scale in the units of `d`: 1, or for an open range the spread of the scores seen. `binary`
    says that both sides are 0/1 and independent, so that counting replaces averaging. `d` is None
    where a corpus metric has no value without one of its samples.
    """

    n: int
    baseline: float | None
    candidate: float | None
    interval: Interval | None
    d: Floats | None
    clusters: Ints
    cluster_names: tuple[str, ...]
    span: float
    binary: bool

    @property
    def delta(self) -> float | None:
        return None if self.baseline is None or self.candidate is None else self.candidate - self.baseline


def effect(pairs: Pairs, facts: MetricFacts, corpus: Corpus | None, *, level: float, seed: int) -> Effect:
    """The change over `pairs` (n ≥ 1), with the interval of delta at `level`.

    Intervals: Tango's for 0/1 scores, cluster-robust t for others, the paired bootstrap for corpus
    metrics, which resamples both sides together.
    """
    if corpus is not None:
        return _corpus_effect(pairs, corpus, facts, level=level, seed=seed)
    scale = unit(facts) if facts.higher_is_better else -unit(facts)
    moved = pairs.moved
    d = moved / scale
    binary = count_of(pairs.clusters) == len(d) and is_binary(facts, pairs.baseline, pairs.candidate)
    if binary:
        low, high = tango_interval(int((moved < 0).sum()), int((moved > 0).sum()), len(d), level)
        interval: Interval | None = (low * unit(facts), high * unit(facts))
    else:
        interval = t_interval(cluster_mean(moved, pairs.clusters), level, unit(facts) if is_closed(facts) else None)
    before, after = float(pairs.baseline.mean()), float(pairs.candidate.mean())
    return Effect(len(d), before, after, interval, d, pairs.clusters, pairs.cluster_names, _span(pairs, facts), binary)


def _corpus_effect(pairs: Pairs, corpus: Corpus, facts: MetricFacts, *, level: float, seed: int) -> Effect:
    before, after = pairs.baseline_stats, pairs.candidate_stats
    if before is None or after is None:
        raise ValueError("a corpus metric needs its per-sample statistics on both sides")
    k = before.shape[1]
    sums = sum_by(pairs.clusters, np.concatenate([before, after], axis=1))
    width = unit(facts) if is_closed(facts) else None
    interval = bootstrap(sums, lambda t: corpus(t[..., k:]) - corpus(t[..., :k]), level=level, seed=seed, span=width)
    left, right = pseudo_values(corpus, before), pseudo_values(corpus, after)
    scale, span = unit(facts) if facts.higher_is_better else -unit(facts), _span(pairs, facts)
    d = None if left is None or right is None else (right - left) / scale
    values = corpus_value(corpus, before), corpus_value(corpus, after)
    return Effect(len(before), *values, interval, d, pairs.clusters, pairs.cluster_names, span, binary=False)


def _span(pairs: Pairs, facts: MetricFacts) -> float:
    """1 for a closed range; else the spread of the scores seen, their size if all are equal, or 1."""
    if is_closed(facts):
        return 1.0
    both = np.concatenate([pairs.baseline, pairs.candidate])
    return float(np.ptp(both)) or float(np.abs(both).max()) or 1.0
