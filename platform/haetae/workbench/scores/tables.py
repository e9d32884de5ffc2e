"""Two score files as tables: one a metric and side, sliced by their tags."""

from __future__ import annotations

from collections import Counter
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


Tags = Mapping[str, Mapping[str, str]]
"""Of each tag the samples that have it, by id, with its value."""


def tags_of(*sides: ScoreColumns) -> Tags:
    """The tags of samples, wherever a row of theirs says one: in the first file, and there the first row, that does."""
    found: dict[str, dict[str, str]] = {}
    for side in sides:
        for key in dict.fromkeys(key for tags in side.tags for key in tags):
            values = [tags.get(key, "") for tags in side.tags]
            rows = np.flatnonzero(np.array([value != "" for value in values])[side.tag_codes])[::-1]
            codes = np.full(len(side.ids), -1)
            codes[side.id_codes[rows]] = side.tag_codes[rows]
            own = {sample: values[code] for sample, code in zip(side.ids, codes.tolist(), strict=True) if code >= 0}
            found[key] = own | found.get(key, {})
    return found


def tables_of(
    side: ScoreColumns, facts: Mapping[str, MetricFacts], slices: Tags | None = None
) -> dict[str, ScoreTable]:
    """The table of each metric that `facts` name, with a column for each tag of `slices`.

    A sample without a cluster is its own.
    """
    texts = _Texts()
    named = {key: tuple(own.get(sample, "") for sample in side.ids) for key, own in (slices or {}).items()}
    out = {}
    for metric, own in facts.items():
        rows = np.flatnonzero(side.metric_codes == side.metrics.index(metric))
        ids = texts(side.ids, side.id_codes[rows])
        out[metric] = ScoreTable(
            facts=own,
            sample_ids=ids,
            values=side.scores[rows],
            clusters=_clusters(side, rows, ids, texts),
            slices={key: texts(values, side.id_codes[rows]) for key, values in named.items()},
        )
    return out


def chosen_slices(side: ScoreColumns, tags: Tags, wanted: Sequence[str] | None) -> tuple[Tags, list[str]]:
    """Those of `tags` to slice the samples of `side` by, and a sentence for each that is not sliced but could
    be: of a text that most samples have to themselves, a question's, nothing is said.

    Where nothing is `wanted`, these are the tags with 2 to 20 values (to have none counts as one), of
    which at least one has the 20 samples that a slice needs. Raises ConfigError for a wanted tag that no
    score has.
    """
    if wanted is not None:
        unknown = [key for key in wanted if key not in tags]
        if unknown:
            listed = f"; there are {', '.join(tags)}" if tags else "; no score has a tag"
            hints = (f"no score of {side.file} has the tag {key!r}{nearest(key, tags) or listed}" for key in unknown)
            raise ConfigError("; ".join(hints))
        return {key: tags[key] for key in wanted}, []
    chosen, notes = {}, []
    for key, own in tags.items():
        counts = Counter(own.get(sample, "") for sample in side.ids)
        if len(counts) > MOST_VALUES:
            if len(counts) <= len(side.ids) / 2:
                notes.append(f"the tag {key} has {len(counts)} values and is not sliced; --slice {key} slices it")
        elif len(counts) > 1 and max(count for value, count in counts.items() if value) >= SLICE_MINIMUM:
            chosen[key] = own
    return chosen, notes


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
