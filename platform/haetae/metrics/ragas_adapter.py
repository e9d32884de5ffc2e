"""Text metrics of ragas 0.4 over our own models: its prompts and formulas, our transport and reasons.

Metrics that look at pictures are not offered: they would fetch any address and open any file that a
context names. What ragas hides is shown: a call that failed or rated off the scale makes the score
unscored, where ragas would average the rest, and NaN is unscored with the reason behind it. What it
computes is its own: a verdict that the judge left out still raises its faithfulness.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.model import LanguageModel
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError, JudgeError
from haetae.metrics.asking import Interview, UnansweredError
from haetae.metrics.choices import canonical, one_of
from haetae.metrics.ragas_bridge import DECODING, Chat, Vectors  # declines telemetry before ragas is imported
from haetae.metrics.text import contexts, references, settle

# isort: split
from ragas.metrics.collections import (
    AnswerCorrectness,
    AnswerRelevancy,
    ContextPrecision,
    ContextRecall,
    ContextRelevance,
    ContextUtilization,
    FactualCorrectness,
    Faithfulness,
    NoiseSensitivity,
)
from ragas.metrics.result import MetricResult


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a metric of ragas is given: whom to ask, and the texts of one sample."""

    llm: Chat
    vectors: Vectors
    question: str
    answer: str
    reference: str
    passages: list[str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a metric of ragas is called, and what is true of it."""

    needs: frozenset[str]
    ask: Callable[[_Asked], Awaitable[MetricResult]]
    embeds: bool = False
    divides: bool = False
    higher_is_better: bool = True


_PASSAGES, _REFERENCE = frozenset({"contexts"}), frozenset({"reference"})
_KINDS: Mapping[str, _Kind] = {
    "faithfulness": _Kind(
        _PASSAGES, lambda of: Faithfulness(of.llm).ascore(of.question, of.answer, of.passages), divides=True
    ),
    "answer_relevancy": _Kind(
        frozenset(), lambda of: AnswerRelevancy(of.llm, of.vectors).ascore(of.question, of.answer), embeds=True
    ),
    "answer_correctness": _Kind(
        _REFERENCE,
        lambda of: AnswerCorrectness(of.llm, of.vectors).ascore(of.question, of.answer, of.reference),
        embeds=True,
    ),
    "context_relevance": _Kind(
        _PASSAGES, lambda of: ContextRelevance(of.llm, max_retries=1).ascore(of.question, of.passages)
    ),
    "context_precision": _Kind(
        _PASSAGES | _REFERENCE, lambda of: ContextPrecision(of.llm).ascore(of.question, of.reference, of.passages)
    ),
    "context_utilization": _Kind(
        _PASSAGES, lambda of: ContextUtilization(of.llm).ascore(of.question, of.answer, of.passages)
    ),
    "context_recall": _Kind(
        _PASSAGES | _REFERENCE,
        lambda of: ContextRecall(of.llm).ascore(of.question, of.passages, of.reference),
        divides=True,
    ),
    "factual_correctness": _Kind(_REFERENCE, lambda of: FactualCorrectness(of.llm).ascore(of.answer, of.reference)),
    "noise_sensitivity": _Kind(
        _PASSAGES | _REFERENCE,
        lambda of: NoiseSensitivity(of.llm).ascore(of.question, of.answer, of.reference, of.passages),
        divides=True,
        higher_is_better=False,
    ),
}
KINDS = tuple(_KINDS)


class Ragas:
    """A text metric of ragas, with its own defaults, in [0, 1]; lower is better in `noise_sensitivity` alone.

    `answer_relevancy` and `answer_correctness` need `embeddings`. Of several references it is given the
    first. `timeout_s` bounds all calls of one score. English prompts, and no regard to the languages of
    the embedding model: the definitions of this package (`faithfulness`, …) are the choice for Korean.
    """

    def __init__(
        self,
        metric: str,
        *,
        model: LanguageModel,
        embeddings: LanguageModel | None = None,
        timeout_s: float = 180.0,
    ) -> None:
        name = one_of("ragas", "metric", metric, KINDS)
        self._kind = _KINDS[name]
        if self._kind.embeds and embeddings is None:
            raise ConfigError(f"ragas: {name} needs embeddings: name a registered model")
        if not isinstance(timeout_s, int | float) or isinstance(timeout_s, bool) or not 0 < timeout_s < math.inf:
            raise ConfigError(f"ragas: timeout_s {timeout_s!r} is not a number of seconds above 0")
        self._model, self._embeddings, self._timeout_s = model, embeddings, timeout_s
        self.facts = MetricFacts(
            text=canonical("ragas", name),
            version="2",
            higher_is_better=self._kind.higher_is_better,
            needs=self._kind.needs,
            signature={"ragas": version("ragas"), **DECODING}
            | ({"embeddings": dict(embeddings.fingerprint)} if embeddings is not None else {}),
            judge=dict(model.fingerprint),
        )

    async def score(self, sample: Sample, generation: Generation) -> Score:
        interview = Interview()
        asked = _Asked(
            Chat(self._model, interview, divides=self._kind.divides),
            Vectors(self._embeddings or self._model, interview),  # asked by those alone that need embeddings
            sample.text,
            generation.output,
            next(iter(references(sample)), ""),
            list(contexts(sample, generation)),
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                value = float((await self._kind.ask(asked)).value)
        except UnansweredError as unanswered:
            return interview.bill(unanswered.score)
        except TimeoutError:
            late = f"no score within {self._timeout_s:g} s"
            return interview.bill(Score.unscored(reasons.JUDGE_FAILED, late))
        except ValueError as exc:  # how ragas refuses an empty question, answer or context
            return interview.bill(Score.unscored(reasons.METRIC_RAISED, f"ragas: {exc}"))
        failed = asked.llm.failed
        if isinstance(failed, JudgeError):
            raise failed
        if failed is not None:
            return interview.bill(failed.score)
        if math.isnan(value):
            return interview.bill(Score.unscored(reasons.JUDGE_UNPARSEABLE, "ragas returned NaN"))
        return interview.bill(Score.of(settle(value, 0.0, 1.0), 0.0, 1.0))
