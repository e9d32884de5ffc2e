"""Measures of rankings: trec_eval's numbers through pytrec_eval 0.5.11, the formulas by hand, a published example."""

from __future__ import annotations

import math
import random
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
import pytrec_eval

from haetae.core import reasons
from haetae.core.generation import Generation, Stage
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.stages.retrieval import Retrieval


def ranking(*ids: str, stage: str = "search") -> Generation:
    return Generation("answer", stages=(Stage(stage, retrieved=ids),))


def by_hand(measure: str, grades: dict[str, int], ids: list[str]) -> float:
    """The textbook's formulas, in plain Python."""
    name, _, cutoff = measure.partition("@")
    name, _, least = name.partition("(rel=")
    k, least = int(cutoff) if cutoff else len(ids), int(least.rstrip(")") or 1)
    first = ids[:k]
    hits = [grades.get(one, 0) >= least for one in first]
    relevant = sum(grade >= least for grade in grades.values())
    match name:
        case "nDCG":
            gain = [grades.get(one, 0) / math.log2(rank + 1) for rank, one in enumerate(first, 1)]
            deep = k if cutoff else len(grades)
            best = sorted(grades.values(), reverse=True)[:deep]
            return sum(gain) / sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, 1))
        case "P":
            return sum(hits) / k
        case "R":
            return sum(hits) / relevant
        case "RR":
            return max((1 / rank for rank, hit in enumerate(hits, 1) if hit), default=0.0)
        case "AP":
            return sum(sum(hits[:rank]) / rank for rank, hit in enumerate(hits, 1) if hit) / relevant
        case _:
            return float(any(hits))


def rankings(count: int, graded: bool) -> list[tuple[dict[str, int], list[str]]]:
    rng = random.Random(7 + graded)  # noqa: S311
    found = []
    for _ in range(count):
        corpus = [f"문서-{n}" if n % 3 else f"doc {n}" for n in range(rng.randint(1, 60))]
        top = 3 if graded else 1
        grades = {one: rng.randint(0, top) for one in rng.sample(corpus, rng.randint(1, len(corpus)))}
        grades[rng.choice(corpus)] = top
        found.append((grades, rng.sample(corpus, rng.randint(1, len(corpus)))))
    return found


TREC = {
    "nDCG@10": "ndcg_cut.10",
    "nDCG": "ndcg",
    "P@5": "P.5",
    "R@10": "recall.10",
    "RR": "recip_rank",
    "AP": "map",
    "AP@10": "map_cut.10",
    "Success@3": "success.3",
}


@pytest.mark.parametrize("graded", [False, True], ids=["binary", "graded"])
@pytest.mark.parametrize("measure", TREC)
def test_a_thousand_rankings_are_trec_evals_own_numbers(
    measure: str, graded: bool, score_of: Callable[..., Score]
) -> None:
    metric = Retrieval(measure)
    for grades, ids in rankings(1_000, graded):
        code = {one: str(place) for place, one in enumerate(dict.fromkeys([*ids, *grades]))}
        judged = {"q": {code[one]: grade for one, grade in grades.items()}}
        evaluator = pytrec_eval.RelevanceEvaluator(judged, {TREC[measure]})
        (expected,) = evaluator.evaluate({"q": {code[one]: float(-rank) for rank, one in enumerate(ids)}})["q"].values()
        assert score_of(metric, ranking(*ids), relevant=grades).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "measure", [*TREC, "RR@10", "RR@1", "P(rel=2)@5", "R(rel=2)@10", "AP(rel=3)", "RR(rel=2)@5", "Success(rel=3)@10"]
)
def test_a_thousand_graded_rankings_are_what_the_formulas_give(measure: str, score_of: Callable[..., Score]) -> None:
    metric = Retrieval(measure)
    for grades, ids in rankings(1_000, graded=True):
        found = score_of(metric, ranking(*ids), relevant=grades).value
        assert found == pytest.approx(by_hand(metric.facts.text[len("retrieval(") : -1], grades, ids), abs=1e-9)


