"""What there is: reports, comparisons, the watch over nights, exports; and what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TextIO

from haetae.core.verdict import Comparison
from haetae.workbench import resuming
from haetae.workbench.face.parts import Parts
from haetae.workbench.report import Report

if TYPE_CHECKING:
    from haetae.workbench.tidying import Tidied
    from haetae.workbench.watch import Watch


class LookingBack(Parts):
    """Looks back, and tidies. A part of the `Workbench`."""

    def report(self, run_id: str) -> Report:
        """What was said of a run."""
        from haetae.workbench.registry.promoting_runs import overruled

        run = self.ledger.run(run_id)
        report, killed = self._reporting.so_far(run), resuming.status_of(run, self.ledger) == resuming.KILLED
        return replace(report, killed=killed, notes=(*report.notes, *overruled(self.ledger, run_id)))

    def compare(self, candidate: str, baseline: str | None = None, *, common: bool = False) -> Comparison:
        """Compare two runs under the candidate's gate. `baseline` is a run, default the promoted one.

        `common` compares the common samples of runs that differ where they must not, marked so.
        """
        run = self.ledger.run(candidate)
        gate = self._gate_of(run)
        against = self.ledger.run(baseline) if baseline else self.ledger.baseline(run.suite, gate.baseline)
        return self._gate(gate, run)(run, against, common=common)

    def monitor(self, suites: Sequence[str] | None = None, *, budget: float | None = None) -> Watch:
        """The alarms over the history of scheduled runs, under a budget of false alarms a month for all suites."""
        from haetae.workbench.watch import watch

        return watch(self.ledger, self.settings.false_alarms_per_month if budget is None else budget, suites)

    def export(self, run_id: str, form: Literal["jsonl", "csv"], out: TextIO) -> None:
        """Write every sample, answer and score of a run. Texts that a spreadsheet would run are quoted in CSV."""
        from haetae.workbench.export import export

        export(self.ledger, run_id, form, out)

    def tidy(self, keep_days: int | None = None, *, compact: bool = False) -> Tidied:
        """Prune runs that started more than `keep_days` ago, by the rules of `haetae cache prune`, and finish a prune
        that was stopped; None deletes nothing else. `compact` writes an SQLite ledger anew, without gaps."""
        from haetae.workbench.tidying import tidy

        return tidy(self.ledger, self.settings.ledger, self._clock.now(), keep_days, compacting=compact)
