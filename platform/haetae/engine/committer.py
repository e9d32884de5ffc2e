"""Group commits: rows are handed over as they appear, committed together, and counted after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from haetae.core.clock import Clock
from haetae.core.ledger import Ledger
from haetae.core.run import GenerationRow, ScoreRow
from haetae.core.sample import Sample

_MOMENT_S = 0.01
"""How long rows wait for more of them: a commit of one costs nearly as much as a commit of twenty."""


@dataclass
class Batch:
    """Rows that are committed in one transaction; `kept` is set when they are on disk, or will never be."""

    samples: dict[str, Sample] = field(default_factory=dict)
    generations: list[GenerationRow] = field(default_factory=list)
    scores: list[ScoreRow] = field(default_factory=list)
    finished: int = 0
    puts: int = 0
    kept: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self.generations) + len(self.scores)


class Committer:
    """Commits what was put, while more is being put; at most `capacity` rows wait.

    Rows wait a moment for more, unless a quarter of those `at_once` at work have put theirs. `committed` is called
    after each commit with the batch that is now on disk. A commit that fails ends the run with its StoreError: every
    later `put` raises it.
    """

    def __init__(
        self,
        ledger: Ledger,
        run_id: str,
        clock: Clock,
        committed: Callable[[Batch], None],
        at_once: int = 1,
        capacity: int = 4096,
    ) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._clock = clock
        self._committed = committed
        self._enough = max(1, at_once // 4)
        self._capacity = capacity
        self._batch = Batch()
        self._filled = asyncio.Event()
        self._full = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._closing = False
        self._task = asyncio.create_task(self._work())

    async def put(
        self, sample: Sample, generation: GenerationRow | None, scores: list[ScoreRow], *, finished: bool
    ) -> None:
        """Hand over rows; waits when too many are waiting already."""
        await self._room()
        batch = self._batch
        if generation is not None:
            batch.samples[sample.digest] = sample
            batch.generations.append(generation)
        batch.scores.extend(scores)
        batch.finished += finished
        batch.puts += 1
        self._filled.set()
        if batch.puts >= self._enough:
            self._full.set()

    async def put_all(self, rows: Batch) -> None:
        """Hand over the rows of many samples at once."""
        await self._room()
        batch = self._batch
        batch.samples |= rows.samples
        batch.generations += rows.generations
        batch.scores += rows.scores
        batch.finished += rows.finished
        batch.puts += rows.finished
        self._filled.set()
        if batch.puts >= self._enough:
            self._full.set()

    async def _room(self) -> None:
        while len(self._batch) >= self._capacity and not self._task.done():
            self._drained.clear()
            await self._drained.wait()
        if self._task.done():
            await self._task

    async def kept(self) -> None:
        """Wait until what was just put is on disk. Raises the StoreError of a commit that failed."""
        await self._batch.kept.wait()
        if self._task.done():
            await self._task

    async def _work(self) -> None:
        batch = self._batch
        try:
            while not self._closing or len(self._batch):
                await self._filled.wait()
                if not self._closing:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._full.wait(), _MOMENT_S)
                self._filled.clear()
                self._full.clear()
                batch, self._batch = self._batch, Batch()
                if len(batch):
                    await asyncio.to_thread(
                        self._ledger.record,
                        self._run_id,
                        batch.samples.values(),
                        batch.generations,
                        batch.scores,
                        self._clock.now(),
                    )
                    self._committed(batch)
                batch.kept.set()
                self._drained.set()
        finally:
            batch.kept.set()
            self._batch.kept.set()
            self._drained.set()

    async def close(self) -> None:
        """Commit what is left. Raises the StoreError of a commit that failed."""
        self._closing = True
        self._filled.set()
        self._full.set()
        await self._task
