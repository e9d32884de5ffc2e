"""The port of what stays: runs, their rows, what was said of them, schedules, and the outbox of trackers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from haetae.core.alert import Alert, LastTold, RaisedAlert
from haetae.core.canonical import Json
from haetae.core.run import (
    NOTHING,
    Accounting,
    GenerationRow,
    LimitChange,
    Manifest,
    Run,
    RunStatus,
    ScoreRow,
    Spent,
    Unanswered,
    Unkept,
    Unscored,
)
from haetae.core.sample import Sample
from haetae.core.shard import Shard
from haetae.core.table import SampleColumns, ScoreTable
from haetae.core.turn import Taking, Turn
from haetae.core.verdict import Comparison, Estimate


@dataclass(frozen=True, slots=True)
class Promotion:
    """A run that became a baseline, and why a verdict against it was overruled."""

    suite: str
    baseline: str
    run_id: str
    at: datetime
    reason: str | None = None

    def as_json(self) -> Json:
        """The promotion for scripts."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class SampleResult:
    """One (sample, repeat) of a run, whole: for tables, exports and side-by-side views."""

    sample: Sample
    repeat: int
    generation: GenerationRow | None
    scores: Mapping[str, ScoreRow]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event that a tracker has yet to take. `key` makes a second delivery a no-op."""

    id: int
    tracker: str
    run_id: str
    key: str
    tries: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Annotation:
    """A person's score of one answer of a run, on the metric's own scale. `rater` says who gave it."""

    sample_id: str
    metric: str
    rater: str
    value: float
    repeat: int = 0


class Ledger(Protocol):
    """Runs, their rows, what was said of them. What a method acknowledged is on disk."""

    @property
    def place(self) -> str:
        """Where the ledger is, for people; without password."""
        ...

    # the straight path
    def start(
        self, suite: str, manifest: Manifest, total: int, at: datetime, seed: int, tags: Mapping[str, str]
    ) -> Run:
        """A new run with the next number of its suite, leased by this process."""
        ...

    def unfinished(self, suite: str, manifest_digest: str, *, fresh: bool = False) -> Run | None:
        """The newest run of this manifest that did not finish, is not shared and that no living process has, of those
        that ask everything again (`fresh`) or of the others."""
        ...

    def unreported(self, suite: str, manifest_digest: str, *, fresh: bool = False) -> Run | None:
        """The newest run of this manifest where it finished and has no estimates yet: who ran it died over its report,
        or is making it."""
        ...

    def resume(self, run_id: str) -> Run:
        """Lease an unfinished run for this process. Raises StoreError naming host and pid when another has it, and
        while a shard of it has not ended."""
        ...

    def renew(self, run_id: str) -> None:
        """Say that this process still works on its run, or on its shard of it, while no row tells it. Raises StoreError
        where it does not."""
        ...

    def record(
        self,
        run_id: str,
        samples: Iterable[Sample],
        generations: Iterable[GenerationRow],
        scores: Iterable[ScoreRow],
        at: datetime,
    ) -> None:
        """Commit rows in one transaction. A row that is there already is left as it is, except that a
        row whose reason is the weather (`reasons.RETRIED`) gives way to what came of asking again, to which what it
        cost is added."""
        ...

    def done(
        self, run_id: str, sample_ids: Sequence[str] | None = None
    ) -> Mapping[tuple[str, int], tuple[GenerationRow, Mapping[str, ScoreRow]]]:
        """What a run has already, of all samples or of these, by (sample id, repeat)."""
        ...

    def done_count(self, run_id: str, metrics: Sequence[str]) -> tuple[int, int]:
        """How many answers a run has, and how many of them need nothing more: neither the answer nor the score
        of any of these metrics is missing or was the weather's fault."""
        ...

    def find_generations(self, keys: Sequence[str]) -> Mapping[str, GenerationRow]:
        """Answers of earlier runs by content address; never failures."""
        ...

    def find_scores(self, keys: Sequence[str]) -> Mapping[str, ScoreRow]:
        """Scores of earlier runs by content address; never unscored ones."""
        ...

    def withdraw(self, run_id: str, metric: str, reason: str, explanation: str) -> None:
        """Take back every value that a metric has in an unfinished run: they are unscored, for this reason."""
        ...

    def finish(
        self,
        run_id: str,
        status: RunStatus,
        at: datetime,
        note: str | None = None,
        course: Sequence[LimitChange] = (),
        unkept: Unkept = NOTHING,
    ) -> Run:
        """End a run that this process leases; one that another has ended meanwhile stays as it is. `course` and
        `unkept` are added to what the run has of them from before it was continued. One that is finished loses the
        estimates that were made of a part of it. Raises StoreError where another has taken it up and not ended it."""
        ...

    # runs that several processes work on
    def share(
        self,
        suite: str,
        manifest: Manifest,
        total: int,
        at: datetime,
        seed: int,
        tags: Mapping[str, str],
        parts: Sequence[range],
    ) -> Run:
        """A new run, cut into shards at these places of its samples, which nobody leases; or the newest shared one of
        the same manifest, epoch or none, and due time that did not finish, which goes on. Of all who ask for it at the
        same instant one makes it, and the others get it."""
        ...

    def share_again(self, run_id: str) -> Run:
        """Let processes claim shards of a run that was stopped."""
        ...

    def stop_shared(self, run_id: str, status: RunStatus, at: datetime, note: str) -> Run:
        """End a shared run before its time, where it goes on: no shard of it is claimed any more."""
        ...

    def shards(self, run_id: str) -> Sequence[Shard]:
        """The shards of a run, in order; none where it is not shared."""
        ...

    def open_to_work(self) -> Sequence[str]:
        """The shared runs that go on and have a shard that has not ended, newest first."""
        ...

    def claim_shard(self, run_id: str, budget: Mapping[str, float]) -> Shard | None:
        """Lease the next shard that is to be had, with what may be spent on it of a budget; None where there is none.

        From then on until it is given back, what this ledger records of the run are rows of that shard. Of all who
        would have a shard one gets it; that of a process that died is to be had again.
        """
        ...

    def give_back_shard(
        self,
        run_id: str,
        shard: Shard,
        *,
        ended_at: datetime | None,
        spent: Mapping[str, float],
        unkept: Unkept,
        course: Sequence[LimitChange] = (),
    ) -> bool:
        """End a shard, or let somebody else have it where it has not ended. `spent` is what was spent on it in all;
        `unkept` and `course` are added to what the run has. False where it was not this ledger's any more."""
        ...

    # reading
    def run(self, run_id: str) -> Run: ...

    def runs(self, suite: str | None = None, limit: int = 100, offset: int = 0) -> Sequence[Run]:
        """Newest first."""
        ...

    def suites(self) -> Sequence[str]: ...

    def accounting(self, run_id: str) -> Sequence[Accounting]: ...

    def unanswered(self, run_id: str) -> Sequence[Unanswered]:
        """The failed answers by reason, the most frequent first; the message of each example whole."""
        ...

    def unscored(self, run_id: str) -> Sequence[Unscored]:
        """The answers without a score by metric and reason, in the order of the suite's metrics, the most frequent
        first; the explanation of each example whole. Failed answers are not among them."""
        ...

    def reported_models(self, run_id: str) -> Mapping[str, frozenset[str]]:
        """The names that endpoints gave themselves: of the target under "", of judges by metric."""
        ...

    def spent(self, run_id: str, places: range | None = None) -> Spent:
        """What a run has spent, or what the rows of the samples in these places tell of it."""
        ...

    def table(self, run_id: str, metric: str) -> ScoreTable: ...

    def sample_columns(self, run_id: str, metric: str) -> SampleColumns:
        """What an estimate reads of the table, a sample's repeats averaged: eight bytes a sample and column."""
        ...

    def results(
        self,
        run_id: str,
        *,
        limit: int | None = None,
        offset: int = 0,
        search: str | None = None,
        unscored_only: bool = False,
        sample_ids: Sequence[str] | None = None,
    ) -> Sequence[SampleResult]: ...

    # what was said
    def save_estimates(self, run_id: str, estimates: Sequence[Estimate]) -> None: ...

    def estimates(self, run_id: str) -> Sequence[Estimate]: ...

    def save_comparison(self, comparison: Comparison, at: datetime) -> None: ...

    def comparison(self, run_id: str) -> Comparison | None:
        """The latest comparison in which the run was the candidate."""
        ...

    def promote(
        self,
        suite: str,
        baseline: str,
        run_id: str,
        at: datetime,
        reason: str | None = None,
        *,
        still: Mapping[str, str | None] | None = None,
    ) -> None:
        """Make a run a baseline of its suite. Where one of the baselines in `still` is another run by now, nothing is
        changed and StoreError says so."""
        ...

    def promotions(self, suite: str | None = None, run_id: str | None = None, limit: int = 100) -> Sequence[Promotion]:
        """Which runs became baselines, newest first."""
        ...

    def baseline(self, suite: str, baseline: str) -> Run | None: ...

    # what people said
    def annotate(self, run_id: str, annotations: Sequence[Annotation], at: datetime) -> int:
        """Attach human scores to what was answered; how many there were.

        A label belongs to the content of the sample and of the answer, so the same answer of a later
        run has it too. The same rater's new label takes the place of the old one. Raises StoreError for
        a sample that the run has no answer to, and for a value that is not finite.
        """
        ...

    def annotations(self, run_id: str, metric: str) -> Mapping[tuple[str, int], float]:
        """The labels of this run's answers by (sample id, repeat), averaged over raters."""
        ...

    def ratings(self, run_id: str, metric: str) -> Sequence[Annotation]:
        """The labels of this run's answers, each rater's own, by sample, repeat and rater."""
        ...

    # schedules
    def now(self) -> datetime:
        """The time by the one clock of all who share this ledger."""
        ...

    def turn(self, suite: str) -> Turn | None:
        """The newest turn that somebody took to run a suite; None when nobody ever did."""
        ...

    def watch_from(self, suite: str, at: datetime, seen: Turn | None, schedule: str, file: str) -> Turn:
        """What is due after `at` counts from now on, unless the newest turn is another than the one that was `seen`,
        or goes on. The newest turn."""
        ...

    def looked(self, suite: str) -> None:
        """Say that somebody looked by himself whether a suite is due."""
        ...

    def renew_turn(self, suite: str) -> None:
        """Say that this ledger's turn goes on."""
        ...

    def take_turn(self, suite: str, due_at: datetime, schedule: str = "", file: str = "") -> Taking:
        """Take the turn to run a suite that was due at a time: of all who would, one gets it, and none while a run of
        the suite is being worked on; while it is taken nobody else starts a run of the suite. It is over with
        `end_turn`, with its process where that died on this machine, or with its lease."""
        ...

    def end_turn(self, suite: str, *, served: bool) -> None:
        """Give back the turn, where it is this ledger's; with `served` it is over, else anybody may take it again."""
        ...

    # the outbox
    def enqueue(self, tracker: str, run_id: str, key: str, at: datetime) -> None: ...

    def pending(self, tracker: str | None = None) -> Sequence[Delivery]: ...

    def delivered(self, delivery_id: int, at: datetime, receipt: str | None = None) -> None: ...

    def undelivered(self, delivery_id: int, error: str, at: datetime) -> None: ...

    # alerts
    def last_told(self, suite: str) -> LastTold:
        """What people were last told of a suite."""
        ...

    def raise_alerts(
        self, suite: str, before: LastTold, after: LastTold, alerts: Sequence[Alert], at: datetime
    ) -> bool:
        """Keep what is told now of a suite, and what people know of it then, in one transaction; False, and nothing
        is kept, where they know something else than `before` by now. A key that is there already is not added again.
        """
        ...

    def claim_alerts(
        self, addresses: Sequence[str], at: datetime, until: datetime, *, unsure: bool
    ) -> Sequence[Delivery]:
        """Every message that waits for one of these addresses, oldest first; until then they are this caller's.

        An alert of which nobody was to be told yet is for all of them. Without `unsure` those stay that may have
        arrived. The deliveries name the address as tracker and the alert's key.
        """
        ...

    def untold(self, addresses: Sequence[str]) -> int:
        """How many messages wait for some of these addresses, those among them that somebody is sending now."""
        ...

    def alert(self, key: str) -> Alert: ...

    def alert_delivered(self, delivery_id: int, at: datetime) -> None: ...

    def alert_undelivered(self, delivery_id: int, error: str, at: datetime, *, unsure: bool) -> None: ...

    def alerts(self, limit: int = 100) -> Sequence[RaisedAlert]:
        """Newest first."""
        ...
