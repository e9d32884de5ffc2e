"""Answer correctness over a scripted judge: claims of both sides, each in its own denominator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.generation import Failure
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.rag.correctness import AnswerCorrectness, f_beta


def claims(*texts: str) -> dict[str, Any]:
    return {"statements": list(texts)}


def verdicts(*marks: int) -> dict[str, Any]:
    return {"verdicts": [{"index": place, "reason": "r", "verdict": mark} for place, mark in enumerate(marks, 1)]}


@pytest.fixture
def judge(scripted: Any) -> Callable[..., Any]:
    """judge(statements, verdicts): a model that answers these in order, first of the answer, then of the reference."""
    return lambda statements, marks: scripted(by_title={"statements": statements, "verdicts": marks})


def test_precision_is_over_the_answers_claims_and_recall_over_the_references(
    judge: Callable[..., Any], score_of: Callable[..., Score]
) -> None:
    model = judge([claims("가", "나", "다"), claims("라", "마")], [verdicts(1, 1, 0), verdicts(1, 0)])
    score = score_of(AnswerCorrectness(model=model), "답", "정답")
    precision, recall = 2 / 3, 1 / 2  # ragas would put 2 of 2 + 1 into recall
    assert score.value == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-15)
    assert (score.explanation or "").splitlines() == ["right: 가", "right: 나", "wrong: 다", "told: 라", "missing: 마"]
    assert score.calls == 4
    prompts = [chat[0][1].content for chat in model.chats]
    assert "정답" in prompts[2]
    assert "1. 가\n2. 나\n3. 다" in prompts[2]
    assert "1. 라\n2. 마" in prompts[3]


@pytest.mark.parametrize("references", [("", "right"), ("right", "")])
def test_a_similarity_that_is_no_number_leaves_no_score_of_the_other_reference(
    references: tuple[str, str], judge: Callable[..., Any], scripted: Any, score_of: Callable[..., Score]
) -> None:
    model = judge([claims("a")], [verdicts(1)])
    vectors = scripted(vectors=lambda text: (0.0, 0.0) if "void" in text else (1.0, 0.0))
    given = [text or "void" for text in references]
    found = score_of(AnswerCorrectness(model=model, embeddings=vectors), "answer", *given)
    assert (found.value, found.reason) == (None, reasons.NOT_FINITE)


@pytest.mark.parametrize(
    ("right", "told", "beta", "expected"),
    [
        ([1, 1], [1, 1], 1.0, 1.0),
        ([0, 0], [0], 1.0, 0.0),
        ([], [0], 1.0, 0.0),
        ([1, 0], [1], 1.0, 2 / 3),
        ([1, 0], [1], 2.0, 5 * 0.5 / (4 * 0.5 + 1)),  # recall counts for more
        ([1, 0], [1], 0.5, 1.25 * 0.5 / (0.25 * 0.5 + 1)),
    ],
)
def test_f_beta_has_the_published_values(right: list[int], told: list[int], beta: float, expected: float) -> None:
    assert f_beta(right, told, beta) == pytest.approx(expected, abs=1e-15)


@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))
def test_where_claims_match_one_to_one_it_is_the_f1_of_the_three_counts(tp: int, fp: int, fn: int) -> None:
    right, told = [1] * tp + [0] * fp, [1] * tp + [0] * fn
    if told:
        expected = 2 * tp / (2 * tp + fp + fn)  # F1 as published for answer correctness
        assert f_beta(right, told, 1.0) == pytest.approx(expected, abs=1e-12)


def test_the_similarity_is_a_quarter_where_embeddings_are_named(
    judge: Callable[..., Any], scripted: Any, score_of: Callable[..., Score]
) -> None:
    model = judge([claims("a")], [verdicts(0)])
    near = scripted(vectors=lambda text: (1.0, 0.0) if text == "answer" else (0.6, 0.8))
    score = score_of(AnswerCorrectness(model=model, embeddings=near), "answer", "reference")
    assert score.value == pytest.approx(0.25 * 0.6, abs=1e-15)
    assert (score.explanation or "").endswith("similarity: 0.600")
    assert score.cost_usd == pytest.approx(4 * 0.001 + 0.0001)
    opposite = scripted(vectors=lambda text: (1.0,) if text == "answer" else (-1.0,))
    below = AnswerCorrectness(model=judge([claims("a")], [verdicts(1)]), embeddings=opposite)
    assert score_of(below, "answer", "reference").value == 0.75  # a cosine below 0 counts as 0
    blank = AnswerCorrectness(model=judge([claims("a")], [verdicts(1)]), embeddings=scripted(vectors=lambda _: (0.0,)))
    assert score_of(blank, "answer", "reference").reason == reasons.NOT_FINITE


def test_weights_are_normalised_and_shown(judge: Callable[..., Any], scripted: Any, score_of: Any) -> None:
    near = scripted(vectors=lambda text: (1.0, 0.0) if text == "answer" else (0.6, 0.8))
    metric = AnswerCorrectness(model=judge([claims("a")], [verdicts(1)]), embeddings=near, weights=(1, 3))
    assert score_of(metric, "answer", "reference").value == pytest.approx((1 + 3 * 0.6) / 4)
    assert metric.facts.text == "answer_correctness(weights=[1,3])"


def test_claims_only_is_declared(scripted: Any) -> None:
    with_embeddings = AnswerCorrectness(model=scripted(), embeddings=scripted()).facts
    without = AnswerCorrectness(model=scripted()).facts
    assert with_embeddings.text == "answer_correctness"
    assert without.text == "answer_correctness(weights=[1,0])"
    assert without.signature["similarity"] == "none: claims only"
    unused = AnswerCorrectness(model=scripted(), embeddings=scripted(), weights=(1.0, 0.0)).facts
    assert unused == without
    assert without.needs == {"reference"}


@pytest.mark.parametrize("weights", [(0, 0), (-1, 1), (1, 2, 3), (float("nan"), 1), (True, 1), (float("inf"), 1)])
def test_weights_that_weigh_nothing_are_refused(weights: Any, scripted: Any) -> None:
    with pytest.raises(ConfigError, match="are not two numbers"):
        AnswerCorrectness(model=scripted(), embeddings=scripted(), weights=weights)


def test_other_wrong_parameters_are_refused(scripted: Any) -> None:
    with pytest.raises(ConfigError, match="name a registered model with embeddings"):
        AnswerCorrectness(model=scripted(), weights=(0.5, 0.5))
    for beta in (0, -1, float("nan"), True):
        with pytest.raises(ConfigError, match="beta"):
            AnswerCorrectness(model=scripted(), beta=beta)


def test_an_answer_that_claims_nothing_is_wrong_where_ragas_calls_it_right(
    judge: Callable[..., Any], score_of: Callable[..., Score]
) -> None:
    model = judge([claims(), claims("가", "나")], [])
    score = score_of(AnswerCorrectness(model=model), "잘 모르겠습니다.", "정답")
    assert (score.value, score.calls) == (0.0, 2)
    assert (score.explanation or "").splitlines() == ["missing: 가", "missing: 나"]


def test_an_empty_answer_is_wrong_and_asks_nothing(scripted: Any, score_of: Callable[..., Score]) -> None:
    model = scripted()
    assert score_of(AnswerCorrectness(model=model), "  ", "정답").value == 0.0
    assert model.chats == []


def test_a_reference_that_claims_nothing_is_unscored(
    judge: Callable[..., Any], score_of: Callable[..., Score]
) -> None:  # JDG-14
    score = score_of(AnswerCorrectness(model=judge([claims("가"), claims()], [])), "답", "안녕하세요!")
    assert (score.value, score.reason) == (None, reasons.NO_CLAIMS)
    assert score_of(AnswerCorrectness(model=judge([], [])), "답", " ").reason == reasons.MISSING_REFERENCE


def test_the_reference_that_is_met_best_counts(judge: Callable[..., Any], score_of: Callable[..., Score]) -> None:
    marks = [verdicts(0), verdicts(0), verdicts(1), verdicts(1)]
    score = score_of(AnswerCorrectness(model=judge([claims("가")], marks)), "답", "하나", "둘")
    assert (score.value, score.calls) == (1.0, 7)  # the answer's claims are found once


@pytest.mark.parametrize("broken", [verdicts(1), verdicts(1, 1, 1), {}, "no idea"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_verdict_that_is_missing_on_either_side_is_unscored(
    broken: Any, side: int, judge: Callable[..., Any], score_of: Callable[..., Score]
) -> None:
    marks = [broken, broken] if side == 0 else [verdicts(1, 1), broken, broken]
    score = score_of(AnswerCorrectness(model=judge([claims("가", "나")], marks)), "답", "정답")
    assert (score.value, score.reason) == (None, reasons.JUDGE_UNPARSEABLE)


def test_refusals_and_outages_are_told_apart(scripted: Any, score_of: Callable[..., Score]) -> None:
    def reason(entry: Any) -> str | None:
        return score_of(AnswerCorrectness(model=scripted([entry])), "답", "정답").reason

    assert reason("I'm sorry, I can't assess this.") == reasons.JUDGE_REFUSED  # JDG-05
    assert reason(Failure(reasons.TIMEOUT, "slow")) == reasons.JUDGE_FAILED
