"""Rates that processes share, and quotas that headers tell, on the loop's own virtual time."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haetae.core.generation import Failure, Generation, Usage
from haetae.core.pace import Quota, Told, Turn
from haetae.engine.limits.limiter import Limiter
from haetae.engine.limits.permits import Permits


@dataclass
class SharedLanes:
    """The pacing port in memory."""

    clock: Any
    requests: float = 0.0
    tokens: float = 0.0
    until: float = 0.0
    reservations: int = 0
    told: list[float] = field(default_factory=list)

    def reserve(self, endpoint: str, requests_s: float, tokens_s: float) -> Turn:
        now = self.clock.monotonic()
        start = max(now, self.requests, self.tokens)
        self.requests, self.tokens = start + requests_s, start + tokens_s
        self.reservations += 1
        return Turn(start - now, max(0.0, self.until - now))

    def hold(self, endpoint: str, seconds: float) -> None:
        self.told.append(seconds)
        self.until = max(self.until, self.clock.monotonic() + seconds)

    def held(self, endpoint: str) -> float:
        return max(0.0, self.until - self.clock.monotonic())


@pytest.fixture(autouse=True)
def in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be done in a thread is done at once: time is virtual."""

    async def at_once(work: Callable[..., Any], *given: Any) -> Any:
        return work(*given)

    monkeypatch.setattr(asyncio, "to_thread", at_once)


async def _calls(limiter: Limiter, clock: Any, count: int, answer: Callable[[], Awaitable[Any]]) -> list[float]:
    """Makes so many calls at once; when each started."""
    started = []

    async def call() -> None:
        async with limiter.slot(400) as slot:
            started.append(clock.monotonic())
            slot.saw(await answer())

    await asyncio.gather(*(call() for _ in range(count)))
    return started


def _answering(tokens: int, seconds: float = 0.5) -> Callable[[], Awaitable[Generation]]:
    async def answer() -> Generation:
        await asyncio.sleep(seconds)
        return Generation("ok", usage=Usage(tokens), latency_s=seconds)

    return answer


def _limited(clock: Any, lanes: SharedLanes, requests: int | None, tokens: int | None, in_flight: int = 64) -> Limiter:
    limiter, permits = Limiter(in_flight, clock), Permits("e", lanes, clock)
    permits.keep_to(requests, tokens)
    limiter.keep_to(permits, requests)
    return limiter


def _most_in_a_minute(started: list[float]) -> int:
    started = sorted(started)
    return max(bisect_left(started, moment + 60) - place for place, moment in enumerate(started))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(per_minute=st.integers(1, 900), count=st.integers(1, 120), suites=st.integers(1, 4))
def test_no_minute_has_more_starts_than_the_rate_and_its_batches(
    fakes: Any, per_minute: int, count: int, suites: int
) -> None:
    async def work() -> list[list[float]]:
        clock = fakes.LoopClock()
        lanes = SharedLanes(clock)
        return await asyncio.gather(
            *(_calls(_limited(clock, lanes, per_minute, None), clock, count, _answering(5)) for _ in range(suites))
        )

    started = [moment for suite in fakes.in_virtual_time(work()) for moment in suite]
    assert len(started) == count * suites
    assert _most_in_a_minute(started) <= per_minute + suites * (per_minute / 120 + 1)


@pytest.mark.parametrize(("per_minute", "count"), [(600, 200), (60, 30), (6_000, 2_000)])
def test_a_known_rate_is_used_up(per_minute: int, count: int, fakes: Any) -> None:
    async def work() -> tuple[list[float], int]:
        clock = fakes.LoopClock()
        lanes = SharedLanes(clock)
        started = await _calls(_limited(clock, lanes, per_minute, None), clock, count, _answering(5, 0.1))
        return started, lanes.reservations

    started, reservations = fakes.in_virtual_time(work())
    assert max(started) <= 1.05 * count * 60 / per_minute
    gaps = [after - before for before, after in pairwise(started)]
    assert min(gaps) >= 60 / per_minute
    assert started == sorted(started)  # first come, first served
    assert reservations <= max(count / (per_minute / 120), count) + 1
    assert per_minute < 600 or reservations <= count / 4 + 2  # in batches


def test_tokens_are_reserved_by_what_calls_cost_and_made_up_for(fakes: Any) -> None:
    async def work() -> list[float]:
        clock = fakes.LoopClock()
        lanes = SharedLanes(clock)
        limiter = _limited(clock, lanes, None, 60_000, in_flight=8)
        return await _calls(limiter, clock, 120, _answering(2_000, 0.2))

    started = fakes.in_virtual_time(work())
    spent = [2_000 * n for n in range(1, len(started) + 1)]
    assert 0.9 * 120 * 2 <= max(started) <= 1.05 * 120 * 2  # 2,000 of 60,000 a minute each two seconds
    for moment, tokens in list(zip(started, spent, strict=True))[20:]:
        assert tokens <= 1_000 * moment + 8 * 2_000  # never further ahead than what was under way at the start


