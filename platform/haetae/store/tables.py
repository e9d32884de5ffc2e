"""The tables of runs, and the metadata of all tables of the ledger.

    sample ──< generation ──< score        what was asked, what was answered, what it is worth
                   │
    run ───────────┴──< estimate, baseline, outbox
    annotation                             what people said of an answer, by its content
    comparison                             verdicts, each with the runs that it names
    turn                                   how far the schedule of each suite was served
    run ──< shard                          parts of a run that several processes work on

Beside them, in `registry_tables` and `alert_tables`:

    registration ──< alias                 models, prompts and datasets by number and content hash
    alias_move, mirrored                   why an alias moved, and where ours and MLflow's were last seen
    alert ──< alert_delivery               what people were told, and have yet to be told
    last_told                              what they know of each suite since
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Field

from haetae.store import alert_tables, registry_tables  # noqa: F401  # METADATA has their tables
from haetae.store.columns import JsonText, SafeText
from haetae.store.table_base import Base

METADATA: Final = Base.metadata

PRUNED: Final = "pruned"
"""The status of a run whose rows are being deleted: nobody is shown it any more."""


def _originals(paid: str) -> sa.Index:
    """The index by key, over what `original` says; written as SQLAlchemy writes it for SQLite."""
    return sa.Index(None, "key", sqlite_where=sa.text(f"reason IS NULL AND (reused = 0 OR heir = 1) AND {paid} > 0"))


def original(table: Any) -> sa.ColumnElement[bool]:
    """What is looked up by key in `generation` or `score`: rows that a call was made for, and the heirs of such rows.

    An heir is a copy that stands for the row it was copied from, which was pruned with its run.
    """
    paid = table.c.attempts if "attempts" in table.c else table.c.calls
    called = sa.or_(sa.not_(table.c.reused), table.c.heir)
    return sa.and_(table.c.reason.is_(None), called, paid > sa.literal_column("0"))


class SampleTable(Base, table=True):
    """A sample by its content: `search` is what people look for, `payload` the whole sample."""

    __tablename__ = "sample"
    digest: str = Field(primary_key=True)
    search: str = Field(sa_type=SafeText)
    facets: Any = Field(sa_type=JsonText)  # the sample's metadata: its slices and clusters
    payload: Any = Field(sa_type=JsonText)


class RunTable(Base, table=True):
    """A run and, while it is worked on, who does."""

    __tablename__ = "run"
    __table_args__ = (
        sa.UniqueConstraint("suite", "number"),
        sa.Index(None, "suite", "manifest_digest"),
        sa.Index(None, "started_at"),
    )
    id: str = Field(primary_key=True, sa_type=SafeText)
    suite: str = Field(sa_type=SafeText)
    number: int
    status: str
    manifest: Any = Field(sa_type=JsonText)
    manifest_digest: str
    total: int
    started_at: datetime
    finished_at: datetime | None = None
    note: str | None = Field(default=None, sa_type=SafeText)
    seed: int = Field(sa_type=sa.BigInteger)
    tags: Any = Field(sa_type=JsonText)
    course: Any = Field(default=None, sa_type=JsonText, nullable=True)
    unkept: Any = Field(default=None, sa_type=JsonText, nullable=True)
    owner_host: str | None = None
    owner_pid: int | None = None
    owner_started: str | None = None
    owner_token: str | None = None
    lease_until: datetime | None = None


class GenerationTable(Base, table=True):
    """An answer of a run, or why there is none. `position` is the order in which samples came."""

    __tablename__ = "generation"
    __table_args__ = (
        _originals("attempts"),
        sa.Index(None, "run_id", "position", "repeat"),
    )
    run_id: str = Field(primary_key=True, foreign_key="run.id", sa_type=SafeText)
    sample_id: str = Field(primary_key=True, sa_type=SafeText)
    repeat: int = Field(primary_key=True)
    position: int
    key: str
    sample_digest: str = Field(foreign_key="sample.digest")
    reason: str | None = None
    output: str = Field(sa_type=SafeText)
    output_digest: str
    payload: Any = Field(sa_type=JsonText)
    attempts: int
    model: str | None = Field(default=None, sa_type=SafeText)
    tokens: int | None = Field(default=None, sa_type=sa.BigInteger)
    cost_usd: float | None = None
    latency_s: float | None = None
    reused: bool
    heir: bool | None = None
    created_at: datetime


class ScoreTable(Base, table=True):
    """A score of a generation by one metric: a value, or a reason."""

    __tablename__ = "score"
    __table_args__ = (
        sa.CheckConstraint("(value IS NULL) = (reason IS NOT NULL)", name="value_or_reason"),
        sa.ForeignKeyConstraint(
            ["run_id", "sample_id", "repeat"], ["generation.run_id", "generation.sample_id", "generation.repeat"]
        ),
        _originals("calls"),
        sa.Index(None, "run_id", "metric", "reason"),
    )
    run_id: str = Field(primary_key=True, sa_type=SafeText)
    sample_id: str = Field(primary_key=True, sa_type=SafeText)
    repeat: int = Field(primary_key=True)
    metric: str = Field(primary_key=True, sa_type=SafeText)
    key: str
    value: float | None = None
    reason: str | None = None
    stats: Any = Field(default=None, sa_type=JsonText, nullable=True)
    explanation: str | None = Field(default=None, sa_type=SafeText)
    usage: Any = Field(default=None, sa_type=JsonText, nullable=True)
    model: str | None = Field(default=None, sa_type=SafeText)
    calls: int = 0
    tokens: int | None = Field(default=None, sa_type=sa.BigInteger)
    cost_usd: float | None = None
    reused: bool
    heir: bool | None = None
    created_at: datetime


class AnnotationTable(Base, table=True):
    """A person's score of an answer, by the content of the sample and of the answer. `run_id` is where it was made."""

    __tablename__ = "annotation"
    # this refuses NaN too: Postgres sorts it above all numbers, SQLite takes it for NULL
    __table_args__ = (
        sa.CheckConstraint("value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308", name="finite"),
    )
    sample_digest: str = Field(primary_key=True, foreign_key="sample.digest")
    output_digest: str = Field(primary_key=True)
    metric: str = Field(primary_key=True, sa_type=SafeText)
    rater: str = Field(primary_key=True, sa_type=SafeText)
    value: float
    run_id: str = Field(foreign_key="run.id", sa_type=SafeText)
    created_at: datetime


