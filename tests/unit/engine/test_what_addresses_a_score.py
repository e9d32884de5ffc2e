"""A judgement is used again for the same sample and the same answer, and for no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from haetae.core.generation import Generation, Stage, ToolCall, Usage
from haetae.core.metric import MetricFacts
from haetae.core.sample import Message, Sample
from haetae.engine.scoring import score_key

FACTS = MetricFacts("polite", "1", judge={"model": "a"}, signature={"prompt": "p"})
SAMPLE = Sample("s", "q", ("r",), contexts=("c",), metadata={"kind": "refund"})
ANSWER = Generation(
    "x",
    contexts=("passage",),
    tool_calls=(ToolCall("find", {"id": 1}),),
    recorded_scores={"win": 1.0},
    stages=(Stage("search", ("a", "b")),),
    transcript=(Message("assistant", "hello"),),
)


def key(sample: Sample = SAMPLE, answer: Generation = ANSWER, facts: MetricFacts = FACTS, call: str = "call") -> str:
    return score_key(facts, sample, call, answer, "")


@pytest.mark.parametrize(
    "other",
    [
        {"output": "y"},
        {"contexts": ()},
        {"contexts": None},
        {"tool_calls": (ToolCall("find", {"id": 2}),)},
        {"tool_calls": None},
        {"recorded_scores": {"win": 0.0}},
        {"stages": (Stage("search", ("b", "a")),)},
        {"stages": (Stage("search", ("a", "b"), flagged=True),)},
        {"stages": (Stage("search", ("a", "b"), score=0.5),)},
        {"stages": ()},
        {"transcript": (Message("assistant", "good-bye"),)},
        {"transcript": ()},
    ],
)
def test_whatever_an_answer_says_addresses_its_score(other: dict[str, Any]) -> None:
    assert key(answer=structs.replace(ANSWER, **other)) != key()


@pytest.mark.parametrize(
    "other",
    [
        {"input": "q2"},
        {"references": ("r2",)},
        {"references": ("r", "r")},
        {"contexts": ("c2",)},
        {"metadata": {"kind": "delivery"}},
        {"relevant": {"a": 1}},
        {"tool_calls": (ToolCall("find", {"id": 1}),)},
    ],
)
def test_whatever_a_sample_says_addresses_its_scores(other: dict[str, Any]) -> None:
    assert key(sample=structs.replace(SAMPLE, **other)) != key()


@pytest.mark.parametrize(
    "other",
    [{"text": "kind"}, {"version": "2"}, {"signature": {"prompt": "p2"}}, {"judge": {"model": "b"}}],
)
def test_whatever_a_metric_is_addresses_its_scores(other: dict[str, Any]) -> None:
    assert key(facts=replace(FACTS, **other)) != key()


def test_how_the_call_went_does_not_address_the_score_of_what_it_said() -> None:
    slow = structs.replace(
        ANSWER,
        usage=Usage(input=1, output=2),
        latency_s=9.0,
        cost_usd=1.0,
        stages=(structs.replace(ANSWER.stages[0], latency_s=3.0, cost_usd=0.5),),
    )
    assert key(answer=slow, call="another call") == key()


@pytest.mark.parametrize("need", ["usage", "latency", "cost"])
def test_what_is_measured_of_a_call_is_addressed_by_the_call(need: str) -> None:
    facts = replace(FACTS, needs=frozenset({need}))
    assert key(facts=facts, call="another call") != key(facts=facts)
