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
from haetae.engine.refusals import Refusals
from haetae.engine.starts import Starts
from haetae.engine.tempo import Tempo
from haetae.engine.token_cost import TokenCost
from haetae.engine.watch import EndpointState
from haetae.engine.window import Window

Answer = Generation | Embeddings | Likelihood | Failure

_CROWD = frozenset({reasons.CONNECTION, reasons.TIMEOUT, reasons.RATE_LIMITED})


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
        self._refusals = Refusals()
        self._asked = 0
        self._trying = False
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
        self._asked += 1
        if not self._shown:
            self._show("start")

    def _leave(self) -> None:
        self._asked -= 1
        if not self._asked and self._refusals.few:
            self._starts.go_on()
        self._window.leave()

    def _saw(self, slot: Slot, answer: Answer) -> float | None:
        """Learn from a call's outcome; the wait that other processes should be told of."""
        now, wait_s = self._clock.monotonic(), None
        if isinstance(answer, Failure):
            used = answer.usage.total if answer.usage else 0
            wait_s = answer.retry_after_s or None
            if wait_s or answer.overloaded or answer.reason in _CROWD:
                self._pushed_back(slot, answer, now, wait_s)
        else:
            used = round(slot.tokens) if answer.usage is None else answer.usage.total
            self._cost.learn(used)
            latency_s = answer.latency_s if isinstance(answer, Generation) else None
            self._went_well(slot, now, now - slot.started if latency_s is None else latency_s)
        self._starts.settle(slot.tokens, used)
        return wait_s

    def _went_well(self, slot: Slot, now: float, latency_s: float) -> None:
        fresh = slot.started > self._changed_at
        self._remember(False, fresh, now)
        if not fresh:
            return
        if not self._refusals.in_doubt:
            self._window.answered()
        self._starts.tempo.went_well(now, slot.started, self._window.limit / max(latency_s, 1e-6))
        size = self._latencies.add(latency_s, slot.window)
        if size is not None:
            longer = size > self._window.limit
            self._settle(size, now, "fewer calls were no faster" if longer else "answers wait for one another")
        elif self._window.limit >= 1.5 * self._shown or self._window.limit == self._window.most != self._shown:
            self._refusals.grown(self._window.limit)
            self._show(GROWN)

    def _pushed_back(self, slot: Slot, failure: Failure, now: float, wait_s: float | None) -> None:
        fresh, tempo = slot.started > self._changed_at, self._starts.tempo
        self._remember(True, fresh, now)
        if wait_s is not None:
            self._starts.asked_to_wait(wait_s, everybody=self._refusals.many, provisionally=not self._refusals.few)
        crowded = self._refusals.crowded if wait_s is None else self._refusals.many or tempo.gap_s > 0
        if not fresh or not crowded:
            return  # it was asked before the last change, or refused by chance
        size, least = self._window.limit, self._window.limit == self._window.least
        too_fast = wait_s is not None or (failure.reason == reasons.RATE_LIMITED and (least or tempo.gap_s > 0))
        if not too_fast or not tempo.gap_s:
            self._refusals.cut(now, size, last=not too_fast and least)
            size //= 2
        if too_fast:
            self._trying = wait_s is None and (self._trying or not tempo.gap_s)
            tempo.too_fast(now, wait_s or 1.0, slot.tempo)
        told = f", asks to wait {wait_s:g} s" if wait_s else ""
        why = f"{failure.reason}{told}" + (f", {60 * tempo.per_s:.4g} starts a minute" if tempo.gap_s else "")
        self._settle(size, now, why)

    def _remember(self, refused: bool, fresh: bool, now: float) -> None:
        size = self._refusals.add(refused, now, since_the_cut=fresh)
        if size is not None:
            if self._trying:
                self._starts.tempo.forget()
                self._trying = False
            self._settle(size, now, "fewer calls were refused as often")

    def _settle(self, size: float, now: float, why: str) -> None:
        self._changed_at = now
        self._latencies.restart()
        self._window.settle(size)
        self._show(why)

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
            self._limiter._leave()
