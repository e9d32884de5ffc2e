"""How many calls are started a second, where an endpoint has said that it was asked too fast.

A window of calls cannot hold a fast endpoint to ten calls a second; the time between two starts can. What the
endpoint takes is searched from below, since every call too many costs the wait that it is answered with: a step up
per answer until the first refusal, one step back, and after a long while half the way towards the tempo that failed.
"""

from __future__ import annotations

import math

_PER_WAIT = 8.0
"""Calls in the time of the first wait that was told: where the search begins."""
_LEAST_PER_WAIT = 0.5
"""Refusals that go on and on are an outage, and say nothing of a tempo: it is not lowered without end."""
_STEP = 1.1
_HELD_WAITS, _SHORTEST_HOLD_S = 30.0, 2.0
"""How long a tempo that works is kept: a refusal costs one wait, so this costs a thirtieth at most."""
_LEAST_STEP, _LARGEST_STEP = 1.02, 1.5
_SETBACK = 1.05
"""The first step back from a tempo that was known or found: calls come as unevenly as that, and each wait costs."""
_MOST_PATIENCE = 8.0
_FREE = 1
"""Answers after a wait that say nothing of the tempo: something had been saved up for them."""
_RARE = 20
"""Calls between two refusals from which on they count as rare."""
_MARGIN = 0.98
"""Of a known rate: calls do not reach an endpoint as evenly as they are started."""


class Tempo:
    """Starts a second: without bound (`gap_s` is 0) until the first wait is told."""

    def __init__(self) -> None:
        self._most = self._per_s = math.inf
        self._searching = True
        self._climbed, self._passed = False, 0
        self._failed = self._last_good = self._per_s
        self._patience = 1.0
        self._setback = _SETBACK
        self._growth = _LEAST_STEP
        self._changed = self._held_until = -math.inf
        self._hold_s = _SHORTEST_HOLD_S

    def keep_to(self, per_minute: int) -> None:
        """So many a minute are known to be let through: there is nothing to search."""
        self._most = min(self._most, per_minute / 60 * _MARGIN)
        self._per_s = min(self._per_s, self._most)
        self._searching = False

    def forget(self) -> None:
        """What was begun has not helped."""
        self._per_s, self._searching, self._climbed = self._most, self._most == math.inf, False

    @property
    def per_s(self) -> float:
        return self._per_s

    @property
    def gap_s(self) -> float:
        """Seconds between two starts."""
        return 1 / self._per_s

    def too_fast(self, now: float, wait_s: float, tempo: float) -> None:
        """A call that was started at this tempo is refused with a wait; once for all that was asked before it."""
        if self._per_s == math.inf:
            self._per_s = _PER_WAIT / wait_s
        elif self._searching and not self._climbed:
            self._per_s /= 2
        elif self._searching:
            self._per_s = min(tempo, self._per_s) / _STEP / _LEAST_STEP
            self._searching, self._climbed = False, False
        elif self._climbed:
            self._per_s, self._climbed = self._last_good, False
            self._patience = min(_MOST_PATIENCE, 2 * self._patience)
        else:  # the sooner it comes after the last one, the more was it the tempo and not chance
            self._setback = self._setback if self._passed < _RARE else _SETBACK
            self._per_s /= self._setback
            self._setback = min(2.0, self._setback**2)
        self._per_s = max(self._per_s, min(self._most, _LEAST_PER_WAIT / max(1.0, wait_s)))
        self._failed = tempo
        self._hold_s = self._patience * max(_SHORTEST_HOLD_S, _HELD_WAITS * wait_s)
        self._held_until = now + wait_s + self._hold_s
        self._changed, self._growth, self._passed = now, _LEAST_STEP, 0

    def went_well(self, now: float, started: float, possible: float) -> None:
        """A call that was started then is answered. `possible` is how many a second the window lets through."""
        if self._per_s == math.inf or started < self._changed:
            return
        self._passed += 1
        if self._passed <= _FREE:
            return
        if self._searching:
            self._climb(now, _STEP)
        elif now >= self._held_until and self._per_s < self._most:
            below = self._per_s < self._failed
            step = math.sqrt(self._failed / self._per_s) if below else self._growth
            self._growth = min(_LARGEST_STEP, 1 + 2 * (self._growth - 1))
            self._setback = _STEP
            self._climb(now, max(_LEAST_STEP, min(_LARGEST_STEP, step)))
            self._held_until = now + self._hold_s
        if self._per_s > 2 * possible and self._most == math.inf:  # it is the window that holds calls back
            self._per_s, self._searching, self._climbed = math.inf, True, False

    def _climb(self, now: float, step: float) -> None:
        self._last_good = self._per_s
        self._per_s = min(self._most, self._per_s * step)
        self._changed, self._climbed = now, True
