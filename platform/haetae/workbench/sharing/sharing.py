"""A run that several processes and machines work on: opened, led to its end by one of them, and helped by others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from haetae.core.clock import Clock
from haetae.core.run import Run, RunStatus
from haetae.core.shard import cut, parts_for
from haetae.engine.budget import BudgetExhausted
from haetae.engine.patience.stopping import Stopped
from haetae.engine.tally import Tally
from haetae.engine.watch import Watcher
from haetae.errors import ConfigError, HaetaeError, StoreError
from haetae.store.sql import SqlLedger
from haetae.workbench import registering
from haetae.workbench.assemble import Assembly
from haetae.workbench.interrupted import INTERRUPTED
from haetae.workbench.leasing import leased_while
from haetae.workbench.resuming import way_on
from haetae.workbench.running import SEED, Running, cut_short
from haetae.workbench.sharing.hand import Hand, Worked
from haetae.workbench.unseen import withdraw_unseen
from haetae.workbench.words import counted

_log = logging.getLogger(__name__)
_REPORT_S = 60.0
"""How long another who has ended the run may take over its report, before it is made here."""
_LOOK_S = 1.0
"""How often whoever leads a run looks whether the shards of others have ended, or are to be had again."""


class Sharing:
    """Opens, leads and helps the shared runs of one ledger."""

    def __init__(self, ledger: SqlLedger, clock: Clock, running: Running) -> None:
        self._ledger = ledger
        self._clock = clock
        self._running = running

    def open(self, assembly: Assembly, shards: int | None, fresh: bool, tags: Mapping[str, str]) -> Run:
        """A new run in shards, or the one to continue."""
        suite, now = assembly.suite, self._clock.now()
        manifest = replace(assembly.manifest, epoch=now.isoformat() if fresh else "")
        parts = cut(assembly.dataset.count, shards or parts_for(assembly.total, suite.limits.in_flight))
        return self._ledger.share(suite.suite, manifest, assembly.total, now, SEED, tags, parts)

    async def help(self, run: Run, assembly: Assembly, watcher: Watcher | None) -> Worked:
        """Work on shards of a run until none is to be had; an error that no call survives ends the run for all."""
        hand, _ = self._hand(run, assembly, watcher)
        try:
            with hand.at_work():
                await hand.work()
        except (asyncio.CancelledError, Stopped):
            hand.worked.why = cut_short(hand.stopped or INTERRUPTED, assembly.meter.broken_off or None)
        except HaetaeError as exc:
            self._fail(run, assembly, exc)
            hand.worked.why, hand.worked.failed = str(exc), True
            if isinstance(exc, ConfigError):
                raise
        else:
            if hand.stopped is not None:
                hand.worked.why = cut_short(hand.stopped, assembly.meter.broken_off)
            elif (now := self._ledger.run(run.id)).status in (RunStatus.STOPPED, RunStatus.INTERRUPTED):
                hand.worked.why = f"the run was ended: {now.note}"
        return hand.worked

    async def lead(self, run: Run, assembly: Assembly, watcher: Watcher | None) -> Run:
        """Work on a run, wait for the shards of others, and end it: the run as it ended."""
        hand, tally = self._hand(run, assembly, watcher)
        try:
            with hand.at_work():
                while hand.stopped is None:
                    exhausted = await self._worked(hand)
                    if await self._all_ended(run, hand, tally, exhausted):
                        return await self.end(run, assembly)
                    if (now := self._ledger.run(run.id)).status is not RunStatus.RUNNING:
                        return now
        except (asyncio.CancelledError, Stopped):
            note = cut_short(hand.stopped or INTERRUPTED, assembly.meter.broken_off or None)
        except HaetaeError as exc:
            ended = self._fail(run, assembly, exc)
            if isinstance(exc, ConfigError):
                raise
            return ended
        else:
            note = cut_short(hand.stopped, assembly.meter.broken_off)
        said = f"{note}. Go on with the same command, or: {way_on(run)}"
        return self._ledger.stop_shared(run.id, RunStatus.INTERRUPTED, self._clock.now(), said)

    async def end(self, run: Run, assembly: Assembly) -> Run:
        """End a run of which all shards have ended. Of all who would, one does; the others wait for its report."""
        waited_s = 0.0
        while (now := self._ledger.run(run.id)).status is not RunStatus.FINISHED:
            try:
                self._ledger.resume(run.id)
                break
            except StoreError:  # another is at it, or was done just now
                await asyncio.sleep(_LOOK_S)
        else:
            while not self._ledger.estimates(run.id) and waited_s < _REPORT_S:
                await asyncio.sleep(_LOOK_S)
                waited_s += _LOOK_S
            return now
        async with leased_while(self._ledger, run.id):
            await asyncio.to_thread(withdraw_unseen, self._ledger, run.id, assembly.target, assembly.metrics)
        return self._ledger.finish(run.id, RunStatus.FINISHED, self._clock.now())

    def still_open(self, run: Run) -> str | None:
        """Why a shared run cannot be ended yet, for people; None where all its shards have ended."""
        shards = self._ledger.shards(run.id)
        held = [shard for shard in shards if shard.held_by is not None]
        free = sum(shard.is_free for shard in shards)
        if not held and not free:
            return None
        others = ", ".join(dict.fromkeys(str(shard.held_by) for shard in held))
        parts = [f"{len(held)} are being worked on by {others}"] if held else []
        parts += [f"{free} wait for somebody: haetae work {run.id}"] if free else []
        return f"{run.id}: {len(held) + free} of {counted(len(shards), 'shard')} have not ended; {', '.join(parts)}"

    def _hand(self, run: Run, assembly: Assembly, watcher: Watcher | None) -> tuple[Hand, Tally]:
        if run.manifest.digest != assembly.manifest.digest:
            raise ConfigError(registering.manifest_diff(run, assembly.manifest, assembly.loaded.path))
        if risk := self._ledger.risk_of_sharing:
            _log.warning("%s", risk)
        tally = self._running.tally(run, assembly, watcher)
        return Hand(self._ledger, self._clock, run, assembly, self._running.over(run, assembly, tally)), tally

    async def _worked(self, hand: Hand) -> BudgetExhausted | None:
        """Work on what is to be had; the error where not one call more may be made."""
        try:
            await hand.work()
        except BudgetExhausted as exc:
            return exc
        return None

    async def _all_ended(self, run: Run, hand: Hand, tally: Tally, exhausted: BudgetExhausted | None) -> bool:
        """Wait while others work and nothing is to be had; whether all shards have ended.

        Where the budget is `exhausted` for this process, what others spare may do; where there are none, it is."""
        done, before, metrics = 0, 0, list(run.manifest.metrics)
        async with tally.telling(lambda: done):
            while hand.stopped is None:
                shards = await asyncio.to_thread(self._ledger.shards, run.id)
                held = sum(shard.held_by is not None for shard in shards)
                if all(shard.ended for shard in shards):
                    return True
                if exhausted is not None and not held:
                    raise exhausted
                something = any(shard.is_free for shard in shards) if exhausted is None else held < before
                if something or self._ledger.run(run.id).status is not RunStatus.RUNNING:
                    return False
                before = held
                _, done = await asyncio.to_thread(self._ledger.done_count, run.id, metrics)
                await hand.pause(_LOOK_S)
        return False

    def _fail(self, run: Run, assembly: Assembly, error: HaetaeError) -> Run:
        """End a run for all who work on it. A budget of which others have a part is theirs still."""
        how = "Go on with the same command, or"
        said = "a wrong input stopped the run" if isinstance(error, ConfigError) else str(error).rstrip(".")
        if isinstance(error, BudgetExhausted):
            if any(shard.held_by for shard in self._ledger.shards(run.id)):
                return run
            how = f"Raise {error.field} in {assembly.loaded.path.name}, then"
        note = f"{said}. {how}: {way_on(run)}"
        return self._ledger.stop_shared(run.id, RunStatus.STOPPED, self._clock.now(), note)
