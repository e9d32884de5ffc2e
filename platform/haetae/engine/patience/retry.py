"""A language model around a language model: limits, retries, deadlines and the meter.

What is worth asking again is asked again, at most `tries` times in all. While the endpoint answers nobody no try is
used up: its breaker lets one call at a time through.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import structs

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.clock import Sleep
from haetae.core.generation import Failure, Generation
from haetae.core.model import Embeddings, LanguageModel, Likelihood
from haetae.core.sample import Message
from haetae.engine.budget import Meter
from haetae.engine.limits.limiter import Limiter, Slot
from haetae.engine.patience.attempts import Answer, Attempts
from haetae.engine.patience.backoff import backoff
from haetae.engine.patience.breaker import Breaker
from haetae.engine.patience.deadlines import Call, Deadlines
from haetae.engine.patience.hedging import hedged
from haetae.engine.patience.later import later
from haetae.errors import HaetaeError

_WORTH_IT = frozenset(
    {reasons.TIMEOUT, reasons.CONNECTION, reasons.RATE_LIMITED, reasons.SERVER_ERROR, reasons.MALFORMED}
)
_LONGEST_PAUSE_S = 600.0  # the longest Retry-After that is waited for: beyond it (a day's quota) the run stops


class Patient:
    """Asks the inner model within the limits, again where that may help.

    Raises `error` when no call can succeed any more: the endpoint refused the key or the model, is down, asks to
    wait for longer than ten minutes, or answered nobody until a call's deadline had come. Raises BudgetExhausted
    before a call that could exceed the budget, and Stopped before one that comes after the meter's `stop`.
    """

    def __init__(
        self,
        inner: LanguageModel,
        limiter: Limiter,
        breaker: Breaker,
        meter: Meter,
        *,
        error: type[HaetaeError],
        tries: int = 5,
        deadline_s: float | None = None,
        hedge_after_s: float | None = None,
        rng: random.Random,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._inner = inner
        self._limiter = limiter
        self._breaker = breaker
        self._meter = meter
        self._error = error
        self._tries = tries
        self._deadline_s = deadline_s
        self._deadlines = Deadlines(deadline_s) if deadline_s is not None else None
        self._hedge_after_s = hedge_after_s
        self._rng = rng
        self._sleep = sleep
        self._over: str | None = None

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The inner model's: patience does not change answers."""
        return self._inner.fingerprint

    @property
    def deterministic(self) -> bool:
        """The inner model's."""
        return self._inner.deterministic

    async def chat(
        self, messages: Sequence[Message], *, schema: Json = None, **overrides: Json
    ) -> Generation | Failure:
        """See `LanguageModel.chat`; `attempts` of the result counts the calls made."""
        characters = sum(len(turn.content) for turn in messages)
        answer, attempts = await self._ask(lambda: self._inner.chat(messages, schema=schema, **overrides), characters)
        return answer if attempts == 1 else structs.replace(answer, attempts=attempts)

    async def embed(self, texts: Sequence[str]) -> Embeddings | Failure:
        """See `LanguageModel.embed`."""
        answer, _ = await self._ask(lambda: self._inner.embed(texts), sum(map(len, texts)))
        return answer

    async def likelihood(self, text: str, *, prompt: str = "") -> Likelihood | Failure:
        """See `LanguageModel.likelihood`."""
        answer, _ = await self._ask(lambda: self._inner.likelihood(text, prompt=prompt), len(prompt) + len(text))
        return answer

    async def _ask(
        self, call: Callable[[], Awaitable[Answer | Failure]], characters: int
    ) -> tuple[Answer | Failure, int]:
        """The answer to a question of so many characters, and how many attempts it took."""
        attempts = Attempts(call, self._limiter, self._breaker, self._meter, characters)
        stop, this = self._meter.stop, Call()
        try:
            return await self._until_it_helps(attempts, this), attempts.made
        except asyncio.CancelledError:
            if not this.is_why():
                raise
            if this.waits:
                stop.check()
            return self._late(attempts.made), attempts.made
        finally:
            stop.forget(this)
            if self._deadlines is not None:
                self._deadlines.forget(this)

    async def _until_it_helps(self, attempts: Attempts[Answer], this: Call) -> Answer | Failure:
        """Attempt by attempt. The deadline is set when the first one is made: before, the call only waits its turn."""
        stop, tries = self._meter.stop, 0
        while True:
            stop.waits(this)
            async with attempts.slot() as slot, self._breaker.turn(slot.pauses):
                if self._over is not None:  # found by another call while this one waited
                    raise self._error(self._over)
                stop.starts(this)
                if self._deadlines is not None:
                    self._deadlines.add(this)
                answer = await self._attempt(attempts, slot)
                if not isinstance(answer, Failure):
                    return answer
                self._check(answer)
            if answer.reason not in _WORTH_IT:
                return answer
            if not self._breaker.open:
                tries += 1
                if tries == self._tries:
                    return answer
            stop.waits(this)
            with self._limiter.pausing:
                if answer.retry_after_s:
                    await self._sleep(answer.retry_after_s)
                elif not self._breaker.open:
                    await self._sleep(backoff(tries, self._rng))

    async def _attempt(self, attempts: Attempts[Answer], slot: Slot) -> Answer | Failure:
        if self._hedge_after_s is None:
            return await attempts(slot)
        return await hedged(attempts(slot), attempts.in_another_slot, self._hedge_after_s)

    def _check(self, failure: Failure) -> None:
        """Raises the error of an endpoint that it is pointless to ask on."""
        if failure.fatal:
            self._over = failure.message
        elif self._breaker.down:
            self._over = later(f"{failure.message}; it answers nobody")
        elif failure.retry_after_s and failure.retry_after_s > _LONGEST_PAUSE_S:
            self._over = later(f"{failure.message}; it asks to wait {failure.retry_after_s:.0f} s")
        if self._over is not None:
            raise self._error(self._over)

    def _late(self, made: int) -> Failure:
        """What a call is whose deadline has come. Raises where the endpoint answers nobody."""
        why = self._meter.stop.why
        if why is not None:
            return Failure(reasons.TIMEOUT, f"no answer before the run had to end: {why}", attempts=made)
        late = f"no answer within {self._deadline_s:g} s, the deadline of one call, in {made} attempts"
        if self._breaker.open:
            raise self._error(later(f"{late}; the endpoint answers nobody"))
        return Failure(reasons.TIMEOUT, late, attempts=made)

    async def aclose(self) -> None:
        """Close the inner model."""
        await self._inner.aclose()
