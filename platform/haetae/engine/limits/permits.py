"""Permits to ask an endpoint whose requests and tokens a minute are limited, for all who ask it together.

They are reserved in small batches from what all processes share: half a second's worth, and not more than are
waited for, so that suites share fairly and what a killed process had reserved is soon over.
"""

from __future__ import annotations

import asyncio
import math

from haetae.core.clock import Clock
from haetae.core.pace import Pacing

_BATCH_S = 0.5
_MARGIN = 1.02
"""Calls do not reach an endpoint as evenly as they are started: they are started a little further apart."""
_FRESH_S = 0.5
"""How old what is known of others may be when a call starts."""


class Permits:
    """The permits that this process holds for one endpoint."""

    def __init__(
        self,
        endpoint: str,
        pacing: Pacing,
        clock: Clock,
    ) -> None:
        self._endpoint = endpoint
        self._pacing = pacing
        self._clock = clock
        self._request_s = self._token_s = 0.0
        self._rates: dict[str, int] = {}
        self._left = 0
        self._next = self._every = self._over_at = 0.0
        self._asked_at = -math.inf
        self._debt = 0.0

    def keep_to(self, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        """Keep to these rates as well: of several the lowest counts."""
        for what, rate in (("requests", requests_per_minute), ("tokens", tokens_per_minute)):
            if rate:
                self._rates[what] = min(rate, self._rates.get(what, rate))
        if requests_per_minute:
            self._request_s = max(self._request_s, 60 * _MARGIN / requests_per_minute)
        if tokens_per_minute:
            self._token_s = max(self._token_s, 60 / tokens_per_minute)

    @property
    def rates(self) -> str:
        """`600 requests a minute`, in words."""
        return " and ".join(f"{rate} {what}" for what, rate in self._rates.items()) + " a minute"

    async def due(self, tokens: float, waiting: int) -> tuple[float, float]:
        """When the next call may start, and until when nobody may, as far as others were told.

        `waiting` calls of this process want to start, this one included; each is expected to cost `tokens`.
        """
        now = self._clock.monotonic()
        if self._left and now <= self._over_at:
            return self._next, await self._held(now)
        each_s = max(self._request_s, tokens * self._token_s)
        count = max(1, min(waiting, int(_BATCH_S / each_s))) if each_s else waiting
        owed = count * tokens + self._debt
        paid = max(0.0, owed)
        turn = await asyncio.to_thread(
            self._pacing.reserve, self._endpoint, count * self._request_s, paid * self._token_s
        )
        self._debt = owed - paid
        now = self._asked_at = self._clock.monotonic()
        self._left, self._next = count, now + turn.in_s
        self._every = max(count * self._request_s, paid * self._token_s) / count
        self._over_at = self._next + count * self._every + _BATCH_S
        return self._next, now + turn.held_s

    async def _held(self, now: float) -> float:
        if now - self._asked_at <= _FRESH_S:
            return now
        seconds = await asyncio.to_thread(self._pacing.held, self._endpoint)
        self._asked_at = self._clock.monotonic()
        return self._asked_at + seconds

    def take(self, now: float) -> None:
        """A call starts."""
        self._left -= 1
        self._next = max(now, self._next) + self._every

    def settle(self, reserved: float, used: int) -> None:
        """A call has cost so many tokens instead of what was reserved for it; the next ones make up for it."""
        self._debt += used - reserved

    async def hold(self, seconds: float) -> None:
        """The endpoint has asked to wait: tell the other processes."""
        await asyncio.to_thread(self._pacing.hold, self._endpoint, seconds)
