"""The deadlines of calls: one timer for all of them, where each asyncio.timeout would plan and cancel its own."""

from __future__ import annotations

import asyncio
from typing import cast


class Call:
    """What runs in the current task from now on, and may be ended from outside.

    `ended` says that it was; its task is cancelled then, which `is_why` tells from being cancelled by others.
    """

    __slots__ = ("_cancelling", "_task", "ended", "waits")

    def __init__(self) -> None:
        task = cast("asyncio.Task[object]", asyncio.current_task())  # what is awaited is in one
        self._task, self._cancelling = task, task.cancelling()
        self.ended = False
        self.waits = True

    def end(self) -> None:
        """Cancel it, once."""
        if not self.ended:
            self.ended = True
            self._task.cancel()

    def is_why(self) -> bool:
        """To be asked once, when it is over: whether its task was cancelled by `end` alone."""
        return self.ended and self._task.uncancel() <= self._cancelling


class Deadlines:
    """Calls that are each ended so many seconds after they were added: who is first in line is due first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[Call, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, call: Call) -> None:
        """Its time begins now; where it has begun already it goes on."""
        if call not in self._due:
            loop = asyncio.get_running_loop()
            self._due[call] = due = loop.time() + self._seconds
            if self._timer is None:
                self._timer = loop.call_at(due, self._end_those_due, loop)

    def forget(self, call: Call) -> None:
        """A call is over."""
        self._due.pop(call, None)
        if self._timer is not None and not self._due:
            self._timer.cancel()
            self._timer = None

    def _end_those_due(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for call, due in self._due.items():
            if due > loop.time():
                self._timer = loop.call_at(due, self._end_those_due, loop)
                return
            call.end()
