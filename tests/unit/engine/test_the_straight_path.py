"""Generate, score, commit, each sample once: whatever fails, every sample is accounted for."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haetae.core import reasons
from haetae.core.canonical import digest
from haetae.core.generation import Failure, Generation, Stage, Usage
from haetae.core.run import GenerationRow, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.budget import Meter
from haetae.engine.committer import Committer
from haetae.engine.evaluate import Evaluation
from haetae.engine.tally import Tally
from haetae.engine.watch import Progress
from haetae.errors import ConfigError, JudgeError, StoreError, TargetError

QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def _samples(count: int) -> list[Sample]:
    return [Sample(str(i), f"question {i}", ("reference",)) for i in range(count)]


def _evaluate(fakes: Any, ledger: Any, target: Any, metrics: dict[str, Any], count: int = 8, **options: Any) -> Any:
    """One whole evaluation; the Evaluation, for what it knows of itself."""
    repeats = options.get("repeats", 1)
    run = options.pop("run", None) or fakes.run(count * repeats)
    made = Evaluation(
        run=run,
        samples=_samples(count),
        target=target,
        metrics=metrics,
        ledger=ledger,
        clock=options.pop("clock", None) or fakes.Clock(),
        tally=Tally(run, fakes.Clock(), Meter(), options.pop("watcher", None)),
        **{"in_flight": 4, **options},
    )

    async def work() -> None:
        await made()

    asyncio.run(work())
    return made


_OUTCOMES = st.sampled_from(["answer", *sorted({reasons.TIMEOUT, reasons.MALFORMED, reasons.TRUNCATED, reasons.EMPTY})])
_SCORES = st.sampled_from(
    [1.0, 0.0, float("nan"), 2.0, ValueError("bad"), None, "not a score", Score.unscored("not_measured")]
)


@QUIET
@given(
    outcomes=st.lists(st.tuples(_OUTCOMES, _SCORES), min_size=1, max_size=12),
    repeats=st.integers(1, 3),
    in_flight=st.integers(1, 5),
)
def test_every_sample_is_scored_or_unscored_with_a_reason(
    outcomes: list[Any], repeats: int, in_flight: int, fakes: Any
) -> None:
    ledger, count = fakes.Ledger(), len(outcomes)
    target = fakes.Target(lambda i, n: i if outcomes[int(i)][0] == "answer" else Failure(outcomes[int(i)][0], "no"))
    metrics = {
        "computed": fakes.Metric(lambda output: outcomes[int(output)][1]),
        "judged": fakes.Metric(lambda output: outcomes[int(output)][1], judge={"model": "j"}),
    }
    made = _evaluate(fakes, ledger, target, metrics, count, repeats=repeats, in_flight=in_flight)
    assert not made.stopped_early
    assert len(ledger.generations) == count * repeats
    for name in metrics:
        rows = [row for (_, _, metric), row in ledger.scores.items() if metric == name]
        scored = sum(row.score.value is not None for row in rows)
        unscored = sum(row.score.reason is not None for row in rows)
        assert scored + unscored == count * repeats
        good = sum(kind == "answer" and said in (1.0, 0.0) and isinstance(said, float) for kind, said in outcomes)
        assert scored == good * repeats
    assert sorted(target.asked) == sorted([str(i) for i in range(count)] * repeats)


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (ValueError("password=hunter2hunter2"), reasons.METRIC_RAISED),
        (ConfigError("p: sample 's': metadata has no topic"), reasons.METRIC_RAISED),
        (float("nan"), reasons.METRIC_RAISED),  # a Score refuses to be NaN
        (0.5, reasons.METRIC_RAISED),
        (Score(1.5, cost_usd=0.25), reasons.OUT_OF_RANGE),
        (Score(-0.1), reasons.OUT_OF_RANGE),
        (Score(0.5, stats=(float("nan"),)), reasons.NOT_FINITE),
        (Score(0.5, stats=("a",)), reasons.METRIC_RAISED),  # type: ignore[arg-type]  # what a careless metric does
        (Score(0.5, explanation=object()), reasons.METRIC_RAISED),  # type: ignore[arg-type]  # likewise
        (Score(0.5, model=5), reasons.METRIC_RAISED),  # type: ignore[arg-type]  # likewise
        (Score(0.5, usage={"input": 1}), reasons.METRIC_RAISED),  # type: ignore[arg-type]  # likewise
        (Score(0.5, usage=Usage(2**63 - 1)), reasons.METRIC_RAISED),
        (Score(0.5, calls=10**30), reasons.METRIC_RAISED),
        (Score(0.5, cost_usd="free"), reasons.METRIC_RAISED),  # type: ignore[arg-type]  # likewise
        (Score(None, reason=5), reasons.METRIC_RAISED),  # type: ignore[arg-type]  # likewise
        (Score.unscored("no_claims"), "no_claims"),
    ],
)
def test_a_metric_that_goes_wrong_is_unscored_with_a_reason(says: Any, reason: str, fakes: Any, ledger: Any) -> None:
    metric = fakes.Metric()
    metric.says = lambda output: (_ for _ in ()).throw(says) if isinstance(says, Exception) else says
    if says == 0.5:
        metric.says = lambda output: "no score at all"
    _evaluate(fakes, ledger, fakes.Target(lambda i, n: "x"), {"m": metric}, 1)
    (row,) = ledger.scores.values()
    assert (row.score.value, row.score.reason) == (None, reason)
    assert "hunter2" not in (row.score.explanation or "")
    if reason == reasons.OUT_OF_RANGE and isinstance(says, Score):
        assert row.score.cost_usd == says.cost_usd  # what it cost was spent all the same


@pytest.mark.parametrize("cost", [float("inf"), float("nan"), -1.0, 1e308])
def test_a_cost_that_cannot_be_added_up_is_unknown(cost: float, fakes: Any, ledger: Any) -> None:
    metric = fakes.Metric(lambda output: Score(1.0, cost_usd=cost))
    _evaluate(fakes, ledger, fakes.Target(lambda i, n: "x"), {"m": metric}, 1)
    (row,) = ledger.scores.values()
    assert (row.score.value, row.score.cost_usd) == (1.0, None)


@pytest.mark.parametrize(
    ("need", "reason"),
    [
        ("reference", reasons.MISSING_REFERENCE),
        ("contexts", reasons.MISSING_CONTEXT),
        ("usage", reasons.NOT_MEASURED),
        ("latency", reasons.NOT_MEASURED),
        ("cost", reasons.NO_PRICE),
    ],
)
def test_what_a_sample_lacks_is_said_and_the_metric_not_called(need: str, reason: str, fakes: Any, ledger: Any) -> None:
    metric = fakes.Metric(needs=frozenset({need}))
    made = Evaluation(
        run=fakes.run(1),
        samples=[Sample("s", "q", (" ",), (" ",))],
        target=fakes.Target(lambda i, n: "x"),
        metrics={"m": metric},
        ledger=ledger,
        clock=fakes.Clock(),
        tally=Tally(fakes.run(1), fakes.Clock(), Meter()),
    )

    async def work() -> None:
        await made()

    asyncio.run(work())
    (row,) = ledger.scores.values()
    assert row.score.reason == reason
    assert metric.calls == 0


@pytest.mark.parametrize(("found", "called"), [(None, 1), ((), 0), ((" ",), 0), (("x",), 1)])
def test_contexts_of_the_sample_stand_in_only_where_the_target_tells_of_no_search(
    found: tuple[str, ...] | None, called: int, fakes: Any, ledger: Any
) -> None:
    metric = fakes.Metric(needs=frozenset({"contexts"}))
    made = Evaluation(
        run=fakes.run(1),
        samples=[Sample("s", "q", contexts=("given",))],
        target=fakes.Target(lambda i, n: Generation("x", contexts=found)),
        metrics={"m": metric},
        ledger=ledger,
        clock=fakes.Clock(),
        tally=Tally(fakes.run(1), fakes.Clock(), Meter()),
    )

    async def work() -> None:
        await made()

    asyncio.run(work())
    assert metric.calls == called


@pytest.mark.parametrize(("need", "part"), [("latency", "latency_s"), ("cost", "cost_usd")])
def test_a_measure_of_one_stage_is_not_lacking_because_the_whole_was_not_measured(
    need: str, part: str, fakes: Any, ledger: Any
) -> None:
    metric = fakes.Metric(needs=frozenset({need}))
    answer = Generation("x", stages=(Stage("search"), Stage("rerank", **{part: 0.5})))
    _evaluate(fakes, ledger, fakes.Target(lambda i, n: answer), {"m": metric}, 1)
    assert metric.calls == 1


def test_going_on_does_only_what_is_missing(fakes: Any, ledger: Any) -> None:
    first = fakes.Target(lambda i, n: TargetError("the key is wrong") if i == "5" else "x")
    with pytest.raises(TargetError):
        _evaluate(fakes, ledger, first, {"m": fakes.Metric()}, in_flight=1)
    kept = {name for name, _ in ledger.generations}
    assert kept == {"0", "1", "2", "3", "4"}
    second, metric = fakes.Target(lambda i, n: "x"), fakes.Metric()
    made = _evaluate(fakes, ledger, second, {"m": metric})
    assert sorted(second.asked) == ["5", "6", "7"]
    assert metric.calls == 3
    assert not made.stopped_early
    third = fakes.Target(lambda i, n: "x")
    _evaluate(fakes, ledger, third, {"m": metric})
    assert third.asked == []


@pytest.mark.parametrize("reason", sorted(reasons.RETRIED - {reasons.JUDGE_FAILED}))
def test_what_was_the_weathers_fault_is_asked_again(reason: str, fakes: Any, ledger: Any) -> None:
    _evaluate(fakes, ledger, fakes.Target(lambda i, n: Failure(reason, "later")), {"m": fakes.Metric()}, 2)
    again = fakes.Target(lambda i, n: "x")
    _evaluate(fakes, ledger, again, {"m": fakes.Metric()}, 2)
    assert sorted(again.asked) == ["0", "1"]
    assert {row.score.value for row in ledger.scores.values()} == {1.0}


@pytest.mark.parametrize("reason", [reasons.CONTENT_FILTER, reasons.TRUNCATED, reasons.EMPTY, reasons.TARGET_RAISED])
def test_what_is_a_fact_about_the_answer_is_not(reason: str, fakes: Any, ledger: Any) -> None:
    _evaluate(fakes, ledger, fakes.Target(lambda i, n: Failure(reason, "no")), {"m": fakes.Metric()}, 2)
    again = fakes.Target(lambda i, n: "x")
    _evaluate(fakes, ledger, again, {"m": fakes.Metric()}, 2)
    assert again.asked == []


def test_a_judge_that_failed_is_asked_again_and_the_target_is_not(fakes: Any, ledger: Any) -> None:  # JDG-06, STO-17
    down = fakes.Metric(lambda output: Score.unscored(reasons.JUDGE_FAILED), judge={"model": "j"})
    _evaluate(fakes, ledger, fakes.Target(lambda i, n: "x"), {"m": down}, 3)
    again, up = fakes.Target(lambda i, n: "x"), fakes.Metric(judge={"model": "j"})
    _evaluate(fakes, ledger, again, {"m": up}, 3)
    assert again.asked == []
    assert up.calls == 3
    assert {row.score.value for row in ledger.scores.values()} == {1.0}


def test_an_answer_is_kept_before_its_judge_is_asked(fakes: Any, ledger: Any) -> None:  # STO-17
    metric = fakes.Metric(lambda output: JudgeError("no such judge"), judge={"model": "j"})
    with pytest.raises(JudgeError):
        _evaluate(fakes, ledger, fakes.Target(lambda i, n: "x"), {"m": metric, "c": fakes.Metric()}, 1)
    assert list(ledger.generations) == [("0", 0)]
    assert list(ledger.scores) == [("0", 0, "c")]


def test_answers_of_an_earlier_run_are_taken_where_nothing_else_fixes_them(fakes: Any, ledger: Any) -> None:
    sample = _samples(1)[0]
    key = digest(digest({"kind": "fake"}), sample.text, 0, "")
    ledger.earlier[key] = GenerationRow("0", 0, key, sample.digest, Generation("earlier"))
    target = fakes.Target(lambda i, n: "new")
    _evaluate(fakes, ledger, target, {"m": fakes.Metric()}, 2)
    assert target.asked == ["1"]
    assert ledger.generations["0", 0].reused
    for options in ({"reuse": False}, {"run": fakes.run(2, epoch="tonight")}):
        fresh = fakes.Ledger(earlier=ledger.earlier)
        target = fakes.Target(lambda i, n: "new")
        _evaluate(fakes, fresh, target, {"m": fakes.Metric()}, 2, **options)
        assert sorted(target.asked) == ["0", "1"]
    application = fakes.Target(lambda i, n: "new", reusable=False)
    _evaluate(fakes, fakes.Ledger(earlier=ledger.earlier), application, {"m": fakes.Metric()}, 2)
    assert sorted(application.asked) == ["0", "1"]


def test_what_another_run_is_answered_meanwhile_is_not_asked_again(fakes: Any, ledger: Any) -> None:
    samples, clock = _samples(3), fakes.Clock()

    def answer(sample_id: str, time: int) -> str:
        """A slow first answer, during which another run gets the second one, and a quick one."""
        clock.seconds += 5.0 if sample_id == "0" else 0.1
        key = digest(digest({"kind": "fake"}), samples[1].text, 0, "")
        ledger.earlier[key] = GenerationRow("1", 0, key, samples[1].digest, Generation("of another run"))
        return "ours"

    target = fakes.Target(answer)
    _evaluate(fakes, ledger, target, {"m": fakes.Metric()}, 3, in_flight=1, clock=clock)
    assert target.asked == ["0", "2"]
    assert [row.reused for row in ledger.generations.values()] == [False, True, False]


def test_judgements_of_the_same_answer_are_taken_again_and_never_a_failed_one(fakes: Any, ledger: Any) -> None:
    judge = fakes.Metric(judge={"model": "j"})
    _evaluate(fakes, ledger, fakes.Target(lambda i, n: "x"), {"m": judge}, 2)
    found = {row.key: row for row in ledger.scores.values()}
    other = fakes.Ledger(earlier_scores=found)
    again = fakes.Metric(judge={"model": "j"})
    _evaluate(fakes, other, fakes.Target(lambda i, n: "x", free=True, reusable=False), {"m": again}, 2)
    assert again.calls == 0
    assert all(row.reused for row in other.scores.values())
    changed = fakes.Metric(judge={"model": "another"})
    _evaluate(fakes, fakes.Ledger(earlier_scores=found), fakes.Target(lambda i, n: "x"), {"m": changed}, 2)
    assert changed.calls == 2
    failing = fakes.Target(lambda i, n: Failure("truncated", "no"))
    _evaluate(fakes, fakes.Ledger(earlier_scores=found), failing, {"m": again}, 2)
    assert again.calls == 0


def test_the_address_of_a_measured_score_is_the_call_itself(fakes: Any, ledger: Any) -> None:
    metrics = {"latency": fakes.Metric(needs=frozenset({"latency"})), "plain": fakes.Metric()}
    target = fakes.Target(lambda i, n: Generation("x", latency_s=float(i) / 10))
    made = [Sample("0", "q"), Sample("1", "q")]

    async def work() -> None:
        await Evaluation(
            run=fakes.run(4),
            samples=made,
            target=target,
            metrics=metrics,
            ledger=ledger,
            clock=fakes.Clock(),
            tally=Tally(fakes.run(1), fakes.Clock(), Meter()),
            repeats=2,
        )()

    asyncio.run(work())
    keys = {key: row.key for key, row in ledger.scores.items()}
    assert keys["0", 0, "plain"] == keys["0", 1, "plain"]
    assert keys["0", 0, "latency"] != keys["0", 1, "latency"]


def test_stopping_lets_what_is_in_flight_finish_and_takes_nothing_new(fakes: Any, ledger: Any) -> None:
    holder: list[Evaluation] = []

    def answer(name: str, times: int) -> str:
        if name == "3":
            holder[0].stop()
        return "x"

    target = fakes.Target(answer)

    async def work() -> None:
        holder.append(
            Evaluation(
                run=fakes.run(50),
                samples=_samples(50),
                target=target,
                metrics={"m": fakes.Metric()},
                ledger=ledger,
                clock=fakes.Clock(),
                tally=Tally(fakes.run(1), fakes.Clock(), Meter()),
                in_flight=4,
            )
        )
        await holder[0]()

    asyncio.run(work())
    assert 4 <= len(target.asked) <= 8
    assert {name for name, _ in ledger.generations} == set(target.asked)
    assert holder[0].stopped_early


def test_being_cancelled_keeps_what_was_finished(fakes: Any, ledger: Any) -> None:  # END-18
    async def work() -> None:
        stuck = asyncio.Event()

        class Target(fakes.Target):  # type: ignore[misc]  # a fake of a fake
            async def generate(self, sample: Sample, request: Any, repeat: int) -> Any:
                if int(sample.id) >= 6:
                    await stuck.wait()
                return await super().generate(sample, request, repeat)

        def watch(progress: Progress) -> None:
            if progress.done == 6:
                task.cancel()

        made = Evaluation(
            run=fakes.run(20),
            samples=_samples(20),
            target=Target(lambda i, n: "x"),
            metrics={"m": fakes.Metric()},
            ledger=ledger,
            clock=fakes.Clock(),
            tally=Tally(fakes.run(20), fakes.Clock(), Meter(), watch),
            in_flight=3,
        )
        task = asyncio.ensure_future(made())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert made.stopped_early
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(work())
    assert len(ledger.generations) == 6


def test_a_ledger_that_cannot_write_ends_the_run(fakes: Any) -> None:  # STO-06
    ledger = fakes.Ledger(broken_after=1)
    target = fakes.Target(lambda i, n: "x")
    with pytest.raises(StoreError, match="disk is full"):
        _evaluate(fakes, ledger, target, {"m": fakes.Metric()}, 10_000, in_flight=2)
    assert len(target.asked) < 8_000  # two commits of at most 4,096 rows, and as many waiting, are 6,144 samples


def test_a_wrong_sample_found_on_the_way_ends_the_run_and_keeps_the_rest(fakes: Any, ledger: Any) -> None:
    class Target(fakes.Target):  # type: ignore[misc]  # a fake of a fake
        def request(self, sample: Sample) -> Any:
            if sample.id == "300":
                raise ConfigError("sample '300' lacks a variable")
            return sample.text

    with pytest.raises(ConfigError, match="sample '300'"):
        _evaluate(fakes, ledger, Target(lambda i, n: "x"), {"m": fakes.Metric()}, 400)
    assert len(ledger.generations) == 256


def test_rows_wait_up_to_a_limit_and_no_further(fakes: Any) -> None:
    ledger = fakes.Ledger(gate=threading.Event())
    waiting: list[int] = []

    async def work() -> None:
        committer = Committer(ledger, "s.1", fakes.Clock(), lambda batch: None, capacity=10)

        async def put(number: int) -> None:
            sample = Sample(str(number), "q")
            generation = GenerationRow(sample.id, 0, "k", sample.digest, Generation("x"))
            score = ScoreRow(sample.id, 0, "m", "k", Score(1.0))
            await committer.put(sample, generation, [score], finished=True)
            waiting.append(number)

        puts = [asyncio.create_task(put(number)) for number in range(100)]
        for _ in range(50):
            await asyncio.sleep(0)
        # at most one batch is being written and one is filling up
        assert len(waiting) <= 12
        ledger.gate.set()
        await asyncio.gather(*puts)
        await committer.close()

    asyncio.run(work())
    assert len(ledger.generations) == 100
    assert ledger.largest <= 11


def test_progress_is_told_after_the_commit(fakes: Any, ledger: Any) -> None:
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        assert progress.done <= len(ledger.generations)
        seen.append(progress)

    target = fakes.Target(lambda i, n: Failure("truncated", "no") if i == "0" else "x")
    _evaluate(fakes, ledger, target, {"m": fakes.Metric()}, 5, watcher=watch)
    last = seen[-1]
    assert (last.done, last.total, last.failed, last.unscored, last.cost_usd) == (5, 5, 1, 1, None)