def test_the_published_example_of_ndcg_is_reached(score_of: Callable[..., Score]) -> None:
    # Wikipedia, "Discounted cumulative gain": grades 3 2 3 0 1 2 in that order, two more known: nDCG@6 = 0.785
    grades = {"D1": 3, "D2": 2, "D3": 3, "D4": 0, "D5": 1, "D6": 2, "D7": 3, "D8": 2}
    found = score_of(Retrieval("nDCG@6"), ranking("D1", "D2", "D3", "D4", "D5", "D6"), relevant=grades)
    assert found.value == pytest.approx(0.785, abs=5e-4)
    assert found.explanation == "5 of 7 relevant among 6 retrieved at rank 1, 2, 3, 5, 6"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("MRR@10", "retrieval(RR@10)"),
        ("MAP", "retrieval(AP)"),
        ("P(rel=1)@5", "retrieval(P@5)"),
        ("P(rel=2)@5", "retrieval(P(rel=2)@5)"),
        ("nDCG@10", "retrieval(nDCG@10)"),
    ],
)
def test_a_measure_prints_by_its_own_name_and_parses_back(written: str, canonical: str) -> None:
    metric = Retrieval(written)
    assert metric.facts.text == canonical
    assert Retrieval(canonical.removeprefix("retrieval(")[:-1]).facts == metric.facts


def test_the_stage_is_part_of_the_canonical_text() -> None:
    assert Retrieval("R@100", stage="search").facts.text == "retrieval(R@100, stage=search)"


def test_each_stage_is_measured_and_the_last_that_ranked_is_the_default(score_of: Callable[..., Score]) -> None:
    answer = Generation(
        "answer",
        stages=(
            Stage("search", retrieved=("a", "b", "c", "gold")),
            Stage("rerank", retrieved=("gold", "a")),
            Stage("check", flagged=False),
        ),
    )
    one = {"relevant": {"gold": 1}}
    assert score_of(Retrieval("RR", stage="search"), answer, **one).value == 0.25
    assert score_of(Retrieval("RR", stage="rerank"), answer, **one).value == 1.0
    assert score_of(Retrieval("RR"), answer, **one).value == 1.0


def test_a_stage_that_is_not_there_is_unscored_and_the_others_are_named(score_of: Callable[..., Score]) -> None:
    found = score_of(Retrieval("RR", stage="reranker"), ranking("a", stage="rerank"), relevant={"a": 1})
    assert found.reason == reasons.NOT_MEASURED
    assert found.explanation == "the answer has no stage 'reranker'; there are rerank"
    guard = Generation("pass", stages=(Stage("rules", flagged=False),))
    assert "gave no ids" in (score_of(Retrieval("RR", stage="rules"), guard, relevant={"a": 1}).explanation or "")
    assert score_of(Retrieval("RR"), "no stages", relevant={"a": 1}).reason == reasons.NOT_MEASURED


def test_without_ids_the_contexts_are_compared_as_texts(score_of: Callable[..., Score]) -> None:
    wanted = ("서울은 수도이다.", "Busan is a port.")
    twin = unicodedata.normalize("NFD", wanted[0])
    answer = Generation("x", contexts=("something else", f"  {twin.replace(' ', '  ')}\n", "Busan is a port."))
    assert score_of(Retrieval("RR"), answer, reference_contexts=wanted).value == 0.5
    assert score_of(Retrieval("R@3"), answer, reference_contexts=wanted).value == 1.0
    given_with_the_question = score_of(Retrieval("R@3"), "x", contexts=wanted, reference_contexts=wanted)
    assert given_with_the_question.reason == reasons.MISSING_CONTEXT  # nobody retrieved them


def test_ids_typed_decomposed_are_the_same_ids(score_of: Callable[..., Score]) -> None:
    twin = unicodedata.normalize("NFD", "환불-규정")
    assert twin != "환불-규정"
    assert score_of(Retrieval("RR"), ranking("a", twin), relevant={"환불-규정": 1}).value == 0.5


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_id_or_passage_keeps_its_rank_and_is_relevant_to_nothing(
    blank: str, score_of: Callable[..., Score]
) -> None:
    found = score_of(Retrieval("RR"), ranking(blank, blank, "a"), relevant={"a": 1, blank: 1})
    assert (found.value, found.explanation) == (1 / 3, "1 of 1 relevant among 3 retrieved at rank 3")
    answer = Generation("x", contexts=(blank, "환불은 7일", blank))
    found = score_of(Retrieval("P@2"), answer, reference_contexts=("환불은  7일", blank))
    assert (found.value, found.explanation) == (0.5, "1 of 1 relevant among 3 retrieved at rank 2")
    assert score_of(Retrieval("R@5"), ranking(blank), relevant={"a": 1}).value == 0.0


