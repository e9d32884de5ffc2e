"""So many bytes at once: who needs more than there is room for waits, first come, first served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """Room for a number of bytes. What is larger than all of it has it alone."""

    def __init__(self, size: int) -> None:
        self._size = self._left = size
        self._first = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Hold so many bytes while the block runs; who needs none does not wait."""
        size = min(size, self._size)
        if size:
            async with self._first:
                while self._left < size:
                    self._freed.clear()
                    await self._freed.wait()
                self._left -= size
        try:
            yield
        finally:
            self._left += size
            self._freed.set()
