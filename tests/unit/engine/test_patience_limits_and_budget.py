"""Asking again, waiting as told, and stopping before more is spent; time is the fake clock's."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haetae.core.generation import Failure, Generation, Usage
from haetae.core.model import Embeddings
from haetae.core.run import Spent
from haetae.core.sample import Message
from haetae.core.suite import BudgetSpec
from haetae.engine.budget import BudgetExhausted, Meter
from haetae.engine.limits.limiter import Limiter
from haetae.engine.patience.breaker import Breaker
from haetae.engine.patience.retry import Patient
from haetae.errors import JudgeError, TargetError

OK = Generation("ok", usage=Usage(10, 0, 5), cost_usd=0.01)
QUESTION = [Message("user", "q")]


class _Inner:
    """Answers by number of the call, and remembers when it was asked."""

    def __init__(self, clock: Any, answer: Callable[[int], Any]) -> None:
        self.fingerprint = {"model": "m"}
        self.clock, self.answer, self.when = clock, answer, list[float]()
        self.open = self.most = 0
        self.closed = False

    async def chat(self, messages: Sequence[Message], *, schema: Any = None, **overrides: Any) -> Any:
        self.when.append(self.clock.monotonic())
        number = len(self.when)
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0)
        self.open -= 1
        found = self.answer(number)
        if isinstance(found, BaseException):
            raise found
        return found

    async def embed(self, texts: Sequence[str]) -> Any:
        return Embeddings(((1.0,),), Usage(4), 0.002)

    async def aclose(self) -> None:
        self.closed = True


def _patient(clock: Any, answer: Callable[[int], Any], **options: Any) -> tuple[Patient, _Inner, Meter]:
    inner, meter = _Inner(clock, answer), options.pop("meter", None) or Meter()
    in_flight, rng = options.pop("in_flight", 4), random.Random(1)  # noqa: S311  # jitter
    limiter, breaker = Limiter(in_flight, clock, clock.sleep), Breaker(in_flight, rng, clock.sleep)
    error = options.pop("error", TargetError)
    made = Patient(inner, limiter, breaker, meter, error=error, rng=rng, sleep=clock.sleep, **options)
    return made, inner, meter


def test_what_may_pass_is_asked_again_and_the_tries_are_counted(clock: Any) -> None:
    patient, inner, meter = _patient(clock, lambda n: OK if n == 3 else Failure("server_error", "500"))
    found = asyncio.run(patient.chat(QUESTION))
    assert (found.output, found.attempts) == ("ok", 3)  # type: ignore[union-attr]  # it is an answer
    assert meter.calls == 3
    assert len(clock.slept) == 2
    assert patient.fingerprint == inner.fingerprint


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_tries_are_bounded_and_waits_grow_with_jitter(tries: int, clock: Any) -> None:  # END-02
    patient, inner, _ = _patient(clock, lambda n: Failure("timeout", "slow"), tries=tries)
    found = asyncio.run(patient.chat(QUESTION))
    assert (found.reason, found.attempts) == ("timeout", tries)  # type: ignore[union-attr]  # it is a failure
    assert len(inner.when) == tries
    assert all(0 <= wait <= min(30, 0.25 * 2**n) for n, wait in enumerate(clock.slept, 1))


@pytest.mark.parametrize("reason", ["request_rejected", "content_filter", "truncated", "empty_answer"])
def test_what_will_not_pass_is_asked_once(reason: str, clock: Any) -> None:
    patient, inner, _ = _patient(clock, lambda n: Failure(reason, "no"))
    asyncio.run(patient.chat(QUESTION))
    assert len(inner.when) == 1


@pytest.mark.parametrize("error", [TargetError, JudgeError])
def test_a_wrong_key_ends_everything_at_once(error: type[Exception], clock: Any) -> None:  # END-09
    patient, inner, _ = _patient(clock, lambda n: Failure("request_rejected", "401", fatal=True), error=error)
    with pytest.raises(error, match="401"):
        asyncio.run(patient.chat(QUESTION))
    assert len(inner.when) == 1


def test_calls_that_wait_while_a_key_is_refused_are_never_made(clock: Any) -> None:  # END-09
    refused = Failure("request_rejected", "401", fatal=True)
    patient, inner, _ = _patient(clock, lambda n: refused, in_flight=3)

    async def ask() -> list[Any]:
        return await asyncio.gather(*(patient.chat(QUESTION) for _ in range(9)), return_exceptions=True)

    found = asyncio.run(ask())
    assert [str(error) for error in found if isinstance(error, TargetError)] == ["401"] * 9
    assert len(inner.when) == 3  # those that were under way


@settings(deadline=None, max_examples=50)
@given(st.floats(0.5, 500), st.integers(1, 12), st.integers(1, 6))
def test_nobody_asks_before_the_endpoint_said(wait: float, questions: int, in_flight: int) -> None:  # END-01
    class Clock:
        seconds = 0.0

        def monotonic(self) -> float:
            return self.seconds

        async def sleep(self, seconds: float) -> None:
            self.seconds += seconds
            await asyncio.sleep(0)

    clock = Clock()

    def answer(number: int) -> Any:
        return Failure("rate_limited", "429", retry_after_s=wait) if number == 1 else OK

    patient, inner, _ = _patient(clock, answer, in_flight=in_flight)

    async def work() -> list[Any]:
        return await asyncio.gather(*(patient.chat(QUESTION) for _ in range(questions)))

    found = asyncio.run(work())
    assert all(isinstance(reply, Generation) for reply in found)
    assert inner.most <= in_flight
    before = [moment for moment in inner.when[in_flight:] if moment < wait]
    assert not before  # only those already under way when it said so were earlier


def test_a_wait_of_a_day_stops_the_run_instead(clock: Any) -> None:
    patient, inner, _ = _patient(clock, lambda n: Failure("rate_limited", "429", retry_after_s=86_400))
    with pytest.raises(TargetError, match="it asks to wait 86400 s: go on later"):
        asyncio.run(patient.chat(QUESTION))
    assert len(inner.when) == 1
    assert clock.slept == []


def test_an_endpoint_that_is_down_is_given_up_after_a_while(clock: Any) -> None:  # END-15, GAT-10
    patient, inner, _ = _patient(clock, lambda n: Failure("connection_failed", "refused"), in_flight=2)

    async def work() -> None:
        for _ in range(100):
            await patient.chat(QUESTION)

    with pytest.raises(TargetError, match="refused"):
        asyncio.run(work())
    assert len(inner.when) == 3 * 2 + 10


def test_one_answer_between_is_enough_to_go_on(clock: Any) -> None:
    patient, inner, _ = _patient(clock, lambda n: OK if n % 5 == 0 else Failure("connection_failed", "no"), in_flight=1)

    async def work() -> list[Any]:
        return [await patient.chat(QUESTION) for _ in range(30)]

    assert all(isinstance(found, Generation) for found in asyncio.run(work()))
    assert len(inner.when) == 150


def test_embedding_and_closing_pass_through(clock: Any) -> None:
    patient, inner, meter = _patient(clock, lambda n: OK)

    async def work() -> Any:
        found = await patient.embed(["a"])
        await patient.aclose()
        return found

    assert isinstance(asyncio.run(work()), Embeddings)
    assert inner.closed
    assert (meter.tokens, meter.usd) == (4, 0.002)


def test_a_call_that_is_cut_off_is_not_left_open(clock: Any) -> None:
    patient, _, meter = _patient(clock, lambda n: asyncio.CancelledError() if n == 1 else OK)

    async def work() -> None:
        with pytest.raises(asyncio.CancelledError):
            await patient.chat(QUESTION)
        await patient.chat(QUESTION)

    asyncio.run(work())
    assert (meter.calls, meter._open, meter.unpriced) == (2, 0, 1)


def test_an_answer_that_cannot_be_used_costs_all_the_same(clock: Any) -> None:
    cut = Failure("truncated", "cut", usage=Usage(10, 0, 90), cost_usd=0.5)
    patient, _, meter = _patient(clock, lambda n: cut, meter=Meter(BudgetSpec(usd=1.2)))

    async def work() -> None:
        for _ in range(5):
            await patient.chat(QUESTION)

    with pytest.raises(BudgetExhausted, match=r"the budget of \$1\.2 is used up \(\$1\.0000 spent, the next"):
        asyncio.run(work())
    assert meter.usd == 1.0


@settings(deadline=None, max_examples=80)
@given(
    budget=st.builds(
        BudgetSpec,
        usd=st.none() | st.floats(0.01, 2),
        calls=st.none() | st.integers(1, 30),
        tokens=st.none() | st.integers(1, 2_000),
    ),
    tokens=st.integers(1, 300),
    usd=st.floats(0.001, 0.5),
    in_flight=st.integers(1, 10),
    spent=st.none() | st.builds(Spent, st.integers(0, 20), st.integers(0, 500), st.none() | st.floats(0, 1)),
)
def test_a_budget_is_never_exceeded(budget: BudgetSpec, tokens: int, usd: float, in_flight: int, spent: Any) -> None:
    """For calls that cost alike: what the first one costs is known only when it has ended."""
    meter = Meter(budget)
    if spent is not None:
        meter.go_on_from(spent)
    before = (meter.calls, meter.tokens, meter.usd)
    done = 0

    async def worker() -> None:
        nonlocal done
        while True:
            await meter.opened()
            await asyncio.sleep(0)
            meter.closed(Usage(tokens), usd)
            done += 1
            if done >= 60:
                return

    async def work() -> None:
        await asyncio.gather(*(worker() for _ in range(in_flight)), return_exceptions=True)

    asyncio.run(work())
    one = 1 if done == 1 or (budget.calls is None and done >= 1) else 0
    if budget.calls is not None:
        assert meter.calls <= max(budget.calls, before[0])
    if budget.tokens is not None:
        assert meter.tokens <= max(budget.tokens, before[1] + tokens * one, before[1])
    if budget.usd is not None:
        assert meter.usd <= max(budget.usd, before[2] + usd * one) + 1e-9


def test_without_a_budget_nothing_is_refused() -> None:
    meter = Meter()

    async def work() -> None:
        for _ in range(1_000):
            await meter.opened()

    asyncio.run(work())
    assert meter.calls == 1_000


def test_the_first_call_goes_alone_where_its_cost_matters() -> None:
    meter = Meter(BudgetSpec(usd=0.02))
    open_at_once: list[int] = []

    async def work() -> list[Any]:
        async def call() -> None:
            await meter.opened()
            open_at_once.append(meter._open)
            await asyncio.sleep(0)
            meter.closed(Usage(1), 0.02)

        return await asyncio.gather(*(call() for _ in range(8)), return_exceptions=True)

    found = asyncio.run(work())
    assert open_at_once == [1]
    assert sum(isinstance(outcome, BudgetExhausted) for outcome in found) == 7
    assert meter.usd == 0.02
