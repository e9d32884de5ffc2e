"""What an endpoint's headers say is left of its quotas: nobody asks beyond it before the quota is full again."""

from __future__ import annotations

from haetae.core.pace import Quota

_LONGEST_WAIT_S = 600.0
"""A quota that is full again later than this is not waited for: the endpoint refuses, and says what to do."""


class Allowance:
    """One quota, of requests or of tokens. What is under way when it is told may not have been counted yet."""

    def __init__(self) -> None:
        self._left: float | None = None
        self._limit: int | None = None
        self._full_at = 0.0

    def told(self, quota: Quota, now: float, uncounted: float) -> None:
        """A reply has told the quota; `uncounted` is what calls under way may still take from it."""
        if quota.reset_s <= _LONGEST_WAIT_S:
            self._left = max(0.0, quota.left - uncounted)
            self._limit = quota.limit
            self._full_at = now + quota.reset_s

    def wait_until(self, now: float, cost: float) -> float:
        """When a call of this cost may start; in the past where nothing holds it."""
        if self._left is None:
            return 0.0
        if now >= self._full_at:  # a call that costs more than all of it still has to be made
            self._left = None if self._limit is None else max(float(self._limit), cost)
            self._full_at = now
            return 0.0
        return self._full_at if self._left < cost else 0.0

    def take(self, cost: float) -> None:
        """A call of this cost starts."""
        if self._left is not None:
            self._left -= cost
