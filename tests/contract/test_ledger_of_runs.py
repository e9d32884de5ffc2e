"""What every ledger promises of runs, on SQLite and on Postgres."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from haetae.core import reasons
from haetae.core.generation import Usage
from haetae.core.run import Accounting, Run, RunStatus, Spent, Unkept, Unscored
from haetae.core.sample import Message, ToolCall
from haetae.core.score import Score
from haetae.core.verdict import Estimate
from haetae.errors import ConfigError, StoreError
from haetae.store.sql import SqlLedger
from haetae.store.tables import RUN

Reopen = Callable[[], SqlLedger]


def test_runs_of_a_suite_are_numbered_from_one(ledger: SqlLedger, given: Any) -> None:
    ids = [given.start(ledger, suite=suite).id for suite in ("support", "support", "search")]
    assert ids == ["support.1", "support.2", "search.1"]
    assert ledger.suites() == ["search", "support"]
    assert [run.id for run in ledger.runs("support")] == ["support.2", "support.1"]
    assert [run.id for run in ledger.runs(limit=1, offset=1)] == ["search.1"]


def test_a_run_reads_back_as_it_was_started(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger, given.manifest("exact", "chrf", slices=["language"]))
    assert ledger.run(run.id) == run
    assert run.manifest.digest == ledger.run(run.id).manifest.digest


def test_an_ended_run_keeps_when_and_why(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger)
    ended = ledger.finish(run.id, RunStatus.STOPPED, given.later(5), "the budget of 10 USD is spent")
    assert ended == run.ended(RunStatus.STOPPED, given.later(5), "the budget of 10 USD is spent")
    assert ledger.run(run.id) == ended


def test_an_unknown_run_is_refused_by_name_with_the_newest(ledger: SqlLedger, given: Any) -> None:
    given.start(ledger)
    for ask in (ledger.run, ledger.accounting, ledger.spent, ledger.results, ledger.resume):
        with pytest.raises(StoreError, match=r"no run 'support\.9'; the newest are: support\.1"):
            ask("support.9")


@pytest.mark.parametrize("name", ["../../x", "CON", "x" * 300, "a/b", "", "a\0b", "\\\\host\\share", "😀"])
def test_a_suite_has_a_safe_name(ledger: SqlLedger, given: Any, name: str) -> None:  # SEC-05, REG-08
    with pytest.raises(ConfigError, match="is not a name"):
        given.start(ledger, suite=name)


def test_a_korean_suite_is_a_suite(ledger: SqlLedger, given: Any) -> None:
    assert ledger.run(given.start(ledger, suite="고객상담").id).suite == "고객상담"


def test_the_same_rows_written_twice_are_there_once(ledger: SqlLedger, given: Any) -> None:  # STO-16
    run, sample = given.start(ledger), given.sample()
    rows = ([sample], [given.answer(sample, "first")], [given.score(sample, 1.0)])
    ledger.record(run.id, *rows, given.at)
    before = ledger.done(run.id)
    ledger.record(run.id, *rows, given.later(1))
    ledger.record(run.id, [sample], [given.answer(sample, "second")], [given.score(sample, 0.0)], given.later(2))
    assert ledger.done(run.id) == before
    assert before["a", 0][0].result.output == "first"
    assert before["a", 0][1]["exact"].score == Score(1.0)


def test_a_failure_of_the_weather_gives_way_to_an_answer_and_its_scores(ledger: SqlLedger, given: Any) -> None:
    run, sample = given.start(ledger), given.sample()
    missing = given.score(sample, Score.unscored(reasons.NOT_GENERATED))
    ledger.record(run.id, [sample], [given.failure(sample, reasons.TIMEOUT, attempts=5)], [missing], given.at)
    ledger.record(run.id, [sample], [given.answer(sample, attempts=2)], [given.score(sample, 0.5)], given.later(1))
    generation, scores = ledger.done(run.id)["a", 0]
    assert generation.result.output == "an answer"
    assert scores["exact"].score.value == 0.5
    assert ledger.spent(run.id).calls == 7  # the five that timed out were made, too
    assert ledger.accounting(run.id) == [Accounting("exact", 3, 1)]


def test_failed_answers_are_told_by_reason_with_the_first_as_example(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger)
    failed = [("s2", reasons.TIMEOUT), ("s0", reasons.EMPTY), ("s1", reasons.TIMEOUT)]
    samples = {name: given.sample(name) for name in ("s0", "s1", "s2", "s3")}
    rows = [given.failure(samples[name], reason) for name, reason in failed]
    ledger.record(run.id, samples.values(), [*rows, given.answer(samples["s3"])], [], given.at)
    told = [(one.reason, one.count, one.sample_id) for one in ledger.unanswered(run.id)]
    assert told == [(reasons.TIMEOUT, 2, "s2"), (reasons.EMPTY, 1, "s0")]
    assert ledger.unanswered(given.start(ledger).id) == []


def test_what_a_metric_could_not_score_is_told_by_reason_with_the_first_as_example(
    ledger: SqlLedger, given: Any
) -> None:
    run = given.start(ledger, given.manifest("near", "exact"))
    samples = [given.sample(name) for name in ("s3", "s1", "s2", "s0")]
    answers = [given.failure(samples[0], reasons.TIMEOUT), *map(given.answer, samples[1:])]
    raised, bare = Score.unscored(reasons.METRIC_RAISED, "why s2"), Score.unscored(reasons.MISSING_REFERENCE)
    later = Score.unscored(reasons.METRIC_RAISED, "why s0")
    scores = [
        given.score(samples[0], Score.unscored(reasons.NOT_GENERATED)),
        given.score(samples[1], bare),
        given.score(samples[2], raised),
        given.score(samples[3], later),
        given.score(samples[1], bare, "near"),
        given.score(samples[2], 0.5, "near"),
    ]
    ledger.record(run.id, samples, answers, scores, given.at)
    assert ledger.unscored(run.id) == [
        Unscored("near", reasons.MISSING_REFERENCE, 1, "s1", None),
        Unscored("exact", reasons.METRIC_RAISED, 2, "s2", "why s2"),
        Unscored("exact", reasons.MISSING_REFERENCE, 1, "s1", None),
    ]
    assert ledger.unscored(given.start(ledger).id) == []


def test_a_settled_failure_stays(ledger: SqlLedger, given: Any) -> None:
    run, sample = given.start(ledger), given.sample()
    refused = given.failure(sample, reasons.CONTENT_FILTER)
    ledger.record(run.id, [sample], [refused], [], given.at)
    ledger.record(run.id, [sample], [given.answer(sample)], [], given.later(1))
    assert ledger.done(run.id)["a", 0][0] == refused


def test_a_judge_that_failed_is_asked_again_also_after_a_late_answer(ledger: SqlLedger, given: Any) -> None:
    run, sample = given.start(ledger), given.sample()

    def score(value: Score) -> str | None:
        ledger.record(run.id, [], [], [given.score(sample, value)], given.at)
        return ledger.done(run.id)["a", 0][1]["exact"].score.reason

    ledger.record(run.id, [sample], [given.answer(sample)], [], given.at)
    assert score(Score.unscored(reasons.NOT_GENERATED)) == reasons.NOT_GENERATED
    assert score(Score.unscored(reasons.JUDGE_FAILED)) == reasons.JUDGE_FAILED
    assert score(Score.unscored(reasons.NOT_GENERATED)) == reasons.JUDGE_FAILED
    assert score(Score.unscored(reasons.JUDGE_REFUSED)) == reasons.JUDGE_REFUSED
    assert score(Score(1.0)) == reasons.JUDGE_REFUSED


def test_values_of_a_metric_are_taken_back_before_the_run_ends_and_never_after(ledger: SqlLedger, given: Any) -> None:
    run, samples = given.start(ledger, given.manifest("exact", "chrf")), [given.sample("a"), given.sample("b")]
    scores = [given.score(samples[0], Score(0.0, (1.0,))), given.score(samples[1], Score.unscored(reasons.NO_PRICE))]
    other = given.score(samples[0], 1.0, metric="chrf")
    ledger.record(run.id, samples, [given.answer(one) for one in samples], [*scores, other], given.at)
    ledger.withdraw(run.id, "exact", reasons.NOT_MEASURED, "no such stage")
    kept = {sample: found for (sample, _), (_, found) in ledger.done(run.id).items()}
    assert kept["a"]["exact"].score == Score.unscored(reasons.NOT_MEASURED, "no such stage")
    assert kept["b"]["exact"].score.reason == reasons.NO_PRICE
    assert kept["a"]["chrf"].score.value == 1.0
    ledger.finish(run.id, RunStatus.FINISHED, given.later(1))
    with pytest.raises(StoreError, match="not by this ledger"):
        ledger.withdraw(run.id, "chrf", reasons.NOT_MEASURED, "late")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused_by_sample(ledger: SqlLedger, given: Any, number: float) -> None:
    run, sample = given.start(ledger), given.sample("row-42")  # STO-18
    for generation, score in (
        (given.answer(sample, cost_usd=number), 1.0),
        (given.answer(sample, latency_s=number), 1.0),
        (given.answer(sample, logprobs=(-0.5, number)), 1.0),
        (given.answer(sample), Score(1.0, stats=(1.0, number))),
    ):
        with pytest.raises(StoreError, match=r"'row-42'.*not a finite number"):
            ledger.record(run.id, [sample], [generation], [given.score(sample, score)], given.at)
    assert ledger.done(run.id) == {}


def test_a_commit_that_fails_leaves_nothing_of_itself(ledger: SqlLedger, given: Any) -> None:
    run, sample, stranger = given.start(ledger), given.sample("a"), given.sample("b")
    with pytest.raises(StoreError, match="recording rows of run support"):  # a score of no answer
        ledger.record(run.id, [sample], [given.answer(sample)], [given.score(stranger, 1.0)], given.at)
    assert ledger.done(run.id) == {}


def test_any_text_is_kept_as_it_is(ledger: SqlLedger, given: Any) -> None:  # DAT-11, DAT-10
    text = "NUL \0, half a pair \ud835, a path C:\\0\\ud835, 한글 (NFC), 한글 (NFD), 👩‍💻, العربية\r\n"
    sample = given.sample(
        f"id {text}",
        input=(Message("system", text), Message("user", text)),
        references=(text, ""),
        contexts=(text,),
        tool_calls=(ToolCall("search", {"query": text}),),
        metadata={"language": "ko", "note": text},
    )
    answer = given.answer(sample, text, contexts=(text,), logprobs=(-0.1, -1e-300), usage=Usage(1, 2, 3, 4))
    score = given.score(
        sample, Score(1 / 3, stats=(1.0, 2.5), explanation=text, usage=Usage(5), cost_usd=1e-9, model="j")
    )
    failed = given.sample("failed")
    run = given.start(ledger)
    ledger.record(run.id, [sample, failed], [answer, given.failure(failed, reasons.REJECTED)], [score], given.at)
    result, other = ledger.results(run.id)
    assert (result.sample, result.generation, result.scores) == (sample, answer, {"exact": score})
    assert result.sample.digest == sample.digest
    assert other.generation == given.failure(failed, reasons.REJECTED)
    assert [r.sample for r in ledger.results(run.id, search="한글 (NFC)")] == [sample]
    assert [r.sample for r in ledger.results(run.id, search="\ud835")] == [sample]


def test_earlier_answers_and_scores_are_found_by_key_but_never_failures(ledger: SqlLedger, given: Any) -> None:
    good, bad = given.sample("good"), given.sample("bad")
    run = given.start(ledger)
    scores = [given.score(good, Score(1.0, calls=1)), given.score(bad, Score.unscored(reasons.NOT_GENERATED))]
    computed = given.score(good, Score(1.0), "computed")
    answers = [given.answer(good), given.failure(bad, reasons.TIMEOUT)]
    ledger.record(run.id, [good, bad], answers, [*scores, computed], given.at)
    keys = [f"nothing-{i}" for i in range(1200)]
    assert ledger.find_generations([*keys, "g-good-0", "g-bad-0", "g-good-0"]) == {"g-good-0": answers[0]}
    assert ledger.find_scores([*keys, "s-good-exact-0", "s-bad-exact-0"]) == {"s-good-exact-0": scores[0]}
    assert ledger.find_scores([computed.key]) == {}, "what no call was made for is computed again for nothing"
    assert ledger.find_generations([]) == {}


def test_a_copied_answer_is_no_source_of_copies(ledger: SqlLedger, given: Any) -> None:
    sample = given.sample()
    for reused in (False, True, True):
        run = given.start(ledger)
        ledger.record(run.id, [sample], [given.answer(sample, reused=reused)], [], given.at)
    assert ledger.find_generations(["g-a-0"])["g-a-0"].reused is False


def test_every_sample_is_accounted_for_once(ledger: SqlLedger, given: Any) -> None:
    samples = [given.sample(name) for name in "abcde"]
    a, b, c, d, _ = samples
    run = given.start(ledger, given.manifest("exact", "judged"), total=6)
    answers = [given.answer(a), given.answer(b), given.failure(c, reasons.TIMEOUT), given.failure(d, reasons.REJECTED)]
    scores = [
        given.score(a, 1.0),
        given.score(b, 0.0),
        given.score(c, Score.unscored(reasons.NOT_GENERATED)),  # said in a row; of d there is only the failure
        given.score(a, 0.5, "judged"),
        given.score(b, Score.unscored(reasons.JUDGE_REFUSED), "judged"),
    ]
    ledger.record(run.id, samples, answers, scores, given.at)
    exact, judged = ledger.accounting(run.id)
    assert exact == Accounting("exact", 6, 2, {reasons.NOT_GENERATED: 2})
    assert judged == Accounting("judged", 6, 1, {reasons.JUDGE_REFUSED: 1, reasons.NOT_GENERATED: 2})
    assert exact.not_run == judged.not_run == 2


def test_spending_counts_tries_and_judges_and_leaves_out_what_was_reused(ledger: SqlLedger, given: Any) -> None:
    a, b, c, d = (given.sample(name) for name in "abcd")
    run = given.start(ledger)
    answers = [
        given.answer(a, usage=Usage(10, 5, 3, 2), cost_usd=0.25, attempts=3),
        given.answer(b, usage=Usage(100), cost_usd=9.0, reused=True),
        given.answer(c, usage=Usage(7)),
        given.failure(d, reasons.TIMEOUT, attempts=5),
    ]
    judged = Score(1.0, usage=Usage(30), cost_usd=0.5, model="judge", calls=1)
    scores = [
        given.score(a, judged),
        given.score(c, Score(1.0, usage=Usage(1), model="judge", calls=1)),
        given.score(b, 1.0),
    ]
    ledger.record(run.id, [a, b, c, d], answers, scores, given.at)
    assert ledger.spent(run.id) == Spent(
        calls=11, tokens=58, cost_usd=0.75, unpriced_calls=2, reused=1, retried=6, saved_usd=9.0
    )


def test_an_unknown_price_is_none_not_zero(ledger: SqlLedger, given: Any) -> None:
    run, sample = given.start(ledger), given.sample()
    assert ledger.spent(run.id) == Spent()
    ledger.record(run.id, [sample], [given.answer(sample)], [], given.at)
    assert ledger.spent(run.id) == Spent(calls=1, cost_usd=None, unpriced_calls=1)


def test_a_table_has_one_row_per_score_in_the_order_of_the_samples(ledger: SqlLedger, given: Any) -> None:
    b = given.sample("b", metadata={"language": "ko", "long": True, "document": "d1"})
    a = given.sample("a", metadata={"language": "en", "long": 3, "document": "d1"})
    c, d = given.sample("c"), given.sample("d")
    run = given.start(ledger, given.manifest("bleu", "exact", slices=["language", "long"], cluster="document"), total=5)
    ledger.record(run.id, [b], [given.answer(b, "x")], [given.score(b, Score(0.5, stats=(1.0, 2.0)), "bleu")], given.at)
    answers = [given.answer(a, "x"), given.answer(b, "y", repeat=1), given.failure(c, reasons.TIMEOUT), given.answer(d)]
    scores = [
        given.score(a, Score(0.25, stats=(3.0, 4.0)), "bleu"),
        given.score(b, Score(1.0, stats=(5.0, 6.0)), "bleu", repeat=1),
        given.score(c, Score.unscored(reasons.NOT_GENERATED), "bleu"),
        given.score(d, 1.0, "exact"),
    ]
    ledger.record(run.id, [a, b, c, d], answers, scores, given.at)
    table = ledger.table(run.id, "bleu")
    assert table.facts == run.manifest.metrics["bleu"]
    assert table.sample_ids == ("b", "b", "a", "c")
    np.testing.assert_array_equal(table.values, [0.5, 1.0, 0.25, np.nan])
    assert table.stats is not None
    np.testing.assert_array_equal(table.stats, [[1, 2], [5, 6], [3, 4], [np.nan, np.nan]])
    assert table.slices == {"language": ("ko", "ko", "en", ""), "long": ("true", "true", "3", "")}
    assert table.clusters == ("d1", "d1", "d1", "c")
    assert table.reasons == (None, None, None, reasons.NOT_GENERATED)
    assert table.digests == (b.digest, b.digest, a.digest, c.digest)
    assert table.outputs[0] == table.outputs[2] != table.outputs[1]
    assert table.outputs[3] == ""
    assert ledger.table(run.id, "exact").stats is None
    with pytest.raises(StoreError, match="no metric 'rouge'; it has: bleu, exact"):
        ledger.table(run.id, "rouge")


def test_only_the_statistics_of_corpus_metrics_are_columns(ledger: SqlLedger, given: Any) -> None:
    """A judge's single scores are kept with its score, and are of any length."""
    run, a, b = given.start(ledger), given.sample("a"), given.sample("b")
    scores = [given.score(a, Score(0.5, stats=(0.0, 1.0))), given.score(b, Score(0.0, stats=(0.0, 0.0)))]
    ledger.record(run.id, [a, b], [given.answer(a), given.answer(b)], scores, given.at)
    assert ledger.table(run.id, "exact").stats is None
    assert ledger.done(run.id)["a", 0][1]["exact"].score.stats == (0.0, 1.0)


