"""What a workbench is put together from; each part is made when it is first used."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.catalog.given_rows import GivenRows, Rows, kept_while
from haetae.core.clock import Clock, SystemClock
from haetae.core.run import Run, RunStatus
from haetae.core.secrets import hold_back
from haetae.core.spans import Spans
from haetae.core.suite import GateSpec
from haetae.core.tracker import RunRecord
from haetae.errors import ConfigError
from haetae.settings import Settings, load_settings
from haetae.store.sql import SqlLedger, open_ledger
from haetae.workbench import registering
from haetae.workbench.alerts.raising import Alerting
from haetae.workbench.assemble import Assembly, assemble
from haetae.workbench.instead import NOTHING_ELSE, Instead
from haetae.workbench.report import Report
from haetae.workbench.reporting import Reporting
from haetae.workbench.running import Running
from haetae.workbench.sharing.sharing import Sharing
from haetae.workbench.telling import Telling

if TYPE_CHECKING:
    from haetae.workbench.gating import Gate
    from haetae.workbench.watch import Watched


class Parts:
    """Where things are, the time, the ledger, and who is told. A base of the `Workbench`."""

    def __init__(self, settings: Settings | None = None, *, clock: Clock | None = None, readonly: bool = False) -> None:
        self.settings = settings or load_settings()
        hold_back(self.settings.env)
        self._clock = clock or SystemClock()
        self._readonly = readonly

    @cached_property
    def ledger(self) -> SqlLedger:
        """The ledger: runs, samples, scores, verdicts, registered versions."""
        return open_ledger(self.settings.ledger, readonly=self._readonly, clock=self._clock)

    def close(self) -> None:
        """Give back the ledger's connections."""
        if "ledger" in self.__dict__:
            self.ledger.close()

    def _assemble(
        self,
        suite: str | Path,
        skip_bad: bool = False,
        spans: Spans | None = None,
        given: GivenRows | None = None,
        instead: Instead = NOTHING_ELSE,
    ) -> Assembly:
        ledger, clock, mirror, path = self.ledger, self._clock, self._telling.mirror, Path(suite)
        return assemble(path, self.settings, ledger, clock, mirror, ledger.pacing, skip_bad, spans, given, instead)

    def _kept(self, rows: Rows | None) -> AbstractContextManager[GivenRows | None]:
        return kept_while(rows, self.settings.home / "given")

    def _gate_of(self, run: Run) -> GateSpec:
        gate = run.manifest.suite.get("gate")
        if gate is None:
            raise ConfigError(f"{run.id}: its suite declares no gate")
        return GateSpec.model_validate(gate)

    def _gate(self, gate: GateSpec, run: Run) -> Gate:
        """A gate over a run and those that have its metrics."""
        from haetae.workbench.corpora import corpora_of
        from haetae.workbench.gating import Gate

        return Gate(self.ledger, gate, corpora_of(run.manifest))

    def _alarms(self, run: Run) -> Sequence[Watched] | None:
        """Those of the watch over scheduled runs, where this is one that it looks at."""
        if not run.manifest.epoch or run.status is not RunStatus.FINISHED or Instead.of_run(run):
            return None
        from haetae.workbench.watch import watch

        return watch(self.ledger, self.settings.false_alarms_per_month, [run.suite]).alarms

    @cached_property
    def _reporting(self) -> Reporting:
        return Reporting(self.ledger, self._clock, self._gate, self._alarms, self._alerting.raise_of)

    @cached_property
    def _telling(self) -> Telling:
        return Telling(self.settings, self.ledger, self._clock, self._record)

    @cached_property
    def _alerting(self) -> Alerting:
        return Alerting(self.settings, self.ledger, self._clock)

    @cached_property
    def _sharing(self) -> Sharing:
        return Sharing(self.ledger, self._clock, Running(self.ledger, self._clock, self._gate))

    def _record(self, run_id: str) -> RunRecord:
        return registering.record_of(self.ledger, self.ledger, run_id)

    def _tell(self, run: Run) -> list[str]:
        tracked = self._telling.run_ended(run) if run.status is RunStatus.FINISHED else []
        return [*tracked, *self._alerting.run_ended(run)]

    def _told(self, report: Report, track: bool) -> Report:
        return replace(report, notes=(*report.notes, *self._tell(report.run))) if track else report
