"""Whatever object a judge sends back, a RAG metric has a value on its scale or a reason; it raises nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.generation import Generation
from haetae.core.model import Embeddings
from haetae.core.sample import Message, Sample
from haetae.metrics.rag.answer import AnswerRelevancy, Faithfulness
from haetae.metrics.rag.context import ContextPrecision, ContextRecall, ContextRelevancy
from haetae.metrics.rag.correctness import AnswerCorrectness

NUMBERS = st.sampled_from([0, 1, 2, 3, -1, 0.5, 1.0, "1", True, None, 10**30])
TEXTS = st.sampled_from(["", " ", "가", "가", "a", "a\nb", 3, None])
ROW = st.fixed_dictionaries({}, optional={"index": NUMBERS, "reason": TEXTS, "verdict": NUMBERS})
REPLY = st.fixed_dictionaries(
    {},
    optional={
        "statements": st.lists(TEXTS, max_size=3) | NUMBERS,
        "questions": st.lists(TEXTS, max_size=4) | NUMBERS,
        "verdicts": st.lists(ROW | NUMBERS, max_size=4) | NUMBERS,
        "noncommittal": NUMBERS,
        "rating": NUMBERS,
        "reason": TEXTS,
        "verdict": NUMBERS,
    },
)
VECTOR = st.lists(st.sampled_from([0.0, 1.0, -1.0, 1e-200, 1e200, float("nan"), float("inf")]), min_size=2, max_size=2)
METRICS: Mapping[str, Callable[[Any], Any]] = {
    "faithfulness": lambda judge: Faithfulness(model=judge),
    "answer_relevancy": lambda judge: AnswerRelevancy(model=judge, embeddings=judge, strictness=1),
    "answer_correctness": lambda judge: AnswerCorrectness(model=judge, embeddings=judge),
    "context_relevancy": lambda judge: ContextRelevancy(model=judge),
    "context_precision": lambda judge: ContextPrecision(model=judge),
    "context_recall": lambda judge: ContextRecall(model=judge),
}
REASONS = {reasons.JUDGE_UNPARSEABLE, reasons.NO_CLAIMS, reasons.NOT_FINITE, reasons.UNSUPPORTED_LANGUAGE}


class Erratic:
    """A judge that answers from a list, round and round, and embeds everything by one list of vectors."""

    fingerprint: Mapping[str, Any] = {"model": "erratic"}

    def __init__(self, replies: Sequence[Any], vectors: Sequence[Sequence[float]]) -> None:
        self.replies, self.vectors, self.turn = replies, vectors, 0

    async def chat(self, messages: Sequence[Message], **_: Any) -> Generation:
        self.turn += 1
        return Generation(json.dumps(self.replies[self.turn % len(self.replies)]))

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        return Embeddings(tuple(tuple(self.vectors[n % len(self.vectors)]) for n in range(len(texts))))


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=80, deadline=None)
@given(
    replies=st.lists(REPLY, min_size=1, max_size=4),
    vectors=st.lists(VECTOR, min_size=1, max_size=3),
    answer=st.sampled_from(["네, 비가 옵니다.", "Yes, it rains.", "", "42"]),
)
def test_a_reply_of_any_shape_is_a_value_on_the_scale_or_a_reason(
    name: str, replies: list[Any], vectors: list[list[float]], answer: str
) -> None:
    metric = METRICS[name](Erratic(replies, vectors))
    sample = Sample("s", "내일 비가 오나요?", ("비가 옵니다.", "It rains."), contexts=("비가 온다.", " "))
    score = asyncio.run(metric.score(sample, Generation(answer)))
    assert score.reason in REASONS if score.value is None else 0.0 <= score.value <= 1.0
