"""What the pages read: the ledger through a workbench that only reads, kept for some seconds.

Every function takes the ledger's URL first, so that what is kept belongs to one ledger.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from haetae import Comparison, Estimate, Failure, Generation, HaetaeError, Run, RunStatus, Workbench, load_settings

if TYPE_CHECKING:
    from haetae.core.ledger import SampleResult
    from haetae.core.run import Accounting, Spent

TREND = 60
"""How many runs of a suite a trend shows."""
CHOICES = 200
"""How many runs of a suite can be chosen from a list; older ones by their address."""
PAGE = 50
PREVIEW = 300
"""Characters of a text in a table's cell."""
EXPORTED = 50_000
"""Rows that a browser is given as CSV; more are exported by the command line."""
_TTL = 15
"""Seconds that a reading of what may change is kept."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of one run."""

    estimates: tuple[Estimate, ...]
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class SuiteView:
    """A suite with its newest runs, newest first, and what was said of each; `done` counts the first one's samples."""

    name: str
    runs: tuple[Run, ...]
    said: dict[str, Said]
    baseline: Run | None
    done: int


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One (sample, repeat) for a table; texts are cut to `PREVIEW` characters."""

    sample_id: str
    repeat: int
    input: str
    output: str | None
    failure: str | None
    scores: dict[str, float | None]
    reasons: dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a run, and whether more follow."""

    rows: tuple[SampleRow, ...]
    more: bool


def where() -> str:
    """The URL of the ledger, from the environment."""
    return load_settings().ledger


def trouble(ledger: str) -> str | None:
    """Why the ledger cannot be read, None when it can."""
    try:
        _bench(ledger).ledger.runs(limit=1)
    except HaetaeError as exc:
        return str(exc)
    return None


@st.cache_data(ttl=_TTL, max_entries=8, show_spinner="Reading the ledger")
def overview(ledger: str) -> tuple[SuiteView, ...]:
    """Every suite in the ledger."""
    return tuple(_suite(ledger, name) for name in _bench(ledger).ledger.suites())


@st.cache_data(ttl=_TTL, max_entries=8, show_spinner=False)
def freshness(ledger: str) -> tuple[datetime, datetime | None]:
    """When the ledger was read, and when its newest run ended, or started when it has not ended."""
    newest = _bench(ledger).ledger.runs(limit=1)
    return datetime.now(UTC), (newest[0].finished_at or newest[0].started_at) if newest else None


@st.cache_data(ttl=_TTL, max_entries=8, show_spinner=False)
def suites(ledger: str) -> tuple[str, ...]:
    """The names of the suites that have runs."""
    return tuple(_bench(ledger).ledger.suites())


@st.cache_data(ttl=_TTL, max_entries=64, show_spinner=False)
def runs(ledger: str, suite: str, limit: int = CHOICES) -> tuple[Run, ...]:
    """The newest runs of a suite, newest first."""
    return tuple(_bench(ledger).ledger.runs(suite, limit))


@st.cache_data(ttl=_TTL, max_entries=64, show_spinner=False)
def find(ledger: str, run_id: str) -> Run | None:
    """A run, None when there is none of that name."""
    suite, _, number = run_id.rpartition(".")
    if suite not in suites(ledger) or not (number.isascii() and number.isdecimal()):
        return None
    try:
        return _bench(ledger).ledger.run(run_id)
    except HaetaeError:
        return None


def said(ledger: str, run: Run) -> Said:
    """What was said of a run."""
    return _said(ledger, run.id, _state(run))


@st.cache_data(ttl=_TTL, max_entries=64, show_spinner=False)
def accounts(ledger: str, run_id: str) -> tuple[tuple[Accounting, ...], Spent]:
    """Every sample of a run accounted for, and what the run has spent."""
    bench = _bench(ledger)
    return tuple(bench.ledger.accounting(run_id)), bench.ledger.spent(run_id)


@st.cache_data(ttl=_TTL, max_entries=64, show_spinner=False)
def baseline(ledger: str, suite: str, name: str) -> Run | None:
    """The run that a suite is compared with."""
    return _bench(ledger).ledger.baseline(suite, name)


@st.cache_data(ttl=_TTL, max_entries=64, max_size="64MB", show_spinner="Reading samples")
def samples(ledger: str, run_id: str, page: int, search: str, unscored_only: bool) -> Page:
    """One page of a run's samples; `page` counts from 0."""
    found = _bench(ledger).ledger.results(
        run_id, limit=PAGE + 1, offset=page * PAGE, search=search or None, unscored_only=unscored_only
    )
    return Page(tuple(_row(result) for result in found[:PAGE]), len(found) > PAGE)


@st.cache_data(ttl=_TTL, max_entries=64, max_size="256MB", show_spinner=False)
def results(ledger: str, run_id: str, sample_ids: tuple[str, ...]) -> tuple[SampleResult, ...]:
    """Whole results of some samples, every repeat."""
    return tuple(_bench(ledger).ledger.results(run_id, sample_ids=sample_ids))


@st.cache_data(ttl=600, max_entries=64, show_spinner="Comparing the runs")
def compare(ledger: str, candidate: str, against: str, common: bool) -> Comparison:
    """A comparison made now; nothing is written."""
    return _bench(ledger).compare(candidate, against, common=common)


def csv(ledger: str, run_id: str) -> bytes:
    """A run's samples and scores as CSV, with the mark by which spreadsheets know UTF-8."""
    out = io.StringIO()
    _bench(ledger).export(run_id, "csv", out)
    return out.getvalue().encode("utf-8-sig")


def done(accounting: Sequence[Accounting]) -> int:
    """How many (sample, repeat) pairs of a run every metric has dealt with."""
    return min((account.total - account.not_run for account in accounting), default=0)


@st.cache_resource(max_entries=4, show_spinner=False, on_release=Workbench.close)
def _bench(ledger: str) -> Workbench:
    settings = load_settings({"HAETAE_LEDGER": ledger})
    return Workbench(settings, readonly=True)


@st.cache_data(ttl=600, max_entries=5000, show_spinner=False)
def _said(ledger: str, run_id: str, state: str) -> Said:
    """Kept longer: what is said of a run changes with its `state` alone."""
    store = _bench(ledger).ledger
    return Said(tuple(store.estimates(run_id)), store.comparison(run_id))


def _state(run: Run) -> str:
    return f"{run.status.value} {run.finished_at}"


def _suite(ledger: str, name: str) -> SuiteView:
    store = _bench(ledger).ledger
    newest = tuple(store.runs(name, TREND))
    last = newest[0]
    gate = last.manifest.suite.get("gate") or {}
    promoted = store.baseline(name, gate.get("baseline", "production"))
    finished = last.status is RunStatus.FINISHED
    count = last.total if finished else done(store.accounting(last.id))
    return SuiteView(name, newest, {run.id: said(ledger, run) for run in newest}, promoted, count)


def _row(result: SampleResult) -> SampleRow:
    answer = result.generation.result if result.generation else None
    scores = {name: row.score.value for name, row in result.scores.items()}
    reasons = {name: row.score.reason for name, row in result.scores.items() if row.score.reason}
    return SampleRow(
        sample_id=result.sample.id,
        repeat=result.repeat,
        input=result.sample.text[:PREVIEW],
        output=answer.output[:PREVIEW] if isinstance(answer, Generation) else None,
        failure=answer.reason if isinstance(answer, Failure) else None,
        scores=scores,
        reasons=reasons,
    )
