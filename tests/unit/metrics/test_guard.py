"""Rates of a guard: counted by hand, with intervals from resampled counts; a stage is measured over what came to it."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from haetae.core import reasons
from haetae.core.generation import Generation, Stage
from haetae.core.score import Score
from haetae.core.table import ScoreTable
from haetae.errors import ConfigError
from haetae.metrics.stages.guard import RATES, Guard, GuardReach
from tests.unit.stats.whole_tables import estimates

POSITIVE = {"label": "block"}
NEGATIVE = {"label": "fine"}


@pytest.mark.parametrize(
    ("output", "metadata", "stats", "against"),
    [
        ("block", POSITIVE, (1, 0, 0, 0), set()),
        ("block", NEGATIVE, (0, 1, 0, 0), {"precision", "f1", "accuracy", "false_positive_rate"}),
        ("pass", POSITIVE, (0, 0, 1, 0), {"recall", "f1", "accuracy"}),
        ("pass", NEGATIVE, (0, 0, 0, 1), set()),
    ],
)
@pytest.mark.parametrize("rate", RATES)
def test_every_text_is_one_count_of_four_and_worse_only_where_it_counts_against_the_rate(
    rate: str, output: str, metadata: Any, stats: Any, against: set[str], score_of: Callable[..., Score]
) -> None:
    metric = Guard(rate)
    found = score_of(metric, output, metadata=metadata)
    assert found.stats == stats
    assert found.value == float((rate in against) != metric.facts.higher_is_better)


def counted(labels: list[bool], blocked: list[bool]) -> dict[str, float]:
    """The textbook's formulas over plain lists."""
    pairs = list(zip(labels, blocked, strict=True))
    tp, fp = pairs.count((True, True)), pairs.count((False, True))
    fn, tn = pairs.count((True, False)), pairs.count((False, False))
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall),
        "accuracy": (tp + tn) / len(pairs),
        "false_positive_rate": fp / (fp + tn),
    }


@pytest.mark.parametrize("rate", RATES)
def test_a_thousand_runs_have_the_rates_of_the_textbook(rate: str, score_of: Callable[..., Score]) -> None:
    rng, metric = random.Random(3), Guard(rate, label="kind", positive=True)  # noqa: S311
    for _ in range(1_000):
        labels = [True, True, False, False, *(rng.random() < 0.4 for _ in range(rng.randint(0, 40)))]
        blocked = [True, False, True, False, *(rng.random() < 0.5 for _ in labels[4:])]
        stats = [
            score_of(metric, "block" if stop else "pass", metadata={"kind": label}).stats
            for label, stop in zip(labels, blocked, strict=True)
        ]
        assert metric.corpus(np.sum(stats, axis=0)) == pytest.approx(counted(labels, blocked)[rate], abs=1e-12)


def test_a_rate_without_a_denominator_has_no_value() -> None:
    nothing_blocked = np.array([0.0, 0.0, 3.0, 5.0])
    assert np.isnan(Guard("precision").corpus(nothing_blocked))
    assert Guard("recall").corpus(nothing_blocked) == 0.0
    assert np.isnan(Guard("false_positive_rate").corpus(np.array([1.0, 0.0, 1.0, 0.0])))
    assert Guard("f1").corpus(np.array([[1.0, 0, 0, 0], [0, 1.0, 1.0, 0]])).tolist() == [1.0, 0.0]


def test_the_interval_of_a_rate_comes_from_the_counts_and_holds_wilsons() -> None:
    # 80 of 100 positives blocked, 900 negatives passed: recall .8, Wilson's interval [.711, .867]
    metric = Guard("recall")
    stats = [(1.0, 0.0, 0.0, 0.0)] * 80 + [(0.0, 0.0, 1.0, 0.0)] * 20 + [(0.0, 0.0, 0.0, 1.0)] * 900
    values = [float(one[0] or one[3]) for one in stats]
    ids = tuple(f"s{n:04}" for n in range(1_000))
    table = ScoreTable(
        facts=metric.facts,
        sample_ids=ids,
        values=np.array(values),
        stats=np.array(stats),
        clusters=ids,
        slices={},
    )
    (found,) = estimates("recall", table, metric.corpus, seed=1)
    assert found.value == 0.8
    assert found.low is not None
    assert found.high is not None
    assert found.low == pytest.approx(0.711, abs=0.02)
    assert found.high == pytest.approx(0.867, abs=0.02)


def test_a_stage_is_measured_over_what_came_to_it(score_of: Callable[..., Score]) -> None:
    stopped = Generation("block", stages=(Stage("rules", flagged=True),))
    left = Generation("pass", stages=(Stage("rules"), Stage("judge", flagged=False)))
    rules, judge = Guard("recall", stage="rules"), Guard("recall", stage="judge")
    assert score_of(rules, stopped, metadata=POSITIVE).stats == (1, 0, 0, 0)
    assert score_of(rules, left, metadata=POSITIVE).stats == (0, 0, 1, 0)  # left to the next: not stopped here
    assert score_of(judge, left, metadata=NEGATIVE).stats == (0, 0, 0, 1)
    absent = score_of(judge, stopped, metadata=POSITIVE)
    assert (absent.reason, absent.value) == (reasons.NOT_MEASURED, None)


def test_the_label_is_read_as_it_is_meant(score_of: Callable[..., Score]) -> None:
    twin = unicodedata.normalize("NFD", "유해")
    assert score_of(Guard("recall", label="판정", positive="유해"), "block", metadata={"판정": twin}).stats[0] == 1
    assert score_of(Guard("recall", positive=1), "block", metadata={"label": True}).stats[1] == 1  # 1 is not true
    assert score_of(Guard("recall", positive=True), "block", metadata={"label": True}).stats[0] == 1


def test_without_a_label_or_a_decision_there_is_no_score(score_of: Callable[..., Score]) -> None:
    for metadata in ({}, {"label": None}):
        assert score_of(Guard("recall"), "block", metadata=metadata).reason == reasons.MISSING_EXPECTED
    odd = score_of(Guard("recall"), "I would block this", metadata=POSITIVE)
    assert odd.reason == reasons.NOT_MEASURED
    assert "neither block nor pass" in (odd.explanation or "")
    assert score_of(Guard("recall"), " block\n", metadata=POSITIVE).value == 1.0


def test_reach_is_the_share_that_comes_to_a_stage_or_is_decided_by_it(score_of: Callable[..., Score]) -> None:
    stopped = Generation("block", stages=(Stage("rules", flagged=True),))
    left = Generation("pass", stages=(Stage("rules"), Stage("judge", flagged=False)))
    assert [score_of(GuardReach("judge"), answer).value for answer in (stopped, left)] == [0.0, 1.0]
    decided = GuardReach("rules", decided=True)
    assert [score_of(decided, answer).value for answer in (stopped, left)] == [1.0, 0.0]
    assert score_of(GuardReach("rules"), "no stages").reason == reasons.NOT_MEASURED


def test_the_canonical_texts_name_what_is_not_the_default() -> None:
    assert Guard("recall").facts.text == "guard(recall)"
    full = Guard("f1", label="판정", positive=True, stage="rules")
    assert full.facts.text == "guard(f1, label=판정, positive=true, stage=rules)"
    assert not Guard("false_positive_rate").facts.higher_is_better
    assert GuardReach("judge", decided=True).facts.text == "guard_reach(judge, decided=true)"


def test_an_unknown_rate_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'recall'"):
        Guard("recal")
    with pytest.raises(ConfigError, match="label is blank"):
        Guard("recall", label=" ")
