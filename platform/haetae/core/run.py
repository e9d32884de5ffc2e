"""A Run: one execution of a suite, with the manifest of everything that fixes its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from haetae.core.canonical import Json, digest
from haetae.core.generation import Failure, Generation
from haetae.core.metric import MetricFacts, facts_from_json
from haetae.core.score import Score


class RunStatus(StrEnum):
    """Where a run stands. `running` with a dead owner is a run to continue."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"  # an error or the budget ended it; what was done is kept


OF_THE_WORK = frozenset({"limits", "budget", "schedule", "track", "alert"})
"""Parts of a suite under which a run may be continued changed: a budget that was reached is raised, and on it goes."""


@dataclass(frozen=True)
class Manifest:
    """The fingerprints of a run: what was resolved at its start and stays until its end.

    `suite` is the suite's specification, `target` the target's fingerprint (model, prompt, decoding,
    code), `dataset` its name, version (SHA-256 of all content) and number of samples, `metrics` the
    facts of each metric by its name in the suite. `epoch` decides whether an earlier answer may be
    reused: runs of one epoch share answers.
    """

    suite: Mapping[str, Json]
    dataset: Mapping[str, Json]
    target: Mapping[str, Json]
    metrics: Mapping[str, MetricFacts]
    references: Mapping[str, str] = field(default_factory=dict)
    epoch: str = ""

    def as_json(self) -> Json:
        return {
            "suite": dict(self.suite),
            "dataset": dict(self.dataset),
            "target": dict(self.target),
            "metrics": [[name, facts.as_json()] for name, facts in self.metrics.items()],  # keeps their order
            "references": dict(self.references),
            "epoch": self.epoch,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of what fixes the numbers: a run continues only under what it started with.

        Without the epoch, what people call the dataset, and what only says how hard, how long, when and for whom the
        suite is run.
        """
        said = {name: part for name, part in self.as_json().items() if name != "epoch"}
        said["suite"] = {name: part for name, part in self.suite.items() if name not in OF_THE_WORK}
        said["dataset"] = {name: part for name, part in self.dataset.items() if name != "name"}
        return digest(said)


def manifest_from_json(value: Json) -> Manifest:
    """Read back what `Manifest.as_json` wrote."""
    return Manifest(**{**value, "metrics": {name: facts_from_json(facts) for name, facts in value["metrics"]}})


@dataclass(frozen=True, slots=True)
class LimitChange:
    """From `at_s` seconds after the start of the work on, `endpoint` was asked at most `limit` calls at once; `why`."""

    at_s: float
    endpoint: str
    limit: int
    why: str

    def as_json(self) -> Json:
        return [round(self.at_s, 3), self.endpoint, self.limit, self.why]


class Unkept(NamedTuple):
    """What a run spent that none of its rows tells: on calls that were broken off, and on failed ones whose row was
    replaced by an answer of another run."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0

    def plus(self, more: Unkept) -> Unkept:
        return Unkept(self.calls + more.calls, self.tokens + more.tokens, self.usd + more.usd)


NOTHING: Final = Unkept()


@dataclass(frozen=True)
class Run:
    """One execution of a suite.

    `id` is `suite.number`. Counts are of (sample, repeat) pairs: `total` is what the run must do,
    `generated` + `failed` what it has done. `calls`, `cost_usd` and tokens are what was spent, judge
    included; `reused` counts answers taken from an earlier run of the same epoch. `course` is how hard each
    endpoint was asked: every change of a limit, in order.
    """

    id: str
    suite: str
    number: int
    status: RunStatus
    manifest: Manifest
    total: int
    started_at: datetime
    finished_at: datetime | None = None
    note: str | None = None
    seed: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    course: tuple[LimitChange, ...] = ()
    unkept: Unkept = NOTHING

    def ended(self, status: RunStatus, at: datetime, note: str | None = None) -> Run:
        return replace(self, status=status, finished_at=at, note=note)


class GenerationRow(NamedTuple):
    """The ledger's row of one (run, sample, repeat): the answer, or why there is none."""

    sample_id: str
    repeat: int
    key: str
    sample_digest: str
    result: Generation | Failure
    reused: bool = False


class ScoreRow(NamedTuple):
    """The ledger's row of one (run, sample, repeat, metric)."""

    sample_id: str
    repeat: int
    metric: str
    key: str
    score: Score
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Accounting:
    """Every (sample, repeat) of a run for one metric: `scored + unscored + not_run == total`."""

    metric: str
    total: int
    scored: int
    unscored: Mapping[str, int] = field(default_factory=dict)

    @property
    def not_run(self) -> int:
        return self.total - self.scored - sum(self.unscored.values())


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The answers of a run that failed for one reason: how many, and the first of them as an example."""

    reason: str
    count: int
    sample_id: str
    message: str

    def as_json(self) -> Json:
        example = {"sample_id": self.sample_id, "message": self.message}
        return {"reason": self.reason, "count": self.count, "example": example}


@dataclass(frozen=True, slots=True)
class Unscored:
    """The answers that a metric could not score for one reason: how many, and the first of them as an example."""

    metric: str
    reason: str
    count: int
    sample_id: str
    explanation: str | None

    def as_json(self) -> Json:
        example = {"sample_id": self.sample_id, "explanation": self.explanation}
        return {"metric": self.metric, "reason": self.reason, "count": self.count, "example": example}


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that did not finish: how many answers it has, and who works on it now, None when nobody does."""

    run: Run
    answered: int
    worked_on_by: str | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has spent: calls, tokens, dollars (None when a price is unknown), and what it saved: the answers
    (`reused`) and judgements that it took from earlier runs, and what those had cost (`saved_usd`, None where that is
    unknown)."""

    calls: int = 0
    tokens: int = 0
    cost_usd: float | None = None
    unpriced_calls: int = 0
    reused: int = 0
    retried: int = 0
    reused_judgements: int = 0
    saved_usd: float | None = None
