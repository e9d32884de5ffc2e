"""A candidate against its baseline: what gives no verdict, what passes, what withholds a pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from haetae.core.metric import MetricFacts
from haetae.core.run import Manifest, Run, RunStatus
from haetae.core.suite import GateSpec, MetricGate
from haetae.core.verdict import Comparison, Verdict
from haetae.store.sql import SqlLedger
from haetae.workbench.gating import Gate

ARun = Callable[..., Run]
GOOD = [1.0] * 190 + [0.0] * 10
SPEC = GateSpec(metrics={"good": MetricGate(max_drop=0.05)})
JUDGED = GateSpec(metrics={"polite": MetricGate(max_drop=0.05)})


def _compare(
    ledger: SqlLedger, candidate: Run, baseline: Run | None, spec: GateSpec = SPEC, **options: Any
) -> Comparison:
    return Gate(ledger, spec, {})(candidate, baseline, **options)


def test_no_baseline_is_no_verdict(ledger: SqlLedger, a_run: ARun) -> None:  # GAT-01
    run = a_run(good=GOOD)
    said = _compare(ledger, run, None)
    assert said.verdict is Verdict.NO_VERDICT
    none = f"No baseline 'production' in {ledger.place}"
    assert said.reason == f"{none}; make one with: haetae promote {run.id}"


def test_a_run_that_no_gate_could_use_is_not_offered_as_a_baseline(ledger: SqlLedger, a_run: ARun) -> None:
    run = a_run(good=[*GOOD[:140], *["not_generated"] * 60])
    said = _compare(ledger, run, None)
    assert f"this run cannot become one: {run.id}: good: 140 of 200 scored, below the coverage of 95%" in said.reason
    assert "haetae promote" not in said.reason


@pytest.mark.parametrize("status", [RunStatus.INTERRUPTED, RunStatus.STOPPED])
def test_a_run_that_is_not_finished_is_no_verdict(status: RunStatus, ledger: SqlLedger, a_run: ARun) -> None:  # DSH-11
    whole, part = a_run(good=GOOD), a_run(good=GOOD, finish=status)
    for candidate, baseline in ((part, whole), (whole, part)):
        said = _compare(ledger, candidate, baseline)
        assert said.verdict is Verdict.NO_VERDICT
        assert f"{part.id} is not finished ({status.value})" in said.reason


def test_too_few_scores_are_no_verdict(ledger: SqlLedger, a_run: ARun) -> None:  # GAT-03
    whole, holes = a_run(good=GOOD), a_run(good=[*GOOD[:189], *["not_measured"] * 11])
    said = _compare(ledger, holes, whole)
    assert said.verdict is Verdict.NO_VERDICT
    assert "good: 189 of 200 scored, below the coverage of 95% (not_measured 11)" in said.reason
    enough = a_run(good=[*GOOD[:190], *["not_measured"] * 10])
    assert _compare(ledger, enough, whole).verdict is not Verdict.NO_VERDICT


def test_no_score_at_all_is_no_verdict(ledger: SqlLedger, a_run: ARun) -> None:  # GAT-04, MET-08
    said = _compare(ledger, a_run(good=["not_finite"] * 200), a_run(good=GOOD))
    assert said.verdict is Verdict.NO_VERDICT
    assert "good: no sample is scored (not_finite 200)" in said.reason


@pytest.mark.parametrize(("faults", "verdict"), [(10, False), (11, True)])
def test_a_judge_that_fails_on_more_than_a_twentieth_is_no_verdict(
    faults: int, verdict: bool, ledger: SqlLedger, a_run: ARun
) -> None:  # JDG-16
    scores = ["judge_failed"] * faults + [1.0] * (200 - faults)
    said = _compare(ledger, a_run(polite=scores), a_run(polite=[1.0] * 200), JUDGED)
    assert ("the judge failed on 11 of 200" in said.reason) == verdict
    assert (said.verdict is Verdict.NO_VERDICT) == verdict


@pytest.mark.parametrize("kind", ["dataset", "judge", "metric", "decoding"])
def test_runs_that_differ_where_they_must_not_are_no_verdict_unless_restricted(
    kind: str, ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:  # GAT-02
    base = manifest()
    hot = {**base.target, "model": {**base.target["model"], "parameters": {"temperature": 1}}}
    other = {
        "dataset": manifest(dataset={**base.dataset, "version": "sha256:" + "e" * 64}),
        "judge": manifest(metrics={**base.metrics, "polite": MetricFacts("judge", "1", judge={"model": "x"})}),
        "metric": manifest(
            metrics={**base.metrics, "polite": MetricFacts("other", "1", judge=base.metrics["polite"].judge)}
        ),
        "decoding": manifest(target=hot),
    }[kind]
    before, after = a_run(polite=GOOD), a_run(other, polite=GOOD)
    said = _compare(ledger, after, before, JUDGED)
    assert said.verdict is Verdict.NO_VERDICT
    expected = "judge" if kind == "metric" else kind  # a judged metric's own change is its judge's
    assert f"The runs differ in {expected}" in said.reason
    assert said.reason.endswith(f"or compare the common samples (haetae compare {after.id} --common).")
    assert said.moved == (expected,)
    assert said.changed
    common = _compare(ledger, after, before, JUDGED, common=True)
    assert common.restricted
    assert common.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)


def test_a_true_drop_is_a_regression_that_names_the_prompt_and_the_samples(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:
    changed = manifest(target={**manifest().target, "prompt": {"name": "ask", "digest": "q" * 64}})
    before, after = a_run(good=GOOD), a_run(changed, good=[0.0] * 40 + GOOD[40:])
    said = _compare(ledger, after, before)
    assert said.verdict is Verdict.REGRESSION
    assert said.moved == ("prompt",)
    assert said.reason.startswith("good fell by 20.0 points (95 % interval ")
    assert {mover.sample_id for mover in said.movers} <= {f"s{n:04}" for n in range(40)}
    assert said.baseline == (before.id,)


def test_a_drop_that_nothing_explains_is_the_models_behind_its_name(ledger: SqlLedger, a_run: ARun) -> None:
    before = a_run(good=GOOD)
    said = _compare(ledger, a_run(good=[0.0] * 40 + GOOD[40:]), before)
    assert (said.verdict, said.moved) == (Verdict.REGRESSION, ("model",))
    said = _compare(ledger, a_run(good=GOOD), before)
    assert (said.verdict, said.moved) == (Verdict.PASS, ())


def test_errors_on_one_side_withhold_a_pass(ledger: SqlLedger, a_run: ARun) -> None:
    spec = GateSpec(metrics={"good": MetricGate(max_drop=0.2)})
    before, after = a_run(good=[1.0] * 200), a_run(good=["truncated"] * 9 + [1.0] * 191)
    said = _compare(ledger, after, before, spec)
    assert said.verdict is Verdict.INCONCLUSIVE
    assert any("more samples are unscored than in the baseline" in warning for warning in said.warnings)
    assert _compare(ledger, a_run(good=[1.0] * 200), before, spec).verdict is Verdict.PASS


def test_quiet_runs_of_the_promoted_version_are_pooled(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:
    baseline = a_run(good=GOOD)
    quiet, loud, unsaid = a_run(good=GOOD), a_run(good=[0.0] * 60 + GOOD[60:]), a_run(good=GOOD)
    other = a_run(manifest(target={**manifest().target, "kind": "other"}), good=GOOD)
    for run in (quiet, loud, other):
        ledger.save_comparison(_compare(ledger, run, baseline), run.started_at)
    candidate = a_run(good=GOOD)
    assert unsaid.id not in _compare(ledger, candidate, baseline).baseline
    assert _compare(ledger, candidate, baseline).baseline == (baseline.id, quiet.id)


def test_slices_are_gated_where_the_suite_says_so(ledger: SqlLedger, a_run: ARun) -> None:
    spec = GateSpec(metrics={"good": MetricGate(max_drop=0.05, by="language")})
    worse = [0.0 if n % 2 and n < 120 else value for n, value in enumerate(GOOD)]
    said = _compare(ledger, a_run(good=worse), a_run(good=GOOD), spec)
    assert [d.slice for d in said.differences] == ["", "language=en", "language=ko"]
    assert said.verdict is Verdict.REGRESSION
    assert "mostly in language=ko" in said.reason


def test_a_floor_alone_declares_no_tolerance(ledger: SqlLedger, a_run: ARun) -> None:
    spec = GateSpec(metrics={"good": MetricGate(min=0.5)})
    (found,) = _compare(ledger, a_run(good=GOOD), a_run(good=GOOD), spec).differences
    assert found.margin is None
    default = GateSpec(max_drop=0.04, metrics={"good": MetricGate()})
    (found,) = _compare(ledger, a_run(good=GOOD), a_run(good=GOOD), default).differences
    assert found.margin == 0.04


def test_the_same_answers_judged_otherwise_point_to_the_judge(ledger: SqlLedger, a_run: ARun) -> None:  # JDG-11
    outputs = [f"answer {n}" for n in range(200)]
    before = a_run(polite=[0.9] * 200, outputs=outputs)
    after = a_run(polite=[0.9 - 0.3 * (n % 2) for n in range(200)], outputs=outputs)
    said = _compare(ledger, after, before, JUDGED)
    assert "judge" in said.moved
    assert said.verdict is Verdict.NO_VERDICT
