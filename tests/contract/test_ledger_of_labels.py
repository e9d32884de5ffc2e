"""What every ledger promises of human labels."""

from __future__ import annotations

import math
from typing import Any

import pytest
import sqlalchemy as sa

from haetae.core.ledger import Annotation
from haetae.errors import StoreError
from haetae.store.sql import SqlLedger
from haetae.store.tables import ANNOTATION


def _run(ledger: SqlLedger, given: Any, *outputs: str) -> tuple[Any, Any]:
    """A run that answered sample `a` once per output."""
    run, sample = given.start(ledger), given.sample()
    answers = [given.answer(sample, output, repeat) for repeat, output in enumerate(outputs)]
    ledger.record(run.id, [sample], answers, [], given.at)
    return run, sample


def test_a_label_is_the_mean_of_its_raters(ledger: SqlLedger, given: Any) -> None:
    run, _ = _run(ledger, given, "yes")
    labels = [Annotation("a", "exact", "ann", 1.0), Annotation("a", "exact", "bo", 0.0)]
    assert ledger.annotate(run.id, labels, given.at) == 2
    assert ledger.annotations(run.id, "exact") == {("a", 0): 0.5}
    assert ledger.annotations(run.id, "other") == {}
    assert ledger.ratings(run.id, "exact") == labels
    assert ledger.ratings(run.id, "other") == []


def test_a_rater_who_labels_again_replaces_the_label(ledger: SqlLedger, given: Any) -> None:
    run, _ = _run(ledger, given, "yes")
    for value in (1.0, 0.25):
        ledger.annotate(run.id, [Annotation("a", "exact", "ann", value)], given.at)
    assert ledger.annotations(run.id, "exact") == {("a", 0): 0.25}


def test_the_same_answer_of_a_later_run_keeps_its_label_and_another_answer_has_none(
    ledger: SqlLedger, given: Any
) -> None:
    first, _ = _run(ledger, given, "yes", "no")
    ledger.annotate(first.id, [Annotation("a", "exact", "ann", 1.0)], given.at)
    later, _ = _run(ledger, given, "perhaps", "yes")
    assert ledger.annotations(first.id, "exact") == {("a", 0): 1.0}
    assert ledger.annotations(later.id, "exact") == {("a", 1): 1.0}


def test_the_same_answer_to_a_changed_sample_has_no_label(ledger: SqlLedger, given: Any) -> None:
    first, _ = _run(ledger, given, "yes")
    ledger.annotate(first.id, [Annotation("a", "exact", "ann", 1.0)], given.at)
    later, changed = given.start(ledger), given.sample(references=("another answer",))
    ledger.record(later.id, [changed], [given.answer(changed, "yes")], [], given.at)
    assert ledger.annotations(later.id, "exact") == {}


def test_labels_outlive_the_ledger_object(ledger: SqlLedger, given: Any, reopen: Any) -> None:
    run, _ = _run(ledger, given, "yes")
    ledger.annotate(run.id, [Annotation("a", "말투 \0", "김", 0.5)], given.at)
    ledger.close()
    assert reopen().annotations(run.id, "말투 \0") == {("a", 0): 0.5}


def test_what_was_not_answered_cannot_be_labelled_and_nothing_of_the_batch_is_kept(
    ledger: SqlLedger, given: Any
) -> None:
    run, _ = _run(ledger, given, "yes")
    failed = given.sample("b")
    ledger.record(run.id, [failed], [given.failure(failed, "timeout")], [], given.at)
    good = Annotation("a", "exact", "ann", 1.0)
    for bad in (Annotation("b", "exact", "ann", 1.0), Annotation("z", "exact", "ann", 1.0)):
        with pytest.raises(StoreError, match=f"no answer to sample '{bad.sample_id}', repeat 0"):
            ledger.annotate(run.id, [good, bad], given.at)
    with pytest.raises(StoreError, match="repeat 1"):
        ledger.annotate(run.id, [good, Annotation("a", "exact", "ann", 1.0, repeat=1)], given.at)
    with pytest.raises(StoreError, match=r"no run 'support\.9'"):
        ledger.annotate("support.9", [good], given.at)
    assert ledger.annotations(run.id, "exact") == {}
    assert ledger.annotate(run.id, [], given.at) == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_label_that_is_not_finite_is_refused(ledger: SqlLedger, given: Any, value: float) -> None:
    run, _ = _run(ledger, given, "yes")
    with pytest.raises(StoreError, match="not finite"):
        ledger.annotate(run.id, [Annotation("a", "exact", "ann", value)], given.at)


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN"])
def test_the_database_itself_refuses_what_is_not_finite(ledger: SqlLedger, given: Any, number: str) -> None:
    run, _ = _run(ledger, given, "yes")
    ledger.annotate(run.id, [Annotation("a", "exact", "ann", 1.0)], given.at)
    lite = {"Infinity": "9e999", "-Infinity": "-9e999", "NaN": "9e999 - 9e999"}[number]
    value = lite if ledger._database.is_sqlite else f"'{number}'::float8"
    with pytest.raises(StoreError, match=r"finite|annotation.value"):
        ledger._database.write("cheating", lambda c: c.execute(ANNOTATION.update().values(value=sa.text(value))))