def test_answers_from_other_passages_are_other_outputs(ledger: SqlLedger, given: Any) -> None:
    run, a, b = given.start(ledger), given.sample("a"), given.sample("b")
    answers = [given.answer(a, contexts=("p",)), given.answer(b, contexts=("q",))]
    ledger.record(run.id, [a, b], answers, [given.score(a, 1.0), given.score(b, 1.0)], given.at)
    first, second = ledger.table(run.id, "exact").outputs
    assert first != second


def test_results_are_paged_searched_and_chosen(ledger: SqlLedger, given: Any) -> None:
    samples = [
        given.sample("s1", input="배송은 언제 오나요?", references=("이틀 뒤",)),
        given.sample("s2", input=(Message("user", "Where is my ORDER?"),), references=("ÉTÉ",)),
        given.sample("s3"),
        given.sample("s4"),
    ]
    run = given.start(ledger)
    answers = [given.answer(s, f"Answer to {s.id}") for s in samples[:3]] + [given.failure(samples[3], reasons.EMPTY)]
    scores = [given.score(s, 1.0) for s in samples[:2]] + [given.score(samples[2], Score.unscored(reasons.NOT_FINITE))]
    ledger.record(run.id, samples, answers, scores, given.at)

    def ids(**choice: Any) -> list[str]:
        return [result.sample.id for result in ledger.results(run.id, **choice)]

    assert ids() == ["s1", "s2", "s3", "s4"]
    assert ids(limit=2, offset=1) == ["s2", "s3"]
    assert ids(search="배송은") == ids(search="이틀") == ids(search="TO S1") == ["s1"]
    assert ids(search="my order") == ["s2"]
    assert ids(search="nowhere") == ids(search="100%") == ids(search="s_") == []
    assert ids(unscored_only=True) == ["s3", "s4"]
    assert ids(sample_ids=["s4", "s1", "s9"]) == ["s1", "s4"]
    assert ids(sample_ids=["s4", "s3", "s1"], offset=1, limit=1) == ["s3"]
    assert ids(sample_ids=[]) == []


