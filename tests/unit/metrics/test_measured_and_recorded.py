"""Latency, tokens, cost and recorded scores."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from haetae.core import reasons
from haetae.core.generation import Generation, Stage, Usage
from haetae.core.score import Score
from haetae.errors import ConfigError
from haetae.metrics.measured import Cost, Latency, Recorded, Tokens


def test_cached_tokens_are_counted_once(score_of: Callable[..., Score]) -> None:  # MET-11
    # 13,675 tokens in, of which 9,216 were cached
    answer = Generation("x", usage=Usage(input=13_675 - 9_216, cached_input=9_216, output=30, reasoning=12))
    assert score_of(Tokens("input"), answer).value == 13_675
    assert score_of(Tokens("output"), answer).value == 42
    assert score_of(Tokens(), answer).value == 13_717
    assert score_of(Tokens(), "x").reason == reasons.NOT_MEASURED


def test_an_unknown_price_is_unscored_never_zero(score_of: Callable[..., Score]) -> None:  # MET-12
    assert score_of(Cost(), "x").reason == reasons.NO_PRICE
    assert score_of(Cost(), Generation("x", cost_usd=0.0)).value == 0.0


def test_latency_is_seconds_and_lower_is_better(score_of: Callable[..., Score]) -> None:
    assert score_of(Latency(), Generation("x", latency_s=1.25)).value == 1.25
    assert score_of(Latency(), "x").reason == reasons.NOT_MEASURED
    assert not Latency().facts.higher_is_better


def test_each_stage_of_a_pipeline_has_a_time_and_a_price_of_its_own(score_of: Callable[..., Score]) -> None:
    answer = Generation("x", stages=(Stage("search", latency_s=0.25, cost_usd=0.0), Stage("rerank", latency_s=2.0)))
    assert score_of(Latency(stage="search"), answer).value == 0.25
    assert score_of(Latency(stage="rerank"), answer).value == 2.0
    assert score_of(Cost(stage="search"), answer).value == 0.0
    assert score_of(Cost(stage="rerank"), answer).reason == reasons.NO_PRICE
    absent = score_of(Cost(stage="judge"), answer)
    assert (absent.reason, absent.explanation) == (
        reasons.NOT_MEASURED,
        "the answer has no stage 'judge'; there are search, rerank",
    )
    assert Latency(stage="rerank").facts.text == "latency_s(stage=rerank)"
    assert Cost(stage="rerank").facts.needs == {"cost"}


def test_a_recorded_score_is_read_checked_and_never_clamped(score_of: Callable[..., Score]) -> None:  # MET-06, MET-09
    metric = Recorded("win", scale=[0, 1])
    assert score_of(metric, Generation("x", recorded_scores={"win": 0.25})).value == 0.25
    assert score_of(metric, Generation("x", recorded_scores={"win": 1.7})).reason == reasons.OUT_OF_RANGE
    assert score_of(metric, Generation("x", recorded_scores={"win": float("nan")})).reason == reasons.NOT_MEASURED
    missing = score_of(metric, Generation("x", recorded_scores={"loss": 1.0}))
    assert missing.reason == reasons.NOT_MEASURED
    assert "there are loss" in (missing.explanation or "")
    assert metric.facts.text == "recorded(win, scale=[0,1])"


@pytest.mark.parametrize("scale", [[1, 0], [0], "0-1", [0, True], [0, float("inf")], None])
def test_a_scale_that_is_none_is_refused(scale: list[float]) -> None:
    with pytest.raises(ConfigError, match="recorded: scale"):
        Recorded("win", scale=scale)


def test_an_unknown_count_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="none of total, input, output; did you mean 'output'"):
        Tokens("outputs")
