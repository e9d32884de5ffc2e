"""What can be seen of calls that wait: how many, for how long and for what; only a request on the wire is in flight."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation
from haetae.core.pace import Quota, Told, Turn
from haetae.engine.budget import Meter
from haetae.engine.limits.limiter import Limiter
from haetae.engine.limits.permits import Permits
from haetae.engine.patience.breaker import Breaker
from haetae.engine.patience.retry import Patient
from haetae.engine.watch import EndpointState
from haetae.errors import TargetError

OK = Generation("ok", latency_s=0.5)


class _Lane:
    """A pacing port in memory that one endpoint has to itself."""

    def __init__(self, clock: Any) -> None:
        self._clock, self._free = clock, 0.0

    def reserve(self, endpoint: str, requests_s: float, tokens_s: float) -> Turn:
        now = self._clock.monotonic()
        start = max(now, self._free)
        self._free = start + max(requests_s, tokens_s)
        return Turn(start - now, 0.0)

    def hold(self, endpoint: str, seconds: float) -> None: ...

    def held(self, endpoint: str) -> float:
        return 0.0


class _Model:
    """Answers by number of the call, after half a second."""

    def __init__(self, answer: Callable[[int], Any]) -> None:
        self.fingerprint = {"model": "m"}
        self._answer, self.asked = answer, 0

    async def chat(self, messages: Sequence[Any], *, schema: Any = None, **overrides: Any) -> Any:
        self.asked += 1
        found = self._answer(self.asked)
        await asyncio.sleep(0.5)
        return found


@pytest.fixture(autouse=True)
def in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be done in a thread is done at once: time is virtual."""

    async def at_once(work: Callable[..., Any], *given: Any) -> Any:
        return work(*given)

    monkeypatch.setattr(asyncio, "to_thread", at_once)


def _seen(
    fakes: Any,
    answer: Callable[[int], Any],
    at_s: Sequence[float],
    *,
    prepare: Callable[[Limiter, Any], None] = lambda limiter, clock: None,
    calls: int = 8,
) -> list[EndpointState]:
    """How the endpoint is asked at these moments, while so many calls are to be made."""

    async def work() -> list[EndpointState]:
        clock, rng = fakes.LoopClock(), random.Random(1)  # noqa: S311  # jitter
        limiter, model = Limiter(8, clock, place="http://a/v1"), _Model(answer)
        prepare(limiter, clock)
        patient = Patient(model, limiter, Breaker(8, rng), Meter(), error=TargetError, tries=50, rng=rng)  # type: ignore[arg-type]  # it is only chatted with
        asking = [asyncio.create_task(patient.chat([])) for _ in range(calls)]
        states = []
        for moment in at_s:
            await asyncio.sleep(moment - clock.monotonic())
            states.append(limiter.state)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        states.append(limiter.state)
        return states

    states: list[EndpointState] = fakes.in_virtual_time(work())
    assert (states[-1].in_flight, states[-1].waiting, states[-1].wait_s) == (0, 0, 0.0)
    return states[:-1]


def test_calls_that_nothing_holds_back_are_all_on_the_wire(fakes: Any) -> None:
    (state,) = _seen(fakes, lambda n: OK, [0.1])
    assert state == EndpointState("http://a/v1", 8, 8, 0.0)


def test_calls_that_a_rate_holds_back_wait_and_are_not_in_flight(fakes: Any) -> None:
    def slowly(limiter: Limiter, clock: Any) -> None:
        permits = Permits("e", _Lane(clock), clock)
        permits.keep_to(60, 90_000)
        limiter.keep_to(permits, 60)

    first, later = _seen(fakes, lambda n: OK, [0.1, 0.8], prepare=slowly)
    assert (first.in_flight, first.waiting) == (1, 7)
    assert (later.in_flight, later.waiting) == (0, 7)
    assert 0 < later.wait_s < 0.3
    assert later.why == "60 requests and 90000 tokens a minute"


def test_calls_that_a_quota_holds_back_say_so(fakes: Any) -> None:
    asked: list[Limiter] = []

    def answer(number: int) -> Generation:
        if number == 1:
            asked[0].told(Told(requests=Quota(3, 40.0, 100)))
        return OK

    (state,) = _seen(fakes, answer, [0.1], prepare=lambda limiter, clock: asked.append(limiter))
    assert (state.in_flight, state.waiting, state.why) == (4, 4, "quota")
    assert state.wait_s == pytest.approx(39.9)


def test_calls_that_are_asked_to_wait_say_so(fakes: Any) -> None:
    slow_down = Failure("rate_limited", "429", retry_after_s=20.0, overloaded=True)
    (state,) = _seen(fakes, lambda n: slow_down, [1.0])
    assert (state.in_flight, state.waiting, state.why) == (0, 8, "asked to wait")
    assert state.wait_s == pytest.approx(19.5)


def test_while_the_endpoint_answers_nobody_one_call_tries_and_the_others_wait(fakes: Any) -> None:
    def refused(number: int) -> Failure:
        return Failure("server_error", "502")

    states = _seen(fakes, refused, [20 + quarter / 4 for quarter in range(120)])
    out = [state for state in states if state.why == "it answers nobody"]
    assert out
    assert {state.in_flight for state in out} == {0}
    assert {state.waiting for state in out} == {8}
    assert all(0 < state.wait_s <= 30 for state in out)
