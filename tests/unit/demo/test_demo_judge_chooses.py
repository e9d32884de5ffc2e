"""The lexical judge behind judges that compare, label and follow criteria."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from haetae.catalog.prompt_file import load_prompt
from haetae.core.generation import Generation
from haetae.core.outputs import Outputs
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.demo.choosing import label_of
from haetae.metrics.judges.best_of import BestOf
from haetae.metrics.judges.g_eval import GEval
from haetae.metrics.judges.jury import Jury
from haetae.metrics.judges.pairwise import Pairwise
from haetae.metrics.judges.pointwise import Judge
from haetae.workbench.shipped import shipped_rubrics

RIGHT, WRONG = "A token expires after 90 days.", "Elephants migrate south every winter."
SAMPLE = Sample("s", "When does a token expire?", (RIGHT,), (f"{RIGHT} Revoke it with one command.",))
KOREAN = Sample("k", "환불은 언제까지 되나요?", ("환불은 7일 안에 됩니다.",))


def prompt(name: str) -> Any:
    return load_prompt(shipped_rubrics()[name])


def scored(metric: Any, output: str, sample: Sample = SAMPLE) -> Score:
    return asyncio.run(metric.score(sample, Generation(output)))


def test_the_answer_of_the_better_quality_wins_wherever_it_stands(judge: Any) -> None:
    other = Outputs("other.jsonl", {"s": WRONG, "k": "코끼리는 남쪽으로 떠나갑니다."})
    metric = Pairwise(prompt("preference.en"), model=judge, against=other)
    assert scored(metric, RIGHT).stats == (1.0, 1.0)
    assert (
        scored(Pairwise(prompt("preference.ko"), model=judge, against=other), "환불은 7일 안에 됩니다.", KOREAN).value
        == 1.0
    )
    assert scored(Pairwise(prompt("preference.en"), model=judge), WRONG).value == 0.0  # against the reference
    swapped = Outputs("same.jsonl", {"s": "After 90 days a token expires."})
    assert scored(Pairwise(prompt("preference.en"), model=judge, against=swapped), RIGHT).value == 0.5  # the same words


def test_the_best_of_three_is_chosen_in_every_rotation(judge: Any) -> None:
    others = Outputs("a.jsonl", {"s": WRONG}), Outputs("b.jsonl", {"s": "Perhaps."})
    assert scored(BestOf(prompt("preference.en"), model=judge, against=others), RIGHT).value == 1.0
    assert (
        scored(BestOf(prompt("preference.en"), model=judge, against=(Outputs("a", {"s": RIGHT}),)), WRONG).value == 0.0
    )


def test_labels_and_steps_follow_the_quality(judge: Any) -> None:
    labels = {"good": 1.0, "fair": 0.5, "bad": 0.0}
    metric = Judge(prompt("correctness.en"), model=judge, scale=labels)
    assert (scored(metric, RIGHT).value, scored(metric, WRONG).value) == (1.0, 0.0)
    whole = Judge(prompt("correctness.en"), model=judge, steps=True, samples=2)
    assert scored(whole, RIGHT).stats == (5.0, 5.0)


@pytest.mark.parametrize(("share", "label"), [(1.0, "good"), (0.7, "good"), (0.5, "fair"), (0.1, "bad"), (-0.2, "bad")])
def test_a_label_is_a_part_of_the_scale(share: float, label: str) -> None:
    assert label_of(share, ["good", "fair", "bad"]) == label


def test_criteria_are_sampled_because_it_tells_no_probabilities(judge: Any) -> None:
    metric = GEval("It is right.", model=judge, shown=("input", "reference"), samples=3)
    score = scored(metric, RIGHT)
    assert score.stats == (0.0, 5.0, 5.0, 5.0)
    assert "no probabilities of the scores are told" in (score.explanation or "")
    assert "1. Look for the words of the answer" in (score.explanation or "")


def test_a_jury_of_one_mind_is_unanimous(judge: Any) -> None:
    twin = type(judge)(judge.models, judge.name)
    twin.fingerprint = {"model": "its twin"}
    metric = Jury(prompt("correctness.en"), models=(judge, twin), vote="majority", steps=True)
    assert scored(metric, RIGHT).stats == (1.0, 5.0, 1.0, 5.0)
