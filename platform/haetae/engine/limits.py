"""How hard an endpoint is asked: how many calls are under way, when they start, and what both learn from answers."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

from haetae.core import reasons
from haetae.core.clock import Clock, Sleep
from haetae.core.generation import Failure, Generation
from haetae.core.model import Embeddings, Likelihood
from haetae.core.pace import Told
from haetae.engine.course import GROWN, Course
from haetae.engine.latencies import Latencies
from haetae.engine.permits import Permits
from haetae.engine.starts import Starts
from haetae.engine.tempo import Tempo
from haetae.engine.token_cost import TokenCost
from haetae.engine.watch import EndpointState
from haetae.engine.window import Window

Answer = Generation | Embeddings | Likelihood | Failure

_CROWD = frozenset({reasons.CONNECTION, reasons.TIMEOUT, reasons.RATE_LIMITED})
_CROWDED = 0.1
"""Where more of the last 64 or so calls were refused it was the crowd; fewer are refused by chance."""
_MEMORY, _CREDIT = 64, 30
"""Calls that are remembered, and answers that an endpoint is given credit for at the start."""


class Limiter:
    """One per endpoint, shared by everything in the run that asks it.

    At most `in_flight` calls are under way, and never fewer than `least` because the endpoint is slow. When it says
    "not before", nobody asks before, and from then on calls start one by one at a tempo that it bears.
    """

    def __init__(
        self,
        in_flight: int,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        place: str = "",
        *,
        least: int = 1,
        course: Course | None = None,
    ) -> None:
        self._place = place
        self._clock = clock
        self._window = Window(in_flight, least)
        self._starts = Starts(clock, sleep, Tempo())
        self._latencies = Latencies()
        self._cost = TokenCost()
        self._course = course or Course(clock)
        self._refused = 0.0
        self._seen = 0
        self._changed_at = -math.inf
        self._shown = 0

    def slot(self, characters: int = 0) -> Slot:
        """One call's place among those under way: `async with limiter.slot() as slot`, then `slot.saw(answer)`.

        It is entered when the call may be made. `characters` is how long the question is.
        """
        return Slot(self, characters)

    def keep_to(self, permits: Permits, requests_per_minute: int | None = None) -> None:
        """From now on calls need permits, which all processes that ask the endpoint share."""
        self._starts.keep_to(permits, requests_per_minute)

    def told(self, told: Told) -> None:
        """The headers of a reply have told what is left of quotas."""
        self._starts.told(told, self._window.under_way - 1, self._cost.of(0))

    @property
    def state(self) -> EndpointState:
        """How the endpoint is asked now."""
        return EndpointState(self._place, self._window.under_way, self._window.limit, self._starts.wait_s)

    async def _enter(self, slot: Slot) -> None:
        await self._window.enter()
        slot.tokens = self._cost.of(slot.characters)
        try:
            slot.tempo = await self._starts.turn(slot.tokens)
        except BaseException:
            self._window.leave()
            raise
        slot.started, slot.window = self._clock.monotonic(), self._window.limit
        if not self._shown:
            self._show("start")

    def _saw(self, slot: Slot, answer: Answer) -> float | None:
        """Learn from a call's outcome; the wait that other processes should be told of."""
        now = self._clock.monotonic()
        if isinstance(answer, Failure):
            used = answer.usage.total if answer.usage else 0
            wait_s = answer.retry_after_s or None
            if wait_s:
                self._starts.hold(wait_s)
            if wait_s or answer.overloaded or answer.reason in _CROWD:
                self._pushed_back(slot, answer, now, wait_s)
        else:
            used = round(slot.tokens) if answer.usage is None else answer.usage.total
            wait_s = None
            self._cost.learn(used)
            latency_s = answer.latency_s if isinstance(answer, Generation) else None
            self._went_well(slot, now, now - slot.started if latency_s is None else latency_s)
        self._starts.settle(slot.tokens, used)
        return wait_s

    def _went_well(self, slot: Slot, now: float, latency_s: float) -> None:
        self._remember(0.0)
        if slot.started <= self._changed_at:
            return
        self._window.answered()
        self._starts.tempo.went_well(now, slot.started, self._window.limit / max(latency_s, 1e-6))
        size = self._latencies.add(latency_s, slot.window)
        if size is not None:
            longer = size > self._window.limit
            self._changed_at = now
            self._window.settle(size)
            self._show("fewer calls were no faster" if longer else "answers wait for one another")
        elif self._window.limit >= 1.5 * self._shown or self._window.limit == self._window.most != self._shown:
            self._show(GROWN)

    def _pushed_back(self, slot: Slot, failure: Failure, now: float, wait_s: float | None) -> None:
        self._remember(1.0)
        tempo = self._starts.tempo
        crowded = self._refused > _CROWDED or (wait_s is not None and tempo.gap_s > 0)
        if slot.started <= self._changed_at or not crowded:
            return  # it was asked before the last change, or refused by chance
        self._changed_at = now
        self._latencies.restart()
        if wait_s is None or not tempo.gap_s:
            self._window.settle(self._window.limit / 2)
        if wait_s is not None or (self._window.limit == self._window.least and failure.reason == reasons.RATE_LIMITED):
            tempo.too_fast(now, wait_s or 1.0, slot.tempo)
        told = f", asks to wait {wait_s:g} s" if wait_s else ""
        self._show(f"{failure.reason}{told}" + (f", {60 * tempo.per_s:.4g} starts a minute" if tempo.gap_s else ""))

    def _remember(self, refused: float) -> None:
        self._seen += 1
        self._refused += (refused - self._refused) / min(_MEMORY, _CREDIT + self._seen)

    def _show(self, why: str) -> None:
        self._shown = self._window.limit
        self._course.add(self._place, self._shown, why)


class Slot:
    """A place among the calls under way, held for the length of one call."""

    __slots__ = ("_limiter", "_wait_s", "characters", "started", "tempo", "tokens", "window")

    def __init__(self, limiter: Limiter, characters: int) -> None:
        self._limiter = limiter
        self._wait_s: float | None = None
        self.characters = characters
        self.started = self.tempo = self.tokens = 0.0
        self.window = 0

    async def __aenter__(self) -> Slot:
        await self._limiter._enter(self)
        return self

    def saw(self, answer: Answer) -> None:
        """Learn from the call's outcome; say it before the place is given back. What is cut off teaches nothing."""
        self._wait_s = self._limiter._saw(self, answer)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._wait_s is not None:
                await self._limiter._starts.tell(self._wait_s)
        finally:
            self._limiter._window.leave()
