"""One thread for a model in this process: it does one thing after the other, and holds up no end of the program."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from haetae.engine.contained import as_exception

T = TypeVar("T")

_PATIENCE_S = 3.0
"""How long the end of what is under way is waited for: a step of a large model; its loading may take minutes."""


class Stopped(Exception):
    """What was under way was broken off, because nobody waits for it any more."""


class Worker:
    """A daemon thread, which an interpreter that ends does not wait for as it does for a pool's.

    Work that takes long calls `check` between its steps, and so ends soon after the worker is closed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._given: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._ended: Future[None] = Future()

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns. What it raises is an Exception. Whoever asked may go before its turn."""
        self.check()
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        done: Future[T] = Future()
        self._given.put((work, done))
        return await asyncio.wrap_future(done)

    def check(self) -> None:
        """Raises Stopped once the worker is closed."""
        if self._closed.is_set():
            raise Stopped

    async def aclose(self) -> None:
        """Take no more work, and wait a little for the end of what is under way."""
        if self._closed.is_set() or self._thread is None:
            return
        self._closed.set()
        self._given.put(None)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(self._ended), _PATIENCE_S)

    def _serve(self) -> None:
        for work, done in iter(self._given.get, None):
            if not done.set_running_or_notify_cancel():
                continue
            try:
                self.check()
                done.set_result(work())
            except BaseException as exc:  # whatever it is, somebody waits
                done.set_exception(as_exception(exc))
        if self._ended.set_running_or_notify_cancel():
            self._ended.set_result(None)
