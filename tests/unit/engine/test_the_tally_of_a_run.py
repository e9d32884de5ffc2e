"""What a watcher is told of a run: counts of what is on disk, the pace of late, and also while nothing happens."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation, Usage
from haetae.core.run import GenerationRow, ScoreRow
from haetae.core.score import Score
from haetae.core.suite import BudgetSpec
from haetae.engine.budget import Meter
from haetae.engine.committer import Batch
from haetae.engine.tally import Pace, Tally
from haetae.engine.watch import EndpointState, Progress


def _row(name: str, result: Generation | Failure, reused: bool = False) -> GenerationRow:
    return GenerationRow(name, 0, "key", "digest", result, reused)


def _told(fakes: Any, clock: Any, batches: list[Batch], before: int | None = 0, **options: Any) -> list[Progress]:
    seen: list[Progress] = []

    async def work() -> None:
        run = options.pop("run", fakes.run(10))
        tally = Tally(run, clock, options.pop("meter", Meter()), seen.append, sleep=clock.sleep, **options)
        async with tally.telling(lambda: before):
            for batch in batches:
                tally.committed(batch)
                clock.seconds += 1

    asyncio.run(work())
    return seen


def test_counts_are_of_what_was_committed(fakes: Any, clock: Any) -> None:
    failed = Failure("timeout", "no answer", attempts=5)
    scores = [ScoreRow("a", 0, "m", "key", Score(1.0)), ScoreRow("b", 0, "m", "key", Score.unscored("timeout"))]
    rows = [_row("a", Generation("x", attempts=3)), _row("b", failed), _row("c", Generation("y", attempts=9), True)]
    first, last = _told(fakes, clock, [Batch({}, rows[:2], scores, 2), Batch({}, rows[2:], [], 1)], before=4)
    assert (first.done, first.failed, first.unscored, first.reused, first.retried) == (6, 1, 1, 0, 6)
    assert (last.done, last.failed, last.unscored, last.reused, last.retried) == (7, 1, 1, 1, 6)
    assert (last.total, last.before, last.run, last.suite) == (10, 4, "s.1", "s")


def test_recorded_outputs_took_no_call_and_were_not_retried(fakes: Any, clock: Any) -> None:
    rows = [_row(name, Generation("x", attempts=0)) for name in "abc"]
    assert _told(fakes, clock, [Batch({}, rows, [], 3)])[-1].retried == 0


def test_a_cost_is_told_once_a_call_with_a_price_has_ended(fakes: Any, clock: Any) -> None:
    async def costs() -> list[float | None]:
        meter = Meter()
        for _ in range(3):
            await meter.opened()
        found = [meter.cost_usd]
        for usage, cost in ((None, 0.0), (Usage(1, 1), None), (Usage(1, 1), 0.25)):  # refused, of unknown price, paid
            meter.closed(usage, cost)
            found.append(meter.cost_usd)
        return found

    assert asyncio.run(costs()) == [None, None, None, 0.25]


def test_a_run_that_is_asked_to_end_says_so_at_once(fakes: Any, clock: Any) -> None:
    seen: list[Progress] = []
    meter = Meter()

    async def work() -> None:
        tally = Tally(fakes.run(10), clock, meter, seen.append, sleep=clock.sleep)
        async with tally.telling(lambda: 0):
            meter.stop.ask("interrupted")
            tally.stopping()

    asyncio.run(work())
    assert [progress.stopping for progress in seen] == ["interrupted"]


def test_each_failure_is_told_once(fakes: Any, clock: Any) -> None:
    batch = Batch({}, [_row("b", Failure("timeout", "no answer", attempts=5))], [], 1)
    first, last = _told(fakes, clock, [batch, Batch()])
    assert [(f.sample_id, f.reason, f.attempts) for f in first.failures] == [("b", "timeout", 5)]
    assert last.failures == ()


def test_a_run_that_waits_for_its_first_answer_is_seen_waiting(fakes: Any, clock: Any) -> None:
    seen: list[Progress] = []
    state = EndpointState("http://a", 64, 64, 0.0)

    async def work() -> None:
        enough = asyncio.Event()

        def watch(progress: Progress) -> None:
            seen.append(progress)
            if len(seen) == 24:
                enough.set()

        tally = Tally(fakes.run(10), clock, Meter(), watch, lambda: (state,), sleep=clock.sleep)
        async with tally.telling(lambda: 0):
            await enough.wait()

    asyncio.run(work())
    last = seen[23]
    assert (last.done, last.in_flight, last.elapsed_s, last.left_s) == (0, 64, 12.0, None)


def test_nothing_is_told_before_it_is_known_what_was_done_before(fakes: Any, clock: Any) -> None:
    assert _told(fakes, clock, [Batch(finished=1)], before=None) == []


def test_a_watcher_that_breaks_while_nothing_is_committed_is_heard_of(fakes: Any, clock: Any) -> None:
    def watch(progress: Progress) -> None:
        raise ZeroDivisionError

    async def work() -> None:
        async with Tally(fakes.run(1), clock, Meter(), watch, sleep=clock.sleep).telling(lambda: 0):
            for _ in range(5):
                await asyncio.sleep(0)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(work())


def test_the_pace_is_that_of_the_last_twenty_seconds() -> None:
    pace = Pace()
    assert pace.per_s(0.0, 0) is None
    for half in range(1, 41):
        steady = pace.per_s(half / 2, half * 50)
    assert steady == pytest.approx(100.0)
    for half in range(41, 121):
        stalled = pace.per_s(half / 2, 2000)
    assert stalled == 0.0


def test_what_is_left_takes_as_long_as_the_pace_says(fakes: Any, clock: Any) -> None:
    told = _told(fakes, clock, [Batch(finished=2), Batch(finished=2), Batch(finished=2)])
    assert [progress.per_s for progress in told] == [None, 2.0, 2.0]
    assert [progress.left_s for progress in told] == [None, 3.0, 2.0]


def test_what_is_left_of_a_budget_is_told(fakes: Any, clock: Any) -> None:
    meter = Meter(BudgetSpec(usd=1.0, tokens=100))

    async def ask() -> None:
        await meter.opened()
        meter.closed(Usage(input=20, output=10), 0.25)

    asyncio.run(ask())
    (told,) = _told(fakes, clock, [Batch()], meter=meter)
    assert told.budget_left == {"usd": 0.75, "tokens": 70}
