"""What the end of a run needs is loaded while its calls are in flight: with numpy it takes a tenth of a second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

_UNDER_WAY_S = 0.25
"""When the first calls have been sent; a run that is shorter loads at its end."""


@contextmanager
def loading_meanwhile(module: str) -> Iterator[None]:
    """Import a module in a thread while the block waits for something. An import that fails fails again at its use."""
    loop = asyncio.get_running_loop()

    def load() -> None:
        loop.run_in_executor(None, import_module, module)

    timer = loop.call_later(_UNDER_WAY_S, load)
    try:
        yield
    finally:
        timer.cancel()
