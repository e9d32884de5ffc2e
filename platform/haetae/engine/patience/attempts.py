"""The attempts at one call: each is in the meter, and what came of it is seen by all who ask the endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from haetae.core.generation import Failure, Generation
from haetae.core.model import Embeddings, Likelihood
from haetae.engine.budget import Meter
from haetae.engine.limits.limiter import Limiter, Slot
from haetae.engine.patience.breaker import Breaker

Answer = TypeVar("Answer", Generation, Embeddings, Likelihood)


class Attempts(Generic[Answer]):
    """Calling it with a slot of the limiter is one attempt; `made` counts them. The question has so many characters."""

    def __init__(
        self,
        call: Callable[[], Awaitable[Answer | Failure]],
        limiter: Limiter,
        breaker: Breaker,
        meter: Meter,
        characters: int = 0,
    ) -> None:
        self._call: Callable[[], Awaitable[Answer | Failure]] = call
        self._limiter = limiter
        self._breaker = breaker
        self._meter = meter
        self._characters = characters
        self.made = 0

    async def __call__(self, slot: Slot) -> Answer | Failure:
        """One attempt. Raises BudgetExhausted and Stopped instead of making it."""
        await self._meter.opened()
        self.made += 1
        try:
            with self._limiter.asking:
                answer = await self._call()
        except BaseException:
            self._meter.broke_off()
            raise
        if isinstance(answer, Generation | Failure):  # a form of answers that it does not know was asked for before
            self._meter.calls += answer.attempts - 1
            self.made += answer.attempts - 1
        failure = answer if isinstance(answer, Failure) else None
        self._meter.closed(answer.usage, answer.cost_usd if failure is None else failure.cost_usd or 0.0)
        slot.saw(answer)
        self._breaker.saw(failure)
        return answer

    def slot(self) -> Slot:
        """A place among the calls under way."""
        return self._limiter.slot(self._characters)

    async def in_another_slot(self) -> Answer | Failure:
        """One attempt more, in a slot of its own."""
        async with self.slot() as slot:
            return await self(slot)
