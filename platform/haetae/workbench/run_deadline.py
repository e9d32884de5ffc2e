"""The deadline of a run: no call is started after it, and those under way have the grace of an interrupted run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from haetae.workbench.interrupt import GRACE_S

_LONGER_S = 1.0
"""How much longer what cannot be cut off, a function of somebody's project, may go on before it is cancelled."""


@contextmanager
def end_after(seconds: float | None, stop: Callable[[str], None], cut: Callable[[], None]) -> Iterator[None]:
    """While the block runs: `stop` is called when the seconds are over, and `cut` after the grace; None: never.

    What is cut off is a timeout like any other, so a run of which only the last calls hang ends as finished.
    """
    if seconds is None:
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  # a running loop runs a task
    timers = [
        loop.call_later(seconds, stop, f"limits.run_deadline_s: {seconds:g} s are over"),
        loop.call_later(seconds + GRACE_S, cut),
        loop.call_later(seconds + GRACE_S + _LONGER_S, task.cancel),
    ]
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
