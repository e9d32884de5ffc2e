from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from haetae.core.metric import MetricFacts
from haetae.core.table import ScoreTable


@pytest.fixture(scope="session")
def table() -> Callable[..., ScoreTable]:
    """Scores as a ScoreTable: one row per sample unless `ids` says otherwise; None is unscored."""

    def make(
        values: Sequence[float | None] | np.ndarray,
        *,
        ids: Sequence[str] | None = None,
        clusters: Sequence[str] | None = None,
        slices: Mapping[str, Sequence[str]] | None = None,
        stats: np.ndarray | None = None,
        outputs: Sequence[str] = (),
        low: float | None = 0.0,
        high: float | None = 1.0,
        higher_is_better: bool = True,
    ) -> ScoreTable:
        names = tuple(f"s{i:05d}" for i in range(len(values))) if ids is None else tuple(ids)
        return ScoreTable(
            MetricFacts("m", "1", low=low, high=high, higher_is_better=higher_is_better),
            names,
            np.array([np.nan if v is None else v for v in values], dtype=float),
            names if clusters is None else tuple(clusters),
            stats=stats,
            slices={k: tuple(v) for k, v in (slices or {}).items()},
            outputs=tuple(outputs),
        )

    return make


@pytest.fixture(scope="session")
def alpaca(reference_data: Path) -> Callable[[str], list[dict[str, Any]]]:
    """The published win probabilities of one system; reference data, not in the repository."""

    def read(system: str) -> list[dict[str, Any]]:
        path = reference_data / "alpaca-eval" / f"judgements.{system}.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    return read
