"""What an estimate reads of a run: the columns of its table, a row for each sample, on SQLite and on Postgres."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from haetae.core import reasons
from haetae.core.score import Score
from haetae.errors import StoreError
from haetae.stats.estimate import estimates_of
from haetae.store.sql import SqlLedger
from tests.unit.stats.whole_tables import estimates


def _ratio(totals: Any) -> Any:
    return totals[..., 0] / totals[..., 1]


@pytest.mark.parametrize("suite", [{}, {"slices": ["language", "long"]}, {"cluster": "document", "slices": ["long"]}])
@pytest.mark.parametrize("repeats", [1, 2])
def test_columns_of_samples_say_what_the_whole_table_says(
    ledger: SqlLedger, given: Any, suite: dict[str, Any], repeats: int
) -> None:
    languages, rng = ("ko", "en"), np.random.default_rng(5)
    samples = [
        given.sample(f"{name}\\{n % 7}" if n % 10 == 0 else f"질문 {n}", metadata=facets)
        for n, name in enumerate("abcdefghij" * 6)
        for facets in [{"language": languages[n % 2], "long": n % 3, "document": f"d{n // 4}"} if n % 5 else {}]
    ]
    run = given.start(ledger, given.manifest("bleu", "exact", **suite), total=len(samples) * repeats)
    answers = [given.answer(one, "x", repeat=r) for one in samples for r in range(repeats)]
    scores = []
    for one in samples:
        for r in range(repeats):
            hit, length = float(rng.integers(0, 5)), 5.0
            scores.append(given.score(one, Score(hit / length, stats=(hit, length)), "bleu", repeat=r))
            lacking = Score.unscored(reasons.MISSING_REFERENCE)
            exact = lacking if rng.random() < 0.2 else Score(float(rng.random() < 0.7))
            scores.append(given.score(one, exact, "exact", repeat=r))
    ledger.record(run.id, samples, answers, scores, given.at)
    for metric, corpus in (("bleu", _ratio), ("exact", None)):
        whole = estimates(metric, ledger.table(run.id, metric), corpus, seed=3)
        columns = ledger.sample_columns(run.id, metric)
        found = estimates_of(metric, columns, corpus, seed=3)
        assert [(e.slice, e.n, e.clusters, e.unscored, e.method) for e in found] == [
            (e.slice, e.n, e.clusters, e.unscored, e.method) for e in whole
        ]
        for one, other in zip(found, whole, strict=True):
            numbers = [one.value, one.low, one.high, one.detectable_drop]
            assert numbers == pytest.approx([other.value, other.low, other.high, other.detectable_drop], rel=0.02)
            assert one.value == pytest.approx(other.value, rel=1e-12)


def test_samples_without_a_score_are_rows_without_a_value(ledger: SqlLedger, given: Any) -> None:
    run, a, b = given.start(ledger, given.manifest("bleu")), given.sample("a"), given.sample("b")
    unscored = given.score(a, Score.unscored(reasons.MISSING_REFERENCE), "bleu")
    scores = [unscored, given.score(b, Score(0.5, stats=(1.0, 2.0)), "bleu")]
    ledger.record(run.id, [b, a], [given.answer(b), given.answer(a)], scores, given.at)
    columns = ledger.sample_columns(run.id, "bleu")
    np.testing.assert_array_equal(columns.values, [np.nan, 0.5])
    assert columns.stats is not None
    np.testing.assert_array_equal(columns.stats, [[np.nan, np.nan], [1, 2]])
    assert columns.clusters is None
    with pytest.raises(StoreError, match="no metric 'rouge'; it has: bleu"):
        ledger.sample_columns(run.id, "rouge")


def test_a_run_without_rows_has_empty_columns(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger)
    assert len(ledger.sample_columns(run.id, "exact").values) == 0
    assert ledger.done_count(run.id, ["exact"]) == (0, 0)


def test_what_needs_nothing_more_is_counted_and_read_for_some_samples(ledger: SqlLedger, given: Any) -> None:
    run, names = given.start(ledger, given.manifest("exact", "f1")), ["done", "half", "weather", "judge", "filtered"]
    samples = {name: given.sample(name) for name in names}
    failed = given.failure(samples["weather"], reasons.TIMEOUT), given.failure(samples["filtered"], reasons.EMPTY)
    answers = [*failed, *(given.answer(samples[name]) for name in ("done", "half", "judge"))]
    scores = [
        *(given.score(samples["done"], 1.0, metric) for metric in ("exact", "f1")),
        given.score(samples["half"], 1.0, "exact"),
        given.score(samples["judge"], 1.0, "exact"),
        given.score(samples["judge"], Score.unscored(reasons.JUDGE_FAILED), "f1"),
        *(given.score(samples["filtered"], Score.unscored(reasons.NOT_GENERATED), m) for m in ("exact", "f1")),
        *(given.score(samples["weather"], Score.unscored(reasons.NOT_GENERATED), m) for m in ("exact", "f1")),
    ]
    ledger.record(run.id, samples.values(), answers, scores, given.at)
    assert ledger.done_count(run.id, ["exact", "f1"]) == (5, 2)
    assert ledger.done_count(run.id, ["exact"]) == (5, 4)
    assert ledger.done_count(run.id, []) == (5, 4)
    whole = ledger.done(run.id)
    assert ledger.done(run.id, ["half", "nobody"]) == {("half", 0): whole["half", 0]}
    assert ledger.done(run.id, []) == {}


def test_many_rows_go_in_whatever_their_number_and_keep_their_places(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger, total=2500)
    samples = [given.sample(f"s{n}") for n in range(2500)]
    for part in (samples[:1500], samples[1400:]):  # some of them twice
        answers, scores = [given.answer(one) for one in part], [given.score(one, 1.0) for one in part]
        ledger.record(run.id, part, answers, scores, given.at)
    assert ledger.table(run.id, "exact").sample_ids == tuple(one.id for one in samples)
    again = [given.score(samples[0], 1.0), given.score(samples[0], 0.0)]  # the first of two in one batch stays
    ledger.record(run.id, [], [], again, given.at)
    assert ledger.done(run.id, ["s0"])["s0", 0][1]["exact"].score.value == 1.0
