"""Reading a run costs as many rows as it has, also where the statistics of Postgres know of no such run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from haetae.core import reasons
from haetae.core.score import Score
from haetae.store.sql import SqlLedger, open_ledger

pytestmark = pytest.mark.real
SAMPLES = 400
READ: dict[str, Callable[[SqlLedger, str], Any]] = {
    "done_count": lambda ledger, run: ledger.done_count(run, ["exact", "bleu"]),
    "spent": lambda ledger, run: ledger.spent(run),
    "spent of a shard": lambda ledger, run: ledger.spent(run, range(100, 200)),
    "accounting": lambda ledger, run: ledger.accounting(run),
    "unanswered": lambda ledger, run: ledger.unanswered(run),
    "unscored": lambda ledger, run: ledger.unscored(run),
    "table": lambda ledger, run: ledger.table(run, "exact"),
    "sample_columns": lambda ledger, run: ledger.sample_columns(run, "exact"),
    "results": lambda ledger, run: ledger.results(run),
    "results without a score": lambda ledger, run: ledger.results(run, unscored_only=True),
    "reported_models": lambda ledger, run: ledger.reported_models(run),
}


@contextmanager
def looked_at() -> Iterator[list[int]]:
    """How many rows each SELECT looks at, by what Postgres itself says of it in the same transaction."""
    rows: list[int] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "WITH")):
            with connection.connection.driver_connection.cursor() as asking:
                asking.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
                rows.append(_rows(asking.fetchone()[0][0]["Plan"]))

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield rows
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


def _rows(node: dict[str, Any]) -> int:
    passed = sum(value for name, value in node.items() if name.startswith("Rows Removed by "))
    own: int = (node["Actual Rows"] + passed) * node["Actual Loops"]
    return own + sum(map(_rows, node.get("Plans", ())))


@pytest.fixture(scope="module")
def new_run(postgres_server: str) -> Iterator[tuple[SqlLedger, str]]:
    """A run that began after the statistics were taken; of some samples the answer is missing, of some the score."""
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as server:
        server.execute("CREATE DATABASE new_runs")
        url = f"{postgres_server}/new_runs"
        with open_ledger(url) as ledger, psycopg.connect(url, autocommit=True) as beside:
            _ran(ledger)
            beside.execute("ALTER TABLE score SET (autovacuum_enabled = off)")
            beside.execute("ALTER TABLE generation SET (autovacuum_enabled = off)")
            beside.execute("ANALYZE")
            yield ledger, _ran(ledger)
        server.execute("DROP DATABASE new_runs")


def _ran(ledger: SqlLedger) -> str:
    from tests.contract.conftest import Given

    given = Given()
    samples = [given.sample(f"s{n}", metadata={"language": "ko" if n % 2 else "en"}) for n in range(SAMPLES)]
    run = given.start(ledger, given.manifest("exact", "bleu", slices=["language"]), total=SAMPLES)
    answers = [
        given.failure(one, reasons.TIMEOUT) if n % 5 == 0 else given.answer(one) for n, one in enumerate(samples)
    ]
    lacking = Score.unscored(reasons.MISSING_REFERENCE)
    scores = [
        given.score(one, lacking if n % 3 == 0 else Score(1.0, stats=(1.0, 2.0)), metric)
        for n, one in enumerate(samples)
        for metric in ("exact", "bleu")
        if n % 5
    ]
    ledger.record(run.id, samples, answers, scores, given.at)
    return run.id


@pytest.mark.parametrize("what", READ)
def test_no_read_looks_at_more_rows_than_some_times_those_of_the_run(what: str, new_run: tuple[SqlLedger, str]) -> None:
    ledger, run = new_run
    with looked_at() as rows:
        READ[what](ledger, run)
    assert rows
    assert max(rows) <= 20 * SAMPLES  # in loops it would be 400 times 400 and more


def test_a_loop_within_a_loop_would_be_seen(new_run: tuple[SqlLedger, str]) -> None:
    ledger, run = new_run
    query = "SELECT count(*) FROM score s, generation g WHERE s.run_id = :run AND g.run_id = :run"
    with looked_at() as rows:
        ledger._database.read("counting", lambda c: c.execute(sa.text(query), {"run": run}).scalar_one())
    assert max(rows) > 100 * SAMPLES
