"""What every ledger promises of estimates, comparisons, baselines and the outbox."""

from __future__ import annotations

from typing import Any

import pytest

from haetae.core.verdict import Comparison, Difference, Estimate, Mover, Verdict
from haetae.errors import ConfigError, StoreError
from haetae.store.sql import SqlLedger


def _estimate(metric: str, value: float | None) -> Estimate:
    return Estimate(metric, "language=ko", value, None, None, n=3, clusters=3, unscored=1)


def _comparison(candidate: str, verdict: Verdict) -> Comparison:
    difference = Difference("exact", "", 40, 0.9, 0.8, -0.1, -0.2, 0.0, 0.03, 0.01, 0.02, 0.9, verdict, needed=80)
    return Comparison(
        suite="support",
        candidate=candidate,
        baseline=("support.1", "support.2"),
        verdict=verdict,
        reason="정확도가 떨어졌다",
        differences=(difference,),
        moved=("prompt",),
        movers=(Mover("a", "exact", 1.0, 0.0),),
    )


def test_estimates_keep_their_order_and_are_replaced_whole(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger)
    assert ledger.estimates(run.id) == []
    ledger.save_estimates(run.id, [_estimate("z", 0.5), _estimate("a", None), _estimate("m", 0.1)])
    ledger.save_estimates(run.id, [_estimate("z", 0.5), _estimate("a", None)])
    assert ledger.estimates(run.id) == [_estimate("z", 0.5), _estimate("a", None)]


def test_the_latest_comparison_of_a_candidate_counts(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger)
    assert ledger.comparison(run.id) is None
    ledger.save_comparison(_comparison(run.id, Verdict.INCONCLUSIVE), given.at)
    ledger.save_comparison(_comparison(run.id, Verdict.REGRESSION), given.at)
    ledger.save_comparison(_comparison("support.9", Verdict.PASS), given.at)
    assert ledger.comparison(run.id) == _comparison(run.id, Verdict.REGRESSION)


def test_a_baseline_moves_only_by_promotion(ledger: SqlLedger, given: Any) -> None:
    first, second = given.start(ledger), given.start(ledger)
    assert ledger.baseline("support", "production") is None
    ledger.promote("support", "production", first.id, given.at)
    ledger.promote("support", "nightly", second.id, given.at)
    assert ledger.baseline("support", "production") == first
    ledger.promote("support", "production", second.id, given.at)
    ledger.promote("support", "production", first.id, given.at)
    assert ledger.baseline("support", "production") == first


def test_only_a_run_of_the_suite_can_be_its_baseline(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger, suite="search")
    with pytest.raises(StoreError, match="one of suite search"):
        ledger.promote("support", "production", run.id, given.at)
    with pytest.raises(StoreError, match=r"no run 'support\.1'"):
        ledger.promote("support", "production", "support.1", given.at)
    with pytest.raises(ConfigError, match="is not a name"):
        ledger.promote("search", "../production", run.id, given.at)


def test_the_outbox_keeps_each_event_once_until_it_is_taken(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger)
    for tracker, key in (("mlflow", "k1"), ("wandb", "k1"), ("mlflow", "k1"), ("mlflow", "k2")):
        ledger.enqueue(tracker, run.id, key, given.at)
    assert [(d.tracker, d.key) for d in ledger.pending()] == [("mlflow", "k1"), ("wandb", "k1"), ("mlflow", "k2")]
    first, second = ledger.pending("mlflow")
    ledger.delivered(first.id, given.later(1), "run 17")
    ledger.undelivered(second.id, "connection refused \0", given.later(1))
    ledger.undelivered(second.id, "connection refused", given.later(2))
    (left,) = ledger.pending("mlflow")
    assert (left.key, left.run_id, left.tries, left.last_error) == ("k2", run.id, 2, "connection refused")
    ledger.enqueue("mlflow", run.id, "k1", given.later(3))
    assert len(ledger.pending("mlflow")) == 1
    with pytest.raises(StoreError, match="no delivery 999"):
        ledger.delivered(999, given.at)
