"""A run's judge beside the people who labelled its answers: corrected, and compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from haetae.core.metric import MetricFacts
from haetae.core.run import Manifest, Run
from haetae.errors import ConfigError, DatasetError, StoreError
from haetae.stats.agreement import alpha, kappa
from haetae.stats.judge_correction import correct
from haetae.store.sql import SqlLedger
from haetae.workbench.judges.agreeing import agreements
from haetae.workbench.judges.correcting import SEED, corrections_json, corrections_text, exit_code
from haetae.workbench.judges.labelling import agreement_in_run, annotate, correct_run

ARun = Callable[..., Run]
NOW = datetime(2026, 2, 1, tzinfo=UTC)
JUDGE = [float(n % 5 != 0) for n in range(200)]
PEOPLE = [float(n % 7 != 0) for n in range(200)]


@pytest.fixture
def labels(tmp_path: Path) -> Callable[..., Path]:
    """A file of labels of the first samples."""

    def write(said: list[float], **more: Any) -> Path:
        path = tmp_path / "labels.jsonl"
        rows = [{"id": f"s{n:04}", "metric": "polite", "score": value, **more} for n, value in enumerate(said)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    return write


def test_the_labels_of_a_file_correct_the_judge_of_a_run(
    ledger: SqlLedger, a_run: ARun, labels: Callable[..., Path]
) -> None:
    run = a_run(polite=JUDGE)
    assert annotate(ledger, run.id, labels(PEOPLE[:60]), NOW) == 60
    (found,) = correct_run(ledger, run.id)
    alone = correct(JUDGE, JUDGE[:60], PEOPLE[:60], binary=True, seed=SEED)
    assert (found.estimate, found.low, found.high) == (alone.estimate, alone.low, alone.high)
    assert (found.metric, found.method, found.labels, found.samples, found.note) == ("polite", "jeffreys", 60, 200, "")
    assert found.judge == pytest.approx(0.8)
    assert exit_code([found]) == 0
    document = corrections_json([found])
    assert document["ci"] == [alone.low, alone.high]
    assert document["results"] == [found.as_json()]
    assert corrections_text([found]).endswith("jeffreys, 60 labels of 200 samples); the judge alone says 0.8")


def test_scores_that_are_not_ones_and_zeros_keep_their_unit(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest], labels: Callable[..., Path]
) -> None:
    run = a_run(polite=[score / 2 for score in JUDGE])
    annotate(ledger, run.id, labels([score / 2 for score in PEOPLE[:60]]), NOW)
    (found,) = correct_run(ledger, run.id)
    assert found.method == "ppi++"
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.42 < found.high


def test_a_run_that_nobody_labelled_has_no_estimate(ledger: SqlLedger, a_run: ARun) -> None:
    run = a_run(polite=JUDGE)
    (found,) = correct_run(ledger, run.id)
    assert (found.estimate, found.note) == (None, "nobody labelled it")
    assert exit_code([found]) == 3
    assert agreement_in_run(ledger, run.id) == []


def test_a_judge_that_failed_on_more_than_a_twentieth_is_not_corrected(
    ledger: SqlLedger, a_run: ARun, labels: Callable[..., Path]
) -> None:  # JDG-16
    run = a_run(polite=[*JUDGE[:189], *["judge_failed"] * 11])
    annotate(ledger, run.id, labels(PEOPLE[:60]), NOW)
    (found,) = correct_run(ledger, run.id)
    assert (found.estimate, found.note) == (None, "the judge scored 189 of 200 samples, below 95%")
    assert exit_code([found]) == 3


def test_few_labels_and_labels_of_one_kind_are_doubted(
    ledger: SqlLedger, a_run: ARun, labels: Callable[..., Path]
) -> None:
    run = a_run(polite=JUDGE)
    annotate(ledger, run.id, labels(PEOPLE[:10]), NOW)
    assert correct_run(ledger, run.id)[0].note.startswith("fewer than 20 labels")
    run = a_run(polite=[score / 2 for score in JUDGE])
    annotate(ledger, run.id, labels([0.5] * 60), NOW)
    assert correct_run(ledger, run.id)[0].note.startswith("every label is the same")


def test_agreement_is_between_the_judge_and_each_rater_and_among_raters(
    ledger: SqlLedger, a_run: ARun, labels: Callable[..., Path]
) -> None:
    run = a_run(polite=JUDGE)
    said = {"ann": PEOPLE[:60], "bo": PEOPLE[3:43], "cy": JUDGE[:50]}
    for rater, scores in said.items():
        annotate(ledger, run.id, labels(scores, rater=rater), NOW)
    found = {each.between: each for each in agreement_in_run(ledger, run.id)}
    assert list(found) == [
        ("judge", "ann"),
        ("judge", "bo"),
        ("judge", "cy"),
        ("ann", "bo"),
        ("ann", "cy"),
        ("bo", "cy"),
        ("ann", "bo", "cy"),
    ]
    first = found["judge", "ann"]
    assert (first.scale, first.kappa) == ("nominal", kappa(JUDGE[:60], PEOPLE[:60]))
    assert first.alpha == alpha([JUDGE[:60], PEOPLE[:60]])
    assert found["judge", "cy"].kappa.value == 1.0
    three = found["ann", "bo", "cy"]
    assert (three.kappa.value, three.kappa.reason) == (None, "kappa is of two raters")
    gaps = [[*scores, *[float("nan")] * (60 - len(scores))] for scores in said.values()]
    assert three.alpha == alpha(gaps)


def test_a_metric_of_ones_own_may_name_its_ends_in_whole_numbers() -> None:
    said = {(f"s{n}", 0): float(1 + n % 5) for n in range(40)}
    (found,) = agreements("tone", MetricFacts("tone", "1", low=1, high=5), said, {"ann": said})
    assert (found.scale, found.kappa.value) == ("ordinal", pytest.approx(1))


def test_steps_of_a_scale_are_ordinal_and_amounts_have_no_kappa(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest], labels: Callable[..., Path]
) -> None:
    steps = [n % 5 / 4 for n in range(200)]
    run = a_run(polite=steps)
    annotate(ledger, run.id, labels([*steps[1:60], 0.25]), NOW)
    (found,) = agreement_in_run(ledger, run.id)
    assert found.scale == "ordinal"
    assert found.kappa == kappa(steps[:60], [*steps[1:60], 0.25], weights="quadratic")
    run = a_run(polite=[n / 200 for n in range(200)])
    annotate(ledger, run.id, labels([n / 60 for n in range(60)]), NOW)
    (found,) = agreement_in_run(ledger, run.id)
    assert (found.scale, found.kappa.value) == ("interval", None)
    assert "kappa none (kappa is of steps, and these are amounts)" in found.text
    assert found.alpha.value is not None


def test_agreement_is_undefined_where_every_label_is_the_same(
    ledger: SqlLedger, a_run: ARun, labels: Callable[..., Path]
) -> None:
    run = a_run(polite=[1.0] * 200)
    annotate(ledger, run.id, labels([1.0] * 30), NOW)
    (found,) = agreement_in_run(ledger, run.id)
    assert (found.kappa.value, found.alpha.value) == (None, None)
    assert found.text.count("undefined: every label is 1") == 2


def test_unscored_answers_have_no_judge_to_agree_with(
    ledger: SqlLedger, a_run: ARun, labels: Callable[..., Path]
) -> None:
    run = a_run(polite=["judge_refusal", *JUDGE[1:]])
    annotate(ledger, run.id, labels(PEOPLE[:40]), NOW)
    assert agreement_in_run(ledger, run.id)[0].alpha.n == 39


def test_a_metric_without_a_judge_is_corrected_when_it_is_named(ledger: SqlLedger, a_run: ARun) -> None:
    run = a_run(good=JUDGE)
    assert [found.metric for found in correct_run(ledger, run.id, "good")] == ["good"]
    with pytest.raises(ConfigError, match=r"no metric 'god'; did you mean good\?"):
        correct_run(ledger, run.id, "god")


def test_labels_that_are_not_of_the_run_are_refused_and_none_is_kept(
    ledger: SqlLedger, a_run: ARun, labels: Callable[..., Path]
) -> None:
    run, other = a_run(polite=JUDGE), a_run(polite=JUDGE[:50])
    path = labels(PEOPLE[:60])
    with pytest.raises(DatasetError, match=r"labels\.jsonl:51: id: the run has no sample 's0050'"):
        annotate(ledger, other.id, path, NOW)
    with pytest.raises(DatasetError, match=r":1: score: 3\.0 is outside the scale of polite, 0 to 1"):
        annotate(ledger, run.id, labels([3.0]), NOW)
    with pytest.raises(StoreError, match=r"there is no run 'bot\.9'"):
        annotate(ledger, "bot.9", path, NOW)
    assert ledger.annotations(run.id, "polite") == ledger.annotations(other.id, "polite") == {}
