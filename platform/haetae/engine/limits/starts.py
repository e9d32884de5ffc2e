"""When the next call to an endpoint may start: after its waits, within its quotas and rates, at a tempo it bears."""

from __future__ import annotations

import asyncio

from haetae.core.clock import Clock, Sleep
from haetae.core.pace import Told
from haetae.engine.limits.allowance import Allowance
from haetae.engine.limits.permits import Permits
from haetae.engine.limits.tempo import Tempo

ASKED_TO_WAIT = "asked to wait"


class Starts:
    """Lets calls start at once as long as nothing is known against it, else one by one in the order they came."""

    def __init__(self, clock: Clock, sleep: Sleep, tempo: Tempo) -> None:
        self._clock = clock
        self._sleep = sleep
        self.tempo = tempo
        self._permits: Permits | None = None
        self._requests, self._tokens = Allowance(), Allowance()
        self._counted = False
        self._due, self._why = 0.0, ""
        self._not_before = self._told_until = self._next = 0.0
        self._pauses = set[asyncio.Future[None]]()
        self._tempo = tempo.per_s
        self._one_by_one = asyncio.Lock()
        self._waiting = 0

    @property
    def next(self) -> tuple[float, str]:
        """When the next call may start, and what holds it back until then."""
        return max((self._not_before, ASKED_TO_WAIT), (self._due, self._why))

    async def turn(self, tokens: float) -> float:
        """Wait until a call that will cost so many tokens may start; the tempo at which it does."""
        while not self._in_turn:
            if (wait := self._not_before - self._clock.monotonic()) <= 0:
                return self.tempo.per_s
            await self._pause(wait)
        self._waiting += 1
        try:
            async with self._one_by_one:
                while True:
                    self._due, self._why = await self._may_start(tokens)
                    if (wait := self._due - self._clock.monotonic()) <= 0:
                        break
                    await self._sleep(wait)
                return self._started(tokens)
        finally:
            self._waiting -= 1

    @property
    def _in_turn(self) -> bool:
        return self._counted or self.tempo.gap_s > 0 or self._permits is not None

    async def _may_start(self, tokens: float) -> tuple[float, str]:
        """When, and why not before."""
        if self._permits is not None:
            due, held = await self._permits.due(tokens, self._waiting)
            self._not_before = max(self._not_before, held)
        else:
            due = 0.0
        now = self._clock.monotonic()
        quota = max(self._requests.wait_until(now, 1), self._tokens.wait_until(now, tokens))
        rate = f"{60 * self.tempo.per_s:.4g} calls a minute" if self._permits is None else self._permits.rates
        return max((self._not_before, ASKED_TO_WAIT), (quota, "quota"), (max(self._next, due), rate))

    def _started(self, tokens: float) -> float:
        now, tempo = self._clock.monotonic(), self._tempo
        self._next, self._tempo = now + self.tempo.gap_s, self.tempo.per_s
        self._requests.take(1)
        self._tokens.take(tokens)
        if self._permits is not None:
            self._permits.take(now)
        return tempo

    def keep_to(self, permits: Permits, requests_per_minute: int | None) -> None:
        """From now on calls need permits, which all processes share."""
        self._permits = permits
        if requests_per_minute:
            self.tempo.keep_to(requests_per_minute)

    def asked_to_wait(self, seconds: float, *, everybody: bool, provisionally: bool) -> None:
        """The endpoint has asked a call to wait, which it does itself; the others do where it concerns `everybody`,
        as it does where rates are known, and `provisionally` until they may `go_on`."""
        self._told_until = max(self._told_until, self._clock.monotonic() + seconds)
        if everybody or provisionally or self._in_turn:
            self._not_before = max(self._not_before, self._told_until)

    def go_on(self) -> None:
        """What one call was asked to wait concerns nobody else, as far as nothing is known against it."""
        if not self._in_turn:
            self._not_before = self._clock.monotonic()
            for sleeping in self._pauses:
                sleeping.cancel()

    async def _pause(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        self._pauses.add(sleeping)
        try:
            await asyncio.wait([sleeping])
        finally:
            self._pauses.discard(sleeping)
            sleeping.cancel()

    async def tell(self, seconds: float) -> None:
        """Tell other processes of it, where any may ask the endpoint."""
        if self._permits is not None:
            await self._permits.hold(seconds)

    def told(self, told: Told, under_way: int, tokens: float) -> None:
        """A reply's headers have told quotas; `under_way` calls of about so many tokens may not be counted in them."""
        now = self._clock.monotonic()
        if told.requests is not None:
            self._requests.told(told.requests, now, under_way)
        if told.tokens is not None:
            self._tokens.told(told.tokens, now, under_way * tokens)
        self._counted = True

    def settle(self, reserved: float, used: int) -> None:
        """A call has cost so many tokens instead of what was expected."""
        if self._permits is not None:
            self._permits.settle(reserved, used)
