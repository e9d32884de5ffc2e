"""The corpus functions of a run's metrics, made again from its manifest: no model is needed for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.catalog.metric_factory import build_metric
from haetae.core.metric import CorpusMetric, Metric
from haetae.core.model import LanguageModel
from haetae.core.run import Manifest
from haetae.core.template import Prompt
from haetae.errors import ConfigError, Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class _Refusing:
    """Resolves nothing: a corpus metric asks no model."""

    def model(self, text: str) -> LanguageModel:
        raise ConfigError(f"{text}: a corpus metric asks no model")

    def prompt(self, text: str) -> Prompt:
        raise ConfigError(f"{text}: a corpus metric has no prompt")

    def file(self, text: str) -> Path:
        raise ConfigError(f"{text}: a corpus metric has no file")

    def function(self, text: str) -> Callable[..., Metric]:
        raise ConfigError(f"{text}: a corpus metric is no function")

    def default(self, role: str) -> str | None:
        return None


def corpora_of(manifest: Manifest) -> Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """The corpus function of each metric that has one, by its name in the suite."""
    found = {}
    for name, facts in manifest.metrics.items():
        if facts.judge is None and facts.corpus:
            metric = build_metric(name, manifest.suite["metrics"][name], _Refusing(), _problem)
            if isinstance(metric, CorpusMetric):
                found[name] = metric.corpus
    return found


def _problem(field: str, message: str) -> Problem:
    return Problem(message, field=field)
