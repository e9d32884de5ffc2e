"""How hard an endpoint is asked: how many calls are under way, when they start, and what both learn from answers."""

from __future__ import annotations

import asyncio
from types import TracebackType

from haetae.core.clock import Clock, Sleep
from haetae.core.generation import Failure, Generation
from haetae.core.model import Embeddings, Likelihood
from haetae.core.pace import Told
from haetae.engine.limits.count import Count
from haetae.engine.limits.course import Course
from haetae.engine.limits.permits import Permits
from haetae.engine.limits.pressure import Pressure
from haetae.engine.limits.starts import Starts
from haetae.engine.limits.tempo import Tempo
from haetae.engine.limits.token_cost import TokenCost
from haetae.engine.limits.window import Window
from haetae.engine.watch import EndpointState

Answer = Generation | Embeddings | Likelihood | Failure
_ANSWERS_NOBODY = "it answers nobody"


class Limiter:
    """One per endpoint, shared by everything in the run that asks it.

    At most `in_flight` calls are under way, and never fewer than `least` because the endpoint is slow. When it says
    "not before", nobody asks before, and from then on calls start one by one at a tempo that it bears. Who sends a
    request does it `with limiter.asking`, who waits to send it again `with limiter.pausing`.
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
        self._pressure = Pressure(self._window, self._starts.tempo, place, course or Course(clock))
        self._cost = TokenCost()
        self._asked = 0
        self._trial_at = 0.0
        self.asking, self.pausing = Count(), Count()

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
        asking, under_way = self.asking.now, self._window.under_way
        waiting = under_way - asking + self.pausing.now
        until, why = max(self._starts.next, (self._trial_at, _ANSWERS_NOBODY))
        wait_s = until - self._clock.monotonic()
        if not waiting or wait_s <= 0:
            wait_s, why = 0.0, ""
        return EndpointState(self._place, asking, self._window.limit, wait_s, waiting, why)

    def _pauses(self, seconds: float) -> None:
        self._trial_at = self._clock.monotonic() + seconds

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
        self._pressure.begins()

    def _leave(self) -> None:
        self._asked -= 1
        if not self._asked and self._pressure.refusals.few:
            self._starts.go_on()
        self._window.leave()

    def _saw(self, slot: Slot, answer: Answer) -> float | None:
        """Learn from a call's outcome; the wait that other processes should be told of."""
        now, wait_s = self._clock.monotonic(), None
        if isinstance(answer, Failure):
            used = answer.usage.total if answer.usage else 0
            wait_s = answer.retry_after_s or None
            self._pressure.failed(slot.started, slot.tempo, answer, now)
            if wait_s is not None:
                refusals = self._pressure.refusals
                self._starts.asked_to_wait(wait_s, everybody=refusals.many, provisionally=not refusals.few)
        else:
            used = round(slot.tokens) if answer.usage is None else answer.usage.total
            self._cost.learn(used)
            latency_s = answer.latency_s if isinstance(answer, Generation) else None
            latency_s = now - slot.started if latency_s is None else latency_s
            self._pressure.went_well(slot.started, slot.window, now, latency_s)
        self._starts.settle(slot.tokens, used)
        return wait_s


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

    def pauses(self, seconds: float) -> None:
        """No call is made before, because the endpoint answers nobody."""
        self._limiter._pauses(seconds)

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
