"""How a run ends before its time: no call is started any more, and what only waits to make one is woken."""

from __future__ import annotations

import asyncio

from haetae.errors import HaetaeError


class Stopped(HaetaeError):
    """The run was asked to end before this call was made; what was done is kept, and the run can be continued."""


class Stop:
    """Shared by all who make the calls of a run. Each call is known by the deadline that it has anyway.

    `ask` lets calls under way finish and wakes those that wait: for their turn, for an endpoint that said "not
    before", between two tries. `cut` ends the calls under way as if their deadline had come.
    """

    def __init__(self) -> None:
        self.why: str | None = None
        self._waiting: set[asyncio.Timeout] = set()
        self._under_way: set[asyncio.Timeout] = set()

    def ask(self, why: str) -> None:
        """Start no call any more. What is said first stays."""
        self.why = self.why or why
        _expire(self._waiting)

    def cut(self) -> None:
        """End the calls under way."""
        _expire(self._under_way)

    def check(self) -> None:
        """Raises Stopped where no call is to be started."""
        if self.why is not None:
            raise Stopped(self.why)

    def waits(self, call: asyncio.Timeout) -> None:
        """A call waits to be made, or to be made again. Raises Stopped."""
        self.check()
        self._under_way.discard(call)
        self._waiting.add(call)

    def starts(self, call: asyncio.Timeout) -> None:
        """A call that waited is made. Raises Stopped."""
        self.check()
        self._waiting.discard(call)
        self._under_way.add(call)

    def has_woken(self, call: asyncio.Timeout) -> bool:
        """Whether the call's deadline came because nothing is started any more, while it waited to be made."""
        return self.why is not None and call in self._waiting

    def ended(self, call: asyncio.Timeout) -> None:
        """A call is over, or given up."""
        self._waiting.discard(call)
        self._under_way.discard(call)


def _expire(calls: set[asyncio.Timeout]) -> None:
    now = asyncio.get_running_loop().time()
    for call in calls:
        if not call.expired():
            call.reschedule(now)
