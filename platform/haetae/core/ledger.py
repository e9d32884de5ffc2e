"""The ports of what stays: the ledger of runs, the registry of versions, the outbox of trackers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from haetae.core.canonical import Json
from haetae.core.reference import Kind, Reference
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
from haetae.core.table import SampleColumns, ScoreTable
from haetae.core.verdict import Comparison, Estimate


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version of a registered model, prompt or dataset.

    `digest` is the SHA-256 of `content`; `aliases` are those that point here now.
    """

    kind: Kind
    name: str
    number: int
    digest: str
    content: Json
    created_at: datetime
    aliases: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.number}"


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


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn to run a suite that was due at a time. It has `ended` where that was done: one whose process died, or was
    interrupted, has not."""

    due_at: datetime
    ended: bool


class TakenTurn(Enum):
    """What came of taking a turn: it was taken; somebody has served that time already; somebody is still at it."""

    TAKEN = "taken"
    SERVED = "served"
    BUSY = "busy"


class Registry(Protocol):
    """Immutable numbered versions by content hash, and aliases that move by command only."""

    def register(self, kind: Kind, name: str, content: Json, at: datetime) -> tuple[Version, bool]:
        """The version with this content, and whether it is new: the same content is the same version."""
        ...

    def find(self, kind: Kind, reference: Reference) -> Version:
        """Raises RegistryError, naming what is there, when nothing fits."""
        ...

    def set_alias(self, kind: Kind, name: str, alias: str, number: int, at: datetime) -> None: ...

    def versions(self, kind: Kind, name: str | None = None) -> Sequence[Version]: ...


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
        """The newest run of this manifest that did not finish and that no living process works on, of those that ask
        everything again (`fresh`) or of the others."""
        ...

    def unreported(self, suite: str, manifest_digest: str, *, fresh: bool = False) -> Run | None:
        """The newest run of this manifest where it finished and has no estimates yet: who ran it died over its report,
        or is making it."""
        ...

    def resume(self, run_id: str) -> Run:
        """Lease an unfinished run for this process. Raises StoreError naming host and pid when another has it."""
        ...

    def renew(self, run_id: str) -> None:
        """Say that this process still works on its run, while no row tells it. Raises StoreError where it does not."""
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
        """End a run. `course` and `unkept` are added to what the run has of them from before it was continued. One
        that is finished loses the estimates that were made of a part of it."""
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

    def spent(self, run_id: str) -> Spent: ...

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

    def promote(self, suite: str, baseline: str, run_id: str, at: datetime) -> None: ...

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
    def turn(self, suite: str) -> Turn | None:
        """The newest turn that somebody took to run a suite; None when nobody ever did."""
        ...

    def watch_from(self, suite: str, at: datetime) -> Turn:
        """The newest turn; where nobody ever took one, what is due after `at` counts from now on."""
        ...

    def renew_turn(self, suite: str, at: datetime) -> None:
        """Say that this ledger's turn goes on."""
        ...

    def take_turn(self, suite: str, due_at: datetime, at: datetime) -> TakenTurn:
        """Take the turn to run a suite that was due at a time: of all who would, one gets it, and none while a run of
        the suite is being worked on. It is over with `end_turn`, or with its lease where its process died."""
        ...

    def end_turn(self, suite: str, *, served: bool) -> None:
        """Give back the turn, where it is this ledger's; with `served` it is over, else anybody may take it again."""
        ...

    # the outbox
    def enqueue(self, tracker: str, run_id: str, key: str, at: datetime) -> None: ...

    def pending(self, tracker: str | None = None) -> Sequence[Delivery]: ...

    def delivered(self, delivery_id: int, at: datetime, receipt: str | None = None) -> None: ...

    def undelivered(self, delivery_id: int, error: str, at: datetime) -> None: ...
