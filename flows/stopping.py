"""Who is told to stop lets the flow runs that he started end first, which keeps what they have done.

Prefect's runner and its worker kill them otherwise, and nothing can be said by who is killed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE_S = 25.0
"""Longer than a run takes to end, and shorter than what service managers wait before they kill."""
_LOOK_S = 0.1


@contextmanager
def children_first() -> Iterator[Callable[[int, FrameType | None], None]]:
    """While the block of a coroutine runs, SIGTERM and Ctrl-C ask the children of this process to end, wait for them,
    and then do what Ctrl-C did before; a second one ends the process. Gives the handler, for who sets one of his own.
    """
    meant = {number: signal.getsignal(number) for number in _SIGNALS}
    end = meant[signal.SIGINT]

    def stop(number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.default_int_handler)
        asked = _children()
        for child in asked:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        while asked & _children() and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        (end if callable(end) else signal.default_int_handler)(signal.SIGINT, frame)

    for each in _SIGNALS:
        signal.signal(each, stop)
    try:
        yield stop
    finally:
        for each, handler in meant.items():
            signal.signal(each, handler)


def _children() -> set[int]:
    """The processes that this one started and that still run; none where the system has no /proc."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            state, parent = file.read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(file.parent.name))
    return found
