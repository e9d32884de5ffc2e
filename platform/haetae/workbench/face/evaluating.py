"""The main job: check, run, gate and resume suites, by hand or when they are due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from haetae.catalog.given_rows import Rows
from haetae.core.run import RunStatus
from haetae.core.verdict import Verdict
from haetae.engine.watch import Watcher
from haetae.errors import ConfigError, NoSamplesError
from haetae.workbench import resuming
from haetae.workbench.event_loop import run_to_end
from haetae.workbench.face.executing import Executing
from haetae.workbench.instead import Instead
from haetae.workbench.report import Report

if TYPE_CHECKING:
    from haetae.workbench.plan import Plan
    from haetae.workbench.schedules.due import NotDue, Unchanged


class Evaluating(Executing):
    """Runs suites, at once or when they are due. A part of the `Workbench`."""

    def check(
        self,
        suite: str | Path,
        *,
        wanted_drop: float | None = None,
        dataset: Rows | None = None,
        model: str | None = None,
        prompt: str | None = None,
    ) -> Plan:
        """Load and check a suite and all it names; says what a run would do, cost and be able to see.

        `wanted_drop` (0 to 1, of a bounded scale) asks how many samples would find a drop that small.
        `dataset` are rows to take instead of those of the suite, `model` and `prompt` what its target is instead.
        Nothing is called.
        """
        from haetae.workbench.plan import plan_of

        with self._kept(dataset) as given:
            assembly = self._assemble(suite, given=given, instead=Instead(model, prompt))
            return plan_of(assembly, self.ledger, wanted_drop)

    def run(
        self,
        suite: str | Path,
        *,
        fresh: bool = False,
        resume: str | None = None,
        skip_bad: bool = False,
        watcher: Watcher | None = None,
        tags: Mapping[str, str] | None = None,
        track: bool = True,
        dataset: Rows | None = None,
        model: str | None = None,
        prompt: str | None = None,
        unless_unchanged: bool = False,
    ) -> Report:
        """Run a suite: generate, score, commit, estimate, compare, tell the trackers.

        A run of the same manifest that did not finish is continued. `fresh` asks everything again, also
        what an earlier run has answered (a hosted model drifts behind the same name); without it finished
        calls are reused. `resume` names the run to continue, and refuses when anything has changed since.
        `skip_bad` leaves out samples that cannot be read. `dataset` are rows to take instead of those that the suite
        names: an iterable of mappings with the fields of a data file (a `datasets.Dataset`, a generator), or of
        samples; they are read once and kept on disk while the run lasts. `model` and `prompt` (`support-llm@candidate`)
        are evaluated in the place of those that the suite's target names. With `unless_unchanged` nothing is run where
        the same answers and scores would come out as in the newest run: its report is returned, compared with the
        baseline of now. Works inside a running event loop as well.
        """
        instead, said = Instead(model, prompt), dict(tags or {})
        with self._kept(dataset) as given:
            work = self._run(
                suite,
                fresh,
                resume,
                skip_bad,
                watcher,
                said,
                gating=False,
                given=given,
                instead=instead,
                unless_unchanged=unless_unchanged,
            )
            report = run_to_end(work)
        return replace(report, notes=(*report.notes, *self._tell(report.run))) if track else report

    def gate(
        self,
        suite: str | Path,
        *,
        watcher: Watcher | None = None,
        track: bool = True,
        dataset: Rows | None = None,
        model: str | None = None,
        prompt: str | None = None,
    ) -> Report:
        """Run a suite and say whether it passes; finished calls are reused. `dataset` are rows, `model` and `prompt`
        another target, as `run` takes them.

        A sequential gate (the default for suites with a judge or a budget) stops asking at the look that
        decides. Raises ConfigError when the suite declares no gate.
        """
        instead = Instead(model, prompt)
        with self._kept(dataset) as given:
            try:
                assembly = self._assemble(suite, given=given, instead=instead)
            except NoSamplesError as exc:
                exc.exit_code = Verdict.NO_VERDICT.exit_code
                raise
            if assembly.suite.gate is None:
                said = "the suite declares no gate; add one with its metrics"
                raise ConfigError(assembly.loaded.problem("gate", said))
            tags = {"door": "gate"}
            work = self._run(suite, False, None, False, watcher, tags, gating=True, given=given, instead=instead)
            report = run_to_end(work)
        return replace(report, notes=(*report.notes, *self._tell(report.run))) if track else report

    def resume(self, run_id: str | None = None, *, watcher: Watcher | None = None, track: bool = True) -> Report:
        """Go on with a run where it was left, from the suite file that it was started from.

        Default: the newest run that did not finish and that nobody works on. Raises ConfigError when there is
        none, when the run is finished, its report made and its trackers told, when the suite file is gone, and when
        anything has changed since that fixes the numbers.
        """
        run = self.ledger.run(run_id) if run_id else resuming.newest(self.ledger.unfinished_runs())
        if run.status is RunStatus.FINISHED and (said := self._reporting.said(run)):
            if not track or not self._telling.has_to_tell(run):
                raise ConfigError(f"{run.id} is finished; haetae show {run.id} shows it")
            return replace(said, notes=(*said.notes, *self._tell(run)))  # it died between its report and its trackers
        if run.status is not RunStatus.FINISHED and self.ledger.shards(run.id):
            return self._told(run_to_end(self._lead(self.ledger.share_again(run.id), None, watcher)), track)
        suite, gating = resuming.suite_of(run, self.settings.home), run.tags.get("door") == "gate"
        skips, instead = resuming.skips_bad(run), Instead.of_run(run)
        work = self._run(suite, False, run.id, skips, watcher, {}, gating=gating, instead=instead)
        report = run_to_end(work)
        return replace(report, notes=(*report.notes, *self._tell(report.run))) if track else report

    def run_due(
        self,
        suite: str | Path,
        *,
        due: datetime | None = None,
        demanded: datetime | None = None,
        watcher: Watcher | None = None,
        track: bool = True,
    ) -> Report | NotDue | Unchanged:
        """Run a suite where its schedule is due and nobody has served that time yet; everything is asked again, unless
        the same answers and scores would come out for certain: then nothing is run.

        `due` is the time for which a scheduler has started this, where one did. `demanded` is a time since which it is
        due whatever its schedule says, unless a run of it has begun after. Of all who call this for one time, one runs.
        What was due while nothing could run is run once, and named in the notes, or left out, as the schedule
        declares with `missed`. A run that a dead process left is continued. Raises ConfigError for a suite without a
        schedule.
        """
        from haetae.workbench.schedules.nights import run_due

        return run_due(self, Path(suite), due, demanded, watcher, track)

    def leave_out(self, suite: str | Path) -> NotDue:
        """What is due of a suite counts as served, and no run is made of it: somebody has cancelled that run."""
        from haetae.workbench.schedules.nights import leave_out

        return leave_out(self, Path(suite))
