"""A language model around a language model: limits, retries and the meter.

What is worth asking again is asked again, with growing waits and jitter ("full jitter", M. Brooker,
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015), at most `tries` times in all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from haetae.core import reasons
from haetae.core.canonical import Json
from haetae.core.generation import Failure, Generation
from haetae.core.model import Embeddings, LanguageModel, Likelihood
from haetae.core.sample import Message
from haetae.engine.budget import Meter
from haetae.engine.limits import Limiter, Sleep
from haetae.errors import HaetaeError

_WORTH_IT = frozenset(
    {reasons.TIMEOUT, reasons.CONNECTION, reasons.RATE_LIMITED, reasons.SERVER_ERROR, reasons.MALFORMED}
)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 30.0
_LONGEST_PAUSE_S = 600.0
"""The longest Retry-After that is waited for: beyond it (a day's quota) the run stops and can be continued."""

_Answer = TypeVar("_Answer", Generation, Embeddings, Likelihood)


class Patient:
    """Asks the inner model within the limits, again where that may help.

    Raises `error` when no call can succeed any more: the endpoint refused the key or the model, is down,
    or asks to wait for longer than ten minutes. Raises BudgetExhausted before a call that could exceed the budget.
    """

    def __init__(
        self,
        inner: LanguageModel,
        limiter: Limiter,
        meter: Meter,
        *,
        error: type[HaetaeError],
        tries: int = 5,
        rng: random.Random,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._inner = inner
        self._limiter = limiter
        self._meter = meter
        self._error = error
        self._tries = tries
        self._rng = rng
        self._sleep = sleep

    @property
    def fingerprint(self) -> Mapping[str, Json]:
        """The inner model's: patience does not change answers."""
        return self._inner.fingerprint

    async def chat(
        self, messages: Sequence[Message], *, schema: Json = None, **overrides: Json
    ) -> Generation | Failure:
        """See `LanguageModel.chat`; `attempts` of the result counts the calls made."""
        answer, attempts = await self._ask(lambda: self._inner.chat(messages, schema=schema, **overrides))
        return answer if attempts == 1 else replace(answer, attempts=attempts)

    async def embed(self, texts: Sequence[str]) -> Embeddings | Failure:
        """See `LanguageModel.embed`."""
        answer, _ = await self._ask(lambda: self._inner.embed(texts))
        return answer

    async def likelihood(self, text: str, *, prompt: str = "") -> Likelihood | Failure:
        """See `LanguageModel.likelihood`."""
        answer, _ = await self._ask(lambda: self._inner.likelihood(text, prompt=prompt))
        return answer

    async def _ask(self, call: Callable[[], Awaitable[_Answer | Failure]]) -> tuple[_Answer | Failure, int]:
        for attempt in range(1, self._tries + 1):
            async with self._limiter.slot() as slot:
                await self._meter.opened()
                try:
                    answer = await call()
                except BaseException:
                    self._meter.closed(None, None)
                    raise
                slot.saw(answer)
            if not isinstance(answer, Failure):
                self._meter.closed(answer.usage, answer.cost_usd)
                return answer, attempt
            self._meter.closed(answer.usage, answer.cost_usd or 0.0)
            if answer.fatal or self._limiter.down:
                raise self._error(answer.message)
            if answer.retry_after_s and answer.retry_after_s > _LONGEST_PAUSE_S:
                raise self._error(f"{answer.message}; it asks to wait {answer.retry_after_s:.0f} s: go on later")
            if answer.reason not in _WORTH_IT or attempt == self._tries:
                break
            if not answer.retry_after_s:
                await self._sleep(self._rng.uniform(0, min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt)))
        return answer, attempt

    async def aclose(self) -> None:
        """Close the inner model."""
        await self._inner.aclose()
