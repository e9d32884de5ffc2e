"""ScoreColumns: all the scores of one file, as columns, so that a million of them fit and are fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ScoreColumns:
    """Rows as in the file; every array has one entry a row.

    `ids`, `metrics`, `clusters`, `tags` and `reasons` hold what occurs, each once, in the order of the
    file; an array of codes says for each row which of them is its own. `scores` is NaN where a row is
    unscored. `repeats` numbers the repeats of a sample, `lines` says where in `file` a row stands. No
    (metric, id, repeat) occurs twice, and an id has one cluster (None: it is its own).
    """

    file: str
    ids: tuple[str, ...]
    metrics: tuple[str, ...]
    clusters: tuple[str | None, ...]
    tags: tuple[Mapping[str, str], ...]
    reasons: tuple[str, ...]
    id_codes: NDArray[np.int32]
    metric_codes: NDArray[np.int32]
    cluster_codes: NDArray[np.int32]
    tag_codes: NDArray[np.int32]
    reason_codes: NDArray[np.int32]
    scores: NDArray[np.float64]
    repeats: NDArray[np.int32]
    lines: NDArray[np.int32]
