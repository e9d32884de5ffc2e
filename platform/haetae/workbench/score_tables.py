"""Two score files as tables: one a metric and side, sliced by their tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from haetae.catalog.explain import nearest
from haetae.core.metric import MetricFacts
from haetae.core.score_columns import ScoreColumns
from haetae.core.table import ScoreTable
from haetae.errors import ConfigError
from haetae.stats.compare import SLICE_MINIMUM

MOST_VALUES = 20
"""Values of a tag up to which it becomes slices by itself."""


def tables_of(side: ScoreColumns, facts: Mapping[str, MetricFacts], keys: Sequence[str]) -> dict[str, ScoreTable]:
    """The table of each metric that `facts` name, with a slice column for each of `keys`.

    A sample without a cluster is its own. A sample is in the slices of its first row.
    """
    texts = _Texts()
    slices = {key: tuple(tags.get(key, "") for tags in side.tags) for key in keys}
    out = {}
    for metric, own in facts.items():
        rows = np.flatnonzero(side.metric_codes == side.metrics.index(metric))
        ids = texts(side.ids, side.id_codes[rows])
        out[metric] = ScoreTable(
            facts=own,
            sample_ids=ids,
            values=side.scores[rows],
            clusters=_clusters(side, rows, ids, texts),
            slices={key: texts(values, side.tag_codes[rows]) for key, values in slices.items()},
        )
    return out


def chosen_slices(side: ScoreColumns, wanted: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The tags to slice by, and a sentence for each that is not sliced but could be: of a text that most
    samples have to themselves, a question's, nothing is said.

    Where nothing is `wanted`, these are the tags with 2 to 20 values (to have none counts as one), of
    which at least one has the 20 samples that a slice needs. Raises ConfigError for a wanted tag that no
    score has.
    """
    values = _values(side)
    if wanted is not None:
        unknown = [key for key in wanted if key not in values]
        if unknown:
            listed = f"; there are {', '.join(values)}" if values else "; no score has a tag"
            hints = (f"no score of {side.file} has the tag {key!r}{nearest(key, values) or listed}" for key in unknown)
            raise ConfigError("; ".join(hints))
        return list(dict.fromkeys(wanted)), []
    keys, notes = [], []
    for key, counts in values.items():
        if len(counts) > MOST_VALUES:
            if len(counts) <= sum(counts.values()) / 2:
                notes.append(f"the tag {key} has {len(counts)} values and is not sliced; --slice {key} slices it")
        elif len(counts) > 1 and max(counts[value] for value in counts if value) >= SLICE_MINIMUM:
            keys.append(key)
    return keys, notes


def _values(side: ScoreColumns) -> dict[str, dict[str, int]]:
    """Of each tag how many samples have which value, "" for those without it."""
    _, first = np.unique(side.id_codes, return_index=True)
    samples = np.bincount(side.tag_codes[first], minlength=len(side.tags)).tolist()
    keys = dict.fromkeys(key for tags in side.tags for key in tags)
    found: dict[str, dict[str, int]] = {key: {} for key in keys}
    for tags, count in zip(side.tags, samples, strict=True):
        for key, counts in found.items():
            value = tags.get(key, "")
            counts[value] = counts.get(value, 0) + count
    return found


class _Texts:
    """Texts by code; columns that are the same for several metrics are made once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], tuple[str, ...]] = {}

    def __call__(self, names: tuple[str, ...], codes: NDArray[Any]) -> tuple[str, ...]:
        key = (id(names), codes.tobytes())
        if key not in self._known:
            self._known[key] = tuple(map(names.__getitem__, codes.tolist()))
        return self._known[key]


def _clusters(side: ScoreColumns, rows: NDArray[Any], ids: tuple[str, ...], texts: _Texts) -> tuple[str, ...]:
    if side.clusters == (None,):
        return ids
    named = tuple(name or "" for name in side.clusters)
    own = texts(named, side.cluster_codes[rows])
    return own if None not in side.clusters else tuple(name or sample for name, sample in zip(own, ids, strict=True))
