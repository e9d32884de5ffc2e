"""How hard an endpoint is asked: calls in flight, waits that it asked for, and when to give up on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from haetae.core import reasons
from haetae.core.clock import Clock
from haetae.core.generation import Failure
from haetae.engine.watch import EndpointState

Sleep = Callable[[float], Awaitable[None]]


class Limiter:
    """One per endpoint, shared by everything in the run that asks it.

    At most `in_flight` calls are under way. When the endpoint says "not before", nobody asks before.
    After `patience` refused connections in a row, with no answer between, the endpoint counts as down.
    """

    def __init__(self, in_flight: int, clock: Clock, sleep: Sleep = asyncio.sleep, place: str = "") -> None:
        self._place = place
        self._in_flight = in_flight
        self._under_way = 0
        self._slots = asyncio.Semaphore(in_flight)
        self._clock = clock
        self._sleep = sleep
        self._not_before = 0.0
        self._refused = 0
        self._patience = 3 * in_flight + 20

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a free slot and for the end of any pause, then hold the slot."""
        async with self._slots:
            while (wait := self._not_before - self._clock.monotonic()) > 0:
                await self._sleep(wait)
            self._under_way += 1
            try:
                yield
            finally:
                self._under_way -= 1

    def saw(self, failure: Failure | None) -> None:
        """Learn from a call's outcome."""
        self._refused = self._refused + 1 if failure and failure.reason == reasons.CONNECTION else 0
        if failure and failure.retry_after_s:
            self._not_before = max(self._not_before, self._clock.monotonic() + failure.retry_after_s)

    @property
    def state(self) -> EndpointState:
        """How the endpoint is asked now."""
        wait = max(0.0, self._not_before - self._clock.monotonic())
        return EndpointState(self._place, self._under_way, self._in_flight, wait)

    @property
    def down(self) -> bool:
        """Whether the endpoint has refused so often in a row that asking on is pointless."""
        return self._refused >= self._patience
