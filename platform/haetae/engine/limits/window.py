"""How many calls are under way at once: a window that follows what the endpoint can take.

It opens as TCP's does (V. Jacobson, "Congestion Avoidance and Control", 1988): it doubles each round trip until the
first pushback, is halved by it, and opens by one call a round trip from there on.
"""

from __future__ import annotations

import asyncio
from collections import deque

_FIRST = 32
"""Calls under way at the start: a short run should not lose a second round trip to finding out that it may."""


class Window:
    """At most `limit` calls are under way; who comes first is let in first.

    `limit` stays between `least` and `most`. It opens only while it is what holds calls back.
    """

    def __init__(self, most: int, least: int = 1) -> None:
        self.most, self.least = most, least
        self._size = float(max(least, min(most, _FIRST)))
        self._doubling = True
        self._line: deque[asyncio.Future[None]] = deque()
        self.under_way = 0

    @property
    def limit(self) -> int:
        return int(self._size)

    async def enter(self) -> None:
        """Wait for a place and take it."""
        if self.under_way < self.limit and not self._line:
            self.under_way += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its turn had just come
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.under_way -= 1
        self._let_in()

    def answered(self) -> None:
        """An answer has come: open a little, where calls wait or all places are taken."""
        if self._size < self.most and (self._line or self.under_way >= self.limit):
            self._set(self._size + (1 if self._doubling else 1 / self._size))

    def settle(self, size: float) -> None:
        """Be so large, within the bounds, and open slowly from there on."""
        self._doubling = False
        self._set(size)

    def _set(self, size: float) -> None:
        self._size = max(float(self.least), min(float(self.most), size))
        self._let_in()

    def _let_in(self) -> None:
        while self._line and self.under_way < self.limit:
            turn = self._line.popleft()
            if not turn.done():
                self.under_way += 1
                turn.set_result(None)
