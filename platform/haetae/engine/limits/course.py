"""How hard the endpoints of a run were asked: every change that matters, and not more of them than can be read."""

from __future__ import annotations

from haetae.core.clock import Clock
from haetae.core.run import LimitChange

_MOST = 200
START = "start"
"""Why there is a limit at all; a run that is gone on with has one more."""
GROWN = "it bears more"
"""Why a limit went up without having been lowered."""


class Course:
    """The changes of all limits, in order. Of more than 200 every second one is kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started: float | None = None
        self._changes: list[LimitChange] = []

    def add(self, place: str, limit: int, why: str) -> None:
        """From now on `place` is asked at most `limit` calls at once."""
        now = self._clock.monotonic()
        if self._started is None:
            self._started = now
        self._changes.append(LimitChange(now - self._started, place, limit, why))
        if len(self._changes) > _MOST:
            del self._changes[1:-1:2]

    @property
    def changes(self) -> tuple[LimitChange, ...]:
        return tuple(self._changes)