_CORPUS = [
    "'", '"', "''", "--", ";", "%", "_", "\\", "\\'", "%%", "__", "/*", "*/", "\0", "\ud835", "\U0001f600", "${x}",
    ":name", "?", "%s", "%(x)s", "{0}", "' OR '1'='1", "'; DROP TABLE run; --", "\\%", "[a-z]*", "*", "(", "NULL",
    "x" * 100_000, "\r\n\t", "' UNION SELECT * FROM run --", "\x1a", "\ufeff", "ﷺ", "İ", "ẞ", "1e309", "$1", "$$",
]  # fmt: skip


def test_any_search_finds_exactly_what_holds_it(ledger: SqlLedger, given: Any) -> None:  # SEC-17
    run, empty = given.start(ledger), given.sample("empty")
    samples = {part: given.sample(f"with {number}") for number, part in enumerate(_CORPUS)}
    answers = [given.answer(sample, f"<{part}>") for part, sample in samples.items()]
    ledger.record(run.id, [empty, *samples.values()], [given.answer(empty, "<>"), *answers], [], given.at)
    for part in _CORPUS:
        found = {result.sample.id for result in ledger.results(run.id, search=part)}
        assert found >= {samples[part].id}
        assert found == {s.id for text, s in samples.items() if part.lower() in f"<{text.lower()}>"}, part
        assert ledger.results(run.id, sample_ids=[part]) == []
        assert ledger.runs(part) == []
        assert ledger.baseline(part, part) is None
        with pytest.raises(StoreError, match="there is no run"):
            ledger.run(part)


