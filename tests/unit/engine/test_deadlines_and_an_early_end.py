"""No call hangs a run: deadlines of calls, and a stop that wakes whoever waits. Time is the loop's own, and virtual."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation, Usage
from haetae.core.sample import Message
from haetae.engine.budget import Meter
from haetae.engine.limits.limiter import Limiter
from haetae.engine.patience.breaker import Breaker
from haetae.engine.patience.retry import Patient
from haetae.engine.patience.stopping import Stopped
from haetae.errors import TargetError

OK = Generation("ok", usage=Usage(10), cost_usd=0.0)
QUESTION = [Message("user", "q")]


class Model:
    """Answers by `answer(number of the call) -> (seconds it takes, what comes)`, and keeps when it was asked."""

    def __init__(self, answer: Callable[[int], tuple[float, Any]]) -> None:
        self.fingerprint = {"model": "m"}
        self.answer = answer
        self.when: list[float] = []

    async def chat(self, messages: Sequence[Message], *, schema: Any = None, **overrides: Any) -> Any:
        self.when.append(asyncio.get_running_loop().time())
        seconds, what = self.answer(len(self.when))
        await asyncio.sleep(seconds)
        return what


@pytest.fixture
def patient(fakes: Any) -> Callable[..., tuple[Patient, Model, Meter]]:
    def make(answer: Callable[[int], tuple[float, Any]], in_flight: int = 4, **options: Any) -> Any:
        rng, model, meter = random.Random(1), Model(answer), Meter()  # noqa: S311  # jitter
        limiter, breaker = Limiter(in_flight, fakes.LoopClock()), Breaker(in_flight, rng)
        made = Patient(model, limiter, breaker, meter, error=TargetError, rng=rng, **{"deadline_s": 900.0, **options})  # type: ignore[arg-type]  # it is only chatted with
        return made, model, meter

    return make


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _ask_many(patient: Patient, count: int) -> list[tuple[Any, float]]:
    async def one() -> tuple[Any, float]:
        try:
            found: Any = await patient.chat(QUESTION)
        except Stopped as exc:
            found = exc
        return found, _now()

    return await asyncio.gather(*(one() for _ in range(count)))


# deadlines


def test_a_call_that_hangs_ends_at_its_deadline_as_a_timeout(patient: Any, fakes: Any) -> None:  # END-06
    asking, _, meter = patient(lambda n: (1e9, OK))
    ((found, at),) = fakes.in_virtual_time(_ask_many(asking, 1))
    assert (found.reason, found.attempts, at) == ("timeout", 1, 900)
    assert "no answer within 900 s, the deadline of one call, in 1 attempts" in found.message
    assert (meter.calls, meter._open) == (1, 0)


def test_waits_and_tries_are_within_the_deadline(patient: Any, fakes: Any) -> None:
    busy = Failure("rate_limited", "429", retry_after_s=400)
    asking, model, _ = patient(lambda n: (1, busy), tries=20)
    ((found, at),) = fakes.in_virtual_time(_ask_many(asking, 1))
    assert (found.reason, found.attempts, at) == ("timeout", 3, 900)
    assert model.when == [0, 401, 802]


def test_a_call_is_not_late_for_those_before_it(patient: Any, fakes: Any) -> None:
    asking, _, _ = patient(lambda n: (600, OK), in_flight=1)
    found = fakes.in_virtual_time(_ask_many(asking, 4))
    assert found == [(OK, 600), (OK, 1200), (OK, 1800), (OK, 2400)]


def test_a_model_in_this_process_has_no_deadline(patient: Any, fakes: Any) -> None:
    asking, _, _ = patient(lambda n: (5_000, OK), deadline_s=None)
    assert fakes.in_virtual_time(_ask_many(asking, 1)) == [(OK, 5_000)]


def test_a_timeout_that_is_not_ours_passes_through(patient: Any, fakes: Any) -> None:
    class Broken(Model):
        async def chat(self, *arguments: Any, **options: Any) -> Any:
            raise TimeoutError("of something else")

    asking, _, meter = patient(lambda n: (0, OK))
    asking._inner = Broken(lambda n: (0, OK))
    with pytest.raises(TimeoutError, match="of something else"):
        fakes.in_virtual_time(asking.chat(QUESTION))
    assert meter._open == 0


# an early end


def _stopped_at(seconds: float, meter: Meter, work: Any, *, cut_after: float | None = None) -> Any:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, meter.stop.ask, "interrupted")
        if cut_after is not None:
            loop.call_later(seconds + cut_after, meter.stop.cut)
        return await work

    return main()


def test_what_waits_for_an_endpoint_is_woken(patient: Any, fakes: Any) -> None:  # END-18
    asking, model, meter = patient(lambda n: (1, Failure("rate_limited", "429", retry_after_s=500)))
    found = fakes.in_virtual_time(_stopped_at(10, meter, _ask_many(asking, 6)))
    assert [(type(what), at) for what, at in found] == [(Stopped, 10)] * 6
    assert str(found[0][0]) == "interrupted"
    assert len(model.when) == 4


def test_what_waits_between_tries_or_for_its_turn_is_woken(patient: Any, fakes: Any) -> None:
    def answer(number: int) -> Any:
        return (1, Failure("server_error", "500")) if number == 1 else (100, OK)

    asking, model, meter = patient(answer, in_flight=1)
    found = fakes.in_virtual_time(_stopped_at(1.0001, meter, _ask_many(asking, 3)))
    ends = sorted((type(what), round(at, 3)) for what, at in found if isinstance(what, Stopped))
    assert ends == [(Stopped, 1.0), (Stopped, 1.0)]
    assert (OK, 101) in found  # the call under way is finished
    assert len(model.when) == 2


def test_no_call_is_started_after_the_stop(patient: Any, fakes: Any) -> None:
    asking, model, meter = patient(lambda n: (1, OK))

    async def work() -> list[Any]:
        meter.stop.ask("interrupted")
        meter.stop.ask("again")
        with pytest.raises(Stopped, match="interrupted"):
            await meter.opened()
        return await _ask_many(asking, 2)

    found = fakes.in_virtual_time(work())
    assert [str(what) for what, _ in found] == ["interrupted"] * 2
    assert model.when == []


def test_what_is_cut_off_is_a_timeout_that_says_why(patient: Any, fakes: Any) -> None:
    asking, _, meter = patient(lambda n: (2 if n == 1 else 1e9, OK))
    found = fakes.in_virtual_time(_stopped_at(10, meter, _ask_many(asking, 3), cut_after=4))
    assert found[0] == (OK, 2)
    assert [(what.reason, at) for what, at in found[1:]] == [("timeout", 14)] * 2
    assert found[1][0].message == "no answer before the run had to end: interrupted"
    assert meter._open == 0


def test_a_cancelled_call_is_forgotten(patient: Any, fakes: Any) -> None:
    asking, _, meter = patient(lambda n: (1e9, OK))

    async def work() -> None:
        task = asyncio.create_task(asking.chat(QUESTION))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        meter.stop.ask("interrupted")
        meter.stop.cut()

    fakes.in_virtual_time(work())
    assert meter._open == 0