def test_of_two_places_of_an_id_only_the_first_is_taken_from_the_others(score_of: Callable[..., Score]) -> None:
    found = score_of(Retrieval("P@2"), ranking("a", "x", "a"), relevant={"a": 1})
    assert (found.value, found.explanation) == (0.5, "1 of 1 relevant among 2 retrieved at rank 1")
    assert score_of(Retrieval("nDCG@3"), ranking("a", "x", "a"), relevant={"a": 1}).value == 1.0
    assert score_of(Retrieval("AP"), ranking("x", "a", "x"), relevant={"a": 1, "b": 1}).value == 0.25


def test_an_id_that_stands_twice_counts_once_at_its_first_rank(score_of: Callable[..., Score]) -> None:
    assert score_of(Retrieval("P@2"), ranking("a", "a", "b"), relevant={"a": 1, "b": 1}).value == 1.0
    assert score_of(Retrieval("AP"), ranking("x", "a", "a"), relevant={"a": 1}).value == 0.5


def test_nothing_retrieved_is_a_zero_that_says_so(score_of: Callable[..., Score]) -> None:
    for answer in (ranking(), Generation("x", contexts=())):
        found = score_of(Retrieval("nDCG@10"), answer, relevant={"a": 1}, reference_contexts=("a",))
        assert (found.value, found.explanation) == (0.0, "nothing was retrieved")


@pytest.mark.parametrize(
    ("measure", "sample"),
    [
        ("RR", {}),
        ("RR", {"relevant": {"a": 0}}),
        ("RR", {"relevant": {}}),
        ("P(rel=2)@3", {"relevant": {"a": 1}}),
        ("RR", {"reference_contexts": (" ",)}),
    ],
)
def test_a_sample_without_a_relevant_passage_is_unscored_never_zero(
    measure: str, sample: dict[str, Any], score_of: Callable[..., Score]
) -> None:
    answer = Generation("x", contexts=("c",), stages=(Stage("search", retrieved=("a",)),))
    assert score_of(Retrieval(measure), answer, **sample).reason == reasons.MISSING_EXPECTED


def test_no_id_is_too_odd(score_of: Callable[..., Score]) -> None:
    ids = ["\ud800 lone surrogate", "nul \0 byte", "a b\tc", "🐯" * 400, "line\nbreak"]
    for place, one in enumerate(ids, 1):
        assert score_of(Retrieval("RR"), ranking(*ids), relevant={one: 1}).value == pytest.approx(1 / place)


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ("ndcg@10", "no measure is called 'ndcg'; there are nDCG, P (precision)"),
        ("Recall@10", "R (recall)"),
        ("P", "write P@10"),
        ("nDCG@0", "cutoff 0 is not a whole number from 1"),
        ("nDCG(rel=2)@5", "leave out rel"),
        ("nDCG@10 and more", "is not written like nDCG@10"),
        ("__import__('os')", "is not written like nDCG@10"),
    ],
)
def test_what_is_no_measure_is_refused_with_what_is(measure: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        Retrieval(measure)


def test_a_blank_stage_is_refused() -> None:
    with pytest.raises(ConfigError, match="stage is blank"):
        Retrieval("RR", stage=" ")


def test_a_score_of_a_sample_does_not_depend_on_others() -> None:
    sample = Sample("s", "q", relevant={"a": 2, "b": 1})
    metric = Retrieval("nDCG@3")
    alone = metric.score(sample, ranking("b", "a"))
    for grades, ids in rankings(50, graded=True):
        metric.score(Sample("t", "q", relevant=grades), ranking(*ids))
    assert metric.score(sample, ranking("b", "a")) == alone