def test_a_run_that_is_worked_on_is_not_for_others(ledger: SqlLedger, reopen: Reopen, given: Any) -> None:  # STO-14
    run, other = given.start(ledger), reopen()
    assert other.unfinished("support", run.manifest.digest) is None
    with pytest.raises(StoreError, match=rf"worked on by process {os.getpid()} on "):
        other.resume(run.id)
    with pytest.raises(StoreError, match="who works on it alone may end it"):
        other.finish(run.id, RunStatus.INTERRUPTED, given.at)
    with pytest.raises(StoreError, match="resume it first"):
        other.record(run.id, [], [], [], given.at)
    ledger.record(run.id, [], [], [], given.at)


def _died(ledger: SqlLedger, run: Run) -> None:
    """Let whoever works on a run be a process of this machine that is no more."""
    dead = RUN.update().where(RUN.c.id == run.id).values(owner_started="0")
    ledger._database.write("dying", lambda connection: connection.execute(dead))


@pytest.mark.parametrize("ends", [RunStatus.FINISHED, RunStatus.INTERRUPTED, None])
def test_who_lost_a_run_changes_nothing_of_it(
    ledger: SqlLedger, reopen: Reopen, given: Any, ends: RunStatus | None
) -> None:  # STO-14
    run, other = given.start(ledger), reopen()
    _died(ledger, run)
    other.resume(run.id)
    if ends is None:
        _died(ledger, run)
        with pytest.raises(StoreError, match="who took it up from this process did not end it"):
            ledger.finish(run.id, RunStatus.STOPPED, given.later(2), "it slept")
        assert other.run(run.id).status is RunStatus.RUNNING
        return
    ended = other.finish(run.id, ends, given.later(1), "as it was")
    other.save_estimates(run.id, [Estimate("exact", "", 1.0, 1.0, 1.0, 3, 3, 0)])
    for status in (RunStatus.STOPPED, RunStatus.FINISHED):
        assert ledger.finish(run.id, status, given.later(2), "it slept") == ended
    assert other.run(run.id) == ended
    assert len(other.estimates(run.id)) == 1


