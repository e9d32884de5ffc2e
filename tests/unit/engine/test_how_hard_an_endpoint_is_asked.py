"""Simulated endpoints, each with what makes it slow or refuse, in virtual time: what a limiter makes of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pytest

from haetae.core.generation import Failure, Generation
from haetae.core.run import LimitChange
from haetae.engine.limits.course import Course
from haetae.engine.limits.limiter import Limiter

Endpoint = Callable[[float], Awaitable[Any]]


@dataclass
class Outcome:
    """What a simulation showed: seconds it took, calls made, and the limit after every answer."""

    seconds: float = 0.0
    calls: int = 0
    limits: list[int] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    course: tuple[LimitChange, ...] = ()

    @property
    def settled(self) -> list[int]:
        return self.limits[len(self.limits) // 3 :]


@pytest.fixture
def simulated(fakes: Any) -> Callable[..., Outcome]:
    """simulated(endpoint, answers, in_flight): asks until there are so many answers, again what was refused."""

    def run(endpoint: Endpoint, answers: int, in_flight: int = 64, least: int = 1) -> Outcome:
        seen = Outcome()

        async def work() -> None:
            clock = fakes.LoopClock()
            course = Course(clock)
            limiter = Limiter(in_flight, clock, place="http://e", least=least, course=course)
            todo = iter(range(answers))

            async def worker() -> None:
                for _ in todo:
                    answer: Any = None
                    while not isinstance(answer, Generation):
                        async with limiter.slot() as slot:
                            seen.started.append(clock.monotonic())
                            answer = await endpoint(clock.monotonic())
                            slot.saw(answer)
                            assert least <= limiter.state.limit <= in_flight
                            assert limiter.state.in_flight <= in_flight
                        seen.calls += 1
                        seen.limits.append(limiter.state.limit)
                        if isinstance(answer, Failure) and answer.retry_after_s:
                            await asyncio.sleep(answer.retry_after_s)  # as whoever asks again does

            await asyncio.gather(*(worker() for _ in range(in_flight)))
            seen.seconds, seen.course = clock.monotonic(), course.changes

        fakes.in_virtual_time(work())
        return seen

    return run


def answering(latency: Callable[[], float]) -> Endpoint:
    async def answer(now: float) -> Generation:
        seconds = latency()
        await asyncio.sleep(seconds)
        return Generation("ok", latency_s=seconds)

    return answer


@dataclass
class Bucket:
    """A token bucket. `waits` are the times between which nobody may ask."""

    per_second: float
    burst: float
    retry_after_s: float
    tokens: float = 1.0
    at: float = 0.0
    waits: list[tuple[float, float]] = field(default_factory=list)

    async def __call__(self, now: float) -> Any:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if self.tokens < 1 - 1e-9:
            await asyncio.sleep(0.001)
            told = asyncio.get_running_loop().time()
            self.waits.append((told, told + self.retry_after_s))
            return Failure("rate_limited", "429", retry_after_s=self.retry_after_s, overloaded=True)
        self.tokens -= 1
        await asyncio.sleep(0.02)
        return Generation("ok", latency_s=0.02)


def test_a_thousand_calls_lose_no_round_trip_to_finding_out(simulated: Callable[..., Outcome]) -> None:
    seen = simulated(answering(lambda: 0.1), 1_000, 64)
    assert seen.seconds <= 1_000 / 64 * 0.1 + 0.15
    assert seen.limits[-1] == 64


@pytest.mark.parametrize(
    "latency",
    [
        pytest.param(lambda rng: 5.0, id="constant"),
        pytest.param(lambda rng: 0.1 + rng.expovariate(3), id="a network that trembles"),
        pytest.param(lambda rng: rng.expovariate(1), id="exponential"),
        pytest.param(lambda rng: 2 * rng.lognormvariate(0, 1), id="answers of very different length"),
        pytest.param(lambda rng: rng.choice([0.2, 6.0]), id="short and long answers"),
    ],
)
def test_latency_that_does_not_grow_with_the_calls_closes_nothing(
    latency: Callable[[random.Random], float], simulated: Callable[..., Outcome]
) -> None:
    rng = random.Random(11)  # noqa: S311  # a simulation
    seen = simulated(answering(lambda: latency(rng)), 8_000, 128)
    assert set(seen.settled) == {128}


@pytest.mark.parametrize(("per_second", "base_s"), [(20, 0.5), (5, 2.0), (100, 0.1)])
def test_a_queue_is_asked_near_its_knee(per_second: float, base_s: float, simulated: Callable[..., Outcome]) -> None:
    free = 0.0

    async def queue(now: float) -> Generation:
        nonlocal free
        free = max(free, now) + 1 / per_second
        seconds = free - now + base_s
        await asyncio.sleep(seconds)
        return Generation("ok", latency_s=seconds)

    seen = simulated(queue, 4_000, 256)
    knee = per_second * base_s
    assert knee <= median(seen.settled) <= 4 * knee
    assert seen.seconds <= 1.03 * (4_000 / per_second + base_s)


def test_an_endpoint_that_gets_slower_once_is_asked_as_before(simulated: Callable[..., Outcome]) -> None:
    calls = 0

    def latency() -> float:
        nonlocal calls
        calls += 1
        return 0.3 if calls < 4_000 else 1.5

    seen = simulated(answering(latency), 12_000, 64)
    assert seen.limits[-1] == 64
    whys = [change.why for change in seen.course]
    assert whys[-2:] == ["answers wait for one another", "fewer calls were no faster"]


def test_an_endpoint_that_takes_eight_at_once_gets_about_eight(simulated: Callable[..., Outcome]) -> None:
    busy = 0

    async def eight(now: float) -> Any:
        nonlocal busy
        if busy >= 8:
            await asyncio.sleep(0.001)
            return Failure("server_error", "503", overloaded=True)
        busy += 1
        await asyncio.sleep(0.1)
        busy -= 1
        return Generation("ok", latency_s=0.1)

    seen = simulated(eight, 2_000)
    assert 4 <= median(seen.settled) <= 12
    assert seen.calls <= 1.25 * 2_000
    assert seen.seconds <= 1.4 * 2_000 / 80


@pytest.mark.parametrize("retry_after_s", [None, 0.0, 0.05])
def test_one_refusal_in_forty_is_chance_and_closes_nothing(
    retry_after_s: float | None, simulated: Callable[..., Outcome]
) -> None:
    rng = random.Random(5)  # noqa: S311  # a simulation

    async def mostly(now: float) -> Any:
        if rng.random() < 0.025:
            return Failure("rate_limited", "429", retry_after_s=retry_after_s, overloaded=True)
        await asyncio.sleep(0.1)
        return Generation("ok", latency_s=0.1)

    seen = simulated(mostly, 2_000)
    assert set(seen.settled) == {64}


def test_many_refusals_of_one_round_trip_halve_the_window_once(simulated: Callable[..., Outcome]) -> None:
    async def refusing(now: float) -> Any:
        await asyncio.sleep(0.1)
        return Failure("rate_limited", "429", overloaded=True) if now < 0.05 else Generation("ok", latency_s=0.1)

    seen = simulated(refusing, 100)
    assert [change.limit for change in seen.course][:2] == [32, 16]
    assert min(seen.limits) == 16


def test_the_floor_holds_however_slow_the_endpoint_gets(simulated: Callable[..., Outcome]) -> None:
    async def refusing(now: float) -> Any:
        await asyncio.sleep(0.1)
        return Failure("server_error", "503", overloaded=True) if now < 5 else Generation("ok", latency_s=0.1)

    seen = simulated(refusing, 200, 64, 6)
    assert min(seen.limits) == 6


@pytest.mark.parametrize("retry_after_s", [0.2, 0.5, 1.0])
def test_a_rate_that_only_refusals_tell_is_found_and_kept(
    retry_after_s: float, simulated: Callable[..., Outcome]
) -> None:  # END-01
    bucket = Bucket(10, 1, retry_after_s)
    seen = simulated(bucket, 400)
    assert not [start for start in seen.started for told, over in bucket.waits if told < start < over - 1e-9]
    assert seen.seconds <= 1.15 * 400 / 10
    assert seen.calls - 400 <= 32 + 8


def test_a_large_bucket_is_emptied_and_then_kept_to(simulated: Callable[..., Outcome]) -> None:
    bucket = Bucket(20, 200, 2.0, tokens=200)
    seen = simulated(bucket, 1_200)
    assert seen.seconds <= 1.15 * (1_200 - 200) / 20
    assert not [start for start in seen.started for told, over in bucket.waits if told < start < over - 1e-9]


def test_refusals_without_a_wait_are_bounded_and_soon_few(simulated: Callable[..., Outcome]) -> None:  # END-02
    async def out_for_a_while(now: float) -> Any:
        await asyncio.sleep(0.05)
        if now < 60:
            return Failure("rate_limited", "429", overloaded=True)
        return Generation("ok", latency_s=0.05)

    seen = simulated(out_for_a_while, 500)
    refused = [start for start in seen.started if start < 60]
    assert len(refused) <= 150
    assert len([start for start in refused if start > 10]) <= 30


def test_an_outage_that_tells_waits_lowers_the_tempo_only_so_far(simulated: Callable[..., Outcome]) -> None:
    async def out_for_ten_minutes(now: float) -> Any:
        await asyncio.sleep(0.05)
        if now < 600:
            return Failure("rate_limited", "429", retry_after_s=1.0, overloaded=True)
        return Generation("ok", latency_s=0.05)

    seen = simulated(out_for_ten_minutes, 1_000)
    assert seen.seconds <= 600 + 60
    assert len([start for start in seen.started if start < 600]) <= 700


def test_the_course_is_bounded_and_keeps_its_ends(fakes: Any, clock: Any) -> None:
    course = Course(clock)
    for limit in range(10_000):
        clock.seconds = 5 + limit
        course.add("http://e", limit, "why")
    assert len(course.changes) <= 200
    assert (course.changes[0], course.changes[-1]) == (
        LimitChange(0.0, "http://e", 0, "why"),
        LimitChange(9_999.0, "http://e", 9_999, "why"),
    )
    assert [c.at_s for c in course.changes] == sorted(c.at_s for c in course.changes)
