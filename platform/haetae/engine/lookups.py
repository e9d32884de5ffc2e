"""Rows of earlier runs, looked up together: what is asked for while one look-up runs goes into the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

Row = TypeVar("Row")


class LookUps(Generic[Row]):
    """One of the ledger's `find_…` for many who ask at once, in one query and one thread at a time."""

    def __init__(self, find: Callable[[Sequence[str]], Mapping[str, Row]]) -> None:
        self._find = find
        self._asked: list[tuple[Sequence[str], asyncio.Future[Mapping[str, Row]]]] = []
        self._task: asyncio.Task[None] | None = None

    async def find(self, keys: Sequence[str]) -> Mapping[str, Row]:
        """What is found under these keys, and maybe under others. Raises StoreError."""
        found: asyncio.Future[Mapping[str, Row]] = asyncio.get_running_loop().create_future()
        self._asked.append((keys, found))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await found

    async def _work(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, []
            keys = [key for some, _ in asked for key in some]
            try:
                found = await asyncio.to_thread(self._find, keys)
            except Exception as exc:
                for _, waiting in asked:
                    if not waiting.done():  # who asked may have been cancelled
                        waiting.set_exception(exc)
            else:
                for _, waiting in asked:
                    if not waiting.done():
                        waiting.set_result(found)