def test_a_ledger_that_closes_gives_its_runs_back(ledger: SqlLedger, reopen: Reopen, given: Any) -> None:
    run = given.start(ledger)
    ledger.close()
    other = reopen()
    assert other.unfinished("support", run.manifest.digest) == run
    assert other.resume(run.id) == run
    other.record(run.id, [], [], [], given.at)


def test_the_newest_unfinished_run_of_the_manifest_is_continued(ledger: SqlLedger, reopen: Reopen, given: Any) -> None:
    mine, others = given.manifest("exact"), given.manifest("chrf")
    for manifest, status in (
        (mine, RunStatus.INTERRUPTED),
        (mine, RunStatus.STOPPED),
        (mine, RunStatus.FINISHED),
        (others, RunStatus.INTERRUPTED),
    ):
        ledger.finish(given.start(ledger, manifest).id, status, given.later(1), "why")
    found = ledger.unfinished("support", mine.digest)
    assert found is not None
    assert found.id == "support.2"
    resumed = ledger.resume(found.id)
    assert (resumed.status, resumed.finished_at, resumed.note) == (RunStatus.RUNNING, None, None)
    assert ledger.run(found.id) == resumed
    with pytest.raises(StoreError, match="finished: there is nothing to continue"):
        ledger.resume("support.3")


