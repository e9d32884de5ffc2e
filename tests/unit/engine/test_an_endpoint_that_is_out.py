"""An outage of minutes is waited for by everybody and tried by one. Time is the loop's own, and virtual."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation
from haetae.core.sample import Message, Sample
from haetae.engine.budget import Meter
from haetae.engine.evaluate import Evaluation
from haetae.engine.limits.limiter import Limiter
from haetae.engine.patience.breaker import Breaker
from haetae.engine.patience.retry import Patient
from haetae.engine.tally import Tally
from haetae.errors import TargetError

LATENCY_S = 0.1


class Endpoint:
    """Answers `texts` in 0.1 s, unless `fault(seconds since the start)` says what goes wrong."""

    def __init__(self, fault: Callable[[float], Failure | None]) -> None:
        self.fingerprint = {"model": "m"}
        self.fault = fault
        self.when: list[float] = []
        self.answered = Counter[str]()

    async def chat(self, messages: Sequence[Message], *, schema: Any = None, **overrides: Any) -> Any:
        now = asyncio.get_running_loop().time()
        self.when.append(now)
        fault = self.fault(now)
        await asyncio.sleep(LATENCY_S)
        if fault is not None:
            return fault
        self.answered[messages[-1].content] += 1
        return Generation("ok")


class Asked:
    """A target that asks a patient model."""

    free, reusable, stages = False, False, None

    def __init__(self, patient: Patient) -> None:
        self.fingerprint = {"kind": "fake"}
        self.patient = patient

    def request(self, sample: Sample) -> Any:
        return sample.text

    async def generate(self, sample: Sample, request: Any, repeat: int) -> Any:
        return await self.patient.chat([Message("user", sample.text)])

    async def aclose(self) -> None:
        """Nothing to give back."""


def _evaluation(fakes: Any, ledger: Any, endpoint: Endpoint, count: int, in_flight: int = 16) -> Any:
    clock, meter, rng = fakes.LoopClock(), Meter(), random.Random(7)  # noqa: S311  # jitter
    breaker = Breaker(in_flight, rng)
    patient = Patient(
        endpoint,  # type: ignore[arg-type]  # it is only chatted with
        Limiter(in_flight, clock),
        breaker,
        meter,
        error=TargetError,
        deadline_s=900.0,
        rng=rng,
    )

    async def work() -> float:
        run = fakes.run(count)
        await Evaluation(
            run=run,
            samples=[Sample(str(n), f"question {n}") for n in range(count)],
            target=Asked(patient),  # type: ignore[arg-type]  # what the engine asks of it
            metrics={},
            ledger=ledger,
            clock=clock,
            tally=Tally(run, clock, meter),
            in_flight=in_flight,
            stop=meter.stop,
        )()
        return asyncio.get_running_loop().time()

    return work()


REFUSED = Failure("connection_failed", "Network is unreachable")


def test_a_network_that_is_gone_for_ten_minutes_loses_and_doubles_nothing(fakes: Any, ledger: Any) -> None:  # END-15
    endpoint = Endpoint(lambda now: REFUSED if 2 <= now < 602 else None)
    fakes.in_virtual_time(_evaluation(fakes, ledger, endpoint, 2_000))
    assert all(isinstance(row.result, Generation) for row in ledger.generations.values())
    assert endpoint.answered == Counter({f"question {n}": 1 for n in range(2_000)})
    tried = [now for now in endpoint.when if 2 <= now < 602]
    assert len(tried) <= 3 * 16 + 10 + 16 + 60  # until it opens, what is then under way, and one at a time


def test_one_that_is_gone_for_longer_stops_the_run_which_can_be_gone_on_with(fakes: Any) -> None:  # END-15
    ledger, endpoint = fakes.Ledger(), Endpoint(lambda now: REFUSED if now >= 2 else None)
    with pytest.raises(TargetError, match="the endpoint answers nobody: go on later"):
        fakes.in_virtual_time(_evaluation(fakes, ledger, endpoint, 2_000))
    assert 880 <= endpoint.when[-1] <= 910
    before = {key for key, row in ledger.generations.items() if isinstance(row.result, Generation)}
    assert 50 < len(before) < 2_000
    again = Endpoint(lambda now: None)
    again.answered = endpoint.answered
    fakes.in_virtual_time(_evaluation(fakes, ledger, again, 2_000))
    assert again.answered == Counter({f"question {n}": 1 for n in range(2_000)})
    assert all(isinstance(row.result, Generation) for row in ledger.generations.values())


def test_a_minute_of_429s_that_say_no_time_is_sat_out(fakes: Any, ledger: Any) -> None:  # END-02
    busy = Failure("rate_limited", "429")
    endpoint = Endpoint(lambda now: busy if now < 60 else None)
    fakes.in_virtual_time(_evaluation(fakes, ledger, endpoint, 500))
    assert all(isinstance(row.result, Generation) for row in ledger.generations.values())
    assert len(ledger.generations) == 500
    refused = [now for now in endpoint.when if now < 60]
    assert len(refused) <= 3 * 16 + 10 + 16 + 10
    opened = refused[3 * 16 + 10 + 16 :]
    gaps = [after - before for before, after in pairwise(opened)]
    assert all(0.5 <= gap <= 30 + LATENCY_S + 0.01 for gap in gaps)


def test_an_endpoint_that_nobody_ever_reached_is_given_up_soon(fakes: Any, ledger: Any) -> None:
    endpoint = Endpoint(lambda now: REFUSED)
    with pytest.raises(TargetError, match="unreachable"):
        fakes.in_virtual_time(_evaluation(fakes, ledger, endpoint, 2_000))
    assert endpoint.when[-1] < 120


def test_faults_by_chance_do_not_open_it(fakes: Any) -> None:  # END-03
    rng, waited = random.Random(3), list[float]()  # noqa: S311  # faults

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    breaker = Breaker(1, rng, sleep)
    opened = 0
    for _ in range(20_000):
        breaker.saw(Failure("server_error", "500") if rng.random() < 0.3 else None)
        opened += breaker.open
    assert opened == 0


def test_of_those_who_wait_one_tries_and_an_answer_lets_all_go_on(fakes: Any) -> None:
    breaker = Breaker(2, random.Random(1))  # noqa: S311  # jitter
    for _ in range(16):
        breaker.saw(Failure("timeout", "slow"))
    trying, asked, told = 0, list[float](), list[float]()

    async def ask(good: bool) -> None:
        nonlocal trying
        async with breaker.turn(told.append):
            trying += 1
            asked.append(asyncio.get_running_loop().time())
            assert trying == 1 or not breaker.open
            await asyncio.sleep(1)
            breaker.saw(None if good else Failure("timeout", "slow"))
            trying -= 1

    async def work() -> None:
        await asyncio.gather(*(ask(good) for good in (False, False, True, True, True)))

    fakes.in_virtual_time(work())
    waits = [asked[0], asked[1] - asked[0] - 1, asked[2] - asked[1] - 1]
    assert [longest / 2 <= wait <= longest for wait, longest in zip(waits, (1, 2, 4), strict=True)] == [True] * 3
    assert told == pytest.approx(waits)
    assert asked[3] == asked[4] == asked[2] + 1
    assert not breaker.open


def test_a_trial_that_is_cancelled_leaves_its_turn_to_the_next(fakes: Any) -> None:
    breaker, told = Breaker(1, random.Random(1)), list[float]()  # noqa: S311  # jitter
    for _ in range(13):
        breaker.saw(Failure("timeout", "slow"))

    async def ask() -> float:
        async with breaker.turn(told.append):
            return asyncio.get_running_loop().time()

    async def work() -> float:
        first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
        await asyncio.sleep(0.1)
        first.cancel()
        return await second

    assert 0 < fakes.in_virtual_time(work()) < 3
