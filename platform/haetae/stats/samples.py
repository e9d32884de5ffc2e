"""From rows (sample, repeat) to one number per sample, in an order that does not depend on the rows'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from haetae.core.table import ScoreTable

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Samples:
    """One row per sample, sorted by sample id; repeats (and runs of a pool) are averaged.

    `values` is NaN where no repeat of the sample is scored. `stats` has shape (samples, k) or is None.
    `rows` is each sample's first row in the (first) table, which says its cluster and slices.
    """

    ids: tuple[str, ...]
    values: Floats
    stats: Floats | None
    rows: Ints
    repeated: bool

    @property
    def scored(self) -> NDArray[np.bool_]:
        return np.isfinite(self.values)


@lru_cache(maxsize=8)  # the columns of one gate mostly share their sample ids and clusters
def codes_of(texts: tuple[str, ...]) -> tuple[tuple[str, ...], Ints]:
    """The distinct texts, sorted, and for each text its place among them."""
    names = tuple(sorted(set(texts)))
    place = {name: i for i, name in enumerate(names)}
    codes = np.fromiter((place[text] for text in texts), dtype=np.intp, count=len(texts))
    codes.flags.writeable = False
    return names, codes


def average(tables: Sequence[ScoreTable]) -> Samples:
    """Average every sample over all scored rows of all tables (a run's repeats, a pool's runs)."""
    ids, codes = codes_of(tuple(chain.from_iterable(table.sample_ids for table in tables)))
    values = np.concatenate([table.values for table in tables])
    scored = np.isfinite(values)
    count = np.bincount(codes[scored], minlength=len(ids)).astype(float)
    stats = None
    if all(table.stats is not None for table in tables):
        rows = np.concatenate([table.stats for table in tables if table.stats is not None])
        stats = np.stack([_mean(codes, rows[:, k], scored, count) for k in range(rows.shape[1])], axis=1)
    first = np.zeros(len(ids), dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return Samples(ids, _mean(codes, values, scored, count), stats, first, bool((count > 1).any()))


def _mean(codes: Ints, values: Floats, scored: NDArray[np.bool_], count: Floats) -> Floats:
    mean = np.full(len(count), np.nan)
    total = np.bincount(codes[scored], weights=values[scored], minlength=len(count))
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def sum_by(codes: Ints, values: Floats) -> Floats:
    """Sums of `values` (samples,) or (samples, k) by cluster, clusters without a sample left out."""
    present = np.bincount(codes) > 0
    columns = values[:, None] if values.ndim == 1 else values
    sums = np.stack([np.bincount(codes, weights=column)[present].astype(np.float64) for column in columns.T], axis=1)
    return sums[:, 0] if values.ndim == 1 else sums


def count_of(codes: Ints) -> int:
    """How many different clusters there are: `np.unique`, without sorting."""
    return int(np.count_nonzero(np.bincount(codes)))
