"""A run from a suite to its report: alone, or by a hand and a leader among several processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.catalog.given_rows import GivenRows
from haetae.core.run import Run, RunStatus
from haetae.core.spans import Spans
from haetae.engine.evaluate import Evaluation
from haetae.engine.watch import Watcher
from haetae.workbench import registering, resuming
from haetae.workbench.assemble import Assembly
from haetae.workbench.face.parts import Parts
from haetae.workbench.instead import NOTHING_ELSE, Instead
from haetae.workbench.report import Report
from haetae.workbench.running import Running
from haetae.workbench.spanning import collecting

if TYPE_CHECKING:
    from haetae.workbench.sharing.hand import Worked


class Executing(Parts):
    """Runs assembled suites. A base of the `Workbench`."""

    async def _run(
        self,
        suite: str | Path,
        fresh: bool,
        resume: str | None,
        skip_bad: bool,
        watcher: Watcher | None,
        tags: dict[str, str],
        *,
        gating: bool,
        given: GivenRows | None = None,
        instead: Instead = NOTHING_ELSE,
        unless_unchanged: bool = False,
    ) -> Report:
        with collecting(self.settings.env) as collected:
            assembly = self._assemble(suite, skip_bad, collected.spans, given, instead)
            try:
                running = Running(self.ledger, self._clock, self._gate)
                path, home = assembly.loaded.path, self.settings.home
                origin = resuming.origin(path, home, skip_bad, given is not None, instead)
                run = running.open(assembly, fresh, resume, {**tags, **origin}, unless_unchanged)
                if run.status is RunStatus.FINISHED:
                    return await asyncio.to_thread(self._reporting.against_now, run, assembly.suite.gate)
                evaluation = running.evaluation(run, collected.around(assembly), watcher, gating)
                with collected.of(run) as span:
                    run = await running.evaluated(run, evaluation, assembly)
                    if span is not None and run.status is not RunStatus.FINISHED:
                        span.failed(run.status.value)
            finally:
                await assembly.aclose()
        decided = None if isinstance(evaluation, Evaluation) else evaluation.comparison
        return await self._reported(
            run, assembly, lambda: self._reporting.conclude(run, assembly.suite.gate, decided), collected.notes
        )

    async def _reported(
        self, run: Run, assembly: Assembly, make: Callable[[], Report], collected: Sequence[str]
    ) -> Report:
        """The report of a run that has just ended, with what else is to be said then."""
        rejects = registering.keep_rejects(assembly.dataset.rejects, run.id, self.settings)
        report = await asyncio.to_thread(make)
        sounded = [f"monitor: {watched.sentence}" for watched in report.sounded]
        return replace(report, notes=(*rejects, *sounded, *collected, *report.notes))

    async def _work(self, run: Run, suite: str | Path | None, watcher: Watcher | None) -> Worked:
        with collecting(self.settings.env) as collected:
            assembly = self._assembly_of(run, suite, collected.spans)
            try:
                with collected.of(run):
                    return await self._sharing.help(run, collected.around(assembly), watcher)
            finally:
                await assembly.aclose()

    async def _lead(self, run: Run, suite: str | Path | None, watcher: Watcher | None) -> Report:
        with collecting(self.settings.env) as collected:
            assembly = self._assembly_of(run, suite, collected.spans)
            try:
                with collected.of(run):
                    run = await self._sharing.lead(run, collected.around(assembly), watcher)
            finally:
                await assembly.aclose()
        finished = run.status is RunStatus.FINISHED
        make = self._reporting.concluded if finished else self._reporting.conclude  # another may have made it
        return await self._reported(run, assembly, lambda: make(run, assembly.suite.gate), collected.notes)

    def _assembly_of(self, run: Run, suite: str | Path | None, spans: Spans | None) -> Assembly:
        """What a run was started with, on this machine."""
        file = suite or resuming.suite_of(run, self.settings.home, f"haetae work {run.id} --suite FILE")
        return self._assemble(file, resuming.skips_bad(run), spans, instead=Instead.of_run(run))
