"""The Workbench: one object that every door calls: run, compare, gate, promote, register, look back.

What computes is imported where it is called: looking back and registering load no numpy, and a run no plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TextIO

from haetae.catalog.given_rows import GivenRows, Rows, kept_while
from haetae.core.clock import Clock, SystemClock
from haetae.core.ledger import Version
from haetae.core.reference import Kind, Reference
from haetae.core.run import Run, RunStatus
from haetae.core.spans import Spans
from haetae.core.suite import GateSpec
from haetae.core.tracker import RunRecord
from haetae.core.verdict import Comparison, Estimate, Verdict
from haetae.engine.evaluate import Evaluation
from haetae.engine.watch import Watcher
from haetae.errors import ConfigError, NoSamplesError
from haetae.settings import Settings, load_settings
from haetae.store.sql import SqlLedger, open_ledger
from haetae.workbench import registering, resuming
from haetae.workbench.assemble import Assembly, assemble
from haetae.workbench.event_loop import run_to_end
from haetae.workbench.renamed import renamed
from haetae.workbench.repeats import repeats_of
from haetae.workbench.report import Report
from haetae.workbench.running import Running
from haetae.workbench.spanning import collecting
from haetae.workbench.telling import Telling
from haetae.workbench.unanswered import unanswered, unscored

if TYPE_CHECKING:
    from haetae.workbench.due import NotDue
    from haetae.workbench.gating import Gate
    from haetae.workbench.judges.agreeing import Agreeing
    from haetae.workbench.judges.attack_report import AttackReport
    from haetae.workbench.judges.correcting import CorrectedMetric
    from haetae.workbench.judges.judge_report import RunJudges
    from haetae.workbench.plan import Plan
    from haetae.workbench.watch import Watch


class Workbench:
    """Runs suites and remembers them. Use it as a context manager, or `close` it.

    `settings` says where things are (default: the HAETAE_* environment variables); `clock` tells the time.
    Every method raises the errors of `haetae.errors` and no others.
    """

    def __init__(self, settings: Settings | None = None, *, clock: Clock | None = None, readonly: bool = False) -> None:
        self.settings = settings or load_settings()
        self._clock = clock or SystemClock()
        self._readonly = readonly

    # the main job

    def check(self, suite: str | Path, *, wanted_drop: float | None = None, dataset: Rows | None = None) -> Plan:
        """Load and check a suite and all it names; says what a run would do, cost and be able to see.

        `wanted_drop` (0 to 1, of a bounded scale) asks how many samples would find a drop that small.
        `dataset` are rows to take instead of those of the suite. Nothing is called.
        """
        from haetae.workbench.plan import plan_of

        with self._kept(dataset) as given:
            return plan_of(self._assemble(suite, given=given), self.ledger, wanted_drop)

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
    ) -> Report:
        """Run a suite: generate, score, commit, estimate, compare, tell the trackers.

        A run of the same manifest that did not finish is continued. `fresh` asks everything again, also
        what an earlier run has answered (a hosted model drifts behind the same name); without it finished
        calls are reused. `resume` names the run to continue, and refuses when anything has changed since.
        `skip_bad` leaves out samples that cannot be read. `dataset` are rows to take instead of those that the suite
        names: an iterable of mappings with the fields of a data file (a `datasets.Dataset`, a generator), or of
        samples; they are read once and kept on disk while the run lasts. Works inside a running event loop as well.
        """
        with self._kept(dataset) as given:
            work = self._run(suite, fresh, resume, skip_bad, watcher, dict(tags or {}), gating=False, given=given)
            report = run_to_end(work)
        return replace(report, notes=(*report.notes, *self._tell(report.run))) if track else report

    def run_due(
        self, suite: str | Path, *, due: datetime | None = None, watcher: Watcher | None = None, track: bool = True
    ) -> Report | NotDue:
        """Run a suite where its schedule is due and nobody has served that time yet; everything is asked again.

        `due` is the time for which a scheduler has started this, where one did. Of all who call this for one time, one
        runs. What was due while nothing could run is run once, and named in the notes, or left out, as the schedule
        declares with `missed`. A run that a dead process left is continued. Raises ConfigError for a suite without a
        schedule.
        """
        from haetae.workbench.due import run_due

        return run_due(self, self._clock, Path(suite), due, watcher, track)

    def resume(self, run_id: str | None = None, *, watcher: Watcher | None = None, track: bool = True) -> Report:
        """Go on with a run where it was left, from the suite file that it was started from.

        Default: the newest run that did not finish and that nobody works on. Raises ConfigError when there is
        none, when the run is finished, its report made and its trackers told, when the suite file is gone, and when
        anything has changed since that fixes the numbers.
        """
        run = self.ledger.run(run_id) if run_id else resuming.newest(self.ledger.unfinished_runs())
        if run.status is RunStatus.FINISHED and (said := self._said(run)):
            if not track or not self._telling.has_to_tell(run):
                raise ConfigError(f"{run.id} is finished; haetae show {run.id} shows it")
            return replace(said, notes=(*said.notes, *self._tell(run)))  # it died between its report and its trackers
        suite, gating = resuming.suite_of(run, self.settings.home), run.tags.get("door") == "gate"
        work = self._run(suite, False, run.id, resuming.skips_bad(run), watcher, {}, gating=gating)
        report = run_to_end(work)
        return replace(report, notes=(*report.notes, *self._tell(report.run))) if track else report

    def gate(
        self,
        suite: str | Path,
        *,
        watcher: Watcher | None = None,
        track: bool = True,
        dataset: Rows | None = None,
    ) -> Report:
        """Run a suite and say whether it passes; finished calls are reused. `dataset` are rows, as `run` takes them.

        A sequential gate (the default for suites with a judge or a budget) stops asking at the look that
        decides. Raises ConfigError when the suite declares no gate.
        """
        with self._kept(dataset) as given:
            try:
                assembly = self._assemble(suite, given=given)
            except NoSamplesError as exc:
                exc.exit_code = Verdict.NO_VERDICT.exit_code
                raise
            if assembly.suite.gate is None:
                said = "the suite declares no gate; add one with its metrics"
                raise ConfigError(assembly.loaded.problem("gate", said))
            work = self._run(suite, False, None, False, watcher, {"door": "gate"}, gating=True, given=given)
            report = run_to_end(work)
        return replace(report, notes=(*report.notes, *self._tell(report.run))) if track else report

    def compare(self, candidate: str, baseline: str | None = None, *, common: bool = False) -> Comparison:
        """Compare two runs under the candidate's gate. `baseline` is a run, default the promoted one.

        `common` compares the common samples of runs that differ where they must not, marked so.
        """
        run = self.ledger.run(candidate)
        gate = self._gate_of(run)
        against = self.ledger.run(baseline) if baseline else self.ledger.baseline(run.suite, gate.baseline)
        return self._gate(gate, run)(run, against, common=common)

    def promote(self, run_id: str, baseline: str = "production") -> Run:
        """Make a finished run the baseline of its suite.

        Raises ConfigError for a run that is not finished, and for one whose gated metrics have too few
        scores for its gate: every comparison with it would end without a verdict.
        """
        run = self.ledger.run(run_id)
        if run.status is not RunStatus.FINISHED:
            raise ConfigError(f"{run.id} is {run.status.value}; only a finished run can be a baseline")
        if run.manifest.suite.get("gate") and (why := self._gate(self._gate_of(run), run).unfit(run)):
            raise ConfigError(f"{why}; a baseline needs these scores: mend that and run the suite again")
        self.ledger.promote(run.suite, baseline, run.id, self._clock.now())
        return run

    # the registry

    def register(self, kind: Kind, file: str | Path, name: str | None = None) -> tuple[Version, bool]:
        """Register a model, prompt or dataset file; the same content is the same version."""
        name, content = registering.content_of(kind, Path(file), name, self.settings)
        return self.ledger.register(kind, name, content, self._clock.now())

    def alias(self, kind: Kind, reference: str, alias: str) -> Version:
        """Point an alias at a version."""
        version = self.ledger.find(kind, Reference.parse(reference))
        self.ledger.set_alias(kind, version.name, alias, version.number, self._clock.now())
        return self.ledger.find(kind, Reference(version.name, version.number))

    def versions(self, kind: Kind, name: str | None = None) -> Sequence[Version]:
        """What is registered, by name and number."""
        return self.ledger.versions(kind, name)

    def version(self, kind: Kind, reference: str) -> Version:
        """The version that a reference names now."""
        return self.ledger.find(kind, Reference.parse(reference))

    def diff(self, kind: Kind, before: str, after: str) -> str:
        """What differs between two versions, as a unified diff of their contents."""
        return registering.diff(self.version(kind, before), self.version(kind, after))

    def monitor(self, suites: Sequence[str] | None = None, *, budget: float | None = None) -> Watch:
        """The alarms over the history of scheduled runs, under a budget of false alarms a month for all suites."""
        from haetae.workbench.watch import watch

        return watch(self.ledger, self.settings.false_alarms_per_month if budget is None else budget, suites)

    # what people said

    def annotate(self, run_id: str, file: str | Path) -> int:
        """Keep the human labels in a file (`catalog.label_file`) with a run's answers; how many there were."""
        from haetae.workbench.judges import labelling

        return labelling.annotate(self.ledger, run_id, Path(file), self._clock.now())

    def correct(self, run_id: str, metric: str | None = None) -> list[CorrectedMetric]:
        """What people would have said of all answers of a run, by its judge and the labels of a random part.

        Of every judged metric, or of `metric`. The labelled samples must be drawn at random from all.
        """
        from haetae.workbench.judges import labelling

        return labelling.correct_run(self.ledger, run_id, metric)

    def judges(self, run_id: str, metric: str | None = None) -> RunJudges:
        """How the judges of a run did: failures, spending, spread, agreement of juries, position bias."""
        from haetae.workbench.judges.reporting import report_judges

        return report_judges(self.ledger, run_id, metric)

    def agreement(self, run_id: str, metric: str | None = None) -> list[Agreeing]:
        """How far a run's judge and the people who labelled it agree, and people among themselves."""
        from haetae.workbench.judges import labelling

        return labelling.agreement_in_run(self.ledger, run_id, metric)

    def attack(self, suite: str | Path, metric: str, *, limit: int = 3, tolerance: float = 0.1) -> AttackReport:
        """Attack the judge of a suite's metric with all attacks that ship, each on `limit` bad answers.

        An attack succeeds by a score better by more than `tolerance`, a share of the scale. The target is not
        called, and nothing is kept.
        """
        return run_to_end(self._attack(suite, metric, limit, tolerance))

    # the trackers

    def sync(self, deadline_s: float = 120.0) -> list[str]:
        """Deliver what trackers have missed; one line per delivery or failure."""
        return self._telling.drain(deadline_s)

    # looking back

    @cached_property
    def ledger(self) -> SqlLedger:
        """The ledger: runs, samples, scores, verdicts, registered versions."""
        return open_ledger(self.settings.ledger, readonly=self._readonly)

    def report(self, run_id: str) -> Report:
        """What was said of a run."""
        run = self.ledger.run(run_id)
        said = self._report(run, self.ledger.estimates(run_id), self.ledger.comparison(run_id))
        return replace(said, killed=resuming.status_of(run, self.ledger) == resuming.KILLED)

    def export(self, run_id: str, form: Literal["jsonl", "csv"], out: TextIO) -> None:
        """Write every sample, answer and score of a run. Texts that a spreadsheet would run are quoted in CSV."""
        from haetae.workbench.export import export

        export(self.ledger, run_id, form, out)

    def close(self) -> None:
        """Give back the ledger's connections."""
        if "ledger" in self.__dict__:
            self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # inside

    def _assemble(
        self, suite: str | Path, skip_bad: bool = False, spans: Spans | None = None, given: GivenRows | None = None
    ) -> Assembly:
        ledger, clock, mirror = self.ledger, self._clock, self._telling.mirror
        return assemble(Path(suite), self.settings, ledger, clock, mirror, ledger.pacing, skip_bad, spans, given)

    def _kept(self, rows: Rows | None) -> AbstractContextManager[GivenRows | None]:
        return kept_while(rows, self.settings.home / "given")

    @cached_property
    def _telling(self) -> Telling:
        return Telling(self.settings, self.ledger, self._clock, self._record)

    def _tell(self, run: Run) -> list[str]:
        return self._telling.run_ended(run) if run.status is RunStatus.FINISHED else []

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
    ) -> Report:
        with collecting(self.settings.env) as collected:
            assembly = self._assemble(suite, skip_bad, collected.spans, given)
            try:
                running = Running(self.ledger, self._clock, self._gate)
                origin = resuming.origin(assembly.loaded.path, self.settings.home, skip_bad, given is not None)
                run = running.open(assembly, fresh, resume, {**tags, **origin})
                if run.status is RunStatus.FINISHED:
                    return await asyncio.to_thread(self._concluded, run, assembly)
                evaluation = running.evaluation(run, collected.around(assembly), watcher, gating)
                with collected.of(run) as span:
                    run = await running.evaluated(run, evaluation, assembly)
                    if span is not None and run.status is not RunStatus.FINISHED:
                        span.failed(run.status.value)
            finally:
                await assembly.aclose()
        rejects = registering.keep_rejects(assembly.dataset.rejects, run.id, self.settings)
        alarms = self.monitor([run.suite]).alarms if run.manifest.epoch and run.status is RunStatus.FINISHED else ()
        sounded = [f"monitor: {watched.sentence}" for watched in alarms if watched.alarm.detected_at == run.id]
        decided = None if isinstance(evaluation, Evaluation) else evaluation.comparison
        report = await asyncio.to_thread(self._conclude, run, assembly, decided)
        return replace(report, notes=(*rejects, *sounded, *collected.notes, *report.notes))

    async def _attack(self, suite: str | Path, metric: str, limit: int, tolerance: float) -> AttackReport:
        from haetae.workbench.judges.attacking import attack

        assembly = self._assemble(suite)
        try:
            return await attack(metric, assembly.metrics, list(assembly.dataset), limit=limit, tolerance=tolerance)
        finally:
            await assembly.aclose()

    def _concluded(self, run: Run, assembly: Assembly) -> Report:
        """What was said of a finished run; a process that died after its last answer has said nothing yet."""
        return self._said(run) or self._conclude(run, assembly, None)

    def _said(self, run: Run) -> Report | None:
        """The report of a finished run, None where it was never made whole."""
        said = self.report(run.id)
        whole = said.estimates and (said.comparison is not None or not run.manifest.suite.get("gate"))
        return said if whole else None

    def _conclude(self, run: Run, assembly: Assembly, decided: Comparison | None) -> Report:
        """Estimates of what there is, and the comparison of a finished run: `decided` by a look, or made here."""
        from haetae.stats.estimate import estimates_of
        from haetae.workbench.corpora import corpora_of

        corpora = corpora_of(run.manifest)
        found: list[Estimate] = []
        for name in run.manifest.metrics:
            found += estimates_of(name, self.ledger.sample_columns(run.id, name), corpora.get(name), seed=run.seed)
        comparison, gate = decided, assembly.suite.gate
        if comparison is None and gate is not None and run.status is RunStatus.FINISHED:
            baseline = self.ledger.baseline(run.suite, gate.baseline)
            comparison = self._gate(gate, run)(run, baseline)
        if comparison is not None:
            self.ledger.save_comparison(comparison, self._clock.now())
        self.ledger.save_estimates(run.id, found)  # last: a run that has some has its whole report
        return self._report(run, found, comparison)

    def _report(self, run: Run, found: Sequence[Estimate], comparison: Comparison | None) -> Report:
        accounting, failures = tuple(self.ledger.accounting(run.id)), unanswered(self.ledger, run.id)
        spent, repeats = self.ledger.spent(run.id), repeats_of(self.ledger, run)
        lacking = unscored(self.ledger, run.id)
        return Report(
            run,
            tuple(found),
            accounting,
            spent,
            comparison,
            notes=renamed(self.ledger, run.id),
            failures=failures,
            unscored=lacking,
            repeats=repeats,
        )

    def _record(self, run_id: str) -> RunRecord:
        return registering.record_of(self.ledger, self.ledger, run_id)
