"""The gate of a suite whose answers people labelled: their word replaces the judge's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from haetae.core.ledger import Annotation
from haetae.core.run import Run
from haetae.core.suite import GateSpec, MetricGate
from haetae.core.verdict import Comparison, Verdict
from haetae.store.sql import SqlLedger
from haetae.workbench.gating import Gate
from haetae.workbench.judges.labels import labels_of

ARun = Callable[..., Run]
SPEC = GateSpec(metrics={"polite": MetricGate(max_drop=0.05)})
PEOPLE = [1.0] * 200
"""What people say of the baseline."""
DISPLEASED = [0.0 if n % 10 == 0 else 1.0 for n in range(200)]
"""What they say of a candidate that is worse in every tenth answer, and that its judge likes as well."""


def _label(ledger: SqlLedger, run: Run, said: Sequence[float], metric: str = "polite", rater: str = "ann") -> None:
    labels = [Annotation(f"s{n:04}", metric, rater, value) for n, value in enumerate(said)]
    ledger.annotate(run.id, labels, datetime(2026, 2, 1, tzinfo=UTC))


def _compare(ledger: SqlLedger, candidate: Run, baseline: Run, spec: GateSpec = SPEC) -> Comparison:
    return Gate(ledger, spec, {})(candidate, baseline)


def test_a_candidate_that_pleases_its_judge_fails_once_people_have_looked(ledger: SqlLedger, a_run: ARun) -> None:
    before, after = a_run(polite=PEOPLE), a_run(polite=PEOPLE)
    assert _compare(ledger, after, before).verdict is Verdict.PASS
    _label(ledger, before, PEOPLE[:120])
    _label(ledger, after, DISPLEASED[:120])
    said = _compare(ledger, after, before)
    (found,) = said.differences
    assert said.verdict is Verdict.REGRESSION
    assert said.reason.startswith("polite fell by 10.0 points (95 % interval ")
    assert found.note == "judge-corrected with 120 labelled pairs, the judge alone says +0.0 points"
    assert (found.baseline, found.candidate) == (1.0, 1.0)


def test_people_who_saw_no_change_let_a_candidate_pass(ledger: SqlLedger, a_run: ARun) -> None:
    before, after = a_run(polite=DISPLEASED), a_run(polite=DISPLEASED)
    for run in (before, after):
        _label(ledger, run, DISPLEASED[:60])
    said = _compare(ledger, after, before)
    assert said.verdict is Verdict.PASS
    assert "judge-corrected with 60 labelled pairs" in said.differences[0].note


def test_a_missing_label_leaves_the_word_to_the_judge_and_is_told(ledger: SqlLedger, a_run: ARun) -> None:
    before, after = a_run(polite=PEOPLE), a_run(polite=PEOPLE)
    _label(ledger, before, PEOPLE[:120])
    said = _compare(ledger, after, before)
    assert said.verdict is Verdict.PASS
    assert said.differences[0].note == "not judge-corrected: 0 of 120 labelled pairs (120 missing)"


def test_the_same_answers_of_a_later_run_keep_their_labels(ledger: SqlLedger, a_run: ARun) -> None:
    before = a_run(polite=PEOPLE)
    answers = [f"answer {n}" for n in range(200)]
    first, again = (a_run(polite=PEOPLE, outputs=answers) for _ in range(2))
    _label(ledger, before, PEOPLE[:100])
    _label(ledger, first, DISPLEASED[:100])
    assert _compare(ledger, again, before).differences[0].note.startswith("judge-corrected with 100 labelled pairs")


def test_two_raters_count_as_their_mean(ledger: SqlLedger, a_run: ARun) -> None:
    before, after = a_run(polite=PEOPLE), a_run(polite=PEOPLE)
    for rater, said in (("ann", DISPLEASED), ("bo", PEOPLE)):
        _label(ledger, before, PEOPLE[:60], rater=rater)
        _label(ledger, after, said[:60], rater=rater)
    found = labels_of(
        ledger, "polite", after, [before], ((ledger.table(before.id, "polite"),), ledger.table(after.id, "polite"))
    )
    assert found is not None
    assert list(found.candidate.values[:2]) == [0.5, 1.0]


def test_labels_of_a_metric_that_no_judge_scores_change_nothing(ledger: SqlLedger, a_run: ARun) -> None:
    spec = GateSpec(metrics={"good": MetricGate(max_drop=0.05)})
    before, after = a_run(good=PEOPLE), a_run(good=PEOPLE)
    for run, said in ((before, PEOPLE), (after, DISPLEASED)):
        _label(ledger, run, said[:100], metric="good")
    (found,) = _compare(ledger, after, before, spec).differences
    assert (found.verdict, found.note) == (Verdict.PASS, "")


def test_a_labelled_baseline_is_compared_once_at_the_end_and_not_in_looks(ledger: SqlLedger, a_run: ARun) -> None:
    before, after = a_run(polite=PEOPLE), a_run(polite=PEOPLE)
    gate = Gate(ledger, SPEC, {})
    _label(ledger, before, PEOPLE[:49])
    assert gate.may_look(after, before)
    _label(ledger, before, PEOPLE[:50])
    assert not gate.may_look(after, before)
