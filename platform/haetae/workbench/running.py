"""One run from its opening to its end: a new one or the one to continue, evaluated, and marked as it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from haetae.core import reasons
from haetae.core.clock import Clock
from haetae.core.run import Run, RunStatus
from haetae.core.sample import Sample
from haetae.core.suite import GateSpec
from haetae.core.verdict import Comparison
from haetae.engine.budget import BudgetExhausted
from haetae.engine.evaluate import Evaluation
from haetae.engine.patience.breaker import patience
from haetae.engine.patience.later import later
from haetae.engine.patience.stopping import Stopped
from haetae.engine.tally import Tally
from haetae.engine.watch import Watcher
from haetae.errors import ConfigError, HaetaeError, StoreError
from haetae.store.sql import SqlLedger
from haetae.workbench import registering
from haetae.workbench.assemble import Assembly
from haetae.workbench.interrupt import stop_on_signals
from haetae.workbench.interrupted import INTERRUPTED
from haetae.workbench.leasing import leased_while
from haetae.workbench.loading import loading_meanwhile
from haetae.workbench.resuming import way_on
from haetae.workbench.run_deadline import end_after
from haetae.workbench.unanswered import unanswered
from haetae.workbench.unseen import withdraw_unseen
from haetae.workbench.words import counted

if TYPE_CHECKING:
    from haetae.workbench.gating import Gate
    from haetae.workbench.looking import InLooks

SEED = 20_260_101
"""Seed of every resample and sign flip: the same scores give the same report."""


_LOOKED_BACK = 20
"""Runs among which the newest finished one is looked for."""


class Running:
    """Opens, evaluates and ends the runs of one ledger. `gate` makes the gate over a run."""

    def __init__(self, ledger: SqlLedger, clock: Clock, gate: Callable[[GateSpec, Run], Gate]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._gate = gate

    def open(
        self, assembly: Assembly, fresh: bool, resume: str | None, tags: dict[str, str], unless_unchanged: bool = False
    ) -> Run:
        """A new run, or the one to continue; with `unless_unchanged` the newest where its numbers would come again."""
        manifest, now = assembly.manifest, self._clock.now()
        if resume is not None:
            run = self._ledger.run(resume)
            if run.status is not RunStatus.FINISHED and self._ledger.shards(resume):
                raise ConfigError(f"{resume} is shared among processes: go on with it by haetae resume {resume}")
            if run.manifest.digest != manifest.digest:
                raise ConfigError(registering.manifest_diff(run, manifest, assembly.loaded.path))
            return run if run.status is RunStatus.FINISHED else self._continued(resume, assembly)
        suite = assembly.suite.suite
        before = self._ledger.unfinished(suite, manifest.digest, fresh=fresh)
        if before and before.tags.get("due") == tags.get("due"):  # another night's answers are not this one's
            return self._continued(before.id, assembly)
        silent = self._ledger.unreported(suite, manifest.digest, fresh=fresh)
        if silent and silent.tags.get("due") == tags.get("due"):
            return silent
        if unless_unchanged and (same := self._unchanged(assembly)):
            return same
        manifest = replace(manifest, epoch=now.isoformat() if fresh else "")
        return self._ledger.start(assembly.suite.suite, manifest, assembly.total, now, SEED, tags)

    def _unchanged(self, assembly: Assembly) -> Run | None:
        """The newest finished run of the suite, where a run of the same would be made again: it lacks nothing, and
        nothing drifts behind its fingerprints."""
        if not assembly.is_deterministic:
            return None
        runs = self._ledger.runs(assembly.suite.suite, limit=_LOOKED_BACK)
        newest = next((run for run in runs if run.status is RunStatus.FINISHED), None)
        if newest is None or newest.manifest.digest != assembly.manifest.digest:
            return None
        _, complete = self._ledger.done_count(newest.id, list(assembly.metrics))
        return newest if complete == newest.total else None

    def _continued(self, run_id: str, assembly: Assembly) -> Run:
        run = self._ledger.resume(run_id)
        assembly.meter.go_on_from(self._ledger.spent(run_id))
        return run

    def tally(self, run: Run, assembly: Assembly, watcher: Watcher | None) -> Tally:
        """Counts what a run has on disk, and tells its watcher."""
        return Tally(run, self._clock, assembly.meter, watcher, lambda: assembly.resolver.limits.states)

    def over(self, run: Run, assembly: Assembly, tally: Tally) -> Callable[[Iterable[Sample]], Evaluation]:
        """Makes the evaluation of some samples of a run."""
        return lambda samples: Evaluation(
            run=run,
            samples=samples,
            target=assembly.target,
            metrics=assembly.metrics,
            ledger=self._ledger,
            clock=self._clock,
            tally=tally,
            repeats=assembly.suite.target.repeats,
            in_flight=assembly.suite.limits.in_flight,
            reuse=not run.manifest.epoch,
            stop=assembly.meter.stop,
        )

    def evaluation(self, run: Run, assembly: Assembly, watcher: Watcher | None, gating: bool) -> Evaluation | InLooks:
        """All samples at once; or, for a gate that may stop early, look by look."""
        over = self.over(run, assembly, self.tally(run, assembly, watcher))
        if not gating or assembly.suite.gate is None:
            return over(assembly.dataset)
        from haetae.workbench.looking import InLooks, fixed_order, look_of_each, looks_of  # with numpy

        judged = any(facts.judge is not None for facts in run.manifest.metrics.values())
        looks = looks_of(assembly.suite, assembly.dataset.count, judged)
        if looks is None:
            return over(assembly.dataset)
        gate = self._gate(assembly.suite.gate, run)
        baseline = self._ledger.baseline(run.suite, assembly.suite.gate.baseline)
        if baseline is None or not gate.may_look(run, baseline):
            return over(assembly.dataset)
        design, against = gate.design(looks, baseline), baseline
        look_of = look_of_each(fixed_order((sample.id for sample in assembly.dataset), run.seed), design.looks)

        def look(number: int) -> Comparison | None:
            return gate.look(run, against, number, design)

        return InLooks(run, assembly.dataset, look_of, design, over, look, assembly.meter)

    async def evaluated(self, run: Run, evaluation: Evaluation | InLooks, assembly: Assembly) -> Run:
        """The run as it ended: finished, interrupted by a signal or its deadline, or stopped by an error."""
        calls = assembly.meter.stop

        def ended(status: RunStatus, note: str | None, how: str = "Go on with the same command, or") -> Run:
            said = None if note is None else f"{note}. {how}: {way_on(run)}"
            unkept = assembly.meter.beyond(self._ledger.spent(run.id))
            course = assembly.resolver.limits.course
            return self._ledger.finish(run.id, status, self._clock.now(), said, course, unkept)

        def stop(why: str) -> None:
            calls.ask(why)
            evaluation.stop()

        end_in_time = end_after(assembly.suite.limits.run_deadline_s, stop, calls.cut)
        try:
            with stop_on_signals(stop), end_in_time, loading_meanwhile("haetae.stats.estimate"):
                async with leased_while(self._ledger, run.id):
                    await evaluation()
        except asyncio.CancelledError:
            return ended(RunStatus.INTERRUPTED, cut_short(calls.why or INTERRUPTED, assembly.meter.broken_off or None))
        except Stopped:
            return ended(RunStatus.INTERRUPTED, cut_short(calls.why, assembly.meter.broken_off))
        except ConfigError:
            ended(RunStatus.STOPPED, "a wrong input stopped the run")
            raise
        except BudgetExhausted as exc:
            return ended(RunStatus.STOPPED, str(exc), f"Raise {exc.field} in {assembly.loaded.path.name}, then")
        except StoreError as exc:
            return ended(RunStatus.STOPPED, later(str(exc)))
        except HaetaeError as exc:
            return ended(RunStatus.STOPPED, str(exc).rstrip("."))
        if evaluation.stopped_early:
            return ended(RunStatus.INTERRUPTED, cut_short(calls.why, assembly.meter.broken_off))
        if away := await asyncio.to_thread(self._nobody_answered, run, assembly):
            return ended(RunStatus.STOPPED, later(away))
        await asyncio.to_thread(withdraw_unseen, self._ledger, run.id, assembly.target, assembly.metrics)
        return ended(RunStatus.FINISHED, None)

    def _nobody_answered(self, run: Run, assembly: Assembly) -> str | None:
        """Why no call has reached its endpoint; None where one has, or calls are so many that the breaker has seen."""
        asked = assembly.dataset.count * assembly.suite.target.repeats
        if asked >= patience(assembly.suite.limits.in_flight):
            return None
        failed = unanswered(self._ledger, run.id)
        if [one.reason for one in failed] != [reasons.CONNECTION] or failed[0].count < asked:
            return None
        return f"{failed[0].message}; it answers nobody"


def cut_short(why: str | None, broken_off: int | None) -> str:
    """Why a run was interrupted, and what became of what was under way; `broken_off` is None where nobody counted."""
    if broken_off == 0:
        return f"{why}; what was in flight is kept"
    if broken_off is None:
        return f"{why}; what was under way was broken off and is asked again"
    calls = counted(broken_off, "call")
    one = broken_off == 1
    told = f"{'was' if one else 'were'} broken off ({'it' if one else 'they'} may have been billed)"
    return f"{why}; {calls} under way {told} and {'is' if one else 'are'} asked again"
