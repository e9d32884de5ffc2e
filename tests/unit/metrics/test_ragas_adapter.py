"""ragas over our own models: its formulas, our transport, and no failure averaged away."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from haetae.core import reasons
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.score import Score
from haetae.errors import ConfigError, JudgeError

pytest.importorskip("ragas")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn at import
    from haetae.metrics.ragas_adapter import Ragas

CONTEXTS = ("Paris is in France.", "It rains.")


def nli(*marks: int) -> dict[str, Any]:
    return {"statements": [{"statement": "s", "reason": "r", "verdict": mark} for mark in marks]}


def test_telemetry_is_declined_with_the_word_that_ragas_hears() -> None:
    assert os.environ["RAGAS_DO_NOT_TRACK"] == "true"


def test_its_faithfulness_comes_through_our_model_with_the_bill(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted(
        by_title={"StatementGeneratorOutput": [{"statements": ["a", "b"]}], "NLIStatementOutput": [nli(1, 0)]}
    )
    score = score_of(Ragas("faithfulness", model=model), "answer", contexts=CONTEXTS)
    assert score.value == 0.5  # 1 of 2, as ragas counts
    assert score.usage == Usage(input=20, output=4)
    assert "Paris is in France." in model.chats[1][0][0].content


def test_its_answer_relevancy_uses_our_embeddings(scripted: Any, score_of: Callable[..., Score]) -> None:
    replies = [{"question": name, "noncommittal": 0} for name in ("a", "b", "c")]
    model = scripted(by_title={"AnswerRelevanceOutput": replies})
    embedder = scripted(vectors=lambda text: (1.0, 0.0) if text in ("question", "a") else (1.0, 1.0))
    score = score_of(Ragas("answer_relevancy", model=model, embeddings=embedder), "answer")
    assert score.value == pytest.approx((1 + 2 * 0.5**0.5) / 3)


def test_its_context_relevance_is_the_mean_of_two_ratings(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted(by_title={"ContextRelevanceOutput": [{"rating": 2}, {"rating": 1}]})
    assert score_of(Ragas("context_relevance", model=model), "answer", contexts=CONTEXTS).value == 0.75


def test_a_call_that_failed_is_unscored_where_ragas_would_average_the_rest(
    scripted: Any, score_of: Callable[..., Score]
) -> None:
    replies = [{"rating": 2}, Failure(reasons.TIMEOUT, "slow")]
    model = scripted(by_title={"ContextRelevanceOutput": replies})
    score = score_of(Ragas("context_relevance", model=model), "answer", contexts=CONTEXTS)
    assert (score.value, score.reason) == (None, reasons.JUDGE_FAILED)
    assert len(model.chats) == 2  # ragas alone would have tried five times


def test_nan_of_an_answer_without_statements_is_unscored(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted([{"statements": []}])
    assert score_of(Ragas("faithfulness", model=model), "hi", contexts=CONTEXTS).reason == reasons.NO_CLAIMS


def test_a_rating_off_its_scale_is_unscored(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted([{"rating": 2}, {"rating": 7}])
    score = score_of(Ragas("context_relevance", model=model), "hi", contexts=CONTEXTS)
    assert (score.value, score.reason) == (None, reasons.JUDGE_UNPARSEABLE)


def test_an_unreadable_reply_is_unscored(scripted: Any, score_of: Callable[..., Score]) -> None:
    score = score_of(Ragas("faithfulness", model=scripted(["no idea"])), "hi", contexts=CONTEXTS)
    assert score.reason == reasons.JUDGE_UNPARSEABLE


def test_an_empty_answer_is_said_by_ragas_to_be_missing(scripted: Any, score_of: Callable[..., Score]) -> None:
    score = score_of(Ragas("faithfulness", model=scripted()), "", contexts=CONTEXTS)
    assert score.reason == reasons.METRIC_RAISED
    assert "response is missing" in (score.explanation or "")


def test_a_judge_that_can_never_answer_stops_the_run(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted([Failure(reasons.REJECTED, "wrong key", fatal=True)])
    for kind in ("faithfulness", "context_relevance"):
        with pytest.raises(JudgeError, match="wrong key"):
            score_of(Ragas(kind, model=model), "hi", contexts=CONTEXTS)


def test_the_deadline_holds_over_all_calls(scripted: Any, score_of: Callable[..., Score]) -> None:
    class Hanging(scripted):  # type: ignore[misc]  # a class from a fixture
        async def chat(self, *_: Any, **__: Any) -> Generation | Failure:
            await asyncio.Event().wait()
            raise AssertionError("never set")

    score = score_of(Ragas("faithfulness", model=Hanging(), timeout_s=0.01), "hi", contexts=CONTEXTS)
    assert (score.value, score.reason) == (None, reasons.JUDGE_FAILED)


def test_wrong_arguments_are_refused(scripted: Any) -> None:
    with pytest.raises(ConfigError, match="did you mean 'context_relevance'"):
        Ragas("context_relevancy", model=scripted())
    with pytest.raises(ConfigError, match="needs embeddings"):
        Ragas("answer_relevancy", model=scripted())
    assert Ragas("faithfulness", model=scripted()).facts.text == "ragas(faithfulness)"
