"""The arithmetic of the RAG metrics against ragas 0.4.3 and scikit-learn 1.9, on random verdicts."""

from __future__ import annotations

import random
import warnings

import pytest

from haetae.metrics.rag.context import average_precision
from haetae.metrics.rag.correctness import f_beta

pytest.importorskip("ragas")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies warn at import
    import haetae.metrics.rag.ragas_bridge as bridge  # declines telemetry

# isort: split
from ragas.metrics.collections import AnswerCorrectness, ContextPrecision
from ragas.metrics.collections.answer_correctness.util import ClassificationWithReason

CASES = 10_000


@pytest.fixture
def rng() -> random.Random:
    return random.Random(7)  # noqa: S311  # verdicts, not secrets


@pytest.fixture
def llm() -> bridge.Chat:
    return bridge.Chat(None, None, divides=False)  # type: ignore[arg-type]  # nobody is asked


def test_average_precision_is_that_of_ragas_but_for_its_denominator(rng: random.Random, llm: bridge.Chat) -> None:
    theirs = ContextPrecision(llm)._calculate_average_precision
    most = 0.0
    for _ in range(CASES):
        verdicts = [rng.randint(0, 1) for _ in range(rng.randint(1, 40))]
        found, expected = average_precision(verdicts), theirs(verdicts)
        hits = sum(verdicts)
        most = max(most, abs(found - expected))
        if hits:
            assert found * hits / (hits + 1e-10) == pytest.approx(expected, abs=1e-14)
    assert most <= 1.01e-10


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_f_beta_is_that_of_ragas_where_claims_match_one_to_one(
    beta: float, rng: random.Random, llm: bridge.Chat
) -> None:
    theirs = AnswerCorrectness(llm, weights=[1.0, 0.0], beta=beta)._compute_f1_score
    one = {"statement": "s", "reason": "r"}
    for _ in range(CASES // 10):
        tp, fp, fn = (rng.randint(0, 6) for _ in range(3))
        if tp + fn:  # a reference without claims is unscored
            counts = ClassificationWithReason(TP=[one] * tp, FP=[one] * fp, FN=[one] * fn)
            assert f_beta([1] * tp + [0] * fp, [1] * tp + [0] * fn, beta) == pytest.approx(theirs(counts), abs=1e-15)


def test_average_precision_is_that_of_scikit_learn(rng: random.Random) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    for _ in range(CASES // 10):
        verdicts = [rng.randint(0, 1) for _ in range(rng.randint(1, 40))]
        if any(verdicts):  # it has none without a relevant one
            expected = metrics.average_precision_score(verdicts, range(len(verdicts), 0, -1))
            assert average_precision(verdicts) == pytest.approx(expected, abs=1e-12)
