"""A run, and the turn of a schedule, stay their process' while it works on them, however long that takes."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from haetae.core.ledger import Ledger
from haetae.errors import StoreError

_EVERY_S = 60.0
"""A fifth of a lease: a machine that sleeps for a minute or two loses nothing."""
_log = logging.getLogger(__name__)


@asynccontextmanager
async def leased_while(
    ledger: Ledger, run_id: str, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[None]:
    """Renew the lease of a run every minute while the block goes on."""
    task = asyncio.create_task(_renewing(ledger, run_id, sleep))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _renewing(ledger: Ledger, run_id: str, sleep: Callable[[float], Awaitable[None]]) -> None:
    while True:
        await sleep(_EVERY_S)
        try:
            await asyncio.to_thread(ledger.renew, run_id)
        except StoreError as exc:  # the commit of the next answer says it to the run
            _log.warning("%s", exc)


@contextmanager
def kept_turn(ledger: Ledger, suite: str, every_s: float = _EVERY_S) -> Iterator[None]:
    """Renew the turn of a suite while the block goes on, in a thread: the block runs event loops of its own."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(every_s):
            try:
                ledger.renew_turn(suite)
            except StoreError as exc:
                _log.warning("%s", exc)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
