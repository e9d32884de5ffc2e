"""The breaker of an endpoint that answers nobody: instead of everybody trying, one tries now and then for all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from haetae.core import reasons
from haetae.core.clock import Sleep
from haetae.core.generation import Failure

_OUT = frozenset({reasons.CONNECTION, reasons.RATE_LIMITED, reasons.SERVER_ERROR, reasons.TIMEOUT})
"""Failures that an endpoint which is out gives to everybody, whatever the question."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0


def patience(in_flight: int) -> int:
    """How many attempts may fail, with no answer between, before an endpoint is taken to answer nobody."""
    return 3 * in_flight + 10


class Breaker:
    """One per endpoint, shared by everything in the run that asks it.

    After three rounds of failures and ten more, with no answer between, it is open: one call at a time is made,
    after waits that grow from a second to half a minute, and all others wait, until one is answered. Faults that
    come by chance do not open it: of ten calls that fail with probability .3 all fail once in 170,000.
    """

    def __init__(self, in_flight: int, rng: random.Random, sleep: Sleep = asyncio.sleep) -> None:
        self._patience = patience(in_flight)
        self._rng = rng
        self._sleep = sleep
        self._failed = self._trials = 0
        self._reached = False
        self._one_at_a_time = asyncio.Lock()

    @property
    def open(self) -> bool:
        """Whether the endpoint answers nobody."""
        return self._failed >= self._patience

    @property
    def down(self) -> bool:
        """Whether nobody has reached the endpoint since the start: its address is wrong, or nothing runs there."""
        return self.open and not self._reached

    def saw(self, failure: Failure | None) -> None:
        """Learn from a call's outcome."""
        if failure is None or failure.reason not in _OUT:
            self._failed = self._trials = 0
            self._reached = True
        else:
            self._failed += 1
            self._reached = self._reached or failure.reason != reasons.CONNECTION

    def turn(self, told: Callable[[float], None]) -> AbstractAsyncContextManager[None]:
        """Around a call: entered at once as a rule. How long a wait will be is `told` when it begins."""
        return self._trial(told) if self.open else _AT_ONCE

    @asynccontextmanager
    async def _trial(self, told: Callable[[float], None]) -> AsyncIterator[None]:
        async with self._one_at_a_time:
            if self.open:
                longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**self._trials)
                self._trials += 1
                wait_s = self._rng.uniform(longest / 2, longest)
                told(wait_s)
                await self._sleep(wait_s)
                yield
                return
        yield


_AT_ONCE: AbstractAsyncContextManager[None] = nullcontext()
