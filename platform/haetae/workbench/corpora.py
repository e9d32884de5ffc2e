"""The corpus functions of a run's metrics, made again from its manifest: no model is asked for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.catalog.metric_factory import build_metric
from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.code_folder import CodeFolder
from haetae.core.generation import Failure
from haetae.core.metric import CorpusMetric, Metric
from haetae.core.model import LanguageModel
from haetae.core.outputs import Outputs
from haetae.core.run import Manifest
from haetae.core.sample import Message
from haetae.core.template import Prompt
from haetae.engine.contained import contained
from haetae.errors import ConfigError, Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_NOT_ASKED = Failure(reasons.REJECTED, "the scores are there already: no model is asked again", fatal=True)


class _Silent:
    """Stands where a metric has its model: what it sums up does not depend on which one that was."""

    fingerprint: Mapping[str, Json] = {}
    deterministic = False

    async def chat(self, messages: Sequence[Message], *, schema: Json = None, **overrides: Json) -> Failure:
        return _NOT_ASKED

    async def embed(self, texts: Sequence[str]) -> Failure:
        return _NOT_ASKED

    async def likelihood(self, text: str, *, prompt: str = "") -> Failure:
        return _NOT_ASKED

    async def aclose(self) -> None:
        return None


class _Refusing:
    """Resolves nothing: summing statistics up asks nobody."""

    def model(self, text: str) -> LanguageModel:
        return _Silent()

    def prompt(self, text: str) -> Prompt:
        raise ConfigError(f"{text}: a corpus metric has no prompt")

    def file(self, text: str) -> Path:
        raise ConfigError(f"{text}: a corpus metric has no file")

    def code(self, text: str) -> CodeFolder:
        raise ConfigError(f"{text}: a corpus metric runs no code of a folder")

    def function(self, text: str) -> Callable[..., Metric]:
        raise ConfigError(f"{text}: a corpus metric is no function")

    def outputs(self, text: str) -> Outputs:
        raise ConfigError(f"{text}: a corpus metric compares with no other outputs")

    def default(self, role: str) -> str | None:
        return role


def corpora_of(manifest: Manifest) -> Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """The corpus function of each metric that has one, by its name in the suite."""
    found = {}
    for name, facts in manifest.metrics.items():
        if facts.judge is None and facts.corpus:
            spec = _kind_first(manifest.suite["metrics"][name], facts.text.partition("(")[0])
            metric = build_metric(name, spec, _Refusing(), _problem)
            if isinstance(metric, CorpusMetric):
                found[name] = contained()(metric.corpus)
    return found


def _kind_first(spec: str | Mapping[str, Json], kind: str) -> str | Mapping[str, Json]:
    """The specification as the suite's file has it; the ledger keeps the keys of a mapping sorted."""
    return {kind: spec[kind], **spec} if isinstance(spec, Mapping) and kind in spec else spec


def _problem(field: str, message: str) -> Problem:
    return Problem(message, field=field)
