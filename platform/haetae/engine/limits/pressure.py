"""How many calls an endpoint bears and how fast they may start, as far as the outcomes of calls tell."""

from __future__ import annotations

import math

from haetae.core import reasons
from haetae.core.generation import Failure
from haetae.engine.limits.course import GROWN, START, Course
from haetae.engine.limits.latencies import Latencies
from haetae.engine.limits.refusals import Refusals
from haetae.engine.limits.tempo import Tempo
from haetae.engine.limits.window import Window

_CROWD = frozenset({reasons.CONNECTION, reasons.TIMEOUT, reasons.RATE_LIMITED})


class Pressure:
    """Sets the window and the tempo of one endpoint, and keeps every change in the course.

    What was asked before the last change tells nothing of what it has brought.
    """

    def __init__(self, window: Window, tempo: Tempo, place: str, course: Course) -> None:
        self._window = window
        self._tempo = tempo
        self._place = place
        self._course = course
        self._latencies = Latencies()
        self.refusals = Refusals()
        self._changed_at = -math.inf
        self._trying = False
        self._shown = 0

    def begins(self) -> None:
        """A call starts; the first one is where the course starts."""
        if not self._shown:
            self._show(START)

    def went_well(self, started: float, window: int, now: float, latency_s: float) -> None:
        """A call that was started then, in a window so large, is answered."""
        fresh = started > self._changed_at
        self._remember(False, fresh, now)
        if not fresh:
            return
        if not self.refusals.in_doubt:
            self._window.answered()
        self._tempo.went_well(now, started, self._window.limit / max(latency_s, 1e-6))
        size = self._latencies.add(latency_s, window)
        if size is not None:
            longer = size > self._window.limit
            self._settle(size, now, "fewer calls were no faster" if longer else "answers wait for one another")
        elif self._window.limit >= 1.5 * self._shown or self._window.limit == self._window.most != self._shown:
            self.refusals.grown(self._window.limit)
            self._show(GROWN)

    def failed(self, started: float, tempo_then: float, failure: Failure, now: float) -> None:
        """A call that was started then, at that tempo, has failed: where that is pushback the endpoint is spared."""
        wait_s = failure.retry_after_s or None
        if not (wait_s or failure.overloaded or failure.reason in _CROWD):
            return
        fresh, tempo = started > self._changed_at, self._tempo
        self._remember(True, fresh, now)
        crowded = self.refusals.crowded if wait_s is None else self.refusals.many or tempo.gap_s > 0
        if not fresh or not crowded:
            return  # it was asked before the last change, or refused by chance
        size, least = self._window.limit, self._window.least
        too_fast = wait_s is not None or (
            failure.reason == reasons.RATE_LIMITED and (size <= 2 * least or tempo.gap_s > 0)
        )
        if not too_fast or not tempo.gap_s:
            self.refusals.cut(now, size, last=not too_fast and size == least)
            size //= 2
        if too_fast:
            self._trying = wait_s is None and (self._trying or not tempo.gap_s)
            tempo.too_fast(now, wait_s or 1.0, tempo_then)
        told = f", asked to wait {wait_s:g} s" if wait_s else ""
        why = failure.reason.replace("_", " ") + told
        why += f"; then at most {60 * tempo.per_s:.4g} calls a minute" if tempo.gap_s else ""
        self._settle(size, now, why)

    def _remember(self, refused: bool, fresh: bool, now: float) -> None:
        size = self.refusals.add(refused, now, since_the_cut=fresh)
        if size is not None:
            if self._trying:
                self._tempo.forget()
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