class EstimateTable(Base, table=True):
    """What was said of one metric × slice of a run, in the order in which it was said."""

    __tablename__ = "estimate"
    run_id: str = Field(primary_key=True, foreign_key="run.id", sa_type=SafeText)
    position: int = Field(primary_key=True)
    payload: Any = Field(sa_type=JsonText)


class ComparisonTable(Base, table=True):
    """A verdict. Every one is kept; the newest counts."""

    __tablename__ = "comparison"
    id: int | None = Field(default=None, primary_key=True)
    suite: str = Field(sa_type=SafeText)
    candidate: str = Field(index=True, sa_type=SafeText)
    verdict: str
    payload: Any = Field(sa_type=JsonText)
    created_at: datetime


class BaselineTable(Base, table=True):
    """Who was promoted to which baseline, and when. The newest is the baseline."""

    __tablename__ = "baseline"
    __table_args__ = (sa.Index(None, "suite", "name"),)
    id: int | None = Field(default=None, primary_key=True)
    suite: str = Field(sa_type=SafeText)
    name: str = Field(sa_type=SafeText)
    run_id: str = Field(foreign_key="run.id", sa_type=SafeText)
    promoted_at: datetime
    reason: str | None = Field(default=None, sa_type=SafeText)  # why its verdict was overruled


class OutboxTable(Base, table=True):
    """What trackers have been told, and have yet to be told."""

    __tablename__ = "outbox"
    __table_args__ = (sa.UniqueConstraint("tracker", "key"),)
    id: int | None = Field(default=None, primary_key=True)
    tracker: str = Field(sa_type=SafeText)
    run_id: str = Field(foreign_key="run.id", sa_type=SafeText)
    key: str = Field(sa_type=SafeText)
    tries: int = 0
    last_error: str | None = Field(default=None, sa_type=SafeText)
    queued_at: datetime
    tried_at: datetime | None = None
    delivered_at: datetime | None = None
    receipt: str | None = Field(default=None, sa_type=SafeText)


class TurnTable(Base, table=True):
    """The newest time that a suite's schedule was served, by which line and file, and whose turn it is while that
    takes. `looked_at` is when somebody last looked by himself whether it is due, `looks_apart_s` after the look before.
    """

    __tablename__ = "turn"
    suite: str = Field(primary_key=True, sa_type=SafeText)
    due_at: datetime
    taken_at: datetime
    ended_at: datetime | None = None
    schedule: str = Field(sa_type=SafeText)
    file: str = Field(sa_type=SafeText)
    looked_at: datetime | None = None
    looks_apart_s: float | None = None
    owner_host: str | None = None
    owner_pid: int | None = None
    owner_started: str | None = None
    owner_token: str | None = None
    lease_until: datetime | None = None


class ShardTable(Base, table=True):
    """A part of a run: the samples from `first` up to `last`, in their order. It has ended, or whoever holds it works
    on it, or it is to be had. `allotted` is what may be spent on it, `spent` what was until it was given back."""

    __tablename__ = "shard"
    run_id: str = Field(primary_key=True, foreign_key="run.id", sa_type=SafeText)
    number: int = Field(primary_key=True)
    first: int
    last: int
    owner_host: str | None = None
    owner_pid: int | None = None
    owner_started: str | None = None
    owner_token: str | None = None
    lease_until: datetime | None = None
    ended_at: datetime | None = None
    allotted: Any = Field(default=None, sa_type=JsonText, nullable=True)
    spent: Any = Field(default=None, sa_type=JsonText, nullable=True)


SAMPLE = METADATA.tables["sample"]
RUN = METADATA.tables["run"]
GENERATION = METADATA.tables["generation"]
SCORE = METADATA.tables["score"]
ANNOTATION = METADATA.tables["annotation"]
ESTIMATE = METADATA.tables["estimate"]
COMPARISON = METADATA.tables["comparison"]
BASELINE = METADATA.tables["baseline"]
OUTBOX = METADATA.tables["outbox"]
TURN = METADATA.tables["turn"]
SHARD = METADATA.tables["shard"]


def describe_for_postgres() -> None:
    """Say over which rows the indexes by key go in the words of Postgres, for the migrations.

    To name an option of Postgres loads its dialect with all its drivers, which a ledger in SQLite does without.
    """
    for table, paid in ((GENERATION, "attempts"), (SCORE, "calls")):
        by_key = next(index for index in table.indexes if index.columns.keys() == ["key"])
        where = sa.text(f"reason IS NULL AND (NOT reused OR heir) AND {paid} > 0")
        by_key.dialect_kwargs["postgresql_where"] = where
