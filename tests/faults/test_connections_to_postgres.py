"""How many connections a process takes of a Postgres server, what a client that vanished leaves behind, and what a
pooler between them may do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, Run, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.errors import StoreError
from haetae.store import server
from haetae.store.address import parse_url
from haetae.store.pacing import open_pacing
from haetae.store.sql import SqlLedger, open_ledger

psycopg = pytest.importorskip("psycopg")
pytestmark = pytest.mark.real
AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[SqlLedger]:
    with closing(open_ledger(postgres_url)) as opened:
        yield opened


def _start(ledger: SqlLedger) -> Run:
    manifest = Manifest({"suite": "support"}, {}, {}, {"exact": MetricFacts("exact", "1")})
    return ledger.start("support", manifest, 100, AT, 7, {})


def _record(ledger: SqlLedger, run: Run, first: int, count: int = 5) -> None:
    samples = [Sample(f"s{n}", f"question {n}") for n in range(first, first + count)]
    answers = [GenerationRow(s.id, 0, f"k{s.id}", s.digest, Generation("an answer")) for s in samples]
    ledger.record(run.id, samples, answers, [ScoreRow(s.id, 0, "exact", f"k{s.id}", Score(1.0)) for s in samples], AT)


def _asked(url: str, sql: str) -> Any:
    with psycopg.connect(url, autocommit=True, application_name="looking") as connection:
        return connection.execute(sql).fetchone()[0]


def _connected(url: str) -> int:
    return int(_asked(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'haetae'"))


def test_a_process_keeps_a_connection_to_write_one_to_read_and_one_for_paces(
    ledger: SqlLedger, postgres_url: str
) -> None:
    run = _start(ledger)
    for first in range(0, 50, 5):
        _record(ledger, run, first)
        assert len(ledger.results(run.id)) == first + 5
    assert _connected(postgres_url) == 2
    ledger.pacing.reserve("endpoint", 1.0, 1.0)
    assert _connected(postgres_url) == 3
    ledger.close()


def test_many_threads_that_read_share_a_few_connections(ledger: SqlLedger, postgres_url: str) -> None:
    _start(ledger)
    full, counted = threading.Barrier(server.READERS + 1), threading.Event()

    def work(connection: sa.Connection) -> None:
        connection.exec_driver_sql("SELECT 1")
        if not counted.is_set():
            full.wait(60)
            counted.wait(60)

    readers = [
        threading.Thread(target=ledger._database.read, args=("reading", work)) for _ in range(3 * server.READERS)
    ]
    for reader in readers:
        reader.start()
    full.wait(60)
    assert _connected(postgres_url) == server.READERS + 1  # and the writer
    counted.set()
    for reader in readers:
        reader.join(60)
    assert _connected(postgres_url) == 2


def test_what_a_client_that_vanished_has_locked_is_free_soon(
    ledger: SqlLedger, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # STO-10
    """The client says nothing more in the middle of a transaction; another continues the run."""
    assert "'60s'" in server._PATIENCE_OF_LOCKS
    monkeypatch.setattr(server, "_PATIENCE_OF_LOCKS", "SET LOCAL idle_in_transaction_session_timeout = '200ms'")
    monkeypatch.setattr("haetae.store.database.PATIENCE_S", -1.0)
    run = _start(ledger)
    locked, over = threading.Event(), threading.Event()
    said: list[BaseException] = []

    def work(connection: sa.Connection) -> None:
        connection.exec_driver_sql("UPDATE run SET total = 0")
        locked.set()
        over.wait(60)
        connection.exec_driver_sql("SELECT 1")

    def vanishing() -> None:
        try:
            ledger._database.write("vanishing", work)
        except StoreError as exc:
            said.append(exc)

    thread = threading.Thread(target=vanishing)
    thread.start()
    assert locked.wait(60)
    with psycopg.connect(postgres_url) as other:  # waits for the lock
        other.execute("UPDATE run SET note = 'another has it'")
    over.set()
    thread.join(60)
    assert len(said) == 1
    assert ledger.run(run.id).total == 100
    assert ledger.run(run.id).note == "another has it"


def test_the_url_decides_how_a_server_is_reached(postgres_url: str) -> None:
    with open_ledger(f"{postgres_url}?application_name=nightly&sslmode=prefer&keepalives_idle=7") as ledger:
        _start(ledger)
        assert _asked(postgres_url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nightly'") >= 1
        raw = ledger._database.read("looking", lambda c: c.connection.dbapi_connection.info.get_parameters())  # type: ignore[union-attr]  # psycopg's
    assert (raw["keepalives_idle"], raw["tcp_user_timeout"], raw["connect_timeout"]) == ("7", "60000", "10")
    with pytest.raises(StoreError, match="does not support SSL") as caught:
        open_ledger(f"{postgres_url}?sslmode=require&password=canary-password")
    assert "canary" not in str(caught.value)


def _prepared(ledger: SqlLedger) -> int | None:
    def work(connection: sa.Connection) -> int | None:
        found: int | None = connection.connection.dbapi_connection.prepare_threshold  # type: ignore[union-attr]  # psycopg's
        return found

    return ledger._database.write("looking", work)


def test_behind_a_pooler_nothing_is_kept_prepared(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler greets with a process number of its own making."""
    with open_ledger(postgres_url) as ledger:
        assert _prepared(ledger) == 5
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", property(lambda info: -1))
    with open_ledger(postgres_url) as ledger:
        run = _start(ledger)
        for first in range(0, 50, 5):
            _record(ledger, run, first)
        assert _prepared(ledger) is None
        count = "SELECT count(*) FROM pg_prepared_statements"
        for ask in (ledger._database.read, ledger._database.write):
            assert ask("counting", lambda c: c.exec_driver_sql(count).scalar()) == 0


def test_nothing_of_a_session_outlives_a_transaction(ledger: SqlLedger, postgres_url: str) -> None:
    """So that the next transaction may have another connection: no lock, no setting, no row of its own."""
    run = _start(ledger)
    _record(ledger, run, 0)
    ledger.results(run.id)
    pacing = open_pacing(parse_url(postgres_url))
    with closing(pacing):
        pacing.reserve("endpoint", 1.0, 1.0)
        assert _asked(postgres_url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0

    raw = ledger._database._writer.raw_connection()
    with closing(raw), closing(raw.cursor()) as cursor:
        cursor.execute("SELECT count(*) FROM pg_settings WHERE source = 'session' AND name LIKE '%timeout%'")
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "SELECT coalesce(sum(pg_relation_size(oid)), 0) FROM pg_class WHERE starts_with(relname, 'new_')"
        )
        assert cursor.fetchone() == (0,)
