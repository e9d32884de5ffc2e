"""A ScoreTable: the scores of one metric over one run (or a pool of runs), as columns.

The one shape in which scores travel from the ledger to the statistics, whatever produced them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haetae.core.metric import MetricFacts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Rows are (sample, repeat), in the ledger's order; all columns have the same length.

    `values` is NaN where a row is unscored (the one place where NaN stands for "none", and it never
    leaves these columns). `stats` has shape (rows, k) for corpus metrics, else None. `slices` maps a
    metadata key to one text per row, "" where the sample lacks it. `clusters` names what is
    independent: by default the sample itself. `digests` are the samples' content digests, `outputs`
    the digests of what was scored: equal digests mean an identical answer.
    """

    facts: MetricFacts
    sample_ids: tuple[str, ...]
    values: NDArray[np.float64]
    clusters: tuple[str, ...]
    stats: NDArray[np.float64] | None = None
    slices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reasons: tuple[str | None, ...] = ()
    digests: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SampleColumns:
    """The scores of one metric over one run, one row for each sample, sorted by sample id: all that an estimate reads.

    `values` are averaged over a sample's scored repeats, NaN where none is scored; `stats` (samples, k) likewise,
    None unless it is a corpus metric. `clusters` are codes of what is independent, None where that is each sample.
    `slices` maps a metadata key to the texts that it has, sorted, and to each sample's place among them. `repeated`
    says that a sample has several scored repeats.
    """

    facts: MetricFacts
    values: NDArray[np.float64]
    stats: NDArray[np.float64] | None = None
    clusters: NDArray[np.intp] | None = None
    slices: Mapping[str, tuple[tuple[str, ...], NDArray[np.intp]]] = field(default_factory=dict)
    repeated: bool = False
