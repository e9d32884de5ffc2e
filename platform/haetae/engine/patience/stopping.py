"""How a run ends before its time: no call is started any more, and what only waits to make one is woken."""

from __future__ import annotations

from haetae.engine.patience.deadlines import Call
from haetae.errors import HaetaeError


class Stopped(HaetaeError):
    """The run was asked to end before this call was made; what was done is kept, and the run can be continued."""


class Stop:
    """Shared by all who make the calls of a run.

    `ask` lets calls under way finish and wakes those that wait: for their turn, for an endpoint that said "not
    before", between two tries. `cut` ends the calls under way as if their deadline had come.
    """

    def __init__(self) -> None:
        self.why: str | None = None
        self._calls: set[Call] = set()

    def ask(self, why: str) -> None:
        """Start no call any more. What is said first stays."""
        self.why = self.why or why
        for call in self._calls:
            if call.waits:
                call.end()

    def go_on(self) -> None:
        """Calls may be made again, once all that were under way have ended."""
        self.why = None

    def cut(self) -> None:
        """End the calls under way."""
        for call in self._calls:
            if not call.waits:
                call.end()

    def check(self) -> None:
        """Raises Stopped where no call is to be started."""
        if self.why is not None:
            raise Stopped(self.why)

    def waits(self, call: Call) -> None:
        """A call waits to be made, or to be made again. Raises Stopped."""
        self.check()
        call.waits = True
        self._calls.add(call)

    def starts(self, call: Call) -> None:
        """A call that waited is made. Raises Stopped."""
        self.check()
        call.waits = False

    def forget(self, call: Call) -> None:
        """A call is over, or given up."""
        self._calls.discard(call)
