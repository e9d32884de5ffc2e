"""ragas 0.4.3 over our own models: its formulas, our transport, and no failure averaged away."""

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
    from haetae.metrics.rag.ragas_adapter import Ragas

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


def test_its_context_precision_is_average_precision_one_call_a_context(
    scripted: Any, score_of: Callable[..., Score]
) -> None:
    model = scripted([{"reason": "r", "verdict": mark} for mark in (0, 1)])
    score = score_of(Ragas("context_precision", model=model), "answer", "reference", contexts=CONTEXTS)
    assert score.value == pytest.approx(0.5, abs=1e-9)
    assert "reference" in model.chats[0][0][0].content.rpartition("following input")[2]
    used = Ragas("context_utilization", model=scripted([{"reason": "r", "verdict": 1}]))
    assert used.facts.needs == {"contexts"}
    assert score_of(used, "answer", contexts=CONTEXTS).value == pytest.approx(1.0, abs=1e-9)


def test_its_context_recall_is_the_share_of_attributed_statements(
    scripted: Any, score_of: Callable[..., Score]
) -> None:
    listed = [{"statement": "s", "reason": "r", "attributed": mark} for mark in (1, 0, 1, 1)]
    metric = Ragas("context_recall", model=scripted([{"classifications": listed}]))
    assert score_of(metric, "answer", "reference", contexts=CONTEXTS).value == 0.75
    nothing = Ragas("context_recall", model=scripted([{"classifications": []}]))
    assert score_of(nothing, "answer", "hi", contexts=CONTEXTS).reason == reasons.NO_CLAIMS  # JDG-14


def test_its_answer_correctness_weighs_claims_and_similarity(scripted: Any, score_of: Callable[..., Score]) -> None:
    one = [{"statement": "s", "reason": "r"}]
    replies = {
        "StatementGeneratorOutput": [{"statements": ["a", "b"]}],
        "ClassificationWithReason": [{"TP": one, "FP": one, "FN": []}],
    }
    near = scripted(vectors=lambda text: (1.0, 0.0) if text == "answer" else (0.6, 0.8))
    metric = Ragas("answer_correctness", model=scripted(by_title=replies), embeddings=near)
    assert score_of(metric, "answer", "reference").value == pytest.approx(0.75 * 2 / 3 + 0.25 * 0.6)


def test_its_factual_correctness_is_rounded(scripted: Any, score_of: Callable[..., Score]) -> None:
    replies = {"ClaimDecompositionOutput": [{"claims": ["a", "b"]}], "NLIStatementOutput": [nli(1, 0), nli(1, 1)]}
    score = score_of(Ragas("factual_correctness", model=scripted(by_title=replies)), "answer", "reference")
    assert score.value == 0.67


def test_its_noise_sensitivity_is_lower_the_better(scripted: Any, score_of: Callable[..., Score]) -> None:
    verdicts = [
        *(nli(1), nli(1, 1)),  # the first context holds the reference's statement and both of the answer's
        *(nli(0), nli(0, 0)),
        nli(1, 0),  # the second is not in the reference: taken from a relevant context, and wrong
    ]
    statements = [{"statements": ["true"]}, {"statements": ["a", "b"]}]
    replies = {"StatementGeneratorOutput": statements, "StatementFaithfulnessOutput": verdicts}
    metric = Ragas("noise_sensitivity", model=scripted(by_title=replies))
    assert score_of(metric, "answer", "reference", contexts=CONTEXTS).value == 0.5
    assert not metric.facts.higher_is_better
    assert Ragas("faithfulness", model=scripted()).facts.higher_is_better
    nothing = Ragas("noise_sensitivity", model=scripted([{"statements": []}]))
    assert score_of(nothing, "answer", "reference", contexts=CONTEXTS).reason == reasons.NO_CLAIMS


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("context_precision", {"reason": "r", "verdict": 2}),
        ("context_recall", {"classifications": [{"statement": "s", "reason": "r", "attributed": 5}]}),
        ("answer_relevancy", {"question": "q", "noncommittal": 3}),
    ],
)
def test_a_verdict_off_its_scale_is_unscored_where_ragas_would_add_it_up(
    kind: str, reply: Any, scripted: Any, score_of: Callable[..., Score]
) -> None:
    metric = Ragas(kind, model=scripted([reply]), embeddings=scripted())
    score = score_of(metric, "answer", "reference", contexts=CONTEXTS)
    assert (score.value, score.reason) == (None, reasons.JUDGE_UNPARSEABLE)


def test_metrics_that_look_at_pictures_are_not_offered(scripted: Any) -> None:  # SEC-26
    for kind in ("multi_modal_faithfulness", "multi_modal_relevance"):
        with pytest.raises(ConfigError, match="is none of faithfulness, "):
            Ragas(kind, model=scripted())


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
    for kind in ("answer_relevancy", "answer_correctness"):
        with pytest.raises(ConfigError, match=f"{kind} needs embeddings"):
            Ragas(kind, model=scripted())
    assert Ragas("faithfulness", model=scripted()).facts.text == "ragas(faithfulness)"
