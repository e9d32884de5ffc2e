"""Signals: the first gives what is in flight a few seconds to finish, the second stops at once."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from haetae.workbench.interrupted import INTERRUPTED

GRACE_S = 4.0
"""How long calls under way may go on once the run is to end: schedulers kill what does not end soon."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_handlers: dict[asyncio.AbstractEventLoop, Callable[[], None]] = {}


@contextmanager
def stop_on_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, Ctrl-C and SIGTERM call `stop`; a second one, or the end of the grace, cancels the task.

    Only the main thread is told of signals: a run in another one is interrupted by `interrupt`.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  # a running loop runs a task
    timers: list[asyncio.TimerHandle] = []

    def handle() -> None:
        if timers:
            task.cancel()
        else:
            timers.append(loop.call_later(GRACE_S, task.cancel))
            stop(INTERRUPTED)

    _handlers[loop] = handle
    try:
        with _signals_call(handle, loop):
            yield
    finally:
        del _handlers[loop]
        for timer in timers:
            timer.cancel()


def interrupt(loop: asyncio.AbstractEventLoop) -> bool:
    """From another thread: do as a signal would to the run of this loop; False where it has none to stop."""
    handle = _handlers.get(loop)
    if handle is not None:
        loop.call_soon_threadsafe(handle)
    return handle is not None


@contextmanager
def _signals_call(handle: Callable[[], None], loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """In the main thread; afterwards the signals mean what they meant before.

    One that is ignored stays so: a shell starts what runs in the background deaf to the Ctrl-C of the foreground.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    meant = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in meant.items() if handler is not signal.SIG_IGN}
    for number in before:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # None is one that was not set from Python
                signal.signal(number, handler)