def test_two_suites_get_about_the_same(fakes: Any) -> None:
    async def work() -> tuple[list[float], list[float]]:
        clock = fakes.LoopClock()
        lanes = SharedLanes(clock)
        one, other = (_limited(clock, lanes, 600, None) for _ in range(2))
        return await asyncio.gather(  # type: ignore[return-value]  # two lists
            _calls(one, clock, 200, _answering(5)), _calls(other, clock, 200, _answering(5))
        )

    one, other = fakes.in_virtual_time(work())
    assert abs(max(one) - max(other)) < 2
    assert abs(sum(moment < 20 for moment in one) - sum(moment < 20 for moment in other)) <= 12


def test_a_wait_told_to_another_process_is_kept_within_a_second(fakes: Any) -> None:
    async def work() -> tuple[list[float], list[float]]:
        clock = fakes.LoopClock()
        lanes = SharedLanes(clock)

        async def other_is_told() -> None:
            await asyncio.sleep(5.25)
            lanes.hold("e", 30)

        limiter = _limited(clock, lanes, 120, None)
        started, _ = await asyncio.gather(_calls(limiter, clock, 40, _answering(5)), other_is_told())
        return started, lanes.told

    started, _ = fakes.in_virtual_time(work())
    assert not [moment for moment in started if 6.25 < moment < 35.25]
    assert len(started) == 40


def test_a_wait_told_here_is_told_to_the_others(fakes: Any) -> None:
    async def work() -> list[float]:
        clock = fakes.LoopClock()
        lanes = SharedLanes(clock)
        limiter = _limited(clock, lanes, 600, None)
        async with limiter.slot() as slot:
            slot.saw(Failure("rate_limited", "429", retry_after_s=12.0, overloaded=True))
        return lanes.told

    assert fakes.in_virtual_time(work()) == [12.0]


def test_who_goes_away_while_waiting_takes_no_permit_along(fakes: Any) -> None:
    async def work() -> float:
        clock = fakes.LoopClock()
        limiter = _limited(clock, SharedLanes(clock), 60, None, in_flight=4)
        first = [asyncio.create_task(_calls(limiter, clock, 1, _answering(5, 0.01))) for _ in range(10)]
        await asyncio.sleep(1.5)
        for task in first[3:9]:
            task.cancel()
        await asyncio.gather(*first, return_exceptions=True)
        return clock.monotonic()

    assert fakes.in_virtual_time(work()) <= 4.5  # four calls, a second apart


@pytest.mark.parametrize(("left", "at_once"), [(0, 0), (5, 5), (500, 31)])
def test_what_a_quota_leaves_is_asked_and_no_more_before_it_is_full(left: int, at_once: int, fakes: Any) -> None:
    async def work() -> list[float]:
        clock = fakes.LoopClock()
        limiter = Limiter(32, clock)
        async with limiter.slot() as slot:
            limiter.told(Told(requests=Quota(left, 20.0, 500)))
            slot.saw(Generation("ok", latency_s=0.1))
        return await _calls(limiter, clock, 31, _answering(5, 1.0))

    started = fakes.in_virtual_time(work())
    assert sum(moment < 20 for moment in started) == at_once
    assert not [moment for moment in started if 0 < moment < 20]
    assert len(started) == 31


def test_a_quota_of_tokens_holds_what_costs_more_than_is_left(fakes: Any) -> None:
    async def work() -> list[float]:
        clock = fakes.LoopClock()
        limiter = Limiter(32, clock)
        async with limiter.slot() as slot:
            slot.saw(Generation("ok", usage=Usage(1_000), latency_s=0.1))
            limiter.told(Told(tokens=Quota(3_500, 6.0, 90_000)))
        return await _calls(limiter, clock, 10, _answering(1_000, 0.1))

    started = fakes.in_virtual_time(work())
    assert [moment < 6 for moment in started] == [True] * 3 + [False] * 7


def test_a_quota_that_is_full_tomorrow_is_not_waited_for(fakes: Any) -> None:
    async def work() -> list[float]:
        clock = fakes.LoopClock()
        limiter = Limiter(32, clock)
        limiter.told(Told(requests=Quota(0, 80_000.0)))
        return await _calls(limiter, clock, 3, _answering(5))

    assert fakes.in_virtual_time(work()) == [0.0, 0.0, 0.0]
