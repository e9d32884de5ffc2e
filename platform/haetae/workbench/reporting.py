"""The report of a run: its estimates, its comparison, and what is said of it, made once and read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from haetae.core.clock import Clock
from haetae.core.run import Run, RunStatus
from haetae.core.suite import GateSpec
from haetae.core.verdict import Comparison, Estimate
from haetae.store.sql import SqlLedger
from haetae.workbench.renamed import renamed
from haetae.workbench.repeats import repeats_of
from haetae.workbench.report import Report
from haetae.workbench.unanswered import unanswered, unscored

if TYPE_CHECKING:
    from haetae.workbench.gating import Gate
    from haetae.workbench.watch import Watched


class Reporting:
    """Makes the reports of the runs of one ledger. `gate` makes the gate over a run, `alarms` says those of the watch
    over scheduled runs where a run is one, `told` is called with what a report says anew, before it is whole in the
    ledger: who died in between makes it again."""

    def __init__(
        self,
        ledger: SqlLedger,
        clock: Clock,
        gate: Callable[[GateSpec, Run], Gate],
        alarms: Callable[[Run], Sequence[Watched] | None],
        told: Callable[[Report], None],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._gate = gate
        self._alarms = alarms
        self._told = told

    def so_far(self, run: Run) -> Report:
        """What was said of a run until now."""
        return self._report(run, self._ledger.estimates(run.id), self._ledger.comparison(run.id))

    def said(self, run: Run) -> Report | None:
        """The report of a finished run, None where it was never made whole."""
        said = self.so_far(run)
        whole = said.estimates and (said.comparison is not None or not run.manifest.suite.get("gate"))
        return said if whole else None

    def concluded(self, run: Run, gate: GateSpec | None) -> Report:
        """What was said of a finished run; a process that died after its last answer has said nothing yet."""
        return self.said(run) or self.conclude(run, gate)

    def against_now(self, run: Run, gate: GateSpec | None) -> Report:
        """What was said of a finished run, compared anew where another baseline is promoted since."""
        said = self.concluded(run, gate)
        baseline = None if gate is None else self._ledger.baseline(run.suite, gate.baseline)
        before = () if said.comparison is None else said.comparison.baseline
        if gate is None or before[:1] == (() if baseline is None else (baseline.id,)):
            return said
        comparison = self._gate(gate, run)(run, baseline)
        report = self._report(run, said.estimates, comparison)
        if baseline is not None and baseline.id == run.id:
            return report  # it passes, and what was said of it, by which it became the baseline, stays
        self._told(report)
        self._ledger.save_comparison(comparison, self._clock.now())
        return report

    def conclude(self, run: Run, gate: GateSpec | None, decided: Comparison | None = None) -> Report:
        """Estimates of what there is, and the comparison of a finished run: `decided` by a look, or made here."""
        from haetae.stats.estimate import estimates_of
        from haetae.workbench.corpora import corpora_of

        corpora = corpora_of(run.manifest)
        found: list[Estimate] = []
        for name in run.manifest.metrics:
            found += estimates_of(name, self._ledger.sample_columns(run.id, name), corpora.get(name), seed=run.seed)
        comparison = decided
        if comparison is None and gate is not None and run.status is RunStatus.FINISHED:
            baseline = self._ledger.baseline(run.suite, gate.baseline)
            comparison = self._gate(gate, run)(run, baseline)
        if comparison is not None:
            self._ledger.save_comparison(comparison, self._clock.now())
        report = replace(self._report(run, found, comparison), alarms=self._alarms(run))
        self._told(report)
        self._ledger.save_estimates(run.id, found)  # last: a run that has some has its whole report
        return report

    def _report(self, run: Run, found: Sequence[Estimate], comparison: Comparison | None) -> Report:
        return Report(
            run,
            tuple(found),
            tuple(self._ledger.accounting(run.id)),
            self._ledger.spent(run.id),
            comparison,
            notes=renamed(self._ledger, run.id),
            failures=unanswered(self._ledger, run.id),
            unscored=unscored(self._ledger, run.id),
            repeats=repeats_of(self._ledger, run),
        )
