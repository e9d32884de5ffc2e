"""How hard an endpoint is asked: calls in flight, waits that it asked for, and when to give up on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from haetae.core import reasons
from haetae.core.clock import Clock
from haetae.core.generation import Failure, Generation
from haetae.core.model import Embeddings, Likelihood
from haetae.engine.watch import EndpointState

Sleep = Callable[[float], Awaitable[None]]
Answer = Generation | Embeddings | Likelihood | Failure


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

    def slot(self, characters: int = 0) -> Slot:
        """One call's place among those under way: `async with limiter.slot() as slot`, then `slot.saw(answer)`.

        It is entered when there is a free place and any pause is over. `characters` is how long the question is.
        """
        return Slot(self)

    async def _enter(self) -> None:
        await self._slots.acquire()
        try:
            while (wait := self._not_before - self._clock.monotonic()) > 0:
                await self._sleep(wait)
        except BaseException:
            self._slots.release()
            raise
        self._under_way += 1

    def _leave(self) -> None:
        self._under_way -= 1
        self._slots.release()

    def _saw(self, answer: Answer) -> None:
        """Learn from a call's outcome."""
        failure = answer if isinstance(answer, Failure) else None
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


class Slot:
    """A place among the calls under way, held for the length of one call."""

    __slots__ = ("_limiter",)

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def __aenter__(self) -> Slot:
        await self._limiter._enter()
        return self

    def saw(self, answer: Answer) -> None:
        """Learn from the call's outcome; say it before the place is given back. What is cut off teaches nothing."""
        self._limiter._saw(answer)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter._leave()