_WORKER = """
import sys, datetime
from haetae.core.metric import MetricFacts
from haetae.core.run import Manifest
from haetae.store.sql import open_ledger
url, what = sys.argv[1:]
ledger = open_ledger(url)
at = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
manifest = Manifest({"suite": "support"}, {}, {}, {"exact": MetricFacts("exact", "1")})
print("ready", flush=True)
sys.stdin.readline()
for i in range(25):
    if what == "start":
        print(ledger.start("support", manifest, 1, at, 0, {}).number, flush=True)
    else:
        print(ledger.register("prompt", "answer", {"text": f"{what} {i}"}, at)[0].number, flush=True)
sys.stdin.readline()
"""


def _worker(url: str, what: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WORKER, url, what]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def _go(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()


@pytest.mark.parametrize(("what", "expected"), [(("start", "start"), 50), (("one", "two"), 50), (("one", "one"), 25)])
def test_two_processes_at_once_lose_and_double_nothing(
    ledger: SqlLedger, ledger_url: str, what: tuple[str, str], expected: int
) -> None:  # REG-03
    workers = [_worker(ledger_url, each) for each in what]
    for worker in workers:
        _go(worker)
    numbers = [int(line) for worker in workers for line in worker.communicate("\n", timeout=60)[0].split()]
    assert len(numbers) == 50
    assert sorted(set(numbers)) == list(range(1, expected + 1))
    kept = ledger.runs("support") if what[0] == "start" else ledger.versions("prompt", "answer")
    assert sorted(one.number for one in kept) == list(range(1, expected + 1))


def test_a_run_of_a_killed_process_is_free_and_of_a_living_one_is_not(
    ledger: SqlLedger, ledger_url: str, given: Any
) -> None:  # STO-14
    worker = _worker(ledger_url, "start")
    _go(worker)
    assert worker.stdout is not None
    numbers = [worker.stdout.readline() for _ in range(25)]
    assert numbers[-1] == "25\n"
    digest = ledger.run("support.25").manifest.digest
    with pytest.raises(StoreError, match=f"worked on by process {worker.pid} on "):
        ledger.resume("support.25")
    assert ledger.unfinished("support", digest) is None
    worker.kill()
    worker.communicate()
    found = ledger.unfinished("support", digest)
    assert found is not None
    assert ledger.resume(found.id).id == "support.25"


def test_runs_that_ask_everything_again_and_the_others_do_not_hide_one_another(ledger: SqlLedger, given: Any) -> None:
    plain, fresh = given.manifest(), replace(given.manifest(), epoch="2026-03-01")
    for manifest in (fresh, plain, fresh, plain, plain):
        ledger.finish(given.start(ledger, manifest).id, RunStatus.INTERRUPTED, given.later(1))
    newest = [ledger.unfinished("support", plain.digest, fresh=fresh) for fresh in (True, False)]
    assert [found and found.id for found in newest] == ["support.3", "support.5"]


def test_a_run_under_a_digest_of_older_rules_and_another_name_of_its_dataset_is_found(
    ledger: SqlLedger, given: Any
) -> None:
    run = given.start(ledger)
    ledger.finish(run.id, RunStatus.INTERRUPTED, given.later(1))
    ledger._database.write("ageing", lambda c: c.exec_driver_sql("UPDATE run SET manifest_digest = 'of older rules'"))
    renamed = replace(run.manifest, dataset={**run.manifest.dataset, "name": "renamed/samples.jsonl"})
    found = ledger.unfinished("support", renamed.digest)
    assert found is not None
    assert found.id == run.id


def test_a_finished_run_without_estimates_has_yet_to_be_reported(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger)
    estimate = Estimate("exact", "", 0.5, 0.1, 0.9, 2, 2, 0, 0.95)
    ledger.save_estimates(run.id, [estimate])  # of what there was when it was interrupted
    ledger.finish(run.id, RunStatus.FINISHED, given.later(1))
    found = ledger.unreported("support", run.manifest.digest)
    assert found is not None
    assert [one.run.id for one in ledger.unfinished_runs()] == [found.id] == [run.id]
    ledger.save_estimates(run.id, [estimate])
    assert ledger.unreported("support", run.manifest.digest) is None
    assert ledger.unfinished_runs() == []


def test_what_is_asked_again_adds_to_what_was_spent(ledger: SqlLedger, given: Any) -> None:
    run, sample, usage = given.start(ledger), given.sample(), Usage(input=3, output=1)
    failed = Score(None, reason=reasons.JUDGE_FAILED, calls=3)
    spent = []
    for second in range(1, 4):
        score = Score(1.0, usage=usage, cost_usd=0.5, calls=2) if second == 3 else failed
        answer = given.answer(sample) if second == 3 else given.failure(sample, reasons.SERVER_ERROR, attempts=2)
        for _ in range(2):  # the answer to the first commit was lost
            ledger.record(run.id, [sample], [answer], [given.score(sample, score)], given.later(second))
        spent.append(ledger.spent(run.id))
    assert [one.calls for one in spent] == [2 + 3, 4 + 6, 5 + 8]
    assert (spent[-1].tokens, spent[-1].cost_usd, spent[-1].unpriced_calls) == (4, 0.5, 5)


def test_what_no_row_tells_of_is_spent_all_the_same(ledger: SqlLedger, given: Any) -> None:
    run = given.start(ledger)
    for number in (1, 2):
        ended = ledger.finish(run.id, RunStatus.INTERRUPTED, given.later(number), unkept=Unkept(2, 10, 0.25))
        assert ledger.run(run.id) == ended
        ledger.resume(run.id)
    assert ledger.spent(run.id) == Spent(calls=4, tokens=20, cost_usd=0.5)
