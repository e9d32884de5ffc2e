"""Faithfulness, answer relevancy and context relevancy over a scripted judge."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.rag.answer import AnswerRelevancy, Faithfulness
from haetae.metrics.rag.context import ContextPrecision, ContextRecall, ContextRelevancy
from haetae.metrics.rag.correctness import AnswerCorrectness
from haetae.metrics.rag.forms import read_verdicts

CONTEXTS = ("환불은 7일 안에 됩니다.", "배송비는 3,000원입니다.")


def verdicts(*marks: int) -> dict[str, Any]:
    return {"verdicts": [{"index": place, "reason": "r", "verdict": mark} for place, mark in enumerate(marks, 1)]}


def test_faithfulness_is_the_share_of_supported_statements(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted(
        by_title={"statements": [{"statements": ["가", "나", "다", "라"]}], "verdicts": [verdicts(1, 0, 1, 1)]}
    )
    score = score_of(Faithfulness(model=model), "답", contexts=CONTEXTS)
    assert score.value == 0.75
    assert "not supported: 나" in (score.explanation or "")
    assert (score.usage, score.model) == (Usage(input=20, output=4), "judge-1-2026")
    asked = model.chats[1][0][1].content
    assert "1. 가\n2. 나" in asked
    assert asked.count("<context-") == 2


@pytest.mark.parametrize("kind", [Faithfulness, ContextRelevancy, ContextPrecision, ContextRecall])
def test_an_answer_for_which_nothing_was_found_is_unscored_whatever_the_sample_brings(
    kind: Any, scripted: Any, score_of: Callable[..., Score]
) -> None:
    model = scripted()
    found = score_of(kind(model=model), Generation("답", contexts=()), "정답", contexts=CONTEXTS)
    assert (found.value, found.reason) == (None, reasons.MISSING_CONTEXT)
    assert model.chats == []


def test_a_statement_judged_twice_is_a_fault_also_where_every_statement_is_judged() -> None:
    rows = [*verdicts(1, 0)["verdicts"], {"index": 1, "verdict": 0}]
    with pytest.raises(ValueError, match="there are 3 verdicts on 2 of 2 statements"):
        read_verdicts({"verdicts": rows}, 2)


def test_retrieved_contexts_come_before_those_of_the_sample(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted(by_title={"statements": [{"statements": ["a"]}], "verdicts": [verdicts(1)]})
    score_of(Faithfulness(model=model), Generation("답", contexts=("retrieved",)), contexts=CONTEXTS)
    assert "retrieved" in model.chats[1][0][1].content
    assert CONTEXTS[0] not in model.chats[1][0][1].content


@pytest.mark.parametrize(
    "reply",
    [
        verdicts(1),  # the missing verdict would have made it 1.0
        verdicts(1, 1, 1),
        {"verdicts": [{"index": 1, "verdict": 1}, {"index": 1, "verdict": 1}]},
        {"verdicts": [{"index": 0, "verdict": 1}, {"index": 1, "verdict": 1}]},
        {"verdicts": [{"index": 1, "verdict": 2}, {"index": 2, "verdict": 1}]},
        {"verdicts": [1, 1]},
        {},
    ],
)
def test_verdicts_that_do_not_fit_the_statements_are_unscored(
    reply: Any, scripted: Any, score_of: Callable[..., Score]
) -> None:
    model = scripted(by_title={"statements": [{"statements": ["가", "나"]}], "verdicts": [reply]})
    score = score_of(Faithfulness(model=model), "답", contexts=CONTEXTS)
    assert (score.value, score.reason) == (None, reasons.JUDGE_UNPARSEABLE)


def test_verdicts_are_matched_by_number_not_by_place() -> None:
    rows = [{"index": 2, "verdict": 0}, {"index": 1, "verdict": True}]
    assert read_verdicts({"verdicts": rows}, 2) == [1, 0]


def test_a_statement_listed_twice_counts_once(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted(by_title={"statements": [{"statements": ["가", "나", " 가 "]}], "verdicts": [verdicts(1, 0)]})
    assert score_of(Faithfulness(model=model), "답", contexts=CONTEXTS).value == 0.5


def test_an_answer_without_claims_is_unscored(scripted: Any, score_of: Callable[..., Score]) -> None:  # JDG-14
    model = scripted(by_title={"statements": [{"statements": ["  "]}]})
    assert score_of(Faithfulness(model=model), "안녕하세요!", contexts=CONTEXTS).reason == reasons.NO_CLAIMS
    assert score_of(Faithfulness(model=model), "  ", contexts=CONTEXTS).reason == reasons.NO_CLAIMS


@pytest.mark.parametrize("kind", [Faithfulness, ContextRelevancy])
def test_blank_contexts_are_unscored_and_cost_nothing(kind: Any, scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted()
    score = score_of(kind(model=model), "답", contexts=("  ",))
    assert (score.reason, score.cost_usd, model.chats) == (reasons.MISSING_CONTEXT, None, [])


def test_answer_relevancy_is_the_mean_cosine_with_the_question(scripted: Any, score_of: Callable[..., Score]) -> None:
    angles = {"question": 0.0, "a": 60.0, "b": 90.0, "c": 180.0}
    model = scripted([{"noncommittal": 0, "questions": ["a", "b", "c"]}])
    embedder = scripted(
        vectors=lambda text: (math.cos(math.radians(angles[text])), math.sin(math.radians(angles[text])))
    )
    score = score_of(AnswerRelevancy(model=model, embeddings=embedder), "an answer")
    assert score.value == pytest.approx((0.5 + 0.0 + 0.0) / 3, abs=1e-12)  # a cosine below 0 counts as 0
    assert score.usage == Usage(input=15, output=2)
    assert score.cost_usd == pytest.approx(0.0011)


def test_the_questions_asked_again_are_a_perfect_answer(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted([{"noncommittal": 0, "questions": ["question"] * 3}])
    embedder = scripted(vectors=lambda _: (0.1, 0.7, 0.3))
    assert score_of(AnswerRelevancy(model=model, embeddings=embedder), "an answer").value == pytest.approx(
        1.0, abs=1e-12
    )


def test_a_noncommittal_answer_scores_zero(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted([{"noncommittal": 1, "questions": ["a", "b", "c"]}])
    score = score_of(AnswerRelevancy(model=model, embeddings=scripted()), "I do not know.")
    assert score.value == 0.0
    assert "noncommittal" in (score.explanation or "")


def test_vectors_that_say_nothing_are_unscored(scripted: Any, score_of: Callable[..., Score]) -> None:  # MET-06
    model = scripted([{"noncommittal": 0, "questions": ["a", "b", "c"]}])
    zero = AnswerRelevancy(model=model, embeddings=scripted(vectors=lambda _: (0.0, 0.0)))
    assert score_of(zero, "an answer").reason == reasons.NOT_FINITE
    down = AnswerRelevancy(model=model, embeddings=scripted(vectors=Failure(reasons.TIMEOUT, "slow")))
    assert score_of(down, "an answer").reason == reasons.JUDGE_FAILED


def test_too_few_questions_are_unscored(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted([{"noncommittal": 0, "questions": ["a"]}])
    score = score_of(AnswerRelevancy(model=model, embeddings=scripted()), "an answer")
    assert score.reason == reasons.JUDGE_UNPARSEABLE
    assert score_of(AnswerRelevancy(model=model, embeddings=scripted(), strictness=1), "an answer").value is not None
    with pytest.raises(ConfigError, match="strictness"):
        AnswerRelevancy(model=model, embeddings=scripted(), strictness=0)


def test_context_relevancy_is_half_the_mean_of_two_ratings(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted(by_title={"relevance": [{"reason": "r", "rating": 2}, {"reason": "r", "rating": 1}]})
    assert score_of(ContextRelevancy(model=model), "답", contexts=CONTEXTS).value == 0.75
    assert model.chats[0][0] != model.chats[1][0]  # two wordings


@pytest.mark.parametrize("rating", [3, -1, 1.5, "2", True, None])
def test_one_bad_rating_leaves_no_half_score(rating: Any, scripted: Any, score_of: Callable[..., Score]) -> None:
    good = {"reason": "r", "rating": 2}
    model = scripted(by_title={"relevance": [good, {"reason": "r", "rating": rating}]})
    assert score_of(ContextRelevancy(model=model), "답", contexts=CONTEXTS).reason == reasons.JUDGE_UNPARSEABLE


def test_a_context_that_repeats_the_question_is_judged_like_any_other(
    scripted: Any, score_of: Callable[..., Score]
) -> None:
    model = scripted(by_title={"relevance": [{"reason": "r", "rating": 2}]})
    assert score_of(ContextRelevancy(model=model), "답", input="환불?", contexts=("환불?",)).value == 1.0


def test_the_facts_hold_prompts_judge_and_embedder(scripted: Any) -> None:
    facts = AnswerRelevancy(model=scripted(), embeddings=scripted(), strictness=5).facts
    assert facts.text == "answer_relevancy(strictness=5)"
    assert facts.judge == facts.signature["embeddings"] == {"kind": "scripted", "name": "judge-1"}
    assert set(facts.signature["prompts"]) == {"rules.md", "again.md", "questions.md"}
    assert Faithfulness(model=scripted()).facts.needs == {"contexts"}


@given(st.lists(st.integers(0, 1), min_size=1, max_size=20), st.randoms())
def test_any_order_of_complete_verdicts_reads_the_same(marks: list[int], rng: Any) -> None:
    rows = verdicts(*marks)["verdicts"]
    rng.shuffle(rows)
    assert read_verdicts({"verdicts": rows}, len(marks)) == marks


def test_a_forecast_is_told_how_many_calls_a_score_takes(scripted: Any) -> None:
    model = scripted()
    told = {
        Faithfulness(model=model): 2,
        AnswerRelevancy(model=model, embeddings=model): 2,  # the embedding is one
        ContextRelevancy(model=model): 2,
        ContextRecall(model=model): 1,
        AnswerCorrectness(model=model): 4,
        AnswerCorrectness(model=model, embeddings=model): 5,
        ContextPrecision(model=model): None,  # one for each context, and nobody has counted them
    }
    assert [metric.facts.calls for metric in told] == list(told.values())
