"""Signals: the first gives what is in flight a few seconds to finish, the second stops at once."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE_S = 4.0
"""How long calls in flight may go on after the first signal: schedulers kill what does not end soon."""


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """While the block runs, Ctrl-C and SIGTERM call `stop`; a second one, or the end of the grace, cancels the task."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  # a running loop runs a task
    timers: list[asyncio.TimerHandle] = []

    def handle() -> None:
        if timers:
            task.cancel()
        else:
            timers.append(loop.call_later(_GRACE_S, task.cancel))
        stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        for timer in timers:
            timer.cancel()
