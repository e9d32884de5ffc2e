"""One process at work on a shared run: it claims shard after shard, and gives each back ended, or to be had again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from haetae.core.canonical import Json
from haetae.core.clock import Clock
from haetae.core.ledger import Ledger
from haetae.core.run import Run, Unkept
from haetae.core.sample import Sample
from haetae.core.shard import Shard
from haetae.engine.budget import BudgetExhausted
from haetae.engine.evaluate import Evaluation
from haetae.errors import StoreError
from haetae.workbench.assemble import Assembly
from haetae.workbench.interrupt import stop_on_signals
from haetae.workbench.leasing import leased_while
from haetae.workbench.run_deadline import end_after
from haetae.workbench.sharing.stretches import Stretches
from haetae.workbench.words import counted

_log = logging.getLogger(__name__)


@dataclass
class Worked:
    """What one process did of a shared run: the shards that it ended. `why` it stopped while there were others to be
    had, None where there were none; `failed` says that an error or the budget did it, for the whole run."""

    run: str
    shards: list[Shard] = field(default_factory=list)
    why: str | None = None
    failed: bool = False

    @property
    def text(self) -> str:
        """One line for people."""
        samples = sum(len(shard.places) for shard in self.shards)
        done = f"{self.run}: {counted(len(self.shards), 'shard')} done here, {counted(samples, 'sample')}"
        return done if self.why is None else f"{done}; {self.why}"

    def as_json(self) -> Json:
        return {"run": self.run, "shards": [shard.number for shard in self.shards], "why": self.why}


class Hand:
    """Works on the shards of one run. `over` makes the evaluation of some of its samples."""

    def __init__(
        self, ledger: Ledger, clock: Clock, run: Run, assembly: Assembly, over: Callable[[Iterable[Sample]], Evaluation]
    ) -> None:
        self.worked = Worked(run.id)
        self._ledger = ledger
        self._clock = clock
        self._run = run
        self._assembly = assembly
        self._over = over
        self._stretches = Stretches(assembly.dataset)
        self._evaluation: Evaluation | None = None
        self._told = 0
        self.stopped: str | None = None
        """Why no shard is claimed any more, None where nobody asked for that."""
        self._woken = asyncio.Event()
        self._lost = False  # whether the shard was no longer this process's when it was given back

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While the block runs, signals and the deadline of the suite stop what this does."""
        calls = self._assembly.meter.stop

        def stop(why: str) -> None:
            self.stopped = self.stopped or why
            calls.ask(why)
            self._woken.set()
            if self._evaluation is not None:
                self._evaluation.stop()

        with stop_on_signals(stop), end_after(self._assembly.suite.limits.run_deadline_s, stop, calls.cut):
            yield

    async def pause(self, seconds: float) -> None:
        """Wait, unless it is stopped meanwhile."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)

    async def work(self) -> None:
        """Shard after shard, until none is to be had or it is stopped.

        Raises the error that no further call survives, and BudgetExhausted where not one call more may be made.
        """
        meter = self._assembly.meter
        budget = {} if meter.budget is None else meter.budget.model_dump(exclude_none=True)
        while self.stopped is None:
            shard = await asyncio.to_thread(self._ledger.claim_shard, self._run.id, budget)
            if shard is None:
                return
            calls = meter.calls
            try:
                await self._one(shard)
            except BudgetExhausted:
                self._go_on()
                if meter.calls == calls:  # with what others spare, its turn comes again at the end
                    raise
            except StoreError as exc:
                if not self._lost:
                    raise
                _log.warning("%s", exc)  # it slept too long, and others had it since, who may have ended it
                self._go_on()

    def _go_on(self) -> None:
        """An error has ended the calls of one shard, and not what is done here."""
        if self.stopped is None:
            self._assembly.meter.stop.go_on()

    async def _one(self, shard: Shard) -> None:
        meter, before = self._assembly.meter, self._assembly.meter.counts
        self._lost = False
        told = await asyncio.to_thread(self._ledger.spent, self._run.id, shard.places)
        meter.allow(shard.left)
        evaluation = self._evaluation = self._over(self._stretches.of(shard.places))
        whole = False
        try:
            async with leased_while(self._ledger, self._run.id):
                await evaluation()
            whole = not evaluation.stopped_early
        finally:
            self._evaluation = None
            made = {name: count - before[name] for name, count in meter.counts.items()}
            now = self._ledger.spent(self._run.id, shard.places)
            unkept = Unkept(
                max(0, int(made["calls"]) - (now.calls - told.calls)),
                max(0, int(made["tokens"]) - (now.tokens - told.tokens)),
                max(0.0, round(made["usd"] - ((now.cost_usd or 0.0) - (told.cost_usd or 0.0)), 9)),
            )
            course = self._assembly.resolver.limits.course
            mine = self._ledger.give_back_shard(
                self._run.id,
                shard,
                ended_at=self._clock.now() if whole else None,
                spent={name: shard.spent.get(name, 0) + count for name, count in made.items()},
                unkept=unkept,
                course=course[self._told :],
            )
            self._told = len(course)
            self._lost = not mine
        if whole and mine:
            self.worked.shards.append(shard)
