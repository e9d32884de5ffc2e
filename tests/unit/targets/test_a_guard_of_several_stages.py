"""A cascade: the first stage that decides is obeyed, each is timed and priced, and what fails is no decision."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from haetae.core import reasons
from haetae.core.generation import Failure, Generation, Stage, Usage, generation_from_json
from haetae.core.guard import Check, verdict_of
from haetae.core.sample import Message, Sample
from haetae.targets.guards.cascade import Cascade


@dataclass
class Watch:
    """A clock that stages move."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Says:
    """A stage that says what it was made to say, and takes its time."""

    watch: Watch
    verdict: Check | Failure
    takes: float = 0.0
    free: bool = False
    reusable: bool = True
    deterministic: bool = True
    seen: list[str] = field(default_factory=list)
    fingerprint: Mapping[str, Any] = field(default_factory=lambda: {"kind": "says"})

    async def check(self, text: str) -> Check | Failure:
        self.seen.append(text)
        self.watch.seconds += self.takes
        return self.verdict


HELLO = Sample("s", "hello")


def decided(target: Cascade, sample: Sample = HELLO) -> Generation | Failure:
    return asyncio.run(target.generate(sample, target.request(sample), 0))


def test_the_first_stage_that_decides_is_obeyed_and_the_others_are_not_asked() -> None:
    watch = Watch()
    rules = Says(watch, Check(None, cost_usd=0.0), takes=0.001)
    classifier = Says(watch, Check(True, 0.93, 0.0002, Usage(input=7)), takes=0.25)
    judge = Says(watch, Check(False, cost_usd=0.01), takes=2.0)
    found = decided(Cascade({"rules": rules, "classifier": classifier, "judge": judge}, "pass", watch))
    assert isinstance(found, Generation)
    assert found.output == "block"
    assert [stage.as_json() for stage in found.stages] == [
        {"name": "rules", "latency_s": 0.001, "cost_usd": 0.0},
        {"name": "classifier", "flagged": True, "score": 0.93, "latency_s": 0.25, "cost_usd": 0.0002},
    ]
    assert (found.latency_s, found.cost_usd, found.usage) == (0.251, 0.0002, Usage(input=7))
    assert judge.seen == []


@pytest.mark.parametrize("default", ["block", "pass"])
def test_where_no_stage_decides_the_declared_default_is_said(default: Any) -> None:
    watch = Watch()
    found = decided(Cascade({"rules": Says(watch, Check(None, cost_usd=0.0))}, default, watch))
    assert isinstance(found, Generation)
    assert found.output == default
    assert [stage.flagged for stage in found.stages] == [None]


def test_a_stage_may_let_a_text_pass_before_the_dear_ones() -> None:
    watch = Watch()
    judge = Says(watch, Check(True))
    found = decided(Cascade({"allowed": Says(watch, Check(False)), "judge": judge}, "block", watch))
    assert isinstance(found, Generation)
    assert (found.output, judge.seen) == ("pass", [])


def test_one_unknown_price_makes_the_sum_unknown_and_not_less() -> None:
    watch = Watch()
    stages = {"a": Says(watch, Check(None, cost_usd=0.5)), "b": Says(watch, Check(None)), "c": Says(watch, Check(True))}
    found = decided(Cascade(stages, "pass", watch))
    assert isinstance(found, Generation)
    assert found.cost_usd is None
    assert [stage.cost_usd for stage in found.stages] == [0.5, None, None]


def test_a_stage_that_fails_fails_the_sample_with_what_was_spent() -> None:
    watch = Watch()
    stages = {
        "classifier": Says(watch, Check(None, 0.4, cost_usd=0.25), takes=0.5),
        "judge": Says(watch, Failure(reasons.JUDGE_FAILED, "timeout", cost_usd=0.5), takes=2.0),
        "last": Says(watch, Check(True)),
    }
    found = decided(Cascade(stages, "pass", watch))
    assert isinstance(found, Failure)
    assert (found.reason, found.message, found.cost_usd) == (reasons.JUDGE_FAILED, "stage judge: timeout", 0.75)
    assert found.stages == (
        Stage("classifier", score=0.4, latency_s=0.5, cost_usd=0.25),
        Stage("judge", latency_s=2.0, cost_usd=0.5),
    )
    assert generation_from_json(found.as_json()) == structs.replace(found, cost_usd=None)


def test_stages_see_the_text_alone_never_the_label() -> None:
    watch = Watch()
    stage = Says(watch, Check(False))
    turns = (Message("user", "old"), Message("assistant", "yes"), Message("user", "new"))
    sample = Sample("s", turns, ("reference",), metadata={"label": "block"})
    decided(Cascade({"stage": stage}, "pass", watch), sample)
    assert stage.seen == ["new"]


def test_the_fingerprint_names_every_stage_in_order() -> None:
    watch = Watch()
    one, two = Says(watch, Check(True)), Says(watch, Check(True), fingerprint={"kind": "other"})
    forward = Cascade({"one": one, "two": two}, "pass", watch).fingerprint
    assert forward == {
        "kind": "guard",
        "default": "pass",
        "order": ["one", "two"],
        "stages": {"one": {"kind": "says"}, "two": {"kind": "other"}},
    }
    assert Cascade({"two": two, "one": one}, "pass", watch).fingerprint != forward
    assert Cascade({"one": one, "two": two}, "block", watch).fingerprint != forward


@pytest.mark.parametrize(
    ("stages", "free", "reusable"),
    [
        ([(True, True), (True, True)], True, False),
        ([(True, True), (False, True)], False, True),
        ([(True, True), (False, False)], False, False),
    ],
)
def test_answers_are_taken_again_where_every_stage_is_fixed_and_one_costs(
    stages: list[tuple[bool, bool]], free: bool, reusable: bool
) -> None:
    watch = Watch()
    made = {str(n): Says(watch, Check(None), free=is_free, reusable=again) for n, (is_free, again) in enumerate(stages)}
    target = Cascade(made, "pass", watch)
    assert (target.free, target.reusable) == (free, reusable)


def test_it_is_deterministic_where_every_stage_is() -> None:
    watch = Watch()
    rules, judge = Says(watch, Check(None)), Says(watch, Check(None), deterministic=False)
    assert Cascade({"one": rules, "two": rules}, "pass", watch).deterministic
    assert not Cascade({"one": rules, "two": judge}, "pass", watch).deterministic


@pytest.mark.parametrize(
    ("score", "verdict"), [(0.9, True), (0.8, True), (0.5, None), (0.2, None), (0.1, False), (-1.0, False)]
)
def test_a_score_blocks_from_one_threshold_and_passes_below_another(score: float, verdict: bool | None) -> None:
    assert verdict_of(score, 0.8, 0.2) is verdict
    assert verdict_of(score, 0.8, None) is (True if score >= 0.8 else None)
