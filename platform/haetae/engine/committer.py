"""Group commits: rows are handed over as they appear, committed together, and counted after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from haetae.core.clock import Clock
from haetae.core.ledger import Ledger
from haetae.core.run import GenerationRow, ScoreRow
from haetae.core.sample import Sample


@dataclass
class Batch:
    """Rows that are committed in one transaction."""

    samples: dict[str, Sample] = field(default_factory=dict)
    generations: list[GenerationRow] = field(default_factory=list)
    scores: list[ScoreRow] = field(default_factory=list)
    finished: int = 0

    def __len__(self) -> int:
        return len(self.generations) + len(self.scores)


class Committer:
    """Commits what was put, while more is being put; at most `capacity` rows wait.

    `committed` is called after each commit with the batch that is now on disk. A commit that fails ends
    the run with its StoreError: every later `put` raises it.
    """

    def __init__(
        self, ledger: Ledger, run_id: str, clock: Clock, committed: Callable[[Batch], None], capacity: int = 4096
    ) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._clock = clock
        self._committed = committed
        self._capacity = capacity
        self._batch = Batch()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._closing = False
        self._task = asyncio.create_task(self._work())

    async def put(
        self, sample: Sample, generation: GenerationRow | None, scores: list[ScoreRow], *, finished: bool
    ) -> None:
        """Hand over rows; waits when too many are waiting already."""
        while len(self._batch) >= self._capacity and not self._task.done():
            self._drained.clear()
            await self._drained.wait()
        if self._task.done():
            await self._task
        if generation is not None:
            self._batch.samples[sample.digest] = sample
            self._batch.generations.append(generation)
        self._batch.scores.extend(scores)
        self._batch.finished += finished
        self._filled.set()

    async def _work(self) -> None:
        try:
            while not self._closing or len(self._batch):
                await self._filled.wait()
                self._filled.clear()
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
                self._drained.set()
        finally:
            self._drained.set()

    async def close(self) -> None:
        """Commit what is left. Raises the StoreError of a commit that failed."""
        self._closing = True
        self._filled.set()
        await self._task
