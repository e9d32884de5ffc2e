"""A metric whose number does not depend on the answer: scored without one, addressed without one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation
from haetae.core.metric import MetricFacts, facts_from_json
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.budget import Meter
from haetae.engine.evaluate import Evaluation
from haetae.engine.scoring import score, score_key
from haetae.engine.tally import Tally

SAMPLE = Sample("s", "q", ("r",))
FAILED = Failure("timeout", "slow")
FACTS = MetricFacts("bits", "1", high=None, model={"digest": "a"}, answer=False)


class Length:
    """The length of the first reference."""

    def __init__(self, facts: MetricFacts) -> None:
        self.facts = facts

    def score(self, sample: Sample, generation: Generation) -> Score:
        return Score(float(len(sample.references[0])))


def test_a_failed_generation_costs_it_nothing() -> None:
    assert asyncio.run(score(Length(FACTS), SAMPLE, FAILED)).value == 1.0
    looked = asyncio.run(score(Length(replace(FACTS, answer=True)), SAMPLE, FAILED))
    assert (looked.reason, looked.explanation) == ("not_generated", "timeout")


def test_its_address_is_the_same_whatever_was_answered() -> None:
    keys = {score_key(FACTS, SAMPLE, call, answer, "") for call in "ab" for answer in (FAILED, Generation("x"))}
    assert len(keys) == 1
    other = {
        score_key(replace(FACTS, model={"digest": "b"}), SAMPLE, "a", FAILED, ""),
        score_key(FACTS, Sample("s", "q", ("r2",)), "a", FAILED, ""),
        score_key(FACTS, SAMPLE, "a", FAILED, "2026-01-01"),
    }
    assert len(other | keys) == 4


@pytest.mark.parametrize("model", [None, {"digest": "a"}])
def test_a_metric_that_reads_a_model_is_addressed_by_it_and_by_the_epoch(model: dict[str, str] | None) -> None:
    facts = MetricFacts("m", "1", model=model)
    keys = {score_key(facts, SAMPLE, "a", Generation("x"), epoch) for epoch in ("", "2026-01-01")}
    assert len(keys) == (1 if model is None else 2)
    assert facts.asked == model


def test_facts_are_read_back_and_say_only_what_is_unusual() -> None:
    assert facts_from_json(FACTS.as_json()) == FACTS
    assert not MetricFacts("m", "1").as_json().keys() & {"model", "answer"}


def test_it_is_not_judged_again_when_the_answer_is_asked_for_again(fakes: Any, ledger: Any) -> None:
    """A failed answer has its judgement already; a run that asks everything again finds it nowhere else."""
    judged: list[str] = []

    class Judge:
        facts = replace(FACTS, judge={"model": "j"})

        async def score(self, sample: Sample, generation: Generation) -> Score:
            judged.append(sample.id)
            return Score(1.0, calls=1)

    run = fakes.run(1, epoch="2026-03-01")
    for outcome in (FAILED, Generation("a")):
        tally = Tally(run, fakes.Clock(), Meter())
        target = fakes.Target(lambda *_, said=outcome: said)
        metrics, clock = {"bits": Judge()}, fakes.Clock()
        evaluation = Evaluation(
            run=run,
            samples=[SAMPLE],
            target=target,
            metrics=metrics,
            ledger=ledger,
            clock=clock,
            tally=tally,
            reuse=False,
        )
        asyncio.run(evaluation())
    assert judged == [SAMPLE.id]
    assert isinstance(ledger.generations[SAMPLE.id, 0].result, Generation)
