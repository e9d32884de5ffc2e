"""Asking, judging and committing go on side by side, and each waits for the others before memory grows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from haetae.core.run import GenerationRow, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.engine.budget import Meter
from haetae.engine.committer import Committer
from haetae.engine.evaluate import Evaluation
from haetae.engine.lookups import LookUps
from haetae.engine.tally import Tally
from haetae.errors import StoreError

IN_FLIGHT = 3


def _evaluation(fakes: Any, ledger: Any, target: Any, metrics: dict[str, Any], count: int) -> Evaluation:
    run = fakes.run(count)
    return Evaluation(
        run=run,
        samples=(Sample(str(number), f"question {number}") for number in range(count)),
        target=target,
        metrics=metrics,
        ledger=ledger,
        clock=fakes.Clock(),
        tally=Tally(run, fakes.Clock(), Meter()),
        in_flight=IN_FLIGHT,
    )


async def _turns(times: int = 300) -> None:
    """Let everything go on that can."""
    for _ in range(times):
        await asyncio.sleep(0)


async def _until(reached: Callable[[], bool]) -> None:
    while not reached():  # noqa: ASYNC110  # what is waited for happens in a thread, or says nothing when it happens
        await asyncio.sleep(0)


def test_a_judge_that_takes_its_time_holds_up_no_target_until_so_many_wait_for_it(fakes: Any, ledger: Any) -> None:
    target = fakes.Target(lambda name, times: "x")
    judge = fakes.Metric(judge={"model": "j"})

    async def work() -> None:
        thinking: list[str] = []
        told = asyncio.Event()

        async def score(sample: Sample, generation: Any) -> Score:
            thinking.append(sample.id)
            await told.wait()
            return Score(1.0)

        judge.score = score
        running = asyncio.create_task(_evaluation(fakes, ledger, target, {"j": judge}, 20)())
        await _until(lambda: len(ledger.generations) == 2 * IN_FLIGHT)  # each is kept before its judge is asked
        await _turns()
        assert len(thinking) == IN_FLIGHT
        assert len(target.asked) == 2 * IN_FLIGHT
        told.set()
        await running

    asyncio.run(work())
    assert len(ledger.scores) == 20


def test_a_ledger_that_is_slow_slows_the_asking(fakes: Any) -> None:
    ledger = fakes.Ledger(gate=threading.Event())
    target = fakes.Target(lambda name, times: "x")

    async def work() -> None:
        running = asyncio.create_task(_evaluation(fakes, ledger, target, {"m": fakes.Metric()}, 20)())
        await _until(lambda: len(target.asked) == IN_FLIGHT)
        await _turns()
        assert len(target.asked) == IN_FLIGHT
        ledger.gate.set()
        await running

    asyncio.run(work())
    assert len(ledger.generations) == 20


@pytest.mark.parametrize("judged", [False, True])
def test_what_a_killed_process_has_paid_for_in_vain_is_at_most_what_was_in_flight(
    judged: bool, fakes: Any, ledger: Any
) -> None:
    in_vain: list[int] = []

    def answer(name: str, times: int) -> str:
        in_vain.append(len(target.asked) - len(ledger.generations))
        return name

    target = fakes.Target(answer)
    metrics = {"m": fakes.Metric(judge={"model": "j"} if judged else None)}
    asyncio.run(_evaluation(fakes, ledger, target, metrics, 60)())  # type: ignore[arg-type]  # a coroutine
    assert len(ledger.generations) == len(in_vain) == 60
    assert max(in_vain) <= IN_FLIGHT


def test_a_judge_at_the_endpoint_of_the_target_shares_what_may_be_in_flight_with_it(fakes: Any, ledger: Any) -> None:
    place = {"base_url": "http://127.0.0.1:1/v1"}
    target = fakes.Target(lambda name, times: name, fingerprint={"model": place})
    in_vain: list[int] = []

    def says(output: str) -> float:
        in_vain.append(len(target.asked) + judge.calls - len(ledger.generations) - len(ledger.scores))
        return 1.0

    judge = fakes.Metric(says, judge=place)
    asyncio.run(_evaluation(fakes, ledger, target, {"j": judge}, 40)())  # type: ignore[arg-type]  # a coroutine
    assert len(ledger.scores) == len(in_vain) == 40
    assert max(in_vain) <= IN_FLIGHT


def test_what_costs_nothing_does_not_wait_for_the_disk(fakes: Any) -> None:
    ledger = fakes.Ledger(gate=threading.Event())
    target = fakes.Target(lambda name, times: "x", free=True, reusable=False)

    async def work() -> None:
        running = asyncio.create_task(_evaluation(fakes, ledger, target, {"m": fakes.Metric()}, 20)())
        await _until(lambda: len(target.asked) == 20)
        assert not ledger.generations
        ledger.gate.set()
        await running

    asyncio.run(work())
    assert len(ledger.generations) == 20


def _row(number: int) -> tuple[Sample, GenerationRow]:
    sample = Sample(str(number), "q")
    return sample, GenerationRow(sample.id, 0, "k", sample.digest, Score(1.0))  # type: ignore[arg-type]  # kept as it is


def test_rows_that_come_together_are_committed_together_and_kept_when_it_is_said(fakes: Any, ledger: Any) -> None:
    told: list[int] = []

    async def work() -> None:
        committer = Committer(ledger, "s.1", fakes.Clock(), lambda batch: told.append(len(batch)), at_once=100)

        async def put(number: int) -> None:
            sample, row = _row(number)
            await committer.put(sample, row, [], finished=True)
            await committer.kept()
            assert (sample.id, 0) in ledger.generations

        await asyncio.gather(*map(put, range(25)))
        await committer.close()

    asyncio.run(work())
    assert told == [25]  # a quarter of a hundred is enough to begin with


def test_who_waits_for_rows_that_cannot_be_kept_is_told_why(fakes: Any) -> None:
    ledger = fakes.Ledger(broken_after=0)

    async def work() -> None:
        committer = Committer(ledger, "s.1", fakes.Clock(), lambda batch: None)
        sample, row = _row(1)
        await committer.put(sample, row, [], finished=True)
        with pytest.raises(StoreError, match="disk is full"):
            await committer.kept()
        with pytest.raises(StoreError, match="disk is full"):
            await committer.put(sample, row, [], finished=True)
        with pytest.raises(StoreError, match="disk is full"):
            await committer.close()

    asyncio.run(work())


class _Shelf:
    """A ledger that answers when it is let, and keeps what it was asked for."""

    def __init__(self, error: StoreError | None = None) -> None:
        self.asked: list[list[str]] = []
        self.gate = threading.Event()
        self._error = error

    def find_scores(self, keys: Sequence[str]) -> Mapping[str, ScoreRow]:
        self.asked.append(list(keys))
        self.gate.wait()
        if self._error:
            raise self._error
        return {key: ScoreRow("s", 0, "m", key, Score(1.0)) for key in keys if key != "new"}


def test_judgements_asked_for_during_a_look_up_are_looked_up_together_after_it() -> None:
    shelf = _Shelf()

    async def work() -> list[Mapping[str, ScoreRow]]:
        earlier = LookUps(shelf.find_scores)
        first = asyncio.create_task(earlier.find(["a"]))
        await _until(lambda: bool(shelf.asked))
        rest = [asyncio.create_task(earlier.find(keys)) for keys in (["b", "c"], ["new"], ["d"])]
        await _turns(5)
        rest[2].cancel()  # who no longer waits holds up nobody
        shelf.gate.set()
        return await asyncio.gather(first, *rest[:2])

    found = asyncio.run(work())
    assert shelf.asked == [["a"], ["b", "c", "new", "d"]]
    assert ["a" in found[0], "c" in found[1], "new" in found[2]] == [True, True, False]


def test_a_look_up_that_fails_fails_for_all_who_asked_and_the_next_is_made_anew() -> None:
    shelf = _Shelf(StoreError("the disk is gone"))
    shelf.gate.set()

    async def work() -> list[Any]:
        earlier = LookUps(shelf.find_scores)
        said = await asyncio.gather(earlier.find(["a"]), earlier.find(["b"]), return_exceptions=True)
        return [*said, *await asyncio.gather(earlier.find(["c"]), return_exceptions=True)]

    assert [str(error) for error in asyncio.run(work())] == ["the disk is gone"] * 3
