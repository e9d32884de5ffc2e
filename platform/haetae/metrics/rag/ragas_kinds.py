"""The text metrics of ragas 0.4: how each is called, and what is true of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from haetae.metrics.rag.ragas_bridge import Chat, Vectors  # declines telemetry before ragas is imported

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
class Asked:
    """What a metric of ragas is given: whom to ask, and the texts of one sample."""

    llm: Chat
    vectors: Vectors
    question: str
    answer: str
    reference: str
    passages: list[str]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a metric of ragas is called, and what is true of it.

    `beside` is the text whose similarity with the answer it takes, None where it takes none. `divides`
    says that it divides by the number of statements.
    """

    needs: frozenset[str]
    ask: Callable[[Asked], Awaitable[MetricResult]]
    beside: Callable[[Asked], str] | None = None
    divides: bool = False
    higher_is_better: bool = True


_PASSAGES, _REFERENCE = frozenset({"contexts"}), frozenset({"reference"})
KINDS: Mapping[str, Kind] = {
    "faithfulness": Kind(
        _PASSAGES, lambda of: Faithfulness(of.llm).ascore(of.question, of.answer, of.passages), divides=True
    ),
    "answer_relevancy": Kind(
        frozenset(),
        lambda of: AnswerRelevancy(of.llm, of.vectors).ascore(of.question, of.answer),
        beside=lambda of: of.question,
    ),
    "answer_correctness": Kind(
        _REFERENCE,
        lambda of: AnswerCorrectness(of.llm, of.vectors).ascore(of.question, of.answer, of.reference),
        beside=lambda of: of.reference,
    ),
    "context_relevance": Kind(
        _PASSAGES, lambda of: ContextRelevance(of.llm, max_retries=1).ascore(of.question, of.passages)
    ),
    "context_precision": Kind(
        _PASSAGES | _REFERENCE, lambda of: ContextPrecision(of.llm).ascore(of.question, of.reference, of.passages)
    ),
    "context_utilization": Kind(
        _PASSAGES, lambda of: ContextUtilization(of.llm).ascore(of.question, of.answer, of.passages)
    ),
    "context_recall": Kind(
        _PASSAGES | _REFERENCE,
        lambda of: ContextRecall(of.llm).ascore(of.question, of.passages, of.reference),
        divides=True,
    ),
    "factual_correctness": Kind(_REFERENCE, lambda of: FactualCorrectness(of.llm).ascore(of.answer, of.reference)),
    "noise_sensitivity": Kind(
        _PASSAGES | _REFERENCE,
        lambda of: NoiseSensitivity(of.llm).ascore(of.question, of.answer, of.reference, of.passages),
        divides=True,
        higher_is_better=False,
    ),
}
