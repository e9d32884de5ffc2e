"""The event loop of a run: libuv's where it is installed, which costs a call half of what Python's own loop does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from haetae.workbench.interrupt import interrupt

T = TypeVar("T")


def run_to_end(work: Coroutine[None, None, T]) -> T:
    """Run a coroutine to its end, in a thread of its own when this thread's event loop is busy.

    Ctrl-C reaches that thread too, though signals do not.
    """
    if not _is_busy():
        return _run(work, _new_loop)
    loop = _new_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="haetae-run") as pool:
        run = pool.submit(_run, work, lambda: loop)
        while True:
            try:
                return run.result()
            except KeyboardInterrupt:
                if run.done() or not interrupt(loop):
                    raise


def _run(work: Coroutine[None, None, T], new_loop: Callable[[], asyncio.AbstractEventLoop]) -> T:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # it is not made for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _is_busy() -> bool:
    """Whether this thread runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
