"""What the importers' tests share: the files that the tools wrote, and figures of what was read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from haetae.catalog.scores.source import scores_of
from haetae.core.score_columns import ScoreColumns

Mean = Callable[[ScoreColumns, str], float]
Read = Callable[[str], ScoreColumns]


@pytest.fixture(scope="session")
def files() -> Path:
    """The folder of the files that other tools wrote; its README says how."""
    return Path(__file__).parent / "files"


@pytest.fixture(scope="session")
def read(files: Path) -> Read:
    """The scores of one of these files."""
    return lambda name: scores_of(files / name, name)


@pytest.fixture(scope="session")
def mean() -> Mean:
    """The mean of a metric over samples, each the mean of its scored repeats: what every tool here reports."""

    def mean_of(scores: ScoreColumns, metric: str) -> float:
        own = scores.metric_codes == scores.metrics.index(metric)
        own &= np.isfinite(scores.scores)
        sums = np.bincount(scores.id_codes[own], scores.scores[own], minlength=len(scores.ids))
        counts = np.bincount(scores.id_codes[own], minlength=len(scores.ids))
        return float((sums[counts > 0] / counts[counts > 0]).mean())

    return mean_of


def _rows_of(scores: ScoreColumns) -> dict[tuple[str, str, int], tuple[float | None, str]]:
    """(score, reason) by id, metric and repeat."""
    return {
        (scores.ids[i], scores.metrics[m], int(repeat)): (
            None if np.isnan(score) else float(score),
            scores.reasons[why],
        )
        for i, m, repeat, score, why in zip(
            scores.id_codes, scores.metric_codes, scores.repeats, scores.scores, scores.reason_codes, strict=True
        )
    }


@pytest.fixture(scope="session")
def told() -> Callable[[ScoreColumns], dict[tuple[str, str, int], tuple[float | None, str]]]:
    """(score, reason) of every row, by id, metric and repeat."""
    return _rows_of
