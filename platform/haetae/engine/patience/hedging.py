"""Hedging: what has no answer after a while is asked a second time, and the first answer counts.

J. Dean and L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from haetae.core import reasons
from haetae.core.generation import Failure
from haetae.errors import HaetaeError

T = TypeVar("T")


async def hedged(
    first: Coroutine[Any, Any, T | Failure], second: Callable[[], Awaitable[T | Failure]], after_s: float
) -> T | Failure:
    """What `first` gives; where that takes longer than `after_s` seconds, what the sooner of the two gives.

    The other is cancelled. The second one's failure counts for nothing while the first is under way, and that it
    may not be made (a budget, a run that ends) is no error.
    """
    one = asyncio.create_task(first)
    both = [one]
    try:
        await asyncio.wait(both, timeout=after_s)
        if not one.done():
            two = asyncio.create_task(_if_it_may(second))
            both.append(two)
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not one.done() and not isinstance(answer := two.result(), Failure):
                return answer
        return await one
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _if_it_may(ask: Callable[[], Awaitable[T | Failure]]) -> T | Failure:
    try:
        return await ask()
    except HaetaeError as exc:
        return Failure(reasons.CONNECTION, str(exc), attempts=0)  # as good as none: it counts for nothing
