"""Any metric of ours as a metric of Hugging Face evaluate."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from haetae.core.generation import Generation
from haetae.core.metric import CorpusMetric, Metric
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.scoring import score
from haetae.errors import ConfigError
from haetae.metrics.huggingface.library import Features, Value, evaluate
from haetae.metrics.huggingface.library import Sequence as ListOf
from haetae.stats.corpus import corpus_value

_AT_ONCE = 32
_GIVEN = frozenset({"reference", "contexts"})


def as_evaluate_metric(metric: Metric, name: str | None = None) -> Any:
    """An `evaluate.Metric` that computes ours: alone, or in `evaluate.combine`.

    `compute(predictions=…, references=…)` takes one reference or a list of them for each prediction, and
    besides, for metrics that read them, `sources` (the questions) and `contexts` (a list of passages each).
    It returns `{name: value, name_unscored: count}`: the corpus value where the metric has one, else the mean
    over what was scored, None where nothing was or the corpus has no value. `name` is by default the metric's text
    (`rouge_L`).
    Raises ConfigError for a metric of what only a call has (latency, tokens, cost).
    """
    missing = sorted(metric.facts.needs - _GIVEN)
    if missing:
        raise ConfigError(f"{metric.facts.text} needs {', '.join(missing)}, which evaluate has no place for")
    with tempfile.TemporaryDirectory(prefix="haetae-evaluate-") as scratch:  # rows stay in memory
        return _Exported(metric, name or re.sub(r"\W+", "_", metric.facts.text).strip("_"), scratch)


class _Exported(evaluate.Metric):  # type: ignore[misc]  # ships no types
    def __init__(self, metric: Metric, name: str, scratch: str) -> None:
        self._metric, self._name = metric, name
        super().__init__(keep_in_memory=True, cache_dir=scratch, seed=0)

    @property
    def name(self) -> str:
        return self._name

    def _info(self) -> Any:
        text = Value("string")
        shapes = [ListOf(text), text] if "reference" in self._metric.facts.needs else [None]
        return evaluate.MetricInfo(
            description=self._metric.__doc__ or self._metric.facts.text,
            citation="",
            inputs_description="predictions, and one reference or several for each",
            features=[
                Features({"predictions": text} | ({"references": shape} if shape is not None else {}))
                for shape in shapes
            ],
        )

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[str | Sequence[str]] | None = None,
        sources: Sequence[str] | None = None,
        contexts: Sequence[Sequence[str]] | None = None,
    ) -> dict[str, float | int | None]:
        for column in (sources, contexts):
            if column is not None and len(column) != len(predictions):
                raise ValueError(f"{len(column)} sources or contexts for {len(predictions)} predictions")
        samples = [
            Sample(
                str(row),
                sources[row] if sources is not None else "",
                _references(references[row]) if references is not None else (),
                contexts=tuple(contexts[row]) if contexts is not None else None,
            )
            for row in range(len(predictions))
        ]
        answers = [Generation(prediction) for prediction in predictions]
        with ThreadPoolExecutor(1) as thread:  # a notebook has an event loop of its own
            scores = thread.submit(lambda: asyncio.run(_scores(self._metric, samples, answers))).result()
        scored = [found for found in scores if found.value is not None]
        return {self._name: _aggregate(self._metric, scored), f"{self._name}_unscored": len(scores) - len(scored)}


async def _scores(metric: Metric, samples: Sequence[Sample], answers: Sequence[Generation]) -> list[Score]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(sample: Sample, answer: Generation) -> Score:
        async with gate:
            return await score(metric, sample, answer)

    return await asyncio.gather(*map(one, samples, answers))


def _aggregate(metric: Metric, scored: Sequence[Score]) -> float | None:
    if not scored:
        return None
    if metric.facts.corpus and isinstance(metric, CorpusMetric):
        return corpus_value(metric.corpus, np.array([found.stats for found in scored]))
    return float(np.mean([found.value for found in scored]))


def _references(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
